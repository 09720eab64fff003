//! The directory that an import writes to.
//!
//! Promise: files of others are never touched; of an earlier import nothing is left before the first file of this one.
//! Invariant: files are made in [`UNFINISHED`] and moved when all are complete, or, in a store where moving is copying, made where
//! they stay; the manifest is deleted first and written last, so that a directory with one is complete.

use crate::bootstrap;
use crate::import::journal::{Journal, UNFINISHED};
use crate::import::{Config, ImportError, OnExisting, manifest};
use crate::storage::{self, Claim, Entry, Location};
use crate::triples::files::StoredFile;

/// A note in [`UNFINISHED`]: which files beside the triples the run has begun to publish.
const PUBLISHING: &str = "publishing";

/// Makes the directory ready, and keeps others from writing there while the claim lives. Returns the journal of the run to be
/// resumed, if that is wanted and there is one.
pub fn prepare(dir: &Location, on_existing: OnExisting) -> Result<(Claim, Option<Journal>), ImportError> {
    let found = storage::list(dir)?;
    if let Some(other) = found.iter().find(|entry| !is_ours(&name(entry, dir))) {
        return Err(occupied(dir, other, false));
    }
    let finished = found.iter().find(|entry| name(entry, dir) == manifest::NAME);
    let in_the_way = match on_existing {
        OnExisting::Refuse => found.first(),
        OnExisting::Resume => finished,
        OnExisting::Overwrite => None,
    };
    if let Some(entry) = finished.filter(|_| in_the_way.is_some()).or(in_the_way) {
        return Err(occupied(dir, entry, true));
    }
    let claim = storage::claim(dir)?;
    let journal = if on_existing == OnExisting::Resume { Journal::read(dir)? } else { None };
    match &journal {
        Some(journal) => {
            delete_unpublished(dir)?;
            journal.gather_files(dir)?;
        }
        None => clear(dir)?,
    }
    Ok((claim, journal))
}

/// Notes that the files beside the triples are about to be published, so that a resumed run may replace those.
pub fn begin_publishing(config: &Config, dir: &Location) -> Result<(), ImportError> {
    Ok(storage::put(&dir.join(UNFINISHED).join(PUBLISHING), beside(config).into())?)
}

/// Whether an unfinished import into `dir` had begun to publish the same files as `config` asks for.
pub fn has_begun_publishing(config: &Config, dir: &Location) -> Result<bool, ImportError> {
    let note = dir.join(UNFINISHED).join(PUBLISHING);
    if !storage::exists(&note)? {
        return Ok(false);
    }
    Ok(storage::read(&note)? == beside(config))
}

/// Where the savepoints, the revision map and the report go, one a line; an empty line for none.
fn beside(config: &Config) -> String {
    let bootstrap::Config { savepoints, revision_map, report, .. } = &config.base;
    let others = [revision_map.as_ref().map(|(target, _)| target), report.as_ref()];
    let places = savepoints.iter().map(|target| Some(&target.dir)).chain(others);
    places.map(|place| place.map_or(String::new(), Location::to_string)).collect::<Vec<_>>().join("\n")
}

/// Deletes what an import left there.
pub fn clear(dir: &Location) -> Result<(), ImportError> {
    let mut ours: Vec<_> = storage::list(dir)?.into_iter().filter(|entry| is_ours(&name(entry, dir))).collect();
    ours.sort_by_key(|entry| name(entry, dir) != manifest::NAME);
    ours.iter().try_for_each(|entry| storage::delete(&entry.location))?;
    delete_unpublished(dir)
}

/// Deletes what writers that were killed left there.
fn delete_unpublished(dir: &Location) -> Result<(), ImportError> {
    storage::delete_unpublished(dir, is_ours)?;
    Ok(storage::delete_unpublished(&dir.join(UNFINISHED), |_| true)?)
}

/// Where the files are made.
pub fn workshop(dir: &Location) -> Location {
    if dir.has_names() { dir.join(UNFINISHED) } else { dir.clone() }
}

/// Moves the files to where they belong, if they are not there.
pub fn publish(dir: &Location, files: &[StoredFile]) -> Result<(), ImportError> {
    if dir.has_names() {
        let unfinished = workshop(dir);
        files.iter().try_for_each(|file| storage::rename(&unfinished.join(&file.name), &dir.join(&file.name)))?;
    }
    Ok(())
}

/// Deletes what is left of the run once its files are published.
pub fn tidy(dir: &Location) -> Result<(), ImportError> {
    let unfinished = dir.join(UNFINISHED);
    storage::list(&unfinished)?.iter().try_for_each(|entry| storage::delete(&entry.location))?;
    Ok(storage::delete_empty(&unfinished)?)
}

fn occupied(dir: &Location, found: &Entry, is_ours: bool) -> ImportError {
    let location = dir.clone();
    let is_finished = name(found, dir) == manifest::NAME;
    ImportError::Occupied { location, found: found.location.clone(), is_ours, is_finished }
}

fn name(entry: &Entry, dir: &Location) -> String {
    entry.location.relative_to(dir).unwrap_or_default()
}

/// `part-00001.parquet`, `triples-00001.nt.gz`, the manifest, what is unfinished; unpublished ones have a dot before and more
/// behind.
fn is_ours(name: &str) -> bool {
    let name = name.trim_start_matches('.');
    let numbered = ["part-", "triples-"].iter().find_map(|stem| name.strip_prefix(stem));
    name.starts_with(manifest::NAME)
        || name.strip_prefix(UNFINISHED).is_some_and(|rest| rest.starts_with('/'))
        || numbered.is_some_and(|rest| rest.len() > 5 && rest.as_bytes()[..5].iter().all(u8::is_ascii_digit))
}
