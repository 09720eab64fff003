//! Reconciling without any server: on the samples, and on what a user may get wrong.

use crate::harness::{TestEnv, golden, saying};

const OLD: &str = "Q1,10\nQ2,20\nQ3,30\nQ4,40\nL1,50\n";
const NEW: &str = "Q1,10\nQ2,25\nQ4,40\nQ5,60\nL1,49\n";

/// What cannot be read is left out only where that is asked for, and told.
#[test]
fn what_is_left_out_is_told() {
    let env = with_maps();
    env.write("odd.csv", "Q1,10\nrubbish\nQ4,40\nL1,50\n");
    let maps = "reconcile maps $DIR/old.csv $DIR/odd.csv";
    env.run(maps).expect(1, &["odd.csv, line 2"]);
    env.run(&format!("{maps} --on-bad-entity skip")).expect(0, &["skipped     $DIR/odd.csv: byte 6 (line 2)"]);
    let dump = DUMP.replace("new.csv", "odd.csv");
    let json = env.run(&format!("{dump} --dry-run --on-bad-entity skip --json")).expect(0, &[]).json();
    assert_eq!(json["skipped_count"].as_u64(), Some(1));
    env.write("odd.ndjson", "{}\n");
    let places = "reconcile side-outputs --side-outputs $DIR/odd.ndjson --without-api --dry-run --on-bad-entity skip";
    env.run(places).expect(0, &["skipped      $DIR/odd.ndjson, line 1: "]);
    // Its cause is told once.
    env.write("odd.ndjson", FORM);
    let told = env.run(places).expect(0, &["`L3-F1` is no entity: "]);
    assert_eq!(told.stderr.matches("is no entity").count(), 1, "{told}");
}

/// A failed fetch of what is a part of an entity.
const FORM: &str = r#"{"meta":{"dt":"2026-01-05T00:10:00Z","domain":"www.wikidata.org","stream":"s"},"item":"L3-F1","original_ingestion_dt":"2026-01-05T00:00:01Z","revision_id":5,"original_event_info":{"dt":"2026-01-05T00:00:00Z","meta":{"dt":"2026-01-05T00:00:00Z","id":"e","request_id":"r","stream":"mediawiki.page_change.v1"}},"op_type":"import","exception_type":"x","exception_msg":"y","fetch_error_type":"ENTITY_NOT_FOUND"}"#;

/// Of a kind that the newer map has none of, none is called deleted.
#[test]
fn a_map_without_a_kind() {
    let env = with_maps();
    env.write("items.csv", "Q1,10\nQ2,20\n");
    let json = env.run("reconcile maps $DIR/old.csv $DIR/items.csv --json").expect(0, &[]).json();
    assert_eq!((json["deleted"].as_u64(), json["unchanged"].as_u64()), (Some(2), Some(2)));
    assert_eq!(json["not_compared"], serde_json::json!(["lexemes"]));
}

/// A dry run changes nothing, and knows what was sent before.
#[test]
fn a_dry_run_looks_only() {
    let env = with_maps();
    let send = format!("{DUMP} --source test --to $DIR/e.ndjson --audit $DIR/sent.ndjson");
    env.run(&format!("{send} --dry-run")).expect(0, &["to send      2 events"]);
    assert!(!env.path("sent.ndjson").exists() && !env.path("e.ndjson").exists());
    env.run(&send).expect(0, &["sent         2 events"]);
    env.run(&format!("{send} --dry-run")).expect(0, &["to send      0 events", "sent before  2 events"]);
    env.write("mine.json", "{\"my\": \"data\"}");
    env.run(&send.replace("sent.ndjson", "mine.json").replace("e.ndjson", "f.ndjson"))
        .expect(2, &["mine.json, line 1"]);
    assert_eq!(env.read("mine.json"), "{\"my\": \"data\"}");
}

