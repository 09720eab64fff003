//! Messages -> whole mutations.
//!
//! Promise: a mutation is handed on when all of its messages are there, in order; of one that lacks any, nothing is.
//! In -> out: [`Message`] -> [`Whole`].
//! Rules: the messages of a mutation follow each other, numbered from 0, and agree in all but their triples: request, entity, revision,
//! operation, time. Upstream's consumer takes whatever comes before a last message for one mutation, so that the last message of a large
//! reconciliation, read again after a restart, replaces the whole entity by its last triples.
//! Invariant: pure. A mutation of one message is borrowed, not copied.

use std::borrow::Cow;

use crate::mutation::wire::{Data, Kind, Message};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// The most that the triples of a mutation may have, in bytes: a hundred times the largest entity.
const MOST: usize = 256 << 20;

/// A mutation with all its triples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole<'m> {
    /// The entity.
    pub entity: EntityId,
    /// The revision it has afterwards.
    pub revision: u64,
    /// What to do.
    pub kind: Kind,
    /// When the entity was changed.
    pub event_time: Timestamp,
    /// The triples of all messages.
    pub data: Data<'m>,
}

/// Why messages are no mutation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// A message that was to follow did not.
    #[error("of the mutation of {wanted}, message {next} of {length} was to follow; what follows is {found}")]
    Incomplete {
        /// The entity and revision of the mutation.
        wanted: String,
        /// The number of the message, from 1.
        next: u32,
        /// How many it has.
        length: u32,
        /// What followed.
        found: String,
    },
    /// A message came without those before it.
    #[error("this is {found}, without those before it")]
    Headless {
        /// What came.
        found: String,
    },
    /// Its triples are too many.
    #[error("the mutation of {wanted} has more than {} MiB of triples", MOST >> 20)]
    TooLarge {
        /// The entity and revision of the mutation.
        wanted: String,
    },
}

/// Puts mutations together.
#[derive(Clone, Debug, Default)]
pub struct Assembler(Option<Begun>);

/// A mutation of which not all messages came.
#[derive(Clone, Debug)]
struct Begun {
    whole: Whole<'static>,
    request: Option<String>,
    next: u32,
    length: u32,
}

impl Assembler {
    /// Takes the next message; the mutation that it makes whole. After an error what was begun is forgotten; the message may begin
    /// another, and is to be given again for that.
    pub fn take<'m>(&mut self, message: Message<'m>) -> Result<Option<Whole<'m>>, AssemblyError> {
        let Some(mut begun) = self.0.take() else { return self.begin(message) };
        if !begun.is_followed_by(&message) {
            let Begun { next, length, .. } = begun;
            let wanted = begun.wanted();
            return Err(AssemblyError::Incomplete { wanted, next: next + 1, length, found: named(&message) });
        }
        begun.append(&message.data);
        begun.next += 1;
        if size(&begun.whole.data) > MOST {
            return Err(AssemblyError::TooLarge { wanted: begun.wanted() });
        }
        if begun.next == begun.length {
            return Ok(Some(begun.whole));
        }
        self.0 = Some(begun);
        Ok(None)
    }

    fn begin<'m>(&mut self, message: Message<'m>) -> Result<Option<Whole<'m>>, AssemblyError> {
        if message.sequence > 0 {
            return Err(AssemblyError::Headless { found: named(&message) });
        }
        let (length, request) = (message.sequence_length, message.meta.request_id);
        let Message { entity, revision, kind, event_time, data, .. } = message;
        let whole = Whole { entity, revision, kind, event_time, data };
        if length == 1 {
            return Ok(Some(whole));
        }
        let request = request.map(Cow::into_owned);
        self.0 = Some(Begun { whole: whole.owned(), request, next: 1, length });
        Ok(None)
    }

    /// The mutation that was begun and is not whole, if there is one: its entity and revision, and what is missing.
    pub fn begun(&self) -> Option<String> {
        let begun = self.0.as_ref()?;
        Some(format!("{}: {} of {} messages", begun.wanted(), begun.next, begun.length))
    }
}

impl Begun {
    fn is_followed_by(&self, message: &Message<'_>) -> bool {
        let Whole { entity, revision, kind, event_time, .. } = &self.whole;
        let is_same = (*entity, *revision, *kind, *event_time)
            == (message.entity, message.revision, message.kind, message.event_time)
            && message.meta.request_id.as_deref() == self.request.as_deref();
        is_same && (self.next, self.length) == (message.sequence, message.sequence_length)
    }

