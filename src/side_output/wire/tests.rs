//! What is written has the schemas' fields and reads the same; real rows are read.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wikibase::entity::EntityKind;

const SENDER: Sender<'_> =
    Sender { id: "id-1", domain: "www.wikidata.org", stream: "side", emitter_id: Some("here"), now: 5_000 };

fn info() -> EventInfo {
    EventInfo {
        timestamp: 2_500,
        id: Some("id-0".to_owned()),
        domain: Some("www.wikidata.org".to_owned()),
        stream: "mediawiki.page_change.v1".to_owned(),
        request_id: Some("request".to_owned()),
        schema: "/mediawiki/page/change/1.2.0".to_owned(),
    }
}

fn event(change: Change) -> Incoming {
    let (item, revision) = ("Q7".to_owned(), 101);
    Incoming::new(InputEvent { item, event_time: 1_000, ingestion_time: 3_000, revision, change, original: info() })
        .unwrap()
}

fn mutation(operation: Operation) -> Mutation {
    let entity = EntityId::new(EntityKind::Item, 7).unwrap();
    Mutation { entity, revision: 101, operation, event_time: 1_000, ingestion_time: 3_000, original: info() }
}

fn failure() -> Failure {
    let (exception, message) = ("NotFound".to_owned(), "404 \"for\" Q7".to_owned());
    Failure { kind: FailureKind::EntityNotFound, exception, message }
}

