//! Where the updater's messages and side outputs go, and in which form.

use clap::ValueEnum;

use crate::cli::error::CliError;
use crate::cli::offsets::connection::topic;
use crate::diff::Coverage;
use crate::kafka::Partition;
use crate::mutation::wire::Version;
use crate::storage::{self, Location};
use crate::subgraph::definitions::Definitions;
use crate::updater::chunk;
use crate::updater::outputs::{Route, Routes, SideRoute};

/// Stands for the name of a stream in a place.
const STREAM: &str = "{stream}";
/// Before the name of a topic.
const KAFKA: &str = "kafka:";
/// The streams of side outputs, as upstream names them, and of what it does not have.
const LAPSED: &str = "rdf-streaming-updater.lapsed-action";
const INCONSISTENT: &str = "rdf-streaming-updater.state-inconsistency";
const FETCH_FAILED: &str = "rdf-streaming-updater.fetch-failure";
const DEAD: &str = "rdf-streaming-updater.dead-letter";

/// Where it all goes.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Where messages go: kafka:TOPIC, a file of lines, or - for standard output. {stream} stands for the name of the graph's
    /// stream: with several graphs each has a place of its own
    #[arg(long, value_name = "PLACE", env = "HEADWATER_MUTATIONS")]
    mutations: String,
    /// Where side outputs go, and records that are no events: a place as of --mutations, or `none` to count them only
    /// [default: that of --mutations, if it has {stream}; for a file another beside it]
    #[arg(long, value_name = "PLACE", env = "HEADWATER_SIDE_OUTPUTS")]
    side_outputs: Option<String>,
    /// Replace files that are there already
    #[arg(long)]
    overwrite_outputs: bool,
    /// The graphs, if there are several: a file of subgraph definitions
    #[arg(long, value_name = "FILE", env = "HEADWATER_SUBGRAPHS")]
    subgraphs: Option<String>,
    /// Which pipeline this is, for whoever reads its side outputs
    #[arg(long, value_name = "NAME", env = "HEADWATER_EMITTER_ID")]
    emitter_id: Option<String>,
    /// The form of messages
    #[arg(long, value_enum, default_value_t = VersionArg::V2, env = "HEADWATER_MESSAGE_VERSION")]
    message_version: VersionArg,
    /// How much of an entity a reconciliation tells: all, or as upstream has done since 2024 without references, values and
    /// groups of wikis
    #[arg(long, value_enum, default_value_t = CoverageArg::Complete, env = "HEADWATER_RECONCILE_COVERAGE")]
    reconcile_coverage: CoverageArg,
    /// How long the triples of a message may be, in characters
    #[arg(long, value_name = "N", default_value_t = chunk::LIMIT, env = "HEADWATER_MESSAGE_LIMIT")]
    message_limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionArg {
    V1,
    V2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CoverageArg {
    Complete,
    OwnOnly,
}

impl OutputArgs {
    /// The graphs; `stream` is that of the only one.
    pub fn definitions(&self, stream: &str) -> Result<Definitions, CliError> {
        let Some(file) = &self.subgraphs else { return Ok(Definitions::whole(stream)) };
        let bytes = storage::read(&Location::parse(file)?)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| CliError::usage(format!("{file} is no text")))?;
        Definitions::parse(text).map_err(|error| CliError::usage(format!("{file}: {error}")))
    }

    /// Where everything goes. `domain` is the wiki's host.
    pub fn routes(&self, definitions: &Definitions, domain: &str) -> Result<Routes, CliError> {
        let graphs = definitions.graphs();
        if graphs.len() > 1 && !self.mutations.contains(STREAM) && self.mutations != "-" {
            return Err(CliError::usage(format!(
                "{} graphs and one place: give each its own, with {STREAM} in --mutations",
                graphs.len()
            )));
        }
        let mutations = graphs.iter().map(|graph| route(&self.mutations, &graph.stream));
        let side = |stream: &str| Ok::<_, CliError>(SideRoute { to: self.side(stream)?, stream: stream.to_owned() });
        Ok(Routes {
            mutations: mutations.collect::<Result<_, _>>()?,
            lapsed: side(LAPSED)?,
            inconsistent: side(INCONSISTENT)?,
            fetch_failed: side(FETCH_FAILED)?,
            dead_letters: self.side(DEAD)?,
            domain: domain.to_owned(),
            emitter_id: self.emitter_id.clone(),
        })
    }

    fn side(&self, stream: &str) -> Result<Route, CliError> {
        match &self.side_outputs {
            Some(none) if none == "none" => Ok(Route::Nowhere),
            Some(place) => route(place, stream),
            None if self.mutations.contains(STREAM) => route(&self.mutations, stream),
            None if self.mutations == "-" || self.mutations.starts_with(KAFKA) => Err(CliError::usage(
                "no place for side outputs: give one with --side-outputs, such as kafka:eqiad.{stream}, a file, or none",
            )),
            None => route(&format!("{}.side-outputs", self.mutations), stream),
        }
    }

    /// Whether files that are there may be replaced.
    pub fn overwrite(&self) -> bool {
        self.overwrite_outputs
    }

    /// The form of messages.
    pub fn version(&self) -> Version {
        match self.message_version {
            VersionArg::V1 => Version::V1,
            VersionArg::V2 => Version::V2,
        }
    }

    /// How much reconciliations tell.
    pub fn coverage(&self) -> Coverage {
        match self.reconcile_coverage {
            CoverageArg::Complete => Coverage::Complete,
            CoverageArg::OwnOnly => Coverage::OwnOnly,
        }
    }

    /// How long the triples of a message may be.
    pub fn chunk(&self) -> usize {
        self.message_limit.max(1)
    }
}

/// A place for a stream. Messages are in one partition, as their readers take them in order.
fn route(place: &str, stream: &str) -> Result<Route, CliError> {
    let place = place.replace(STREAM, stream);
    match topic(&place)? {
        Some(topic) => Ok(Route::Topic(Partition { topic, number: 0 })),
        None if place == "-" => Ok(Route::Stdout),
        None => {
            let file = Location::parse(&place)?;
            if file.local().is_none() {
                return Err(CliError::usage(format!("{place} is no local file: nothing can be appended to it")));
            }
            Ok(Route::File(file))
        }
    }
}
