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
use crate::savepoint::native::codec;
use crate::savepoint::native::manifest::{MAX_BYTES, Manifest, ManifestError, StoredFile};
use crate::savepoint::native::paths::Paths;
use crate::savepoint::{Problem, SavepointError};
use crate::state::StateTable;
use crate::storage::{Blob, Location, StorageError};
use crate::wikibase::entity::EntityKind;

/// Bytes read at once for a checksum.
const WINDOW: u64 = 4 << 20;

pub fn read(dir: &Location) -> Result<(Manifest, StateTable), SavepointError> {
    let manifest = manifest(dir)?;
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
        let location = Paths(dir).part(manifest.files[at].name);
        return Err(SavepointError::State { location, rule: "it does not follow on the file before it".to_owned() });
    }
    let state = whole.into_inner().unwrap_or_else(|poison| poison.into_inner());
    if let Some(kind) = EntityKind::ALL.into_iter().find(|kind| state.count(*kind) != manifest.count(*kind)) {
        let rule = format!("its files hold other {} than it counts", kind.plural());
        return Err(SavepointError::State { location: Paths(dir).metadata(), rule });
    }
    Ok((manifest, state))
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

/// Checks the bytes of one state file.
fn check(dir: &Location, file: &StoredFile) -> Result<(), SavepointError> {
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

/// Opens one state file and checks its size.
pub fn open(dir: &Location, file: &StoredFile) -> Result<Blob, SavepointError> {
    let blob = Blob::open(&Paths(dir).part(file.name)).map_err(|error| match error {
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
