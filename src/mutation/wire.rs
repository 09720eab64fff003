//! Mutations as the messages that readers of the stream get: JSON, in two versions.
//!
//! Promise: what is written can be read again, and means the same to upstream's consumers and producers.
//! In -> out: [`Message`] <-> bytes of JSON.
//! Invariant: triples are N-Triples, a line each, which is Turtle without prefixes. What a message has none of is left out.
//! Rules: upstream's `MutationEventDataV1` and `…V2`; the schema `mediawiki/wikibase/entity/rdf_change` 2.0.0. The schema of version 1
//! was never published.
//! Not here: which triples go into which message (see `updater::chunk`); clocks and random ids, which the caller has.

use std::borrow::Cow;

use serde::Deserialize;

use crate::mutation::Operation;
use crate::wikibase::entity::{EntityId, EntityIdError};
use crate::wikibase::timestamp::{Timestamp, TimestampError};

/// A form of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// What WDQS has read from the beginning.
    V1,
    /// What is also published as a public stream.
    #[default]
    V2,
}

/// What a message tells to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Add all triples of an entity that is not there.
    Import,
    /// Add and remove some triples.
    Diff,
    /// Delete all triples of an entity.
    Delete,
    /// Replace all triples of an entity.
    Reconcile,
}

/// A message: a mutation, or a part of one that is too large for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its form.
    pub version: Version,
    /// What is the message's own.
    pub meta: Meta<'a>,
    /// The entity.
    pub entity: EntityId,
    /// The revision; at least 0.
    pub revision: u64,
    /// When the entity was changed.
    pub event_time: Timestamp,
    /// The message's number among those of its mutation, from 0 on.
    pub sequence: u32,
    /// How many messages its mutation has; at least 1.
    pub sequence_length: u32,
    /// What to do.
    pub kind: Kind,
    /// The triples.
    pub data: Data<'a>,
}

/// What tells a message from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    /// When it was made.
    pub dt: Timestamp,
    /// Its id, a UUID.
    pub id: Cow<'a, str>,
    /// The wiki's host.
    pub domain: Option<Cow<'a, str>>,
    /// The stream it is in; see [`Version::stream`].
    pub stream: Cow<'a, str>,
    /// That of the event that led to it, and the same for all messages of a mutation.
    pub request_id: Option<Cow<'a, str>>,
}

/// The triples of a message, as lines of N-Triples, or, if another wrote them, as Turtle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data<'a> {
    /// To be added.
    pub added: Cow<'a, str>,
    /// To be removed.
    pub removed: Cow<'a, str>,
    /// Shared with other entities, to be there afterwards.
    pub linked_shared: Cow<'a, str>,
    /// Shared with other entities, and not needed by this one.
    pub unlinked_shared: Cow<'a, str>,
}

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// They are no JSON, or a field is missing or of another type.
    #[error("this is no message of a mutation stream: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a schema that is not known.
    #[error("`{0}` is no schema of mutations")]
    Schema(String),
    /// Its operation is not known.
    #[error("`{0}` is no operation")]
    Operation(String),
    /// Its entity is none.
    #[error("`{found}` is no entity: {rule}")]
    Entity {
        /// The id.
        found: String,
        /// The rule it breaks.
        rule: EntityIdError,
    },
    /// One of its times is none.
    #[error("`{found}` is no time: {rule}")]
    Time {
        /// The time.
        found: String,
        /// The rule it breaks.
        rule: TimestampError,
    },
    /// Its triples are not in Turtle.
    #[error("its triples are `{0}`, not text/turtle")]
    MimeType(String),
    /// Its number is not below that of its mutation's messages.
    #[error("it is number {sequence} of {length} messages, counted from 0")]
    Sequence {
        /// The number.
        sequence: u32,
        /// How many there are.
        length: u32,
    },
}

const MIME_TYPE: &str = "text/turtle";

/// Where versions differ.
struct Names {
    schema: &'static str,
    entity: &'static str,
    revision: &'static str,
    event_time: &'static str,
}

impl Version {
    /// What `meta.stream` is in messages on that topic (without a data centre's prefix): version 2 adds `.v2`, though not to the topic.
    pub fn stream(self, topic: &str) -> String {
        match self {
            Self::V1 => topic.to_owned(),
            Self::V2 => format!("{topic}.v2"),
        }
    }

    const fn names(self) -> Names {
        match self {
            Self::V1 => Names {
                schema: "/wikibase/rdf/update_stream/1.0.0",
                entity: "entity",
                revision: "revision",
                event_time: "event_time",
            },
            Self::V2 => Names {
                schema: "/mediawiki/wikibase/entity/rdf_change/2.0.0",
                entity: "entity_id",
                revision: "rev_id",
                event_time: "dt",
            },
        }
    }

    /// By the schema's name and major version: minor ones only add what may be passed over.
    fn of_schema(schema: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|version| {
            let known = version.names().schema.trim_end_matches("0.0");
            schema.strip_prefix(known).is_some_and(|minor| !minor.is_empty())
        })
    }
}

impl Kind {
    /// What a message of the operation tells, where the entity stays in the graph.
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::FullImport => Self::Import,
            Operation::Diff { .. } => Self::Diff,
            Operation::DeleteItem => Self::Delete,
            Operation::Reconcile => Self::Reconcile,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Diff => "diff",
            Self::Delete => "delete",
            Self::Reconcile => "reconcile",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Import, Self::Diff, Self::Delete, Self::Reconcile].into_iter().find(|kind| kind.name() == name)
    }
}

