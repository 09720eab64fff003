//! How fast one core puts events in order and decides on them: events a second, the median of several rounds over a made-up
//! mix of events in memory; watermarks, and the look-up and the change of the state, included. And how fast events are read.
//!
//! Run with `cargo bench --bench decide`. Time is the time that the thread had a core, where the system tells it.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use headwater::event::filter::Filter;
use headwater::event::wire::{Read, read, to_json};
use headwater::event::{Change, EventInfo, Incoming, InputEvent, ReconcileAction};
use headwater::state::{EntityState, StateTable};
use headwater::updater::decide::{Answer, decide};
use headwater::updater::reorder::{Pushed, Reorder, WINDOW};
use headwater::updater::watermark::{Patience, START, Watermarks};
use headwater::wikibase::entity::{EntityId, EntityKind, Revision};

const ROUNDS: usize = 9;
const EVENTS: usize = 400_000;
/// A state that fits into the caches, so that order and decisions are what takes time, and one that does not.
const SIZES: [u64; 2] = [20_000, 10_000_000];
/// Of ten events, six are of one of so many entities: people and bots work on one for a while.
const BUSY: u64 = 2_000;
/// Milliseconds between two events: a busy wiki.
const PACE: i64 = 20;
/// After so many events the watermark is asked for.
const BATCH: usize = 100;
const BEGIN: i64 = 1_700_000_000_000;

fn main() {
    for size in SIZES {
        let events = events(size);
        let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round(&mut known(size), events.clone())).collect();
        rounds.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let rate = |at: usize| EVENTS as f64 / 1e6 / rounds[at].seconds;
        let Round { waited, late, reports, .. } = rounds[ROUNDS / 2];
        println!(
            "decide: {EVENTS} events over {size} entities, one core: median {:.2} million events/s ({:.2} to {:.2}); \
             {waited} waited, {late} were late, {reports} inconsistencies",
            rate(ROUNDS / 2),
            rate(ROUNDS - 1),
            rate(0)
        );
    }
    reading(&events(SIZES[0]));
}

/// The seconds for which this thread had a core, as Linux counts them; elsewhere those since `start`.
fn seconds(start: Instant) -> f64 {
    let on_core = || {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(|nanoseconds: f64| nanoseconds / 1e9)
    };
    on_core().unwrap_or_else(|| start.elapsed().as_secs_f64())
}

/// The state before: every entity at a revision.
fn known(size: u64) -> StateTable {
    let mut table = StateTable::default();
    for number in 1..=size {
        table.set(item(number), EntityState::Created(Revision::new(number).expect("not 0")));
    }
    table
}

fn item(number: u64) -> EntityId {
    EntityId::new(EntityKind::Item, number as u32).expect("a small number")
}

/// Pseudo-random numbers (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Of a hundred events: 82 edits, 9 new entities, 2 deletions and as many undeletions, 4 that come again, 1 reconciliation. One
/// in ten arrives up to 5 seconds late.
fn events(size: u64) -> Vec<Incoming> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut last: HashMap<u64, u64> = HashMap::new();
    let mut deleted = Vec::new();
    let (mut newest, mut revision) = (size, 2 * size);
    let mut events: Vec<(i64, Incoming)> = Vec::with_capacity(EVENTS);
    for at in 0..EVENTS {
        let time = BEGIN + at as i64 * PACE;
        let dice = random.below(100);
        let place = if random.below(10) < 6 { random.below(BUSY) * (size / BUSY) + 1 } else { random.below(size) + 1 };
        let of = |number: u64, change, revision: u64| event(number, change, revision, time);
        let incoming = match dice {
            0..9 => {
                (newest, revision) = (newest + 1, revision + 1);
                last.insert(newest, revision);
                of(newest, Change::RevCreate { parent_revision: None }, revision)
            }
            9..11 => {
                deleted.push(place);
                of(place, Change::PageDelete, *last.get(&place).unwrap_or(&place))
            }
            11..13 => {
                let place = deleted.pop().unwrap_or(place);
                of(place, Change::PageUndelete, *last.get(&place).unwrap_or(&place))
            }
            13..17 if at > 100 => events[at - 1 - random.below(100) as usize].1.clone(),
            17 => {
                let change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation };
                of(place, change, *last.get(&place).unwrap_or(&place))
            }
            _ => {
                revision += 1;
                let parent = last.insert(place, revision).unwrap_or(place);
                of(place, Change::RevCreate { parent_revision: Some(parent as i64) }, revision)
            }
        };
        let delay = if random.below(10) == 0 { random.below(5_000) as i64 } else { 0 };
        events.push((time + delay, incoming));
    }
    events.sort_by_key(|(arrival, _)| *arrival);
    events.into_iter().map(|(_, incoming)| incoming).collect()
}

