//! A stream over HTTP in the place of Kafka, and where topics are looked up.

use std::time::Duration;

use crate::cli::error::CliError;
use crate::env::Env;
use crate::event::streams::SCHEMA_TITLES;
use crate::event_streams::{self, configuration};
use crate::offsets::span::Span;
use crate::updater::source::event_stream::Asked;
use crate::web::{self, Calls, Route};
use crate::wikibase::timestamp::Timestamp;

/// How long to wait for the stream configuration, or for a part of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes it may have.
const MOST: usize = 64 << 20;

/// Which stream over HTTP, and from when on.
#[derive(Debug, clap::Args)]
pub struct EventStreamArgs {
    /// Read events over HTTP instead of from Kafka: the URL of a stream of Wikimedia's EventStreams, or of a server like it
    #[arg(
        long,
        value_name = "URL",
        env = "HEADWATER_EVENT_STREAM",
        conflicts_with_all = ["files", "topics", "preset", "prefixes"]
    )]
    event_stream: Option<String>,
    /// When to begin with --event-stream, with Z or an offset, if no checkpoint tells [default: when the dump of the savepoint
    /// began, less --margin]
    #[arg(long, value_name = "TIME", requires = "event_stream", value_parser = Timestamp::parse)]
    since: Option<Timestamp>,
    /// Begin that much before the dump did: events that are read twice do no harm, one that is missed does
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_MARGIN", value_parser = Span::parse)]
    margin: Span,
    /// How much later than asked for the stream may begin or go on: more is a gap, in which events may be lost
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_GAP_TOLERANCE", value_parser = Span::parse)]
    gap_tolerance: Span,
    /// Go on in spite of a gap in the stream: the entities that changed in it must be reconciled
    #[arg(long, requires = "event_stream")]
    accept_gap: bool,
}

/// Streams by their names.
#[derive(Debug, clap::Args)]
pub struct StreamConfigArgs {
    /// What names the topics of a --stream: the URL of MediaWiki's API (…/w/api.php?action=streamconfigs&format=json), or a file
    /// with its answer
    #[arg(long, value_name = "URL|FILE", env = "HEADWATER_STREAM_CONFIG", requires = "streams")]
    stream_config: Option<String>,
    /// A stream, such as mediawiki.page_change.v1, whose topics --stream-config names: those with a --prefix, if any is given;
    /// give it once for each
    #[arg(
        long = "stream",
        value_name = "NAME",
        requires = "stream_config",
        conflicts_with_all = ["files", "topics", "preset"]
    )]
    streams: Vec<String>,
}

/// Who asks servers, and how.
#[derive(Debug)]
pub struct Asker {
    /// The header `User-Agent`, if it was given.
    pub user_agent: Option<String>,
    /// Who is to be asked in the place of a host.
    pub routes: Vec<Route>,
    /// How long a server may be out of reach.
    pub give_up: Duration,
}

impl EventStreamArgs {
    /// The stream that is to be read, with these topics, if one is.
    pub fn asked(&self, topics: &[String], asker: &Asker) -> Option<Asked> {
        let defaults = event_streams::Settings::new(self.event_stream.as_deref()?);
        let settings = event_streams::Settings {
            routes: asker.routes.clone(),
            user_agent: asker.user_agent.clone().unwrap_or_else(|| defaults.user_agent.clone()),
            since: self.since,
            topics: topics.to_vec(),
            tolerance: self.gap_tolerance.duration(),
            accept_gap: self.accept_gap,
            patience: Some(asker.give_up),
            ..defaults
        };
        Some(Asked { settings, margin: self.margin.duration() })
    }
}

impl StreamConfigArgs {
    /// The topics of the streams that have one of the prefixes; all, without prefixes.
    pub fn topics(&self, prefixes: &[String], asker: &Asker, env: &Env) -> Result<Vec<String>, CliError> {
        let Some(from) = &self.stream_config else { return Ok(Vec::new()) };
        let user_agent = asker.user_agent.as_deref().unwrap_or(web::USER_AGENT);
        let calls = Calls::new(user_agent, PATIENCE, MOST, asker.routes.clone(), env)?;
        let configuration = configuration(from, &calls)?;
        let mut all = Vec::new();
        for stream in &self.streams {
            let topics = configuration.topics(stream, &SCHEMA_TITLES);
            let topics = topics.map_err(|error| CliError::usage(format!("{from}: {error}")))?;
            let is_meant = |topic: &&String| {
                prefixes.is_empty() || prefixes.iter().any(|prefix| topic.starts_with(prefix.as_str()))
            };
            let meant: Vec<_> = topics.iter().filter(is_meant).cloned().collect();
            if meant.is_empty() {
                let (prefixes, topics) = (prefixes.join(" or "), topics.join(", "));
                return Err(CliError::usage(format!("no topic of `{stream}` begins with {prefixes}; it has {topics}")));
            }
            all.extend(meant);
        }
        Ok(all)
    }
}
