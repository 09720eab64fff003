//! The wiki over HTTP, on loopback: `Special:EntityData` and the API.
//!
//! Promise: what is there is answered as a wiki does, as fast as it can be sent or after a set delay; what is to go wrong does so as
//! often as it is told.
//! Invariant: any number of connections and of answers that wait on one thread; a document is written once and kept.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headwater::wikibase::entity::EntityId;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::wiki::api;
use crate::wiki::history::History;
use crate::wiki::turtle::Document;

/// A server; it ends when it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not know it yet: 404.
    NotFound,
    /// It is busy: 503, with the seconds to wait if there are any.
    Busy(Option<u64>),
    /// Only this status.
    Status(u16),
    /// A page in HTML, with 200.
    Html,
    /// The answer breaks off in the middle.
    BreaksOff,
    /// Nothing, with 200.
    Empty,
    /// The document and so many bytes of comments behind it.
    Large(usize),
    /// No answer, for so long.
    Silent(Duration),
}

/// For how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// For so many requests.
    Times(u32),
    /// For that long from the first request on.
    Elapsed(Duration),
    /// For ever.
    Ever,
}

/// What was asked so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Requests.
    pub requests: u64,
    /// Of them those that were answered with a document.
    pub documents: u64,
    /// Connections.
    pub connections: u64,
    /// The most requests that waited at once.
    pub at_once: u64,
}

type Body = Arc<[u8]>;

struct Shared {
    history: Mutex<Arc<History>>,
    /// How the wiki is seen: as it was at that time, in milliseconds since 1970.
    at: AtomicI64,
    delay: AtomicU64,
    /// Whether what is deleted is served too.
    is_lasting: AtomicBool,
    troubles: Mutex<HashMap<(EntityId, Option<u64>), Planned>>,
    answers: Mutex<HashMap<(EntityId, u64), Body>>,
    of_entity: Mutex<HashMap<EntityId, u64>>,
    requests: AtomicU64,
    documents: AtomicU64,
    connections: AtomicU64,
    waiting: AtomicU64,
    at_once: AtomicU64,
}

struct Planned {
    trouble: Trouble,
    until: Until,
    since: Option<Instant>,
}

/// What is sent, and whether the connection goes on.
struct Said {
    head: String,
    body: Body,
    goes_on: bool,
    pause: Duration,
}

impl Server {
    /// Serves a wiki, with all that will have been there in the end.
    pub fn start(history: Arc<History>) -> Self {
        let shared = Arc::new(Shared {
            history: Mutex::new(history),
            at: AtomicI64::new(i64::MAX),
            delay: AtomicU64::new(0),
            is_lasting: AtomicBool::new(false),
            troubles: Mutex::default(),
            answers: Mutex::default(),
            of_entity: Mutex::default(),
            requests: AtomicU64::new(0),
            documents: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
        });
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("there is a thread left");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Self { shared, address, runtime: Some(runtime) }
    }

    /// Its namespace of entity data.
    pub fn url(&self) -> String {
        format!("http://{}/wiki/Special:EntityData/", self.address)
    }

    /// Its API.
    pub fn api(&self) -> String {
        format!("http://{}/w/api.php", self.address)
    }

    /// Where it listens, for a route to it.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes on with a later state of the same wiki.
    pub fn show(&self, history: Arc<History>) {
        *locked(&self.shared.history) = history;
    }

    /// Shows the wiki as it was at that time, in milliseconds since 1970.
    pub fn at(&self, time: i64) {
        self.shared.at.store(time, Relaxed);
    }

    /// Serves what is deleted too, as if it were asked for before that.
    pub fn lasting(&self) {
        self.shared.is_lasting.store(true, Relaxed);
    }

    /// Answers after that time.
    pub fn delay(&self, time: Duration) {
        self.shared.delay.store(time.as_millis() as u64, Relaxed);
    }

    /// Lets requests for an entity go wrong, at one revision or at all.
    pub fn trouble(&self, entity: EntityId, revision: Option<u64>, trouble: Trouble, until: Until) {
        locked(&self.shared.troubles).insert((entity, revision), Planned { trouble, until, since: None });
    }

    /// What was asked so far.
    pub fn asked(&self) -> Asked {
        let Shared { requests, documents, connections, at_once, .. } = &*self.shared;
        let [requests, documents, connections, at_once] =
            [requests, documents, connections, at_once].map(|count| count.load(Relaxed));
        Asked { requests, documents, connections, at_once }
    }

