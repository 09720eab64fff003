//! gzip: one member after another, each decoded as a stream of its own.
//!
//! Seams are the starts of members. Nothing in the format marks them, so [`find`] looks for what a header looks like;
//! about one such place in 180 GB is none (36 bits of a header are fixed). Rule: RFC 1952.

use std::io::BufRead;
use std::ops::Range;
use std::sync::Arc;

use flate2::bufread::GzDecoder;
use memchr::memmem;

use crate::compression::Compression;
use crate::compression::input::{Input, decode_error, drain};
use crate::compression::source::{DecodeError, Seam, Windows};
use crate::storage::{Blob, StorageError};

/// Bytes of a header up to its optional fields.
const HEADER: u64 = 10;
/// Compressed bytes searched at once.
const CHUNK: u64 = 1 << 20;

/// The first place in `range` that looks like the header of a member.
pub fn find(blob: &Blob, range: &Range<u64>) -> Result<Option<Seam>, StorageError> {
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start + CHUNK);
        let chunk = blob.read(start..blob.size().min(end + HEADER - 1))?;
        let starts = memmem::find_iter(&chunk, &[0x1f, 0x8b, 8]);
        for at in starts.filter(|at| start + (*at as u64) < end) {
            if looks_like_header(&chunk[at..]) {
                return Ok(Some(Seam::at_byte(start + at as u64)));
            }
        }
        start = end;
    }
    Ok(None)
}

/// Reserved flags are 0; the level hint is 0, 2 or 4; the operating system is a known one or "unknown".
fn looks_like_header(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, flags, _, _, _, _, 0 | 2 | 4, 0..=13 | 255, ..] if flags & 0xe0 == 0)
}

/// Decodes members from `from` on, until one ends at or after byte `until`.
pub fn decode(
    blob: &Arc<Blob>,
    consumed: &dyn Fn(u64),
    from: Seam,
    until: u64,
    windows: Windows<'_>,
) -> Result<Seam, DecodeError> {
    let mut input = Input::new(blob, consumed, from.byte());
    while input.position() < until && !only_padding(&mut input, blob)? {
        let mut member = GzDecoder::new(&mut input);
        let drained = drain(&mut member, windows);
        let byte = input.position();
        match drained {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(decode_error(error, Compression::Gzip, blob, byte)),
        }
    }
    Ok(Seam::at_byte(input.position()))
}

/// Whether nothing but zeros follows, as tapes and some tools leave behind; if so, it is passed over.
fn only_padding(input: &mut Input<'_>, blob: &Blob) -> Result<bool, DecodeError> {
    loop {
        let byte = input.position();
        let chunk = input.fill_buf().map_err(|error| decode_error(error, Compression::Gzip, blob, byte))?;
        let zeros = chunk.iter().take_while(|byte| **byte == 0).count();
        let (len, first) = (chunk.len(), chunk.first().copied());
        match first {
            None => return Ok(true),
            Some(0) => input.consume(zeros),
            Some(_) => return Ok(false),
        }
        if zeros < len {
            return Ok(false);
        }
    }
}