fn event(number: u64, change: Change, revision: u64, event_time: i64) -> Incoming {
    let id = format!("{number:08x}-0000-4000-8000-{revision:012x}");
    let (stream, schema) = match change {
        Change::ReconcileInputEvent { .. } => {
            ("rdf-streaming-updater.reconcile", "/rdf_streaming_updater/reconcile/1.0.0")
        }
        _ => ("mediawiki.page_change.v1", "/mediawiki/page/change/1.3.0"),
    };
    let original = EventInfo {
        timestamp: event_time + 300,
        request_id: Some(id.clone()),
        id: Some(id),
        domain: Some("www.wikidata.org".to_owned()),
        stream: stream.to_owned(),
        schema: schema.to_owned(),
    };
    let (item, revision) = (item(number).to_string(), revision as i64);
    let event = InputEvent { item, event_time, ingestion_time: event_time + 900, revision, change, original };
    Incoming::new(event).expect("it is sound")
}

#[derive(Clone, Copy)]
struct Round {
    seconds: f64,
    waited: usize,
    late: usize,
    reports: usize,
}

fn round(table: &mut StateTable, events: Vec<Incoming>) -> Round {
    // What is sent out is kept, so that freeing it is not measured.
    let mut answers = Vec::with_capacity(events.len());
    let mut reorder = Reorder::new(WINDOW);
    let mut watermarks = Watermarks::new(Patience::default(), START);
    let partitions = [watermarks.add(0), watermarks.add(0)];
    let (mut waited, mut late) = (0, 0);
    let start = Instant::now();
    let before = seconds(start);
    for (at, incoming) in events.into_iter().enumerate() {
        watermarks.event(partitions[at % 2], incoming.source_time());
        let state = table.get(incoming.entity());
        match reorder.push(incoming, state) {
            Pushed::Ready(incoming) => follow(table, state, &mut answers, incoming),
            Pushed::Buffered => waited += 1,
            Pushed::Late(_) => late += 1,
        }
        if at % BATCH == 0 {
            let watermark = watermarks.advance(0);
            reorder.advance(watermark, |incoming| follow(table, table.get(incoming.entity()), &mut answers, incoming));
        }
    }
    partitions.into_iter().for_each(|partition| watermarks.end(partition));
    let watermark = watermarks.advance(0);
    reorder.advance(watermark, |incoming| follow(table, table.get(incoming.entity()), &mut answers, incoming));
    let seconds = seconds(start) - before;
    assert_eq!(answers.len() + late, EVENTS, "every event is answered");
    let reports = answers.iter().filter(|answer| matches!(answer, Answer::Side(_))).count();
    Round { seconds, waited, late, reports }
}

fn follow(table: &mut StateTable, state: Option<EntityState>, answers: &mut Vec<Answer>, incoming: Incoming) {
    let entity = incoming.entity();
    let decision = decide(state, &incoming);
    if decision.next != state {
        match decision.next {
            Some(next) => table.set(entity, next),
            None => table.remove(entity),
        };
    }
    answers.push(decision.carry_out(incoming));
}

/// Reads events as they come from Kafka, half of them of another wiki; all have what a `page_change` has, about 2 KB.
fn reading(events: &[Incoming]) {
    let filter = Filter::wikidata();
    let padding = format!(",\"performer\":{{\"groups\":[\"*\",\"user\"],\"user_text\":\"{}\"}}}}", "x".repeat(1_200));
    let json = |(at, incoming): (usize, &Incoming)| {
        let mut json = to_json(incoming, "", None);
        json.pop();
        json.extend(padding.bytes());
        let text = String::from_utf8(json).expect("JSON is text");
        if at % 2 == 0 { text } else { text.replace("www.wikidata.org", "en.wikipedia.org") }
    };
    let texts: Vec<_> = events.iter().take(50_000).enumerate().map(json).collect();
    let megabytes = texts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let before = seconds(start);
            let ours = texts.iter().filter(|text| matches!(read(text.as_bytes(), &filter, BEGIN), Ok(Read::Event(_))));
            std::hint::black_box(ours.count());
            seconds(start) - before
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let seconds = rounds[ROUNDS / 2];
    println!(
        "read: {} events, half of them another wiki's: median {:.0} thousand events/s, {:.0} MB/s",
        texts.len(),
        texts.len() as f64 / 1e3 / seconds,
        megabytes / seconds
    );
}
