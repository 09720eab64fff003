//! What both commands of the updater are told.

use std::time::Duration;

use crate::cli::error::CliError;
use crate::cli::input::{WikiArgs, listen, routes};
use crate::cli::log::LogFormat;
use crate::cli::offsets::connection::Connection;
use crate::cli::stream::event_stream::Asker;
use crate::cli::stream::events::EventArgs;
use crate::cli::stream::outputs::OutputArgs;
use crate::control::Listen;
use crate::entity_data;
use crate::entity_data::attempts::Retries;
use crate::env::Env;
use crate::offsets::span::Span;
use crate::storage::{self, Location};
use crate::updater::line::Until;
use crate::updater::outputs::Routes;
use crate::updater::service::{CheckpointConfig, Config, Entities, Events, Initial};
use crate::updater::watermark::Patience;
use crate::updater::works::Limits;
use crate::wikibase::uris::UrisScheme;

/// The stream of the full graph, as upstream names it.
const STREAM: &str = "rdf-streaming-updater.mutation";
/// Mutations whose revisions are on their way, for each request that may be: their order waits for the slowest.
const BEGUN: usize = 4;
/// Mutations that may wait for that.
const WAITING: usize = 1000;

/// What both commands are told.
#[derive(Debug, clap::Args)]
pub struct Common {
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    events: EventArgs,
    #[command(flatten)]
    kafka: Connection,
    /// The consumer group: whose offsets are committed, and where to begin
    #[arg(long, value_name = "NAME", env = "HEADWATER_GROUP")]
    group: Option<String>,
    /// The name of the transactions [default: headwater-GROUP]. Of two updaters with one name the older is shut out
    #[arg(long, value_name = "NAME", env = "HEADWATER_TRANSACTIONAL_ID")]
    transactional_id: Option<String>,
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    entities: EntityArgs,
    #[command(flatten)]
    outputs: OutputArgs,
    /// Where to listen for `headwater job`, health and metrics (HOST:PORT, port 0 for any), or none [default: 127.0.0.1:9464, or any
    /// free port if another has that]. Without authentication: an address that others reach must be asked for
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_LISTEN")]
    listen: Option<String>,
    /// The form of the lines on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "HEADWATER_LOG_FORMAT")]
    log_format: LogFormat,
    /// Try again for that long after a failure of Kafka, of --event-stream or of the storage, without any progress
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_GIVE_UP", value_parser = Span::parse)]
    give_up: Span,
}

/// Where to begin, and what is kept.
#[derive(Debug, clap::Args)]
struct StateArgs {
    /// The savepoint to begin with, of headwater's format or Flink's; a relative path is below --state-dir, if that is given
    #[arg(long, value_name = "DIR", env = "HEADWATER_INITIAL_STATE")]
    initial_state: Option<String>,
    /// Begin with no state at all: every entity is new
    #[arg(long, conflicts_with = "initial_state")]
    from_nothing: bool,
    /// Where savepoints are
    #[arg(long, value_name = "DIR", env = "HEADWATER_STATE_DIR")]
    state_dir: Option<String>,
    /// The directory of checkpoints, of this updater alone
    #[arg(long, value_name = "DIR", env = "HEADWATER_CHECKPOINTS")]
    checkpoints: Option<String>,
    /// How long from one checkpoint to the next; readers of committed messages see them that much later
    #[arg(long, value_name = "TIME", default_value = "10s", env = "HEADWATER_CHECKPOINT_INTERVAL", value_parser = Span::parse)]
    checkpoint_interval: Span,
    /// How many checkpoints are kept
    #[arg(long, value_name = "N", default_value_t = 3, env = "HEADWATER_KEEP_CHECKPOINTS")]
    keep_checkpoints: usize,
}

