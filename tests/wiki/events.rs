//! What MediaWiki tells of changes: events as JSON.
//!
//! Promise: `mediawiki.page_change.v1` after the schema `mediawiki/page/change` 1.3.0, and the streams before it, with all that
//! MediaWiki writes, of use or not.
//! Invariant: a change has one event in each form; its id depends on the change alone.

use headwater::event::streams::{LEGACY, PAGE_CHANGE};
use headwater::wikibase::entity::{EntityId, EntityKind};
use headwater::wikibase::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::wiki::history::{Change, History, Kind, Page, PageRevision};
use crate::wiki::random::{hash, uuid};
use crate::wiki::turtle::Flavour;

/// What events look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// All changes in one stream.
    #[default]
    PageChange,
    /// A stream for each kind of change; that of an event is when it happened.
    Legacy,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its stream.
    pub stream: &'static str,
    /// Its JSON.
    pub json: Value,
}

impl Form {
    /// The streams with events of this form.
    pub const fn streams(self) -> &'static [&'static str] {
        match self {
            Self::PageChange => &[PAGE_CHANGE],
            Self::Legacy => &LEGACY,
        }
    }
}

impl Event {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.json).expect("texts and numbers have a JSON form")
    }
}

impl History {
    /// The event of the change with that number, received (`meta.dt`) so many milliseconds after it happened.
    pub fn event(&self, number: usize, form: Form, delay: i64) -> Event {
        let change = self.changes[number];
        let page = self.page(change.entity).expect("it has a page");
        let revision = page.revision(change.revision).expect("it has the revision");
        let told = Told { flavour: self.shape.flavour, number, change, page, revision };
        match form {
            Form::PageChange => told.page_change(delay),
            Form::Legacy => told.legacy(),
        }
    }

    /// The events of all changes, in order.
    pub fn events(&self, form: Form) -> impl Iterator<Item = Event> {
        (0..self.changes.len()).map(move |number| self.event(number, form, 0))
    }
}

/// A change, with all that is told of it.
struct Told<'h> {
    flavour: Flavour,
    number: usize,
    change: Change,
    page: &'h Page,
    revision: &'h PageRevision,
}

/// A time, written.
pub fn time(millis: i64) -> String {
    Timestamp::from_millis(millis).expect("it is in this age").to_string()
}

fn seconds(millis: i64) -> String {
    time(millis - millis.rem_euclid(1000))
}

fn namespace(entity: EntityId) -> u32 {
    match entity.kind() {
        EntityKind::Item => 0,
        EntityKind::Property => 120,
        EntityKind::Lexeme => 146,
        EntityKind::MediaInfo => 6,
    }
}

fn model(entity: EntityId) -> &'static str {
    match entity.kind() {
        EntityKind::Item => "wikibase-item",
        EntityKind::Property => "wikibase-property",
        EntityKind::Lexeme => "wikibase-lexeme",
        EntityKind::MediaInfo => "wikibase-mediainfo",
    }
}

fn title(entity: EntityId, moves: u32) -> String {
    match entity.kind() {
        EntityKind::Item => entity.to_string(),
        EntityKind::Property => format!("Property:{entity}"),
        EntityKind::Lexeme => format!("Lexeme:{entity}"),
        EntityKind::MediaInfo => format!("File:Spring_{}_({moves}).jpg", entity.number()),
    }
}

fn user(is_bot: bool) -> Value {
    let name = if is_bot { "Wellbot" } else { "Springkeeper" };
    json!({
        "user_text": name,
        "groups": if is_bot { json!(["bot", "*", "user"]) } else { json!(["*", "user", "autoconfirmed"]) },
        "is_bot": is_bot, "is_system": false, "is_temp": false, "user_id": 7, "edit_count": 1200,
        "registration_dt": "2014-07-19T04:25:25Z",
    })
}

/// A hash as MediaWiki writes it, in base 36 there.
fn sha1(number: u64) -> String {
    format!("{:031x}", hash(number, 0x5a))
}

