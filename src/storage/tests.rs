//! Names of places, and what users mean by them. For what every store has to keep see `tests/storage`.

use super::*;

#[test]
fn texts_that_are_and_are_not_locations() {
    let rows = [
        ("/a b/ü", Ok("/a b/ü")),
        ("file:///a%20b/c", Ok("/a b/c")),
        ("a%20b", Ok("a%20b")),
        ("~/x:y", Ok("~/x:y")),
        (
            "hdfs://127.0.0.1:8020/a:b",
            Err("`hdfs://127.0.0.1:8020/a:b` is no location: HDFS has no names with a colon"),
        ),
        ("hdfs://127.0.0.1:8020/a b/%20", Ok("hdfs://127.0.0.1:8020/a b/%20")),
        ("http://example.org/a%20b/", Ok("http://example.org/a%20b")),
        ("memory:a/b", Ok("memory:a/b")),
        (
            "s3://key:secret@bucket/x",
            Err("`s3://bucket/x` is no location: names and passwords come from the environment, never from a location"),
        ),
        ("s3:///x", Err("`s3:///x` is no location: the host, bucket or container is missing after the `//`")),
        (
            "hdfs://127.0.0.1:8020/a/../b",
            Err(
                "`hdfs://127.0.0.1:8020/a/../b` is no location: a name in it is empty, `.`, `..`, or has a control character",
            ),
        ),
        (
            "https://example.org/a?b",
            Err("`https://example.org/a?b` is no location: \
                 a URL with `?` or `#` names no file: download it first, or write %3F and %23"),
        ),
        (
            "swift://container/x",
            Err("swift://container cannot be used: it is written like swift://CONTAINER.SERVICE/path, \
                 where SERVICE is a name for the account of your own choice"),
        ),
        (
            "gs://bucket/x",
            Err("locations of the scheme `gs` are not supported: \
                 give a path, or a URL of file, hdfs, viewfs, s3, swift, http or https"),
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
