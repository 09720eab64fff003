//! The one triple of a statement that an anchor is about, without reading the others.
//!
//! Promise: what [`skim`] finds is where a full reading would find it. It may find nothing: then the statement is to be read.
//! In -> out: bytes, the start of a statement, an anchor in it -> positions. Pure.
//! Invariant: only statements are skimmed that are written as Wikibase writes them, a predicate a line, and in which no byte
//! could make them mean anything else: no nesting, comment, escape or language tag, and no dot that could end them early.
//! Lines must be known to end outside all tokens.

use memchr::{memchr, memchr_iter, memrchr};

use crate::dump::anchors;
use crate::rdf::lexer;

/// Where the triple is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skimmed {
    /// The statement's subject.
    pub subject: usize,
    /// The predicate; its only object follows.
    pub predicate: usize,
    /// The byte after the statement's dot.
    pub end: usize,
}

/// Skims the statement that begins at or after `start`, with an anchor at `hit`, within a predicate or right behind its label.
pub fn skim(text: &[u8], start: usize, hit: usize) -> Option<Skimmed> {
    let subject = lexer::skip_blank(text, start).filter(|subject| *subject < hit)?;
    let line = subject + memrchr(b'\n', &text[subject..hit])? + 1;
    let predicate = line + text[line..hit].iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let is_name = text[predicate..hit].iter().all(u8::is_ascii_alphanumeric);
    let front = text[subject..line].trim_ascii_end();
    if predicate == line || !is_name || !front.ends_with(b";") || !is_plain(front) {
        return None;
    }
    let end = end(text, hit)?;
    anchors::find(&text[hit + 1..end], 0).is_none().then_some(Skimmed { subject, predicate, end })
}

/// The byte after the dot that ends the statement: the last of the first line that ends in none of its parts.
fn end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let feed = at + memchr(b'\n', &text[at..])?;
        let line = text[at..feed].trim_ascii_end();
        match line.strip_suffix(b" .") {
            Some(line) => return is_plain(line).then_some(at + line.len() + 2),
            None if line.ends_with(b";") && is_plain(line) => at = feed + 1,
            None => return None,
        }
    }
}

/// Whether no byte of the text could end a statement, or open a nested node, a list, a comment, a language tag or a string of
/// another kind, or escape. Dots stand between letters, or between digits: after a number, a letter would begin another
/// statement.
fn is_plain(text: &[u8]) -> bool {
    let special = |byte: u8| matches!(byte, b'[' | b'(' | b'#' | b'@' | b'\'' | b'\\');
    // All bytes are looked at, as that is done many at a time.
    let specials = text.iter().fold(false, |any, byte| any | special(*byte));
    !specials && memchr_iter(b'.', text).all(|at| stands_within(text, at))
}

/// Whether the dot at `at` is within a number or a word.
fn stands_within(text: &[u8], at: usize) -> bool {
    match (at.checked_sub(1).map(|before| text[before]), text.get(at + 1)) {
        (Some(b'0'..=b'9'), Some(after)) => after.is_ascii_digit(),
        (Some(before), Some(after)) => before.is_ascii_alphabetic() && after.is_ascii_alphanumeric(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_plain() {
        let rows: &[(&str, bool)] = &[
            ("d:Q1 a s:D ;\n\ts:v \"1.0.0\" ;\n\ts:version \"12\"^^x:i ;\n\ts:m \"2\" .\n", true),
            ("\nd:Q1 a <http://a.org/1.0/> ;\n s:version 12 .\n", true),
            ("d:Q1 a s:D ;\r\n\ts:version 12 .\r\n", true),
            ("d:Q1 a s:D ;\n\ts:version 12 .", false),
            ("d:Q1 a s:D ;\n\ts:version 12 ;\n", false),
            ("d:Q1 a s:D ;\ns:version 12 .\n", false),
            ("d:Q1 a s:D ,\n\ts:version 12 .\n", false),
            ("d:Q1 s:version 12 .\n", false),
            ("d:Q1 a s:D ; s:version 12 .\n", false),
            ("d:Q1 a [ a s:D ;\n\ts:version 12 ] .\n", false),
            ("d:Q1 a s:D . d:Q2 a s:E ;\n\ts:version 12 .\n", false),
            ("d:Q1 a 5.d:Q2 a s:E ;\n\ts:version 12 .\n", false),
            ("d:Q1 a <x>.d:Q2 a s:E ;\n\ts:version 12 .\n", false),
            ("d:Q1 a \"x\".d:Q2 a s:E ;\n\ts:version 12 .\n", false),
            ("d:Q1 a \"x\"@en.d:Q2 a s:E ;\n\ts:version 12 .\n", false),
            ("d:Q1 a s:D ; # . d:Q2\n\ts:version 12 .\n", false),
            ("d:Q1 a s:D ;\n\ts:version 12 . d:Q2 a s:D .\n", false),
            ("d:Q1 a s:D ;\n\ts:version 12 ;\n\ts:version 13 .\n", false),
            ("d:Q1 a s:D ;\n\ts:version 12 .\nd:Q2 a s:D .\n", true),
        ];
        for (text, expected) in rows {
            let hit = text.find(":version").unwrap();
            let skimmed = skim(text.as_bytes(), 0, hit);
            assert_eq!(skimmed.is_some(), *expected, "{text}");
            let Some(Skimmed { subject, predicate, end }) = skimmed else { continue };
            assert!(text[subject..].starts_with("d:Q1 a") && text[predicate..].starts_with("s:version"), "{text}");
            assert!(text[..end].ends_with(" ."), "{text}");
            assert!(!text[subject..end].contains("d:Q2"), "{text}");
        }
    }
}
