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
    // The length of the footer, beyond the file.
    let mut whole = fs::read(env.path("t.parquet")).expect("it is there");
    let length = whole.len() - 8;
    whole[length..length + 4].copy_from_slice(&[255, 255, 255, 127]);
    fs::write(env.path("t.parquet"), &whole).expect("it is ours");
    let broken = "t.parquet is no whole Parquet file";
    env.run("bootstrap --triples $DIR/t.parquet --savepoint-dir $DIR/sp").expect(1, &[broken]);
    env.run("sql -c Q --table t=$DIR/t.parquet").expect(1, &[broken]);
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
    for (format, encoding) in [("nt", ""), ("ttl", ""), ("parquet", "--encoding utf8")] {
        env.run(&format!("{import} --format {format} {encoding} --output $DIR/{format}")).expect(0, &[]);
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

/// The statements say what the commands say, of states and maps of all kinds.
#[test]
fn reconciling_in_sql_and_by_command_is_the_same() {
    let env = TestEnv::new();
    // Of every entity one of all that a state and a newer map can say.
    let revisions = [None, Some(10), Some(20), Some(-20), Some(30), Some(99)];
    let (mut old, mut new) = (String::new(), String::new());
    let mut number = 0;
    for known in revisions {
        for dumped in revisions {
            for kind in ["Q", "P", "L"] {
                number += 1;
                known.iter().for_each(|revision| old += &format!("{kind}{number},{revision}\n"));
                // The map has no lexemes, and knows no deletions.
                let dumped = dumped.filter(|revision| *revision > 0 && *revision < 99 && kind != "L");
                dumped.iter().for_each(|revision| new += &format!("{kind}{number},{revision}\n"));
            }
        }
    }
    env.write("old.csv", &old);
    env.write("new.csv", &new);
    let bootstrap =
        "bootstrap --quiet --revision-map $DIR/old.csv --negative-revisions deleted --savepoint-dir $DIR/state";
    env.run(bootstrap).expect(0, &[]);
    let command = "reconcile dump --state $DIR/state --state-time 2026-01-15T00:00:00Z --revision-map $DIR/new.csv \
                   --dump-end 2026-01-14T00:00:00Z --dry-run --findings $DIR/findings.csv";
    env.run(command).expect(0, &["not compared lexemes"]);
    let sql = "sql reconcile --quiet --table state=$DIR/state --table new=$DIR/new.csv --output $DIR/sql.csv";
    env.run(sql).expect(0, &[]);
    let sorted = |name: &str| {
        let mut lines: Vec<_> = env.read(name).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted("sql.csv"), sorted("findings.csv"));
    assert!(sorted("sql.csv").len() > 30);
    env.run("reconcile maps $DIR/old.csv $DIR/new.csv --negative-revisions deleted --only deleted --output $DIR/deleted.csv")
        .expect(0, &[]);
    let sql =
        "sql deleted_entities --quiet --table old=$DIR/old.csv --table new=$DIR/new.csv --output $DIR/sql-deleted.csv";
    env.run(sql).expect(0, &[]);
    let of_command = sorted("deleted.csv").into_iter().filter(|line| !line.starts_with("entity"));
    let of_command: Vec<_> =
        of_command.map(|line| line.replace(",deleted", "").trim_end_matches(',').to_owned()).collect();
    let of_sql: Vec<_> = sorted("sql-deleted.csv").into_iter().filter(|line| !line.starts_with("entity")).collect();
    assert_eq!(of_sql, of_command);
}

/// A table that an import wrote is its files, all of them and no others.
#[test]
fn a_table_that_lacks_files_is_none() {
    let env = TestEnv::new();
    env.run("generate-dump --entities 400 --output $DIR/d.ttl.gz").expect(0, &[]);
    env.run("import --dump $DIR/d.ttl.gz --format parquet --date 20260105 --num-partitions 4 --output $DIR/t")
        .expect(0, &[]);
    let table = env.path("t/date=20260105/wiki=wikidata");
    let map = "revision-map --triples $DIR/t --output $DIR/map.csv --overwrite";
    env.run(map).expect(0, &[]);
    let mut parts: Vec<_> = fs::read_dir(&table).expect("it is there").map(|entry| entry.unwrap().path()).collect();
    parts.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    parts.sort();
    let part = fs::read(&parts[1]).expect("a part");
    let name = parts[1].file_name().unwrap().to_string_lossy().into_owned();
    fs::remove_file(&parts[1]).expect("it is ours");
    env.run(map).expect(1, &[&name, "is missing"]);
    fs::write(&parts[1], "").expect("it is ours");
    env.run(map).expect(1, &[&name, "has 0 bytes"]);
    fs::write(&parts[1], &part).expect("it is ours");
    fs::copy(&parts[0], table.join("part-other.parquet")).expect("it is ours");
    env.run(map).expect(1, &["part-other.parquet", "is none of the files"]);
}
