//! `headwater stream --event-stream` as a process: stopped, killed, started again.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serving::{Serving, Ways, with_a_tail};
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::history::{History, Shape};
use crate::wiki::records::{Disorder, Record};
use crate::wiki::server::Server;
use crate::{assert_follows, by_entity};

const LONG: Duration = Duration::from_secs(60);

/// A directory with a savepoint, a wiki, and a stream since.
struct Room {
    dir: tempfile::TempDir,
    history: Arc<History>,
    dump: Dump,
    records: Vec<Record>,
    wiki: Server,
    serving: Serving,
}

impl Room {
    fn new(ways: Ways) -> Self {
        let history = Arc::new(History::shaped(Shape::default(), 42, 250));
        let at = history.changes[60].time;
        let dump = history.dump(at, DumpOptions { duration: 30_000, ..DumpOptions::default() });
        let first = history.changes.iter().position(|change| change.time >= at).unwrap();
        let records = history.records(first..history.changes.len(), &Disorder::USUAL, 42);
        let records = with_a_tail(&history, records, &Disorder::USUAL, 200_000);
        let serving = Serving::start(&records, ways);
        serving.shared.now.store(i64::MAX, SeqCst);
        let room = Self {
            dir: tempfile::tempdir().unwrap(),
            wiki: Server::start(Arc::clone(&history)),
            history,
            dump,
            records,
            serving,
        };
        fs::write(room.path("dump.ttl"), room.dump.text()).unwrap();
        room.run("bootstrap --dump dump.ttl --savepoint-dir begun", 0, &[]);
        room
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(arguments.split_whitespace()).env_clear().current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end, which must be that, with these words.
    fn run(&self, arguments: &str, code: i32, said: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        let text = told(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments}\n{text}");
        said.iter().for_each(|said| assert!(text.contains(said), "{said:?} is not said\n{arguments}\n{text}"));
    }

    /// What follows the wiki into a file, with its checkpoints beside it.
    fn following(&self, command: &str, to: &str) -> String {
        let (stream, wiki) = (self.serving.url(), self.wiki.url());
        format!(
            "{command} --event-stream {stream} --initial-state begun --checkpoints {to}-checkpoints --mutations {to} \
             --side-outputs {to}-sides --entity-data {wiki} --checkpoint-interval 100ms --user-agent Tester/1(me@example.org)"
        )
    }

    /// When all events have had their turn.
    fn end(&self) -> String {
        let end = self.history.changes.last().unwrap().time + 62_000;
        crate::wiki::events::time(end)
    }

    fn sent(&self, to: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(to)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Waits until a file has grown, while the process runs.
fn until_grown(child: &mut Child, path: &Path, from: u64) {
    let begun = Instant::now();
    while size(path) <= from {
        assert!(begun.elapsed() < LONG && child.try_wait().unwrap().is_none(), "nothing came: {:?}", child.try_wait());
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn stopped_and_killed_and_started_again() {
    let room = Room::new(Ways { times: true, meta: true });
    let until = format!("--until-time {}", room.end());
    room.run(&format!("{} {until}", room.following("backfill", "whole")), 0, &["it is where it was to come"]);
    let asked = room.serving.shared.asked.lock().unwrap()[0].clone();
    // Ten minutes before the dump was begun, in whole seconds.
    let since = crate::wiki::events::time(room.history.changes[60].time / 1000 * 1000 - 600_000);
    assert_eq!(asked[0], format!("/v2/stream/mediawiki.page_change.v1?since={since}"));
    assert_eq!(asked[2], "Tester/1(me@example.org)");

    let shared = &room.serving.shared;
    let sent = room.path("sent");
    let changes = &room.history.changes;
    // A part of the events each time, over connections that break; every other time there is no time to say farewell.
    for round in 1..=6 {
        shared.now.store(changes[60 + round * 30].time, SeqCst);
        *shared.breaks.lock().unwrap() = (0..4).map(|number| 20_000 * round + 777 * number).collect();
        let before = size(&sent);
        let mut child = room.command(&room.following("stream", "sent")).spawn().unwrap();
        until_grown(&mut child, &sent, before);
        let signal = if round % 2 == 0 { "-KILL" } else { "-TERM" };
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let code = if round % 2 == 0 { None } else { Some(0) };
        assert_eq!(output.status.code(), code, "{}", told(&output));
    }
    shared.now.store(i64::MAX, SeqCst);
    room.run(&format!("{} {until}", room.following("backfill", "sent")), 0, &["it is where it was to come"]);
    assert_eq!(by_entity(&room.sent("sent")), by_entity(&room.sent("whole")));
    assert_follows(&room.history, &room.dump, &room.sent("sent"));
}

#[test]
fn what_cannot_be_read_is_told() {
    let room = Room::new(Ways { times: true, meta: true });
    let stream = |more: &str| format!("{} {more}", room.following("stream", "sent"));
    room.run(&room.following("backfill", "sent"), 2, &["a stream over HTTP has no end", "--until-lag or --until-time"]);
    room.run(&stream("--preset wdqs"), 2, &["cannot be used with"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let elsewhere = |url: &str| stream("--give-up 300ms").replace(&room.serving.url(), url);
    room.run(&elsewhere(&format!("http://{closed}/v2/stream/x")), 3, &["has been out of reach since", "it goes on"]);
    room.run(&elsewhere(&room.serving.url().replace("/v2", "/v3")), 2, &["gives no stream: the status 404"]);
    room.run(&elsewhere("stream.example.org"), 2, &["is no URL of a web server"]);
    // Those runs took checkpoints, of nothing read.
    let anew = |command: &str| room.following(command, "anew").replace("--initial-state begun", "--from-nothing");
    room.run(&anew("stream"), 2, &["nothing tells from when on", "--since"]);
    // An hour before there is nothing, and Kafka begins with what it has.
    let early = crate::wiki::events::time(room.records[0].time - 3_600_000);
    let fresh = |more: &str| format!("{} --until-time {} --since {early} {more}", anew("backfill"), room.end());
    room.run(&fresh(""), 1, &["what happened between may be lost", "--accept-gap"]);
    assert!(room.sent("anew").is_empty());
    room.run(
        &fresh("--accept-gap --overwrite-outputs"),
        0,
        &["what happened between may be lost", "it is where it was to come"],
    );
}

#[test]
fn topics_by_the_stream_configuration() {
    let room = Room::new(Ways { times: false, meta: true });
    let streams = r#"{"streams": {
        "mediawiki.page_change.v1": {"schema_title": "mediawiki/page/change",
            "topics": ["eqiad.mediawiki.page_change.v1", "codfw.mediawiki.page_change.v1"]},
        "mediawiki.recentchange": {"schema_title": "mediawiki/recentchange", "topics": ["eqiad.mediawiki.recentchange"]}}}"#;
    fs::write(room.path("streams.json"), streams).unwrap();
    let config = "--stream-config streams.json --stream mediawiki.page_change.v1";
    let backfill = format!("{} {config} --until-time", room.following("backfill", "sent"));
    let half = crate::wiki::events::time(room.history.changes[150].time);
    room.run(&format!("{backfill} {half}"), 0, &[]);
    room.run(&format!("{backfill} {}", room.end()), 0, &[]);
    assert_follows(&room.history, &room.dump, &room.sent("sent"));
    // The second time with both topics' positions alone.
    let asked = room.serving.shared.asked.lock().unwrap().last().unwrap().clone();
    assert!(!asked[0].contains("since") && asked[1].contains("eqiad") && asked[1].contains("codfw"), "{asked:?}");

    let kafka = |more: &str| {
        format!("stream --brokers 127.0.0.1:1 --group g --from-nothing --mutations out --stream-config {more}")
    };
    let rows = [
        ("streams.json", 2, "--stream"),
        ("none.json --stream x", 2, "none.json"),
        ("streams.json --stream x", 2, "does not have `x`"),
        ("streams.json --stream mediawiki.recentchange", 2, "holds events of the schema mediawiki/recentchange"),
        ("streams.json --stream mediawiki.page_change.v1 --prefix ulsfo.", 2, "begins with ulsfo."),
        ("http://127.0.0.1:1/api --stream x", 3, "no answer from http://127.0.0.1:1/api"),
        ("streams.json --stream mediawiki.page_change.v1 --prefix codfw. --give-up 1ms --timeout 1s", 3, ""),
    ];
    for (more, code, said) in rows {
        room.run(&kafka(more), code, &[said]);
    }
}
