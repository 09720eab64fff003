//! Documents from a wiki that does all that wikis do.

// Another module's tests have their own copy.
#[allow(clippy::duplicate_mod)]
#[path = "../../tests/storage/server.rs"]
mod server;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use server::{Got, Said, said, serve};

use super::*;
use crate::compression::Compression;
use crate::side_output::FailureKind;
use crate::wikibase::entity::EntityKind;

const PAUSE: Duration = Duration::from_millis(10);

/// Pauses of 10 ms in the place of seconds; a new revision may be 30 ms late.
fn settings(url: &str) -> Settings {
    let retries = Retries {
        pause: PAUSE,
        busy_pause: PAUSE / 2,
        longest_pause: 2 * PAUSE,
        acceptable_lag: 3 * PAUSE,
        patience: 5 * PAUSE,
        ..Retries::default()
    };
    let entity_data = format!("{url}/wiki/Special:EntityData/");
    let timeout = Duration::from_secs(5);
    Settings { entity_data, timeout, retries, most_bytes: 1000, ..Settings::new(&UrisScheme::wikidata()) }
}

/// For them it is always 1970.
fn fetcher(settings: Settings) -> Fetcher {
    Fetcher::new(settings, &Env::default()).unwrap()
}

fn asked(number: u32) -> Asked {
    let entity = EntityId::new(EntityKind::Item, number).unwrap();
    Asked { entity, revision: Revision::new(7).unwrap(), is_new: true, event_time: Timestamp::default() }
}

fn fetch(settings: Settings) -> (Result<Bytes, FetchError>, Counts) {
    let fetcher = fetcher(settings);
    let outcome = fetcher.begin(asked(42)).wait();
    (outcome, fetcher.counts())
}

