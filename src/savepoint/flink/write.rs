//! Writing the canonical savepoint that Flink's RocksDB backend would write of the same entities.
//!
//! Promise: the same bytes as Flink's; killed at any moment, it leaves a directory that is no savepoint.
//! Invariant: besides the state, about [`ROUND`] bytes of output are in memory, and the parts on their way to storage.
//!
//! Flink sorts the entries of a key group by the bytes of their keys. The first of these is the length of the id, then comes
//! its letter, then its digits; so ids of one length and letter are in the order of their numbers, as the state is. Cut into
//! slices of one length and letter, the state only has to be dealt out: each slice knows how many entries it puts into each
//! key group, and with that, where. Nothing is sorted, and all slices are written side by side.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::savepoint::flink::entry::{self, Id};
use crate::savepoint::flink::hash::{MAX_PARALLELISM, key_group, range_of};
use crate::savepoint::flink::header;
use crate::savepoint::flink::metadata::{Form, Keyed, Metadata, Operator, OperatorId, Stream, VERSION};
use crate::savepoint::flink::part;
use crate::savepoint::{OnExisting, SavepointError, Written, place};
use crate::state::{EntityState, StateTable};
use crate::storage::{self, Location, Writer};
use crate::wikibase::entity::EntityKind;

/// Bytes that are filled at once. Each round goes through the whole state.
pub const ROUND: usize = 640 << 20;
/// Entities in a slice, about: their entries fit into a core's own cache.
const SLICE: usize = 1 << 14;
/// The kinds as their letters sort.
const BY_LETTER: [EntityKind; 4] = [EntityKind::Lexeme, EntityKind::MediaInfo, EntityKind::Property, EntityKind::Item];
/// The number of the only state, before the entries of a key group.
const STATE: [u8; 2] = [0, 0];
/// The end of a key group.
const END: [u8; 2] = [0xff, 0xff];
/// Set in the first byte of a state's last key in a key group.
const LAST: u8 = 0x80;
const GROUPS: usize = MAX_PARALLELISM as usize;

/// Writes a savepoint, filling about `round` bytes at once.
pub fn write_in_rounds(
    dir: &Location,
    state: &StateTable,
    parallelism: u16,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
    round: usize,
) -> Result<Written, SavepointError> {
    let _claim = storage::claim(dir)?;
    place::clear(dir, on_existing)?;
    let plan = Plan::new(state);
    let files = plan.files(dir, parallelism);
    let written = plan.write(&files, round, cancelled).and_then(|()| publish(dir, &files, parallelism));
    // Of two writers at once the slower one finds a savepoint there, made of files that are no longer its own.
    if written.as_ref().is_err_and(|error| !matches!(error, SavepointError::Exists { .. })) {
        // The first error is the one to tell. What cannot be removed now is removed by the next run.
        files.iter().for_each(|file| drop(storage::delete(&file.location)));
    }
    written
}

fn publish(dir: &Location, files: &[StateFile], parallelism: u16) -> Result<Written, SavepointError> {
    let keyed = |file: &StateFile| Keyed {
        subtask: i32::from(file.subtask),
        form: Form::Canonical,
        first: file.groups.start as i32,
        offsets: file.offsets.clone(),
        streams: vec![Stream::Beside(part::name(file.subtask), file.size as i64)],
    };
    let decide = Operator {
        id: OperatorId::DECIDE,
        uid: None,
        parallelism: i32::from(parallelism),
        max_parallelism: i32::from(MAX_PARALLELISM),
        keyed: files.iter().map(keyed).collect(),
        others: Vec::new(),
    };
    let metadata = Metadata { version: VERSION, checkpoint: 0, operators: vec![decide], properties: Vec::new() };
    let metadata = metadata.to_bytes();
    let bytes = files.iter().map(|file| file.size).sum::<u64>() + metadata.len() as u64;
    place::publish(dir, metadata)?;
    Ok(Written { bytes, files: files.len() as u64 + 1 })
}

/// Entities whose ids are of one length and letter, with consecutive numbers.
struct Slice {
    kind: EntityKind,
    numbers: Range<usize>,
    /// Bytes of the entry of each.
    entry: usize,
    /// Entries in each key group.
    counts: Vec<u32>,
}

/// What goes where.
struct Plan<'a> {
    state: &'a StateTable,
    /// In the order of their entries' keys.
    slices: Vec<Slice>,
    /// Bytes of each key group; 0 without entries.
    sizes: Vec<usize>,
}