/// How events are put in order.
#[derive(Debug, clap::Args)]
struct OrderArgs {
    /// How long an event waits for older ones of its entity
    #[arg(long, value_name = "TIME", default_value = "60s", env = "HEADWATER_WINDOW", value_parser = Span::parse)]
    window: Span,
    /// How far an event may be behind the newest of its partition
    #[arg(long, value_name = "TIME", default_value = "60s", env = "HEADWATER_LATENESS", value_parser = Span::parse)]
    lateness: Span,
    /// For how long a silent partition is waited for
    #[arg(long, value_name = "TIME", default_value = "60s", env = "HEADWATER_IDLENESS", value_parser = Span::parse)]
    idleness: Span,
}

/// How entity data is had.
#[derive(Debug, clap::Args)]
struct EntityArgs {
    /// The wiki's entity data [default: that of the wiki, https://HOST/wiki/Special:EntityData/]
    #[arg(long, value_name = "URL", env = "HEADWATER_ENTITY_DATA")]
    entity_data: Option<String>,
    /// Take entity data from files named like Q42-1234.ttl in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "entity_data")]
    entity_data_dir: Option<String>,
    /// Whom to ask in the place of a host, such as www.wikidata.org=https://localhost:6500
    #[arg(long = "route", value_name = "HOST=URL", env = "HEADWATER_ROUTE", value_delimiter = ',')]
    routes: Vec<String>,
    /// What to say in the header User-Agent, to the wiki and to --event-stream: who you are and how to be reached, as Wikimedia asks
    #[arg(long, value_name = "TEXT", env = "HEADWATER_USER_AGENT")]
    user_agent: Option<String>,
    /// Requests on their way at once
    #[arg(long, value_name = "N", default_value_t = 10, env = "HEADWATER_IN_FLIGHT", value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// How long to wait for the wiki, and for each part of an answer
    #[arg(long, value_name = "TIME", default_value = "5s", env = "HEADWATER_FETCH_TIMEOUT", value_parser = Span::parse)]
    fetch_timeout: Span,
    /// How old an event may be for its revision not to be there yet
    #[arg(long, value_name = "TIME", default_value = "10s", env = "HEADWATER_ACCEPTABLE_LAG", value_parser = Span::parse)]
    acceptable_lag: Span,
    /// Memory for the last revisions of entities, in MiB: each that is found is a fetch less
    #[arg(long, value_name = "MIB", default_value_t = 256, env = "HEADWATER_CACHE")]
    cache: usize,
}

impl Common {
    /// The configuration of a run that ends then.
    pub fn config(&self, until: Until, env: &Env) -> Result<Config, CliError> {
        let scheme = self.wiki.wiki()?.scheme;
        let definitions = self.outputs.definitions(STREAM)?;
        let routes = self.outputs.routes(&definitions, &self.events.domain(&scheme))?;
        let asker = self.entities.asker(self.give_up)?;
        let source = self.events.source(&asker, env)?;
        refuse_clash(&source, &routes)?;
        let in_flight = usize::from(self.entities.in_flight);
        let config = Config {
            source,
            entities: self.entities.entities(&scheme, &asker)?,
            filter: self.events.filter(&scheme)?,
            window: millis(self.order.window),
            patience: Patience { lateness: millis(self.order.lateness), idleness: millis(self.order.idleness) },
            definitions,
            routes,
            overwrite: self.outputs.overwrite(),
            version: self.outputs.version(),
            coverage: self.outputs.coverage(),
            chunk: self.outputs.chunk(),
            initial: self.state.initial()?,
            checkpoints: self.state.checkpoints()?,
            kafka: None,
            transactional: String::new(),
            limits: Limits { begun: BEGUN * in_flight, waiting: WAITING, coalesce: false },
            cache_bytes: self.entities.cache << 20,
            until,
            savepoint: None,
            give_up: self.give_up.duration(),
            scheme,
        };
        self.with_kafka(config)
    }

    /// Where to listen, if anywhere: the first of these that can be had.
    pub fn listen(&self) -> Result<Vec<Listen>, CliError> {
        listen(self.listen.as_deref())
    }

    /// The form of the log.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Where savepoints go for which no place is named.
    pub fn savepoints(&self) -> Result<Option<Location>, CliError> {
        Ok(self.state.state_dir.as_deref().map(Location::parse).transpose()?)
    }

