//! Munged triples at rest: text for loaders, a table for queries.
//!
//! Promise: what is written is complete or not there; rows that should be distinct are.
//! In -> out: packed rows and lines -> files. Invariant: nothing here knows a munge rule.

pub mod distinct;
pub mod files;
pub mod lines;
pub mod rows;

use crate::columns::ColumnsError;
use crate::storage::StorageError;

/// What triples are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A Parquet table of `context`, `subject`, `predicate`, `object`.
    Parquet,
    /// N-Triples.
    NTriples,
    /// Turtle.
    Turtle,
}

impl Format {
    /// The name people know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::NTriples => "nt",
            Self::Turtle => "ttl",
        }
    }
}

/// Why triples could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TriplesError {
    /// The files could not be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A table could not be encoded or read.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// Text could not be compressed.
    #[error("could not compress the output")]
    Compress(#[source] std::io::Error),
    /// The run was asked to end.
    #[error("stopped before the end")]
    Stopped,
    /// Scratch files of a run that is to be resumed are gone or too short.
    #[error("the scratch files of the interrupted run are gone")]
    ScratchLost,
    /// Rows that were put aside on disk could not be read back.
    #[error("the scratch files are damaged")]
    Scratch(#[source] std::io::Error),
}
