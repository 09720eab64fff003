//! Dumps: compressed Turtle (or N-Triples, which is Turtle) -> facts, on every core.
//!
//! Promise: the facts of a file in document order, each with its place, however the work was shared out.
//! In -> out: [`read::read`] takes a `compression::source::Source`; [`scan::Found`] go to a sink.
//! Not here: what is done with the facts (see `bootstrap`).

pub mod anchors;
pub mod batches;
pub mod facts;
pub mod headers;
pub mod read;
pub mod scan;
mod skim;
