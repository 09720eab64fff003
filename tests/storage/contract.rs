//! One contract for every kind of store.
//!
//! Promise: what holds of the file system and of memory holds of a real store in the live tests, by the same checks.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use headwater::storage::{
    Blob, Entry, Location, StorageError, Writer, claim, create_new, delete, delete_empty, exists, expand, list, put,
    put_fresh, read, read_at_most,
};

/// What it says, and its check.
pub type Law = (&'static str, fn(&Location));

/// The contract of a store, each function on its own fresh directory.
pub const CONTRACT: &[Law] = &[
    ("put and read", put_and_read),
    ("what is stored where nothing is", what_is_stored_where_nothing_is),
    ("an empty directory", an_empty_directory),
    ("names of any kind", names_of_any_kind),
    ("a writer publishes whole", a_writer_publishes_whole),
    ("a writer takes pieces of any size", a_writer_takes_pieces_of_any_size),
    ("a dropped writer leaves nothing", a_dropped_writer_leaves_nothing),
    ("create and delete", create_and_delete),
    ("listing", listing),
    ("no file over a directory", no_file_over_a_directory),
    ("what a user means", what_a_user_means),
    ("what is read ahead is what is there", what_is_read_ahead_is_what_is_there),
    ("a file that is replaced is never mixed", a_file_that_is_replaced_is_never_mixed),
    ("writers at once have names of their own or wait", writers_at_once),
];

fn put_and_read(root: &Location) {
    let file = root.join("a/b");
    put(&file, Bytes::from_static(b"0123456789")).unwrap();
    let blob = Blob::open(&file).unwrap();
    assert_eq!(blob.size(), 10);
    assert_eq!(&blob.read(2..5).unwrap()[..], b"234");
    assert_eq!(&blob.read(10..10).unwrap()[..], b"");
    for range in [8..11, 11..12, Range { start: 5, end: 4 }, 0..u64::MAX] {
        assert!(matches!(blob.read(range), Err(StorageError::TooShort { .. })));
    }
    assert!(matches!(Blob::open(&root.join("c")), Err(StorageError::NotFound { .. })));
    assert!(matches!(Blob::open(&root.join("a")), Err(StorageError::NotFound { .. } | StorageError::NotAFile { .. })));
}

fn what_is_stored_where_nothing_is(root: &Location) {
    put_fresh(&root.join("a/b"), Bytes::from_static(b"0123456789")).unwrap();
    let mut writer = Writer::create_fresh(&root.join("a/c")).unwrap();
    // In more than one part, and in one.
    let long = bytes(9 << 20, 3);
    writer.give(long.clone()).unwrap();
    assert_eq!(writer.finish().unwrap(), long.len() as u64);
    let mut writer = Writer::create_fresh(&root.join("a/d")).unwrap();
    writer.append(b"short").unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&root.join("a/b")).unwrap(), "0123456789");
    assert!(read(&root.join("a/c")).unwrap() == long);
    assert_eq!(read_at_most(&root.join("a/d"), 5).unwrap(), "short");
    let larger = read_at_most(&root.join("a/d"), 4);
    assert!(matches!(larger, Err(StorageError::TooLarge { size: 5, most: 4, .. })), "{larger:?}");
}

fn an_empty_directory(root: &Location) {
    let file = root.join("dir/file");
    put(&file, Bytes::from_static(b"x")).unwrap();
    delete_empty(&root.join("dir")).unwrap();
    assert_eq!(read(&file).unwrap(), "x", "not empty, so it stays");
    delete(&file).unwrap();
    delete_empty(&root.join("dir")).unwrap();
    delete_empty(&root.join("dir")).unwrap();
    if let Some(path) = root.join("dir").local() {
        assert!(!path.exists());
    }
}

