//! `headwater consume`: a triple store is kept up to date.

use std::collections::BTreeSet;
use std::io::BufWriter;
use std::time::Duration;

use serde::Deserialize;

use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{OnBad, WikiArgs, listen, routes, unpacked};
use crate::cli::log::{Log, LogFormat};
use crate::cli::offsets::connection::Connection;
use crate::cli::stream::control;
use crate::consume::line::{OnBadRecord, Pace};
use crate::consume::patience::Limits;
use crate::consume::position::Said;
use crate::consume::service::{self, Config, Messages, Start, Watcher};
use crate::consume::target::{Endpoint, Printer, Target, TargetError};
use crate::env::{self, Env};
use crate::event_streams;
use crate::import::manifest;
use crate::kafka::Topic;
use crate::offsets::span::Span;
use crate::sparql::{self, Store, Token};
use crate::storage::{self, Location};
use crate::updater::source::event_stream::Asked;
use crate::web::{self, Route};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// The variable of the environment that holds a store's token: not a flag, which others could see.
const TOKEN: &str = "HEADWATER_SPARQL_TOKEN";
/// The largest file of a token, in bytes.
const TOKEN_BYTES: u64 = 1 << 16;
/// The largest manifest, in bytes: it has a line for each file.
const MANIFEST_BYTES: u64 = 64 << 20;
/// The first pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// The group whose committed offset is asked for, unless one is named.
const GROUP: &str = "headwater-consume";

/// Keep a triple store up to date: follow the stream of mutations, and apply it as SPARQL updates
///
/// How far it is, the store says itself, in the same update as the data: so whatever is killed, and whatever copy of the store is put
/// back, it goes on exactly where the store is. Only a store that says nothing is begun where --manifest, --since, --earliest or
/// --committed say. It never guesses a position.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  A store that was loaded with what `import` wrote, then Wikidata's public stream:
    headwater import --dump all.ttl.gz --format nt --output nt
    headwater consume --store oxigraph --sparql http://localhost:7878/query --manifest nt \\
      --event-stream https://stream.wikimedia.org/v2/stream/rdf-streaming-updater.mutation.v2 \\
      --user-agent 'My query service (https://example.org; me@example.org)'

  Blazegraph, from Kafka:
    headwater consume --store blazegraph --sparql http://localhost:9999/bigdata/namespace/wdq/sparql \\
      --brokers kafka1:9092 --topic eqiad.rdf-streaming-updater.mutation --since 2026-01-05T23:00:02Z

  What would be sent, without a store:
    headwater consume --dry-run --messages mutations.ndjson --earliest")]
#[command(group(clap::ArgGroup::new("begin").args(["manifest", "since", "earliest", "committed"])))]
#[command(group(clap::ArgGroup::new("source").args(["topic", "event_stream", "messages"]).required(true)))]
pub struct Args {
    #[command(flatten)]
    wiki: WikiArgs,
    /// The wiki's host, as messages name it [default: by the wiki]; messages about another are refused
    #[arg(long, value_name = "HOST", env = "HEADWATER_DOMAIN")]
    domain: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    kafka: Connection,
    #[command(flatten)]
    begin: BeginArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// What to do with a message that is of no use: stop before it, or leave it out and say so
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnBad::Stop, env = "HEADWATER_ON_BAD_MESSAGE")]
    on_bad_message: OnBad,
    /// End where the topic ends now, in the place of following it
    #[arg(long, conflicts_with = "event_stream")]
    until_end: bool,
    /// Print the updates on stdout, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to listen for `headwater job`, health and metrics (HOST:PORT, port 0 for any), or none [default: 127.0.0.1:9464, or any
    /// free port if another has that]
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_LISTEN")]
    listen: Option<String>,
    /// The form of the lines on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "HEADWATER_LOG_FORMAT")]
    log_format: LogFormat,
}

