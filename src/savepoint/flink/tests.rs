//! What is written is what a slow writer, straight from the format's description, would write; what is read is what was written.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::savepoint::flink::hash::{hash_code, key_group, range_of};
use crate::savepoint::{Problem, diff};
use crate::state::EntityState;
use crate::storage::{self, Blob};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};

const SLOW_HEADER: &[&str] = &[
    "00000006 00 00000002",
    "=org.apache.flink.api.common.typeutils.base.StringSerializer$StringSerializerSnapshot",
    "00000003 0001",
    "=lastSeenRev",
    "00000000 00000001",
    "=KEYED_STATE_TYPE",
    "=VALUE",
    "00000002",
    "=VALUE_SERIALIZER",
    "00000002",
    "=org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot",
    "00000003",
    "=NAMESPACE_SERIALIZER",
    "00000002",
    "=org.apache.flink.runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot",
    "00000003",
];

/// Bytes from a description: hex, and texts after `=`, with their length before them.
fn bytes_of(pieces: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        if let Some(text) = piece.strip_prefix('=') {
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text.bytes());
        } else {
            let digits: String = piece.split_whitespace().collect();
            let pairs = (0..digits.len()).step_by(2);
            bytes.extend(pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()));
        }
    }
    bytes
}

fn state_of(text: &str) -> StateTable {
    let mut state = StateTable::default();
    for row in text.split_whitespace() {
        let (entity, revision) = row.split_once('@').unwrap();
        let number = Revision::parse(revision.trim_start_matches('-').as_bytes()).unwrap();
        let value = if revision.starts_with('-') { EntityState::Deleted(number) } else { EntityState::Created(number) };
        state.set(EntityId::parse(entity.as_bytes()).unwrap(), value);
    }
    state
}

fn value_of(state: EntityState) -> i64 {
    let revision = state.revision().get() as i64;
    if state.is_deleted() { -revision } else { revision }
}

fn dir() -> Location {
    Location::memory().join("sp")
}

fn written(state: &StateTable, parallelism: u16) -> Location {
    let dir = dir();
    write(&dir, state, parallelism, OnExisting::Refuse, &|| false).unwrap();
    dir
}

fn stored(file: &Location) -> Vec<u8> {
    let blob = Blob::open(file).unwrap();
    blob.read(0..blob.size()).unwrap().to_vec()
}

fn read(dir: &Location) -> Result<Entries, String> {
    let opened = Opened::open(dir).map_err(|error| error.to_string())?;
    let Taken { entries, problems } = opened.take(false).map_err(|error| error.to_string())?;
    match problems.first() {
        None => Ok(entries),
        Some(problem) => Err(problem.to_string()),
    }
}

/// A state file and the offsets of its key groups, the slow way.
fn slow(state: &StateTable, subtask: u16, parallelism: u16) -> (Vec<u8>, Vec<i64>) {
    let mut groups: BTreeMap<u16, BTreeMap<Vec<u8>, i64>> = BTreeMap::new();
    for (entity, state) in state.iter() {
        let id = entity.to_string();
        let group = key_group(hash_code(&id), 1024);
        let mut key = group.to_be_bytes().to_vec();
        key.push(id.len() as u8 + 1);
        key.extend(id.bytes());
        key.push(0);
        groups.entry(group).or_default().insert(key, value_of(state));
    }
    let mut bytes = bytes_of(SLOW_HEADER);
    let mut offsets = Vec::new();
    for group in range_of(subtask, parallelism, 1024) {
        let Some(entries) = groups.get(&group) else {
            offsets.push(0);
            continue;
        };
        offsets.push(bytes.len() as i64);
        bytes.extend([0, 0]);
        for (at, (key, value)) in entries.iter().enumerate() {
            let mut key = key.clone();
            key[0] |= if at + 1 == entries.len() { 0x80 } else { 0 };
            bytes.extend((key.len() as u32).to_be_bytes());
            bytes.extend(key);
            bytes.extend(8_u32.to_be_bytes());
            bytes.extend(value.to_be_bytes());
        }
        bytes.extend([0xff, 0xff]);
    }
    (bytes, offsets)
}

