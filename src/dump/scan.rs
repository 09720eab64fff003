//! Text of a dump -> facts, without parsing what states none.
//!
//! Promise: for every document that oxttl accepts, the facts of its triples, in order, however the text is cut.
//! In -> out: [`Scanner::push`] takes the next bytes; facts go to a sink. No I/O.
//! Invariant: the scanner stands at the end of a statement whenever it is not carrying bytes over.
//! Not here: what a fact is (`dump::facts`), where to look (`dump::anchors`), what a statement means (`rdf::reader`).

use std::str::Utf8Error;

use memchr::{memchr_iter, memmem, memrchr};

use crate::dump::anchors::{self, Anchor};
use crate::dump::facts::{self, Broken, Fact};
use crate::dump::skim::{Skimmed, skim};
use crate::rdf::SyntaxError;
use crate::rdf::lexer;
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::wikibase::uris::UrisScheme;

/// A fact, and where the statement that states it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The fact.
    pub fact: Fact,
    /// The place.
    pub place: Place,
}

/// A place in the decompressed text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Bytes from the start.
    pub offset: u64,
    /// Line feeds from the start; people count lines from 1.
    pub line: u64,
}

impl Place {
    /// The place that is `other` after this one.
    pub fn plus(self, other: Self) -> Self {
        Self { offset: self.offset + other.offset, line: self.line + other.line }
    }

    /// The place behind `text`, which begins here.
    pub fn after(self, text: &[u8]) -> Self {
        self.plus(Self { offset: text.len() as u64, line: memchr_iter(b'\n', text).count() as u64 })
    }
}

/// The longest statement that is waited for. The largest item of Wikidata has about 5 MB; a longer one is a string or an
/// IRI that was never closed.
pub const LONGEST_STATEMENT: usize = 64 << 20;

/// Triples that a statement with an anchor has, about.
const USUAL_TRIPLES: usize = 16;

/// How a dump is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// The wiki whose entities are looked for.
    pub scheme: &'a UrisScheme,
    /// Whether every statement is read, not only those with an anchor, so that no broken one goes unseen.
    pub strict: bool,
}

/// Reads one document, or a part of one, piece by piece.
pub struct Scanner<'a> {
    manner: Manner<'a>,
    prefixes: Prefixes,
    /// The beginning of a statement whose end has not come yet.
    carry: Vec<u8>,
    /// How long the carry was when it was last found to be incomplete.
    tried: usize,
    /// Where the scanner stands.
    place: Place,
    /// After a syntax error: nothing is read until a line ends a statement.
    recovering: bool,
    /// Whether under the prefixes a target can be written so that no anchor shows it.
    splits_target: bool,
    prefixes_changed: Place,
}

/// How a text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Only the statements that hold an anchor; lines are known to end outside all tokens.
    Anchored,
    /// Token by token to find where statements end; those with an anchor are read.
    Lexed,
    /// Every statement.
    Parsed,
}

impl<'a> Scanner<'a> {
    /// A scanner that stands at the start of a statement, under `prefixes`, `place` bytes and lines into a document.
    pub fn new(manner: Manner<'a>, prefixes: Prefixes, place: Place) -> Self {
        let splits_target = anchors::splits_target(&prefixes);
        let carry = Vec::new();
        Self { manner, prefixes, carry, tried: 0, place, recovering: false, splits_target, prefixes_changed: place }
    }

