//! A made-up wiki with its topics in real Kafka, and updaters of it as processes.
//!
//! Promise: all but the wiki is the real thing: the program, the broker, the file system.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::room::Room;
use crate::running::Running;
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::graph::Graph;
use crate::wiki::history::History;
use crate::wiki::records::{Disorder, Mark, Record};
use crate::wiki::server::Server;
use crate::wiki::turtle::Flavour;

/// The streams that an updater writes.
pub const MUTATIONS: &str = "rdf-streaming-updater.mutation";
pub const LAPSED: &str = "rdf-streaming-updater.lapsed-action";
pub const INCONSISTENT: &str = "rdf-streaming-updater.state-inconsistency";
pub const FETCH_FAILED: &str = "rdf-streaming-updater.fetch-failure";
pub const DEAD: &str = "rdf-streaming-updater.dead-letter";
/// The stream of reconcile events, which an updater reads.
pub const RECONCILE: &str = "rdf-streaming-updater.reconcile";
const STREAMS: [&str; 5] = [MUTATIONS, LAPSED, INCONSISTENT, FETCH_FAILED, DEAD];

/// Records with old times are kept for ever.
const KEPT: [(&str, &str); 1] = [("retention.ms", "-1")];
/// A wiki, a dump of it, its topics.
pub struct World {
    pub broker: Broker,
    pub history: Arc<History>,
    pub server: Server,
    pub room: Room,
    pub dump: Dump,
    /// All records, in the order of their arrival, with the names of this test's topics.
    pub records: Vec<Record>,
    disorder: Disorder,
    /// Whether there are topics of reconcile events.
    reconciles: bool,
}

impl World {
    /// A wiki with a dump begun after so many thousandths of its history; no record is in Kafka yet.
    pub fn new(broker: Broker, history: History, of_1000: i64, disorder: Disorder, seed: u64) -> Self {
        let history = Arc::new(history);
        let length = history.now - history.shape.start;
        let options = DumpOptions { duration: length / 8, ..DumpOptions::default() };
        let begun = |of_1000: i64| history.dump(history.shape.start + length * of_1000 / 1000, options);
        // A dump of nothing is refused: it is begun as soon as there is something.
        let dump = (of_1000..=1000).map(begun).find(|dump| !dump.revisions.is_empty()).expect("there are entities");
        let mut records = history.records(0..history.changes.len(), &disorder, seed);
        records.extend(last_canaries(&history, &disorder));
        records.iter_mut().for_each(|record| record.topic = broker.named(&record.topic));
        let topics: Vec<_> = disorder.topics().iter().map(|topic| broker.named(topic)).collect();
        broker.topics(&topics, disorder.partitions, &KEPT);
        let room = Room::new();
        fs::write(room.path("dump.ttl"), dump.text()).expect("the room can be written");
        let server = Server::start(Arc::clone(&history));
        let world = Self { broker, history, server, room, dump, records, disorder, reconciles: false };
        let wiki = world.wiki();
        world.room.headwater(&format!("bootstrap {wiki} --dump $DIR/dump.ttl --savepoint-dir $DIR/state --quiet"), 0);
        world
    }

    /// Makes topics of reconcile events, which all jobs read too.
    pub fn reconcile(&mut self) {
        self.reconciles = true;
        let named = |prefix: &&str| self.broker.named(&format!("{prefix}{RECONCILE}"));
        let topics: Vec<_> = self.disorder.data_centres.iter().map(named).collect();
        self.broker.topics(&topics, 1, &KEPT);
        // Nobody waits for a partition that has told of a later time.
        let canaries = last_canaries(&self.history, &self.disorder).into_iter().zip(topics);
        let canaries = canaries.map(|(record, topic)| Record { topic, partition: 0, ..record });
        self.broker.put(&canaries.collect::<Vec<_>>());
    }

    fn wiki(&self) -> &'static str {
        match self.history.shape.flavour {
            Flavour::Wikidata => "--uris-scheme wikidata",
            Flavour::Commons => "--uris-scheme commons",
        }
    }

    /// The options that tell where events are.
    fn topics(&self) -> String {
        let more = self.reconciles.then_some(RECONCILE);
        let streams = self.disorder.form.streams().iter().copied().chain(more);
        let streams = streams.map(|stream| format!("--topic {stream} "));
        let prefixes =
            self.disorder.data_centres.iter().map(|prefix| format!("--prefix {} ", self.broker.named(prefix)));
        streams.chain(prefixes).collect()
    }

    /// An updater of that name, its group positioned at the dump by `headwater offsets`. All or some records must be in Kafka.
    pub fn job(&self, name: &str) -> Job<'_> {
        let outputs: Vec<_> = STREAMS.iter().map(|stream| self.broker.named(&format!("{name}.{stream}"))).collect();
        self.broker.topics(&outputs, 1, &KEPT);
        let (brokers, group, topics) = (&self.broker.brokers, self.broker.named(name), self.topics());
        let plan = format!(
            "offsets plan --brokers {brokers} --group {group} {topics} --savepoint $DIR/state --timeout 60s \
             --output $DIR/{name}.json --quiet"
        );
        self.room.headwater(&plan, 0);
        self.room
            .headwater(&format!("offsets apply $DIR/{name}.json --brokers {brokers} --timeout 60s --yes --quiet"), 0);
        Job {
            world: self,
            name: name.to_owned(),
            checkpoints: name.to_owned(),
            brokers: brokers.clone(),
            interval: "250ms",
            options: String::new(),
        }
    }

    /// Asserts that the graph of the dump, after these messages, is as the wiki is in the end.
    pub fn assert_follows(&self, messages: &[Value]) {
        let scheme = self.history.shape.flavour.scheme();
        let mut graph = Graph::of_dump(&scheme, std::str::from_utf8(&self.dump.text()).unwrap());
        for message in messages {
            graph.apply(&serde_json::to_vec(message).unwrap()).unwrap();
        }
        if let Err(report) = graph.compare(&self.history.munged(self.history.now)) {
            panic!("{report}");
        }
    }
}

