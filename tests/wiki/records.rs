//! Events as they stand in topics: partitions, and all the disorder that comes of many servers.
//!
//! Promise: each event of the changes asked for is in the records, marked with what it is, so that a test knows what is to become of it.
//! In -> out: a history, [`Disorder`] -> [`Record`]s in the order of their arrival.
//! Invariant: an event arrives within the bound, or it is marked as late; then any event of its partition, also those that no one
//! asked for, is so far ahead of it that it is late indeed, and each partition has events after that. A record's time is that of its
//! arrival.

use std::collections::BTreeMap;
use std::ops::Range;

use headwater::wikibase::entity::EntityId;

use crate::wiki::events::{Event, Form};
use crate::wiki::history::History;
use crate::wiki::random::{Random, hash};

/// How events are disordered. Of 1000, so many each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disorder {
    /// The form of the events.
    pub form: Form,
    /// What the names of topics begin with, each a data centre's.
    pub data_centres: &'static [&'static str],
    /// How many partitions a topic has.
    pub partitions: i32,
    /// How long an event may be on its way, in milliseconds.
    pub within: i64,
    /// Events that come a second time.
    pub again: u64,
    /// Events that come too late.
    pub late: u64,
    /// How late these are, in milliseconds.
    pub late_by: i64,
    /// Other wikis' events, for each of the wiki's own.
    pub elsewhere: u64,
    /// Records that are no events, for each of the wiki's own.
    pub malformed: u64,
    /// The time between two canary events of a partition, in milliseconds.
    pub canaries: i64,
    /// Whether each entity's events come by one partition and in order, those of different entities being as disordered as ever. Then
    /// what is told of an entity does not depend on which partition is read first: an edit cannot overtake a deletion and an undeletion
    /// before it.
    pub is_keyed: bool,
}

impl Disorder {
    /// In order, in one partition, nothing else.
    pub const NONE: Self = Self {
        form: Form::PageChange,
        data_centres: &[""],
        partitions: 1,
        within: 0,
        again: 0,
        late: 0,
        late_by: 0,
        elsewhere: 0,
        malformed: 0,
        canaries: i64::MAX,
        is_keyed: false,
    };

    /// As bad as it may be without harm: 20 seconds, in five partitions of two data centres.
    pub const USUAL: Self = Self {
        data_centres: &["eqiad.", "codfw."],
        partitions: 5,
        within: 20_000,
        again: 100,
        elsewhere: 500,
        canaries: 30_000,
        ..Self::NONE
    };

    /// The same with events that come minutes late, and some that are none.
    pub const BAD: Self = Self { late: 30, late_by: 200_000, malformed: 20, ..Self::USUAL };

    /// The topics.
    pub fn topics(&self) -> Vec<String> {
        headwater::event::streams::topics(self.form.streams(), self.data_centres)
    }
}

/// A record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// When it arrived, in milliseconds since 1970.
    pub time: i64,
    /// The event.
    pub json: Vec<u8>,
    /// What it is.
    pub mark: Mark,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The event of the change with that number.
    Event(usize),
    /// The same event once more.
    Again(usize),
    /// The event of the change with that number, after its time.
    Late(usize),
    /// It only shows that the stream is alive.
    Canary,
    /// Another wiki's event.
    Elsewhere,
    /// No event.
    Malformed,
}

/// What is no event any more: cut off, without what it needs, or with what nobody reads.
fn malformed(mut event: Event, random: &mut Random) -> Vec<u8> {
    let is_legacy = event.json.get("rev_id").is_some();
    match random.below(5) {
        0 => return Vec::new(),
        1 => {
            let mut bytes = event.bytes();
            bytes.truncate(bytes.len() / 2);
            return bytes;
        }
        2 => event.json["$schema"] = "/mediawiki/page/other/1.0.0".into(),
        3 => event.json["meta"]["dt"] = "yesterday".into(),
        _ if is_legacy => event.json["rev_id"] = (-7).into(),
        _ => event.json["revision"]["rev_id"] = 0.into(),
    }
    event.bytes()
}

