//! The laws of Flink's savepoints: any bytes of `_metadata` and of a state file are a savepoint or an error, never a panic; and
//! what they are, written again and read again, is the same.
//!
//! Input: one byte; if it is odd, the rest is `_metadata` with all state inside; if even, the rest is the state file of a sound
//! `_metadata`, whose key groups are where the next two bytes of the rest say.

#![no_main]

use bytes::Bytes;
use headwater::savepoint::{self, OnExisting, flink};
use headwater::state::StateTable;
use headwater::storage::{self, Location};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let dir = Location::memory().join("savepoint");
    let mut metadata = bytes.to_vec();
    if choice & 1 == 0 {
        let Some((place, state)) = bytes.split_first_chunk::<4>() else { return };
        let group = u16::from_be_bytes([place[0] & 3, place[1]]);
        let offset = u16::from_be_bytes([place[2], place[3]]);
        storage::put(&dir.join("part-00000"), Bytes::copy_from_slice(state)).expect("memory takes it");
        metadata = metadata_of(group, u64::from(offset), state.len() as u64);
    }
    storage::put(&dir.join("_metadata"), Bytes::from(metadata)).expect("memory takes it");
    let verified = savepoint::verify(&dir);
    let read = savepoint::read(&dir).and_then(|contents| contents.whole(&dir));
    let Ok(contents) = read else { return };
    // State of other operators is not read; that its files are there is looked at by `verify` alone.
    let said = [" is missing", " bytes instead of ", " cannot be read: "];
    let elsewhere = |problem: &String| said.iter().any(|said| problem.contains(said));
    let sound = verified.is_ok_and(|verified| verified.problems.iter().all(elsewhere));
    assert!(sound, "what is read whole is sound");
    again(&contents.state);
});

/// Written again and read again, it is the same.
fn again(state: &StateTable) {
    let dir = Location::memory().join("again");
    flink::write(&dir, state, 3, OnExisting::Refuse, &|| false).expect("memory takes it");
    let read = savepoint::read(&dir).expect("what we write is sound").state;
    assert!(read.iter().eq(state.iter()), "written and read, it is the same");
}

/// The `_metadata` of one file with one key group.
fn metadata_of(group: u16, offset: u64, size: u64) -> Vec<u8> {
    let mut bytes = vec![0x49, 0x60, 0x67, 0x2d, 0, 0, 0, 4];
    bytes.extend([0; 12]);
    bytes.extend([0, 0, 0, 1]);
    bytes.extend([0x02, 0xfb, 0xb1, 0xf9, 0x12, 0x2a, 0x91, 0x0b, 0x1b, 0x49, 0xd4, 0x3c, 0xce, 0xed, 0x49, 0x15]);
    bytes.extend([0, 0, 0, 1, 0, 0, 4, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0; 12]);
    bytes.push(7);
    bytes.extend([0, 0, group.to_be_bytes()[0], group.to_be_bytes()[1], 0, 0, 0, 1]);
    bytes.extend(offset.to_be_bytes());
    bytes.extend([6, 0, 10]);
    bytes.extend(b"part-00000");
    bytes.extend(size.to_be_bytes());
    bytes.extend([0; 9]);
    bytes.extend([0xac, 0xed, 0, 5, 0x70]);
    bytes
}
