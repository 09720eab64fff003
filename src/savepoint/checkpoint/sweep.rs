//! What is in a directory of checkpoints, and how things there are removed.
//!
//! Promise: only files with names that are ours are deleted; a checkpoint's `_metadata` before its files.
//! Invariant: a failure leaves things as a killed run would.
//! Not here: what may go (see `shelf`).

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::checkpoint::shelf::{Findings, Held, Names, Removal, Shelf, Standing, leftovers};
use crate::savepoint::native::paths::{self, SHARED};
use crate::savepoint::{METADATA, SavepointError, native};
use crate::storage::{self, Location, StorageError};

/// What was found.
pub struct Found {
    /// The checkpoints.
    pub shelf: Shelf,
    /// A number above all that were seen.
    pub next: u64,
    findings: Findings,
    /// Directories of checkpoints without `_metadata`, and the files in each.
    unfinished: BTreeMap<CheckpointId, BTreeSet<String>>,
}

impl Found {
    /// Looks into the directory. Errors: `Storage`.
    pub fn look(dir: &Location) -> Result<Self, SavepointError> {
        let mut found =
            Self { shelf: Shelf::default(), next: 1, findings: Findings::default(), unfinished: BTreeMap::new() };
        let mut sizes = BTreeMap::new();
        for entry in storage::walk(dir)?.entries {
            let path = entry.location.relative_to(dir).unwrap_or_default();
            let Some((place, name)) = path.rsplit_once('/') else { continue };
            if place == SHARED {
                found.saw(paths::owner_of_shared(name));
                found.findings.shared.insert(name.to_owned());
                sizes.insert(name.to_owned(), entry.size);
            } else if let Some(id) = CheckpointId::of_dir(place) {
                found.saw(Some(id));
                found.unfinished.entry(id).or_default().insert(name.to_owned());
            }
        }
        let published: Vec<_> =
            found.unfinished.iter().filter(|(_, files)| files.contains(METADATA)).map(|(id, _)| *id).collect();
        for id in published {
            found.unfinished.remove(&id);
            found.judge(dir, id)?;
        }
        Ok(found)
    }

    /// The newest that cannot be restored.
    pub fn broken(&self) -> Option<CheckpointId> {
        let unread = self.findings.unread.iter().copied();
        unread.chain(self.shelf.incomplete()).max_by_key(|id| id.number())
    }

    fn saw(&mut self, id: Option<CheckpointId>) {
        self.next = self.next.max(id.map_or(0, |id| id.number().saturating_add(1)));
    }

    /// Reads what a checkpoint says of itself.
    fn judge(&mut self, dir: &Location, id: CheckpointId) -> Result<(), SavepointError> {
        let place = dir.join(&id.dir());
        match native::inspect(&place) {
            Ok(manifest) if manifest.checkpoint == Some(id) => {
                let mut held = Held::of(&manifest, Standing::Found);
                held.is_complete = native::missing(&place, &manifest)?.is_empty();
                self.shelf.put(id, held);
            }
            // It went away meanwhile.
            Err(SavepointError::NotASavepoint { .. }) => {}
            Err(error @ SavepointError::Storage(_)) => return Err(error),
            Ok(_) | Err(_) => self.findings.unread.push(id),
        }
        Ok(())
    }

    /// Removes what killed runs left, but for what is `named`, and for all of checkpoints from `before` on. Errors: `Storage`.
    pub fn sweep(&self, dir: &Location, named: &Names, before: Option<CheckpointId>) -> Result<(), SavepointError> {
        let shared = dir.join(SHARED);
        for (id, files) in &self.unfinished {
            if before.is_none_or(|before| id.number() < before.number()) {
                let place = dir.join(&id.dir());
                files.iter().filter(|name| native::is_ours(name)).try_for_each(|name| delete(&place.join(name)))?;
                storage::delete_unpublished(&place, is_of_a_checkpoint)?;
                storage::delete_empty(&place)?;
            }
        }
        let left = leftovers(&self.findings, named, before);
        left.par_iter().try_for_each(|name| delete(&shared.join(name)))?;
        Ok(storage::delete_unpublished(&shared, |name| paths::owner_of_shared(name).is_some())?)
    }
}

fn is_of_a_checkpoint(name: &str) -> bool {
    name == METADATA || native::is_ours(name)
}

/// Removes all that it can, and takes it out of `removal`. Errors: `Storage`, of the first that it could not.
pub fn remove(dir: &Location, removal: &mut Removal) -> Result<(), SavepointError> {
    let checkpoints = std::mem::take(&mut removal.checkpoints);
    let gone: Vec<_> = checkpoints.par_iter().map(|(id, _)| delete(&dir.join(&id.dir()).join(METADATA))).collect();
    let mut first = Ok(());
    for ((id, stream), gone) in checkpoints.into_iter().zip(gone) {
        let place = dir.join(&id.dir());
        let gone = gone.and_then(|()| stream.map_or(Ok(()), |stream| delete(&place.join(&stream.to_string()))));
        if let Err(error) = gone.and_then(|()| storage::delete_empty(&place)) {
            removal.checkpoints.push((id, stream));
            first = first.and(Err(error));
        }
    }
    // Nothing of what they name goes before them.
    first?;
    let names: Vec<_> = std::mem::take(&mut removal.names).into_iter().collect();
    let deleted: Vec<_> = names.par_iter().map(|name| delete(&dir.join(SHARED).join(name))).collect();
    let mut first = Ok(());
    for (name, deleted) in names.into_iter().zip(deleted) {
        if let Err(error) = deleted {
            removal.names.insert(name);
            first = first.and(Err(error));
        }
    }
    first?;
    Ok(storage::delete_empty(&dir.join(SHARED))?)
}

fn delete(file: &Location) -> Result<(), StorageError> {
    match storage::delete(file) {
        Err(StorageError::NotFound { .. }) => Ok(()),
        deleted => deleted,
    }
}
