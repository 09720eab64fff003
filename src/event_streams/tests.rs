//! Streams from a server that does all that servers do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::storage::{self, Location};
use crate::web::Calls;

const MILLI: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);
const A: &str = "eqiad.x";
const B: &str = "codfw.x";

/// A request: its target, and its headers with names in lower case.
struct Got {
    target: String,
    headers: BTreeMap<String, String>,
}

/// Serves on loopback, each connection on a thread of its own: its number, its request. Gives the URL.
fn serve(answer: impl Fn(usize, &Got, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v2/stream/x", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { return };
                let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
                    line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                });
                answer(number, &Got { target, headers: headers.collect() }, &mut stream);
            });
        }
    });
    url
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";

fn say(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

/// A stream that is told, and then silence.
fn tell(stream: &mut TcpStream, text: &str) {
    say(stream, HEAD);
    say(stream, text);
    thread::sleep(LONG);
}

/// How a server tells where its events stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ways {
    /// Whether ids have times, or offsets.
    times: bool,
    /// Whether events tell their own offsets.
    meta: bool,
}

/// An event in Kafka.
#[derive(Clone, Debug)]
struct Record {
    topic: &'static str,
    offset: u64,
    millis: i64,
}

/// Of two topics, the second less busy; two or three have one time.
fn records(count: usize) -> Vec<Record> {
    let mut ends = BTreeMap::from([(A, 40), (B, 7)]);
    let record = |at: usize| {
        let topic = if at % 5 == 3 { B } else { A };
        let end = ends.get_mut(topic).unwrap();
        *end += 1 + u64::from(at.is_multiple_of(11));
        Record { topic, offset: *end - 1, millis: 5_000 + at as i64 * 2 / 5 }
    };
    (0..count).map(record).collect()
}

/// What eventstreams answers: where each topic is begun, and each event with the id of all that was sent. So many bytes, if
/// there are more.
fn kafka_sse(records: &[Record], got: &Got, ways: Ways, most: usize) -> String {
    use serde_json::{Value, json};
    let since = got.target.split_once("since=").map(|(_, text)| Timestamp::parse(text).unwrap().millis());
    let at_time = |topic: &str, time: Option<i64>| {
        let first =
            records.iter().find(|record| record.topic == topic && time.is_some_and(|time| record.millis >= time));
        json!({ "topic": topic, "partition": 0, "offset": first.map_or(-1, |record| record.offset as i64) })
    };
    let asked = got.headers.get("last-event-id").map_or(json!([A, B]), |id| serde_json::from_str(id).unwrap());
    let resolve = |asked: &Value| match asked.get("timestamp") {
        Some(time) => at_time(asked["topic"].as_str().unwrap(), time.as_i64()),
        None => asked.as_str().map_or(asked.clone(), |topic| at_time(topic, since)),
    };
    let mut id: Vec<Value> = asked.as_array().unwrap().iter().map(resolve).collect();
    let mut text = ":ok\n\n".to_owned();
    let starts = id.clone();
    for Record { topic, offset, millis } in records {
        if text.len() >= most {
            break;
        }
        let Some(at) = id.iter().position(|element| element["topic"] == *topic) else { continue };
        let start = starts[at]["offset"].as_u64();
        if start.is_none_or(|start| *offset < start) {
            continue;
        }
        id[at] = match ways.times {
            true => json!({ "topic": topic, "partition": 0, "timestamp": millis + 1 }),
            false => json!({ "topic": topic, "partition": 0, "offset": offset + 1 }),
        };
        let mut event =
            json!({ "is": [topic, offset], "meta": { "dt": Timestamp::from_millis(*millis).unwrap().to_string() } });
        if ways.meta {
            event["meta"]["topic"] = json!(topic);
            event["meta"]["partition"] = json!(0);
            event["meta"]["offset"] = json!(offset);
        }
        text += &format!("event: message\nid: {}\ndata: {event}\n\n", json!(id));
    }
    text.truncate(most);
    text
}

