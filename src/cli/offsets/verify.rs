//! `headwater offsets verify`: proves by the records that a group begins where it should.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::offsets::connection::Connection;
use crate::cli::offsets::table::{Row, Table, or_dash};
use crate::env::Env;
use crate::kafka::Record;
use crate::offsets::apply::read_plan;
use crate::offsets::plan::Plan;
use crate::offsets::verify::{Checked, verify};
use crate::storage::Location;

/// Prove that a group begins where its plan says, by the records themselves
///
/// Reads back every committed offset, and the records around it: the one there must be of the start or later, the one before it
/// earlier. Ends with exit code 1 if anything is not so, and lists all of it. To be run before the group begins to read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater offsets verify plan.json --brokers kafka1:9092")]
pub struct Args {
    /// The file that `plan` wrote
    plan: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let plan = read_plan(&Location::parse(&args.plan)?)?;
    let cluster = args.connection.connect(&plan.group, env)?;
    let view = View::of(&plan, &verify(&cluster, &plan)?);
    output.result(&view, &view)?;
    if view.wrong == 0 {
        return Ok(());
    }
    let message = format!("{} of {} are not proven", grouped(view.wrong), counted(view.checked, "offset"));
    Err(CliError::new(Kind::Data, message).hint(
        "if an apply broke off: go back with `headwater offsets rollback` and the file that it saved, or make a new plan",
    ))
}

#[derive(Serialize)]
struct View {
    group: String,
    start_time: String,
    checked: u64,
    wrong: u64,
    positions: Vec<CheckedView>,
}

#[derive(Serialize)]
struct CheckedView {
    topic: String,
    partition: u32,
    planned: u64,
    committed: Option<u64>,
    record_time: Option<String>,
    before_time: Option<String>,
    problems: Vec<String>,
    #[serde(skip)]
    row: Row,
}

impl View {
    fn of(plan: &Plan, checked: &[Checked]) -> Self {
        Self {
            group: plan.group.clone(),
            start_time: plan.start.time().to_string(),
            checked: checked.len() as u64,
            wrong: checked.iter().filter(|checked| !checked.problems.is_empty()).count() as u64,
            positions: checked.iter().map(CheckedView::of).collect(),
        }
    }
}

impl CheckedView {
    fn of(checked: &Checked) -> Self {
        let time = |record: Option<Record>| record.and_then(|record| record.time).map(|time| time.to_string());
        let (record_time, before_time) = (time(checked.around.at), time(checked.around.before));
        let problems: Vec<_> = checked.problems.iter().map(ToString::to_string).collect();
        let cells = vec![
            checked.planned.to_string(),
            or_dash(checked.committed),
            or_dash(record_time.as_ref()),
            or_dash(before_time.as_ref()),
        ];
        let verdict = if problems.is_empty() { "proven" } else { "" }.to_owned();
        let row = Row { partition: checked.partition.clone(), cells, verdict, remarks: problems.clone() };
        Self {
            topic: checked.partition.topic.to_string(),
            partition: checked.partition.number,
            planned: checked.planned,
            committed: checked.committed,
            record_time,
            before_time,
            problems,
            row,
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group       {}", self.group)?;
        writeln!(f, "start       {}", self.start_time)?;
        let rows = self.positions.iter().map(|position| &position.row).collect();
        Table { head: &["planned", "committed", "its record", "the one before"], rows }.fmt(f)?;
        writeln!(f, "verdict     {} of {} proven", grouped(self.checked - self.wrong), counted(self.checked, "offset"))
    }
}