fn check_against_slow(state: &StateTable, parallelism: u16, dir: &Location) {
    let metadata = Metadata::parse(&stored(&dir.join("_metadata"))).unwrap();
    assert_eq!((metadata.version, metadata.checkpoint, metadata.operators.len()), (4, 0, 1));
    let operator = metadata.decide().unwrap();
    assert_eq!((operator.parallelism, operator.max_parallelism), (i32::from(parallelism), 1024));
    let mut keyed = operator.keyed.iter();
    for subtask in 0..parallelism {
        let (bytes, offsets) = slow(state, subtask, parallelism);
        let file = dir.join(&format!("part-{subtask:05}"));
        if offsets.iter().all(|offset| *offset == 0) {
            assert!(!storage::exists(&file).unwrap(), "a subtask without entries has no file");
            continue;
        }
        let keyed = keyed.next().unwrap();
        assert_eq!((keyed.subtask, &keyed.offsets), (i32::from(subtask), &offsets));
        assert!(stored(&file) == bytes, "file {subtask} of {parallelism}");
    }
    assert!(keyed.next().is_none());
}

fn state() -> impl Strategy<Value = StateTable> {
    let number = prop_oneof![1..300_u32, 1..200_000_u32, 1..=EntityId::MAX_NUMBER / 512];
    let entity = ((0..4_usize), number, 1..1_u64 << 61, any::<bool>());
    prop::collection::vec(entity, 0..400).prop_map(|entities| {
        let mut state = StateTable::default();
        for (kind, number, revision, deleted) in entities {
            let revision = Revision::new(revision).unwrap();
            let value = if deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) };
            state.set(EntityId::new(EntityKind::ALL[kind], number).unwrap(), value);
        }
        state
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// As the slow writer writes, in rounds of any size; and read back, the same.
    #[test]
    fn written_right_and_read_back(state in state(), parallelism in 1..=1024_u16, round in prop_oneof![Just(1), 1..3000_usize, Just(1 << 30)]) {
        let dir = dir();
        write::write_in_rounds(&dir, &state, parallelism, OnExisting::Refuse, &|| false, round).unwrap();
        check_against_slow(&state, parallelism, &dir);
        let entries = read(&dir).unwrap();
        prop_assert!(entries.state.iter().eq(state.iter()));
        prop_assert_eq!((entries.odd, entries.compressed), (0, false));
        prop_assert!(entries.counts.values().sum::<u64>() == state.len());
    }

    /// Whatever is changed or cut off: an error, or at most one entity is at another revision, or is another entity.
    #[test]
    fn damage_is_found_or_small(state in state(), file in 0..3_u16, at in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<bool>()) {
        prop_assume!(!state.is_empty());
        let dir = written(&state, 2);
        let name = if file == 2 { "_metadata".to_owned() } else { format!("part-{file:05}") };
        let location = dir.join(&name);
        prop_assume!(storage::exists(&location).unwrap());
        let mut bytes = stored(&location);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        storage::put(&location, Bytes::from(bytes)).unwrap();
        if let Ok(entries) = read(&dir) {
            // Where `_metadata` ends, behind all that matters, something may be missing.
            let differences = diff::rows(&entries.state, &state).count() as u64 + entries.odd;
            prop_assert!(differences <= 2, "{} byte {} bit {} cut {}: {} differences", name, at, bit, cut, differences);
        }
    }
}

