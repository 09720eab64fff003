//! Writing revision maps.
//!
//! Promise: a file appears whole or not at all; `_SUCCESS` appears when all part files have.
//! Invariant: entities are sorted across all files; only chunks in work are in memory.
//! Not here: which entities there are.

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use rayon::prelude::*;

use crate::columns::{BATCH_ROWS, Column, Encoder};
use crate::compression::Compression;
use crate::revision_map::blocks::FIELDS;
use crate::revision_map::{Deleted, Format, RevisionMapError, WriteOptions, Written};
use crate::state::{EntityState, StateSlice, StateTable};
use crate::storage::sequential::storage_error;
use crate::storage::{self, Entry, Location, StorageError, Writer};
use crate::wikibase::entity::EntityId;

/// Entities of a chunk: their lines fill about one block of bzip2.
const CHUNK: usize = 40_000;
/// Chunks that are made at once, for each thread.
const CHUNKS_A_THREAD: usize = 4;
const SUCCESS: &str = "_SUCCESS";
const PART: &str = "part-";
/// Stands where Spark has a random id; ours is the same each time, as is the rest of the output.
const ID: &str = "68656164-7761-4465-8200-000000000000";

/// Whether to go on.
type Cancelled<'c> = &'c (dyn Fn() -> bool + Sync);

pub fn write(
    target: &Location,
    state: &StateTable,
    options: &WriteOptions,
    cancelled: Cancelled<'_>,
) -> Result<Written, RevisionMapError> {
    let old = survey(target, options)?;
    let Some(partitions) = options.partitions else {
        return write_file(target, &state.slices(CHUNK), options, cancelled);
    };
    let _claim = storage::claim(target)?;
    clear(target, &old)?;
    let partitions = partitions.max(1) as usize;
    let slices = state.slices((state.len() as usize / partitions).clamp(1, CHUNK));
    let runs = runs(&slices, state.len(), partitions);
    // A table is encoded on one thread, so several are written at once; texts keep all threads busy by themselves.
    let write_run = |(part, run): (usize, &Range<usize>)| {
        let name = format!("{PART}{part:05}-{ID}-c000{}", options.format.extension());
        write_file(&target.join(&name), &slices[run.clone()], options, cancelled)
    };
    let written: Vec<_> = match options.format {
        Format::Parquet => {
            runs.par_iter().enumerate().map(|(part, run)| write_run((part, run))).collect::<Result<_, _>>()?
        }
        Format::Csv(_) => runs.iter().enumerate().map(write_run).collect::<Result<_, _>>()?,
    };
    storage::put(&target.join(SUCCESS), Bytes::new())?;
    Ok(written.into_iter().fold(Written::default(), Written::plus))
}

/// Looks whether the target may be written, and returns the part files that are in the way; changes nothing.
pub fn survey(target: &Location, options: &WriteOptions) -> Result<Vec<Entry>, RevisionMapError> {
    if options.partitions.is_none() {
        if !options.overwrite && storage::exists(target)? {
            return Err(RevisionMapError::Exists { location: target.clone() });
        }
        return Ok(Vec::new());
    }
    let found = storage::list(target)?;
    if !options.overwrite && !found.is_empty() {
        return Err(RevisionMapError::Exists { location: target.clone() });
    }
    let is_ours = |name: &str| name == SUCCESS || name.trim_start_matches('.').starts_with(PART) && !name.contains('/');
    match found.iter().find(|entry| !is_ours(&entry.location.relative_to(target).unwrap_or_default())) {
        Some(other) => Err(RevisionMapError::NotEmpty { location: target.clone(), found: other.location.clone() }),
        None => Ok(found),
    }
}

pub fn delete(target: &Location, options: &WriteOptions) -> Result<(), RevisionMapError> {
    if options.partitions.is_none() {
        return Ok(storage::delete(target)?);
    }
    let ours = survey(target, &WriteOptions { overwrite: true, ..*options })?;
    clear(target, &ours)
}

/// Deletes old part files. The mark first: what is half deleted must not look complete.
fn clear(dir: &Location, old: &[Entry]) -> Result<(), RevisionMapError> {
    let (marks, parts): (Vec<_>, Vec<_>) = old.iter().partition(|entry| entry.location.file_name() == SUCCESS);
    marks.into_iter().chain(parts).try_for_each(|entry| storage::delete(&entry.location))?;
    storage::delete_unpublished(dir, |name| name.starts_with(PART))?;
    Ok(())
}

