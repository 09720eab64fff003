//! How far a store is, as it says itself.
//!
//! Promise: what is read is what was written, in the same update as the data it goes with, so that a copy of the store knows where to go
//! on. What two updates wrote that knew nothing of each other is read as the one that is less far: all behind it is applied again, so that
//! whichever of the two was done last, the store is right in the end.
//! In -> out: [`Position`] <-> triples of `wikibase:Dump`.
//! Rules: five predicates of `<http://wikiba.se/ontology#Dump>`:
//!
//! | predicate | object |
//! | --- | --- |
//! | `<urn:headwater:position>` | one for each partition, `"TOPIC/NUMBER NEXT"`: the offset of the message to read next, or the byte in a file |
//! | `<urn:headwater:last>` | `"TOPIC/NUMBER START MARK"` for each: where the message before that begins, and the XXH64 of its bytes in 16 hexadecimal digits |
//! | `<urn:headwater:by>` | the run of a consumer that wrote this |
//! | `wikibase:updatesCompleteUntil` | the time of the newest change, `xsd:dateTime`; as QLever's `update-wikidata` has it |
//! | `wikibase:updateStreamNextOffset` | `NEXT`, `xsd:integer`, if there is one partition; as QLever's has it |
//!
//! An update takes away what the store said before it, of the first three by the very triples: so one that was sent before and comes late
//! leaves its own beside them.
//! Invariant: pure.

use std::collections::BTreeSet;
use std::fmt;

use twox_hash::XxHash64;

use crate::sparql::Graph;
use crate::updater::source::{PartitionName, Position as Reached};
use crate::wikibase::timestamp::Timestamp;

/// The subject.
pub const DUMP: &str = "<http://wikiba.se/ontology#Dump>";
/// The predicate of places in the stream.
const PLACE: &str = "<urn:headwater:position>";
/// The predicate of the messages before those.
const LAST: &str = "<urn:headwater:last>";
/// The predicate of who wrote it.
const BY: &str = "<urn:headwater:by>";
/// The predicate of the time.
const UNTIL: &str = "<http://wikiba.se/ontology#updatesCompleteUntil>";
/// The predicate of the only place.
const OFFSET: &str = "<http://wikiba.se/ontology#updateStreamNextOffset>";
/// All of them.
pub const PREDICATES: [&str; 5] = [PLACE, LAST, BY, UNTIL, OFFSET];
/// Those whose values a store may spell in other ways than they were written.
pub const VALUES: [&str; 2] = [UNTIL, OFFSET];

/// How far a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Where each partition is read on, by their names. None for a stream that does not tell.
    pub places: Vec<Place>,
    /// The time of the newest change that was applied.
    pub until: Option<Timestamp>,
    /// Which run of a consumer wrote it, so that two that are equally far are told apart; several if they wrote at the same time.
    pub by: BTreeSet<String>,
}

/// What a store says of where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Where that is.
    pub position: Position,
    /// Its words, as N-Triples, but for [`VALUES`].
    pub lines: Vec<String>,
}

/// Where a partition is read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub partition: PartitionName,
    /// The offset of the record to read next, or the byte.
    pub next: u64,
    /// The record before that, if it is known.
    pub last: Option<Mark>,
}

/// What a record is known by, and with it the stream: another has another one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its offset, or the byte at which it begins.
    pub start: u64,
    /// The XXH64 of its bytes, with the seed 0.
    pub number: u64,
}

impl Mark {
    /// That of a record that begins there.
    pub fn of(start: u64, value: &[u8]) -> Self {
        Self { start, number: XxHash64::oneshot(0, value) }
    }
}

