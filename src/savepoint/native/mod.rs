//! The native savepoint: the whole state in a directory, as open data; and the form that checkpoints have on disk.
//!
//! Promise: a directory with a valid `_metadata` is a whole savepoint; any other is none, wherever a writer was killed.
//! In -> out: [`StateTable`], [`Provenance`] and [`Stream`] <-> `state/<kind>-<part>.parquet`, `stream.jsonl`, `_metadata` (JSON).
//! Invariant: `_metadata` is written last and deleted first; nothing that is not a savepoint's own is ever deleted.
//! Not here: how a state came to be, and Flink's format.
//!
//! Columns of a state file: `kind` (one letter), `number`, `revision`, `deleted`; rows sorted by kind (Q, P, L, M),
//! then number. The id is kept as a letter and a number rather than as one text because texts sort `Q10` before `Q9`:
//! a row group's smallest and largest value would then span nearly everything, and no reader could skip by them.

mod codec;
pub(in crate::savepoint) mod delta;
pub mod manifest;
pub(in crate::savepoint) mod paths;
pub(in crate::savepoint) mod read;
#[cfg(test)]
mod tests;
mod verify;
pub(in crate::savepoint) mod write;

use rayon::prelude::*;

use crate::savepoint::native::manifest::{Manifest, Provenance};
use crate::savepoint::stream::Stream;
use crate::savepoint::{OnExisting, Problem, SavepointError, Written, place};
use crate::state::StateTable;
use crate::storage::{self, Location, StorageError};

pub use paths::{is_our_directory, is_ours};

/// What [`verify`] found.
#[derive(Debug)]
pub struct Verified {
    /// What the savepoint says of itself.
    pub manifest: Manifest,
    /// Everything that is wrong; empty for a sound savepoint.
    pub problems: Vec<Problem>,
}

/// A savepoint or checkpoint that was read.
#[derive(Debug)]
pub struct Whole {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The entities and their states.
    pub state: StateTable,
    /// What the stream had in hand; nothing in a savepoint of the bootstrap.
    pub stream: Stream,
}

/// Whether [`write()`] would begin: looks, and changes nothing. Errors: `Exists`, `NotEmpty`, `Storage`.
pub fn check_target(dir: &Location, on_existing: OnExisting) -> Result<(), SavepointError> {
    place::survey(dir, on_existing).map(drop)
}

/// Deletes what killed writers left unpublished. Nobody may be writing there.
pub fn delete_unpublished(dir: &Location) -> Result<(), StorageError> {
    storage::delete_unpublished(&paths::Paths(dir).state(), |name| is_ours(&format!("state/{name}")))
}

/// Deletes a savepoint. Errors: `NotEmpty` where others' files are; `Storage`.
pub fn delete(dir: &Location) -> Result<(), SavepointError> {
    place::clear(dir, OnExisting::Overwrite)
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
    write::write(dir, state, made, &Stream::default(), on_existing, cancelled)
}

/// As [`write()`], of a running stream: with what it has in hand. It needs nothing outside of its directory, which may be moved.
pub fn write_with_stream(
    dir: &Location,
    state: &StateTable,
    made: &Provenance,
    stream: &Stream,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    write::write(dir, state, made, stream, on_existing, cancelled)
}

/// Reads the savepoint or checkpoint in `dir`. Checks sizes, checksums, order, rows and counts.
///
/// Errors: `NotASavepoint`, `Manifest`, `Columns`, `State`, `Damaged`, `Storage`.
pub fn read(dir: &Location) -> Result<Whole, SavepointError> {
    read::read(dir, |_, _| {})
}

/// Whether the directory `dir`, which has a `_metadata`, is a checkpoint's. One that cannot be read is no one's.
pub fn is_checkpoint(dir: &Location) -> Result<bool, SavepointError> {
    match inspect(dir) {
        Ok(manifest) => Ok(manifest.checkpoint.is_some()),
        Err(error @ SavepointError::Storage(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Reads only what the savepoint in `dir` says of itself. Errors: `NotASavepoint`, `Manifest`, `Storage`.
pub fn inspect(dir: &Location) -> Result<Manifest, SavepointError> {
    read::manifest(dir)
}

/// Files of the savepoint in `dir` that are not there, or have another size. Errors: `Storage`.
pub fn missing(dir: &Location, manifest: &Manifest) -> Result<Vec<Problem>, SavepointError> {
    let files = manifest.files.par_iter().map(|file| Ok(verify::open(dir, file)?.err()));
    let deltas = manifest.deltas.par_iter().map(|file| Ok(verify::open(dir, file)?.err()));
    let stream = manifest.stream.par_iter().map(|stream| Ok(verify::open(dir, &stream.file)?.err()));
    files.chain(deltas).chain(stream).filter_map(Result::transpose).collect()
}

/// Where the state files of the savepoint in `dir` are, in the order of their entities; `None` for a checkpoint with changes, whose
/// state no file holds as it is. Of what is in them, only the sizes are checked. Errors: `NotASavepoint`, `Manifest`, `State`, `Storage`.
pub fn state_files(dir: &Location) -> Result<Option<Vec<Location>>, SavepointError> {
    let manifest = read::manifest(dir)?;
    if !manifest.deltas.is_empty() {
        return Ok(None);
    }
    manifest.files.iter().map(|file| Ok(read::open(dir, file)?.location().clone())).collect::<Result<_, _>>().map(Some)
}

/// Checks every byte of the savepoint in `dir` and reports all that is wrong.
///
/// Errors: `NotASavepoint` and `Manifest`, since nothing can be checked then; `Storage`.
pub fn verify(dir: &Location) -> Result<Verified, SavepointError> {
    verify::verify(dir)
}
