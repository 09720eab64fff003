//! Savepoints written are savepoints read; whatever is changed in one is found.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::savepoint::native::manifest::{DumpStarts, Input, ManifestError, StartOffset};
use crate::savepoint::stream::OutputEnd;
use crate::state::{EntityState, KindCount};
use crate::storage::{self, Blob, StorageError};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};
use crate::wikibase::timestamp::Timestamp;

fn provenance() -> Provenance {
    let time = |text| Timestamp::parse(text).unwrap();
    Provenance {
        created_at: time("2026-01-05T12:00:00Z"),
        created_by: "headwater 0.1.0".to_owned(),
        inputs: vec![Input { location: "dumps/wikidata-20260101-all.ttl.bz2".to_owned(), size: 123 }],
        concept: "http://www.wikidata.org/entity/".to_owned(),
        entity_data: "https://www.wikidata.org/wiki/Special:EntityData/".to_owned(),
        dump_starts: Some(DumpStarts {
            oldest: time("2026-01-01T23:00:01Z"),
            newest: time("2026-01-02T01:00:00Z"),
            headers: 8,
        }),
    }
}

fn state_of(text: &str) -> StateTable {
    let mut state = StateTable::default();
    for row in text.split_whitespace() {
        let (entity, revision) = row.split_once('@').unwrap();
        let number = Revision::parse(revision.trim_start_matches('-').as_bytes()).unwrap();
        let deleted = revision.starts_with('-');
        let entity = EntityId::parse(entity.as_bytes()).unwrap();
        state.set(entity, if deleted { EntityState::Deleted(number) } else { EntityState::Created(number) });
    }
    state
}

fn write_to(dir: &Location, state: &StateTable, on_existing: OnExisting) -> Result<Written, SavepointError> {
    write(dir, state, &provenance(), on_existing, &|| false)
}

fn dir() -> Location {
    Location::memory().join("sp")
}

fn bytes_of(file: &Location) -> Vec<u8> {
    let blob = Blob::open(file).unwrap();
    blob.read(0..blob.size()).unwrap().to_vec()
}

fn names(dir: &Location) -> Vec<String> {
    storage::list(dir).unwrap().iter().filter_map(|entry| entry.location.relative_to(dir)).collect()
}

fn some_state() -> impl Strategy<Value = StateTable> {
    let entity = (0..4_usize, prop_oneof![1..600_u32, 1..=1_000_000_u32]);
    let entity = entity.prop_map(|(kind, number)| EntityId::new(EntityKind::ALL[kind], number).unwrap());
    let revision = prop_oneof![1..100_u64, 1..=Revision::MAX].prop_map(|number| Revision::new(number).unwrap());
    prop::collection::vec((entity, revision, any::<bool>()), 0..200).prop_map(|rows| {
        let mut state = StateTable::default();
        for (entity, revision, deleted) in rows {
            state.set(entity, if deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) });
        }
        state
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(state in some_state()) {
        let dir = dir();
        let written = write_to(&dir, &state, OnExisting::Refuse).unwrap();
        prop_assert_eq!(written.files, storage::list(&dir).unwrap().len() as u64);
        prop_assert_eq!(written.bytes, storage::list(&dir).unwrap().iter().map(|entry| entry.size).sum::<u64>());
        let Whole { manifest, state: again, stream } = read(&dir).unwrap();
        prop_assert_eq!(stream, Stream::default());
        prop_assert!(again.iter().eq(state.iter()));
        prop_assert_eq!(&manifest.made, &provenance());
        prop_assert_eq!(inspect(&dir).unwrap(), manifest);
        prop_assert_eq!(verify(&dir).unwrap().problems, vec![]);
    }

    /// No byte of any file can change unnoticed, and nothing panics over it.
    #[test]
    fn every_changed_byte_is_found(at in any::<prop::sample::Index>(), change in 1..=255_u8, file in 0..3_usize) {
        let dir = dir();
        write_to(&dir, &state_of("Q1@1 Q2@-5 Q300@7 P5@9"), OnExisting::Refuse).unwrap();
        let file = storage::list(&dir).unwrap()[file].location.clone();
        let mut bytes = bytes_of(&file);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        storage::put(&file, Bytes::from(bytes)).unwrap();
        // Of `_metadata` only what it says of files can be compared with anything.
        prop_assert!(read(&dir).is_err() || file.file_name() == "_metadata");
        match verify(&dir) {
            Ok(verified) => prop_assert!(!verified.problems.is_empty()),
            Err(error) => prop_assert!(matches!(error, SavepointError::Manifest { .. }), "{}", error),
        }
    }
}