/// What a map calls deleted is what the wiki has not.
#[test]
fn a_map_that_knows_deletions() {
    let env = with_maps();
    env.write("signed.csv", "Q1,10\nQ2,25\nQ3,-31\nQ4,40\nQ5,60\nL1,49\n");
    let run = |map: &str| {
        let dump = DUMP.replace("new.csv", map);
        env.run(&format!("{dump} --negative-revisions deleted --dry-run --json")).expect(0, &[]).json()
    };
    let (plain, signed) = (run("new.csv"), run("signed.csv"));
    assert_eq!(plain["counts"], signed["counts"]);
    assert_eq!(plain["entities_dumped"], signed["entities_dumped"]);
    env.run(&format!("{} --dry-run", DUMP.replace("new.csv", "signed.csv")))
        .expect(1, &["signed.csv, line 3", "--negative-revisions deleted"]);
}

/// A state of five entities, and a newer map.
fn with_maps() -> TestEnv {
    let env = TestEnv::new();
    env.write("old.csv", OLD);
    env.write("new.csv", NEW);
    env.run("bootstrap --quiet --revision-map $DIR/old.csv --savepoint-dir $DIR/state").expect(0, &[]);
    env
}

const DUMP: &str = "reconcile dump --state $DIR/state --state-time 2026-01-15T00:00:00Z --revision-map $DIR/new.csv \
     --dump-end 2026-01-14T00:00:00Z";

#[test]
fn a_state_against_a_newer_map() {
    let env = with_maps();
    let commands = [
        "reconcile maps $DIR/old.csv $DIR/new.csv --output $DIR/changes.csv",
        &format!("{DUMP} --findings $DIR/findings.csv --to $DIR/events.ndjson --source test --audit $DIR/sent.ndjson"),
    ];
    golden("golden/reconcile.txt", &env.transcript(&commands));
    assert_eq!(
        env.read("changes.csv"),
        "entity,change,old_revision,new_revision\nQ2,changed,20,25\nQ3,deleted,30,\nQ5,created,,60\nL1,older,50,49\n"
    );
    assert_eq!(
        env.read("findings.csv"),
        "entity,class,status,revision,dump_revision\nQ2,older,created,20,25\nQ3,gone,created,30,\n\
         Q5,missing,absent,,60\nL1,newer,created,50,49\n"
    );
    let events = env.read("events.ndjson");
    let told: Vec<_> =
        events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")).collect();
    let told = told
        .iter()
        .map(|event| format!("{} {} {}", event["item"], event["revision_id"], event["reconciliation_action"]));
    assert_eq!(told.collect::<Vec<_>>(), ["\"Q2\" 25 \"CREATION\"", "\"Q5\" 60 \"CREATION\""]);
    // The updater reads them.
    let stream = "stream --listen none --quiet --events $DIR/events.ndjson --entity-data-dir $DIR --initial-state $DIR/state \
                  --mutations $DIR/mutations.ndjson --reconcile-source rdf-streaming-updater.reconcile[test]";
    env.run(stream).expect(0, &[]);
    assert_eq!(env.read("mutations.ndjson.side-outputs").matches("\"op_type\":\"reconcile\"").count(), 2);
    // What was sent there is not sent again, unless told.
    for (again, said, events) in [("", "sent before  2 events", 0), ("--again", "sent         2 events", 2)] {
        std::fs::remove_file(env.path("events.ndjson")).expect("it is there");
        let send = format!("{DUMP} --to $DIR/events.ndjson --source test --audit $DIR/sent.ndjson {again}");
        env.run(&send).expect(0, &[said]);
        assert_eq!(env.read("events.ndjson").lines().count(), events);
    }
}

#[test]
fn side_outputs_of_the_samples() {
    let env = TestEnv::new();
    env.run("bootstrap --quiet --dump $SAMPLES/wikidata.ttl.gz --savepoint-dir $DIR/sp").expect(0, &[]);
    let stream = "stream --quiet --listen none --events $SAMPLES/stream/events.ndjson --entity-data-dir $SAMPLES/stream/entity-data \
                  --initial-state $DIR/sp --mutations $DIR/m.ndjson --side-outputs $DIR/{stream}.ndjson";
    env.run(stream).expect(0, &[]);
    let places = "--side-outputs $DIR/rdf-streaming-updater.state-inconsistency.ndjson \
                  --side-outputs $DIR/rdf-streaming-updater.fetch-failure.ndjson";
    let json =
        env.run(&format!("reconcile side-outputs {places} --without-api --dry-run --json")).expect(0, &[]).json();
    assert_eq!(
        (json["failed"].as_u64(), json["creations"].as_u64(), json["to"].as_str()),
        (Some(1), Some(1), None),
        "{json}"
    );
}

