//! Writing a savepoint.
//!
//! Promise: killed at any moment, it leaves the old savepoint, the new one, or a directory that is no savepoint.
//! Invariant: no more state files are in memory at once than there are threads.
//! Not here: what the files hold (see `codec`).

use bytes::Bytes;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::columns::{BATCH_ROWS, Encoder, Texts};
use crate::savepoint::native::codec;
use crate::savepoint::native::manifest::{Manifest, Provenance, StoredFile};
use crate::savepoint::native::paths::{PartName, Paths};
use crate::savepoint::{OnExisting, SavepointError, Written, place};
use crate::state::{StateSlice, StateTable};
use crate::storage::{self, Attempt, Location};
use crate::wikibase::entity::EntityKind;

/// The most entities in a file, about: two row groups.
const LARGEST: u64 = 2_000_000;
/// The fewest worth a file of their own.
const SMALLEST: u64 = 65_536;
/// Files are the unit of parallel work: so many, or a multiple, keep the cores of most machines busy to the end.
const TOGETHER: u64 = 8;

pub fn write(
    dir: &Location,
    state: &StateTable,
    made: &Provenance,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    let claim = storage::claim(dir)?;
    let old = place::prepare(dir, on_existing)?;
    let parts = parts(state, claim.attempt());
    let written: Result<Vec<_>, _> = parts.par_iter().map(|part| write_part(dir, part, cancelled)).collect();
    let files = written.and_then(|files| if cancelled() { Err(SavepointError::Cancelled) } else { Ok(files) });
    let written = files.and_then(|files| publish(dir, state, made, files, on_existing));
    if written.as_ref().is_err_and(|error| place::is_ours_to_delete(dir, error)) {
        // The first error is the one to tell. What cannot be removed now is removed by the next run.
        parts.iter().for_each(|(name, _)| drop(storage::delete(&Paths(dir).part(*name))));
        place::delete_empty(dir);
    }
    if written.is_ok() {
        place::tidy(dir, &old);
    }
    written
}

fn parts(state: &StateTable, attempt: Attempt) -> Vec<(PartName, StateSlice<'_>)> {
    // By the state alone, never by the machine: the same state gives the same files everywhere.
    let files = state.len().div_ceil(LARGEST).next_multiple_of(TOGETHER).max(1);
    let entities = state.len().div_ceil(files).max(SMALLEST) as usize;
    let mut next = [0; 4];
    let parts = state.slices(entities).into_iter().map(|slice| {
        let kind = slice.kind();
        let part = next[kind as usize];
        next[kind as usize] += 1;
        (PartName { kind, part, attempt }, slice)
    });
    parts.collect()
}

fn write_part(
    dir: &Location,
    (name, slice): &(PartName, StateSlice<'_>),
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<StoredFile, SavepointError> {
    if cancelled() {
        return Err(SavepointError::Cancelled);
    }
    let bytes = encode(name.kind, slice)?;
    let file = StoredFile {
        name: *name,
        size: bytes.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
        rows: slice.len() as u64,
    };
    storage::put_fresh(&Paths(dir).part(*name), Bytes::from(bytes))?;
    Ok(file)
}

fn encode(kind: EntityKind, slice: &StateSlice<'_>) -> Result<Vec<u8>, SavepointError> {
    let mut encoder = Encoder::new(codec::FIELDS)?;
    let kinds = Texts::repeated(kind.letter().encode_utf8(&mut [0; 4]), BATCH_ROWS);
    let mut rows = codec::Rows::default();
    let mut pushed = Ok(());
    slice.each(|entity, state| {
        rows.push(entity, state);
        if rows.len() == BATCH_ROWS && pushed.is_ok() {
            pushed = encoder.push(rows.take(&kinds));
        }
    });
    pushed?;
    encoder.push(rows.take(&kinds))?;
    Ok(encoder.finish()?)
}

fn publish(
    dir: &Location,
    state: &StateTable,
    made: &Provenance,
    files: Vec<StoredFile>,
    on_existing: OnExisting,
) -> Result<Written, SavepointError> {
    let location = Paths(dir).metadata();
    let manifest = Manifest { made: made.clone(), counts: EntityKind::ALL.map(|kind| state.count(kind)), files };
    let json = manifest.to_json();
    let json = json.map_err(|source| SavepointError::Manifest { location: location.clone(), source })?;
    let bytes = manifest.files.iter().map(|file| file.size).sum::<u64>() + json.len() as u64;
    let files = manifest.files.iter().map(|file| (Paths(dir).part(file.name), file.size));
    place::publish(dir, json, &files.collect::<Vec<_>>(), on_existing)?;
    Ok(Written { bytes, files: manifest.files.len() as u64 + 1 })
}
