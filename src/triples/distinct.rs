//! Lines of text -> the same lines, each once, however many there are.
//!
//! Promise: what comes out is the set of what went in, sorted within each portion, in memory that was agreed on.
//! In -> out: lines -> partitions by the hash of their first word, on disk -> each partition sorted and without repeats.
//! Invariant: equal lines fall into one partition. A partition too large for memory is cut again, by the hash of whole lines.
//! Not here: what a line means. The first word decides so that the triples of one node come out side by side.

use std::io;
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter};
use rayon::prelude::*;

use crate::compression::{pack, unpack};
use crate::rdf::fingerprint::Fingerprint;
use crate::storage::scratch::{Scratch, ScratchFile};
use crate::triples::TriplesError;

/// Partitions at once; each is an open file.
const PARTITIONS: usize = 128;
/// Bytes that a partition collects before they go to disk.
const BLOCK: usize = 128 << 10;
/// How often a partition is cut again. What is still too large then is one line many times over, or nearly so.
const DEEPEST: u32 = 3;

/// Collects lines on disk.
pub struct Distinct {
    dir: PathBuf,
    scratch: Scratch,
    depth: u32,
    partitions: Vec<Partition>,
}

#[derive(Default)]
struct Partition {
    buffer: Vec<u8>,
    file: Option<ScratchFile>,
    /// Bytes of text in the file.
    text: u64,
}

impl Distinct {
    /// Begins a collection in the local directory `dir`.
    pub fn new(dir: &Path) -> Result<Self, TriplesError> {
        Self::at_depth(dir.to_owned(), 0)
    }

    fn at_depth(dir: PathBuf, depth: u32) -> Result<Self, TriplesError> {
        let scratch = Scratch::open(&dir)?;
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Ok(Self { dir, scratch, depth, partitions })
    }

    /// Goes on with a collection as it was at a [`Self::checkpoint`].
    pub fn resume(dir: &Path, sizes: &[u64]) -> Result<Self, TriplesError> {
        let mut collection = Self::new(dir)?;
        collection.scratch.keep();
        for (number, size) in sizes.iter().enumerate().take(PARTITIONS).filter(|(_, size)| **size > 0) {
            let mut file = collection.scratch.file(&name(number))?;
            if file.size() < *size {
                return Err(TriplesError::ScratchLost);
            }
            file.truncate(*size)?;
            collection.partitions[number].text = text_size(&mut file)?;
            collection.partitions[number].file = Some(file);
        }
        Ok(collection)
    }

    /// Puts all on disk, to be found there by [`Self::resume`] whatever happens to this process; returns the sizes of files.
    /// From now on the files outlive their owner: [`scratch::delete`](crate::storage::scratch::delete) deletes them.
    pub fn checkpoint(&mut self) -> Result<Vec<u64>, TriplesError> {
        (0..PARTITIONS).try_for_each(|number| self.flush(number))?;
        self.scratch.keep();
        Ok(self.partitions.iter().map(|partition| partition.file.as_ref().map_or(0, ScratchFile::size)).collect())
    }

    /// Takes lines, each with its line feed.
    pub fn push(&mut self, lines: &[u8]) -> Result<(), TriplesError> {
        let mut start = 0;
        for feed in memchr_iter(b'\n', lines) {
            let line = &lines[start..=feed];
            let number = partition_of(line, self.depth);
            self.partitions[number].buffer.extend_from_slice(line);
            if self.partitions[number].buffer.len() >= BLOCK {
                self.flush(number)?;
            }
            start = feed + 1;
        }
        Ok(())
    }

    fn flush(&mut self, number: usize) -> Result<(), TriplesError> {
        let partition = &mut self.partitions[number];
        if partition.buffer.is_empty() {
            return Ok(());
        }
        if partition.file.is_none() {
            partition.file = Some(self.scratch.file(&name(number))?);
        }
        // Repeats are near each other: a node is written again soon, if it is.
        let text = sorted(&partition.buffer);
        partition.buffer.clear();
        partition.text += text.len() as u64;
        let packed = pack(&text).map_err(broken)?;
        if let Some(file) = &mut partition.file {
            file.append(&header(packed.len(), text.len()))?;
            file.append(&packed)?;
        }
        Ok(())
    }

    /// Gives the lines, portion by portion, to `make`, on many threads, and what that makes of them to `sink`, in order.
    /// `memory` is how many bytes of lines may be held at once.
    pub fn finish<T: Send>(
        mut self,
        memory: usize,
        make: &(impl Fn(&[u8]) -> Result<T, TriplesError> + Sync),
        sink: &mut dyn FnMut(T) -> Result<(), TriplesError>,
    ) -> Result<(), TriplesError> {
        (0..PARTITIONS).try_for_each(|number| self.flush(number))?;
        // A partition is there as it was read, as it is sorted, and as what is made of it.
        let most = (memory / 3) as u64;
        let partitions = std::mem::take(&mut self.partitions).into_iter().enumerate();
        let mut partitions = partitions.filter(|(_, partition)| partition.text > 0).peekable();
        while let Some((number, partition)) = partitions.next() {
            if partition.text > most && self.depth < DEEPEST {
                let mut finer = Self::at_depth(self.dir.join(format!("{number:03}-{}", self.depth)), self.depth + 1)?;
                partition.blocks(&mut |lines| finer.push(lines))?;
                finer.finish(memory, make, sink)?;
                continue;
            }
            let mut together = partition.text;
            let mut side_by_side = vec![partition];
            while let Some((_, next)) = partitions.next_if(|(_, next)| together + next.text <= most) {
                together += next.text;
                side_by_side.push(next);
            }
            let made: Vec<_> = side_by_side.into_par_iter().map(|partition| make(&partition.distinct()?)).collect();
            made.into_iter().try_for_each(|made| sink(made?))?;
        }
        Ok(())
    }
}