/// What an outcome is called, and how many bytes came.
fn name(outcome: &Result<Bytes, FetchError>) -> String {
    let failure = outcome.as_ref().map_err(FetchError::failure);
    match failure {
        Ok(document) => format!("{} bytes", document.len()),
        Err(Some(failure)) => format!("{:?}", failure.kind),
        Err(None) => "the end".to_owned(),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    Compression::Gzip.compress(text.to_vec()).unwrap()
}

fn ok(body: &[u8]) -> Option<Said> {
    Some(said(200).header("Content-Type", "text/turtle; charset=UTF-8").body(body))
}

#[test]
fn outcomes_as_in_the_table() {
    let status = |status| Some(said(status).body(b"<html>"));
    let kind = |kind: &str| Some(said(200).header("Content-Type", kind).body(b"x"));
    let packed = |encoding: &str, body: &[u8]| Some(said(200).header("Content-Encoding", encoding).body(body));
    let cut = Some(Said { length: Some(9), ..said(200).body(b"x") });
    let late = Some(said(503).header("Retry-After", "3600"));
    // What the server says, one after the other, the last again and again; the outcome and the number of requests.
    let rows: Vec<(&str, Vec<Option<Said>>, &str, u64)> = vec![
        ("a document", vec![ok(b"x")], "1 bytes", 1),
        ("as large as allowed", vec![ok(&[b'x'; 1000])], "1000 bytes", 1),
        ("another success", vec![Some(said(203).body(b"x"))], "1 bytes", 1),
        ("packed", vec![packed("gzip", &gzip(&[b'x'; 1000]))], "1000 bytes", 1),
        ("not packed, and said so", vec![packed("identity", b"x")], "1 bytes", 1),
        ("no content", vec![status(204)], "NoContent", 1),
        ("an empty body", vec![ok(b"")], "EmptyResponse", 1),
        ("an empty body, packed", vec![packed("gzip", &gzip(b""))], "EmptyResponse", 1),
        ("an empty body that says it is packed", vec![packed("gzip", b"")], "EmptyResponse", 1),
        ("never there", vec![status(404)], "EntityNotFound", 4),
        ("there in the end", vec![status(404), status(404), ok(b"x")], "1 bytes", 3),
        ("unavailable for ever", vec![status(503)], "UnexpectedResponse", 4),
        ("unavailable for long", vec![late, ok(b"x")], "1 bytes", 2),
        ("too many requests", vec![status(429), status(429), status(503), ok(b"x")], "1 bytes", 4),
        ("an error of the server", vec![status(500), ok(b"x")], "UnexpectedResponse", 1),
        ("no permission", vec![status(403), ok(b"x")], "UnexpectedResponse", 1),
        ("a redirect", vec![Some(said(302).header("Location", "/x")), ok(b"x")], "UnexpectedResponse", 1),
        ("not modified", vec![status(304), ok(b"x")], "UnexpectedResponse", 1),
        ("a page", vec![kind("Text/HTML; charset=utf-8"), ok(b"x")], "UnexpectedResponse", 1),
        ("an unknown type", vec![kind("text/plain")], "1 bytes", 1),
        ("an unknown encoding", vec![packed("br", b"x"), ok(b"x")], "UnexpectedResponse", 1),
        ("too large", vec![ok(&[b'x'; 1001]), ok(b"x")], "UnexpectedResponse", 1),
        ("too large once unpacked", vec![packed("gzip", &gzip(&[b'x'; 1001])), ok(b"x")], "UnexpectedResponse", 1),
        ("packed and cut off", vec![packed("gzip", &gzip(b"xyz")[..15]), ok(b"x")], "1 bytes", 2),
        ("no answers", vec![None], "Unknown", 4),
        ("an answer in the end", vec![None, None, None, ok(b"x")], "1 bytes", 4),
        ("broken off", vec![cut, ok(b"xy")], "2 bytes", 2),
        ("trouble of all kinds", vec![status(404), None, status(503), None, status(404), ok(b"x")], "1 bytes", 6),
    ];
    for (what, answers, expected, requests) in rows {
        let mut answers = VecDeque::from(answers);
        let url = serve(
            move |_| {
                if answers.len() > 1 { answers.pop_front().flatten() } else { answers[0].as_ref().map(again) }
            },
        );
        let (outcome, counts) = fetch(settings(&url));
        assert_eq!((name(&outcome).as_str(), counts.requests), (expected, requests), "{what}: {outcome:?}");
        assert_eq!(counts.retries, requests - 1, "{what}");
        assert_eq!(counts.bytes, outcome.map_or(0, |document| document.len() as u64), "{what}");
    }
}

fn again(said: &Said) -> Said {
    Said { headers: said.headers.clone(), body: said.body.clone(), ..*said }
}

#[test]
fn only_a_young_and_new_revision_is_waited_for() {
    let url = serve(|_| Some(said(404)));
    let rows = [(true, 0, 4), (true, -29, 4), (true, -30, 1), (true, i64::from(u32::MAX), 4), (false, 0, 1)];
    for (is_new, event_time, requests) in rows {
        let fetcher = fetcher(settings(&url));
        let event_time = Timestamp::from_millis(event_time).unwrap();
        let outcome = fetcher.begin(Asked { is_new, event_time, ..asked(42) }).wait();
        let public = format!("{url}/wiki/Special:EntityData/Q42.ttl?flavor=dump&revision=7");
        assert_eq!(outcome, Err(FetchError::NotFound { url: public }));
        assert_eq!(fetcher.counts().requests, requests, "{is_new} {event_time}");
    }
}

#[test]
fn a_request_says_what_is_wanted_and_who_wants_it() {
    let echo = |got: &Got| {
        let said_by = ["Host", "User-Agent", "Accept-Encoding"].map(|name| format!("{name}: {}\n", got.header(name)));
        ok(format!("{}\n{}", got.line, said_by.concat()).as_bytes())
    };
    let url = serve(echo);
    let place = url.strip_prefix("http://").unwrap();
    let expected = |host: &str| {
        format!(
            "GET /wiki/Special:EntityData/Q42.ttl?flavor=dump&revision=7\n\
             Host: {host}\nUser-Agent: me (me@example.org)\nAccept-Encoding: gzip\n"
        )
    };
    let named = |url: &str| Settings { user_agent: "me (me@example.org)".to_owned(), ..settings(url) };
    assert_eq!(fetch(named(&url)).0.unwrap(), expected(place));
    for wiki in ["https://wiki.example.org", "http://wiki.example.org"] {
        let routes = vec![Route::parse(&format!("wiki.example.org={url}")).unwrap()];
        assert_eq!(fetch(Settings { routes, ..named(wiki) }).0.unwrap(), expected("wiki.example.org"));
    }
    assert!(Settings::new(&UrisScheme::wikidata()).user_agent.starts_with("Headwater/"));
}

#[test]
fn settings_that_cannot_be_used() {
    let rows = [
        (Settings { entity_data: "wiki".to_owned(), ..settings("http://w") }, "`wiki` is no place of entity data"),
        (Settings { user_agent: "a\nb".to_owned(), ..settings("http://w") }, "`\"a\\nb\"` is no name for a program"),
    ];
    for (settings, expected) in rows {
        let error = Fetcher::new(settings, &Env::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// A port at which nothing listens.
fn closed() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_server_out_of_reach_ends_the_run() {
    let plain = serve(|_| Some(said(200)));
    let refused = format!("http://{}", closed());
    let not_tls = plain.replace("http://", "https://");
    for (url, reason) in [(refused, "refused"), (not_tls, "")] {
        let (outcome, counts) = fetch(settings(&url));
        assert_eq!(name(&outcome), "the end", "{outcome:?}");
        let Err(FetchError::Unavailable { reason: told, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(told.contains(reason), "{told}");
        assert_eq!((counts.requests, counts.unavailable), (6, 1), "{url}");
    }
}

#[test]
fn a_server_that_comes_back_is_waited_for() {
    let place = closed();
    let patient = Retries { patience: Duration::from_secs(60), ..settings("").retries };
    let fetcher = fetcher(Settings { retries: patient, ..settings(&format!("http://{place}")) });
    let pending = fetcher.begin(asked(42));
    thread::sleep(5 * PAUSE);
    assert!(!pending.is_ready());
    let listener = TcpListener::bind(place).unwrap();
    answer_all(listener, |stream, _| say(stream, "here"));
    assert_eq!(pending.wait().unwrap(), "here");
    assert!(fetcher.counts().retries > 1);
}

/// Answers every connection on a thread of its own, with the target of its first request; closes it then.
fn answer_all(listener: TcpListener, answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { return };
                lines.find(String::is_empty);
                answer(&mut stream, first.split(' ').nth(1).unwrap_or_default());
            });
        }
    });
}

fn wiki(answer: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    answer_all(listener, answer);
    url
}

fn say(stream: &mut TcpStream, text: &str) {
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}", text.len());
}

