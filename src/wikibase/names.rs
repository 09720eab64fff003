//! What an IRI names in a Wikibase: an entity, a statement, `schema:version`, …
//!
//! Promise: the answer depends on the IRI alone, not on how a dump writes or splits it.
//! In -> out: [`Iri`] -> [`Name`]. Cheap for IRIs under a prefix: each namespace is looked at once.
//! Invariant: an IRI lies in the longest namespace known that it begins with, and only if no slash follows (but for
//! properties, of which there are kinds not listed here). Rule: upstream's `Munger`, "in namespace".

use crate::rdf::reader::Arena;
use crate::rdf::term::{Iri, Namespace};
use crate::rdf::vocab;
use crate::wikibase::uris::UrisScheme;

/// The namespaces that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// `data:`, entity-data documents.
    Data,
    /// `wd:`, entities, forms and senses.
    Entity,
    /// `s:` or `wds:`, statement nodes.
    Statement,
    /// `ref:` or `wdref:`, reference nodes.
    Reference,
    /// `v:` or `wdv:`, value nodes.
    Value,
    /// `p:`, from an entity to a statement.
    Claim,
    /// `prv:` and `prn:`, from a reference to a value.
    ReferenceValue,
    /// `wdno:`, classes of what has no value.
    NoValue,
    /// Any other namespace below `prop/`.
    Property,
    /// Blank nodes that were given IRIs.
    Genid,
    /// `wikibase:`, the ontology.
    Ontology,
    /// `wikibase:` as it was named before version 1.0 of the format.
    OldOntology,
    /// `schema:`
    Schema,
    /// `rdf:`
    Rdf,
    /// `rdfs:`
    Rdfs,
    /// `skos:`
    Skos,
    /// `owl:`
    Owl,
    /// `prov:`
    Prov,
    /// `ontolex:`
    Ontolex,
    /// `geo:`
    Geo,
    /// `xsd:`
    Xsd,
    /// Anything else.
    Other,
}

impl Space {
    fn is_property(self) -> bool {
        matches!(self, Self::Claim | Self::ReferenceValue | Self::NoValue | Self::Property)
    }
}

/// A namespace and what follows it; in [`Space::Other`], the whole IRI follows. In [`Space::Property`] what follows means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name<'a> {
    /// The namespace.
    pub space: Space,
    /// What follows.
    pub local: &'a str,
}

impl<'a> Name<'a> {
    /// A name in a namespace.
    pub const fn new(space: Space, local: &'a str) -> Self {
        Self { space, local }
    }
}

/// The namespaces of one Wikibase and of the vocabularies it uses.
#[derive(Clone, Debug)]
pub struct Spaces {
    /// Longest first.
    known: Vec<(Box<str>, Space)>,
    genid: String,
}

impl Spaces {
    /// The namespaces of a wiki. Rule: upstream's `UrisScheme`.
    pub fn of(scheme: &UrisScheme) -> Self {
        let root = scheme.root();
        let mut known = vec![
            (scheme.concept().to_owned(), Space::Entity),
            (format!("{}statement/", scheme.concept()), Space::Statement),
            (format!("{root}reference/"), Space::Reference),
            (format!("{root}value/"), Space::Value),
        ];
        known.extend(scheme.entity_data_namespaces().map(|data| (data.to_owned(), Space::Data)));
        let properties = [
            ("", Space::Claim),
            ("reference/value/", Space::ReferenceValue),
            ("reference/value-normalized/", Space::ReferenceValue),
            ("novalue/", Space::NoValue),
        ];
        known.extend(properties.map(|(path, space)| (format!("{}prop/{path}", scheme.property_root()), space)));
        known.extend(VOCABULARIES.map(|(namespace, space)| (namespace.to_owned(), space)));
        let genid = format!("{root}{GENID}");
        known.push((genid.clone(), Space::Genid));
        known.sort_by_key(|(namespace, _)| std::cmp::Reverse(namespace.len()));
        let known = known.into_iter().map(|(namespace, space)| (namespace.into_boxed_str(), space)).collect();
        Self { known, genid }
    }

    /// What the IRIs of skolemized blank nodes begin with. Rule: upstream's `BNodeSkolemization`.
    pub fn genid(&self) -> &str {
        &self.genid
    }

