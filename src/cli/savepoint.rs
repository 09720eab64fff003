//! `headwater savepoint …`: look into a savepoint, check it, take its contents out.

use std::fmt;

use clap::Subcommand;
use serde::Serialize;

use crate::bootstrap::report::{counted, grouped, size};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::Existing;
use crate::cli::revision_map::{DeletedArg, MapOutput};
use crate::env::Env;
use crate::revision_map::{self, Written};
use crate::savepoint::manifest::Manifest;
use crate::savepoint::{self, Verified};
use crate::storage::Location;
use crate::wikibase::entity::EntityKind;

/// Inspect, verify or export a savepoint
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint inspect /srv/state/20260105
  headwater savepoint verify /srv/state/20260105
  headwater savepoint export /srv/state/20260105 --output revisions.csv.bz2")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Export(ExportArgs),
}

/// Print what a savepoint says of itself: how it was made, from what, how many entities, from which start time
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater savepoint inspect /srv/state/20260105")]
struct InspectArgs {
    /// The savepoint's directory
    dir: String,
}

/// Check every byte of a savepoint: sizes, checksums, order, counts
///
/// Ends with exit code 1 if anything is wrong, and lists all of it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater savepoint verify /srv/state/20260105")]
struct VerifyArgs {
    /// The savepoint's directory
    dir: String,
}

/// Write the entities of a savepoint as a revision map (CSV in any compression, or Parquet)
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint export /srv/state/20260105 --output revisions.csv.bz2
  headwater savepoint export /srv/state/20260105 --output state.parquet --deleted negative")]
struct ExportArgs {
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

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match &args.action {
        Action::Inspect(args) => inspect(args, output),
        Action::Verify(args) => verify(args, output),
        Action::Export(args) => export(args, env, output),
    }
}

fn inspect(args: &InspectArgs, output: &Output) -> Result<(), CliError> {
    let dir = Location::parse(&args.dir)?;
    let overview = Overview::of(&dir, &savepoint::inspect(&dir)?);
    output.result(&overview, &overview)
}

fn verify(args: &VerifyArgs, output: &Output) -> Result<(), CliError> {
    let dir = Location::parse(&args.dir)?;
    let Verified { manifest, problems } = savepoint::verify(&dir)?;
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let sound = problems.is_empty();
    let overview = Overview { problems: Some(problems), ..Overview::of(&dir, &manifest) };
    output.result(&overview, &overview)?;
    if sound {
        return Ok(());
    }
    Err(CliError::new(Kind::Data, format!("{dir} is damaged")).hint("restore it from a copy, or run bootstrap again"))
}

fn export(args: &ExportArgs, env: &Env, output: &Output) -> Result<(), CliError> {
    let dir = Location::parse(&args.dir)?;
    let (target, options) = args.map_output.target(&args.output, args.existing.policy())?;
    let options = revision_map::WriteOptions { deleted: args.deleted.policy(), ..options };
    revision_map::check_target(&target, &options)?;
    let (_, state) = savepoint::read(&dir)?;
    let stop = || env.stop.load(std::sync::atomic::Ordering::Relaxed);
    let Written { files, bytes, entities, omitted } = revision_map::write(&target, &state, &options, &stop)?;
    let export = Export { location: target.to_string(), files, bytes, entities, omitted };
    output.result(&export, &export)
}

/// What `inspect` and `verify` print.
#[derive(Serialize)]
struct Overview {
    location: String,
    created_at: String,
    created_by: String,
    inputs: Vec<String>,
    concept: String,
    entity_data: String,
    start_time: Option<String>,
    newest_header: Option<String>,
    headers: u64,
    kinds: Vec<KindOverview>,
    files: usize,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<String>>,
}

#[derive(Serialize)]
struct KindOverview {
    kind: &'static str,
    created: u64,
    deleted: u64,
}

/// What `export` prints.
#[derive(Serialize)]
struct Export {
    location: String,
    files: u64,
    bytes: u64,
    entities: u64,
    omitted: u64,
}

impl Overview {
    fn of(dir: &Location, manifest: &Manifest) -> Self {
        let made = &manifest.made;
        let kind = |kind: EntityKind| KindOverview {
            kind: kind.plural(),
            created: manifest.count(kind).created,
            deleted: manifest.count(kind).deleted,
        };
        Self {
            location: dir.to_string(),
            created_at: made.created_at.to_string(),
            created_by: made.created_by.clone(),
            inputs: made.inputs.iter().map(|input| input.location.clone()).collect(),
            concept: made.concept.clone(),
            entity_data: made.entity_data.clone(),
            start_time: made.dump_starts.as_ref().map(|starts| starts.oldest.to_string()),
            newest_header: made.dump_starts.as_ref().map(|starts| starts.newest.to_string()),
            headers: made.dump_starts.as_ref().map_or(0, |starts| starts.headers),
            kinds: EntityKind::ALL.into_iter().map(kind).collect(),
            files: manifest.files.len(),
            bytes: manifest.files.iter().map(|file| file.size).sum(),
            problems: None,
        }
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "savepoint   {}: {} state files, {}", self.location, self.files, size(self.bytes))?;
        writeln!(f, "made        {} by {}", self.created_at, self.created_by)?;
        for input in &self.inputs {
            writeln!(f, "from        {input}")?;
        }
        writeln!(f, "wiki        {} ({})", self.concept, self.entity_data)?;
        match &self.start_time {
            Some(start) => writeln!(f, "start time  {start} (oldest of {} dump headers)", grouped(self.headers))?,
            None => writeln!(f, "start time  not known")?,
        }
        for KindOverview { kind, created, deleted } in self.kinds.iter().filter(|kind| kind.created + kind.deleted > 0)
        {
            let deleted = if *deleted > 0 { format!(", {} deleted", grouped(*deleted)) } else { String::new() };
            writeln!(f, "{kind:<11} {}{deleted}", grouped(*created))?;
        }
        match self.problems.as_deref() {
            None => Ok(()),
            Some([]) => writeln!(f, "verified    every byte is as it was written"),
            Some(problems) => problems.iter().try_for_each(|problem| writeln!(f, "problem     {problem}")),
        }
    }
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