/// Where blocks of lines go.
type Blocks<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), TriplesError>;

impl Partition {
    fn blocks(mut self, take: Blocks<'_>) -> Result<(), TriplesError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut at = 0;
        while at < file.size() {
            let (packed, text) = sizes(&file.read(at, HEADER)?);
            let block = file.read(at + HEADER as u64, packed)?;
            take(&unpack(&block, text).map_err(broken)?)?;
            at += (HEADER + packed) as u64;
        }
        Ok(())
    }

    fn distinct(self) -> Result<Vec<u8>, TriplesError> {
        let mut lines = Vec::with_capacity(self.text as usize);
        self.blocks(&mut |block| {
            lines.extend_from_slice(block);
            Ok(())
        })?;
        Ok(sorted(&lines))
    }
}

/// The lines in order, each once.
fn sorted(lines: &[u8]) -> Vec<u8> {
    let mut start = 0;
    let mut list: Vec<&[u8]> =
        memchr_iter(b'\n', lines).map(|feed| &lines[std::mem::replace(&mut start, feed + 1)..=feed]).collect();
    list.sort_unstable();
    list.dedup();
    list.concat()
}

fn name(number: usize) -> String {
    format!("{number:03}")
}

/// Bytes of text in a file.
fn text_size(file: &mut ScratchFile) -> Result<u64, TriplesError> {
    let (mut at, mut all) = (0, 0);
    while at < file.size() {
        let (packed, text) = sizes(&file.read(at, HEADER)?);
        at += (HEADER + packed) as u64;
        all += text as u64;
    }
    Ok(all)
}

/// Bytes that stand before each block: how long it is, packed and unpacked.
const HEADER: usize = 8;

fn header(packed: usize, text: usize) -> [u8; HEADER] {
    ((packed as u64) << 32 | text as u64).to_le_bytes()
}

fn sizes(header: &[u8]) -> (usize, usize) {
    let both = header.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    ((both >> 32) as usize, (both & u64::from(u32::MAX)) as usize)
}

/// The same on every machine, as a run may be resumed on another. The first word's at depth 0, else the line's.
fn partition_of(line: &[u8], depth: u32) -> usize {
    let word = match depth {
        0 => &line[..memchr(b' ', line).unwrap_or(line.len())],
        _ => line,
    };
    let hash = Fingerprint::seeded(u64::from(depth)).then(word).number();
    (hash ^ hash >> 29) as usize % PARTITIONS
}

/// A scratch block that cannot be packed or unpacked: someone else wrote to it.
fn broken(source: io::Error) -> TriplesError {
    TriplesError::Scratch(source)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn distinct(lines: &[String], memory: usize) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let mut collection = Distinct::new(&dir.path().join("scratch")).unwrap();
        lines.iter().for_each(|line| collection.push(line.as_bytes()).unwrap());
        let mut found = Vec::new();
        let make = |portion: &[u8]| Ok(String::from_utf8_lossy(portion).into_owned());
        let mut take = |portion: String| {
            found.extend(portion.split_inclusive('\n').map(str::to_owned));
            Ok(())
        };
        collection.finish(memory, &make, &mut take).unwrap();
        assert!(!dir.path().join("scratch").exists(), "scratch files go");
        found
    }

    #[test]
    fn a_collection_is_resumed_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("scratch");
        let line = |number: u32| format!("<s{number}> <p> <o> .\n");
        let mut collection = Distinct::new(&dir).unwrap();
        (0..1000).for_each(|number| collection.push(line(number).as_bytes()).unwrap());
        let sizes = collection.checkpoint().unwrap();
        (1000..3000).for_each(|number| collection.push(line(number).as_bytes()).unwrap());
        collection.checkpoint().unwrap();
        std::mem::drop(collection);
        let mut collection = Distinct::resume(&dir, &sizes).unwrap();
        (900..1100).for_each(|number| collection.push(line(number).as_bytes()).unwrap());
        let mut found = BTreeSet::new();
        let make = |portion: &[u8]| Ok(String::from_utf8_lossy(portion).into_owned());
        let mut take = |portion: String| {
            found.extend(portion.split_inclusive('\n').map(str::to_owned));
            Ok(())
        };
        collection.finish(1 << 20, &make, &mut take).unwrap();
        assert_eq!(found, (0..1100).map(line).collect());
        crate::storage::scratch::delete(&dir).unwrap();
        assert!(!dir.exists());
    }

    #[test]
    fn each_line_comes_out_once_in_any_memory() {
        let lines: Vec<_> = (0..200_000_u64).map(|n| format!("<s{}> <p> \"{}\" .\n", n % 7919, n % 31337)).collect();
        let expected: BTreeSet<_> = lines.iter().cloned().collect();
        for memory in [1 << 30, 1 << 20, 3000] {
            let found = distinct(&lines, memory);
            assert_eq!(found.len(), expected.len(), "{memory}");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{memory}");
        }
        assert_eq!(distinct(&vec!["one\n".to_owned(); 100_000], 300), ["one\n"]);
        assert_eq!(distinct(&[], 300), [""; 0]);
    }
}
