//! Reading a savepoint.
//!
//! Promise: the state that was written, or an error that names the file.
//! Invariant: no file but those in the manifest is read; no more batches are in memory than there are threads.
//! Not here: all that is wrong (see `verify`).

use std::ops::RangeInclusive;
use std::sync::Mutex;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::columns::Reader;
use crate::savepoint::native::delta::{self, Change, DeltaError};
use crate::savepoint::native::manifest::{
    MAX_BYTES, Manifest, ManifestError, Stored, StoredDelta, StoredFile, StoredStream,
};
use crate::savepoint::native::paths::{Name, Paths};
use crate::savepoint::native::{Whole, codec};
use crate::savepoint::stream::{Stream, lines};
use crate::savepoint::{Problem, SavepointError};
use crate::state::StateTable;
use crate::storage::{Blob, Location, StorageError};
use crate::wikibase::entity::EntityKind;

/// Bytes read at once for a checksum.
const WINDOW: u64 = 4 << 20;

/// Reads all of it. Tells `note` of each change in the deltas, and the number of its delta.
pub fn read(dir: &Location, note: impl FnMut(usize, &Change)) -> Result<Whole, SavepointError> {
    let manifest = manifest(dir)?;
    let mut state = base(dir, &manifest)?;
    apply(dir, &manifest, &mut state, note)?;
    if let Some(kind) = EntityKind::ALL.into_iter().find(|kind| state.count(*kind) != manifest.count(*kind)) {
        let rule = format!("its files hold other {} than it counts", kind.plural());
        return Err(SavepointError::State { location: Paths(dir).metadata(), rule });
    }
    let stream = stream(dir, &manifest)?;
    Ok(Whole { manifest, state, stream })
}

/// The state as the state files have it.
pub fn base(dir: &Location, manifest: &Manifest) -> Result<StateTable, SavepointError> {
    let whole = Mutex::new(StateTable::default());
    let spans = manifest.files.par_iter().map(|file| {
        check(dir, file)?;
        let (part, span) = read_file(dir, file)?;
        // A panic while absorbing would be our own bug, and is on its way already.
        whole.lock().unwrap_or_else(|poison| poison.into_inner()).absorb(part);
        Ok(span)
    });
    let spans: Vec<_> = spans.collect::<Result<_, SavepointError>>()?;
    if let Some(at) = out_of_order(&manifest.files, &spans) {
        let location = Paths(dir).of(manifest.files[at].name);
        return Err(SavepointError::State { location, rule: "it does not follow on the file before it".to_owned() });
    }
    Ok(whole.into_inner().unwrap_or_else(|poison| poison.into_inner()))
}

/// Makes the changes of all deltas, the oldest first.
pub fn apply(
    dir: &Location,
    manifest: &Manifest,
    state: &mut StateTable,
    mut note: impl FnMut(usize, &Change),
) -> Result<(), SavepointError> {
    manifest.deltas.par_iter().try_for_each(|delta| check(dir, delta))?;
    for (at, delta) in manifest.deltas.iter().enumerate() {
        read_delta(dir, delta, |change| {
            note(at, &change);
            let (entity, now) = change;
            match now {
                Some(now) => state.set(entity, now),
                None => state.remove(entity),
            };
        })?;
    }
    Ok(())
}

/// What the stream had in hand.
pub fn stream(dir: &Location, manifest: &Manifest) -> Result<Stream, SavepointError> {
    let (offsets, watermark) = (manifest.offsets.clone(), manifest.watermark);
    let mut stream = Stream { offsets, watermark, ..Stream::default() };
    if let Some(stored) = &manifest.stream {
        check(dir, &stored.file)?;
        read_lines(dir, stored, &mut stream)?;
    }
    Ok(stream)
}

pub fn manifest(dir: &Location) -> Result<Manifest, SavepointError> {
    let location = Paths(dir).metadata();
    let blob = match Blob::open(&location) {
        Ok(blob) => blob,
        Err(StorageError::NotFound { .. }) => return Err(SavepointError::NotASavepoint { location: dir.clone() }),
        Err(error) => return Err(error.into()),
    };
    let invalid = |source| SavepointError::Manifest { location: location.clone(), source };
    if blob.size() > MAX_BYTES {
        return Err(invalid(ManifestError::TooLarge(blob.size())));
    }
    Manifest::from_json(&blob.read(0..blob.size())?).map_err(invalid)
}

