//! The triples of a mutation, as they are merged and sent.
//!
//! Promise: two triples that are the same are the same line of N-Triples, whoever wrote them, and a line is also SPARQL.
//! In -> out: Turtle -> [`Line`]s, each with what its subject is.
//! Rules: which subjects are an entity's own, and which are shared, by the wiki's namespaces (domain-facts: upstream's `UrisScheme`).
//! Invariant: no line has a blank node: a store would take each for a new one when it is added, and could not find it again to remove it.

use std::ops::Range;

use arcstr::{ArcStr, Substr};

use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::{Iri, Term, Triple};
use crate::rdf::vocab;
use crate::wikibase::uris::UrisScheme;

/// A triple as N-Triples, with its dot and without a line feed: a piece of a text that those read with it share.
pub type Line = Substr;

/// How long such a text is, in bytes, but for its last line. So a line that is kept keeps little else.
const SHARED: usize = 64 << 10;
/// How long a line usually is, in bytes, or longer.
const USUAL: usize = 96;

/// `schema:about`: from an article to its entity.
pub const ABOUT: &str = "http://schema.org/about";
/// `schema:Article`: what articles are.
pub const ARTICLE: &str = "http://schema.org/Article";

/// What the subject of a triple is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An entity, a part or a statement of one, or a property's predicate: no other entity says the same.
    Entity,
    /// A reference, a value, a wiki's group: who needs it may not be known.
    Shared,
    /// An article: of one entity at a time, but it moves.
    Article,
}

/// A triple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The triple.
    pub line: Line,
    /// How much of it is the subject, in bytes.
    pub subject: usize,
    /// What the subject is.
    pub owner: Owner,
    /// What it says of an article.
    pub says: Says,
}

/// What a triple says of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// That it is one.
    IsArticle,
    /// What it is about.
    IsAbout,
    /// Something else.
    Other,
}

/// Why triples cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TriplesError {
    /// They are no Turtle.
    #[error("its triples are no Turtle: byte {offset}: {message}")]
    Syntax {
        /// Where, in bytes.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// One has a blank node.
    #[error("it has a blank node, which no store could find again: {0}")]
    Blank(String),
}

/// A wiki's namespaces.
#[derive(Clone, Debug)]
pub struct Namespaces {
    concept: String,
    references: String,
    values: String,
    predicates: String,
}

impl Namespaces {
    /// Those of a wiki.
    pub fn new(scheme: &UrisScheme) -> Self {
        Self {
            concept: scheme.concept().to_owned(),
            references: format!("{}reference/", scheme.root()),
            values: format!("{}value/", scheme.root()),
            predicates: format!("{}prop/", scheme.property_root()),
        }
    }

    /// Reads triples.
    pub fn read(&self, turtle: &str, arena: &Arena) -> Result<Vec<Read>, TriplesError> {
        if turtle.is_empty() {
            return Ok(Vec::new());
        }
        let prefixes = Prefixes::default();
        let mut reader = Reader::new(arena, &prefixes, turtle, 0, true);
        let (mut written, mut triples, mut line) = (Written::of(turtle.len()), Vec::new(), Vec::new());
        let wrong =
            |error: crate::rdf::SyntaxError| TriplesError::Syntax { offset: error.offset, message: error.message };
        loop {
            if let Some((triple, line)) = reader.line() {
                self.take(&triple, line, &mut written)?;
                continue;
            }
            if !reader.statement(&mut triples).map_err(wrong)? {
                return Ok(written.end());
            }
            for triple in triples.drain(..) {
                line.clear();
                ntriples::line(&mut line, &triple, Encoding::Utf8);
                let line = simdutf8::basic::from_utf8(&line).expect("terms are made of text");
                self.take(&triple, line.trim_end(), &mut written)?;
            }
        }
    }

    /// Takes a triple and its line. Mostly its subject is that of the one before.
    fn take<'t>(&self, triple: &Triple<'t>, line: &str, written: &mut Written<'t>) -> Result<(), TriplesError> {
        let (Term::Iri(name), Term::Iri(_) | Term::Literal(_)) = (&triple.subject, &triple.object) else {
            return Err(TriplesError::Blank(line.to_owned()));
        };
        let is_known = written.subject.is_some_and(|subject| subject.is_same(&triple.subject));
        let owner = match written.pieces.last().filter(|_| is_known) {
            Some(Piece { owner: Owner::Entity, .. }) => Owner::Entity,
            _ => self.owner(&name.to_text(), triple.predicate),
        };
        let says = if triple.predicate.is(ABOUT) {
            Says::IsAbout
        } else if triple.predicate.is(vocab::RDF_TYPE) && is_iri(&triple.object, ARTICLE) {
            Says::IsArticle
        } else {
            Says::Other
        };
        written.subject = Some(triple.subject);
        written.push(line, "<>".len() + name.to_text().len(), owner, says);
        Ok(())
    }

    fn owner(&self, subject: &str, predicate: Iri<'_>) -> Owner {
        if subject.starts_with(&self.concept) || subject.starts_with(&self.predicates) {
            Owner::Entity
        } else if subject.starts_with(&self.references)
            || subject.starts_with(&self.values)
            || predicate.is(vocab::WIKIBASE_WIKI_GROUP)
        {
            Owner::Shared
        } else {
            Owner::Article
        }
    }
}

