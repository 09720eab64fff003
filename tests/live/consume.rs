//! Real stores are kept up to date, and compared with a made-up wiki.
//!
//! Promise: all but the wiki is the real thing: what `import` wrote is loaded, the program follows messages in files or in real Kafka,
//! and both it and the store are killed.
//! Seeds are printed; `HEADWATER_SEED` gives one.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use headwater::diff::Coverage;
use headwater::sparql::{Graph as Held, Key};

use crate::broker::{Broker, KAFKA};
use crate::room::{Room, given};
use crate::running::Running;
use crate::store::{Kind, Store};
use crate::updater::seed;
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::graph::Graph;
use crate::wiki::history::{History, Shape};
use crate::wiki::random::Random;
use crate::wiki::records::{Mark, Record};
use crate::wiki::stream::{TOPIC, Writer};
use crate::wiki::turtle::Flavour;

/// Triples that a store has besides those of the wiki: where it is, and when it was changed.
fn is_own(key: &Key) -> bool {
    key.subject == "<http://wikiba.se/ontology#Dump>"
        || key.predicate == "<http://schema.org/dateModified>" && is_root(key)
}

fn is_root(key: &Key) -> bool {
    ["<http://www.wikidata.org>", "<https://commons.wikimedia.org>"].contains(&key.subject.as_str())
}

/// A wiki, a dump of it in a store, and the messages since.
struct World {
    history: History,
    dump: Dump,
    messages: Vec<Vec<u8>>,
    room: Room,
    store: Store,
}

impl World {
    /// A dump begun after so many thousandths of the history; of a stream that was there before if `is_older`.
    fn new(kind: Kind, history: History, of_1000: i64, is_older: bool, seed: u64) -> Self {
        let length = history.now - history.shape.start;
        let begun = |of_1000: i64| {
            let options = DumpOptions { duration: length / 8, ..DumpOptions::default() };
            let at = history.shape.start + length * of_1000 / 1000;
            (at, history.dump(at, options))
        };
        let (at, dump) = (of_1000..=1000).map(begun).find(|(_, dump)| !dump.revisions.is_empty()).unwrap();
        let messages = messages(&history, &dump, at, is_older, seed);
        let room = Room::new();
        fs::write(room.path("dump.ttl"), dump.text()).unwrap();
        let wiki = scheme(&history);
        room.headwater(&format!("import --quiet {wiki} --dump $DIR/dump.ttl --format nt --output $DIR/nt"), 0);
        let store = Store::start(kind, &room.path("store"));
        for file in fs::read_dir(room.path("nt")).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "nt") {
                store.load(&fs::read_to_string(file).unwrap());
            }
        }
        Self { history, dump, messages, room, store }
    }

    /// The options that name the wiki and the store.
    fn options(&self) -> String {
        let (wiki, kind, query) = (scheme(&self.history), self.store.kind.name(), self.store.query());
        format!("consume {wiki} --store {kind} --sparql {query} --listen none --log-format json")
    }

    /// Asserts that the store is as the wiki is in the end.
    fn assert_follows(&self, what: &str) {
        let scheme = self.history.shape.flavour.scheme();
        let mut graph = Graph::of_dump(&scheme, std::str::from_utf8(&self.dump.text()).unwrap());
        // As messages spell them, where the store keeps values.
        let mut spelled: HashMap<Key, String> = HashMap::new();
        let mut spell = |graph: &Graph| {
            let lines = graph
                .triples
                .iter()
                .flat_map(|(subject, all)| all.iter().map(move |rest| format!("{subject} {rest} .\n")));
            let text: String = lines.collect();
            let held = Held::read(text.as_bytes()).unwrap();
            spelled.extend(held.iter().map(|(key, line)| (key.clone(), line.to_owned())));
        };
        spell(&graph);
        for message in &self.messages {
            graph.apply(message).unwrap();
        }
        spell(&graph);
        let mut left = Graph::new(&scheme);
        left.triples = graph.left.clone();
        spell(&left);
        let entities = self.history.munged(self.history.now);
        spell(&Graph::of(&scheme, entities.values()));
        graph.triples.clear();
        for (key, line) in self.store.graph().iter().filter(|(key, _)| !is_own(key)) {
            let line = spelled.get(key).map_or(line, String::as_str);
            let (subject, rest) = line.strip_suffix(" .").unwrap().split_once(' ').unwrap();
            graph.triples.entry(subject.to_owned()).or_default().insert(rest.to_owned());
        }
        if let Err(report) = graph.compare(&entities) {
            panic!("{what}: {report}");
        }
    }
}

