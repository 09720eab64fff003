//! A stored file as a buffered stream that knows its position.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use crate::compression::Compression;
use crate::compression::source::{DecodeError, WINDOW, Windows};
use crate::storage::Blob;
use crate::storage::sequential::{Sequential, storage_error};

/// Compressed bytes read at once.
const CHUNK: u64 = 512 << 10;

/// Reads a blob from some byte on. What is taken from it is reported to `consumed`.
pub struct Input<'a> {
    stored: Sequential,
    consumed: &'a dyn Fn(u64),
}

impl<'a> Input<'a> {
    /// The bytes of `blob` from `start` on.
    pub fn new(blob: &Arc<Blob>, consumed: &'a dyn Fn(u64), start: u64) -> Self {
        Self { stored: Sequential::new(Arc::clone(blob), start, CHUNK), consumed }
    }

    /// The byte that will be read next.
    pub fn position(&self) -> u64 {
        self.stored.position()
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.stored.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.stored.consume(amount);
        (self.consumed)(amount as u64);
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stored.read(into)?;
        (self.consumed)(read as u64);
        Ok(read)
    }
}

/// Gives all that `text` yields in windows; `Ok(false)` if they broke off.
pub fn drain(text: &mut impl Read, windows: Windows<'_>) -> io::Result<bool> {
    let mut window = vec![0; WINDOW];
    loop {
        let mut filled = 0;
        while filled < window.len() {
            match text.read(&mut window[filled..]) {
                Ok(0) => break,
                Ok(amount) => filled += amount,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // What was decoded before the error still counts: the error is about what comes after it.
                    let _ = windows(&window[..filled]);
                    return Err(error);
                }
            }
        }
        if filled == 0 {
            return Ok(true);
        }
        if windows(&window[..filled]).is_break() {
            return Ok(false);
        }
    }
}

/// What an error of a decoder that reads an [`Input`] means.
pub fn decode_error(error: io::Error, compression: Compression, blob: &Blob, byte: u64) -> DecodeError {
    let location = blob.location().clone();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return DecodeError::Truncated { location, compression, byte: blob.size() };
    }
    match storage_error(error) {
        Ok(error) => DecodeError::Storage(error),
        Err(error) => DecodeError::Corrupt { location, compression, byte, rule: error.to_string() },
    }
}