    /// The prefixes that hold where the scanner stands.
    pub fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }

    /// Where the last directive stands that changed a prefix; the start, if none did.
    pub fn prefixes_changed(&self) -> Place {
        self.prefixes_changed
    }

    /// Where the scanner stands: everything before is read.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the scanner stands between statements, with nothing carried over.
    pub fn is_between_statements(&self) -> bool {
        self.carry.is_empty() && !self.recovering
    }

    /// The bytes read so far that belong to a statement not yet complete.
    pub fn carry(&self) -> &[u8] {
        &self.carry
    }

    /// Goes on from where another scanner ended that began where this one stands.
    pub fn resume(&mut self, prefixes: Prefixes, carry: Vec<u8>, recovering: bool, place: Place) {
        *self = Self { carry, recovering, ..Self::new(self.manner, prefixes, place) };
    }

    /// Whether the scanner is looking for a place to begin again after an error.
    pub fn is_recovering(&self) -> bool {
        self.recovering
    }

    /// Takes the next bytes of the document.
    pub fn push(&mut self, text: &[u8], sink: &mut dyn FnMut(Found)) {
        // Only whole lines are read: a cut within a line may fall into a token, or into a character.
        let (mut lines, tail) = text.split_at(memrchr(b'\n', text).map_or(0, |feed| feed + 1));
        if !self.carry.is_empty() {
            // A carry that could not be completed is tried again when it has doubled, so that however long a statement is,
            // it is read over no more often than a few times.
            if self.carry.len() + lines.len() < 2 * self.tried {
                self.carry.extend_from_slice(text);
                return self.refuse_endless(sink);
            }
            lines = self.complete_carry(lines, sink);
        }
        if self.carry.is_empty() {
            let read = self.scan(lines, false, sink);
            self.carry.extend_from_slice(&lines[read..]);
        }
        self.carry.extend_from_slice(tail);
        self.refuse_endless(sink);
    }

    /// Joins the carry with no more of `lines` than it takes to complete its statement; returns the lines not yet read.
    /// If all of them do not complete it, they become part of the carry.
    fn complete_carry<'t>(&mut self, lines: &'t [u8], sink: &mut dyn FnMut(Found)) -> &'t [u8] {
        let mut more = 0;
        while more < lines.len() {
            let next = statement_break(&lines[more..]).map_or(lines.len(), |next| more + next);
            // After the first try at least as much again as was tried.
            let enough = if more == 0 { 0 } else { self.carry.len() + 2 * more };
            more = next.max(enough).min(lines.len());
            more += memchr::memchr(b'\n', &lines[more - 1..]).unwrap_or(0);
            let mut joined = std::mem::take(&mut self.carry);
            let carried = joined.len();
            joined.extend_from_slice(&lines[..more]);
            let read = self.scan(&joined, false, sink);
            if read >= carried {
                self.tried = 0;
                return &lines[read - carried..];
            }
            joined.truncate(carried);
            self.carry = joined.split_off(read);
        }
        self.carry.extend_from_slice(lines);
        self.tried = self.carry.len();
        &[]
    }

    /// Ends the document.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Found)) {
        let carry = std::mem::take(&mut self.carry);
        self.scan(&carry, true, sink);
    }

    fn refuse_endless(&mut self, sink: &mut dyn FnMut(Found)) {
        if self.carry.len() <= LONGEST_STATEMENT {
            return;
        }
        let mut carry = std::mem::take(&mut self.carry);
        let lines = memrchr(b'\n', &carry).map_or(0, |feed| feed + 1);
        let read = self.scan(&carry[..lines], false, sink);
        if read == 0 {
            let rule = format!("a statement has at most {LONGEST_STATEMENT} bytes; perhaps a string is never closed");
            let mut text = Text::new(&carry, false, self.place, sink);
            self.recovering = text.report(&SyntaxError::new(0, rule));
            self.place = text.place_of(carry.len());
            carry.clear();
        }
        self.carry = carry.split_off(read);
        self.tried = self.carry.len();
    }

    /// Reads the complete statements of `bytes`, which begin where the scanner stands. Returns how far; all of it if it is
    /// the `whole` rest of the document.
    fn scan(&mut self, bytes: &[u8], whole: bool, sink: &mut dyn FnMut(Found)) -> usize {
        let mut text = Text::new(bytes, whole, self.place, sink);
        let mut way = self.way(&text);
        loop {
            if self.recovering {
                self.recovering = !text.pass_broken_statement();
            }
            match self.read(&mut text, way) {
                Ok(true) => way = self.way(&text),
                Ok(false) => break,
                Err(error) => {
                    self.recovering = text.report(&error);
                    // Where a rule is broken, lines may end anywhere.
                    way = if way == Way::Anchored { Way::Lexed } else { way };
                }
            }
        }
        text.end();
        self.place = text.place_of(text.at);
        text.at
    }

    fn way(&self, text: &Text<'_, '_>) -> Way {
        if self.splits_target || self.manner.strict || text.utf8.is_none() {
            Way::Parsed
        } else if anchors::is_regular(&text.bytes[text.at..]) {
            Way::Anchored
        } else {
            Way::Lexed
        }
    }

    /// Reads on; `Ok(true)` if the way must be chosen anew, `Ok(false)` if the text is read as far as it goes.
    fn read(&mut self, text: &mut Text<'_, '_>, way: Way) -> Result<bool, SyntaxError> {
        match way {
            Way::Anchored => self.anchored(text),
            Way::Lexed => self.lexed(text),
            Way::Parsed => {
                while self.statement(text)? {}
                Ok(false)
            }
        }
    }

    fn anchored(&mut self, text: &mut Text<'_, '_>) -> Result<bool, SyntaxError> {
        while let Some(anchor) = anchors::find(text.bytes, text.at) {
            let Anchor::Read(hit) = anchor else { return self.lexed(text) };
            text.at = statement_start(text.bytes, text.at, hit);
            if self.skim(text, hit) {
                continue;
            }
            while text.at <= hit {
                if !self.statement(text)? {
                    return Ok(false);
                }
                if self.splits_target {
                    return Ok(true);
                }
            }
        }
        text.at = statement_start(text.bytes, text.at, text.bytes.len());
        if text.whole { self.lexed(text) } else { Ok(false) }
    }

    /// Reads of the next statement the one triple that the anchor is about, if that is surely all there is to it.
    fn skim(&self, text: &mut Text<'_, '_>, hit: usize) -> bool {
        let Some(Skimmed { subject, predicate, end }) = skim(text.bytes, text.at, hit) else { return false };
        let Some(utf8) = text.utf8 else { return false };
        let arena = Arena::default();
        let triple = Reader::new(&arena, &self.prefixes, utf8, subject, text.whole).triple(predicate);
        let Some(triple) = triple else { return false };
        if let Some(fact) = facts::fact(&triple, self.manner.scheme) {
            let place = text.place_of(subject);
            (text.sink)(Found { fact, place });
        }
        text.at = end;
        true
    }

    fn lexed(&mut self, text: &mut Text<'_, '_>) -> Result<bool, SyntaxError> {
        loop {
            if let Some(end) = lexer::statement_end(text.bytes, text.at, text.whole)?
                && anchors::find(&text.bytes[text.at..end], 0).is_none()
            {
                text.at = end;
            } else if !self.statement(text)? {
                return Ok(false);
            } else if self.splits_target {
                return Ok(true);
            }
        }
    }

    /// Reads the next statement; `Ok(false)` if the text ends before it does.
    fn statement(&mut self, text: &mut Text<'_, '_>) -> Result<bool, SyntaxError> {
        text.at = lexer::skip_blank(text.bytes, text.at).unwrap_or(text.at);
        let Some(utf8) = text.utf8 else { return self.binary_statement(text) };
        let end = self.take(utf8, text.at, text.whole, text)?;
        text.at = end.unwrap_or(text.at);
        Ok(end.is_some())
    }

    /// The same in a text that is no UTF-8, as a statement may be nevertheless, and any comment.
    fn binary_statement(&mut self, text: &mut Text<'_, '_>) -> Result<bool, SyntaxError> {
        let start = text.at;
        let end = lexer::statement_end(text.bytes, start, text.whole)?;
        let Some(end) = end.or(text.whole.then_some(text.bytes.len())) else { return Ok(false) };
        let place = |error: SyntaxError| SyntaxError::new(start + error.offset, error.message);
        let bare = lexer::without_comments(&text.bytes[start..end]).map_err(place)?;
        let invalid = |error: Utf8Error| SyntaxError::new(start + error.valid_up_to(), "text is UTF-8");
        let bare = std::str::from_utf8(&bare).map_err(invalid)?;
        let mut read = 0;
        while let Some(end) = self.take(bare, read, true, text).map_err(place)? {
            read = end;
        }
        text.at = end;
        Ok(start < end)
    }

    /// Reads the statement at `at` of `utf8` and gives its facts to the sink. Returns how far it goes; `None`: further
    /// than the text.
    fn take(
        &mut self,
        utf8: &str,
        at: usize,
        whole: bool,
        text: &mut Text<'_, '_>,
    ) -> Result<Option<usize>, SyntaxError> {
        let arena = Arena::default();
        let mut triples = Vec::with_capacity(USUAL_TRIPLES);
        let mut reader = Reader::new(&arena, &self.prefixes, utf8, at, whole);
        if !reader.statement(&mut triples)? {
            return Ok(None);
        }
        for fact in triples.iter().filter_map(|triple| facts::fact(triple, self.manner.scheme)) {
            let place = text.place_of(text.at);
            (text.sink)(Found { fact, place });
        }
        let (end, prefixes) = (reader.at(), reader.prefixes());
        if !std::ptr::eq(prefixes, &raw const self.prefixes) {
            self.prefixes = prefixes.clone();
            self.prefixes_changed = text.place_of(text.at);
            self.splits_target = anchors::splits_target(&self.prefixes);
        }
        Ok(Some(end))
    }
}

