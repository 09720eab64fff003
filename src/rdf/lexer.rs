//! The tokens of Turtle: where each begins and ends.
//!
//! Promise: for valid Turtle, the same borders that oxttl sees; anything else is an error or ends as oxttl would end it.
//! In -> out: bytes and a position at which no token is open -> one [`Token`].
//! Invariant: a token other than a long string never holds a line feed, so a line begins outside every other token.
//! Not here: what a token means (see `reader`). Rule: Turtle 1.1, section 6.5.

use memchr::{memchr, memchr2, memchr3};

use crate::rdf::SyntaxError;

/// One token, by its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whether it is the dot that ends a statement.
    pub is_dot: bool,
    /// The byte after its last.
    pub end: usize,
}

/// Reads the token at or after `at`, passing over white space and comments.
///
/// `None`: the text ends before a token does, or before the next begins. With `whole`, the text's end is the document's.
pub fn token(text: &[u8], at: usize, whole: bool) -> Result<Option<Token>, SyntaxError> {
    let Some(start) = skip_blank(text, at) else { return Ok(None) };
    let next = text.get(start + 1);
    let is_dot = text[start] == b'.' && !next.is_some_and(u8::is_ascii_digit);
    let end = match text[start] {
        _ if is_dot => Some(start + 1),
        b'<' => iri(text, start)?,
        b'"' | b'\'' => string(text, start)?,
        b'@' => Some(run(text, start + 1, |byte| byte.is_ascii_alphanumeric() || byte == b'-')),
        b'0'..=b'9' | b'+' | b'-' | b'.' => Some(number(text, start)),
        b'_' if next == Some(&b':') => Some(blank_label(text, start + 2)),
        b'^' if next == Some(&b'^') => Some(start + 2),
        byte if begins_name(byte) => Some(name(text, start)),
        _ => Some(start + 1),
    };
    // A token that touches the end of the text may go on in what follows, even a dot: `.5` is a number. So may a name with
    // nothing but dots after it: `a:b..c` is one.
    let dots = |end: usize| if is_dot { 0 } else { text[end..].iter().take_while(|byte| **byte == b'.').count() };
    let goes_on = |end: usize| end + dots(end) == text.len();
    Ok(end.filter(|end| whole || !goes_on(*end)).map(|end| Token { is_dot, end }))
}

/// The first byte at or after `at` that is neither white space nor part of a comment.
pub fn skip_blank(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at += memchr2(b'\r', b'\n', &text[at..])?,
            _ => return Some(at),
        }
    }
}

