//! Real Kafka and `headwater offsets`: every verdict, every refusal, and the way there and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use serde_json::Value;

use crate::broker::{Broker, KAFKA};
use crate::relay::{Cut, relay};
use crate::room::{Room, Said, given};

/// The position of a partition in a plan.
fn position(said: &Said, topic: &str, partition: u64) -> Value {
    let json = said.json();
    let positions = json["positions"].as_array().expect("a list").iter();
    let is_it = |position: &&Value| position["topic"] == topic && position["partition"] == partition;
    positions.into_iter().find(is_it).unwrap_or_else(|| panic!("no {topic} {partition} in {}", said.stdout)).clone()
}

/// A plan from `second` on, as JSON and as `plan.json`.
fn plan(room: &Room, broker: &Broker, options: &str, second: i64) -> Said {
    let Broker { brokers, .. } = broker;
    let start = format!("--start-time {} --margin 0s --timeout 60s", broker.time(second));
    room.headwater(
        &format!("offsets plan --brokers {brokers} {start} {options} --output $DIR/plan.json --overwrite --json"),
        0,
    )
}

fn run(room: &Room, broker: &Broker, command: &str, code: i32) -> Said {
    room.headwater(&format!("offsets {command} --brokers {} --timeout 60s", broker.brokers), code)
}

/// Asserts that the fields of a position are these: offset, offset before, found, step.
fn check(said: &Said, topic: &str, partition: u64, expected: (u64, Option<u64>, &str, &str)) -> Value {
    let position = position(said, topic, partition);
    let (offset, before, found, step) = expected;
    assert_eq!(position["offset"], offset, "{position}");
    assert_eq!(position["before_offset"].as_u64(), before, "{position}");
    assert_eq!((position["found"].as_str(), position["step"].as_str()), (Some(found), Some(step)), "{position}");
    position
}