    fn of_text<'a>(&self, iri: &'a str) -> Name<'a> {
        let found = self.known.iter().find_map(|(known, space)| Some((*space, iri.strip_prefix(&**known)?)));
        match found {
            Some((space, local)) if space == Space::NoValue || !local.contains('/') => Name { space, local },
            Some((space, _)) if space.is_property() => Name { space: Space::Property, local: iri },
            _ => Name { space: Space::Other, local: iri },
        }
    }

    /// What a namespace alone tells of the IRIs in it, whose local parts have no slash.
    fn of_namespace(&self, namespace: &str) -> Known {
        let mut known = self.known.iter().map(|(known, space)| (&**known, *space));
        if let Some((_, space)) = known.clone().find(|(known, _)| *known == namespace) {
            return Known::Exactly(space);
        }
        if known.clone().any(|(known, _)| known.starts_with(namespace)) {
            return Known::Open;
        }
        let within = known.find_map(|(known, space)| Some((namespace.strip_prefix(known)?, space)));
        match within {
            Some((rest, space)) if rest.contains('/') && space.is_property() => Known::Exactly(Space::Property),
            Some((rest, _)) if rest.contains('/') => Known::Nothing,
            Some(_) => Known::Open,
            None => Known::Nothing,
        }
    }
}

const GENID: &str = ".well-known/genid/";

const VOCABULARIES: [(&str, Space); 14] = [
    (vocab::WIKIBASE, Space::Ontology),
    ("http://wikiba.se/ontology-beta#", Space::OldOntology),
    ("http://wikiba.se/ontology-0.0.1#", Space::OldOntology),
    ("http://www.wikidata.org/ontology-beta#", Space::OldOntology),
    ("http://www.wikidata.org/ontology-0.0.1#", Space::OldOntology),
    ("http://schema.org/", Space::Schema),
    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", Space::Rdf),
    ("http://www.w3.org/2000/01/rdf-schema#", Space::Rdfs),
    ("http://www.w3.org/2004/02/skos/core#", Space::Skos),
    ("http://www.w3.org/2002/07/owl#", Space::Owl),
    ("http://www.w3.org/ns/prov#", Space::Prov),
    ("http://www.w3.org/ns/lemon/ontolex#", Space::Ontolex),
    ("http://www.opengis.net/ont/geosparql#", Space::Geo),
    ("http://www.w3.org/2001/XMLSchema#", Space::Xsd),
];

/// What a namespace alone tells of an IRI in it.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// It is this one.
    Exactly(Space),
    /// No namespace known can be meant.
    Nothing,
    /// The whole IRI must be looked at.
    Open,
}

/// Names the IRIs of one text.
pub struct Namer<'s, 'a> {
    spaces: &'s Spaces,
    arena: &'a Arena,
    /// By number of the namespace.
    known: Vec<Option<Known>>,
}

impl<'s, 'a> Namer<'s, 'a> {
    /// A namer for IRIs whose namespaces are numbered alike.
    pub fn new(spaces: &'s Spaces, arena: &'a Arena) -> Self {
        Self { spaces, arena, known: Vec::new() }
    }

    /// What the IRI names.
    pub fn name(&mut self, iri: Iri<'a>) -> Name<'a> {
        match self.known(iri.namespace) {
            Known::Exactly(space) => Name { space, local: iri.local },
            Known::Nothing => Name { space: Space::Other, local: self.text(iri) },
            Known::Open => self.spaces.of_text(self.text(iri)),
        }
    }

    /// The same, but for [`Space::Other`], where the local part stands for nothing: enough for predicates.
    pub fn predicate(&mut self, iri: Iri<'a>) -> Name<'a> {
        match self.known(iri.namespace) {
            Known::Exactly(space) => Name { space, local: iri.local },
            Known::Nothing => Name { space: Space::Other, local: iri.local },
            Known::Open => self.spaces.of_text(self.text(iri)),
        }
    }

    /// Which namespace the IRI lies in.
    pub fn space(&mut self, iri: Iri<'a>) -> Space {
        self.predicate(iri).space
    }

    /// The whole IRI.
    pub fn text(&self, iri: Iri<'a>) -> &'a str {
        match iri.namespace.id() {
            0 => iri.local,
            _ => self.arena.text(&iri.to_text()),
        }
    }

    fn known(&mut self, namespace: &Namespace) -> Known {
        let id = namespace.id();
        if id == 0 {
            return Known::Open;
        }
        if id >= self.known.len() {
            self.known.resize(id + 1, None);
        }
        *self.known[id].get_or_insert_with(|| self.spaces.of_namespace(namespace.text()))
    }
}
