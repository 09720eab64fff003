//! `headwater savepoint list`: which savepoints there are, and which one to restore from.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::size;
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::savepoint::dir;
use crate::savepoint::flink::Form;
use crate::savepoint::list::{self, Listed};

/// Find the savepoints and checkpoints below a directory, and say which one to restore from
///
/// Finds headwater's own savepoints and checkpoints, and Flink's, such as those (chk-N) below a job's directory. One is
/// complete if its _metadata is valid and every file that it names is there; the newest of these is the one to restore from,
/// unless it is of another job. Ends with exit code 1 if there is none.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint list /srv/checkpoints/wdqs/7f3c0d5e
  headwater savepoint list /srv/savepoints --json")]
pub struct Args {
    /// The directory to look below
    dir: String,
}

pub fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    let dir = dir(&args.dir)?;
    let list::Listing { found, unseen } = list::list(&dir)?;
    let newest = list::newest(&found).map(|newest| newest.dir.to_string());
    let complete = newest.is_some();
    let listing = Listing { restore_from: newest, found: found.iter().map(Line::of).collect(), unseen };
    output.result(&listing, &listing)?;
    if complete {
        return Ok(());
    }
    let message = if found.is_empty() {
        "no savepoint or checkpoint"
    } else {
        "no complete savepoint or checkpoint of an updater"
    };
    Err(CliError::new(Kind::Data, format!("{message} below {dir}")).hint(
        "a job keeps its checkpoints below the directory of `execution.checkpointing.dir`, in one named by its id",
    ))
}

#[derive(Serialize)]
struct Listing {
    restore_from: Option<String>,
    found: Vec<Line>,
    /// What could not be looked into.
    unseen: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    location: String,
    kind: String,
    checkpoint: Option<i64>,
    written: Option<String>,
    bytes: u64,
    complete: bool,
    /// Whether headwater can read the state.
    readable: bool,
    problems: Vec<String>,
}

impl Line {
    fn of(found: &Listed) -> Self {
        let (kind, checkpoint, form) = match found.kind {
            list::Kind::Native => ("headwater savepoint".to_owned(), None, Some(Form::Canonical)),
            list::Kind::Checkpoint(id) => (
                format!("headwater checkpoint {}", id.number()),
                i64::try_from(id.number()).ok(),
                Some(Form::Canonical),
            ),
            list::Kind::Flink { checkpoint, origin, form } => {
                let origin = origin.unwrap_or("savepoint");
                let form_name = match form {
                    None => "another job's",
                    Some(Form::Canonical) => "canonical",
                    Some(Form::Heap) => "hashmap's own form",
                    Some(Form::RocksDb) => "RocksDB's own form",
                };
                (format!("Flink {origin}, {form_name}"), Some(checkpoint), form)
            }
            list::Kind::Unknown => ("of an unknown kind".to_owned(), None, None),
        };
        Self {
            location: found.dir.to_string(),
            kind,
            checkpoint,
            written: found.written.map(|written| written.to_string()),
            bytes: found.bytes,
            complete: found.is_complete(),
            readable: found.is_complete() && form == Some(Form::Canonical),
            problems: found.problems.clone(),
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.found {
            let mark = if line.complete { "complete  " } else { "incomplete" };
            let written = line.written.as_deref().unwrap_or("at an unknown time");
            writeln!(f, "{mark}  {written}  {:>9}  {}: {}", size(line.bytes), line.location, line.kind)?;
            line.problems.iter().take(3).try_for_each(|problem| writeln!(f, "            {problem}"))?;
            if line.problems.len() > 3 {
                writeln!(f, "            … and {} more (see --json)", line.problems.len() - 3)?;
            }
        }
        self.unseen.iter().try_for_each(|unseen| writeln!(f, "not seen    {unseen}"))?;
        match &self.restore_from {
            Some(newest) => writeln!(f, "restore     {newest}"),
            None => Ok(()),
        }
    }
}
