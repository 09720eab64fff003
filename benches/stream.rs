//! How fast the whole updater is, over real Kafka: events a second of a backfill, from a wiki on this machine that takes no time or
//! 100 ms to answer; and how much later than their turn messages are to be read, at 50 events a second.
//!
//! Run with `tests/live/bed up kafka && eval "$(tests/live/bed env)" && cargo bench --bench stream [-- EVENTS]`. Kafka, the wiki and the
//! updater share the cores. The updater is the program itself, `target/release/headwater`. With `-- soak MINUTES` it follows 200 events
//! a second for that long instead, and its memory is told every minute.

#[path = "../tests/live/broker.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod broker;
#[path = "../tests/wiki/mod.rs"]
mod wiki;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater::kafka::feed::Feed;
use headwater::kafka::{Partition, Settings, Topic};
use headwater::wikibase::timestamp::Timestamp;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::broker::Broker;
use crate::wiki::edit::Size;
use crate::wiki::events::{Form, time};
use crate::wiki::history::{History, Shape};
use crate::wiki::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_headwater");
const ROUNDS: usize = 3;
/// Entities; those of Wikidata that are edited on a day are edited some times.
const ENTITIES: usize = 1500;
/// Events a second of the wiki.
const PACE: u64 = 50;
/// For how long latency is measured, in seconds.
const WATCHED: u64 = 60;