/// The numbers of the first and the last entity of a file.
pub type Span = RangeInclusive<u32>;

/// The file whose rows do not follow on those of the file before it.
pub fn out_of_order(files: &[StoredFile], spans: &[Span]) -> Option<usize> {
    let follows = |at: usize| files[at - 1].name.kind != files[at].name.kind || spans[at - 1].end() < spans[at].start();
    (1..spans.len()).find(|at| !follows(*at))
}

/// Checks the bytes of one file.
fn check(dir: &Location, file: &Stored<impl Name>) -> Result<(), SavepointError> {
    let blob = open(dir, file)?;
    if sha256(&blob)? == file.sha256 {
        return Ok(());
    }
    let rule = "its SHA-256 is not the one listed".to_owned();
    Err(SavepointError::State { location: blob.location().clone(), rule })
}

/// The SHA-256 of a whole file.
pub fn sha256(blob: &Blob) -> Result<[u8; 32], StorageError> {
    let mut sum = Sha256::new();
    let mut at = 0;
    while at < blob.size() {
        let end = (at + WINDOW).min(blob.size());
        sum.update(blob.read(at..end)?);
        at = end;
    }
    Ok(sum.finalize().into())
}

/// Opens one file and checks its size.
pub fn open(dir: &Location, file: &Stored<impl Name>) -> Result<Blob, SavepointError> {
    let blob = Blob::open(&Paths(dir).of(file.name)).map_err(|error| match error {
        StorageError::NotFound { .. } => {
            SavepointError::Damaged { location: dir.clone(), problem: Problem::Missing { path: file.path() } }
        }
        error => error.into(),
    })?;
    if blob.size() == file.size {
        return Ok(blob);
    }
    let rule = format!("it has {} bytes instead of {}", blob.size(), file.size);
    Err(SavepointError::State { location: blob.location().clone(), rule })
}

/// Reads one state file and checks its rows.
pub fn read_file(dir: &Location, file: &StoredFile) -> Result<(StateTable, Span), SavepointError> {
    let blob = open(dir, file)?;
    let location = blob.location().clone();
    let wrong = |rule: String| SavepointError::State { location: location.clone(), rule };
    let reader = Reader::open(blob, codec::FIELDS)?;
    let (mut state, mut span) = (StateTable::default(), None);
    for columns in reader {
        let last = span.as_ref().map_or(0, |span: &Span| *span.end());
        let mut entries = codec::entries(file.name.kind, last, &columns?).map_err(wrong)?;
        let ends = entries.first().zip(entries.last()).map(|(first, last)| (first.entity(), last.entity()));
        if let Some((first, last)) = ends {
            span = Some(span.map_or(first.number(), |span| *span.start())..=last.number());
        }
        state.raise_all(&mut entries);
        // A file can say in few bytes that it has very many rows.
        if state.len() > file.rows {
            break;
        }
    }
    match span {
        Some(span) if state.len() == file.rows => Ok((state, span)),
        _ => Err(wrong(format!("it has {} rows instead of {}", state.len(), file.rows))),
    }
}

/// Reads one delta, checks its rows, and tells `take` of them.
pub fn read_delta(dir: &Location, file: &StoredDelta, take: impl FnMut(Change)) -> Result<(), SavepointError> {
    let blob = open(dir, file)?;
    let location = blob.location().clone();
    delta::read(blob, file.name.0, file.rows, take).map_err(|error| match error {
        DeltaError::Columns(error) => error.into(),
        DeltaError::Rule(rule) => SavepointError::State { location, rule },
    })
}

/// Reads the lines of a stream.
pub fn read_lines(dir: &Location, stored: &StoredStream, stream: &mut Stream) -> Result<(), SavepointError> {
    let blob = open(dir, &stored.file)?;
    let wrong = |rule: String| SavepointError::State { location: blob.location().clone(), rule };
    let bytes = blob.read(0..blob.size())?;
    lines::decode(&bytes, stored.file.name.is_packed, stored.text, stream).map_err(|error| wrong(error.to_string()))?;
    let found = [stream.buffered.len(), stream.pending.len(), stream.outputs.len()].map(|count| count as u64);
    if found != [stored.events, stored.mutations, stored.outputs] {
        return Err(wrong("it has other lines than counted".to_owned()));
    }
    Ok(())
}
