//! Comparing a store with the wiki, as far as it needs neither.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::harness::TestEnv;

/// A server that gives everyone the same answer, at a URL.
fn saying(status: u16, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer =
                format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn what_a_user_may_get_wrong() {
    let env = TestEnv::new();
    env.write("odd.csv", "entity,class\nQ1,older\nM-1,gone\n");
    env.write("there.ndjson", "");
    let page = r#"{"query":{"pages":[{"title":"Q1","revisions":[{"revid":7,"timestamp":"2026-01-05T00:00:00Z"}]}]}}"#;
    let (wiki, html, busy) = (saying(200, page), saying(200, "<html>"), saying(500, "out of memory"));
    let nowhere = "http://127.0.0.1:1/query";
    let rows: &[(String, i32, &str)] = &[
        ("verify Q1".to_owned(), 2, "--sparql"),
        (format!("verify --sparql {nowhere}"), 2, "no entities: name some"),
        (format!("verify X1 --sparql {nowhere}"), 2, "X1"),
        (format!("verify --sample 5 --sparql {nowhere}"), 2, "--state"),
        (format!("verify --sample 5 --state $DIR --sparql {nowhere}"), 1, "is no savepoint"),
        (format!("verify --entities $DIR/odd.csv --sparql {nowhere}"), 1, "odd.csv, line 3"),
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
        (format!("verify Q1 --repair --to - --source x --json --sparql {nowhere}"), 2, "both write to stdout"),
        (format!("verify Q1 --sparql {html} --api {wiki}/w/api.php"), 1, "does not answer in Turtle"),
        (format!("verify Q1 --sparql {busy} --api {wiki}/w/api.php"), 1, "the status 500: out of memory"),
        (format!("verify Q1 --sparql ftp://x/ --api {wiki}/w/api.php"), 2, "is no URL of a web server"),
    ];
    for (arguments, code, said) in rows {
        env.run(arguments).expect(*code, &[said]);
    }
}

/// A store that has another entity only, lacks what the wiki has.
#[test]
fn what_a_store_lacks() {
    let env = TestEnv::new();
    let page = r#"{"query":{"pages":[{"title":"Q1","revisions":[{"revid":7,"timestamp":"2026-01-05T00:00:00Z"}]}]}}"#;
    let (wiki, store) = (saying(200, page), saying(200, "<http://www.wikidata.org/entity/Q2> <urn:headwater:has> 5 ."));
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
