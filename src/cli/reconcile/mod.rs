//! `headwater reconcile …`: find what the stream missed, and ask the updater for it.

mod dump;
pub mod entities;
mod maps;
pub mod sending;
mod side_outputs;
pub mod wiki;

use clap::Subcommand;

use crate::cli::Output;
use crate::cli::error::CliError;
use crate::env::Env;

/// Find what the stream missed, and send reconcile events for it
///
/// Streams lose things: an event that came too late, a deletion that was never told, a document that could not be fetched. Upstream
/// repairs from the updater's own side outputs (`side-outputs`); a newer dump tells the rest (`dump`). Events go where the updater
/// reads them: it brings each entity to what the wiki says.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater reconcile dump --state /srv/state/now --dump wikidata-20260112-all-BETA.ttl.bz2 \\
    --dump wikidata-20260116-lexemes-BETA.ttl.bz2 --confirm-with-api --dry-run
  headwater reconcile side-outputs --side-outputs kafka:eqiad.rdf-streaming-updater.lapsed-action --from 2026-01-12T10:00:00Z \\
    --brokers kafka1:9092 --to kafka:eqiad.rdf-streaming-updater.reconcile --source wdqs_sideoutputs_reconcile@eqiad
  headwater reconcile entities Q42 L7 --to https://eventgate.example.org/v1/events --source wdqs_manual@eqiad
  headwater reconcile maps revisions-20260105.csv.bz2 revisions-20260112.csv.bz2 --output changes.csv")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Dump(Box<dump::Args>),
    SideOutputs(Box<side_outputs::Args>),
    Entities(Box<entities::Args>),
    Maps(maps::Args),
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match &args.action {
        Action::Dump(args) => dump::run(args, env, output),
        Action::SideOutputs(args) => side_outputs::run(args, env, output),
        Action::Entities(args) => entities::run(args, env, output),
        Action::Maps(args) => maps::run(args, env, output),
    }
}
