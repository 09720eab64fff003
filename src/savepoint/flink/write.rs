//! Writing the canonical savepoint that Flink's RocksDB backend would write of the same entities.
//!
//! Promise: the same bytes as Flink's; killed at any moment, it leaves a directory that is no savepoint.
//! Invariant: besides the state, about [`ROUND`] bytes are in memory, and the parts on their way to storage.
//!
//! Flink sorts the entries of a key group by the bytes of their keys. The first of these is the length of the id, then comes
//! its letter, then its digits; so ids of one length and letter are in the order of their numbers, as the state is. Cut into
//! slices of one length and letter, the state only has to be dealt out: each slice by itself is put in the order of its key
//! groups, number and value of each entity only. A key group is then what each slice in turn has for it.

use std::ops::Range;

use rayon::prelude::*;

use crate::savepoint::flink::entry::{self, Hashes, Head};
use crate::savepoint::flink::hash::{MAX_PARALLELISM, key_group, range_of};
use crate::savepoint::flink::header;
use crate::savepoint::flink::metadata::{Form, Keyed, Metadata, Operator, OperatorId, Stream, VERSION};
use crate::savepoint::flink::part;
use crate::savepoint::{OnExisting, SavepointError, Written, place};
use crate::state::StateTable;
use crate::storage::{self, Location, Writer};
use crate::wikibase::entity::EntityKind;

/// Bytes of dealt entities that are held at once. Each round goes through the whole state.
pub const ROUND: usize = 640 << 20;
/// Bytes of a dealt entity: its number and its value.
const DEALT: u64 = 12;
/// Entities in a slice, about: what is dealt fits into a core's own cache.
const SLICE: usize = 1 << 16;
/// Bytes that are made before they are given to storage, about.
const PART: usize = 1 << 20;
/// The kinds as their letters sort.
const BY_LETTER: [EntityKind; 4] = [EntityKind::Lexeme, EntityKind::MediaInfo, EntityKind::Property, EntityKind::Item];
/// The number of the only state, before the entries of a key group.
const STATE: [u8; 2] = [0, 0];
/// The end of a key group.
const END: [u8; 2] = [0xff, 0xff];
/// Set in the first byte of a state's last key in a key group.
const LAST: u8 = 0x80;
const GROUPS: usize = MAX_PARALLELISM as usize;

/// Writes a savepoint, holding about `round` bytes at once.
pub fn write_in_rounds(
    dir: &Location,
    state: &StateTable,
    parallelism: u16,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
    round: usize,
) -> Result<Written, SavepointError> {
    let claim = storage::claim(dir)?;
    let old = place::prepare(dir, on_existing)?;
    let file = |subtask| StateFile::new(dir, &part::name(subtask, claim.attempt()), subtask, parallelism);
    let mut files: Vec<_> = (0..parallelism).map(file).collect();
    let written = write_state(&mut files, state, round, cancelled).and_then(|()| {
        files.retain(|file| file.size > 0);
        publish(dir, &files, parallelism, on_existing)
    });
    if written.as_ref().is_err_and(|error| place::is_ours_to_delete(dir, error)) {
        // The first error is the one to tell. What cannot be removed now is removed by the next run.
        files.iter().for_each(|file| drop(storage::delete(&file.location)));
    }
    if written.is_ok() {
        place::tidy(dir, &old);
    }
    written
}

