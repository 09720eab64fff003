//! The native savepoint: the whole state in a directory, as open data.
//!
//! Promise: a directory with a valid `_metadata` is a whole savepoint; any other is none, wherever a writer was killed.
//! In -> out: [`StateTable`] and [`Provenance`] <-> `state/<kind>-<part>.parquet` and `_metadata` (JSON).
//! Invariant: `_metadata` is written last and deleted first; nothing that is not a savepoint's own is ever deleted.
//! Not here: how a state came to be, and Flink's format.
//!
//! Columns of a state file: `kind` (one letter), `number`, `revision`, `deleted`; rows sorted by kind (Q, P, L, M),
//! then number. The id is kept as a letter and a number rather than as one text because texts sort `Q10` before `Q9`:
//! a row group's smallest and largest value would then span nearly everything, and no reader could skip by them.

mod codec;
pub mod manifest;
mod paths;
mod read;
#[cfg(test)]
mod tests;
mod verify;
mod write;

use crate::columns::ColumnsError;
use crate::savepoint::manifest::{Manifest, ManifestError, Provenance};
use crate::state::StateTable;
use crate::storage::{self, Location, StorageError};
use crate::wikibase::entity::EntityKind;

/// What to do where a savepoint is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Write nothing.
    Refuse,
    /// Delete it first. From then on there is no savepoint until the new one is complete.
    Overwrite,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of all files, `_metadata` included.
    pub bytes: u64,
    /// How many files, `_metadata` included.
    pub files: u64,
}

/// What [`verify`] found.
#[derive(Debug)]
pub struct Verified {
    /// What the savepoint says of itself.
    pub manifest: Manifest,
    /// Everything that is wrong; empty for a sound savepoint.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a savepoint. Paths are relative to its directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A listed file is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file is there that is not listed.
    #[error("{path} does not belong to the savepoint")]
    Extra {
        /// The file.
        path: String,
    },
    /// A file has another size than listed.
    #[error("{path} has {found} bytes instead of {expected}")]
    Size {
        /// The file.
        path: String,
        /// Bytes listed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file has other bytes than were written.
    #[error("{path} is damaged: its SHA-256 is not the one listed")]
    Checksum {
        /// The file.
        path: String,
    },
    /// A file cannot be read as state.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why, with all causes.
        reason: String,
    },
    /// A file's rows do not follow on the rows of the file before.
    #[error("{path} does not follow on the file before it")]
    Order {
        /// The file.
        path: String,
    },
    /// The files hold other entities than counted.
    #[error("there are {found} {what} instead of {expected}", what = kind.plural())]
    Count {
        /// Which entities.
        kind: EntityKind,
        /// What is listed, such as `5 existing and 1 deleted`.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// Why a savepoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SavepointError {
    /// There is no `_metadata` in the directory: no savepoint, or one that was never completed.
    #[error("{location} is no savepoint: it has no _metadata")]
    NotASavepoint {
        /// The directory.
        location: Location,
    },
    /// There is a savepoint already.
    #[error("{location} already holds a savepoint")]
    Exists {
        /// The directory.
        location: Location,
    },
    /// There are files that are not a savepoint's.
    #[error("{location} holds other files, such as {found}")]
    NotEmpty {
        /// The directory.
        location: Location,
        /// One of the files.
        found: Location,
    },
    /// `_metadata` is not valid.
    #[error("{location} is not valid")]
    Manifest {
        /// The file `_metadata`.
        location: Location,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// A state file is damaged.
    #[error("a state file cannot be read")]
    Columns(#[source] ColumnsError),
    /// A state file does not hold what its place in the savepoint demands.
    #[error("{location} is damaged: {rule}")]
    State {
        /// The file.
        location: Location,
        /// The rule it breaks.
        rule: String,
    },
    /// The caller asked to stop; what was written is removed again.
    #[error("the savepoint was cancelled")]
    Cancelled,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ColumnsError> for SavepointError {
    fn from(error: ColumnsError) -> Self {
        match error {
            ColumnsError::Storage(error) => Self::Storage(error),
            error => Self::Columns(error),
        }
    }
}

/// Whether [`write()`] would begin: looks, and changes nothing. Errors: `Exists`, `NotEmpty`, `Storage`.
pub fn check_target(dir: &Location, on_existing: OnExisting) -> Result<(), SavepointError> {
    write::survey(dir, on_existing).map(drop)
}

/// Writes `state` as a savepoint into the directory `dir`, which is made if need be.
///
/// State files that a killed run left there without `_metadata` are deleted first. `cancelled` is asked before each
/// file.
/// Errors: `Exists`, `NotEmpty` (also with `Overwrite`: files of others are never touched), `Cancelled`, `Storage`.
pub fn write(
    dir: &Location,
    state: &StateTable,
    made: &Provenance,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    write::write(dir, state, made, on_existing, cancelled)
}

/// Reads the savepoint in `dir`. Checks sizes, order, rows and counts, and not checksums (see [`verify`]).
///
/// Errors: `NotASavepoint`, `Manifest`, `Columns`, `State`, `Storage`.
pub fn read(dir: &Location) -> Result<(Manifest, StateTable), SavepointError> {
    read::read(dir)
}

/// Reads only what the savepoint in `dir` says of itself. Errors: `NotASavepoint`, `Manifest`, `Storage`.
pub fn inspect(dir: &Location) -> Result<Manifest, SavepointError> {
    read::manifest(dir)
}

/// Whether there is a `_metadata` in `dir`, valid or not.
pub fn has_metadata(dir: &Location) -> Result<bool, StorageError> {
    // Below a file there is nothing to look at.
    Ok(!storage::exists(dir)? && storage::exists(&paths::Paths(dir).metadata())?)
}

/// Where the state files of the savepoint in `dir` are, in the order of their entities. Of what is in them, only the
/// sizes are checked. Errors: `NotASavepoint`, `Manifest`, `State`, `Storage`.
pub fn state_files(dir: &Location) -> Result<Vec<Location>, SavepointError> {
    read::manifest(dir)?.files.iter().map(|file| Ok(read::open(dir, file)?.location().clone())).collect()
}

/// Checks every byte of the savepoint in `dir` and reports all that is wrong.
///
/// Errors: `NotASavepoint` and `Manifest`, since nothing can be checked then; `Storage`.
pub fn verify(dir: &Location) -> Result<Verified, SavepointError> {
    verify::verify(dir)
}
