//! Events as JSON: what Kafka or a stream over HTTP hands over, read and written.
//!
//! Promise: [`read`] gives an event, the reason why it does not concern this updater, or the cause why it is none.
//! In -> out: JSON bytes -> [`Read`]; [`Incoming`] -> JSON bytes ([`to_json`]).
//! Rules: the published schemas; upstream's `IncomingEventStreams` for `page_change` and reconcile events, `IncomingStreams` for
//! those before them. A suppressed page is a `page/delete` in a stream of its own.
//! Invariant: `$schema` alone tells what is read, never the topic. No bytes make it panic. What was written reads the same.
//! Not here: which events are wanted (see `event::filter`) and where they come from (see `event::streams`).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::event::filter::{Filter, Reason, Slots, entity, mediainfo, titled};
use crate::event::{Change, EventError, EventInfo, Incoming, InputEvent, ReconcileAction, shortened};
use crate::wikibase::entity::{EntityId, EntityKind, RevisionError};
use crate::wikibase::timestamp::Timestamp;

/// The schema that changes of pages are written in.
pub const PAGE_CHANGE_SCHEMA: &str = "/mediawiki/page/change/1.3.0";
/// The schema that reconcile events are written in.
pub const RECONCILE_SCHEMA: &str = "/rdf_streaming_updater/reconcile/1.0.0";

/// What bytes turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// An event for this updater.
    Event(Incoming),
    /// An event that does not concern it.
    Ignored(Ignored),
}

/// An event that does not concern this updater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Why.
    pub reason: Reason,
    /// The time that moves the watermark of its source, in milliseconds since 1970, if it can be read: that nothing
    /// happened to entities is news too. As upstream, whose watermarks come before its filters.
    pub source_time: Option<i64>,
}

/// Reads an event. `received` is when the updater received it, in milliseconds since 1970.
pub fn read(json: &[u8], filter: &Filter, received: i64) -> Result<Read, EventError> {
    let head: Head<'_> = serde_json::from_slice(json)?;
    let meta = head.meta.as_ref().ok_or(EventError::Missing("meta"))?;
    let uri = text(&head.schema).or(text(&meta.schema_uri));
    match judge(json, uri, meta, filter) {
        Ok(subject) => head.event(meta, subject, received).map(Read::Event),
        Err(Refusal::Error(error)) => Err(error),
        Err(Refusal::Ignored(reason)) => {
            let source_time = match uri.and_then(Schema::of) {
                Some(Schema::PageChange) => time("dt", text(&head.dt)),
                _ => time("meta.dt", text(&meta.dt)),
            };
            Ok(Read::Ignored(Ignored { reason, source_time: source_time.ok() }))
        }
    }
}

/// What an event is about, unless its head says that it does not matter: most events of a stream are other wikis', and what
/// those are written after is their business.
fn judge<'a>(json: &[u8], uri: Option<&'a str>, meta: &Meta<'_>, filter: &Filter) -> Result<Subject<'a>, Refusal> {
    filter.domain(text(&meta.domain))?;
    let uri = needed("$schema", uri)?;
    let schema = Schema::of(uri).ok_or_else(|| EventError::Schema(shortened(uri)))?;
    let about = match schema {
        Schema::PageChange => serde_json::from_slice::<PageChange<'_>>(json)?.about(filter)?,
        Schema::Reconcile => serde_json::from_slice::<Reconcile<'_>>(json)?.about(meta, filter)?,
        Schema::RevisionCreate | Schema::PageDelete | Schema::PageUndelete => {
            serde_json::from_slice::<Legacy<'_>>(json)?.about(schema, filter)?
        }
    };
    Ok(Subject { uri, schema, about })
}

/// What an event is written after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schema {
    PageChange,
    RevisionCreate,
    PageDelete,
    PageUndelete,
    Reconcile,
}

