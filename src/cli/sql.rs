//! `headwater sql`: a statement over tables -> rows.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::bootstrap::report::counted;
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::{Existing, memory};
use crate::env::Env;
use crate::savepoint::OnExisting;
use crate::sql::engine::Engine;
use crate::sql::form::Form;
use crate::sql::statements::{self, BuiltIn};
use crate::sql::{Settings, SqlError};
use crate::storage::{self, Location, StorageError, Writer};

/// Run a SQL statement over triples tables, revision maps and savepoints
///
/// The statement is a file, what is given with -c, or one of those that come with headwater (see --list). It only reads:
/// SELECT, WITH, EXPLAIN, DESCRIBE, SHOW. The language is that of Apache DataFusion.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater sql dump_start --table triples=/srv/tables/wikidata
  headwater sql entity_triples --table triples=/srv/tables/wikidata --set entity=Q31
  headwater sql changed_entities --table old=20260105.csv.bz2 --table new=20260112.csv.bz2 --output changes.csv
  headwater sql -c 'SELECT kind, count(*) FROM state GROUP BY kind' --table state=/srv/state/20260105
  echo 'DESCRIBE triples' | headwater sql - --table triples=/srv/tables/wikidata/date=20260105")]
pub struct Args {
    /// The statement: a file, - for stdin, or the name of one that comes with headwater
    #[arg(value_name = "FILE", required_unless_present_any = ["command", "list"])]
    file: Option<String>,
    /// The statement itself
    #[arg(short, long, value_name = "STATEMENT", conflicts_with = "file", allow_hyphen_values = true)]
    command: Option<String>,
    /// A table: its name and where it is; give it once for each table
    ///
    /// What it is, is told by its content: Parquet files (one, a pattern such as 'part-*.parquet', or all below a
    /// directory, where a name such as date=20260105 becomes a column), a savepoint, a revision map in any form.
    #[arg(long = "table", value_name = "NAME=PLACE", env = "HEADWATER_TABLE", value_delimiter = ';')]
    tables: Vec<String>,
    /// A value for a parameter of the statement; :entity has the name entity
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// What the result looks like [default: as the name of --output says, or table]
    #[arg(long, value_enum, value_name = "FORM", env = "HEADWATER_SQL_FORMAT")]
    format: Option<FormArg>,
    /// Write the result to this file
    #[arg(long, value_name = "FILE", env = "HEADWATER_OUTPUT")]
    output: Option<String>,
    #[command(flatten)]
    existing: Existing,
    /// The memory for sorting and grouping; what needs more goes to disk, into TMPDIR
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = memory, env = "HEADWATER_MEMORY")]
    memory: usize,
    /// List the statements that come with headwater, and what they read and give
    #[arg(long, conflicts_with_all = ["file", "command"])]
    list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormArg {
    Table,
    Csv,
    Json,
    Parquet,
}

impl FormArg {
    fn form(self) -> Form {
        match self {
            Self::Table => Form::Table,
            Self::Csv => Form::Csv,
            Self::Json => Form::Json,
            Self::Parquet => Form::Parquet,
        }
    }

    /// The form that a file name asks for.
    fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    if args.list {
        let list = List(statements::ALL.iter().map(Listed::of).collect());
        return output.result(&list.0, &list);
    }
    let form = form(args, output.json)?;
    let target = args.output.as_deref().map(|file| target(file, args.existing.policy())).transpose()?;
    let text = statement(args)?;
    let values = args.values.iter().map(|value| pair(value, "--set")).collect::<Result<BTreeMap<_, _>, _>>()?;
    let tables = args.tables.iter().map(|table| pair(table, "--table")).collect::<Result<Vec<_>, _>>()?;
    check_clash(&tables, target.as_ref())?;
    let engine = Engine::start(Settings { memory: args.memory, threads: rayon::current_num_threads() }, env)?;
    for (name, place) in &tables {
        engine.add_table(name, place)?;
    }
    let write = |out: &mut dyn Write| engine.query(&text, &values)?.write(form, out);
    if let Some(rows) = write_to(target.as_ref(), write)? {
        output.note(format_args!("{}\n", counted(rows, "row")));
    }
    Ok(())
}

