//! Events sent to an EventGate and to a file.

// Another module's tests have their own copy.
#[allow(clippy::duplicate_mod)]
#[path = "../../../tests/storage/server.rs"]
mod server;

use std::sync::{Arc, Mutex};

use server::{Got, Said, said, serve};

use super::*;
use crate::event::filter::{Filter, ReconcileSource};
use crate::event::wire::Read;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-12T10:00:00Z").unwrap()
}

fn env() -> Env {
    Env { now, ..Env::default() }
}

fn repair(number: u32, revision: u64, action: ReconcileAction) -> Repair {
    Repair {
        entity: EntityId::parse(format!("Q{number}").as_bytes()).unwrap(),
        revision: Revision::new(revision).ok(),
        action,
        reason: "missing",
        cause: None,
        source: None,
    }
}

fn repairs(count: u32) -> Vec<Repair> {
    (1..=count).map(|number| repair(number, 5, ReconcileAction::ReconcileCreation)).collect()
}

fn manner() -> Manner {
    Manner {
        domain: "www.wikidata.org".to_owned(),
        stream: STREAM.to_owned(),
        source: "wdqs@eqiad".to_owned(),
        rate: u32::MAX,
        again: false,
    }
}

fn shipping(target: Target, audit: Option<Audit>, env: &Env) -> Shipping<'_> {
    Shipping { target, audit, manner: manner(), env, shipped: Shipped::default() }
}

fn gate(url: &str, env: &Env) -> Target {
    let calls = Calls::new("test", Duration::from_secs(5), 1 << 20, Vec::new(), env).unwrap();
    Target::Gate(Box::new(calls), url.to_owned())
}

#[test]
fn what_is_sent_is_what_the_updater_reads() {
    let env = env();
    let all = [
        repair(1, 5, ReconcileAction::ReconcileCreation),
        repair(2, 6, ReconcileAction::ReconcileDeletion),
        repair(3, 0, ReconcileAction::ReconcileDeletion),
        Repair { source: Some("wdqs@codfw".to_owned()), ..repair(4, 7, ReconcileAction::ReconcileCreation) },
    ];
    let mut sent = Vec::new();
    let mut shipping = shipping(Target::Nowhere(String::new()), None, &env);
    shipping.ship(&all, |json| sent.push(json.to_vec())).unwrap();
    let mut filter = Filter::wikidata();
    filter.reconcile = Some(ReconcileSource { stream: STREAM.to_owned(), tag: None });
    for (repair, json) in all.iter().zip(&sent) {
        let Ok(Read::Event(event)) = wire::read(json, &filter, 0) else { panic!("{}", String::from_utf8_lossy(json)) };
        assert_eq!((event.entity(), event.revision()), (repair.entity, repair.revision));
        assert_eq!(event.event().change, Change::ReconcileInputEvent { action: repair.action });
        assert_eq!(event.event().event_time, now().millis());
        let value: Value = serde_json::from_slice(json).unwrap();
        assert_eq!(value["reconciliation_source"], repair.source.as_deref().unwrap_or("wdqs@eqiad"));
        assert!(value["original_event_info"]["meta"]["request_id"].is_string());
    }
    assert_eq!(sent.len(), all.len());
}

#[test]
fn an_event_gate_takes_batches_in_the_end() {
    let env = env();
    let bodies: Arc<Mutex<Vec<Vec<Value>>>> = Arc::default();
    let (seen, mut answers) = (Arc::clone(&bodies), [503, 201, 202].into_iter());
    let url = serve(move |got: &Got| {
        seen.lock().unwrap().push(serde_json::from_slice(&got.body).unwrap());
        let status = answers.next()?;
        Some(said(status).header("Retry-After", "0"))
    });
    let mut shipping = shipping(gate(&url, &env), None, &env);
    shipping.ship(&repairs(25), |_| {}).unwrap();
    assert_eq!(shipping.shipped, Shipped { sent: 25, sent_before: 0 });
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 5]);
    assert_eq!(bodies[0], bodies[1], "what is sent again is the same");
}

