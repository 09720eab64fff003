//! Events from files, a line of JSON each: for replays, tests and those who record streams.
//!
//! Promise: every line of every file from the positions on, file after file in the order given; then the end.
//! Invariant: a position is the byte at which a line begins. A last line without its end is one if it is whole JSON; else someone still
//! writes it, and it is left for a later run. Empty lines are none.
//! Not here: compressed files, in which no position could be found again.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;

use crate::storage::sequential::{Sequential, storage_error};
use crate::storage::{Blob, Location, StorageError};
use crate::updater::source::{Arrived, PartitionName, Polled, Position, Source, SourceError};

/// Lines handed over at once, at most.
const AT_ONCE: usize = 1000;
/// And their bytes, at most, but for the last line: few enough to be in the processor's cache when they are read.
const BYTES_AT_ONCE: usize = 256 << 10;
/// What is kept of a line, in bytes: events have some kilobytes. One that has as many is not whole.
pub const LONGEST: usize = 16 << 20;
/// Bytes read at once.
const WINDOW: u64 = 1 << 20;

/// Files that are read, one after the other.
pub struct Lines {
    files: Vec<(Location, u64)>,
    names: Vec<PartitionName>,
    /// The file that is read.
    place: usize,
    open: Option<Sequential>,
    line: Vec<u8>,
    /// Last lines that were left.
    left: Vec<String>,
}

impl Lines {
    /// Begins to read files, those that are among the positions there. Errors: `Storage`, `Shrunk`.
    pub fn open(files: &[Location], positions: &[Position]) -> Result<Self, SourceError> {
        let names: Vec<_> = files.iter().map(name).collect();
        let next = |name: &PartitionName| {
            positions.iter().find(|position| position.partition == *name).map_or(0, |position| position.next)
        };
        let files: Vec<_> = files.iter().cloned().zip(names.iter().map(next)).collect();
        for (location, next) in &files {
            let size = Blob::open(location)?.size();
            if size < *next {
                return Err(SourceError::Shrunk { location: location.to_string(), size, next: *next });
            }
        }
        Ok(Self { files, names, place: 0, open: None, line: Vec::new(), left: Vec::new() })
    }

    /// Reads the next line, of whatever file, into `self.line`; the bytes at which it begins and ends. `None` after the last.
    fn read(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        while self.place < self.files.len() {
            if let Some(line) = self.read_here()? {
                return Ok(Some(line));
            }
            self.place += 1;
            self.open = None;
        }
        Ok(None)
    }

    /// The same, of the file that is read.
    fn read_here(&mut self) -> Result<Option<(u64, u64)>, SourceError> {
        let Some((location, next)) = self.files.get_mut(self.place) else { return Ok(None) };
        let file = match &mut self.open {
            Some(file) => file,
            closed => closed.insert(Sequential::new(Arc::new(Blob::open(location)?), *next, WINDOW)),
        };
        self.line.clear();
        let unavailable = |error: io::Error| StorageError::Unavailable {
            location: location.clone(),
            action: "read",
            source: error.into(),
        };
        let read = read_line(file, &mut self.line);
        let read = read.map_err(|error| storage_error(error).unwrap_or_else(unavailable))?;
        let start = *next;
        if !self.line.ends_with(b"\n") && is_begun(&self.line) {
            self.left.push(format!("{location}: the last line, from byte {start} on, is not whole yet: it is left"));
            return Ok(None);
        }
        *next += read;
        Ok((read > 0).then_some((start, *next)))
    }
}

/// Whether a line without its end is the beginning of one. One that is too long is no event, whatever its end.
fn is_begun(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty() && line.len() < LONGEST && serde_json::from_slice::<IgnoredAny>(line).is_err()
}

/// Appends a line with its end; how many bytes it has. Of a line that is too long the rest is passed over, so that it is no event.
fn read_line(file: &mut Sequential, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut read = 0;
    loop {
        let text = file.fill_buf()?;
        let (end, is_whole) = match memchr::memchr(b'\n', text) {
            Some(feed) => (feed + 1, true),
            None => (text.len(), text.is_empty()),
        };
        let room = LONGEST.saturating_sub(line.len());
        line.extend_from_slice(&text[..end.min(room)]);
        file.consume(end);
        read += end as u64;
        if is_whole {
            return Ok(read);
        }
    }
}

fn name(file: &Location) -> PartitionName {
    PartitionName { topic: file.to_string(), number: 0 }
}