fn is_iri(term: &Term<'_>, iri: &str) -> bool {
    matches!(term, Term::Iri(name) if name.is(iri))
}

/// Lines that are being written.
struct Written<'t> {
    text: String,
    /// Where they are in the text.
    pieces: Vec<Piece>,
    /// The subject of the last.
    subject: Option<Term<'t>>,
    done: Vec<Read>,
}

/// A [`Read`] whose text is not yet shared.
struct Piece {
    line: Range<usize>,
    subject: usize,
    owner: Owner,
    says: Says,
}

impl Written<'_> {
    /// Those of a text of so many bytes. Mostly it is as they are.
    fn of(bytes: usize) -> Self {
        let text = String::with_capacity(bytes.min(SHARED) + SHARED / 16);
        Self { pieces: Vec::with_capacity(text.capacity() / USUAL), text, subject: None, done: Vec::new() }
    }

    fn push(&mut self, line: &str, subject: usize, owner: Owner, says: Says) {
        let start = self.text.len();
        self.text.push_str(line);
        self.pieces.push(Piece { line: start..self.text.len(), subject, owner, says });
        if self.text.len() > SHARED {
            self.share();
        }
    }

    fn share(&mut self) {
        let text = ArcStr::from(self.text.as_str());
        let read = |Piece { line, subject, owner, says }| Read { line: text.substr(line), subject, owner, says };
        self.done.extend(self.pieces.drain(..).map(read));
        self.text.clear();
    }

    fn end(mut self) -> Vec<Read> {
        self.share();
        self.done
    }
}

impl Read {
    /// The subject, as N-Triples has it.
    pub fn subject(&self) -> &str {
        &self.line[..self.subject]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_are_read_as_in_this_table() {
        use Owner::{Article, Entity, Shared};
        let rows = [
            ("<http://www.wikidata.org/entity/Q1> a <x:y> .", Ok((Entity, Says::Other))),
            ("<http://www.wikidata.org/entity/statement/Q1-a> <x:p> \"é\\n\"@de .", Ok((Entity, Says::Other))),
            ("<http://www.wikidata.org/prop/P1> a <x:y> .", Ok((Entity, Says::Other))),
            ("<http://www.wikidata.org/reference/ab> <x:p> 1 .", Ok((Shared, Says::Other))),
            ("<http://www.wikidata.org/value/ab> <x:p> 1 .", Ok((Shared, Says::Other))),
            (
                "<https://en.wikipedia.org/> <http://wikiba.se/ontology#wikiGroup> \"wikipedia\" .",
                Ok((Shared, Says::Other)),
            ),
            ("<https://en.wikipedia.org/wiki/A> a <http://schema.org/Article> .", Ok((Article, Says::IsArticle))),
            ("<https://en.wikipedia.org/wiki/A> <http://schema.org/about> <x:Q1> .", Ok((Article, Says::IsAbout))),
            ("<https://en.wikipedia.org/wiki/A> <http://schema.org/name> \"A\" .", Ok((Article, Says::Other))),
            ("_:b <x:p> 1 .", Err("it has a blank node")),
            ("<x:a> <x:p> [] .", Err("it has a blank node")),
            ("<x:a> <x:p> .", Err("its triples are no Turtle: byte")),
            ("wd:Q1 <x:p> 1 .", Err("its triples are no Turtle: byte")),
        ];
        let namespaces = Namespaces::new(&UrisScheme::wikidata());
        for (turtle, expected) in rows {
            let read = namespaces.read(turtle, &Arena::default());
            match (read, expected) {
                (Ok(read), Ok((owner, says))) => assert_eq!((read[0].owner, read[0].says), (owner, says), "{turtle}"),
                (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{turtle}: {error}"),
                (read, expected) => panic!("{turtle}: {read:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn one_triple_is_one_line_however_it_is_written() {
        let namespaces = Namespaces::new(&UrisScheme::wikidata());
        let rows = ["<x:a> a <x:b> .", "<x:a>\n  <http://www.w3.org/1999/02/22-rdf-syntax-ns#type>\t<x:\\u0062> ."];
        for turtle in rows {
            let read = namespaces.read(turtle, &Arena::default()).unwrap();
            assert_eq!(&*read[0].line, "<x:a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <x:b> .");
            assert_eq!(read[0].subject(), "<x:a>");
        }
    }
}
