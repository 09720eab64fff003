//! Real Flink and our savepoints: each finds in the other's what was put in, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::room::{Room, given, sorted_lines};

const FLINK: &str = "HEADWATER_LIVE_FLINK";
const ENTITIES: u64 = 200_000;

/// A revision map of every kind of entity, one in nine deleted, with ids of every length; and ids that are not in it.
fn revisions(room: &Room) {
    let (mut map, mut absent) = (String::new(), String::new());
    let mut seen = BTreeSet::new();
    // A generator with a period of 2^64: the same revisions in every run.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    while (seen.len() as u64) < ENTITIES + 1000 {
        let digits = 1 + next(10) as u32;
        let number = 1 + next(10_u64.pow(digits).min(2_147_483_646));
        let id = format!("{}{number}", ['Q', 'Q', 'Q', 'Q', 'P', 'L', 'M'][next(7) as usize]);
        if !seen.insert(id.clone()) {
            continue;
        }
        let sign = if next(9) == 0 { "-" } else { "" };
        if seen.len() as u64 <= ENTITIES {
            map.push_str(&format!("{id},{sign}{}\n", 1 + next(3_000_000_000)));
        } else {
            absent.push_str(&format!("{id}\n"));
        }
    }
    room.write("map.csv", &map);
    room.write("absent.txt", &absent);
}

/// The savepoint at `place` holds exactly the revision map.
fn check_read_back(room: &Room, place: &str) {
    room.headwater(&format!("savepoint verify {place}"), 0);
    room.headwater(&format!("savepoint export {place} --output $DIR/back.csv --deleted negative --overwrite"), 0);
    assert!(
        sorted_lines(&room.path("back.csv")) == sorted_lines(&room.path("map.csv")),
        "{place} holds other revisions"
    );
}

#[test]
#[ignore = "needs Flink: tests/live/bed run"]
fn flink_finds_every_entity_and_goes_on() {
    if !given(FLINK) {
        return;
    }
    let room = Room::new();
    revisions(&room);
    let input = "--revision-map $DIR/map.csv --negative-revisions deleted";
    room.headwater(&format!("bootstrap {input} --savepoint-dir $DIR/sp --savepoint-format flink --parallelism 12"), 0);
    for (backend, parallelism) in [("rocksdb", 12), ("hashmap", 12), ("rocksdb", 1), ("hashmap", 5)] {
        let said = room.judge(
            FLINK,
            &format!(
                "restore --savepoint $DIR/sp --expect $DIR/map.csv --absent $DIR/absent.txt --timers \
                 --savepoint-out $DIR/out --backend {backend} --parallelism {parallelism}"
            ),
            0,
        );
        assert_eq!(said.json()["keys"].as_u64(), Some(ENTITIES), "{}", said.stdout);
        check_read_back(&room, &said.field("savepoint"));
    }
}

#[test]
#[ignore = "needs Flink: tests/live/bed run"]
fn a_converted_savepoint_restores_too() {
    if !given(FLINK) {
        return;
    }
    let room = Room::new();
    revisions(&room);
    let input = "--revision-map $DIR/map.csv --negative-revisions deleted";
    room.headwater(&format!("bootstrap {input} --savepoint-dir $DIR/native"), 0);
    room.headwater("savepoint convert $DIR/native --to flink --savepoint-dir $DIR/sp --parallelism 3", 0);
    // Moved, as paths are relative.
    std::fs::rename(room.path("sp"), room.path("moved")).expect("a directory can be moved");
    let restore =
        "restore --savepoint $DIR/moved --expect $DIR/map.csv --absent $DIR/absent.txt --savepoint-out $DIR/out";
    let said = room.judge(FLINK, &format!("{restore} --format native --backend rocksdb --parallelism 2"), 0);
    let native = said.field("savepoint");
    let said = room.headwater(&format!("savepoint export {native} --output $DIR/x.csv"), 1);
    assert!(said.stderr.contains("own form of the RocksDB backend"), "{}", said.stderr);
    assert!(said.stderr.contains("hint: take a canonical savepoint"), "{}", said.stderr);
    let said = room.headwater("savepoint list $DIR --json", 0);
    let found = said.json()["found"].as_array().map(Vec::len);
    assert_eq!(found, Some(3), "{}", said.stdout);
    assert_eq!(said.field("restore_from").trim_start_matches("file:"), native.trim_start_matches("file:"));
}

#[test]
#[ignore = "needs Flink: tests/live/bed run"]
fn what_the_state_processor_writes_reads_back() {
    if !given(FLINK) {
        return;
    }
    let room = Room::new();
    revisions(&room);
    for (at, options) in
        ["--backend rocksdb --parallelism 3", "--backend hashmap --parallelism 2 --compressed"].iter().enumerate()
    {
        room.judge(FLINK, &format!("write --savepoint $DIR/sp{at} --csv $DIR/map.csv {options}"), 0);
        check_read_back(&room, &format!("$DIR/sp{at}"));
    }
}

#[test]
#[ignore = "needs Flink: tests/live/bed run"]
fn buffered_events_and_timers_read_back() {
    if !given(FLINK) {
        return;
    }
    let room = Room::new();
    revisions(&room);
    for options in ["--backend rocksdb --parallelism 2 --compressed", "--backend hashmap --parallelism 3"] {
        let buffer = format!("buffer --savepoint $DIR/sp --csv $DIR/map.csv --events-out $DIR/events.tsv {options}");
        let place = room.judge(FLINK, &buffer, 0).field("savepoint");
        check_read_back(&room, &place);
        let said = room.headwater(&format!("savepoint inspect {place} --json"), 0).json();
        let mut found: Vec<_> = said["buffered"].as_array().expect("a list").iter().flat_map(event_lines).collect();
        found.extend(said["timers"].as_array().expect("a list").iter().map(timer_line));
        found.sort();
        let expected = sorted_lines(&room.path("events.tsv"));
        assert!(!expected.is_empty());
        assert_eq!(found, expected);
        let refused = room.headwater(&format!("savepoint convert {place} --to native --savepoint-dir $DIR/n"), 1);
        assert!(refused.stderr.contains("which would be lost"), "{}", refused.stderr);
    }
}

/// The events of a key, as the judge lists them.
fn event_lines(buffered: &Value) -> Vec<String> {
    let events = buffered["events"].as_array().expect("a list");
    let line = |event: &Value| {
        let (original, time) = (&event["original"], event["event_time"].as_i64().expect("a time"));
        assert_eq!(original["timestamp"].as_i64(), Some(time + 1));
        let fields = [
            &buffered["key"],
            &event["type"],
            &event["event_time"],
            &event["ingestion_time"],
            &event["revision"],
            &event["parent_revision"],
            &original["domain"],
            &original["stream"],
            &original["request_id"],
            &original["schema"],
            &original["id"],
            &event["action"],
        ];
        fields.map(field).join("\t")
    };
    events.iter().map(line).collect()
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn timer_line(timer: &Value) -> String {
    let at = timer["at"].as_str().expect("a time");
    let at = headwater::wikibase::timestamp::Timestamp::parse(at).expect("a time").millis();
    format!("timer\t{}\t{at}", field(&timer["key"]))
}
