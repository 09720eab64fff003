//! `headwater generate-dump`: a made-up dump of any size, to try things out with.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use clap::ValueEnum;
use rayon::prelude::*;

use crate::cli::error::{CliError, Kind};
use crate::cli::input::Existing;
use crate::compression::Compression;
use crate::env::Env;
use crate::generate::profile::{Contents, Prefixes, Profile};
use crate::savepoint::OnExisting;
use crate::storage::{self, Location, StorageError, Writer};
use crate::wikibase::timestamp::Timestamp;

/// Write a made-up dump of any size in the shape of real ones, with known contents
///
/// The same options give the same bytes on every machine. The content is invented. With gzip each document is a member of
/// its own, as in Wikidata's dumps.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater generate-dump --entities 100000 --output big.ttl.gz
  headwater generate-dump --entities 5000 --contents lexemes --output lexemes.ttl --expected lexemes.csv
  headwater generate-dump --entities 100000000 --expected revisions.csv")]
pub struct Args {
    /// The file to write the dump to; .gz, .bz2 or .zst compresses it
    #[arg(long, value_name = "FILE", required_unless_present = "expected")]
    output: Option<String>,
    /// How many entities; an item takes about 9 kB of text
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    entities: u32,
    /// How many documents they are spread over, each with its own header
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::MIN.saturating_add(15))]
    documents: NonZeroU32,
    /// What the entities are
    #[arg(long, value_enum, default_value_t = ContentsArg::Items, value_name = "WHAT")]
    contents: ContentsArg,
    /// Another number gives another dump of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// When the oldest document was begun
    #[arg(long, value_name = "TIME", default_value = "2026-01-05T23:00:02Z", value_parser = Timestamp::parse)]
    start: Timestamp,
    /// Use the node prefixes of before February 2025 (s:, ref:, v:)
    #[arg(long)]
    old_prefixes: bool,
    /// Write the revision map that a reader must find in the dump, in the order of the dump, to this CSV file
    #[arg(long, value_name = "FILE")]
    expected: Option<String>,
    #[command(flatten)]
    existing: Existing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ContentsArg {
    Items,
    Lexemes,
    Mixed,
    Mediainfo,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env) -> Result<(), CliError> {
    let profile = profile(args)?;
    let place = |file: &Option<String>| file.as_deref().map(Location::parse).transpose();
    let (output, map) = (place(&args.output)?, place(&args.expected)?);
    for file in [&output, &map].into_iter().flatten() {
        if args.existing.policy() == OnExisting::Refuse && storage::exists(file)? {
            return Err(StorageError::AlreadyExists { location: file.clone() }.into());
        }
    }
    if let Some((output, map)) = output.as_ref().zip(map.as_ref()).filter(|(output, map)| output.overlaps(map)) {
        return Err(CliError::usage(format!("{output} and {map} are in one place")));
    }
    output.map_or(Ok(()), |file| dump(&profile, &file, env))?;
    map.map_or(Ok(()), |file| expected(&profile, &file))
}

fn dump(profile: &Profile, file: &Location, env: &Env) -> Result<(), CliError> {
    let compression = Compression::ALL.into_iter().rev().find(|kind| file.file_name().ends_with(kind.extension()));
    let mut writer = Writer::create(file)?;
    let documents: Vec<u32> = (0..profile.documents).collect();
    for group in documents.chunks(rayon::current_num_threads()) {
        if env.stop.load(Ordering::Relaxed) {
            return Err(CliError::new(Kind::Interrupted, "interrupted; no dump was left behind"));
        }
        let texts = group.par_iter().map(|number| document(profile, *number, compression));
        for text in texts.collect::<Vec<_>>() {
            text.and_then(|text| writer.write_all(&text)).map_err(failed)?;
        }
    }
    writer.finish()?;
    Ok(())
}

fn profile(args: &Args) -> Result<Profile, CliError> {
    if args.entities > Profile::MAX_ENTITIES {
        return Err(CliError::usage(format!("--entities is at most {}", Profile::MAX_ENTITIES)));
    }
    Ok(Profile {
        seed: args.seed,
        contents: match args.contents {
            ContentsArg::Items => Contents::Items,
            ContentsArg::Lexemes => Contents::Lexemes,
            ContentsArg::Mixed => Contents::Mixed,
            ContentsArg::Mediainfo => Contents::MediaInfo,
        },
        entities: args.entities,
        documents: args.documents.get(),
        redirects: 30,
        start: args.start,
        prefixes: if args.old_prefixes { Prefixes::Old } else { Prefixes::New },
    })
}

fn document(profile: &Profile, number: u32, compression: Option<Compression>) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    profile.write_document(number, &mut text)?;
    match compression {
        Some(compression) => compression.compress(text),
        None => Ok(text),
    }
}

fn expected(profile: &Profile, file: &Location) -> Result<(), CliError> {
    let mut writer = std::io::BufWriter::new(Writer::create(file)?);
    for (entity, revision) in profile.expected() {
        writeln!(writer, "{entity},{revision}").map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error()))?.finish()?;
    Ok(())
}

fn failed(error: std::io::Error) -> CliError {
    match error.downcast::<StorageError>() {
        Ok(error) => error.into(),
        Err(error) => CliError::new(Kind::Unavailable, format!("could not write the dump: {error}")),
    }
}
