//! `headwater dump-start`: dumps -> the time from which the stream must be followed.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::gather;
use crate::bootstrap::report::HeaderReport;
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{Dumps, TriplesInput};
use crate::cli::progress::Watcher;
use crate::dump::headers::Headers;
use crate::dump::scan::Manner;
use crate::env::Env;
use crate::wikibase::timestamp::Timestamp;

/// Print when dumps were begun: the oldest date of all their headers
///
/// A dump is many documents, each with a header of its own; the one at the top is hardly ever the oldest. So the whole of
/// every file is read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater dump-start --dump wikidata-20260105-all-BETA.ttl.gz
  headwater dump-start --dump all.ttl.bz2 --dump lexemes.ttl.bz2 --all --json")]
pub struct Args {
    #[command(flatten)]
    dumps: Dumps,
    #[command(flatten)]
    triples: TriplesInput,
    /// List every header's date, not only the oldest
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct DumpStart {
    start_time: String,
    #[serde(flatten)]
    headers: HeaderReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    dates: Option<Vec<String>>,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let (from, wiki) = (args.triples.or(&args.dumps)?, args.dumps.wiki.wiki()?);
    let watcher = Watcher::start(&env.progress, output.quiet);
    let manner = Manner { scheme: &wiki.scheme, strict: args.dumps.strict };
    let headers = gather::headers(&from, manner, args.dumps.bad.policy(), env)?;
    drop(watcher);
    let oldest = oldest(&headers).map_err(|error| error.hint("give whole dumps; a header is a wikibase:Dump node"))?;
    let dates = args.all.then(|| headers.dates.iter().map(ToString::to_string).collect());
    let start = DumpStart { start_time: oldest.to_string(), headers: HeaderReport::of(&headers), dates };
    output.note(format_args!(
        "oldest of {} dump headers ({} without a date)\n",
        start.headers.count, start.headers.undated
    ));
    output.result(&start, &start)
}

/// The oldest date of all headers. Errors: none has one.
pub fn oldest(headers: &Headers) -> Result<Timestamp, CliError> {
    let none = || format!("no start time: {} dump headers, none with a date", headers.count);
    headers.oldest().ok_or_else(|| CliError::new(Kind::Data, none()))
}

impl fmt::Display for DumpStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dates {
            None => writeln!(f, "{}", self.start_time),
            Some(dates) => dates.iter().try_for_each(|date| writeln!(f, "{date}")),
        }
    }
}
