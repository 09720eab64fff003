//! A file that grows, and is cut back to where it was.
//!
//! Promise: opened at a length, it has exactly the bytes it had at that length; what is appended is there in order. Nobody else who
//! opens it so has it at the same time, not even while the length is still to be found out.
//! Invariant: local files only: no store appends.
//! Not here: which length is the right one (see `updater::outputs`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use crate::storage::error::failed_io;
use crate::storage::{Location, StorageError};

/// A file that is appended to.
#[derive(Debug)]
pub struct Appended {
    location: Location,
    file: BufWriter<File>,
    size: u64,
}

impl Appended {
    /// Opens the file and cuts it back to `size` bytes; it is made if it is not there and `size` is 0.
    ///
    /// Errors: `NotLocal`; `NotAFile` for directories and devices; `InUse`; `Unavailable`, also where the file is shorter than that.
    pub fn open(location: &Location, size: u64) -> Result<Self, StorageError> {
        Self::open_at(location, size == 0, |_| Ok(size))
    }

    /// Opens the file, which is made if it is not there, and cuts it back to what `size` makes of its text. Errors also those of `size`.
    pub fn open_after<E: From<StorageError>>(
        location: &Location,
        size: impl FnOnce(&[u8]) -> Result<u64, E>,
    ) -> Result<Self, E> {
        Self::open_at(location, true, |mut file| {
            let mut text = Vec::new();
            let read = file.read_to_end(&mut text);
            read.map_err(|error| failed_io(location, "read", error))?;
            size(&text)
        })
    }

    fn open_at<E: From<StorageError>>(
        location: &Location,
        may_make: bool,
        size: impl FnOnce(&File) -> Result<u64, E>,
    ) -> Result<Self, E> {
        let mut file = hold(location, may_make)?;
        let size = size(&file)?;
        let mut cut = || {
            let found = file.metadata()?.len();
            if found < size {
                let text = format!("it has {found} bytes, but {size} were written to it before");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            file.set_len(size)?;
            file.seek(SeekFrom::Start(size))
        };
        cut().map_err(|error| failed_io(location, "open", error))?;
        Ok(Self { location: location.clone(), file: BufWriter::with_capacity(1 << 16, file), size })
    }

    /// Writes `bytes` behind what is there; they may be in memory still.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(|error| failed_io(&self.location, "write", error))?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Hands all that was appended to the system, so that others see it.
    pub fn flush(&mut self) -> Result<(), StorageError> {
        self.file.flush().map_err(|error| failed_io(&self.location, "write", error))
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Opens the file for this program alone.
fn hold(location: &Location, may_make: bool) -> Result<File, StorageError> {
    let path = location.local().ok_or_else(|| StorageError::NotLocal { location: location.clone() })?;
    let failed = |error| failed_io(location, "open", error);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(StorageError::NotAFile { location: location.clone() });
    }
    let file =
        OpenOptions::new().create(may_make).read(true).write(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { location: location.clone() }),
        _ => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_back_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::parse(dir.path().join("below/out").to_str().unwrap()).unwrap();
        let mut file = Appended::open(&location, 0).unwrap();
        file.append(b"one two").unwrap();
        file.flush().unwrap();
        assert_eq!(file.size(), 7);
        drop(file);
        let mut file = Appended::open(&location, 4).unwrap();
        file.append(b"three").unwrap();
        drop(file);
        assert_eq!(&crate::storage::read(&location).unwrap()[..], b"one three");
        let error = Appended::open(&location, 10).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("it has 9 bytes"), "{error:?}");
        assert!(matches!(Appended::open(&Location::memory(), 0), Err(StorageError::NotLocal { .. })));
    }
}
