//! SQL over triples tables, revision maps and savepoints: the one door to datafusion.
//!
//! Promise: one statement that only reads, over tables that are read in parts, with filters pushed into the files.
//! In -> out: [`Settings`], tables by name and place, a statement, values of its parameters -> rows.
//! Invariant: nothing is changed anywhere; what does not fit into the memory given is sorted and grouped on disk.
//! Not here: what the statements say (see `sql/`), and where results go.

#[cfg(feature = "sql")]
mod encoder;
#[cfg(feature = "sql")]
pub mod engine;
#[cfg(not(feature = "sql"))]
#[path = "without.rs"]
pub mod engine;
pub mod form;
#[cfg(feature = "sql")]
mod map;
#[cfg(feature = "sql")]
pub mod rows;
#[cfg(feature = "sql")]
mod statement;
pub mod statements;
#[cfg(feature = "sql")]
mod tables;
#[cfg(feature = "sql")]
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;

use crate::revision_map::RevisionMapError;
use crate::savepoint::SavepointError;
use crate::storage::{Location, StorageError};

/// How to work.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes that sorting and grouping may hold in memory, all threads together.
    pub memory: usize,
    /// Threads.
    pub threads: usize,
}

/// Why a statement gave no result.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The program was built without the feature `sql`.
    #[error("this headwater was built without its SQL engine")]
    NoEngine,
    /// The statement is no SQL, or names what is not there.
    #[error("the statement cannot be run: {0}")]
    Statement(String),
    /// There is not one statement.
    #[error("there are {0} statements where one is expected")]
    NotOne(usize),
    /// The statement would change something.
    #[error("only statements that read are run, and this one does not: {0}")]
    NotReadOnly(String),
    /// A parameter has no value.
    #[error("the statement's parameter :{0} has no value")]
    NoValue(String),
    /// A value is for a parameter that the statement does not have.
    #[error("the statement has no parameter :{0}")]
    NoParameter(String),
    /// The name cannot be that of a table.
    #[error("`{name}` cannot be the name of a table: {rule}")]
    TableName {
        /// The name.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// What is there is no table.
    #[error("{location} is no table: {rule}")]
    NotATable {
        /// The place.
        location: Location,
        /// What is wrong.
        rule: String,
    },
    /// A revision map could not be read.
    #[error("the revision map cannot be read")]
    RevisionMap(#[source] RevisionMapError),
    /// A savepoint is not sound.
    #[error(transparent)]
    Savepoint(#[from] SavepointError),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The memory given is too small even with the help of the disk.
    #[error("the memory is used up: {0}")]
    Memory(String),
    /// A file could not be read, or a spilled one not be written; a later try may succeed.
    #[error("the data cannot be read, or not be put aside on disk")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A file is damaged, or a value is not what the statement takes it for.
    #[error("the statement failed: {0}")]
    Failed(String),
    /// The engine broke one of its own rules.
    #[error("{0}")]
    Bug(String),
    /// A result could not be written.
    #[error("the result cannot be written")]
    Write(#[source] io::Error),
    /// The caller asked to stop.
    #[error("the statement was cancelled")]
    Cancelled,
}
