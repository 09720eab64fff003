//! Writing a savepoint.
//!
//! Promise: killed at any moment, it leaves the old savepoint, the new one, or a directory that is no savepoint.
//! Invariant: no more state files are in memory at once than there are threads.
//! Not here: what the files hold (see `codec`).

use bytes::Bytes;
use rayon::prelude::*;

use crate::columns::{BATCH_ROWS, Encoder, Texts};
use crate::savepoint::native::codec;
use crate::savepoint::native::manifest::{Manifest, Provenance, Stored, StoredFile, StoredStream};
use crate::savepoint::native::paths::{Name, Owner, PartName, Paths, StreamName};
use crate::savepoint::stream::{Stream, lines};
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
    stream: &Stream,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    let claim = storage::claim(dir)?;
    let old = place::prepare(dir, on_existing)?;
    let parts = parts(state, Owner::Savepoint(claim.attempt()));
    let files = write_parts(dir, &parts, cancelled);
    let files = files.and_then(|files| if cancelled() { Err(SavepointError::Cancelled) } else { Ok(files) });
    let mut of_stream = None;
    let written = files.and_then(|files| {
        of_stream = write_stream(dir, stream, claim.attempt())?;
        let manifest = manifest(state, made, stream, files, of_stream.clone());
        publish(dir, &manifest, on_existing)
    });
    if written.as_ref().is_err_and(|error| place::is_ours_to_delete(dir, error)) {
        // The first error is the one to tell. What cannot be removed now is removed by the next run.
        parts.iter().for_each(|(name, _)| drop(storage::delete(&Paths(dir).of(*name))));
        of_stream.iter().for_each(|stream| drop(storage::delete(&Paths(dir).of(stream.file.name))));
        place::delete_empty(dir);
    }
    if written.is_ok() {
        place::tidy(dir, &old);
    }
    written
}

/// The state files of a state, and what goes into each.
pub type Parts<'a> = Vec<(PartName, StateSlice<'a>)>;

/// How the state is cut into files.
pub fn parts(state: &StateTable, owner: Owner) -> Parts<'_> {
    // By the state alone, never by the machine: the same state gives the same files everywhere.
    let files = state.len().div_ceil(LARGEST).next_multiple_of(TOGETHER).max(1);
    let entities = state.len().div_ceil(files).max(SMALLEST) as usize;
    let mut next = [0; 4];
    let parts = state.slices(entities).into_iter().map(|slice| {
        let kind = slice.kind();
        let part = next[kind as usize];
        next[kind as usize] += 1;
        (PartName { kind, part, owner }, slice)
    });
    parts.collect()
}

/// Writes state files of the savepoint or checkpoint in `dir`, side by side.
pub fn write_parts(
    dir: &Location,
    parts: &Parts<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<StoredFile>, SavepointError> {
    let write = |(name, slice): &(PartName, StateSlice<'_>)| {
        if cancelled() {
            return Err(SavepointError::Cancelled);
        }
        write_file(dir, *name, encode(name.kind, slice)?, slice.len() as u64)
    };
    parts.par_iter().map(write).collect()
}

/// Writes one file of the savepoint or checkpoint in `dir`.
pub fn write_file<N: Name>(dir: &Location, name: N, bytes: Vec<u8>, rows: u64) -> Result<Stored<N>, SavepointError> {
    let file = Stored::of(name, &bytes, rows);
    storage::put_fresh(&Paths(dir).of(name), Bytes::from(bytes))?;
    Ok(file)
}

/// Writes what the stream has in hand, if there is anything.
pub fn write_stream(dir: &Location, stream: &Stream, attempt: Attempt) -> Result<Option<StoredStream>, SavepointError> {
    if stream.is_bare() {
        return Ok(None);
    }
    let [events, mutations, outputs] =
        [stream.buffered.len(), stream.pending.len(), stream.outputs.len()].map(|count| count as u64);
    let lines::Lines { bytes, is_packed, text } = lines::encode(stream).map_err(|error| SavepointError::State {
        location: dir.clone(),
        rule: format!("what the stream has in hand cannot be written: {error}"),
    })?;
    let file = write_file(dir, StreamName { attempt, is_packed }, bytes, events + mutations + outputs)?;
    Ok(Some(StoredStream { file, text, events, mutations, outputs }))
}

/// What a savepoint of these says of itself.
pub fn manifest(
    state: &StateTable,
    made: &Provenance,
    stream: &Stream,
    files: Vec<StoredFile>,
    of_stream: Option<StoredStream>,
) -> Manifest {
    Manifest {
        made: made.clone(),
        checkpoint: None,
        offsets: stream.offsets.clone(),
        watermark: stream.watermark,
        counts: EntityKind::ALL.map(|kind| state.count(kind)),
        files,
        deltas: Vec::new(),
        stream: of_stream,
    }
}

/// The stored form of a manifest of the savepoint in `dir`.
pub fn sealed(dir: &Location, manifest: &Manifest) -> Result<Vec<u8>, SavepointError> {
    manifest.to_json().map_err(|source| SavepointError::Manifest { location: Paths(dir).metadata(), source })
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

fn publish(dir: &Location, manifest: &Manifest, on_existing: OnExisting) -> Result<Written, SavepointError> {
    let json = sealed(dir, manifest)?;
    let (files, bytes) = manifest.size();
    let written = Written { bytes: bytes + json.len() as u64, files: files + 1 };
    let stream = manifest.stream.iter().map(|stream| (Paths(dir).of(stream.file.name), stream.file.size));
    let files = manifest.files.iter().map(|file| (Paths(dir).of(file.name), file.size));
    place::publish(dir, json, &files.chain(stream).collect::<Vec<_>>(), on_existing)?;
    Ok(written)
}
