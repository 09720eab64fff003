//! The entries of key groups.
//!
//! Promise: every entry of a key group is told to a [`Found`], or the place and the rule that is broken is.
//! Rules: Flink's `FullSnapshotRestoreOperation` reads the same way. Beyond what it checks, a key must belong to the key
//! group it stands in: Flink restores one that does not, and never finds it.
//! Invariant: a buffer of [`WINDOW`] bytes, or of the largest entry; a length in the bytes takes no memory of its own.

use std::fmt;
use std::io::{ErrorKind, Read};

use crate::event::InputEvent;
use crate::savepoint::flink::events;
use crate::savepoint::flink::hash::{hash_code, hash_on, key_group};
use crate::savepoint::flink::header::{Content, Header, State};
use crate::savepoint::flink::java::{Broken, Input, Parsed};
use crate::state::{EntityState, Entry};
use crate::storage::StorageError;
use crate::storage::sequential::storage_error;
use crate::wikibase::entity::{EntityId, Revision};

/// Bytes read at once.
const WINDOW: usize = 256 << 10;
/// The largest entry: buffered events of one entity are some kilobytes.
const MAX_ENTRY: usize = 64 << 20;
/// Says that a key group ends, in place of a state's number.
const END: i16 = -1;
/// In the first byte of a key: it is the last one of its state.
const LAST: u8 = 0x80;
/// The most characters of a key that are told.
const MOST_TOLD: usize = 60;
/// How many entries that are no revision of an entity are told one by one.
pub const MOST_ODD: usize = 1000;

/// What key groups hold.
#[derive(Debug, Default)]
pub struct Found {
    /// Revisions of entities.
    pub entries: Vec<Entry>,
    /// Buffered events, by key.
    pub events: Vec<(String, Vec<InputEvent>)>,
    /// Timers.
    pub timers: Vec<Timer>,
    /// Entries of the state of revisions that are no revision of an entity: how many, and the first of them.
    pub odd: u64,
    /// The first of them.
    pub odd_entries: Vec<Odd>,
    /// Entries of each state, by its number in the header.
    pub counts: Vec<u64>,
}

/// A timer of the operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// When it fires, in milliseconds since 1970.
    pub at: i64,
    /// For which key.
    pub key: String,
    /// The name of the state it is in.
    pub state: String,
}

/// An entry of the state of revisions that is no revision of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// Its key, or the beginning of a very long one.
    pub key: String,
    /// Its value.
    pub value: i64,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = (self.key.escape_debug(), self.value);
        match EntityId::parse(self.key.as_bytes()) {
            Ok(_) => write!(f, "the value of `{key}`, {value}, is no revision"),
            Err(_) => write!(f, "the key `{key}`, with the value {value}, is no entity"),
        }
    }
}

/// Why a key group could not be read.
#[derive(Debug)]
pub enum GroupError {
    /// Its bytes are wrong.
    Broken(Broken),
    /// Its bytes cannot be had.
    Storage(StorageError),
}

impl From<Broken> for GroupError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Which key group, of how many.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its number.
    pub number: u16,
    /// How many there are.
    pub max: u16,
    /// Where it begins in its file, for messages. In compressed state, bytes are counted from there without compression.
    pub start: u64,
}

/// Reads the key group that `bytes` is from beginning to end.
pub fn read(bytes: impl Read, group: Group, header: &Header, found: &mut Found) -> Result<(), GroupError> {
    found.counts.resize(header.states.len(), 0);
    let mut bytes = Buffered { bytes, buffer: Vec::new(), at: 0, before: group.start };
    loop {
        let number = i16::from_be_bytes(bytes.array()?);
        if number == END {
            break;
        }
        let place = usize::try_from(number).ok().filter(|place| *place < header.states.len());
        let place = place.ok_or_else(|| bytes.back(2, format!("a state of the unknown number {number}")))?;
        let state = &header.states[place];
        loop {
            found.counts[place] += 1;
            if entry(&mut bytes, group, state, found)? {
                break;
            }
        }
    }
    if bytes.ends()? { Ok(()) } else { Err(bytes.back(0, "bytes after the end of the key group".to_owned()).into()) }
}

/// Reads an entry; whether it is the last one of its state.
fn entry(bytes: &mut Buffered<impl Read>, group: Group, state: &State, found: &mut Found) -> Result<bool, GroupError> {
    let start = bytes.place();
    let key_length = bytes.length(0)?;
    let value_length = bytes.length(4 + key_length)?;
    let whole = bytes.need(8 + key_length + value_length)?;
    let (key, value) = (&whole[4..4 + key_length], &whole[8 + key_length..]);
    let wrong = |rule: &str| Broken { at: start, rule: rule.to_owned() };
    let prefix = if group.max > 128 { 2 } else { 1 };
    let Some((front, key)) = key.split_at_checked(prefix) else {
        return Err(wrong("a key without its key group").into());
    };
    let last = front[0] & LAST != 0;
    let number = match *front {
        [high, low] => u16::from_be_bytes([high & !LAST, low]),
        [one] => u16::from(one & !LAST),
        _ => 0,
    };
    if number != group.number {
        return Err(wrong(&format!("a key of key group {number} in key group {}", group.number)).into());
    }
    let at = start + 4 + prefix as u64;
    match state.content {
        _ if !state.is_read() => {}
        Content::Long => {
            let value = value.try_into().map(i64::from_be_bytes);
            last_seen(key, value.map_err(|_| wrong("a value that is no long"))?, group, at, found)?;
        }
        Content::Events => {
            let key = keyed(&mut Input::new(key, at), group)?;
            let mut value = Input::new(value, start + 8 + key_length as u64);
            found.events.push((key, events::parse(&mut value)?));
        }
        Content::Timers => {
            let mut input = Input::new(key, at);
            // The sign bit is inverted, so that times sort as bytes do.
            let at = input.i64()? ^ i64::MIN;
            let key = keyed(&mut input, group)?;
            if !value.is_empty() {
                return Err(wrong("a timer with a value").into());
            }
            found.timers.push(Timer { at, key, state: state.name.clone() });
        }
        Content::Else => {}
    }
    bytes.at += 8 + key_length + value_length;
    Ok(last)
}

