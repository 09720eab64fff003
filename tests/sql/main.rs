//! Statements and their results: `*.slt` beside this file, over tables made from the samples.
//!
//! Promise: each statement goes through the real program; a line `@name parameter=value` runs one that comes with it.
//! `UPDATE_GOLDEN=1` rewrites the results; read the difference. The tables stay in `target/tmp/sql`, for tests/live/spark_sql.py. Tables: `triples` (the samples), `old` and `new` (revision maps), `state` (a savepoint of the samples).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};
use sqllogictest::{default_column_validator, default_normalizer, default_validator};

type Output = DBOutput<DefaultColumnType>;

/// A revision map that comes after that of the samples.
const NEW: &str = "entity,revision\nQ12,2204118809\nQ90,1500200301\nQ100,7\nL10,-1410000010\n";

/// The tables, in this directory.
struct Tables {
    dir: PathBuf,
}

impl Tables {
    fn make() -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sql");
        // There is nothing to remove the first time.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the directory can be made");
        let samples = root().join("data-samples");
        let map = fs::read_to_string(samples.join("revision-map.csv")).expect("the samples are there");
        fs::write(dir.join("old.csv"), format!("entity,revision\n{map}")).expect("the directory can be written");
        fs::write(dir.join("new.csv"), NEW).expect("the directory can be written");
        let tables = Self { dir };
        let sample = |name: &str| samples.join(name).to_string_lossy().into_owned();
        let triples = tables.place("triples");
        let import = |options: &str, dumps: &[&str]| {
            let dumps: Vec<_> = dumps.iter().flat_map(|name| ["--dump".to_owned(), sample(name)]).collect();
            let options = options.split(' ').chain(["--format", "parquet", "--output", &triples]);
            let arguments: Vec<_> =
                ["import"].into_iter().chain(options).chain(dumps.iter().map(String::as_str)).collect();
            tables.headwater(&arguments).expect("the samples can be imported");
        };
        import("--date 20241104 --uris-scheme wikidata", &["items.ttl", "properties.ttl", "lexemes.ttl"]);
        import("--date 20241110 --uris-scheme commons", &["commons.ttl"]);
        let (dump, lexemes, savepoint) = (sample("wikidata.ttl.gz"), sample("lexemes.ttl.bz2"), tables.place("state"));
        tables
            .headwater(&["bootstrap", "--dump", &dump, "--dump", &lexemes, "--savepoint-dir", &savepoint])
            .expect("it is made");
        tables
    }

    fn place(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// What the program prints; what it says, if it fails.
    fn headwater(&self, arguments: &[&str]) -> Result<String, Failed> {
        let output = Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).output().expect("it can be started");
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(Failed(text(output.stderr))) }
    }
}

/// What the program said when it failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

impl DB for &Tables {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<Output, Failed> {
        let mut arguments = vec!["sql".to_owned(), "--quiet".to_owned(), "--json".to_owned()];
        for (name, file) in [("triples", "triples"), ("old", "old.csv"), ("new", "new.csv"), ("state", "state")] {
            arguments.extend(["--table".to_owned(), format!("{name}={}", self.place(file))]);
        }
        match sql.strip_prefix('@') {
            Some(words) => {
                let mut words = words.split_whitespace().map(str::to_owned);
                arguments.extend(words.next());
                words.for_each(|value| arguments.extend(["--set".to_owned(), value]));
            }
            None => arguments.extend(["-c".to_owned(), sql.to_owned()]),
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let rows: Vec<_> = self.headwater(&arguments)?.lines().map(values).collect();
        let types = rows.first().map_or(Vec::new(), |row| vec![DefaultColumnType::Any; row.len()]);
        Ok(DBOutput::Rows { types, rows })
    }
}

/// The values of a line of JSON, in its order.
fn values(line: &str) -> Vec<String> {
    let mut row: Vec<_> =
        serde_json::from_str::<BTreeMap<String, Value>>(line).expect("a line is an object").into_iter().collect();
    row.sort_by_key(|(name, _)| line.find(&format!("\"{name}\":")));
    let text = |value| match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    row.into_iter().map(|(_, value)| text(value)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn statements_give_their_results() {
    let files = fs::read_dir(root().join("tests/sql")).expect("the tests are there");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("they can be listed").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    assert!(!files.is_empty());
    let tables = Tables::make();
    for file in files {
        let mut runner = Runner::new(|| async { Ok(&tables) });
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let update =
                runner.update_test_file(&file, " ", default_validator, default_normalizer, default_column_validator);
            let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
            runtime.block_on(update).expect("the file can be rewritten");
        } else {
            runner.run_file(&file).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
