//! Lines of N-Triples, of which the triples of mutations are.
//!
//! Promise: a triple is the one that the statement there has, and its line is what `ntriples` would write of it.
//! In -> out: `<http…> <http…> "…" .` -> the triple, and the same piece of text.
//! Invariant: one space between terms and before the dot, a line feed behind it; no escapes and no blank nodes. Whatever else it is, is
//! left to be read as a statement.

use crate::rdf::reader::{Reader, Stop, runs};
use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};

impl<'a> Reader<'a> {
    /// The triple whose line begins where the reader stands or behind a line feed there, and the line up to its dot. `None`: it is not
    /// such a line, and the reader stays where it is.
    #[inline]
    pub fn line(&mut self) -> Option<(Triple<'a>, &'a str)> {
        // A statement that was read ends with its dot.
        let start = self.at + usize::from(self.stands("\n"));
        self.at = start;
        match self.triple_of_line() {
            Ok(triple) => Some((triple, &self.text[start..self.at - 1])),
            Err(_) => {
                self.at = start;
                None
            }
        }
    }

    #[inline]
    fn triple_of_line(&mut self) -> Result<Triple<'a>, Stop> {
        let subject = match self.subject_again() {
            Some(subject) => subject,
            None => self.iri()?,
        };
        self.subject = subject;
        let subject = Term::Iri(Iri::full(subject));
        self.expect(" ")?;
        let predicate = Iri::full(self.iri()?);
        self.expect(" ")?;
        let object = match self.peek()? {
            b'"' => Term::Literal(self.literal_of_line()?),
            _ => Term::Iri(Iri::full(self.iri()?)),
        };
        self.expect(" .\n")?;
        Ok(Triple { subject, predicate, object })
    }

    /// The subject of the line before, if it stands here again, as it mostly does.
    #[inline]
    fn subject_again(&mut self) -> Option<&'a str> {
        let rest = self.text.as_bytes()[self.at..].strip_prefix(b"<")?.strip_prefix(self.subject.as_bytes())?;
        // With a base, an IRI is not what stands there.
        let is_again = rest.first() == Some(&b'>') && !self.subject.is_empty() && self.prefixes.base().is_none();
        is_again.then(|| {
            self.at += "<>".len() + self.subject.len();
            self.subject
        })
    }

    #[inline]
    fn literal_of_line(&mut self) -> Result<Literal<'a>, Stop> {
        let (bytes, start) = (self.text.as_bytes(), self.at + 1);
        let end = runs::string(bytes, start, b'"');
        let value = &self.text[start..end];
        // Of what may stand for itself in Turtle, N-Triples are written without this alone.
        if bytes.get(end) != Some(&b'"') || memchr::memchr(0x7F, value.as_bytes()).is_some() {
            return Err(Stop::Other);
        }
        self.at = end + 1;
        let tag = match self.peek()? {
            b'@' => self.language()?,
            b'^' if self.stands("^^<") => match self.datatype()? {
                Tag::None => return Err(Stop::Other),
                datatype => datatype,
            },
            _ => Tag::None,
        };
        Ok(Literal { value, tag })
    }
}
