//! Reading a stored file from its beginning to its end.
//!
//! Promise: [`std::io::Read`] over a [`Blob`], one window in memory at most.
//! Invariant: its errors carry a [`StorageError`], see [`storage_error`].
//! Not here: reading ahead; that is for a thread of the caller's.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::storage::{Blob, StorageError};

/// A place in a file from which it is read on.
#[derive(Debug)]
pub struct Sequential {
    blob: Arc<Blob>,
    at: u64,
    window: u64,
    buffer: Bytes,
}

impl Sequential {
    /// Reads on from the byte `start`, fetching `window` bytes at a time.
    pub fn new(blob: Arc<Blob>, start: u64, window: u64) -> Self {
        Self { blob, at: start, window, buffer: Bytes::new() }
    }

    /// The byte that will be read next.
    pub fn position(&self) -> u64 {
        self.at - self.buffer.len() as u64
    }
}

impl BufRead for Sequential {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let end = self.at.saturating_add(self.window).min(self.blob.size());
        if self.buffer.is_empty() && self.at < end {
            self.buffer = self.blob.read(self.at..end).map_err(io::Error::other)?;
            self.at = end;
        }
        Ok(&self.buffer)
    }

    fn consume(&mut self, amount: usize) {
        self.buffer.advance(amount);
    }
}

impl Read for Sequential {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let buffer = self.fill_buf()?;
        let len = target.len().min(buffer.len());
        target[..len].copy_from_slice(&buffer[..len]);
        self.consume(len);
        Ok(len)
    }
}

/// The error of storage inside an I/O error; otherwise the I/O error itself.
pub fn storage_error(error: io::Error) -> Result<StorageError, io::Error> {
    error.downcast::<StorageError>()
}
