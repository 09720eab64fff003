//! Events, mutations and the ends of outputs as lines of JSON.
//!
//! Promise: [`decode`] of [`encode`] gives the same in the same order, whatever the texts hold.
//! In -> out: a [`Stream`] but for its offsets and watermark <-> the bytes of a file, packed by Zstandard where they are many.
//! Invariant: pure; the stored form (`Wire…`) is apart from the types that the program uses.
//! Layout: `{"event":{…}}`, then `{"mutation":{…}}`, then `{"behind":"Q42"}`, then `{"output":{…}}`, one a line; frames of some thousand lines each, made
//! side by side.
//! Not here: whether the bytes are those that were written (see the checksum in `_metadata`).

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::compression;
use crate::event::{Change, EventInfo, InputEvent, ReconcileAction};
use crate::mutation::{Mutation, Operation};
use crate::savepoint::stream::{OutputEnd, Stream};
use crate::wikibase::entity::{EntityId, Revision};

/// Lines of a frame.
const FRAME: usize = 4096;
/// Bytes of text that are kept as they are, so that people can read them; more are packed.
const PLAIN: usize = 16 << 10;
/// The largest text, in bytes: some ten million events.
pub const MAX_TEXT: u64 = 8 << 30;

/// The lines of a stream as they are stored.
pub struct Lines {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// Whether they are packed.
    pub is_packed: bool,
    /// Bytes of the text.
    pub text: u64,
}

/// Why lines could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The bytes cannot be unpacked, or packed.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] std::io::Error),
    /// The text is larger than [`MAX_TEXT`], or has another length than listed.
    #[error("it has {found} bytes of text instead of {expected}")]
    Length {
        /// Bytes listed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A line is none of those that are written.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
}

/// The file of a stream. Errors: `Packed`, if memory is short.
pub fn encode(stream: &Stream) -> Result<Lines, LinesError> {
    let mut frames = frames(&stream.buffered, |event| Line::Event(event.into()))?;
    frames.extend(self::frames(&stream.pending, |mutation| Line::Mutation(mutation.into()))?);
    frames.extend(self::frames(&stream.behind, |entity| Line::Behind(Cow::Owned(entity.to_string())))?);
    frames.extend(self::frames(&stream.outputs, |output| Line::Output(output.into()))?);
    let text: usize = frames.iter().map(Vec::len).sum();
    let is_packed = text > PLAIN;
    let bytes = match is_packed {
        false => frames.concat(),
        true => frames.par_iter().map(|frame| compression::pack(frame)).collect::<Result<Vec<_>, _>>()?.concat(),
    };
    Ok(Lines { bytes, is_packed, text: text as u64 })
}

/// The text of each frame.
fn frames<'a, T: Sync>(items: &'a [T], line: fn(&'a T) -> Line<'a>) -> Result<Vec<Vec<u8>>, LinesError> {
    let frame = |items: &'a [T]| {
        let mut text = Vec::new();
        for item in items {
            serde_json::to_writer(&mut text, &line(item)).map_err(std::io::Error::from)?;
            text.push(b'\n');
        }
        Ok(text)
    };
    items.par_chunks(FRAME).map(frame).collect()
}

/// Reads such a file, with the length of its text as [`encode`] told it, into `stream`.
pub fn decode(bytes: &[u8], is_packed: bool, text: u64, stream: &mut Stream) -> Result<(), LinesError> {
    let length = |found: usize| LinesError::Length { expected: text, found: found as u64 };
    if text > MAX_TEXT {
        return Err(length(bytes.len()));
    }
    let unpacked = if is_packed { Cow::Owned(compression::unpack(bytes, text as usize)?) } else { bytes.into() };
    if unpacked.len() as u64 != text {
        return Err(length(unpacked.len()));
    }
    let lines: Vec<_> = unpacked.split_inclusive(|byte| *byte == b'\n').collect();
    let read =
        |(at, line): (usize, &&[u8])| read_line(line).map_err(|reason| LinesError::Line { line: at + 1, reason });
    for item in lines.par_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()? {
        match item {
            Item::Event(event) => stream.buffered.push(event),
            Item::Mutation(mutation) => stream.pending.push(mutation),
            Item::Behind(entity) => stream.behind.push(entity),
            Item::Output(output) => stream.outputs.push(output),
        }
    }
    Ok(())
}

/// What a line holds.
enum Item {
    Event(InputEvent),
    Mutation(Mutation),
    Behind(EntityId),
    Output(OutputEnd),
}