impl Place {
    /// Where it is read on, if the last record is to be read once more.
    pub fn from_last(&self) -> Reached {
        let next = self.last.map_or(self.next, |last| last.start);
        Reached { partition: self.partition.clone(), next }
    }
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
        self.place(partition).map(|place| place.next)
    }

    /// A partition's.
    pub fn place(&self, partition: &PartitionName) -> Option<&Place> {
        self.places.iter().find(|place| place.partition == *partition)
    }

    fn place_mut(&mut self, partition: &PartitionName) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.partition == *partition)
    }

    /// Reads on behind a record, whose partition may be new.
    pub fn advance(&mut self, partition: &PartitionName, next: u64) {
        match self.place_mut(partition) {
            Some(place) => (place.next, place.last) = (next, None),
            None => {
                self.places.push(Place { partition: partition.clone(), next, last: None });
                self.places.sort_by(|one, other| one.partition.cmp(&other.partition));
            }
        }
    }

    /// What the last record of a partition is known by.
    pub fn mark(&mut self, partition: &PartitionName, mark: Mark) {
        self.place_mut(partition).into_iter().for_each(|place| place.last = Some(mark));
    }

    /// Whether this is as far as that, whoever wrote it: in the stream, or in time, if the stream tells no places.
    pub fn is_at(&self, other: &Self) -> bool {
        let [mine, others] = [self, other].map(|position| position.places.iter().map(|at| (&at.partition, at.next)));
        mine.eq(others) && (!self.places.is_empty() || self.until == other.until)
    }

    /// Whether this is farther than that, anywhere.
    pub fn is_ahead_of(&self, other: &Self) -> bool {
        self.places.iter().any(|place| other.next(&place.partition) < Some(place.next))
    }

    /// A change of that time was applied.
    pub fn reach(&mut self, time: Option<Timestamp>) {
        self.until = self.until.max(time);
    }

    /// The query that asks for it.
    pub fn query() -> String {
        format!("CONSTRUCT {{ {DUMP} ?p ?o }} WHERE {{ VALUES ?p {{ {} }} {DUMP} ?p ?o }}", PREDICATES.join(" "))
    }

    /// Where a store is of which this is known: as far as the one that is less far says.
    fn find(&mut self, partition: PartitionName, next: u64) {
        match self.place_mut(&partition) {
            Some(place) => place.next = place.next.min(next),
            None => self.places.push(Place { partition, next, last: None }),
        }
    }

    /// The same of the last record: the last of those before that place.
    fn find_last(&mut self, partition: &PartitionName, mark: Mark) -> Option<()> {
        let place = self.place_mut(partition)?;
        if mark.start < place.next && place.last.is_none_or(|last| last.start < mark.start) {
            place.last = Some(mark);
        }
        Some(())
    }

    /// The triples, as N-Triples.
    pub fn triples(&self) -> Vec<String> {
        let integer = "^^<http://www.w3.org/2001/XMLSchema#integer>";
        let mut triples = self.words();
        triples.extend(self.until.map(|until| format!("{DUMP} {UNTIL} {} .", time(until))));
        if let [place] = &self.places[..] {
            triples.push(format!("{DUMP} {OFFSET} \"{}\"{integer} .", place.next));
        }
        triples
    }

    /// Those that are read as they were written: all but [`VALUES`].
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for Place { partition, next, last } in &self.places {
            let name = escaped(&partition.to_string());
            words.push(format!("{DUMP} {PLACE} \"{name} {next}\" ."));
            words
                .extend(last.map(|Mark { start, number }| format!("{DUMP} {LAST} \"{name} {start} {number:016x}\" .")));
        }
        words.extend(self.by.iter().map(|by| format!("{DUMP} {BY} \"{}\" .", escaped(by))));
        words
    }
}

impl Said {
    /// Reads what the store answers.
    pub fn read(graph: &Graph) -> Result<Self, PositionError> {
        let (mut position, mut marks) = (Position::default(), Vec::new());
        for (key, statement) in graph.iter() {
            let wrong = || PositionError(statement.to_owned());
            let value = key.object.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')).map(|(value, _)| value);
            match key.predicate.as_str() {
                PLACE => {
                    let (partition, next) = value.and_then(place).ok_or_else(wrong)?;
                    position.find(partition, next);
                }
                LAST => marks.push((value.and_then(marked).ok_or_else(wrong)?, statement)),
                BY => _ = position.by.insert(value.ok_or_else(wrong)?.to_owned()),
                UNTIL => {
                    // A time is compared by its value, which has no quotation marks.
                    let time = Timestamp::parse(value.unwrap_or(&key.object)).map_err(|_| wrong())?;
                    position.until = Some(position.until.map_or(time, |until| until.min(time)));
                }
                _ => {}
            }
        }
        for ((partition, mark), statement) in marks {
            position.find_last(&partition, mark).ok_or_else(|| PositionError(statement.to_owned()))?;
        }
        position.places.sort_by(|one, other| one.partition.cmp(&other.partition));
        let words = graph.iter().filter(|(key, _)| !VALUES.contains(&key.predicate.as_str()));
        Ok(Self { position, lines: words.map(|(_, line)| line.to_owned()).collect() })
    }

    /// What a store says that is there.
    pub fn at(position: Position) -> Self {
        let lines = position.words();
        Self { position, lines }
    }
}

/// A time, as N-Triples has it.
pub fn time(time: Timestamp) -> String {
    format!("\"{time}\"^^<http://www.w3.org/2001/XMLSchema#dateTime>")
}

/// `topic/0 123`
fn place(text: &str) -> Option<(PartitionName, u64)> {
    let (partition, next) = text.rsplit_once(' ')?;
    let (topic, number) = partition.rsplit_once('/')?;
    let partition = PartitionName { topic: unescaped(topic), number: number.parse().ok()? };
    Some((partition, next.parse().ok()?))
}

