//! Real triple stores, each a process with its data in a place that outlives it.
//!
//! Promise: a store listens on loopback only, on a free port, and is killed when it is dropped.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use headwater::env::Env;
use headwater::sparql::{self, Graph};

/// The variables that name the programs.
pub const OXIGRAPH: &str = "HEADWATER_LIVE_OXIGRAPH";
pub const BLAZEGRAPH: &str = "HEADWATER_LIVE_BLAZEGRAPH";
/// How long a store may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Oxigraph,
    Blazegraph,
}

/// A store.
pub struct Store {
    pub kind: Kind,
    process: Child,
    data: PathBuf,
    port: u16,
}

impl Kind {
    /// The variable that names the program.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Oxigraph => OXIGRAPH,
            Self::Blazegraph => BLAZEGRAPH,
        }
    }

    /// Whether it has its data after it was killed. Oxigraph's own server has; the bed's, which is without RocksDB, has not.
    pub fn is_lasting(self) -> bool {
        let program = std::env::var_os(self.variable()).expect("looked for before");
        self == Self::Blazegraph || Path::new(&program).file_name().is_some_and(|name| name == "oxigraph")
    }

    /// What `--store` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oxigraph => "oxigraph",
            Self::Blazegraph => "blazegraph",
        }
    }
}

impl Store {
    /// Starts one; what is in `data` is there.
    pub fn start(kind: Kind, data: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let store = Self { kind, process: serve(kind, data, port), data: data.to_owned(), port };
        store.wait();
        store
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, after it was killed.
    pub fn restart(&mut self) {
        self.process = serve(self.kind, &self.data, self.port);
        self.wait();
    }

    /// Copies its data to there.
    pub fn save(&mut self, to: &Path) {
        if !self.kind.is_lasting() {
            let lines: String = self.graph().iter().map(|(_, line)| line.to_owned() + "\n").collect();
            return fs::write(to, lines).unwrap();
        }
        self.kill();
        copy(&self.files(), to);
        self.restart();
    }

    /// Kills it, and starts it with that copy in the place of its data.
    pub fn put_back(&mut self, from: &Path) {
        self.kill();
        if !self.kind.is_lasting() {
            self.restart();
            return self.load(&fs::read_to_string(from).unwrap());
        }
        let removed = Command::new("rm").arg("-r").arg(self.files()).status().expect("rm is there");
        assert!(removed.success());
        copy(from, &self.files());
        self.restart();
    }

    /// The file or directory that has its data.
    fn files(&self) -> PathBuf {
        match self.kind {
            Kind::Oxigraph => self.data.clone(),
            Kind::Blazegraph => self.data.with_extension("jnl"),
        }
    }

    fn path(&self, what: &str) -> String {
        match self.kind {
            Kind::Oxigraph => format!("/{what}"),
            Kind::Blazegraph => "/bigdata/namespace/kb/sparql".to_owned(),
        }
    }

    /// Its endpoint of queries.
    pub fn query(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path("query"))
    }

    /// Puts in triples, as N-Triples.
    pub fn load(&self, triples: &str) {
        let path = if self.kind == Kind::Oxigraph { "/store?default".to_owned() } else { self.path("") };
        self.call("POST", &path, "Content-Type: text/turtle; charset=UTF-8\r\n", triples).unwrap();
    }

    /// Runs an update.
    pub fn update(&self, update: &str) {
        self.call("POST", &self.path("update"), "Content-Type: application/sparql-update; charset=UTF-8\r\n", update)
            .unwrap();
    }

    /// All triples, as it writes them.
    pub fn graph(&self) -> Graph {
        let store = sparql::Store::new(sparql::Settings::new(&self.query()), &Env::default()).unwrap();
        store.construct("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }").unwrap()
    }

    /// Waits until one of its triples says this.
    pub fn wait_for(&self, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.graph().iter().any(|(_, line)| line.contains(what)) {
            assert!(Instant::now() < end, "{:?} never says {what}", self.kind);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The body of an answer of success.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<String, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string())?;
        // With HTTP/1.0 the body ends with the connection.
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        let mut answer = Vec::new();
        let talk = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        talk.and_then(|()| stream.read_to_end(&mut answer)).map_err(|error| error.to_string())?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(answer.as_str())?;
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(head)?;
        if (200..300).contains(&status) { Ok(body.to_owned()) } else { Err(format!("{method} {path}: {answer}")) }
    }

    /// Waits until it answers.
    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        let headers = "Content-Type: application/sparql-query\r\nAccept: text/turtle\r\n";
        let query = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 1";
        while self.call("POST", &self.path("query"), headers, query).is_err() {
            assert!(Instant::now() < end, "{:?} does not answer", self.kind);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().expect("cp is there");
    assert!(copied.success());
}

fn serve(kind: Kind, data: &Path, port: u16) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
    let mut command = Command::new(std::env::var_os(kind.variable()).expect("looked for before"));
    match kind {
        Kind::Oxigraph => command.args(["serve", "--bind", &format!("127.0.0.1:{port}"), "--location"]).arg(data),
        Kind::Blazegraph => command.arg(port.to_string()).arg(data.with_extension("jnl")),
    };
    // Blazegraph leaves a log of its rules where it is started.
    let dir = data.parent().unwrap();
    command.current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}
