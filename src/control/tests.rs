//! The server as clients find it: well-meant, clumsy and ill-meant ones.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A desk that writes down what it is told.
#[derive(Default)]
struct Book {
    orders: Mutex<Vec<String>>,
    /// Saving takes until this is set.
    go_on: AtomicBool,
}

impl Desk for Book {
    fn health(&self) -> Result<(), String> {
        match self.orders.lock().unwrap().len() {
            0 => Ok(()),
            orders => Err(format!("{orders} \"orders\"")),
        }
    }

    fn status(&self) -> Vec<u8> {
        b"{\"phase\":\"running\"}\n".to_vec()
    }

    fn metrics(&self) -> String {
        "headwater_phase 1\n".to_owned()
    }

    fn save(&self, to: Option<String>) -> Result<String, Refusal> {
        self.orders.lock().unwrap().push(format!("save {to:?}"));
        match to.as_deref() {
            Some("wrong") => Err(Refusal::Wrong("no such place".to_owned())),
            Some("now") => Err(Refusal::NotNow("it restores".to_owned())),
            Some("full") => Err(Refusal::Failed("no room".to_owned())),
            Some("gone") => Err(Refusal::Ended),
            Some("broken") => panic!("as asked"),
            Some("slow") => {
                while !self.go_on.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok("slow".to_owned())
            }
            _ => Ok(to.unwrap_or_else(|| "here".to_owned())),
        }
    }

    fn stop(&self, save: Option<Option<String>>) -> Result<Option<String>, Refusal> {
        self.orders.lock().unwrap().push(format!("stop {save:?}"));
        Ok(save.map(|to| to.unwrap_or_else(|| "here".to_owned())))
    }
}

fn start() -> (Control, Arc<Book>) {
    let book = Arc::new(Book::default());
    let desk: Arc<dyn Desk> = Arc::<Book>::clone(&book);
    (Control::start(&Listen::parse("127.0.0.1:0").unwrap(), desk).unwrap(), book)
}

