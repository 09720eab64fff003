//! `headwater offsets apply`: commits a plan.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::counted;
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::offsets::connection::Connection;
use crate::cli::offsets::plan::View;
use crate::cli::offsets::{Care, not_committed};
use crate::env::Env;
use crate::offsets::apply;
use crate::offsets::plan::Risk;
use crate::storage::Location;

/// Commit exactly the offsets of a plan, after checking that the world is still as it was
///
/// Refuses, and commits nothing: if the group is active, or anything that matters changed since the plan; or if the plan has a
/// risk that is not allowed. Saves the offsets from before to a file first, for `rollback`, and reads back what it committed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater offsets apply plan.json --brokers kafka1:9092
  headwater offsets apply plan.json --brokers kafka1:9092 --allow-log-end --yes --save before.json")]
pub struct Args {
    /// The file that `plan` wrote
    plan: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    care: Care,
    #[command(flatten)]
    allowed: Allowed,
}

/// The risks that are taken.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Allowed {
    /// Go on where records since the start may be gone
    #[arg(long)]
    allow_gap: bool,
    /// Go on where no record is as late as the start, and begin at the end of the log
    #[arg(long)]
    allow_log_end: bool,
    /// Go on where the group would read again what it has read
    #[arg(long)]
    allow_move_back: bool,
    /// Go on where the group would never read what lies between
    #[arg(long)]
    allow_move_ahead: bool,
    /// Go on without the topics that are not there
    #[arg(long)]
    allow_unknown_topic: bool,
    /// Go on where a topic has fewer partitions than expected
    #[arg(long)]
    allow_fewer_partitions: bool,
}

impl Allowed {
    fn risks(self) -> BTreeSet<Risk> {
        let allowed = |risk: &Risk| match risk {
            Risk::Gap => self.allow_gap,
            Risk::LogEnd => self.allow_log_end,
            Risk::MoveBack => self.allow_move_back,
            Risk::MoveAhead => self.allow_move_ahead,
            Risk::UnknownTopic => self.allow_unknown_topic,
            Risk::FewerPartitions => self.allow_fewer_partitions,
        };
        Risk::ALL.into_iter().filter(allowed).collect()
    }
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let plan = apply::read_plan(&Location::parse(&args.plan)?)?;
    let saved = args.care.ready(&args.plan)?;
    let cluster = args.connection.connect(&plan.group, env)?;
    apply::check(&cluster, &plan, &args.allowed.risks(), (env.now)())?;
    output.note(format_args!("{}", View::of(&plan, None, None)));
    let count = counted(plan.positions.len() as u64, "offset");
    args.care.confirm(&format!("Commit {count} for the group {}?", plan.group))?;
    if args.care.asks() {
        // The answer may have taken its time.
        apply::check(&cluster, &plan, &args.allowed.risks(), (env.now)())?;
    }
    let commits = apply::commits(&plan);
    apply::commit(&cluster, &commits, &saved, (env.now)()).map_err(|error| not_committed(error, &saved))?;
    let done = Done {
        group: plan.group,
        committed: commits.len(),
        saved: saved.to_string(),
        next_command: format!("headwater offsets verify {}", args.plan),
    };
    output.result(&done, &done)
}

/// What was done.
#[derive(Serialize)]
struct Done {
    group: String,
    committed: usize,
    /// The file with the offsets from before.
    saved: String,
    next_command: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "committed   {} of the group {}", counted(self.committed as u64, "offset"), self.group)?;
        writeln!(f, "saved       {}: those from before, for `headwater offsets rollback`", self.saved)?;
        writeln!(f, "next        {}", self.next_command)
    }
}
