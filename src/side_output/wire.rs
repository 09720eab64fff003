//! Side outputs as JSON, in the published schemas.
//!
//! Promise: what was written reads back the same ([`to_json`], [`read`]).
//! In -> out: [`SideOutput`] and who sends it -> JSON bytes; JSON bytes -> [`SideOutput`].
//! Rules: the schemas `rdf_streaming_updater/{lapsed_action, state_inconsistency, fetch_failure}` in their newest versions;
//! upstream's `JsonEncoders`.
//! Invariant: pure: times, ids and names come from the caller.
//! Not here: what becomes of side outputs that were read.

use serde::{Deserialize, Serialize};

use crate::event::{Change, EventError, EventInfo, Incoming, InputEvent, ReconcileAction};
use crate::mutation::{Mutation, Operation};
use crate::side_output::{Failure, FailureKind, Inconsistency, SideOutput};
use crate::state::EntityState;
use crate::wikibase::entity::{EntityId, EntityIdError, Revision, RevisionError};
use crate::wikibase::timestamp::Timestamp;

/// The schema of events that came too late.
pub const LAPSED_ACTION: &str = "/rdf_streaming_updater/lapsed_action/1.1.0";
/// The schema of events that do not fit.
pub const STATE_INCONSISTENCY: &str = "/rdf_streaming_updater/state_inconsistency/1.1.0";
/// The schema of failed fetches.
pub const FETCH_FAILURE: &str = "/rdf_streaming_updater/fetch_failure/1.2.0";

/// Who sends a side output, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender<'a> {
    /// `meta.id`: a new one for each.
    pub id: &'a str,
    /// `meta.domain`.
    pub domain: &'a str,
    /// `meta.stream`: the name of the stream, without the prefix of a topic.
    pub stream: &'a str,
    /// The pipeline that sends it.
    pub emitter_id: Option<&'a str>,
    /// The present, in milliseconds since 1970: `dt` and `meta.dt`.
    pub now: i64,
}

/// Why JSON is no side output.
#[derive(Debug, thiserror::Error)]
pub enum SideOutputError {
    /// No JSON, or not of the form.
    #[error("it is no side output: {0}")]
    Json(#[from] serde_json::Error),
    /// Written after another schema, or after none and without the fields that tell which.
    #[error("it follows no schema of side outputs, but `{0}`")]
    Schema(String),
    /// A field that is needed is absent.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field says something that is unknown.
    #[error("`{field}` is `{text}`, which is unknown")]
    Unknown {
        /// The field.
        field: &'static str,
        /// What it says.
        text: String,
    },
    /// What should be a time is none.
    #[error("`{0}` is no time with a zone")]
    Time(String),
    /// What should be a revision is none.
    #[error("{number} is no revision: {source}")]
    Revision {
        /// What stands there.
        number: i64,
        /// Why it is none.
        source: RevisionError,
    },
    /// The entity of a failed fetch is none.
    #[error("`{text}` is no entity: {source}")]
    Entity {
        /// What stands there.
        text: String,
        /// Why it is none.
        source: EntityIdError,
    },
    /// The event that it tells of is none.
    #[error("the event in it: {0}")]
    Event(#[from] EventError),
}

impl SideOutput {
    /// The schema it is written after.
    pub const fn schema(&self) -> &'static str {
        match self {
            Self::Lapsed(_) => LAPSED_ACTION,
            Self::Inconsistent { .. } => STATE_INCONSISTENCY,
            Self::FetchFailed { .. } => FETCH_FAILURE,
        }
    }
}

/// Writes a side output as one line, without its end.
pub fn to_json(side: &SideOutput, sender: &Sender<'_>) -> Vec<u8> {
    let wire = match side {
        SideOutput::Lapsed(event) => of_event(event.event(), sender),
        SideOutput::Inconsistent { event, inconsistency, state } => Wire {
            inconsistency: Some(inconsistency.name().to_owned()),
            state_revision_id: state.map(|state| state.revision().get() as i64),
            state_status: Some(status(*state).to_owned()),
            ..of_event(event.event(), sender)
        },
        SideOutput::FetchFailed { mutation, failure } => of_failure(mutation, failure, sender),
    };
    let wire = Wire { schema: Some(side.schema().to_owned()), ..wire };
    serde_json::to_vec(&wire).expect("texts and numbers have a JSON form")
}

/// A side output and who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub side: SideOutput,
    /// `meta.domain`: the wiki it is of.
    pub domain: Option<String>,
    /// The pipeline that sent it.
    pub emitter_id: Option<String>,
    /// The data centre that it was sent in; only tables say so, and the names of topics.
    pub data_centre: Option<String>,
}

/// Reads a side output, as an event or as a row of a table of them: such rows have lost their `$schema`, but no two kinds have
/// the same fields.
pub fn read(json: &[u8]) -> Result<SideOutput, SideOutputError> {
    receive(json).map(|received| received.side)
}

