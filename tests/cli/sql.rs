//! `sql`: its forms, its refusals, its end. What statements say is tested in `tests/sql`.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{TestEnv, code, golden};

/// A room with statements.
fn room() -> TestEnv {
    let env = TestEnv::new();
    let statements = [
        ("kinds.sql", "SELECT substr(entity, 1, 1) AS kind, count(*) AS entities FROM map GROUP BY kind ORDER BY kind"),
        ("all.sql", "SELECT * FROM kinds"),
        ("nothing.sql", "-- Nothing.\n"),
        ("two.sql", "SELECT 1; SELECT 2"),
        ("drop.sql", "DROP TABLE map"),
        ("typo.sql", "SELECT entity\nFORM map"),
        ("column.sql", "SELECT revisoin FROM map"),
        ("cast.sql", "SELECT CAST(entity AS BIGINT) FROM map"),
        ("endless.sql", "SELECT count(*) FROM generate_series(1, 100000000000) AS t (n) WHERE n % 7 = 8"),
    ];
    statements.iter().for_each(|(name, text)| env.write(name, text));
    env.write("new.csv", "Q12,2204118809\nQ90,1500200301\nL10,-1410000010\n");
    env.write("wrong.csv", "name,place\n");
    env
}

#[test]
fn forms_and_refusals() {
    let text = room().transcript(&[
        "sql --list",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv --format csv --quiet",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv --json --quiet",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv --output $DIR/kinds.parquet",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv --output $DIR/kinds.parquet",
        "sql $DIR/all.sql --table kinds=$DIR/kinds.parquet",
        "sql changed_entities --table old=$SAMPLES/revision-map.csv --table new=$DIR/new.csv",
        "sql dump_start",
        "sql no_such_statement",
        "sql entity_triples",
        "sql dump_start --set entity=Q31",
        "sql $DIR/nothing.sql",
        "sql $DIR/two.sql",
        "sql $DIR/drop.sql --table map=$SAMPLES/revision-map.csv",
        "sql $DIR/typo.sql --table map=$SAMPLES/revision-map.csv",
        "sql $DIR/column.sql --table map=$SAMPLES/revision-map.csv",
        "sql $DIR/cast.sql --table map=$SAMPLES/revision-map.csv",
        "sql $DIR/kinds.sql --table map=$DIR/wrong.csv",
        "sql $DIR/kinds.sql --table map=$DIR/absent.csv",
        "sql $DIR/kinds.sql --table map",
        "sql $DIR/kinds.sql --table Map=$SAMPLES/revision-map.csv",
        "sql $DIR/kinds.sql --table map=$SAMPLES/revision-map.csv --output $SAMPLES/revision-map.csv --overwrite",
        "sql $DIR/kinds.sql --format parquet",
        "sql $DIR/kinds.sql --format csv --json",
        "sql $DIR/kinds.sql --memory 2gigs",
    ]);
    golden("golden/sql.txt", &text);
}

#[test]
fn ctrl_c_ends_a_statement() {
    let env = room();
    let run = env.command("sql $DIR/endless.sql --output $DIR/out.csv").spawn().expect("it can be started");
    sleep(Duration::from_millis(500));
    let _ = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    let output = run.wait_with_output().expect("it was started");
    assert_eq!(code(output.status), 130);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: interrupted\n");
    assert!(!env.exists("out.csv"));
}
