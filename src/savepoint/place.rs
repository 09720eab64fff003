//! Making a directory ready for a savepoint.
//!
//! Promise: nothing that is not a savepoint's own is ever deleted; `_metadata` is deleted before anything else.

use crate::savepoint::{METADATA, OnExisting, SavepointError};
use crate::storage::{self, Location, StorageError};

/// Whether a name, relative to the savepoint's directory, is one that the writer gives.
pub type IsOurs = fn(&str) -> bool;

/// What of our own is in a directory.
pub struct Survey {
    exists: bool,
    ours: Vec<Location>,
}

/// Looks whether a savepoint may be written to the directory; changes nothing.
pub fn survey(dir: &Location, on_existing: OnExisting, is_ours: IsOurs) -> Result<Survey, SavepointError> {
    if storage::exists(dir)? {
        return Err(StorageError::AlreadyExists { location: dir.clone() }.into());
    }
    let mut survey = Survey { exists: false, ours: Vec::new() };
    for found in storage::list(dir)? {
        let name = found.location.relative_to(dir).unwrap_or_default();
        if name == METADATA {
            survey.exists = true;
        } else if is_ours(&name) {
            survey.ours.push(found.location);
        } else {
            return Err(SavepointError::NotEmpty { location: dir.clone(), found: found.location });
        }
    }
    if survey.exists && on_existing == OnExisting::Refuse {
        return Err(SavepointError::Exists { location: dir.clone() });
    }
    Ok(survey)
}

/// Makes the directory free for a savepoint, unless it is another's.
pub fn clear(dir: &Location, on_existing: OnExisting, is_ours: IsOurs) -> Result<(), SavepointError> {
    let Survey { exists, ours } = survey(dir, on_existing, is_ours)?;
    // First of all, so that from here on nobody takes what is left for a savepoint.
    if exists {
        storage::delete(&dir.join(METADATA))?;
    }
    ours.iter().try_for_each(storage::delete)?;
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
