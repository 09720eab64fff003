//! Stores that answer, and that do not.

// Another module's tests have their own copy.
#[allow(clippy::duplicate_mod)]
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../tests/storage/server.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use server::{Got, said, serve};

use super::*;

fn store(url: &str) -> Store {
    let settings = Settings { pause: Duration::ZERO, ..Settings::new(&format!("{url}/query")) };
    Store::new(settings, &Env::default()).unwrap()
}

#[test]
fn a_query_is_posted_as_it_is() {
    let url = serve(|got: &Got| {
        assert_eq!(got.line, "POST /query");
        assert_eq!(got.header("accept"), "text/turtle");
        assert_eq!(got.header("content-type"), "application/sparql-query; charset=UTF-8");
        assert_eq!(got.body, b"CONSTRUCT WHERE { ?s ?p \"\xc3\xa9\" }");
        Some(said(200).body(b"@prefix p: <http://p/> .\np:a p:b p:c ."))
    });
    let graph = store(&url).construct("CONSTRUCT WHERE { ?s ?p \"é\" }").unwrap();
    let lines: Vec<_> = graph.iter().map(|(_, line)| line.to_owned()).collect();
    assert_eq!(lines, ["<http://p/a> <http://p/b> <http://p/c> ."]);
}

/// What the store says first -> how often it is asked, and what comes of it.
#[test]
fn answers_as_in_this_table() {
    let rows: [(u16, &[u8], usize, &str); 7] = [
        (200, b"", 1, ""),
        (200, b"<http://a> <http://b> 1 .\nERROR: out of memory", 1, "does not answer in Turtle: byte 26"),
        (200, b"<http://a> <http://b> \"cut", 1, "does not answer in Turtle"),
        (400, b"Malformed query:\n  line 1", 1, "refuses: the status 400: Malformed query: line 1"),
        (500, b"java.util.concurrent.TimeoutException", 1, "refuses: the status 500: java.util"),
        (429, b"too many", 4, "is busy: the status 429: too many"),
        (503, b"", 4, "is busy: the status 503"),
    ];
    for (status, body, times, told) in rows {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let url = serve(move |_: &Got| {
            counted.fetch_add(1, SeqCst);
            Some(said(status).body(body))
        });
        let outcome = store(&url).construct("CONSTRUCT WHERE { ?s ?p ?o }").map_err(|error| error.to_string());
        match outcome {
            Ok(graph) => assert!(told.is_empty() && graph.is_empty()),
            Err(error) => assert!(!told.is_empty() && error.contains(told), "{error}"),
        }
        assert_eq!(asked.load(SeqCst), times, "{status}");
    }
}

#[test]
fn a_store_that_comes_back_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let url = serve(move |_: &Got| match asked.fetch_add(1, SeqCst) {
        0 => None,
        1 => Some(said(503)),
        _ => Some(said(200).body(b"<http://a> <http://b> 1 .")),
    });
    assert_eq!(store(&url).construct("CONSTRUCT WHERE { ?s ?p ?o }").unwrap().len(), 1);
}

#[test]
fn an_update_is_posted_once_with_its_token() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let url = serve(move |got: &Got| {
        assert_eq!((got.line.as_str(), got.header("authorization")), ("POST /update", "Bearer s3cret"));
        assert_eq!(got.header("content-type"), "application/sparql-update; charset=UTF-8");
        match counted.fetch_add(1, SeqCst) {
            0 => Some(said(503)),
            1 => Some(said(204)),
            _ => Some(said(200).body(b"<p>COMMIT: totalElapsed=1ms, commitTime=2, mutationCount=17</p>")),
        }
    });
    let settings = Settings {
        update_url: Some(format!("{url}/update")),
        token: Some(Token::new(" s3cret\n").unwrap()),
        ..Settings::new(&format!("{url}/query"))
    };
    assert!(!format!("{settings:?}").contains("s3cret"));
    let store = Store::new(settings, &Env::default()).unwrap();
    assert!(store.update("CLEAR ALL").unwrap_err().is_passing());
    assert_eq!(store.update("CLEAR ALL").unwrap(), Done::default());
    assert_eq!(store.update("CLEAR ALL").unwrap().changed, Some(17));
    assert_eq!(asked.load(SeqCst), 3);
}

#[test]
fn a_token_is_a_line() {
    for (text, is_one) in [("a", true), (" a-b=\n", true), ("", false), ("a b", false), ("a\nb", false), ("é", false)]
    {
        assert_eq!(Token::new(text).is_ok(), is_one, "{text}");
    }
}
