//! The laws of revision maps as text: any bytes are a state or an error; a state that is written is read again; and the
//! quick way of reading a line and the exact one give the same.
//!
//! Input: one byte of options, then the file. Compressed files are for `decode`; Parquet is for its own library.

#![no_main]

use bytes::Bytes;
use headwater::compression::Compression;
use headwater::env::Env;
use headwater::revision_map::{
    self, Deleted, Format, Negative, OnBadLine, ReadOptions, ReadStats, RevisionMapError, WriteOptions,
};
use headwater::state::StateTable;
use headwater::storage::{self, Location};
use libfuzzer_sys::fuzz_target;

const PLAIN: Format = Format::Csv(Compression::Plain);
const WRITING: WriteOptions =
    WriteOptions { format: PLAIN, partitions: None, deleted: Deleted::Negative, overwrite: false };

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    if Compression::of_content(text) != Compression::Plain || text.starts_with(b"PAR1") || is_slow(text) {
        return;
    }
    let negative = if choice & 1 == 1 { Negative::Deleted } else { Negative::Reject };
    let strict = read(text, ReadOptions { negative, on_bad_line: OnBadLine::Stop });
    let skipping = ReadOptions { negative, on_bad_line: OnBadLine::Skip };
    let (state, stats) = read(text, skipping).expect("bad lines are left out");
    let is_same = |other: &StateTable| other.iter().eq(state.iter());

    assert_eq!(strict.is_ok(), stats.skipped == 0, "to skip is to stop at nothing");
    assert!(strict.is_ok_and(|(strict, _)| is_same(&strict)) || stats.skipped > 0);
    assert_eq!(stats.lines, stats.skipped + stats.duplicates + state.len(), "every line counts or is reported");
    assert!(is_same(&written_and_read(&state)), "what is written is read again");
    if !text.contains(&b'\r') {
        // Only the exact way reads lines that end so.
        let (exact, exact_stats) = read(&with_returns(text), skipping).expect("bad lines are left out");
        assert!(is_same(&exact), "the quick way and the exact one give the same");
        assert_eq!((exact_stats.lines, exact_stats.skipped), (stats.lines, stats.skipped));
    }
});

/// Whether an entity may have a number of more than 5 digits: all below it are walked over, again and again.
fn is_slow(text: &[u8]) -> bool {
    let digits = |field: &[u8]| field.iter().filter(|byte| byte.is_ascii_digit()).count();
    text.split(|byte| *byte == b'\n').any(|line| digits(line.split(|byte| *byte == b',').next().unwrap_or(line)) > 5)
}

fn read(text: &[u8], options: ReadOptions) -> Result<(StateTable, ReadStats), RevisionMapError> {
    let file = Location::memory().join("map.csv");
    storage::put(&file, Bytes::copy_from_slice(text)).expect("memory takes it");
    revision_map::read(&[file], &options, &Env::default())
}

fn written_and_read(state: &StateTable) -> StateTable {
    let file = Location::memory().join("map.csv");
    let written = revision_map::write(&file, state, &WRITING, &|| false).expect("memory takes it");
    assert_eq!((written.entities, written.omitted), (state.len(), 0));
    let options = ReadOptions { negative: Negative::Deleted, on_bad_line: OnBadLine::Stop };
    revision_map::read(&[file], &options, &Env::default()).expect("what was written is valid").0
}

fn with_returns(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|byte| *byte == b'\n').flat_map(with_return).collect()
}

fn with_return(line: &[u8]) -> Vec<u8> {
    match line.strip_suffix(b"\n") {
        Some(line) => [line, b"\r\n"].concat(),
        None => line.to_vec(),
    }
}
