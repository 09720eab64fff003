//! The updater without any server: on the samples, and on what a user may get wrong.

use crate::harness::{TestEnv, golden};

const BOOTSTRAP: &str =
    "bootstrap --quiet --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --savepoint-dir $DIR/sp";
const STREAM: &str = "stream --listen none --events $SAMPLES/stream/events.ndjson --entity-data-dir $SAMPLES/stream/entity-data \
     --initial-state $DIR/sp --mutations $DIR/mutations.ndjson";

/// The messages: operation, entity and revision of each.
fn messages(env: &TestEnv) -> Vec<String> {
    let lines = env.read("mutations.ndjson");
    let messages =
        lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a message is JSON"));
    let told = |message: serde_json::Value| {
        let text = |field: &str| message[field].as_str().expect(field).to_owned();
        format!("{} {} {}", text("operation"), text("entity_id"), message["rev_id"])
    };
    messages.map(told).collect()
}

#[test]
fn the_samples_streamed() {
    let env = TestEnv::new();
    let text = env.transcript(&[BOOTSTRAP, STREAM]);
    golden("golden/stream.txt", &text);
    assert_eq!(messages(&env), ["diff Q700 2210045200", "import Q9001 2210045300", "delete L815 2212300815"]);
    let sides: Vec<_> = env.read("mutations.ndjson.side-outputs").lines().map(str::to_owned).collect();
    let told = |what: &str| sides.iter().filter(|line| line.contains(what)).count();
    assert_eq!(["it is no event", "newer_revision_seen", "ENTITY_NOT_FOUND"].map(told), [1, 1, 1]);
    assert_eq!(sides.len(), 3);
}

#[test]
fn with_checkpoints_nothing_is_sent_twice() {
    let env = TestEnv::new();
    env.run(BOOTSTRAP).expect(0, &[]);
    let stream = format!("{STREAM} --checkpoints $DIR/checkpoints");
    env.run(&stream).expect(0, &["restored $DIR/sp: 10 entities"]);
    let once = messages(&env);
    env.run(&stream).expect(0, &["restored checkpoint "]);
    assert_eq!((messages(&env), once.len()), (once, 3));
    let json = env.run("savepoint list $DIR/checkpoints --json").expect(0, &[]).json();
    assert!(json.to_string().contains("chk-"), "{json}");
}

#[test]
fn what_a_user_may_get_wrong() {
    let env = TestEnv::new();
    env.run(BOOTSTRAP).expect(0, &[]);
    let place = "--mutations $DIR/m.ndjson";
    let events = "--events $SAMPLES/stream/events.ndjson";
    let rows: &[(&str, i32, &str)] = &[
        ("", 2, "--mutations"),
        (place, 2, "no events: give topics of Kafka"),
        ("--mutations - --events $SAMPLES/stream/events.ndjson", 2, "no place for side outputs"),
        (&format!("{place} {events}"), 2, "no state: give a savepoint with --initial-state"),
        (&format!("{place} {events} --checkpoints $DIR/none"), 2, "there is no checkpoint yet"),
        (&format!("{place} {events} --initial-state $DIR/nothing"), 1, "is no savepoint"),
        (
            &format!("{place} {events} --from-nothing --uris-scheme commons --initial-state $DIR/sp"),
            2,
            "cannot be used with",
        ),
        (
            &format!("{place} {events} --initial-state $DIR/sp --uris-scheme commons"),
            2,
            "is of the wiki with entities in",
        ),
        (&format!("{place} --events $DIR/none.ndjson --initial-state $DIR/sp"), 2, "none.ndjson"),
        (&format!("{place} --events $DIR/e.ndjson.gz --initial-state $DIR/sp"), 2, "e.ndjson.gz is compressed"),
        (
            &format!("{place} {events} --initial-state $DIR/sp --entity-data-dir $DIR/nowhere"),
            2,
            "there is no directory",
        ),
        (
            &format!("--mutations $SAMPLES/stream/events.ndjson {events} --initial-state $DIR/sp --overwrite-outputs"),
            2,
            "read and written",
        ),
        (&format!("--mutations $DIR --overwrite-outputs {events} --initial-state $DIR/sp"), 2, "is not a regular file"),
        (
            &format!("{place} {events} --initial-state $DIR/sp --entity-data http://u:secret@w/"),
            2,
            "a user or a password",
        ),
        (&format!("{place} --preset wdqs --initial-state $DIR/sp"), 2, "no group: give its name with --group"),
        (&format!("{place} --preset wdqs --group g --initial-state $DIR/sp"), 2, "no Kafka: give its brokers"),
        (
            "--mutations kafka:m --side-outputs none --events $SAMPLES/stream/events.ndjson --from-nothing",
            2,
            "no checkpoints",
        ),
        (
            &format!("{place} {events} --initial-state $DIR/sp --subgraphs $SAMPLES/subgraphs.yaml"),
            2,
            "give each its own",
        ),
        (&format!("{place} {events} --initial-state $DIR/sp --route nowhere"), 2, "is no route"),
        (&format!("--mutations memory:m {events} --initial-state $DIR/sp"), 2, "is no local file"),
    ];
    for (arguments, code, said) in rows {
        env.run(&format!("stream --listen none {arguments}")).expect(*code, &[said]);
    }
    env.write("m.ndjson", "mine\n");
    let entity_data = "--entity-data-dir $SAMPLES/stream/entity-data";
    let stream = format!("stream --listen none {place} {events} --initial-state $DIR/sp {entity_data}");
    env.run(&stream).expect(2, &["is there already", "--overwrite-outputs"]);
    assert_eq!(env.read("m.ndjson"), "mine\n");
    env.run(&format!("{stream} --overwrite-outputs")).expect(0, &["all events were read"]);
}

#[test]
fn graphs_that_are_split() {
    let env = TestEnv::new();
    env.run(BOOTSTRAP).expect(0, &[]);
    let stream = "stream --listen none --events $SAMPLES/stream/events.ndjson --entity-data-dir $SAMPLES/stream/entity-data \
         --initial-state $DIR/sp --subgraphs $SAMPLES/subgraphs.yaml --mutations $DIR/{stream}.ndjson";
    let sent =
        ["3 messages, ", "to example.mutation-bridges.v2", "to example.mutation-main.v2", "to example.mutation.v2"];
    env.run(stream).expect(0, &sent);
    let count = |graph: &str, what: &str| env.read(graph).lines().filter(|line| line.contains(what)).count();
    // Both entities are bridges: the other graph is told where they are.
    assert_eq!(count("example.mutation.ndjson", "queryservice#subgraph"), 0);
    assert_eq!(count("example.mutation-bridges.ndjson", "\"Q9001\""), 1);
    assert_eq!(count("example.mutation-main.ndjson", "<https://query.example.org/subgraph/bridges>"), 2);
}
