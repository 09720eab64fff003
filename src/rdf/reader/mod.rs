//! Turtle -> triples, statement by statement.
//!
//! Promise: the triples that oxttl gives for a document, in the same order, or an error where it gives one, wherever the
//! text is cut. Language tags are as written, and what follows `-x-` in one may be longer than oxttl allows.
//! In -> out: text that begins between two statements, the prefixes that hold -> [`Triple`]s borrowed from the text.
//! Invariant: plain statements (absolute http IRIs, names in ASCII without escapes, no nesting) are read here, and only
//! what oxttl surely accepts; anything else is handed to oxttl (`judge`), so that there is one judge of what Turtle means.
//! Not here: where a statement begins in the middle of a text (see `dump::scan`); which bytes form a run (`runs`).

mod iri;
mod judge;
mod line;
mod literal;
mod runs;

use self::iri::Known;
use crate::rdf::prefixes::Prefixes;
use crate::rdf::term::{Iri, Namespace, Term, Triple};
use crate::rdf::{SyntaxError, vocab};

/// What the reader makes that does not stand in the text: resolved escapes, new prefixes, what oxttl read.
pub struct Arena {
    text: typed_arena::Arena<u8>,
    prefixes: typed_arena::Arena<Prefixes>,
}

impl Default for Arena {
    fn default() -> Self {
        Self { text: typed_arena::Arena::with_capacity(0), prefixes: typed_arena::Arena::with_capacity(0) }
    }
}

impl Arena {
    /// Keeps a text as long as the arena.
    pub fn text(&self, text: &str) -> &str {
        self.text.alloc_str(text)
    }
}

/// Reads a text statement by statement.
pub struct Reader<'a> {
    arena: &'a Arena,
    prefixes: &'a Prefixes,
    text: &'a str,
    at: usize,
    whole: bool,
    known: Known<'a>,
    /// The subject of the last line, if one was read as such.
    subject: &'a str,
}

/// Why a statement cannot be read in the plain way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The text ends within it.
    End,
    /// It is not plain: for oxttl.
    Other,
}

impl<'a> Reader<'a> {
    /// A reader that stands between statements at byte `at` of `text`. With `whole`, the end of text is the document's end.
    pub fn new(arena: &'a Arena, prefixes: &'a Prefixes, text: &'a str, at: usize, whole: bool) -> Self {
        Self { arena, prefixes, text, at, whole, known: Known::default(), subject: "" }
    }

