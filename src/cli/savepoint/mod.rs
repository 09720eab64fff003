//! `headwater savepoint …`: look into savepoints, check them, take them apart, turn them into others.

mod convert;
mod diff;
mod export;
mod list;
mod overview;

use clap::Subcommand;

use crate::cli::Output;
use crate::cli::error::CliError;
use crate::env::Env;
use crate::storage::Location;

/// Inspect, verify, convert, export, compare or list savepoints
///
/// Savepoints are headwater's own, or canonical ones of Flink's streaming-updater-producer; which, is told by their content. A
/// checkpoint of headwater's updater, chk-NUMBER-NONCE beside `shared`, is read wherever a savepoint is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint inspect /srv/state/20260105
  headwater savepoint verify /srv/state/20260105
  headwater savepoint export /srv/state/20260105 --output revisions.csv.bz2
  headwater savepoint convert /srv/state/20260105 --to flink --savepoint-dir /srv/savepoints/new
  headwater savepoint diff /srv/savepoints/savepoint-5f71a5-0c2d4e /srv/state/20260105
  headwater savepoint list /srv/checkpoints/wdqs")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Inspect(overview::InspectArgs),
    Verify(overview::VerifyArgs),
    Export(export::Args),
    Convert(convert::Args),
    Diff(diff::Args),
    List(list::Args),
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match &args.action {
        Action::Inspect(args) => overview::inspect(args, output),
        Action::Verify(args) => overview::verify(args, output),
        Action::Export(args) => export::run(args, env, output),
        Action::Convert(args) => convert::run(args, env, output),
        Action::Diff(args) => diff::run(args, output),
        Action::List(args) => list::run(args, output),
    }
}

/// Refuses to write into the savepoint in `dir`, which is read.
fn outside(target: &Location, dir: &Location) -> Result<(), CliError> {
    if target.overlaps(dir) {
        let message = format!("{target} and the savepoint {dir} are in one place: it would no longer be as it was");
        return Err(CliError::usage(message).hint("choose another place"));
    }
    Ok(())
}

/// The directory that `text` means: its `_metadata` means the same, as in Flink.
fn dir(text: &str) -> Result<Location, CliError> {
    let dir = text.strip_suffix("_metadata").filter(|dir| dir.is_empty() || dir.ends_with('/'));
    let dir = dir.map_or(text, |dir| if dir.is_empty() { "." } else { dir.trim_end_matches('/') });
    Ok(Location::parse(dir)?)
}