/// As [`read`], with who sent it.
pub fn receive(json: &[u8]) -> Result<Received, SideOutputError> {
    let wire: Wire = serde_json::from_slice(json)?;
    let (domain, emitter_id) = (wire.meta.domain.clone(), wire.emitter_id.clone());
    let data_centre = wire.datacenter.clone();
    Ok(Received { side: side(wire)?, domain, emitter_id, data_centre })
}

fn side(wire: Wire) -> Result<SideOutput, SideOutputError> {
    match wire.kind()? {
        Kind::Lapsed => Ok(SideOutput::Lapsed(wire.event()?)),
        Kind::Inconsistent => Ok(SideOutput::Inconsistent {
            inconsistency: known("inconsistency", wire.inconsistency.as_deref(), &Inconsistency::ALL, |one| {
                one.name()
            })?,
            state: wire.state()?,
            event: wire.event()?,
        }),
        Kind::FetchFailed => wire.fetch_failed(),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Lapsed,
    Inconsistent,
    FetchFailed,
}

/// The fields of all three schemas.
#[derive(Default, Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    meta: Meta,
    #[serde(skip_serializing_if = "Option::is_none")]
    dt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emitter_id: Option<String>,
    /// In tables only.
    #[serde(skip_serializing)]
    datacenter: Option<String>,
    item: String,
    original_ingestion_dt: String,
    revision_id: i64,
    original_event_info: Original,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_revision_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inconsistency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_revision_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_revision_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception_msg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch_error_type: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    stream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Original {
    #[serde(rename = "$schema", default)]
    schema: String,
    /// When the event happened; by default when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    dt: Option<String>,
    meta: Meta,
}

fn of_event(event: &InputEvent, sender: &Sender<'_>) -> Wire {
    let parent_revision_id = match event.change {
        Change::RevCreate { parent_revision } => parent_revision,
        _ => None,
    };
    let wire = common(&event.item, event.revision, (event.event_time, event.ingestion_time), &event.original, sender);
    Wire { action_type: Some(action(&event.change).to_owned()), parent_revision_id, ..wire }
}

fn of_failure(mutation: &Mutation, failure: &Failure, sender: &Sender<'_>) -> Wire {
    let Mutation { entity, revision, operation, event_time, ingestion_time, original } = mutation;
    let from_revision_id = match operation {
        Operation::Diff { from } => Some(from.get() as i64),
        _ => None,
    };
    Wire {
        op_type: Some(operation.name().to_owned()),
        from_revision_id,
        exception_type: Some(failure.exception.clone()),
        exception_msg: Some(failure.message.clone()),
        fetch_error_type: Some(failure.kind.name().to_owned()),
        ..common(&entity.to_string(), *revision, (*event_time, *ingestion_time), original, sender)
    }
}

/// What all three schemas have in common.
fn common(item: &str, revision: i64, times: (i64, i64), original: &EventInfo, sender: &Sender<'_>) -> Wire {
    let (event_time, ingestion_time) = times;
    let now = written(sender.now);
    Wire {
        meta: Meta {
            id: Some(sender.id.to_owned()),
            dt: Some(now.clone()),
            domain: Some(sender.domain.to_owned()),
            stream: sender.stream.to_owned(),
            request_id: None,
        },
        dt: Some(now),
        emitter_id: sender.emitter_id.map(str::to_owned),
        item: item.to_owned(),
        original_ingestion_dt: written(ingestion_time),
        revision_id: revision,
        original_event_info: Original {
            schema: original.schema.clone(),
            dt: Some(written(event_time)),
            meta: Meta {
                id: original.id.clone(),
                dt: Some(written(original.timestamp)),
                domain: original.domain.clone(),
                stream: original.stream.clone(),
                request_id: original.request_id.clone(),
            },
        },
        ..Wire::default()
    }
}

impl Wire {
    fn kind(&self) -> Result<Kind, SideOutputError> {
        let Some(schema) = &self.schema else {
            return match (&self.op_type, &self.inconsistency, &self.action_type) {
                (Some(_), ..) => Ok(Kind::FetchFailed),
                (_, Some(_), _) => Ok(Kind::Inconsistent),
                (.., Some(_)) => Ok(Kind::Lapsed),
                _ => Err(SideOutputError::Schema(String::new())),
            };
        };
        let title = schema.rsplit_once('/').map_or("", |(title, _)| title);
        match title.trim_start_matches('/') {
            "rdf_streaming_updater/lapsed_action" => Ok(Kind::Lapsed),
            "rdf_streaming_updater/state_inconsistency" => Ok(Kind::Inconsistent),
            "rdf_streaming_updater/fetch_failure" => Ok(Kind::FetchFailed),
            _ => Err(SideOutputError::Schema(schema.clone())),
        }
    }

    fn event(self) -> Result<Incoming, SideOutputError> {
        let change = change(self.action_type.as_deref(), self.parent_revision_id)?;
        let (event_time, original) = self.original_event_info.info()?;
        let ingestion_time = millis(&self.original_ingestion_dt)?;
        let event =
            InputEvent { item: self.item, event_time, ingestion_time, revision: self.revision_id, change, original };
        Ok(Incoming::new(event)?)
    }

    fn state(&self) -> Result<Option<EntityState>, SideOutputError> {
        let status: fn(Revision) -> EntityState = match self.state_status.as_deref() {
            Some("UNDEFINED") => return Ok(None),
            Some("CREATED") => EntityState::Created,
            Some("DELETED") => EntityState::Deleted,
            Some(other) => return Err(SideOutputError::Unknown { field: "state_status", text: other.to_owned() }),
            None => return Err(SideOutputError::Missing("state_status")),
        };
        let number = self.state_revision_id.ok_or(SideOutputError::Missing("state_revision_id"))?;
        Ok(Some(status(revision(number)?)))
    }

    fn fetch_failed(self) -> Result<SideOutput, SideOutputError> {
        let operation = match self.op_type.as_deref() {
            Some("import") => Operation::FullImport,
            Some("delete") => Operation::DeleteItem,
            Some("reconcile") => Operation::Reconcile,
            Some("diff") => {
                let from = self.from_revision_id.ok_or(SideOutputError::Missing("from_revision_id"))?;
                Operation::Diff { from: revision(from)? }
            }
            Some(other) => return Err(SideOutputError::Unknown { field: "op_type", text: other.to_owned() }),
            None => return Err(SideOutputError::Missing("op_type")),
        };
        let kind = known("fetch_error_type", self.fetch_error_type.as_deref(), &FailureKind::ALL, |one| one.name())?;
        let failure = Failure {
            kind,
            exception: self.exception_type.ok_or(SideOutputError::Missing("exception_type"))?,
            message: self.exception_msg.ok_or(SideOutputError::Missing("exception_msg"))?,
        };
        let entity = EntityId::parse(self.item.as_bytes())
            .map_err(|source| SideOutputError::Entity { text: self.item.clone(), source })?;
        let (event_time, original) = self.original_event_info.info()?;
        let ingestion_time = millis(&self.original_ingestion_dt)?;
        let mutation = Mutation { entity, revision: self.revision_id, operation, event_time, ingestion_time, original };
        Ok(SideOutput::FetchFailed { mutation, failure })
    }
}

impl Original {
    /// When the event happened, and where it came from.
    fn info(self) -> Result<(i64, EventInfo), SideOutputError> {
        let sent = self.meta.dt.as_deref().ok_or(SideOutputError::Missing("original_event_info.meta.dt"))?;
        let timestamp = millis(sent)?;
        let event_time = self.dt.as_deref().map_or(Ok(timestamp), millis)?;
        let Meta { id, domain, stream, request_id, .. } = self.meta;
        Ok((event_time, EventInfo { timestamp, id, domain, stream, request_id, schema: self.schema }))
    }
}

const fn action(change: &Change) -> &'static str {
    match change {
        Change::RevCreate { .. } => "revision-create",
        Change::PageDelete => "page-delete",
        Change::PageUndelete => "page-undelete",
        Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation } => "reconcile-creation",
        Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion } => "reconcile-deletion",
    }
}