/// An entry of the state of revisions. Its key is nearly always an entity's id: one byte of length, ASCII, the namespace.
#[inline]
fn last_seen(key: &[u8], value: i64, group: Group, at: u64, found: &mut Found) -> Parsed<()> {
    if let [length, id @ .., 0] = key
        && usize::from(*length) == id.len() + 1
        && id.len() < 127
        && let (Ok(entity), Some(state)) = (EntityId::parse(id), state_of(value))
    {
        let hash = id.iter().fold(0, |hash, byte| hash_on(hash, *byte));
        if key_group(hash, group.max) == group.number {
            found.entries.push(Entry::new(entity, state));
            return Ok(());
        }
    }
    let key = keyed(&mut Input::new(key, at), group)?;
    found.odd += 1;
    if found.odd_entries.len() < MOST_ODD {
        found.odd_entries.push(Odd { key: shortened(key), value });
    }
    Ok(())
}

/// Upstream's meaning of the number: above 0 created, else deleted. Of 0 and of the largest numbers there is no revision.
fn state_of(value: i64) -> Option<EntityState> {
    let revision = Revision::new(value.unsigned_abs()).ok()?;
    Some(if value > 0 { EntityState::Created(revision) } else { EntityState::Deleted(revision) })
}

/// A key with the namespace behind it, and nothing else.
fn keyed(input: &mut Input<'_>, group: Group) -> Parsed<String> {
    let key = input.string()?.ok_or_else(|| input.broken("a key that is null"))?;
    if input.rest() != [0] {
        return Err(input.broken("a key without its namespace, the byte 0"));
    }
    let belongs = key_group(hash_code(&key), group.max);
    if belongs == group.number {
        return Ok(key);
    }
    let key = shortened(key).escape_debug().to_string();
    Err(input
        .broken(format!("{key} belongs to key group {belongs} and stands in {}: never found by a job", group.number)))
}

/// The beginning of a key: a damaged one can have millions of characters.
fn shortened(key: String) -> String {
    match key.char_indices().nth(MOST_TOLD) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key,
    }
}

/// Bytes that come in windows.
struct Buffered<R> {
    bytes: R,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes before the buffer.
    before: u64,
}

impl<R: Read> Buffered<R> {
    fn place(&self) -> u64 {
        self.before + self.at as u64
    }

    fn back(&self, bytes: usize, rule: String) -> Broken {
        Broken { at: self.place() - bytes as u64, rule }
    }

    /// The next `count` bytes, which are not passed over.
    #[inline]
    fn need(&mut self, count: usize) -> Result<&[u8], GroupError> {
        while self.buffer.len() - self.at < count {
            if self.fill()? == 0 {
                return Err(self.back(0, "it ends in the middle of a key group".to_owned()).into());
            }
        }
        Ok(&self.buffer[self.at..self.at + count])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GroupError> {
        let mut array = [0; N];
        array.copy_from_slice(self.need(N)?);
        self.at += N;
        Ok(array)
    }

    /// The length that stands `ahead` bytes from here.
    #[inline]
    fn length(&mut self, ahead: usize) -> Result<usize, GroupError> {
        let bytes = self.need(ahead + 4)?;
        let length = bytes[ahead..].first_chunk().map_or(-1, |bytes| i32::from_be_bytes(*bytes));
        let fits = usize::try_from(length).ok().filter(|length| *length <= MAX_ENTRY);
        fits.ok_or_else(|| self.back(0, format!("an entry of {length} bytes")).into())
    }

    fn ends(&mut self) -> Result<bool, GroupError> {
        Ok(self.at == self.buffer.len() && self.fill()? == 0)
    }

    /// Reads one more window behind what is left; how much it was.
    fn fill(&mut self) -> Result<usize, GroupError> {
        self.buffer.drain(..self.at);
        self.before += self.at as u64;
        self.at = 0;
        let left = self.buffer.len();
        self.buffer.resize(left + WINDOW, 0);
        let read = loop {
            match self.bytes.read(&mut self.buffer[left..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(left + *read.as_ref().unwrap_or(&0));
        read.map_err(|error| match storage_error(error) {
            Ok(error) => GroupError::Storage(error),
            Err(error) => self.back(0, error.to_string()).into(),
        })
    }
}