/// The entity that a target names.
fn entity(target: &str) -> &str {
    target.split(['/', '.']).find(|part| part.starts_with('Q')).unwrap_or_default()
}

#[test]
fn each_part_must_come_in_time_but_not_the_whole() {
    let timeout = Duration::from_millis(300);
    let drip = |parts: usize| {
        move |stream: &mut TcpStream, _: &str| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {parts}\r\n\r\n");
            for _ in 0..parts {
                thread::sleep(Duration::from_millis(100));
                let _ = stream.write_all(b"x");
            }
        }
    };
    let silent = |_: &mut TcpStream, _: &str| thread::sleep(Duration::from_secs(60));
    // The longest that a request may take is 12 x 300 ms.
    let rows = [(wiki(drip(6)), 1, "6 bytes"), (wiki(silent), 2, "Unknown"), (wiki(drip(100)), 1, "Unknown")];
    for (url, tries, expected) in rows {
        let retries = Retries { tries, ..settings("").retries };
        let (outcome, counts) = fetch(Settings { timeout, retries, ..settings(&url) });
        assert_eq!((name(&outcome).as_str(), counts.requests), (expected, u64::from(tries)), "{outcome:?}");
    }
}

#[test]
fn too_much_is_not_read_whatever_its_length_is_said_to_be() {
    let endless = wiki(|stream, _| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 600]).is_ok() {}
    });
    let (outcome, _) = fetch(settings(&endless));
    let Err(FetchError::Unexpected { what, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(what, "more than 1000 bytes");
}

#[test]
fn order_is_kept_whatever_takes_long() {
    let url = wiki(|stream, target| {
        let number: u64 = entity(target)[1..].parse().unwrap();
        thread::sleep(Duration::from_millis(number.wrapping_mul(0x9E37_79B9) % 41));
        say(stream, entity(target));
    });
    let fetcher = fetcher(Settings { in_flight: 20, ..settings(&url) });
    let pendings: Vec<_> = (1..=300).map(|number| fetcher.begin(asked(number))).collect();
    for (number, pending) in (1..).zip(pendings) {
        assert_eq!(pending.wait().unwrap(), format!("Q{number}"));
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as i64).unwrap()
}

#[test]
fn a_thousand_go_through_a_hundred_places_and_no_more() {
    static HERE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let url = wiki(|stream, target| {
        MOST.fetch_max(HERE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        HERE.fetch_sub(1, Ordering::SeqCst);
        say(stream, entity(target));
    });
    let env = Env { now, ..Env::default() };
    let fetcher = Fetcher::new(Settings { in_flight: 100, ..settings(&url) }, &env).unwrap();
    let start = Instant::now();
    let pendings: Vec<_> = (1..=1000).map(|number| fetcher.begin(asked(number))).collect();
    assert!(!pendings.iter().all(Pending::is_ready), "to begin is not to wait");
    let bytes: usize = pendings.into_iter().map(|pending| pending.wait().unwrap().len()).sum();
    let took = start.elapsed();
    eprintln!("1,000 documents, 20 ms each, 100 at once: {took:?}");
    let most = MOST.load(Ordering::SeqCst);
    assert!((50..=100).contains(&most), "{most}");
    assert!(took > Duration::from_millis(10 * 20) && took < Duration::from_secs(10), "{took:?}");
    let counts = fetcher.counts();
    assert_eq!((counts.requests, counts.fetched, counts.bytes), (1000, 1000, bytes as u64));
    assert!(counts.times.sum() >= 1000 * 19 && counts.times.longest() >= 20, "{counts:?}");
}

#[test]
fn the_server_is_busy_for_all() {
    // One place, and a server that asks for patience once: what waits behind must not ask meanwhile.
    let asked_for = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked_for);
    let url = serve(move |got| {
        let mut log = log.lock().unwrap();
        log.push((entity(&got.line).to_owned(), Instant::now()));
        if log.len() == 1 { Some(said(429)) } else { ok(b"x") }
    });
    let fetcher = fetcher(Settings { in_flight: 1, ..settings(&url) });
    let pendings = [1, 2].map(|number| fetcher.begin(asked(number)));
    for pending in pendings {
        assert_eq!(pending.wait().unwrap(), "x");
    }
    let log = asked_for.lock().unwrap();
    let [(first, told), (second, next), (third, _)] = log.as_slice() else { panic!("{log:?}") };
    assert!(first == third && first != second, "{log:?}");
    assert!(next.duration_since(*told) >= PAUSE / 2, "{log:?}");
}

#[test]
fn what_is_dropped_is_given_up() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let url = wiki(|stream, target| {
        COUNT.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50));
        say(stream, entity(target));
    });
    let fetcher = fetcher(Settings { in_flight: 1, ..settings(&url) });
    drop((1..100).map(|number| fetcher.begin(asked(number))).collect::<Vec<_>>());
    let mut pending = fetcher.begin(asked(100));
    assert!(!pending.is_ready_within(Duration::ZERO));
    assert!(pending.is_ready_within(Duration::from_secs(60)) && pending.is_ready());
    assert_eq!(pending.wait().unwrap(), "Q100");
    assert!(COUNT.load(Ordering::SeqCst) < 10);
}

