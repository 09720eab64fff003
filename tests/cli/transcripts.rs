//! Golden transcripts: few, whole, and worth reading.

use crate::harness::{TestEnv, golden};
use crate::readme;

#[test]
fn from_two_dumps_to_a_savepoint_and_out_again() {
    let env = TestEnv::new();
    let text = env.transcript(&[
        "bootstrap --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --savepoint-dir $DIR/sp \
         --revision-map $DIR/out.csv --report $DIR/report.json",
        "savepoint inspect $DIR/sp",
        "savepoint verify $DIR/sp",
        "savepoint export $DIR/sp --output $DIR/export.csv",
        "bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp",
        "bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp --overwrite --quiet",
    ]);
    golden("golden/bootstrap.txt", &text);
    let expected = readme::maps(&["wikidata.ttl.gz", "lexemes.ttl.bz2"]);
    assert_eq!(readme::lines(&env.read("out.csv")), expected);
    assert_eq!(env.read("export.csv"), env.read("out.csv"));
    let report: serde_json::Value = serde_json::from_str(&env.read("report.json")).expect("the report is JSON");
    assert_eq!(report["entities"]["total"], expected.len());
    assert_eq!(report["start_time"], "2024-11-04T23:00:02Z");
}

#[test]
fn broken_dumps() {
    let bad = ["bad-revision.ttl", "bad-entity.ttl", "truncated.ttl", "truncated.ttl.gz", "truncated.ttl.bz2"];
    let foreign = ["truthy.nt", "commons.ttl", "nothing-here.ttl"];
    let commands = bad.iter().chain(&foreign);
    let commands: Vec<_> = commands
        .map(|file| format!("revision-map --dump $SAMPLES/{file} --output $DIR/out.csv"))
        .chain(["bootstrap --dump $SAMPLES/bad-revision.ttl --on-bad-entity skip --savepoint-dir $DIR/sp".to_owned()])
        .collect();
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    golden("golden/broken-dumps.txt", &TestEnv::new().transcript(&commands));
}

#[test]
fn entities_munged_and_explained() {
    let text = TestEnv::new().transcript(&[
        "munge $SAMPLES/bad-entity.ttl --explain",
        "munge $SAMPLES/items-new-prefixes.ttl",
        "munge $SAMPLES/lexemes.ttl --explain --label-language de",
        "munge $SAMPLES/commons.ttl --uris-scheme commons --json",
        "munge $SAMPLES/nothing-here.ttl",
    ]);
    golden("golden/munge.txt", &text);
}

#[test]
fn an_import_and_its_report() {
    let env = TestEnv::new();
    let text = env.transcript(&[
        "import --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --format parquet --output $DIR/table --savepoint-dir $DIR/sp",
        "import --dump $SAMPLES/items.ttl --format nt --output $DIR/nt --quiet",
        "import --dump $SAMPLES/truthy.nt --format nt --output $DIR/truthy",
        "import --dump $SAMPLES/items.ttl --format parquet --compression zstd --output $DIR/t",
        "import --dump $SAMPLES/items.ttl --format nt",
        "import --dump $SAMPLES/items.ttl --format nt --output $DIR/nt",
    ]);
    golden("golden/import.txt", &text);
}
