//! Side outputs -> repairs, by tables.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::mediawiki::Latest;
use crate::side_output::wire;
use crate::wikibase::timestamp::Timestamp;

/// A side output as it is stored in a table.
fn received(fields: serde_json::Value) -> Received {
    let mut value = json!({
        "meta": { "dt": "2026-01-05T00:10:00Z", "domain": "www.wikidata.org", "stream": "s" },
        "item": "Q1",
        "original_ingestion_dt": "2026-01-05T00:00:01Z",
        "revision_id": 5,
        "original_event_info": {
            "dt": "2026-01-05T00:00:00Z",
            "meta": { "dt": "2026-01-05T00:00:00Z", "id": "e", "request_id": "r", "stream": "mediawiki.page_change.v1" },
        },
        "datacenter": "eqiad",
        "emitter_id": "wdqs",
    });
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    wire::receive(value.to_string().as_bytes()).unwrap()
}

fn late(action: &str, revision: u64) -> serde_json::Value {
    json!({ "action_type": action, "revision_id": revision })
}

fn odd(inconsistency: &str, status: &str) -> serde_json::Value {
    json!({
        "action_type": "revision-create",
        "inconsistency": inconsistency,
        "state_status": status,
        "state_revision_id": if status == "UNDEFINED" { json!(null) } else { json!(9) },
    })
}

fn failed(revision: u64) -> serde_json::Value {
    json!({
        "op_type": "import",
        "exception_type": "x",
        "exception_msg": "y",
        "fetch_error_type": "ENTITY_NOT_FOUND",
        "revision_id": revision,
    })
}

fn told(all: &[serde_json::Value]) -> Told {
    let mut told = Told::new("www.wikidata.org", "wdqs_reconcile@$DC$");
    all.iter().for_each(|fields| told.take(received(fields.clone())).unwrap());
    told
}

fn shown(repairs: &[Repair]) -> Vec<String> {
    let show = |repair: &Repair| {
        let revision = repair.revision.map_or(0, Revision::get);
        format!("{} {revision} {:?} {}", repair.entity, repair.action, repair.reason)
    };
    repairs.iter().map(show).collect()
}

#[test]
fn what_side_outputs_ask_for() {
    let creation = |reason: &str| Some(format!("Q1 5 ReconcileCreation {reason}"));
    let rows = [
        (late("revision-create", 5), creation("late")),
        (late("page-undelete", 5), creation("late")),
        (late("page-delete", 5), Some("Q1 5 ReconcileDeletion late".to_owned())),
        (late("reconcile-creation", 5), creation("late")),
        (late("reconcile-deletion", 5), Some("Q1 5 ReconcileDeletion late".to_owned())),
        (late("reconcile-deletion", 0), Some("Q1 0 ReconcileDeletion late".to_owned())),
        (odd("unmatched_delete", "CREATED"), creation("unmatched_delete")),
        (odd("missed_undelete", "DELETED"), creation("missed_undelete")),
        (odd("newer_revision_seen", "DELETED"), creation("newer_revision_seen")),
        (odd("newer_revision_seen", "CREATED"), None),
        (odd("newer_revision_seen", "UNDEFINED"), None),
        (odd("reconcile_ambiguous_creation", "DELETED"), None),
        (odd("reconcile_ambiguous_deletion", "CREATED"), None),
        (failed(5), creation("fetch_failed")),
        (failed(0), None),
    ];
    for (fields, expected) in rows {
        let (repairs, counts) = told(std::slice::from_ref(&fields)).repairs();
        assert_eq!(shown(&repairs), expected.clone().into_iter().collect::<Vec<_>>(), "{fields}");
        assert_eq!(counts.harmless, u64::from(expected.is_none()), "{fields}");
        assert!(repairs.iter().all(|repair| repair.source.as_deref() == Some("wdqs_reconcile@eqiad")));
        assert!(repairs.iter().all(|repair| repair.cause.as_ref().unwrap().request_id.as_deref() == Some("r")));
    }
}