/// The example of the format's description: four entities, whose files real Flink restored.
#[test]
fn the_example() {
    let state = state_of("L99@2400000000 P31@5 Q42@1234567 Q108@-99");
    let dir = written(&state, 1);
    let bytes = stored(&dir.join("part-00000"));
    let blocks = bytes_of(&[
        "0000 00000007 8071 044c3939 00 00000008 000000008f0d1800 ffff",
        "0000 00000007 81aa 04503331 00 00000008 0000000000000005 ffff",
        "0000 00000007 0208 04513432 00 00000008 000000000012d687",
        "00000008 8208 0551313038 00 00000008 ffffffffffffff9d ffff",
    ]);
    assert_eq!(bytes, [bytes_of(SLOW_HEADER), blocks].concat());
    assert_eq!(bytes.len(), 482);
    let metadata = stored(&dir.join("_metadata"));
    assert_eq!(metadata.len(), 8301);
    for (at, expected) in [
        (0, "4960672d 00000004 0000000000000000 00000000 00000001"),
        (
            0x18,
            "02fbb1f9122a910b1b49d43cceed4915 00000001 00000400 00 00000001 00000000 00000000 00000000 07 00000000 00000400",
        ),
        (0x3d2, "0000000000000179"),
        (0xd9a, "0000000000000194"),
        (0x108a, "00000000000001af"),
        (0x204a, "06 000a 706172742d3030303030 00000000000001e2 00 00000000 00000000 aced000570"),
    ] {
        let expected = bytes_of(&[expected]);
        assert_eq!(metadata[at..at + expected.len()], expected, "at {at:#x}");
    }
}

/// A savepoint of one file with these key groups behind this header.
fn made_of(header: &[u8], blocks: &[(u16, Vec<u8>)], compressed: bool) -> Location {
    let dir = dir();
    let mut bytes = header.to_vec();
    let mut offsets = vec![0; 1024];
    for (group, block) in blocks {
        offsets[usize::from(*group)] = bytes.len() as i64;
        if compressed {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            std::io::Write::write_all(&mut encoder, block).unwrap();
            bytes.extend(encoder.into_inner().unwrap());
        } else {
            bytes.extend(block);
        }
    }
    let streams = vec![metadata::Stream::Beside("part-00000".to_owned(), bytes.len() as i64)];
    let keyed = vec![metadata::Keyed { subtask: 0, form: Form::Canonical, first: 0, offsets, streams }];
    let operator = Operator {
        id: OperatorId::DECIDE,
        uid: None,
        parallelism: 1,
        max_parallelism: 1024,
        keyed,
        others: Vec::new(),
    };
    let metadata = Metadata { version: 4, checkpoint: 7, operators: vec![operator], properties: Vec::new() };
    storage::put(&dir.join("part-00000"), bytes.into()).unwrap();
    storage::put(&dir.join("_metadata"), metadata.to_bytes().into()).unwrap();
    dir
}

/// Entries that are not what they should be, each with what is said of it.
#[test]
fn wrong_entries() {
    let header = bytes_of(SLOW_HEADER);
    for (group, block, expected) in [
        (520, "0000 00000007 8208 04513432 00 00000008 000000000012d687 ffff", ""),
        (
            521,
            "0000 00000007 8208 04513432 00 00000008 000000000012d687 ffff",
            "a key of key group 520 in key group 521",
        ),
        (
            521,
            "0000 00000007 8209 04513432 00 00000008 000000000012d687 ffff",
            "Q42 belongs to key group 520 and stands in 521",
        ),
        (520, "0000 00000006 8208 04513432 00000008 000000000012d687 ffff", "without its namespace"),
        (520, "0000 00000007 8208 04513432 00 00000004 0012d687 ffff", "no long"),
        (520, "0000 00000007 0208 04513432 00 00000008 000000000012d687 ffff", "ends in the middle"),
        (520, "0001 00000007 8208 04513432 00 00000008 000000000012d687 ffff", "unknown number 1"),
        (520, "0000 00000007 8208 04513432 00 00000008 000000000012d687", "ends in the middle"),
        (520, "0000 00000007 8208 04513432 00 00000008 000000000012d687 ffff 00", "bytes after the end"),
        (520, "0000 7fffffff 8208 04513432 00 00000008 000000000012d687 ffff", "an entry of 2147483647 bytes"),
        (520, "0000 00000001 82 00000008 000000000012d687 ffff", "without its key group"),
        (
            520,
            "0000 00000007 0208 04513432 00 00000008 0000000000000001 00000007 8208 04513432 00 00000008 0000000000000002 ffff",
            "1 of its entries repeat a key",
        ),
    ] {
        let dir = made_of(&header, &[(group, bytes_of(&[block]))], false);
        let found = read(&dir).err().unwrap_or_default();
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{block}: {found}");
    }
}

