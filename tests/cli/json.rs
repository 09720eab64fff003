//! JSON: it parses, and the names that programs rely on are there.

use serde_json::Value;

use crate::harness::TestEnv;

const REPORT: &[&str] = &[
    "started_at",
    "read_seconds",
    "write_seconds",
    "start_time",
    "headers",
    "entities",
    "files",
    "duplicates",
    "skipped_count",
    "skipped",
    "warnings",
    "savepoints",
    "revision_map",
    "next_command",
];
const ENTITIES: &[&str] = &["total", "items", "properties", "lexemes", "mediainfo", "redirects", "deleted"];
const FILE: &[&str] = &["location", "compression", "bytes", "text_bytes", "lines", "revisions", "redirects", "headers"];
const HEADERS: &[&str] = &["count", "undated", "oldest", "newest"];
const SKIPPED: &[&str] = &["location", "offset", "line", "subject", "rule"];
const OVERVIEW: &[&str] = &[
    "location",
    "created_at",
    "created_by",
    "inputs",
    "concept",
    "entity_data",
    "start_time",
    "newest_header",
    "headers",
    "kinds",
    "files",
    "bytes",
];
const EXPORT: &[&str] = &["location", "files", "bytes", "entities", "omitted"];

/// Command, a place in its JSON, the keys there.
const TABLE: &[(&str, &str, &[&str])] = &[
    ("bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp --revision-map $DIR/map.csv", "", REPORT),
    ("revision-map --dump $SAMPLES/items.ttl --output $DIR/1.csv", "/entities", ENTITIES),
    ("revision-map --dump $SAMPLES/items.ttl --output $DIR/2.csv", "/files/0", FILE),
    ("revision-map --dump $SAMPLES/items.ttl --output $DIR/3.csv", "/files/0/headers", HEADERS),
    ("revision-map --dump $SAMPLES/items.ttl --output $DIR/4.csv", "/revision_map", &["location", "files", "bytes"]),
    ("revision-map --dump $SAMPLES/bad-entity.ttl --on-bad-entity skip --output $DIR/5.csv", "/skipped/0", SKIPPED),
    ("dump-start --dump $SAMPLES/items.ttl", "", &["start_time", "count", "undated", "oldest", "newest"]),
    ("dump-start --dump $SAMPLES/items.ttl --all", "", &["start_time", "dates"]),
    ("savepoint inspect $DIR/sp", "", OVERVIEW),
    ("savepoint inspect $DIR/sp", "/kinds/0", &["kind", "created", "deleted"]),
    ("savepoint verify $DIR/sp", "", &["problems"]),
    ("savepoint export $DIR/sp --output $DIR/6.csv", "", EXPORT),
];

#[test]
fn every_command_speaks_json_with_stable_names() {
    let env = TestEnv::new();
    for (command, place, keys) in TABLE {
        let outcome = env.run(&format!("{command} --json")).expect(0, &[]);
        let json = outcome.json();
        let found = json.pointer(place).and_then(Value::as_object);
        let found = found.unwrap_or_else(|| panic!("nothing at {place:?}\n{outcome}"));
        let missing: Vec<_> = keys.iter().filter(|key| !found.contains_key(**key)).collect();
        assert!(missing.is_empty(), "missing at {place:?}: {missing:?}\n{outcome}");
    }
}

#[test]
fn the_report_file_is_what_json_prints() {
    let env = TestEnv::new();
    let outcome = env.run("bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp --report $DIR/r.json --json");
    let outcome = outcome.expect(0, &[]);
    let file: Value = serde_json::from_str(&env.read("r.json").replace(&*env.path("").to_string_lossy(), "$DIR/"))
        .expect("the report is JSON");
    for key in ["start_time", "headers", "entities", "warnings", "savepoints", "next_command"] {
        assert_eq!(file[key], outcome.json()[key], "{key}");
    }
}

#[test]
fn what_is_gone_with_the_process_is_not_offered_next() {
    let env = TestEnv::new();
    let run = |places: &str| env.run(&format!("bootstrap --dump $SAMPLES/items.ttl {places} --json")).expect(0, &[]);
    assert_eq!(run("--savepoint-dir memory:sp").json()["next_command"], Value::Null);
    assert!(run("--savepoint-dir $DIR/sp").json()["next_command"].is_string());
}

#[test]
fn problems_of_a_damaged_savepoint_are_json_too() {
    let env = TestEnv::new();
    env.run("bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp").expect(0, &[]);
    env.write("sp/more", "");
    let outcome = env.run("savepoint verify $DIR/sp --json").expect(1, &[]);
    assert_eq!(outcome.json()["problems"][0], "more does not belong to the savepoint");
}

#[test]
fn stdout_holds_nothing_but_results() {
    let env = TestEnv::new();
    let outcome = env.run("bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp").expect(0, &[]);
    assert_eq!(outcome.stdout, "");
    let outcome = env.run("bootstrap --dump $SAMPLES/truthy.nt --savepoint-dir $DIR/sp2 --json").expect(1, &[]);
    assert_eq!(outcome.stdout, "");
}
