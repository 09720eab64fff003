//! What happened to an entity, as the updater is told: the input event.
//!
//! Promise: an [`InputEvent`] holds all that upstream's does, so that a buffered one can be taken over or handed back; an
//! [`Incoming`] is one that was checked.
//! In -> out: JSON by `event::wire`, what is wanted of it by `event::filter`, where it is to be had by `event::streams`.
//! Rules: upstream's `InputEvent.scala` and `EventInfo`.
//! Invariant: pure.
//! Not here: how events are kept in a savepoint, and what becomes of them (see `updater`).

pub mod filter;
pub mod streams;
pub mod wire;

use serde::Serialize;

use crate::wikibase::entity::{EntityId, EntityIdError, Revision, RevisionError};
use crate::wikibase::timestamp::Timestamp;

/// One change of one entity. Times are in milliseconds since 1970, as the producers of events write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputEvent {
    /// The entity's id, such as `Q42`. A text, as whoever wrote the event may have written anything.
    pub item: String,
    /// When it happened.
    pub event_time: i64,
    /// When the updater received it.
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

/// An input event that the updater can work with: its item is an entity, its revision one that state can hold, its times
/// can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    entity: EntityId,
    event: InputEvent,
}

/// Why something is no event. What is told of it goes beside it into the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// No JSON, or a field of another type than the schema's.
    #[error("it is no event: {0}")]
    Json(#[from] serde_json::Error),
    /// Written after a schema that this program does not read.
    #[error("it follows the schema `{0}`, which is not read")]
    Schema(String),
    /// A field that is needed is absent or null.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// What should be an entity is none.
    #[error("`{text}` is no entity: {source}")]
    Entity {
        /// What stands there; shortened.
        text: String,
        /// Why it is none.
        source: EntityIdError,
    },
    /// What should be a revision is none.
    #[error("{number} is no revision: {source}")]
    Revision {
        /// What stands there.
        number: i128,
        /// Why it is none.
        source: RevisionError,
    },
    /// What should be a time is none.
    #[error("`{field}` is no time from the year 0 to 9999 with a zone: `{text}`")]
    Time {
        /// Which field.
        field: &'static str,
        /// What stands there; shortened.
        text: String,
    },
    /// It is to happen more than a day after it was received.
    #[error("it is of the future: {time}")]
    Future {
        /// When it is to happen.
        time: Timestamp,
    },
    /// A reconcile event asks for something unknown.
    #[error("the reconciliation action `{0}` is unknown")]
    Action(String),
}

/// The years 0 to 9999, in milliseconds since 1970: the times that can be written and read again.
const TIMES: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

impl Incoming {
    /// Checks an event. Revision 0 is for a reconciliation that deletes whatever is there; upstream's `MutationResolver`
    /// calls that a forced delete.
    pub fn new(event: InputEvent) -> Result<Self, EventError> {
        let entity = EntityId::parse(event.item.as_bytes())
            .map_err(|source| EventError::Entity { text: shortened(&event.item), source })?;
        let number = u64::try_from(event.revision).unwrap_or(0);
        match Revision::new(number) {
            Err(source) if event.revision != 0 || event.change != FORCED_DELETE => {
                return Err(EventError::Revision { number: event.revision.into(), source });
            }
            _ => {}
        }
        let times =
            [("dt", event.event_time), ("ingestion time", event.ingestion_time), ("meta.dt", event.original.timestamp)];
        if let Some((field, time)) = times.into_iter().find(|(_, time)| !TIMES.contains(time)) {
            return Err(EventError::Time { field, text: time.to_string() });
        }
        Ok(Self { entity, event })
    }

    /// The entity; its text is the event's item.
    pub const fn entity(&self) -> EntityId {
        self.entity
    }

    /// The event.
    pub const fn event(&self) -> &InputEvent {
        &self.event
    }

    /// The event, to take it apart.
    pub fn into_event(self) -> InputEvent {
        self.event
    }

    /// The revision; `None` for a forced delete only.
    pub fn revision(&self) -> Option<Revision> {
        u64::try_from(self.event.revision).ok().and_then(|number| Revision::new(number).ok())
    }

    /// The time that moves the watermark of the event's source, in milliseconds since 1970: its event time; for a
    /// reconcile event the time at which it was sent, as it may stand for an old event.
    pub const fn source_time(&self) -> i64 {
        match self.event.change {
            Change::ReconcileInputEvent { .. } => self.event.original.timestamp,
            _ => self.event.event_time,
        }
    }
}

/// What a forced delete asks for.
const FORCED_DELETE: Change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion };

/// What of a text goes into a message.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