#[test]
fn without_metadata_it_is_no_savepoint() {
    let dir = dir();
    assert!(matches!(read(&dir), Err(SavepointError::NotASavepoint { .. })));
    write_to(&dir, &state_of("Q1@1"), OnExisting::Refuse).unwrap();
    let metadata = dir.join("_metadata");
    let json = bytes_of(&metadata);
    for cut in [0, 1, json.len() / 2, json.len() - 2, json.len() - 1] {
        storage::put(&metadata, Bytes::copy_from_slice(&json[..cut])).unwrap();
        assert!(matches!(inspect(&dir), Err(SavepointError::Manifest { .. })), "{cut}");
    }
    storage::delete(&metadata).unwrap();
    assert!(matches!(verify(&dir), Err(SavepointError::NotASavepoint { .. })));
    // What a killed run left is no obstacle to the next one, and does not stay.
    write_to(&dir, &state_of("P1@1"), OnExisting::Refuse).unwrap();
    assert_eq!(names(&dir), ["_metadata", "state/P-00000.parquet"]);
}

#[test]
fn when_a_directory_may_be_written() {
    // What is there; what Refuse and Overwrite do.
    let rows: &[(&[&str], &str, &str)] = &[
        (&[], "written", "written"),
        (&["state/Q-00000.parquet", "state/M-00007.parquet"], "written", "written"),
        (&["_metadata", "state/Q-00000.parquet"], "exists", "written"),
        (&["_metadata"], "exists", "written"),
        (&["notes.txt"], "not empty", "not empty"),
        (&["_metadata", "state/Q-00000.parquet", "notes.txt"], "not empty", "not empty"),
        (&["state/Q-0.parquet"], "not empty", "not empty"),
        (&["state/X-00000.parquet"], "not empty", "not empty"),
        (&["Q-00000.parquet"], "not empty", "not empty"),
        (&["state/Q-00000.parquet/x"], "not empty", "not empty"),
    ];
    for (files, refuse, overwrite) in rows {
        for (on_existing, expected) in [(OnExisting::Refuse, refuse), (OnExisting::Overwrite, overwrite)] {
            let dir = dir();
            files.iter().for_each(|name| storage::put(&dir.join(name), Bytes::from_static(b"x")).unwrap());
            let before = names(&dir);
            let got = match write_to(&dir, &state_of("Q1@1"), on_existing) {
                Ok(_) => "written",
                Err(SavepointError::Exists { .. }) => "exists",
                Err(SavepointError::NotEmpty { .. }) => "not empty",
                Err(error) => panic!("{error}"),
            };
            assert_eq!(got, *expected, "{files:?} {on_existing:?}");
            let after =
                if got == "written" { vec!["_metadata".into(), "state/Q-00000.parquet".into()] } else { before };
            assert_eq!(names(&dir), after, "{files:?} {on_existing:?}");
        }
    }
}

#[test]
fn cancelled_at_any_time_it_leaves_nothing() {
    let state = state_of("Q1@1 P1@1 L1@1 M1@1");
    for calls in 0..5 {
        let dir = dir();
        let left = AtomicU32::new(calls);
        let cancelled = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
        let got = write(&dir, &state, &provenance(), OnExisting::Refuse, &cancelled);
        assert!(matches!(got, Err(SavepointError::Cancelled)), "{calls}");
        assert!(names(&dir).is_empty(), "{calls}");
    }
}

