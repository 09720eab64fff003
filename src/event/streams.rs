//! Where events are to be had: streams and the Kafka topics that they are made of.
//!
//! Promise: the topics of a stream are those that the stream configuration names, or the stream under each prefix; none is
//! guessed.
//! In -> out: stream names, prefixes, the JSON answer of MediaWiki's stream-configuration API -> topics.
//! Rules: upstream's `IncomingStreams` and `UpdaterConfig` for the names; event-utilities' `EventStreamConfig` for the answer.
//! Invariant: pure.
//! Not here: asking the API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The events of MediaWiki before `page_change`: one stream for each kind of change.
pub const LEGACY: [&str; 4] =
    ["mediawiki.revision-create", "mediawiki.page-delete", "mediawiki.page-undelete", "mediawiki.page-suppress"];
/// All changes of pages in one stream.
pub const PAGE_CHANGE: &str = "mediawiki.page_change.v1";
/// What reconciliations ask for.
pub const RECONCILE: &str = "rdf-streaming-updater.reconcile";

/// The titles of the schemas that are read (see `event::wire`).
pub const SCHEMA_TITLES: [&str; 5] = [
    "mediawiki/page/change",
    "mediawiki/revision/create",
    "mediawiki/page/delete",
    "mediawiki/page/undelete",
    "rdf_streaming_updater/reconcile",
];

/// Each stream under each prefix of a data centre, such as `eqiad.`; without prefixes the topics are named like the streams.
pub fn topics(streams: &[&str], prefixes: &[&str]) -> Vec<String> {
    let prefixes = if prefixes.is_empty() { &[""] } else { prefixes };
    prefixes.iter().flat_map(|prefix| streams.iter().map(move |stream| format!("{prefix}{stream}"))).collect()
}

/// What is configured for a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its topics, each once.
    pub topics: Vec<String>,
    /// The title of the schema of its events.
    pub schema_title: Option<String>,
    /// Whether canary events keep it alive while nothing happens.
    pub canary_events: bool,
}

/// An answer of the stream-configuration API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamConfiguration {
    streams: BTreeMap<String, Stream>,
}

/// Why topics cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// No JSON, or not of the form.
    #[error("the stream configuration cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The answer says nothing of the stream.
    #[error("the stream configuration does not have `{stream}`; it has {known}")]
    Unknown {
        /// The stream asked for.
        stream: String,
        /// Those it has, parted by commas.
        known: String,
    },
    /// The stream has no topics.
    #[error("the stream configuration names no topics of `{0}`")]
    NoTopics(String),
    /// The stream holds other events.
    #[error("`{stream}` holds events of the schema {found}; those of {wanted} are read")]
    Schema {
        /// The stream.
        stream: String,
        /// The title of its schema.
        found: String,
        /// Those that can be read, parted by commas.
        wanted: String,
    },
}

impl StreamConfiguration {
    /// Reads an answer: an object by streams, or the same under `streams`, as the API gives it.
    pub fn parse(json: &[u8]) -> Result<Self, StreamsError> {
        let mut all: BTreeMap<String, Value> = serde_json::from_slice(json)?;
        if all.len() == 1
            && let Some(inner) = all.remove("streams")
        {
            all = serde_json::from_value(inner)?;
        }
        let read = |(name, value)| Ok((name, serde_json::from_value::<Wire>(value)?.into()));
        Ok(Self { streams: all.into_iter().map(read).collect::<Result<_, serde_json::Error>>()? })
    }

    /// What is configured for a stream.
    pub fn get(&self, stream: &str) -> Result<&Stream, StreamsError> {
        self.streams.get(stream).ok_or_else(|| {
            let known: Vec<_> = self.streams.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            StreamsError::Unknown { stream: stream.to_owned(), known }
        })
    }

