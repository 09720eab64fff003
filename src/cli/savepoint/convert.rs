//! `headwater savepoint convert`: a savepoint in one format -> in the other.

use std::fmt;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped, size};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{Existing, FormatArg, Parallelism, WikiArgs};
use crate::cli::savepoint::dir;
use crate::env::Env;
use crate::savepoint::native::manifest::{CREATED_BY, Input, Provenance};
use crate::savepoint::{self, About, Contents, Format, Written, native};
use crate::storage::Location;

/// Write the state of a savepoint as a savepoint in another format
///
/// In Flink's format it is the canonical savepoint that upstream's bootstrap job would have written: the streaming-updater-producer
/// restores it. From Flink's format, the revisions are taken; buffered events and timers have no place in our own, so a
/// savepoint with some is refused unless told otherwise. (They are in `inspect --json`.) A checkpoint of headwater's updater becomes a
/// native savepoint with all that it holds, and needs nothing outside of its directory.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater savepoint convert /srv/state/20260105 --to flink --parallelism 12 \\
    --savepoint-dir /srv/savepoints/20260105
  headwater savepoint convert /srv/savepoints/savepoint-5f71a5-0c2d4e --to native \\
    --savepoint-dir /srv/state/taken-over")]
pub struct Args {
    /// The savepoint's directory
    dir: String,
    /// The format to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: FormatArg,
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    savepoint_dir: String,
    #[command(flatten)]
    parallelism: Parallelism,
    /// Leave out buffered events and timers
    #[arg(long)]
    drop_buffered: bool,
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    existing: Existing,
}

pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let dir = dir(&args.dir)?;
    let target = args.parallelism.target(Location::parse(&args.savepoint_dir)?, args.to.format());
    if target.dir.overlaps(&dir) {
        return Err(CliError::usage(format!("{} and {dir} are in one place: one would destroy the other", target.dir)));
    }
    let existing = args.existing.policy();
    savepoint::check_target(&target, existing)?;
    let contents = savepoint::read(&dir)?.whole(&dir)?;
    let (left_out, what) = besides(&contents, target.format);
    if left_out > 0 && !args.drop_buffered {
        let message = format!("{dir} holds {left_out} {what}, which would be lost");
        return Err(CliError::new(Kind::Data, message).hint(
            "stop the job so that it drains them, or pass --drop-buffered: then follow the stream from before them",
        ));
    }
    let made = match &contents.about {
        About::Native(manifest) => manifest.made.clone(),
        About::Flink(opened, _) => provenance(args, env, &dir, opened.size().0)?,
    };
    let stop = || env.stop.load(Ordering::Relaxed);
    let (state, stream) = (&contents.state, &contents.stream);
    let Written { files, bytes } = match target.format {
        Format::Native => native::write_with_stream(&target.dir, state, &made, stream, existing, &stop)?,
        Format::Flink => savepoint::write(&target, state, &made, existing, &stop)?,
    };
    let entities = contents.state.len();
    let location = target.dir.to_string();
    let convert = Convert { location, format: target.format.name(), entities, files, bytes, left_out, what };
    output.result(&convert, &convert)
}

/// How many entries it holds that have no place in the format, and what they are.
fn besides(contents: &Contents, format: Format) -> (u64, &'static str) {
    const OURS: &str = "buffered events and mutations";
    match (&contents.about, format) {
        (About::Native(_), Format::Native) => (0, OURS),
        (About::Native(_), Format::Flink) => {
            ((contents.stream.buffered.len() + contents.stream.pending.len()) as u64, OURS)
        }
        (About::Flink(_, entries), _) => (entries.besides(), "buffered events and timers"),
    }
}

fn provenance(args: &Args, env: &Env, dir: &Location, size: u64) -> Result<Provenance, CliError> {
    let wiki = args.wiki.wiki()?;
    Ok(Provenance {
        created_at: (env.now)(),
        created_by: CREATED_BY.to_owned(),
        inputs: vec![Input { location: dir.to_string(), size }],
        concept: wiki.scheme.concept().to_owned(),
        entity_data: wiki.scheme.entity_data().to_owned(),
        dump_starts: None,
    })
}

#[derive(Serialize)]
struct Convert {
    location: String,
    format: &'static str,
    entities: u64,
    files: u64,
    bytes: u64,
    left_out: u64,
    #[serde(skip)]
    what: &'static str,
}

impl fmt::Display for Convert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (counted(self.files, "file"), size(self.bytes));
        let Self { location, format, .. } = self;
        writeln!(f, "converted   {} entities to {location} ({format}): {files}, {bytes}", grouped(self.entities))?;
        if self.left_out > 0 {
            writeln!(f, "left out    {} {}", grouped(self.left_out), self.what)?;
        }
        Ok(())
    }
}
