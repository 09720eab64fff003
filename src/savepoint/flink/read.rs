//! Reading canonical savepoints, ours and those that a running job took.
//!
//! Promise: every entry of the updater's operator is told; whatever is wrong is told with its file and byte.
//! Invariant: besides the state, about [`BATCH`] times [`TASK`] bytes of files and their entries are in memory; a file is open
//! only while it is read, as there can be a thousand of them.
//! Not here: what is done about what is wrong.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use rayon::prelude::*;

use crate::compression;
use crate::savepoint::flink::groups::{self, Found, Group, GroupError};
use crate::savepoint::flink::header::{Header, LAST_SEEN};
use crate::savepoint::flink::java::Broken;
use crate::savepoint::flink::metadata::{Form, Keyed, Metadata, Operator, Stream};
use crate::savepoint::flink::{Entries, Unfit};
use crate::savepoint::{METADATA, Problem, SavepointError, with_causes};
use crate::state::filling::{Dealt, Filling};
use crate::storage::sequential::Sequential;
use crate::storage::{Blob, Location, StorageError};

/// The largest `_metadata`. State within is at most 5 MB a subtask, unless someone has set that higher.
const MAX_METADATA: u64 = 1 << 30;
/// The most bytes of a header.
const MAX_HEADER: u64 = 1 << 20;
/// Bytes of key groups that make a piece of work.
const TASK: u64 = 4 << 20;
/// Pieces of work between two looks at what was found.
const BATCH: usize = 16;
/// Bytes of a larger key group that are in memory at once.
const WINDOW: u64 = 1 << 20;

/// A savepoint whose `_metadata` has been read.
#[derive(Debug)]
pub struct Opened {
    dir: Location,
    bytes: Bytes,
    /// What it holds.
    pub metadata: Metadata,
}

/// The bytes of one subtask's state.
struct Data {
    path: String,
    bytes: Stored,
    /// Where it begins in the file.
    start: u64,
    size: u64,
}

enum Stored {
    Here(Bytes),
    There(Location),
}

/// State of one subtask, open.
struct Part {
    data: Data,
    header: Header,
    /// The key groups with entries and their bytes, in the order of these.
    groups: Vec<(Group, Range<u64>)>,
}

/// What was found, and what is wrong.
#[derive(Debug)]
pub struct Taken {
    /// What the operator holds.
    pub entries: Entries,
    /// What is wrong; nothing if it is sound.
    pub problems: Vec<Problem>,
}

impl Opened {
    /// Reads the `_metadata` in `dir`.
    pub fn open(dir: &Location) -> Result<Self, SavepointError> {
        let location = dir.join(METADATA);
        let blob = Blob::open(&location).map_err(|error| match error {
            StorageError::NotFound { .. } => SavepointError::NotASavepoint { location: dir.clone() },
            error => error.into(),
        })?;
        if blob.size() > MAX_METADATA {
            let rule = format!("it has {} bytes; that is no savepoint's", blob.size());
            return Err(SavepointError::State { location, rule });
        }
        let bytes = blob.read(0..blob.size())?;
        let metadata = Metadata::parse(&bytes);
        let metadata = metadata.map_err(|broken| SavepointError::State { location, rule: broken.to_string() })?;
        Ok(Self { dir: dir.clone(), bytes, metadata })
    }

    /// Bytes and number of all files of all operators, `_metadata` included.
    pub fn size(&self) -> (u64, u64) {
        let streams = self.metadata.operators.iter().flat_map(Operator::streams);
        let sizes = streams.filter_map(|stream| match stream {
            Stream::Inline(_) => None,
            Stream::Beside(_, size) | Stream::At(_, _, size) => u64::try_from(*size).ok(),
        });
        sizes.fold((self.bytes.len() as u64, 1), |(bytes, files), size| (bytes.saturating_add(size), files + 1))
    }

    /// Files of the whole savepoint that are not there, or have another size.
    pub fn missing(&self) -> Result<Vec<Problem>, SavepointError> {
        let streams = self.metadata.operators.iter().flat_map(Operator::streams);
        let looks = streams.map(|stream| self.data(stream).map(Result::err));
        looks.filter_map(Result::transpose).collect()
    }