impl Schema {
    /// By title and major version: `/mediawiki/page/change/1.2.0`.
    fn of(uri: &str) -> Option<Self> {
        let (title, version) = uri.strip_prefix('/').unwrap_or(uri).rsplit_once('/')?;
        match (title, version.split('.').next()?) {
            ("mediawiki/page/change", "1") => Some(Self::PageChange),
            ("mediawiki/revision/create", "1" | "2") => Some(Self::RevisionCreate),
            ("mediawiki/page/delete", "1" | "2") => Some(Self::PageDelete),
            ("mediawiki/page/undelete", "1" | "2") => Some(Self::PageUndelete),
            ("rdf_streaming_updater/reconcile", "1") => Some(Self::Reconcile),
            _ => None,
        }
    }
}

/// An event but for its head.
struct Subject<'a> {
    uri: &'a str,
    schema: Schema,
    about: About,
}

/// What an event is about, and what happened.
struct About {
    entity: EntityId,
    revision: i64,
    change: Change,
}

/// Why there is no [`Subject`].
enum Refusal {
    Ignored(Reason),
    Error(EventError),
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Ignored(reason)
    }
}

impl<E: Into<EventError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A text, borrowed from the JSON unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What all events have.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "$schema", borrow)]
    schema: Option<Text<'a>>,
    #[serde(borrow)]
    meta: Option<Meta<'a>>,
    #[serde(borrow)]
    dt: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    dt: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    stream: Option<Text<'a>>,
    #[serde(borrow)]
    request_id: Option<Text<'a>>,
    /// What `$schema` was called before 2020.
    #[serde(borrow)]
    schema_uri: Option<Text<'a>>,
    /// What `stream` was called before 2020.
    #[serde(borrow)]
    topic: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct PageChange<'a> {
    #[serde(borrow)]
    page_change_kind: Option<Text<'a>>,
    #[serde(borrow)]
    page: Option<Page<'a>>,
    #[serde(borrow)]
    revision: Option<PageRevision<'a>>,
}

#[derive(Deserialize)]
struct Page<'a> {
    page_id: Option<i128>,
    #[serde(borrow)]
    page_title: Option<Text<'a>>,
    namespace_id: Option<i64>,
}

#[derive(Deserialize)]
struct PageRevision<'a> {
    rev_id: Option<i128>,
    rev_parent_id: Option<i128>,
    #[serde(borrow)]
    content_slots: Option<WireSlots<'a>>,
}

#[derive(Deserialize)]
struct WireSlots<'a> {
    #[serde(borrow)]
    main: Option<Slot<'a>>,
    #[serde(borrow)]
    mediainfo: Option<Slot<'a>>,
}

#[derive(Deserialize)]
struct Slot<'a> {
    #[serde(borrow)]
    content_model: Option<Text<'a>>,
}

/// The events before `page_change`.
#[derive(Deserialize)]
struct Legacy<'a> {
    page_id: Option<i128>,
    #[serde(borrow)]
    page_title: Option<Text<'a>>,
    page_namespace: Option<i64>,
    rev_id: Option<i128>,
    rev_parent_id: Option<i128>,
    #[serde(borrow)]
    rev_slots: Option<WireSlots<'a>>,
}

#[derive(Deserialize)]
struct Reconcile<'a> {
    #[serde(borrow)]
    item: Option<Text<'a>>,
    revision_id: Option<i128>,
    #[serde(borrow)]
    reconciliation_source: Option<Text<'a>>,
    #[serde(borrow)]
    reconciliation_action: Option<Text<'a>>,
}

impl Head<'_> {
    fn event(&self, meta: &Meta<'_>, subject: Subject<'_>, received: i64) -> Result<Incoming, EventError> {
        let timestamp = time("meta.dt", text(&meta.dt))?;
        let event_time = match (subject.schema, text(&self.dt)) {
            (Schema::PageChange, dt) => time("dt", dt)?,
            // Not all who send reconcile events give one.
            (Schema::Reconcile, Some(dt)) => time("dt", Some(dt))?,
            _ => timestamp,
        };
        let owned = |field: &Option<Text<'_>>| text(field).map(str::to_owned);
        let original = EventInfo {
            timestamp,
            id: owned(&meta.id),
            domain: owned(&meta.domain),
            stream: meta.stream()?.to_owned(),
            request_id: owned(&meta.request_id),
            schema: subject.uri.to_owned(),
        };
        let About { entity, revision, change } = subject.about;
        let item = entity.to_string();
        Incoming::new(InputEvent { item, event_time, ingestion_time: received, revision, change, original })
    }
}