/// Cuts the slices into `partitions` runs of about as many entities each; some may be empty.
fn runs(slices: &[StateSlice<'_>], total: u64, partitions: usize) -> Vec<Range<usize>> {
    let (mut start, mut at, mut entities) = (0, 0, 0);
    let run = |part: usize| {
        let goal = u128::from(total) * (part as u128 + 1) / partitions as u128;
        while at < slices.len() && (entities < goal || part + 1 == partitions) {
            entities += slices[at].len() as u128;
            at += 1;
        }
        std::mem::replace(&mut start, at)..at
    };
    (0..partitions).map(run).collect()
}

fn write_file(
    target: &Location,
    slices: &[StateSlice<'_>],
    options: &WriteOptions,
    cancelled: Cancelled<'_>,
) -> Result<Written, RevisionMapError> {
    let mut writer = Writer::create(target)?;
    let (entities, omitted) = match options.format {
        Format::Csv(compression) => write_csv(&mut writer, slices, compression, options.deleted, cancelled)?,
        Format::Parquet => write_parquet(&mut writer, slices, options.deleted, cancelled)?,
    };
    Ok(Written { files: 1, bytes: writer.finish()?, entities, omitted })
}

/// Returns how many entities were written, and how many left out.
fn write_csv(
    writer: &mut Writer,
    slices: &[StateSlice<'_>],
    compression: Compression,
    deleted: Deleted,
    cancelled: Cancelled<'_>,
) -> Result<(u64, u64), RevisionMapError> {
    let (mut entities, mut all) = (0, 0);
    for slices in slices.chunks(rayon::current_num_threads() * CHUNKS_A_THREAD) {
        go_on(cancelled)?;
        let chunk = |slice| {
            let (text, lines) = lines(slice, deleted);
            Ok((compression.compress(text)?, lines))
        };
        let chunks: Vec<std::io::Result<_>> = slices.par_iter().map(chunk).collect();
        for chunk in chunks {
            let (bytes, lines) = chunk.map_err(|error| failed(writer, error))?;
            put(writer, &bytes)?;
            entities += lines;
        }
        all += slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
    }
    if slices.is_empty() {
        // No bytes at all are no valid compressed file.
        let nothing = compression.compress(Vec::new()).map_err(|error| failed(writer, error))?;
        put(writer, &nothing)?;
    }
    Ok((entities, all - entities))
}

fn go_on(cancelled: Cancelled<'_>) -> Result<(), RevisionMapError> {
    if cancelled() { Err(RevisionMapError::Cancelled) } else { Ok(()) }
}

fn lines(slice: &StateSlice<'_>, deleted: Deleted) -> (Vec<u8>, u64) {
    let mut text = Vec::with_capacity(slice.len() * 24);
    let mut number = itoa::Buffer::new();
    let mut lines = 0;
    for (entity, revision) in slice.iter().filter_map(|(entity, state)| signed(entity, state, deleted)) {
        text.push(entity.kind().letter() as u8);
        text.extend_from_slice(number.format(entity.number()).as_bytes());
        text.push(b',');
        text.extend_from_slice(number.format(revision).as_bytes());
        text.push(b'\n');
        lines += 1;
    }
    (text, lines)
}

fn write_parquet(
    writer: &mut Writer,
    slices: &[StateSlice<'_>],
    deleted: Deleted,
    cancelled: Cancelled<'_>,
) -> Result<(u64, u64), RevisionMapError> {
    let mut encoder = Encoder::new(FIELDS)?;
    let (mut written, mut all) = (0, 0);
    for slice in slices {
        go_on(cancelled)?;
        let mut rest = slice.iter();
        for _ in 0..slice.len().div_ceil(BATCH_ROWS) {
            let rows = rest.by_ref().take(BATCH_ROWS).filter_map(|(entity, state)| signed(entity, state, deleted));
            let (entities, revisions): (Vec<_>, Vec<_>) =
                rows.map(|(entity, number)| (entity.to_string(), number)).unzip();
            written += revisions.len() as u64;
            encoder.push(vec![Column::Text(entities.into_iter().collect()), Column::Int64(revisions)])?;
        }
        all += slice.len() as u64;
        put(writer, &encoder.take())?;
    }
    put(writer, &encoder.finish()?)?;
    Ok((written, all - written))
}

/// The revision as it is written, if the entity is.
fn signed(entity: EntityId, state: EntityState, deleted: Deleted) -> Option<(EntityId, i64)> {
    // A revision is less than 2^62, so nothing is lost.
    let revision = state.revision().get() as i64;
    match (state, deleted) {
        (EntityState::Created(_), _) => Some((entity, revision)),
        (EntityState::Deleted(_), Deleted::Negative) => Some((entity, -revision)),
        (EntityState::Deleted(_), Deleted::Omit) => None,
    }
}

fn put(writer: &mut Writer, bytes: &[u8]) -> Result<(), RevisionMapError> {
    writer.write_all(bytes).map_err(|error| failed(writer, error))
}

fn failed(writer: &Writer, error: std::io::Error) -> RevisionMapError {
    let unavailable = |error: std::io::Error| {
        let location = writer.location().clone();
        StorageError::Unavailable { location, action: "write", source: error.into() }
    };
    RevisionMapError::Storage(storage_error(error).unwrap_or_else(unavailable))
}

impl Written {
    fn plus(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            entities: self.entities + other.entities,
            omitted: self.omitted + other.omitted,
        }
    }
}
