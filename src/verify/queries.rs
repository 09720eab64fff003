//! What a store is asked for, as SPARQL.
//!
//! Promise: together the queries give all that a store holds of entities: what they say, and the nodes that belong to them.
//! Rules: upstream's templates of the updates that delete and reconcile an entity, as to what belongs to it. Invariant: pure; entities
//! and nodes are named by IRIs that came from this program or, as they were, from the store.

use std::fmt::Write;

use crate::wikibase::entity::EntityId;
use crate::wikibase::uris::UrisScheme;

/// The predicate of what [`revisions`] and [`nodes`] answer.
pub const HAS: &str = "<urn:headwater:has>";

const VERSION: &str = "<http://schema.org/version>";
const ABOUT: &str = "<http://schema.org/about>";
const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf>";
const PARTS: &str = "<http://www.w3.org/ns/lemon/ontolex#lexicalForm>|<http://www.w3.org/ns/lemon/ontolex#sense>";

/// The IRI of an entity.
pub fn iri(scheme: &UrisScheme, entity: EntityId) -> String {
    format!("<{}{entity}>", scheme.concept())
}

/// Any revision that the store has.
pub fn anything() -> String {
    format!("CONSTRUCT {{ ?e {HAS} ?v }} WHERE {{ ?e {VERSION} ?v }} LIMIT 1")
}

/// At which revisions the store has entities: each [`HAS`] its revision.
pub fn revisions(scheme: &UrisScheme, entities: &[EntityId]) -> String {
    let entities = values("?e", entities.iter().map(|entity| iri(scheme, *entity)));
    format!("CONSTRUCT {{ ?e {HAS} ?v }} WHERE {{ {entities} ?e {VERSION} ?v }}")
}

/// Which nodes of the store belong to an entity, besides itself: it [`HAS`] its statements, the articles about it, its forms and
/// senses and their statements, and what a property's class of what has no value is the complement of.
pub fn nodes(scheme: &UrisScheme, entity: EntityId) -> String {
    let (id, entity, statements) = (entity, iri(scheme, entity), format!("{}statement/", scheme.concept()));
    let is_statement = format!("FILTER(isIRI(?s) && STRSTARTS(STR(?s), \"{statements}\"))");
    let no_value = format!("<{}prop/novalue/{id}>", scheme.property_root());
    format!(
        "CONSTRUCT {{ {entity} {HAS} ?s }} WHERE {{\n\
         {{ {entity} ?claim ?s . {is_statement} }}\n\
         UNION {{ ?s {ABOUT} {entity} }}\n\
         UNION {{ {no_value} {COMPLEMENT} ?s }}\n\
         UNION {{ {entity} {PARTS} ?s }}\n\
         UNION {{ {entity} {PARTS} ?part . ?part ?claim ?s . {is_statement} }}\n}}"
    )
}

/// All that the store says of these nodes.
pub fn statements(subjects: &[&str]) -> String {
    let subjects = values("?s", subjects.iter().map(|subject| (*subject).to_owned()));
    format!("CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {subjects} ?s ?p ?o }}")
}

/// How many nodes in a namespace nobody links to by a predicate, or by any: the only object of the answer.
pub fn orphans(namespace: &str, link: Option<&str>) -> String {
    let link = link.unwrap_or("?link");
    format!(
        "CONSTRUCT {{ <urn:headwater:store> {HAS} ?n }} WHERE {{\n\
         {{ SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ ?s ?p ?o .\n\
         FILTER(isIRI(?s) && STRSTARTS(STR(?s), \"{namespace}\"))\n\
         FILTER NOT EXISTS {{ ?from {link} ?s }} }} }}\n}}"
    )
}

fn values(variable: &str, nodes: impl Iterator<Item = String>) -> String {
    let mut text = format!("VALUES {variable} {{");
    nodes.for_each(|node| write!(text, " {node}").expect("text takes text"));
    text.push_str(" }");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_as_in_this_table() {
        let scheme = UrisScheme::commons();
        let media = EntityId::parse(b"M7").unwrap();
        let revisions = revisions(&scheme, &[media, EntityId::parse(b"M8").unwrap()]);
        assert_eq!(
            revisions,
            "CONSTRUCT { ?e <urn:headwater:has> ?v } WHERE { VALUES ?e { <https://commons.wikimedia.org/entity/M7> \
             <https://commons.wikimedia.org/entity/M8> } ?e <http://schema.org/version> ?v }"
        );
        let nodes = nodes(&scheme, media);
        assert!(nodes.contains("\"https://commons.wikimedia.org/entity/statement/\""), "{nodes}");
        assert_eq!(
            statements(&["<http://b>", "<http://a>"]),
            "CONSTRUCT { ?s ?p ?o } WHERE { VALUES ?s { <http://b> <http://a> } ?s ?p ?o }"
        );
        assert!(orphans("http://w/reference/", Some("<http://l>")).contains("{ ?from <http://l> ?s }"));
    }
}
