//! How far a stream was taken, by partition, and how a server is told.
//!
//! Promise: of what positions say was taken nothing is taken again; what they do not say is asked for.
//! In -> out: what an event and its id tell -> where it stands; positions -> `Last-Event-ID`.
//! Rules: KafkaSSE and eventstreams. The service writes topic, partition and offset of an event itself into its `meta`. The id tells
//! of *every* partition that the connection reads where to go on: an `offset`, the one to read next; or a `timestamp`, a
//! millisecond behind the last event, as the offsets of two data centres differ; or the offset -1, which is the end, where nothing
//! came from a partition so far. A server takes what it reads from `Last-Event-ID` alone: what is not in there is not read. A topic
//! in there by its name alone begins at `since`. So where positions are known, but perhaps not all partitions, it is asked for none
//! first, by time: the id of the first event names them all, and then it is asked for each, new ones by that time.
//! Invariant: pure. What is known by offset is asked for by offset, as several events can have one time; what is not, by a time that
//! is no later than anything that is not taken.

use serde::{Deserialize, Serialize};

use crate::kafka::Topic;
use crate::wikibase::timestamp::Timestamp;

/// How far a partition was taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamPosition {
    /// The topic, as Kafka names it: `eqiad.mediawiki.page_change.v1`.
    pub topic: String,
    /// The number of the partition.
    pub partition: u32,
    /// The offset to read next.
    pub next_offset: u64,
}

/// What an event tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Topic, partition, offset.
    place: Option<(String, u32, u64)>,
    /// `meta.dt`.
    pub time: Option<Timestamp>,
}

/// What an event is to what was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was taken before.
    Repeated,
    /// It stands right behind the last one of its partition.
    Behind,
    /// It is the first of a connection that was begun in its partition by an offset, but stands at a later one.
    Leapt {
        /// The offset that was asked for.
        asked: u64,
        /// Its own.
        came: u64,
    },
    /// It follows others of the connection; what lies between their offsets are no events.
    Following,
    /// Its partition was begun by a time, or it does not tell where it stands.
    Unknown,
}

#[derive(Clone, Debug)]
struct Place {
    position: StreamPosition,
    /// Whether the position's offset means something.
    is_known: bool,
    /// The time to ask for, where that is better than an offset: nothing is known, or events do not tell their offsets.
    from: Option<Timestamp>,
    /// Whether its events tell their offsets.
    tells: bool,
    /// Whether an event of it came over this connection.
    is_begun: bool,
}

/// The partitions of a stream.
#[derive(Clone, Debug)]
pub struct Positions {
    places: Vec<Place>,
    /// The stream's topics, as far as they are known beforehand.
    topics: Vec<String>,
    /// Since when events are wanted where nothing else is known.
    begin: Timestamp,
    /// Whether all partitions are known that are to be read; else the server is to name them.
    is_named: bool,
}

/// An element of an id.
#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    topic: String,
    partition: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
}

/// What `Last-Event-ID` is made of.
#[derive(Serialize)]
#[serde(untagged)]
enum Asked<'p> {
    Entry(Entry),
    Topic(&'p str),
}

impl Told {
    /// Reads what is known of itself in an event; nothing, if it is none.
    pub fn of(json: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Head {
            meta: Meta,
        }
        #[derive(Deserialize)]
        struct Meta {
            topic: Option<String>,
            partition: Option<u32>,
            offset: Option<u64>,
            dt: Option<String>,
        }
        let Ok(Head { meta }) = serde_json::from_slice(json) else { return Self::default() };
        let place = meta.topic.zip(meta.partition).zip(meta.offset).filter(|(_, offset)| *offset < u64::MAX);
        Self {
            place: place.map(|((topic, partition), offset)| (topic, partition, offset)),
            time: meta.dt.and_then(|text| Timestamp::parse(&text).ok()),
        }
    }
}

impl Positions {
    /// Those known beforehand, the topics of the stream, if they are known, and since when other events are wanted; whether
    /// nothing is wanted besides.
    pub fn new(known: Vec<StreamPosition>, topics: Vec<String>, begin: Timestamp, is_all: bool) -> Self {
        let place = |position| Place { position, is_known: true, from: None, tells: false, is_begun: false };
        let is_named = is_all || known.is_empty();
        Self { places: known.into_iter().map(place).collect(), topics, begin, is_named }
    }

    /// What was taken, of partitions of which it is known.
    pub fn known(&self) -> impl Iterator<Item = &StreamPosition> {
        self.places.iter().filter(|place| place.is_known).map(|place| &place.position)
    }

