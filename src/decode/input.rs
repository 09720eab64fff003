//! A stored file as a buffered stream that knows its position.

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};

use crate::decode::{Compression, DecodeError, Windows, WINDOW};
use crate::storage::Blob;

/// Compressed bytes read at once.
const CHUNK: u64 = 512 << 10;

/// Reads a blob from some byte on. What is taken from it is reported to `consumed`.
pub struct Input<'a> {
    blob: &'a Blob,
    consumed: &'a dyn Fn(u64),
    next: u64,
    chunk: Bytes,
}

impl<'a> Input<'a> {
    /// The bytes of `blob` from `start` on.
    pub fn new(blob: &'a Blob, consumed: &'a dyn Fn(u64), start: u64) -> Self {
        Self { blob, consumed, next: start, chunk: Bytes::new() }
    }

    /// The byte that will be read next.
    pub fn position(&self) -> u64 {
        self.next - self.chunk.len() as u64
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.is_empty() {
            let end = self.blob.size().min(self.next + CHUNK);
            self.chunk = self.blob.read(self.next..end).map_err(io::Error::other)?;
            self.next = end;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount);
        (self.consumed)(amount as u64);
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.len().min(into.len());
        into[..amount].copy_from_slice(&self.chunk[..amount]);
        self.consume(amount);
        Ok(amount)
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
    if error.kind() == io::ErrorKind::UnexpectedEof || byte >= blob.size() && error.kind() == io::ErrorKind::InvalidInput {
        return DecodeError::Truncated { location, compression, byte: blob.size() };
    }
    let rule = error.to_string();
    match error.into_inner().map(|inner| inner.downcast()) {
        Some(Ok(storage)) => DecodeError::Storage(*storage),
        _ => DecodeError::Corrupt { location, compression, byte, rule },
    }
}
