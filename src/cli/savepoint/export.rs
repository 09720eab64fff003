//! `headwater savepoint export`: a savepoint -> a revision map.

use std::fmt;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped, size};
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::Existing;
use crate::cli::revision_map::{DeletedArg, MapOutput};
use crate::cli::savepoint::{dir, outside};
use crate::env::Env;
use crate::revision_map::{self, Written};
use crate::savepoint;

/// Write the entities of a savepoint as a revision map (CSV in any compression, or Parquet)
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint export /srv/state/20260105 --output revisions.csv.bz2
  headwater savepoint export /srv/state/20260105 --output state.parquet --deleted negative")]
pub struct Args {
    /// The savepoint's directory
    dir: String,
    /// The file to write; with --num-partitions the directory
    #[arg(long, value_name = "FILE")]
    output: String,
    /// What to do with deleted entities: leave them out, or write their revision with a minus sign as upstream's state does
    #[arg(long, value_enum, default_value_t = DeletedArg::Omit, value_name = "WHAT")]
    deleted: DeletedArg,
    #[command(flatten)]
    map_output: MapOutput,
    #[command(flatten)]
    existing: Existing,
}

pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let dir = dir(&args.dir)?;
    let (target, options) = args.map_output.target(&args.output, args.existing.policy())?;
    outside(&target, &dir)?;
    let options = revision_map::WriteOptions { deleted: args.deleted.policy(), ..options };
    revision_map::check_target(&target, &options)?;
    let contents = savepoint::read(&dir)?.whole(&dir)?;
    let stop = || env.stop.load(Ordering::Relaxed);
    let Written { files, bytes, entities, omitted } = revision_map::write(&target, &contents.state, &options, &stop)?;
    let export = Export { location: target.to_string(), files, bytes, entities, omitted };
    output.result(&export, &export)
}

#[derive(Serialize)]
struct Export {
    location: String,
    files: u64,
    bytes: u64,
    entities: u64,
    omitted: u64,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entities, size) = (grouped(self.entities), size(self.bytes));
        writeln!(f, "exported    {entities} entities to {}: {}, {size}", self.location, counted(self.files, "file"))?;
        if self.omitted > 0 {
            writeln!(f, "left out    {} deleted entities (see --deleted)", grouped(self.omitted))?;
        }
        Ok(())
    }
}
