//! `headwater man`: manual pages.

use bytes::Bytes;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::cli::error::{CliError, Kind};
use crate::cli::runtime;
use crate::storage::{self, Location};

/// Print the manual page, or write the pages of all commands to a directory
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater man | man -l -
  headwater man --dir /usr/local/share/man/man1")]
pub struct Args {
    /// Write headwater.1, headwater-bootstrap.1, … to this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut cli = Cli::command();
    cli.build();
    match &args.dir {
        None => runtime::print(&String::from_utf8_lossy(&page(&cli)?)),
        Some(dir) => write_pages(&cli, &Location::parse(dir)?),
    }
}

fn write_pages(command: &Command, dir: &Location) -> Result<(), CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    storage::put(&dir.join(&format!("{name}.1")), Bytes::from(page(command)?))?;
    let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
    commands.into_iter().try_for_each(|command| write_pages(command, dir))
}

fn page(command: &Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| CliError::new(Kind::Data, format!("could not render the manual page: {error}")))?;
    Ok(page)
}
