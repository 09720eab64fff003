//! `headwater savepoint diff`: what two savepoints disagree on.

use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::bootstrap::report::grouped;
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::Existing;
use crate::cli::savepoint::{dir, outside};
use crate::columns::{BATCH_ROWS, Column, ColumnsError, Encoder, Field, Type};
use crate::savepoint::diff::{Difference, Row, rows};
use crate::savepoint::{self, OnExisting};
use crate::state::{EntityState, StateTable};
use crate::storage::{self, Location, StorageError, Writer};

/// Rows that are gathered before they are written.
const BATCH: usize = BATCH_ROWS;
const FIELDS: &[Field] = &[
    Field { name: "entity", kind: Type::Text },
    Field { name: "difference", kind: Type::FewTexts },
    Field { name: "status_a", kind: Type::FewTexts },
    Field { name: "revision_a", kind: Type::MaybeInt64 },
    Field { name: "status_b", kind: Type::FewTexts },
    Field { name: "revision_b", kind: Type::MaybeInt64 },
];

/// Compare the states of two savepoints, of any formats
///
/// Counts the entities that only one knows, that one knows at a newer revision, or that only one holds for deleted; prints the
/// first of them, and writes all to a file. Ends with exit code 0 whether they differ or not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint diff /srv/savepoints/savepoint-5f71a5-0c2d4e /srv/state/20260105
  headwater savepoint diff old new --limit 0 --output differences.parquet")]
pub struct Args {
    /// The first savepoint's directory: A
    a: String,
    /// The second savepoint's directory: B
    b: String,
    /// How many differences to print
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Write all differences to this file: .csv, .parquet, or .json (one object a line)
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    #[command(flatten)]
    existing: Existing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Csv,
    Json,
    Parquet,
}

pub fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    let (a, b) = (dir(&args.a)?, dir(&args.b)?);
    let target = args.output.as_deref().map(|file| target(file, args.existing.policy())).transpose()?;
    if let Some((target, _)) = &target {
        outside(target, &a)?;
        outside(target, &b)?;
    }
    let of = |dir: &Location| Ok::<_, CliError>(savepoint::read(dir)?.whole(dir)?.state);
    let (state_a, state_b) = (of(&a)?, of(&b)?);
    let mut diff = Diff {
        a: a.to_string(),
        b: b.to_string(),
        entities_a: state_a.len(),
        entities_b: state_b.len(),
        ..Diff::default()
    };
    let mut counts = [0; 5];
    for row in rows(&state_a, &state_b) {
        counts[row.difference as usize] += 1;
        if diff.rows.len() < args.limit {
            diff.rows.push(Line::of(&row));
        }
    }
    [diff.only_in_a, diff.only_in_b, diff.newer_in_a, diff.newer_in_b, diff.status_differs] = counts;
    diff.different = counts.iter().sum();
    if let Some((target, form)) = &target {
        write(target, *form, &state_a, &state_b)?;
        diff.written_to = Some(target.to_string());
    }
    output.result(&diff, &diff)
}

/// Where to write, and in which form.
fn target(file: &str, existing: OnExisting) -> Result<(Location, Form), CliError> {
    let form = match file.rsplit_once('.').map(|(_, end)| end) {
        Some("csv") => Form::Csv,
        Some("json" | "jsonl" | "ndjson") => Form::Json,
        Some("parquet") => Form::Parquet,
        _ => {
            let message = format!("the name {file} does not tell the form of the differences");
            return Err(CliError::usage(message).hint("end it in .csv, .json or .parquet"));
        }
    };
    let target = Location::parse(file)?;
    if existing == OnExisting::Refuse && storage::exists(&target)? {
        return Err(StorageError::AlreadyExists { location: target }.into());
    }
    Ok((target, form))
}

fn write(target: &Location, form: Form, a: &StateTable, b: &StateTable) -> Result<(), CliError> {
    let mut writer = Writer::create(target)?;
    let mut rows = rows(a, b);
    let mut encoder = if form == Form::Parquet { Some(Encoder::new(FIELDS)?) } else { None };
    if form == Form::Csv {
        writer.append(b"entity,difference,status_a,revision_a,status_b,revision_b\n")?;
    }
    loop {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let bytes = match &mut encoder {
            Some(encoder) => {
                encoder.push(columns(&batch))?;
                encoder.take()
            }
            None => text(&batch, form)?,
        };
        writer.append(&bytes)?;
    }
    if let Some(encoder) = encoder {
        writer.append(&encoder.finish()?)?;
    }
    writer.finish()?;
    Ok(())
}