/// A state file: what one subtask would have written.
struct StateFile {
    subtask: u16,
    location: Location,
    groups: Range<usize>,
    /// Where the bytes of each of its key groups begin; 0 for one without entries.
    offsets: Vec<i64>,
    size: u64,
    /// While it is being written.
    writer: Mutex<Option<Writer>>,
}

/// Some key groups of one file, to be filled at once.
struct Chunk {
    file: usize,
    groups: Range<usize>,
    /// What stands before them in the file.
    header: Vec<u8>,
    bytes: Vec<u8>,
}

impl<'a> Plan<'a> {
    fn new(state: &'a StateTable) -> Self {
        let mut slices: Vec<_> =
            (1..=10).flat_map(|digits| BY_LETTER.map(|kind| slices_of(state, kind, digits))).flatten().collect();
        slices.par_iter_mut().for_each(|slice| {
            let mut counts = vec![0; GROUPS];
            slice.each(state, |_, group, _| counts[group] += 1);
            slice.counts = counts;
        });
        slices.retain(|slice| slice.counts.iter().any(|count| *count > 0));
        let size = |group| {
            let entries: usize = slices.iter().map(|slice| slice.size(group)).sum();
            if entries > 0 { STATE.len() + entries + END.len() } else { 0 }
        };
        Self { state, sizes: (0..GROUPS).map(size).collect(), slices }
    }

    /// The files, but for those without an entry.
    fn files(&self, dir: &Location, parallelism: u16) -> Vec<StateFile> {
        let file = |subtask: u16| {
            let groups = range_of(subtask, parallelism, MAX_PARALLELISM);
            let groups = usize::from(*groups.start())..usize::from(*groups.end()) + 1;
            let header = header::of_last_seen().len() as u64;
            let mut size = header;
            let begin = |group| {
                let length = self.sizes[group] as u64;
                size += length;
                if length > 0 { (size - length) as i64 } else { 0 }
            };
            let offsets = groups.clone().map(begin).collect();
            let location = dir.join(&part::name(subtask));
            let file = StateFile { subtask, location, groups, offsets, size, writer: Mutex::default() };
            (size > header).then_some(file)
        };
        (0..parallelism).filter_map(file).collect()
    }

    fn write(
        &self,
        files: &[StateFile],
        round: usize,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), SavepointError> {
        for round in self.rounds(files, round) {
            if cancelled() {
                return Err(SavepointError::Cancelled);
            }
            let chunks = self.fill(round);
            chunks.into_par_iter().try_for_each(|chunk| chunk.write(files))?;
        }
        if cancelled() { Err(SavepointError::Cancelled) } else { Ok(()) }
    }

    /// Cuts the files into chunks that are filled at once: about `most` bytes, or one key group. A file has at most one
    /// chunk in each round; one that fits into a round is not cut.
    fn rounds(&self, files: &[StateFile], most: usize) -> Vec<Vec<Chunk>> {
        let mut rounds = vec![Vec::new()];
        let mut filled = 0;
        for (at, file) in files.iter().enumerate() {
            let whole = file.size as usize;
            for group in file.groups.clone() {
                let size = self.sizes[group];
                let next = if group == file.groups.start && whole <= most { whole } else { size };
                if filled > 0 && filled + next > most {
                    rounds.push(Vec::new());
                    filled = 0;
                }
                filled += size;
                let round: &mut Vec<Chunk> = rounds.last_mut().expect("there is always one");
                match round.last_mut().filter(|chunk| chunk.file == at) {
                    Some(chunk) => chunk.groups.end = group + 1,
                    None => {
                        let header = if group == file.groups.start { header::of_last_seen() } else { Vec::new() };
                        round.push(Chunk { file: at, groups: group..group + 1, header, bytes: Vec::new() });
                    }
                }
            }
        }
        rounds
    }

