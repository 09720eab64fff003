//! A server of events over HTTP, as KafkaSSE is one, on loopback.
//!
//! Promise: what is asked for is answered as the service does, with all that it does silently: what Kafka does not have begins at the
//! end, and of `Last-Event-ID` only what it names is read. Connections break off where they are told to.
//! Invariant: a record is there from its time on, by a clock that the test winds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use headwater::wikibase::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::wiki::events::Form;
use crate::wiki::history::History;
use crate::wiki::records::{Disorder, Mark, Record};

/// How the server tells where events stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Whether ids have times, or offsets.
    pub times: bool,
    /// Whether events tell their own offsets.
    pub meta: bool,
}

/// A record, as it is served.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Topic and partition.
    pub place: (String, u32),
    pub offset: u64,
    /// When it came, in milliseconds since 1970.
    pub time: i64,
    json: String,
}

/// A server; it ends when it is dropped.
pub struct Serving {
    pub shared: Arc<Shared>,
    address: SocketAddr,
}

pub struct Shared {
    pub records: Vec<Kept>,
    ways: Ways,
    /// What is later is not there yet, in milliseconds since 1970.
    pub now: AtomicI64,
    /// Of all records, so many are deleted.
    pub deleted: AtomicUsize,
    /// How many bytes the next connections live for; then they live for ever.
    pub breaks: Mutex<Vec<usize>>,
    pub connections: AtomicUsize,
    /// What every connection was asked with: its target, its `Last-Event-ID`, its `User-Agent`.
    pub asked: Mutex<Vec<[String; 3]>>,
    is_over: AtomicBool,
}