    /// The topics of a stream that holds events of a schema with one of these titles, such as `mediawiki/page/change`.
    pub fn topics(&self, stream: &str, schema_titles: &[&str]) -> Result<&[String], StreamsError> {
        let configured = self.get(stream)?;
        match &configured.schema_title {
            Some(found) if !schema_titles.contains(&found.as_str()) => Err(StreamsError::Schema {
                stream: stream.to_owned(),
                found: found.clone(),
                wanted: schema_titles.join(", "),
            }),
            _ if configured.topics.is_empty() => Err(StreamsError::NoTopics(stream.to_owned())),
            _ => Ok(&configured.topics),
        }
    }
}

/// A stream as the API writes it.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    topics: Vec<String>,
    schema_title: Option<String>,
    #[serde(default)]
    canary_events_enabled: Value,
}

impl From<Wire> for Stream {
    fn from(wire: Wire) -> Self {
        let mut topics: Vec<String> = Vec::with_capacity(wire.topics.len());
        wire.topics.into_iter().for_each(|topic| {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        });
        // Settings are texts in some answers.
        let canary_events = wire.canary_events_enabled == true || wire.canary_events_enabled == "true";
        Self { topics, schema_title: wire.schema_title, canary_events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{
        "mediawiki.page_change.v1": {"stream": "mediawiki.page_change.v1", "schema_title": "mediawiki/page/change",
            "topics": ["eqiad.mediawiki.page_change.v1", "codfw.mediawiki.page_change.v1", "eqiad.mediawiki.page_change.v1"],
            "canary_events_enabled": true},
        "reconcile": {"stream": "reconcile", "topics": ["eqiad.reconcile"], "canary_events_enabled": "true"},
        "lapsed": {"schema_title": "rdf_streaming_updater/lapsed_action", "canary_events_enabled": false}
    }"#;

    #[test]
    fn streams_under_prefixes() {
        let expected = ["eqiad.a", "eqiad.b", "codfw.a", "codfw.b"];
        assert_eq!(topics(&["a", "b"], &["eqiad.", "codfw."]), expected);
        assert_eq!(topics(&["a", "b"], &[]), ["a", "b"]);
    }

    #[test]
    fn an_answer_with_and_without_its_wrapping() {
        let bare = StreamConfiguration::parse(ANSWER.as_bytes()).unwrap();
        let wrapped = StreamConfiguration::parse(format!("{{\"streams\": {ANSWER}}}").as_bytes()).unwrap();
        assert_eq!(bare, wrapped);
        let title = "mediawiki/page/change";
        let topics = bare.topics(PAGE_CHANGE, &["other", title]).unwrap();
        assert_eq!(topics, ["eqiad.mediawiki.page_change.v1", "codfw.mediawiki.page_change.v1"]);
        assert_eq!(bare.topics("reconcile", &["any"]).unwrap(), ["eqiad.reconcile"]);
        let canary = |stream| bare.get(stream).unwrap().canary_events;
        assert_eq!([PAGE_CHANGE, "reconcile", "lapsed"].map(canary), [true, true, false]);
    }

    #[test]
    fn what_is_not_configured_is_not_guessed() {
        let answer = StreamConfiguration::parse(ANSWER.as_bytes()).unwrap();
        let message = |stream, title| answer.topics(stream, &[title]).unwrap_err().to_string();
        assert!(
            message("other", "t")
                .ends_with("does not have `other`; it has lapsed, mediawiki.page_change.v1, reconcile")
        );
        assert!(message("lapsed", "rdf_streaming_updater/lapsed_action").contains("names no topics of `lapsed`"));
        assert!(message(PAGE_CHANGE, "recentchange").contains("mediawiki/page/change; those of recentchange are read"));
        let none = StreamConfiguration::default().get("other").unwrap_err().to_string();
        assert!(none.ends_with("it has none"), "{none}");
        for bad in ["", "[]", "{\"a\": 1}", "{\"streams\": []}", "{\"a\": {\"topics\": \"eqiad.a\"}}"] {
            assert!(StreamConfiguration::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
