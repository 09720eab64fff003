//! `headwater dump-start`: the oldest header of all, wherever it stands.

use crate::harness::{TestEnv, sample_names};
use crate::readme;

#[test]
fn the_oldest_header_is_printed() {
    let env = TestEnv::new();
    let outcome = env.run("dump-start --dump $SAMPLES/lexemes.ttl.bz2 --dump $SAMPLES/wikidata.ttl.gz");
    let outcome = outcome.expect(0, &[]);
    assert_eq!(outcome.stdout, "2024-11-04T23:00:02Z\n");
    assert_eq!(outcome.stderr, "oldest of 5 dump headers (0 without a date)\n", "a message ends its line");
}

#[test]
fn every_sample_starts_when_its_readme_says() {
    for file in sample_names() {
        let outcome = TestEnv::new().run(&format!("dump-start --quiet --dump $SAMPLES/{file}"));
        let broken = file.starts_with("bad-") || file.starts_with("truncated.") || file.ends_with(".csv");
        match readme::start(&file).filter(|_| !broken) {
            Some(start) => assert_eq!((outcome.code, outcome.stdout.as_str()), (0, format!("{start}\n").as_str())),
            None => assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}"),
        }
    }
}

#[test]
fn no_date_is_an_error_with_a_hint() {
    let said = ["no start time: 1 dump headers, none with a date", "hint: give whole dumps"];
    TestEnv::new().run("dump-start --dump $SAMPLES/header-without-date.ttl").expect(1, &said);
}

#[test]
fn all_headers_can_be_listed() {
    let outcome = TestEnv::new().run("dump-start --all --quiet --dump $SAMPLES/items.ttl").expect(0, &[]);
    assert_eq!(outcome.stdout, "2024-11-04T23:00:09Z\n2024-11-04T23:00:02Z\n2024-11-04T23:24:41Z\n");
    assert_eq!(outcome.stderr, "");
}
