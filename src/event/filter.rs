//! Which events concern an updater.
//!
//! Promise: of the events in a topic, only changes of entities of the chosen wiki pass; of the others the reason is told.
//! In -> out: what an event says -> pass, or a [`Reason`].
//! Rules: upstream's `HostFilter`, `NamespaceFilter`, `ContentModelFilter`, `ReconciliationEventSourceFilter`, and for the older
//! events `RevisionCreateEventFilter`; `EntityId.cleanEntityId` for the names of entities.
//! Invariant: pure; a stream's canary events never pass.
//! Not here: how an event is read (see `event::wire`).

use crate::event::{EventError, shortened};
use crate::wikibase::entity::EntityId;

/// `meta.domain` of events that are made only to show that a stream is alive.
const CANARY: &str = "canary";

/// Where pages of entities have their namespace in front.
const NAMESPACE_NAMES: [&str; 3] = ["Property:", "Item:", "Lexeme:"];

/// Which events pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The host names of the wiki, as in `meta.domain`.
    pub domains: Vec<String>,
    /// The namespaces that hold entities.
    pub namespaces: Vec<i64>,
    /// The content models of entities.
    pub content_models: Vec<String>,
    /// Whether entities are MediaInfo, kept in a slot of their own, and named after the id of the page.
    pub mediainfo: bool,
    /// The reconcile events that pass; without it none do.
    pub reconcile: Option<ReconcileSource>,
}

/// Whose reconcile events are meant. Written `stream[tag]`, or `stream` for those of every source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileSource {
    /// The stream, as in `meta.stream`.
    pub stream: String,
    /// What `reconciliation_source` must be.
    pub tag: Option<String>,
}

/// Why a text names no source of reconcile events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no source of reconcile events: write stream[tag], or stream for those of every source")]
pub struct SourceError(String);

/// Why an event does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It only shows that the stream is alive.
    Canary,
    /// It is another wiki's.
    Domain,
    /// The page is in a namespace without entities.
    Namespace,
    /// The page holds something else than an entity.
    ContentModel,
    /// The page has no structured data.
    NoMediaInfo,
    /// Only who may see the revision has changed.
    VisibilityChange,
    /// A kind of change that the schema did not know when this was written.
    UnknownKind,
    /// A reconcile event for another updater.
    ReconcileSource,
}

/// The content of a page as an event tells of it: the content model of each slot that matters, if it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots<'a> {
    /// The content model of the slot `main`; empty if the slot has none.
    pub main: Option<&'a str>,
    /// Whether there is a slot `mediainfo`.
    pub mediainfo: bool,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Canary,
        Self::Domain,
        Self::Namespace,
        Self::ContentModel,
        Self::NoMediaInfo,
        Self::VisibilityChange,
        Self::UnknownKind,
        Self::ReconcileSource,
    ];

    /// Its name, for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Domain => "domain",
            Self::Namespace => "namespace",
            Self::ContentModel => "content_model",
            Self::NoMediaInfo => "no_mediainfo",
            Self::VisibilityChange => "visibility_change",
            Self::UnknownKind => "unknown_kind",
            Self::ReconcileSource => "reconcile_source",
        }
    }
}

impl ReconcileSource {
    /// Reads `stream[tag]` or `stream`.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let (stream, tag) = match text.split_once('[') {
            None => (text, None),
            Some((stream, rest)) => (stream, Some(rest.strip_suffix(']').unwrap_or_default())),
        };
        let is_name = |name: &str| !name.is_empty() && !name.contains(['[', ']']);
        if !is_name(stream) || tag.is_some_and(|tag| !is_name(tag)) {
            return Err(SourceError(text.to_owned()));
        }
        Ok(Self { stream: stream.to_owned(), tag: tag.map(str::to_owned) })
    }
}

impl Filter {
    /// Wikidata: items, properties and lexemes.
    pub fn wikidata() -> Self {
        Self::entities("www.wikidata.org")
    }

    /// Wikimedia Commons: MediaInfo.
    pub fn commons() -> Self {
        Self {
            namespaces: vec![6],
            content_models: Vec::new(),
            mediainfo: true,
            ..Self::entities("commons.wikimedia.org")
        }
    }

    /// Another Wikibase, with the namespaces of Wikidata.
    pub fn entities(hostname: &str) -> Self {
        Self {
            domains: vec![hostname.to_owned()],
            namespaces: vec![0, 120, 146],
            content_models: ["wikibase-item", "wikibase-property", "wikibase-lexeme"].map(str::to_owned).to_vec(),
            mediainfo: false,
            reconcile: None,
        }
    }

    /// By `meta.domain`.
    pub fn domain(&self, domain: Option<&str>) -> Result<(), Reason> {
        match domain {
            Some(CANARY) => Err(Reason::Canary),
            Some(domain) if self.domains.iter().any(|wanted| wanted == domain) => Ok(()),
            _ => Err(Reason::Domain),
        }
    }

    /// By the page's namespace.
    pub fn namespace(&self, namespace: i64) -> Result<(), Reason> {
        if self.namespaces.contains(&namespace) { Ok(()) } else { Err(Reason::Namespace) }
    }

    /// By the page's content, in events since `page_change`. Where nothing is told of it, only a deletion passes: those of
    /// suppressed pages are like that.
    pub fn content(&self, slots: Option<Slots<'_>>, is_deletion: bool) -> Result<(), Reason> {
        let is_model = |model: &str| self.content_models.iter().any(|wanted| wanted == model);
        match slots {
            Some(slots) if self.mediainfo && slots.mediainfo => Ok(()),
            Some(Slots { main: Some(model), .. }) if is_model(model) => Ok(()),
            None if is_deletion => Ok(()),
            _ => Err(if self.mediainfo { Reason::NoMediaInfo } else { Reason::ContentModel }),
        }
    }

