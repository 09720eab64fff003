//! RDF syntax; has never heard of Wikibase.
//!
//! Promise: text in, statements and triples out, with the place of every error.
//! In -> out: text -> [`term::Triple`]s, by a [`reader::Reader`].
//! Invariant: for every document that oxttl accepts, the same triples in the same order, wherever the text is cut.
//! Not here: which triples matter (see `dump`).

pub mod fingerprint;
pub mod lexer;
pub mod ntriples;
pub mod prefixes;
pub mod reader;
pub mod term;
pub mod turtle;
pub mod vocab;

/// A rule of Turtle that a text breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Bytes from the start of the text that was read.
    pub offset: usize,
    /// The rule, as a sentence.
    pub message: String,
}

impl SyntaxError {
    /// A broken rule at `offset`.
    pub fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}
