//! What the batch flow wants to know of a dump, triple by triple.
//!
//! Promise: the facts of a document depend on its triples alone, not on how they are written.
//! In -> out: [`Triple`]s in document order -> [`Fact`]s in the same order.
//! Not here: how the triples are found (see `dump::scan`).

use crate::rdf::term::{Iri, Literal, Term, Triple};
use crate::rdf::vocab;
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// One thing a triple says that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An entity stands at a revision: `data:Q31 schema:version "1065756426"^^xsd:integer`.
    Revision(EntityId, Revision),
    /// An entity is a redirect: `wd:Q6825 owl:sameAs wd:Q26709563`.
    Redirect(EntityId),
    /// A dump header begins: `wikibase:Dump a schema:Dataset`.
    Header,
    /// A dump header says when its part of the dump was begun: `wikibase:Dump schema:dateModified "…"`.
    HeaderDate(Timestamp),
    /// A dump header says in which version of the format it is: `wikibase:Dump schema:softwareVersion "1.0.0"`.
    HeaderFormat(Box<str>),
    /// A version of something that is no entity of the chosen wiki.
    Foreign(Box<str>),
    /// Something that should be one of the above and breaks a rule.
    Bad(Box<Broken>),
    /// The document ends within a statement: it was cut, and what is missing cannot be known.
    Unfinished(Box<Broken>),
}

/// A broken rule, without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What it is about: an entity, as the dump writes it, or `wikibase:Dump`.
    pub subject: String,
    /// The rule, and what was found.
    pub rule: String,
}

/// The IRIs that some fact hangs on. An occurrence of one of them, however it is spelled, is what `dump::scan` looks for.
pub const TARGETS: [&str; 5] = [
    vocab::SCHEMA_VERSION,
    vocab::OWL_SAME_AS,
    vocab::WIKIBASE_DUMP[0],
    vocab::WIKIBASE_DUMP[1],
    vocab::WIKIBASE_DUMP[2],
];

/// The fact that `triple` states, if any.
pub fn fact(triple: &Triple<'_>, scheme: &UrisScheme) -> Option<Fact> {
    let Term::Iri(subject) = triple.subject else { return None };
    if triple.predicate.is(vocab::SCHEMA_VERSION) {
        return Some(version(subject, triple.object, scheme));
    }
    if triple.predicate.is(vocab::OWL_SAME_AS) {
        let id = EntityId::parse(scheme.entity_local(&subject.to_text())?.as_bytes()).ok()?;
        return Some(Fact::Redirect(id));
    }
    let is_dump = vocab::WIKIBASE_DUMP.iter().any(|dump| subject.is(dump));
    if is_dump { header(triple) } else { None }
}

fn version(subject: Iri<'_>, object: Term<'_>, scheme: &UrisScheme) -> Fact {
    let subject = subject.to_text();
    let Some(local) = scheme.entity_data_local(&subject) else { return Fact::Foreign(subject.into()) };
    let bad = |rule: String| Fact::Bad(Box::new(Broken { subject: local.to_owned(), rule }));
    let entity = match EntityId::parse(local.as_bytes()) {
        Ok(entity) => entity,
        Err(error) => return bad(error.to_string()),
    };
    let Term::Literal(version) = object else { return bad("schema:version is a literal".to_owned()) };
    match Revision::parse(version.value.as_bytes()) {
        Ok(revision) => Fact::Revision(entity, revision),
        Err(error) => bad(format!("{error}; its schema:version is {}", quoted(version.value))),
    }
}

fn header(triple: &Triple<'_>) -> Option<Fact> {
    match triple.object {
        Term::Iri(class) if triple.predicate.is(vocab::RDF_TYPE) && class.is(vocab::SCHEMA_DATASET) => {
            Some(Fact::Header)
        }
        Term::Literal(Literal { value: date, .. }) if triple.predicate.is(vocab::SCHEMA_DATE_MODIFIED) => {
            Some(Timestamp::parse(date).map_or_else(|error| bad_date(&error.to_string(), date), Fact::HeaderDate))
        }
        Term::Literal(Literal { value: format, .. }) if triple.predicate.is(vocab::SCHEMA_SOFTWARE_VERSION) => {
            Some(Fact::HeaderFormat(format.into()))
        }
        _ => None,
    }
}

fn bad_date(rule: &str, date: &str) -> Fact {
    let rule = format!("{rule}; its schema:dateModified is {}", quoted(date));
    Fact::Bad(Box::new(Broken { subject: "wikibase:Dump".to_owned(), rule }))
}

/// The text in quotation marks, cut to what fits on a line.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{shown:?}") }
}