    /// The operator that holds the state, if it can be read.
    pub fn operator(&self) -> Result<&Operator, SavepointError> {
        let unfit = |unfit| SavepointError::Unfit { location: self.dir.clone(), unfit };
        let operator = self.metadata.decide().ok_or_else(|| {
            let found = self.metadata.operators.iter().map(|operator| operator.id.to_string()).collect();
            unfit(Unfit::Operator { found })
        })?;
        match operator.keyed.iter().map(|keyed| keyed.form).find(|form| *form != Form::Canonical) {
            Some(form) => Err(unfit(Unfit::Form(form))),
            None => Ok(operator),
        }
    }

    /// Reads all entries. `patient`, it goes on after something is wrong.
    pub fn take(&self, patient: bool) -> Result<Taken, SavepointError> {
        let operator = self.operator()?;
        let max = u16::try_from(operator.max_parallelism).ok().filter(|max| (1..=1 << 15).contains(max));
        let Some(max) = max else {
            return Err(self.invalid(format!("a max parallelism of {}", operator.max_parallelism)));
        };
        if !(1..=operator.max_parallelism).contains(&operator.parallelism) {
            let Operator { parallelism, .. } = operator;
            return Err(self.invalid(format!("a parallelism of {parallelism} with a max parallelism of {max}")));
        }
        let mut problems = Vec::new();
        let mut parts = Vec::new();
        let mut seen = vec![false; usize::from(max)];
        for keyed in &operator.keyed {
            match self.part(keyed, max)? {
                Ok(part) => {
                    problems.extend(twice(&part, &mut seen));
                    parts.push(part);
                }
                Err(problem) => problems.push(problem),
            }
        }
        let mut taking = Taking { filling: Filling::default(), entries: Entries::default(), problems, longs: 0 };
        let tasks: Vec<_> = parts.iter().flat_map(Part::tasks).collect();
        for batch in tasks.chunks(BATCH) {
            if !patient && !taking.problems.is_empty() {
                break;
            }
            let read = |(part, groups): &Work<'_>| {
                let (mut found, problem) = part.read(groups)?;
                Ok::<_, SavepointError>((Dealt::of(&std::mem::take(&mut found.entries)), found, problem))
            };
            let found: Vec<_> = batch.par_iter().map(read).collect();
            for (found, (part, _)) in found.into_iter().zip(batch) {
                taking.add(found?, &part.header);
            }
        }
        Ok(taking.finish())
    }

    fn invalid(&self, rule: String) -> SavepointError {
        SavepointError::State { location: self.dir.join(METADATA), rule }
    }

    /// The bytes that `stream` names.
    fn data(&self, stream: &Stream) -> Result<Result<Data, Problem>, SavepointError> {
        let (path, location, start, size) = match stream {
            Stream::Inline(range) => {
                let bytes = Stored::Here(self.bytes.slice(range.clone()));
                let (start, size) = (range.start as u64, range.len() as u64);
                return Ok(Ok(Data { path: METADATA.to_owned(), bytes, start, size }));
            }
            Stream::Beside(path, size) => (path, self.dir.join(path), 0, *size as u64),
            Stream::At(path, start, size) => match absolute(path) {
                Ok(location) => (path, location, *start as u64, *size as u64),
                Err(error) => return problem_of(path, error).map(Err),
            },
        };
        let blob = match Blob::open(&location) {
            Ok(blob) => blob,
            Err(error) => return problem_of(path, error).map(Err),
        };
        let path = path.clone();
        let found = blob.size().saturating_sub(start);
        let whole = matches!(stream, Stream::Beside(..)) || start == 0;
        if found < size || whole && found != size {
            return Ok(Err(Problem::Size { path, expected: size, found }));
        }
        Ok(Ok(Data { path, bytes: Stored::There(location), start, size }))
    }

    fn part(&self, keyed: &Keyed, max: u16) -> Result<Result<Part, Problem>, SavepointError> {
        let Some(stream) = keyed.streams.first() else {
            return Ok(Err(Problem::Missing { path: "the bytes of keyed state".to_owned() }));
        };
        let data = match self.data(stream)? {
            Ok(data) => data,
            Err(problem) => return Ok(Err(problem)),
        };
        let start = data.read(0..data.size.min(MAX_HEADER))?;
        let part = Header::parse(&start).and_then(|header| {
            let groups = extents(keyed, max, header.length as u64..data.size)?;
            // Under another name, Flink restores the revisions and finds none of them.
            if !groups.is_empty() && !header.states.iter().any(|state| state.name == LAST_SEEN) {
                let names: Vec<_> = header.states.iter().map(|state| state.name.escape_debug().to_string()).collect();
                let rule = format!("it has no state {LAST_SEEN}, only {}", names.join(", "));
                return Err(Broken { at: 0, rule });
            }
            Ok((header, groups))
        });
        Ok(match part {
            Ok((header, groups)) => Ok(Part { data, header, groups }),
            Err(broken) => Err(data.problem(broken)),
        })
    }
}