fn scheme(history: &History) -> &'static str {
    match history.shape.flavour {
        Flavour::Wikidata => "--uris-scheme wikidata",
        Flavour::Commons => "--uris-scheme commons",
    }
}

/// The messages of all changes since the dump was begun; and some reconciliations.
fn messages(history: &History, dump: &Dump, at: i64, is_older: bool, seed: u64) -> Vec<Vec<u8>> {
    let nothing = BTreeMap::new();
    let mut writer = Writer::new(history, if is_older { &nothing } else { &dump.revisions });
    writer.limit = 3000;
    let (mut random, mut messages, mut seen) = (Random::new(seed), Vec::new(), Vec::new());
    for (number, change) in history.changes.iter().enumerate() {
        if change.time >= at {
            messages.extend(writer.answer(number));
            seen.push(change.entity);
        } else if is_older {
            writer.answer(number);
        }
    }
    seen.sort();
    seen.dedup();
    for entity in seen.into_iter().filter(|_| random.chance(100)) {
        messages.extend(writer.reconcile(entity, Coverage::Complete));
    }
    messages
}

fn histories(kind: Kind, count: u64) {
    if !given(kind.variable()) {
        return;
    }
    let seed = seed();
    for number in 0..count {
        let seed = seed.wrapping_add(number);
        let mut random = Random::new(seed);
        let flavour = if number % 4 == 3 { Flavour::Commons } else { Flavour::Wikidata };
        let history = History::shaped(Shape { flavour, ..Shape::default() }, seed, 150 + random.below(250) as usize);
        let world = World::new(kind, history, random.below(700) as i64, number % 2 == 1, seed);
        let text: Vec<_> = world.messages.iter().flat_map(|message| [message, &b"\n"[..]].concat()).collect();
        fs::write(world.room.path("mutations.ndjson"), text).unwrap();
        let batch = 1 + random.below(3000);
        let options = world.options();
        let said = world
            .room
            .headwater(&format!("{options} --json --messages $DIR/mutations.ndjson --earliest --batch {batch}"), 0);
        world.assert_follows(&format!("{seed}"));
        let summary = said.json();
        println!(
            "{seed}: {} messages in {} updates of {batch}, {} divergences of {}, {} reported of {}",
            world.messages.len(),
            summary["updates"],
            summary["divergences"]["of_sample"],
            summary["divergences"]["sampled"],
            summary["divergences"]["reported"],
            summary["divergences"]["expected"],
        );
        if number % 2 == 0 {
            assert_eq!(summary["divergences"]["of_sample"], 0, "{seed}: {}", said.stdout);
        }
        // Again there is nothing to do.
        let again = world.room.headwater(&format!("{options} --json --messages $DIR/mutations.ndjson --earliest"), 0);
        assert_eq!(again.json()["records"], 0, "{seed}: {}", again.stdout);
    }
}

#[test]
#[ignore = "needs a real Oxigraph: tests/live/bed run"]
fn oxigraph_with_a_dump_and_the_stream_since_is_the_wiki() {
    histories(Kind::Oxigraph, 6);
}

#[test]
#[ignore = "needs a real Blazegraph: tests/live/bed run"]
fn blazegraph_with_a_dump_and_the_stream_since_is_the_wiki() {
    histories(Kind::Blazegraph, 4);
}

/// A message in that topic.
fn record(topic: &str, time: i64, message: &[u8]) -> Record {
    Record { topic: topic.to_owned(), partition: 0, time, json: message.to_vec(), mark: Mark::Canary }
}

/// Messages in that topic, all of that time.
fn records<'m>(topic: &str, time: i64, messages: impl IntoIterator<Item = &'m Vec<u8>>) -> Vec<Record> {
    messages.into_iter().map(|message| record(topic, time, message)).collect()
}

