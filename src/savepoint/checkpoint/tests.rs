//! Checkpoints that were taken are checkpoints that are read, whatever changed, and wherever a run was killed.

use super::*;
use crate::savepoint::native::manifest::{Input, StartOffset};
use crate::savepoint::stream::OutputEnd;
use crate::state::EntityState;
use crate::wikibase::entity::{EntityKind, Revision};
use crate::wikibase::timestamp::Timestamp;

fn made(seconds: i64) -> Provenance {
    Provenance {
        created_at: Timestamp::from_millis(1_767_614_400_000 + seconds * 1000).unwrap(),
        created_by: "headwater 0.1.0".to_owned(),
        inputs: vec![Input { location: "/srv/state/20260105".to_owned(), size: 7 }],
        concept: "http://www.wikidata.org/entity/".to_owned(),
        entity_data: "https://www.wikidata.org/wiki/Special:EntityData/".to_owned(),
        dump_starts: None,
    }
}

fn entity(number: u32) -> EntityId {
    EntityId::new(EntityKind::ALL[number as usize % 4], 1 + number / 4).unwrap()
}

fn created(revision: u64) -> EntityState {
    EntityState::Created(Revision::new(revision).unwrap())
}

fn state_of(entities: u32) -> StateTable {
    let mut state = StateTable::default();
    for number in 0..entities {
        state.set(entity(number), created(1 + u64::from(number)));
    }
    state
}

fn stream_at(offset: u64) -> Stream {
    Stream {
        offsets: vec![StartOffset { topic: "eqiad.mediawiki.page_change.v1".to_owned(), partition: 0, offset }],
        watermark: Timestamp::from_millis(offset as i64),
        outputs: vec![OutputEnd { path: "out.jsonl".to_owned(), bytes: offset * 100 }],
        ..Stream::default()
    }
}

fn open(dir: &Location) -> Checkpoints {
    Checkpoints::open(dir, KEEP).unwrap()
}

#[test]
fn what_is_taken_is_read() {
    let dir = Location::memory().join("c");
    let mut run = open(&dir);
    let mut state = state_of(1000);
    let taken = run.take(&state, &[], &made(0), &stream_at(1)).unwrap();
    assert!(taken.is_full);
    state.remove(entity(3));
    state.set(entity(2000), created(9));
    let taken = run.take(&state, &[entity(3), entity(2000)], &made(0), &stream_at(1)).unwrap();
    assert!(!taken.is_full);
    let got = run.read(&taken.id).unwrap();
    assert!(got.state.iter().eq(state.iter()));
    assert_eq!(got.stream, stream_at(1));
}