/// Where messages come from.
#[derive(Debug, clap::Args)]
struct SourceArgs {
    /// The topic of mutations, of one partition
    #[arg(long, value_name = "NAME", env = "HEADWATER_MUTATION_TOPIC", requires = "brokers")]
    topic: Option<String>,
    /// Read messages over HTTP: the URL of a stream of Wikimedia's EventStreams
    #[arg(long, value_name = "URL", env = "HEADWATER_MUTATION_STREAM")]
    event_stream: Option<String>,
    /// Read messages from files, a line each; patterns are expanded
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    messages: Vec<String>,
    /// The consumer group whose offset --committed means
    #[arg(long, value_name = "NAME", default_value = GROUP, env = "HEADWATER_GROUP")]
    group: String,
    /// How much later than asked for a stream over HTTP may begin or go on: more is a gap, in which messages may be lost
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_GAP_TOLERANCE", value_parser = Span::parse)]
    gap_tolerance: Span,
    /// Go on in spite of a gap in the stream: the store must be verified, or loaded anew
    #[arg(long, requires = "event_stream")]
    accept_gap: bool,
    /// Whom to ask in the place of a host, such as stream.wikimedia.org=https://localhost:6500
    #[arg(long = "route", value_name = "HOST=URL", env = "HEADWATER_ROUTE", value_delimiter = ',')]
    routes: Vec<String>,
    /// What to say in the header User-Agent: who you are and how to be reached, as Wikimedia asks
    #[arg(long, value_name = "TEXT", env = "HEADWATER_USER_AGENT")]
    user_agent: Option<String>,
}

/// Where to begin, if the store does not say.
#[derive(Debug, clap::Args)]
struct BeginArgs {
    /// Begin when the dump began with which the store was loaded, less --margin: what `import` wrote, or its _manifest.json
    #[arg(long, value_name = "DIR|FILE")]
    manifest: Option<String>,
    /// Begin with the first message that was written at this time or later, with Z or an offset
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    since: Option<Timestamp>,
    /// Begin with the first message there is
    #[arg(long, conflicts_with = "event_stream")]
    earliest: bool,
    /// Begin where --group has committed that it goes on, as after upstream's consumer
    #[arg(long, requires = "topic")]
    committed: bool,
    /// Begin so much before the dump did: what comes twice does no harm, what is missed does
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_MARGIN", value_parser = Span::parse)]
    margin: Span,
    /// Begin there even if the store says where it is
    #[arg(long, requires = "begin")]
    anew: bool,
}

/// Which store, and how.
#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// What the store is: how large its updates are, and where they go
    #[arg(long, value_enum, value_name = "KIND", default_value_t = StoreKind::Sparql, env = "HEADWATER_STORE")]
    store: StoreKind,
    /// The store's endpoint of queries
    #[arg(long, value_name = "URL", env = "HEADWATER_SPARQL", required_unless_present = "dry_run")]
    sparql: Option<String>,
    /// Its endpoint of updates [default: that of queries; of Oxigraph /update beside it]
    #[arg(long, value_name = "URL", env = "HEADWATER_SPARQL_UPDATE")]
    sparql_update: Option<String>,
    /// A file with the token that the store wants, as QLever does; or in HEADWATER_SPARQL_TOKEN
    #[arg(long, value_name = "FILE", env = "HEADWATER_SPARQL_TOKEN_FILE")]
    sparql_token_file: Option<String>,
    /// How long the store may be silent over an update
    #[arg(long, value_name = "TIME", default_value = "5m", env = "HEADWATER_SPARQL_TIMEOUT", value_parser = Span::parse)]
    sparql_timeout: Span,
    /// Try again for that long after a failure of the store or of the stream, without any progress
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_GIVE_UP", value_parser = Span::parse)]
    give_up: Span,
}

/// How updates are cut.
#[derive(Debug, clap::Args)]
struct PaceArgs {
    /// Triples of an update, at most [default: by --store]
    #[arg(long, value_name = "N", env = "HEADWATER_BATCH", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// How long an update should take: with a store that is slower they become smaller
    #[arg(long, value_name = "TIME", default_value = "2s", env = "HEADWATER_BATCH_TIME", value_parser = Span::parse)]
    batch_time: Span,
    /// How long a message waits for others, at most; if none come none waits
    #[arg(long, value_name = "TIME", default_value = "3s", env = "HEADWATER_LINGER", value_parser = Span::parse)]
    linger: Span,
    /// Triples of each update that are looked at in the store before, to see whether it diverges; 0 for none
    #[arg(long, value_name = "N", default_value_t = 20, env = "HEADWATER_SAMPLE")]
    sample: u16,
}