/// A text while it is read. It begins and ends with whole lines, or where the document does.
struct Text<'t, 's> {
    bytes: &'t [u8],
    /// The same, if it is UTF-8.
    utf8: Option<&'t str>,
    /// Whether its end is the document's.
    whole: bool,
    /// The byte before which everything is read.
    at: usize,
    /// The byte up to which line feeds are counted, and its place.
    counted: usize,
    place: Place,
    sink: &'s mut dyn FnMut(Found),
}

impl<'t, 's> Text<'t, 's> {
    fn new(bytes: &'t [u8], whole: bool, place: Place, sink: &'s mut dyn FnMut(Found)) -> Self {
        Self { bytes, utf8: simdutf8::basic::from_utf8(bytes).ok(), whole, at: 0, counted: 0, place, sink }
    }

    /// The place of a byte not before one whose place was asked for. Each line feed is counted once.
    fn place_of(&mut self, byte: usize) -> Place {
        self.place = self.place.after(&self.bytes[self.counted..byte]);
        self.counted = byte;
        self.place
    }

    /// Gives a broken rule of the statement that begins here to the sink. Returns whether it makes sense to look for
    /// another statement after it.
    fn report(&mut self, error: &SyntaxError) -> bool {
        // What looks like statements may stand in a string that is never closed.
        let unfinished = self.whole && lexer::statement_end(self.bytes, self.at, true) == Ok(None);
        let start = lexer::skip_blank(self.bytes, self.at).unwrap_or(self.at);
        let subject = subject_of(&self.bytes[start..]);
        let broken = Box::new(Broken { subject, rule: format!("this is no Turtle: {}", error.message) });
        let fact = if unfinished { Fact::Unfinished(broken) } else { Fact::Bad(broken) };
        let offset = error.offset.clamp(self.at, self.bytes.len());
        let next = lexer::block_before(&self.bytes[start.min(offset)..offset]).map(|next| start + next);
        let place = self.place_of(next.unwrap_or(offset));
        (self.sink)(Found { fact, place });
        match next {
            // What follows an empty line was taken for the rest of what had no end.
            Some(next) => {
                self.at = next;
                false
            }
            None => {
                self.at = if unfinished { self.bytes.len() } else { offset };
                !unfinished
            }
        }
    }

