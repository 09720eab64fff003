//! IRIs with characters that Turtle forbids and old dumps have.
//!
//! Promise: within `<…>`, and nowhere else, line feeds go and ``| \ { } ` ^`` become `%7C` and so on.
//! In -> out: text that could not be read -> text that may be, and where its bytes stood before.
//! Invariant: an IRI without such characters stays as it is, escapes included. Rule: upstream's `NormalizingRdfHandler`, which
//! does this to terms, as its reader of Turtle lets them pass.

use memchr::{memchr, memchr2};

/// The longest IRI that is repaired; beyond, `<` is not the beginning of one.
const LONGEST_IRI: usize = 16 << 10;

/// A repaired text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    /// The text.
    pub text: String,
    /// Places in the text, and how many bytes more it has up to there than before.
    longer: Vec<(usize, isize)>,
}

impl Repaired {
    /// Where the byte `at` of the text stood before.
    pub fn before(&self, at: usize) -> usize {
        let after = self.longer.partition_point(|(place, _)| *place <= at);
        at.saturating_add_signed(-self.longer[..after].last().map_or(0, |(_, longer)| *longer))
    }
}

/// Repairs the IRIs of a text that begins between two statements; `None` if none needs it.
pub(super) fn repaired(text: &str) -> Option<Repaired> {
    let mut repaired = Repaired { text: String::with_capacity(text.len() + 64), longer: Vec::new() };
    let (mut at, mut copied, mut longer) = (0, 0, 0);
    while let Some(start) = next_iri(text.as_bytes(), at) {
        let Some(end) = iri_end(text.as_bytes(), start) else {
            at = start + 1;
            continue;
        };
        let mut place = start;
        while place < end {
            let Some((new, old)) = replacement(&text.as_bytes()[place..end]) else {
                place += 1;
                continue;
            };
            repaired.text.push_str(&text[copied..place]);
            repaired.text.push_str(new);
            place += old;
            copied = place;
            longer += new.len() as isize - old as isize;
            repaired.longer.push((repaired.text.len(), longer));
        }
        at = end;
    }
    repaired.text.push_str(&text[copied..]);
    (copied > 0).then_some(repaired)
}

/// What stands for the first bytes of `rest`, a part of an IRI, and how many they are.
fn replacement(rest: &[u8]) -> Option<(&'static str, usize)> {
    let escaped = rest.strip_prefix(b"\\u00").and_then(|code| code.first_chunk::<2>());
    let code = escaped.and_then(|code: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
    match (*rest.first()?, code) {
        (b'\\', Some(code)) => Some((encoded(code)?, ESCAPE)),
        (b'\\', None) if rest.starts_with(b"\\u") || rest.starts_with(b"\\U") => None,
        (byte, _) => Some((encoded(byte)?, 1)),
    }
}

/// Bytes of an escape such as `\u007C`.
const ESCAPE: usize = 6;

fn encoded(byte: u8) -> Option<&'static str> {
    match byte {
        b'\n' => Some(""),
        b'|' => Some("%7C"),
        b'\\' => Some("%5C"),
        b'{' => Some("%7B"),
        b'}' => Some("%7D"),
        b'`' => Some("%60"),
        b'^' => Some("%5E"),
        _ => None,
    }
}

/// The byte after the next `<` that is in no string and no comment.
fn next_iri(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'<' => return Some(at + 1),
            b'#' => at += memchr(b'\n', &text[at..])?,
            quote @ (b'"' | b'\'') => at = string_end(text, at, quote)?,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the IRI ends that begins at `start`: at its `>`.
fn iri_end(text: &[u8], start: usize) -> Option<usize> {
    let longest = &text[start..text.len().min(start + LONGEST_IRI)];
    let end = memchr(b'>', longest)?;
    memchr2(b'<', b'"', &longest[..end]).is_none().then_some(start + end)
}

/// The byte after the string that begins at `at`.
fn string_end(text: &[u8], at: usize, quote: u8) -> Option<usize> {
    let long = [quote; 3];
    let marks: &[u8] = if text[at..].starts_with(&long) { &long } else { &long[..1] };
    let mut at = at + marks.len();
    loop {
        at += memchr2(quote, b'\\', text.get(at..)?)?;
        if text[at] == b'\\' {
            at += 2;
        } else if text[at..].starts_with(marks) {
            return Some(at + marks.len());
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_iris_are_repaired() {
        let rows = [
            ("<http://a/b|c> <p> \"<d|e>\" .", Some("<http://a/b%7Cc> <p> \"<d|e>\" .")),
            ("<a\\b{c}d`e^f\ng> .", Some("<a%5Cb%7Bc%7Dd%60e%5Efg> .")),
            (
                "<a> <b> '''<c|d>''' , \"\\\"<e|f>\" . # <g|h>\n<i|j> .",
                Some("<a> <b> '''<c|d>''' , \"\\\"<e|f>\" . # <g|h>\n<i%7Cj> ."),
            ),
            ("<a\\u007Cb\\u005c> .", Some("<a%7Cb%5C> .")),
            ("<http://a/\\u00e9> .", None),
            ("a < b | c .", None),
        ];
        for (text, expected) in rows {
            assert_eq!(repaired(text).map(|repaired| repaired.text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn places_are_known_before_and_after() {
        let text = "<a|b> <c\nd> <e^f> .";
        let repaired = repaired(text).unwrap();
        for mark in ["a", "b", "c", "d", "e", "f", " ."] {
            let (before, after) = (text.find(mark).unwrap(), repaired.text.rfind(mark).unwrap());
            assert_eq!(repaired.before(after), before, "{mark}");
        }
    }
}
