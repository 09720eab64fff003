//! Making a directory ready for a savepoint.
//!
//! Promise: nothing that is not a savepoint's own is ever deleted, nor a savepoint that a job took; `_metadata` is deleted
//! before anything else. A savepoint of ours may be replaced by one in the other format.

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
    if survey.exists && on_existing == OnExisting::Refuse {
        return Err(SavepointError::Exists { location: dir.clone() });
    }
    // A small one is nothing but its `_metadata`, so its files do not tell.
    if survey.exists && flink::is_of_a_job(dir)? {
        return Err(SavepointError::NotEmpty { location: dir.clone(), found: metadata });
    }
    Ok(survey)
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
    storage::delete_unpublished(dir, flink::is_ours)?;
    native::delete_unpublished(dir)?;
    Ok(())
}

/// Stores `_metadata`, which makes the directory a savepoint.
pub fn publish(dir: &Location, metadata: Vec<u8>) -> Result<(), SavepointError> {
    match storage::create_new(&dir.join(METADATA), metadata.into()) {
        // Another writer was faster, in the same directory at the same time.
        Err(StorageError::AlreadyExists { .. }) => Err(SavepointError::Exists { location: dir.clone() }),
        other => Ok(other?),
    }
}