/// The key groups with entries, and from where to where they go: each to the beginning of the next, the last to the end.
/// Together they are all the bytes of `within`, so that nothing is passed over where an offset is lost.
fn extents(keyed: &Keyed, max: u16, within: Range<u64>) -> Result<Vec<(Group, Range<u64>)>, Broken> {
    let begins = keyed.offsets.iter().zip(keyed.first..).filter(|(offset, _)| **offset != 0);
    let mut begins: Vec<_> = begins.map(|(offset, group)| (*offset, group as u16)).collect();
    begins.sort_unstable();
    let begin = |(offset, number): (i64, u16)| match u64::try_from(offset) {
        Ok(start) if within.contains(&start) => Ok((start, number)),
        _ => Err(Broken { at: within.start, rule: format!("key group {number} cannot begin at byte {offset}") }),
    };
    let begins: Vec<_> = begins.into_iter().map(begin).collect::<Result<_, _>>()?;
    let first = begins.first().map_or(within.end, |(start, _)| *start);
    if first > within.start {
        return Err(Broken {
            at: within.start,
            rule: format!("{} bytes that belong to no key group", first - within.start),
        });
    }
    let ends = begins.iter().skip(1).map(|(offset, _)| *offset).chain([within.end]).collect::<Vec<_>>();
    let extents = begins.into_iter().zip(ends).map(|((start, number), end)| {
        if start < end {
            return Ok((Group { number, max, start: 0 }, start..end));
        }
        Err(Broken { at: start, rule: format!("key group {number} is not the only one that begins here") })
    });
    extents.collect()
}

/// Key groups that another part has too.
fn twice(part: &Part, seen: &mut [bool]) -> Option<Problem> {
    let mut numbers = part.groups.iter().map(|(group, _)| usize::from(group.number));
    let again = numbers.find(|number| std::mem::replace(&mut seen[*number], true))?;
    Some(part.data.problem(Broken { at: 0, rule: format!("key group {again} is in another file too") }))
}

/// What is wrong with a savepoint one of whose files cannot be had; an error where it could be later.
fn problem_of(path: &str, error: StorageError) -> Result<Problem, SavepointError> {
    let path = path.to_owned();
    match error {
        StorageError::NotFound { .. } => Ok(Problem::Missing { path }),
        error @ StorageError::Unavailable { .. } => Err(error.into()),
        error => Ok(Problem::Unreadable { path, reason: with_causes(&error) }),
    }
}

/// Flink writes local paths as `file:/path`.
fn absolute(path: &str) -> Result<Location, StorageError> {
    if !path.starts_with('/') && !path.contains(":/") {
        return Err(StorageError::BadLocation { text: path.to_owned(), rule: "it is not absolute" });
    }
    match path.strip_prefix("file:/").filter(|rest| !rest.starts_with('/')) {
        Some(rest) => Location::parse(&format!("/{rest}")),
        None => Location::parse(path),
    }
}

