//! Maps written are maps read; the fast reader is the exact one; every bad line has its place.

use std::ops::ControlFlow;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::env::Env;
use crate::revision_map::blocks::{Content, Lines};
use crate::revision_map::line::{Bad, Parsed, exact, parse};
use crate::state::EntityState;
use crate::storage::{self, put};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};

fn states() -> impl Strategy<Value = StateTable> {
    let entity = (0..4_usize, prop_oneof![1..600_u32, 1..=1_000_000_u32]);
    let revision = prop_oneof![1..100_u64, 1..=Revision::MAX];
    prop::collection::vec((entity, revision, any::<bool>()), 0..300).prop_map(|rows| {
        let mut state = StateTable::default();
        for ((kind, number), revision, deleted) in rows {
            let entity = EntityId::new(EntityKind::ALL[kind], number).unwrap();
            let revision = Revision::new(revision).unwrap();
            state.set(entity, if deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) });
        }
        state
    })
}

const SIGNED: ReadOptions = ReadOptions { negative: Negative::Deleted, on_bad_line: OnBadLine::Stop };

fn read(files: &[Location], options: &ReadOptions) -> Result<(StateTable, ReadStats), RevisionMapError> {
    crate::revision_map::read(files, options, &Env::default())
}

fn write(target: &Location, state: &StateTable, options: &WriteOptions) -> Result<Written, RevisionMapError> {
    crate::revision_map::write(target, state, options, &|| false)
}

fn options(format: Format, partitions: Option<u32>) -> WriteOptions {
    WriteOptions { format, partitions, deleted: Deleted::Negative, overwrite: false }
}