    /// By the page's content, in `revision/create`: structured data must be there, other content models are not told apart.
    pub fn revision_slots(&self, slots: Option<Slots<'_>>) -> Result<(), Reason> {
        let has_mediainfo = slots.is_some_and(|slots| slots.mediainfo);
        if self.mediainfo && !has_mediainfo { Err(Reason::NoMediaInfo) } else { Ok(()) }
    }

    /// By the stream of a reconcile event and its source.
    pub fn reconciliation(&self, stream: &str, source: &str) -> Result<(), Reason> {
        let is_wanted =
            |wanted: &ReconcileSource| wanted.stream == stream && wanted.tag.as_deref().is_none_or(|tag| tag == source);
        if self.reconcile.as_ref().is_some_and(is_wanted) { Ok(()) } else { Err(Reason::ReconcileSource) }
    }
}

/// The entity of a page with that title.
pub fn titled(title: &str) -> Result<EntityId, EventError> {
    entity(NAMESPACE_NAMES.iter().find_map(|name| title.strip_prefix(name)).unwrap_or(title))
}

/// The MediaInfo of the page with that id.
pub fn mediainfo(page_id: i128) -> Result<EntityId, EventError> {
    entity(&format!("M{page_id}"))
}

/// The entity of that id.
pub fn entity(id: &str) -> Result<EntityId, EventError> {
    EntityId::parse(id.as_bytes()).map_err(|source| EventError::Entity { text: shortened(id), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_are_and_are_not() {
        let rows = [
            (
                "rdf-streaming-updater.reconcile[wdqs@eqiad]",
                Some(("rdf-streaming-updater.reconcile", Some("wdqs@eqiad"))),
            ),
            ("reconcile", Some(("reconcile", None))),
            ("reconcile[]", None),
            ("reconcile[a", None),
            ("reconcile[a]b", None),
            ("reconcile[a]]", None),
            ("reconcile[[a]", None),
            ("reconcile]", None),
            ("[a]", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let got = ReconcileSource::parse(text);
            let got = got.as_ref().ok().map(|source| (source.stream.as_str(), source.tag.as_deref()));
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn content_that_passes() {
        let slots = |main, mediainfo| Some(Slots { main, mediainfo });
        let rows = [
            (slots(Some("wikibase-item"), false), Ok(()), Err(Reason::NoMediaInfo)),
            (slots(Some("wikitext"), false), Err(Reason::ContentModel), Err(Reason::NoMediaInfo)),
            (slots(Some("wikitext"), true), Err(Reason::ContentModel), Ok(())),
            (slots(None, true), Err(Reason::ContentModel), Ok(())),
            (slots(None, false), Err(Reason::ContentModel), Err(Reason::NoMediaInfo)),
            (None, Err(Reason::ContentModel), Err(Reason::NoMediaInfo)),
        ];
        for (slots, wikidata, commons) in rows {
            assert_eq!(Filter::wikidata().content(slots, false), wikidata, "{slots:?}");
            assert_eq!(Filter::commons().content(slots, false), commons, "{slots:?}");
            let of_deletion = |otherwise| if slots.is_none() { Ok(()) } else { otherwise };
            assert_eq!(Filter::wikidata().content(slots, true), of_deletion(wikidata), "{slots:?}");
            assert_eq!(Filter::commons().content(slots, true), of_deletion(commons), "{slots:?}");
        }
    }

    #[test]
    fn entities_of_pages() {
        let rows = [
            ("Q42", Some("Q42")),
            ("Item:Q42", Some("Q42")),
            ("Property:P31", Some("P31")),
            ("Lexeme:L7", Some("L7")),
            ("property:P31", None),
            ("Item:Property:P31", None),
            ("Main Page", None),
            ("", None),
        ];
        for (title, expected) in rows {
            let got = titled(title).ok().map(|entity| entity.to_string());
            assert_eq!(got.as_deref(), expected, "{title}");
        }
        assert_eq!(mediainfo(77).unwrap().to_string(), "M77");
        for id in [0, -1, 1 << 31] {
            assert!(mediainfo(id).is_err(), "{id}");
        }
    }

    #[test]
    fn domains_and_sources_that_pass() {
        let mut filter = Filter::wikidata();
        assert_eq!(filter.domain(Some("www.wikidata.org")), Ok(()));
        assert_eq!(filter.domain(Some("canary")), Err(Reason::Canary));
        assert_eq!(filter.domain(Some("en.wikipedia.org")), Err(Reason::Domain));
        assert_eq!(filter.domain(None), Err(Reason::Domain));
        assert_eq!(filter.reconciliation("r", "a"), Err(Reason::ReconcileSource));
        filter.reconcile = Some(ReconcileSource::parse("r[a]").unwrap());
        assert_eq!(filter.reconciliation("r", "a"), Ok(()));
        assert_eq!(filter.reconciliation("r", "b"), Err(Reason::ReconcileSource));
        assert_eq!(filter.reconciliation("s", "a"), Err(Reason::ReconcileSource));
        filter.reconcile = Some(ReconcileSource::parse("r").unwrap());
        assert_eq!(filter.reconciliation("r", "b"), Ok(()));
    }
}
