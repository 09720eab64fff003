//! Properties.
//!
//! Promise: the predicates made from a property are typed, and the class for "no value" is described, as Wikibase does.
//! Invariant: the node that describes it is numbered within the document, so its name says nothing.

use crate::generate::document::Document;
use crate::generate::item::count;
use crate::generate::languages::LANGUAGES;
use crate::generate::names::Name;
use crate::generate::random::Random;
use crate::generate::shapes::{Range, Slot};
use crate::generate::statement::{Sources, fill, write as write_statements};

const SLOTS: &[Slot] = &[
    Slot { property: 31, range: Range::Items { from: 18_600_000, size: 900 }, chance: 900, most: 3, numbered: false },
    Slot { property: 1629, range: Range::AnyItem, chance: 300, most: 1, numbered: false },
    Slot { property: 1855, range: Range::AnyItem, chance: 700, most: 4, numbered: false },
    Slot { property: 2302, range: Range::Items { from: 21_502_400, size: 60 }, chance: 950, most: 9, numbered: false },
    Slot { property: 1630, range: Range::Page, chance: 500, most: 1, numbered: false },
];

/// The type of a property, whether its values are IRIs, and whether they have nodes.
const TYPES: &[(&str, bool, bool)] = &[
    ("ExternalId", false, false),
    ("ExternalId", false, false),
    ("ExternalId", false, false),
    ("WikibaseItem", true, false),
    ("WikibaseItem", true, false),
    ("String", false, false),
    ("Quantity", false, true),
    ("Time", false, true),
    ("Url", true, false),
    ("Monolingualtext", false, false),
];

/// The terms of the ontology for the predicates of a property, with their prefixes.
const PREDICATES: &[(&str, &str)] = &[
    ("directClaim", "wdt:"),
    ("claim", "p:"),
    ("statementProperty", "ps:"),
    ("statementValue", "psv:"),
    ("qualifier", "pq:"),
    ("qualifierValue", "pqv:"),
    ("reference", "pr:"),
    ("referenceValue", "prv:"),
    ("novalue", "wdno:"),
];

/// Writes the entity-data block's last lines and all that follows; [`Document::id`] is the property.
pub fn write(habits: &mut Random, random: &mut Random, document: &mut Document) {
    let mut statements = std::mem::take(&mut document.statements);
    statements.clear();
    fill(SLOTS, &Sources::new(habits, random), random, &mut statements);
    count("statements", statements.len(), document);
    count("identifiers", 0, document);
    document.text.put(&[" .\n\n"]);
    let (name, is_iri, has_nodes) = random.pick(TYPES);
    write_predicates(name, document);
    write_types(is_iri, has_nodes, document);
    document.begin();
    write_statements(&statements, document);
    document.statements = statements;
    document.end();
    write_terms(random, document);
    document.define_nodes();
}

fn write_predicates(name: &str, document: &mut Document) {
    let Document { text, nodes, id, .. } = document;
    text.put(&[nodes.entity, id, " a wikibase:Property ;\n\twikibase:propertyType <http://wikiba.se/ontology#"]);
    text.put(&[name, ">"]);
    for (term, prefix) in PREDICATES {
        text.put(&[" ;\n\twikibase:", term, " ", prefix, id]);
    }
    text.put(&[" .\n\n"]);
}

fn write_types(is_iri: bool, has_nodes: bool, document: &mut Document) {
    let value = if is_iri { "Object" } else { "Datatype" };
    let Document { text, id, number, restrictions, .. } = document;
    text.put(&["p:", id, " a owl:ObjectProperty .\n\n"]);
    for prefix in ["psv:", "pqv:", "prv:"] {
        text.put(&[prefix, id, " a owl:ObjectProperty .\n\n"]);
    }
    if has_nodes {
        for prefix in ["psn:", "pqn:", "prn:"] {
            text.put(&[prefix, id, " a owl:ObjectProperty .\n\n"]);
        }
    }
    for prefix in ["wdt:", "ps:", "pq:", "pr:"] {
        text.put(&[prefix, id, " a owl:", value, "Property .\n\n"]);
    }
    *restrictions += 1;
    let label = format!("_:genid{}-{}-{}", *number % 8, *number / 8, restrictions);
    text.put(&["wdno:", id, " a owl:Class ;\n\towl:complementOf ", &label, " .\n\n"]);
    text.put(&[&label, " a owl:Restriction ;\n\towl:onProperty wdt:", id, " ;\n\towl:someValuesFrom owl:Thing .\n\n"]);
}

fn write_terms(random: &mut Random, document: &mut Document) {
    let name = Name::new(random.word());
    for language in LANGUAGES.iter().take(4 + random.skewed(40) as usize) {
        for predicate in ["rdfs:label \"", "skos:prefLabel \"", "schema:name \""] {
            document.next();
            document.text.put(&[predicate]);
            name.write(language.script, &mut document.text);
            document.text.put(&["\"@", language.code]);
        }
    }
    document.next();
    document.text.put(&["schema:description \"identifier \\\"of a spring\\\" in a gazetteer\"@en,\n\t\t"]);
    document.text.put(&["\"Kennung einer Quelle\"@de,\n\t\t\"identifiant d'une source\"@fr"]);
    document.end();
}
