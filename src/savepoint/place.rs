//! Making a directory ready for a savepoint.
//!
//! Promise: nothing that is not a savepoint's own is ever deleted, nor one that a job took, nor a checkpoint; `_metadata` is deleted
//! before anything else. A savepoint of ours may be replaced by one in the other format. Where attempts have names of their own
//! the old savepoint stays until the new one takes its place.

use bytes::Bytes;
use rayon::prelude::*;

use crate::savepoint::{METADATA, OnExisting, SavepointError, flink, native};
use crate::storage::{self, Blob, Location, StorageError};

/// What of our own is in a directory.
pub struct Survey {
    exists: bool,
    ours: Vec<Location>,
}

/// Looks whether a savepoint may be written to the directory; changes nothing.
pub fn survey(dir: &Location, on_existing: OnExisting) -> Result<Survey, SavepointError> {
    if storage::exists(dir)? {
        return Err(StorageError::NotADirectory { location: dir.clone() }.into());
    }
    let metadata = dir.join(METADATA);
    // A directory of that name would be found by the last step only.
    if let Err(error @ StorageError::NotAFile { .. }) = Blob::open(&metadata) {
        return Err(error.into());
    }
    let mut survey = Survey { exists: false, ours: Vec::new() };
    for found in storage::list(dir)? {
        let name = found.location.relative_to(dir).unwrap_or_default();
        if name == METADATA {
            survey.exists = true;
        } else if native::is_ours(&name) || flink::is_ours(&name) {
            survey.ours.push(found.location);
        } else {
            return Err(SavepointError::NotEmpty { location: dir.clone(), found: found.location });
        }
    }
    // Where a directory cannot be locked, they may be those of another writer who is at it.
    if on_existing == OnExisting::Refuse
        && !survey.exists
        && !dir.has_names()
        && let Some(found) = survey.ours.first()
    {
        return Err(SavepointError::Unfinished { location: dir.clone(), found: found.clone() });
    }
    if survey.exists && on_existing == OnExisting::Refuse {
        return Err(SavepointError::Exists { location: dir.clone() });
    }
    // A small one is nothing but its `_metadata`, so its files do not tell.
    if survey.exists && (flink::is_of_a_job(dir)? || native::is_checkpoint(dir)?) {
        return Err(SavepointError::NotEmpty { location: dir.clone(), found: metadata });
    }
    Ok(survey)
}

/// Makes the directory ready for a savepoint, unless it is another's. Returns the files to [`tidy`] once that is published.
pub fn prepare(dir: &Location, on_existing: OnExisting) -> Result<Vec<Location>, SavepointError> {
    if dir.has_names() {
        return clear(dir, on_existing).map(|()| Vec::new());
    }
    Ok(survey(dir, on_existing)?.ours)
}

/// Deletes what was there before. What cannot be deleted is left: the new savepoint does not name it.
pub fn tidy(dir: &Location, old: &[Location]) {
    old.iter().for_each(|file| drop(storage::delete(file)));
    let _ = storage::delete_unpublished(dir, is_ours);
    delete_empty(dir);
}

/// Deletes the directories of attempts of which no file is left. What cannot be deleted is in nobody's way.
pub fn delete_empty(dir: &Location) {
    let _ = storage::delete_empty_inside(dir, native::is_our_directory);
}

fn is_ours(name: &str) -> bool {
    name == METADATA || native::is_ours(name) || flink::is_ours(name)
}

/// Makes the directory free for a savepoint, unless it is another's. Nobody else may be writing there.
pub fn clear(dir: &Location, on_existing: OnExisting) -> Result<(), SavepointError> {
    let Survey { exists, ours } = survey(dir, on_existing)?;
    // First of all, so that from here on nobody takes what is left for a savepoint.
    if exists {
        storage::delete(&dir.join(METADATA))?;
    }
    ours.iter().try_for_each(storage::delete)?;
    // What killed writers left.
    storage::delete_unpublished(dir, is_ours)?;
    native::delete_unpublished(dir)?;
    delete_empty(dir);
    Ok(())
}

/// Stores `_metadata`, which makes the directory a savepoint of `files`, each with its size in bytes.
///
/// Where the directory cannot be locked, another writer who was told to overwrite may delete them meanwhile, or publish a
/// savepoint of his own. So they are looked at by name before and after, and `_metadata` is read back.
/// Errors: `Exists`, `Overtaken`, `Storage`.
pub fn publish(
    dir: &Location,
    metadata: Vec<u8>,
    files: &[(Location, u64)],
    on_existing: OnExisting,
) -> Result<(), SavepointError> {
    let metadata = Bytes::from(metadata);
    let place = dir.join(METADATA);
    let overtaken = || SavepointError::Overtaken { location: dir.clone() };
    if !dir.has_names() && !are_there(files)? {
        return Err(overtaken());
    }
    let stored = match on_existing {
        OnExisting::Overwrite if !dir.has_names() => storage::put(&place, metadata.clone()),
        _ => storage::create_new(&place, metadata.clone()),
    };
    match stored {
        // Another writer was faster, in the same directory at the same time.
        Err(StorageError::AlreadyExists { .. }) => return Err(SavepointError::Exists { location: dir.clone() }),
        other => other?,
    }
    if dir.has_names() {
        return Ok(());
    }
    match storage::read(&place) {
        Ok(found) if found == metadata => {}
        Ok(_) | Err(StorageError::NotFound { .. }) => return Err(overtaken()),
        Err(error) => return Err(error.into()),
    }
    if !are_there(files)? {
        storage::delete(&place)?;
        return Err(overtaken());
    }
    Ok(())
}

fn are_there(files: &[(Location, u64)]) -> Result<bool, StorageError> {
    let is_there = |(file, size): &(Location, u64)| match Blob::open(file) {
        Ok(blob) => Ok(blob.size() == *size),
        Err(StorageError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    };
    let looked: Result<Vec<_>, _> = files.par_iter().map(is_there).collect();
    Ok(looked?.into_iter().all(|is_there| is_there))
}

/// Whether a writer that failed should delete its files. Of two at once in a directory that both locked in vain, the slower one
/// finds a savepoint there, made of files that are no longer its own; elsewhere each has names of its own.
pub fn is_ours_to_delete(dir: &Location, error: &SavepointError) -> bool {
    !dir.has_names() || !matches!(error, SavepointError::Exists { .. })
}