fn publish(
    dir: &Location,
    files: &[StateFile],
    parallelism: u16,
    on_existing: OnExisting,
) -> Result<Written, SavepointError> {
    let keyed = |file: &StateFile| Keyed {
        subtask: i32::from(file.subtask),
        form: Form::Canonical,
        first: file.groups.start as i32,
        offsets: file.offsets.clone(),
        streams: vec![Stream::Beside(file.location.file_name().to_owned(), file.size as i64)],
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
    let stored: Vec<_> = files.iter().map(|file| (file.location.clone(), file.size)).collect();
    place::publish(dir, metadata, &stored, on_existing)?;
    Ok(Written { bytes, files: files.len() as u64 + 1 })
}

fn write_state(
    files: &mut [StateFile],
    state: &StateTable,
    round: usize,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<(), SavepointError> {
    let slices: Vec<_> =
        (1..=10).flat_map(|digits| BY_LETTER.map(|kind| slices_of(state, kind, digits))).flatten().collect();
    let rounds = (state.len() * DEALT).div_ceil(round as u64).clamp(1, GROUPS as u64) as usize;
    let checked = || if cancelled() { Err(SavepointError::Cancelled) } else { Ok(()) };
    for round in 0..rounds {
        checked()?;
        let groups = GROUPS * round / rounds..GROUPS * (round + 1) / rounds;
        let dealt = Dealt::all(&slices, state, groups);
        checked()?;
        files.par_iter_mut().try_for_each(|file| file.write(&dealt, &checked))?;
    }
    checked()
}

/// An error as soon as the caller wants no more.
type Checked<'c> = &'c (dyn Fn() -> Result<(), SavepointError> + Sync);

/// Entities whose ids are of one length and letter, with consecutive numbers.
struct Slice {
    kind: EntityKind,
    digits: usize,
    numbers: Range<usize>,
}

fn slices_of(state: &StateTable, kind: EntityKind, digits: usize) -> Vec<Slice> {
    let numbers = 10_usize.pow(digits as u32 - 1)..10_usize.pow(digits as u32);
    state.spans(kind, numbers, SLICE).into_iter().map(|numbers| Slice { kind, digits, numbers }).collect()
}

/// What a round writes: the entities of some key groups.
struct Dealt {
    groups: Range<usize>,
    /// In the order of their entries' keys.
    slices: Vec<DealtSlice>,
    /// Bytes of each of the key groups; 0 without entries.
    sizes: Vec<usize>,
}

/// The entities of a slice in the order of their key groups.
struct DealtSlice {
    kind: EntityKind,
    digits: usize,
    /// Where those of each key group begin, and where the last end.
    starts: Vec<u32>,
    numbers: Vec<u32>,
    values: Vec<i64>,
}

/// What is needed while a slice is dealt, in the state's order.
#[derive(Default)]
struct Scratch {
    groups: Vec<u16>,
    numbers: Vec<u32>,
    values: Vec<i64>,
}

impl Dealt {
    fn all(slices: &[Slice], state: &StateTable, groups: Range<usize>) -> Self {
        let deal = |scratch: &mut Scratch, slice: &Slice| slice.deal(state, &groups, scratch);
        let mut slices: Vec<_> = slices.par_iter().map_init(Scratch::default, deal).collect();
        slices.retain(|slice| !slice.numbers.is_empty());
        let size = |at| {
            let entries: usize = slices.iter().map(|slice| slice.of(at).len() * entry::length(slice.digits)).sum();
            if entries > 0 { STATE.len() + entries + END.len() } else { 0 }
        };
        let sizes = (0..groups.len()).into_par_iter().map(size).collect();
        Self { groups, slices, sizes }
    }

    /// The bytes of a key group.
    fn size(&self, group: usize) -> usize {
        self.sizes[group - self.groups.start]
    }

    /// The bytes of some key groups.
    fn bytes(&self, groups: Range<usize>) -> Vec<u8> {
        let mut bytes = vec![0; groups.clone().map(|group| self.size(group)).sum()];
        let mut rest = bytes.as_mut_slice();
        groups.for_each(|group| self.fill(split(&mut rest, self.size(group)), group));
        bytes
    }

    fn fill(&self, place: &mut [u8], group: usize) {
        let Some((state, mut rest)) = place.split_first_chunk_mut() else { return };
        *state = STATE;
        for slice in &self.slices {
            let head = Head::new(slice.kind, slice.digits, group);
            let all = slice.of(group - self.groups.start);
            for (number, value) in slice.numbers[all.clone()].iter().zip(&slice.values[all]) {
                head.put(split(&mut rest, entry::length(slice.digits)), *number, *value);
            }
        }
        rest.copy_from_slice(&END);
        self.mark_last(place, group);
    }

    /// Marks the last entry of a key group.
    fn mark_last(&self, place: &mut [u8], group: usize) {
        let has = |slice: &&DealtSlice| !slice.of(group - self.groups.start).is_empty();
        if let Some(slice) = self.slices.iter().rfind(has) {
            // The first byte of the key, behind its length.
            place[place.len() - END.len() - entry::length(slice.digits) + 4] |= LAST;
        }
    }
}

impl Slice {
    fn deal(&self, state: &StateTable, groups: &Range<usize>, scratch: &mut Scratch) -> DealtSlice {
        let mut hashes = Hashes::new(self.kind, self.digits);
        scratch.groups.clear();
        scratch.numbers.clear();
        scratch.values.clear();
        state.each(self.kind, self.numbers.clone(), |entity, state| {
            let group = key_group(hashes.of(entity.number()), MAX_PARALLELISM);
            if groups.contains(&usize::from(group)) {
                scratch.groups.push(group - groups.start as u16);
                scratch.numbers.push(entity.number());
                scratch.values.push(entry::value(state));
            }
        });
        scratch.dealt(self, groups.len())
    }
}

impl Scratch {
    fn dealt(&self, slice: &Slice, groups: usize) -> DealtSlice {
        // Counted one place ahead, summed to where each begins, and moved on to where it ends by what is put there.
        let mut starts = vec![0; groups + 1];
        self.groups.iter().for_each(|group| starts[usize::from(*group) + 1] += 1);
        (1..=groups).for_each(|at| starts[at] += starts[at - 1]);
        let mut ends = starts.clone();
        let (mut numbers, mut values) = (vec![0; self.numbers.len()], vec![0; self.values.len()]);
        for ((group, number), value) in self.groups.iter().zip(&self.numbers).zip(&self.values) {
            let end = &mut ends[usize::from(*group)];
            numbers[*end as usize] = *number;
            values[*end as usize] = *value;
            *end += 1;
        }
        DealtSlice { kind: slice.kind, digits: slice.digits, starts, numbers, values }
    }
}

impl DealtSlice {
    /// Where those of the key group `at` of the dealt ones are.
    #[inline]
    fn of(&self, at: usize) -> Range<usize> {
        self.starts[at] as usize..self.starts[at + 1] as usize
    }
}

/// A state file: what one subtask would have written.
struct StateFile {
    subtask: u16,
    location: Location,
    groups: Range<usize>,
    /// Where the bytes of each of its key groups begin, as far as they are written; 0 for one without entries.
    offsets: Vec<i64>,
    /// Bytes so far; 0 until there is an entry.
    size: u64,
    writer: Option<Writer>,
}

impl StateFile {
    fn new(dir: &Location, name: &str, subtask: u16, parallelism: u16) -> Self {
        let groups = range_of(subtask, parallelism, MAX_PARALLELISM);
        let groups = usize::from(*groups.start())..usize::from(*groups.end()) + 1;
        Self { subtask, location: dir.join(name), groups, offsets: Vec::new(), size: 0, writer: None }
    }

    /// Writes those of the dealt key groups that belong here; with its last one the file is complete.
    fn write(&mut self, dealt: &Dealt, checked: Checked<'_>) -> Result<(), SavepointError> {
        let groups = self.groups.start.max(dealt.groups.start)..self.groups.end.min(dealt.groups.end);
        let parts = self.parts(groups.clone(), dealt);
        // Some at once, as this may be the only file.
        for parts in parts.chunks(rayon::current_num_threads()) {
            let bytes: Vec<_> = parts.par_iter().map(|groups| dealt.bytes(groups.clone())).collect();
            bytes.into_iter().try_for_each(|bytes| self.append(bytes))?;
            checked()?;
        }
        if groups.end == self.groups.end
            && let Some(writer) = self.writer.take()
        {
            writer.finish()?;
        }
        Ok(())
    }

    /// Notes where key groups begin, and cuts them into parts.
    fn parts(&mut self, groups: Range<usize>, dealt: &Dealt) -> Vec<Range<usize>> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut filled = PART;
        for group in groups {
            let size = dealt.size(group);
            if size > 0 && self.size == 0 {
                self.size = header::of_last_seen().len() as u64;
            }
            self.offsets.push(if size > 0 { self.size as i64 } else { 0 });
            self.size += size as u64;
            match parts.last_mut().filter(|_| filled < PART) {
                Some(part) => part.end = group + 1,
                None => {
                    parts.push(group..group + 1);
                    filled = 0;
                }
            }
            filled += size;
        }
        parts
    }

    fn append(&mut self, bytes: Vec<u8>) -> Result<(), SavepointError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let mut writer = Writer::create_fresh(&self.location)?;
                writer.append(&header::of_last_seen())?;
                none.insert(writer)
            }
        };
        Ok(writer.give(bytes.into())?)
    }
}

/// Takes the first `length` bytes off `rest`.
#[inline]
fn split<'a>(rest: &mut &'a mut [u8], length: usize) -> &'a mut [u8] {
    let (first, others) = std::mem::take(rest).split_at_mut(length);
    *rest = others;
    first
}