fn names_of_any_kind(root: &Location) {
    let names = ["a b", "ä→😀", "100%", "%20", "a+b", "a#b", "#", "a&=?;@", "~", "*", "-", "..", "a\\b", "'\""];
    for name in names {
        let file = root.join(name);
        put(&file, Bytes::copy_from_slice(name.as_bytes())).unwrap();
        assert_eq!(&Blob::open(&file).unwrap().read(0..name.len() as u64).unwrap()[..], name.as_bytes(), "{name}");
    }
    let found = list(root).unwrap();
    assert_eq!(found.len(), names.len());
    for Entry { location, size, .. } in found {
        let again = Blob::open(&location).unwrap();
        assert_eq!(again.read(0..size).unwrap().len() as u64, size, "{location}");
        assert_eq!(root.join(location.file_name()).to_string(), location.to_string());
    }
}

/// Written or given, in small pieces or large ones: the bytes in their order.
fn a_writer_takes_pieces_of_any_size(root: &Location) {
    let file = root.join("pieces");
    let mut writer = Writer::create(&file).unwrap();
    let mut expected = Vec::new();
    for (at, size) in [3, 9 << 20, 1, (8 << 20) - 1, 0, 5 << 20, 2 << 20, 1 << 20, 17, 8 << 20, 2].iter().enumerate() {
        let piece = vec![at as u8; *size];
        expected.extend_from_slice(&piece);
        if at % 3 == 0 { writer.append(&piece).unwrap() } else { writer.give(piece.into()).unwrap() }
    }
    assert_eq!(writer.finish().unwrap(), expected.len() as u64);
    assert!(Blob::open(&file).unwrap().read(0..expected.len() as u64).unwrap() == expected);
}

fn a_writer_publishes_whole(root: &Location) {
    let file = root.join("deep/down/file");
    // Not a whole number of parts, and many of them.
    let line: Vec<u8> = (0..=255).cycle().take(1_000_003).collect();
    let mut writer = Writer::create(&file).unwrap();
    for _ in 0..45 {
        writer.write_all(&line).unwrap();
    }
    assert!(!exists(&file).unwrap());
    assert_eq!(writer.finish().unwrap(), 45 * 1_000_003);
    let blob = Blob::open(&file).unwrap();
    let bytes = blob.read(0..blob.size()).unwrap();
    assert!(bytes.chunks(1_000_003).all(|chunk| chunk == line) && bytes.len() == 45 * 1_000_003);
    assert_eq!(Writer::create(&file).unwrap().finish().unwrap(), 0);
    assert_eq!(Blob::open(&file).unwrap().size(), 0);
    assert_eq!(list(root).unwrap().len(), 1);
}

fn a_dropped_writer_leaves_nothing(root: &Location) {
    let mut writer = Writer::create(&root.join("dir/file")).unwrap();
    writer.write_all(&vec![1; 30 << 20]).unwrap();
    drop(writer);
    assert!(list(root).unwrap().is_empty());
    if let Some(path) = root.join("dir").local() {
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
    }
}

fn create_and_delete(root: &Location) {
    let file = root.join("once");
    create_new(&file, Bytes::from_static(b"1")).unwrap();
    assert!(matches!(create_new(&file, Bytes::from_static(b"2")), Err(StorageError::AlreadyExists { .. })));
    assert_eq!(&Blob::open(&file).unwrap().read(0..1).unwrap()[..], b"1");
    put(&file, Bytes::from_static(b"3")).unwrap();
    assert!(exists(&file).unwrap() && !exists(root).unwrap());
    delete(&file).unwrap();
    assert!(matches!(delete(&file), Err(StorageError::NotFound { .. })));
    assert!(!exists(&file).unwrap());
}

fn listing(root: &Location) {
    for name in ["b", "a/z", "a/y", "c"] {
        put(&root.join(name), Bytes::from_static(b"xyz")).unwrap();
    }
    let found = list(root).unwrap();
    let names: Vec<_> = found.iter().filter_map(|entry| entry.location.relative_to(root)).collect();
    assert_eq!(names, ["a/y", "a/z", "b", "c"]);
    assert!(found.iter().all(|entry| entry.size == 3));
    assert!(list(&root.join("none")).unwrap().is_empty());
}

