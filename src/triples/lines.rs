//! Triples as text for loaders.
//!
//! Promise: valid N-Triples, or Turtle that says the same in fewer bytes.
//! In -> out: triples -> text. Invariant: a text ends at the end of a statement, so that texts can follow each other.

use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::term::Triple;
use crate::rdf::turtle::Turtle;

/// The lines of a text, each with its line feed.
pub struct Lines<'t>(&'t [u8]);

impl<'t> Lines<'t> {
    /// The lines of `text`.
    pub fn of(text: &'t [u8]) -> Self {
        Self(text)
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let end = memchr::memchr(b'\n', self.0)? + 1;
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line)
    }
}

/// Makes text of triples.
pub struct LineWriter {
    text: Vec<u8>,
    turtle: Option<Turtle>,
}

impl LineWriter {
    /// Writes a line a triple.
    pub fn n_triples() -> Self {
        Self { text: Vec::new(), turtle: None }
    }

    /// Writes a statement a subject; the prefixes of [`crate::rdf::turtle`] must stand before it.
    pub fn turtle() -> Self {
        Self { text: Vec::new(), turtle: Some(Turtle::default()) }
    }

    /// Adds a triple.
    pub fn triple(&mut self, triple: &Triple<'_>) {
        match &mut self.turtle {
            None => ntriples::line(&mut self.text, triple, Encoding::Utf8),
            Some(turtle) => turtle.triple(&mut self.text, triple),
        }
    }

    /// The text.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(turtle) = &mut self.turtle {
            turtle.end(&mut self.text);
        }
        self.text
    }
}
