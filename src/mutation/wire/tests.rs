//! Messages beside upstream's, and beside the schema that they must keep to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::mutation::wire::{Data, Kind, Message, Meta, Version, WireError, string};
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// The message of upstream's tests.
fn sample<'a>(version: Version, kind: Kind) -> Message<'a> {
    let (a, del) = ("<uri:a> <uri:b> <uri:c> .\n", "<uri:del> <uri:del> <uri:del> .\n");
    let (x, unlinked) = ("<uri:x> <uri:y> <uri:z> .\n", "<uri:unlinked> <uri:unlinked> <uri:unlinked> .\n");
    let data = |added, removed, linked, unlinked| Data {
        added: Cow::Borrowed(added),
        removed: Cow::Borrowed(removed),
        linked_shared: Cow::Borrowed(linked),
        unlinked_shared: Cow::Borrowed(unlinked),
    };
    Message {
        version,
        meta: Meta {
            dt: millis(1),
            id: "00000000-0000-0002-0000-000000000003".into(),
            domain: Some("unittest.local".into()),
            stream: "rdf_stream".into(),
            request_id: Some("00000000-0000-0003-0000-000000000004".into()),
        },
        entity: EntityId::parse(b"Q123").unwrap(),
        revision: 123,
        event_time: millis(0),
        sequence: 0,
        sequence_length: 1,
        kind,
        data: match kind {
            Kind::Import => data(a, "", x, ""),
            Kind::Diff => data(a, del, x, unlinked),
            Kind::Delete => Data::default(),
            Kind::Reconcile => data("<uri:a> <uri:b> <uri:c> .\n<uri:x> <uri:y> <uri:z> .\n", "", "", ""),
        },
    }
}

const KINDS: [Kind; 4] = [Kind::Import, Kind::Diff, Kind::Delete, Kind::Reconcile];
const VERSIONS: [Version; 2] = [Version::V1, Version::V2];

/// A folder of real data, if it is there; else it is said aloud that it is not.
fn fixtures(folder: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    // Not through print!, which the test runner keeps to itself.
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
    None
}

fn lines(text: &str) -> BTreeSet<String> {
    let (arena, prefixes) = (Arena::default(), Prefixes::default());
    let (mut reader, mut triples) = (Reader::new(&arena, &prefixes, text, 0, true), Vec::new());
    while reader.statement(&mut triples).unwrap() {}
    let line = |triple| {
        let mut line = Vec::new();
        ntriples::line(&mut line, triple, Encoding::Utf8);
        String::from_utf8(line).unwrap()
    };
    triples.iter().map(line).collect()
}

/// The message as JSON, and each part as the set of its triples.
fn compared(bytes: &[u8]) -> (Value, Vec<(String, BTreeSet<String>)>) {
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    let mut parts = Vec::new();
    for (key, part) in value.as_object_mut().unwrap().iter_mut().filter(|(key, _)| key.starts_with("rdf_")) {
        parts.push((key.clone(), lines(part["data"].as_str().unwrap())));
        part["data"] = Value::Null;
    }
    (value, parts)
}

#[test]
fn messages_are_those_of_upstream() {
    let Some(folder) = fixtures("mutations") else { return };
    for (version, suffix) in VERSIONS.into_iter().zip(["v1", "v2"]) {
        for (kind, name) in KINDS.into_iter().zip(["Import", "Diff", "Delete", "Reconcile"]) {
            let file = format!("MutationEventDataJsonSerializationUnitTest-test{name}-{suffix}.json");
            let upstream = std::fs::read(folder.join(&file)).unwrap();
            assert_eq!(compared(&written(&sample(version, kind))), compared(&upstream), "{file}");
            let read = Message::read(&upstream).unwrap();
            assert_eq!(
                serde_json::from_slice::<Value>(&written(&read)).unwrap(),
                serde_json::from_slice::<Value>(&upstream).unwrap()
            );
            let text = String::from_utf8(upstream.clone()).unwrap();
            assert_eq!(String::from_utf8(written(&read)).unwrap(), text.trim_end(), "{file}: even to the byte");
        }
    }
}

