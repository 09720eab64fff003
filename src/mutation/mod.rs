//! What is to be done to the graph of a query service: the mutation operation.
//!
//! Promise: a [`Mutation`] holds all that its messages and side outputs tell of the event behind it.
//! Rules: upstream's `MutationOperation.scala`.
//! Not here: the triples (see `diff`); how mutations are sent (see `mutation::wire`).

pub mod wire;

use crate::event::EventInfo;
use crate::wikibase::entity::{EntityId, Revision};

/// One operation on one entity. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The entity.
    pub entity: EntityId,
    /// The revision that it brings the entity to, or at which the entity is deleted.
    pub revision: i64,
    /// What is to be done.
    pub operation: Operation,
    /// When the change happened.
    pub event_time: i64,
    /// When the event reached the first Kafka.
    pub ingestion_time: i64,
    /// The event as it was received.
    pub original: EventInfo,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Add all triples of an entity that is not there.
    FullImport,
    /// Go from one revision to another.
    Diff {
        /// The revision that is there.
        from: Revision,
    },
    /// Delete all triples of an entity.
    DeleteItem,
    /// Bring an entity in order, whatever is there.
    Reconcile,
}

impl Operation {
    /// Its name, as messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullImport => "import",
            Self::Diff { .. } => "diff",
            Self::DeleteItem => "delete",
            Self::Reconcile => "reconcile",
        }
    }
}
