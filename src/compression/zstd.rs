//! Zstandard: frames one after another, on one thread. Rule: RFC 8878.

use crate::compression::input::{Input, decode_error, drain};
use std::sync::Arc;

use crate::compression::Compression;
use crate::compression::source::{DecodeError, Seam, Windows};
use crate::storage::Blob;

/// Decodes all frames from `from` on.
pub fn decode(blob: &Arc<Blob>, consumed: &dyn Fn(u64), from: Seam, windows: Windows<'_>) -> Result<Seam, DecodeError> {
    let input = Input::new(blob, consumed, from.byte());
    let failed = |error, byte| decode_error(error, Compression::Zstd, blob, byte);
    let mut frames = ::zstd::Decoder::with_buffer(input).map_err(|error| failed(error, from.byte()))?;
    let drained = drain(&mut frames, windows);
    let byte = frames.get_ref().position();
    drained.map_err(|error| failed(error, byte))?;
    Ok(Seam::at_byte(byte))
}
