//! [`Update`] -> SPARQL 1.1 Update.
//!
//! Promise: one request, whose last operations write the position: a store that has the position has the data. To send it twice is to
//! send it once.
//! Rules: upstream's update templates, as to what belongs to an entity (statements, forms, senses, articles) and as to
//! `schema:dateModified` of the service. An article goes with its entity only if it is about no other.
//! Invariant: pure; no blank node, no path of unbounded length, nothing that only one store understands.

use std::fmt::Write;

use crate::consume::batch::Replaced;
use crate::consume::position::{DUMP, PREDICATES, VALUES, time};
use crate::consume::target::{Before, Update};
use crate::consume::triples::{ABOUT, Line};
use crate::wikibase::entity::{EntityId, EntityKind};
use crate::wikibase::uris::UrisScheme;

const MODIFIED: &str = "<http://schema.org/dateModified>";
const PARTS: &str = "<http://www.w3.org/ns/lemon/ontolex#lexicalForm>|<http://www.w3.org/ns/lemon/ontolex#sense>";
const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf>";
const ON_PROPERTY: &str = "<http://www.w3.org/2002/07/owl#onProperty>";

/// The text of an update.
pub fn text(scheme: &UrisScheme, Update { changes, before, position, modified }: &Update) -> String {
    let mut text = Text(String::new());
    text.data("DELETE DATA", &changes.removed);
    text.clear(&changes.cleared);
    text.data("INSERT DATA", &changes.added);
    text.sweep(&changes.swept);
    changes.replaced.iter().for_each(|replaced| text.replace(scheme, replaced));
    if let Some(modified) = *modified {
        let service = scheme.root().trim_end_matches('/');
        text.operation(format_args!("DELETE WHERE {{ <{service}> {MODIFIED} ?time }}"));
        text.operation(format_args!("INSERT DATA {{ <{service}> {MODIFIED} {} }}", time(modified)));
    }
    let whatever: &[&str] = match before {
        Before::Lines(lines) => {
            text.data("DELETE DATA", lines);
            &VALUES
        }
        Before::Garbage => &PREDICATES,
    };
    for predicate in whatever {
        text.operation(format_args!("DELETE WHERE {{ {DUMP} {predicate} ?o }}"));
    }
    text.data("INSERT DATA", &position.triples());
    text.0
}

/// Operations, one after the other.
struct Text(String);

impl Text {
    fn operation(&mut self, operation: std::fmt::Arguments<'_>) {
        if !self.0.is_empty() {
            self.0.push_str(";\n");
        }
        self.0.write_fmt(operation).expect("text takes text");
    }

    /// `INSERT DATA` or `DELETE DATA`.
    fn data(&mut self, what: &str, triples: &[impl AsRef<str>]) {
        if triples.is_empty() {
            return;
        }
        self.operation(format_args!("{what} {{\n"));
        for triple in triples {
            self.0.push_str(triple.as_ref());
            self.0.push('\n');
        }
        self.0.push('}');
    }

    /// Removes what is said of articles, but for what they are about.
    fn clear(&mut self, articles: &[Line]) {
        self.each_of(articles, &format!("FILTER(?p != <{ABOUT}>)"));
    }

    /// Removes articles that are about nothing.
    fn sweep(&mut self, articles: &[Line]) {
        self.each_of(articles, &format!("FILTER NOT EXISTS {{ ?s <{ABOUT}> ?entity }}"));
    }

    fn each_of(&mut self, subjects: &[Line], condition: &str) {
        if subjects.is_empty() {
            return;
        }
        let subjects = subjects.join(" ");
        self.operation(format_args!(
            "DELETE {{ ?s ?p ?o }} WHERE {{ VALUES ?s {{ {subjects} }} ?s ?p ?o . {condition} }}"
        ));
    }

    fn replace(&mut self, scheme: &UrisScheme, Replaced { entity, cleared, added }: &Replaced) {
        self.delete(scheme, *entity);
        self.clear(cleared);
        self.data("INSERT DATA", added);
    }

    /// Removes an entity: first what is found by way of it.
    fn delete(&mut self, scheme: &UrisScheme, id: EntityId) {
        let entity = format!("<{}{id}>", scheme.concept());
        let is_statement = format!("FILTER(isIRI(?s) && STRSTARTS(STR(?s), \"{}statement/\"))", scheme.concept());
        let mut found = vec![
            format!("{entity} ?claim ?s . {is_statement}"),
            format!("?s <{ABOUT}> {entity} . FILTER NOT EXISTS {{ ?s <{ABOUT}> ?other . FILTER(?other != {entity}) }}"),
        ];
        match id.kind() {
            EntityKind::Lexeme => {
                found.push(format!("{entity} {PARTS} ?part . ?part ?claim ?s . {is_statement}"));
                found.push(format!("{entity} {PARTS} ?s"));
            }
            EntityKind::Property => {
                // The node that the class of what has no value is the complement of has no name of its own: as each document has its
                // first such node, several properties share one.
                let root = scheme.property_root();
                let class = format!("<{root}prop/novalue/{id}>");
                let own = format!("?s {ON_PROPERTY} <{root}prop/direct/{id}>");
                let is_others = format!("FILTER NOT EXISTS {{ ?other {COMPLEMENT} ?s . FILTER(?other != {class}) }}");
                self.operation(format_args!("DELETE {{ {own} }} WHERE {{ {class} {COMPLEMENT} ?s . {own} }}"));
                found.push(format!("{class} {COMPLEMENT} ?s . {is_others}"));
                found.push(format!("VALUES ?s {{ {} }}", predicates(scheme, id)));
            }
            EntityKind::Item | EntityKind::MediaInfo => {}
        }
        let found = found.join(" }\n  UNION { ");
        self.operation(format_args!("DELETE {{ ?s ?p ?o }} WHERE {{\n  {{ {found} }}\n  ?s ?p ?o }}"));
        self.operation(format_args!("DELETE WHERE {{ ?article <{ABOUT}> {entity} }}"));
        self.operation(format_args!("DELETE WHERE {{ {entity} ?p ?o }}"));
    }
}