fn read_line(line: &[u8]) -> Result<Item, String> {
    let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
    Ok(match serde_json::from_slice(line).map_err(|error| error.to_string())? {
        Line::Event(event) => Item::Event(event.into()),
        Line::Mutation(mutation) => Item::Mutation(mutation.into_mutation()?),
        Line::Behind(entity) => {
            Item::Behind(EntityId::parse(entity.as_bytes()).map_err(|error| format!("`{entity}`: {error}"))?)
        }
        Line::Output(output) => Item::Output(output.into()),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    #[serde(borrow)]
    Event(WireEvent<'a>),
    #[serde(borrow)]
    Mutation(WireMutation<'a>),
    #[serde(borrow)]
    Behind(Cow<'a, str>),
    #[serde(borrow)]
    Output(WireOutput<'a>),
}

/// Times are in milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEvent<'a> {
    #[serde(borrow)]
    item: Cow<'a, str>,
    revision: i64,
    change: WireChange,
    event_time: i64,
    ingestion_time: i64,
    #[serde(borrow)]
    original: WireInfo<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum WireChange {
    RevCreate { parent: Option<i64> },
    PageDelete,
    PageUndelete,
    ReconcileCreation,
    ReconcileDeletion,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireInfo<'a> {
    timestamp: i64,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    domain: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    schema: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMutation<'a> {
    entity: String,
    revision: i64,
    operation: WireOperation,
    event_time: i64,
    ingestion_time: i64,
    #[serde(borrow)]
    original: WireInfo<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum WireOperation {
    FullImport,
    Diff { from: u64 },
    DeleteItem,
    Reconcile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireOutput<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    bytes: u64,
}

impl<'a> From<&'a InputEvent> for WireEvent<'a> {
    fn from(event: &'a InputEvent) -> Self {
        let change = match event.change {
            Change::RevCreate { parent_revision } => WireChange::RevCreate { parent: parent_revision },
            Change::PageDelete => WireChange::PageDelete,
            Change::PageUndelete => WireChange::PageUndelete,
            Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation } => WireChange::ReconcileCreation,
            Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion } => WireChange::ReconcileDeletion,
        };
        let InputEvent { item, event_time, ingestion_time, revision, original, .. } = event;
        Self {
            item: item.into(),
            revision: *revision,
            change,
            event_time: *event_time,
            ingestion_time: *ingestion_time,
            original: original.into(),
        }
    }
}

impl From<WireEvent<'_>> for InputEvent {
    fn from(wire: WireEvent<'_>) -> Self {
        let reconcile = |action| Change::ReconcileInputEvent { action };
        let change = match wire.change {
            WireChange::RevCreate { parent } => Change::RevCreate { parent_revision: parent },
            WireChange::PageDelete => Change::PageDelete,
            WireChange::PageUndelete => Change::PageUndelete,
            WireChange::ReconcileCreation => reconcile(ReconcileAction::ReconcileCreation),
            WireChange::ReconcileDeletion => reconcile(ReconcileAction::ReconcileDeletion),
        };
        Self {
            item: wire.item.into_owned(),
            event_time: wire.event_time,
            ingestion_time: wire.ingestion_time,
            revision: wire.revision,
            change,
            original: wire.original.into(),
        }
    }
}

impl<'a> From<&'a EventInfo> for WireInfo<'a> {
    fn from(info: &'a EventInfo) -> Self {
        let maybe = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Self {
            timestamp: info.timestamp,
            id: maybe(&info.id),
            domain: maybe(&info.domain),
            stream: Cow::Borrowed(&info.stream),
            request_id: maybe(&info.request_id),
            schema: Cow::Borrowed(&info.schema),
        }
    }
}

impl From<WireInfo<'_>> for EventInfo {
    fn from(wire: WireInfo<'_>) -> Self {
        Self {
            timestamp: wire.timestamp,
            id: wire.id.map(Cow::into_owned),
            domain: wire.domain.map(Cow::into_owned),
            stream: wire.stream.into_owned(),
            request_id: wire.request_id.map(Cow::into_owned),
            schema: wire.schema.into_owned(),
        }
    }
}

impl<'a> From<&'a Mutation> for WireMutation<'a> {
    fn from(mutation: &'a Mutation) -> Self {
        let operation = match mutation.operation {
            Operation::FullImport => WireOperation::FullImport,
            Operation::Diff { from } => WireOperation::Diff { from: from.get() },
            Operation::DeleteItem => WireOperation::DeleteItem,
            Operation::Reconcile => WireOperation::Reconcile,
        };
        Self {
            entity: mutation.entity.to_string(),
            revision: mutation.revision,
            operation,
            event_time: mutation.event_time,
            ingestion_time: mutation.ingestion_time,
            original: (&mutation.original).into(),
        }
    }
}

impl WireMutation<'_> {
    fn into_mutation(self) -> Result<Mutation, String> {
        let operation = match self.operation {
            WireOperation::FullImport => Operation::FullImport,
            WireOperation::Diff { from } => {
                Operation::Diff { from: Revision::new(from).map_err(|error| format!("{from}: {error}"))? }
            }
            WireOperation::DeleteItem => Operation::DeleteItem,
            WireOperation::Reconcile => Operation::Reconcile,
        };
        Ok(Mutation {
            entity: EntityId::parse(self.entity.as_bytes()).map_err(|error| error.to_string())?,
            revision: self.revision,
            operation,
            event_time: self.event_time,
            ingestion_time: self.ingestion_time,
            original: self.original.into(),
        })
    }
}