const TEN: [(&str, i64); 10] =
    [("a", 0), ("b", 10), ("c", 20), ("d", 30), ("e", 40), ("f", 50), ("g", 60), ("h", 70), ("i", 80), ("j", 90)];

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn every_verdict_on_the_time() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("verdicts"));
    let group = broker.named("group");
    let plain = broker.topic("plain", 3, &[]);
    broker.produce(&plain, 0, &TEN);
    broker.produce(&plain, 1, &TEN[..3]);
    // Of the same moment: the first of them counts.
    let twins = broker.topic("twins", 1, &[]);
    broker.produce(&twins, 0, &[("a", 0), ("b", 50), ("c", 50), ("d", 50)]);
    let cut = broker.topic("cut", 3, &[]);
    (0..3).for_each(|partition| broker.produce(&cut, partition, &TEN));
    broker.delete_before(&cut, 0, 7);
    broker.delete_before(&cut, 1, 3);
    broker.delete_before(&cut, 2, -1);
    // A segment for each record, all older than the retention.
    let expired = broker.topic("expired", 1, &[("retention.ms", "500")]);
    broker.produce(&expired, 0, &TEN);
    let marks = broker.topic("marks", 2, &[]);
    broker.transact(&marks, 0, &TEN[..3], true);
    broker.transact(&marks, 0, &TEN[6..], true);
    broker.transact(&marks, 1, &TEN[..3], false);

    let options =
        format!("--group {group} --topic {plain} --topic {twins} --topic {cut} --topic {marks} --topic {expired}");
    let deadline = Instant::now() + Duration::from_secs(60);
    let said = loop {
        let said = plan(&room, &broker, &options, 45);
        if position(&said, &expired, 0)["earliest"] == 10 || Instant::now() > deadline {
            break said;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    let found = check(&said, &plain, 0, (5, Some(4), "ok", "first"));
    assert_eq!(found["record_time"], broker.time(50));
    assert_eq!(found["before_time"], broker.time(40));
    assert_eq!((found["earliest"].as_u64(), found["latest"].as_u64()), (Some(0), Some(10)));
    check(&said, &plain, 1, (3, Some(2), "log-end", "first"));
    check(&said, &plain, 2, (0, None, "empty", "first"));
    check(&said, &twins, 0, (1, Some(0), "ok", "first"));
    let gap = check(&said, &cut, 0, (7, None, "gap", "first"));
    assert_eq!(gap["gap_ms"], 25_000, "from second 45 to second 70");
    check(&said, &cut, 1, (5, Some(4), "ok", "first"));
    let all_gone = check(&said, &cut, 2, (10, None, "gap", "first"));
    assert_eq!(all_gone["gap_ms"], Value::Null);
    check(&said, &expired, 0, (10, None, "gap", "first"));
    // Records 0 to 2, a mark, records 4 to 7, a mark. Marks have times too, those of the test: Kafka finds them.
    let after_mark = check(&said, &marks, 0, (3, Some(2), "ok", "first"));
    assert_eq!((after_mark["record_offset"].as_u64(), after_mark["latest"].as_u64()), (Some(4), Some(9)));
    check(&said, &marks, 1, (3, Some(2), "log-end", "first"));
    assert_eq!(said.json()["risks"], serde_json::json!(["gap", "log-end"]));

    // The same, refused and then allowed.
    let refused = run(&room, &broker, "apply $DIR/plan.json --yes --allow-gap", 1);
    assert!(
        refused.stderr.contains("no record since the start") && refused.stderr.contains("--allow-log-end"),
        "{}",
        refused.stderr
    );
    run(&room, &broker, "apply $DIR/plan.json --yes --allow-gap --allow-log-end", 0);
    assert_eq!(broker.committed(&group, &cut, 3), [Some(7), Some(5), Some(10)]);
    assert_eq!(broker.committed(&group, &marks, 2), [Some(3), Some(3)]);
    assert!(run(&room, &broker, "verify $DIR/plan.json", 0).stdout.contains("10 of 10 offsets proven"));

    // As a table: no line is wider than 120 columns.
    let start = broker.time(45);
    let shown = room.headwater(
        &format!(
            "offsets plan --brokers {} --group {group} --topic {cut} --topic {plain} --start-time {start} --margin 1s",
            broker.brokers
        ),
        0,
    );
    println!("{}", shown.stdout);
    assert!(
        shown.stdout.contains("gap: nothing older is retained; up to 26s since the start may be gone"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 120), "{}", shown.stdout);
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn compacted_topics_are_read_across_their_holes() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("compacted"));
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "200"),
    ];
    let topic = broker.topic("compacted", 1, &settings);
    // One record that stays, 5,000 of one key, one that stays: all but the last of the key go.
    broker.produce(&topic, 0, &[("first", 0)]);
    broker.produce(&topic, 0, &vec![("same", 10); 5000]);
    broker.produce(&topic, 0, &[("last", 50)]);
    let group = broker.named("group");
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut at = 60;
    loop {
        // Only what is no longer written to is compacted: a new record closes the segment before it.
        broker.produce(&topic, 0, &[("same", at)]);
        at += 1;
        std::thread::sleep(Duration::from_millis(500));
        let said = plan(&room, &broker, &format!("--group {group} --topic {topic}"), 45);
        let found = check_last(&said, &topic);
        if found["before_offset"] == 0 {
            assert_eq!(
                (found["offset"].as_u64(), found["record_offset"].as_u64()),
                (Some(5001), Some(5001)),
                "{found}"
            );
            assert_eq!(found["before_time"], broker.time(0));
            break;
        }
        assert!(Instant::now() < deadline, "not compacted in time: {found}");
    }
    // A time within the hole: the next record that is left.
    let said = plan(&room, &broker, &format!("--group {group} --topic {topic}"), 5);
    check(&said, &topic, 0, (5001, Some(0), "ok", "first"));
    // An offset within the hole, committed by somebody.
    broker.commit(&group, &topic, &[(0, 2500)]);
    let said = plan(&room, &broker, &format!("--group {group} --topic {topic}"), 45);
    let ahead = check(&said, &topic, 0, (5001, Some(0), "ok", "ahead"));
    assert_eq!((ahead["step_offsets"].as_u64(), ahead["step_ms"].as_u64()), (Some(2501), Some(0)), "{ahead}");
}

