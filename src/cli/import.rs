//! `headwater import`: dumps -> munged triples.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::bootstrap::{self, From};
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::{Dumps, Existing, MungeArgs, SavepointForm, memory};
use crate::cli::progress::Watcher;
use crate::cli::revision_map::MapOutput;
use crate::compression::Compression;
use crate::env::Env;
use crate::import::{self, Config, Files, OnExisting, Partition};
use crate::rdf::ntriples::Encoding;
use crate::savepoint::OnExisting as SavepointExisting;
use crate::storage::Location;
use crate::triples::Format;
use crate::wikibase::timestamp::Timestamp;

/// Munge dumps into triples that a query service can load, in one pass
///
/// Reads every dump once, on all cores, and writes the triples that the streaming updater's stream continues: a Parquet table,
/// or N-Triples or Turtle for a store's loader. Beside them `_manifest.json` tells from which time the stream must be followed,
/// and what was left out. Blank nodes become IRIs, as in the stream. The savepoint and the revision map that `bootstrap` makes
/// can be had in the same pass. An entity that cannot be munged is left out of all outputs and listed in the report.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  For QLever, Oxigraph or Virtuoso:
    headwater import --dump wikidata-20260105-all-BETA.ttl.gz --dump wikidata-20260109-lexemes-BETA.ttl.gz \\
      --format nt --compression zstd --output /srv/munged

  For Blazegraph's loader, 100,000 entities a file:
    headwater import --dump wikidata-20260105-all-BETA.ttl.gz --format ttl --compression gzip --chunk-size 100000 \\
      --output /srv/munged

  The triples table, and the updater's savepoint in the same pass:
    headwater import --dump wikidata-20260105-all-BETA.ttl.bz2 --format parquet --output /srv/wikibase_rdf \\
      --savepoint-dir /srv/state/20260105")]
pub struct Args {
    #[command(flatten)]
    dumps: Dumps,
    /// What to write
    #[arg(long, value_enum, env = "HEADWATER_FORMAT")]
    format: FormatArg,
    /// The directory to write to; for a table its root, below which `date=…/wiki=…` is made
    #[arg(long, value_name = "DIR", env = "HEADWATER_OUTPUT")]
    output: String,
    #[command(flatten)]
    munge: MungeArgs,
    /// Whether a triple that stands in several places of the dumps is written once. Default: exact for a table, else none
    #[arg(long, value_enum, env = "HEADWATER_DEDUP")]
    dedup: Option<Dedup>,
    /// How nt and ttl are compressed
    #[arg(long, value_enum, default_value_t = CompressionArg::None, env = "HEADWATER_COMPRESSION")]
    compression: CompressionArg,
    /// Begin a new file after this many entities
    #[arg(long, value_name = "N", env = "HEADWATER_CHUNK_SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    chunk_size: Option<u64>,
    /// Write about this many files of about the same size. Default for a table: one for each 256 MiB of dumps
    #[arg(long, value_name = "N", env = "HEADWATER_NUM_PARTITIONS", conflicts_with = "chunk_size",
        value_parser = clap::value_parser!(u64).range(1..))]
    num_partitions: Option<u64>,
    #[command(flatten)]
    table: TableArgs,
    /// End the run when more entities than this cannot be munged
    #[arg(long, value_name = "N", default_value_t = 1000, env = "HEADWATER_MAX_BAD_ENTITIES")]
    max_bad_entities: u64,
    /// How much memory the run may use, at least 256MiB, beside 9 bytes for each entity of the dumps
    #[arg(long, value_name = "SIZE", default_value = "768MiB", env = "HEADWATER_MEMORY", value_parser = enough)]
    memory: usize,
    /// A local directory for what does not fit into memory. Default: the output's own, or the system's if that is no disk
    #[arg(long, value_name = "DIR", env = "HEADWATER_TEMP_DIR")]
    temp_dir: Option<PathBuf>,
    /// Also write the savepoint that the streaming updater starts from
    #[arg(long, value_name = "DIR", env = "HEADWATER_SAVEPOINT_DIR")]
    savepoint_dir: Option<String>,
    #[command(flatten)]
    savepoint: SavepointForm,
    /// Also write the revision map; its form follows from its name, such as revisions.csv.bz2
    #[arg(long, value_name = "FILE", env = "HEADWATER_REVISION_MAP")]
    revision_map: Option<String>,
    /// Also write the report as JSON to this file
    #[arg(long, value_name = "FILE", env = "HEADWATER_REPORT")]
    report: Option<String>,
    /// Go on with a run of the same command that was interrupted, after the last file that it completed
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    existing: Existing,
}

/// Compressed bytes of dumps that make a file of a table: of gzip, about 40 million triples. A run is resumed after one.
const TABLE_FILE: u64 = 256 << 20;

/// How a table is laid out.
#[derive(Debug, clap::Args)]
struct TableArgs {
    /// The day in the table's partition, as 20260105. Default: the day of the first dump header
    #[arg(long, value_name = "YYYYMMDD", env = "HEADWATER_DATE")]
    date: Option<String>,
    /// The wiki in the table's partition. Default: wikidata, commons or the host's name
    #[arg(long, value_name = "NAME", env = "HEADWATER_WIKI")]
    wiki: Option<String>,
    /// How characters beyond ASCII stand in a table's cells: escaped as upstream's import does, or as they are [default: sesame]
    #[arg(long, value_enum, env = "HEADWATER_ENCODING")]
    encoding: Option<EncodingArg>,
    /// The level of Zstandard that a table is compressed with [default: 1]; 0: not at all
    #[arg(long, value_name = "LEVEL", env = "HEADWATER_ZSTD_LEVEL", value_parser = clap::value_parser!(i32).range(0..=19))]
    zstd_level: Option<i32>,
    /// Rows of a table's row group, about
    #[arg(long, value_name = "N", default_value_t = 262_144, env = "HEADWATER_ROW_GROUP_ROWS",
        value_parser = clap::value_parser!(u32).range(1024..=4_194_304))]
    row_group_rows: u32,
}

