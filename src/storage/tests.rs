//! One contract for every kind of store.

use std::io::Write;

use super::*;

/// What it says, and its check.
type Law = (&'static str, fn(&Location));

/// The contract of a store, each function on its own fresh directory.
const CONTRACT: &[Law] = &[
    ("put and read", put_and_read),
    ("names of any kind", names_of_any_kind),
    ("a writer publishes whole", a_writer_publishes_whole),
    ("a writer takes pieces of any size", a_writer_takes_pieces_of_any_size),
    ("a dropped writer leaves nothing", a_dropped_writer_leaves_nothing),
    ("create and delete", create_and_delete),
    ("listing", listing),
];

#[test]
fn every_store_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let local = Location::parse(dir.path().to_str().unwrap()).unwrap();
    for root in [local, Location::memory()] {
        for (name, check) in CONTRACT {
            check(&root.join(name));
        }
    }
}

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

fn names_of_any_kind(root: &Location) {
    let names = ["a b", "ä→😀", "100%", "%20", "a+b", "a#b", "#", "a&=?;:@", "~", "*", "-", "..", "a\\b", "'\""];
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

#[test]
fn texts_that_are_and_are_not_locations() {
    let rows = [
        ("/a b/ü", Ok("/a b/ü")),
        ("file:///a%20b/c", Ok("/a b/c")),
        ("a%20b", Ok("a%20b")),
        ("~/x:y", Ok("~/x:y")),
        (
            "s3://key:secret@bucket/x",
            Err("locations of the scheme `s3` are not supported: give a path or a file:// URL"),
        ),
        ("", Err("`` is no location: it is empty")),
        ("/a\nb", Err("`/a\nb` is no location: a control character is in its name")),
        ("/a#12", Err("`/a#12` is no location: a file name cannot end in # and digits")),
        (
            "/no-such-directory/../a",
            Err("`/no-such-directory/../a` is no location: a directory before `..` does not exist"),
        ),
        (
            "file://me:secret@host/a#b",
            Err("`file://host/a#b` is no location: \
                 a file URL is written like file:///directory/name, with %23 for # and %3F for ?"),
        ),
    ];
    for (text, expected) in rows {
        let got = Location::parse(text).map(|location| location.to_string()).map_err(|error| error.to_string());
        assert_eq!(got.as_ref().map(String::as_str).map_err(String::as_str), expected, "{text}");
    }
}

#[test]
fn relative_paths_and_what_is_no_file() {
    let file = Location::parse("src/../Cargo.toml").unwrap();
    let text = std::fs::read("Cargo.toml").unwrap();
    let blob = Blob::open(&file).unwrap();
    assert_eq!(blob.read(0..blob.size()).unwrap(), text);
    assert!(matches!(Blob::open(&Location::parse("src").unwrap()), Err(StorageError::NotAFile { .. })));
    assert!(matches!(Blob::open(&Location::parse("/dev/null").unwrap()), Err(StorageError::NotAFile { .. })));
    assert!(matches!(Writer::create(&Location::parse("src").unwrap()), Err(StorageError::NotAFile { .. })));
    let error = put(&Location::parse("Cargo.toml/x").unwrap(), Bytes::new()).unwrap_err();
    assert!(matches!(error, StorageError::NotADirectory { .. }), "{error:?}");
}

#[test]
fn what_a_user_means() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["part-1.csv", "part-0.csv", "part-00.csv.gz", "_SUCCESS", ".part-0.crc", "ü.csv", "we*ird"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    std::fs::create_dir(dir.path().join("part-9.csv")).unwrap();
    let rows: &[(&str, &[&str])] = &[
        ("", &["part-0.csv", "part-00.csv.gz", "part-1.csv", "we*ird", "ü.csv"]),
        ("/part-*", &["part-0.csv", "part-00.csv.gz", "part-1.csv"]),
        ("/*.csv", &["part-0.csv", "part-1.csv", "ü.csv"]),
        ("/?.csv", &["ü.csv"]),
        ("/part-?.csv", &["part-0.csv", "part-1.csv"]),
        ("/we*ird", &["we*ird"]),
        ("/_*", &["_SUCCESS"]),
        ("/x*", &[]),
        ("/x", &[]),
    ];
    for (text, expected) in rows {
        for prefix in ["", "file://"] {
            match expand(&format!("{prefix}{}{text}", dir.path().display())) {
                Ok(found) => {
                    assert_eq!(found.iter().map(Location::file_name).collect::<Vec<_>>(), *expected, "{text}");
                }
                Err(StorageError::NotFound { .. }) => assert!(expected.is_empty(), "{text}"),
                // In a URL, `?` begins a query.
                Err(error) => assert!(prefix == "file://" && text.contains('?'), "{text}: {error}"),
            }
        }
    }
}

#[test]
fn leftovers_of_killed_writers_go() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "a#1", "b#22", "c#x", "#"] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    let location = Location::parse(dir.path().to_str().unwrap()).unwrap();
    delete_unpublished(&location, |_| true).unwrap();
    delete_unpublished(&location.join("none"), |_| true).unwrap();
    let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["#", "a", "c#x"]);
}
