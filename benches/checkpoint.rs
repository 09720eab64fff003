//! How long a checkpoint takes, and how long it takes to read one: of a state in memory, to and from files in a temporary directory.
//!
//! Run with `cargo bench --bench checkpoint -- ENTITIES` (by default 10 million). Times are wall-clock, all cores; the median of
//! several rounds, and the longest.

use std::time::{Duration, Instant};

use headwater::event::{Change, EventInfo, InputEvent};
use headwater::savepoint::checkpoint::{Checkpoints, Taken};
use headwater::savepoint::native::manifest::{CREATED_BY, Provenance};
use headwater::savepoint::stream::Stream;
use headwater::state::{EntityState, StateTable};
use headwater::storage::Location;
use headwater::wikibase::entity::{EntityId, EntityKind, Revision};
use headwater::wikibase::timestamp::Timestamp;

const ROUNDS: usize = 25;

fn main() {
    let entities = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000_000);
    let room = tempfile::tempdir().expect("a temporary directory");
    let dir = Location::parse(room.path().to_str().expect("a plain path")).expect("a path");
    let mut run = Checkpoints::open(&dir, 3).expect("it is empty");
    let mut state = state(entities);
    let stream = Stream::default();
    let mut seed = 1;
    let (time, full) = timed(|| run.take(&state, &[], &made(), &stream).expect("there is room"));
    println!("checkpoint: {entities} entities, all of them: {time:.0?}, {} files, {} bytes", full.files, full.bytes);
    run.settled(&full.id).expect("it is there");
    for changes in [10, 1_000, 100_000] {
        rounds(
            &format!("{changes} changes"),
            &mut run,
            &mut state,
            |state| changed(state, entities, changes, &mut seed),
            &stream,
        );
    }
    let buffered = Stream { buffered: (0..50_000).map(event).collect(), ..Stream::default() };
    rounds(
        "10 changes, 50000 buffered events",
        &mut run,
        &mut state,
        |state| changed(state, entities, 10, &mut seed),
        &buffered,
    );
    let id = *run.newest().expect("there are some");
    let mut times: Vec<_> = (0..5).map(|_| timed(|| run.read(&id).expect("it is whole")).0).collect();
    times.sort();
    println!("checkpoint: read: median {:.0?} ({:.0?} to {:.0?})", times[2], times[0], times[4]);
}

fn rounds(
    what: &str,
    run: &mut Checkpoints,
    state: &mut StateTable,
    mut change: impl FnMut(&mut StateTable) -> Vec<EntityId>,
    stream: &Stream,
) {
    let mut taken: Vec<(Duration, Duration, Taken)> = Vec::new();
    for _ in 0..ROUNDS {
        let changed = change(state);
        let (time, one) = timed(|| run.take(state, &changed, &made(), stream).expect("there is room"));
        let (settling, ()) = timed(|| run.settled(&one.id).expect("it is there"));
        taken.push((time, settling, one));
    }
    taken.sort_by_key(|(time, ..)| *time);
    let full = taken.iter().filter(|(.., one)| one.is_full).count();
    let rows = taken.iter().map(|(.., one)| one.rows).sum::<u64>() / ROUNDS as u64;
    let (median, longest) = (taken[ROUNDS / 2].0, taken[ROUNDS - 1].0);
    let settling = taken.iter().map(|(_, settling, _)| *settling).max().unwrap_or_default();
    println!(
        "checkpoint: {what}: median {median:.1?}, longest {longest:.1?}, {rows} rows on average, {full} of {ROUNDS} full; settling up to \
         {settling:.1?}"
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

/// Nine of ten numbers are in use.
fn state(entities: u32) -> StateTable {
    let mut state = StateTable::default();
    for number in (1..).filter(|number| number % 10 != 0).take(entities as usize) {
        // As scattered as those of a wiki.
        let mixed = (u64::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
        state.set(item(number), revision(1 + (mixed ^ mixed >> 15) % 2_000_000_000));
    }
    state
}

fn item(number: u32) -> EntityId {
    EntityId::new(EntityKind::Item, number).expect("a small number")
}

fn revision(number: u64) -> EntityState {
    EntityState::Created(Revision::new(number).expect("a small number"))
}

/// Changes that many entities, anywhere.
fn changed(state: &mut StateTable, entities: u32, changes: usize, seed: &mut u64) -> Vec<EntityId> {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    };
    let mut one = || {
        let entity = item(1 + (next() % (u64::from(entities) * 10 / 9)) as u32);
        state.set(entity, revision(1 + next() % 2_000_000_000));
        entity
    };
    (0..changes).map(|_| one()).collect()
}

fn made() -> Provenance {
    Provenance {
        created_at: Timestamp::default(),
        created_by: CREATED_BY.to_owned(),
        inputs: Vec::new(),
        concept: "http://www.wikidata.org/entity/".to_owned(),
        entity_data: "https://www.wikidata.org/wiki/Special:EntityData/".to_owned(),
        dump_starts: None,
    }
}

fn event(number: i64) -> InputEvent {
    InputEvent {
        item: format!("Q{}", number * 7919 % 100_000_000),
        event_time: 1_767_614_400_000 + number * 20,
        ingestion_time: 1_767_614_401_000 + number * 20,
        revision: 2_000_000_000 + number,
        change: Change::RevCreate { parent_revision: Some(1_900_000_000 + number) },
        original: EventInfo {
            timestamp: 1_767_614_400_500 + number * 20,
            id: Some(format!("b0caf18d-6c7f-4403-947d-{:012x}", number * 2_654_435_761)),
            domain: Some("www.wikidata.org".to_owned()),
            stream: "mediawiki.page_change.v1".to_owned(),
            request_id: Some(format!("e5b5b4c0-1d8e-4a7b-9f0a-{:012x}", number * 40_503)),
            schema: "/mediawiki/page/change/1.2.0".to_owned(),
        },
    }
}