/// Killed (SIGKILL), the consumer as the store, at random moments, while messages come into Kafka.
fn killed(kind: Kind, kills: usize, store_kills: usize) {
    if !given(KAFKA) || !given(kind.variable()) {
        return;
    }
    let seed = seed();
    let mut random = Random::new(seed);
    let mut world = World::new(kind, History::random(seed, 1500), 50, false, seed);
    let broker = Broker::new(&format!("consume-{}", kind.name()));
    let topic = broker.topic(TOPIC, 1, &[("retention.ms", "-1")]);
    let records = records(&topic, world.history.now, &world.messages);
    let mut slices = records.chunks(records.len().div_ceil(kills));
    let options =
        format!("{} --brokers {} --topic {topic} --earliest --batch 60 --linger 50ms", world.options(), broker.brokers);
    let (mut of_consumers, mut of_stores, began) = (0, 0, Instant::now());
    while of_consumers < kills {
        slices.next().into_iter().for_each(|slice| broker.put(slice));
        let mut running = Running::start(&world.room, "consumer", &options);
        std::thread::sleep(Duration::from_millis(random.below(700)));
        if of_stores < store_kills && random.chance(1000 * store_kills as u64 / kills as u64) {
            world.store.kill();
            of_stores += 1;
            // Of some the consumer sees that the store is gone.
            std::thread::sleep(Duration::from_millis(random.below(400)));
            if random.chance(500) {
                of_consumers += usize::from(running.kill());
            }
            world.store.restart();
            std::thread::sleep(Duration::from_millis(random.below(900)));
        }
        of_consumers += usize::from(running.is_running() && running.kill());
    }
    slices.for_each(|slice| broker.put(slice));
    let mut last = Running::start(&world.room, "consumer", &format!("{options} --until-end"));
    last.ends_with(0);
    println!(
        "{of_consumers} kills of consumers, {of_stores} of {kind:?}, {} messages, {:.0} s",
        world.messages.len(),
        began.elapsed().as_secs_f64()
    );
    world.assert_follows(&format!("{seed}"));
}

#[test]
#[ignore = "needs a real Kafka and Blazegraph: tests/live/bed run"]
fn blazegraph_killed_at_random_moments_is_never_killed() {
    killed(Kind::Blazegraph, 100, 25);
}

#[test]
#[ignore = "needs a real Kafka and Oxigraph: tests/live/bed run"]
fn oxigraph_killed_at_random_moments_is_never_killed() {
    if given(Kind::Oxigraph.variable()) {
        let is_lasting = Kind::Oxigraph.is_lasting();
        killed(Kind::Oxigraph, 100, if is_lasting { 50 } else { 0 });
    }
}

/// A message that only shows that a stream is alive.
fn canary(message: &[u8]) -> Vec<u8> {
    let mut message: serde_json::Value = serde_json::from_slice(message).unwrap();
    message["meta"]["domain"] = "canary".into();
    serde_json::to_vec(&message).unwrap()
}

/// A store in whose place an older copy is put catches up, while it is followed as when a consumer is started.
fn put_back(kind: Kind) {
    if !given(KAFKA) || !given(kind.variable()) {
        return;
    }
    let seed = seed();
    let mut world = World::new(kind, History::random(seed, 600), 100, false, seed);
    let broker = Broker::new(&format!("consume-back-{}", kind.name()));
    let topic = broker.topic(TOPIC, 1, &[("retention.ms", "-1")]);
    let records = records(&topic, world.history.now, &world.messages);
    // Not within a mutation.
    let is_first = |message: &Vec<u8>| memchr::memmem::find(message, b"\"sequence\":0,").is_some();
    let half = records.len() / 2;
    let (early, late) = records.split_at(half + world.messages[half..].iter().position(is_first).unwrap());
    let options = format!("{} --brokers {} --topic {topic} --earliest", world.options(), broker.brokers);
    let until_end = format!("{options} --until-end");
    let copy = world.room.path("copy");
    broker.put(early);
    world.room.headwater(&until_end, 0);
    world.store.save(&copy);
    broker.put(late);
    world.room.headwater(&until_end, 0);
    world.assert_follows(&format!("{seed}"));
    world.store.put_back(&copy);
    world.room.headwater(&until_end, 0);
    world.assert_follows(&format!("{seed}, put back before a consumer is started"));
    let mut running = Running::start(&world.room, "consumer", &options);
    running.says("caught up");
    world.store.put_back(&copy);
    // Nothing is asked while nothing comes.
    broker.put(&[record(&topic, world.history.now, &canary(&world.messages[0]))]);
    running.says("an older copy took its place");
    world.store.wait_for(&format!("{topic}/0 {}\"", records.len() + 1));
    world.assert_follows(&format!("{seed}, put back while it is followed"));
    running.terminate();
    running.ends_with(0);
}

#[test]
#[ignore = "needs a real Kafka and Blazegraph: tests/live/bed run"]
fn blazegraph_put_back_catches_up() {
    put_back(Kind::Blazegraph);
}

#[test]
#[ignore = "needs a real Kafka and Oxigraph: tests/live/bed run"]
fn oxigraph_put_back_catches_up() {
    put_back(Kind::Oxigraph);
}

