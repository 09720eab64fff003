//! What the stream missed is found and repaired, with real Kafka between all processes.
//!
//! Seeds are printed; `HEADWATER_SEED` gives one.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::collections::BTreeSet;
use std::fs;

use headwater::wikibase::timestamp::Timestamp;

use crate::broker::{Broker, KAFKA};
use crate::room::given;
use crate::updater::seed;
use crate::wiki::dump::DumpOptions;
use crate::wiki::history::History;
use crate::wiki::random::Random;
use crate::wiki::records::{Disorder, Mark};
use crate::wiki::server::{Trouble, Until};
use crate::world::{FETCH_FAILED, INCONSISTENT, Job, LAPSED, RECONCILE, World};

/// Events are lost, documents cannot be had; after `reconcile dump` and what the updater makes of it, the graph is that of the wiki. A
/// second run sends nothing again; and after the repair nothing is found.
#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn what_was_lost_is_found_in_a_newer_dump() {
    const HISTORIES: u64 = 4;
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let (mut lost, mut repaired) = (0, 0);
    for number in 0..HISTORIES {
        let (events, repairs) = one_history(number, seed.wrapping_add(number));
        (lost, repaired) = (lost + events, repaired + repairs);
    }
    println!("{HISTORIES} histories, {lost} events lost, {repaired} entities repaired");
    assert!(repaired > HISTORIES);
}

/// How many events were lost, and how many entities repaired.
fn one_history(number: u64, seed: u64) -> (usize, u64) {
    let mut random = Random::new(seed);
    let mut world =
        World::new(Broker::new(&format!("lost{number}")), History::random(seed, 250), 200, Disorder::USUAL, seed);
    world.reconcile();
    let history = &world.history;
    let length = history.now - history.shape.start;
    // Of what happens before the second dump is begun, some is never told, or all of a part of it; some cannot be fetched at once.
    let begun = history.shape.start + length * 6 / 10;
    let silence = begun - length * (number as i64 % 3) / 10..begun;
    let is_lost = |number: usize, random: &mut Random| {
        let time = history.changes[number].time;
        time < begun && (silence.contains(&time) || random.chance(300))
    };
    let lost: BTreeSet<_> = (0..history.changes.len()).filter(|number| is_lost(*number, &mut random)).collect();
    for change in history.changes.iter().filter(|change| change.time < begun) {
        if random.chance(60) {
            world.server.trouble(change.entity, Some(change.revision), Trouble::NotFound, Until::Times(1));
        }
    }
    let told = world.records.iter().filter(|record| match record.mark {
        Mark::Event(number) | Mark::Again(number) | Mark::Late(number) => !lost.contains(&number),
        _ => true,
    });
    world.broker.put(&told.cloned().collect::<Vec<_>>());
    let mut job = world.job("job");
    job.options = format!("--reconcile-source {RECONCILE}[test]");
    job.backfill();

    let options = DumpOptions { duration: history.now - begun, ..DumpOptions::default() };
    fs::write(world.room.path("second.ttl"), history.dump(begun, options).text()).unwrap();
    let end = Timestamp::from_millis(history.now).unwrap();
    let reconcile = |more: &str, file: &str| {
        let (brokers, api, to) =
            (&world.broker.brokers, world.server.api(), world.broker.named(&format!("eqiad.{RECONCILE}")));
        let arguments = format!(
            "reconcile dump --json --quiet --state {} --dump $DIR/second.ttl --dump-end {end} --confirm-with-api --api {api} \
             --brokers {brokers} --source test --audit $DIR/sent.ndjson --findings $DIR/{file} --rate 1000 {}",
            newest(&job),
            more.replace("TO", &format!("kafka:{to}")),
        );
        world.room.headwater(&arguments, 0).json()
    };
    let dry = reconcile("--dry-run", "dry.csv");
    let sent = reconcile("--to TO", "first.csv");
    let repaired = sent["sent"].as_u64().unwrap();
    assert_eq!(dry["creations"].as_u64().unwrap() + dry["deletions"].as_u64().unwrap(), repaired);
    let again = reconcile("--to TO", "again.csv");
    assert_eq!((again["sent"].as_u64(), again["sent_before"].as_u64()), (Some(0), Some(repaired)));
    job.backfill();
    println!("{seed}: {} lost, {} wrong before: {}", lost.len(), repaired, sent["counts"]);
    world.assert_follows(&job.messages());
    let after = reconcile("--dry-run", "after.csv");
    assert_eq!((after["creations"].as_u64(), after["deletions"].as_u64()), (Some(0), Some(0)), "{after}");
    side_outputs(&world, &job);
    (lost.len(), repaired)
}

/// The newest checkpoint.
fn newest(job: &Job<'_>) -> String {
    let dirs = fs::read_dir(job.checkpoints()).unwrap().map(|entry| entry.unwrap().path());
    let number = |path: &std::path::PathBuf| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix("chk-")?.split('-').next()?.parse().ok()
    };
    let newest = dirs.filter(|path| number(path).is_some()).max_by_key(|path| number(path));
    newest.unwrap().display().to_string()
}

/// What the updater told in its side outputs is read from their topics to the last, though they were written in transactions.
fn side_outputs(world: &World, job: &Job<'_>) {
    let places = [LAPSED, INCONSISTENT, FETCH_FAILED]
        .map(|stream| format!("--side-outputs kafka:{} ", world.broker.named(&format!("job.{stream}"))));
    let arguments = format!(
        "reconcile side-outputs --json --quiet {} --brokers {} --api {} --dry-run",
        places.concat(),
        world.broker.brokers,
        world.server.api()
    );
    let said = world.room.headwater(&arguments, 0).json();
    let count = |names: &[&str]| names.iter().map(|name| said[*name].as_u64().unwrap()).sum::<u64>();
    let told = [LAPSED, INCONSISTENT, FETCH_FAILED].map(|stream| job.sent(stream).len() as u64);
    assert_eq!(count(&["late", "inconsistent", "failed", "harmless"]), told.iter().sum::<u64>(), "{said}");
    assert!(count(&["failed"]) <= told[2] && count(&["creations", "deletions", "gone"]) <= told.iter().sum());
}
