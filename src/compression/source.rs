//! Compressed files -> text, in parts that can be decoded side by side.
//!
//! Promise: the decoded parts, put together at the seams where each truly begins, are the file's text, or an error says
//! what is wrong with the file and where.
//! In -> out: [`Blob`] -> [`Source`]; a range of compressed bytes -> the [`Seam`] at which its part begins, its text in
//! windows, and the seam at which the next part begins.
//! Invariant: a seam that was only guessed ([`Source::find`]) is never trusted; the caller compares it with the seam at
//! which the part before it ended. Memory is bounded by a few windows a part.
//! Not here: who runs the parts, and what the text means.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compression::{Compression, bzip2, gzip, zstd};
use crate::storage::{Blob, Location, StorageError};

/// Bytes of text given at once, at most; small enough to stay in a core's own cache while it is read.
pub const WINDOW: usize = 128 << 10;

/// Compressed bytes that make a part worth a worker of its own.
fn part(compression: Compression) -> u64 {
    match compression {
        Compression::Plain => 8 << 20,
        Compression::Gzip => 4 << 20,
        Compression::Bzip2 => 1 << 20,
        // A frame can only be read from its start, and writers make a single one.
        Compression::Zstd => u64::MAX,
    }
}

/// A position in a compressed file at which decoding can begin, in bits from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seam(pub(super) u64);

impl Seam {
    /// The start of a file.
    pub const START: Self = Self(0);

    pub(super) const fn at_byte(byte: u64) -> Self {
        Self(byte * 8)
    }

    /// The byte in which the position lies.
    pub const fn byte(self) -> u64 {
        self.0 / 8
    }

    /// Whether the position is at or after the start of `byte`.
    pub const fn reaches(self, byte: u64) -> bool {
        self.0 >= byte * 8
    }
}

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file ends before its compressed data does.
    #[error("{location} is truncated: its {} data goes on after byte {byte}, where the file ends", compression.name())]
    Truncated {
        /// The file.
        location: Location,
        /// How it is compressed.
        compression: Compression,
        /// Where it ends.
        byte: u64,
    },
    /// A checksum or the structure of the compressed data is wrong.
    #[error("{location} is corrupt: its {} data breaks off near byte {byte} of the file: {rule}", compression.name())]
    Corrupt {
        /// The file.
        location: Location,
        /// How it is compressed.
        compression: Compression,
        /// About where, in the compressed file.
        byte: u64,
        /// The rule broken.
        rule: String,
    },
    /// The file could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A compressed or plain file, open for reading by many workers.
#[derive(Debug)]
pub struct Source {
    blob: Arc<Blob>,
    compression: Compression,
    part: u64,
    consumed: Arc<AtomicU64>,
}

/// Where windows of text go; `Break` ends the decoding early.
pub type Windows<'w> = &'w mut dyn FnMut(&[u8]) -> ControlFlow<()>;

impl Source {
    /// Opens a file and tells by its first bytes how it is compressed.
    pub fn open(location: &Location) -> Result<Self, StorageError> {
        let blob = Blob::open(location)?.reading_ahead();
        let start = blob.read(0..blob.size().min(4))?;
        let compression = Compression::of_content(&start);
        Ok(Self { compression, part: part(compression), blob: Arc::new(blob), consumed: Arc::default() })
    }

    /// The same file, which adds to `consumed` the compressed bytes that go into decoding.
    pub fn counting(self, consumed: Arc<AtomicU64>) -> Self {
        Self { consumed, ..self }
    }

    /// The same file cut into parts of that many compressed bytes.
    pub fn with_part(self, part: u64) -> Self {
        Self { part: part.max(1), ..self }
    }

    /// The compressed bytes that went into decoding so far, of all files that count together.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// The file.
    pub fn location(&self) -> &Location {
        self.blob.location()
    }

    /// What tells it from others that had or will have its name, as far as that is known.
    pub fn version(&self) -> Option<&str> {
        self.blob.version()
    }

    /// Its compressed size in bytes.
    pub fn size(&self) -> u64 {
        self.blob.size()
    }

    /// How it is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The file's compressed bytes in consecutive ranges, each worth a worker.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (size, part) = (self.size(), self.part);
        (0..size.div_ceil(part)).map(move |at| at * part..((at + 1).saturating_mul(part)).min(size))
    }

    /// The first position in `range` at which a part may begin; certain only for plain files and for the start.
    pub fn find(&self, range: &Range<u64>) -> Result<Option<Seam>, StorageError> {
        match self.compression {
            _ if range.start == 0 => Ok(Some(Seam::START)),
            Compression::Plain => Ok(Some(Seam::at_byte(range.start))),
            Compression::Gzip => gzip::find(&self.blob, range),
            Compression::Bzip2 => bzip2::find(&self.blob, range),
            Compression::Zstd => Ok(None),
        }
    }

    /// Decodes from `from` to the first seam at or after the start of byte `until`, and returns that seam (the end of the
    /// file where there is none). If `windows` breaks off, returns some position before it.
    pub fn decode(&self, from: Seam, until: u64, windows: Windows<'_>) -> Result<Seam, DecodeError> {
        let read = |bytes: u64| {
            self.consumed.fetch_add(bytes, Ordering::Relaxed);
        };
        match self.compression {
            Compression::Plain => self.plain(from, until, windows),
            Compression::Gzip => gzip::decode(&self.blob, &read, from, until, windows),
            Compression::Bzip2 => bzip2::decode(&self.blob, &read, from, until, windows),
            Compression::Zstd => zstd::decode(&self.blob, &read, from, windows),
        }
    }

    fn plain(&self, from: Seam, until: u64, windows: Windows<'_>) -> Result<Seam, DecodeError> {
        let mut at = from.byte();
        while at < until {
            let text = self.blob.read(at..until.min(at + WINDOW as u64))?;
            at += text.len() as u64;
            self.consumed.fetch_add(text.len() as u64, Ordering::Relaxed);
            if windows(&text).is_break() {
                break;
            }
        }
        Ok(Seam::at_byte(at))
    }
}