/// What no state can hold is counted and told; the rest is there.
#[test]
fn what_is_no_entity() {
    let group = |id: &str| key_group(hash_code(id), 1024);
    let entry = |id: &str, value: i64| {
        let mut block = vec![0, 0];
        block.extend((id.len() as u32 + 4).to_be_bytes());
        block.extend((group(id) | 0x8000).to_be_bytes());
        block.push(id.len() as u8 + 1);
        block.extend(id.bytes());
        block.extend([0, 0, 0, 0, 8]);
        block.extend(value.to_be_bytes());
        block.extend([0xff, 0xff]);
        (group(id), block)
    };
    let blocks = [entry("Q1", 7), entry("Property:P31", 5), entry("Q2", 0), entry("Q64", i64::MIN), entry("P31", -3)];
    for compressed in [false, true] {
        let mut header = bytes_of(SLOW_HEADER);
        header[4] = u8::from(compressed);
        let dir = made_of(&header, &blocks, compressed);
        let entries = read(&dir).unwrap();
        assert!(entries.state.iter().eq(state_of("Q1@7 P31@-3").iter()));
        let odd: Vec<_> = entries.odd_entries.iter().map(|odd| (odd.key.as_str(), odd.value)).collect();
        assert_eq!((entries.odd, entries.compressed), (3, compressed));
        assert_eq!(odd, [("Property:P31", 5), ("Q2", 0), ("Q64", i64::MIN)]);
        let told: Vec<_> = entries.odd_entries.iter().take(2).map(Odd::to_string).collect();
        let expected =
            ["the key `Property:P31`, with the value 5, is no entity", "the value of `Q2`, 0, is no revision"];
        assert_eq!(told, expected);
    }
}

/// The header of a job's operator: events, timers, revisions.
fn header_of_a_job() -> Vec<u8> {
    let list = "=org.apache.flink.api.common.typeutils.base.ListSerializerSnapshot";
    let event = "=org.wikidata.query.rdf.updater.InputEventSerializerSnapshot";
    let timer = "=org.apache.flink.streaming.api.operators.TimerSerializerSnapshot";
    let (string, void) = (SLOW_HEADER[1], SLOW_HEADER[14]);
    let header = bytes_of(&[
        "00000006 00 00000002",
        string,
        "00000003 0003",
        "=partial-re-ordering-state",
        "00000000 00000001",
        "=KEYED_STATE_TYPE",
        "=LIST",
        "00000002",
        "=VALUE_SERIALIZER",
        "00000002",
        list,
        "00000003 000de704 00000001 001457fd 00000001 00000001",
        event,
        "00000002",
        "=NAMESPACE_SERIALIZER",
        "00000002",
        void,
        "00000003",
        "=_timer_state/event_user-timers",
        "00000003 00000000 00000001",
        "=VALUE_SERIALIZER",
        "00000002",
        timer,
        "00000003 000de704 00000002 001457fd 00000001 00000002",
        string,
        "00000003",
        void,
        "00000003",
    ]);
    [header, bytes_of(&SLOW_HEADER[3..])].concat()
}