    /// The topic and number of every partition that was named so far.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, u32)> {
        self.places.iter().map(|Place { position, .. }| (position.topic.as_str(), position.partition))
    }

    /// Since when events are wanted where nothing else is known.
    pub fn begin(&self) -> Timestamp {
        self.begin
    }

    /// Whether nothing is known, so that there is no `Last-Event-ID`.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether all that is read begins where positions say, so that no time is needed.
    pub fn is_complete(&self) -> bool {
        self.is_named && !self.is_empty() && self.unplaced().next().is_none()
    }

    /// Topics without any place.
    fn unplaced(&self) -> impl Iterator<Item = &str> {
        let is_placed = |topic: &str| self.places.iter().any(|place| place.position.topic == topic);
        self.topics.iter().map(String::as_str).filter(move |topic| !is_placed(topic))
    }

    /// Whether the server is still to name its partitions, and nothing is to be taken before.
    pub fn is_asking(&self) -> bool {
        !self.is_named
    }

    /// The server has named its partitions, in the id of an event. Only the names are taken: one of the offsets is already behind
    /// that event, which nobody takes.
    pub fn named(&mut self, id: Option<&[u8]>) {
        self.is_named = true;
        entries(id).iter().for_each(|entry| _ = self.place(&entry.topic, entry.partition));
    }

    /// The `Last-Event-ID` of the next connection; `None` if nothing is known, or the server is to name its partitions.
    pub fn begin_connection(&mut self) -> Option<String> {
        self.places.iter_mut().for_each(|place| place.is_begun = false);
        let entry = |place: &Place| {
            let offset = i64::try_from(place.position.next_offset).unwrap_or(i64::MAX);
            let offset = place.from.is_none().then_some(offset);
            let timestamp = place.from.map(Timestamp::millis);
            let StreamPosition { topic, partition, .. } = &place.position;
            Asked::Entry(Entry { topic: topic.clone(), partition: *partition, offset, timestamp })
        };
        let asked: Vec<_> = self.places.iter().map(entry).chain(self.unplaced().map(Asked::Topic)).collect();
        let json = || serde_json::to_string(&asked).expect("texts and numbers have a JSON form");
        (self.is_named && !self.is_empty()).then(json)
    }

    /// Where an event stands that tells this, with that id; nothing is taken yet.
    pub fn standing(&self, told: &Told, id: Option<&[u8]>) -> Standing {
        let Some((topic, partition, offset)) = self.own(told, &entries(id)) else { return Standing::Unknown };
        let place = self.find(&topic, partition).map(|at| &self.places[at]).filter(|place| place.is_known);
        let Some(Place { position, from, is_begun, .. }) = place else { return Standing::Unknown };
        match position.next_offset {
            next if offset < next => Standing::Repeated,
            next if offset == next => Standing::Behind,
            _ if *is_begun || from.is_some() => Standing::Following,
            next => Standing::Leapt { asked: next, came: offset },
        }
    }

    /// Takes the event. What is known of its partition then.
    pub fn take(&mut self, told: &Told, id: Option<&[u8]>) -> Option<&StreamPosition> {
        let entries = entries(id);
        let own = self.own(told, &entries);
        for entry in &entries {
            self.learn(entry);
        }
        let (topic, partition, offset) = own?;
        let at = self.place(&topic, partition)?;
        let place = &mut self.places[at];
        place.know(offset + 1);
        place.tells = true;
        place.is_begun = true;
        Some(&place.position)
    }

    /// Topic, partition and offset of an event: as it tells itself; or by its id, of which one element moves with it.
    fn own(&self, told: &Told, entries: &[Entry]) -> Option<(String, u32, u64)> {
        if let Some(place) = &told.place {
            return Some(place.clone());
        }
        let moved = |entry: &&Entry| {
            let known = self.find(&entry.topic, entry.partition).map(|at| &self.places[at]);
            known.is_none_or(|place| !place.is_known || Some(place.position.next_offset) != entry.next())
        };
        let own = match entries {
            [only] => only,
            _ => {
                // Beside times, an offset is one of a partition of which nothing came.
                let is_of_offsets = entries.iter().all(|entry| entry.timestamp.is_none());
                let mut moved = entries.iter().filter(|entry| is_of_offsets && entry.next().is_some()).filter(moved);
                moved.next().filter(|_| moved.next().is_none())?
            }
        };
        Some((own.topic.clone(), own.partition, own.next()?.checked_sub(1)?))
    }

    /// Takes over what an element of an id says.
    fn learn(&mut self, entry: &Entry) {
        let Some(at) = self.place(&entry.topic, entry.partition) else { return };
        let place = &mut self.places[at];
        // Others may have the same time as the event that it is about.
        let time = entry.timestamp.and_then(|after| Timestamp::from_millis(after.saturating_sub(1)));
        match entry.next() {
            Some(next) => place.know(next),
            None if !place.tells => place.from = place.from.max(time),
            None => {}
        }
    }

    fn find(&self, topic: &str, partition: u32) -> Option<usize> {
        self.places.iter().position(|place| place.position.partition == partition && place.position.topic == topic)
    }

    /// The place of a partition, known or new; `None` for what is none, as no server could be told.
    fn place(&mut self, topic: &str, partition: u32) -> Option<usize> {
        if let Some(at) = self.find(topic, partition) {
            return Some(at);
        }
        Topic::parse(topic).ok()?;
        let position = StreamPosition { topic: topic.to_owned(), partition, next_offset: 0 };
        self.places.push(Place { position, is_known: false, from: Some(self.begin), tells: false, is_begun: false });
        Some(self.places.len() - 1)
    }
}

