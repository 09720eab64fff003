//! Wrong arguments: exit code 2, and a sentence that says which.

use crate::harness::TestEnv;

const TO: &str = "--savepoint-dir $DIR/sp";

/// Arguments after which `--savepoint-dir` follows, and what is said.
const BOOTSTRAP: &[(&str, &[&str])] = &[
    ("", &["no input", "--dump", "--revision-map"]),
    ("--nonsense", &["--nonsense"]),
    ("--dump $SAMPLES/items.ttl --dump $SAMPLES/items.ttl", &["items.ttl is given twice"]),
    ("--dump $SAMPLES/items.ttl --hostname wiki.example.org/w", &["wiki.example.org/w", "host name"]),
    ("--dump $SAMPLES/items.ttl --hostname https://wiki.example.org", &["host name"]),
    ("--dump $SAMPLES/items.ttl --hostname=", &["host name"]),
    ("--dump $SAMPLES/items.ttl --concept-uri entity", &["entity"]),
    ("--dump $SAMPLES/items.ttl --uris-scheme klingon", &["klingon", "wikidata, commons"]),
    ("--dump $SAMPLES/items.ttl --on-bad-entity maybe", &["maybe", "stop, skip"]),
    ("--dump $SAMPLES/items.ttl --threads 0", &["--threads"]),
    ("--dump $SAMPLES/items.ttl --revision-map $DIR/map.txt", &["does not tell the form", "hint: ", "--format"]),
    ("--dump $SAMPLES/nothing-here.ttl", &["nothing found at $SAMPLES/nothing-here.ttl"]),
    ("--dump $SAMPLES", &["$SAMPLES is not a regular file"]),
    ("--dump gs://bucket/items.ttl", &["`gs` are not supported"]),
    ("--dump s3://bucket/items.ttl", &["s3://bucket cannot be used", "AWS_ACCESS_KEY_ID"]),
    ("--dump swift://container.service/items.ttl", &["swift://container.service cannot be used", "ST_AUTH"]),
    ("--dump swift://container/items.ttl", &["swift://CONTAINER.SERVICE/path"]),
    ("--revision-map $SAMPLES/nothing-*.csv", &["nothing-*.csv"]),
];

/// Of imports that cannot be.
const IMPORTS: &[(&str, &[&str])] = &[
    ("--format nt --output $SAMPLES/items.ttl", &["is no directory", "hint: "]),
    ("--format nt --output $SAMPLES/items.ttl/x", &["is no directory", "hint: "]),
    ("--format parquet --date 20261301 --output $DIR/out", &["20261301", "8 digits"]),
    ("--format parquet --wiki .. --output $DIR/out", &["a name is of letters"]),
    ("--format nt --label-language de, --output $DIR/out", &["a language is written like"]),
    ("--format nt --single-label klingonian --output $DIR/out", &["a language is written like"]),
    ("--format nt --date 20260105 --output $DIR/out", &["--date is for a table"]),
    ("--format ttl --encoding utf8 --output $DIR/out", &["--encoding is for a table"]),
    ("--format nt --memory 100MiB --output $DIR/out", &["256MiB at least"]),
    ("--format nt --memory much --output $DIR/out", &["a size is a whole number"]),
    (
        "--format ttl --no-skolemize --dedup exact --chunk-size 9 --output $DIR/out",
        &["--no-skolemize with --dedup exact", "hint: "],
    ),
];

