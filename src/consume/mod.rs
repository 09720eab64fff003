//! The other end of the stream: a triple store is kept up to date.
//!
//! Promise: a store that was loaded with a munged dump and follows the stream from before that dump on is as the wiki is, but for what
//! no message removes (references and values that nothing links any more), however often anything is killed or put back.
//! In -> out: messages of mutations -> whole mutations -> batches -> SPARQL updates, each with the position that it leads to.
//! Invariant: the position is in the store, and nowhere else.

pub mod assemble;
pub mod batch;
mod desk;
mod error;
pub mod history;
pub mod line;
mod notice;
pub mod patience;
pub mod position;
pub mod service;
mod status;
pub mod target;
pub mod triples;
pub mod update;

pub use error::{BadRecord, ConsumeError};
pub use notice::Notice;
pub use status::{Status, Totals};