#[test]
fn what_a_user_may_get_wrong() {
    let env = with_maps();
    env.write("empty.csv", "");
    env.write("odd.ndjson", "{}\n");
    env.write("note.ndjson", "{\"no\": 1}\n");
    env.write("cut.parquet", "PAR1 and no end");
    env.write("empty.parquet", "");
    let parquet = "--without-api --dry-run --side-outputs $DIR";
    let to = "--to $DIR/events.ndjson --source test";
    let rows: &[(String, i32, &str)] = &[
        (DUMP.to_owned(), 2, "--to"),
        (format!("{DUMP} --to $DIR/e.ndjson"), 2, "--source"),
        (format!("{DUMP} --to $DIR/e.ndjson --dry-run"), 0, "to send"),
        (format!("{DUMP} --to http://me:secret@gate.example.org/v1/events --source x"), 2, "never taken from there"),
        (format!("{DUMP} --to - --source x --json"), 2, "both write to stdout"),
        (format!("{DUMP} --dry-run --findings $DIR/new.csv --overwrite"), 2, "would destroy it"),
        (format!("{DUMP} --dry-run --findings $DIR/state/_metadata --overwrite"), 2, "would destroy it"),
        (format!("{} --dry-run", DUMP.replace("new.csv", "empty.csv")), 1, "empty.csv"),
        (format!("{DUMP} --to kafka:t --source x"), 2, "no Kafka: give its brokers"),
        (format!("{DUMP} --to kafka:a/b --source x --brokers b:1"), 2, "is no name of a topic"),
        (format!("{DUMP} --to $DIR/old.csv --source x"), 2, "give --to another file"),
        (format!("{DUMP} --to - --source x@$DC$"), 2, "`$DC$` is filled from side outputs"),
        (
            "reconcile entities Q1 --to - --source $EMITTER_ID$".to_owned(),
            2,
            "`$EMITTER_ID$` is filled from side outputs",
        ),
        (format!("reconcile side-outputs {parquet}/cut.parquet"), 1, "cut.parquet is no readable Parquet file"),
        (format!("reconcile side-outputs {parquet}/empty.parquet"), 1, "empty.parquet is no readable Parquet file"),
        (format!("{DUMP} {to} --audit $DIR/note.ndjson"), 2, "is no note of what was sent"),
        (format!("{DUMP} {to} --uris-scheme commons"), 2, "is of the wiki with entities in"),
        (format!("{DUMP} {to} --max-events 1"), 1, "2 events are to be sent, and --max-events allows 1"),
        (format!("{DUMP} {to} --max-doubtful 0"), 1, "--max-doubtful allows 0"),
        (format!("{DUMP} {to} --confirm-with-api --api http://127.0.0.1:1/w/api.php"), 3, "no answer from"),
        (
            "reconcile dump --state $DIR/state --dump $SAMPLES/wikidata.ttl.gz --dry-run".to_owned(),
            2,
            "does not say up to when",
        ),
        ("reconcile dump --state $DIR --dump $SAMPLES/wikidata.ttl.gz --dry-run".to_owned(), 1, "is no savepoint"),
        (
            "reconcile dump --state $DIR/state --state-time 2026-01-15T00:00:00Z --revision-map $DIR/new.csv --dry-run"
                .to_owned(),
            2,
            "--dump-end",
        ),
        ("reconcile dump --state $DIR/state --state-time yesterday --dry-run".to_owned(), 2, "with Z or an offset"),
        (
            "reconcile side-outputs --side-outputs $DIR/odd.ndjson --without-api --dry-run".to_owned(),
            1,
            "odd.ndjson, line 1",
        ),
        ("reconcile side-outputs --side-outputs $DIR/none.ndjson --without-api --dry-run".to_owned(), 2, "none.ndjson"),
        ("reconcile entities X1 --dry-run".to_owned(), 2, "X1"),
        (
            "reconcile entities Q1 --dry-run --api http://127.0.0.1:1/w/api.php --api-timeout 1s".to_owned(),
            3,
            "no answer from",
        ),
        ("reconcile entities M1 --dry-run".to_owned(), 2, "M1 is no entity of www.wikidata.org"),
        ("reconcile entities Q1 --uris-scheme commons --dry-run".to_owned(), 2, "Q1 is no entity of commons"),
        ("reconcile maps $DIR/old.csv $DIR/none.csv".to_owned(), 2, "none.csv"),
        ("reconcile maps $DIR/old.csv $DIR/empty.csv".to_owned(), 1, "empty.csv"),
        ("reconcile maps $DIR/old.csv $SAMPLES/truthy.nt".to_owned(), 1, "truthy"),
        (
            "reconcile maps $DIR/old.csv $DIR/new.csv --output $DIR/old.csv --overwrite".to_owned(),
            2,
            "would destroy it",
        ),
    ];
    for (arguments, code, said) in rows {
        env.run(arguments).expect(*code, &[said]);
    }
}

