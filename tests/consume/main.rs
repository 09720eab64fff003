//! The laws of the consumer, in memory, over histories of a made-up wiki.
//!
//! Promise: everything but the store is the real thing: messages are read from a file, put together, merged and applied.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

mod line;
mod store;
#[path = "../wiki/mod.rs"]
mod wiki;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use headwater::consume::ConsumeError;
use headwater::consume::line::{OnBadRecord, Pace};
use headwater::consume::patience::Limits;
use headwater::consume::service::{self, Config, Messages, Start, Watcher};
use headwater::diff::Coverage;
use headwater::env::Env;
use headwater::storage::Location;
use headwater::wikibase::entity::EntityId;
use headwater::wikibase::timestamp::Timestamp;
use proptest::prelude::*;

use crate::store::{Fault, Memory};
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::graph::Graph;
use crate::wiki::history::{History, Shape};
use crate::wiki::stream::Writer;
use crate::wiki::turtle::Flavour;

fn history() -> impl Strategy<Value = Arc<History>> {
    let flavour = prop_oneof![5 => Just(Flavour::Wikidata), 1 => Just(Flavour::Commons)];
    let made = |(flavour, seed, steps)| History::shaped(Shape { flavour, ..Shape::default() }, seed, steps);
    (flavour, any::<u64>(), 20..160_usize).prop_map(made).prop_map(Arc::new)
}

/// Names of consumers, before and after those of all runs.
const FIRST: &str = "-";
const LAST: &str = "~";

/// How a stream is made and followed.
#[derive(Clone, Debug)]
struct Plan {
    /// When the dump is begun, of 1000.
    of_1000: i64,
    /// Whether the stream was there before the dump, rather than being begun with it.
    is_older: bool,
    /// How long a message's triples may be.
    limit: usize,
    /// How many triples an update may have.
    most: usize,
    /// What happens to updates.
    faults: Vec<Fault>,
    /// After which changes an entity is reconciled for nothing, of 100.
    reconciled: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Busy),
        1 => Just(Fault::Unheard),
        1 => Just(Fault::Lied),
        1 => Just(Fault::KilledBefore),
        1 => Just(Fault::KilledAfter),
        1 => Just(Fault::PutBack),
        1 => Just(Fault::PutBackLater),
        1 => prop_oneof![Just(Fault::Twice(FIRST)), Just(Fault::Twice(LAST))],
        2 => Just(Fault::Late),
    ];
    let faults = prop::collection::vec(fault, 0..40);
    (0..1000_i64, any::<bool>(), 500..40_000_usize, 1..2000_usize, faults, 0..30_u64).prop_map(
        |(of_1000, is_older, limit, most, faults, reconciled)| Plan {
            of_1000,
            is_older,
            limit,
            most,
            faults,
            reconciled,
        },
    )
}

/// The dump, and the messages since it was begun.
fn told(history: &History, plan: &Plan) -> (Dump, Vec<Vec<u8>>) {
    let length = history.now - history.shape.start;
    let at = history.shape.start + length * plan.of_1000 / 1000;
    let dump = history.dump(at, DumpOptions { duration: length / 4, ..DumpOptions::default() });
    let nothing = BTreeMap::new();
    let mut writer = Writer::new(history, if plan.is_older { &nothing } else { &dump.revisions });
    writer.limit = plan.limit;
    let mut messages = Vec::new();
    let mut seen = Vec::new();
    for (number, change) in history.changes.iter().enumerate() {
        if !plan.is_older && change.time < at {
            continue;
        }
        let answer = writer.answer(number);
        if change.time < at {
            continue;
        }
        messages.extend(answer);
        seen.push(change.entity);
    }
    // At the end, so that it brings what there is at the end.
    let again: std::collections::BTreeSet<EntityId> = seen
        .into_iter()
        .enumerate()
        .filter(|(at, _)| (*at as u64 * 7) % 100 < plan.reconciled)
        .map(|(_, id)| id)
        .collect();
    for entity in again {
        messages.extend(writer.reconcile(entity, Coverage::Complete));
    }
    (dump, messages)
}

/// A small wiki, a dump of it, and its messages, each a mutation.
fn mutations() -> (Arc<History>, Dump, Vec<Vec<u8>>) {
    let history = Arc::new(History::random(7, 60));
    let plan = Plan { of_1000: 0, is_older: false, limit: 40_000, most: 1, faults: vec![], reconciled: 0 };
    let (dump, messages) = told(&history, &plan);
    (history, dump, messages)
}