/// Else nobody would find what is in the directory.
fn no_file_over_a_directory(root: &Location) {
    put(&root.join("dir/file"), Bytes::from_static(b"x")).unwrap();
    let dir = root.join("dir");
    let refused = [put(&dir, Bytes::new()).err(), create_new(&dir, Bytes::new()).err(), Writer::create(&dir).err()];
    assert!(refused.iter().all(|error| matches!(error, Some(StorageError::NotAFile { .. }))), "{refused:?}");
    assert_eq!(read(&root.join("dir/file")).unwrap(), "x");
}

fn what_a_user_means(root: &Location) {
    // The store of a location in memory has no name that could be typed.
    if root.to_string().starts_with("memory:") {
        return;
    }
    for name in ["part-1.csv", "part-0.csv", "_SUCCESS", "deep/part-2.csv"] {
        put(&root.join(name), Bytes::from_static(b"x")).unwrap();
    }
    let rows: &[(&str, &[&str])] = &[
        ("", &["part-0.csv", "part-1.csv"]),
        ("/part-?.csv", &["part-0.csv", "part-1.csv"]),
        ("/_*", &["_SUCCESS"]),
        ("/part-1.csv", &["part-1.csv"]),
        ("/x*", &[]),
        ("/x", &[]),
    ];
    for (text, expected) in rows {
        match expand(&format!("{root}{text}")) {
            Ok(found) => assert_eq!(found.iter().map(Location::file_name).collect::<Vec<_>>(), *expected, "{text}"),
            Err(StorageError::NotFound { .. }) => assert!(expected.is_empty(), "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

fn bytes(size: usize, salt: usize) -> Bytes {
    (0..size).map(|at| ((at / 7) ^ (at >> 11) ^ salt) as u8).collect()
}

fn what_is_read_ahead_is_what_is_there(root: &Location) {
    let file = root.join("long");
    let expected = bytes((37 << 20) + 5, 0);
    let mut writer = Writer::create(&file).unwrap();
    writer.give(expected.clone()).unwrap();
    writer.finish().unwrap();
    let blob = Blob::open(&file).unwrap().reading_ahead();
    let size = expected.len();
    // Two that read on from different places, in windows that no chunk is a multiple of; then here and there.
    let windows =
        |from: usize, until: usize| (from..until).step_by(1_000_003).map(move |at| at..(at + 1_000_003).min(until));
    let (low, high) = (windows(0, size / 2), windows(size / 2, size));
    let jumps = [0..1, size - 1..size, 8 << 20..(8 << 20) + 1, (8 << 20) - 1..(8 << 20) + 1, 3..size, 0..size];
    for range in low.zip(high).flat_map(|(a, b)| [a, b]).chain(jumps) {
        let got = blob.read(range.start as u64..range.end as u64).unwrap();
        assert!(got == expected[range.clone()], "{range:?}");
    }
    delete(&file).unwrap();
}

fn a_file_that_is_replaced_is_never_mixed(root: &Location) {
    let file = root.join("replaced");
    let (old, new) = (bytes(10_000, 1), bytes(10_000, 2));
    put(&file, old.clone()).unwrap();
    let blob = Blob::open(&file).unwrap();
    // HDFS tells files by the millisecond in which they were written.
    std::thread::sleep(std::time::Duration::from_millis(5));
    put(&file, new.clone()).unwrap();
    match blob.read(0..10_000) {
        Ok(got) => assert!(got == old, "opened before it was replaced"),
        Err(error) => assert!(matches!(error, StorageError::Changed { .. }), "{error}"),
    }
    assert!(read(&file).unwrap() == new);
}

fn writers_at_once(root: &Location) {
    let dir = root.join("claimed");
    let first = claim(&dir).unwrap();
    match claim(&dir) {
        Ok(second) if !dir.has_names() => assert_ne!(first.attempt(), second.attempt()),
        Ok(_) => assert!(dir.local().is_none(), "two claims of one directory"),
        Err(error) => assert!(matches!(error, StorageError::InUse { .. }), "{error}"),
    }
}
