//! The contract of stores on those that need no server; and web servers, which can only be read.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

mod contract;
mod server;

use bytes::Bytes;
use contract::CONTRACT;
use headwater::storage::{Blob, Location, StorageError, Writer, claim, exists, expand, list, put, walk};
use server::{Said, said, serve};

#[test]
fn the_file_system_and_memory_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let local = Location::parse(dir.path().to_str().unwrap()).unwrap();
    for root in [local, Location::memory()] {
        for (name, check) in CONTRACT {
            check(&root.join(name));
        }
    }
}

const TEXT: &[u8] = b"0123456789";

/// A web server that has `/dumps/a b.ttl`. It fails so many times first.
fn web(mut failures: usize, has_ranges: bool) -> String {
    serve(move |got| {
        if failures > 0 {
            failures -= 1;
            return if failures.is_multiple_of(2) { None } else { Some(said(503)) };
        }
        if !got.line.ends_with(" /dumps/a%20b.ttl") {
            return Some(said(404));
        }
        let range =
            got.header("Range").strip_prefix("bytes=").filter(|_| has_ranges).and_then(|range| range.split_once('-'));
        let Some((from, to)) = range else { return Some(said(200).body(TEXT)) };
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        let whole = format!("bytes {from}-{to}/{}", TEXT.len());
        Some(Said { status: 206, ..said(206).header("Content-Range", whole).body(&TEXT[from..=to]) })
    })
}

#[test]
fn a_web_server_is_read_in_ranges_and_never_written() {
    let url = web(4, true);
    let file = Location::parse(&format!("{url}/dumps/a%20b.ttl")).unwrap();
    for blob in [Blob::open(&file).unwrap(), Blob::open(&file).unwrap().reading_ahead()] {
        assert_eq!(blob.size(), 10);
        assert_eq!(blob.read(2..5).unwrap(), "234");
        assert_eq!(blob.read(0..10).unwrap(), TEXT);
    }
    let none = Location::parse(&format!("{url}/dumps/none.ttl")).unwrap();
    assert!(!exists(&none).unwrap() && list(&none).unwrap().is_empty());
    assert!(matches!(Blob::open(&none), Err(StorageError::NotFound { .. })));
    assert_eq!(expand(&file.to_string()).unwrap().len(), 1);
    // Which files it has, it does not tell; that there is none is not known.
    assert!(matches!(expand(&format!("{url}/dumps/a*")), Err(StorageError::NotListed { .. })));
    assert!(matches!(walk(&none), Err(StorageError::NotListed { .. })));
    assert!(matches!(expand(&none.to_string()), Err(StorageError::NotFound { .. })));
    let refused = [put(&file, Bytes::new()).err(), Writer::create(&file).err(), claim(&file).err()];
    assert!(refused.iter().all(|error| matches!(error, Some(StorageError::ReadOnly { .. }))), "{refused:?}");
}

#[test]
fn a_web_server_without_ranges_is_told_so() {
    let file = Location::parse(&format!("{}/dumps/a%20b.ttl", web(0, false))).unwrap();
    let error = Blob::open(&file).unwrap().read(2..5).unwrap_err();
    // To try again is of no use.
    assert!(matches!(error, StorageError::NotSetUp { .. }), "{error:?}");
    assert!(error.to_string().contains("ange"), "{error}");
}
