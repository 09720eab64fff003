//! `headwater offsets …`: where a consumer group begins: planned, committed, proven, taken back.

mod apply;
pub mod connection;
mod plan;
mod rollback;
mod table;
mod verify;

use std::io::{BufRead, IsTerminal, Write};

use clap::Subcommand;

use crate::cli::Output;
use crate::cli::error::CliError;
use crate::env::Env;
use crate::offsets::OffsetsError;
use crate::storage::{self, Location, StorageError};

/// Position a Kafka consumer group at a time: plan, apply, verify, or roll back
///
/// A plan changes nothing. It shows for every partition the offset, the time of the record there and of the one before it, and
/// what could be lost or repeated. Apply commits exactly the plan, if the world is still as it was, and saves what was there.
///
/// Secrets are read from the file of --kafka-properties, or from HEADWATER_KAFKA_PASSWORD (sasl.password).
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater offsets plan --brokers kafka1:9092 --group wdqs_streaming_updater --preset wdqs \\
    --prefix eqiad. --prefix codfw. --savepoint /srv/state/20260105 --output plan.json
  headwater offsets apply plan.json --brokers kafka1:9092
  headwater offsets verify plan.json --brokers kafka1:9092
  headwater offsets rollback plan.previous.json --brokers kafka1:9092")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Plan(plan::Args),
    Apply(apply::Args),
    Verify(verify::Args),
    Rollback(rollback::Args),
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match &args.action {
        Action::Plan(args) => plan::run(args, env, output),
        Action::Apply(args) => apply::run(args, env, output),
        Action::Verify(args) => verify::run(args, env, output),
        Action::Rollback(args) => rollback::run(args, env, output),
    }
}

/// Whether to commit without being asked, and where what was committed before is saved.
#[derive(Debug, clap::Args)]
struct Care {
    /// Do not ask for confirmation; needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Save the offsets from before to this file, which must not exist [default: FILE.previous.json]
    #[arg(long, value_name = "FILE")]
    save: Option<String>,
}

impl Care {
    /// Where the offsets from before go, if the file that is worked on is `file`; nothing is there yet, and somebody can
    /// confirm.
    fn ready(&self, file: &str) -> Result<Location, CliError> {
        if !self.yes && !is_terminal() {
            return Err(CliError::usage("there is no terminal to ask for confirmation").hint("pass --yes to confirm"));
        }
        let save = self.save.clone().unwrap_or_else(|| format!("{}.previous.json", file.trim_end_matches(".json")));
        let save = Location::parse(&save)?;
        if storage::exists(&save)? {
            return Err(saved_already(&save));
        }
        Ok(save)
    }

    /// Whether it asks.
    fn asks(&self) -> bool {
        !self.yes
    }

    /// Asks, unless that is not wanted.
    fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        // If stderr is gone, the answer is missing too.
        let _ = write!(std::io::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        let _ = std::io::stdin().lock().read_line(&mut answer);
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(CliError::usage("not confirmed; nothing was changed"))
    }
}

fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn saved_already(save: &Location) -> CliError {
    CliError::usage(format!("{save} exists already; it may hold the offsets of before an earlier attempt"))
        .hint("name another file with --save; to go back to what is in this one: `headwater offsets rollback`")
}

/// The error of a commit, where the file of saved offsets may have come into being meanwhile.
fn not_committed(error: OffsetsError, save: &Location) -> CliError {
    match error {
        OffsetsError::Storage(StorageError::AlreadyExists { .. }) => saved_already(save),
        error => error.into(),
    }
}
