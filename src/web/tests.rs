//! Calls to servers that answer, and that do not.

// Another module's tests have their own copy.
#[allow(clippy::duplicate_mod)]
#[path = "../../tests/storage/server.rs"]
mod server;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use server::{Got, Said, said, serve};

use super::*;
use crate::env::Env;

fn calls(routes: Vec<Route>) -> Calls {
    Calls::new(USER_AGENT, Duration::from_secs(5), 100, routes, &Env::default()).unwrap()
}

fn echo(got: &Got) -> Option<Said> {
    let said_by = ["Host", "User-Agent", "Content-Type"].map(|name| format!("|{}", got.header(name)));
    let body = String::from_utf8_lossy(&got.body);
    Some(said(201).body(format!("{}{}|{body}", got.line, said_by.concat()).as_bytes()))
}

#[test]
fn what_is_sent_and_what_comes() {
    let url = serve(echo);
    let place = url.strip_prefix("http://").unwrap();
    let answer = |result: Result<Answer, WebError>| {
        let answer = result.unwrap();
        assert!(answer.status == 201 && answer.is_success());
        String::from_utf8(answer.body).unwrap()
    };
    let direct = calls(Vec::new());
    assert_eq!(answer(direct.get(&format!("{url}/a?b=c"))), format!("GET /a?b=c|{place}|{USER_AGENT}||"));
    let posted = direct.post(&url, b"{}", "application/json");
    assert_eq!(answer(posted), format!("POST /|{place}|{USER_AGENT}|application/json|{{}}"));
    let routed = calls(vec![Route::parse(&format!("flink.example.org={url}")).unwrap()]);
    let got = answer(routed.get("https://flink.example.org/jobs"));
    assert_eq!(got, format!("GET /jobs|flink.example.org|{USER_AGENT}||"));
}

#[test]
fn answers_as_in_this_table() {
    let rows: Vec<(&str, Option<Said>, &str)> = vec![
        ("as large as allowed", Some(said(200).body(&[b'x'; 100])), "200, 100 bytes"),
        ("too large", Some(said(200).body(&[b'x'; 101])), "bad answer"),
        ("an error", Some(said(503).body(b"x")), "503, 1 bytes"),
        ("a redirect", Some(said(302).header("Location", "/x")), "302, 0 bytes"),
        ("broken off", Some(Said { length: Some(9), ..said(200).body(b"x") }), "out of reach"),
        ("no answer", None, "out of reach"),
    ];
    for (what, mut answer, expected) in rows {
        let url = serve(move |_| answer.take());
        assert_eq!(name(calls(Vec::new()).get(&url)), expected, "{what}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(name(calls(Vec::new()).get(&format!("http://{closed}"))), "out of reach");
    assert_eq!(name(calls(Vec::new()).get("flink")), "no URL");
}

fn name(result: Result<Answer, WebError>) -> String {
    match result {
        Ok(answer) => format!("{}, {} bytes", answer.status, answer.body.len()),
        Err(WebError::OutOfReach { .. }) => "out of reach".to_owned(),
        Err(WebError::BadAnswer { .. }) => "bad answer".to_owned(),
        Err(WebError::Url(_)) => "no URL".to_owned(),
        Err(WebError::Stopped) => "stopped".to_owned(),
    }
}

#[test]
fn a_call_ends_in_time_or_when_asked_to() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let hasty = Calls::new(USER_AGENT, Duration::from_millis(50), 100, Vec::new(), &Env::default()).unwrap();
    assert_eq!(name(hasty.get(&url)), "out of reach");
    let env = Env::default();
    let patient = Calls::new(USER_AGENT, Duration::from_secs(60), 100, Vec::new(), &env).unwrap();
    let stop = Arc::clone(&env.stop);
    thread::spawn(move || stop.store(true, Ordering::Relaxed));
    assert_eq!(name(patient.get(&url)), "stopped");
}

#[test]
fn pauses_in_seconds_or_up_to_a_date() {
    let now = Timestamp::parse("2026-01-05T00:00:00Z").unwrap();
    let rows = [
        ("7", Some(7)),
        ("0", Some(0)),
        ("Mon, 05 Jan 2026 00:01:00 GMT", Some(60)),
        ("Sun, 04 Jan 2026 00:00:00 GMT", Some(0)),
        ("-1", None),
        ("soon", None),
        ("", None),
    ];
    for (text, seconds) in rows {
        assert_eq!(pause(text, now), seconds.map(Duration::from_secs), "{text}");
    }
}
