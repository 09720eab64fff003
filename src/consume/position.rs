//! How far a store is, as it says itself.
//!
//! Promise: what is read is what was written, in the same update as the data it goes with, so that a copy of the store knows where to go
//! on.
//! In -> out: [`Position`] <-> triples of `wikibase:Dump`.
//! Rules: three predicates of `<http://wikiba.se/ontology#Dump>`:
//!
//! | predicate | object |
//! | --- | --- |
//! | `<urn:headwater:position>` | one for each partition, `"TOPIC/NUMBER NEXT"`: the offset of the message to read next, or the byte in a file |
//! | `wikibase:updatesCompleteUntil` | the time of the newest change, `xsd:dateTime`; as QLever's `update-wikidata` has it |
//! | `wikibase:updateStreamNextOffset` | `NEXT`, `xsd:integer`, if there is one partition; as QLever's has it |
//!
//! Invariant: pure.

use std::fmt;

use crate::sparql::Graph;
use crate::updater::source::{PartitionName, Position as Place};
use crate::wikibase::timestamp::Timestamp;

/// The subject.
pub const DUMP: &str = "<http://wikiba.se/ontology#Dump>";
/// The predicate of places in the stream.
const PLACE: &str = "<urn:headwater:position>";
/// The predicate of the time.
const UNTIL: &str = "<http://wikiba.se/ontology#updatesCompleteUntil>";
/// The predicate of the only place.
const OFFSET: &str = "<http://wikiba.se/ontology#updateStreamNextOffset>";
/// All of them.
pub const PREDICATES: [&str; 3] = [PLACE, UNTIL, OFFSET];

/// How far a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Where each partition is read on, by their names. None for a stream that does not tell.
    pub places: Vec<Place>,
    /// The time of the newest change that was applied.
    pub until: Option<Timestamp>,
}

/// What a store says of itself is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store says {0}, which is no position of this program")]
pub struct PositionError(String);

impl Position {
    /// Whether nothing was applied yet.
    pub fn is_unknown(&self) -> bool {
        self.places.is_empty() && self.until.is_none()
    }

    /// Where a partition is read on.
    pub fn next(&self, partition: &PartitionName) -> Option<u64> {
        self.places.iter().find(|place| place.partition == *partition).map(|place| place.next)
    }

    /// Reads on behind a record, whose partition may be new.
    pub fn advance(&mut self, partition: &PartitionName, next: u64) {
        match self.places.iter_mut().find(|place| place.partition == *partition) {
            Some(place) => place.next = next,
            None => {
                self.places.push(Place { partition: partition.clone(), next });
                self.places.sort_by(|one, other| one.partition.cmp(&other.partition));
            }
        }
    }

    /// A change of that time was applied.
    pub fn reach(&mut self, time: Option<Timestamp>) {
        self.until = self.until.max(time);
    }

    /// The query that asks for it.
    pub fn query() -> String {
        let [place, until, offset] = PREDICATES;
        format!("CONSTRUCT {{ {DUMP} ?p ?o }} WHERE {{ VALUES ?p {{ {place} {until} {offset} }} {DUMP} ?p ?o }}")
    }

    /// Reads what the store answers.
    pub fn read(graph: &Graph) -> Result<Self, PositionError> {
        let mut position = Self::default();
        for (key, statement) in graph.iter() {
            let wrong = || PositionError(statement.to_owned());
            let value = key.object.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')).map(|(value, _)| value);
            if key.predicate == PLACE {
                let place = value.and_then(place).ok_or_else(wrong)?;
                if let Some(other) = position.next(&place.partition) {
                    return Err(PositionError(format!("{} and {other} of {}", place.next, place.partition)));
                }
                position.places.push(place);
            } else if key.predicate == UNTIL {
                // A time is compared by its value, which has no quotation marks.
                let text = value.unwrap_or(&key.object);
                position.reach(Some(Timestamp::parse(text).map_err(|_| wrong())?));
            }
        }
        position.places.sort_by(|one, other| one.partition.cmp(&other.partition));
        Ok(position)
    }

    /// The triples, as N-Triples.
    pub fn triples(&self) -> Vec<String> {
        let integer = "^^<http://www.w3.org/2001/XMLSchema#integer>";
        let places = self.places.iter().map(|Place { partition, next }| {
            format!("{DUMP} {PLACE} \"{} {next}\" .", escaped(&partition.to_string()))
        });
        let only = match &self.places[..] {
            [place] => Some(format!("{DUMP} {OFFSET} \"{}\"{integer} .", place.next)),
            _ => None,
        };
        places.chain(self.until.map(|until| format!("{DUMP} {UNTIL} {} .", time(until)))).chain(only).collect()
    }
}

/// A time, as N-Triples has it.
pub fn time(time: Timestamp) -> String {
    format!("\"{time}\"^^<http://www.w3.org/2001/XMLSchema#dateTime>")
}

/// `topic/0 123`
fn place(text: &str) -> Option<Place> {
    let (partition, next) = text.rsplit_once(' ')?;
    let (topic, number) = partition.rsplit_once('/')?;
    let partition = PartitionName { topic: unescaped(topic), number: number.parse().ok()? };
    Some(Place { partition, next: next.parse().ok()? })
}

/// Names of files may have anything.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.places.iter().map(|place| format!("{} {}", place.partition, place.next)).collect();
        match (places.is_empty(), self.until) {
            (true, None) => f.write_str("nowhere"),
            (true, Some(until)) => write!(f, "{until}"),
            (false, None) => f.write_str(&places.join(", ")),
            (false, Some(until)) => write!(f, "{}, {until}", places.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, number: u32, next: u64) -> Place {
        Place { partition: PartitionName { topic: topic.to_owned(), number }, next }
    }

    #[test]
    fn what_is_written_is_read() {
        let until = Some(Timestamp::parse("2026-01-05T23:00:02.250Z").unwrap());
        let rows = [
            Position::default(),
            Position { places: vec![], until },
            Position { places: vec![at("eqiad.rdf-streaming-updater.mutation", 0, 12)], until },
            Position { places: vec![at("/srv/a \"b\"\\n\nx/1 2", 0, 0), at("codfw.x", 3, u64::MAX)], until: None },
        ];
        for position in rows {
            let text = position.triples().join("\n");
            let graph = Graph::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(Position::read(&graph).unwrap(), position, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        let graph = Graph::read(format!("{DUMP} {PLACE} \"x\" .").as_bytes()).unwrap();
        assert!(Position::read(&graph).unwrap_err().to_string().contains("\"x\""));
        let two = format!("{DUMP} {PLACE} \"t/0 7\", \"t/0 12\" .");
        let error = Position::read(&Graph::read(two.as_bytes()).unwrap()).unwrap_err().to_string();
        assert!(error.contains("7") && error.contains("12 of t/0") || error.contains("7 and 12"), "{error}");
    }

    #[test]
    fn partitions_are_kept_in_order() {
        let mut position = Position::default();
        for (topic, next) in [("b", 1), ("a", 2), ("b", 3)] {
            position.advance(&at(topic, 0, 0).partition, next);
        }
        assert_eq!(position.to_string(), "a/0 2, b/0 3");
    }
}