#[test]
fn all_problems_are_told() {
    let dir = dir();
    write_to(&dir, &state_of("Q1@1 P1@1 L1@1 M1@1"), OnExisting::Refuse).unwrap();
    storage::delete(&dir.join("state/Q-00000.parquet")).unwrap();
    storage::put(&dir.join("state/P-00000.parquet"), Bytes::from_static(b"x")).unwrap();
    storage::put(&dir.join("state/P-00001.parquet"), Bytes::from_static(b"x")).unwrap();
    let mut bytes = bytes_of(&dir.join("state/L-00000.parquet"));
    bytes.fill(b'x');
    storage::put(&dir.join("state/L-00000.parquet"), Bytes::from(bytes)).unwrap();
    let found: Vec<_> = verify(&dir).unwrap().problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        found[..2],
        ["state/P-00001.parquet does not belong to the savepoint", "state/Q-00000.parquet is missing"]
    );
    assert!(found[2].starts_with("state/P-00000.parquet has 1 bytes instead of "), "{}", found[2]);
    assert_eq!(found[3], "state/L-00000.parquet is damaged: its SHA-256 is not the one listed");
    assert!(
        found[4].starts_with("state/L-00000.parquet cannot be read: a state file cannot be read: "),
        "{}",
        found[4]
    );
    assert_eq!(found.len(), 5);
}

/// A manifest that says `to` where the true one says `from`, its checksum made right again.
fn forged(from: &str, to: &str) -> Result<Manifest, ManifestError> {
    let dir = dir();
    write_to(&dir, &state_of("Q1@1 Q2@1 P5@9"), OnExisting::Refuse).unwrap();
    let json = String::from_utf8(bytes_of(&dir.join("_metadata"))).unwrap();
    assert!(json.contains(from), "{from} is not in {json}");
    let json = json.replacen(from, to, 1);
    let start = json.rfind(r#""checksum": ""#).unwrap() + r#""checksum": ""#.len();
    let mut json = json.into_bytes();
    json[start..start + 64].fill(b'0');
    let sum: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&json).into();
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    json[start..start + 64].copy_from_slice(sum.as_bytes());
    Manifest::from_json(&json)
}

