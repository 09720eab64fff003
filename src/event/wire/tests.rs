//! What is read is what the schemas say; what is written reads the same; nothing makes it panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::filter::ReconcileSource;
use crate::event::streams::{PAGE_CHANGE, RECONCILE, SCHEMA_TITLES, StreamConfiguration};
use crate::wikibase::entity::Revision;

const RECEIVED: i64 = 1_700_000_000_000;
/// 2024-10-04T15:16:26Z.
const TIME: i64 = 1_728_054_986_000;

const EDIT: &str = r#"{"$schema": "/mediawiki/page/change/1.2.0", "changelog_kind": "update", "page_change_kind": "edit",
    "dt": "2024-10-04T15:16:26Z", "wiki_id": "wikidatawiki",
    "meta": {"stream": "mediawiki.page_change.v1", "id": "4072", "request_id": "48e8", "domain": "www.wikidata.org",
        "dt": "2024-10-04T15:16:27.500999Z", "uri": "https://www.wikidata.org/wiki/Q7"},
    "page": {"page_id": 70, "page_title": "Q7", "namespace_id": 0, "is_redirect": false},
    "performer": {"user_text": "Somebody \"\u00e9lse\"", "groups": ["*", "user"]},
    "revision": {"rev_id": 101, "rev_parent_id": 100, "rev_size": 5, "is_content_visible": true,
        "content_slots": {"main": {"slot_role": "main", "content_model": "wikibase-item", "origin_rev_id": 101}}},
    "prior_state": {"revision": {"rev_id": 100, "content_slots": {}}}}"#;

const RECONCILIATION: &str = r#"{"$schema": "/rdf_streaming_updater/reconcile/1.0.0",
    "meta": {"dt": "2024-10-04T15:16:26Z", "id": "2bf7", "domain": "www.wikidata.org",
        "stream": "rdf-streaming-updater.reconcile", "request_id": "ccf8"},
    "item": "Q7", "revision_id": 101, "reconciliation_source": "sideoutputs@here", "reconciliation_action": "CREATION",
    "original_event_info": {"$schema": "unused", "meta": {"dt": "2024-10-04T14:00:00Z", "stream": "mediawiki.revision-create"}}}"#;

const LEGACY: &str = r#"{"$schema": "/mediawiki/revision/create/2.0.0", "database": "wikidatawiki",
    "meta": {"domain": "www.wikidata.org", "dt": "2024-10-04T15:16:26.000+00:00", "id": "7d36", "request_id": "d004",
        "stream": "mediawiki.revision-create"},
    "dt": "2024-10-04T15:16:20Z", "page_id": 70, "page_namespace": 0, "page_title": "Q7", "rev_id": 101, "rev_parent_id": 100,
    "rev_content_model": "wikibase-item", "rev_slots": {"main": {"rev_slot_content_model": "wikibase-item"}}}"#;

fn wikidata() -> Filter {
    let reconcile = Some(ReconcileSource::parse("rdf-streaming-updater.reconcile[sideoutputs@here]").unwrap());
    Filter { reconcile, ..Filter::wikidata() }
}

/// JSON pointers and values.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// The event with other values at these JSON pointers; `null` takes a field away.
fn with(event: &str, changes: Changes<'_>) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(event).unwrap();
    for (pointer, change) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let fields = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        fields.insert(name.to_owned(), serde_json::from_str(change).unwrap_or_else(|_| Value::from(*change)));
    }
    serde_json::to_vec(&value).unwrap()
}

fn event(json: &[u8], filter: &Filter) -> InputEvent {
    match read(json, filter, RECEIVED) {
        Ok(Read::Event(incoming)) => incoming.into_event(),
        other => panic!("{other:?} of {}", String::from_utf8_lossy(json)),
    }
}

#[test]
fn an_edit_in_full() {
    let expected = InputEvent {
        item: "Q7".to_owned(),
        event_time: TIME,
        ingestion_time: RECEIVED,
        revision: 101,
        change: Change::RevCreate { parent_revision: Some(100) },
        original: EventInfo {
            timestamp: TIME + 1500,
            id: Some("4072".to_owned()),
            domain: Some("www.wikidata.org".to_owned()),
            stream: "mediawiki.page_change.v1".to_owned(),
            request_id: Some("48e8".to_owned()),
            schema: "/mediawiki/page/change/1.2.0".to_owned(),
        },
    };
    assert_eq!(event(EDIT.as_bytes(), &wikidata()), expected);
}

