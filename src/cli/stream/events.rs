//! Which events the updater reads, and where.

use std::collections::BTreeSet;

use crate::cli::error::CliError;
use crate::cli::input::unpacked;
use crate::cli::stream::event_stream::{Asker, EventStreamArgs, StreamConfigArgs};
use crate::env::Env;
use crate::event::filter::{Filter, ReconcileSource};
use crate::kafka::Topic;
use crate::offsets::presets::PRESETS;
use crate::storage;
use crate::updater::service::Events;
use crate::wikibase::uris::UrisScheme;

/// Which events, and where.
#[derive(Debug, clap::Args)]
pub struct EventArgs {
    /// Files of events, a line of JSON each, read one after the other (globs allowed); give it once for each
    #[arg(long = "events", value_name = "FILE", env = "HEADWATER_EVENTS", value_delimiter = ';')]
    files: Vec<String>,
    /// A topic of Kafka, without what --prefix adds; give it once for each
    #[arg(long = "topic", value_name = "NAME", conflicts_with = "files")]
    topics: Vec<String>,
    /// The topics that a known updater reads
    #[arg(long, value_name = "NAME", value_parser = presets(), conflicts_with = "files")]
    preset: Option<String>,
    /// The prefix of a data centre, such as eqiad.; give it once for each
    #[arg(long = "prefix", value_name = "TEXT")]
    prefixes: Vec<String>,
    #[command(flatten)]
    stream: EventStreamArgs,
    #[command(flatten)]
    configured: StreamConfigArgs,
    /// The wiki's host, as events name it [default: by the wiki]; give it once for each
    #[arg(long = "domain", value_name = "HOST", env = "HEADWATER_DOMAIN", value_delimiter = ',')]
    domains: Vec<String>,
    /// The namespaces that hold entities [default: 0,120,146; Commons: 6]
    #[arg(
        long = "namespace",
        value_name = "N",
        env = "HEADWATER_NAMESPACE",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    namespaces: Vec<i64>,
    /// The content models of entities [default: wikibase-item,wikibase-property,wikibase-lexeme]
    #[arg(long = "content-model", value_name = "NAME", env = "HEADWATER_CONTENT_MODEL", value_delimiter = ',')]
    content_models: Vec<String>,
    /// Whose reconcile events are followed: stream[tag], or stream for all; without it none are
    #[arg(long, value_name = "STREAM[TAG]", env = "HEADWATER_RECONCILE_SOURCE", value_parser = ReconcileSource::parse)]
    reconcile_source: Option<ReconcileSource>,
}

fn parsed(topics: &[String]) -> Result<BTreeSet<Topic>, CliError> {
    topics.iter().map(|topic| Topic::parse(topic).map_err(|error| CliError::usage(error.to_string()))).collect()
}

fn presets() -> clap::builder::PossibleValuesParser {
    PRESETS.iter().map(|preset| preset.name).into()
}

impl EventArgs {
    /// Where events come from.
    pub fn source(&self, asker: &Asker, env: &Env) -> Result<Events, CliError> {
        if !self.files.is_empty() {
            unpacked(&self.files)?;
            let files = self.files.iter().map(|file| storage::expand(file));
            return Ok(Events::Files(files.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()));
        }
        let configured = self.configured.topics(&self.prefixes, asker, env)?;
        if let Some(asked) = self.stream.asked(&configured, asker) {
            return Ok(Events::EventStream(Box::new(asked)));
        }
        let mut topics = self.topics()?;
        topics.extend(parsed(&configured)?);
        if topics.is_empty() {
            return Err(CliError::usage(
                "no events: give topics of Kafka with --preset, --topic or --stream, a stream over HTTP with --event-stream, or files \
                 with --events",
            ));
        }
        Ok(Events::Kafka(topics))
    }

    /// Each topic with each prefix.
    fn topics(&self) -> Result<BTreeSet<Topic>, CliError> {
        let preset = PRESETS.iter().find(|preset| Some(preset.name) == self.preset.as_deref());
        let of_preset = preset.into_iter().flat_map(|preset| preset.topics.iter().copied());
        let bare: Vec<_> = self.topics.iter().map(String::as_str).chain(of_preset).collect();
        let prefixes: Vec<_> = self.prefixes.iter().map(String::as_str).collect();
        parsed(&crate::event::streams::topics(&bare, &prefixes))
    }

    /// Which events are meant.
    pub fn filter(&self, scheme: &UrisScheme) -> Result<Filter, CliError> {
        let is_commons = *scheme == UrisScheme::commons();
        let mut filter = if is_commons { Filter::commons() } else { Filter::entities(&self.domain(scheme)) };
        let replace = |given: &[String], known: &mut Vec<String>| {
            if !given.is_empty() {
                *known = given.to_vec();
            }
        };
        replace(&self.domains, &mut filter.domains);
        replace(&self.content_models, &mut filter.content_models);
        if !self.namespaces.is_empty() {
            filter.namespaces.clone_from(&self.namespaces);
        }
        filter.reconcile.clone_from(&self.reconcile_source);
        Ok(filter)
    }

    /// The wiki's host, as messages name it.
    pub fn domain(&self, scheme: &UrisScheme) -> String {
        self.domains.first().cloned().unwrap_or_else(|| scheme.host().to_owned())
    }
}