    /// Goes on to where a statement seems to begin after a broken one, or to the end; `false` if none does.
    fn pass_broken_statement(&mut self) -> bool {
        let next = lexer::next_statement(&self.bytes[self.at..]);
        self.at = next.map_or(self.bytes.len(), |next| self.at + next);
        next.is_some()
    }

    /// There is no complete statement any more.
    fn end(&mut self) {
        let blank = lexer::skip_blank(self.bytes, self.at).is_none();
        // A comment that touches the end of the text may go on in what follows.
        if self.whole || (blank && self.bytes.ends_with(b"\n")) {
            self.at = self.bytes.len();
        }
    }
}

/// The first token of a statement, to name it by.
fn subject_of(text: &[u8]) -> String {
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    // Text that is none may hold what a terminal would obey.
    String::from_utf8_lossy(word).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(60).collect()
}

/// The byte after the first line that seems to end a statement. Only a guess where it is not known that lines end outside
/// all tokens.
pub fn statement_break(text: &[u8]) -> Option<usize> {
    memmem::find(text, b".\n").map(|dot| dot + 2)
}

/// The latest position, not before `from` nor after `until`, at which a statement surely begins. Lines must be known to
/// end outside all tokens, and a statement to begin at `from`.
fn statement_start(text: &[u8], from: usize, until: usize) -> usize {
    let mut end = match memrchr(b'\n', &text[from..until]) {
        Some(feed) => from + feed,
        None => return from,
    };
    loop {
        let start = memrchr(b'\n', &text[from..end]).map_or(from, |feed| from + feed + 1);
        if ends_statement(&text[start..=end]) {
            return end + 1;
        }
        if start == from {
            return from;
        }
        end = start - 1;
    }
}

/// Whether the last token of a line is the dot that ends a statement. May say no where it is.
fn ends_statement(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    if !line.ends_with(b".") || line.ends_with(b"\\.") {
        return false;
    }
    if memchr::memchr(b'#', line).is_none() {
        return true;
    }
    let (mut at, mut last) = (0, None);
    while let Ok(Some(token)) = lexer::token(line, at, true) {
        (at, last) = (token.end, Some(token));
    }
    last.is_some_and(|token| token.is_dot && token.end == line.len())
}

#[cfg(test)]
mod tests;