impl<'a> From<&'a OutputEnd> for WireOutput<'a> {
    fn from(output: &'a OutputEnd) -> Self {
        Self { path: Cow::Borrowed(&output.path), bytes: output.bytes }
    }
}

impl From<WireOutput<'_>> for OutputEnd {
    fn from(wire: WireOutput<'_>) -> Self {
        Self { path: wire.path.into_owned(), bytes: wire.bytes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wikibase::entity::EntityKind;

    fn info() -> impl Strategy<Value = EventInfo> {
        let maybe = || prop::option::of(any::<String>());
        (any::<i64>(), maybe(), maybe(), any::<String>(), maybe(), any::<String>()).prop_map(
            |(timestamp, id, domain, stream, request_id, schema)| EventInfo {
                timestamp,
                id,
                domain,
                stream,
                request_id,
                schema,
            },
        )
    }

    fn event() -> impl Strategy<Value = InputEvent> {
        let reconcile = |action| Just(Change::ReconcileInputEvent { action });
        let change = prop_oneof![
            any::<Option<i64>>().prop_map(|parent_revision| Change::RevCreate { parent_revision }),
            Just(Change::PageDelete),
            Just(Change::PageUndelete),
            reconcile(ReconcileAction::ReconcileCreation),
            reconcile(ReconcileAction::ReconcileDeletion),
        ];
        (any::<String>(), any::<i64>(), any::<i64>(), any::<i64>(), change, info()).prop_map(
            |(item, event_time, ingestion_time, revision, change, original)| InputEvent {
                item,
                event_time,
                ingestion_time,
                revision,
                change,
                original,
            },
        )
    }

    fn mutation() -> impl Strategy<Value = Mutation> {
        let operation = prop_oneof![
            Just(Operation::FullImport),
            (1..=Revision::MAX).prop_map(|from| Operation::Diff { from: Revision::new(from).unwrap() }),
            Just(Operation::DeleteItem),
            Just(Operation::Reconcile),
        ];
        let entity = (0..4_usize, 1..=EntityId::MAX_NUMBER);
        (entity, any::<i64>(), operation, any::<i64>(), any::<i64>(), info()).prop_map(
            |((kind, number), revision, operation, event_time, ingestion_time, original)| Mutation {
                entity: EntityId::new(EntityKind::ALL[kind], number).unwrap(),
                revision,
                operation,
                event_time,
                ingestion_time,
                original,
            },
        )
    }

    fn stream() -> impl Strategy<Value = Stream> {
        let output = (any::<String>(), any::<u64>()).prop_map(|(path, bytes)| OutputEnd { path, bytes });
        let repeated = prop_oneof![9 => Just(1), 1 => Just(1500_usize)];
        (
            prop::collection::vec(event(), 0..6),
            prop::collection::vec(mutation(), 0..6),
            prop::collection::vec(1..1000_u32, 0..4),
            prop::collection::vec(output, 0..4),
            repeated,
        )
            .prop_map(|(buffered, pending, behind, outputs, times)| Stream {
                buffered: std::iter::repeat_n(buffered, times).flatten().collect(),
                pending: std::iter::repeat_n(pending, times).flatten().collect(),
                behind: behind.into_iter().filter_map(|number| EntityId::new(EntityKind::Lexeme, number)).collect(),
                outputs,
                ..Stream::default()
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read(stream in stream()) {
            let Lines { bytes, is_packed, text } = encode(&stream).unwrap();
            prop_assert_eq!(is_packed, text > PLAIN as u64);
            let mut again = Stream::default();
            decode(&bytes, is_packed, text, &mut again).unwrap();
            prop_assert_eq!(again, stream);
            prop_assert!(decode(&bytes, is_packed, text + 1, &mut Stream::default()).is_err());
        }

        /// Whatever the bytes, there is an answer.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), is_packed: bool) {
            let _ = decode(&bytes, is_packed, bytes.len() as u64, &mut Stream::default());
        }
    }

    #[test]
    fn lines_that_are_none() {
        let rows = [
            ("{}\n", "line 1: "),
            ("\n", "line 1: "),
            ("{\"output\":{\"path\":\"a\",\"bytes\":1}}", "line 1: it has no end"),
            ("{\"output\":{\"path\":\"a\",\"bytes\":1}}\n{\"output\":{\"path\":\"a\",\"bytes\":-1}}\n", "line 2: "),
            ("{\"output\":{\"path\":\"a\",\"bytes\":1,\"more\":2}}\n", "line 1: unknown field"),
            (
                "{\"mutation\":{\"entity\":\"Q0\",\"revision\":1,\"operation\":\"Reconcile\",\"event_time\":1,\"ingestion_time\":1,\
                 \"original\":{\"timestamp\":1,\"id\":null,\"domain\":null,\"stream\":\"\",\"request_id\":null,\"schema\":\"\"}}}\n",
                "line 1: the letter of an entity id",
            ),
        ];
        for (text, expected) in rows {
            let error =
                decode(text.as_bytes(), false, text.len() as u64, &mut Stream::default()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