impl TableArgs {
    /// The first that is given of those that only a table can follow.
    fn given(&self) -> Option<&'static str> {
        let given = [
            ("--date", self.date.is_some()),
            ("--wiki", self.wiki.is_some()),
            ("--encoding", self.encoding.is_some()),
            ("--zstd-level", self.zstd_level.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

/// The memory that an import can do with.
fn enough(text: &str) -> Result<usize, String> {
    const LEAST: usize = 256 << 20;
    match memory(text)? {
        bytes if bytes < LEAST => Err("an import takes 256MiB at least".to_owned()),
        bytes => Ok(bytes),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// The triples table: context, subject, predicate, object
    Parquet,
    /// N-Triples
    Nt,
    /// Turtle
    Ttl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dedup {
    /// No triple twice
    Exact,
    /// As they come; stores drop repeats by themselves
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompressionArg {
    None,
    Gzip,
    Bzip2,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EncodingArg {
    Sesame,
    Utf8,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let config = config(args)?;
    let watcher = Watcher::start(&env.progress, output.quiet);
    let report = import::run(&config, env)?;
    drop(watcher);
    output.report(&report)
}

fn config(args: &Args) -> Result<Config, CliError> {
    let existing = args.existing.policy();
    let is_table = args.format == FormatArg::Parquet;
    if is_table && args.compression != CompressionArg::None {
        return Err(CliError::usage("--compression is for nt and ttl; a table has --zstd-level"));
    }
    if let Some(option) = args.table.given().filter(|_| !is_table) {
        return Err(CliError::usage(format!("{option} is for a table, not for nt and ttl")));
    }
    let distinct = args.dedup.unwrap_or(if is_table { Dedup::Exact } else { Dedup::None }) == Dedup::Exact;
    let files = match (args.chunk_size, args.num_partitions) {
        (Some(entities), _) => Files::Entities(entities),
        (None, Some(count)) => Files::Count(count),
        (None, None) if is_table => Files::Bytes(TABLE_FILE),
        (None, None) => Files::One,
    };
    let munge = args.munge.options();
    if !is_table && distinct && !munge.skolemize && !matches!(files, Files::One | Files::Count(1)) {
        return Err(CliError::usage("--no-skolemize with --dedup exact is for one file, or for a table").hint(
            "what entities share is written to the last file, and loaders take a blank node there for another one",
        ));
    }
    let wiki = args.dumps.wiki.wiki()?;
    let map = args.revision_map.as_deref().map(|map| MapOutput::default().target(map, existing)).transpose()?;
    let partition = Partition { date: date(args.table.date.as_deref())?, wiki: args.wiki_name()? };
    let output = Location::parse(&args.output)?;
    Ok(Config {
        scratch: args.temp_dir.clone(),
        on_existing: match existing {
            _ if args.resume => OnExisting::Resume,
            SavepointExisting::Overwrite => OnExisting::Overwrite,
            SavepointExisting::Refuse => OnExisting::Refuse,
        },
        base: bootstrap::Config {
            wiki,
            from: From::Dumps(args.dumps.locations()?),
            strict: args.dumps.strict,
            on_bad_entity: args.dumps.bad.policy_or_skip(),
            savepoints: args.savepoint.targets(args.savepoint_dir.as_deref())?,
            revision_map: map,
            report: args.report.as_deref().map(Location::parse).transpose()?,
            on_existing: existing,
        },
        output,
        format: match args.format {
            FormatArg::Parquet => Format::Parquet,
            FormatArg::Nt => Format::NTriples,
            FormatArg::Ttl => Format::Turtle,
        },
        compression: args.compression.into(),
        encoding: match args.table.encoding {
            None | Some(EncodingArg::Sesame) => Encoding::Sesame,
            Some(EncodingArg::Utf8) => Encoding::Utf8,
        },
        munge,
        distinct,
        files,
        partition,
        level: args.table.zstd_level.unwrap_or(1),
        group_rows: args.table.row_group_rows as usize,
        max_bad: args.max_bad_entities,
        memory: args.memory as u64,
    })
}

impl Args {
    fn wiki_name(&self) -> Result<String, CliError> {
        let name = self.table.wiki.clone().unwrap_or_else(|| self.dumps.wiki.name());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(CliError::usage(format!("--wiki {name:?}: a name is of letters, digits, `.`, `_` and `-`")));
        }
        Ok(name)
    }
}

fn date(date: Option<&str>) -> Result<Option<String>, CliError> {
    match date {
        Some(date) if !is_day(date) => {
            Err(CliError::usage(format!("--date {date:?} is no day: one is of 8 digits, such as 20260105")))
        }
        date => Ok(date.map(str::to_owned)),
    }
}

fn is_day(date: &str) -> bool {
    let is_plain = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && Timestamp::parse(&format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..])).is_ok()
}

impl std::convert::From<CompressionArg> for Compression {
    fn from(arg: CompressionArg) -> Self {
        match arg {
            CompressionArg::None => Self::Plain,
            CompressionArg::Gzip => Self::Gzip,
            CompressionArg::Bzip2 => Self::Bzip2,
            CompressionArg::Zstd => Self::Zstd,
        }
    }
}
