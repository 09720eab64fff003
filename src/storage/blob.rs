//! A stored file, open for reading.
//!
//! Promise: exactly the bytes asked for, of the file that was opened, from any number of threads.
//! Invariant: a file that is replaced while it is read is told where the store tells it, and never mixed with its successor.
//! Not here: what the bytes mean.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use object_store::{GetOptions, ObjectStoreExt};

use crate::storage::ahead::Ahead;
use crate::storage::error::{StorageError, failed_io};
use crate::storage::location::Location;
use crate::storage::wait_again;

/// A stored file, open for reading in any order from any number of threads.
#[derive(Debug)]
pub struct Blob {
    object: Arc<Object>,
    /// Local files are read directly: half the time of a read through the store, which opens the file for each range.
    file: Option<File>,
    ahead: Option<Ahead>,
}

/// What was opened.
#[derive(Debug)]
pub struct Object {
    /// Where it is.
    pub location: Location,
    /// How many bytes it has.
    pub size: u64,
    /// What tells it from others that had or will have its name: in the file system, when it was written last.
    e_tag: Option<String>,
}

impl Object {
    /// The bytes of `range`, which is within the file and not empty.
    pub async fn get(&self, range: Range<u64>) -> object_store::Result<Bytes> {
        let mut options = GetOptions::new().with_range(Some(range));
        // A weak tag may stay when the bytes do not.
        options.if_match = self.e_tag.clone().filter(|e_tag| !e_tag.starts_with("W/"));
        self.location.objects().get_opts(self.location.path(), options).await?.bytes().await
    }
}

impl Blob {
    /// Opens the file at `location`. Errors: `NotFound`; `NotAFile` for a directory or a pipe; `Forbidden`; `Unavailable`.
    pub fn open(location: &Location) -> Result<Self, StorageError> {
        let location = location.clone();
        let Some(path) = location.local() else {
            let head = wait_again(&location, "open", || location.objects().head(location.path()))?;
            let object = Object { location, size: head.size, e_tag: head.e_tag };
            return Ok(Self { object: Arc::new(object), file: None, ahead: None });
        };
        // Looked at before it is opened, because to open a pipe is to wait for its other end.
        let kind = std::fs::metadata(&path).map_err(|error| failed_io(&location, "open", error))?;
        if !kind.is_file() {
            return Err(StorageError::NotAFile { location });
        }
        let file = File::open(&path).map_err(|error| failed_io(&location, "open", error))?;
        let written = kind.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let e_tag = written.map(|time| time.as_nanos().to_string());
        let object = Object { location, size: kind.len(), e_tag };
        Ok(Self { object: Arc::new(object), file: Some(file), ahead: None })
    }

    /// The same file, of which what follows is fetched while something is read. For files that are read from their beginning to
    /// their end, by one thread or by many that are near to each other. Of no effect in the file system, which does so by itself.
    pub fn reading_ahead(self) -> Self {
        let ahead = if self.file.is_none() { Some(Ahead::new(Arc::clone(&self.object))) } else { None };
        Self { ahead, ..self }
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.object.size
    }

    /// What tells it from others that had or will have its name, as far as that is known.
    pub fn version(&self) -> Option<&str> {
        self.object.e_tag.as_deref()
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.object.location
    }

    /// The bytes of `range`, all of them. Errors: `TooShort` beyond the end; `Changed`; `Unavailable`.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).ok().filter(|_| range.end <= self.size() && range.start <= range.end);
        let len = len.ok_or_else(|| self.too_short(range.end))?;
        if len == 0 {
            return Ok(Bytes::new());
        }
        let Some(file) = &self.file else {
            let bytes = match &self.ahead {
                Some(ahead) => ahead.read(range.clone())?,
                None => wait_again(self.location(), "read", || self.object.get(range.clone()))?,
            };
            return if bytes.len() == len { Ok(bytes) } else { Err(self.too_short(range.end)) };
        };
        let mut bytes = vec![0; len];
        match file.read_exact_at(&mut bytes, range.start) {
            Ok(()) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.too_short(range.end)),
            Err(error) => Err(failed_io(self.location(), "read", error)),
        }
    }

    fn too_short(&self, end: u64) -> StorageError {
        StorageError::TooShort { location: self.location().clone(), end }
    }
}