/// `topic/0 122 00000000deadbeef`
fn marked(text: &str) -> Option<(PartitionName, Mark)> {
    let (text, number) = text.rsplit_once(' ')?;
    let (partition, start) = place(text)?;
    Some((partition, Mark { start, number: u64::from_str_radix(number, 16).ok()? }))
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

    fn at(topic: &str, number: u32, next: u64, last: Option<Mark>) -> Place {
        Place { partition: PartitionName { topic: topic.to_owned(), number }, next, last }
    }

    #[test]
    fn what_is_written_is_read() {
        let until = Some(Timestamp::parse("2026-01-05T23:00:02.250Z").unwrap());
        let mark = Some(Mark { start: 11, number: 0xAB });
        let (topic, file) = ("eqiad.rdf-streaming-updater.mutation", "/srv/a \"b\"\\n\nx/1 2");
        let (by, nobody) = (BTreeSet::from([crate::env::new_id()]), BTreeSet::new());
        let rows = [
            Position::default(),
            Position { places: vec![], until, by: nobody.clone() },
            Position { places: vec![at(topic, 0, 12, None)], until, by: by.clone() },
            Position { places: vec![at(topic, 0, 12, mark)], until: None, by },
            Position {
                places: vec![at(file, 0, 0, None), at("codfw.x", 3, u64::MAX, None)],
                until: None,
                by: nobody.clone(),
            },
            Position {
                places: vec![at(file, 0, 12, mark), at("codfw.x", 3, 9, None)],
                until: None,
                by: nobody.clone(),
            },
        ];
        for position in rows {
            let text = position.triples().join("\n");
            let graph = Graph::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let said = Said::read(&graph).unwrap();
            assert_eq!(
                (&said.position, said.lines.len()),
                (&position, Said::at(position.clone()).lines.len()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_none_is_told() {
        let rows = [
            (format!("{PLACE} \"x\""), "\"x\""),
            (format!("{PLACE} \"t/0 7\" ; {LAST} \"t/0 6\""), "t/0 6"),
            (format!("{PLACE} \"t/0 7\" ; {LAST} \"u/0 6 ab\""), "u/0 6 ab"),
            (format!("{UNTIL} \"yesterday\""), "yesterday"),
        ];
        for (text, expected) in rows {
            let graph = Graph::read(format!("{DUMP} {text} .").as_bytes()).unwrap();
            let error = Said::read(&graph).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    /// What two updates wrote at the same time, or one after the other that was sent before it.
    #[test]
    fn of_two_positions_the_one_that_is_less_far_counts() {
        let mark = |start| Some(Mark { start, number: start });
        let rows = [
            ("\"t/0 7\", \"t/0 12\"", "\"t/0 6 6\", \"t/0 11 b\"", at("t", 0, 7, mark(6))),
            ("\"t/0 7\", \"t/0 12\"", "\"t/0 11 b\", \"t/0 6 6\", \"t/0 5 5\"", at("t", 0, 7, mark(6))),
            ("\"t/0 7\", \"t/0 12\"", "\"t/0 11 b\"", at("t", 0, 7, None)),
            ("\"t/0 7\"", "\"t/0 6 6\"", at("t", 0, 7, mark(6))),
        ];
        for (places, marks, expected) in rows {
            let until = "\"1970-01-01T00:00:02Z\", \"1970-01-01T00:00:01Z\"";
            let text = format!("{DUMP} {PLACE} {places} ; {LAST} {marks} ; {BY} \"a\", \"b\" ; {UNTIL} {until} .");
            let position = Said::read(&Graph::read(text.as_bytes()).unwrap()).unwrap().position;
            assert_eq!(position.places, [expected], "{text}");
            assert_eq!(position.by, ["a", "b"].map(str::to_owned).into(), "{text}");
            assert_eq!(position.until, Timestamp::from_millis(1000), "{text}");
        }
    }

    /// Which of two positions is farther, whoever wrote them.
    #[test]
    fn positions_are_compared_as_in_this_table() {
        let of = |next, until: i64, by: &str| Position {
            places: vec![at("t", 0, next, Some(Mark { start: next, number: 1 }))],
            until: Timestamp::from_millis(until),
            by: [by.to_owned()].into(),
        };
        let rows = [
            (of(7, 1, "a"), of(7, 1, "b"), (true, false)),
            (of(7, 1, "a"), of(7, 2, "a"), (true, false)),
            (
                Position { places: vec![], ..of(7, 1, "a") },
                Position { places: vec![], ..of(7, 2, "a") },
                (false, false),
            ),
            (of(7, 1, "a"), of(6, 1, "a"), (false, true)),
            (of(6, 1, "a"), of(7, 1, "a"), (false, false)),
            (of(7, 1, "a"), Position::default(), (false, true)),
            (Position::default(), of(7, 1, "a"), (false, false)),
        ];
        for (one, other, expected) in rows {
            assert_eq!((one.is_at(&other), one.is_ahead_of(&other)), expected, "{one} and {other}");
        }
    }

    #[test]
    fn partitions_are_kept_in_order() {
        let mut position = Position::default();
        for (topic, next) in [("b", 1), ("a", 2), ("b", 3)] {
            position.advance(&at(topic, 0, 0, None).partition, next);
        }
        assert_eq!(position.to_string(), "a/0 2, b/0 3");
    }
}
