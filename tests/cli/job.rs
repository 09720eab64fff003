//! `job`: a running updater, as far as it is asked; what it does meanwhile is made up here.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use headwater::control::{Control, Desk, Listen, Refusal};
use headwater::updater::counters::Counters;
use headwater::updater::desk::{Mailbox, Order, Orders, mailbox};
use headwater::updater::pace::Rates;
use headwater::updater::status::{Gauges, Phase, Status, entities};
use headwater::wikibase::timestamp::Timestamp;

use crate::harness::{TestEnv, code, golden};

fn now() -> Timestamp {
    Timestamp::parse("2026-01-05T23:00:02Z").expect("a time")
}

fn status() -> Status {
    let mut counters = Counters::new(["rdf-streaming-updater.mutation"]);
    for (topic, number) in [("codfw.page_change", 0), ("eqiad.page_change", 0), ("eqiad.page_change", 1)] {
        let partition = counters.add_partition(topic, number, Some(10));
        counters.partitions[partition].end = Some(1500);
        counters.read(partition, Some(11));
    }
    counters.dead_letter();
    counters.answered(now().millis() - 121_000, now().millis() - 5, now().millis());
    counters.sent(0, 2048);
    let rates = Rates { remaining: counters.remaining(), ..Rates::default() };
    let gauges = Gauges {
        phase: Phase::CatchingUp,
        reason: Some("since 2026-01-01T00:00:00Z".to_owned()),
        watermark: now().millis() - 90_000,
        buffered: 12,
        pending: 3,
        fetching: 2,
        fetched: Default::default(),
        cache: Default::default(),
        entities: entities(&Default::default()),
    };
    Status::new(now(), now(), &counters, rates, gauges)
}

/// A loop that saves and stops as it is told, and where it is asked.
fn updater() -> (Control, JoinHandle<()>) {
    let (mailbox, orders) = mailbox(status(), now);
    let desk: Arc<dyn Desk> = Arc::<Mailbox>::clone(&mailbox);
    let control = Control::start(&Listen::parse("127.0.0.1:0").expect("an address"), desk).expect("a port is free");
    (control, thread::spawn(move || obey(&orders)))
}

fn obey(orders: &Orders) {
    let mut held = Vec::new();
    while let Some(order) = orders.wait(Duration::from_secs(60)) {
        match order {
            Order::Save { to, reply } => match to.as_deref() {
                Some("s3://never") => held.push(reply),
                Some(to) if to.starts_with("s3://") => reply.done(to.to_owned()),
                Some(to) => reply.refuse(Refusal::Wrong(format!("{to} is\nno place"))),
                None => reply.done("/srv/savepoints/7".to_owned()),
            },
            Order::Stop { save, reply } => {
                return reply.done(save.map(|to| to.unwrap_or_else(|| "/srv/savepoints/8".to_owned())));
            }
        }
    }
}

fn room(control: &str) -> TestEnv {
    TestEnv::new().with("HEADWATER_CONTROL", control)
}

#[test]
fn a_transcript() {
    let (control, updater) = updater();
    let env = room(&control.address().to_string());
    let before = env.transcript(&[
        "job status",
        "job save",
        "job save --to s3://a/b --json",
        "job save --to nowhere",
        "job stop --to x --no-savepoint",
        "job stop --no-savepoint --json",
    ]);
    updater.join().expect("it stops");
    let after = env.transcript(&["job stop"]);
    golden("golden/job.txt", &format!("{before}{after}"));
}

#[test]
fn nobody_answers() {
    let (control, _updater) = updater();
    let url = format!("http://{}/", control.address());
    room(&url).run("job status").expect(0, &["phase       catching up"]);
    room(&url).run("job stop").expect(0, &["/srv/savepoints/8"]);
    drop(control);
    room(&url).run("job status").expect(3, &["nobody answers at http://127.0.0.1:", "--control"]);
    room("").run("job status").expect(2, &["is no address"]);
    room("ftp://x").run("job status").expect(2, &["is no address"]);
}

#[test]
fn a_proxy_is_not_asked() {
    let (control, _updater) = updater();
    let env = room(&control.address().to_string()).with("http_proxy", "http://127.0.0.1:1");
    env.run("job status --json").expect(0, &["\"catching_up\""]);
}

#[test]
fn json_is_all_that_the_updater_tells() {
    let (control, _updater) = updater();
    let told = room(&control.address().to_string()).run("job status --json").expect(0, &[]).json();
    assert_eq!(told, serde_json::to_value(status()).expect("it can be written"));
}

#[test]
fn who_is_no_updater_is_found_out() {
    let rows = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 1, "is no updater: what it says is not JSON"),
        ("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", 1, "with the status 302"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", 1, "its answer has more than"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", 3, "gave no whole answer"),
        ("SSH-2.0\r\n", 3, "gave no whole answer"),
    ];
    for (answer, code, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let control = listener.local_addr().expect("it listens").to_string();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("it is asked");
            let _ = connection.read(&mut [0; 4096]);
            connection.write_all(answer.as_bytes()).expect("it is heard");
        });
        room(&control).run("job status").expect(code, &[expected]);
        server.join().expect("it answers");
    }
}

#[test]
fn who_waits_can_be_interrupted() {
    let (control, _updater) = updater();
    let env = room(&control.address().to_string());
    let mut child = env.command("job save --to s3://never").spawn().expect("the program can be started");
    thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().expect("it can be asked").is_none(), "it waits");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|killed| killed.success()));
    assert_eq!(code(child.wait().expect("it ends")), 130);
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("the program writes UTF-8");
    assert!(said.contains("the updater goes on with what it was told"), "{said}");
}