/// The end of the statement that begins at `at`: the byte after its dot. `None`: the text ends first.
///
/// A SPARQL-style directive has no dot of its own and counts as part of the statement that follows.
pub fn statement_end(text: &[u8], mut at: usize, whole: bool) -> Result<Option<usize>, SyntaxError> {
    while let Some(token) = token(text, at, whole)? {
        at = token.end;
        if token.is_dot {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The byte where, after a broken statement, another seems to begin: behind a line that ends one, or behind an empty line, as stands
/// before each entity of a dump.
pub fn next_statement(text: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(text, b".\n").map(|dot| dot + 2);
    let empty =
        memchr::memmem::find(&text[..end.unwrap_or(text.len())], EMPTY_LINE).map(|feed| feed + EMPTY_LINE.len());
    empty.or(end)
}

/// The byte behind the last empty line of a statement, if it has any before the place where it is broken: what follows is another,
/// which was taken for the rest of one that has no end.
pub fn block_before(broken: &[u8]) -> Option<usize> {
    memchr::memmem::rfind(broken, EMPTY_LINE).map(|feed| feed + EMPTY_LINE.len())
}

const EMPTY_LINE: &[u8] = b"\n\n";

/// The same text with every byte of its comments blank.
pub fn without_comments(text: &[u8]) -> Result<Vec<u8>, SyntaxError> {
    let mut bare = vec![b' '; text.len()];
    let mut at = 0;
    while let Some(start) = skip_blank(text, at) {
        // A token that never ends is copied too.
        at = token(text, start, true)?.map_or(text.len(), |token| token.end);
        bare[start..at].copy_from_slice(&text[start..at]);
    }
    Ok(bare)
}

fn iri(text: &[u8], start: usize) -> Result<Option<usize>, SyntaxError> {
    let mut at = start + 1;
    while let Some(found) = memchr2(b'>', b'\\', &text[at..]) {
        let end = at + found;
        if let Some(line) = memchr(b'\n', &text[at..end]) {
            return Err(SyntaxError::new(at + line, "an IRI ends on the line on which it begins"));
        }
        if text[end] == b'>' {
            return Ok(Some(end + 1));
        }
        at = end + 2;
        if at > text.len() {
            return Ok(None);
        }
    }
    match memchr(b'\n', &text[at..]) {
        Some(line) => Err(SyntaxError::new(at + line, "an IRI ends on the line on which it begins")),
        None => Ok(None),
    }
}

fn string(text: &[u8], start: usize) -> Result<Option<usize>, SyntaxError> {
    let quote = text[start];
    match (text.get(start + 1), text.get(start + 2)) {
        (Some(second), Some(third)) if *second == quote && *third == quote => Ok(long_string(text, start + 3, quote)),
        (Some(second), None) if *second == quote => Ok(Some(start + 2)),
        _ => short_string(text, start + 1, quote),
    }
}

fn short_string(text: &[u8], mut at: usize, quote: u8) -> Result<Option<usize>, SyntaxError> {
    while at <= text.len() {
        let Some(found) = memchr3(quote, b'\\', b'\n', &text[at..]) else { return Ok(None) };
        at += found;
        match text[at] {
            b'\\' => at += 2,
            b'\n' => return Err(SyntaxError::new(at, "a string in single quotation marks ends on its own line")),
            _ => return Ok(Some(at + 1)),
        }
    }
    Ok(None)
}

fn long_string(text: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    while at <= text.len() {
        at += memchr2(quote, b'\\', &text[at..])?;
        if text[at] == b'\\' {
            at += 2;
        } else if text.get(at + 1) == Some(&quote) && text.get(at + 2) == Some(&quote) {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
    None
}

fn number(text: &[u8], start: usize) -> usize {
    let digits = |at: usize| run(text, at, |byte| byte.is_ascii_digit());
    let mut at = digits(start + usize::from(matches!(text[start], b'+' | b'-')));
    if text.get(at) == Some(&b'.') {
        let after = digits(at + 1);
        let exponent = matches!(text.get(after), Some(b'e' | b'E'));
        if after == at + 1 && !exponent {
            return at.max(start + 1);
        }
        at = after;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at = digits(at + usize::from(matches!(text.get(at), Some(b'+' | b'-'))));
    }
    at.max(start + 1)
}

fn blank_label(text: &[u8], start: usize) -> usize {
    without_dots(text, start, run(text, start, |byte| in_name(byte) || byte == b'.'))
}

fn name(text: &[u8], start: usize) -> usize {
    let colon = run(text, start, |byte| in_name(byte) || byte == b'.');
    if text.get(colon) == Some(&b':') { local_name(text, colon + 1) } else { without_dots(text, start + 1, colon) }
}

/// The end of the local part that begins at `start`.
fn local_name(text: &[u8], start: usize) -> usize {
    // `end` is the last place where the name may end: dots at its end belong to what follows, unless escaped.
    let (mut at, mut end) = (start, start);
    if matches!(text.get(start), Some(b'-' | b'.')) {
        return start;
    }
    loop {
        let after = run(text, at, |byte| in_name(byte) || byte == b':');
        if after > at {
            end = after;
        }
        at = after;
        match text.get(at) {
            Some(b'.') => at += 1,
            Some(b'%') => (at, end) = (at + 1, at + 1),
            Some(b'\\') => (at, end) = (at + 2, at + 2),
            _ => return end.min(text.len()),
        }
        if at >= text.len() {
            return end.min(text.len());
        }
    }
}

fn without_dots(text: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && text[end - 1] == b'.' {
        end -= 1;
    }
    end
}

fn run(text: &[u8], start: usize, part: impl Fn(u8) -> bool) -> usize {
    text[start..].iter().position(|byte| !part(*byte)).map_or(text.len(), |length| start + length)
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b':' || byte >= 0x80
}

fn in_name(byte: u8) -> bool {
    IN_NAME[byte as usize]
}

/// Bytes that go on in a name: letters, digits, `_`, `-` and all of other scripts.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let ascii = byte as u8;
        table[byte] = ascii.is_ascii_alphanumeric() || ascii == b'_' || ascii == b'-' || byte >= 0x80;
        byte += 1;
    }
    table
};
