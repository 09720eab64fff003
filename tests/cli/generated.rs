//! Made-up dumps: what the generator says is in them is what comes out of the savepoint.

use crate::harness::TestEnv;
use crate::readme;

/// A tenth where nothing is optimised, so that the tests take about as long.
const ENTITIES: usize = if cfg!(debug_assertions) { 2_000 } else { 20_000 };

fn round_trip(name: &str, contents: &str, wiki: &str) {
    let env = TestEnv::new();
    let dump = format!("$DIR/{name}");
    let generate = format!("generate-dump --entities {ENTITIES} --contents {contents} --output {dump}");
    env.run(&format!("{generate} --expected $DIR/expected.csv")).expect(0, &[]);
    env.run(&format!("bootstrap --dump {dump} {wiki} --savepoint-dir $DIR/sp"))
        .expect(0, &["start time  2026-01-05T23:00:02Z"]);
    let exported = format!("exported    {},000 entities", ENTITIES / 1000);
    env.run("savepoint export $DIR/sp --output $DIR/map.csv").expect(0, &[&exported]);
    let expected = readme::lines(&env.read("expected.csv"));
    assert_eq!(expected.len(), ENTITIES);
    assert!(readme::lines(&env.read("map.csv")) == expected, "{name}: the map is not the expected one");
}

#[test]
fn items_in_gzip() {
    round_trip("items.ttl.gz", "items", "");
}

#[test]
fn lexemes_in_bzip2() {
    round_trip("lexemes.ttl.bz2", "lexemes", "");
}

#[test]
fn a_mixture_in_zstd() {
    round_trip("mixed.ttl.zst", "mixed", "");
}

#[test]
fn mediainfo_in_plain_text() {
    round_trip("mediainfo.ttl", "mediainfo", "--uris-scheme commons");
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let env = TestEnv::new();
    for name in ["a.ttl.gz", "b.ttl.gz"] {
        env.run(&format!("generate-dump --entities 300 --output $DIR/{name}")).expect(0, &[]);
    }
    let bytes = |name| std::fs::read(env.path(name)).expect("it was written");
    assert!(bytes("a.ttl.gz") == bytes("b.ttl.gz"));
    env.run("generate-dump --entities 300 --seed 2 --output $DIR/c.ttl.gz").expect(0, &[]);
    assert!(bytes("a.ttl.gz") != bytes("c.ttl.gz"));
}