/// Buffered events of every type, and timers.
#[test]
fn events_and_timers() {
    let header = header_of_a_job();
    let info = ["0000018bcfe56800", "01", "=id1", "01", "=www.wikidata.org", "=stream", "00", "=/schema/1.0.0"];
    let basic = ["=Q42", "0000018bcfe56801", "0000018bcfe56802", "0000000000000007"];
    let of = |change: &[&str]| bytes_of(&[&basic, &info[..], change].concat());
    let value = [
        of(&["=RevCreate", "01 0000000000000006"]),
        of(&["=RevCreate", "00"]),
        of(&["=PageDelete"]),
        of(&["=PageUndelete"]),
        of(&["=ReconcileInputEvent", "=ReconcileCreation"]),
        of(&["=ReconcileInputEvent", "=ReconcileDeletion"]),
    ]
    .join(&b',');
    let mut block = bytes_of(&["0000 00000007 8208 04513432 00"]);
    block.extend((value.len() as u32).to_be_bytes());
    block.extend(&value);
    block.extend(bytes_of(&["0001 0000000f 8208 8000018be7f4330e 04513432 00 00000000 ffff"]));
    let entries = read(&made_of(&header, &[(520, block.clone())], false)).unwrap();
    let [(key, events)] = entries.events.as_slice() else { panic!("one key") };
    let names: Vec<_> = events.iter().map(|event| serde_json::to_string(&event.change).unwrap()).collect();
    assert_eq!(key, "Q42");
    assert_eq!(
        names,
        [
            r#"{"type":"RevCreate","parent_revision":6}"#,
            r#"{"type":"RevCreate","parent_revision":null}"#,
            r#"{"type":"PageDelete"}"#,
            r#"{"type":"PageUndelete"}"#,
            r#"{"type":"ReconcileInputEvent","action":"ReconcileCreation"}"#,
            r#"{"type":"ReconcileInputEvent","action":"ReconcileDeletion"}"#,
        ]
    );
    let first = &events[0];
    assert_eq!((first.event_time, first.ingestion_time, first.revision), (0x18b_cfe5_6801, 0x18b_cfe5_6802, 7));
    assert_eq!((first.original.timestamp, first.original.id.as_deref()), (0x18b_cfe5_6800, Some("id1")));
    assert_eq!((first.original.stream.as_str(), first.original.request_id.as_deref()), ("stream", None));
    let timer =
        Timer { at: 0x18b_e7f4_330e, key: "Q42".to_owned(), state: "_timer_state/event_user-timers".to_owned() };
    assert_eq!(entries.timers, [timer]);
    for cut in 1..value.len() {
        let mut cut_block = block[..13].to_vec();
        cut_block.extend((cut as u32).to_be_bytes());
        cut_block.extend(&value[..cut]);
        cut_block.extend([0xff, 0xff]);
        let whole = value[cut] == b',' && read(&made_of(&header, &[(520, cut_block.clone())], false)).is_ok();
        assert!(whole || read(&made_of(&header, &[(520, cut_block)], false)).is_err(), "cut at {cut}");
    }
}

/// What cannot be read is refused for its own reason.
#[test]
fn refusals() {
    let state = state_of("Q1@1 Q2@2 Q42@3");
    let metadata = stored(&written(&state, 1).join("_metadata"));
    let changed = |at: usize, bytes: &[u8]| {
        let mut metadata = metadata.clone();
        metadata[at..at + bytes.len()].copy_from_slice(bytes);
        metadata
    };
    // With a count of 2 and what is counted from `from` on written twice.
    let repeated = |count: usize, from: usize| {
        let changed = changed(count, &[0, 0, 0, 2]);
        let (head, tail) = changed.split_at(metadata.len() - 5);
        [head, &head[from..], tail].concat()
    };
    for (name, metadata, expected) in [
        ("magic", changed(0, b"PAR1"), "does not begin as Flink's"),
        ("version", changed(4, &[0, 0, 0, 2]), "format version 2"),
        ("operators", changed(0x14, &[0x7f, 0xff, 0xff, 0xff]), "things cannot follow"),
        ("operator", changed(0x18, &[1]), "no state of the operator `DecideMutationOperation`"),
        ("max parallelism", changed(0x2c, &[0, 0, 1, 0]), "key groups 0 to 1023 of 256"),
        ("subtasks", changed(0x31, &[0x7f, 0, 0, 0]), "subtasks cannot follow"),
        ("heap", changed(0x41, &[3]), "own form of the hashmap backend"),
        ("changelog", changed(0x41, &[14]), "changelog"),
        ("unknown handle", changed(0x41, &[99]), "unknown kind 99"),
        ("offset", changed(0x4a, &[0, 0, 0, 0, 0, 0, 0, 1]), "cannot begin at byte 1"),
        ("negative offset", changed(0x4a, &[0xff; 8]), "cannot begin at byte -1"),
        ("lost offset", changed(0x4a + 369 * 8, &[0; 8]), "bytes that belong to no key group"),
        ("no offsets", changed(0x4a, &[0; 1024 * 8]), "bytes that belong to no key group"),
        ("parallelism", changed(0x28, &[0, 0, 4, 1]), "a parallelism of 1025 with a max parallelism of 1024"),
        ("no properties", metadata[..metadata.len() - 5].to_vec(), "without the properties"),
        ("cut properties", metadata[..metadata.len() - 1].to_vec(), "without the properties"),
        ("operator twice", repeated(0x14, 0x18), "stands in it twice"),
        ("subtask twice", repeated(0x31, 0x35), "the subtask 0 stands in it twice"),
    ] {
        let dir = written(&state, 1);
        storage::put(&dir.join("_metadata"), metadata.into()).unwrap();
        let found = read(&dir).err().unwrap_or_default();
        assert!(found.contains(expected), "{name}: {found}");
    }
    let dir = written(&state, 1);
    storage::delete(&dir.join("part-00000")).unwrap();
    assert_eq!(read(&dir).unwrap_err(), "part-00000 is missing");
    let dir = written(&state, 1);
    storage::put(&dir.join("part-00000"), Bytes::from_static(b"x")).unwrap();
    let opened = Opened::open(&dir).unwrap();
    assert!(matches!(opened.missing().unwrap()[..], [Problem::Size { found: 1, .. }]));
}

