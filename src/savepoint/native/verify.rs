//! Checking a savepoint to the last byte.
//!
//! Promise: any change to any file of a savepoint is found, and all problems are told at once.
//! Invariant: reads only; a broken file does not keep the others from being checked.
//! Not here: repair.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::savepoint::native::Verified;
use crate::savepoint::native::manifest::{Manifest, Stored, StoredFile};
use crate::savepoint::native::paths::{Name, Paths};
use crate::savepoint::native::read::{self, Span};
use crate::savepoint::stream::Stream;
use crate::savepoint::{METADATA, Problem, SavepointError, with_causes};
use crate::state::KindCount;
use crate::storage::{self, Blob, Location, StorageError};
use crate::wikibase::entity::EntityKind;

pub fn verify(dir: &Location) -> Result<Verified, SavepointError> {
    let manifest = read::manifest(dir)?;
    let mut problems = extra(dir, &manifest)?;
    let checked: Vec<_> =
        manifest.files.par_iter().map(|file| check_file(dir, file)).collect::<Result<_, SavepointError>>()?;
    let (mut counts, mut readable, mut spans) = ([KindCount::default(); 4], Vec::new(), Vec::new());
    for (file, checked) in manifest.files.iter().zip(checked) {
        problems.extend(checked.problems);
        if let Some((count, span)) = checked.content {
            let sum = &mut counts[file.name.kind as usize];
            *sum = KindCount { created: sum.created + count.created, deleted: sum.deleted + count.deleted };
            readable.push(file.clone());
            spans.push(span);
        }
    }
    if let Some(at) = read::out_of_order(&readable, &spans) {
        problems.push(Problem::Order { path: readable[at].path() });
    }
    for delta in &manifest.deltas {
        problems.extend(check_by(dir, delta, || read::read_delta(dir, delta, |_| {}))?);
    }
    if let Some(stream) = &manifest.stream {
        problems.extend(check_by(dir, &stream.file, || read::read_lines(dir, stream, &mut Stream::default()))?);
    }
    // Only the sum of all changes tells how many entities there are.
    if problems.is_empty() && !manifest.deltas.is_empty() {
        let mut state = read::base(dir, &manifest)?;
        read::apply(dir, &manifest, &mut state, |_, _| {})?;
        counts = EntityKind::ALL.map(|kind| state.count(kind));
    }
    // The counts of what could not be read are not worth a second complaint.
    if readable.len() == manifest.files.len() && (manifest.deltas.is_empty() || problems.is_empty()) {
        problems
            .extend(EntityKind::ALL.into_iter().filter_map(|kind| miscount(&manifest, kind, counts[kind as usize])));
    }
    Ok(Verified { manifest, problems })
}

fn extra(dir: &Location, manifest: &Manifest) -> Result<Vec<Problem>, SavepointError> {
    let stream = manifest.stream.as_ref().map(|stream| stream.file.path());
    let listed: BTreeSet<_> =
        manifest.files.iter().map(StoredFile::path).chain(stream).chain([METADATA.to_owned()]).collect();
    let found = storage::list(dir)?.into_iter().filter_map(|entry| entry.location.relative_to(dir));
    Ok(found.filter(|path| !listed.contains(path)).map(|path| Problem::Extra { path }).collect())
}

struct Checked {
    problems: Vec<Problem>,
    content: Option<(KindCount, Span)>,
}

/// Opens a file that is there and has the size listed.
pub fn open(dir: &Location, file: &Stored<impl Name>) -> Result<Result<Blob, Problem>, SavepointError> {
    let path = file.path();
    match Blob::open(&Paths(dir).of(file.name)) {
        Ok(blob) if blob.size() == file.size => Ok(Ok(blob)),
        Ok(blob) => Ok(Err(Problem::Size { path, expected: file.size, found: blob.size() })),
        Err(StorageError::NotFound { .. } | StorageError::NotAFile { .. }) => Ok(Err(Problem::Missing { path })),
        Err(error) => Err(error.into()),
    }
}

fn check_file(dir: &Location, file: &StoredFile) -> Result<Checked, SavepointError> {
    let mut content = None;
    let problems = check_by(dir, file, || {
        let (state, span) = read::read_file(dir, file)?;
        content = Some((state.count(file.name.kind), span));
        Ok(())
    })?;
    Ok(Checked { problems, content })
}

/// Checks the size and the bytes of a file, and what `read` finds in it.
fn check_by(
    dir: &Location,
    file: &Stored<impl Name>,
    read: impl FnOnce() -> Result<(), SavepointError>,
) -> Result<Vec<Problem>, SavepointError> {
    let path = file.path();
    let blob = match open(dir, file)? {
        Ok(blob) => blob,
        Err(problem) => return Ok(vec![problem]),
    };
    let mut problems = Vec::new();
    if read::sha256(&blob)? != file.sha256 {
        problems.push(Problem::Checksum { path: path.clone() });
    }
    match read() {
        Ok(()) => {}
        Err(SavepointError::Storage(error)) => return Err(error.into()),
        Err(error) => problems.push(Problem::Unreadable { path, reason: with_causes(&error) }),
    }
    Ok(problems)
}

fn miscount(manifest: &Manifest, kind: EntityKind, found: KindCount) -> Option<Problem> {
    let text = |count: KindCount| format!("{} existing and {} deleted", count.created, count.deleted);
    let expected = manifest.count(kind);
    (expected != found).then(|| Problem::Count { kind, expected: text(expected), found: text(found) })
}