impl Place {
    /// All before that offset was taken, or is not wanted.
    fn know(&mut self, next: u64) {
        self.position.next_offset = self.position.next_offset.max(next);
        self.is_known = true;
        self.from = None;
    }
}

impl Entry {
    /// The offset to read next, if there is one; -1 and others below 0 stand for ends.
    fn next(&self) -> Option<u64> {
        self.offset.and_then(|offset| u64::try_from(offset).ok())
    }
}

/// What an id says; nothing, if it is not of the form.
fn entries(id: Option<&[u8]>) -> Vec<Entry> {
    id.and_then(|id| serde_json::from_slice(id).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "eqiad.x";
    const B: &str = "codfw.x";

    fn at(topic: &str, next_offset: u64) -> StreamPosition {
        StreamPosition { topic: topic.to_owned(), partition: 0, next_offset }
    }

    fn told(topic: &str, offset: u64) -> Told {
        Told { place: Some((topic.to_owned(), 0, offset)), time: None }
    }

    /// An id: each topic with its offset, or as a negative number its time.
    fn id(elements: &[(&str, i64)]) -> String {
        let element = |(topic, next): &(&str, i64)| match next {
            -1 | 0.. => format!(r#"{{"topic":"{topic}","partition":0,"offset":{next}}}"#),
            time => format!(r#"{{"topic":"{topic}","partition":0,"timestamp":{}}}"#, -time),
        };
        format!("[{}]", elements.iter().map(element).collect::<Vec<_>>().join(","))
    }

    fn begun(known: Vec<StreamPosition>, topics: &[&str]) -> Positions {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Positions::new(known, topics, Timestamp::from_millis(1000).unwrap(), true)
    }

    #[test]
    fn what_is_asked_for_first() {
        let rows = [
            (vec![], &[][..], None, false),
            (vec![], &[A, B][..], None, false),
            (vec![at(A, 5)], &[][..], Some(id(&[(A, 5)])), true),
            (vec![at(A, 5), at(B, 0)], &[A, B][..], Some(id(&[(A, 5), (B, 0)])), true),
            (vec![at(A, 5)], &[A, B][..], Some(id(&[(A, 5)]).replace(']', r#","codfw.x"]"#)), false),
        ];
        for (known, topics, expected, is_complete) in rows {
            let mut positions = begun(known, topics);
            assert_eq!(positions.begin_connection(), expected);
            assert_eq!(positions.is_complete(), is_complete);
        }
    }

    #[test]
    fn the_server_is_to_name_its_partitions() {
        let begin = Timestamp::from_millis(1000).unwrap();
        for (first, asked) in [
            (id(&[(A, 9), (B, -1)]), id(&[(A, 5), (B, -1000)])),
            (id(&[(A, 3), (B, 90)]), id(&[(A, 5), (B, -1000)])),
            (id(&[(A, -9001), (B, -3001)]), id(&[(A, 5), (B, -1000)])),
            ("7".to_owned(), id(&[(A, 5)])),
        ] {
            for topics in [&[][..], &[A, B][..]] {
                let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
                let mut positions = Positions::new(vec![at(A, 5)], topics.clone(), begin, false);
                assert_eq!(positions.begin_connection(), None);
                assert!(positions.is_asking() && !positions.is_complete());
                positions.named(Some(first.as_bytes()));
                let is_named = topics.is_empty() || first != "7";
                let asked = if is_named { asked.clone() } else { asked.replace(']', &format!(r#","{B}"]"#)) };
                assert_eq!(positions.begin_connection(), Some(asked));
                assert_eq!(positions.is_complete(), is_named);
            }
        }
    }

    /// What events tell and their ids -> where the first and the last of them stand, and what is asked for then.
    #[test]
    fn what_is_asked_for_next() {
        use Standing::*;
        let none = Told::default;
        type Row<'r> = (&'r str, Vec<(Told, String)>, [Standing; 2], String);
        let event = |told: Told, elements: &[(&str, i64)]| (told, id(elements));
        let rows: Vec<Row<'_>> = vec![
            (
                "offsets of their own, times in the ids",
                vec![event(told(A, 5), &[(A, -2001), (B, -1)]), event(told(A, 6), &[(A, -2001), (B, -1)])],
                [Behind, Behind],
                id(&[(A, 7), (B, -1000)]),
            ),
            (
                "the other partition begins where its time was",
                vec![event(told(A, 5), &[(A, -2001), (B, 90)]), event(told(B, 90), &[(A, -2001), (B, -3001)])],
                [Behind, Behind],
                id(&[(A, 6), (B, 91)]),
            ),
            (
                "again, and then with a hole",
                vec![event(told(A, 4), &[]), event(told(A, 5), &[]), event(told(A, 8), &[])],
                [Repeated, Following],
                id(&[(A, 9)]),
            ),
            ("a hole at once", vec![event(told(A, 7), &[])], [Leapt { asked: 5, came: 7 }; 2], id(&[(A, 8)])),
            (
                "offsets in the ids only: one moves",
                vec![event(none(), &[(A, 6), (B, 3)]), event(none(), &[(A, 6), (B, 4)])],
                // At first nothing was known of one of them.
                [Unknown, Behind],
                id(&[(A, 6), (B, 4)]),
            ),
            ("one partition, offsets in the ids only", vec![event(none(), &[(A, 5)])], [Repeated; 2], id(&[(A, 5)])),
            (
                "times only, of a partition that is known by offset and one that is not",
                vec![event(none(), &[(A, -2001), (B, -3001)]), event(none(), &[(A, -2001), (B, -3501)])],
                [Unknown, Unknown],
                id(&[(A, -2000), (B, -3500)]),
            ),
            (
                "times only, where nothing came from one of them",
                vec![event(none(), &[(A, -2001), (B, 90)]), event(none(), &[(A, -2501), (B, 90)])],
                [Unknown, Unknown],
                id(&[(A, -2500), (B, 90)]),
            ),
            ("nothing told", vec![(none(), "7".to_owned()), (none(), String::new())], [Unknown; 2], id(&[(A, 5)])),
            (
                "names that are none",
                vec![event(none(), &[("a b", 6)]), event(told("\n", 6), &[])],
                [Unknown; 2],
                id(&[(A, 5)]),
            ),
        ];
        for (what, events, expected, asked) in rows {
            let mut positions = begun(vec![at(A, 5)], &[]);
            let mut standings = Vec::new();
            for (told, id) in &events {
                let id = Some(id.as_bytes());
                let standing = positions.standing(told, id);
                if standing != Repeated {
                    let taken = positions.take(told, id).cloned();
                    assert!(standing == Unknown || taken.is_some(), "{what}");
                }
                standings.push(standing);
            }
            assert_eq!([standings[0], *standings.last().unwrap()], expected, "{what}");
            assert_eq!(positions.begin_connection().as_deref(), Some(asked.as_str()), "{what}");
        }
    }

    #[test]
    fn what_events_tell_of_themselves() {
        let whole =
            r#"{"meta": {"topic": "eqiad.x", "partition": 0, "offset": 7, "dt": "1970-01-01T00:00:01Z"}, "x": [1]}"#;
        let time = Timestamp::from_millis(1000);
        let rows = [
            (whole.to_owned(), Told { time, ..told(A, 7) }),
            (whole.replace(r#""offset": 7, "#, ""), Told { time, place: None }),
            (whole.replace("1970-01-01T00:00:01Z", "today"), told(A, 7)),
            (whole.replace("7,", "18446744073709551615,"), Told { time, place: None }),
            (whole.replace("7,", "\"7\","), Told::default()),
            (whole.replace(": [1]}", ""), Told::default()),
            ("{}".to_owned(), Told::default()),
            ("[]".to_owned(), Told::default()),
        ];
        for (json, expected) in rows {
            assert_eq!(Told::of(json.as_bytes()), expected, "{json}");
        }
    }
}