#[test]
fn messages_are_written_like_this() {
    let diff = String::from_utf8(written(&sample(Version::V2, Kind::Diff))).unwrap();
    let expected = concat!(
        r#"{"$schema":"/mediawiki/wikibase/entity/rdf_change/2.0.0","#,
        r#""meta":{"dt":"1970-01-01T00:00:00.001Z","id":"00000000-0000-0002-0000-000000000003","domain":"unittest.local","#,
        r#""stream":"rdf_stream","request_id":"00000000-0000-0003-0000-000000000004"},"#,
        r#""entity_id":"Q123","rev_id":123,"dt":"1970-01-01T00:00:00Z","sequence":0,"sequence_length":1,"operation":"diff","#,
        r#""rdf_added_data":{"data":"<uri:a> <uri:b> <uri:c> .\n","mime_type":"text/turtle"},"#,
        r#""rdf_deleted_data":{"data":"<uri:del> <uri:del> <uri:del> .\n","mime_type":"text/turtle"},"#,
        r#""rdf_linked_shared_data":{"data":"<uri:x> <uri:y> <uri:z> .\n","mime_type":"text/turtle"},"#,
        r#""rdf_unlinked_shared_data":{"data":"<uri:unlinked> <uri:unlinked> <uri:unlinked> .\n","mime_type":"text/turtle"}}"#,
    );
    assert_eq!(diff, expected);
    let mut bare = sample(Version::V1, Kind::Delete);
    (bare.meta.domain, bare.meta.request_id) = (None, None);
    let expected = concat!(
        r#"{"$schema":"/wikibase/rdf/update_stream/1.0.0","meta":{"dt":"1970-01-01T00:00:00.001Z","#,
        r#""id":"00000000-0000-0002-0000-000000000003","stream":"rdf_stream"},"entity":"Q123","revision":123,"#,
        r#""event_time":"1970-01-01T00:00:00Z","sequence":0,"sequence_length":1,"operation":"delete"}"#,
    );
    assert_eq!(String::from_utf8(written(&bare)).unwrap(), expected);
}

/// Field, its type, and whether a message must have it. Source: `mediawiki/wikibase/entity/rdf_change` and `fragment/common`, 2.0.0.
const SCHEMA: &[(&str, &str, bool)] = &[
    ("$schema", "string", true),
    ("meta", "object", true),
    ("dt", "string", true),
    ("entity_id", "string", true),
    ("rev_id", "integer", true),
    ("sequence", "integer", true),
    ("sequence_length", "integer", true),
    ("operation", "string", true),
    ("rdf_added_data", "object", false),
    ("rdf_deleted_data", "object", false),
    ("rdf_linked_shared_data", "object", false),
    ("rdf_unlinked_shared_data", "object", false),
];
const META: &[(&str, &str, bool)] = &[
    ("stream", "string", true),
    ("dt", "string", false),
    ("id", "string", false),
    ("domain", "string", false),
    ("request_id", "string", false),
];
const RDF: &[(&str, &str, bool)] = &[("data", "string", true), ("mime_type", "string", true)];

fn check(object: &Map<String, Value>, table: &[(&str, &str, bool)]) {
    for (field, kind, is_required) in table {
        let value = object.get(*field);
        assert!(value.is_some() || !is_required, "{field} is missing");
        let is_of_kind = value.is_none_or(|value| match *kind {
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            _ => value.is_object(),
        });
        assert!(is_of_kind, "{field} is no {kind}: {value:?}");
    }
    let is_known = |key: &&String| table.iter().any(|(field, _, _)| field == key);
    assert_eq!(object.keys().find(|key| !is_known(key)), None, "fields that the schema does not allow");
}

