//! The laws of `_metadata`: any bytes are a manifest or an error; a manifest is the same after it is stored and read.
//!
//! Input: one byte, then the file. If the byte is odd, the checksum in the file is made right, so that what lies behind
//! it is reached.

#![no_main]

use bytes::Bytes;
use headwater::savepoint::native::{self, manifest::Manifest};
use headwater::storage::{self, Location};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|input: &[u8]| {
    let Some((choice, json)) = input.split_first() else { return };
    let mut json = json.to_vec();
    if choice & 1 == 1 {
        seal(&mut json);
    }
    let manifest = Manifest::from_json(&json).ok();
    if let Some(manifest) = &manifest {
        let stored = manifest.to_json().expect("a manifest has a stored form");
        assert_eq!(Manifest::from_json(&stored).ok().as_ref(), Some(manifest), "stored and read, it is the same");
    }
    let dir = Location::memory().join("savepoint");
    storage::put(&dir.join("_metadata"), Bytes::from(json)).expect("memory takes it");
    assert_eq!(native::inspect(&dir).ok(), manifest, "where it is stored makes no difference");
    assert_eq!(native::verify(&dir).is_ok(), manifest.is_some(), "a manifest is all it takes to verify");
    let without_files = manifest.is_some_and(|manifest| manifest.size().0 == 0);
    assert_eq!(native::read(&dir).is_ok(), without_files, "none of its files is there");
});

/// Puts the right checksum after the last `"checksum": "`, if 64 bytes follow there.
fn seal(json: &mut [u8]) {
    const FIELD: &[u8] = b"\"checksum\": \"";
    let Some(field) = json.windows(FIELD.len()).rposition(|window| window == FIELD) else { return };
    let start = field + FIELD.len();
    let Some(place) = json.get_mut(start..start + 64) else { return };
    place.fill(b'0');
    let sum: String = Sha256::digest(&*json).iter().map(|byte| format!("{byte:02x}")).collect();
    json[start..start + 64].copy_from_slice(sum.as_bytes());
}