/// How the result is to look. Errors: two forms asked for; Parquet on a terminal or in a pipe.
fn form(args: &Args, json: bool) -> Result<Form, CliError> {
    let form = match (args.format, json) {
        (None | Some(FormArg::Json), true) => FormArg::Json,
        (Some(_), true) => return Err(CliError::usage("--json and --format ask for different forms")),
        (Some(form), false) => form,
        (None, false) => args.output.as_deref().and_then(FormArg::of_name).unwrap_or(FormArg::Table),
    };
    if form == FormArg::Parquet && args.output.is_none() {
        return Err(CliError::usage("a Parquet file cannot be printed").hint("name the file with --output"));
    }
    Ok(form.form())
}

fn target(file: &str, existing: OnExisting) -> Result<Location, CliError> {
    let target = Location::parse(file)?;
    if existing == OnExisting::Refuse && storage::exists(&target)? {
        return Err(StorageError::AlreadyExists { location: target }.into());
    }
    Ok(target)
}

fn check_clash(tables: &[(String, String)], target: Option<&Location>) -> Result<(), CliError> {
    for (name, place) in tables {
        let place = Location::parse(place)?;
        if let Some(target) = target.filter(|target| target.overlaps(&place)) {
            return Err(CliError::usage(format!("the output {target} is within the table {name} ({place})"))
                .hint("choose another file"));
        }
    }
    Ok(())
}

/// The text of the statement.
fn statement(args: &Args) -> Result<String, CliError> {
    let file = match (&args.command, args.file.as_deref()) {
        (Some(command), _) => return Ok(command.clone()),
        (None, Some("-")) => {
            let unread = |error| CliError::usage(format!("the statement on stdin cannot be read: {error}"));
            return io::read_to_string(io::stdin()).map_err(unread);
        }
        (None, file) => file.unwrap_or_default(),
    };
    let location = Location::parse(file)?;
    if storage::exists(&location)? {
        let bytes = storage::read(&location)?;
        return String::from_utf8(bytes.into()).map_err(|_| CliError::usage(format!("{file} is no text in UTF-8")));
    }
    match BuiltIn::named(file) {
        Some(statement) => Ok(statement.text.to_owned()),
        None => {
            let names: Vec<_> = statements::ALL.iter().map(|statement| statement.name).collect();
            let names = names.join(", ");
            Err(CliError::usage(format!("{file} is neither a file nor a statement that comes with headwater"))
                .hint(format!("these come with it: {names}; a statement itself is given with -c")))
        }
    }
}

fn pair(text: &str, flag: &str) -> Result<(String, String), CliError> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| CliError::usage(format!("{flag} {text}: a name, = and a value are expected")))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Has the rows written and gives their number; `None` if nobody wants to read them any more.
fn write_to(
    target: Option<&Location>,
    write: impl FnOnce(&mut dyn Write) -> Result<u64, SqlError>,
) -> Result<Option<u64>, CliError> {
    let Some(target) = target else {
        return match write(&mut io::stdout().lock()) {
            Err(SqlError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
            Err(SqlError::Write(error)) => Err(CliError::stdout(error)),
            rows => Ok(Some(rows?)),
        };
    };
    let mut file = Writer::create(target)?;
    let rows = write(&mut file)?;
    file.finish()?;
    Ok(Some(rows))
}

/// A statement that comes with headwater, as `--list` shows it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    comment: Vec<&'static str>,
}

/// All of them.
struct List(Vec<Listed>);

impl Listed {
    fn of(statement: &BuiltIn) -> Self {
        Self { name: statement.name, comment: statement.comment().collect() }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Listed { name, comment }) in self.0.iter().enumerate() {
            let gap = if at > 0 { "\n" } else { "" };
            writeln!(f, "{gap}{name}")?;
            comment.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}