#[test]
fn messages_of_version_2_keep_to_their_schema() {
    for kind in KINDS {
        for (domain, request_id) in [(None, None), (Some("d"), Some("r"))] {
            let mut message = sample(Version::V2, kind);
            (message.meta.domain, message.meta.request_id) = (domain.map(Cow::Borrowed), request_id.map(Cow::Borrowed));
            let value: Value = serde_json::from_slice(&written(&message)).unwrap();
            check(value.as_object().unwrap(), SCHEMA);
            check(value["meta"].as_object().unwrap(), META);
            assert!(["diff", "import", "delete", "reconcile"].contains(&value["operation"].as_str().unwrap()));
            assert!(value["sequence_length"].as_u64() >= Some(1));
            for (_, part) in value.as_object().unwrap().iter().filter(|(key, _)| key.starts_with("rdf_")) {
                check(part.as_object().unwrap(), RDF);
            }
        }
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let Some(folder) = fixtures("schemas") else { return };
    let schema = std::fs::read_to_string(folder.join("mediawiki/wikibase/entity/rdf_change/2.0.0.yaml")).unwrap();
    // The file is YAML; its names stand alone on their lines.
    let below = |head: &str, indent: &str| -> BTreeSet<String> {
        let rest = schema.split_once(&format!("\n{head}:\n")).unwrap().1;
        let name =
            |line: &str| line.trim_start().trim_start_matches("- ").trim_end_matches(':').trim_matches('\'').to_owned();
        let within = rest.lines().take_while(|line| line.starts_with(' ') || line.starts_with('-'));
        within.filter(|line| line.strip_prefix(indent).is_some_and(|rest| !rest.starts_with(' '))).map(name).collect()
    };
    let names = |only_required: bool| -> BTreeSet<String> {
        SCHEMA.iter().filter(|row| row.2 || !only_required).map(|row| row.0.to_owned()).collect()
    };
    assert_eq!(below("properties", "  "), names(false));
    assert_eq!(below("required", "  "), names(true));
}

#[test]
fn bytes_that_are_no_message_say_why() {
    let good: Value = serde_json::from_slice(&written(&sample(Version::V2, Kind::Diff))).unwrap();
    let with = |path: &str, value: Value| {
        let mut message = good.clone();
        *message.pointer_mut(path).unwrap() = value;
        serde_json::to_vec(&message).unwrap()
    };
    let without = |field: &str| {
        let mut message = good.clone();
        message.as_object_mut().unwrap().remove(field);
        serde_json::to_vec(&message).unwrap()
    };
    let rows = [
        (b"".to_vec(), "no message"),
        (b"[]".to_vec(), "no message"),
        (written(&sample(Version::V2, Kind::Diff))[..200].to_vec(), "no message"),
        (with("/$schema", json!("/mediawiki/page/change/1.0.0")), "`/mediawiki/page/change/1.0.0` is no schema"),
        (with("/$schema", json!("/wikibase/rdf/update_stream/2.0.0")), "is no schema"),
        (with("/$schema", json!("/wikibase/rdf/update_stream/1.")), "is no schema"),
        (with("/operation", json!("merge")), "`merge` is no operation"),
        (with("/entity_id", json!("X1")), "`X1` is no entity"),
        (with("/rev_id", json!(-1)), "no message"),
        (with("/dt", json!("yesterday")), "`yesterday` is no time"),
        (with("/meta/dt", json!("yesterday")), "`yesterday` is no time"),
        (with("/rdf_added_data/mime_type", json!("text/csv")), "`text/csv`"),
        (with("/sequence", json!(1)), "number 1 of 1"),
        (with("/sequence_length", json!(0)), "number 0 of 0"),
        (without("rev_id"), "missing field"),
        (without("meta"), "missing field"),
    ];
    for (bytes, expected) in rows {
        let error: WireError = Message::read(&bytes).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}, not {expected}: {}", String::from_utf8_lossy(&bytes));
    }
    // Newer minor versions, and fields that are not known, are passed over.
    let mut newer = good.clone();
    newer["$schema"] = json!("/mediawiki/wikibase/entity/rdf_change/2.1.3");
    newer["new"] = json!({ "a": [1] });
    newer["rdf_added_data"] = Value::Null;
    assert!(Message::read(&serde_json::to_vec(&newer).unwrap()).unwrap().data.added.is_empty());
}

#[test]
fn texts_are_borrowed_where_they_can_be() {
    let bytes = written(&sample(Version::V2, Kind::Diff));
    let read = Message::read(&bytes).unwrap();
    let texts =
        [Some(&read.meta.id), read.meta.domain.as_ref(), Some(&read.meta.stream), read.meta.request_id.as_ref()];
    assert!(texts.iter().all(|text| matches!(text, Some(Cow::Borrowed(_)))), "{texts:?}");
}

#[test]
fn streams_are_named_by_version() {
    assert_eq!(Version::V1.stream("rdf-streaming-updater.mutation"), "rdf-streaming-updater.mutation");
    assert_eq!(Version::V2.stream("rdf-streaming-updater.mutation"), "rdf-streaming-updater.mutation.v2");
}

prop_compose! {
    fn messages()(
        (version, kind) in (proptest::sample::select(&VERSIONS[..]), proptest::sample::select(&KINDS[..])),
        texts in proptest::collection::vec("\\PC*|[\\x00-\\x7F]*", 8),
        (some_domain, some_request, number) in (any::<bool>(), any::<bool>(), 1..=i32::MAX as u32),
        (dt, event_time) in (0..253_402_300_800_000_i64, 0..253_402_300_800_000_i64),
        (revision, sequence, more) in (0..i64::MAX as u64, 0..u32::MAX / 2, 1..u32::MAX / 2),
    ) -> Message<'static> {
        let mut texts = texts.into_iter().map(Cow::Owned);
        let mut text = || texts.next().unwrap_or_default();
        Message {
            version,
            meta: Meta {
                dt: millis(dt),
                id: text(),
                stream: text(),
                domain: some_domain.then(&mut text),
                request_id: some_request.then(&mut text),
            },
            entity: EntityId::new(crate::wikibase::entity::EntityKind::Item, number).unwrap(),
            revision,
            event_time: millis(event_time),
            sequence,
            sequence_length: sequence + more,
            kind,
            data: Data { added: text(), removed: text(), linked_shared: text(), unlinked_shared: text() },
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(message in messages()) {
        let bytes = written(&message);
        prop_assert_eq!(Message::read(&bytes).unwrap(), message);
    }

    #[test]
    fn texts_are_escaped_as_serde_json_does(text in "\\PC*|[\\x00-\\x7F]*") {
        let mut out = Vec::new();
        string(&mut out, &text);
        prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
    }

    #[test]
    fn no_bytes_do_harm(mut bytes in Just(written(&sample(Version::V2, Kind::Diff))), at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let end = if cut { at } else { bytes.len() };
        if let Ok(message) = Message::read(&bytes[..end]) {
            let again = written(&message);
            prop_assert_eq!(Message::read(&again).unwrap(), message);
        }
    }
}