    /// The byte at which the next statement begins, or white space or comments before it.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The prefixes that hold where the reader stands.
    pub fn prefixes(&self) -> &'a Prefixes {
        self.prefixes
    }

    /// Reads the next statement or directive and appends its triples to `triples`.
    ///
    /// `Ok(true)`: read. `Ok(false)`: the text ends before another statement is complete; nothing was appended, and
    /// [`Self::at`] is where that statement would begin. An error's offset is a place in the text; the reader then stands
    /// before the broken statement, and nothing was appended either.
    pub fn statement(&mut self, triples: &mut Vec<Triple<'a>>) -> Result<bool, SyntaxError> {
        let first = self.skip_blank();
        let (start, read) = (self.at, triples.len());
        let plain = first.and_then(|first| if first == b'@' { self.prefix() } else { self.triples(first, triples) });
        match plain {
            Ok(()) => return Ok(true),
            Err(stop) => {
                triples.truncate(read);
                self.at = start;
                if stop == Stop::End && (!self.whole || start == self.text.len()) {
                    return Ok(false);
                }
            }
        }
        self.judge(triples)
    }

    /// The triple of the subject that begins where the reader stands, and of the predicate and the only object that begin at
    /// `predicate`, in the same statement. `None`: they are not plain, or there are more objects.
    pub fn triple(&mut self, predicate: usize) -> Option<Triple<'a>> {
        let subject = self.node(self.peek().ok()?).ok()?;
        if !matches!(self.peek(), Ok(b' ' | b'\t')) {
            return None;
        }
        self.at = predicate;
        let predicate = self.verb(self.peek().ok()?).ok()?;
        let first = self.skip_blank().ok()?;
        let object = self.object(first).ok()?;
        matches!(self.skip_blank(), Ok(b';' | b'.')).then_some(Triple { subject, predicate, object })
    }

    /// `@prefix label: <namespace> .`
    fn prefix(&mut self) -> Result<(), Stop> {
        self.expect("@prefix")?;
        if !matches!(self.peek()?, b' ' | b'\t') {
            return Err(Stop::Other);
        }
        self.skip_blank()?;
        let label = self.label_to_declare()?;
        self.skip_blank()?;
        let namespace = self.iri()?;
        self.skip_blank()?;
        self.dot()?;
        if self.prefixes.get(label).is_none_or(|known| known.text() != namespace) {
            let mut prefixes = self.prefixes.clone();
            prefixes.declare(label, namespace);
            self.prefixes = self.arena.prefixes.alloc(prefixes);
        }
        Ok(())
    }

    /// A label and its colon, in ASCII and without dots.
    fn label_to_declare(&mut self) -> Result<&'a str, Stop> {
        let start = self.at;
        let name = &self.text[start..runs::name(self.text.as_bytes(), start)];
        let label = name.strip_suffix(':').ok_or(Stop::Other)?;
        self.at += name.len();
        let plain = !label.contains(':') && label.bytes().next().is_none_or(|first| first.is_ascii_alphabetic());
        match self.peek()? {
            b' ' | b'\t' | b'<' if plain => Ok(label),
            _ => Err(Stop::Other),
        }
    }

    /// A statement that begins with byte `first`.
    fn triples(&mut self, first: u8, triples: &mut Vec<Triple<'a>>) -> Result<(), Stop> {
        let subject = self.node(first)?;
        let mut verb = self.skip_blank()?;
        loop {
            let predicate = self.verb(verb)?;
            let after = loop {
                let first = self.skip_blank()?;
                let object = self.object(first)?;
                triples.push(Triple { subject, predicate, object });
                match self.skip_blank()? {
                    b',' => self.at += 1,
                    after => break after,
                }
            };
            verb = after;
            while verb == b';' {
                self.at += 1;
                verb = self.skip_blank()?;
            }
            if verb == b'.' {
                return self.dot();
            }
            if after != b';' {
                return Err(Stop::Other);
            }
        }
    }

    /// A predicate that begins with byte `first`.
    #[inline]
    fn verb(&mut self, first: u8) -> Result<Iri<'a>, Stop> {
        match first {
            b'<' => Ok(Iri::full(self.iri()?)),
            b'a' if matches!(self.text.as_bytes().get(self.at + 1), Some(b' ' | b'\t')) => {
                self.at += 2;
                Ok(Iri::full(vocab::RDF_TYPE))
            }
            _ => self.name(),
        }
    }

    #[inline]
    fn object(&mut self, first: u8) -> Result<Term<'a>, Stop> {
        match first {
            b'"' | b'\'' => self.literal(first).map(Term::Literal),
            b'0'..=b'9' | b'+' | b'-' => self.number().map(Term::Literal),
            b't' if self.stands("true") => self.boolean("true").map(Term::Literal),
            b'f' if self.stands("false") => self.boolean("false").map(Term::Literal),
            _ => self.node(first),
        }
    }

    /// An IRI or a labelled blank node that begins with byte `first`.
    #[inline]
    fn node(&mut self, first: u8) -> Result<Term<'a>, Stop> {
        match first {
            b'<' => Ok(Term::Iri(Iri::full(self.iri()?))),
            b'_' => self.blank_node(),
            _ => self.name().map(Term::Iri),
        }
    }

    fn blank_node(&mut self) -> Result<Term<'a>, Stop> {
        self.expect("_:")?;
        let start = self.at;
        if !self.peek()?.is_ascii_alphanumeric() && self.peek()? != b'_' {
            return Err(Stop::Other);
        }
        let end = runs::name(self.text.as_bytes(), start);
        // A label holds no colon; what follows one is a name without a label.
        self.at = self.text[start..end].find(':').map_or(end, |colon| start + colon);
        self.end_name()?;
        Ok(Term::Blank(&self.text[start..self.at]))
    }

    /// `label:local`, if the label is known.
    #[inline]
    fn name(&mut self) -> Result<Iri<'a>, Stop> {
        let namespace = self.namespace()?;
        let start = self.at;
        // A local part never begins with a dot or a hyphen; then it is empty, and something else begins.
        if !matches!(self.peek()?, b'.' | b'-') {
            self.at = runs::name(self.text.as_bytes(), start);
        }
        self.end_name()?;
        Ok(Iri { namespace, local: &self.text[start..self.at] })
    }

    /// The namespace of the label that stands here; the reader goes on behind the colon.
    #[inline]
    fn namespace(&mut self) -> Result<&'a Namespace, Stop> {
        let bytes = self.text.as_bytes();
        let word = runs::word(bytes, self.at);
        let length = runs::before_colon(word);
        if length == 8 && bytes.get(self.at + 8) != Some(&b':') {
            return self.namespace_of_long_label();
        }
        // The label and its colon, if that is among the eight bytes.
        let label = if length < 7 { word & !(u64::MAX << (8 * length + 8)) } else { word };
        let namespace = self.prefixes.get_packed(label).ok_or(Stop::Other)?;
        self.at += length + 1;
        Ok(namespace)
    }

    /// The same for a label of more than eight bytes.
    #[cold]
    fn namespace_of_long_label(&mut self) -> Result<&'a Namespace, Stop> {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| !byte.is_ascii_alphanumeric() && !b"_-.".contains(&byte);
        let length = rest.bytes().position(ends).ok_or(Stop::End)?;
        if rest.as_bytes()[length] != b':' {
            return Err(Stop::Other);
        }
        self.at += length + 1;
        self.prefixes.get_for_any_name(&rest[..length]).ok_or(Stop::Other)
    }

    /// Ends a name after its first run of name bytes: further runs may follow after dots.
    #[inline]
    fn end_name(&mut self) -> Result<(), Stop> {
        match self.peek()? {
            b'%' | b'\\' | 0x80.. => Err(Stop::Other),
            b'.' => self.end_name_at_dot(),
            _ => Ok(()),
        }
    }

    /// Dots are part of a name if the name goes on after them, which is left to oxttl.
    fn end_name_at_dot(&self) -> Result<(), Stop> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b';') => Ok(()),
            None if self.whole => Ok(()),
            None => Err(Stop::End),
            Some(_) => Err(Stop::Other),
        }
    }

    /// The dot that ends a statement. Before a digit it would begin a number.
    fn dot(&mut self) -> Result<(), Stop> {
        self.expect(".")?;
        match self.text.as_bytes().get(self.at) {
            None if !self.whole => Err(Stop::End),
            Some(b'0'..=b'9') => Err(Stop::Other),
            _ => Ok(()),
        }
    }

    /// Whether `word` stands here.
    #[inline(always)]
    fn stands(&self, word: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes())
    }

    /// Passes over `word`, which must stand here.
    #[inline(always)]
    fn expect(&mut self, word: &str) -> Result<(), Stop> {
        if self.stands(word) {
            self.at += word.len();
            return Ok(());
        }
        let cut = word.as_bytes().starts_with(&self.text.as_bytes()[self.at..]);
        Err(if cut { Stop::End } else { Stop::Other })
    }

    /// The byte that stands here.
    #[inline(always)]
    fn peek(&self) -> Result<u8, Stop> {
        self.text.as_bytes().get(self.at).copied().ok_or(Stop::End)
    }

    /// Passes over white space and comments; the byte that stands there then. A comment whose end is not known stays.
    #[inline]
    fn skip_blank(&mut self) -> Result<u8, Stop> {
        loop {
            match self.peek()? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.at += memchr::memchr2(b'\r', b'\n', &self.text.as_bytes()[self.at..]).ok_or(Stop::End)?,
                byte => return Ok(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests;
