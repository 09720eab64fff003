//! What the stream missed: found, and asked for.
//!
//! Promise: what is sent is asked of the updater for a reason that is written down; what is not certain is not sent.
//! In -> out: a state and a newer dump (`compare`), or side outputs (`side_outputs`) -> [`Repair`](repair::Repair)s, those that are
//! doubtful after the wiki was asked (`repair`) -> reconcile events (`ship`), each noted in a file (`audit`).
//! Not here: what the updater makes of them (see `updater::decide`).

pub mod audit;
pub mod compare;
pub mod dump;
pub mod inbox;
pub mod repair;
pub mod ship;
pub mod side_outputs;
