//! Where output goes: refused before anything is read, replaced only when asked, complete or absent.

use crate::harness::TestEnv;

const ITEMS: &str = "bootstrap --dump $SAMPLES/items.ttl";

#[test]
fn a_savepoint_is_replaced_only_with_overwrite() {
    let env = TestEnv::new();
    let lexemes = "bootstrap --dump $SAMPLES/lexemes.ttl --savepoint-dir $DIR/sp";
    env.run(&format!("{ITEMS} --savepoint-dir $DIR/sp")).expect(0, &[]);
    env.run(lexemes).expect(2, &["$DIR/sp already holds a savepoint", "hint: ", "--overwrite"]);
    env.run("savepoint inspect $DIR/sp").expect(0, &["items       5"]);
    env.run(&format!("{lexemes} --overwrite")).expect(0, &[]);
    env.run("savepoint verify $DIR/sp").expect(0, &["lexemes     3", "every byte is as it was written"]);
}

#[test]
fn a_map_is_replaced_only_with_overwrite() {
    let env = TestEnv::new();
    env.write("map.csv", "mine");
    let command = format!("{ITEMS} --savepoint-dir $DIR/sp --revision-map $DIR/map.csv");
    env.run(&command).expect(2, &["$DIR/map.csv already exists", "hint: ", "--overwrite"]);
    assert!(env.read("map.csv") == "mine" && !env.exists("sp"));
    env.run(&format!("{command} --overwrite")).expect(0, &[]);
    assert!(env.read("map.csv").starts_with("Q12,"));
}

#[test]
fn files_of_others_are_never_deleted() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("sp")).expect("the room can be written");
    env.write("sp/thesis.txt", "mine");
    let command = format!("{ITEMS} --savepoint-dir $DIR/sp --overwrite");
    env.run(&command).expect(2, &["thesis.txt", "hint: choose another directory"]);
    assert_eq!(env.read("sp/thesis.txt"), "mine");
}

/// Runs over a dump that breaks a rule in its middle: a refusal of the output must come before that is found.
fn refused_before_reading(output: &str) {
    let env = TestEnv::new();
    env.write("file", "");
    let outcome = env.run(&format!("bootstrap --dump $SAMPLES/bad-revision.ttl {output}"));
    assert!([2, 3].contains(&outcome.code), "it must be refused, before anything is read\n{outcome}");
    assert!(outcome.stderr.contains("error: ") && outcome.stderr.contains("$DIR/file"), "{outcome}");
    assert!(!env.exists("sp/_metadata"), "{outcome}");
}

#[test]
fn a_savepoint_below_a_file_is_refused() {
    refused_before_reading("--savepoint-dir $DIR/file/sp");
}

#[test]
fn a_file_as_savepoint_directory_is_refused() {
    refused_before_reading("--savepoint-dir $DIR/file");
}

#[test]
fn a_map_below_a_file_is_refused() {
    refused_before_reading("--savepoint-dir $DIR/sp --revision-map $DIR/file/map.csv");
}

#[test]
fn a_report_below_a_file_is_refused() {
    refused_before_reading("--savepoint-dir $DIR/sp --report $DIR/file/report.json");
}

#[test]
fn a_run_that_fails_leaves_nothing() {
    let env = TestEnv::new();
    env.write("file", "");
    let outcome = env.run(&format!("{ITEMS} --savepoint-dir $DIR/file --revision-map $DIR/map.csv"));
    assert!([2, 3].contains(&outcome.code), "{outcome}");
    assert!(!env.exists("map.csv"), "a map was left by a run that failed\n{outcome}");
}

#[test]
fn outputs_inside_the_savepoint_are_refused_or_harmless() {
    for output in ["--report $DIR/sp/report.json", "--revision-map $DIR/sp/map.csv"] {
        let env = TestEnv::new();
        let outcome = env.run(&format!("{ITEMS} --savepoint-dir $DIR/sp {output}"));
        if outcome.code == 2 {
            assert!(!env.exists("sp/_metadata"), "{outcome}");
        } else {
            assert_eq!(env.run("savepoint verify $DIR/sp").code, 0, "what bootstrap writes must verify\n{outcome}");
        }
    }
}

#[test]
fn part_files_as_spark_writes_them() {
    let env = TestEnv::new();
    let map = "--revision-map $DIR/parts --num-partitions 3 --format csv";
    env.run(&format!("{ITEMS} --savepoint-dir $DIR/sp {map}")).expect(0, &["$DIR/parts: 3 files"]);
    assert!(env.exists("parts/_SUCCESS"));
    env.run("bootstrap --revision-map $DIR/parts --savepoint-dir $DIR/sp2").expect(0, &["entities    5 (5 items)"]);
    env.run("bootstrap --revision-map $DIR/parts/part-*.csv --savepoint-dir $DIR/sp3").expect(0, &["entities    5"]);
}

#[test]
fn a_report_never_replaces_an_input() {
    let env = TestEnv::new();
    std::fs::copy(crate::harness::samples().join("items.ttl"), env.path("my.ttl")).expect("it is a sample");
    let outcome = env.run("bootstrap --dump $DIR/my.ttl --savepoint-dir $DIR/sp --report $DIR/my.ttl");
    assert!(env.read("my.ttl").starts_with("@prefix"), "the dump is gone\n{outcome}");
    outcome.expect(2, &["$DIR/my.ttl"]);
}

#[test]
fn two_outputs_in_one_place_are_refused() {
    let table = [
        "bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp --report $DIR/one.csv --revision-map $DIR/one.csv",
        "bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/one --revision-map $DIR/one --num-partitions 2",
        "generate-dump --entities 10 --output $DIR/one.ttl --expected $DIR/one.ttl",
    ];
    let mut wrong = Vec::new();
    for command in table {
        let env = TestEnv::new();
        let outcome = env.run(command);
        let left = std::fs::read_dir(env.path("")).expect("the room can be listed").count();
        if outcome.code != 2 || left > 0 {
            wrong.push(format!("must be refused and leave nothing (left: {left})\n{outcome}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_made_up_dump_replaces_nothing() {
    let env = TestEnv::new();
    env.write("mine.ttl", "mine");
    env.write("mine.csv", "mine");
    for output in ["--output $DIR/mine.ttl", "--output $DIR/new.ttl --expected $DIR/mine.csv"] {
        env.run(&format!("generate-dump --entities 10 {output}")).expect(2, &["already exists"]);
    }
    assert_eq!((env.read("mine.ttl").as_str(), env.read("mine.csv").as_str()), ("mine", "mine"));
}

#[test]
fn part_files_without_their_mark_are_not_taken_for_whole() {
    let env = TestEnv::new();
    env.run("revision-map --dump $SAMPLES/items.ttl --output $DIR/parts --num-partitions 2").expect(0, &[]);
    std::fs::remove_file(env.path("parts/_SUCCESS")).expect("it was written");
    let outcome = env.run("bootstrap --revision-map $DIR/parts --savepoint-dir $DIR/sp");
    assert!(outcome.stderr.contains("_SUCCESS"), "a directory that may be half written: refuse it or warn\n{outcome}");
}
