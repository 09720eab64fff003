//! `headwater savepoint`: what is sound verifies, what is not is named, what comes out can go in again.

use std::fs;

use headwater::savepoint::checkpoint::{Checkpoints, Taken};
use headwater::savepoint::native::manifest::{CREATED_BY, Provenance, StartOffset};
use headwater::savepoint::stream::{OutputEnd, Stream};
use headwater::state::{EntityState, StateTable};
use headwater::storage::Location;
use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;

use crate::harness::TestEnv;

const MAKE: &str = "bootstrap --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --savepoint-dir $DIR/sp";

fn with_savepoint() -> TestEnv {
    let env = TestEnv::new();
    env.run(MAKE).expect(0, &[]);
    env
}

#[test]
fn damage_is_named() {
    type Damage = fn(&TestEnv);
    let table: [(Damage, &[&str]); 5] = [
        (|env| flip(env, "sp/state/Q-00000.parquet"), &["problem     state/Q-00000.parquet", "is damaged", "hint: "]),
        (|env| cut(env, "sp/state/L-00000.parquet"), &["problem     state/L-00000.parquet", "is damaged"]),
        (|env| fs::remove_file(env.path("sp/state/P-00000.parquet")).unwrap(), &["state/P-00000.parquet is missing"]),
        (|env| env.write("sp/more", ""), &["more does not belong to the savepoint"]),
        (|env| cut(env, "sp/_metadata"), &["_metadata", "hint: "]),
    ];
    for (damage, said) in table {
        let env = with_savepoint();
        damage(&env);
        env.run("savepoint verify $DIR/sp").expect(1, said);
    }
}