/// A kind of store.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum StoreKind {
    /// Any that speaks SPARQL 1.1
    Sparql,
    Oxigraph,
    Blazegraph,
    Qlever,
}

impl StoreKind {
    /// How many triples an update may have. Of Blazegraph's upstream's default, of QLever's that of Wikimedia's.
    const fn most(self) -> usize {
        match self {
            Self::Blazegraph => 1_000,
            Self::Sparql => 10_000,
            Self::Oxigraph => 20_000,
            Self::Qlever => 100_000,
        }
    }

    /// Where updates go, if not where queries go.
    fn update_url(self, url: &str) -> Option<String> {
        let base = url.strip_suffix("/query").filter(|_| matches!(self, Self::Oxigraph))?;
        Some(format!("{base}/update"))
    }
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let config = args.config()?;
    let mut target = args.target(&config.scheme, output, env)?;
    let log = Log::new(args.log_format, output.quiet, env.now, std::io::stderr());
    let mut watcher = Watcher::new(env.now, &env.stop, Box::new(move |notice| log.tell(notice)));
    // Held to the end: who stops the consumer is to have an answer.
    let _control = control(&listen(args.listen.as_deref())?, watcher.desk(), output)?;
    let summary = service::run(&config, &mut *target, env, &mut watcher)?;
    match args.dry_run {
        true => output.note(format_args!("{summary}")),
        false => output.report(&summary)?,
    }
    Ok(())
}

impl Args {
    fn config(&self) -> Result<Config, CliError> {
        let scheme = self.wiki.wiki()?.scheme;
        if !self.source.messages.is_empty() && (self.begin.manifest.is_some() || self.begin.since.is_some()) {
            return Err(CliError::usage("files of messages are begun with --earliest: they have no times to begin at"));
        }
        let most = self.pace.batch.map_or_else(|| self.store.store.most(), |most| most as usize);
        Ok(Config {
            domain: self.domain.clone().unwrap_or_else(|| scheme.host().to_owned()),
            source: self.messages()?,
            start: self.begin.start(&scheme)?,
            is_anew: self.begin.anew,
            until_end: self.until_end,
            pace: Pace {
                first: 1_000,
                least: most.min(100),
                most,
                aim: self.pace.batch_time.duration(),
                linger: self.pace.linger.duration(),
                sample: usize::from(self.pace.sample),
                patience: Limits { pause: PAUSE, give_up: self.store.give_up.duration() },
            },
            on_bad: match self.on_bad_message {
                OnBad::Stop => OnBadRecord::Stop,
                OnBad::Skip => OnBadRecord::Skip,
            },
            run: (!self.dry_run).then(env::new_id),
            scheme,
        })
    }

    fn messages(&self) -> Result<Messages, CliError> {
        let source = &self.source;
        if let Some(url) = &source.event_stream {
            let settings = event_streams::Settings {
                routes: self.routes()?,
                user_agent: self.user_agent().to_owned(),
                tolerance: source.gap_tolerance.duration(),
                accept_gap: source.accept_gap,
                patience: Some(self.store.give_up.duration()),
                ..event_streams::Settings::new(url)
            };
            return Ok(Messages::EventStream(Box::new(Asked { settings, margin: self.begin.margin.duration() })));
        }
        if let Some(topic) = &source.topic {
            let topic = Topic::parse(topic).map_err(|error| CliError::usage(error.to_string()))?;
            return Ok(Messages::Kafka(Box::new(self.kafka.settings(&source.group)?), topic));
        }
        unpacked(&source.messages)?;
        // The store names a file as it is named here, wherever this is called.
        let absolute = |file: &String| match file.contains("://") || file.starts_with("memory:") {
            true => file.clone(),
            false => {
                std::path::absolute(file).map_or_else(|_| file.clone(), |path| path.to_string_lossy().into_owned())
            }
        };
        let files = source.messages.iter().map(|file| storage::expand(&absolute(file)));
        let files: Vec<_> = files.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut names = BTreeSet::new();
        match files.iter().map(ToString::to_string).find(|name| !names.insert(name.clone())) {
            Some(twice) => Err(CliError::usage(format!("{twice} is given twice"))),
            None => Ok(Messages::Files(files)),
        }
    }

