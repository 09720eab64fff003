//! IRIs spelled out in full.
//!
//! Promise: an IRI that is read here is valid and absolute, and oxttl would give it unchanged.
//! In -> out: `<http…>` -> the text between the brackets.
//! Invariant: no escapes, no base in force, scheme `http` or `https`, a host without port or user; others are for oxttl.
//! Not here: names with prefixes (see `reader`). Rule: RFC 3987, as the crate oxiri keeps it.

use crate::rdf::reader::{Reader, Stop, runs};

impl<'a> Reader<'a> {
    /// Reads `<…>`.
    pub(super) fn iri(&mut self) -> Result<&'a str, Stop> {
        if self.prefixes.base().is_some() {
            // Resolving takes dot segments out of absolute ones too.
            return Err(Stop::Other);
        }
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