/// One file is never written for two things, and what is read stays as it is.
#[test]
fn what_is_written_is_kept_apart() {
    let env = with_maps();
    std::os::unix::fs::symlink(env.path("f.csv"), env.path("link")).expect("the room can be written");
    let to = "--to $DIR/events.ndjson --source test";
    let rows: &[(String, i32, &str)] = &[
        (format!("{DUMP} --findings $DIR/f.csv --to $DIR/f.csv --source x"), 2, "would both be written to $DIR/f.csv"),
        (
            format!("{DUMP} --findings $DIR/f.csv --to ./f.csv --source x"),
            2,
            "--findings and --to would both be written",
        ),
        (
            format!("{DUMP} --findings $DIR/f.csv --to $DIR/link --source x"),
            2,
            "--findings and --to would both be written",
        ),
        (
            format!("{DUMP} --findings $DIR/link --audit $DIR/f.csv {to}"),
            2,
            "--findings and --audit would both be written",
        ),
        (format!("{DUMP} --to $DIR/f.csv --audit $DIR/f.csv --source x"), 2, "--to and --audit would both be written"),
        ("reconcile entities Q1 --to f.csv --audit ./f.csv --source x".to_owned(), 2, "--to and --audit would both be"),
        (format!("{DUMP} {to} --audit $DIR/state/audit.nd"), 2, "$DIR/state is read: that would destroy it"),
        (format!("{DUMP} --to $DIR/state/e.ndjson --source x"), 2, "$DIR/state is read: that would destroy it"),
    ];
    for (arguments, code, said) in rows {
        env.run(arguments).expect(*code, &[said]);
    }
    assert!(!env.exists("f.csv") && !env.exists("state/audit.nd"), "what is refused leaves nothing behind");
}

/// Another wiki's API is not believed, nor one that has none of many entities.
#[test]
fn an_api_that_is_not_the_wikis() {
    let env = with_maps();
    let missing =
        (1..=11).map(|number| format!("{{\"title\":\"Q{number}\",\"missing\":true}}")).collect::<Vec<_>>().join(",");
    let general = r#""general":{"wikibase-conceptbaseuri":"http://www.wikidata.org/entity/"}"#;
    let none = saying(200, format!("{{\"query\":{{{general},\"pages\":[{missing}]}}}}"));
    let other = saying(200, r#"{"query":{"general":{"wikibase-conceptbaseuri":"http://test.wikidata.org/entity/"}}}"#);
    let eleven = "reconcile entities Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 --dry-run";
    let rows: &[(String, i32, &str)] = &[
        (format!("{eleven} --api {none}/w/api.php"), 1, "calls all 11 items missing"),
        ("reconcile entities Q1 --dry-run --api ".to_owned() + &none + "/w/api.php", 0, "1 to delete"),
        (
            format!("{eleven} --api {other}/w/api.php"),
            2,
            "is the API of the wiki http://test.wikidata.org/entity/, not of http://www.wikidata.org/entity/",
        ),
        (format!("{DUMP} --dry-run --confirm-with-api --api {other}/w/api.php"), 2, "is the API of the wiki"),
    ];
    for (arguments, code, said) in rows {
        env.run(arguments).expect(*code, &[said]);
    }
}