/// Which record a value is.
fn is(value: &[u8]) -> (String, u64) {
    let value: serde_json::Value = serde_json::from_slice(value).unwrap();
    (value["is"][0].as_str().unwrap().to_owned(), value["is"][1].as_u64().unwrap())
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// Pauses of a millisecond; everything that happened in the seventies.
fn settings(url: &str) -> Settings {
    Settings { since: Some(time(5_000)), first_pause: MILLI, longest_pause: MILLI, ..Settings::new(url) }
}

fn now() -> Timestamp {
    time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

fn open(settings: Settings) -> EventStream {
    EventStream::open(settings, &Env { now, ..Env::default() }).unwrap()
}

/// Takes until there are so many values, or an error.
fn values(stream: &mut EventStream, count: usize) -> Result<Vec<String>, StreamError> {
    let mut values = Vec::new();
    let start = Instant::now();
    while values.len() < count {
        assert!(start.elapsed() < LONG, "{} of {count}; {:?}", values.len(), stream.heard());
        let take = |arrived: Arrived<'_>| values.push(String::from_utf8(arrived.value.to_vec()).unwrap());
        stream.poll(Duration::from_millis(50), take)?;
    }
    Ok(values)
}

fn at(topic: &str, next_offset: u64) -> StreamPosition {
    StreamPosition { topic: topic.to_owned(), partition: 0, next_offset }
}

#[test]
fn broken_at_every_byte_each_event_comes_once_and_in_order() {
    // Each connection lives for a byte longer than the one before it.
    const MOST: usize = 800;
    let rows = [(true, true), (false, true), (false, false)].map(|(times, meta)| Ways { times, meta });
    for ways in rows {
        let records = records(2000);
        let expected: Vec<_> = records.iter().map(|record| (record.topic.to_owned(), record.offset)).collect();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let url = serve(move |number, got, stream| {
            count.fetch_max(number, Ordering::SeqCst);
            match number {
                0..MOST => say(stream, &format!("{HEAD}{}", kafka_sse(&records, got, ways, number))),
                _ => tell(stream, &kafka_sse(&records, got, ways, usize::MAX)),
            }
        });
        let mut stream = open(settings(&url));
        let (mut got, start) = (Vec::new(), Instant::now());
        while got.len() < expected.len() {
            assert!(start.elapsed() < 3 * LONG, "{ways:?} {} {:?}", got.len(), stream.heard());
            let take = |arrived: Arrived<'_>| {
                let (topic, offset) = is(arrived.value);
                assert!(arrived.at.is_none_or(|told| *told == at(&topic, offset + 1)), "{arrived:?}");
                assert!(arrived.at.is_some() || !ways.meta);
                got.push((topic, offset));
            };
            stream.poll(Duration::from_millis(100), take).unwrap();
        }
        let of = |topic: &str, all: &[(String, u64)]| -> Vec<_> {
            all.iter().filter(|(of, _)| of == topic).map(|(_, offset)| *offset).collect()
        };
        for topic in [A, B] {
            assert_eq!(of(topic, &got), of(topic, &expected), "{ways:?} {topic}");
        }
        let last = |topic| at(topic, of(topic, &expected).last().unwrap() + 1);
        assert_eq!(BTreeSet::from_iter(stream.positions()), BTreeSet::from([last(A), last(B)]));
        assert!(connections.load(Ordering::SeqCst) >= MOST, "{connections:?}");
    }
}

#[test]
fn without_offsets_events_may_come_again_but_none_is_lost() {
    let records = records(300);
    let expected: BTreeSet<_> = records.iter().map(|record| (record.topic.to_owned(), record.offset)).collect();
    let ways = Ways { times: true, meta: false };
    let url = serve(move |number, got, stream| {
        say(stream, &format!("{HEAD}{}", kafka_sse(&records, got, ways, 2_500 + number * 7)));
    });
    let mut stream = open(settings(&url));
    let (mut got, start) = (BTreeSet::new(), Instant::now());
    while got.len() < expected.len() {
        assert!(start.elapsed() < LONG, "{} {:?}", got.len(), stream.heard());
        stream.poll(Duration::from_millis(50), |arrived| _ = got.insert(is(arrived.value))).unwrap();
    }
    assert_eq!(got, expected);
}

fn told_since(target: &str) -> Option<&str> {
    target.split_once("since=").map(|(_, time)| time)
}

#[test]
fn what_is_asked_for() {
    let entry = |topic: &str, offset| format!(r#"{{"topic":"{topic}","partition":0,"offset":{offset}}}"#);
    let rows = [
        (vec![], vec![], "", "?since=1970-01-01T00:00:05Z", None),
        (vec![], vec![], "?a=b", "?a=b&since=1970-01-01T00:00:05Z", None),
        (vec![at(A, 9)], vec![], "", "", Some(format!("[{}]", entry(A, 9)))),
        (vec![at(A, 9)], vec![A, B], "", "?since=1970-01-01T00:00:05Z", Some(format!(r#"[{},"{B}"]"#, entry(A, 9)))),
    ];
    for (positions, topics, query, asked, id) in rows {
        // The first connection is to name all partitions, but these ids name none.
        let before = if positions.is_empty() { 0 } else { 1 };
        let url = serve(move |number, got, stream| {
            let header = |name: &str| got.headers.get(name).cloned().unwrap_or_default();
            let told = [&got.target, &header("last-event-id"), &header("accept"), &header("user-agent")];
            let told = told.map(|text| format!("data: {text}\n")).concat();
            if number < before {
                assert_eq!(
                    (told_since(&got.target), header("last-event-id").as_str()),
                    (Some("1970-01-01T00:00:05Z"), "")
                );
            }
            tell(stream, &format!("{told}\n"));
        });
        let topics = topics.into_iter().map(str::to_owned).collect();
        let user_agent = "me (me@example.org)".to_owned();
        let mut stream = open(Settings { positions, topics, user_agent, ..settings(&format!("{url}{query}")) });
        let expected = [
            format!("/v2/stream/x{asked}"),
            id.unwrap_or_default(),
            "text/event-stream".to_owned(),
            "me (me@example.org)".to_owned(),
        ];
        assert_eq!(values(&mut stream, 1).unwrap(), [expected.join("\n")]);
    }
}

#[test]
fn settings_that_cannot_be_used() {
    let rows = [
        (settings("stream"), "`stream` is no URL of a web server"),
        (Settings { user_agent: "a\nb".to_owned(), ..settings("http://w") }, "`\"a\\nb\"` is no name for a program"),
        (Settings { positions: vec![at("a b", 1)], ..settings("http://w") }, "`a b` is no name of a topic"),
        (Settings { topics: vec!["é".to_owned()], ..settings("http://w") }, "`é` is no name of a topic"),
    ];
    for (settings, expected) in rows {
        let error = EventStream::open(settings, &Env::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

fn event(offset: u64, seconds: i64) -> String {
    let dt = time(seconds * 1000);
    format!("data: {{\"meta\": {{\"topic\": \"{A}\", \"partition\": 0, \"offset\": {offset}, \"dt\": \"{dt}\"}}}}\n\n")
}

#[test]
fn gaps_are_seen() {
    // In seconds: the time asked for, the present, when the first event happened. The offset asked for, and that of the event.
    let rows = [
        ("where it was asked for", Some(1000), 100_000, 1000, None, 7, false),
        ("a little later", Some(1000), 100_000, 1600, None, 7, false),
        ("too late", Some(1000), 100_000, 1601, None, 7, true),
        ("at the end", Some(1000), 100_000, 100_000, None, 7, true),
        ("a stream of which all was seen", Some(1000), 1500, 100_000, None, 7, false),
        ("from the present on", None, 100_000, 200_000, None, 7, false),
        ("at the offset asked for, however late", Some(1000), 100_000, 90_000, Some(7), 7, false),
        ("a hole, but not in time", Some(1000), 100_000, 1600, Some(7), 9, false),
        ("at a later offset", Some(1000), 100_000, 90_000, Some(7), 9, true),
        ("at a later offset, without a time", None, 100_000, 90_000, Some(7), 9, false),
    ];
    static PRESENT: Mutex<i64> = Mutex::new(0);
    for (what, since, present, came, asked, offset, is_gap) in rows {
        *PRESENT.lock().unwrap() = present;
        let env = Env { now: || time(*PRESENT.lock().unwrap() * 1000), ..Env::default() };
        let canary = "data: {\"meta\": {\"domain\": \"canary\"}}\n\n";
        let url = serve(move |_, _, stream| tell(stream, &format!(":ok\n\n{}{canary}", event(offset, came))));
        let positions: Vec<_> = asked.map(|offset| at(A, offset)).into_iter().collect();
        let settings =
            Settings { since: since.map(|since| time(since * 1000)), positions: positions.clone(), ..settings(&url) };
        let open = |settings| EventStream::open(settings, &env).unwrap();
        let mut stream = open(settings.clone());
        for _ in 0..2 {
            let outcome = values(&mut stream, 2);
            if !is_gap {
                assert_eq!(outcome.unwrap().len(), 2, "{what}");
                break;
            }
            // Nothing was taken, so that it is the same when tried again.
            assert_eq!(stream.positions(), positions, "{what}");
            let Err(StreamError::Gap(gap)) = outcome else { panic!("{what}: {outcome:?}") };
            let told = (gap.asked, gap.came, gap.offsets);
            assert_eq!(told, (time(1_000_000), time(came * 1000), asked.map(|asked| (asked, offset))), "{what}");
            assert!(gap.to_string().ends_with("begin anew with a later dump, or accept the gap"), "{gap}");
        }
        let mut stream = open(Settings { accept_gap: true, ..settings });
        assert_eq!(values(&mut stream, 2).unwrap().len(), 2, "{what}");
        assert_eq!(stream.heard().iter().any(|heard| heard.contains("may be lost")), is_gap, "{what}");
    }
}

#[test]
fn what_is_earlier_than_wanted_may_be_missing() {
    let url = serve(|_, got, stream| {
        assert!(got.target.ends_with("?since=1970-01-01T00:13:20Z"), "{}", got.target);
        tell(stream, &event(7, 1599));
    });
    let mut stream =
        open(Settings { since: Some(time(1_000_000)), margin: Duration::from_secs(200), ..settings(&url) });
    assert_eq!(values(&mut stream, 1).unwrap().len(), 1);
}

#[test]
fn a_partition_may_have_been_silent_beside_one_with_a_position() {
    let url = serve(|_, _, stream| tell(stream, &event(7, 90_000)));
    let mut stream = open(Settings { positions: vec![at(B, 9)], ..settings(&url) });
    assert_eq!(values(&mut stream, 1).unwrap().len(), 1);
    assert_eq!(stream.partitions().collect::<Vec<_>>(), [(B, 0), (A, 0)]);
}

#[test]
fn what_was_lost_while_away_is_seen() {
    // Kafka deletes what was not read during the break, and begins with what is next.
    let url = serve(|number, _, stream| match number {
        0 => say(stream, &format!("{HEAD}{}", event(7, 5))),
        _ => tell(stream, &event(50_000, 90_000)),
    });
    let mut stream = open(settings(&url));
    assert_eq!(values(&mut stream, 1).unwrap().len(), 1);
    let Err(StreamError::Gap(gap)) = values(&mut stream, 1) else { panic!() };
    assert_eq!((gap.asked, gap.offsets), (time(5_000), Some((8, 50_000))));
    assert_eq!(stream.positions(), [at(A, 8)]);
}

#[test]
fn answers_as_in_the_table() {
    let status = |status: u16, more: &str| {
        format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 3\r\n{more}\r\nno!")
    };
    let fine = |more: &str| status(200, &format!("Content-Type: text/event-stream\r\n{more}"));
    // What comes before the stream; what is heard or the error; whether it goes on.
    let rows = [
        (String::new(), "the connection broke", true),
        (HEAD.to_owned(), "the server closed the connection", true),
        (status(429, ""), "the server has no place: the status 429", true),
        (status(503, "Retry-After: 0\r\n"), "the server has no place: the status 503", true),
        (status(500, ""), "the connection broke: the status 500", true),
        (status(502, ""), "the connection broke: the status 502", true),
        (fine("Content-Encoding: identity\r\n"), "the server closed the connection", true),
        (format!("{HEAD}event: error\ndata: no Kafka\n\n"), "the server says: no Kafka", true),
        (status(404, ""), "gives no stream: the status 404: no!", false),
        (status(400, ""), "gives no stream: the status 400: no!", false),
        (status(204, ""), "gives no stream: the status 204", false),
        (status(301, "Location: /x\r\n"), "gives no stream: the status 301: no!", false),
        (
            status(200, "Content-Type: text/html\r\n"),
            "gives no stream: text/html instead of text/event-stream: no!",
            false,
        ),
        (status(200, ""), "gives no stream: no type instead", false),
        (fine("Content-Encoding: gzip\r\n"), "gives no stream: it is packed", false),
    ];
    for (first, told, goes_on) in rows {
        let answer = first.clone();
        let url = serve(move |number, _, stream| match number {
            0..3 => say(stream, &answer),
            _ => tell(stream, &event(7, 5)),
        });
        let mut stream = open(settings(&url));
        match values(&mut stream, 1) {
            Ok(_) => {
                assert!(goes_on, "{first}");
                assert!(stream.heard().iter().any(|heard| heard.starts_with(told)), "{first}: {:?}", stream.heard());
            }
            Err(error) => assert!(!goes_on && error.to_string().contains(told), "{first}: {error}"),
        }
    }
}

#[test]
fn a_server_is_asked_when_it_wants_to_be() {
    let late = "HTTP/1.1 429 x\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n".to_owned();
    let rows = [(late, 1000), (format!("{HEAD}retry: 1000\n\n"), 500), (HEAD.to_owned(), 0)];
    for (first, millis) in rows {
        let url =
            serve(move |number, _, stream| if number == 0 { say(stream, &first) } else { tell(stream, &event(7, 5)) });
        let start = Instant::now();
        assert_eq!(values(&mut open(settings(&url)), 1).unwrap().len(), 1);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(millis) && (millis > 0 || took < Duration::from_millis(500)), "{took:?}");
    }
}

#[test]
fn a_connection_lives_by_its_heartbeats() {
    let silence = Duration::from_millis(300);
    let beating = serve(|_, _, stream| {
        say(stream, HEAD);
        for _ in 0..12 {
            thread::sleep(Duration::from_millis(100));
            say(stream, ":\n\n");
        }
        say(stream, &event(7, 5));
        thread::sleep(LONG);
    });
    let mut stream = open(Settings { silence, ..settings(&beating) });
    assert_eq!(values(&mut stream, 1).unwrap().len(), 1);
    assert_eq!(stream.heard(), Vec::<String>::new());
    let silent = serve(|number, _, stream| tell(stream, &[":ok\n\n".to_owned(), event(7, 5)][number.min(1)]));
    let start = Instant::now();
    let mut stream = open(Settings { silence, ..settings(&silent) });
    assert_eq!(values(&mut stream, 1).unwrap().len(), 1);
    assert!(start.elapsed() >= silence);
    assert!(stream.heard()[0].starts_with("the connection broke: "), "{:?}", stream.heard());
}

#[test]
fn when_nobody_takes_nothing_is_read() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let url = serve(|_, _, stream| {
        say(stream, HEAD);
        let filling = "x".repeat(100_000);
        for number in 0.. {
            if stream.write_all(format!("data: {number} {filling}\n\n").as_bytes()).is_err() {
                return;
            }
            SENT.store(number + 1, Ordering::SeqCst);
        }
    });
    let mut stream = open(settings(&url));
    thread::sleep(Duration::from_millis(500));
    let sent = SENT.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(500));
    // What the system buffers, and a few parts.
    assert!(sent == SENT.load(Ordering::SeqCst) && sent < 300, "{sent}");
    let all = values(&mut stream, 2 * sent + 100).unwrap();
    for (number, value) in all.iter().enumerate() {
        assert!(value.starts_with(&format!("{number} x")));
    }
}

#[test]
fn only_the_first_event_is_waited_for() {
    let url = serve(|_, _, stream| tell(stream, &(7..2507).map(|offset| event(offset, 5)).collect::<String>()));
    let mut stream = open(settings(&url));
    let (mut count, start) = (0, Instant::now());
    while count < 2500 {
        count += stream.poll(LONG, |_| {}).unwrap();
    }
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    assert_eq!(stream.poll(MILLI, |_| {}).unwrap(), 0);
}

#[test]
fn events_of_all_sizes_and_of_no_sense() {
    let huge = format!("{{\"x\": \"{}\"}}", "é".repeat(3 << 20));
    let text = format!(
        "id: [{{\"topic\":\"{A}\",\"partition\":3,\"offset\":8}}]\ndata: {{bad\n\nevent: heartbeat\ndata: x\n\ndata: \n\n\
         event: message\ndata: {huge}\n\n{}",
        event(9, 5)
    );
    let url = serve(move |_, _, stream| tell(stream, &text));
    let mut stream = open(settings(&url));
    let (mut got, start) = (Vec::new(), Instant::now());
    while got.len() < 4 {
        assert!(start.elapsed() < LONG, "{got:?}");
        stream
            .poll(Duration::from_millis(50), |arrived| got.push((arrived.at.cloned(), arrived.value.to_vec())))
            .unwrap();
    }
    let three = StreamPosition { partition: 3, ..at(A, 8) };
    assert_eq!(got[0], (Some(three.clone()), b"{bad".to_vec()));
    assert_eq!(got[1], (None, Vec::new()));
    assert!(got[2] == (None, huge.into_bytes()));
    assert_eq!(got[3].0, Some(at(A, 10)));
    assert_eq!(stream.positions(), [three, at(A, 10)]);
    let mut stream = open(Settings { most_bytes: 1 << 20, ..settings(&url) });
    for _ in 0..2 {
        let mut count = 0;
        let error = loop {
            match stream.poll(Duration::from_millis(50), |_| count += 1) {
                Ok(_) => assert!(start.elapsed() < LONG),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StreamError::TooLarge { most: 0x10_0000, .. }), "{error}");
    }
    // The first is not told twice, as its offset is known.
    assert_eq!(stream.repeated(), 1);
}

#[test]
fn a_server_out_of_reach_is_waited_for_as_long_as_allowed() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patience = Some(Duration::from_millis(100));
    let mut stream = open(Settings { patience, ..settings(&format!("http://{closed}/")) });
    let start = Instant::now();
    let Err(StreamError::OutOfReach { heard, .. }) = values(&mut stream, 1) else { panic!() };
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(heard[0].contains("refused"), "{heard:?}");
    // However long a pause the server asks for.
    let late = "HTTP/1.1 503 x\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1000000000\r\n\r\n";
    let url = serve(move |_, _, stream| say(stream, late));
    let mut stream = open(Settings { patience, ..settings(&url) });
    assert!(matches!(values(&mut stream, 1), Err(StreamError::OutOfReach { .. })));
    assert!(stream.out_of_reach().is_some());
    assert!(start.elapsed() < LONG);
    let mut stream = open(settings(&format!("http://{closed}/")));
    for _ in 0..10 {
        assert_eq!(stream.poll(Duration::from_millis(10), |_| {}).unwrap(), 0);
    }
    assert!(stream.heard()[0].starts_with("no connection: "), "{:?}", stream.heard());
}

#[test]
fn the_stream_configuration_from_a_url_or_a_file() {
    let json = r#"{"streams": {"x": {"topics": ["eqiad.x", "codfw.x"]}}}"#;
    let url = serve(move |_, got, stream| {
        let is_asked = got.target == "/v2/stream/x?action=streamconfigs&format=json";
        let status = if is_asked { 200 } else { 404 };
        say(
            stream,
            &format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{json}", json.len()),
        );
    });
    let dir = tempfile::tempdir().unwrap();
    let file = format!("{}/streams.json", dir.path().display());
    storage::put(&Location::parse(&file).unwrap(), Bytes::from(json)).unwrap();
    let calls = Calls::new(web::USER_AGENT, LONG, 1000, Vec::new(), &Env::default()).unwrap();
    for from in [format!("{url}?action=streamconfigs&format=json"), file] {
        assert_eq!(configuration(&from, &calls).unwrap().get("x").unwrap().topics, [A, B]);
    }
    let error = configuration(&url, &calls).unwrap_err();
    assert!(matches!(error, ConfigurationError::Status { status: 404, .. }), "{error}");
    let missing = configuration(&format!("{}/none.json", dir.path().display()), &calls).unwrap_err();
    assert!(matches!(missing, ConfigurationError::Storage(_)), "{missing}");
}