/// One in every partition, so far ahead that everything before has its turn.
fn last_canaries(history: &History, disorder: &Disorder) -> Vec<Record> {
    let time = history.now + 600_000;
    let mut records = Vec::new();
    for stream in disorder.form.streams() {
        let json = history.event(0, disorder.form, 0).canary(stream, 0, time).bytes();
        for data_centre in disorder.data_centres {
            records.extend((0..disorder.partitions).map(|partition| Record {
                topic: format!("{data_centre}{stream}"),
                partition,
                time,
                json: json.clone(),
                mark: Mark::Canary,
            }));
        }
    }
    records
}

/// An updater: a group, outputs and checkpoints of its own.
pub struct Job<'w> {
    world: &'w World,
    name: String,
    /// The directory of checkpoints, in the room.
    pub checkpoints: String,
    /// How Kafka is reached.
    pub brokers: String,
    /// How long from one checkpoint to the next.
    pub interval: &'static str,
    /// More options.
    pub options: String,
}

impl Job<'_> {
    /// The same updater on another machine: it has a copy of the checkpoints.
    pub fn copied(&self, checkpoints: &str) -> Self {
        let Self { world, name, brokers, options, interval, .. } = self;
        let (name, brokers, interval, options) = (name.clone(), brokers.clone(), *interval, options.clone());
        let copied = Self { world, name, checkpoints: checkpoints.to_owned(), brokers, interval, options };
        let status = Command::new("cp").arg("-r").arg(self.checkpoints()).arg(copied.checkpoints()).status();
        assert!(status.expect("cp is there").success());
        copied
    }

    /// Its directory of checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.world.room.path(&self.checkpoints)
    }

    /// Starts it; `what` is `backfill` or `stream`.
    pub fn start(&self, what: &str) -> Running {
        let Self { world, name, checkpoints, brokers, interval, options } = self;
        let (group, out) = (world.broker.named(name), world.broker.named(&format!("{name}.")));
        let (state, checkpoints) = (world.room.path("state"), world.room.path(checkpoints));
        let arguments = format!(
            "{what} {} --brokers {brokers} --group {group} {} --initial-state {} --checkpoints {} \
             --checkpoint-interval {interval} --mutations kafka:{out}{{stream}} --message-limit 3000 --entity-data {} \
             --listen none --log-format json {options}",
            world.wiki(),
            world.topics(),
            state.display(),
            checkpoints.display(),
            world.server.url(),
        );
        Running::start(&world.room, name, &arguments)
    }

    /// Runs it until it ends by itself, with exit code 0.
    pub fn backfill(&self) -> String {
        let mut running = self.start("backfill");
        running.ends_with(0)
    }

    /// What readers of committed records see of a stream.
    pub fn sent(&self, stream: &str) -> Vec<Value> {
        let records = self.world.broker.committed_records(&self.world.broker.named(&format!("{}.{stream}", self.name)));
        records.iter().map(|record| serde_json::from_slice(record).unwrap()).collect()
    }

    /// The messages.
    pub fn messages(&self) -> Vec<Value> {
        self.sent(MUTATIONS)
    }

    /// The messages of each entity, in order, without what is new in every run.
    pub fn by_entity(&self) -> BTreeMap<String, Vec<Value>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for message in self.messages() {
            all.entry(message["entity_id"].as_str().unwrap().to_owned()).or_default().push(timeless(message));
        }
        all
    }

    /// All side outputs of a stream, sorted, without what is new in every run.
    pub fn sides(&self, stream: &str) -> Vec<String> {
        let mut sides: Vec<_> = self.sent(stream).into_iter().map(timeless).collect();
        for side in &mut sides {
            (side["dt"], side["original_ingestion_dt"]) = (json!(null), json!(null));
        }
        let mut sides: Vec<_> = sides.iter().map(Value::to_string).collect();
        sides.sort();
        sides
    }
}

fn timeless(mut sent: Value) -> Value {
    sent["meta"]["id"] = json!(null);
    sent["meta"]["dt"] = json!(null);
    sent
}

/// Says where two runs differ.
pub fn assert_same(one: &BTreeMap<String, Vec<Value>>, other: &BTreeMap<String, Vec<Value>>) {
    let entities: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for entity in entities {
        let of = |all: &BTreeMap<String, Vec<Value>>| all.get(entity).cloned().unwrap_or_default();
        let (one, other) = (of(one), of(other));
        let brief = |all: &[Value]| -> Vec<String> {
            let row = |value: &Value| {
                format!("{} {} {}/{}", value["operation"], value["rev_id"], value["sequence"], value["sequence_length"])
            };
            all.iter().map(row).collect()
        };
        assert!(one == other, "{entity}:\n{:#?}\n{:#?}", brief(&one), brief(&other));
    }
}

/// Says which lines only one of two has.
pub fn assert_same_lines(one: &[String], other: &[String]) {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let mut left = those.to_vec();
        let is_left = |line: &&String| match left.iter().position(|other| other == *line) {
            Some(at) => {
                left.swap_remove(at);
                false
            }
            None => true,
        };
        these.iter().filter(is_left).take(3).cloned().collect()
    };
    assert!(one == other, "{} and {}: {:#?} {:#?}", one.len(), other.len(), only(one, other), only(other, one));
}
