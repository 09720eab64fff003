//! Flink's `_metadata`: which operators there are, and where the bytes of their state stand.
//!
//! Promise: whatever the bytes, a [`Metadata`] or the place and the rule that is broken; what [`Metadata::to_bytes`] writes,
//! [`Metadata::parse`] reads.
//! Rules: Flink's `MetadataV3Serializer` to `MetadataV6Serializer`, all but the changelog's handles.
//! Invariant: pure; every count is checked against the bytes that follow.
//! Not here: the state itself (see `groups`).

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::savepoint::flink::java::{Broken, Input, Parsed, put_i32, put_i64, put_utf};
use crate::savepoint::flink::part;

/// What the file begins with.
pub const MAGIC: [u8; 4] = [0x49, 0x60, 0x67, 0x2d];
/// The version that Flink 1.20 writes.
pub const VERSION: i32 = 4;
/// The versions that can be read: Flink 1.11 and later, to 2.x.
const VERSIONS: std::ops::RangeInclusive<i32> = 3..=6;
/// From this version on operators are named.
const NAMED: i32 = 5;
/// The most key groups there can be: Flink's `UPPER_BOUND_MAX_PARALLELISM`.
const MOST_KEY_GROUPS: usize = 1 << 15;
/// How a stream of a Java object begins: with a null, or with an object.
const JAVA: [&[u8]; 2] = [&NO_PROPERTIES, &[0xac, 0xed, 0x00, 0x05, 0x73]];
/// From this version on there are properties.
const WITH_PROPERTIES: i32 = 4;
/// Java's stream of one null: the properties, which the State Processor API leaves out too.
const NO_PROPERTIES: [u8; 5] = [0xac, 0xed, 0x00, 0x05, 0x70];

/// An operator's id: the murmur hash of its uid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OperatorId(pub [u8; 16]);

impl OperatorId {
    /// The uid of the operator that holds the state (`UpdaterStateConfiguration`).
    pub const DECIDE_UID: &str = "DecideMutationOperation";
    /// Its id.
    pub const DECIDE: Self =
        Self([0x02, 0xfb, 0xb1, 0xf9, 0x12, 0x2a, 0x91, 0x0b, 0x1b, 0x49, 0xd4, 0x3c, 0xce, 0xed, 0x49, 0x15]);
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What `_metadata` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The version of its format.
    pub version: i32,
    /// The number of the checkpoint, counted by the job.
    pub checkpoint: i64,
    /// The operators.
    pub operators: Vec<Operator>,
    /// The Java object behind them, as it stands.
    pub properties: Vec<u8>,
}

/// An operator and where its state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// Its uid, from format version 5 on.
    pub uid: Option<String>,
    /// How many subtasks wrote it.
    pub parallelism: i32,
    /// How many key groups there are.
    pub max_parallelism: i32,
    /// The keyed state of its subtasks.
    pub keyed: Vec<Keyed>,
    /// Where else it has state, such as positions in Kafka: the files.
    pub others: Vec<Stream>,
}

/// Keyed state of one subtask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The subtask's number, from 0.
    pub subtask: i32,
    /// In which form.
    pub form: Form,
    /// The first of its key groups.
    pub first: i32,
    /// Where each key group begins; 0 for one without entries. Empty where the form knows no such offsets.
    pub offsets: Vec<i64>,
    /// The files; exactly one in the canonical form.
    pub streams: Vec<Stream>,
}

/// In which form keyed state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The same for all state backends: of a savepoint, unless asked otherwise.
    Canonical,
    /// The hashmap backend's own: of its checkpoints and native savepoints.
    Heap,
    /// RocksDB's own files: of its checkpoints and native savepoints.
    RocksDb,
}

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// In `_metadata` itself, at these bytes.
    Inline(Range<usize>),
    /// In a file beside `_metadata`, and its size.
    Beside(String, i64),
    /// In a file at an absolute path or URL, from a byte on, and the size.
    At(String, i64, i64),
}