/// Other commands.
const OTHERS: &[(&str, &[&str])] = &[
    ("", &["Usage: "]),
    ("nonsense", &["nonsense"]),
    ("bootstrap --dump $SAMPLES/items.ttl", &["--savepoint-dir"]),
    ("revision-map --output $DIR/map.csv", &["no input", "--dump"]),
    ("revision-map --dump $SAMPLES/items.ttl", &["--output"]),
    ("dump-start", &["no input", "--dump"]),
    ("dump-start --dump $SAMPLES/nothing-here.ttl", &["nothing found at $SAMPLES/nothing-here.ttl"]),
    ("savepoint", &["Usage: "]),
    ("savepoint inspect", &["<DIR>"]),
    ("offsets", &["Usage: "]),
    ("offsets plan --brokers b:1 --group g --topic t", &["--start-time <TIME>|--savepoint <DIR>"]),
    ("offsets plan --brokers b:1 --group g --topic t --start-time 2026-01-05T23:00:02", &["with Z or an offset"]),
    ("offsets plan --brokers b:1 --group g --topic t --start-time 2026-01-05T23:00:02Z --margin 10", &["like 10m"]),
    (
        "offsets plan --brokers b:1 --group g --topic a/b --start-time 2026-01-05T23:00:02Z",
        &["a/b", "no name of a topic"],
    ),
    ("offsets plan --brokers b:1 --group g --topic t --start-time 2026-01-05T23:00:02Z -X group.id=x", &["group.id"]),
    ("offsets plan --brokers b:1 --group g --topic t --start-time 2026-01-05T23:00:02Z -X x", &["key=value"]),
    ("offsets plan --brokers b:1 --group g --start-time 2026-01-05T23:00:02Z", &["--topic"]),
    ("offsets plan --brokers b:1 --group g --preset x --start-time 2026-01-05T23:00:02Z", &["wdqs-legacy"]),
    ("offsets plan --group g --topic t --start-time 2026-01-05T23:00:02Z", &["--brokers"]),
    (
        "offsets plan --group g --topic t --start-time 2026-01-05T23:00:02Z --brokers 127.0.0.1:99999",
        &["a broker is written HOST:PORT"],
    ),
    ("offsets plan --group g --topic t --start-time 2026-01-05T23:00:02Z --brokers b:1 --timeout 0s", &["--timeout"]),
    ("dump-start --dump swift:/bed.local/x", &["a URL has two slashes"]),
    ("dump-start --dump swift://.local/x", &["swift://CONTAINER.SERVICE/path"]),
    ("generate-dump --output memory:", &["memory: is not a regular file"]),
    ("offsets apply $DIR/no.json --brokers b:1 --yes", &["nothing found at $DIR/no.json"]),
    ("generate-dump --output $DIR/x.ttl --documents 0", &["--documents"]),
    ("completions", &["<SHELL>"]),
    ("completions cmd.exe", &["cmd.exe"]),
];

#[test]
fn wrong_arguments_are_named() {
    let env = TestEnv::new();
    let bootstraps = BOOTSTRAP.iter().map(|(arguments, said)| (format!("bootstrap {TO} {arguments}"), *said));
    let others = OTHERS.iter().map(|(arguments, said)| ((*arguments).to_owned(), *said));
    let imports = IMPORTS
        .iter()
        .map(|(arguments, said)| (format!("import --dump $SAMPLES/items-new-prefixes.ttl {arguments}"), *said));
    let mut wrong = Vec::new();
    for (arguments, said) in bootstraps.chain(others).chain(imports) {
        let outcome = env.run(&arguments);
        if outcome.code != 2 || !said.iter().all(|said| outcome.stderr.contains(said)) {
            wrong.push(format!("must end with 2 and say {said:?}\n{outcome}"));
        }
        let _ = std::fs::remove_dir_all(env.path("sp"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_dump_is_the_same_in_any_spelling() {
    let dumps = "--dump $SAMPLES/items.ttl --dump $SAMPLES/./items.ttl";
    TestEnv::new().run(&format!("bootstrap {TO} {dumps}")).expect(2, &["items.ttl is given twice"]);
}

#[test]
fn a_wrong_time_is_named() {
    TestEnv::new().run("generate-dump --output $DIR/x.ttl --start yesterday").expect(2, &["--start", "yesterday"]);
}

/// A build without the SQL engine says so, and how to have one.
#[cfg(not(feature = "sql"))]
#[test]
fn without_the_sql_engine() {
    let env = TestEnv::new();
    for command in ["sql dump_start --table triples=$SAMPLES", "dump-start --triples $SAMPLES"] {
        env.run(command).expect(2, &["built without its SQL engine", "hint: build it with `--features sql`"]);
    }
}
