//! Text of a dump -> facts, without parsing what states none.
//!
//! Promise: for every document that oxttl accepts, the facts of its triples, in order, however the text is cut.
//! In -> out: [`Scanner::push`] takes the next bytes; facts go to a sink. No I/O.
//! Invariant: the scanner stands at the end of a statement whenever it is not carrying bytes over.
//! Not here: what a fact is (`dump::facts`), where to look (`dump::anchors`), what a statement means (`rdf::statement`).

use memchr::{memchr_iter, memmem, memrchr};

use crate::dump::anchors::{self, Anchor, Look};
use crate::dump::facts::{self, Broken, Fact};
use crate::rdf::SyntaxError;
use crate::rdf::lexer::{self, Kind};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::statement::{self, Iri, Listener, Node, Read, Triple};
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
    /// Where the scanner stands: the place of byte `read` of the text being read; of the carry, between texts.
    place: Place,
    read: usize,
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
    /// Every statement, by oxttl.
    Parsed,
}

impl<'a> Scanner<'a> {
    /// A scanner that stands at the start of a statement, under `prefixes`, `place` bytes and lines into a document.
    pub fn new(manner: Manner<'a>, prefixes: Prefixes, place: Place) -> Self {
        let splits_target = anchors::splits_target(&prefixes);
        Self {
            manner,
            prefixes,
            carry: Vec::new(),
            tried: 0,
            place,
            read: 0,
            recovering: false,
            splits_target,
            prefixes_changed: place,
        }
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
            let (broken, place) = self.broken(&carry, 0, &SyntaxError::new(0, rule));
            sink(Found { fact: Fact::Bad(broken), place });
            self.place = self.place.after(&carry);
            self.recovering = true;
            carry.clear();
        }
        self.carry = carry.split_off(read);
        self.tried = self.carry.len();
    }

    /// Reads the complete statements of `text`, which begins where the scanner stands. Returns how far; all of it if it
    /// is the `whole` rest of the document.
    fn scan(&mut self, text: &[u8], whole: bool, sink: &mut dyn FnMut(Found)) -> usize {
        let mut at = 0;
        let mut way = self.way(text);
        let read = loop {
            if self.recovering {
                match statement_break(&text[at..]) {
                    Some(next) => (self.recovering, at) = (false, at + next),
                    None => break text.len(),
                }
            }
            match self.scan_one_way(text, &mut at, whole, way, sink) {
                Ok(true) => way = self.way(&text[at..]),
                Ok(false) => break at,
                Err(error) => {
                    let (broken, place) = self.broken(text, at, &error);
                    sink(Found { fact: Fact::Bad(broken), place });
                    self.recovering = true;
                    at = error.offset.clamp(at, text.len());
                    // Where a rule is broken, lines may end anywhere.
                    way = if way == Way::Anchored { Way::Lexed } else { way };
                }
            }
        };
        self.advance(text, read);
        self.read = 0;
        read
    }

    /// Moves the place on to `to`. Line feeds are counted once, whatever is asked for on the way.
    fn advance(&mut self, text: &[u8], to: usize) {
        self.place = self.place.after(&text[self.read..to]);
        self.read = to;
    }

    fn way(&self, text: &[u8]) -> Way {
        if self.splits_target || self.manner.strict {
            return Way::Parsed;
        }
        match anchors::look(text) {
            Look::Binary => Way::Parsed,
            Look::Regular => Way::Anchored,
            Look::Irregular => Way::Lexed,
        }
    }

    /// Reads on from `at`; `Ok(true)` if the way must be chosen anew, `Ok(false)` if the text is read as far as it goes.
    fn scan_one_way(
        &mut self,
        text: &[u8],
        at: &mut usize,
        whole: bool,
        way: Way,
        sink: &mut dyn FnMut(Found),
    ) -> Result<bool, SyntaxError> {
        match way {
            Way::Anchored => self.anchored(text, at, whole, sink),
            Way::Lexed => self.statements(text, at, whole, true, sink),
            Way::Parsed => self.statements(text, at, whole, false, sink),
        }
    }

    fn anchored(
        &mut self,
        text: &[u8],
        at: &mut usize,
        whole: bool,
        sink: &mut dyn FnMut(Found),
    ) -> Result<bool, SyntaxError> {
        while let Some(anchor) = anchors::find(text, *at) {
            let Anchor::Read(hit) = anchor else { return self.statements(text, at, whole, true, sink) };
            *at = statement_start(text, *at, hit);
            while *at <= hit {
                if !self.statement(text, at, whole, sink)? {
                    return self.end(text, at, whole, sink);
                }
                if self.splits_target {
                    return Ok(true);
                }
            }
        }
        *at = statement_start(text, *at, text.len());
        if whole { self.statements(text, at, whole, true, sink) } else { self.end(text, at, whole, sink) }
    }

    fn statements(
        &mut self,
        text: &[u8],
        at: &mut usize,
        whole: bool,
        lexed: bool,
        sink: &mut dyn FnMut(Found),
    ) -> Result<bool, SyntaxError> {
        loop {
            if lexed {
                let Some(end) = lexer::statement_end(text, *at, whole)? else {
                    return self.end(text, at, whole, sink);
                };
                if anchors::find(&text[*at..end], 0).is_none() {
                    *at = end;
                    continue;
                }
            }
            if !self.statement(text, at, whole, sink)? {
                return self.end(text, at, whole, sink);
            }
            if lexed && self.splits_target {
                return Ok(true);
            }
        }
    }

    /// The text has no complete statement from `at` on. At the end of a document nothing but directives may be left.
    fn end(
        &mut self,
        text: &[u8],
        at: &mut usize,
        whole: bool,
        sink: &mut dyn FnMut(Found),
    ) -> Result<bool, SyntaxError> {
        let blank = lexer::skip_blank(text, *at).is_none();
        if whole
            && !blank
            && let Err(error) = statement::rest(text, *at, &mut self.prefixes)
        {
            // No recovery: what looks like statements from here on may stand in a string that was never closed.
            let (broken, place) = self.broken(text, *at, &error);
            sink(Found { fact: Fact::Unfinished(broken), place });
        }
        // A comment that touches the end of the text may go on in what follows.
        if whole || (blank && text.ends_with(b"\n")) {
            *at = text.len();
        }
        Ok(false)
    }

    fn statement(
        &mut self,
        text: &[u8],
        at: &mut usize,
        whole: bool,
        sink: &mut dyn FnMut(Found),
    ) -> Result<bool, SyntaxError> {
        let start = lexer::skip_blank(text, *at).unwrap_or(*at);
        let place = self.place.after(&text[self.read..start]);
        let mut listener = Facts { scheme: self.manner.scheme, place, sink };
        let read = if self.splits_target { statement::any_statement } else { statement::statement };
        let read = read(text, start, whole, &mut self.prefixes, &mut listener)?;
        let Some(Read { end, directive }) = read else { return Ok(false) };
        (self.place, self.read, *at) = (place, start, end);
        if directive {
            self.prefixes_changed = place;
            self.splits_target = anchors::splits_target(&self.prefixes);
        }
        Ok(true)
    }

    /// The broken rule in the statement at `at`, its subject and its place.
    fn broken(&self, text: &[u8], at: usize, error: &SyntaxError) -> (Box<Broken>, Place) {
        let start = lexer::skip_blank(text, at).unwrap_or(at);
        let subject = subject_of(&text[start..]);
        let rule = format!("this is no Turtle: {}", error.message);
        let offset = error.offset.clamp(self.read, text.len());
        (Box::new(Broken { subject, rule }), self.place.after(&text[self.read..offset]))
    }
}

/// Makes facts of triples.
struct Facts<'a, 's> {
    scheme: &'a UrisScheme,
    place: Place,
    sink: &'s mut dyn FnMut(Found),
}

impl Listener for Facts<'_, '_> {
    fn wants(&self, subject: Node<'_>, predicate: Iri<'_>) -> bool {
        facts::may_state(subject, predicate)
    }

    fn take(&mut self, triple: Triple<'_>) {
        if let Some(fact) = facts::fact(&triple, self.scheme) {
            (self.sink)(Found { fact, place: self.place });
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
    last.is_some_and(|token| token.kind == Kind::Dot && token.end == line.len())
}

#[cfg(test)]
mod tests;
