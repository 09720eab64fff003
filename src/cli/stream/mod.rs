//! `headwater stream` and `headwater backfill`: the updater, without and with an end.

mod args;
mod event_stream;
mod events;
mod outputs;

use std::io::{BufWriter, Write};
use std::sync::Arc;

use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::Existing;
use crate::cli::log::Log;
use crate::cli::stream::args::Common;
use crate::control::{Control, Desk, Listen};
use crate::env::Env;
use crate::offsets::span::Span;
use crate::savepoint::native;
use crate::storage::Location;
use crate::updater::line::Until;
use crate::updater::notice::Notice;
use crate::updater::service::{self, Config, Events};
use crate::updater::watch::Watcher;
use crate::updater::works::Limits;
use crate::wikibase::timestamp::Timestamp;

/// Follow the wiki: every change of an entity becomes a message that says which triples change
///
/// Reads the events of changes, puts them in order, fetches what the wiki says of the entity before and after, and sends the
/// difference; each exactly once, whatever stops or kills it, as long as it is started again with the same checkpoints. Ends with
/// exit code 0 on SIGTERM or Ctrl-C, after a last checkpoint, and at the end of files of events.
///
/// It goes on from its last committed checkpoint. Where there is none it begins with --initial-state, and in Kafka where the group
/// was positioned (see `headwater offsets`), over HTTP when the dump began. It never guesses a position.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  Without any server, on the samples:
    headwater stream --initial-state target/first-savepoint --events data-samples/stream/events.ndjson \\
      --entity-data-dir data-samples/stream/entity-data --mutations target/mutations.ndjson

  Wikidata without Kafka, for everyone: from its dumps and its public stream to a file of lines:
    headwater bootstrap --dump all.ttl.gz --dump lexemes.ttl.gz --savepoint-dir state/20260105
    headwater stream \\
      --event-stream https://stream.wikimedia.org/v2/stream/mediawiki.page_change.v1 \\
      --initial-state state/20260105 --checkpoints state/checkpoints --mutations mutations.ndjson \\
      --user-agent 'My query service (https://example.org; me@example.org)'

  Wikidata, from Kafka to Kafka:
    headwater stream --brokers kafka1:9092 --group wdqs_streaming_updater --preset wdqs --prefix eqiad. --prefix codfw. \\
      --initial-state swift://rdf-streaming-updater.thanos/wikidata/20260105 \\
      --checkpoints swift://rdf-streaming-updater.thanos/wikidata/checkpoints \\
      --mutations 'kafka:eqiad.{stream}' --subgraphs wdqs-subgraph-definitions-v2.yaml")]
pub struct StreamArgs {
    #[command(flatten)]
    common: Common,
}

/// Catch up: as `stream`, but fast, and with an end
///
/// Reads until where each topic ended when it began, or a time, or a lag; then takes a last checkpoint, from which `stream` goes on.
/// A stream over HTTP is read until a time or a lag.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater backfill --brokers kafka1:9092 --group wdqs_streaming_updater --preset wdqs --prefix eqiad. \\
    --initial-state /srv/state/20260105 --checkpoints /srv/state/checkpoints --mutations 'kafka:eqiad.{stream}' --coalesce
  headwater backfill --until-lag 5m --coalesce \\
    --event-stream https://stream.wikimedia.org/v2/stream/mediawiki.page_change.v1 \\
    --initial-state state/20260105 --checkpoints state/checkpoints --mutations mutations.ndjson")]
pub struct BackfillArgs {
    #[command(flatten)]
    common: Common,
    /// End when all events up to this time are there, with Z or an offset
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse, conflicts_with = "until_lag")]
    until_time: Option<Timestamp>,
    /// End when no more than that far behind the present
    #[arg(long, value_name = "TIME", value_parser = Span::parse)]
    until_lag: Option<Span>,
    /// Make one of the edits of an entity that wait at the same time: fewer fetches and messages, the same triples in the end
    #[arg(long, env = "HEADWATER_COALESCE")]
    coalesce: bool,
    /// Edits that may wait to become one
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "coalesce", env = "HEADWATER_COALESCE_WINDOW")]
    coalesce_window: usize,
    /// Also write a savepoint to this directory at the end
    #[arg(long, value_name = "DIR")]
    savepoint_dir: Option<String>,
    #[command(flatten)]
    existing: Existing,
}

/// Runs `stream`.
pub fn stream(args: &StreamArgs, env: &Env, output: &Output) -> Result<(), CliError> {
    run(&args.common, &args.common.config(Until::default(), env)?, env, output)
}

/// Runs `backfill`.
pub fn backfill(args: &BackfillArgs, env: &Env, output: &Output) -> Result<(), CliError> {
    let millis = |span: Span| i64::try_from(span.millis()).unwrap_or(i64::MAX);
    let until = Until {
        at_end: args.until_time.is_none() && args.until_lag.is_none(),
        time: args.until_time.map(Timestamp::millis),
        lag: args.until_lag.map(millis),
    };
    let mut config = args.common.config(until, env)?;
    if until.at_end && matches!(config.source, Events::EventStream(_)) {
        return Err(
            CliError::usage("a stream over HTTP has no end").hint("say when to end with --until-lag or --until-time")
        );
    }
    if args.coalesce {
        config.limits = Limits { waiting: args.coalesce_window.max(1), coalesce: true, ..config.limits };
    }
    let savepoint = args.savepoint_dir.as_deref().map(Location::parse).transpose()?;
    if let Some(dir) = &savepoint {
        native::check_target(dir, args.existing.policy())?;
    }
    config.savepoint = savepoint.map(|dir| (dir, args.existing.policy()));
    run(&args.common, &config, env, output)
}

/// Begins to listen at the first place that can be had, if there is one.
pub fn control(places: &[Listen], desk: Arc<dyn Desk>, output: &Output) -> Result<Option<Control>, CliError> {
    let mut outcome = Ok(None);
    for place in places {
        outcome = Control::start(place, Arc::clone(&desk)).map(Some);
        if let Ok(Some(control)) = &outcome {
            output.note(format_args!("control     http://{}\n", control.address()));
            break;
        }
    }
    Ok(outcome?)
}

fn run(common: &Common, config: &Config, env: &Env, output: &Output) -> Result<(), CliError> {
    let log = Log::new(common.log_format(), output.quiet, env.now, std::io::stderr());
    let tell = move |notice: Notice| log.tell(&notice);
    let mut watcher = Watcher::new(env.now, common.savepoints()?, Box::new(tell));
    // Held to the end: who stops the updater is to have an answer.
    let _control = control(&common.listen()?, watcher.mailbox(), output)?;
    let stdout = || Box::new(BufWriter::new(std::io::stdout())) as Box<dyn Write>;
    let summary = service::run(config, stdout, env, &mut watcher)?;
    output.report(&summary)
}