#[test]
fn what_outlives_its_fetcher_still_comes() {
    let url = wiki(|stream, target| say(stream, entity(target)));
    let fetcher = fetcher(settings(&url));
    let pending = fetcher.begin(asked(9));
    drop(fetcher);
    assert_eq!(pending.wait().unwrap(), "Q9");
}

#[test]
fn failures_for_the_side_output() {
    let (url, what) = ("http://w/Q1".to_owned(), "the status 500".to_owned());
    let rows = [
        (FetchError::NotFound { url: url.clone() }, FailureKind::EntityNotFound, "NotFound", "404 for http://w/Q1"),
        (
            FetchError::NoContent { url: url.clone() },
            FailureKind::NoContent,
            "NoContent",
            "204, no content, for http://w/Q1",
        ),
        (
            FetchError::Empty { url: url.clone() },
            FailureKind::EmptyResponse,
            "Empty",
            "an empty answer for http://w/Q1",
        ),
        (
            FetchError::Unexpected { url: url.clone(), what: what.clone() },
            FailureKind::UnexpectedResponse,
            "Unexpected",
            "the status 500 for http://w/Q1",
        ),
        (
            FetchError::Failed { url, reason: what },
            FailureKind::Unknown,
            "Failed",
            "no whole answer for http://w/Q1: the status 500",
        ),
    ];
    for (error, kind, exception, message) in rows {
        let failure = error.failure().unwrap();
        assert_eq!((failure.kind, failure.exception.as_str(), failure.message.as_str()), (kind, exception, message));
    }
}