    fn routes(&self) -> Result<Vec<Route>, CliError> {
        routes(&self.source.routes)
    }

    fn user_agent(&self) -> &str {
        self.source.user_agent.as_deref().unwrap_or(web::USER_AGENT)
    }

    /// The store; or nobody, and where it is.
    fn target(&self, scheme: &UrisScheme, output: &Output, env: &Env) -> Result<Box<dyn Target>, CliError> {
        let store = self.store.sparql.as_deref().map(|url| self.endpoint(url, scheme, env)).transpose()?;
        match (store, self.dry_run) {
            (Some(store), false) => Ok(Box::new(store)),
            (store, _) => {
                if output.json {
                    return Err(CliError::usage("--dry-run prints SPARQL, not JSON"));
                }
                let said = match store.map_or(Ok(Said::default()), |mut store| store.position()) {
                    Err(TargetError::Position(error)) => Err(error),
                    said => Ok(said?),
                };
                let to = Box::new(BufWriter::new(std::io::stdout()));
                Ok(Box::new(Printer { said, scheme: scheme.clone(), to }))
            }
        }
    }

    fn endpoint(&self, url: &str, scheme: &UrisScheme, env: &Env) -> Result<Endpoint, CliError> {
        let args = &self.store;
        let settings = sparql::Settings {
            update_url: args.sparql_update.clone().or_else(|| args.store.update_url(url)),
            token: args.token()?,
            routes: self.routes()?,
            user_agent: self.user_agent().to_owned(),
            timeout: args.sparql_timeout.duration().max(Duration::from_secs(1)),
            // What fails is tried again by the consumer, who says so.
            tries: 1,
            ..sparql::Settings::new(url)
        };
        Ok(Endpoint::new(Store::new(settings, env)?, scheme.clone()))
    }
}

impl StoreArgs {
    fn token(&self) -> Result<Option<Token>, CliError> {
        let text = match (&self.sparql_token_file, std::env::var(TOKEN)) {
            (Some(file), _) => {
                let bytes = storage::read_at_most(&Location::parse(file)?, TOKEN_BYTES)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            (None, Ok(text)) => text,
            (None, Err(_)) => return Ok(None),
        };
        Token::new(&text).map(Some).map_err(|error| CliError::usage(format!("the token of the store: {error}")))
    }
}

impl BeginArgs {
    fn start(&self, scheme: &UrisScheme) -> Result<Option<Start>, CliError> {
        Ok(match (&self.manifest, self.since) {
            (Some(place), _) => Some(Start::Time(imported(place, scheme)?.before(self.margin.duration()))),
            (None, Some(time)) => Some(Start::Time(time)),
            _ if self.earliest => Some(Start::Earliest),
            _ if self.committed => Some(Start::Committed),
            _ => None,
        })
    }
}

/// What of a manifest counts here.
#[derive(Deserialize)]
struct Imported {
    concept: String,
    start_time: Option<String>,
    options: Options,
}

#[derive(Deserialize)]
struct Options {
    skolemized: bool,
}

/// When the dump began that was imported.
fn imported(place: &str, scheme: &UrisScheme) -> Result<Timestamp, CliError> {
    let place = Location::parse(place)?;
    let file = if place.file_name() == manifest::NAME { place } else { place.join(manifest::NAME) };
    let json = storage::read_at_most(&file, MANIFEST_BYTES)?;
    let wrong = |what: String| CliError::new(Kind::Data, format!("{file}: {what}"));
    let imported: Imported =
        serde_json::from_slice(&json).map_err(|error| wrong(format!("this is no manifest of an import: {error}")))?;
    if imported.concept != scheme.concept() {
        let message = format!("it is of the wiki with entities in {}, not {}", imported.concept, scheme.concept());
        return Err(wrong(message).hint("say which wiki with --uris-scheme or --hostname"));
    }
    if !imported.options.skolemized {
        return Err(wrong("it has blank nodes, which the stream cannot remove again".to_owned())
            .hint("import without --no-skolemize"));
    }
    let time = imported
        .start_time
        .ok_or_else(|| wrong("it does not say when its dump began".to_owned()).hint("give the time with --since"))?;
    Timestamp::parse(&time).map_err(|error| wrong(format!("`{time}` is no time: {error}")))
}