impl<'a> Message<'a> {
    /// Appends the message as JSON, without a line feed.
    pub fn write(&self, out: &mut Vec<u8>) {
        let names = self.version.names();
        let room = self.data.parts().iter().map(|(_, part)| part.len()).sum::<usize>();
        out.reserve(room + room / 8 + 512);
        out.extend_from_slice(b"{\"$schema\":");
        string(out, names.schema);
        out.extend_from_slice(b",\"meta\":");
        self.meta.write(out);
        name(out, names.entity);
        string(out, &self.entity.to_string());
        number(out, names.revision, self.revision);
        name(out, names.event_time);
        string(out, &self.event_time.to_string());
        number(out, "sequence", self.sequence.into());
        number(out, "sequence_length", self.sequence_length.into());
        name(out, "operation");
        string(out, self.kind.name());
        for (key, part) in self.data.parts().into_iter().filter(|(_, part)| !part.is_empty()) {
            name(out, key);
            out.extend_from_slice(b"{\"data\":");
            string(out, part);
            name(out, "mime_type");
            string(out, MIME_TYPE);
            out.push(b'}');
        }
        out.push(b'}');
    }

    /// Reads a message. Texts without escapes are borrowed; fields that are not known are passed over.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let read: Fields<'a> = match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => serde_json::from_str(text)?,
            // It says where.
            Err(_) => serde_json::from_slice(bytes)?,
        };
        let version = Version::of_schema(&read.schema).ok_or_else(|| WireError::Schema(read.schema.into()))?;
        if read.sequence >= read.sequence_length {
            return Err(WireError::Sequence { sequence: read.sequence, length: read.sequence_length });
        }
        let meta = read.meta;
        let meta = Meta {
            dt: time(&meta.dt)?,
            id: meta.id,
            domain: meta.domain.map(|domain| domain.0),
            stream: meta.stream,
            request_id: meta.request_id.map(|id| id.0),
        };
        let data = Data {
            added: triples(read.added)?,
            removed: triples(read.removed)?,
            linked_shared: triples(read.linked_shared)?,
            unlinked_shared: triples(read.unlinked_shared)?,
        };
        Ok(Self {
            version,
            meta,
            entity: EntityId::parse(read.entity.as_bytes())
                .map_err(|rule| WireError::Entity { found: read.entity.into(), rule })?,
            revision: read.revision,
            event_time: time(&read.event_time)?,
            sequence: read.sequence,
            sequence_length: read.sequence_length,
            kind: Kind::parse(&read.operation).ok_or_else(|| WireError::Operation(read.operation.into()))?,
            data,
        })
    }
}

impl Meta<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"dt\":");
        string(out, &self.dt.to_string());
        let fields = [
            ("id", Some(&self.id)),
            ("domain", self.domain.as_ref()),
            ("stream", Some(&self.stream)),
            ("request_id", self.request_id.as_ref()),
        ];
        for (key, value) in fields {
            if let Some(value) = value {
                name(out, key);
                string(out, value);
            }
        }
        out.push(b'}');
    }
}

impl Data<'_> {
    fn parts(&self) -> [(&'static str, &str); 4] {
        [
            ("rdf_added_data", &self.added),
            ("rdf_deleted_data", &self.removed),
            ("rdf_linked_shared_data", &self.linked_shared),
            ("rdf_unlinked_shared_data", &self.unlinked_shared),
        ]
    }
}

fn name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    name(out, key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a text with its quotes, escaped as serde_json does.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    while let Some(plain) = bytes[written..].iter().position(|byte| ESCAPED[*byte as usize]) {
        let at = written + plain;
        out.extend_from_slice(&bytes[written..at]);
        match bytes[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x8 => out.extend_from_slice(b"\\b"),
            0xC => out.extend_from_slice(b"\\f"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// Bytes that JSON does not let stand for themselves.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < b' ' as usize {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// A message as serde reads it, in either version.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "$schema", borrow)]
    schema: Cow<'a, str>,
    #[serde(borrow)]
    meta: MetaFields<'a>,
    #[serde(alias = "entity_id", borrow)]
    entity: Cow<'a, str>,
    #[serde(alias = "rev_id")]
    revision: u64,
    #[serde(alias = "dt", borrow)]
    event_time: Cow<'a, str>,
    sequence: u32,
    sequence_length: u32,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(rename = "rdf_added_data", borrow)]
    added: Option<Triples<'a>>,
    #[serde(rename = "rdf_deleted_data", borrow)]
    removed: Option<Triples<'a>>,
    #[serde(rename = "rdf_linked_shared_data", borrow)]
    linked_shared: Option<Triples<'a>>,
    #[serde(rename = "rdf_unlinked_shared_data", borrow)]
    unlinked_shared: Option<Triples<'a>>,
}

#[derive(Deserialize)]
struct MetaFields<'a> {
    #[serde(borrow)]
    dt: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    request_id: Option<Text<'a>>,
}

/// A text that may be missing. (Within an `Option`, serde would copy a `Cow`.)
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Triples<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    mime_type: Cow<'a, str>,
}

fn time(text: &str) -> Result<Timestamp, WireError> {
    Timestamp::parse(text).map_err(|rule| WireError::Time { found: text.to_owned(), rule })
}

/// The triples of a field, if it is there.
fn triples(field: Option<Triples<'_>>) -> Result<Cow<'_, str>, WireError> {
    match field {
        None => Ok(Cow::Borrowed("")),
        Some(Triples { data, mime_type }) if mime_type == MIME_TYPE => Ok(data),
        Some(Triples { mime_type, .. }) => Err(WireError::MimeType(mime_type.into())),
    }
}

#[cfg(test)]
mod tests;