/// Headers of other jobs and other programs.
#[test]
fn other_headers() {
    let part = |at: usize, piece: &str| {
        let mut pieces = SLOW_HEADER.to_vec();
        pieces[at] = piece;
        bytes_of(&pieces)
    };
    for (header, expected) in [
        (part(0, "00000005 00 00000002"), "keyed state of version 5"),
        (part(1, SLOW_HEADER[10]), "its keys are no strings"),
        (part(1, "=com.example.MySerializerSnapshot"), "com.example.MySerializerSnapshot"),
        (part(10, SLOW_HEADER[1]), "does not hold numbers"),
        (part(11, "00000009"), "version 9"),
    ] {
        let found = read(&made_of(&header, &[], false)).err().unwrap_or_default();
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let block = bytes_of(&["0000 00000007 8208 04513432 00 00000008 000000000012d687 ffff"]);
    let found = read(&made_of(&part(3, "=lastSeemRev"), &[(520, block)], false)).err().unwrap_or_default();
    assert!(found.ends_with("it has no state lastSeenRev, only lastSeemRev"), "{found}");
}

/// Nothing of others is ever deleted, and nothing of ours without being asked.
#[test]
fn what_is_there_already() {
    let state = state_of("Q1@1");
    let dir = written(&state, 3);
    let again = |on_existing| write(&dir, &state_of("Q2@2"), 1, on_existing, &|| false);
    assert!(matches!(again(OnExisting::Refuse), Err(SavepointError::Exists { .. })));
    again(OnExisting::Overwrite).unwrap();
    assert!(read(&dir).unwrap().state.iter().eq(state_of("Q2@2").iter()));
    // A name as Flink gives them.
    let other = dir.join("0a1fbcc9-bb3f-41ee-b84e-8e5378c7d6fe");
    storage::put(&other, Bytes::from_static(b"x")).unwrap();
    assert!(matches!(again(OnExisting::Overwrite), Err(SavepointError::NotEmpty { .. })));
    assert!(storage::exists(&other).unwrap());
    // A small savepoint of a job is nothing but its `_metadata`.
    let taken = self::dir();
    let metadata = stored(&written(&state_of(""), 1).join("_metadata"));
    let metadata = [&metadata[..metadata.len() - 1], b"s"].concat();
    storage::put(&taken.join("_metadata"), metadata.clone().into()).unwrap();
    let over = write(&taken, &state, 1, OnExisting::Overwrite, &|| false);
    assert!(matches!(over, Err(SavepointError::NotEmpty { .. })));
    assert_eq!(stored(&taken.join("_metadata")), metadata);
    let stopped = self::dir();
    let written = write(&stopped, &state, 3, OnExisting::Refuse, &|| true);
    assert!(matches!(written, Err(SavepointError::Cancelled)));
    assert!(storage::list(&stopped).unwrap().is_empty());
}
