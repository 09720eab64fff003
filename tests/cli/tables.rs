//! Triples tables as a user meets them: what is read from them, and what is none.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::TestEnv;
use crate::import::{files, lines};

#[test]
fn what_is_no_triples_table_is_told_with_its_place() {
    let env = TestEnv::new();
    let version = "'<c>' AS context, '<http://www.wikidata.org/entity/Q1>' AS subject, '<http://schema.org/version>' AS predicate";
    let rows = [
        ("SELECT 1 AS subject".to_owned(), "No field named predicate"),
        (format!("SELECT {version}, '\"1l\"' AS object"), "1l"),
        (format!("SELECT {version}, '\"0\"' AS object"), "Q1 at revision 0"),
    ];
    for (statement, said) in &rows {
        env.write("make.sql", statement);
        env.run("sql $DIR/make.sql --output $DIR/t.parquet --overwrite").expect(0, &[]);
        let expected = ["the triples table $DIR/t.parquet cannot be used", *said, "hint: a triples table has"];
        env.run("bootstrap --triples $DIR/t.parquet --savepoint-dir $DIR/sp").expect(1, &expected);
    }
    fs::write(env.path("t.parquet"), "").expect("it is ours");
    env.run("bootstrap --triples $DIR/t.parquet --savepoint-dir $DIR/sp").expect(1, &["t.parquet is no Parquet file"]);
}

#[test]
fn the_table_gives_what_the_dumps_give() {
    let env = TestEnv::new();
    let dumps = "--dump $SAMPLES/items.ttl --dump $SAMPLES/lexemes.ttl --dump $SAMPLES/properties.ttl";
    env.run(&format!("revision-map {dumps} --output $DIR/dumps.csv")).expect(0, &[]);
    let start = env.run(&format!("dump-start {dumps} --json")).expect(0, &[]).json()["start_time"].clone();
    for encoding in ["sesame", "utf8"] {
        let table = format!("--format parquet --encoding {encoding} --output $DIR/{encoding}");
        env.run(&format!("import {dumps} {table}")).expect(0, &["date=20241104/wiki=wikidata"]);
        env.run(&format!("revision-map --triples $DIR/{encoding} --output $DIR/table.csv --overwrite")).expect(0, &[]);
        assert_eq!(env.read("table.csv"), env.read("dumps.csv"));
        let found = env.run(&format!("dump-start --triples $DIR/{encoding} --json")).expect(0, &[]).json();
        assert_eq!(found["start_time"], start);
    }
    env.run("bootstrap --triples $DIR/utf8 --savepoint-dir $DIR/sp").expect(0, &["triples table"]);
    env.run("savepoint export $DIR/sp --output $DIR/sp.csv").expect(0, &[]);
    assert_eq!(env.read("sp.csv"), env.read("dumps.csv"));
}

#[test]
fn all_formats_hold_the_same_triples() {
    let env = TestEnv::new();
    let import = "import --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl --dedup exact";
    for format in ["nt", "ttl", "parquet"] {
        env.run(&format!("{import} --format {format} --encoding utf8 --output $DIR/{format}")).expect(0, &[]);
    }
    let nt: BTreeSet<_> = lines(&env, "nt").into_iter().collect();
    let turtle = files(&env, "ttl").remove("triples-00001.ttl").expect("one file");
    let line = |triple: Result<oxrdf::Triple, _>| format!("{} .", triple.expect("Turtle"));
    assert_eq!(oxttl::TurtleParser::new().for_slice(&turtle).map(line).collect::<BTreeSet<_>>(), nt);
    let statement = "SELECT DISTINCT subject, predicate, object FROM triples";
    env.write("all.sql", statement);
    let rows = env.run("sql $DIR/all.sql --table triples=$DIR/parquet --format json --quiet").expect(0, &[]).stdout;
    let line = |row: &str| {
        let row: serde_json::Value = serde_json::from_str(row).expect("a line of JSON");
        let text = |column: &str| row[column].as_str().expect("a text").to_owned();
        format!("{} {} {} .", text("subject"), text("predicate"), text("object"))
    };
    assert_eq!(rows.lines().map(line).collect::<BTreeSet<_>>(), nt);
}