#[test]
fn one_repair_an_entity_and_updater() {
    let (repairs, counts) = told(&[late("revision-create", 5), failed(7), late("page-delete", 7)]).repairs();
    assert_eq!(shown(&repairs), ["Q1 7 ReconcileDeletion late"]);
    assert_eq!((counts.late, counts.failed), (2, 1));
    let other = json!({ "action_type": "page-delete", "datacenter": "codfw" });
    assert_eq!(told(&[late("page-delete", 5), other]).repairs().0.len(), 2);
    // Of one revision, what happened last counts, in whatever order it is told.
    let restored = json!({
        "action_type": "page-undelete",
        "original_event_info": { "dt": "2026-01-05T00:09:00Z", "meta": { "dt": "2026-01-05T00:09:00Z", "stream": "s" } },
    });
    for all in [[late("page-delete", 5), restored.clone()], [restored, late("page-delete", 5)]] {
        assert_eq!(shown(&told(&all).repairs().0), ["Q1 5 ReconcileCreation late"]);
    }
}

#[test]
fn other_wikis_and_tags() {
    let other = json!({ "action_type": "page-delete", "meta": { "domain": "test.wikidata.org", "stream": "s" } });
    let (repairs, counts) = told(&[other]).repairs();
    assert_eq!((repairs.len(), counts.other_wikis), (0, 1));
    let tagged = |source: &str, fields: serde_json::Value| {
        let mut told = Told::new("www.wikidata.org", source);
        told.take(received(fields)).map(|()| told.repairs().0[0].source.clone().unwrap())
    };
    let delete = || late("page-delete", 5);
    assert_eq!(tagged("a@$DC$", delete()).unwrap(), "a@eqiad");
    assert_eq!(tagged("$EMITTER_ID$@$DC$", delete()).unwrap(), "wdqs@eqiad");
    assert_eq!(tagged("plain", delete()).unwrap(), "plain");
    let nameless = json!({ "action_type": "page-delete", "emitter_id": null });
    assert_eq!(
        tagged("$EMITTER_ID$", nameless).unwrap_err().to_string(),
        "a side output of Q1 has no `emitter_id`, which the tag `$EMITTER_ID$` needs"
    );
}

/// A wiki with these pages.
struct Pages(BTreeMap<EntityId, u64>);

impl Wiki for Pages {
    fn latest(&mut self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError> {
        let latest = |number: &u64| Latest {
            revision: Revision::new(*number).unwrap(),
            time: Timestamp::default(),
            title: String::new(),
        };
        Ok(entities.iter().map(|entity| self.0.get(entity).map(latest)).collect())
    }

    fn turned(&mut self, _: EntityId, _: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
        Ok(None)
    }
}

#[test]
fn the_wiki_has_the_last_word() {
    let rows = [
        (failed(5), Some(8), Some("Q1 8 ReconcileCreation fetch_failed")),
        (failed(5), Some(4), Some("Q1 5 ReconcileCreation fetch_failed")),
        (failed(5), None, None),
        (late("page-delete", 5), None, Some("Q1 5 ReconcileDeletion late")),
        (late("page-delete", 5), Some(5), Some("Q1 5 ReconcileCreation late")),
        (late("revision-create", 5), None, None),
        (late("reconcile-deletion", 0), Some(8), Some("Q1 8 ReconcileCreation late")),
    ];
    for (fields, latest, expected) in rows {
        let pages = latest.map(|latest| (EntityId::parse(b"Q1").unwrap(), latest)).into_iter().collect();
        let (repairs, counts) = told(std::slice::from_ref(&fields)).confirmed(&mut Pages(pages)).unwrap();
        assert_eq!(shown(&repairs), expected.into_iter().collect::<Vec<_>>(), "{fields} {latest:?}");
        assert_eq!(counts.gone, u64::from(expected.is_none()));
    }
}