impl Metadata {
    /// Reads a whole file.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut input = Input::new(bytes, 0);
        if input.take(4).ok() != Some(&MAGIC) {
            return Err(Broken { at: 0, rule: "it does not begin as Flink's does".to_owned() });
        }
        let version = input.i32()?;
        if !VERSIONS.contains(&version) {
            return Err(
                input.back(4, format!("format version {version}; known are those of Flink 1.11 to 2.x, 3 to 6"))
            );
        }
        let checkpoint = input.i64()?;
        let masters = input.count(8)?;
        (0..masters).try_for_each(|_| skip_master(&mut input))?;
        let count = input.count(29)?;
        let mut operators: Vec<Operator> = Vec::new();
        let mut ids = BTreeSet::new();
        for _ in 0..count {
            let operator = operator(&mut input, version)?;
            if !ids.insert(operator.id.0) {
                return Err(input.broken(format!("the operator {} stands in it twice", operator.id)));
            }
            operators.push(operator);
        }
        let properties = input.rest().to_vec();
        if version >= WITH_PROPERTIES && !JAVA.iter().any(|start| properties.starts_with(start)) {
            return Err(input.broken("it ends without the properties of the checkpoint"));
        }
        Ok(Self { version, checkpoint, operators, properties })
    }

    /// The file with one operator whose state is canonical and in files beside it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_i32(&mut out, VERSION);
        put_i64(&mut out, self.checkpoint);
        put_i32(&mut out, 0);
        put_i32(&mut out, self.operators.len() as i32);
        self.operators.iter().for_each(|operator| put_operator(&mut out, operator));
        out.extend_from_slice(&NO_PROPERTIES);
        out
    }

    /// Whether [`Metadata::to_bytes`] wrote it, and no job: nothing but the updater's state, in files of our names.
    pub fn is_ours(&self) -> bool {
        let ours = |stream: &Stream| matches!(stream, Stream::Beside(path, _) if part::is_ours(path));
        let mut operators = self.operators.iter();
        self.properties == NO_PROPERTIES
            && operators.all(|operator| operator.id == OperatorId::DECIDE && operator.streams().all(ours))
    }

    /// The operator that holds the state.
    pub fn decide(&self) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.id == OperatorId::DECIDE)
    }

    /// What made it, as far as its properties tell: their Java classes have names that say so.
    pub fn origin(&self) -> Option<&'static str> {
        let says = |text: &str| memchr::memmem::find(&self.properties, text.as_bytes()).is_some();
        if says("runtime.checkpoint.SavepointType") {
            Some(if says("Suspend Savepoint") || says("Terminate Savepoint") {
                "savepoint (job stopped)"
            } else {
                "savepoint"
            })
        } else if says("runtime.checkpoint.CheckpointType") {
            Some("checkpoint")
        } else {
            None
        }
    }
}

impl Operator {
    /// All places with bytes of its state.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.keyed.iter().flat_map(|keyed| &keyed.streams).chain(&self.others)
    }
}

fn skip_master(input: &mut Input<'_>) -> Parsed<()> {
    if input.i32()? as u32 != 0xc96b_1696 {
        return Err(input.back(4, "no master state begins so".to_owned()));
    }
    let length = input.count(1)?;
    input.take(length).map(drop)
}

fn operator(input: &mut Input<'_>, version: i32) -> Parsed<Operator> {
    let uid = if version >= NAMED {
        let _name = input.utf()?;
        Some(input.utf()?).filter(|uid| !uid.is_empty())
    } else {
        None
    };
    let mut id = [0; 16];
    id.copy_from_slice(input.take(16)?);
    let (parallelism, max_parallelism) = (input.i32()?, input.i32()?);
    let mut operator =
        Operator { id: OperatorId(id), uid, parallelism, max_parallelism, keyed: Vec::new(), others: Vec::new() };
    operator.others.extend(stream(input)?);
    // An operator that has come to its end has no state.
    let subtasks = input.i32()?;
    if subtasks == -1 {
        return Ok(operator);
    }
    // Each of at least the bytes of a finished one; the lengths within are checked one by one.
    let fits = usize::try_from(subtasks).ok().filter(|subtasks| subtasks * 4 <= input.rest().len());
    let subtasks = fits.ok_or_else(|| input.back(4, format!("{subtasks} subtasks cannot follow")))?;
    let mut seen = BTreeSet::new();
    for _ in 0..subtasks {
        let index = subtask(input, &mut operator)?;
        if !seen.insert(index) {
            return Err(input.broken(format!("the subtask {index} stands in it twice")));
        }
    }
    Ok(operator)
}

/// Reads a subtask's state; its number, or a negative one of one that has come to its end.
fn subtask(input: &mut Input<'_>, operator: &mut Operator) -> Parsed<i32> {
    let index = input.i32()?;
    if index < 0 {
        return Ok(index);
    }
    if index >= operator.parallelism {
        return Err(input.back(4, format!("subtask {index} of {}", operator.parallelism)));
    }
    for _ in ["managed operator state", "raw operator state"] {
        match input.i32()? {
            0 => {}
            1 => operator.others.extend(operator_state(input)?),
            flag => return Err(input.back(4, format!("{flag} is neither present nor absent"))),
        }
    }
    operator.keyed.extend(keyed(input, index, operator.max_parallelism)?);
    if let Some(raw) = keyed(input, index, operator.max_parallelism)? {
        operator.others.extend(raw.streams);
    }
    for what in ["input channels", "result partitions"] {
        if input.i32()? != 0 {
            return Err(input.back(4, format!("it has state of {what}: that of an unaligned checkpoint")));
        }
    }
    Ok(index)
}

