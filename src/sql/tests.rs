//! Laws of statements, of forms and of revision maps as tables.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::engine::Engine;
use super::form::Form;
use super::{Settings, SqlError};
use crate::env::Env;
use crate::storage::{self, Location};

fn engine() -> Engine {
    Engine::start(Settings { memory: 64 << 20, threads: 2 }, &Env::default()).unwrap()
}

fn run(engine: &Engine, text: &str, form: Form) -> Result<String, SqlError> {
    let mut bytes = Vec::new();
    engine.query(text, &BTreeMap::new())?.write(form, &mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn forms() {
    let rows = "SELECT * FROM (VALUES (1, 'a,\"b\"', NULL), (10, 'c', 0.5)) AS t (n, text, maybe) ORDER BY n";
    let none = "SELECT 1 AS n, 'x' AS text WHERE false";
    let table = [
        (rows, Form::Csv, "n,text,maybe\n1,\"a,\"\"b\"\"\",\n10,c,0.5\n"),
        (
            rows,
            Form::Json,
            "{\"n\":1,\"text\":\"a,\\\"b\\\"\",\"maybe\":null}\n{\"n\":10,\"text\":\"c\",\"maybe\":0.5}\n",
        ),
        (rows, Form::Table, " n  text   maybe\n--  -----  -----\n 1  a,\"b\"   NULL\n10  c        0.5\n"),
        (none, Form::Csv, "n,text\n"),
        (none, Form::Json, ""),
        (none, Form::Table, "n  text\n-  ----\n"),
    ];
    for (text, form, expected) in table {
        assert_eq!(run(&engine(), text, form).unwrap(), expected, "{form:?}");
    }
}

#[test]
fn a_value_never_becomes_sql() {
    let value = "it's $1 :b; -- */ \" \\ \u{0}ü";
    let values = BTreeMap::from([("a".to_owned(), value.to_owned())]);
    let mut bytes = Vec::new();
    let text = "SELECT :a AS a, concat($a, '.') AS b, ':a' AS c WHERE :a IN (SELECT :a)";
    engine().query(text, &values).unwrap().write(Form::Json, &mut bytes).unwrap();
    let row: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&*row["a"], &*row["b"], &*row["c"]), (value, &*format!("{value}."), ":a"));
}

#[test]
fn what_needs_more_memory_goes_to_disk_or_fails() {
    let text = "SELECT count(*) AS n FROM (SELECT v, repeat('x', 100) AS x FROM generate_series(1, 1000000) AS t (v) \
                ORDER BY v % 1000, v)";
    let sorted = "SELECT v FROM (SELECT v, v % 1000 AS k FROM generate_series(1, 3000000) AS t (v)) ORDER BY k, v";
    assert_eq!(run(&engine(), text, Form::Csv).unwrap(), "n\n1000000\n");
    assert_eq!(run(&engine(), sorted, Form::Csv).unwrap().lines().count(), 3_000_001);
    let small = Engine::start(Settings { memory: 1 << 10, threads: 2 }, &Env::default()).unwrap();
    assert!(matches!(run(&small, sorted, Form::Csv), Err(SqlError::Memory(_))));
}

#[test]
fn a_stop_ends_a_statement() {
    let env = Env::default();
    let engine = Engine::start(Settings { memory: 64 << 20, threads: 2 }, &env).unwrap();
    let stop = env.stop.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) AS t (v) WHERE v % 7 = 8";
    assert!(matches!(run(&engine, endless, Form::Csv), Err(SqlError::Cancelled)));
    stopper.join().unwrap();
}

#[test]
fn places_that_are_no_tables() {
    let dir = tempfile::tempdir().unwrap();
    let root = Location::parse(dir.path().to_str().unwrap()).unwrap();
    let put = |name: &str, bytes: &'static [u8]| storage::put(&root.join(name), Bytes::from_static(bytes)).unwrap();
    put("text.csv", b"a,b\n");
    put("broken.parquet", b"PAR1 and no more");
    put("mixed/a.parquet", b"PAR1");
    put("mixed/b.csv", b"Q1,1\n");
    put("mixed-too/a.csv", b"Q1,1\n");
    put("mixed-too/b.parquet", b"PAR1");
    put("making/a.parquet", b"PAR1");
    put("making/_temporary/b.parquet", b"PAR1");
    put("uneven/date=1/a.parquet", b"PAR1");
    put("uneven/b.parquet", b"PAR1");
    put("savepoint/_metadata", b"{}");
    put("empty/_SUCCESS", b"");
    let table = [
        ("text.csv", "revision map cannot be read"),
        ("broken.parquet", "its end is missing or damaged"),
        ("mixed", "does not end in .parquet"),
        ("mixed-too", "is a Parquet file, and"),
        ("making", "seems to be in the making"),
        ("uneven", "is in other directories than"),
        ("savepoint", "_metadata is not valid"),
        ("empty", "nothing found at"),
        ("absent", "nothing found at"),
        ("absent-*.parquet", "nothing found at"),
    ];
    for (name, expected) in table {
        let error = engine().add_table("t", &format!("{root}/{name}")).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

#[test]
fn names_of_tables() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("map #1%20.csv");
    std::fs::write(&file, "Q1,1\nM2,-3\nQ10,2\n").unwrap();
    let (engine, file) = (engine(), file.to_str().unwrap());
    engine.add_table("t_1", file).unwrap();
    for name in ["t_1", "", "1t", "T", "a.b", "a b", "ä"] {
        assert!(matches!(engine.add_table(name, file), Err(SqlError::TableName { .. })), "{name}");
    }
    let rows = run(&engine, "SELECT * FROM t_1 ORDER BY revision", Form::Csv).unwrap();
    assert_eq!(rows, "entity,revision\nM2,-3\nQ1,1\nQ10,2\n");
}

#[test]
fn odd_places_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine();
    let mut bytes = Vec::new();
    engine.query("SELECT 7 AS n", &BTreeMap::new()).unwrap().write(Form::Parquet, &mut bytes).unwrap();
    let text = format!("{}/a #1%20?\u{fc} [b]", dir.path().display());
    let place = Location::parse(&text).unwrap();
    storage::put(&place.join("day=2026 01%2F05/x.parquet"), bytes.into()).unwrap();
    storage::put(&place.join("day=2026/_SUCCESS"), Bytes::new()).unwrap();
    engine.add_table("t", &text).unwrap();
    assert_eq!(run(&engine, "SELECT day, n FROM t", Form::Csv).unwrap(), "day,n\n2026 01/05,7\n");
}
