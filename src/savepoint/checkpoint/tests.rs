//! Checkpoints that were taken are checkpoints that are read, whatever changed, and wherever a run was killed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::savepoint::native::manifest::{Input, StartOffset};
use crate::savepoint::stream::OutputEnd;
use crate::savepoint::{self, native};
use crate::state::EntityState;
use crate::storage::faulty::{self, Fault};
use crate::wikibase::entity::{EntityKind, Revision};
use crate::wikibase::timestamp::Timestamp;

/// So that few rows are many.
const SMALL: Limits = Limits { floor: 2, allowed: 80 };

fn made() -> Provenance {
    Provenance {
        created_at: Timestamp::parse("2026-01-05T12:00:00Z").unwrap(),
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
    let topic = "eqiad.mediawiki.page_change.v1";
    let position = |partition, watermark| StartOffset { topic: topic.to_owned(), partition, offset, watermark };
    Stream {
        offsets: vec![position(0, Timestamp::from_millis(offset as i64 + 1234)), position(1, None)],
        watermark: Timestamp::from_millis(offset as i64),
        outputs: vec![OutputEnd { path: "out.jsonl".to_owned(), bytes: offset * 100 }],
        ..Stream::default()
    }
}

fn copy(state: &StateTable) -> StateTable {
    let mut copy = StateTable::default();
    for (entity, state) in state.iter() {
        copy.set(entity, state);
    }
    copy
}

fn open(dir: &Location, keep: usize) -> Checkpoints {
    let mut run = Checkpoints::open(dir, keep).unwrap();
    run.limits = SMALL;
    run
}

fn files(dir: &Location) -> BTreeSet<String> {
    storage::list(dir).unwrap().iter().filter_map(|entry| entry.location.relative_to(dir)).collect()
}

/// All files that the checkpoints in `dir` name, and their own.
fn named(dir: &Location) -> BTreeSet<String> {
    let dirs: BTreeSet<_> =
        files(dir).iter().filter_map(|file| Some(file.strip_suffix("/_metadata")?.to_owned())).collect();
    let of = |name: &String| {
        let manifest = native::inspect(&dir.join(name)).unwrap();
        let stream = manifest.stream.iter().map(|stream| format!("{name}/{}", stream.file.path())).collect::<Vec<_>>();
        let shared = Held::of(&manifest, Standing::Found).names.into_iter().map(|file| format!("shared/{file}"));
        shared.chain(stream).chain([format!("{name}/_metadata")]).collect::<Vec<_>>()
    };
    dirs.iter().flat_map(of).collect()
}

/// What was given to `take`.
struct Given {
    state: StateTable,
    stream: Stream,
}

fn is_whole(dir: &Location, given: &Given) {
    let contents = savepoint::read(dir).unwrap();
    assert!(contents.state.iter().eq(given.state.iter()));
    assert_eq!(contents.stream, given.stream);
    assert_eq!(savepoint::verify(dir).unwrap().problems, Vec::<String>::new());
}

/// What a run does between two checkpoints, and what becomes of the second.
#[derive(Clone, Debug)]
struct Step {
    /// Each an entity and what becomes of it: nothing, or a revision, perhaps deleted.
    changes: Vec<(u32, Option<(u64, bool)>)>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Settled,
    Left,
    Discarded,
    /// Left, and the run is killed; the next one reads the last that was settled.
    Killed,
    /// Left, and the run is killed; the next one begins anew, with the state as it is.
    Anew,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0..400_u32, prop::option::weighted(0.8, (1..50_u64, any::<bool>())));
    let changes = prop_oneof![prop::collection::vec(change.clone(), 0..4), prop::collection::vec(change, 0..60)];
    let end = prop_oneof![
        6 => Just(End::Settled),
        1 => Just(End::Left),
        2 => Just(End::Discarded),
        1 => Just(End::Killed),
        1 => Just(End::Anew),
    ];
    prop::collection::vec((changes, end).prop_map(|(changes, end)| Step { changes, end }), 1..25)
}