    /// With what Kafka needs, if it has a part in it.
    fn with_kafka(&self, config: Config) -> Result<Config, CliError> {
        let writes = config.routes.need_kafka();
        if !writes && !matches!(config.source, Events::Kafka(_)) {
            return Ok(config);
        }
        if writes && config.checkpoints.is_none() {
            return Err(CliError::usage("no checkpoints: what goes to Kafka exactly once needs --checkpoints DIR"));
        }
        let group = self.group.as_deref().ok_or_else(|| CliError::usage("no group: give its name with --group"))?;
        let transactional = self.transactional_id.clone().unwrap_or_else(|| format!("headwater-{group}"));
        Ok(Config { kafka: Some(self.kafka.settings(group)?), transactional, ..config })
    }
}

/// What is read is not to be written over.
fn refuse_clash(source: &Events, routes: &Routes) -> Result<(), CliError> {
    let Events::Files(files) = source else { return Ok(()) };
    let clash = routes.files().find(|output| files.iter().any(|file| file.overlaps(output)));
    let message =
        |output: &Location| CliError::usage(format!("{output} is read and written: it would destroy the events"));
    clash.map_or(Ok(()), |output| Err(message(output).hint("choose another place")))
}

impl StateArgs {
    fn initial(&self) -> Result<Initial, CliError> {
        match &self.initial_state {
            Some(dir) => Ok(Initial::Savepoint(self.below(dir)?)),
            None if self.from_nothing => Ok(Initial::Nothing),
            // The checkpoints have it, or there is none.
            None if self.checkpoints.is_some() => Ok(Initial::Checkpoint),
            None => Err(CliError::usage("no state: give a savepoint with --initial-state, or say --from-nothing")),
        }
    }

    /// A relative path is below the directory of savepoints.
    fn below(&self, dir: &str) -> Result<Location, CliError> {
        let is_relative = !dir.contains(':') && !dir.starts_with('/');
        match &self.state_dir {
            Some(base) if is_relative => Ok(Location::parse(base)?.join(dir)),
            _ => Ok(Location::parse(dir)?),
        }
    }

    fn checkpoints(&self) -> Result<Option<CheckpointConfig>, CliError> {
        let Some(dir) = &self.checkpoints else { return Ok(None) };
        let interval = self.checkpoint_interval.duration();
        // A transaction is open that long, and Kafka ends those that are open for too long.
        if !(Duration::from_millis(50)..=Duration::from_secs(300)).contains(&interval) {
            return Err(CliError::usage("--checkpoint-interval takes 50ms to 5m"));
        }
        Ok(Some(CheckpointConfig { dir: Location::parse(dir)?, keep: self.keep_checkpoints.max(1), interval }))
    }
}

impl EntityArgs {
    fn asker(&self, give_up: Span) -> Result<Asker, CliError> {
        Ok(Asker { user_agent: self.user_agent.clone(), routes: routes(&self.routes)?, give_up: give_up.duration() })
    }

    fn entities(&self, scheme: &UrisScheme, asker: &Asker) -> Result<Entities, CliError> {
        if let Some(dir) = &self.entity_data_dir {
            let dir = Location::parse(dir)?;
            if !storage::may_be_directory(&dir) {
                return Err(CliError::usage(format!("there is no directory {dir}: no entity data would be found")));
            }
            return Ok(Entities::Folder(dir));
        }
        let defaults = entity_data::Settings::new(scheme);
        let retries = Retries { acceptable_lag: self.acceptable_lag.duration(), ..defaults.retries };
        Ok(Entities::Http(entity_data::Settings {
            entity_data: self.entity_data.clone().unwrap_or(defaults.entity_data),
            routes: asker.routes.clone(),
            user_agent: asker.user_agent.clone().unwrap_or(defaults.user_agent),
            timeout: self.fetch_timeout.duration(),
            in_flight: usize::from(self.in_flight),
            retries,
            ..defaults
        }))
    }
}

fn millis(span: Span) -> i64 {
    i64::try_from(span.millis()).unwrap_or(i64::MAX)
}
