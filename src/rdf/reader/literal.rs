//! Literals: strings with their escapes, languages and datatypes; numbers; booleans.
//!
//! Promise: what is read here is what oxttl reads, language tags as written.
//! In -> out: `"…"@en`, `'''…'''`, `"…"^^xsd:date`, `12`, `-1.5`, `true` -> [`Literal`]s.
//! Invariant: a value stands in the text unless it holds escapes.
//! Not here: numbers with exponents and rare kinds of language tags, which are for oxttl. Rules: Turtle 1.1, BCP 47.

use crate::rdf::reader::{Reader, Stop, runs};
use crate::rdf::term::{Iri, Literal, Tag};
use crate::rdf::vocab;

impl<'a> Reader<'a> {
    /// Reads a string that begins with `quote`, and what says of what kind it is.
    #[inline]
    pub(super) fn literal(&mut self, quote: u8) -> Result<Literal<'a>, Stop> {
        let value = self.string(quote)?;
        let tag = match self.peek()? {
            b'@' => self.language()?,
            b'^' => self.datatype()?,
            // White space may stand before a tag; so written, it is for oxttl.
            _ => Tag::None,
        };
        Ok(Literal { value, tag })
    }

    #[inline]
    fn string(&mut self, quote: u8) -> Result<&'a str, Stop> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let end = runs::string(bytes, start, quote);
        if bytes.get(end) != Some(&quote) {
            return self.rest_of_string(start, end, quote, false);
        }
        if end == start {
            match bytes.get(end + 1) {
                None => return Err(Stop::End),
                Some(third) if *third == quote => return self.rest_of_string(start + 2, start + 2, quote, true),
                Some(_) => {}
            }
        }
        self.at = end + 1;
        Ok(&self.text[start..end])
    }

    /// The string that begins at `start` and is plain up to `end`.
    #[cold]
    fn rest_of_string(&mut self, start: usize, end: usize, quote: u8, long: bool) -> Result<&'a str, Stop> {
        let bytes = self.text.as_bytes();
        let (mut resolved, mut from) = (String::new(), start);
        self.at = end;
        loop {
            self.at = runs::string(bytes, self.at, quote);
            match self.peek()? {
                b'\\' => {
                    resolved.push_str(&self.text[from..self.at]);
                    resolved.push(self.escape()?);
                    from = self.at;
                }
                b'\n' | b'\r' if !long => return Err(Stop::Other),
                byte if byte == quote && (!long || bytes[self.at..].starts_with(&[quote; 3])) => break,
                _ => self.at += 1,
            }
        }
        let rest = &self.text[from..self.at];
        self.at += if long { 3 } else { 1 };
        if from == start {
            return Ok(rest);
        }
        resolved.push_str(rest);
        Ok(self.arena.text(&resolved))
    }

    /// The character that the escape which stands here means.
    fn escape(&mut self) -> Result<char, Stop> {
        let letter = *self.text.as_bytes().get(self.at + 1).ok_or(Stop::End)?;
        self.at += 2;
        match letter {
            b'u' => self.code_point(4),
            b'U' => self.code_point(8),
            b't' => Ok('\t'),
            b'b' => Ok('\u{8}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b'f' => Ok('\u{C}'),
            b'"' | b'\'' | b'\\' => Ok(char::from(letter)),
            _ => Err(Stop::Other),
        }
    }

    fn code_point(&mut self, digits: usize) -> Result<char, Stop> {
        let digits = self.text.as_bytes().get(self.at..self.at + digits).ok_or(Stop::End)?;
        let add = |number: u32, digit: &u8| Some(number << 4 | char::from(*digit).to_digit(16)?);
        self.at += digits.len();
        digits.iter().try_fold(0, add).and_then(char::from_u32).ok_or(Stop::Other)
    }

    /// `@tag`.
    #[inline]
    pub(super) fn language(&mut self) -> Result<Tag<'a>, Stop> {
        let start = self.at + 1;
        let end = runs::name(self.text.as_bytes(), start);
        self.at = end;
        // The run may hold `_` and `:`, of which no tag is made.
        self.peek()?;
        let tag = &self.text[start..end];
        if is_language(tag) { Ok(Tag::Language(tag)) } else { Err(Stop::Other) }
    }

    /// `^^datatype`.
    #[inline]
    pub(super) fn datatype(&mut self) -> Result<Tag<'a>, Stop> {
        self.expect("^^")?;
        let datatype = match self.skip_blank()? {
            b'<' => Iri::full(self.iri()?),
            _ => self.name()?,
        };
        // Few datatypes end as these two do, and no namespace but theirs is one of them whole.
        if datatype.local.is_empty() || datatype.local.ends_with('g') {
            return special_datatype(datatype);
        }
        Ok(Tag::Datatype(datatype))
    }

    /// A number without exponent.
    pub(super) fn number(&mut self) -> Result<Literal<'a>, Stop> {
        let bytes = self.text.as_bytes();
        let digits = |at: usize| bytes[at..].iter().position(|byte| !byte.is_ascii_digit()).map(|length| at + length);
        let start = self.at;
        let unsigned = start + usize::from(matches!(bytes[start], b'+' | b'-'));
        let mut end = digits(unsigned).ok_or(Stop::End)?;
        let mut datatype = vocab::XSD_INTEGER;
        match (bytes[end], bytes.get(end + 1)) {
            _ if end == unsigned => return Err(Stop::Other),
            (b'.', Some(b'0'..=b'9')) => {
                end = digits(end + 1).ok_or(Stop::End)?;
                datatype = vocab::XSD_DECIMAL;
            }
            (b'.', Some(b'e' | b'E')) => return Err(Stop::Other),
            (b'.', None) if !self.whole => return Err(Stop::End),
            _ => {}
        }
        if matches!(bytes[end], b'e' | b'E') {
            return Err(Stop::Other);
        }
        self.at = end;
        Ok(Literal { value: &self.text[start..end], tag: Tag::Datatype(Iri::full(datatype)) })
    }

    /// `true` or `false`, which stands here; unless a longer word does.
    pub(super) fn boolean(&mut self, value: &'static str) -> Result<Literal<'a>, Stop> {
        self.at += value.len();
        match self.peek()? {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b';' => {}
            b'.' => self.end_name_at_dot()?,
            _ => return Err(Stop::Other),
        }
        Ok(Literal { value, tag: Tag::Datatype(Iri::full(vocab::XSD_BOOLEAN)) })
    }
}