fn check_last(said: &Said, topic: &str) -> Value {
    let found = position(said, topic, 0);
    assert_eq!(found["found"], "ok", "{found}");
    found
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn there_and_back() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("back"));
    let (group, topic) = (broker.named("group"), broker.topic("topic", 3, &[]));
    (0..3).for_each(|partition| broker.produce(&topic, partition, &TEN));
    broker.commit(&group, &topic, &[(0, 2), (1, 9)]);
    let options = format!("--group {group} --topic {topic}");
    let said = plan(&room, &broker, &options, 45);
    let ahead = check(&said, &topic, 0, (5, Some(4), "ok", "ahead"));
    assert_eq!((ahead["step_offsets"].as_u64(), ahead["step_ms"].as_u64()), (Some(3), Some(30_000)), "{ahead}");
    let back = check(&said, &topic, 1, (5, Some(4), "ok", "back"));
    assert_eq!((back["step_offsets"].as_u64(), back["step_ms"].as_u64()), (Some(4), Some(40_000)), "{back}");
    check(&said, &topic, 2, (5, Some(4), "ok", "first"));

    // Nothing is done without leave.
    let apply = "apply $DIR/plan.json --allow-move-ahead --allow-move-back";
    let refused = run(&room, &broker, "apply $DIR/plan.json --yes", 1);
    assert!(refused.stderr.contains("--allow-move-back --allow-move-ahead"), "{}", refused.stderr);
    let refused = run(&room, &broker, apply, 2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    let unproven = run(&room, &broker, "verify $DIR/plan.json", 1);
    assert!(unproven.stdout.contains("where it was before the plan"), "{}", unproven.stdout);
    assert!(unproven.stdout.contains("has committed no offset"), "{}", unproven.stdout);
    assert_eq!(broker.committed(&group, &topic, 3), [Some(2), Some(9), None]);

    // The group moved meanwhile.
    broker.commit(&group, &topic, &[(0, 3)]);
    let changed = run(&room, &broker, &format!("{apply} --yes"), 1);
    assert!(changed.stderr.contains("has committed offset 3, no longer offset 2"), "{}", changed.stderr);
    broker.commit(&group, &topic, &[(0, 2)]);
    assert!(!room.path("plan.previous.json").exists());

    // More records do not matter.
    broker.produce(&topic, 0, &[("k", 100)]);
    run(&room, &broker, &format!("{apply} --yes"), 0);
    assert_eq!(broker.committed(&group, &topic, 3), [Some(5), Some(5), Some(5)]);
    run(&room, &broker, "verify $DIR/plan.json", 0);

    // What was saved is not overwritten.
    let again = run(&room, &broker, &format!("{apply} --yes"), 2);
    assert!(again.stderr.contains("plan.previous.json exists already"), "{}", again.stderr);

    // The group reads on: verify says so.
    broker.commit(&group, &topic, &[(0, 7)]);
    let moved = run(&room, &broker, "verify $DIR/plan.json", 1);
    assert!(moved.stdout.contains("2 offsets beyond the plan: has it begun to read?"), "{}", moved.stdout);

    // And back: where nothing was, Kafka's own tool must help; its command is told and works.
    let back = run(&room, &broker, "rollback $DIR/plan.previous.json --yes", 1);
    assert_eq!(broker.committed(&group, &topic, 3), [Some(2), Some(9), Some(5)]);
    let told =
        back.stderr.lines().find_map(|line| line.trim().strip_prefix("kafka-consumer-groups.sh --bootstrap-server … "));
    let told = told.unwrap_or_else(|| panic!("{}", back.stderr));
    room.judge("HEADWATER_LIVE_KAFKA_TOOLS", &format!("consumer-groups {told}"), 0);
    assert_eq!(broker.committed(&group, &topic, 3), [Some(2), Some(9), None]);
    let there = run(&room, &broker, "rollback $DIR/plan.previous.json --yes --save $DIR/none.json", 0);
    assert!(there.stdout.contains("restored    0 offsets"), "{}", there.stdout);
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn an_active_group_is_refused() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("active"));
    let (group, topic) = (broker.named("group"), broker.topic("topic", 1, &[]));
    broker.produce(&topic, 0, &TEN);
    let options = format!("--group {group} --topic {topic}");
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = broker.consumer(&group);
    consumer.subscribe(&[&topic]).expect("a subscription");
    let stopped = Arc::clone(&stop);
    let member = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let _ = consumer.poll(Duration::from_millis(100));
        }
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let state = plan(&room, &broker, &options, 45).field("group_state");
        if state.starts_with("ACTIVE (Stable)") {
            break;
        }
        assert!(Instant::now() < deadline, "{state}");
    }
    let refused = run(&room, &broker, "apply $DIR/plan.json --yes", 1);
    assert!(
        refused.stderr.contains("is active: Stable") && refused.stderr.contains("hint: stop"),
        "{}",
        refused.stderr
    );
    assert!(!room.path("plan.previous.json").exists());
    stop.store(true, Ordering::Relaxed);
    member.join().expect("the member leaves");
    run(&room, &broker, "apply $DIR/plan.json --yes", 0);
    assert_eq!(broker.committed(&group, &topic, 1), [Some(5)]);
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn topics_and_partitions_must_be_there() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("topics"));
    let group = broker.named("group");
    let names: Vec<_> =
        ["eqiad.", "codfw."].iter().map(|prefix| format!("{prefix}{}", broker.named("topic"))).collect();
    broker.topics(&names, 2, &[]);
    names.iter().for_each(|name| broker.produce(name, 0, &TEN));
    let options = format!(
        "--group {group} --topic {} --topic {} --prefix eqiad. --prefix codfw. --expect-partitions 3",
        broker.named("topic"),
        broker.named("absent")
    );
    let said = plan(&room, &broker, &options, 45).json();
    let absent = ["codfw.", "eqiad."].map(|prefix| format!("{prefix}{}", broker.named("absent")));
    assert_eq!(said["unknown_topics"], serde_json::json!(absent));
    assert_eq!(said["too_few_partitions"].as_array().map(Vec::len), Some(2), "{said}");
    assert_eq!(said["partitions"], 4);
    let refused = run(&room, &broker, "apply $DIR/plan.json --yes", 1);
    assert!(refused.stderr.contains("--allow-unknown-topic --allow-fewer-partitions"), "{}", refused.stderr);
    run(&room, &broker, "apply $DIR/plan.json --yes --allow-unknown-topic --allow-fewer-partitions", 0);
    // To ask for a topic does not make it.
    let metadata = broker.consumer(&group).fetch_metadata(None, Duration::from_secs(60)).expect("Kafka answers");
    assert!(metadata.topics().iter().all(|topic| !absent.contains(&topic.name().to_owned())));
    let start = broker.time(0);
    let none = room.headwater(
        &format!("offsets plan --brokers {} --group g --topic {} --start-time {start}", broker.brokers, absent[0]),
        1,
    );
    assert!(none.stderr.contains("none of the topics is there"), "{}", none.stderr);
    let future = broker.time(1_000_000);
    let future = room.headwater(
        &format!("offsets plan --brokers {} --group g --topic {} --start-time {future}", broker.brokers, names[0]),
        2,
    );
    assert!(future.stderr.contains("is later than now"), "{}", future.stderr);
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn tls_and_scram() {
    if !given("HEADWATER_LIVE_KAFKA_TLS") {
        return;
    }
    let (room, mut broker) = (Room::new(), Broker::new("tls"));
    let (group, topic) = (broker.named("group"), broker.topic("topic", 1, &[]));
    broker.produce(&topic, 0, &TEN);
    let of = |name: &str| std::env::var(format!("HEADWATER_LIVE_KAFKA_TLS{name}")).expect("comes with the others");
    let properties = |password: &str| {
        format!(
            "# the bed's\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.ca.location={}\nsasl.username={}\nsasl.password={password}\n",
            of("_CA"),
            of("_USER")
        )
    };
    room.write("right.properties", &properties(&of("_PASSWORD")));
    room.write("wrong.properties", &properties("hunter2"));
    broker.brokers = of("");
    let options = format!("--group {group} --topic {topic} --kafka-properties $DIR/right.properties");
    check(&plan(&room, &broker, &options, 45), &topic, 0, (5, Some(4), "ok", "first"));
    run(&room, &broker, "apply $DIR/plan.json --yes --kafka-properties $DIR/right.properties", 0);
    run(
        &room,
        &broker,
        "verify $DIR/plan.json --kafka-properties $DIR/right.properties -X sasl.mechanism=SCRAM-SHA-256",
        0,
    );
    let verify = |options: &str, code| {
        room.headwater(
            &format!("offsets verify $DIR/plan.json --brokers {} --timeout 3s {options}", broker.brokers),
            code,
        )
    };
    let began = Instant::now();
    let wrong = verify("--kafka-properties $DIR/wrong.properties", 3).stderr;
    assert!(wrong.contains("uthentication") && !wrong.contains("hunter2"), "{wrong}");
    let plain = verify("", 3).stderr;
    assert!(plain.contains(&broker.brokers), "{plain}");
    assert!(began.elapsed() < Duration::from_secs(30));
    // A property that is wrong is named; its value is not.
    let named = verify("-X sasl.mechanisms.no=hunter2", 2).stderr;
    assert!(named.contains("sasl.mechanisms.no") && !named.contains("hunter2"), "{named}");
    let value = verify("-X security.protocol=hunter2", 2).stderr;
    assert!(value.contains("security.protocol") && !value.contains("hunter2"), "{value}");
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn a_thousand_partitions_in_five_seconds() {
    if !given(KAFKA) {
        return;
    }
    let (room, broker) = (Room::new(), Broker::new("many"));
    let group = broker.named("group");
    let names: Vec<_> = (0..100).map(|at| broker.named(&format!("t{at}"))).collect();
    broker.topics(&names, 10, &[]);
    let records: Vec<_> = (0..50).map(|at| ("key", at * 2)).collect();
    broker.produce_to_all(&names, 0..10, &records);
    let topics: String = names.iter().map(|name| format!(" --topic {name}")).collect();
    // What else the machine does can only make it slower.
    let planned = (0..3).map(|_| {
        let began = Instant::now();
        (plan(&room, &broker, &format!("--group {group}{topics}"), 45), began.elapsed())
    });
    let (said, took) = planned.min_by_key(|(_, took)| *took).expect("there were three");
    println!("100 topics x 10 partitions planned in {:.2} s", took.as_secs_f64());
    assert_eq!(said.json()["partitions"], 1000);
    for name in &names {
        (0..10).for_each(|partition| _ = check(&said, name, partition, (23, Some(22), "ok", "first")));
    }
    assert!(took < Duration::from_secs(5), "{took:?}");
    let began = Instant::now();
    run(&room, &broker, "apply $DIR/plan.json --yes", 0);
    run(&room, &broker, "verify $DIR/plan.json", 0);
    println!("and applied and verified in {:.2} s", began.elapsed().as_secs_f64());
}

#[test]
#[ignore = "needs Kafka: tests/live/bed run"]
fn a_broker_lost_half_way_is_explained_and_repaired() {
    if !given(KAFKA) {
        return;
    }
    // More partitions than go into one commit.
    const PARTITIONS: i32 = 600;
    let broker = Broker::new("cut");
    let (group, topic) = (broker.named("group"), broker.topic("topic", PARTITIONS, &[]));
    let before: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    broker.produce_to_all(std::slice::from_ref(&topic), 0..PARTITIONS, &TEN[..3]);
    // Which commit breaks off, and how many offsets are those of the plan thereafter.
    for (cut, expected) in [(Cut::Request(1), 0), (Cut::Request(2), 500), (Cut::Answer(1), 500), (Cut::Answer(2), 600)]
    {
        let room = Room::new();
        broker.commit(&group, &topic, &before);
        plan(&room, &broker, &format!("--group {group} --topic {topic}"), 5);
        let address = relay(&broker.brokers, cut);
        let began = Instant::now();
        let apply = format!("offsets apply $DIR/plan.json --brokers {address} --timeout 8s --yes --allow-move-ahead");
        let lost = room.headwater(&apply, 3);
        println!("{cut:?}: after {:.1} s: {}", began.elapsed().as_secs_f64(), lost.stderr);
        assert!(lost.stderr.contains("some offsets may be set") && lost.stderr.contains(&address), "{}", lost.stderr);
        assert!(lost.stderr.contains("rollback"), "{}", lost.stderr);
        let committed = broker.committed(&group, &topic, PARTITIONS);
        let of_plan = committed.iter().filter(|offset| **offset == Some(1)).count();
        assert_eq!(of_plan, expected, "{cut:?}");
        let code = if expected == 600 { 0 } else { 1 };
        let verified = run(&room, &broker, "verify $DIR/plan.json", code).stdout;
        assert!(verified.contains(&format!("{expected} of 600 offsets proven")), "{cut:?}: {verified}");
        assert_eq!(verified.matches("where it was before the plan").count(), 600 - expected, "{cut:?}");
        run(&room, &broker, "rollback $DIR/plan.previous.json --yes", 0);
        assert!(broker.committed(&group, &topic, PARTITIONS).iter().all(|offset| *offset == Some(0)), "{cut:?}");
    }
}