impl Data {
    fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        match &self.bytes {
            Stored::Here(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Stored::There(location) => Blob::open(location)?.read(self.start + range.start..self.start + range.end),
        }
    }

    fn problem(&self, broken: Broken) -> Problem {
        Problem::Broken { path: self.path.clone(), at: broken.at, rule: broken.rule }
    }
}

type Work<'p> = (&'p Part, &'p [(Group, Range<u64>)]);

impl Part {
    /// Its key groups in pieces of about [`TASK`] bytes.
    fn tasks(&self) -> Vec<Work<'_>> {
        let piece = |range: &Range<u64>| range.start / TASK;
        self.groups.chunk_by(|a, b| piece(&a.1) == piece(&b.1)).map(|groups| (self, groups)).collect()
    }

    /// Reads some consecutive key groups; stops where one is wrong.
    fn read(&self, groups: &[(Group, Range<u64>)]) -> Result<(Found, Option<Problem>), SavepointError> {
        let mut found = Found::default();
        let all = groups.first().zip(groups.last()).map_or(0..0, |(first, last)| first.1.start..last.1.end);
        // One reading for all of them, unless that is much: then window by window.
        let at_once = matches!(self.data.bytes, Stored::Here(_)) || all.end - all.start <= 2 * TASK;
        let (mut bytes, blob) = match &self.data.bytes {
            Stored::There(location) if !at_once => (Bytes::new(), Some(Arc::new(Blob::open(location)?))),
            _ => (self.data.read(all)?, None),
        };
        for (group, range) in groups {
            let length = range.end - range.start;
            let read = match &blob {
                Some(blob) => {
                    let from = Sequential::new(Arc::clone(blob), self.data.start + range.start, WINDOW);
                    self.read_group(from.take(length), group, range.start, &mut found)
                }
                None => self.read_group(bytes.split_to(length as usize).reader(), group, range.start, &mut found),
            };
            match read {
                Ok(()) => {}
                Err(GroupError::Storage(error)) => return Err(error.into()),
                Err(GroupError::Broken(broken)) => return Ok((found, Some(self.data.problem(broken)))),
            }
        }
        Ok((found, None))
    }

    fn read_group(&self, bytes: impl Read, group: &Group, start: u64, found: &mut Found) -> Result<(), GroupError> {
        let group = Group { start, ..*group };
        if self.header.compressed {
            groups::read(compression::snappy(bytes), group, &self.header, found)
        } else {
            groups::read(bytes, group, &self.header, found)
        }
    }
}

/// What is taken so far.
struct Taking {
    filling: Filling,
    entries: Entries,
    problems: Vec<Problem>,
    /// Entries that were given to the state.
    longs: u64,
}

impl Taking {
    fn add(&mut self, (dealt, found, problem): (Dealt, Found, Option<Problem>), header: &Header) {
        self.problems.extend(problem);
        self.longs += dealt.len() as u64;
        self.filling.take(dealt);
        let entries = &mut self.entries;
        for (state, count) in header.states.iter().zip(found.counts) {
            *entries.counts.entry(state.name.clone()).or_default() += count;
            if !state.is_read() && count > 0 {
                *entries.unread.entry(state.name.clone()).or_default() += count;
            }
        }
        entries.compressed |= header.compressed;
        entries.events.extend(found.events);
        entries.timers.extend(found.timers);
        entries.odd += found.odd;
        entries.odd_entries.extend(found.odd_entries);
        entries.odd_entries.truncate(groups::MOST_ODD);
    }

    fn finish(mut self) -> Taken {
        let (state, _) = self.filling.finish();
        let twice = self.longs - state.len();
        if twice > 0 {
            self.problems.push(Problem::Repeated { count: twice });
        }
        self.entries.events.sort_by(|a, b| a.0.cmp(&b.0));
        self.entries.timers.sort();
        self.entries.odd_entries.sort_by(|a, b| a.key.cmp(&b.key));
        self.entries.state = state;
        Taken { entries: self.entries, problems: self.problems }
    }
}