fn flip(env: &TestEnv, name: &str) {
    let mut bytes = fs::read(env.path(name)).expect("it was written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(env.path(name), bytes).expect("the room can be written");
}

fn cut(env: &TestEnv, name: &str) {
    let bytes = fs::read(env.path(name)).expect("it was written");
    fs::write(env.path(name), &bytes[..bytes.len() / 2]).expect("the room can be written");
}

#[test]
fn without_metadata_there_is_no_savepoint() {
    let env = with_savepoint();
    fs::remove_file(env.path("sp/_metadata")).expect("it was written");
    for action in ["inspect $DIR/sp", "verify $DIR/sp", "export $DIR/sp --output $DIR/map.csv", "verify $DIR/nothing"] {
        env.run(&format!("savepoint {action}")).expect(1, &["is no savepoint: it has no _metadata", "hint: "]);
    }
    assert!(!env.exists("map.csv"));
}

#[test]
fn every_form_comes_back_as_the_same_state() {
    let env = with_savepoint();
    env.run("savepoint export $DIR/sp --output $DIR/map.csv").expect(0, &[]);
    for form in ["csv", "csv.gz", "csv.bz2", "csv.zst", "parquet"] {
        env.run(&format!("savepoint export $DIR/sp --output $DIR/{form}/map.{form}")).expect(0, &["10 entities"]);
        let input = format!("bootstrap --revision-map $DIR/{form}/map.{form}");
        env.run(&format!("{input} --savepoint-dir $DIR/{form}/sp")).expect(0, &["entities    10"]);
        env.run(&format!("savepoint export $DIR/{form}/sp --output $DIR/{form}/again.csv")).expect(0, &[]);
        assert_eq!(env.read(&format!("{form}/again.csv")), env.read("map.csv"), "{form}");
    }
}

#[test]
fn deleted_entities_go_through_with_their_sign() {
    let env = TestEnv::new();
    env.write("map.csv", "Q1,5\nQ2,-6\n");
    let command = "bootstrap --revision-map $DIR/map.csv --savepoint-dir $DIR/sp";
    env.run(command).expect(
        1,
        &["$DIR/map.csv", "line 2", "`Q2`: a revision is greater than 0", "hint: ", "--negative-revisions deleted"],
    );
    env.run(&format!("{command} --negative-revisions deleted")).expect(0, &["entities    1", "deleted     1"]);
    env.run("savepoint export $DIR/sp --output $DIR/omit.csv").expect(0, &["left out    1 deleted entities"]);
    env.run("savepoint export $DIR/sp --output $DIR/all.csv --deleted negative").expect(0, &[]);
    assert_eq!((env.read("omit.csv").as_str(), env.read("all.csv").as_str()), ("Q1,5\n", "Q1,5\nQ2,-6\n"));
}

#[test]
fn an_export_is_replaced_only_with_overwrite() {
    let env = with_savepoint();
    env.write("map.csv", "mine");
    env.run("savepoint export $DIR/sp --output $DIR/map.csv").expect(2, &["already exists", "hint: ", "--overwrite"]);
    env.run("savepoint export $DIR/sp --output $DIR/map.csv --overwrite").expect(0, &[]);
    env.run("savepoint export $DIR/sp --output $DIR/map.txt").expect(2, &["does not tell the form", "hint: "]);
}

/// Takes two checkpoints in `$DIR/run`: of 9 items, then without Q1 and with Q9 at another revision.
fn checkpoints(env: &TestEnv) -> [Taken; 2] {
    let dir = Location::parse(env.path("run").to_str().expect("a plain path")).expect("a path");
    let mut run = Checkpoints::open(&dir, 3).expect("it can be made");
    let made = Provenance {
        created_at: Timestamp::parse("2026-01-05T12:00:00Z").expect("a time"),
        created_by: CREATED_BY.to_owned(),
        inputs: Vec::new(),
        concept: "http://www.wikidata.org/entity/".to_owned(),
        entity_data: "https://www.wikidata.org/wiki/Special:EntityData/".to_owned(),
        dump_starts: None,
    };
    let stream = Stream {
        offsets: vec![StartOffset {
            topic: "eqiad.mediawiki.page_change.v1".to_owned(),
            partition: 0,
            offset: 7,
            watermark: None,
        }],
        watermark: Some(made.created_at),
        outputs: vec![OutputEnd { path: "out.jsonl".to_owned(), bytes: 12 }],
        ..Stream::default()
    };
    let item = |number: u64| EntityId::parse(format!("Q{number}").as_bytes()).expect("an item");
    let at = |revision| EntityState::Created(Revision::new(revision).expect("a revision"));
    let mut state = StateTable::default();
    (1..10).for_each(|number| assert_eq!(state.set(item(number), at(100 + number)), None));
    let first = run.take(&state, &[], &made, &stream).expect("it can be written");
    state.remove(item(1));
    state.set(item(9), at(200));
    let second = run.take(&state, &[item(1), item(9)], &made, &stream).expect("it can be written");
    [first, second]
}

/// Wherever a savepoint is read, a checkpoint is.
#[test]
fn checkpoints_are_read_as_savepoints() {
    let env = TestEnv::new();
    let [first, second] = checkpoints(&env).map(|taken| format!("$DIR/run/chk-{}", taken.id));
    let newest = format!("restore     {second}");
    env.run("savepoint list $DIR/run").expect(0, &["headwater checkpoint 1", "headwater checkpoint 2", &newest]);
    let told = [
        "checkpoint  ",
        "1 state file, 2 changes in 1 file",
        "items       8",
        "position    eqiad.mediawiki.page_change.v1 0: 7",
        "watermark   2026-01-05T12:00:00Z",
        "in hand     0 events buffered, 0 mutations not yet sent",
    ];
    env.run(&format!("savepoint inspect {second}")).expect(0, &told);
    env.run(&format!("savepoint verify {second}")).expect(0, &["every byte is as it was written"]);
    env.run(&format!("savepoint export {second} --output $DIR/map.csv")).expect(0, &["8 entities"]);
    assert!(env.read("map.csv").contains("Q9,200") && !env.read("map.csv").contains("Q1,"));
    env.run(&format!("savepoint diff {first} {second}")).expect(0, &["only in A   1", "newer in B  1"]);
    for format in ["native", "flink"] {
        let convert = format!("savepoint convert {second} --to {format} --savepoint-dir $DIR/moved/{format}");
        env.run(&convert).expect(0, &["converted   8 entities"]);
        env.run(&format!("savepoint diff {second} $DIR/moved/{format}"))
            .expect(0, &["every entity has the same state in both"]);
    }
    env.run("savepoint inspect $DIR/moved/native").expect(0, &["savepoint   ", "0: 7", "in hand     "]);
    // A base is shared: without it, both are damaged.
    let shared = fs::read_dir(env.path("run/shared")).expect("it is there");
    let base =
        shared.map(|entry| entry.expect("it is there").path()).find(|path| path.to_string_lossy().contains("base-"));
    fs::remove_file(base.expect("there is one")).expect("it can be removed");
    env.run("savepoint list $DIR/run").expect(1, &["incomplete", "../shared/base-1-"]);
    env.run(&format!("savepoint verify {second}")).expect(1, &["problem     ../shared/base-1-", "is missing"]);
}