#[test]
fn events_and_what_they_say() {
    const CREATED: Change = Change::RevCreate { parent_revision: None };
    const EDITED: Change = Change::RevCreate { parent_revision: Some(100) };
    const CREATION: Change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation };
    const DELETION: Change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion };
    type Row = (&'static str, Changes<'static>, &'static str, i64, Change);
    let rows: &[Row] = &[
        (EDIT, &[], "Q7", 101, EDITED),
        (EDIT, &[("/page_change_kind", "move")], "Q7", 101, EDITED),
        (EDIT, &[("/page_change_kind", "create"), ("/revision/rev_parent_id", "null")], "Q7", 101, CREATED),
        (EDIT, &[("/page_change_kind", "undelete")], "Q7", 101, Change::PageUndelete),
        (EDIT, &[("/page_change_kind", "delete")], "Q7", 101, Change::PageDelete),
        // A suppressed page.
        (EDIT, &[("/page_change_kind", "delete"), ("/revision/content_slots", "null")], "Q7", 101, Change::PageDelete),
        (EDIT, &[("/page/page_title", "Property:P3"), ("/page/namespace_id", "120")], "P3", 101, EDITED),
        (EDIT, &[("/page/page_title", "Lexeme:L3"), ("/page/namespace_id", "146")], "L3", 101, EDITED),
        (EDIT, &[("/page/page_title", "\"Q\\u0039\"")], "Q9", 101, EDITED),
        (EDIT, &[("/$schema", "/mediawiki/page/change/1.9.3")], "Q7", 101, EDITED),
        (EDIT, &[("/page/page_id", "null")], "Q7", 101, EDITED),
        (EDIT, &[("/new_field", "[{}]")], "Q7", 101, EDITED),
        (LEGACY, &[], "Q7", 101, EDITED),
        (LEGACY, &[("/rev_parent_id", "null")], "Q7", 101, CREATED),
        (LEGACY, &[("/rev_slots", "null")], "Q7", 101, EDITED),
        (LEGACY, &[("/$schema", "/mediawiki/page/delete/1.0.0")], "Q7", 101, Change::PageDelete),
        (LEGACY, &[("/$schema", "/mediawiki/page/undelete/1.0.0")], "Q7", 101, Change::PageUndelete),
        (
            LEGACY,
            &[("/$schema", "/mediawiki/page/delete/1.0.0"), ("/meta/stream", "mediawiki.page-suppress")],
            "Q7",
            101,
            Change::PageDelete,
        ),
        // As it was before 2020.
        (
            LEGACY,
            &[
                ("/$schema", "null"),
                ("/meta/schema_uri", "mediawiki/page/delete/2"),
                ("/meta/stream", "null"),
                ("/meta/topic", "t"),
            ],
            "Q7",
            101,
            Change::PageDelete,
        ),
        (RECONCILIATION, &[], "Q7", 101, CREATION),
        (RECONCILIATION, &[("/reconciliation_action", "DELETION")], "Q7", 101, DELETION),
        (RECONCILIATION, &[("/reconciliation_action", "DELETION"), ("/revision_id", "0")], "Q7", 0, DELETION),
        (RECONCILIATION, &[("/item", "M5")], "M5", 101, CREATION),
    ];
    for (base, changes, item, revision, change) in rows {
        let got = event(&with(base, changes), &wikidata());
        assert_eq!((got.item.as_str(), got.revision, &got.change), (*item, *revision, change), "{changes:?}");
        assert_eq!(got.event_time, TIME, "{changes:?}");
    }
    let dated = event(&with(RECONCILIATION, &[("/dt", "2024-10-04T15:16:27Z")]), &wikidata());
    assert_eq!(
        (dated.event_time, dated.original.timestamp),
        (TIME + 1000, TIME),
        "a reconcile event may have its own time"
    );
}

