//! `headwater offsets rollback`: goes back to saved offsets.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, quote};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::offsets::connection::Connection;
use crate::cli::offsets::table::{Row, Table, or_dash};
use crate::cli::offsets::{Care, not_committed};
use crate::env::Env;
use crate::offsets::apply::commit;
use crate::offsets::rollback::{Return, Way, commits, look, read_saved};
use crate::storage::Location;

/// Restore the offsets that `apply` saved
///
/// Shows where each partition goes back to, saves what is committed now to a file, commits the saved offsets and reads them
/// back. An offset cannot be taken away through this client: for partitions where nothing was committed before, the command of
/// Kafka's own tool is told, and the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater offsets rollback plan.previous.json --brokers kafka1:9092")]
pub struct Args {
    /// The file that `apply` saved
    file: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    care: Care,
    /// Go on where records from a saved offset on are gone
    #[arg(long)]
    allow_gap: bool,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let saved = read_saved(&Location::parse(&args.file)?)?;
    let save = args.care.ready(&args.file)?;
    let cluster = args.connection.connect(&saved.group, env)?;
    let returns = look(&cluster, &saved)?;
    let commits = commits(&returns);
    let mut view = View::of(&saved.group, &returns);
    output.note(format_args!("{}", Shown(&view)));
    if returns.iter().any(|back| matches!(back.way(), Way::Gap(_))) && !args.allow_gap {
        let message = "records from a saved offset on are gone; nothing was changed";
        return Err(CliError::new(Kind::Data, message).hint("--allow-gap restores these offsets all the same"));
    }
    if !commits.is_empty() {
        args.care.confirm(&format!(
            "Restore {} of the group {}?",
            counted(commits.len() as u64, "offset"),
            saved.group
        ))?;
        commit(&cluster, &commits, &save, (env.now)()).map_err(|error| not_committed(error, &save))?;
        view.saved = Some(save.to_string());
    }
    view.restored = commits.len();
    output.result(&view, &view)?;
    view.outcome(&returns)
}

#[derive(Serialize)]
struct View {
    group: String,
    restored: usize,
    /// The file with the offsets from before the restoration.
    saved: Option<String>,
    positions: Vec<ReturnView>,
}

#[derive(Serialize)]
struct ReturnView {
    topic: String,
    partition: u32,
    saved: Option<u64>,
    current: Option<u64>,
    /// `restored`, `there`, `gap`, `to-delete` or `gone`.
    way: &'static str,
    #[serde(skip)]
    row: Row,
}

impl View {
    fn of(group: &str, returns: &[Return]) -> Self {
        let positions = returns.iter().map(ReturnView::of).collect();
        Self { group: group.to_owned(), restored: 0, saved: None, positions }
    }

    /// An error if some partitions are not as they were.
    fn outcome(&self, returns: &[Return]) -> Result<(), CliError> {
        let mut to_delete: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for back in returns.iter().filter(|back| back.way() == Way::Delete) {
            to_delete.entry(back.partition.topic.as_str()).or_default().push(back.partition.number.to_string());
        }
        let gone = returns.iter().filter(|back| back.way() == Way::Gone).count();
        if to_delete.is_empty() && gone == 0 {
            return Ok(());
        }
        let count = returns.iter().filter(|back| matches!(back.way(), Way::Delete | Way::Gone)).count();
        let error = CliError::new(Kind::Data, format!("{} could not be restored", counted(count as u64, "offset")));
        if to_delete.is_empty() {
            return Err(error.hint("their partitions are gone, or were made anew: make a new plan"));
        }
        let topics = to_delete.iter().map(|(topic, partitions)| format!(" --topic {topic}:{}", partitions.join(",")));
        Err(error.hint(format!(
            "nothing was committed for them before; take their offsets away with Kafka's own tool:\n  \
             kafka-consumer-groups.sh --bootstrap-server … --group {} --delete-offsets{}",
            quote(&self.group),
            topics.collect::<String>()
        )))
    }
}

impl ReturnView {
    fn of(back: &Return) -> Self {
        let saved = back.saved.as_ref().map(|saved| saved.offset);
        let (way, verdict, remark) = match back.way() {
            Way::Stays => ("there", "there", None),
            Way::Goes => ("restored", "restore", None),
            Way::Gap(earliest) => ("gap", "", Some(format!("gap: records up to offset {earliest} are gone"))),
            Way::Delete => ("to-delete", "", Some("nothing was committed: it must be deleted".to_owned())),
            Way::Gone => ("gone", "", Some("the partition is gone, or ends before".to_owned())),
        };
        let cells = vec![
            or_dash(back.current),
            or_dash(saved),
            or_dash(back.extent.map(|extent| extent.earliest)),
            or_dash(back.extent.map(|extent| extent.end)),
        ];
        let partition = back.partition.clone();
        let row = Row { partition, cells, verdict: verdict.to_owned(), remarks: remark.into_iter().collect() };
        Self {
            topic: back.partition.topic.to_string(),
            partition: back.partition.number,
            saved,
            current: back.current,
            way,
            row,
        }
    }
}

/// The table of it.
struct Shown<'a>(&'a View);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group       {}", self.0.group)?;
        let rows = self.0.positions.iter().map(|position| &position.row).collect();
        Table { head: &["current", "saved", "earliest", "latest"], rows }.fmt(f)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "restored    {} of the group {}", counted(self.restored as u64, "offset"), self.group)?;
        let saved = |saved| writeln!(f, "saved       {saved}: those from before the restoration");
        self.saved.iter().try_for_each(saved)
    }
}
