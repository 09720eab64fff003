//! The updater as a process, on real Kafka: the laws of `tests/updater`, and what only a real world does to it.
//!
//! Seeds are printed; `HEADWATER_SEED` gives one.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::broker::{Broker, KAFKA};
use crate::own_kafka::OwnKafka;
use crate::room::given;
use crate::wiki::events::Form;
use crate::wiki::history::{History, Kind, Shape};
use crate::wiki::random::Random;
use crate::wiki::records::{Disorder, Mark};
use crate::wiki::server::{Trouble, Until};
use crate::wiki::turtle::Flavour;
use crate::world::{DEAD, FETCH_FAILED, INCONSISTENT, LAPSED, World, assert_same, assert_same_lines};

const SECOND: Duration = Duration::from_secs(1);
/// With it all runs tell the same of each entity.
const KEYED: Disorder = Disorder { is_keyed: true, ..Disorder::USUAL };

/// A seed, which is printed.
pub fn seed() -> u64 {
    let given = std::env::var("HEADWATER_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = given.unwrap_or_else(now);
    println!("HEADWATER_SEED={seed}");
    seed
}

/// A wiki in the bed's Kafka, all of whose events are there.
fn world(name: &str, seed: u64, steps: usize) -> World {
    let world = World::new(Broker::new(name), History::random(seed, steps), 300, KEYED, seed);
    world.broker.put(&world.records);
    world
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn a_dump_and_the_stream_since_are_the_wiki() {
    const HISTORIES: u64 = 12;
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let (mut changes, mut messages) = (0, 0);
    for number in 0..HISTORIES {
        let seed = seed.wrapping_add(number);
        let mut random = Random::new(seed);
        let flavour = if number % 6 == 5 { Flavour::Commons } else { Flavour::Wikidata };
        let form = if number % 3 == 1 { Form::Legacy } else { Form::PageChange };
        let disorder = Disorder { form, partitions: 2 + number as i32 % 4, malformed: 20, ..Disorder::USUAL };
        let steps = 60 + random.below(120) as usize;
        let history = History::shaped(Shape { flavour, ..Shape::default() }, seed, steps);
        let at = random.below(800) as i64;
        let world = World::new(Broker::new(&format!("law{number}")), history, at, disorder, seed);
        world.broker.put(&world.records);
        let mut job = world.job("job");
        job.options = if number % 4 == 3 { "--coalesce".to_owned() } else { String::new() };
        let log = job.backfill();
        let sent = job.messages();
        println!("{seed}: {} changes, {} messages", world.history.changes.len(), sent.len());
        world.assert_follows(&sent);
        assert_eq!(job.sent(LAPSED), [Value::Null; 0], "{log}");
        assert!(job.sent(DEAD).len() <= world.records.iter().filter(|record| record.mark == Mark::Malformed).count());
        (changes, messages) = (changes + world.history.changes.len(), messages + sent.len());
    }
    println!("{HISTORIES} histories, {changes} changes, {messages} messages");
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn killed_at_random_moments_is_never_killed() {
    const KILLS: usize = 110;
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let mut random = Random::new(seed);
    let world = World::new(Broker::new("crash"), History::random(seed, 3500), 50, KEYED, seed);
    // Some of it is there from the start, and more comes with each start.
    let (first, rest) = world.records.split_at(world.records.len() * 4 / 10);
    world.broker.put(first);
    let mut slices = rest.chunks(rest.len() / KILLS);
    let mut killed = world.job("killed");
    killed.options = "--in-flight 2".to_owned();
    world.server.delay(Duration::from_millis(25));
    let (mut kills, mut starts, mut of_streams, mut restored, began) = (0, 0, 0, 0, Instant::now());
    while kills < KILLS {
        starts += 1;
        assert!(starts < 4 * KILLS, "{kills} kills in {starts} starts");
        slices.next().into_iter().for_each(|slice| world.broker.put(slice));
        let what = if random.chance(333) { "stream" } else { "backfill" };
        let mut running = killed.start(what);
        // Many in their work, the others also while they begin.
        if random.chance(600) {
            running.says("\"restored\"");
            std::thread::sleep(Duration::from_millis(random.below(700)));
        } else {
            std::thread::sleep(Duration::from_millis(random.below(1200)));
        }
        let was_killed = running.kill();
        kills += usize::from(was_killed);
        of_streams += usize::from(was_killed && what == "stream");
        restored += usize::from(running.log().contains("\"restored\""));
    }
    let took = began.elapsed();
    slices.for_each(|slice| world.broker.put(slice));
    world.server.delay(Duration::ZERO);
    killed.backfill();
    let whole = world.job("whole");
    whole.backfill();

    let (of_killed, of_whole) = (killed.by_entity(), whole.by_entity());
    let count = of_whole.values().map(Vec::len).sum::<usize>();
    println!(
        "{kills} kills ({of_streams} of stream) in {starts} starts and {:.0} s, {restored} of which had begun to work; \
         {} changes, {} entities, {count} messages",
        took.as_secs_f64(),
        world.history.changes.len(),
        of_whole.len(),
    );
    assert_same(&of_killed, &of_whole);
    for stream in [LAPSED, INCONSISTENT, FETCH_FAILED, DEAD] {
        assert_same_lines(&killed.sides(stream), &whole.sides(stream));
    }
    assert_eq!(whole.sides(LAPSED), [""; 0]);
    world.assert_follows(&killed.messages());
    assert!(restored > KILLS / 2, "most are killed before they begin");
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn a_broker_that_dies_is_waited_for() {
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let mut kafka = OwnKafka::new();
    let broker = Broker::at(&kafka.brokers(), "outage");
    let world = World::new(broker, History::random(seed, 600), 100, KEYED, seed);
    // A third of the records each time: what comes when Kafka is back must find nobody taken for idle.
    let mut thirds = world.records.chunks(world.records.len().div_ceil(3));
    thirds.next().into_iter().for_each(|records| world.broker.put(records));
    let mut job = world.job("job");
    job.options = "--in-flight 1 --timeout 5s --idleness 6s".to_owned();
    world.server.delay(Duration::from_millis(10));
    let mut running = job.start("stream");
    running.says("checkpoint_taken");
    for (records, pause) in thirds.zip([1, 8]) {
        std::thread::sleep(2 * SECOND);
        kafka.kill();
        std::thread::sleep(pause * SECOND);
        kafka.start();
        world.broker.put(records);
    }
    std::thread::sleep(2 * SECOND);
    running.terminate();
    let log = running.ends_with(0);
    world.server.delay(Duration::ZERO);
    job.backfill();
    assert_eq!(job.sides(LAPSED), [""; 0], "{log}");
    let restarts = log.matches("\"restarting\"").count();
    println!("{restarts} restarts of the line");
    assert!(restarts > 0, "{log}");
    let whole = world.job("whole");
    whole.backfill();
    assert_same(&job.by_entity(), &whole.by_entity());
    world.assert_follows(&job.messages());
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn storage_that_fails_for_a_while_does_no_harm() {
    if !given(KAFKA) {
        return;
    }
    let world = world("storage", seed(), 1500);
    let mut job = world.job("job");
    job.options = "--in-flight 1 --timeout 4s -X transaction.timeout.ms=4000".to_owned();
    world.server.delay(Duration::from_millis(15));
    let mut running = job.start("backfill");
    running.says("checkpoint_taken");
    let (dir, away) = (job.checkpoints(), world.room.path("away"));
    for _ in 0..3 {
        fs::rename(&dir, &away).unwrap();
        fs::write(&dir, "in the way").unwrap();
        std::thread::sleep(SECOND);
        fs::remove_file(&dir).unwrap();
        fs::rename(&away, &dir).unwrap();
        std::thread::sleep(SECOND / 2);
    }
    let failed = running.log().matches("\"checkpoint_failed\"").count();
    assert!(failed >= 3, "{}", running.log());

    // For longer than Kafka lets a transaction be open: it is begun anew, from the last checkpoint.
    fs::rename(&dir, &away).unwrap();
    fs::write(&dir, "in the way").unwrap();
    running.says("\"restarting\"");
    std::thread::sleep(SECOND);
    fs::remove_file(&dir).unwrap();
    fs::rename(&away, &dir).unwrap();
    running.says_times("\"restored\"", 2);
    assert!(running.is_running(), "it is to be killed in its work");
    running.kill();

    // A directory that cannot be read: something is in the way, or the checkpoint is gone.
    fs::rename(&dir, &away).unwrap();
    fs::write(&dir, "in the way").unwrap();
    let said = job.start("backfill").ends_with(2);
    assert!(said.contains(&*dir.to_string_lossy()) && said.contains("hint: "), "{said}");
    fs::remove_file(&dir).unwrap();
    let said = job.start("backfill").ends_with(1);
    assert!(said.contains(&*dir.to_string_lossy()) && said.contains("hint: "), "{said}");
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&away, &dir).unwrap();

    job.backfill();
    let whole = world.job("whole");
    whole.backfill();
    println!("{failed} checkpoints failed");
    for stream in [LAPSED, INCONSISTENT, FETCH_FAILED, DEAD] {
        assert_same_lines(&job.sides(stream), &whole.sides(stream));
    }
    assert_same(&job.by_entity(), &whole.by_entity());
    world.assert_follows(&job.messages());
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn the_older_of_two_is_shut_out_for_good() {
    if !given(KAFKA) {
        return;
    }
    let world = world("two", seed(), 400);
    world.server.delay(Duration::from_millis(20));
    let mut older = world.job("job");
    older.options = "--in-flight 1".to_owned();
    let mut first = older.start("stream");
    first.says("checkpoint_taken");
    // In the same directory: the newer is refused, and the older is left alone.
    let said = older.start("backfill").ends_with(3);
    assert!(said.contains("hint: wait for it to end"), "{said}");
    std::thread::sleep(SECOND);
    assert!(first.is_running());
    first.terminate();
    first.ends_with(0);

    // Elsewhere, with all that the older had: it takes over. The older takes a checkpoint when it begins, and no other soon.
    older.interval = "5m";
    let mut first = older.start("stream");
    first.says("checkpoint_taken");
    let mut newer = older.copied("elsewhere");
    newer.interval = "250ms";
    let mut second = newer.start("backfill");
    let said = first.ends_with(2);
    println!("{}", said.lines().rev().take(2).collect::<Vec<_>>().join("\n"));
    assert!(said.contains("another took over the transactions") && said.contains("hint: "), "{said}");
    assert!(!said.contains("\"restarting\""), "{said}");
    world.server.delay(Duration::ZERO);
    second.ends_with(0);
    let whole = world.job("whole");
    whole.backfill();
    assert_same(&newer.by_entity(), &whole.by_entity());
    world.assert_follows(&newer.messages());
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn who_is_asked_to_stop_goes_on_where_he_was() {
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let (world, mut random) = (world("stop", seed, 500), Random::new(seed));
    let mut job = world.job("job");
    (job.options, job.interval) = ("--in-flight 1".to_owned(), "1m");
    world.server.delay(Duration::from_millis(15));
    let mut before = 0;
    for what in ["stream", "backfill", "stream"] {
        let mut running = job.start(what);
        running.says("checkpoint_taken");
        std::thread::sleep(SECOND + Duration::from_millis(random.below(500)));
        running.terminate();
        let asked = Instant::now();
        let said = running.ends_with(0);
        println!("{what} ended {:.2} s after it was asked to", asked.elapsed().as_secs_f64());
        assert!(asked.elapsed() < 5 * SECOND, "{said}");
        assert_eq!(said.matches("\"checkpoint_taken\"").count(), 2, "one at the start and one in the end: {said}");
        let sent = job.messages().len();
        assert!(sent > before, "what was done is committed: {sent} messages, {before} before");
        before = sent;
    }
    world.server.delay(Duration::ZERO);
    job.backfill();
    let whole = world.job("whole");
    whole.backfill();
    assert_same(&job.by_entity(), &whole.by_entity());
    world.assert_follows(&job.messages());
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn one_entity_that_cannot_be_had_does_not_stop_the_others() {
    const TROUBLES: [Trouble; 6] = [
        Trouble::Html,
        Trouble::Large(10 << 20),
        Trouble::BreaksOff,
        Trouble::Status(500),
        Trouble::Empty,
        Trouble::NotFound,
    ];
    if !given(KAFKA) {
        return;
    }
    let seed = seed();
    let broker = Broker::new("poison");
    let disorder = Disorder { within: 0, ..KEYED };
    let world = World::new(broker, History::random(seed, 600), 50, disorder, seed);
    let (changes, half) = (&world.history.changes, world.history.changes.len() / 2);
    let is_edit = |number: &usize| matches!(changes[*number].kind, Kind::Edit | Kind::Move);
    // Revisions after which the entity gets others, when the updater has been started anew.
    let entities = world.history.entities(i64::MAX).filter_map(|(entity, _)| {
        let mut edits = (0..changes.len()).filter(|number| changes[*number].entity == entity && is_edit(number));
        let poisoned = edits.by_ref().take_while(|number| *number < half).last().filter(|number| *number > half / 4)?;
        edits.next().map(|_| (entity, changes[poisoned].revision))
    });
    let poisoned: Vec<_> = entities.take(12).collect();
    for ((entity, revision), trouble) in poisoned.iter().zip(TROUBLES.iter().cycle()) {
        world.server.trouble(*entity, Some(*revision), *trouble, Until::Ever);
    }
    let middle = world.records.partition_point(|record| record.time < changes[half].time);
    world.broker.put(&world.records[..middle]);
    let job = world.job("job");
    job.backfill();
    let failed = job.sent(FETCH_FAILED).len();
    world.broker.put(&world.records[middle..]);
    job.backfill();
    let sides = job.sent(FETCH_FAILED);
    let told = |(entity, revision): &&(headwater::wikibase::entity::EntityId, u64)| {
        let (entity, revision) = (entity.to_string(), *revision);
        sides.iter().any(|side| side["item"] == entity.as_str() && side["revision_id"] == revision)
    };
    let told = poisoned.iter().filter(told).count();
    println!("{} revisions poisoned, {told} of them told of, {failed} before it was started anew", poisoned.len());
    println!("{}", sides.first().map(ToString::to_string).unwrap_or_default());
    assert!(told * 6 >= poisoned.len() * 4 && !poisoned.is_empty(), "{sides:#?}");
    world.assert_follows(&job.messages());
}
