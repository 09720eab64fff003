//! `headwater bootstrap`: dumps -> savepoint.

use crate::bootstrap::{self, Config};
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::{Dumps, Existing, SavepointForm, TriplesInput};
use crate::cli::progress::Watcher;
use crate::cli::revision_map::{MapInput, MapOutput};
use crate::env::Env;
use crate::storage::Location;

/// Make a savepoint from this week's dumps, in one pass
///
/// Reads every dump once, on all cores, and writes the state that the streaming updater starts from: each entity and the
/// newest revision it has in the dumps. Ends with a report: what was found, from which time the stream must be followed,
/// and the next command. Nothing that looks like a savepoint is left behind by a run that fails or is killed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  Wikidata, from both of its dumps:
    headwater bootstrap --dump wikidata-20260105-all-BETA.ttl.gz \\
      --dump wikidata-20260109-lexemes-BETA.ttl.bz2 --savepoint-dir /srv/state/20260105

  Commons, with the revision map in 100 part files as Spark writes them:
    headwater bootstrap --uris-scheme commons --dump commons-20260104-mediainfo.ttl.bz2 \\
      --savepoint-dir /srv/state/commons --revision-map /srv/maps/commons --num-partitions 100

  From a revision map that another tool made:
    headwater bootstrap --revision-map '/srv/maps/wikidata/part-*.csv.bz2' --savepoint-dir /srv/state/20260105

  The savepoint that Flink's streaming-updater-producer starts from:
    headwater bootstrap --dump wikidata-20260105-all-BETA.ttl.gz \\
      --savepoint-dir /srv/savepoints/20260105 --savepoint-format flink --parallelism 12")]
pub struct Args {
    #[command(flatten)]
    dumps: Dumps,
    #[command(flatten)]
    triples: TriplesInput,
    /// The directory to write the savepoint to
    #[arg(long, value_name = "DIR", env = "HEADWATER_SAVEPOINT_DIR")]
    savepoint_dir: String,
    #[command(flatten)]
    savepoint: SavepointForm,
    /// With --dump: also write the revision map here. Without: read it from here instead of dumps (a file, a glob or a
    /// directory of part files; CSV in any compression, or Parquet)
    #[arg(long, value_name = "FILE", env = "HEADWATER_REVISION_MAP")]
    revision_map: Option<String>,
    #[command(flatten)]
    map_input: MapInput,
    #[command(flatten)]
    map_output: MapOutput,
    /// Also write the report as JSON to this file
    #[arg(long, value_name = "FILE", env = "HEADWATER_REPORT")]
    report: Option<String>,
    #[command(flatten)]
    existing: Existing,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let config = config(args)?;
    let watcher = Watcher::start(&env.progress, output.quiet);
    let report = bootstrap::run(&config, env)?;
    drop(watcher);
    output.report(&report)
}

fn config(args: &Args) -> Result<Config, CliError> {
    let from_dumps = !args.dumps.dumps.is_empty() || args.triples.is_given();
    let existing = args.existing.policy();
    let (from, revision_map) = match &args.revision_map {
        Some(map) if from_dumps => (args.triples.or(&args.dumps)?, Some(args.map_output.target(map, existing)?)),
        Some(map) => (args.map_input.from(map)?, None),
        None if from_dumps => (args.triples.or(&args.dumps)?, None),
        None => {
            return Err(CliError::usage("no input: give the dumps with --dump, or a revision map with --revision-map"));
        }
    };
    Ok(Config {
        wiki: args.dumps.wiki.wiki()?,
        from,
        strict: args.dumps.strict,
        on_bad_entity: args.dumps.bad.policy(),
        savepoints: args.savepoint.targets(Some(&args.savepoint_dir))?,
        revision_map,
        report: args.report.as_deref().map(Location::parse).transpose()?,
        on_existing: existing,
    })
}