/// What all three kinds have, with these fields more.
fn expected(schema: &str, more: Value) -> Value {
    let mut all = json!({
        "$schema": schema,
        "meta": {"id": "id-1", "dt": "1970-01-01T00:00:05Z", "domain": "www.wikidata.org", "stream": "side"},
        "dt": "1970-01-01T00:00:05Z",
        "emitter_id": "here",
        "item": "Q7",
        "original_ingestion_dt": "1970-01-01T00:00:03Z",
        "revision_id": 101,
        "original_event_info": {
            "$schema": "/mediawiki/page/change/1.2.0",
            "dt": "1970-01-01T00:00:01Z",
            "meta": {
                "id": "id-0", "dt": "1970-01-01T00:00:02.500Z", "domain": "www.wikidata.org",
                "stream": "mediawiki.page_change.v1", "request_id": "request"
            }
        }
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[test]
fn every_kind_as_its_schema_says() {
    let revision = |number| Revision::new(number).unwrap();
    let reconcile = |action| event(Change::ReconcileInputEvent { action });
    let inconsistent = |state| SideOutput::Inconsistent {
        event: event(Change::PageUndelete),
        inconsistency: Inconsistency::UnmatchedUndelete,
        state,
    };
    let failed = |operation| SideOutput::FetchFailed { mutation: mutation(operation), failure: failure() };
    let lapsed = "/rdf_streaming_updater/lapsed_action/1.1.0";
    let state = "/rdf_streaming_updater/state_inconsistency/1.1.0";
    let fetch = "/rdf_streaming_updater/fetch_failure/1.2.0";
    let unmatched = |more: Value| {
        let mut all = json!({"action_type": "page-undelete", "inconsistency": "unmatched_delete"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        expected(state, all)
    };
    let not_found = |op: &str| json!({"op_type": op, "exception_type": "NotFound", "exception_msg": "404 \"for\" Q7", "fetch_error_type": "ENTITY_NOT_FOUND"});
    let diff = {
        let mut all = not_found("diff");
        all["from_revision_id"] = 100.into();
        all
    };
    let rows = [
        (
            SideOutput::Lapsed(event(Change::RevCreate { parent_revision: Some(100) })),
            expected(lapsed, json!({"action_type": "revision-create", "parent_revision_id": 100})),
        ),
        (
            SideOutput::Lapsed(event(Change::RevCreate { parent_revision: None })),
            expected(lapsed, json!({"action_type": "revision-create"})),
        ),
        (SideOutput::Lapsed(event(Change::PageDelete)), expected(lapsed, json!({"action_type": "page-delete"}))),
        (
            SideOutput::Lapsed(reconcile(ReconcileAction::ReconcileCreation)),
            expected(lapsed, json!({"action_type": "reconcile-creation"})),
        ),
        (
            SideOutput::Lapsed(reconcile(ReconcileAction::ReconcileDeletion)),
            expected(lapsed, json!({"action_type": "reconcile-deletion"})),
        ),
        (inconsistent(None), unmatched(json!({"state_status": "UNDEFINED"}))),
        (
            inconsistent(Some(EntityState::Created(revision(9)))),
            unmatched(json!({"state_status": "CREATED", "state_revision_id": 9})),
        ),
        (
            inconsistent(Some(EntityState::Deleted(revision(8)))),
            unmatched(json!({"state_status": "DELETED", "state_revision_id": 8})),
        ),
        (failed(Operation::Diff { from: revision(100) }), expected(fetch, diff)),
        (failed(Operation::FullImport), expected(fetch, not_found("import"))),
        (failed(Operation::DeleteItem), expected(fetch, not_found("delete"))),
        (failed(Operation::Reconcile), expected(fetch, not_found("reconcile"))),
    ];
    for (side, expected) in rows {
        let json = to_json(&side, &SENDER);
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected);
        assert_eq!(read(&json).unwrap(), side);
        // As a row of a table, and by a sender without a name.
        let mut row = expected;
        let row = row.as_object_mut().unwrap();
        row.remove("$schema");
        row.remove("emitter_id");
        row.insert("year".to_owned(), 2021.into());
        assert_eq!(read(&serde_json::to_vec(row).unwrap()).unwrap(), side);
        let nameless = to_json(&side, &Sender { emitter_id: None, ..SENDER });
        assert!(!String::from_utf8(nameless).unwrap().contains("emitter_id"));
    }
}

#[test]
fn what_is_no_side_output_says_why() {
    let lapsed = SideOutput::Lapsed(event(Change::PageDelete));
    let inconsistent = SideOutput::Inconsistent {
        event: event(Change::PageDelete),
        inconsistency: Inconsistency::NewerRevisionSeen,
        state: Some(EntityState::Created(Revision::new(9).unwrap())),
    };
    let diff = Operation::Diff { from: Revision::new(100).unwrap() };
    let failed = SideOutput::FetchFailed { mutation: mutation(diff), failure: failure() };
    let rows = [
        (&lapsed, "$schema", json!("/mediawiki/page/change/1.0.0"), "but `/mediawiki/page/change/1.0.0`"),
        (&lapsed, "item", json!("X"), "`X` is no entity"),
        (&lapsed, "item", Value::Null, "it is no side output"),
        (&lapsed, "revision_id", json!(0), "0 is no revision"),
        (&lapsed, "action_type", json!("page-move"), "`action_type` is `page-move`"),
        (&lapsed, "action_type", Value::Null, "it has no `action_type`"),
        (&lapsed, "original_ingestion_dt", json!("now"), "`now` is no time"),
        (&lapsed, "original_event_info", json!({"meta": {"stream": "s"}}), "it has no `original_event_info.meta.dt`"),
        (&inconsistent, "inconsistency", json!("odd"), "`inconsistency` is `odd`"),
        (&inconsistent, "state_status", json!("GONE"), "`state_status` is `GONE`"),
        (&inconsistent, "state_status", Value::Null, "it has no `state_status`"),
        (&inconsistent, "state_revision_id", Value::Null, "it has no `state_revision_id`"),
        (&inconsistent, "state_revision_id", json!(-1), "-1 is no revision"),
        (&failed, "item", json!("Q"), "`Q` is no entity"),
        (&failed, "op_type", json!("merge"), "`op_type` is `merge`"),
        (&failed, "from_revision_id", Value::Null, "it has no `from_revision_id`"),
        (&failed, "fetch_error_type", json!("LOST"), "`fetch_error_type` is `LOST`"),
        (&failed, "exception_msg", Value::Null, "it has no `exception_msg`"),
    ];
    for (side, field, value, expected) in rows {
        let mut json: Value = serde_json::from_slice(&to_json(side, &SENDER)).unwrap();
        json[field] = value;
        let error = read(&serde_json::to_vec(&json).unwrap()).expect_err(field).to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
    assert!(read(b"{}").is_err());
}

proptest! {
    /// Any texts, times and revisions read back as they were.
    #[test]
    fn what_was_written_reads_the_same(
        texts in [".{0,9}", ".{0,9}", ".{0,9}"],
        times in [0..4_000_000_000_000_i64, 0..4_000_000_000_000, 0..4_000_000_000_000],
        (revision, kind, failed) in (1..=Revision::MAX, 0..FailureKind::ALL.len(), any::<bool>()),
    ) {
        let [id, message, exception] = texts;
        let original = EventInfo { timestamp: times[0], id: Some(id), domain: None, request_id: None, ..info() };
        let (event_time, ingestion_time) = (times[1], times[2]);
        let operation = Operation::Diff { from: Revision::new(revision).unwrap() };
        let mutation = Mutation { event_time, ingestion_time, original, ..mutation(operation) };
        let failure = Failure { kind: FailureKind::ALL[kind], exception, message };
        let side = if failed {
            SideOutput::FetchFailed { mutation, failure }
        } else {
            let change = Change::RevCreate { parent_revision: Some(revision as i64) };
            let Mutation { original, .. } = mutation;
            let event = InputEvent { event_time, ingestion_time, original, ..event(change).into_event() };
            SideOutput::Lapsed(Incoming::new(event).unwrap())
        };
        prop_assert_eq!(read(&to_json(&side, &SENDER)).unwrap(), side);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}

/// Real rows, next to the project; where they are absent the test says so aloud.
#[test]
fn real_side_outputs() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/side-outputs");
    if !fixtures.is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    for (file, lines, schema) in [
        ("late-events", 4, LAPSED_ACTION),
        ("inconsistencies", 18, STATE_INCONSISTENCY),
        ("failures", 37, FETCH_FAILURE),
    ] {
        let text = fs::read_to_string(fixtures.join(format!("{file}.json"))).expect(file);
        let rows: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), lines, "{file}");
        for row in rows {
            let side = read(row.as_bytes()).unwrap_or_else(|error| panic!("{error}: {row}"));
            assert_eq!(side.schema(), schema);
            // What we write of it has no field that the row does not have, but the id and the schemas.
            let row: Value = serde_json::from_str(row).unwrap();
            let ours: Value = serde_json::from_slice(&to_json(&side, &SENDER)).unwrap();
            for (field, value) in ours.as_object().unwrap().iter().filter(|(field, _)| *field != "$schema") {
                assert!(row.get(field).is_some(), "{field}");
                let sent_by = ["meta", "dt", "emitter_id", "original_ingestion_dt", "original_event_info"];
                assert!(sent_by.contains(&field.as_str()) || row[field] == *value, "{field}: {value}");
            }
            assert_eq!(row["original_event_info"]["dt"], ours["original_event_info"]["dt"]);
            assert_eq!(row["original_event_info"]["meta"], ours["original_event_info"]["meta"]);
        }
    }
}
