//! Compressed texts: gzip, bzip2, Zstandard. The one door to their libraries.
//!
//! Promise: a file of any number of members, streams or frames is one text; one that is cut off is an error.
//! In -> out: a stored file -> text, in parts side by side (`source`); a chunk of text -> one whole member, stream or frame.
//! Invariant: how a file is compressed is told by its first bytes, never by its name.
//! Not here: what the text means.

mod bzip2;
mod gzip;
mod input;
pub mod ordered;
pub mod source;
mod zstd;

use std::io::{self, Read, Write};

/// How a text is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, perhaps of many members.
    Gzip,
    /// bzip2, perhaps of many streams.
    Bzip2,
    /// Zstandard, perhaps of many frames.
    Zstd,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gzip, Self::Bzip2, Self::Zstd];

    /// What a file that begins with `start` is compressed with; 4 bytes are enough.
    pub fn of_content(start: &[u8]) -> Self {
        match start {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// What the names of such files end in, with the dot; nothing for a plain text.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Zstd => ".zst",
        }
    }

    /// The name people know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
        }
    }

    /// `text` as one whole member, stream or frame. Files made of several of these are valid.
    pub fn compress(self, text: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(text),
            Self::Gzip => {
                let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                member.write_all(&text)?;
                member.finish()
            }
            Self::Bzip2 => {
                let mut stream = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::best());
                stream.write_all(&text)?;
                stream.finish()
            }
            Self::Zstd => ::zstd::stream::encode_all(&text[..], ::zstd::DEFAULT_COMPRESSION_LEVEL),
        }
    }
}

/// What Snappy's framing format holds; checksums are checked. Rule: `framing_format.txt` of the Snappy project.
pub fn snappy(frames: impl Read) -> impl Read {
    snap::read::FrameDecoder::new(frames)
}

/// What members of gzip hold, at most `most` bytes; `None` where it is more. Errors: it is no gzip, or cut off.
pub fn gunzip(members: &[u8], most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    let limit = (most as u64).saturating_add(1);
    flate2::bufread::MultiGzDecoder::new(members).take(limit).read_to_end(&mut text)?;
    Ok((text.len() <= most).then_some(text))
}

/// Packs bytes that will soon be unpacked again, quickly.
pub fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    ::zstd::bulk::compress(bytes, 1)
}

/// What [`pack`] packed; at most `size` bytes.
pub fn unpack(packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
    ::zstd::bulk::decompress(packed, size)
}

#[cfg(test)]
mod tests;