fn config(history: &History, messages: &Path, most: usize) -> Config {
    Config {
        scheme: history.shape.flavour.scheme(),
        domain: history.shape.flavour.host().to_owned(),
        source: Messages::Files(vec![Location::parse(messages.to_str().unwrap()).unwrap()]),
        start: Some(Start::Earliest),
        is_anew: false,
        until_end: false,
        pace: Pace {
            first: most,
            least: 1,
            most,
            aim: Duration::from_secs(1),
            linger: Duration::from_secs(3600),
            sample: 4,
            patience: Limits { pause: Duration::ZERO, give_up: Duration::from_secs(3600) },
        },
        on_bad: OnBadRecord::Stop,
        run: Some(headwater::env::new_id()),
    }
}

fn watcher() -> Watcher {
    Watcher::new(Timestamp::default, &Arc::new(AtomicBool::new(false)), Box::new(|_| {}))
}

fn write(path: &Path, messages: &[Vec<u8>]) {
    std::fs::write(path, messages.iter().flat_map(|message| [message, &b"\n"[..]].concat()).collect::<Vec<_>>())
        .unwrap();
}

/// The lines of a munged dump.
fn lines(graph: &Graph) -> impl Iterator<Item = String> {
    graph.triples.iter().flat_map(|(subject, all)| all.iter().map(move |rest| format!("{subject} {rest} .")))
}

/// Whether a store holds what the wiki says, and nothing else but what messages leave behind.
fn compare(history: &History, dump: &Dump, messages: &[Vec<u8>], store: &Memory) -> Result<(), String> {
    let mut graph = Graph::of_dump(&history.shape.flavour.scheme(), std::str::from_utf8(&dump.text()).unwrap());
    for message in messages {
        graph.apply(message).unwrap();
    }
    graph.triples.clear();
    for line in &store.held.borrow().lines {
        let (subject, rest) = line.split_once(' ').unwrap();
        let rest = rest.strip_suffix(" .").unwrap().to_owned();
        graph.triples.entry(subject.to_owned()).or_default().insert(rest);
    }
    graph.compare(&history.munged(history.now))
}

proptest! {
    #![proptest_config(cases(64))]

    /// The master law: a store with the dump of one time and the stream since is as the wiki is, wherever updates are cut, whatever is
    /// killed, unheard, untrue or put back, and whatever of the stream the dump has already.
    #[test]
    fn a_dump_and_the_stream_since_are_the_wiki(history in history(), plan in plan()) {
        let (dump, messages) = told(&history, &plan);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mutations.ndjson");
        write(&file, &messages);
        let loaded = Graph::of_dump(&history.shape.flavour.scheme(), std::str::from_utf8(&dump.text()).unwrap());
        let mut store = Memory::new(&history.shape.flavour.scheme(), lines(&loaded), &plan.faults);
        let mut config = config(&history, &file, plan.most);
        let mut runs = 0;
        let summary = loop {
            runs += 1;
            config.run = Some(headwater::env::new_id());
            match service::run(&config, &mut store, &Env::default(), &mut watcher()) {
                Ok(summary) => break summary,
                Err(error) => prop_assert!(runs <= plan.faults.len() + 1, "{}", error),
            }
        };
        prop_assert_eq!(summary.reason, "at the end");
        if let Err(report) = compare(&history, &dump, &messages, &store) {
            panic!("{report}\n{plan:?}");
        }
        // An hour old copy catches up to the same.
        let end = store.held.borrow().clone();
        if let Err(report) = {
            let copy = Memory::new(&history.shape.flavour.scheme(), lines(&loaded), &[]);
            *copy.held.borrow_mut() = store.copy();
            service::run(&config, &mut copy.clone(), &Env::default(), &mut watcher()).unwrap();
            compare(&history, &dump, &messages, &copy)
        } {
            panic!("{report}\n{plan:?}");
        }
        prop_assert_eq!(&end, &*store.held.borrow());
    }

    /// A stream that nothing is wrong with has no divergences.
    #[test]
    fn nothing_diverges_without_cause(history in history(), of_1000 in 0..1000_i64) {
        let plan = Plan { of_1000, is_older: false, limit: 40_000, most: 1, faults: vec![], reconciled: 0 };
        let (dump, messages) = told(&history, &plan);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mutations.ndjson");
        write(&file, &messages);
        let loaded = Graph::of_dump(&history.shape.flavour.scheme(), std::str::from_utf8(&dump.text()).unwrap());
        let mut store = Memory::new(&history.shape.flavour.scheme(), lines(&loaded), &[]);
        let summary = service::run(&config(&history, &file, 1), &mut store, &Env::default(), &mut watcher()).unwrap();
        prop_assert_eq!(summary.totals.divergences.of_sample, 0);
    }
}

