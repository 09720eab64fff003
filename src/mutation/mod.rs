//! What is to be done to an entity's triples: the answer to an input event.
//!
//! Promise: a [`Mutation`] says what to fetch and what to send, whatever led to it.
//! Rules: upstream's `MutationOperation.scala`.
//! Invariant: pure.
//! Not here: when which is due (see `updater::decide`), the triples (see `diff`), and how mutations are sent (see `wire`).

pub mod wire;

use crate::event::EventInfo;
use crate::wikibase::entity::{EntityId, Revision};

/// One mutation of one entity. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The entity.
    pub entity: EntityId,
    /// The revision it has afterwards; that at which it was deleted, or 0 where nobody knows it.
    pub revision: i64,
    /// What is to be done.
    pub operation: Operation,
    /// When the event happened.
    pub event_time: i64,
    /// When the updater received it.
    pub ingestion_time: i64,
    /// The event that led to it.
    pub original: EventInfo,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Nothing of the entity is there: all of it is sent.
    FullImport,
    /// What differs between two revisions is sent.
    Diff {
        /// The revision that is there.
        from: Revision,
    },
    /// All of it is to go.
    DeleteItem,
    /// Nobody knows what is there: it is replaced.
    Reconcile,
}

impl Operation {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullImport => "import",
            Self::Diff { .. } => "diff",
            Self::DeleteItem => "delete",
            Self::Reconcile => "reconcile",
        }
    }
}