/// The predicates of a property, each of which is said to be one.
fn predicates(scheme: &UrisScheme, property: EntityId) -> String {
    const PATHS: [&str; 14] = [
        "",
        "direct/",
        "direct-normalized/",
        "novalue/",
        "statement/",
        "statement/value/",
        "statement/value-normalized/",
        "qualifier/",
        "qualifier/value/",
        "qualifier/value-normalized/",
        "reference/",
        "reference/value/",
        "reference/value-normalized/",
        "some-value/",
    ];
    let root = scheme.property_root();
    PATHS.map(|path| format!("<{root}prop/{path}{property}>")).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::batch::Changes;
    use crate::consume::position::{Mark, Place, Position};
    use crate::updater::source::PartitionName;
    use crate::wikibase::timestamp::Timestamp;

    fn lines(lines: &[&str]) -> Vec<Line> {
        lines.iter().map(|line| (*line).into()).collect()
    }

    fn position() -> Position {
        let partition = PartitionName { topic: "t".to_owned(), number: 0 };
        let last = Some(Mark { start: 6, number: 0xAB });
        Position {
            places: vec![Place { partition, next: 7, last }],
            until: Some(Timestamp::default()),
            by: ["a".to_owned()].into(),
        }
    }

    fn of(changes: Changes, before: Before, modified: Option<Timestamp>) -> String {
        text(&UrisScheme::wikidata(), &Update { changes, before, position: position(), modified })
    }

    /// What was said before is taken away by its words, if they are a position.
    #[test]
    fn what_was_said_before_goes() {
        let line = "<d> <urn:headwater:position> \"t/0 6\" .";
        let said = of(Changes::default(), Before::Lines(vec![line.to_owned()]), None);
        assert!(said.starts_with(&format!("DELETE DATA {{\n{line}\n}};\nDELETE WHERE")), "{said}");
        assert_eq!(said.matches("DELETE WHERE").count(), VALUES.len(), "{said}");
        let garbage = of(Changes::default(), Before::Garbage, None);
        assert_eq!(garbage.matches("DELETE WHERE").count(), PREDICATES.len(), "{garbage}");
    }

    #[test]
    fn the_position_comes_last() {
        let changes = Changes {
            removed: lines(&["<a> <p> 1 ."]),
            cleared: lines(&["<b>"]),
            added: lines(&["<a> <p> 2 .", "<b> <p> 3 ."]),
            swept: lines(&["<c>"]),
            replaced: vec![Replaced {
                entity: EntityId::parse(b"Q1").unwrap(),
                cleared: lines(&[]),
                added: lines(&["<d> <p> 4 ."]),
            }],
        };
        let text = of(changes, Before::Garbage, Some(Timestamp::default()));
        let operations: Vec<_> = text.split(";\n").map(|operation| operation.split_once(' ').unwrap().0).collect();
        let kinds =
            ["DELETE", "DELETE", "INSERT", "DELETE", "DELETE", "DELETE", "DELETE", "INSERT", "DELETE", "INSERT"];
        assert_eq!(operations[..10], kinds, "{text}");
        let end = text.split(";\n").last().unwrap();
        assert!(end.starts_with("INSERT DATA") && end.contains("<urn:headwater:position> \"t/0 7\" ."), "{end}");
    }

    #[test]
    fn what_is_deleted_is_found_by_the_kind_of_the_entity() {
        let rows = [
            (
                "Q1",
                vec!["<http://www.wikidata.org/entity/Q1> ?claim ?s", "?other != <http://www.wikidata.org/entity/Q1>"],
            ),
            ("L2", vec!["ontolex#lexicalForm>|<", "?part ?claim ?s"]),
            ("P3", vec!["<http://www.wikidata.org/prop/novalue/P3> <http://www.w3.org/2002/07/owl#complementOf> ?s"]),
        ];
        for (id, parts) in rows {
            let entity = EntityId::parse(id.as_bytes()).unwrap();
            let replaced = vec![Replaced { entity, cleared: vec![], added: vec![] }];
            let changes = Changes { replaced, ..Changes::default() };
            let text = of(changes, Before::Garbage, None);
            for part in parts {
                assert!(text.contains(part), "{id}: {text}");
            }
        }
    }
}
