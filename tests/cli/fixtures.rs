//! Real dumps, cut small, next to the project; where they are absent the test says so aloud.

use crate::harness::{TestEnv, shared};
use crate::readme;

/// File, further arguments, lines of the map, start time.
const TABLE: &[(&str, &str, &[&str], Option<&str>)] = &[
    ("small_dump_chunk.ttl", "", &["Q31,1065756426", "Q8,1052652842"], Some("2020-03-02T23:00:02Z")),
    ("small_dump.ttl", "", &["Q31,1055847656", "Q54872,1056380526", "Q6825,942411738"], Some("2019-11-18T23:00:01Z")),
    ("Q42.ttl", "", &["Q42,1997465481"], Some("2024-04-08T23:00:02Z")),
    ("lexeme_dump.ttl", "", &["L4696,766944915"], None),
    (
        "commons_dump.ttl",
        "--uris-scheme commons",
        &["M50827445,522822130", "M6580719,516563229"],
        Some("2021-01-10T15:00:01Z"),
    ),
];

#[test]
fn real_dumps_give_their_revisions_and_start() {
    if !shared().join("fixtures/dumps").is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    for (file, arguments, map, start) in TABLE {
        let env = TestEnv::new();
        let output = "--savepoint-dir $DIR/sp --revision-map $DIR/map.csv --json";
        let outcome =
            env.run(&format!("bootstrap --dump $SHARED/fixtures/dumps/{file} {output} {arguments}")).expect(0, &[]);
        assert_eq!(readme::lines(&env.read("map.csv")), map.iter().map(|line| (*line).to_owned()).collect(), "{file}");
        assert_eq!(outcome.json()["start_time"].as_str(), *start, "{file}");
        let redirects = if *file == "small_dump.ttl" { 1 } else { 0 };
        assert_eq!(outcome.json()["entities"]["redirects"], redirects, "{file}");
        env.run("savepoint verify $DIR/sp").expect(0, &[]);
    }
}