/// Runs through all of it; after each step every checkpoint that should be there is whole, and nothing else is.
fn run_through(dir: &Location, steps: &[Step], keep: usize) {
    let mut run = open(dir, keep);
    let mut state = state_of(40);
    let mut settled: BTreeMap<CheckpointId, Given> = BTreeMap::new();
    let mut left: BTreeMap<CheckpointId, Given> = BTreeMap::new();
    let mut was_killed = false;
    for (step, offset) in steps.iter().zip(1..) {
        for (number, what) in &step.changes {
            match what {
                Some((revision, true)) => {
                    state.set(entity(*number), EntityState::Deleted(Revision::new(*revision).unwrap()))
                }
                Some((revision, false)) => state.set(entity(*number), created(*revision)),
                None => state.remove(entity(*number)),
            };
        }
        let changed: Vec<_> = step.changes.iter().map(|(number, _)| entity(*number)).collect();
        let stream = stream_at(offset);
        let taken = run.take(&state, &changed, &made(), &stream).unwrap();
        let manifest = native::inspect(&run.dir_of(taken.id)).unwrap();
        assert!(manifest.deltas.len() <= 20 && manifest.deltas.iter().map(|delta| delta.rows).sum::<u64>() <= 80);
        assert_eq!(run.newest(), Some(&taken.id));
        assert!(left.keys().chain(settled.keys()).all(|id| id.number() < taken.id.number()));
        let given = Given { state: copy(&state), stream };
        is_whole(&run.dir_of(taken.id), &given);
        match step.end {
            End::Settled => {
                run.settled(&taken.id).unwrap();
                settled.insert(taken.id, given);
                left.clear();
                while settled.len() > keep {
                    settled.pop_first();
                }
            }
            End::Discarded => run.discard(&taken.id),
            End::Left | End::Killed | End::Anew => drop(left.insert(taken.id, given)),
        }
        match (step.end, settled.last_key_value()) {
            (End::Killed, Some((id, given))) => {
                drop(run);
                run = open(dir, keep);
                let restored = run.read(id).unwrap();
                assert!(restored.state.iter().eq(given.state.iter()));
                assert_eq!((restored.made, &restored.stream), (made(), &given.stream));
                state = restored.state;
            }
            (End::Killed, None) | (End::Anew, _) => {
                drop(run);
                run = open(dir, keep);
            }
            _ => {}
        }
        let there: BTreeSet<_> = settled.keys().chain(left.keys()).map(|id| id.dir()).collect();
        let found: BTreeSet<_> =
            files(dir).iter().filter_map(|name| Some(name.split_once("/_metadata")?.0.to_owned())).collect();
        // What a killed run left may count as settled for the next one, and take the place of what was.
        was_killed |= matches!(step.end, End::Killed | End::Anew);
        assert!(found == there || was_killed, "{found:?} {there:?}");
        for (id, given) in settled.iter().chain(&left).filter(|(id, _)| found.contains(&id.dir())) {
            is_whole(&dir.join(&id.dir()), given);
        }
        assert_eq!(named(dir), files(dir), "no file is there without need");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_taken_is_read(steps in steps(), keep in 1..4_usize) {
        run_through(&Location::memory().join("checkpoints"), &steps, keep);
    }

    /// No byte of any file of a checkpoint can change unnoticed, and nothing panics over it.
    #[test]
    fn every_changed_byte_is_found(at in any::<Index>(), change in 1..=255_u8, file in any::<Index>()) {
        let dir = Location::memory().join("checkpoints");
        let mut run = open(&dir, 1);
        let mut state = state_of(40);
        run.take(&state, &[], &made(), &stream_at(1)).unwrap();
        state.remove(entity(3));
        let taken = run.take(&state, &[entity(3)], &made(), &stream_at(2)).unwrap();
        run.settled(&taken.id).unwrap();
        let all: Vec<_> = storage::list(&dir).unwrap();
        let file = &file.get(&all).location;
        let mut bytes = storage::read(file).unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        storage::put(file, Bytes::from(bytes)).unwrap();
        let place = run.dir_of(taken.id);
        prop_assert!(run.read(&taken.id).is_err());
        prop_assert!(savepoint::read(&place).is_err());
        prop_assert!(savepoint::verify(&place).map_or(true, |verified| !verified.problems.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_taken_is_read_in_files(steps in steps(), keep in 1..4_usize) {
        let room = tempfile::tempdir().unwrap();
        let dir = Location::parse(room.path().join("checkpoints").to_str().unwrap()).unwrap();
        run_through(&dir, &steps, keep);
        for entry in std::fs::read_dir(room.path().join("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            prop_assert!(std::fs::read_dir(&path).unwrap().next().is_some(), "{} is empty", path.display());
        }
    }

    #[test]
    fn what_is_taken_is_read_without_names(steps in steps(), keep in 1..4_usize) {
        // What a killed run left there stays until something is settled: only what should be there is looked at.
        let steps: Vec<_> = steps.into_iter().map(|step| match step.end {
            End::Killed | End::Anew => Step { end: End::Settled, ..step },
            _ => step,
        }).collect();
        run_through(&faulty::memory(false).0.join("checkpoints"), &steps, keep);
    }
}

#[test]
fn what_lost_its_base_is_begun_anew() {
    let dir = Location::memory().join("checkpoints");
    let mut run = open(&dir, 2);
    let mut state = state_of(40);
    let first = run.take(&state, &[], &made(), &stream_at(1)).unwrap();
    run.settled(&first.id).unwrap();
    for entry in storage::list(&dir.join("shared")).unwrap() {
        storage::delete(&entry.location).unwrap();
    }
    state.remove(entity(3));
    let taken = run.take(&state, &[entity(3)], &made(), &stream_at(2)).unwrap();
    run.settled(&taken.id).unwrap();
    assert!(taken.is_full);
    drop(run);
    let mut run = open(&dir, 2);
    assert_eq!(run.broken(), None);
    assert!(run.read(&taken.id).unwrap().state.iter().eq(state.iter()));
}

#[test]
fn the_newest_that_cannot_be_restored_is_told() {
    let dir = Location::memory().join("checkpoints");
    let mut run = open(&dir, 3);
    let state = state_of(40);
    let taken = [1, 2].map(|offset| {
        let taken = run.take(&state, &[], &made(), &stream_at(offset)).unwrap();
        run.settled(&taken.id).unwrap();
        taken.id
    });
    let metadata = run.dir_of(taken[1]).join("_metadata");
    drop(run);
    assert_eq!(open(&dir, 3).broken(), None);
    storage::put(&metadata, Bytes::from_static(b"{}")).unwrap();
    let run = open(&dir, 3);
    assert_eq!((run.newest(), run.broken()), (Some(&taken[0]), Some(taken[1])));
}

/// A run up to its third checkpoint, which changes three entities and is about to be taken.
struct Scene {
    run: Checkpoints,
    before: (CheckpointId, Given),
    next: Given,
    changed: Vec<EntityId>,
}

fn scene(dir: &Location) -> Scene {
    let mut run = open(dir, 1);
    let mut state = state_of(40);
    let first = run.take(&state, &[], &made(), &stream_at(1)).unwrap();
    run.settled(&first.id).unwrap();
    state.set(entity(1), created(77));
    let second = run.take(&state, &[entity(1)], &made(), &stream_at(2)).unwrap();
    run.settled(&second.id).unwrap();
    let before = Given { state: copy(&state), stream: stream_at(2) };
    state.remove(entity(1));
    state.set(entity(2), created(78));
    state.set(entity(99), created(79));
    let changed = vec![entity(99), entity(1), entity(2)];
    Scene { run, before: (second.id, before), next: Given { state, stream: stream_at(3) }, changed }
}

impl Scene {
    fn take(&mut self) -> Result<Taken, SavepointError> {
        self.run.take(&self.next.state, &self.changed, &made(), &self.next.stream)
    }
}

/// Killed before any operation on storage: what was committed is whole, and the next run clears away the rest.
#[test]
fn killed_at_any_moment() {
    for has_names in [true, false] {
        let mut kills = 0;
        loop {
            let (root, fuse) = faulty::memory(has_names);
            let dir = root.join("checkpoints");
            let mut scene = scene(&dir);
            fuse.arm(Some(Fault::DeadFrom(kills)));
            let taken = scene.take();
            let settled = taken.as_ref().is_ok_and(|taken| scene.run.settled(&taken.id).is_ok());
            let is_over = fuse.done() <= kills;
            fuse.arm(None);
            drop(scene.run);
            let (id, given) = match &taken {
                Ok(taken) => (taken.id, &scene.next),
                Err(_) => (scene.before.0, &scene.before.1),
            };
            let mut run = open(&dir, 1);
            let restored = run.read(&id).unwrap();
            assert!(restored.state.iter().eq(given.state.iter()), "{kills}");
            is_whole(&run.dir_of(id), given);
            let next = run.take(&restored.state, &[], &made(), &restored.stream).unwrap();
            run.settled(&next.id).unwrap();
            is_whole(&run.dir_of(next.id), given);
            assert_eq!(files(&dir), named(&dir), "{kills}");
            assert_eq!(files(&dir).iter().filter(|file| file.ends_with("_metadata")).count(), 1, "{kills}");
            if is_over {
                assert!(settled && kills > 5, "{kills}");
                break;
            }
            kills += 1;
        }
    }
}

/// Whatever operation fails, done or not: the same handle goes on, and what it takes next holds all.
#[test]
fn failures_that_pass() {
    for (has_names, fault) in [true, false]
        .into_iter()
        .flat_map(|has_names| [Fault::Fails as fn(u64) -> Fault, Fault::AnswerLost].map(|fault| (has_names, fault)))
    {
        for number in 0.. {
            let (root, fuse) = faulty::memory(has_names);
            let dir = root.join("checkpoints");
            let mut scene = scene(&dir);
            fuse.arm(Some(fault(number)));
            let taken = scene.take();
            if let Ok(taken) = &taken {
                let _ = scene.run.settled(&taken.id);
            }
            let is_over = fuse.done() <= number;
            fuse.arm(None);
            let again = scene.take().unwrap();
            assert!(taken.is_ok() || !again.is_full);
            scene.run.settled(&again.id).unwrap();
            is_whole(&scene.run.dir_of(again.id), &scene.next);
            drop(scene.run);
            // What could not be removed by the one that failed is removed by the next run.
            let mut run = open(&dir, 1);
            let restored = run.read(&again.id).unwrap();
            let last = run.take(&restored.state, &[], &made(), &restored.stream).unwrap();
            run.settled(&last.id).unwrap();
            assert_eq!(files(&dir), named(&dir), "{number} {has_names}");
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn what_is_not_ours_stays() {
    let dir = Location::memory().join("checkpoints");
    let foreign = [
        "notes.txt",
        "shared/notes.parquet",
        "shared/delta-7.parquet",
        "chk-7/_metadata",
        "chk-8-5f3a9c01d2e4b677/notes.txt",
        "chk-8-5f3a9c01d2e4b677/deeper/stream.jsonl",
        "chk-9-5f3a9c01d2e4b677/_metadata",
        "shared/delta-9-5f3a9c01d2e4b677.parquet",
    ];
    foreign.iter().for_each(|name| storage::put(&dir.join(name), Bytes::from_static(b"x")).unwrap());
    // What killed runs leave.
    let ours = ["shared/delta-10-5f3a9c01d2e4b677.parquet", "chk-8-5f3a9c01d2e4b677/stream.jsonl"];
    ours.iter().for_each(|name| storage::put(&dir.join(name), Bytes::from_static(b"x")).unwrap());
    let mut run = open(&dir, 1);
    let all = || foreign.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(files(&dir), all());
    // Numbers are above all that were seen; one that cannot be read is no checkpoint to begin from.
    assert_eq!(run.newest(), None);
    let taken = run.take(&state_of(3), &[], &made(), &Stream::default()).unwrap();
    assert_eq!(taken.id.number(), 11);
    run.settled(&taken.id).unwrap();
    assert!(files(&dir).is_superset(&all()));
    let unknown = CheckpointId::new(12, 1);
    assert!(matches!(run.read(&unknown), Err(SavepointError::NotASavepoint { .. })));
    assert!(matches!(run.settled(&unknown), Err(SavepointError::NotASavepoint { .. })));
    run.discard(&unknown);
    is_whole(&run.dir_of(taken.id), &Given { state: state_of(3), stream: Stream::default() });
}

/// A directory in the file system has one run at a time; a checkpoint is no place for a savepoint.
#[test]
fn places_that_are_taken() {
    let room = tempfile::tempdir().unwrap();
    let dir = Location::parse(room.path().to_str().unwrap()).unwrap();
    let mut run = open(&dir, 1);
    let state = state_of(3);
    let taken = run.take(&state, &[], &made(), &Stream::default()).unwrap();
    assert!(matches!(Checkpoints::open(&dir, 1), Err(SavepointError::Storage(StorageError::InUse { .. }))));
    for on_existing in [OnExisting::Refuse, OnExisting::Overwrite] {
        let written = native::write(&run.dir_of(taken.id), &state, &made(), on_existing, &|| false);
        assert!(matches!(written, Err(SavepointError::NotEmpty { .. } | SavepointError::Exists { .. })), "{written:?}");
    }
    is_whole(&run.dir_of(taken.id), &Given { state, stream: Stream::default() });
}

/// One that another took in its place, or that was copied under another name, is not taken for it.
#[test]
fn a_checkpoint_is_known_by_its_id() {
    let dir = Location::memory().join("checkpoints");
    let mut run = open(&dir, 1);
    let taken = run.take(&state_of(3), &[], &made(), &Stream::default()).unwrap();
    let other = CheckpointId::new(7, 7);
    let metadata = storage::read(&run.dir_of(taken.id).join("_metadata")).unwrap();
    storage::put(&run.dir_of(other).join("_metadata"), metadata).unwrap();
    assert!(matches!(run.read(&other), Err(SavepointError::Manifest { .. })));
    assert!(run.read(&taken.id).is_ok());
}