fn operator_state(input: &mut Input<'_>) -> Parsed<Option<Stream>> {
    let kind = input.u8()?;
    match kind {
        0 => return Ok(None),
        4 | 17 => {}
        kind => return Err(input.back(1, format!("operator state of the unknown kind {kind}"))),
    }
    for _ in 0..input.count(7)? {
        input.utf()?;
        input.u8()?;
        let offsets = input.count(8)?;
        input.take(offsets * 8)?;
    }
    if kind == 17 {
        input.utf()?;
        input.utf()?;
        input.flag()?;
    }
    stream(input)
}

fn keyed(input: &mut Input<'_>, subtask: i32, max_parallelism: i32) -> Parsed<Option<Keyed>> {
    let kind = input.u8()?;
    let form = match kind {
        0 => return Ok(None),
        3 | 12 => Form::Heap,
        5 | 11 => return rocksdb(input, subtask, kind).map(Some),
        7 => Form::Canonical,
        8 | 9 | 10 | 13 | 14 => {
            return Err(input.back(1, "keyed state of a changelog: take a canonical savepoint".to_owned()));
        }
        kind => return Err(input.back(1, format!("keyed state of the unknown kind {kind}"))),
    };
    let first = input.i32()?;
    let count = input.count(8)?;
    let ends = i64::from(first) + count as i64;
    if first < 0 || count > MOST_KEY_GROUPS || ends > i64::from(max_parallelism) {
        return Err(input.back(8, format!("key groups {first} to {} of {max_parallelism}", ends - 1)));
    }
    let offsets = (0..count).map(|_| input.i64()).collect::<Parsed<_>>()?;
    let data = stream(input)?;
    let streams = vec![data.ok_or_else(|| input.broken("keyed state without bytes"))?];
    if kind == 12 {
        input.utf()?;
    }
    Ok(Some(Keyed { subtask, form, first, offsets, streams }))
}

fn rocksdb(input: &mut Input<'_>, subtask: i32, kind: u8) -> Parsed<Keyed> {
    let _checkpoint = input.i64()?;
    let _backend = input.utf()?;
    let first = input.i32()?;
    let _count = input.i32()?;
    if kind == 11 {
        let _size = input.i64()?;
    }
    let mut streams: Vec<_> = stream(input)?.into_iter().collect();
    for _ in ["shared", "private"] {
        for _ in 0..input.count(3)? {
            input.utf()?;
            streams.extend(stream(input)?);
        }
    }
    if kind == 11 {
        input.utf()?;
    }
    Ok(Keyed { subtask, form: Form::RocksDb, first, offsets: Vec::new(), streams })
}

fn stream(input: &mut Input<'_>) -> Parsed<Option<Stream>> {
    let size = |input: &mut Input<'_>| {
        let size = input.i64()?;
        if size < 0 { Err(input.back(8, format!("a size of {size} bytes"))) } else { Ok(size) }
    };
    Ok(Some(match input.u8()? {
        0 => return Ok(None),
        1 => {
            let _name = input.utf()?;
            let length = input.count(1)?;
            let start = input.consumed();
            input.take(length)?;
            Stream::Inline(start..start + length)
        }
        2 => {
            let size = size(input)?;
            Stream::At(input.utf()?, 0, size)
        }
        6 => {
            let path = input.utf()?;
            Stream::Beside(path, size(input)?)
        }
        15 | 16 => {
            let (start, size) = (size(input)?, size(input)?);
            let _scope = input.i32()?;
            let path = input.utf()?;
            let _id = input.utf()?;
            Stream::At(path, start, size)
        }
        kind => return Err(input.back(1, format!("bytes in a place of the unknown kind {kind}"))),
    }))
}

fn put_operator(out: &mut Vec<u8>, operator: &Operator) {
    out.extend_from_slice(&operator.id.0);
    put_i32(out, operator.parallelism);
    put_i32(out, operator.max_parallelism);
    // No state of a coordinator.
    out.push(0);
    put_i32(out, operator.keyed.len() as i32);
    for keyed in &operator.keyed {
        put_i32(out, keyed.subtask);
        // No operator state, managed or raw.
        put_i32(out, 0);
        put_i32(out, 0);
        put_keyed(out, keyed);
        // No raw keyed state; none of channels or partitions.
        out.push(0);
        put_i32(out, 0);
        put_i32(out, 0);
    }
}

fn put_keyed(out: &mut Vec<u8>, keyed: &Keyed) {
    out.push(7);
    put_i32(out, keyed.first);
    put_i32(out, keyed.offsets.len() as i32);
    keyed.offsets.iter().for_each(|offset| put_i64(out, *offset));
    for stream in &keyed.streams {
        if let Stream::Beside(path, size) = stream {
            out.push(6);
            put_utf(out, path);
            put_i64(out, *size);
        }
    }
}