/// A revision in a `page_change`.
fn told_revision(entity: EntityId, revision: &PageRevision) -> Value {
    let size = 300 + revision.number % 7000;
    let slot = |role: &str, model: &str, format: &str, origin: u64| {
        json!({
            "slot_role": role, "content_model": model, "content_sha1": sha1(origin), "content_size": size,
            "content_format": format, "origin_rev_id": origin,
        })
    };
    let own = slot("main", model(entity), "application/json", revision.origin);
    let slots = match entity.kind() {
        EntityKind::MediaInfo => json!({
            "main": slot("main", "wikitext", "text/x-wiki", revision.number),
            "mediainfo": slot("mediainfo", model(entity), "application/json", revision.origin),
        }),
        _ => json!({ "main": own }),
    };
    let mut told = json!({
        "rev_id": revision.number, "rev_dt": seconds(revision.time), "is_minor_edit": revision.number.is_multiple_of(3),
        "rev_sha1": sha1(revision.origin), "rev_size": size, "comment": "/* wbsetclaim-update:2||1 */ [[Property:P31]]",
        "editor": user(revision.number.is_multiple_of(2)), "is_content_visible": true, "is_editor_visible": true,
        "is_comment_visible": true, "content_slots": slots,
    });
    if let Some(parent) = revision.parent {
        told["rev_parent_id"] = parent.into();
    }
    told
}

impl Told<'_> {
    fn meta(&self, stream: &str, dt: i64) -> Value {
        json!({
            "stream": stream,
            "uri": format!("https://{}/wiki/{}", self.flavour.host(), self.title()),
            "id": uuid(hash(self.number as u64, 0x1d)),
            "request_id": uuid(self.change.request),
            "domain": self.flavour.host(),
            "dt": time(dt),
        })
    }

    fn title(&self) -> String {
        title(self.change.entity, self.revision.moves)
    }

    fn database(&self) -> &'static str {
        match self.flavour {
            Flavour::Wikidata => "wikidatawiki",
            Flavour::Commons => "commonswiki",
        }
    }

    fn parent(&self) -> Option<&PageRevision> {
        self.revision.parent.and_then(|parent| self.page.revision(parent))
    }

    fn page_change(&self, delay: i64) -> Event {
        let Change { entity, kind, time: happened, .. } = self.change;
        let (changelog, name) = match kind {
            Kind::Create => ("insert", "create"),
            Kind::Edit => ("update", "edit"),
            Kind::Move => ("update", "move"),
            Kind::Delete { .. } => ("delete", "delete"),
            Kind::Undelete => ("insert", "undelete"),
        };
        let mut json = json!({
            "$schema": "/mediawiki/page/change/1.3.0",
            "meta": self.meta(PAGE_CHANGE, happened + delay),
            "changelog_kind": changelog, "page_change_kind": name, "dt": time(happened), "wiki_id": self.database(),
            "page": {
                "page_id": self.page.id, "page_title": self.title(), "namespace_id": namespace(entity),
                "is_redirect": self.revision.content.redirect().is_some(),
            },
            "performer": user(self.revision.number.is_multiple_of(2)),
            "revision": told_revision(entity, self.revision),
        });
        if let Some(target) = self.revision.content.redirect() {
            json["page"]["redirect_page_link"] =
                json!({ "page_title": title(target, 0), "namespace_id": namespace(target), "is_redirect": false });
        }
        match kind {
            Kind::Create => {}
            Kind::Edit | Kind::Move => {
                if let Some(parent) = self.parent() {
                    json["prior_state"] = json!({ "revision": told_revision(entity, parent) });
                }
                if kind == Kind::Move {
                    self.tell_move(&mut json);
                }
            }
            Kind::Delete { is_suppressed } => {
                json["comment"] = "content was: \"a spring\"".into();
                json["page"]["revision_count"] = self.page.revisions.len().into();
                if is_suppressed {
                    suppress(&mut json);
                }
            }
            Kind::Undelete => json["comment"] = "".into(),
        }
        Event { stream: PAGE_CHANGE, json }
    }

    fn tell_move(&self, json: &mut Value) {
        json["comment"] = "".into();
        if self.change.entity.kind() == EntityKind::MediaInfo {
            let before = title(self.change.entity, self.revision.moves - 1);
            json["prior_state"]["page"] = json!({ "page_title": before, "namespace_id": 6 });
            json["created_redirect_page"] =
                json!({ "page_id": self.page.id + 1, "page_title": before, "namespace_id": 6, "is_redirect": true });
        }
    }

    fn legacy(&self) -> Event {
        let Change { entity, kind, time: happened, .. } = self.change;
        let [created, deleted, undeleted, suppressed] = LEGACY;
        let (stream, schema) = match kind {
            Kind::Delete { is_suppressed: false } => (deleted, "/mediawiki/page/delete/1.0.0"),
            Kind::Delete { is_suppressed: true } => (suppressed, "/mediawiki/page/delete/1.0.0"),
            Kind::Undelete => (undeleted, "/mediawiki/page/undelete/1.0.0"),
            Kind::Create | Kind::Edit | Kind::Move => (created, "/mediawiki/revision/create/2.0.0"),
        };
        let mut json = json!({
            "$schema": schema, "meta": self.meta(stream, happened), "database": self.database(),
            "page_id": self.page.id, "page_title": self.title(), "page_namespace": namespace(entity),
            "page_is_redirect": self.revision.content.redirect().is_some(), "rev_id": self.revision.number,
            "performer": { "user_text": "Springkeeper", "user_groups": ["*", "user"], "user_is_bot": false, "user_id": 7 },
        });
        if stream == created {
            self.tell_revision(&mut json);
        }
        Event { stream, json }
    }

    /// What a `revision-create` tells more than the others.
    fn tell_revision(&self, json: &mut Value) {
        let entity = self.change.entity;
        let slot = |model: &str, origin: u64| {
            json!({
                "rev_slot_content_model": model, "rev_slot_sha1": sha1(origin), "rev_slot_size": 300,
                "rev_slot_origin_rev_id": origin,
            })
        };
        json["dt"] = time(self.change.time).into();
        json["rev_timestamp"] = seconds(self.revision.time).into();
        json["rev_sha1"] = sha1(self.revision.origin).into();
        json["rev_len"] = 300.into();
        json["rev_minor_edit"] = false.into();
        json["rev_content_changed"] = (self.revision.origin == self.revision.number).into();
        if let Some(parent) = self.revision.parent {
            json["rev_parent_id"] = parent.into();
        }
        json["rev_slots"] = match entity.kind() {
            EntityKind::MediaInfo => json!({
                "main": slot("wikitext", self.revision.number), "mediainfo": slot(model(entity), self.revision.origin),
            }),
            _ => json!({ "main": slot(model(entity), self.revision.origin) }),
        };
    }
}