fn text(rows: &[Row], form: Form) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    for row in rows {
        let line = Line::of(row);
        if form == Form::Json {
            serde_json::to_writer(&mut text, &line).map_err(|error| CliError::bug(&error))?;
            text.push(b'\n');
        } else {
            let revision = |revision: Option<i64>| revision.map_or_else(String::new, |revision| revision.to_string());
            let (a, b) = (revision(line.revision_a), revision(line.revision_b));
            let Line { entity, difference, status_a, status_b, .. } = line;
            writeln!(text, "{entity},{difference},{status_a},{a},{status_b},{b}").map_err(CliError::stdout)?;
        }
    }
    Ok(text)
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let few = |names: &[&str], of: &dyn Fn(&Line) -> &'static str| {
        let index = |row: &Row| names.iter().position(|name| *name == of(&Line::of(row))).unwrap_or_default() as i8;
        Column::FewTexts(names.iter().map(|name| (*name).to_owned()).collect(), rows.iter().map(index).collect())
    };
    let differences = Difference::ALL.map(Difference::name);
    vec![
        Column::Text(rows.iter().map(|row| row.entity.to_string()).collect()),
        few(&differences, &|line| line.difference),
        few(&STATUSES, &|line| line.status_a),
        Column::MaybeInt64(rows.iter().map(|row| revision(row.a)).collect()),
        few(&STATUSES, &|line| line.status_b),
        Column::MaybeInt64(rows.iter().map(|row| revision(row.b)).collect()),
    ]
}

const STATUSES: [&str; 3] = ["created", "deleted", "absent"];

fn status(state: Option<EntityState>) -> &'static str {
    match state {
        Some(EntityState::Created(_)) => STATUSES[0],
        Some(EntityState::Deleted(_)) => STATUSES[1],
        None => STATUSES[2],
    }
}

/// A revision is less than 2^62.
fn revision(state: Option<EntityState>) -> Option<i64> {
    state.map(|state| state.revision().get() as i64)
}

/// A difference as it is printed.
#[derive(Serialize)]
struct Line {
    entity: String,
    difference: &'static str,
    status_a: &'static str,
    revision_a: Option<i64>,
    status_b: &'static str,
    revision_b: Option<i64>,
}

impl Line {
    fn of(row: &Row) -> Self {
        Self {
            entity: row.entity.to_string(),
            difference: row.difference.name(),
            status_a: status(row.a),
            revision_a: revision(row.a),
            status_b: status(row.b),
            revision_b: revision(row.b),
        }
    }
}

#[derive(Default, Serialize)]
struct Diff {
    a: String,
    b: String,
    entities_a: u64,
    entities_b: u64,
    different: u64,
    only_in_a: u64,
    only_in_b: u64,
    newer_in_a: u64,
    newer_in_b: u64,
    status_differs: u64,
    rows: Vec<Line>,
    written_to: Option<String>,
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A           {}: {} entities", self.a, grouped(self.entities_a))?;
        writeln!(f, "B           {}: {} entities", self.b, grouped(self.entities_b))?;
        if self.different == 0 {
            return writeln!(f, "the same    every entity has the same state in both");
        }
        for (what, count) in [
            ("only in A", self.only_in_a),
            ("only in B", self.only_in_b),
            ("newer in A", self.newer_in_a),
            ("newer in B", self.newer_in_b),
            ("status", self.status_differs),
        ] {
            writeln!(f, "{what:<11} {}", grouped(count))?;
        }
        for line in &self.rows {
            let state = |status: &str, revision: Option<i64>| match revision {
                Some(revision) => format!("{status} {revision}"),
                None => status.to_owned(),
            };
            let (a, b) = (state(line.status_a, line.revision_a), state(line.status_b, line.revision_b));
            writeln!(f, "            {:<14} {:<12} A: {a:<20} B: {b}", line.difference, line.entity)?;
        }
        let more = self.different - self.rows.len() as u64;
        if more > 0 {
            writeln!(f, "            … and {} more (see --limit and --output)", grouped(more))?;
        }
        match &self.written_to {
            Some(file) => writeln!(f, "written     {file}"),
            None => Ok(()),
        }
    }
}

impl From<ColumnsError> for CliError {
    fn from(error: ColumnsError) -> Self {
        match error {
            ColumnsError::Storage(error) => error.into(),
            error => CliError::bug(&error),
        }
    }
}