    fn append(&mut self, more: &Data<'_>) {
        let data = &mut self.whole.data;
        let parts = [
            (&mut data.added, &more.added),
            (&mut data.removed, &more.removed),
            (&mut data.linked_shared, &more.linked_shared),
            (&mut data.unlinked_shared, &more.unlinked_shared),
        ];
        for (part, more) in parts {
            // A statement may end without a line feed.
            part.to_mut().push('\n');
            part.to_mut().push_str(more);
        }
    }

    fn wanted(&self) -> String {
        format!("{} at revision {}", self.whole.entity, self.whole.revision)
    }
}

impl Whole<'_> {
    fn owned(self) -> Whole<'static> {
        let Data { added, removed, linked_shared, unlinked_shared } = self.data;
        let owned = |part: Cow<'_, str>| Cow::Owned(part.into_owned());
        let data = Data {
            added: owned(added),
            removed: owned(removed),
            linked_shared: owned(linked_shared),
            unlinked_shared: owned(unlinked_shared),
        };
        let Self { entity, revision, kind, event_time, .. } = self;
        Whole { entity, revision, kind, event_time, data }
    }
}

fn size(data: &Data<'_>) -> usize {
    data.added.len() + data.removed.len() + data.linked_shared.len() + data.unlinked_shared.len()
}

fn named(message: &Message<'_>) -> String {
    let Message { entity, revision, kind, sequence, sequence_length, .. } = message;
    format!("message {} of {sequence_length} of {entity} at revision {revision} ({})", sequence + 1, kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::wire::{Meta, Version};

    fn message(entity: &'static str, request: &'static str, sequence: u32, length: u32) -> Message<'static> {
        Message {
            version: Version::V2,
            meta: Meta {
                dt: Timestamp::default(),
                id: "".into(),
                domain: None,
                stream: "".into(),
                request_id: Some(request.into()),
            },
            entity: EntityId::parse(entity.as_bytes()).unwrap(),
            revision: 7,
            event_time: Timestamp::default(),
            sequence,
            sequence_length: length,
            kind: Kind::Reconcile,
            data: Data { added: format!("<{sequence}>").into(), ..Data::default() },
        }
    }

    /// What comes of messages: the triples of mutations, or the beginning of an error.
    #[test]
    fn messages_become_mutations_as_in_this_table() {
        let (q1, q2) = (|at, of| message("Q1", "a", at, of), |at, of| message("Q2", "a", at, of));
        let rows = [
            ("one", vec![q1(0, 1)], vec![Ok("<0>")]),
            ("three", vec![q1(0, 3), q1(1, 3), q1(2, 3)], vec![Ok("<0>\n<1>\n<2>")]),
            ("two of two", vec![q1(0, 2), q1(1, 2), q2(0, 1)], vec![Ok("<0>\n<1>"), Ok("<0>")]),
            ("no end", vec![q1(0, 2)], vec![]),
            (
                "another in between",
                vec![q1(0, 2), q2(0, 1)],
                vec![Err("of the mutation of Q1 at revision 7, message 2 of 2")],
            ),
            ("another entity's end", vec![q1(0, 2), q2(1, 2)], vec![Err("of the mutation of Q1")]),
            ("another request's end", vec![q1(0, 2), message("Q1", "b", 1, 2)], vec![Err("of the mutation of Q1")]),
            (
                "one is missing",
                vec![q1(0, 3), q1(2, 3)],
                vec![Err("of the mutation of Q1 at revision 7, message 2 of 3")],
            ),
            ("the last alone", vec![q1(2, 3)], vec![Err("this is message 3 of 3 of Q1")]),
            ("twice", vec![q1(0, 2), q1(0, 2)], vec![Err("of the mutation of Q1")]),
        ];
        for (what, messages, expected) in rows {
            let mut assembler = Assembler::default();
            let all = messages.into_iter().filter_map(|message| assembler.take(message).transpose());
            let all: Vec<_> = all.map(|whole| whole.map(|whole| whole.data.added.into_owned())).collect();
            assert_eq!(all.len(), expected.len(), "{what}: {all:?}");
            for (found, expected) in all.into_iter().zip(expected) {
                match (found, expected) {
                    (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{what}"),
                    (Err(found), Err(expected)) => assert!(found.to_string().starts_with(expected), "{what}: {found}"),
                    (found, expected) => panic!("{what}: {found:?}, not {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn what_was_begun_is_told_and_forgotten_after_an_error() {
        let mut assembler = Assembler::default();
        assembler.take(message("Q1", "a", 0, 3)).unwrap();
        assert_eq!(assembler.begun().unwrap(), "Q1 at revision 7: 1 of 3 messages");
        assert!(assembler.take(message("Q2", "a", 0, 1)).is_err());
        assert!(assembler.begun().is_none());
        assert!(assembler.take(message("Q2", "a", 0, 1)).unwrap().is_some());
    }
}