#[test]
fn manifests_that_lie() {
    let rows = [
        ("created_by", "created_by", "valid"),
        (
            r#""format": "headwater-savepoint""#,
            r#""format": "other""#,
            "it is not the manifest of a headwater savepoint",
        ),
        (
            r#""format_version": 1"#,
            r#""format_version": 3"#,
            "it is of format version 3; this program knows versions 1 and 2, so take one that is as new as the savepoint",
        ),
        (
            r#""format_version": 1"#,
            r#""format_version": 2"#,
            "it holds what format version 2 does not have, or lacks what it has",
        ),
        (r#""format_version": 1"#, r#""format_version": -1"#, "it is no complete manifest"),
        ("created_by", "made_by", "it is no complete manifest"),
        ("state/Q-00000.parquet", "../Q-00000.parquet", "`../Q-00000.parquet` is not the name of a state file"),
        ("state/Q-00000.parquet", "/etc/passwd", "`/etc/passwd` is not the name of a state file"),
        ("state/Q-00000.parquet", "state/Q-00001.parquet", "the file state/Q-00001.parquet is listed out of order"),
        ("state/P-00000.parquet", "state/Q-00000.parquet", "the file state/Q-00000.parquet is listed out of order"),
        ("state/P-00000.parquet", "state/L-00000.parquet", "the properties are not as many as their files have rows"),
        (r#""rows": 2"#, r#""rows": 18446744073709551615"#, "the items are not as many as their files have rows"),
        (r#""created": 2"#, r#""created": 18446744073709551615"#, "the items are not as many as their files have rows"),
        (r#""created": 2"#, r#""created": 3"#, "the items are not as many as their files have rows"),
        (r#""rows": 2"#, r#""rows": 99999999999999999999"#, "it is no complete manifest"),
        ("2026-01-05T12:00:00Z", "2026-01-05", "a time is written like 2020-03-02T23:00:02Z, with Z or an offset"),
        (r#""sha256": ""#, r#""sha256": "x"#, "`state/Q-00000.parquet` is listed without its SHA-256"),
    ];
    for (from, to, expected) in rows {
        let got = forged(from, to).map_or_else(|error| error.to_string(), |_| "valid".to_owned());
        assert_eq!(got, expected, "{to}");
    }
    let miscounted = forged("\"created\": 2,\n      \"deleted\": 0", "\"created\": 1,\n      \"deleted\": 1").unwrap();
    assert_eq!(miscounted.count(EntityKind::Item), KindCount { created: 1, deleted: 1 });
}

/// Of two writers at once one is refused and changes nothing.
#[test]
fn one_writer_at_a_time() {
    let room = tempfile::tempdir().unwrap();
    let dir = Location::parse(room.path().join("savepoint").to_str().unwrap()).unwrap();
    let claim = storage::claim(&dir).unwrap();
    let refused = write(&dir, &StateTable::default(), &provenance(), OnExisting::Overwrite, &|| false);
    assert!(matches!(refused, Err(SavepointError::Storage(StorageError::InUse { .. }))), "{refused:?}");
    assert!(storage::list(&dir).unwrap().is_empty());
    drop(claim);
    write(&dir, &StateTable::default(), &provenance(), OnExisting::Overwrite, &|| false).unwrap();
}

/// A savepoint of a running stream needs nothing outside of its directory, which can be moved.
#[test]
fn what_a_stream_has_in_hand() {
    let stream = Stream {
        offsets: vec![StartOffset { topic: "events.jsonl".to_owned(), partition: 0, offset: 7, watermark: None }],
        watermark: Some(Timestamp::parse("2026-01-05T12:00:00Z").unwrap()),
        outputs: vec![OutputEnd { path: "out.jsonl".to_owned(), bytes: 100 }],
        ..Stream::default()
    };
    let bare = Stream { outputs: Vec::new(), ..stream.clone() };
    // Where there is nothing but positions, older programs can read it.
    for (stream, version) in [(&stream, 2), (&bare, 1), (&Stream::default(), 1)] {
        let dir = dir();
        let written =
            write_with_stream(&dir, &state_of("Q1@1"), &provenance(), stream, OnExisting::Refuse, &|| false).unwrap();
        assert_eq!(written.files, names(&dir).len() as u64);
        let moved = Location::memory().join("elsewhere");
        names(&dir)
            .iter()
            .for_each(|name| storage::put(&moved.join(name), storage::read(&dir.join(name)).unwrap()).unwrap());
        assert_eq!(read(&moved).unwrap().stream, *stream);
        assert_eq!(verify(&moved).unwrap().problems, vec![]);
        let json = String::from_utf8(bytes_of(&dir.join("_metadata"))).unwrap();
        assert!(json.contains(&format!("\"format_version\": {version},")), "{json}");
        // It is replaced and deleted as any.
        write_to(&dir, &state_of("Q1@1"), OnExisting::Overwrite).unwrap();
        assert_eq!(names(&dir), ["_metadata", "state/Q-00000.parquet"]);
    }
}

/// What the first versions wrote is read, and would be written so again.
#[test]
fn manifests_of_older_versions() {
    let manifest = Manifest::from_json(OLD.as_bytes()).unwrap();
    assert_eq!(manifest.count(EntityKind::Lexeme), KindCount { created: 3, deleted: 0 });
    assert_eq!((manifest.checkpoint, &manifest.offsets[..], manifest.watermark), (None, &[][..], None));
    assert_eq!(manifest.to_json().unwrap(), OLD.as_bytes());
}

const OLD: &str = r#"{
  "format": "headwater-savepoint",
  "format_version": 1,
  "created_at": "2026-11-28T12:28:10.782Z",
  "created_by": "headwater 0.1.0",
  "source": [
    {
      "location": "data-samples/lexemes.ttl.bz2",
      "size": 1305
    }
  ],
  "uris_scheme": {
    "concept": "http://www.wikidata.org/entity/",
    "entity_data": "https://www.wikidata.org/wiki/Special:EntityData/"
  },
  "counts": {
    "Q": {
      "created": 0,
      "deleted": 0
    },
    "P": {
      "created": 0,
      "deleted": 0
    },
    "L": {
      "created": 3,
      "deleted": 0
    },
    "M": {
      "created": 0,
      "deleted": 0
    }
  },
  "dump_starts": {
    "oldest": "2024-11-08T23:00:03Z",
    "newest": "2024-11-08T23:00:03Z",
    "headers": 1
  },
  "offsets": null,
  "watermark": null,
  "files": [
    {
      "path": "state/L-00000.parquet",
      "size": 810,
      "sha256": "fb41a1e846320547d8bbda49e56a6e21271bd4b2ba6c8da2b10e3386587857f0",
      "rows": 3
    }
  ],
  "checksum": "f34604c6f358f394ab380092743146de15ffef5db64eb929482b02451765a914"
}
"#;