/// Lines much like those of a revision map, many of them spoilt.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[QPLM][1-9][0-9]{0,4},[1-9][0-9]{0,9}\n".prop_map(String::into_bytes),
        1 => "[QPLMX\"]?[0-9]{0,11}\"?,?[-+]?[0-9]{0,20}\"?\r?\n?".prop_map(String::into_bytes),
        1 => "(entity,revision|\"entity\",\"revision\")\r?\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn parsed(text: &[u8], first: bool, negative: Negative) -> (Vec<crate::state::Entry>, Parsed) {
    let mut entries = Vec::new();
    let parsed = parse(text, first, negative, |entry| entries.push(entry));
    (entries, parsed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The fast reader is the exact one.
    #[test]
    fn fast_is_exact(text in text(), first in any::<bool>(), signed in any::<bool>()) {
        let negative = if signed { Negative::Deleted } else { Negative::Reject };
        let (mut entries, mut expected, mut at) = (Vec::new(), Parsed::default(), 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            exact(bare, at, first, negative, &mut expected, &mut |entry| entries.push(entry));
            expected.lines += 1;
            at += line.len();
        }
        prop_assert_eq!(parsed(&text, first, negative), (entries, expected));
    }

    /// Wherever a text is cut into blocks, the same lines are at the same places.
    #[test]
    fn cut_anywhere(text in text(), size in 1..70_usize, window in 1..50_usize) {
        let (mut lines, mut blocks) = (Lines::new(size), Vec::new());
        let mut send = |content| {
            blocks.push(content);
            ControlFlow::Continue(())
        };
        let _ = text.chunks(window).try_for_each(|window| lines.push(window, &mut send));
        let _ = lines.finish(&mut send);
        let (mut entries, mut bad, mut before, mut end) = (Vec::new(), Vec::new(), 0, 0);
        for content in blocks {
            let Content::Lines(offset, block) = content else { panic!("no line is too long here") };
            prop_assert_eq!(offset, end);
            end += block.len() as u64;
            let (more, found) = parsed(&block, offset == 0, Negative::Reject);
            entries.extend(more);
            let place = |bad: Bad| (offset + bad.offset as u64, before + bad.lines_before, bad.rule);
            bad.extend(found.bad.into_iter().map(place));
            before += found.lines;
        }
        let (expected, whole) = parsed(&text, true, Negative::Reject);
        prop_assert_eq!((entries, before, end), (expected, whole.lines, text.len() as u64));
        let whole: Vec<_> = whole.bad.into_iter().map(|bad| (bad.offset as u64, bad.lines_before, bad.rule)).collect();
        prop_assert_eq!(bad, whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(state in states(), partitions in prop::option::of(1..7_u32)) {
        for format in Format::ALL {
            let target = Location::memory().join("map");
            let written = write(&target, &state, &options(format, partitions)).unwrap();
            prop_assert_eq!((written.entities, written.omitted), (state.len(), 0));
            prop_assert_eq!(written.files, u64::from(partitions.unwrap_or(1)));
            let files: Vec<_> = storage::list(&target).unwrap().into_iter().map(|entry| entry.location).collect();
            let files = if partitions.is_some() { files } else { vec![target] };
            let files: Vec<_> = files.into_iter().filter(|file| file.file_name() != "_SUCCESS").collect();
            let (again, stats) = read(&files, &SIGNED).unwrap();
            prop_assert!(again.iter().eq(state.iter()), "{format:?}");
            prop_assert_eq!((stats.lines, stats.bytes_stored, stats.duplicates), (state.len(), written.bytes, 0));
        }
    }

    /// A compressed file that is cut anywhere is found to be.
    #[test]
    fn truncated_files(state in states(), at in any::<prop::sample::Index>()) {
        for format in [Compression::Gzip, Compression::Bzip2, Compression::Zstd].map(Format::Csv) {
            let target = Location::memory().join("map");
            let written = write(&target, &state, &options(format, None)).unwrap();
            let blob = storage::Blob::open(&target).unwrap();
            // With less than 4 bytes nothing tells what it was.
            let len = 4 + at.index(written.bytes as usize - 4) as u64;
            put(&target, blob.read(0..len).unwrap()).unwrap();
            match read(&[target], &SIGNED) {
                Err(RevisionMapError::Decode(DecodeError::Truncated { .. })) => {}
                // At the seam of two members nothing is missing.
                got => prop_assert!(got.is_ok() && state.len() > 1, "{:?} {}", format, len),
            }
        }
    }
}

fn file(text: &[u8]) -> Location {
    let location = Location::memory().join("map.csv");
    put(&location, Bytes::copy_from_slice(text)).unwrap();
    location
}

#[test]
fn lines_that_are_no_entries() {
    let long = format!("Q1,1\n{}", "Q".repeat(70_000));
    let rows: &[(&str, &str)] = &[
        ("Q1,1\nQ2\n", "line 2 (byte 5), `Q2`: a line is `entity,revision`"),
        ("Q1,1\r\n\r\nQ2,2,3\n", "line 3 (byte 8), `Q2`: a line is `entity,revision`"),
        ("entity,revision\nX1,1", "line 2 (byte 16), `X1`: an entity id begins with Q, P, L or M"),
        ("Q1,1\nentity,revision\n", "line 2 (byte 5), `entity`: an entity id begins with Q, P, L or M"),
        ("Q01,1", "line 1 (byte 0), `Q01`: the letter of an entity id is followed by a number without leading zeros"),
        ("Q2147483648,1\n", "line 1 (byte 0), `Q2147483648`: the number of an entity id is at most 2147483647"),
        ("Q1,1\n\u{feff}Q2,2\n", "line 2 (byte 5), `\\u{feff}Q2`: an entity id begins with Q, P, L or M"),
        ("Q1,0\n", "line 1 (byte 0), `Q1`: a revision is greater than 0"),
        ("Q1,-1\n", "line 1 (byte 0), `Q1`: a revision is greater than 0"),
        ("Q1,\n", "line 1 (byte 0), `Q1`: a revision is a decimal number"),
        ("Q1, 1\n", "line 1 (byte 0), `Q1`: a revision is a decimal number"),
        ("Q1,4611686018427387904", "line 1 (byte 0), `Q1`: a revision is at most 4611686018427387903"),
        ("\"Q1,1\n", "line 1 (byte 0), `\\\"Q1`: a line is `entity,revision`"),
        (
            &long,
            "line 2 (byte 5), `QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ…`: \
             a line has at most 65536 bytes",
        ),
    ];
    for (text, expected) in rows {
        let error = read(&[file(text.as_bytes())], &ReadOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("memory:/map.csv, {expected}"));
    }
}

#[test]
fn lines_that_are_entries() {
    let rows: &[(&str, Negative, &str)] = &[
        ("", Negative::Reject, ""),
        ("entity,revision", Negative::Reject, ""),
        ("entity,revision\r\nQ1,5", Negative::Reject, "Q1@5"),
        ("\u{feff}entity,revision\r\nQ1,5", Negative::Reject, "Q1@5"),
        ("\u{feff}Q1,5\nQ2,5", Negative::Reject, "Q1@5 Q2@5"),
        ("\"entity\",\"revision\"\n\"Q1\",\"5\"\n\nP2,\"7\"\r\n", Negative::Reject, "Q1@5 P2@7"),
        ("Q1,5\nQ1,9\nQ1,7\nQ1,9\n", Negative::Reject, "Q1@9"),
        ("Q1,-5\nQ2,5\nQ2,-5\n", Negative::Deleted, "Q1@-5 Q2@-5"),
        ("Q2147483647,4611686018427387903", Negative::Reject, "Q2147483647@4611686018427387903"),
    ];
    for (text, negative, expected) in rows {
        let (state, _) = read(&[file(text.as_bytes())], &ReadOptions { negative: *negative, ..SIGNED }).unwrap();
        let show = |(entity, state): (EntityId, EntityState)| match state {
            EntityState::Created(revision) => format!("{entity}@{revision}"),
            EntityState::Deleted(revision) => format!("{entity}@-{revision}"),
        };
        assert_eq!(state.iter().map(show).collect::<Vec<_>>().join(" "), *expected, "{text}");
    }
}

#[test]
fn bad_lines_can_be_skipped() {
    let files = [file(b"Q1,1\nbad\nQ1,2\n"), file(&[b"Q3,4\n".to_vec(), b"Q1,-1\n".repeat(3000)].concat())];
    let (state, stats) = read(&files, &ReadOptions { on_bad_line: OnBadLine::Skip, ..ReadOptions::default() }).unwrap();
    assert_eq!((state.len(), stats.files, stats.lines, stats.duplicates, stats.skipped), (2, 2, 3004, 1, 3001));
    assert_eq!((stats.bytes_text, stats.bytes_stored), (18019, 18019));
    assert_eq!(stats.bad_lines.len(), MAX_BAD_LINES);
    assert_eq!(stats.bad_lines[0].place, Place::Line { line: 2, offset: 5 });
    assert_eq!(stats.bad_lines[999].place, Place::Line { line: 1000, offset: 5 + 998 * 6 });
}

#[test]
fn part_files_as_spark_has_them() {
    let (state, _) = read(&[file(b"Q1,1\nQ300,2\nQ600,-3\nP1,4\n")], &SIGNED).unwrap();
    let dir = Location::memory().join("maps");
    let mut options = WriteOptions { deleted: Deleted::Omit, ..options(Format::Csv(Compression::Bzip2), Some(2)) };
    let written = write(&dir, &state, &options).unwrap();
    assert_eq!((written.files, written.entities, written.omitted), (2, 3, 1));
    let names =
        || storage::list(&dir).unwrap().iter().map(|entry| entry.location.file_name().to_owned()).collect::<Vec<_>>();
    let part = |part| format!("part-{part:05}-68656164-7761-4465-8200-000000000000-c000.csv.bz2");
    assert_eq!(names(), ["_SUCCESS".to_owned(), part(0), part(1)]);
    assert!(matches!(write(&dir, &state, &options), Err(RevisionMapError::Exists { .. })));
    options = WriteOptions { overwrite: true, partitions: Some(1), ..options };
    write(&dir, &state, &options).unwrap();
    assert_eq!(names(), ["_SUCCESS".to_owned(), part(0)]);
    put(&dir.join("notes"), Bytes::new()).unwrap();
    assert!(matches!(write(&dir, &state, &options), Err(RevisionMapError::NotEmpty { .. })));
    let one = WriteOptions { overwrite: false, partitions: None, ..options };
    assert!(matches!(write(&dir.join("notes"), &state, &one), Err(RevisionMapError::Exists { .. })));
    assert_eq!(Format::of_name("a/map.csv.zst"), Some(Format::Csv(Compression::Zstd)));
    assert_eq!(Format::of_name("map.txt"), None);
}

#[test]
fn damaged_files() {
    let mut gzip = Compression::Gzip.compress(b"Q1,1\n".repeat(1000)).unwrap();
    let at = gzip.len() - 6;
    gzip[at] ^= 1;
    assert!(matches!(read(&[file(&gzip)], &SIGNED), Err(RevisionMapError::Decode(DecodeError::Corrupt { .. }))));
    assert!(matches!(read(&[file(b"PAR1garbagePAR1")], &SIGNED), Err(RevisionMapError::Columns(_))));
    assert!(matches!(read(&[Location::memory().join("x")], &SIGNED), Err(RevisionMapError::Storage(_))));
}
