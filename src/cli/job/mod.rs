//! `headwater job …`: a running updater watched, and told to save or to stop.

mod overview;
mod peer;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::job::overview::Overview;
use crate::cli::job::peer::{Control, Peer};
use crate::env::Env;

/// Watch a running updater, or tell it to save or to stop
///
/// It is asked over HTTP at the address that it listens at, which is one of this machine unless it was started with another.
/// Any other client does as well: GET /health, /status, /metrics (for Prometheus), POST /savepoint, POST /stop.
///
/// Exit codes: 1 if the updater says no, 3 if nobody answers.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater job status
  headwater job save --to s3://state/wikidata/20260105
  headwater job stop
  curl -s http://127.0.0.1:9464/status")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Status(StatusArgs),
    Save(SaveArgs),
    Stop(StopArgs),
}

/// Show how a running updater is
///
/// What it does, how far behind it is, how fast it goes, what it could not do, and where it would go on from. With --json all
/// that it tells.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater job status
  headwater job status --control http://10.0.0.7:9464
  headwater job status --json | jq .rates.caught_up_at")]
struct StatusArgs {
    #[command(flatten)]
    control: Control,
}

/// Let a running updater take a savepoint
///
/// Waits until the savepoint is complete, and prints where it is. The updater goes on afterwards.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater job save
  headwater job save --to s3://state/wikidata/20260105")]
struct SaveArgs {
    /// Take it to this place [default: where the updater keeps its savepoints]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    control: Control,
}

/// Let a running updater stop, with a savepoint
///
/// Waits until nothing more will be done, and prints where the savepoint is. Without a savepoint the updater goes on from its
/// last checkpoint when it is started again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater job stop
  headwater job stop --to hdfs:///state/wikidata/20260105
  headwater job stop --no-savepoint")]
struct StopArgs {
    /// Take the savepoint to this place [default: where the updater keeps its savepoints]
    #[arg(long, value_name = "URL", conflicts_with = "no_savepoint")]
    to: Option<String>,
    /// Take none
    #[arg(long)]
    no_savepoint: bool,
    #[command(flatten)]
    control: Control,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match &args.action {
        Action::Status(args) => {
            let status = Peer::new(&args.control, env)?.get("/status")?;
            output.result(&status, Overview(&status))
        }
        Action::Save(args) => {
            let body = args.to.as_ref().map_or(json!({}), |to| json!({ "to": to }));
            told(&Peer::new(&args.control, env)?.post("/savepoint", &body)?, output)
        }
        Action::Stop(args) => {
            let savepoint = args.to.as_ref().map_or(json!(!args.no_savepoint), |to| json!(to));
            told(&Peer::new(&args.control, env)?.post("/stop", &json!({ "savepoint": savepoint }))?, output)
        }
    }
}

/// Prints where the savepoint is; nothing if there is none.
fn told(answer: &Value, output: &Output) -> Result<(), CliError> {
    let place = match answer.get("savepoint") {
        Some(Value::String(place)) => format!("{place}\n"),
        Some(Value::Null) => String::new(),
        _ => return Err(CliError::new(Kind::Data, "the answer does not say where the savepoint is")),
    };
    output.result(answer, place)
}
