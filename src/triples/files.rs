//! The files of an output directory, one after the other.
//!
//! Promise: a file appears whole, with its size and checksum on record, or not at all.
//! Invariant: one file is open at a time; names count up from 00001, so that their order is that of the dump.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::storage::{Location, StorageError, Writer};

/// What stands beside files that are complete, and names them; see `import::manifest`. Readers of Hive tables pass over names that begin
/// with `_`.
pub const MANIFEST: &str = "_manifest.json";

/// A file that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name in the directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Triples in it.
    pub triples: u64,
}

/// Writes the files.
pub struct Files {
    dir: Location,
    stem: &'static str,
    extension: String,
    open: Option<Open>,
    done: Vec<StoredFile>,
}

struct Open {
    writer: Writer,
    digest: Sha256,
    triples: u64,
}

impl Files {
    /// Files in `dir` called `STEM-00001EXTENSION` and so on, after those that are `done`.
    pub fn new(dir: Location, stem: &'static str, extension: String, done: Vec<StoredFile>) -> Self {
        Self { dir, stem, extension, open: None, done }
    }

    /// Adds bytes to the open file, and opens one if none is.
    pub fn write(&mut self, bytes: Vec<u8>, triples: u64) -> Result<(), StorageError> {
        if self.open.is_none() {
            let name = self.name();
            let writer = Writer::create(&self.dir.join(&name))?;
            self.open = Some(Open { writer, digest: Sha256::new(), triples: 0 });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.digest.update(&bytes);
        open.triples += triples;
        open.writer.give(bytes.into())
    }

    /// Publishes the open file, if one is.
    pub fn close(&mut self) -> Result<(), StorageError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let name = self.name();
        let size = open.writer.finish()?;
        let sha256 = open.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.done.push(StoredFile { name, size, sha256, triples: open.triples });
        Ok(())
    }

    /// Whether a file is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The files that are complete.
    pub fn done(&self) -> &[StoredFile] {
        &self.done
    }

    fn name(&self) -> String {
        format!("{}-{:05}{}", self.stem, self.done.len() + 1, self.extension)
    }
}