/// Takes out what nobody is to see any more.
fn suppress(json: &mut Value) {
    let revision = &json["revision"];
    let mut rest = json!({ "rev_id": revision["rev_id"], "rev_dt": revision["rev_dt"], "is_minor_edit": false });
    if let Some(parent) = revision.get("rev_parent_id") {
        rest["rev_parent_id"] = parent.clone();
    }
    for visible in ["is_content_visible", "is_editor_visible", "is_comment_visible"] {
        rest[visible] = false.into();
        json["prior_state"]["revision"][visible] = true.into();
    }
    json["revision"] = rest;
    json.as_object_mut().expect("it is an object").remove("performer");
}

impl Event {
    /// The same of a page of another wiki.
    pub fn elsewhere(mut self) -> Self {
        self.json["meta"]["domain"] = "en.wikipedia.org".into();
        self.json["meta"]["uri"] = "https://en.wikipedia.org/wiki/Spring".into();
        self
    }

    /// An event of that stream that only shows that it is alive; it looks like this one.
    pub fn canary(mut self, stream: &'static str, number: u64, dt: i64) -> Self {
        let schema = match (LEGACY.iter().position(|legacy| *legacy == stream), &self.json["$schema"]) {
            (None, schema) => schema.clone(),
            (Some(0), _) => "/mediawiki/revision/create/2.0.0".into(),
            (Some(2), _) => "/mediawiki/page/undelete/1.0.0".into(),
            (Some(_), _) => "/mediawiki/page/delete/1.0.0".into(),
        };
        let id = uuid(hash(number, 0xca));
        self.json["$schema"] = schema;
        self.json["dt"] = time(dt).into();
        self.json["meta"] = json!({ "stream": stream, "id": id, "domain": "canary", "dt": time(dt) });
        Self { stream, ..self }
    }
}
