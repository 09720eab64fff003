//! A real Oxigraph, as a process with its data in a directory.
//!
//! Promise: it listens on loopback only, on a free port, and is killed when it is dropped.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The variable that names the program.
pub const OXIGRAPH: &str = "HEADWATER_LIVE_OXIGRAPH";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store.
pub struct Oxigraph {
    process: Child,
    port: u16,
}

impl Oxigraph {
    /// Starts one; what is in `data` is there.
    pub fn start(data: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let store = Self { process: serve(data, port), port };
        store.wait();
        store
    }

    /// Its endpoint of queries.
    pub fn query(&self) -> String {
        format!("http://127.0.0.1:{}/query", self.port)
    }

    /// Puts in triples, as N-Triples.
    pub fn load(&self, triples: &str) {
        self.post("/store?default", "application/n-triples", triples);
    }

    /// Runs an update.
    pub fn update(&self, update: &str) {
        self.post("/update", "application/sparql-update", update);
    }

    /// All triples, as lines of N-Triples, sorted.
    pub fn dump(&self) -> Vec<String> {
        let text = self.call("GET", "/store?default", "Accept: application/n-triples\r\n", "");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn post(&self, path: &str, content_type: &str, body: &str) {
        self.call("POST", path, &format!("Content-Type: {content_type}\r\n"), body);
    }

    /// The body of the answer, which must be one of success.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // With HTTP/1.0 the body ends with the connection.
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {answer}");
        body.to_owned()
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "Oxigraph does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Oxigraph {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(data: &Path, port: u16) -> Child {
    let log = fs::File::create(data.with_extension("log")).unwrap();
    Command::new(std::env::var_os(OXIGRAPH).expect("looked for before"))
        .args(["serve", "--bind", &format!("127.0.0.1:{port}"), "--location"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
