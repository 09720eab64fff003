//! IRIs spelled out in full.
//!
//! Promise: an IRI that is read here is valid and absolute, and oxttl would give it unchanged.
//! In -> out: `<http…>` -> the text between the brackets.
//! Invariant: no escapes, no base in force, scheme `http` or `https`, a host without port or user; others are for oxttl.
//! Not here: names with prefixes (see `reader`). Rule: RFC 3987, as the crate oxiri keeps it.

use crate::rdf::reader::{Reader, Stop, runs};

/// How long an IRI may be to be known, in bytes. So a bracket that is never closed is not sought for long.
const LONGEST: usize = 256;

/// Some of the IRIs that were read, once there is one: most texts have none. Where names have no prefixes, as in N-Triples, most come
/// again.
#[derive(Default)]
pub(super) struct Known<'a>(Option<Box<[&'a str; 64]>>);

impl<'a> Known<'a> {
    /// The place of an IRI. What it ends with tells it from others best.
    #[inline]
    fn place(&mut self, iri: &str) -> &mut &'a str {
        // No IRI has this.
        let places = self.0.get_or_insert_with(|| Box::new([">"; 64]));
        let end = runs::word(iri.as_bytes(), iri.len().saturating_sub(8)) ^ iri.len() as u64;
        &mut places[(end.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize]
    }
}

impl<'a> Reader<'a> {
    /// Reads `<…>`. What was read before comes as the same piece of text, mostly.
    #[inline]
    pub(super) fn iri(&mut self) -> Result<&'a str, Stop> {
        // With a base, resolving takes dot segments out of absolute ones too.
        if self.peek()? != b'<' || self.prefixes.base().is_some() {
            return Err(Stop::Other);
        }
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let near = &bytes[start..bytes.len().min(start + LONGEST)];
        let Some(length) = memchr::memchr(b'>', near) else { return self.other_iri() };
        let iri = &self.text[start..start + length];
        let known = *self.known.place(iri);
        if known == iri {
            self.at = start + length + 1;
            return Ok(known);
        }
        let iri = self.other_iri()?;
        *self.known.place(iri) = iri;
        Ok(iri)
    }

    /// The same, of one that is not known.
    fn other_iri(&mut self) -> Result<&'a str, Stop> {
        let start = self.at + 1;
        match self.expect("<https://") {
            Ok(()) => {}
            Err(_) => self.expect("<http://")?,
        }
        let bytes = self.text.as_bytes();
        self.at = runs::host(bytes, self.at);
        if !matches!(self.peek()?, b'/' | b'>' | b'?' | b'#') {
            return Err(Stop::Other);
        }
        self.after_authority()?;
        let iri = &self.text[start..self.at];
        self.at += 1;
        Ok(iri)
    }

    /// Passes over path, query and fragment, up to the closing bracket.
    fn after_authority(&mut self) -> Result<(), Stop> {
        let bytes = self.text.as_bytes();
        let mut fragment = false;
        loop {
            self.at = runs::iri(bytes, self.at);
            match self.peek()? {
                b'>' => return Ok(()),
                b'%' => self.percent_escapes()?,
                b'#' if !fragment => {
                    fragment = true;
                    self.at += 1;
                }
                b'!' | b'$' | b'~' => self.at += 1,
                // From U+00A0 to U+D7FF everything is allowed: the first byte of two is 0xC2 below U+00C0.
                0xC2 if bytes.get(self.at + 1).is_some_and(|second| *second >= 0xA0) => self.at += 2,
                0xC3..=0xED => self.not_ascii(),
                _ => return Err(Stop::Other),
            }
        }
    }

    fn percent_escapes(&mut self) -> Result<(), Stop> {
        while self.peek()? == b'%' {
            let digits = self.text.as_bytes().get(self.at + 1..self.at + 3).ok_or(Stop::End)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(Stop::Other);
            }
            self.at += 3;
        }
        Ok(())
    }

    /// Passes over characters of two or three bytes, but for some of either that are more special.
    fn not_ascii(&mut self) {
        let rest = self.text.as_bytes()[self.at..].iter();
        self.at += rest.take_while(|byte| matches!(byte, 0x80..=0xBF | 0xC3..=0xED)).count();
    }
}