#[test]
fn mediainfo_is_named_after_its_page() {
    let slots = r#"{"main": {"content_model": "wikitext"}, "mediainfo": {"content_model": "wikibase-mediainfo"}}"#;
    let file =
        [("/page/page_title", "File:A.jpg"), ("/page/namespace_id", "6"), ("/meta/domain", "commons.wikimedia.org")];
    let with_slots = |slots| with(EDIT, &[&file[..], &[("/revision/content_slots", slots)]].concat());
    assert_eq!(event(&with_slots(slots), &Filter::commons()).item, "M70");
    let ignored = |json: &[u8]| {
        matches!(read(json, &Filter::commons(), 0), Ok(Read::Ignored(Ignored { reason: Reason::NoMediaInfo, .. })))
    };
    assert!(ignored(&with_slots(r#"{"main": {"content_model": "wikitext"}}"#)));
    let legacy = [("/page_namespace", "6"), ("/meta/domain", "commons.wikimedia.org"), ("/page_title", "File:A.jpg")];
    assert!(ignored(&with(LEGACY, &legacy)));
    let legacy = with(LEGACY, &[&legacy[..], &[("/rev_slots", r#"{"mediainfo": {}}"#)]].concat());
    assert_eq!(event(&legacy, &Filter::commons()).item, "M70");
}

#[test]
fn what_does_not_concern_us_has_a_reason_and_a_time() {
    let model = "/revision/content_slots/main/content_model";
    let rows: &[(&str, Changes<'_>, Reason, Option<i64>)] = &[
        (EDIT, &[("/meta/domain", "canary")], Reason::Canary, Some(TIME)),
        (EDIT, &[("/meta/domain", "en.wikipedia.org")], Reason::Domain, Some(TIME)),
        (EDIT, &[("/meta/domain", "null")], Reason::Domain, Some(TIME)),
        (EDIT, &[("/meta/domain", "en.wikipedia.org"), ("/$schema", "new/9")], Reason::Domain, Some(TIME + 1500)),
        (EDIT, &[("/meta/domain", "canary"), ("/dt", "soon")], Reason::Canary, None),
        (EDIT, &[("/meta/domain", "canary"), ("/page", "null")], Reason::Canary, Some(TIME)),
        (EDIT, &[("/page/namespace_id", "2")], Reason::Namespace, Some(TIME)),
        (EDIT, &[(model, "wikitext")], Reason::ContentModel, Some(TIME)),
        (EDIT, &[("/revision/content_slots", "null")], Reason::ContentModel, Some(TIME)),
        (EDIT, &[("/page_change_kind", "visibility_change")], Reason::VisibilityChange, Some(TIME)),
        (EDIT, &[("/page_change_kind", "renaming")], Reason::UnknownKind, Some(TIME)),
        (LEGACY, &[("/page_namespace", "3")], Reason::Namespace, Some(TIME)),
        (RECONCILIATION, &[("/reconciliation_source", "other@there")], Reason::ReconcileSource, Some(TIME)),
        (RECONCILIATION, &[("/meta/stream", "other")], Reason::ReconcileSource, Some(TIME)),
        (RECONCILIATION, &[("/meta/domain", "commons.wikimedia.org")], Reason::Domain, Some(TIME)),
    ];
    for (base, changes, reason, source_time) in rows {
        let expected = Ignored { reason: *reason, source_time: *source_time };
        match read(&with(base, changes), &wikidata(), RECEIVED) {
            Ok(Read::Ignored(got)) => assert_eq!(got, expected, "{changes:?}"),
            other => panic!("{other:?} of {changes:?}"),
        }
    }
}

#[test]
fn what_is_no_event_says_why() {
    let title = "/page/page_title";
    let rows: &[(&str, Changes<'_>, &str)] = &[
        (EDIT, &[("/meta", "null")], "it has no `meta`"),
        (EDIT, &[("/$schema", "null")], "it has no `$schema`"),
        (EDIT, &[("/$schema", "/mediawiki/page/change/2.0.0")], "follows the schema `/mediawiki/page/change/2.0.0`"),
        (EDIT, &[("/$schema", "/mediawiki/recentchange/1.0.0")], "follows the schema `/mediawiki/recentchange/1.0.0`"),
        (EDIT, &[("/$schema", "")], "follows the schema ``"),
        (EDIT, &[("/page_change_kind", "null")], "it has no `page_change_kind`"),
        (EDIT, &[("/page", "null")], "it has no `page`"),
        (EDIT, &[("/page/namespace_id", "null")], "it has no `page.namespace_id`"),
        (EDIT, &[(title, "null")], "it has no `page.page_title`"),
        (EDIT, &[("/revision", "null")], "it has no `revision`"),
        (EDIT, &[("/revision/rev_id", "null")], "it has no `revision.rev_id`"),
        (EDIT, &[("/dt", "null")], "it has no `dt`"),
        (EDIT, &[("/meta/dt", "null")], "it has no `meta.dt`"),
        (EDIT, &[("/meta/stream", "null")], "it has no `meta.stream`"),
        (LEGACY, &[("/rev_id", "null")], "it has no `rev_id`"),
        (LEGACY, &[("/page_title", "null")], "it has no `page_title`"),
        (LEGACY, &[("/page_namespace", "null")], "it has no `page_namespace`"),
        (LEGACY, &[("/meta/dt", "null")], "it has no `meta.dt`"),
        (RECONCILIATION, &[("/item", "null")], "it has no `item`"),
        (RECONCILIATION, &[("/revision_id", "null")], "it has no `revision_id`"),
        (RECONCILIATION, &[("/reconciliation_source", "null")], "it has no `reconciliation_source`"),
        (RECONCILIATION, &[("/reconciliation_action", "null")], "it has no `reconciliation_action`"),
        (RECONCILIATION, &[("/reconciliation_action", "MERGE")], "the reconciliation action `MERGE` is unknown"),
        (RECONCILIATION, &[("/item", "Item:Q7")], "`Item:Q7` is no entity"),
        (EDIT, &[(title, "Main Page")], "`Main Page` is no entity: the letter of an entity id"),
        (EDIT, &[(title, "Q99999999999")], "at most 2147483647"),
        (EDIT, &[("/revision/rev_id", "0")], "0 is no revision: a revision is greater than 0"),
        (EDIT, &[("/revision/rev_id", "-5")], "-5 is no revision"),
        (EDIT, &[("/revision/rev_id", "4611686018427387904")], "4611686018427387904 is no revision"),
        (EDIT, &[("/revision/rev_id", "18446744073709551615")], "18446744073709551615 is no revision"),
        (EDIT, &[("/revision/rev_parent_id", "18446744073709551615")], "18446744073709551615 is no revision"),
        (RECONCILIATION, &[("/revision_id", "0")], "0 is no revision"),
        (EDIT, &[("/revision/rev_id", "\"101\"")], "it is no event: invalid number"),
        (EDIT, &[("/revision/rev_id", "1.5")], "it is no event: "),
        (EDIT, &[("/dt", "2024-10-04T15:16:26")], "`dt` is no time from the year 0 to 9999 with a zone"),
        (EDIT, &[("/meta/dt", "yesterday")], "`meta.dt` is no time"),
        (LEGACY, &[("/meta/dt", "9999-12-31T23:59:59-01:00")], "`meta.dt` is no time"),
    ];
    for (base, changes, expected) in rows {
        match read(&with(base, changes), &wikidata(), RECEIVED) {
            Err(error) => assert!(error.to_string().contains(expected), "{error}, not {expected}"),
            other => panic!("{other:?} of {changes:?}"),
        }
    }
    for bad in ["", "{", "null", "17", "\"text\"", "[]", "{\"meta\": 1}", "{\"meta\": {\"dt\": \"\u{1}\"}}"] {
        let error = read(bad.as_bytes(), &wikidata(), RECEIVED).expect_err(bad).to_string();
        assert!(error.starts_with("it "), "{error}");
    }
    let long = "\u{20ac}".repeat(1000);
    let error = read(&with(EDIT, &[(title, &long)]), &wikidata(), RECEIVED).unwrap_err().to_string();
    assert!(error.chars().count() < 200 && error.contains('\u{2026}'), "{error}");
}

#[test]
fn events_that_state_cannot_hold_are_refused() {
    let sound = event(EDIT.as_bytes(), &wikidata());
    let changed = |change: fn(&mut InputEvent)| {
        let mut event = sound.clone();
        change(&mut event);
        Incoming::new(event).map(|incoming| incoming.revision())
    };
    assert_eq!(changed(|_| ()).unwrap(), Revision::new(101).ok());
    assert!(changed(|event| event.item = "X1".to_owned()).is_err());
    assert!(changed(|event| event.revision = 0).is_err());
    assert!(changed(|event| event.revision = i64::MIN).is_err());
    assert!(changed(|event| event.event_time = i64::MAX).is_err());
    assert!(changed(|event| event.ingestion_time = i64::MIN).is_err());
    assert!(changed(|event| event.original.timestamp = 253_402_300_800_000).is_err());
    let deletion = |event: &mut InputEvent| {
        event.change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion };
        event.revision = 0;
    };
    assert_eq!(changed(deletion).unwrap(), None);
    assert!(changed(|event| event.revision = -1).is_err());
}

fn changes() -> impl Strategy<Value = (Change, i64)> {
    let parent = prop::option::of(any::<i64>());
    let change = prop_oneof![
        parent.prop_map(|parent_revision| Change::RevCreate { parent_revision }),
        Just(Change::PageDelete),
        Just(Change::PageUndelete),
        Just(Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation }),
        Just(Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion }),
    ];
    let revision = prop_oneof![1..1000_i64, 1..=Revision::MAX as i64];
    prop_oneof![9 => (change, revision), 1 => Just((crate::event::FORCED_DELETE, 0))]
}

fn incoming() -> impl Strategy<Value = Incoming> {
    let item = prop_oneof!["[QPL][1-9][0-9]{0,8}", "M[1-9][0-9]{0,8}"];
    let times = [crate::event::TIMES, crate::event::TIMES, 0..=2_000_000_000_000];
    let info = (prop::option::of(".{0,9}"), prop::option::of(".{0,9}"), 0..4_u32);
    (item, changes(), times, info).prop_map(|(item, (change, revision), times, (id, request_id, minor))| {
        let domain = if item.starts_with('M') { "commons.wikimedia.org" } else { "www.wikidata.org" };
        let (stream, title) = match change {
            Change::ReconcileInputEvent { .. } => (RECONCILE, "/rdf_streaming_updater/reconcile"),
            _ => (PAGE_CHANGE, "/mediawiki/page/change"),
        };
        let original = EventInfo {
            timestamp: times[0],
            id,
            domain: Some(domain.to_owned()),
            stream: stream.to_owned(),
            request_id,
            schema: format!("{title}/1.{minor}.0"),
        };
        let [_, event_time, ingestion_time] = times;
        Incoming::new(InputEvent { item, event_time, ingestion_time, revision, change, original }).unwrap()
    })
}

proptest! {
    #[test]
    fn what_was_written_reads_the_same(incoming in incoming(), source in "[a-z@]{1,9}") {
        let json = to_json(&incoming, &source, Some(&incoming.event().original));
        let base = if incoming.entity().kind() == EntityKind::MediaInfo { Filter::commons() } else { Filter::wikidata() };
        let reconcile = Some(ReconcileSource::parse(&format!("{RECONCILE}[{source}]")).unwrap());
        let read = read(&json, &Filter { reconcile, ..base }, incoming.event().ingestion_time);
        prop_assert_eq!(read.unwrap(), Read::Event(incoming));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &wikidata(), RECEIVED);
    }

    /// Much like an event, but spoilt.
    #[test]
    fn no_spoilt_event_makes_it_panic(
        which in 0..3_usize,
        spoils in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, ".{0,3}|[0-9]{20,40}|null|\\{|\\[|-1"), 1..4),
    ) {
        let mut bytes = [EDIT, LEGACY, RECONCILIATION][which].as_bytes().to_vec();
        for (at, length, text) in spoils {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, text.bytes());
        }
        match read(&bytes, &wikidata(), RECEIVED) {
            Ok(Read::Event(incoming)) => prop_assert_eq!(incoming.entity().to_string(), incoming.event().item.as_str()),
            Ok(Read::Ignored(_)) => {}
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// File, wiki, what is read of it: for `page_change` and reconcile events what upstream's own tests expect of the same files.
const REAL: &[(&str, &str, &str)] = &[
    ("page_change_events/wikibase/item-create", "test", "Q235989 686138 2024-10-04T15:09:55Z RevCreate"),
    ("page_change_events/wikibase/item-edit", "test", "Q235989 686139 2024-10-04T15:16:26Z RevCreate from 686138"),
    ("page_change_events/wikibase/item-delete", "test", "Q235989 686140 2024-10-04T15:26:14Z PageDelete"),
    ("page_change_events/wikibase/item-page-suppress", "test", "Q235989 686140 2024-10-04T15:32:58Z PageDelete"),
    ("page_change_events/wikibase/item-undelete", "test", "Q235989 686140 2024-10-04T15:27:28Z PageUndelete"),
    (
        "page_change_events/wikibase/item-undelete-suppressed",
        "test",
        "Q235989 686140 2024-10-04T15:37:46Z PageUndelete",
    ),
    ("page_change_events/wikibase/item-visibility-change", "test", "visibility_change"),
    ("page_change_events/wikibase/non-item-create", "test", "namespace"),
    ("page_change_events/wikibase/property-edit", "test", "P115 686147 2024-10-04T16:36:56Z RevCreate from 686146"),
    ("page_change_events/wikibase/lexeme-create", "test", "L4227 686857 2024-10-08T07:35:59Z RevCreate"),
    (
        "page_change_events/mediainfo/edit-mediainfo-item",
        "commons",
        "M114491269 934984984 2024-10-07T19:33:46Z RevCreate from 830021987",
    ),
    (
        "page_change_events/mediainfo/move-mediainfo-item",
        "commons",
        "M49988679 930818273 2024-09-30T22:33:39Z RevCreate from 930818220",
    ),
    ("page_change_events/mediainfo/edit-non-mediainfo-item", "commons", "no_mediainfo"),
    (
        "reconciliation_events/reconcile-creation",
        "test",
        "Q92474238 2257669841 2024-10-08T01:29:46.634Z ReconcileInputEvent",
    ),
    ("reconciliation_events/reconcile-creation-unrelated-source", "test", "reconcile_source"),
    ("legacy/create-event-full", "acme", "Q20672616 62295 2018-01-21T16:38:20Z RevCreate from 6299559"),
    ("legacy/page-delete", "acme", "Q47462581 621830 2018-01-19T18:53:59Z PageDelete"),
    ("legacy/page-undelete", "acme", "Q32451604 565767 2018-01-21T09:30:46Z PageUndelete"),
    ("legacy/prop-change", "acme", "it follows the schema `mediawiki/page/properties-change/1`, which is not read"),
    ("legacy/create-event", "acme", "it has no `$schema`"),
];

/// Real events, next to the project; where they are absent the test says so aloud.
#[test]
fn real_events() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    if !fixtures.is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    let test = Filter {
        reconcile: Some(
            ReconcileSource::parse("rdf-streaming-updater.reconcile[wdqs_sideoutputs_reconcile@eqiad]").unwrap(),
        ),
        ..Filter::entities("test.wikidata.org")
    };
    for (name, wiki, expected) in REAL {
        let filter = match *wiki {
            "test" => test.clone(),
            "acme" => Filter::entities("acme.test"),
            _ => Filter::commons(),
        };
        let json = fs::read(fixtures.join(format!("events/{name}.json"))).expect(name);
        let got = match read(&json, &filter, 0) {
            Ok(Read::Event(incoming)) => {
                let event = incoming.event();
                let parent = match event.change {
                    Change::RevCreate { parent_revision: Some(parent) } => format!(" from {parent}"),
                    _ => String::new(),
                };
                let time = Timestamp::from_millis(event.event_time).unwrap();
                format!("{} {} {time} {}{parent}", event.item, event.revision, event.change.name())
            }
            Ok(Read::Ignored(ignored)) => ignored.reason.name().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, *expected, "{name}");
    }
    let answer = fs::read(fixtures.join("IncomingEventStreamsUnitTest-stream-config.json")).unwrap();
    let answer = StreamConfiguration::parse(&answer).unwrap();
    let topics = answer.topics(PAGE_CHANGE, &SCHEMA_TITLES).unwrap();
    assert_eq!(topics, ["eqiad.mediawiki.page_change.v1", "codfw.mediawiki.page_change.v1"]);
    for other in [
        "JsonEncodersUnitTest-eventstream",
        "OutputEventStreamsBuilderUnitTest-stream",
        "OutputStreamsBuilderUnitTest-stream",
    ] {
        let answer = fs::read(fixtures.join(format!("{other}-config.json"))).expect(other);
        StreamConfiguration::parse(&answer).expect(other);
    }
}

#[test]
fn schemas_that_streams_may_have_are_read() {
    for title in SCHEMA_TITLES {
        assert!(Schema::of(&format!("/{title}/1.0.0")).is_some(), "{title}");
    }
}