/// A topic that has lost what comes next, or was made anew, is refused; so is one of several partitions.
#[test]
#[ignore = "needs a real Kafka and Oxigraph: tests/live/bed run"]
fn a_topic_that_does_not_fit_is_refused() {
    if !given(KAFKA) || !given(Kind::Oxigraph.variable()) {
        return;
    }
    let seed = seed();
    let world = World::new(Kind::Oxigraph, History::random(seed, 200), 100, false, seed);
    let broker = Broker::new("consume-odd");
    let [topic, other, wide] = [("x", 1), ("other", 1), ("wide", 2)]
        .map(|(name, partitions)| broker.topic(name, partitions, &[("retention.ms", "-1")]));
    let put = |topic: &str, messages: &[Vec<u8>]| {
        let records: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(at, message)| record(topic, broker.base + at as i64 * 1000, message))
            .collect();
        broker.put(&records);
    };
    put(&topic, &world.messages);
    put(&other, &world.messages[..1]);
    let run = |topic: &str, more: &str, code: i32| {
        let (options, brokers) = (world.options(), &broker.brokers);
        let said =
            world.room.headwater(&format!("{options} --brokers {brokers} --topic {topic} --until-end {more}"), code);
        said.stderr
    };
    let rows = [
        (run(&topic, "", 2), "nothing tells where to begin"),
        (run(&wide, "--earliest", 2), "has 2 partitions"),
        (run(&broker.named("none"), "--earliest", 2), "is not there"),
        (run(&topic, &format!("--since {}", broker.time(100_000)), 1), "that is yet to come"),
        (run(&topic, "--committed", 2), "has committed no offset"),
    ];
    for (said, expected) in rows {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // A time is one in milliseconds: the messages since then, and no others.
    let half = world.messages.len() as i64 / 2;
    let said = world.room.headwater(
        &format!(
            "{} --dry-run --quiet --brokers {} --topic {topic} --until-end --since {}",
            world.options().replace("--log-format json", ""),
            broker.brokers,
            broker.time(half)
        ),
        0,
    );
    assert!(said.stdout.contains(&format!("\"{topic}/0 {}\"", world.messages.len())), "{}", said.stdout);
    run(&topic, "--earliest", 0);
    world.assert_follows(&format!("{seed}"));
    let said = run(&other, "--earliest", 2);
    assert!(said.contains("which is no position in"), "{said}");
    // What was read last may be gone: nothing is missed.
    broker.delete_before(&topic, 0, -1);
    run(&topic, "", 0);
    // What was not read is deleted.
    put(&topic, &world.messages[..2]);
    broker.delete_before(&topic, 0, -1);
    let said = run(&topic, "", 1);
    assert!(said.contains("is lost"), "{said}");
    // The topic is made anew: as long, longer, shorter.
    let turned: Vec<_> = world.messages.iter().rev().chain(&world.messages).cloned().collect();
    let all = world.messages.len();
    let rows = [(all, "is not the message"), (all + 2, "is not the message"), (1, "ends at offset 1")];
    for (count, expected) in rows {
        broker.topic_anew(&topic, &[("retention.ms", "-1")]);
        put(&topic, &turned[..count]);
        let said = run(&topic, "", 1);
        assert!(said.contains(expected), "{count}: {said}");
    }
    world.assert_follows(&format!("{seed}"));
}

/// A topic that is made anew while it is followed is no longer followed, though the client would go on in it at the next offset; nothing
/// of it is applied.
#[test]
#[ignore = "needs a real Kafka and Oxigraph: tests/live/bed run"]
fn a_topic_made_anew_while_it_is_followed_is_left() {
    if !given(KAFKA) || !given(Kind::Oxigraph.variable()) {
        return;
    }
    let seed = seed();
    let world = World::new(Kind::Oxigraph, History::random(seed, 100), 100, false, seed);
    let broker = Broker::new("consume-followed");
    let topic = broker.topic("x", 1, &[("retention.ms", "-1")]);
    let now = world.history.now;
    let options = format!("{} --brokers {} --topic {topic} --earliest", world.options(), broker.brokers);
    broker.put(&records(&topic, now, &world.messages));
    world.room.headwater(&format!("{options} --until-end"), 0);
    let mut running = Running::start(&world.room, "consumer", &options);
    running.says("caught up");
    // What was read may go.
    broker.delete_before(&topic, 0, -1);
    broker.put(&records(&topic, now, [&canary(&world.messages[0])]));
    world.store.wait_for(&format!("{topic}/0 {}\"", world.messages.len() + 1));
    // The client is to find the new topic longer than the old one was.
    running.pause();
    broker.topic_anew(&topic, &[("retention.ms", "-1")]);
    broker.put(&records(&topic, now, world.messages.iter().rev().chain(&world.messages)));
    running.go_on();
    let said = running.ends_with(1);
    assert!(said.contains("is not the message that the store has read last"), "{said}");
    world.assert_follows(&format!("{seed}"));
}
