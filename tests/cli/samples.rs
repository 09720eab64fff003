//! Every sample through `bootstrap`: the exit code, the message, and the map that the README promises.

use crate::harness::{TestEnv, sample_names};
use crate::readme;

const NO_LEXEMES: &str = "warning     no lexemes";
const SKIP: &str = "--on-bad-entity skip";
const BAD_REVISION: &str = "bad-revision.ttl: byte 2585";

/// Sample, further arguments, exit code, what is said.
const TABLE: &[(&str, &str, i32, &[&str])] = &[
    ("items.ttl", "", 0, &["entities    5 (5 items)", "redirects   2", NO_LEXEMES]),
    ("items.nt", "", 0, &["entities    5 (5 items)", "redirects   2", NO_LEXEMES]),
    ("items.ttl.zst", "", 0, &["zstd", "entities    5 (5 items)", "redirects   2"]),
    ("items-new-prefixes.ttl", "", 0, &["entities    3 (3 items)", "redirects   1"]),
    ("properties.ttl", "", 0, &["entities    2 (2 properties)"]),
    ("wikidata.ttl.gz", "", 0, &["gzip", "entities    7 (5 items, 2 properties)", "oldest of 4 dump headers"]),
    ("wikidata.ttl.bz2", "", 0, &["bzip2", "entities    7 (5 items, 2 properties)", "oldest of 4 dump headers"]),
    ("lexemes.ttl", "", 0, &["entities    3 (3 lexemes)", "redirects   1"]),
    ("lexemes.ttl.bz2", "", 0, &["bzip2", "entities    3 (3 lexemes)"]),
    (
        "commons.ttl",
        "",
        1,
        &["holds no revision of any entity of https://www.wikidata.org/", "hint: ", "--uris-scheme"],
    ),
    ("commons.ttl", "--uris-scheme commons", 0, &["entities    2 (2 mediainfo)"]),
    ("truthy.nt", "", 1, &["holds no revision", "hint: truthy dumps have no entity-data nodes"]),
    ("traps.ttl", "", 0, &["entities    11 (10 items, 1 properties)"]),
    ("header-without-date.ttl", "", 0, &["start time  not known", "warning     ", "1 of 1 dump headers have no date"]),
    ("bad-revision.ttl", "", 1, &[BAD_REVISION, "line 61", "Q2148", "is a decimal number", "hint: ", SKIP]),
    ("bad-revision.ttl", SKIP, 0, &["skipped     $SAMPLES/bad-revision.ttl", "Q2148", "1 skipped"]),
    ("bad-entity.ttl", "", 1, &["byte 2585", "line 61", "Q12x", "the letter of an entity id", "hint: ", SKIP]),
    ("bad-entity.ttl", SKIP, 0, &["skipped     $SAMPLES/bad-entity.ttl", "Q12x"]),
    ("truncated.ttl", "", 1, &["truncated.ttl: byte 6020", "line 158", "end of file", "hint: "]),
    ("truncated.ttl.gz", "", 1, &["is truncated", "byte 1662", "hint: the download was probably broken off"]),
    ("truncated.ttl.bz2", "", 1, &["is truncated", "byte 1856", "hint: the download was probably broken off"]),
    ("revision-map.csv", "", 1, &["byte 0", "line 1", "this is no Turtle", "hint: "]),
    ("subgraphs.yaml", "", 1, &["line 2", "this is no Turtle", "hint: "]),
];

#[test]
fn every_sample_has_a_row() {
    let rows: std::collections::BTreeSet<_> = TABLE.iter().map(|(file, ..)| (*file).to_owned()).collect();
    assert_eq!(rows.into_iter().collect::<Vec<_>>(), sample_names());
}

#[test]
fn every_sample_does_what_its_row_says() {
    for (file, arguments, code, said) in TABLE {
        let env = TestEnv::new();
        let output = "--savepoint-dir $DIR/sp --revision-map $DIR/map.csv";
        let outcome = env.run(&format!("bootstrap --dump $SAMPLES/{file} {output} {arguments}")).expect(*code, said);
        if *code != 0 {
            assert!(!env.exists("sp/_metadata") && !env.exists("map.csv"), "something was left behind\n{outcome}");
            continue;
        }
        assert_eq!(Some(readme::lines(&env.read("map.csv"))), readme::map(file), "{outcome}");
        if let Some(start) = readme::start(file) {
            assert!(outcome.stderr.contains(&format!("start time  {start} ")), "{outcome}");
        }
        env.run("savepoint verify $DIR/sp").expect(0, &["every byte is as it was written"]);
    }
}

#[test]
fn a_dump_that_ends_in_the_middle_is_never_a_smaller_dump() {
    for file in ["truncated.ttl", "truncated.ttl.gz", "truncated.ttl.bz2"] {
        let env = TestEnv::new();
        let outcome = env.run(&format!("bootstrap --dump $SAMPLES/{file} --savepoint-dir $DIR/sp {SKIP}"));
        assert!(!env.exists("sp/_metadata"), "what was cut off cannot be skipped\n{outcome}");
        outcome.expect(1, &[file, "hint: "]);
    }
}

#[test]
fn a_map_as_input_gives_itself() {
    let env = TestEnv::new();
    env.run("bootstrap --revision-map $SAMPLES/revision-map.csv --savepoint-dir $DIR/sp")
        .expect(0, &["entities    8 (5 items, 3 lexemes)", "start time  not known"]);
    env.run("savepoint export $DIR/sp --output $DIR/map.csv").expect(0, &["exported    8 entities"]);
    let map = std::fs::read_to_string(crate::harness::samples().join("revision-map.csv")).expect("it is a sample");
    assert_eq!(env.read("map.csv"), map);
}

#[test]
fn what_is_skipped_is_listed_in_the_report() {
    let env = TestEnv::new();
    let arguments = "--on-bad-entity skip --savepoint-dir $DIR/sp --report $DIR/report.json";
    env.run(&format!("bootstrap --dump $SAMPLES/bad-revision.ttl {arguments}")).expect(0, &[]);
    let report: serde_json::Value = serde_json::from_str(&env.read("report.json")).expect("the report is JSON");
    assert_eq!(report["skipped_count"], 1);
    let skipped = &report["skipped"][0];
    assert_eq!(
        (&skipped["offset"], &skipped["line"], &skipped["subject"]),
        (&2585.into(), &61.into(), &"Q2148".into())
    );
    let rule = skipped["rule"].as_str().expect("the rule is a text");
    assert!(rule.contains("a revision is a decimal number"), "{rule}");
    assert!(skipped["location"].as_str().is_some_and(|file| file.ends_with("bad-revision.ttl")));
}

#[test]
fn an_empty_input_is_not_called_a_truthy_dump() {
    for input in ["--dump $DIR/empty.ttl", "--revision-map $DIR/empty.csv"] {
        let env = TestEnv::new();
        env.write("empty.ttl", "");
        env.write("empty.csv", "");
        let outcome = env.run(&format!("bootstrap {input} --savepoint-dir $DIR/sp")).expect(1, &["$DIR/empty."]);
        assert!(!outcome.stderr.contains("truthy"), "the hint leads astray\n{outcome}");
    }
}
