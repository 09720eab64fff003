//! The file in which is noted what was sent, and why.
//!
//! Promise: what is noted was sent; what was sent is noted, but for the batch in hand where a run was killed. A second run with the
//! same file knows what the first one sent.
//! In -> out: [`Note`]s <-> lines of JSON in a local file that only grows.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::storage::appended::Appended;
use crate::storage::{self, Location, StorageError};

/// That an event was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, in UTC.
    pub sent_at: String,
    /// Where to: `kafka:TOPIC`, the URL of an EventGate, a file.
    pub to: String,
    /// The entity.
    pub entity: String,
    /// The revision; 0 where it is to be deleted whatever its revision.
    pub revision: u64,
    /// `CREATION` or `DELETION`.
    pub action: String,
    /// The tag of the updater it is for.
    pub source: String,
    /// Why: the class of a finding, or the kind of a side output.
    pub reason: String,
    /// The event's `meta.id`.
    pub id: String,
}

/// What makes two events the same: where to, for whom, the entity, the revision, the action.
type Key = (String, String, String, u64, String);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A line is none of ours.
    #[error("{location}, line {line}: it is no note of what was sent: {source}")]
    Line {
        /// The file.
        location: Location,
        /// Which, from 1.
        line: usize,
        /// Why not.
        source: serde_json::Error,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The file, and what is in it.
#[derive(Debug)]
pub struct Audit {
    /// `None` for one that is only looked at.
    file: Option<Appended>,
    known: HashSet<Key>,
}

impl Audit {
    /// Opens the file, or makes it; nobody else has it then. The beginning of a note at its end is what a killed run left, and goes.
    pub fn open(location: &Location) -> Result<Self, AuditError> {
        let mut known = HashSet::new();
        let (mut whole, mut length) = (0, 0);
        let mut file = Appended::open_after(location, |text| {
            (known, whole) = read(location, text)?;
            length = text.len();
            Ok::<_, AuditError>(whole.min(length) as u64)
        })?;
        if whole > length {
            file.append(b"\n")?;
        }
        Ok(Self { file: Some(file), known })
    }

    /// Only looks at it; what is not there knows of nothing.
    pub fn look(location: &Location) -> Result<Self, AuditError> {
        let text = if storage::exists(location)? { storage::read(location)? } else { Default::default() };
        Ok(Self { file: None, known: read(location, &text)?.0 })
    }

    /// Whether the same was sent before.
    pub fn knows(&self, note: &Note) -> bool {
        self.known.contains(&note.key())
    }

    /// Notes what was sent, unless it is only looked at.
    pub fn add(&mut self, notes: Vec<Note>) -> Result<(), StorageError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        for note in notes {
            let mut line = serde_json::to_vec(&note).expect("texts and numbers have a JSON form");
            line.push(b'\n');
            file.append(&line)?;
            self.known.insert(note.key());
        }
        file.flush()
    }
}

/// What a text notes, and where its whole lines end: one more than it is long if the last, which is whole, lacks its end.
fn read(location: &Location, text: &[u8]) -> Result<(HashSet<Key>, usize), AuditError> {
    let mut known = HashSet::new();
    let mut whole = 0;
    for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_ended = line.ends_with(b"\n");
        match serde_json::from_slice::<Note>(line) {
            Ok(note) => _ = known.insert(note.key()),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) if !is_ended && is_begun(line) => break,
            Err(source) => return Err(AuditError::Line { location: location.clone(), line: at + 1, source }),
        }
        whole += line.len() + usize::from(!is_ended);
    }
    Ok((known, whole))
}

/// Whether this is the beginning of a note, as it is written here.
fn is_begun(line: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"sent_at\":\"";
    line.starts_with(BEGINNING) || BEGINNING.starts_with(line)
}

impl Note {
    fn key(&self) -> Key {
        let Self { to, source, entity, revision, action, .. } = self;
        (to.clone(), source.clone(), entity.clone(), *revision, action.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(entity: &str, revision: u64) -> Note {
        let text = |text: &str| text.to_owned();
        let (entity, action, source) = (text(entity), text("CREATION"), text("tag"));
        let (sent_at, to, reason, id) = (text("2026-01-05T00:00:00Z"), text("kafka:t"), text("missing"), text("1"));
        Note { sent_at, to, entity, revision, action, source, reason, id }
    }

    #[test]
    fn what_was_noted_is_known_to_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::parse(dir.path().join("sent.ndjson").to_str().unwrap()).unwrap();
        let mut audit = Audit::open(&location).unwrap();
        audit.add(vec![note("Q1", 1), note("Q2", 2)]).unwrap();
        assert!(audit.knows(&note("Q1", 1)) && !audit.knows(&note("Q1", 2)));
        drop(audit);
        // What a killed run left of a line is not known, and gone after the next note.
        let path = location.local().unwrap();
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        let mut audit = Audit::open(&location).unwrap();
        assert!(audit.knows(&note("Q1", 1)) && !audit.knows(&note("Q2", 2)));
        audit.add(vec![note("Q3", 3)]).unwrap();
        drop(audit);
        let audit = Audit::open(&location).unwrap();
        assert!(audit.knows(&note("Q1", 1)) && audit.knows(&note("Q3", 3)) && !audit.knows(&note("Q2", 2)));
        drop(audit);
        // A whole note may lack its end, as editors leave it.
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, text.trim_ascii_end()).unwrap();
        assert!(Audit::look(&location).unwrap().knows(&note("Q3", 3)));
        let mut audit = Audit::open(&location).unwrap();
        assert!(audit.knows(&note("Q3", 3)));
        assert!(matches!(Audit::open(&location), Err(AuditError::Storage(StorageError::InUse { .. }))));
        audit.add(vec![note("Q4", 4)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().iter().filter(|byte| **byte == b'\n').count(), 3);
    }

    /// What is none of ours is never touched.
    #[test]
    fn another_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other");
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        for text in ["{}\n", "{\"my\": \"precious data\"}", "precious", "{\"sent_at\":1}\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Audit::look(&location), Err(AuditError::Line { line: 1, .. })), "{text}");
            assert!(matches!(Audit::open(&location), Err(AuditError::Line { line: 1, .. })), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::remove_file(&path).unwrap();
        Audit::look(&location).unwrap();
        assert!(!path.exists());
    }
}