impl Serving {
    /// Serves these records. In their `meta` stands their number among all, besides what the service writes there.
    pub fn start(records: &[Record], ways: Ways) -> Self {
        let mut ends = BTreeMap::new();
        let keep = |(number, record): (usize, &Record)| {
            let place = (record.topic.clone(), u32::try_from(record.partition).unwrap());
            // No partition begins with 0, and some have holes.
            let end = ends.entry(place.clone()).or_insert_with(|| 1000 * u64::from(place.1 + 1));
            let offset = *end;
            *end += 1 + u64::from(number % 17 == 3);
            Kept { json: told(&record.json, &place, offset, number, ways), place, offset, time: record.time }
        };
        let records = records.iter().enumerate().map(keep).collect();
        let shared = Arc::new(Shared {
            records,
            ways,
            now: AtomicI64::new(i64::MIN),
            deleted: AtomicUsize::new(0),
            breaks: Mutex::default(),
            connections: AtomicUsize::new(0),
            asked: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.is_over.load(SeqCst) {
                    return;
                }
                let shared = Arc::clone(&served);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { shared, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v2/stream/mediawiki.page_change.v1", self.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // So that the one who waits for connections sees it.
        let _ = TcpStream::connect(self.address);
    }
}

/// The event with what the service writes into it; what is none as it is.
fn told(event: &[u8], (topic, partition): &(String, u32), offset: u64, number: usize, ways: Ways) -> String {
    let Ok(mut event) = serde_json::from_slice::<Value>(event) else {
        return String::from_utf8_lossy(event).into_owned();
    };
    event["meta"]["number"] = json!(number);
    if ways.meta {
        event["meta"]["topic"] = json!(topic);
        event["meta"]["partition"] = json!(partition);
        event["meta"]["offset"] = json!(offset);
    }
    event.to_string()
}

/// Which record an event is, by its number.
pub fn number(event: &[u8]) -> Option<usize> {
    let event: Value = serde_json::from_slice(event).ok()?;
    usize::try_from(event["meta"]["number"].as_u64()?).ok()
}

/// A partition of a connection: which, where it was begun among the records, and its element of the id.
struct Assigned<'r> {
    place: &'r (String, u32),
    begin: usize,
    element: Value,
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n:ok\n\n";

impl Shared {
    fn places(&self) -> impl Iterator<Item = &(String, u32)> {
        let places: BTreeMap<_, _> = self.records.iter().map(|record| (&record.place, ())).collect();
        places.into_keys()
    }

    /// How many records are there by now; the clock shows them in their order.
    fn end(&self) -> usize {
        let now = self.now.load(SeqCst);
        self.records.partition_point(|record| record.time <= now)
    }

    /// What Kafka finds: a record that is there, or the end.
    fn assign<'r>(&'r self, place: &'r (String, u32), wanted: impl Fn(&Kept) -> bool) -> Assigned<'r> {
        let end = self.end();
        let retained = self.deleted.load(SeqCst).min(end)..end;
        let found = retained.into_iter().find(|at| self.records[*at].place == *place && wanted(&self.records[*at]));
        let offset = found.map_or(-1, |at| self.records[at].offset as i64);
        let element = json!({ "topic": place.0, "partition": place.1, "offset": offset });
        Assigned { place, begin: found.unwrap_or(end), element }
    }

    /// By offset: what is deleted begins at the end, what has a hole behind it.
    fn assign_offset<'r>(&'r self, place: &'r (String, u32), offset: i64) -> Assigned<'r> {
        let end = self.end();
        let of_place = |at: &usize| self.records[*at].place == *place;
        let oldest = (self.deleted.load(SeqCst).min(end)..end).find(of_place);
        let is_there = oldest.is_some_and(|at| offset >= self.records[at].offset as i64);
        // The end itself is no offset of a record yet.
        let mut assigned = self.assign(place, |record| is_there && record.offset as i64 >= offset);
        if offset >= 0 {
            assigned.element["offset"] = json!(offset);
        }
        assigned
    }

    fn assigned(&self, since: Option<i64>, id: Option<&str>) -> Vec<Assigned<'_>> {
        let by_time =
            |place, time: Option<i64>| self.assign(place, |record| time.is_some_and(|time| record.time >= time));
        let Some(id) = id else { return self.places().map(|place| by_time(place, since)).collect() };
        let id: Vec<Value> = serde_json::from_str(id).unwrap();
        let mut all = Vec::new();
        for asked in &id {
            let topic = asked.as_str().or(asked["topic"].as_str()).unwrap();
            let number = asked["partition"].as_u64();
            for place in self.places().filter(|place| place.0 == topic) {
                match (number, asked["offset"].as_i64(), asked["timestamp"].as_i64()) {
                    (None, ..) => all.push(by_time(place, since)),
                    (Some(number), ..) if number != u64::from(place.1) => {}
                    (_, Some(offset), _) => all.push(self.assign_offset(place, offset)),
                    (_, None, time) => all.push(by_time(place, time)),
                }
            }
        }
        all
    }

    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let target = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: BTreeMap<String, String> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())))
            .collect();
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        self.connections.fetch_add(1, SeqCst);
        self.asked.lock().unwrap().push([target.clone(), header("last-event-id"), header("user-agent")]);
        let mut left = self.breaks.lock().unwrap().pop().unwrap_or(usize::MAX);
        let mut say = move |text: &str| {
            let bytes = &text.as_bytes()[..text.len().min(left)];
            stream.write_all(bytes).ok()?;
            left -= bytes.len();
            (left > 0).then_some(())
        };
        if !target.starts_with("/v2/stream/mediawiki.page_change.v1") {
            return say("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
        say(HEAD)?;
        let since = target.split_once("since=").map(|(_, text)| Timestamp::parse(text).unwrap().millis());
        let mut assigned = self.assigned(since, headers.get("last-event-id").map(String::as_str));
        let mut at = assigned.iter().map(|assigned| assigned.begin).min().unwrap_or(self.records.len());
        while !self.is_over.load(SeqCst) {
            let end = self.end();
            if at >= end {
                thread::sleep(Duration::from_millis(1));
            }
            for (at, record) in self.records.iter().enumerate().take(end).skip(at) {
                let own = assigned.iter_mut().find(|assigned| *assigned.place == record.place && at >= assigned.begin);
                let Some(own) = own else { continue };
                let (topic, partition) = own.place;
                own.element = match self.ways.times {
                    true => json!({ "topic": topic, "partition": partition, "timestamp": record.time + 1 }),
                    false => json!({ "topic": topic, "partition": partition, "offset": record.offset + 1 }),
                };
                let id = Value::from_iter(assigned.iter().map(|assigned| assigned.element.clone()));
                say(&format!("event: message\nid: {id}\ndata: {}\n\n", record.json))?;
            }
            at = at.max(end);
        }
        Some(())
    }
}

/// Canary events in all partitions for so long after the last record: time goes on.
pub fn with_a_tail(history: &History, mut records: Vec<Record>, disorder: &Disorder, millis: i64) -> Vec<Record> {
    let last = records.last().map_or(history.now, |record| record.time);
    for time in (last..last + millis).step_by(10_000) {
        for stream in Form::PageChange.streams() {
            let json = history.event(0, Form::PageChange, 0).canary(stream, time as u64, time).bytes();
            for topic in disorder.data_centres.iter().map(|data_centre| format!("{data_centre}{stream}")) {
                records.extend((0..disorder.partitions).map(|partition| Record {
                    topic: topic.clone(),
                    partition,
                    time,
                    json: json.clone(),
                    mark: Mark::Canary,
                }));
            }
        }
    }
    records
}
