//! What `Special:EntityData` gives for an entity -> its munged triples.
//!
//! Promise: all triples of the entity that was asked for, or why there are none; never those of another entity.
//! In -> out: the bytes of a Turtle document -> a [`MungedEntity`].
//! Invariant: blank nodes become IRIs, as in all that the updater writes. A document that cannot be read to its end gives nothing.
//! Rules: upstream's `WikibaseEntityRevRepository`, which munges with defaults and skolemizes; its `EntityDiff` says what is shared.
//! Not here: how documents are fetched, and whether the revision is the one that was asked for.

use crate::munge::set::{Filling, TooLarge, TripleSet};
use crate::munge::text::{Bad, Context, Entity, Munger, Sink};
use crate::munge::{Options, Unfit};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::Triple;
use crate::rdf::vocab;
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::uris::UrisScheme;

/// An entity as one document shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MungedEntity {
    /// Which.
    pub id: EntityId,
    /// Its revision, as the document says.
    pub revision: Revision,
    /// Its triples.
    pub triples: TripleSet,
}

/// Why a document gives no triples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// There is no entity in it.
    #[error("there is no entity in it")]
    Empty,
    /// It is no UTF-8.
    #[error("it is no UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// It is no Turtle.
    #[error("line {line} is no Turtle: {rule}")]
    NotTurtle {
        /// The line, counted from 1.
        line: usize,
        /// The rule that is broken.
        rule: String,
    },
    /// It is about another entity.
    #[error("it is about {0}")]
    Other(EntityId),
    /// The entity begins more than once in it.
    #[error("{0} begins more than once in it")]
    Repeated(EntityId),
    /// What it says of an entity cannot be munged.
    #[error("{subject} cannot be munged: {reason}")]
    Unfit {
        /// The entity, or the first word of what belongs to none.
        subject: String,
        /// Why.
        reason: Unfit,
    },
    /// It is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Munges documents, one after the other. They begin with the same prefixes, which are remembered: to declare some forty of
/// them takes as long as to read a hundred triples.
#[derive(Debug)]
pub struct Documents {
    munger: Munger,
    head: Head,
    filling: Filling,
}

/// The text that the last document began with, and the prefixes that hold after it.
#[derive(Debug, Default)]
struct Head {
    text: String,
    prefixes: Prefixes,
}

impl Documents {
    /// For the documents of that wiki.
    pub fn new(scheme: &UrisScheme) -> Self {
        let options = Options { skolemize: true, ..Options::default() };
        Self { munger: Munger::new(scheme, options), head: Head::default(), filling: Filling::default() }
    }

    /// Munges a document that is to be about `entity`.
    pub fn munge(&mut self, document: &[u8], entity: EntityId) -> Result<MungedEntity, DocumentError> {
        let Ok(text) = simdutf8::basic::from_utf8(document) else { return Err(not_utf8(document)) };
        if !text.starts_with(&self.head.text) || self.head.text.is_empty() {
            self.head = Head::of(text);
        }
        let (head, rest) = text.split_at(self.head.text.len());
        self.filling.clear();
        let mut taking = Taking { wanted: entity, filling: &mut self.filling, found: None, fault: None };
        self.munger.text(rest, &self.head.prefixes, None, &Arena::default(), &mut taking);
        let Taking { found, fault, .. } = taking;
        if let Some(fault) = fault {
            return Err(fault.error(head, rest));
        }
        let revision = found.ok_or(DocumentError::Empty)?;
        Ok(MungedEntity { id: entity, revision, triples: self.filling.take()? })
    }
}

impl Head {
    /// The prefixes that a text begins with, as far as they are good, to the end of a line.
    fn of(text: &str) -> Self {
        let (arena, none) = (Arena::default(), Prefixes::default());
        let mut reader = Reader::new(&arena, &none, text, 0, true);
        let (mut end, mut prefixes) = (0, Prefixes::default());
        while text[end..].starts_with("@prefix") && matches!(reader.statement(&mut Vec::new()), Ok(true)) {
            let Some(rest) = text[reader.at()..].strip_prefix('\n') else { break };
            (end, prefixes) = (text.len() - rest.len(), reader.prefixes().clone());
        }
        Self { text: text[..end].to_owned(), prefixes }
    }
}

#[cold]
fn not_utf8(document: &[u8]) -> DocumentError {
    DocumentError::NotUtf8(std::str::from_utf8(document).map_or_else(|error| error.valid_up_to(), str::len))
}

/// Takes the one entity that is wanted.
struct Taking<'f> {
    wanted: EntityId,
    filling: &'f mut Filling,
    found: Option<Revision>,
    fault: Option<Fault>,
}

/// The first fault.
enum Fault {
    Other(EntityId),
    Repeated(EntityId),
    Bad(Bad),
}

impl Sink for Taking<'_> {
    fn header(&mut self, _: &Triple<'_>) {}

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        if entity.fit.id != self.wanted {
            self.fault.get_or_insert(Fault::Other(entity.fit.id));
        } else if self.found.replace(entity.fit.revision).is_some() {
            self.fault.get_or_insert(Fault::Repeated(self.wanted));
        } else {
            entity.placed().for_each(|(context, triple)| self.filling.triple(&triple, is_shared(context, &triple)));
        }
    }

    fn bad(&mut self, bad: Bad) {
        self.fault.get_or_insert(Fault::Bad(bad));
    }
}

/// Whether upstream counts the triple among the shared elements: those of a reference or a value, and what group a wiki is of.
/// (Those of sitelinks, which may go from one entity to another, are for the reader of the stream to tell apart.)
fn is_shared(context: Context, triple: &Triple<'_>) -> bool {
    context != Context::Entity || triple.predicate.is(vocab::WIKIBASE_WIKI_GROUP)
}

impl Fault {
    /// The fault in a document of two parts, of which the second was read.
    fn error(self, head: &str, rest: &str) -> DocumentError {
        match self {
            Self::Other(entity) => DocumentError::Other(entity),
            Self::Repeated(entity) => DocumentError::Repeated(entity),
            Self::Bad(Bad { offset, reason: Unfit::Syntax(rule), .. }) => {
                let before = &rest.as_bytes()[..offset.min(rest.len())];
                let line = 1 + memchr::memchr_iter(b'\n', before).count() + head.lines().count();
                DocumentError::NotTurtle { line, rule }
            }
            Self::Bad(Bad { subject, reason, .. }) => DocumentError::Unfit { subject, reason },
        }
    }
}

#[cfg(test)]
mod tests;
