//! `headwater savepoint`: what is sound verifies, what is not is named, what comes out can go in again.

use std::fs;

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