/// So many cases, unless `PROPTEST_CASES` says otherwise.
fn cases(some: u32) -> ProptestConfig {
    let all = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { all } else { ProptestConfig { cases: some, ..all } }
}

/// Where something is wrong with a stream: which error, how many mutations are applied nevertheless, and what comes of leaving it out.
#[test]
fn what_is_wrong_is_named_as_in_this_table() {
    let history = Arc::new(History::random(7, 60));
    let plan = Plan { of_1000: 0, is_older: false, limit: 700, most: 1, faults: vec![], reconciled: 0 };
    let (_, messages) = told(&history, &plan);
    let parsed = |message: &[u8]| -> serde_json::Value { serde_json::from_slice(message).unwrap() };
    let length = |message: &Vec<u8>| parsed(message)["sequence_length"].as_u64().unwrap();
    let long = messages.iter().position(|message| length(message) > 2).unwrap();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut message = parsed(&messages[long]);
        change(&mut message);
        [&messages[..long], &[serde_json::to_vec(&message).unwrap()], &messages[long + 1..]].concat()
    };
    let without = |at: usize| [&messages[..at], &messages[at + 1..]].concat();
    let rows: [(&str, Vec<Vec<u8>>, &str); 7] = [
        ("no JSON", [&messages[..long], &[b"{".to_vec()], &messages[long..]].concat(), "this is no message"),
        (
            "another schema",
            changed(&|message| message["$schema"] = "/x/rdf_change/3.0.0".into()),
            "is no schema of mutations",
        ),
        ("no first message", without(long), "without those before it"),
        ("no second message", without(long + 1), ", message 2 of "),
        ("no end", messages[..=long].to_vec(), "the stream ends within a mutation: of "),
        (
            "no Turtle",
            changed(&|message| message["rdf_added_data"]["data"] = "<x:a> <x:b> ".into()),
            "its triples are no Turtle: byte",
        ),
        (
            "a blank node",
            changed(&|message| message["rdf_added_data"]["data"] = "_:b <x:b> 1 .".into()),
            "a blank node",
        ),
    ];
    for (what, messages, expected) in rows {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mutations.ndjson");
        write(&file, &messages);
        let mut config = config(&history, &file, 1);
        let mut store = Memory::new(&history.shape.flavour.scheme(), [], &[]);
        let error = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap_err();
        let told = service_error(&error);
        assert!(told.contains(expected), "{what}: {told}");
        // All before it is applied, and nothing of it.
        let at = store.held.borrow().says().position.places[0].next;
        let before: usize = messages[..long].iter().map(|message| message.len() + 1).sum();
        assert!(at <= before as u64, "{what}: {at} of {before}");
        if what != "no end" {
            assert!(told.contains("mutations.ndjson/0 "), "{what}: it names the place: {told}");
            config.on_bad = OnBadRecord::Skip;
            let summary = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap();
            assert!(summary.totals.skipped >= 1, "{what}");
            assert_eq!(summary.reason, "at the end", "{what}");
        }
    }
}

/// A file is read, and again when it is as it is then: what is wrong, if anything is.
#[test]
fn a_stream_that_is_another_is_told_as_in_this_table() {
    let (history, _, messages) = mutations();
    let text = |messages: &[Vec<u8>]| messages.join(&b"\n"[..]);
    let (half, all) = (text(&messages[..20]), text(&messages));
    let other =
        |text: &[u8], from: &str, to: &str| String::from_utf8(text.to_vec()).unwrap().replace(from, to).into_bytes();
    let request = String::from_utf8(messages[19].clone()).unwrap();
    let id = request.split("\"id\":\"").nth(1).unwrap()[..36].to_owned();
    let another = other(&all, &id, "00000000-0000-4000-8000-000000000000");
    let line = |text: &[u8]| [text, b"\n"].concat();
    let is_other = "this is not the message that the store has read last";
    let rows = [
        ("it is the same", line(&half), line(&half), ""),
        ("it has grown", line(&half), line(&all), ""),
        ("its last line had no end", half.clone(), line(&all), ""),
        ("its last line had none, and has one", half.clone(), line(&half), ""),
        ("another message came last", line(&half), another.clone(), is_other),
        ("another message came last, without an end", half.clone(), another, is_other),
        ("the last line has no end, and goes on", half.clone(), [&half[..], b"}"].concat(), is_other),
        ("it is cut", line(&half), half[..half.len() - 10].to_vec(), "bytes"),
        ("nothing but white space", line(&half), vec![b' '; all.len()], is_other),
    ];
    for (what, before, after, expected) in rows {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mutations.ndjson");
        let config = config(&history, &file, 1);
        let mut store = Memory::new(&history.shape.flavour.scheme(), [], &[]);
        std::fs::write(&file, before).unwrap();
        service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap();
        std::fs::write(&file, after).unwrap();
        let held = store.held.borrow().clone();
        let run = service::run(&config, &mut store, &Env::default(), &mut watcher());
        match run {
            Ok(_) => assert_eq!(expected, "", "{what}"),
            Err(error) => {
                let told = service_error(&error);
                assert!(!expected.is_empty() && told.contains(expected), "{what}: {told}");
                assert_eq!(store.held.borrow().lines, held.lines, "{what}: nothing is applied");
            }
        }
    }
}

