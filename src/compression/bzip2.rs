//! bzip2: blocks found by their 48-bit signature at any bit, each decoded on its own (`lbzip2`).
//!
//! Seams are the starts of blocks, wherever streams begin and end. Every block's checksum is checked; a stream's own is
//! the blocks' combined and tells no more, once no bit between two blocks is left unread.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::lbzip2::bitreader::BitReader;
use ::lbzip2::block::{self, BlockError};
use ::lbzip2::{BLOCK_MAGIC, FINAL_MAGIC, block_scan};
use bytes::Bytes;

use crate::compression::Compression;
use crate::compression::source::{DecodeError, Seam, WINDOW, Windows};
use crate::storage::{Blob, StorageError};

/// The largest block there is, `BZh9`. A part that is begun in mid-stream cannot know the stream's own limit.
const BLOCK: u32 = 900_000;
/// More compressed bytes than the largest block can have.
const MARGIN: u64 = 1 << 20;
/// Compressed bytes held at once.
const CHUNK: u64 = 3 << 20;
/// Bits of a signature.
const MAGIC: u64 = 48;

/// The first block signature in `range`. That 48 bits look like one by chance happens once in 30,000 GB.
pub fn find(blob: &Blob, range: &Range<u64>) -> Result<Option<Seam>, StorageError> {
    let chunk = blob.read(range.start..blob.size().min(range.end + 8))?;
    let found = block_scan::find_next_block(&chunk, 0).map(|block| Seam(range.start * 8 + block.bit_offset));
    Ok(found.filter(|seam| !seam.reaches(range.end)))
}

/// Decodes blocks from `from` on, until one begins at or after byte `until`.
pub fn decode(
    blob: &Blob,
    consumed: &dyn Fn(u64),
    from: Seam,
    until: u64,
    windows: Windows<'_>,
) -> Result<Seam, DecodeError> {
    let mut bits = Bits { blob, start: 0, chunk: Bytes::new(), at: from.0 };
    let mut text = Vec::new();
    if from == Seam::START {
        bits.header()?;
    }
    loop {
        let begin = bits.at;
        match bits.magic()? {
            BLOCK_MAGIC if Seam(begin).reaches(until) => return Ok(Seam(begin)),
            BLOCK_MAGIC => bits.block(&mut text)?,
            FINAL_MAGIC => {
                if !bits.next_stream()? {
                    consumed(blob.size() - begin / 8);
                    return Ok(Seam::at_byte(blob.size()));
                }
                continue;
            }
            _ => return Err(bits.corrupt("neither a block nor the end of a stream follows")),
        }
        consumed(bits.at / 8 - begin / 8);
        if text.chunks(WINDOW).any(|window| windows(window).is_break()) {
            return Ok(Seam(begin));
        }
    }
}

/// A position in the bits of a file, and the bytes around it.
struct Bits<'a> {
    blob: &'a Blob,
    /// The byte at which `chunk` begins.
    start: u64,
    chunk: Bytes,
    /// The position, in bits from the start of the file.
    at: u64,
}

impl Bits<'_> {
    /// A reader at the position; at least [`MARGIN`] bytes can be read, or all there are.
    fn reader(&mut self) -> Result<BitReader<'_>, DecodeError> {
        let (byte, size) = (self.at / 8, self.blob.size());
        let end = self.start + self.chunk.len() as u64;
        if byte < self.start || end < size.min(byte + MARGIN) {
            self.chunk = self.blob.read(byte.min(size)..size.min(byte + CHUNK))?;
            self.start = byte.min(size);
        }
        Ok(BitReader::from_bit_offset(&self.chunk, (self.at - self.start * 8) as usize))
    }

    fn bits(&mut self, count: u8) -> Result<u64, DecodeError> {
        let value = self.reader()?.read_u64(count).ok_or_else(|| self.truncated())?;
        self.at += u64::from(count);
        Ok(value)
    }

    fn magic(&mut self) -> Result<u64, DecodeError> {
        self.bits(MAGIC as u8)
    }

    /// `BZh1` to `BZh9`.
    fn header(&mut self) -> Result<(), DecodeError> {
        match self.bits(32)?.to_be_bytes() {
            [.., b'B', b'Z', b'h', b'1'..=b'9'] => Ok(()),
            _ => Err(self.corrupt("a stream begins with BZh and a digit")),
        }
    }

    /// Decodes the block after its signature into `text`, replacing what is there.
    fn block(&mut self, text: &mut Vec<u8>) -> Result<(), DecodeError> {
        text.clear();
        let mut reader = self.reader()?;
        let before = reader.position() as u64;
        // lbzip2 0.5.13 panics on some impossible Huffman tables; to us that is one more way to be corrupt.
        let decode = AssertUnwindSafe(|| block::decode_block_into(&mut reader, BLOCK, text));
        let decoded = catch_unwind(decode).unwrap_or(Err(BlockError("impossible huffman table")));
        let (read, left) = (reader.position() as u64 - before, reader.remaining());
        let at_end = self.start + self.chunk.len() as u64 == self.blob.size();
        match decoded {
            Ok(_) => {
                self.at += read;
                Ok(())
            }
            // The crate calls it truncated, too, when no code fits the bits that are there.
            Err(_) if at_end && left < 64 => Err(self.truncated()),
            Err(error) => Err(self.corrupt(error.0)),
        }
    }

    /// After the signature that ends a stream: passes over its checksum and the header of the next. `false`: no next.
    fn next_stream(&mut self) -> Result<bool, DecodeError> {
        self.bits(32)?;
        self.at = self.at.next_multiple_of(8);
        let rest = self.blob.size() - self.at / 8;
        if rest == 0 {
            return Ok(false);
        }
        self.header().map(|()| true)
    }

    fn truncated(&self) -> DecodeError {
        let location = self.blob.location().clone();
        DecodeError::Truncated { location, compression: Compression::Bzip2, byte: self.blob.size() }
    }

    fn corrupt(&self, rule: &str) -> DecodeError {
        let (location, byte) = (self.blob.location().clone(), self.at / 8);
        DecodeError::Corrupt { location, compression: Compression::Bzip2, byte, rule: rule.to_owned() }
    }
}