fn connect(control: &Control) -> TcpStream {
    let connection = TcpStream::connect(control.address()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection
}

/// All that is said until the other side closes.
fn all(mut connection: &TcpStream) -> String {
    let mut said = Vec::new();
    let end = connection.read_to_end(&mut said);
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    String::from_utf8(said).unwrap()
}

/// What is answered to bytes after which no more come.
fn say(control: &Control, bytes: &str) -> String {
    let mut connection = connect(control);
    connection.write_all(bytes.as_bytes()).unwrap();
    all(&connection)
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default().parse().unwrap_or_default()
}

/// A request that is the last on its connection: `METHOD PATH`, more heads, a body.
fn request(line: &str, heads: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{heads}\r\n{body}")
}

#[test]
fn answers_as_in_this_table() {
    let (control, book) = start();
    let place = |to: &str| format!("{{\"to\": \"{to}\"}}");
    let long = place(&"x".repeat(70_000));
    // The request, its body, the status, what the answer holds, and what the desk was told.
    let rows: &[(&str, &str, u16, &str, &str)] = &[
        ("GET /health", "", 200, "{\"healthy\":true}", ""),
        ("GET /status", "", 200, "{\"phase\":\"running\"}", ""),
        ("GET /status?x=y", "", 200, "{\"phase\":\"running\"}", ""),
        ("GET /metrics", "", 200, "headwater_phase 1\n", ""),
        ("GET /metrics", "", 200, "content-type: text/plain; version=0.0.4; charset=utf-8\r\n", ""),
        ("GET /", "", 404, "/savepoint, /stop", ""),
        ("GET /Health", "", 404, "{\"error\":\"nothing is here", ""),
        ("GET /status/", "", 404, "content-type: application/json\r\n", ""),
        ("POST /status", "", 405, "allow: GET, HEAD\r\n", ""),
        ("GET /savepoint", "", 405, "allow: POST\r\n", ""),
        ("OPTIONS /stop", "", 405, "allow: POST\r\n", ""),
        ("POST /savepoint", "to=x", 400, "{\\\"to\\\": PLACE} or empty", ""),
        ("POST /savepoint", &long, 413, "longer than 65536 bytes", ""),
        ("POST /savepoint", "", 200, "{\"savepoint\":\"here\"}", "save None"),
        ("GET /health", "", 503, "{\"error\":\"1 \\\"orders\\\"\"}", ""),
        ("POST /savepoint", &place("s3://a/b"), 200, "{\"savepoint\":\"s3://a/b\"}", "save Some(\"s3://a/b\")"),
        ("POST /savepoint", &place("wrong"), 400, "{\"error\":\"no such place\"}", "save Some(\"wrong\")"),
        ("POST /savepoint", &place("now"), 409, "{\"error\":\"it restores\"}", "save Some(\"now\")"),
        ("POST /savepoint", &place("full"), 500, "{\"error\":\"no room\"}", "save Some(\"full\")"),
        ("POST /savepoint", &place("gone"), 503, "{\"error\":\"the updater has ended\"}", "save Some(\"gone\")"),
        ("POST /savepoint", &place("broken"), 500, "or it broke", "save Some(\"broken\")"),
        ("POST /stop", "", 200, "{\"savepoint\":\"here\"}", "stop Some(None)"),
        ("POST /stop", "{\"savepoint\": false}", 200, "{\"savepoint\":null}", "stop None"),
    ];
    for (line, body, expected, holds, told) in rows {
        let told_before = book.orders.lock().unwrap().len();
        let answer = say(&control, &request(line, "", body));
        assert_eq!(status(&answer), *expected, "{line} {answer}");
        assert!(answer.contains(holds), "{line} {answer}");
        assert!(answer.contains("cache-control: no-store\r\n") && !answer.contains("access-control"), "{answer}");
        let orders = book.orders.lock().unwrap();
        assert_eq!(orders[told_before..].join(", "), *told, "{line}");
    }
}

#[test]
fn a_head_has_no_body() {
    let (control, _book) = start();
    let answer = say(&control, &request("HEAD /status", "", ""));
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("content-length: 20\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn pages_of_others_are_refused() {
    let (control, book) = start();
    let own = format!("Host: {}\r\n", control.address());
    let rows = [
        ("POST /stop", own.clone(), 200),
        ("POST /stop", format!("{own}Origin: http://{}\r\n", control.address()), 200),
        ("POST /stop", format!("{own}Origin: http://evil.example\r\n"), 403),
        ("POST /stop", format!("{own}Origin: null\r\n"), 403),
        ("POST /stop", "Host: evil.example\r\n".to_owned(), 403),
        ("POST /stop", "Host: evil.example\r\nOrigin: http://evil.example\r\n".to_owned(), 403),
        ("POST /stop", format!("{own}Host: evil.example\r\n"), 400),
        ("POST /stop", String::new(), 400),
        ("POST http://evil.example/stop", own.clone(), 403),
        ("GET /status", "Host: evil.example\r\n".to_owned(), 403),
        ("GET /status", String::new(), 200),
        ("GET /status", own, 200),
    ];
    for (line, heads, expected) in rows {
        let orders = book.orders.lock().unwrap().len();
        let answer =
            say(&control, &format!("{line} HTTP/1.1\r\n{heads}Connection: close\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(status(&answer), expected, "{line} {heads}: {answer}");
        let was_told = book.orders.lock().unwrap().len() > orders;
        assert_eq!(was_told, line.contains("stop") && expected == 200, "{line} {heads}");
    }
}

#[test]
fn what_is_no_http_is_turned_away() {
    let (control, _book) = start();
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(100_000));
    let rows = ["\r\n\r\n", "GET /status\r\n\r\n", "\u{16}\u{3}\u{1} TLS", "GET /status HTTP/9.9\r\n\r\n", &long];
    for bytes in rows {
        let mut connection = connect(&control);
        let _ = connection.write_all(bytes.as_bytes());
        let _ = connection.shutdown(Shutdown::Write);
        let answer = all(&connection);
        assert!(answer.is_empty() || (400..500).contains(&status(&answer)), "{answer}");
    }
    assert_eq!(status(&say(&control, &request("GET /health", "", ""))), 200, "others are still answered");
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let (control, _book) = start();
    let head = "HTTP/1.1\r\nHost: localhost\r\n";
    let save = "POST /savepoint HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
        9\r\n{\"to\": \"x\r\n4\r\n-7\"}\r\n0\r\n\r\n";
    let rest = request("GET /health", "", "");
    let answers =
        say(&control, &format!("GET /status {head}\r\nHEAD /nothing {head}\r\n{save}GET /metrics {head}\r\n{rest}"));
    let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| status(&answers[at..])).collect();
    assert_eq!(statuses, [200, 404, 200, 200, 503], "{answers}");
    assert!(answers.contains("{\"savepoint\":\"x-7\"}"), "{answers}");
}

#[test]
fn slow_clients_are_closed_while_others_are_answered() {
    let (control, _book) = start();
    let slow = ["", "GET /stat", "POST /savepoint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"to"];
    let start = Instant::now();
    let mut connections = slow.map(|bytes| {
        let mut connection = connect(&control);
        connection.write_all(bytes.as_bytes()).unwrap();
        connection
    });
    // One that says a letter now and then, and never ends.
    let mut trickle = connect(&control);
    trickle.write_all(b"GET /status HTTP/1.1\r\nX: ").unwrap();
    while start.elapsed() < Duration::from_secs(2) {
        trickle.write_all(b"x").unwrap();
        assert_eq!(status(&say(&control, &request("GET /health", "", ""))), 200);
        thread::sleep(Duration::from_millis(200));
    }
    let answers = connections.each_mut().map(|connection| all(connection));
    assert_eq!((status(&answers[2]), answers[0].as_str(), answers[1].as_str()), (408, "", ""), "{answers:?}");
    assert_eq!(all(&trickle), "");
    assert!((Duration::from_secs(3)..Duration::from_secs(40)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[test]
fn who_waits_for_the_updater_is_waited_for() {
    let (control, book) = start();
    let mut waiting = connect(&control);
    waiting.write_all(request("POST /savepoint", "", "{\"to\": \"slow\"}").as_bytes()).unwrap();
    // Longer than a connection may be silent.
    thread::sleep(Duration::from_millis(5000));
    assert_eq!(status(&say(&control, &request("GET /status", "", ""))), 200);
    // One that has gone does not keep the updater from anything.
    let mut gone = connect(&control);
    gone.write_all(request("POST /savepoint", "", "{\"to\": \"slow\"}").as_bytes()).unwrap();
    drop(gone);
    let ending = thread::spawn(move || drop(control));
    thread::sleep(Duration::from_millis(500));
    book.go_on.store(true, Ordering::SeqCst);
    assert!(all(&waiting).ends_with("{\"savepoint\":\"slow\"}\n"), "an answer that is due is given at the end, too");
    ending.join().unwrap();
}

#[test]
fn the_end_does_not_wait_for_clients() {
    let (control, _book) = start();
    let mut idle = connect(&control);
    idle.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 20]).unwrap();
    let mut waiting = connect(&control);
    waiting.write_all(request("POST /savepoint", "", "{\"to\": \"slow\"}").as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    drop(control);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!((status(&all(&idle)), all(&waiting).as_str()), (0, ""));
}

#[test]
fn addresses_as_in_this_table() {
    let rows = [
        ("127.0.0.1:9464", Some(true)),
        ("127.9.9.9:0", Some(true)),
        ("localhost:9464", Some(true)),
        ("LOCALHOST:9464", Some(true)),
        ("[::1]:9464", Some(true)),
        ("0.0.0.0:9464", Some(false)),
        ("[::]:9464", Some(false)),
        ("updater.example:80", Some(false)),
        ("9464", None),
        (":9464", None),
        ("127.0.0.1", None),
        ("127.0.0.1:", None),
        ("127.0.0.1:65536", None),
        ("::1:9464", None),
        ("[::1]", None),
        ("[127.0.0.1]:9464", None),
        ("http://127.0.0.1:9464", None),
        ("", None),
    ];
    for (text, expected) in rows {
        assert_eq!(Listen::parse(text).ok().map(|listen| listen.is_loopback()), expected, "{text}");
    }
    assert!(Listen::parse(DEFAULT).unwrap().is_loopback());
}

#[test]
fn what_cannot_be_listened_at_is_told() {
    let (control, book) = start();
    for address in [control.address().to_string(), "no.such.host.invalid:1".to_owned()] {
        let desk: Arc<dyn Desk> = Arc::<Book>::clone(&book);
        let error = Control::start(&Listen::parse(&address).unwrap(), desk).unwrap_err();
        assert!(error.to_string().starts_with(&format!("could not listen at {address}: ")), "{error}");
    }
}

#[test]
fn a_name_that_was_given_is_known() {
    let book: Arc<dyn Desk> = Arc::new(Book::default());
    let control = Control::start(&Listen::parse("127.0.0.1:0").unwrap().named("Updater.Example"), book).unwrap();
    let ask = |host: &str| {
        status(&say(&control, &format!("POST /stop HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")))
    };
    assert_eq!((ask("updater.example:80"), ask("other.example")), (200, 403));
}
