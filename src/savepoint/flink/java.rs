//! Bytes as Java's `DataOutput` and Flink's `StringSerializer` write them.
//!
//! Promise: whatever the bytes, [`Input`] gives a value or the place and the rule that is broken; a length in the bytes never
//! decides how much memory is taken.
//! Invariant: pure; all integers are big-endian.

use std::fmt;

/// What is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Bytes before it.
    pub at: u64,
    /// What is wrong there.
    pub rule: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.rule)
    }
}

pub type Parsed<T> = Result<T, Broken>;

/// Bytes, and how far they are read.
pub struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The place of the first of them in what they are a part of.
    start: u64,
}

impl<'a> Input<'a> {
    /// Reads `bytes`, which stand at `start` of a file.
    pub fn new(bytes: &'a [u8], start: u64) -> Self {
        Self { bytes, at: 0, start }
    }

    /// How many bytes are read.
    pub fn consumed(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Parsed<&'a [u8]> {
        let taken = self.rest().get(..count);
        let taken = taken.ok_or_else(|| self.broken("it ends in the middle of a value"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let first = self.rest().first_chunk().copied();
        let first = first.ok_or_else(|| self.broken("it ends in the middle of a value"))?;
        self.at += N;
        Ok(first)
    }

    /// A byte.
    pub fn u8(&mut self) -> Parsed<u8> {
        self.array().map(|[byte]| byte)
    }

    /// `readShort`.
    pub fn i16(&mut self) -> Parsed<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// `readInt`.
    pub fn i32(&mut self) -> Parsed<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// `readLong`.
    pub fn i64(&mut self) -> Parsed<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// `readBoolean`; Java takes any byte but 0 for true, we none but 1.
    pub fn flag(&mut self) -> Parsed<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(self.back(1, format!("{byte} is neither true nor false"))),
        }
    }

    /// An int that counts things, each of at least `least` bytes: refused where so many cannot follow.
    pub fn count(&mut self, least: usize) -> Parsed<usize> {
        let count = self.i32()?;
        let fits = usize::try_from(count).ok().filter(|count| count.saturating_mul(least) <= self.rest().len());
        fits.ok_or_else(|| self.back(4, format!("{count} things cannot follow in {} bytes", self.rest().len())))
    }

    /// `readUTF`: modified UTF-8 with its length in bytes before it.
    pub fn utf(&mut self) -> Parsed<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let bytes = self.take(length)?;
        if bytes.is_ascii() && !bytes.contains(&0) {
            return Ok(String::from_utf8_lossy(bytes).into_owned());
        }
        let text = modified_utf8(bytes).and_then(|units| String::from_utf16(&units).ok());
        text.ok_or_else(|| self.back(length, "no text in Java's modified UTF-8".to_owned()))
    }

    /// Flink's `StringSerializer`; `None` for null.
    pub fn string(&mut self) -> Parsed<Option<String>> {
        let from = self.at;
        // Each unit takes at least a byte, so a length beyond the bytes is found while reading, not before.
        let Some(units) = self.varint()?.checked_sub(1) else { return Ok(None) };
        let mut text = Vec::new();
        for _ in 0..units {
            let unit = self.varint()?;
            text.push(u16::try_from(unit).map_err(|_| self.broken("a character beyond UTF-16"))?);
        }
        let text = String::from_utf16(&text);
        text.map(Some).map_err(|_| self.back(self.at - from, "half of a character alone".to_owned()))
    }

    fn varint(&mut self) -> Parsed<u32> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| self.broken("a length beyond 32 bits"));
            }
        }
        Err(self.broken("a length beyond 32 bits"))
    }

    /// That `rule` is broken here.
    pub fn broken(&self, rule: impl Into<String>) -> Broken {
        self.back(0, rule.into())
    }

    /// That `rule` is broken `bytes` before here.
    pub fn back(&self, bytes: usize, rule: String) -> Broken {
        Broken { at: self.start + (self.at - bytes) as u64, rule }
    }
}

fn modified_utf8(mut bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let first = u16::from(*first);
        let next = |at: usize| rest.get(at).filter(|byte| **byte & 0xc0 == 0x80).map(|byte| u16::from(byte & 0x3f));
        let (unit, more) = match first {
            0x01..0x80 => (first, 0),
            0xc0..0xe0 => ((first & 0x1f) << 6 | next(0)?, 1),
            0xe0..0xf0 => ((first & 0x0f) << 12 | next(0)? << 6 | next(1)?, 2),
            _ => return None,
        };
        units.push(unit);
        bytes = &rest[more..];
    }
    Some(units)
}

/// `writeUTF` of a text of ASCII without NUL, shorter than 65,536 bytes: of all names that we write.
pub fn put_utf(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// `writeInt`.
pub fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// `writeLong`.
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
    }

    /// Texts as Flink's own class wrote them.
    #[test]
    fn strings() {
        let cases = [
            ("03 51 31", Some("Q1")),
            ("04 51 34 32", Some("Q42")),
            ("01", Some("")),
            ("00", None),
            ("05 51 e9 01 bd b0 03 80 bc 03", Some("Qé😀")),
            ("02 00", Some("\0")),
        ];
        for (bytes, text) in cases {
            let bytes = hex(bytes);
            let mut input = Input::new(&bytes, 0);
            assert_eq!(input.string().unwrap().as_deref(), text);
            assert!(input.rest().is_empty());
        }
    }

    #[test]
    fn names() {
        for (bytes, text) in [
            ("0002 5131", Some("Q1")),
            ("0002 c080", Some("\0")),
            ("0006 eda0bdedb880", Some("😀")),
            ("0003 eda0bd", None),
            ("0001 80", None),
            ("0001 00", None),
            ("0002 c3", None),
            ("0003 5131", None),
        ] {
            assert_eq!(Input::new(&hex(bytes), 0).utf().ok().as_deref(), text, "{bytes}");
        }
    }

    /// A length says nothing of how much there is.
    #[test]
    fn lengths() {
        for bytes in ["ff ff ff ff 0f 41", "ff ff ff ff ff 01", "05 51"] {
            assert!(Input::new(&hex(bytes), 0).string().is_err(), "{bytes}");
        }
        for (bytes, least, count) in [
            ("7f ff ff ff 00", 1, None),
            ("ff ff ff ff 00", 1, None),
            ("00 00 00 01 00", 1, Some(1)),
            ("00 00 00 02 00", 1, None),
        ] {
            assert_eq!(Input::new(&hex(bytes), 0).count(least).ok(), count, "{bytes}");
        }
    }
}
