//! The settings file: flags that are given neither on the command line nor in the environment.
//!
//! Promise: a setting in the file means exactly what the flag of that name means, and is checked like it.
//! In -> out: arguments -> the same arguments, and those that the file adds.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};
use toml::{Table, Value};

use crate::cli::Cli;
use crate::cli::error::CliError;

/// Completes the arguments from the file that `--config` names.
pub fn complete(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    // Errors are ignored here, since what seems missing may stand in the file. The real parse comes after.
    let Ok(matches) = Cli::command().ignore_errors(true).try_get_matches_from(&arguments) else { return Ok(arguments) };
    let Some(file) = matches.get_one::<String>("config") else { return Ok(arguments) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::usage(format!("could not read the settings file {file}: {error}")))?;
    let table: Table = text.parse().map_err(|error| CliError::usage(format!("{file} is no settings file: {error}")))?;
    let wrong = |wrong| CliError::usage(format!("{file}: {wrong}"));
    check(&Cli::command(), &table).map_err(wrong)?;
    let added = added(&Cli::command(), &matches, &table).map_err(wrong)?;
    arguments.extend(added);
    Ok(arguments)
}

/// Whether every key is a setting, and every table a command, whichever command is run.
fn check(command: &Command, table: &Table) -> Result<(), String> {
    for (key, value) in table {
        match (value, command.find_subcommand(key)) {
            (Value::Table(inner), Some(command)) => check(command, inner)?,
            (Value::Table(_), None) => return Err(format!("[{key}] is no command of `{}`", command.get_name())),
            _ if key == "config" => return Err("a settings file cannot name another".to_owned()),
            _ if command.get_arguments().any(|known| known.get_long() == Some(key)) => {}
            _ => return Err(format!("`{key}` is no setting of `{}`", command.get_name())),
        }
    }
    Ok(())
}

/// The arguments that `table`, and the tables of the chosen subcommands in it, add.
fn added(command: &Command, matches: &ArgMatches, table: &Table) -> Result<Vec<OsString>, String> {
    let mut arguments = Vec::new();
    for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        let known = command.get_arguments().find(|known| known.get_long() == Some(key));
        let given = known.and_then(|known| matches.value_source(known.get_id().as_str()));
        if matches!(given, None | Some(ValueSource::DefaultValue)) {
            push(&mut arguments, key, value)?;
        }
    }
    if let Some((name, matches)) = matches.subcommand()
        && let (Some(Value::Table(table)), Some(command)) = (table.get(name), command.find_subcommand(name))
    {
        arguments.extend(added(command, matches, table)?);
    }
    Ok(arguments)
}

fn push(arguments: &mut Vec<OsString>, key: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Boolean(false) => {}
        Value::Boolean(true) => arguments.push(format!("--{key}").into()),
        Value::String(text) => arguments.push(format!("--{key}={text}").into()),
        Value::Integer(number) => arguments.push(format!("--{key}={number}").into()),
        Value::Array(values) => values.iter().try_for_each(|value| push(arguments, key, value))?,
        _ => return Err(format!("`{key}` is a text, a whole number, true or false, or a list of such")),
    }
    Ok(())
}
