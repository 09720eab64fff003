//! The directory that an import writes to.
//!
//! Promise: files of others are never touched; of an earlier import nothing is left before the first file of this one.
//! Invariant: the manifest is deleted first and written last, so that a directory with one is complete.

use crate::import::{ImportError, manifest};
use crate::savepoint::OnExisting;
use crate::storage::{self, Claim, Entry, Location};

/// Makes the directory ready, and keeps others from writing there while the claim lives.
pub fn prepare(dir: &Location, on_existing: OnExisting) -> Result<Claim, ImportError> {
    let found = storage::list(dir)?;
    if let Some(other) = found.iter().find(|entry| !is_ours(&name(entry, dir))) {
        return Err(occupied(dir, other, false));
    }
    let manifest = found.iter().find(|entry| name(entry, dir) == manifest::NAME);
    if let Some(manifest) = manifest.filter(|_| on_existing == OnExisting::Refuse) {
        return Err(occupied(dir, manifest, true));
    }
    let claim = storage::claim(dir)?;
    clear(dir)?;
    Ok(claim)
}

/// Deletes what an import left there.
pub fn clear(dir: &Location) -> Result<(), ImportError> {
    let mut ours: Vec<_> = storage::list(dir)?.into_iter().filter(|entry| is_ours(&name(entry, dir))).collect();
    ours.sort_by_key(|entry| name(entry, dir) != manifest::NAME);
    ours.iter().try_for_each(|entry| storage::delete(&entry.location))?;
    storage::delete_unpublished(dir, is_ours)?;
    Ok(())
}

fn occupied(dir: &Location, found: &Entry, is_ours: bool) -> ImportError {
    ImportError::Occupied { location: dir.clone(), found: found.location.clone(), is_ours }
}

fn name(entry: &Entry, dir: &Location) -> String {
    entry.location.relative_to(dir).unwrap_or_default()
}

/// `part-00001.parquet`, `triples-00001.nt.gz`, the manifest; unpublished ones have a dot before and more behind.
fn is_ours(name: &str) -> bool {
    let name = name.trim_start_matches('.');
    let numbered = ["part-", "triples-"].iter().find_map(|stem| name.strip_prefix(stem));
    name.starts_with(manifest::NAME)
        || numbered.is_some_and(|rest| rest.len() > 5 && rest.as_bytes()[..5].iter().all(u8::is_ascii_digit))
}
