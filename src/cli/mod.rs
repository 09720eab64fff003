//! The command line: words -> a configuration -> a flow -> words.
//!
//! Promise: results go to stdout, everything for people to stderr; one exit code (see `error::Kind`).
//! In -> out: arguments, environment and settings file -> a flow's `Config`; its outcome -> text or JSON.
//! Invariant: only this module knows clap, the terminal and the clock.

mod bootstrap;
mod completions;
mod consume;
mod dump_start;
mod error;
mod generate;
mod import;
mod input;
mod job;
pub mod log;
mod man;
mod munge;
mod offsets;
mod progress;
mod reconcile;
mod revision_map;
mod runtime;
mod savepoint;
mod settings;
mod sql;
mod stream;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::error::CliError;
use crate::env::Env;

/// From Wikibase RDF dumps to everything a streaming updater needs to start.
///
/// Settings come from flags, then from the environment (HEADWATER_SAVEPOINT_DIR for --savepoint-dir), then from the file
/// given with --config: a TOML file with a table for each command, such as [bootstrap] with savepoint-dir = "/srv/state".
///
/// Exit codes: 0 done; 1 bad data or failed work; 2 usage or configuration; 3 the outside world is unavailable, safe to
/// try again; 70 a bug in headwater; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    /// Print results as JSON on stdout
    #[arg(long, global = true)]
    json: bool,
    /// Print nothing on stderr but errors
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Read settings that are given neither as flags nor in the environment from this TOML file
    #[arg(long, global = true, value_name = "FILE", env = "HEADWATER_CONFIG")]
    config: Option<String>,
    /// Work on this many threads [default: one a core]
    #[arg(long, global = true, value_name = "N", env = "HEADWATER_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bootstrap(bootstrap::Args),
    Import(import::Args),
    Munge(munge::Args),
    RevisionMap(revision_map::Args),
    DumpStart(dump_start::Args),
    Savepoint(savepoint::Args),
    Offsets(offsets::Args),
    Stream(stream::StreamArgs),
    Backfill(stream::BackfillArgs),
    Consume(Box<consume::Args>),
    Job(job::Args),
    Reconcile(reconcile::Args),
    Verify(Box<verify::Args>),
    Sql(sql::Args),
    GenerateDump(generate::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How a command talks.
struct Output {
    json: bool,
    quiet: bool,
}

/// Runs the command that the arguments name, and turns its outcome into an exit code.
pub fn main() -> ExitCode {
    runtime::guarded(|| run(std::env::args_os().collect()))
}

fn run(arguments: Vec<OsString>) -> Result<(), CliError> {
    let cli = Cli::try_parse_from(settings::complete(arguments)?)?;
    runtime::use_threads(cli.threads)?;
    let env = runtime::env()?;
    let output = Output { json: cli.json, quiet: cli.quiet };
    dispatch(cli.command, &env, &output)
}

fn dispatch(command: Command, env: &Env, output: &Output) -> Result<(), CliError> {
    match command {
        Command::Bootstrap(args) => bootstrap::run(&args, env, output),
        Command::Import(args) => import::run(&args, env, output),
        Command::Munge(args) => munge::run(&args, output),
        Command::RevisionMap(args) => revision_map::run(&args, env, output),
        Command::DumpStart(args) => dump_start::run(&args, env, output),
        Command::Savepoint(args) => savepoint::run(&args, env, output),
        Command::Offsets(args) => offsets::run(&args, env, output),
        Command::Stream(args) => stream::stream(&args, env, output),
        Command::Backfill(args) => stream::backfill(&args, env, output),
        Command::Consume(args) => consume::run(&args, env, output),
        Command::Job(args) => job::run(&args, env, output),
        Command::Reconcile(args) => reconcile::run(&args, env, output),
        Command::Verify(args) => verify::run(&args, env, output),
        Command::Sql(args) => sql::run(&args, env, output),
        Command::GenerateDump(args) => generate::run(&args, env),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

impl Output {
    /// The report of a run: JSON on stdout, or text for people on stderr.
    fn report(&self, report: &(impl serde::Serialize + std::fmt::Display)) -> Result<(), CliError> {
        if self.json {
            return self.result(report, report);
        }
        self.note(format_args!("{report}"));
        Ok(())
    }

    /// Something for people to read, on stderr.
    fn note(&self, note: std::fmt::Arguments<'_>) {
        if !self.quiet {
            // If stderr is gone, there is nobody to read it.
            let _ = write!(std::io::stderr(), "{note}");
        }
    }

    /// Prints one of many results on stdout: as a line of JSON, or as text.
    fn line(&self, line: &(impl serde::Serialize + std::fmt::Display)) -> Result<(), CliError> {
        if self.json {
            let json = serde_json::to_string(line).map_err(|error| CliError::bug(&error))?;
            runtime::print(&format!("{json}\n"))
        } else {
            runtime::print(&line.to_string())
        }
    }

    /// Prints a result on stdout, as JSON or as text.
    fn result(&self, json: &impl serde::Serialize, text: impl std::fmt::Display) -> Result<(), CliError> {
        if self.json {
            let json = serde_json::to_string_pretty(json).map_err(|error| CliError::bug(&error))?;
            runtime::print(&format!("{json}\n"))
        } else {
            runtime::print(&error::printable(&text.to_string()))
        }
    }
}