fn change(action: Option<&str>, parent_revision: Option<i64>) -> Result<Change, SideOutputError> {
    match action.ok_or(SideOutputError::Missing("action_type"))? {
        "revision-create" => Ok(Change::RevCreate { parent_revision }),
        "page-delete" => Ok(Change::PageDelete),
        "page-undelete" => Ok(Change::PageUndelete),
        "reconcile-creation" => Ok(Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation }),
        "reconcile-deletion" => Ok(Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion }),
        other => Err(SideOutputError::Unknown { field: "action_type", text: other.to_owned() }),
    }
}

const fn status(state: Option<EntityState>) -> &'static str {
    match state {
        None => "UNDEFINED",
        Some(EntityState::Created(_)) => "CREATED",
        Some(EntityState::Deleted(_)) => "DELETED",
    }
}

/// The one of `all` with this name.
fn known<T: Copy>(
    field: &'static str,
    text: Option<&str>,
    all: &[T],
    name: impl Fn(&T) -> &'static str,
) -> Result<T, SideOutputError> {
    let text = text.ok_or(SideOutputError::Missing(field))?;
    let found = all.iter().find(|one| name(one) == text).copied();
    found.ok_or_else(|| SideOutputError::Unknown { field, text: text.to_owned() })
}

fn revision(number: i64) -> Result<Revision, SideOutputError> {
    let unsigned = u64::try_from(number).unwrap_or(0);
    Revision::new(unsigned).map_err(|source| SideOutputError::Revision { number, source })
}

fn millis(text: &str) -> Result<i64, SideOutputError> {
    Timestamp::parse(text).map(Timestamp::millis).map_err(|_| SideOutputError::Time(text.to_owned()))
}

/// A time as it is written; 1970 where it cannot be, which no event's is (see [`Incoming::new`]).
fn written(millis: i64) -> String {
    Timestamp::from_millis(millis).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests;
