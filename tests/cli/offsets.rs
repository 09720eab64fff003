//! `offsets` without Kafka: what is wrong before a broker is asked, and brokers that do not answer. The rest is in `tests/live`.

use std::time::{Duration, Instant};

use crate::harness::TestEnv;

const PLAN: &str = "offsets plan --group g --topic t --start-time 2026-01-05T23:00:02Z";

#[test]
fn unreachable_brokers_are_named_in_time() {
    let env = TestEnv::new();
    let began = Instant::now();
    // Nothing listens on port 1.
    let said = ["no answer from Kafka at 127.0.0.1:1 within $N s", "Connection refused", "hint: "];
    env.run(&format!("{PLAN} --brokers 127.0.0.1:1 --timeout 2s")).expect(3, &said);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn properties_come_from_a_file_and_are_not_shown() {
    let env = TestEnv::new();
    env.write("kafka.properties", "# secret\nsasl.password=hunter2\nsecurity.protocol=hunter2\n");
    let outcome = env.run(&format!("{PLAN} --brokers 127.0.0.1:1 --kafka-properties $DIR/kafka.properties"));
    assert!(!format!("{outcome}").contains("hunter2"), "{outcome}");
    outcome.expect(2, &["does not take the property security.protocol"]);
    env.write("kafka.properties", "ssl.ca.location=/x\nhunter2\n");
    let outcome = env.run(&format!("{PLAN} --brokers 127.0.0.1:1 --kafka-properties $DIR/kafka.properties"));
    assert!(!format!("{outcome}").contains("hunter2"), "{outcome}");
    outcome.expect(2, &["$DIR/kafka.properties, line 2: a property is written key=value"]);
}

#[test]
fn a_file_that_is_no_plan_is_refused() {
    let env = TestEnv::new();
    env.write("plan.json", "{\"format\": \"headwater-saved-offsets\", \"version\": 1}");
    for command in ["apply $DIR/plan.json --yes", "verify $DIR/plan.json"] {
        let said = ["$DIR/plan.json cannot be used: it is headwater-saved-offsets, not headwater-offsets-plan"];
        env.run(&format!("offsets {command} --brokers 127.0.0.1:1")).expect(1, &said);
    }
    env.write("saved.json", "{\"format\": \"headwater-saved-offsets\", \"version\": 2}");
    env.run("offsets rollback $DIR/saved.json --yes --brokers 127.0.0.1:1").expect(1, &["format version 2"]);
}

#[test]
fn a_plan_is_not_overwritten_unasked() {
    let env = TestEnv::new();
    env.write("plan.json", "x");
    let plan = format!("{PLAN} --brokers 127.0.0.1:1 --output $DIR/plan.json");
    env.run(&plan).expect(2, &["$DIR/plan.json already exists"]);
    assert_eq!(env.read("plan.json"), "x");
}

#[test]
fn the_start_may_come_from_a_savepoint() {
    let env = TestEnv::new();
    let plan = "offsets plan --group g --topic t --brokers 127.0.0.1:1 --timeout 1s";
    env.run("bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp").expect(0, &[]);
    env.run(&format!("{plan} --savepoint $DIR/sp")).expect(3, &["127.0.0.1:1"]);
    env.write("map.csv", "Q1,2\n");
    env.run("bootstrap --revision-map $DIR/map.csv --savepoint-dir $DIR/none").expect(0, &[]);
    env.run(&format!("{plan} --savepoint $DIR/none"))
        .expect(1, &["does not tell when its dumps began", "--start-time"]);
}
