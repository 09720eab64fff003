//! Comparing a store with the wiki, as far as it needs neither.

use crate::harness::{TestEnv, saying};

/// What the API of a wiki says that has one page.
const PAGE: &str = r#"{"query":{"general":{"wikibase-conceptbaseuri":"http://www.wikidata.org/entity/"},
    "pages":[{"title":"Q1","revisions":[{"revid":7,"timestamp":"2026-01-05T00:00:00Z"}]}]}}"#;

#[test]
fn what_a_user_may_get_wrong() {
    let env = TestEnv::new();
    env.write("odd.csv", "entity,class\nQ1,older\nM-1,gone\n");
    env.write("there.ndjson", "");
    env.write("unnamed.csv", "Q1x\nQ1\n");
    env.write("findings.ndjson", "{\"entity\":\"Q1\"}\n");
    env.write("quoted.csv", "\u{feff}\"Item\",\"class\"\r\n\"Q1\",older\r\n\r\nM1\r\n");
    let counted = "<http://www.wikidata.org/entity/Q1> <urn:headwater:has> 7 .";
    let many = saying(200, "<http://www.wikidata.org/entity/Q1> <urn:headwater:has> \"many\" .");
    let (wiki, html, busy) = (saying(200, PAGE), saying(200, "<html>"), saying(500, "out of memory"));
    let (store, mute) = (saying(200, counted), saying(200, r#"{"query":{}}"#));
    let nowhere = "http://127.0.0.1:1/query";
    let rows: &[(String, i32, &str)] = &[
        ("verify Q1".to_owned(), 2, "--sparql"),
        (format!("verify --sparql {nowhere}"), 2, "no entities: name some"),
        (format!("verify X1 --sparql {nowhere}"), 2, "X1"),
        (format!("verify --sample 5 --sparql {nowhere}"), 2, "--state"),
        (format!("verify --sample 5 --state $DIR --sparql {nowhere}"), 1, "is no savepoint"),
        (format!("verify --entities $DIR/odd.csv --sparql {nowhere}"), 1, "odd.csv, line 3"),
        (format!("verify --entities $DIR/unnamed.csv --sparql {nowhere}"), 1, "unnamed.csv, line 1"),
        (format!("verify --entities $DIR/findings.ndjson --sparql {nowhere}"), 1, "findings.ndjson, line 1"),
        (format!("verify --entities $DIR/quoted.csv --sparql {nowhere}"), 2, "M1 is no entity of www.wikidata.org"),
        (format!("verify --entities $DIR/none.csv --sparql {nowhere}"), 2, "none.csv"),
        (format!("verify Q1 --findings $DIR/there.ndjson --sparql {nowhere}"), 2, "there.ndjson"),
        (format!("verify Q1 --repair --sparql {nowhere}"), 2, "--to"),
        (format!("verify Q1 --sparql {nowhere} --api {wiki}/w/api.php"), 3, "no answer from http://127.0.0.1:1/query"),
        (format!("verify Q1 --sparql {nowhere} --api {nowhere}"), 3, "no answer from"),
        (format!("verify M1 --sparql {nowhere}"), 2, "M1 is no entity of www.wikidata.org"),
        (format!("verify Q1 --sparql {} --api {wiki}/w/api.php", saying(200, "")), 1, "the store has no entity"),
        (
            format!("verify --entities $DIR/odd.csv --findings $DIR/odd.csv --overwrite --sparql {nowhere}"),
            2,
            "would destroy it",
        ),
        (
            format!("verify Q1 --findings $DIR/f --to $DIR/./f --repair --source x --sparql {nowhere}"),
            2,
            "--findings and --to would both be written to",
        ),
        (
            format!("verify Q1 --to $DIR/f --audit $DIR/f --repair --source x --sparql {nowhere}"),
            2,
            "--to and --audit would both be written to",
        ),
        (
            format!("verify Q1 --state $DIR/gs --audit $DIR/gs/audit.nd --repair --to - --source x --sparql {nowhere}"),
            2,
            "would destroy it",
        ),
        (
            format!("verify Q1 --repair --to - --source x@$DC$ --sparql {nowhere}"),
            2,
            "`$DC$` is filled from side outputs",
        ),
        (
            format!(
                "verify Q1 --sparql {store} --api {wiki}/w/api.php --uris-scheme wikidata --concept-uri http://x/entity/"
            ),
            2,
            "is the API of the wiki http://www.wikidata.org/entity/, not of http://x/entity/",
        ),
        (
            format!("verify Q1 --orphans --grace 3650d --sparql {many} --api {wiki}/w/api.php"),
            1,
            "does not tell how many nodes nobody links to; it says: <http://www.wikidata.org/entity/Q1>",
        ),
        (format!("verify Q1 --sparql {store} --api {mute}/w/api.php"), 1, "does not say which wiki it is of"),
        (format!("verify Q1 --repair --to - --source x --json --sparql {nowhere}"), 2, "both write to stdout"),
        (format!("verify Q1 --sparql {html} --api {wiki}/w/api.php"), 1, "does not answer in Turtle"),
        (format!("verify Q1 --sparql {busy} --api {wiki}/w/api.php"), 1, "the status 500: out of memory"),
        (format!("verify Q1 --sparql ftp://x/ --api {wiki}/w/api.php"), 2, "is no URL of a web server"),
    ];
    for (arguments, code, said) in rows {
        env.run(arguments).expect(*code, &[said]);
    }
    assert!(!env.exists("f"), "what is refused leaves nothing behind");
}

/// What could not be compared is no success.
#[test]
fn what_cannot_be_told() {
    let env = TestEnv::new();
    let pages = PAGE.replace("\"pages\":[", "\"pages\":[{\"title\":\"Q2\",\"missing\":true},");
    let held = "<http://www.wikidata.org/entity/Q1> <urn:headwater:has> 7 .";
    let (wiki, store, data) = (saying(200, pages), saying(200, held), saying(403, ""));
    let verify = format!("verify Q1 Q2 --sparql {store} --api {wiki}/w/api.php --entity-data {data}/ --grace 3650d");
    let said = ["1 that could not be compared", "1 in neither", "1 of 2 entities could not be compared"];
    env.run(&verify).expect(1, &said);
}

/// A store that has another entity only, lacks what the wiki has.
#[test]
fn what_a_store_lacks() {
    let env = TestEnv::new();
    let (wiki, store) = (saying(200, PAGE), saying(200, "<http://www.wikidata.org/entity/Q2> <urn:headwater:has> 5 ."));
    let verify = format!("verify Q1 --sparql {store} --api {wiki}/w/api.php");
    let told = "missing      Q1: revision none in the store, 7 in the wiki";
    env.run(&verify).expect(1, &["looked at    1 entity", "1 missing in the store", told]);
    let repair = format!("{verify} --repair --source test --audit $DIR/a.ndjson --to $DIR");
    env.run(&format!("{repair}/e.ndjson --dry-run")).expect(1, &["to send      1 event"]);
    env.run(&format!("{repair}/e.ndjson")).expect(0, &["sent         1 event"]);
    assert!(env.read("e.ndjson").contains("\"item\":\"Q1\""));
    // Sent before, and still wrong.
    env.run(&format!("{repair}/e.ndjson --dry-run"))
        .expect(1, &["to send      0 events", "sent before  1 event", "--again"]);
    let young = env.run(&format!("{verify} --grace 3650d --json")).expect(0, &[]).json();
    assert_eq!(young["young"].as_u64(), Some(1));
}