#[cold]
fn special_datatype(datatype: Iri<'_>) -> Result<Tag<'_>, Stop> {
    if datatype.is(vocab::RDF_LANG_STRING) {
        // Without a language this is an error.
        return Err(Stop::Other);
    }
    Ok(if datatype.is(vocab::XSD_STRING) { Tag::None } else { Tag::Datatype(datatype) })
}

/// Whether this surely is a valid language tag. Rule: BCP 47, section 2.1, without extensions and grandfathered tags, and with
/// longer private use.
#[inline]
fn is_language(tag: &str) -> bool {
    match tag.len() {
        2 | 3 => tag.bytes().all(|byte| byte.is_ascii_alphabetic()),
        _ => is_long_language(tag),
    }
}

fn is_long_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let first = subtags.next().unwrap_or_default();
    if !matches!(first.len(), 2..=8) || !is_alphabetic(first) {
        return false;
    }
    // What may come next, in this order: up to three extended languages, a script, a region, variants.
    let mut next = if first.len() < 4 { 0 } else { 3 };
    while let Some(subtag) = subtags.next() {
        let digit_first = subtag.bytes().next().is_some_and(|first| first.is_ascii_digit());
        let alphanumeric = subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        next = match subtag.len() {
            1 if matches!(subtag, "x" | "X") => return is_private_use(subtags),
            3 if next < 3 && is_alphabetic(subtag) => next + 1,
            4 if next < 4 && is_alphabetic(subtag) => 4,
            2 if next < 5 && is_alphabetic(subtag) => 5,
            3 if next < 5 && subtag.bytes().all(|byte| byte.is_ascii_digit()) => 5,
            4 if digit_first && alphanumeric => 5,
            5..=8 if alphanumeric => 5,
            _ => return false,
        };
    }
    true
}

/// What follows `x-`: one subtag or more. Not at most 8 characters each, as BCP 47 has it: Wikibase writes the item of a language
/// without a code there, as in `mis-x-Q107284134`.
fn is_private_use<'t>(subtags: impl Iterator<Item = &'t str>) -> bool {
    let is_subtag = |subtag: &str| !subtag.is_empty() && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (mut all, mut count) = (true, 0);
    subtags.for_each(|subtag| (all, count) = (all && is_subtag(subtag), count + 1));
    all && count > 0
}

fn is_alphabetic(subtag: &str) -> bool {
    subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}
