//! The laws of the updater, in memory, over histories of a made-up wiki.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

#[path = "../wiki/mod.rs"]
mod wiki;

mod line;
/// Events over HTTP, and what comes of breaks and kills.
mod over_http;
/// The program as a process.
mod process;
/// What was lost, found in a newer dump.
mod reconcile;
/// Who serves events over HTTP.
mod serving;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater::updater::works::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::line::{Bed, LIMITS, is_message};
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::graph::Graph;
use crate::wiki::history::{History, Shape};
use crate::wiki::records::{Disorder, Mark, Record};
use crate::wiki::turtle::Flavour;

fn history() -> impl Strategy<Value = Arc<History>> {
    let flavour = prop_oneof![5 => Just(Flavour::Wikidata), 1 => Just(Flavour::Commons)];
    let made = |(flavour, seed, steps)| History::shaped(Shape { flavour, ..Shape::default() }, seed, steps);
    (flavour, any::<u64>(), 20..160_usize).prop_map(made).prop_map(Arc::new)
}

/// A dump begun somewhere in the history, and the records of all changes since.
fn dumped(history: &History, of_1000: i64, disorder: &Disorder, seed: u64) -> (Dump, Vec<Record>) {
    let length = history.now - history.shape.start;
    let at = history.shape.start + length * of_1000 / 1000;
    let dump = history.dump(at, DumpOptions { duration: length / 4, ..DumpOptions::default() });
    let first = history.changes.iter().position(|change| change.time >= at).unwrap_or(history.changes.len());
    (dump, history.records(first..history.changes.len(), disorder, seed))
}

fn graph_of(history: &History, dump: &Dump) -> Graph {
    Graph::of_dump(&history.shape.flavour.scheme(), std::str::from_utf8(&dump.text()).unwrap())
}

/// Applies all messages, and compares with the wiki at its end.
fn assert_follows(history: &History, dump: &Dump, sent: &[Value]) {
    let mut graph = graph_of(history, dump);
    for message in sent.iter().filter(|sent| is_message(sent)) {
        graph.apply(&serde_json::to_vec(message).unwrap()).unwrap();
    }
    if let Err(report) = graph.compare(&history.munged(history.now)) {
        panic!("{report}");
    }
}

/// Messages by entity, without what is new in every run.
fn by_entity(sent: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for message in sent.iter().filter(|sent| is_message(sent)) {
        let mut message = message.clone();
        message["meta"]["id"] = json!(null);
        message["meta"]["dt"] = json!(null);
        all.entry(message["entity_id"].as_str().unwrap().to_owned()).or_default().push(message);
    }
    all
}

/// So many cases, unless `PROPTEST_CASES` says otherwise.
fn cases(some: u32) -> ProptestConfig {
    let all = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { all } else { ProptestConfig { cases: some, ..all } }
}

proptest! {
    #![proptest_config(cases(96))]

    /// The master law: the dump of one time and the stream to another are the dump of the other.
    #[test]
    fn a_dump_and_the_stream_since_are_the_wiki(history in history(), of_1000 in 0..1000_i64, seed in any::<u64>()) {
        let (dump, records) = dumped(&history, of_1000, &Disorder::USUAL, seed);
        let dir = tempfile::tempdir().unwrap();
        let bed = Bed::new(&history, records, dump.revisions.clone(), &dir.path().join("sent"));
        bed.run(&mut bed.open());
        assert_follows(&history, &dump, &bed.sent());
    }

    /// Edits that become one lead to the same graph, with no more messages.
    #[test]
    fn what_becomes_one_is_the_same_in_the_end(history in history(), of_1000 in 0..1000_i64, seed in any::<u64>()) {
        let (dump, records) = dumped(&history, of_1000, &Disorder::USUAL, seed);
        let dir = tempfile::tempdir().unwrap();
        let mut bed = Bed::new(&history, records, dump.revisions.clone(), &dir.path().join("sent"));
        bed.limits = Limits { begun: 1, waiting: 1000, coalesce: true };
        bed.run(&mut bed.open());
        assert_follows(&history, &dump, &bed.sent());
    }

    /// Killed anywhere is never killed: each entity is told the same, once, if its events come in order.
    #[test]
    fn killed_anywhere_is_never_killed(
        history in history(),
        of_1000 in 0..1000_i64,
        seed in any::<u64>(),
        kills in prop::collection::vec(1..60_usize, 1..8),
    ) {
        let (dump, records) = dumped(&history, of_1000, &Disorder { is_keyed: true, ..Disorder::USUAL }, seed);
        let dir = tempfile::tempdir().unwrap();
        let mut whole = Bed::new(&history, records.clone(), dump.revisions.clone(), &dir.path().join("whole"));
        whole.is_timeless = true;
        whole.run(&mut whole.open());
        let mut killed = Bed::new(&history, records, dump.revisions.clone(), &dir.path().join("killed"));
        killed.is_timeless = true;
        killed.checkpoints = Some(headwater::storage::Location::memory());
        let ended = kills.iter().any(|turns| killed.run_and_kill(killed.open(), *turns));
        if !ended {
            killed.run(&mut killed.open());
        }
        prop_assert_eq!(by_entity(&killed.sent()), by_entity(&whole.sent()));
        assert_follows(&history, &dump, &killed.sent());
    }

    /// Whatever is wrong with events, each is answered, and what cannot be followed is told.
    #[test]
    fn what_is_late_or_none_is_told(history in history(), seed in any::<u64>()) {
        let (dump, records) = dumped(&history, 0, &Disorder::BAD, seed);
        let count = |is: fn(&Mark) -> bool| records.iter().filter(|record| is(&record.mark)).count();
        let malformed = count(|mark| matches!(mark, Mark::Malformed));
        let late = count(|mark| matches!(mark, Mark::Late(_)));
        let dir = tempfile::tempdir().unwrap();
        let mut bed = Bed::new(&history, records, dump.revisions, &dir.path().join("sent"));
        bed.limits = LIMITS;
        bed.run(&mut bed.open());
        let sent = bed.sent();
        let told = |what: &str| sent.iter().filter(|sent| sent["$schema"].as_str().is_some_and(|schema| schema.contains(what))).count();
        prop_assert_eq!(sent.iter().filter(|sent| sent["cause"].is_string()).count(), malformed);
        prop_assert!(told("lapsed_action") >= late, "{} of {late}", told("lapsed_action"));
    }
}
