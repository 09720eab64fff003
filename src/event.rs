//! What happened to an entity, as the updater is told: the input event.
//!
//! Promise: an [`InputEvent`] holds all that upstream's does, so that a buffered one can be taken over or handed back.
//! Rules: upstream's `InputEvent.scala` and `EventInfo`.
//! Not here: how events are written down, by Kafka or in a savepoint.

use serde::Serialize;

/// One change of one entity. Times are in milliseconds since 1970, as the producers of events write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputEvent {
    /// The entity's id, such as `Q42`. A text, as whoever wrote the event may have written anything.
    pub item: String,
    /// When it happened.
    pub event_time: i64,
    /// When it reached the first Kafka.
    pub ingestion_time: i64,
    /// The revision it is about.
    pub revision: i64,
    /// What happened.
    #[serde(flatten)]
    pub change: Change,
    /// The event as it was received.
    pub original: EventInfo,
}

/// What happened to an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Change {
    /// A new revision.
    RevCreate {
        /// The revision before it, if there was one.
        parent_revision: Option<i64>,
    },
    /// The page was deleted.
    PageDelete,
    /// The page was restored.
    PageUndelete,
    /// Someone asks to bring the entity in order again.
    ReconcileInputEvent {
        /// Towards what.
        action: ReconcileAction,
    },
}

/// What a reconciliation is to establish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ReconcileAction {
    /// That the entity is there at the revision.
    ReconcileCreation,
    /// That it is not there.
    ReconcileDeletion,
}

/// Where an event came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventInfo {
    /// `meta.dt`, in milliseconds since 1970.
    pub timestamp: i64,
    /// `meta.id`.
    pub id: Option<String>,
    /// `meta.domain`.
    pub domain: Option<String>,
    /// `meta.stream`.
    pub stream: String,
    /// `meta.request_id`.
    pub request_id: Option<String>,
    /// `$schema`.
    pub schema: String,
}

impl Change {
    /// Its name, as upstream writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RevCreate { .. } => "RevCreate",
            Self::PageDelete => "PageDelete",
            Self::PageUndelete => "PageUndelete",
            Self::ReconcileInputEvent { .. } => "ReconcileInputEvent",
        }
    }
}

impl ReconcileAction {
    /// Its name, as upstream writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReconcileCreation => "ReconcileCreation",
            Self::ReconcileDeletion => "ReconcileDeletion",
        }
    }
}