fn main() {
    if std::env::var(broker::KAFKA).is_err() {
        println!("stream: skipped: {} is not set (see the head of benches/stream.rs)", broker::KAFKA);
        return;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let given = arguments.iter().find_map(|argument| argument.parse().ok());
    if arguments.iter().any(|argument| argument == "soak") {
        return soak(given.unwrap_or(60));
    }
    let events: usize = given.unwrap_or(20_000);
    let shape = Shape { size: Size::TYPICAL, pages: ENTITIES, pace: 1000 / PACE, ..Shape::default() };
    let history = Arc::new(History::shaped(shape, 1, events));
    for (millis, events) in [(0, events), (100, events / 2)] {
        let mut rounds: Vec<_> = (0..ROUNDS).map(|_| backfill(&history, events, millis)).collect();
        rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let [least, middle, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| &rounds[at]);
        println!(
            "stream: {events} events, {millis} ms a fetch, 100 in flight: median {:.0} a second ({:.0} to {:.0}); {}",
            middle.rate, least.rate, most.rate, middle.told
        );
    }
    latency(&history);
}

/// What a round came to.
struct Round {
    rate: f64,
    told: String,
}

/// A topic of events and one of messages.
struct Topics {
    broker: Broker,
    from: String,
    to: String,
    dir: tempfile::TempDir,
}

impl Topics {
    fn new() -> Self {
        let broker = Broker::new("stream");
        let from = broker.topic("mediawiki.page_change.v1", 1, &[]);
        let to = broker.topic("mutation", 1, &[]);
        Self { broker, from, to, dir: tempfile::tempdir().expect("room") }
    }

    fn producer(&self) -> BaseProducer {
        self.broker.config().set("linger.ms", "1").create().expect("a producer")
    }

    fn send(&self, producer: &BaseProducer, json: &[u8]) {
        while producer.send(BaseRecord::<(), [u8]>::to(&self.from).partition(0).payload(json)).is_err() {
            producer.poll(Duration::from_millis(10));
        }
        producer.poll(Duration::ZERO);
    }

    fn updater(&self, command: &str, server: &Server, arguments: &[&str]) -> Child {
        let group = self.broker.named("group");
        self.broker.commit(&group, &self.from, &[(0, 0)]);
        let checkpoints = self.dir.path().join("checkpoints");
        let url = server.url();
        let mut program = Command::new(PROGRAM);
        program.args(["--json", "--quiet", command, "--brokers", &self.broker.brokers, "--group", &group]);
        program.args(["--topic", &self.from, "--mutations", &format!("kafka:{}", self.to), "--side-outputs", "none"]);
        program.args(["--entity-data", &url, "--from-nothing", "--in-flight", "100"]);
        program.arg("--checkpoints").arg(checkpoints).args(arguments);
        program.stdout(Stdio::piped()).spawn().expect("the program runs")
    }
}

/// Events a second from the start of the program to its end.
fn backfill(history: &Arc<History>, events: usize, millis: u64) -> Round {
    let topics = Topics::new();
    let producer = topics.producer();
    (0..events.min(history.changes.len()))
        .for_each(|number| topics.send(&producer, &history.event(number, Form::PageChange, 0).bytes()));
    producer.flush(Duration::from_secs(60)).expect("Kafka takes the events");
    let server = Server::start(Arc::clone(history));
    // The wiki is long past these events, but few of its pages were deleted since.
    server.lasting();
    server.delay(Duration::from_millis(millis));
    let start = Instant::now();
    // Without a window every event is decided on as soon as those before it were read.
    let updater =
        topics.updater("backfill", &server, &["--window", "0s", "--lateness", "0s", "--checkpoint-interval", "10s"]);
    let output = updater.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", output.status);
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let summary: Value = serde_json::from_slice(&output.stdout).expect("the summary is JSON");
    let messages = &summary["streams"][0]["messages"];
    Round { rate, told: format!("{messages} messages, {} documents fetched", server.asked().documents) }
}

/// How much later than its turn a message is to be read by readers of committed records.
fn latency(history: &Arc<History>) {
    let topics = Topics::new();
    let server = Server::start(Arc::clone(history));
    let mut updater = topics.updater(
        "stream",
        &server,
        &["--window", "1s", "--lateness", "1s", "--checkpoint-interval", "100ms", "--acceptable-lag", "0s"],
    );
    let producer = topics.producer();
    let settings = Settings {
        brokers: topics.broker.brokers.clone(),
        group: topics.broker.named("reader"),
        properties: Vec::new(),
        timeout: Duration::from_secs(10),
    };
    let to = Partition { topic: Topic::parse(&topics.to).expect("a topic"), number: 0 };
    let feed = Feed::open(&settings, &[(to, 0)]).expect("Kafka is there");
    let mut late = Vec::new();
    let begun = Instant::now();
    for number in 0..(WATCHED * PACE) as usize {
        let due = Duration::from_millis(number as u64 * 1000 / PACE);
        while begun.elapsed() < due {
            read(&feed, &mut late);
        }
        topics.send(&producer, &happening(history, number));
    }
    updater.kill().expect("the program runs");
    updater.wait().expect("the program ends");
    let waited: Vec<i64> = late.iter().filter(|(waits, _)| *waits).map(|(_, late)| late - 2000).collect();
    let at_once: Vec<i64> = late.iter().filter(|(waits, _)| !waits).map(|(_, late)| *late).collect();
    told("of events that waited for their turn", waited);
    told("of events that mostly need not wait, counted from the event", at_once);
}

fn told(what: &str, mut late: Vec<i64>) {
    late.sort_unstable();
    let of = |part: usize| late[(late.len() * part / 100).min(late.len() - 1)];
    println!(
        "stream: {PACE} events a second, checkpoints every 100 ms: {} messages {what} were read {} ms (median), {} ms (p99) after",
        late.len(),
        of(50),
        of(99)
    );
}

/// Follows 200 events a second for some minutes, as they happen, with the defaults of windows and checkpoints, and a small cache.
fn soak(minutes: usize) {
    const RATE: u64 = 200;
    let shape = Shape { pages: 20_000, pace: 1000 / RATE, ..Shape::default() };
    let events = minutes * 60 * RATE as usize;
    let history = Arc::new(History::shaped(shape, 2, events));
    let topics = Topics::new();
    let server = Server::start(Arc::clone(&history));
    // A cache that is full within five minutes, so that memory tells of whatever else grows.
    let mut updater = topics.updater("stream", &server, &["--cache", "16"]);
    let producer = topics.producer();
    let begun = Instant::now();
    for number in 0..events {
        let due = Duration::from_millis(number as u64 * 1000 / RATE);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        topics.send(&producer, &happening(&history, number));
        if (number as u64).is_multiple_of(60 * RATE) {
            let status = std::fs::read_to_string(format!("/proc/{}/status", updater.id())).unwrap_or_default();
            let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: gone").to_owned();
            let cpu = std::fs::read_to_string(format!("/proc/{}/stat", updater.id())).unwrap_or_default();
            let ticks: u64 = cpu.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
            println!("minute {:>3}: {memory}, {} CPU s", number as u64 / (60 * RATE), ticks / 100);
        }
    }
    updater.kill().expect("the program runs");
    updater.wait().expect("the program ends");
}

/// The event of a change, as if it happened now.
fn happening(history: &History, number: usize) -> Vec<u8> {
    let mut event = history.event(number, Form::PageChange, 0);
    event.json["dt"] = time(now()).into();
    event.json["meta"]["dt"] = time(now()).into();
    event.bytes()
}

/// Reads what is there, waiting a little: of each message how many milliseconds after its event it came, and whether that had to wait
/// for its turn, as all do but the next edit of an entity.
fn read(feed: &Feed, late: &mut Vec<(bool, i64)>) {
    let mut take = |record: headwater::kafka::feed::Arrived<'_>| {
        let message: Value = serde_json::from_slice(record.value).expect("a message is JSON");
        let event = Timestamp::parse(message["dt"].as_str().expect("it has a time")).expect("a time");
        late.push((message["operation"] != "diff", now() - event.millis()));
    };
    feed.poll(Duration::from_millis(2), &mut take).expect("Kafka is there");
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}