impl Meta<'_> {
    fn stream(&self) -> Result<&str, EventError> {
        text(&self.stream).or(text(&self.topic)).ok_or(EventError::Missing("meta.stream"))
    }
}

impl PageChange<'_> {
    fn about(&self, filter: &Filter) -> Result<About, Refusal> {
        let kind = needed("page_change_kind", text(&self.page_change_kind))?;
        match kind {
            "create" | "edit" | "move" | "delete" | "undelete" => {}
            "visibility_change" => return Err(Reason::VisibilityChange.into()),
            _ => return Err(Reason::UnknownKind.into()),
        }
        let page = needed("page", self.page.as_ref())?;
        filter.namespace(needed("page.namespace_id", page.namespace_id)?)?;
        let revision = needed("revision", self.revision.as_ref())?;
        filter.content(revision.content_slots.as_ref().map(WireSlots::slots), kind == "delete")?;
        let change = match kind {
            "delete" => Change::PageDelete,
            "undelete" => Change::PageUndelete,
            _ => Change::RevCreate { parent_revision: revision.rev_parent_id.map(number).transpose()? },
        };
        Ok(About {
            entity: page_entity(filter, ("page.page_id", page.page_id), ("page.page_title", &page.page_title))?,
            revision: number(needed("revision.rev_id", revision.rev_id)?)?,
            change,
        })
    }
}

impl Legacy<'_> {
    fn about(&self, schema: Schema, filter: &Filter) -> Result<About, Refusal> {
        filter.namespace(needed("page_namespace", self.page_namespace)?)?;
        let change = match schema {
            Schema::PageDelete => Change::PageDelete,
            Schema::PageUndelete => Change::PageUndelete,
            _ => {
                filter.revision_slots(self.rev_slots.as_ref().map(WireSlots::slots))?;
                Change::RevCreate { parent_revision: self.rev_parent_id.map(number).transpose()? }
            }
        };
        Ok(About {
            entity: page_entity(filter, ("page_id", self.page_id), ("page_title", &self.page_title))?,
            revision: number(needed("rev_id", self.rev_id)?)?,
            change,
        })
    }
}

impl Reconcile<'_> {
    fn about(&self, meta: &Meta<'_>, filter: &Filter) -> Result<About, Refusal> {
        let source = needed("reconciliation_source", text(&self.reconciliation_source))?;
        filter.reconciliation(meta.stream()?, source)?;
        let action = match needed("reconciliation_action", text(&self.reconciliation_action))? {
            "CREATION" => ReconcileAction::ReconcileCreation,
            "DELETION" => ReconcileAction::ReconcileDeletion,
            other => return Err(EventError::Action(shortened(other)).into()),
        };
        Ok(About {
            entity: entity(needed("item", text(&self.item))?)?,
            revision: number(needed("revision_id", self.revision_id)?)?,
            change: Change::ReconcileInputEvent { action },
        })
    }
}

impl WireSlots<'_> {
    fn slots(&self) -> Slots<'_> {
        let main = self.main.as_ref().map(|slot| text(&slot.content_model).unwrap_or_default());
        Slots { main, mediainfo: self.mediainfo.is_some() }
    }
}