impl Source for Lines {
    fn partitions(&self) -> &[PartitionName] {
        &self.names
    }

    fn poll(&mut self, _wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let (mut records, mut bytes) = (0, 0);
        while records < AT_ONCE && bytes < BYTES_AT_ONCE {
            let Some((start, next)) = self.read()? else { return Ok(Polled { records, ended: true }) };
            let value = self.line.trim_ascii_end();
            if !value.is_empty() {
                (records, bytes) = (records + 1, bytes + value.len());
                take(Arrived { place: self.place, start: Some(start), next: Some(next), value });
            }
        }
        Ok(Polled { records, ended: false })
    }

    fn heard(&self) -> Vec<String> {
        self.left.clone()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::storage;

    fn all(lines: &mut Lines) -> Vec<(usize, u64, String)> {
        let mut got = Vec::new();
        loop {
            let polled = lines.poll(Duration::ZERO, &mut |arrived| {
                let text = String::from_utf8(arrived.value.to_vec()).unwrap();
                got.push((arrived.place, arrived.next.unwrap(), text));
            });
            if polled.unwrap().ended {
                return got;
            }
        }
    }

    fn stored(texts: &[&str]) -> Vec<Location> {
        let dir = Location::memory();
        let files = texts.iter().enumerate().map(|(at, text)| {
            let file = dir.join(&format!("{at}.ndjson"));
            storage::put(&file, Bytes::copy_from_slice(text.as_bytes())).unwrap();
            file
        });
        files.collect()
    }

    #[test]
    fn lines_of_files_one_after_the_other() {
        let files = stored(&["a\n\nbb\r\n", "", "3"]);
        let got = all(&mut Lines::open(&files, &[]).unwrap());
        let expected = [(0, 2, "a"), (0, 7, "bb"), (2, 1, "3")];
        assert_eq!(got, expected.map(|(place, next, text)| (place, next, text.to_owned())));
    }

    /// The last line of a file -> whether it is one.
    #[test]
    fn a_last_line_may_be_without_its_end() {
        for (last, is_line) in
            [("{\"a\": 1}", true), ("7", true), ("{\"a\": {}", false), ("{\"a\": 1}\n", true), ("{\n", true)]
        {
            let mut lines = Lines::open(&stored(&[&format!("1\n{last}"), "2\n"]), &[]).unwrap();
            let got: Vec<_> = all(&mut lines).into_iter().map(|(_, _, text)| text).collect();
            let expected = if is_line { vec!["1", last.trim_ascii_end(), "2"] } else { vec!["1", "2"] };
            assert_eq!((got, lines.heard().is_empty()), (expected.into_iter().map(str::to_owned).collect(), is_line));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(LONGEST + 10);
        let files = stored(&[&format!("a\n{long}\nb\n")]);
        let got = all(&mut Lines::open(&files, &[]).unwrap());
        let lengths: Vec<_> = got.iter().map(|(_, next, text)| (*next, text.len())).collect();
        assert_eq!(lengths, [(2, 1), (LONGEST as u64 + 13, LONGEST), (LONGEST as u64 + 15, 1)]);
    }

    #[test]
    fn many_empty_files_are_passed_over() {
        let texts = vec![""; 20_000];
        assert_eq!(all(&mut Lines::open(&stored(&texts), &[]).unwrap()), []);
    }

    #[test]
    fn a_file_that_shrank_is_another() {
        let files = stored(&["a\n"]);
        let position = Position { partition: name(&files[0]), next: 3 };
        assert!(matches!(Lines::open(&files, &[position]), Err(SourceError::Shrunk { size: 2, next: 3, .. })));
    }

    proptest! {
        /// Read on from any position: what would have come.
        #[test]
        fn positions_lead_on(texts in proptest::collection::vec("([ab]{0,3}\n){0,5}[1-9]{0,2}", 1..4)) {
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let files = stored(&texts);
            let whole = all(&mut Lines::open(&files, &[]).unwrap());
            for at in 0..whole.len() {
                let (place, next, _) = &whole[at];
                let ended = |(file, text): (&Location, &&str)| Position { partition: name(file), next: text.len() as u64 };
                let mut positions: Vec<_> = files.iter().zip(&texts).take(*place).map(ended).collect();
                positions.push(Position { partition: name(&files[*place]), next: *next });
                prop_assert_eq!(&all(&mut Lines::open(&files, &positions).unwrap()), &whole[at + 1..]);
            }
        }
    }
}