    /// Fills chunks; their key groups ascend.
    fn fill(&self, mut chunks: Vec<Chunk>) -> Vec<Chunk> {
        let Some(first) = chunks.first().map(|chunk| chunk.groups.start) else { return chunks };
        let mut places: Vec<Vec<&mut [u8]>> = self.slices.iter().map(|_| Vec::new()).collect();
        for chunk in &mut chunks {
            // Files without entries are left out, and so are their key groups.
            places.iter_mut().for_each(|places| places.resize_with(chunk.groups.start - first, Default::default));
            let sizes: usize = self.sizes[chunk.groups.clone()].iter().sum();
            chunk.bytes = vec![0; chunk.header.len() + sizes];
            let mut rest = chunk.bytes.as_mut_slice();
            put(&mut rest, &chunk.header);
            for group in chunk.groups.clone() {
                let empty = self.sizes[group] == 0;
                put(&mut rest, if empty { &[] } else { &STATE });
                for (slice, places) in self.slices.iter().zip(&mut places) {
                    places.push(split(&mut rest, slice.size(group)));
                }
                put(&mut rest, if empty { &[] } else { &END });
            }
        }
        self.slices.par_iter().zip(places).for_each(|(slice, places)| slice.fill(self.state, first, places));
        for chunk in &mut chunks {
            self.mark_last(chunk);
        }
        chunks
    }

    /// Marks the last entry of each key group.
    fn mark_last(&self, chunk: &mut Chunk) {
        let mut end = chunk.header.len();
        for group in chunk.groups.clone() {
            end += self.sizes[group];
            if let Some(slice) = self.slices.iter().rfind(|slice| slice.counts[group] > 0) {
                // The first byte of the key, behind its length.
                chunk.bytes[end - END.len() - slice.entry + 4] |= LAST;
            }
        }
    }
}

impl Chunk {
    fn write(self, files: &[StateFile]) -> Result<(), SavepointError> {
        let file = &files[self.file];
        let ends = self.groups.end == file.groups.end;
        // A panic while writing would be our own bug, and is on its way already.
        let mut writer = file.writer.lock().unwrap_or_else(|poison| poison.into_inner());
        let mut open = match writer.take() {
            Some(open) => open,
            // Whole files are not copied once more.
            None if ends => return Ok(storage::put(&file.location, self.bytes.into())?),
            None => Writer::create(&file.location)?,
        };
        open.append(&self.bytes)?;
        if ends {
            open.finish()?;
        } else {
            *writer = Some(open);
        }
        Ok(())
    }
}

/// Takes the first `length` bytes off `rest`.
fn split<'a>(rest: &mut &'a mut [u8], length: usize) -> &'a mut [u8] {
    let (first, others) = std::mem::take(rest).split_at_mut(length);
    *rest = others;
    first
}

/// Writes `bytes` to the beginning of `rest`, and takes that off.
#[inline]
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    split(rest, bytes.len()).copy_from_slice(bytes);
}

fn slices_of(state: &StateTable, kind: EntityKind, digits: u32) -> Vec<Slice> {
    let numbers = 10_usize.pow(digits - 1)..10_usize.pow(digits);
    let entry = entry::length(1 + digits as usize);
    let slice = |numbers| Slice { kind, numbers, entry, counts: Vec::new() };
    state.spans(kind, numbers, SLICE).into_iter().map(slice).collect()
}

impl Slice {
    /// Bytes of its entries in a key group.
    fn size(&self, group: usize) -> usize {
        self.counts[group] as usize * self.entry
    }

    /// Writes its entries of the key groups from `first` on to their places.
    fn fill(&self, state: &StateTable, first: usize, places: Vec<&mut [u8]>) {
        let groups = first..first + places.len();
        let mut end = 0;
        let start_of = |group| {
            end += self.size(group);
            end - self.size(group)
        };
        let mut ends: Vec<_> = groups.clone().map(start_of).collect();
        // First side by side: small enough for the processor's cache, which the places are too far apart for.
        let mut entries = vec![0; end];
        self.each(state, |id, group, state| {
            if groups.contains(&group) {
                let at = &mut ends[group - first];
                id.put(&mut entries[*at..*at + self.entry], group, state);
                *at += self.entry;
            }
        });
        for (place, end) in places.into_iter().zip(ends) {
            place.copy_from_slice(&entries[end - place.len()..end]);
        }
    }

    /// Tells of each of its entities the id, the key group and the state.
    #[inline]
    fn each(&self, state: &StateTable, mut take: impl FnMut(&Id, usize, EntityState)) {
        let mut id = Id::new(self.kind, self.entry);
        state.each(self.kind, self.numbers.clone(), |entity, state| {
            let hash = id.set(entity);
            take(&id, usize::from(key_group(hash, MAX_PARALLELISM)), state);
        });
    }
}
