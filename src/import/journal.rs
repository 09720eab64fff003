//! How far a run is, so that another can go on.
//!
//! Promise: a run that is resumed writes what it would have written had it not been interrupted.
//! Invariant: the journal is written when a file is complete, and names a batch: all before it is in complete files, in the
//! scratch files up to the sizes named here, or on the list of what was skipped.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::compression::source::Source;
use crate::import::{Config, ImportError, target};
use crate::rdf::fingerprint::Fingerprint;
use crate::storage::{self, Blob, Location};
use crate::triples::files::StoredFile;

/// The directory, below that of the output, of what is not finished. Readers of Hive tables pass over names that begin with `_`.
pub const UNFINISHED: &str = "_unfinished";
const NAME: &str = "journal.json";

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The configuration and the inputs, which must not change.
    pub fingerprint: String,
    /// Where to go on: in which dump, counted from 0.
    pub dump: usize,
    /// And at which byte of its text.
    pub offset: u64,
    /// The files that are complete.
    pub files: Vec<StoredFile>,
    /// Triples read.
    pub read: u64,
    /// Triples kept.
    pub kept: u64,
    /// What was skipped.
    pub skipped: Vec<Skip>,
    /// How much was skipped in all.
    pub skipped_count: u64,
    /// All entities that were skipped.
    pub bad: Vec<String>,
    /// The sizes of the scratch files; empty if there are none.
    pub scratch: Vec<u64>,
}

/// Something that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// In which dump, counted from 0.
    pub dump: usize,
    /// Bytes from the start of its text.
    pub offset: u64,
    /// Line feeds before.
    pub line: u64,
    /// What.
    pub subject: String,
    /// Why.
    pub rule: String,
}

impl Journal {
    /// The journal of an unfinished import into `dir`, if there is one.
    pub fn read(dir: &Location) -> Result<Option<Self>, ImportError> {
        let location = place(dir);
        if !storage::exists(&location)? {
            return Ok(None);
        }
        let bytes = storage::read(&location)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|source| ImportError::BadJournal { location, source })
    }

    /// Writes it.
    pub fn write(&self, dir: &Location) -> Result<(), ImportError> {
        let json = serde_json::to_vec(self).expect("texts and numbers have a JSON form");
        Ok(storage::put(&place(dir), Bytes::from(json))?)
    }

    /// What a resumed run must have in common with the one before: all that the output depends on.
    pub fn fingerprint(config: &Config, sources: &[Source]) -> String {
        let Config { format, compression, encoding, munge, distinct, files, level, group_rows, .. } = config;
        let input =
            |source: &Source| (source.location().to_string(), source.size(), source.version().map(str::to_owned));
        let inputs: Vec<_> = sources.iter().map(input).collect();
        let wiki = (config.base.wiki.scheme.concept(), config.base.wiki.scheme.entity_data());
        format!(
            "{inputs:?} {wiki:?} {format:?} {compression:?} {encoding:?} {munge:?} {distinct} {files:?} {level} {group_rows}"
        )
    }

    /// Puts the complete files back where they were before a run that was interrupted while it published them, and sees that
    /// none is missing or of another size.
    pub fn gather_files(&self, dir: &Location) -> Result<(), ImportError> {
        for file in &self.files {
            let unfinished = target::workshop(dir).join(&file.name);
            if !storage::exists(&unfinished)? {
                let published = dir.join(&file.name);
                if !dir.has_names() || !storage::exists(&published)? {
                    return Err(ImportError::Changed(unfinished));
                }
                storage::rename(&published, &unfinished)?;
            }
            if Blob::open(&unfinished)?.size() != file.size {
                return Err(ImportError::Changed(unfinished));
            }
        }
        Ok(())
    }
}

fn place(dir: &Location) -> Location {
    dir.join(UNFINISHED).join(NAME)
}

/// A local directory for scratch files that a resumed run finds again.
pub fn scratch(config: &Config, dir: &Location) -> PathBuf {
    let beside = dir.join(UNFINISHED).join("scratch").local();
    match (&config.scratch, beside) {
        (Some(parent), _) => named_after(parent, dir),
        (None, Some(beside)) => beside,
        (None, None) => named_after(&std::env::temp_dir(), dir),
    }
}

fn named_after(parent: &Path, output: &Location) -> PathBuf {
    let hash = Fingerprint::of(output.to_string().as_bytes());
    parent.join(format!("headwater-{hash:016x}"))
}