/// Two consumers that are equally far: the first time it may be what one that was killed had sent; after that, one of the two stays.
#[test]
fn another_consumer_is_told() {
    let (history, _, messages) = mutations();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mutations.ndjson");
    write(&file, &messages);
    let rows = [
        (vec![Fault::Twice(FIRST)], false),
        (vec![Fault::Twice(FIRST), Fault::Twice(FIRST)], true),
        (vec![Fault::Twice(LAST), Fault::Twice(LAST), Fault::Twice(LAST)], false),
        (vec![Fault::Lied, Fault::None, Fault::Late, Fault::None, Fault::Lied, Fault::None, Fault::Late], false),
    ];
    for (faults, is_told) in rows {
        let mut store = Memory::new(&history.shape.flavour.scheme(), [], &faults);
        let run = service::run(&config(&history, &file, 1), &mut store, &Env::default(), &mut watcher());
        assert_eq!(matches!(run, Err(ConsumeError::Another { .. })), is_told, "{faults:?}: {run:?}");
        assert!(is_told || run.is_ok(), "{faults:?}: {run:?}");
    }
}

/// What a store does not take is found and named; the rest of the update is applied.
#[test]
fn what_a_store_refuses_is_named() {
    let (history, dump, mut messages) = mutations();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mutations.ndjson");
    let scheme = history.shape.flavour.scheme();
    for at in [0, 13, messages.len()] {
        let mut odd: serde_json::Value = serde_json::from_slice(&messages[13]).unwrap();
        odd["operation"] = "import".into();
        odd["entity_id"] = "Q77777".into();
        odd["rdf_added_data"] = serde_json::json!({ "data": "<x:a> <x:b> \"odd\" .", "mime_type": "text/turtle" });
        messages.insert(at, serde_json::to_vec(&odd).unwrap());
        write(&file, &messages);
        let place: usize = messages[..at].iter().map(|message| message.len() + 1).sum();
        let mut config = config(&history, &file, 100_000);
        let mut store = Memory::new(&scheme, [], &[]);
        store.refused = Some("\"odd\"");
        let error = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap_err();
        let told = service_error(&error);
        assert!(told.contains(&format!("mutations.ndjson/0 {place}: the store does not take it")), "{place}: {told}");
        let reached = store.held.borrow().says().position.places.first().map_or(0, |place| place.next);
        assert_eq!(reached, place as u64, "all before it is applied");
        config.on_bad = OnBadRecord::Skip;
        let summary = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap();
        assert_eq!(summary.totals.skipped, 1);
        messages.remove(at);
        compare(&history, &dump, &messages, &store).unwrap();
        // Nor is it passed over if what follows cannot be in one update with it.
        let mut next = odd.clone();
        (odd["operation"], next["operation"]) = ("reconcile".into(), "diff".into());
        next["rdf_added_data"]["data"] = "<x:a> <x:b> \"next\" .".into();
        write(&file, &[&odd, &next].map(|message| serde_json::to_vec(message).unwrap()));
        config.on_bad = OnBadRecord::Stop;
        let mut store = Memory::new(&scheme, [], &[]);
        store.refused = Some("\"odd\"");
        let error = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap_err();
        assert!(service_error(&error).contains("/0 0: the store does not take it"), "{error}");
        assert!(store.held.borrow().says().position.places.is_empty(), "nothing is passed over");
        // A store that takes nothing is not taken for one.
        write(&file, &messages);
        let mut store = Memory::new(&scheme, [], &[]);
        store.refused = Some("");
        let error = service::run(&config, &mut store, &Env::default(), &mut watcher()).unwrap_err();
        assert!(matches!(error, ConsumeError::Target(_)), "{error}");
    }
}

fn service_error(error: &ConsumeError) -> String {
    headwater::updater::service::in_full(error)
}