/// The entity of a page, by its id or by its title; what is not needed may be absent.
fn page_entity(
    filter: &Filter,
    (id_field, id): (&'static str, Option<i128>),
    (title_field, title): (&'static str, &Option<Text<'_>>),
) -> Result<EntityId, EventError> {
    if filter.mediainfo { mediainfo(needed(id_field, id)?) } else { titled(needed(title_field, text(title))?) }
}

fn text<'a>(field: &'a Option<Text<'_>>) -> Option<&'a str> {
    field.as_ref().map(|text| &*text.0)
}

fn needed<T>(field: &'static str, value: Option<T>) -> Result<T, EventError> {
    value.ok_or(EventError::Missing(field))
}

/// A revision as far as it is a number that fits; [`Incoming::new`] judges the rest.
fn number(number: i128) -> Result<i64, EventError> {
    i64::try_from(number).map_err(|_| {
        let source = if number < 0 { RevisionError::NotPositive } else { RevisionError::TooLarge };
        EventError::Revision { number, source }
    })
}

fn time(field: &'static str, value: Option<&str>) -> Result<i64, EventError> {
    let text = value.ok_or(EventError::Missing(field))?;
    let moment = Timestamp::parse(text).map_err(|_| EventError::Time { field, text: shortened(text) })?;
    Ok(moment.millis())
}

/// Writes an event: a change of a page in the form of `page_change`, a reconciliation as a reconcile event from `source`,
/// with the event that was the `cause` of it.
///
/// The schema is the event's own if it is of that title, else the newest; the page's id, which events do not keep, is the
/// entity's number.
pub fn to_json(incoming: &Incoming, source: &str, cause: Option<&EventInfo>) -> Vec<u8> {
    let event = incoming.event();
    let own = &event.original.schema;
    let schema = |wanted: Schema, newest| if Schema::of(own) == Some(wanted) { own.as_str() } else { newest };
    let mut value = match &event.change {
        Change::ReconcileInputEvent { action } => json!({
            "$schema": schema(Schema::Reconcile, RECONCILE_SCHEMA),
            "item": event.item,
            "revision_id": event.revision,
            "reconciliation_source": source,
            "reconciliation_action": match action {
                ReconcileAction::ReconcileCreation => "CREATION",
                ReconcileAction::ReconcileDeletion => "DELETION",
            },
            "original_event_info": cause.map(|cause| json!({ "$schema": cause.schema, "meta": meta(cause) })),
        }),
        change => {
            let mut value = page_change(incoming, change);
            value["$schema"] = schema(Schema::PageChange, PAGE_CHANGE_SCHEMA).into();
            value
        }
    };
    value["meta"] = meta(&event.original);
    value["dt"] = moment(event.event_time).into();
    without_nulls(&mut value);
    serde_json::to_vec(&value).expect("texts and numbers have a JSON form")
}

fn page_change(incoming: &Incoming, change: &Change) -> Value {
    let event = incoming.event();
    let (namespace, name, model) = match incoming.entity().kind() {
        EntityKind::Item => (0, "", "wikibase-item"),
        EntityKind::Property => (120, "Property:", "wikibase-property"),
        EntityKind::Lexeme => (146, "Lexeme:", "wikibase-lexeme"),
        EntityKind::MediaInfo => (6, "File:", "wikibase-mediainfo"),
    };
    let (kind, changelog, parent) = match change {
        Change::RevCreate { parent_revision: None } => ("create", "insert", None),
        Change::RevCreate { parent_revision } => ("edit", "update", *parent_revision),
        Change::PageDelete => ("delete", "delete", None),
        Change::PageUndelete | Change::ReconcileInputEvent { .. } => ("undelete", "insert", None),
    };
    let slot = |role: &str, model: &str| json!({ "slot_role": role, "content_model": model });
    let slots = match incoming.entity().kind() {
        EntityKind::MediaInfo => json!({ "main": slot("main", "wikitext"), "mediainfo": slot("mediainfo", model) }),
        _ => json!({ "main": slot("main", model) }),
    };
    json!({
        "changelog_kind": changelog,
        "page_change_kind": kind,
        "page": {
            "page_id": incoming.entity().number(),
            "page_title": format!("{name}{}", event.item),
            "namespace_id": namespace,
        },
        "revision": { "rev_id": event.revision, "rev_parent_id": parent, "content_slots": slots },
    })
}

fn meta(info: &EventInfo) -> Value {
    json!({
        "id": info.id,
        "dt": moment(info.timestamp),
        "domain": info.domain,
        "stream": info.stream,
        "request_id": info.request_id,
    })
}

/// A time as it is written; `None` where it cannot be.
fn moment(millis: i64) -> Option<String> {
    Timestamp::from_millis(millis).map(|moment| moment.to_string())
}

/// Absent fields are left out, as the schemas want it.
fn without_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_nulls);
    }
}

#[cfg(test)]
mod tests;
