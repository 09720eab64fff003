//! Triples -> Turtle.
//!
//! Promise: what is written means the triples it was made of; names are shortened by the prefixes of [`header`].
//! In -> out: triples -> text appended to a buffer.
//! Invariant: a name is shortened only if its local part is of letters, digits, `_` and inner `-`, which every reader takes.
//! Rule: Turtle 1.1.

use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};
use crate::rdf::vocab;

/// The namespaces that are shortened, and how. Those of Wikidata, and those that every Wikibase uses.
const PREFIXES: [(&str, &str); 32] = [
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("ontolex", "http://www.w3.org/ns/lemon/ontolex#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("wikibase", vocab::WIKIBASE),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("schema", "http://schema.org/"),
    ("cc", "http://creativecommons.org/ns#"),
    ("geo", "http://www.opengis.net/ont/geosparql#"),
    ("prov", "http://www.w3.org/ns/prov#"),
    ("wd", "http://www.wikidata.org/entity/"),
    ("wds", "http://www.wikidata.org/entity/statement/"),
    ("wdref", "http://www.wikidata.org/reference/"),
    ("wdv", "http://www.wikidata.org/value/"),
    ("wdt", "http://www.wikidata.org/prop/direct/"),
    ("wdtn", "http://www.wikidata.org/prop/direct-normalized/"),
    ("p", "http://www.wikidata.org/prop/"),
    ("ps", "http://www.wikidata.org/prop/statement/"),
    ("psv", "http://www.wikidata.org/prop/statement/value/"),
    ("psn", "http://www.wikidata.org/prop/statement/value-normalized/"),
    ("pq", "http://www.wikidata.org/prop/qualifier/"),
    ("pqv", "http://www.wikidata.org/prop/qualifier/value/"),
    ("pqn", "http://www.wikidata.org/prop/qualifier/value-normalized/"),
    ("pr", "http://www.wikidata.org/prop/reference/"),
    ("prv", "http://www.wikidata.org/prop/reference/value/"),
    ("prn", "http://www.wikidata.org/prop/reference/value-normalized/"),
    ("wdno", "http://www.wikidata.org/prop/novalue/"),
    ("sdc", "https://commons.wikimedia.org/entity/"),
    ("sdcs", "https://commons.wikimedia.org/entity/statement/"),
    ("sdcv", "https://commons.wikimedia.org/value/"),
];

/// What must stand before all that [`Turtle`] writes.
pub fn header() -> Vec<u8> {
    let line = |(label, namespace): &(&str, &str)| format!("@prefix {label}: <{namespace}> .\n");
    PREFIXES.iter().map(line).collect::<String>().into_bytes()
}

/// Writes triples, those of one subject as one statement.
#[derive(Debug, Default)]
pub struct Turtle {
    /// The subject and the predicate of the open statement, as they were written.
    subject: Vec<u8>,
    predicate: Vec<u8>,
    /// By number of the namespace: the label, if there is one.
    labels: Vec<Option<Option<&'static str>>>,
}

impl Turtle {
    /// Adds a triple.
    pub fn triple(&mut self, out: &mut Vec<u8>, triple: &Triple<'_>) {
        let (mut subject, mut predicate) = (Vec::new(), Vec::new());
        self.term(&mut subject, &triple.subject);
        if triple.predicate.is(vocab::RDF_TYPE) {
            predicate.push(b'a');
        } else {
            self.iri(&mut predicate, triple.predicate);
        }
        if subject != self.subject {
            self.end(out);
            out.extend_from_slice(&subject);
            out.push(b' ');
            out.extend_from_slice(&predicate);
        } else if predicate != self.predicate {
            out.extend_from_slice(b" ;\n\t");
            out.extend_from_slice(&predicate);
        } else {
            out.push(b',');
        }
        out.push(b' ');
        (self.subject, self.predicate) = (subject, predicate);
        self.term(out, &triple.object);
    }

    /// Ends the open statement, if there is one.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if !self.subject.is_empty() {
            out.extend_from_slice(b" .\n");
        }
        self.subject.clear();
    }

    fn term(&mut self, out: &mut Vec<u8>, term: &Term<'_>) {
        match term {
            Term::Iri(iri) => self.iri(out, *iri),
            Term::Literal(Literal { value, tag: Tag::Datatype(datatype) }) => {
                ntriples::term(out, &Term::Literal(Literal { value, tag: Tag::None }), Encoding::Utf8);
                out.extend_from_slice(b"^^");
                self.iri(out, *datatype);
            }
            other => ntriples::term(out, other, Encoding::Utf8),
        }
    }

    fn iri(&mut self, out: &mut Vec<u8>, iri: Iri<'_>) {
        match self.shortened(iri) {
            Some((label, local)) => {
                out.extend_from_slice(label.as_bytes());
                out.push(b':');
                out.extend_from_slice(local.as_bytes());
            }
            None => ntriples::iri(out, iri, Encoding::Utf8),
        }
    }

    fn shortened<'a>(&mut self, iri: Iri<'a>) -> Option<(&'static str, &'a str)> {
        let (label, local) = match iri.namespace.id() {
            0 => {
                let cut = iri.local.rfind(['/', '#'])? + 1;
                (label_of(&iri.local[..cut])?, &iri.local[cut..])
            }
            id => {
                if id >= self.labels.len() {
                    self.labels.resize(id + 1, None);
                }
                let label = *self.labels[id].get_or_insert_with(|| label_of(iri.namespace.text()));
                (label?, iri.local)
            }
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (!local.starts_with('-') && local.bytes().all(is_plain)).then_some((label, local))
    }
}

fn label_of(namespace: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(_, known)| *known == namespace).map(|(label, _)| *label)
}
