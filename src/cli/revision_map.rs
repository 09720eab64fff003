//! `headwater revision-map`: dumps -> `entity,revision`; and the arguments about revision maps.

use std::num::NonZeroU32;

use clap::ValueEnum;

use crate::bootstrap::{self, Config, From};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{Dumps, Existing, TriplesInput};
use crate::cli::progress::Watcher;
use crate::compression::Compression;
use crate::env::Env;
use crate::revision_map::{Deleted, Format, Negative, WriteOptions};
use crate::savepoint::OnExisting;
use crate::storage::{self, Location};

/// Write the revision map of dumps: each entity and its newest revision
///
/// The form follows from the name: .csv, .csv.gz, .csv.bz2, .csv.zst or .parquet. Lines are `entity,revision`, sorted by
/// entity, without a header, as upstream's Spark job writes them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater revision-map --dump wikidata-20260105-all-BETA.ttl.bz2 --output revisions.csv.bz2
  headwater revision-map --dump commons-20260104-mediainfo.ttl.gz --uris-scheme commons \\
    --output /srv/maps/commons --num-partitions 8 --format csv.bz2")]
pub struct Args {
    #[command(flatten)]
    dumps: Dumps,
    #[command(flatten)]
    triples: TriplesInput,
    /// The file to write; with --num-partitions the directory
    #[arg(long, value_name = "FILE", env = "HEADWATER_OUTPUT")]
    output: String,
    #[command(flatten)]
    map_output: MapOutput,
    #[command(flatten)]
    existing: Existing,
}

/// How a revision map is read.
#[derive(Debug, clap::Args)]
pub struct MapInput {
    /// What a negative revision in a revision map means: an error (upstream's map generator writes -1 for a version it
    /// could not read), or that the entity was deleted at that revision
    #[arg(long, value_enum, default_value_t = NegativeArg::Reject, value_name = "WHAT")]
    negative_revisions: NegativeArg,
}

/// How a revision map is written.
#[derive(Debug, Default, clap::Args)]
pub struct MapOutput {
    /// Write the revision map as a directory of N part files, as Spark does
    #[arg(long, value_name = "N")]
    num_partitions: Option<NonZeroU32>,
    /// The form of the revision map, if its name does not tell [default for part files: csv.bz2]
    #[arg(long = "format", value_name = "FORM", value_parser = ["csv", "csv.gz", "csv.bz2", "csv.zst", "parquet"])]
    format: Option<String>,
}

/// What to write of deleted entities.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeletedArg {
    Omit,
    Negative,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NegativeArg {
    Reject,
    Deleted,
}

impl DeletedArg {
    /// The policy.
    pub fn policy(self) -> Deleted {
        match self {
            Self::Omit => Deleted::Omit,
            Self::Negative => Deleted::Negative,
        }
    }
}

impl MapInput {
    /// The input that `text` (a file, a glob, a directory) means.
    pub fn from(&self, text: &str) -> Result<From, CliError> {
        let files = storage::expand(text)?;
        // Files of a directory, unlike those of a glob, are taken for the whole that Spark marks so.
        let whole = Location::parse(text)?;
        if files.iter().all(|file| file.relative_to(&whole).is_some()) && !storage::exists(&whole.join("_SUCCESS"))? {
            return Err(CliError::new(
                Kind::Data,
                format!("{text} has no _SUCCESS: its part files may not be complete"),
            )
            .hint("name the files with a glob, such as DIR/part-*, to read them all the same"));
        }
        let negative = match self.negative_revisions {
            NegativeArg::Reject => Negative::Reject,
            NegativeArg::Deleted => Negative::Deleted,
        };
        Ok(From::RevisionMap { files, negative })
    }
}

impl MapOutput {
    /// Where to write, and how.
    pub fn target(&self, text: &str, existing: OnExisting) -> Result<(Location, WriteOptions), CliError> {
        let format = match (&self.format, self.num_partitions) {
            (Some(format), _) => Format::of_name(&format!(".{format}")),
            (None, Some(_)) => Format::of_name(text).or(Some(Format::Csv(Compression::Bzip2))),
            (None, None) => Format::of_name(text),
        };
        let format = format.ok_or_else(|| {
            CliError::usage(format!("the name {text} does not tell the form of the revision map"))
                .hint("end it in .csv, .csv.gz, .csv.bz2, .csv.zst or .parquet, or pass --format")
        })?;
        let options = WriteOptions {
            format,
            partitions: self.num_partitions.map(NonZeroU32::get),
            deleted: Deleted::Omit,
            overwrite: existing == OnExisting::Overwrite,
        };
        Ok((Location::parse(text)?, options))
    }
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let existing = args.existing.policy();
    let config = Config {
        wiki: args.dumps.wiki.wiki()?,
        from: args.triples.or(&args.dumps)?,
        strict: args.dumps.strict,
        on_bad_entity: args.dumps.bad.policy(),
        savepoints: Vec::new(),
        revision_map: Some(args.map_output.target(&args.output, existing)?),
        report: None,
        on_existing: existing,
    };
    let watcher = Watcher::start(&env.progress, output.quiet);
    let report = bootstrap::run(&config, env)?;
    drop(watcher);
    output.report(&report)
}