    /// How often an entity was asked for.
    pub fn asked_of(&self, entity: EntityId) -> u64 {
        locked(&self.shared.of_entity).get(&entity).copied().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Relaxed);
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

/// Answers the requests of a connection, one after the other.
async fn serve(stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut text = Vec::new();
    loop {
        let request = request(&stream, &mut text).await?;
        let waiting = shared.waiting.fetch_add(1, Relaxed) + 1;
        shared.at_once.fetch_max(waiting, Relaxed);
        let said = shared.said(&request);
        let pause = said.pause + Duration::from_millis(shared.delay.load(Relaxed));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        shared.waiting.fetch_sub(1, Relaxed);
        send(&stream, &[said.head.as_bytes(), &said.body].concat()).await?;
        if !said.goes_on {
            return None;
        }
    }
}

/// The next request, up to its empty line; what follows stays in the text.
async fn request(stream: &TcpStream, text: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = text.windows(4).position(|end| end == b"\r\n\r\n") {
            let rest = text.split_off(end + 4);
            return String::from_utf8(std::mem::replace(text, rest)).ok();
        }
        stream.readable().await.ok()?;
        let mut piece = [0; 4096];
        match stream.try_read(&mut piece) {
            Ok(0) => return None,
            Ok(length) => text.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> Option<()> {
    while !bytes.is_empty() {
        stream.writable().await.ok()?;
        match stream.try_write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    Some(())
}

/// What a request is for: `GET /wiki/Special:EntityData/Q42.ttl?flavor=dump&revision=7 HTTP/1.1`.
fn wanted(request: &str) -> Option<(EntityId, Option<u64>)> {
    let target = request.strip_prefix("GET ")?.split(' ').next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let id = path.rsplit('/').next()?.strip_suffix(".ttl")?;
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("revision="));
    let revision = values.next().map(str::parse).transpose().ok()?;
    Some((EntityId::parse(id.as_bytes()).ok()?, revision))
}

impl Shared {
    fn said(&self, request: &str) -> Said {
        self.requests.fetch_add(1, Relaxed);
        if let Some(query) = api::query(request) {
            let (history, at) = (locked(&self.history).clone(), self.at.load(Relaxed));
            let answer = api::answer(&history, at, query).to_string();
            return Said::new(200, "Content-Type: application/json\r\n", answer.into_bytes().into());
        }
        let Some((entity, revision)) = wanted(request) else { return Said::status(400) };
        *locked(&self.of_entity).entry(entity).or_default() += 1;
        let mut said = match (self.planned(entity, revision), self.document(entity, revision)) {
            (Some(trouble), document) => Said::trouble(trouble, document),
            (None, Some(document)) => {
                self.documents.fetch_add(1, Relaxed);
                Said::document(document)
            }
            (None, None) => Said::status(404),
        };
        said.goes_on &= !request.to_ascii_lowercase().contains("connection: close");
        said
    }

    /// The trouble that is due.
    fn planned(&self, entity: EntityId, revision: Option<u64>) -> Option<Trouble> {
        let mut troubles = locked(&self.troubles);
        let key = [(entity, revision), (entity, None)].into_iter().find(|key| troubles.contains_key(key))?;
        let planned = troubles.get_mut(&key)?;
        let is_over = match &mut planned.until {
            Until::Ever => false,
            Until::Elapsed(time) => planned.since.get_or_insert_with(Instant::now).elapsed() > *time,
            Until::Times(0) => true,
            Until::Times(times) => {
                *times -= 1;
                false
            }
        };
        if is_over { None } else { Some(planned.trouble) }
    }

    fn document(&self, entity: EntityId, revision: Option<u64>) -> Option<Body> {
        let (history, at) = (locked(&self.history).clone(), self.at.load(Relaxed));
        let is_lasting = self.is_lasting.load(Relaxed);
        let page = history.page(entity).filter(|page| is_lasting || page.is_there(at))?;
        let revision = match revision {
            Some(number) => page.revision(number).filter(|revision| revision.time <= at)?.number,
            None => page.newest(at)?.number,
        };
        if let Some(known) = locked(&self.answers).get(&(entity, revision)) {
            return Some(Arc::clone(known));
        }
        let shown = page.revision(revision)?.shown(entity);
        let document: Body = Document::of(history.shape.flavour, shown).into_bytes().into();
        locked(&self.answers).insert((entity, revision), Arc::clone(&document));
        Some(document)
    }
}

impl Said {
    fn new(status: u16, headers: &str, body: Body) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{headers}\r\n");
        Self { head, body, goes_on: true, pause: Duration::ZERO }
    }

    fn status(status: u16) -> Self {
        Self::new(status, "Content-Type: text/plain\r\n", Arc::from(*b"no such page"))
    }

    fn document(document: Body) -> Self {
        Self::new(200, "Content-Type: text/turtle; charset=UTF-8\r\n", document)
    }

    fn trouble(trouble: Trouble, document: Option<Body>) -> Self {
        let document = document.unwrap_or_else(|| Arc::from(*b"# nothing\n"));
        match trouble {
            Trouble::NotFound => Self::status(404),
            Trouble::Status(status) => Self::status(status),
            Trouble::Busy(None) => Self::status(503),
            Trouble::Busy(Some(seconds)) => Self::new(503, &format!("Retry-After: {seconds}\r\n"), Arc::from([])),
            Trouble::Html => {
                Self::new(200, "Content-Type: text/html\r\n", Arc::from(*b"<!DOCTYPE html><p>Our servers are down</p>"))
            }
            Trouble::BreaksOff => {
                let mut said = Self::document(document);
                said.body = said.body[..said.body.len() / 2].into();
                said.goes_on = false;
                said
            }
            Trouble::Empty => Self::document(Arc::from([])),
            Trouble::Large(bytes) => {
                let line = b"# This line is here to take up room.\n";
                Self::document(document.iter().chain(line.iter().cycle().take(bytes)).copied().collect())
            }
            Trouble::Silent(time) => {
                let mut said = Self::document(document);
                said.pause = time;
                said
            }
        }
    }
}