#[test]
fn what_an_event_gate_refuses_is_told_and_not_noted() {
    let env = env();
    // Of three events the second is refused.
    let partly = |got: &Got| -> Option<Said> {
        let events: Vec<Value> = serde_json::from_slice(&got.body).unwrap();
        let body =
            serde_json::json!({ "invalid": [{ "event": events[1], "context": { "message": "no" } }], "error": [] });
        Some(said(207).body(body.to_string().as_bytes()))
    };
    // Two are, of which one is not told; another's is.
    let half = |got: &Got| -> Option<Said> {
        let events: Vec<Value> = serde_json::from_slice(&got.body).unwrap();
        let body = serde_json::json!({ "invalid": [{ "event": events[1] }], "error": [{ "context": "no" }] });
        Some(said(207).body(body.to_string().as_bytes()))
    };
    let others =
        |_: &Got| -> Option<Said> { Some(said(207).body(br#"{"invalid": [{"event": {"meta": {"id": "x"}}}]}"#)) };
    type Answer = Box<dyn FnMut(&Got) -> Option<Said> + Send>;
    let rows: Vec<(&str, Answer, u64)> = vec![
        ("a part is not valid", Box::new(partly), 2),
        ("a part of which not all is told", Box::new(half), 0),
        ("a part that is another's", Box::new(others), 0),
        ("a part that is not told", Box::new(|_: &Got| Some(said(207))), 0),
        ("all is not valid", Box::new(|_: &Got| Some(said(400).body(b"no such stream"))), 0),
        ("not an EventGate", Box::new(|_: &Got| Some(said(404))), 0),
        ("200 is no promise", Box::new(|_: &Got| Some(said(200))), 0),
    ];
    for (what, answer, sent) in rows {
        let dir = tempfile::tempdir().unwrap();
        let file = Location::parse(dir.path().join("sent.ndjson").to_str().unwrap()).unwrap();
        let mut shipping = shipping(gate(&serve(answer), &env), Some(Audit::open(&file).unwrap()), &env);
        let error = shipping.ship(&repairs(3), |_| {}).unwrap_err();
        assert!(matches!(error, ShipError::Gate { is_passing: false, .. }), "{what}: {error}");
        assert_eq!(shipping.shipped.sent, sent, "{what}");
        let noted = std::fs::read_to_string(file.local().unwrap()).unwrap();
        assert_eq!(noted.lines().count() as u64, sent, "{what}");
        assert!(!noted.contains("\"Q2\""), "{what}");
    }
}

#[test]
fn a_second_run_sends_what_the_first_did_not() {
    let env = env();
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| Location::parse(dir.path().join(name).to_str().unwrap()).unwrap();
    let run = |name: &str, repairs: &[Repair], again| {
        let audit = Audit::open(&place("sent.ndjson")).unwrap();
        let mut shipping = shipping(Target::file(&place("events")).unwrap(), Some(audit), &env);
        shipping.manner.again = again;
        shipping.ship(repairs, |_| {}).unwrap_or_else(|error| panic!("{name}: {error}"));
        (shipping.shipped.sent, shipping.shipped.sent_before)
    };
    assert_eq!(run("the first", &repairs(30), false), (30, 0));
    assert_eq!(run("the same", &repairs(30), false), (0, 30));
    assert_eq!(run("more", &repairs(33), false), (3, 30));
    assert_eq!(run("told to", &repairs(33), true), (33, 0));
    assert_eq!(run("another revision", &[repair(1, 6, ReconcileAction::ReconcileCreation)], false), (1, 0));
    let lines = std::fs::read_to_string(place("events").local().unwrap()).unwrap();
    assert_eq!(lines.lines().count(), 1, "each run makes its file anew");
}

#[test]
fn no_more_in_a_second_than_asked_for() {
    let env = Env { now: || Timestamp::from_millis(0).unwrap(), ..Env::default() };
    let url = serve(|_: &Got| Some(said(201)));
    let mut shipping = shipping(gate(&url, &env), None, &env);
    shipping.manner.rate = 40;
    let begun = std::time::Instant::now();
    shipping.ship(&repairs(40), |_| {}).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}
