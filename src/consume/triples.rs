//! The triples of a mutation, as they are merged and sent.
//!
//! Promise: two triples that are the same are the same line of N-Triples, whoever wrote them, and a line is also SPARQL.
//! In -> out: Turtle -> [`Line`]s, each with what its subject is.
//! Rules: which subjects are an entity's own, and which are shared, by the wiki's namespaces (domain-facts: upstream's `UrisScheme`).
//! Invariant: no line has a blank node: a store would take each for a new one when it is added, and could not find it again to remove it.

use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::{Iri, Term, Triple};
use crate::rdf::vocab;
use crate::wikibase::uris::UrisScheme;

/// A triple as N-Triples, with its dot and without a line feed.
pub type Line = Box<str>;

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
    Blank(Line),
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
        let prefixes = Prefixes::default();
        let mut reader = Reader::new(arena, &prefixes, turtle, 0, true);
        let (mut read, mut triples, mut line) = (Vec::new(), Vec::new(), Vec::with_capacity(512));
        let wrong =
            |error: crate::rdf::SyntaxError| TriplesError::Syntax { offset: error.offset, message: error.message };
        while reader.statement(&mut triples).map_err(wrong)? {
            for triple in triples.drain(..) {
                let next = self.line(&triple, &mut line, read.last())?;
                read.push(next);
            }
        }
        Ok(read)
    }

    /// Reads a triple; its text is made in `room`, so that a line is no longer than it is. Mostly its subject is that of the one before.
    fn line(&self, triple: &Triple<'_>, room: &mut Vec<u8>, before: Option<&Read>) -> Result<Read, TriplesError> {
        room.clear();
        ntriples::term(room, &triple.subject, Encoding::Utf8);
        let subject = room.len();
        room.push(b' ');
        ntriples::iri(room, triple.predicate, Encoding::Utf8);
        room.push(b' ');
        ntriples::term(room, &triple.object, Encoding::Utf8);
        room.extend_from_slice(b" .");
        let line = Line::from(simdutf8::basic::from_utf8(room).expect("terms are made of text"));
        let (Term::Iri(_), Term::Iri(_) | Term::Literal(_)) = (&triple.subject, &triple.object) else {
            return Err(TriplesError::Blank(line));
        };
        let owner = match before {
            Some(before) if before.owner == Owner::Entity && before.subject() == &line[..subject] => Owner::Entity,
            _ => self.owner(&line[1..subject - 1], triple.predicate),
        };
        let says = if triple.predicate.is(ABOUT) {
            Says::IsAbout
        } else if triple.predicate.is(vocab::RDF_TYPE) && is_iri(&triple.object, ARTICLE) {
            Says::IsArticle
        } else {
            Says::Other
        };
        Ok(Read { line, subject, owner, says })
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
