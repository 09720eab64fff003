//! Files for what does not fit into memory, on a local disk.
//!
//! Promise: a scratch directory goes with its owner; one that a killed run left is found again by the run that resumes it.
//! Invariant: a scratch file only grows, but for [`ScratchFile::truncate`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::storage::{Location, StorageError};

/// A local directory for scratch files.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    keep: bool,
}

impl Scratch {
    /// Opens the directory, and makes it if it is not there. Errors: `Unavailable`.
    pub fn open(dir: &Path) -> Result<Self, StorageError> {
        let scratch = Self { dir: dir.to_owned(), keep: false };
        scratch.tried("create", fs::create_dir_all(dir))?;
        Ok(scratch)
    }

    /// Lets the directory outlive its owner, so that a later run can go on with it.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// The file of that name, to be appended to.
    pub fn file(&self, name: &str) -> Result<ScratchFile, StorageError> {
        let path = self.dir.join(name);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = self.tried("open", opened)?;
        let size = self.tried("open", file.seek(SeekFrom::End(0)))?;
        Ok(ScratchFile { file, path, size })
    }

    fn tried<T>(&self, action: &'static str, result: io::Result<T>) -> Result<T, StorageError> {
        result.map_err(|error| failed(&self.dir, action, error))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be deleted is left; nobody is there to be told.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Deletes the directory and all that is in it, if it is there.
pub fn delete(dir: &Path) -> Result<(), StorageError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(dir, "delete", error)),
        _ => Ok(()),
    }
}

/// One growing file.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    path: PathBuf,
    size: u64,
}

impl ScratchFile {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes. Errors: `Unavailable`, as for a full disk.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| failed(&self.path, "write", error))
    }

    /// Forgets what follows the first `size` bytes.
    pub fn truncate(&mut self, size: u64) -> Result<(), StorageError> {
        let cut = self.file.set_len(size).and_then(|()| self.file.seek(SeekFrom::End(0)));
        self.size = cut.map_err(|error| failed(&self.path, "truncate", error))?;
        Ok(())
    }

    /// The `length` bytes from `start` on.
    pub fn read(&mut self, start: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(start)).and_then(|_| self.file.read_exact(&mut bytes));
        // What is appended next belongs behind all the rest.
        let read = read.and_then(|()| self.file.seek(SeekFrom::End(0)));
        read.map_err(|error| failed(&self.path, "read", error))?;
        Ok(bytes)
    }
}

fn failed(path: &Path, action: &'static str, error: io::Error) -> StorageError {
    match Location::parse(&path.to_string_lossy()) {
        Ok(location) => StorageError::Unavailable { location, action, source: error.into() },
        Err(error) => error,
    }
}