impl History {
    /// The records of some changes.
    pub fn records(&self, changes: Range<usize>, disorder: &Disorder, seed: u64) -> Vec<Record> {
        let mut random = Random::new(seed);
        let Some(start) = self.changes[changes.clone()].first().map(|change| change.time) else { return Vec::new() };
        let end = self.changes[changes.end - 1].time;
        let mut records = Vec::new();
        for number in changes {
            self.put(number, end, disorder, &mut random, &mut records);
        }
        let mut time = start;
        while time <= end.saturating_add(disorder.within) {
            self.canaries(time, disorder, &mut records);
            time = time.saturating_add(disorder.canaries);
        }
        records.sort_by_key(|record| record.time);
        if disorder.is_keyed {
            self.key(disorder, &mut records);
        }
        records
    }

    fn key(&self, disorder: &Disorder, records: &mut [Record]) {
        let mut places: BTreeMap<EntityId, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            if let Mark::Event(number) | Mark::Again(number) = record.mark {
                places.entry(self.changes[number].entity).or_default().push(at);
            }
        }
        for (entity, places) in places {
            let mut told: Vec<_> = places.iter().map(|at| records[*at].clone()).collect();
            told.sort_by_key(|record| match record.mark {
                Mark::Event(number) | Mark::Again(number) => (number, record.mark),
                _ => unreachable!("only those were taken"),
            });
            let hash = hash(entity.number().into(), entity.kind() as u64) as u64;
            let partition = (hash % disorder.partitions as u64) as i32;
            let data_centre = disorder.data_centres[(hash >> 32) as usize % disorder.data_centres.len()];
            for (at, record) in places.into_iter().zip(told) {
                let stream = disorder.form.streams().iter().find(|stream| record.topic.ends_with(*stream));
                let topic = format!("{data_centre}{}", stream.expect("it is a topic of the form"));
                records[at] = Record { topic, partition, time: records[at].time, ..record };
            }
        }
    }

    fn put(&self, number: usize, end: i64, disorder: &Disorder, random: &mut Random, records: &mut Vec<Record>) {
        let time = self.changes[number].time;
        let last = time + disorder.late_by + disorder.within;
        let is_late = random.chance(disorder.late) && last + disorder.canaries < end;
        let delay = random.up_to(disorder.within as u64) as i64;
        let delay = if is_late { delay + disorder.late_by + disorder.within } else { delay };
        let event = self.event(number, disorder.form, delay);
        let mark = if is_late { Mark::Late(number) } else { Mark::Event(number) };
        let topic = |random: &mut Random| {
            let data_centre = random.pick(disorder.data_centres).expect("there is one");
            format!("{data_centre}{}", event.stream)
        };
        let mut record = Record {
            topic: topic(random),
            partition: random.below(disorder.partitions as u64) as i32,
            time: time + delay,
            json: event.bytes(),
            mark,
        };
        records.push(record.clone());
        if random.chance(disorder.again) && !is_late {
            record.time += random.up_to((disorder.within - delay) as u64) as i64;
            // It may also come by way of the other data centre.
            (record.topic, record.mark) = (topic(random), Mark::Again(number));
            records.push(record.clone());
        }
        if random.chance(disorder.elsewhere) {
            record.time = time + random.up_to(disorder.within as u64) as i64;
            let event = self.event(number, disorder.form, record.time - time).elsewhere();
            (record.json, record.mark) = (event.bytes(), Mark::Elsewhere);
            records.push(record.clone());
        }
        if random.chance(disorder.malformed) {
            (record.json, record.mark) = (malformed(event, random), Mark::Malformed);
            records.push(record);
        }
    }
    /// A canary in every partition.
    fn canaries(&self, time: i64, disorder: &Disorder, records: &mut Vec<Record>) {
        for stream in disorder.form.streams() {
            let json = self.event(0, disorder.form, 0).canary(stream, time as u64, time).bytes();
            for data_centre in disorder.data_centres {
                let topic = format!("{data_centre}{stream}");
                let partitions = 0..disorder.partitions;
                records.extend(partitions.map(|partition| Record {
                    topic: topic.clone(),
                    partition,
                    time,
                    json: json.clone(),
                    mark: Mark::Canary,
                }));
            }
        }
    }
}
