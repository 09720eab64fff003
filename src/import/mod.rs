//! The batch flow with triples: dumps -> munged triples, and all that `bootstrap` makes, in one pass.
//!
//! Promise: when [`run`] returns `Ok`, the triples, the savepoint and the revision map agree: an entity is at the revision whose
//! triples were written. When it does not, nothing is left that looks finished.
//! In -> out: [`Config`] -> [`report::Report`].
//! Invariant: of an entity that the dumps hold twice the first counts, for its triples and its revision alike; an entity that
//! cannot be munged is in none of the outputs, and on the list.

pub mod flow;
pub mod journal;
pub mod manifest;
mod memory;
pub mod output;
pub mod report;
pub mod target;
pub mod worker;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use crate::bootstrap::gather::refuse_twice;
use crate::bootstrap::report::{Timing, to_json};
use crate::bootstrap::{self, BootstrapError, From, guard};
use crate::compression::Compression;
use crate::compression::source::Source;
use crate::dump::facts::Fact;
use crate::dump::read;
use crate::env::Env;
use crate::import::flow::Imported;
use crate::import::manifest::Manifest;
use crate::import::report::Report;
use crate::munge;
use crate::rdf::ntriples::Encoding;
use crate::savepoint;
use crate::storage::{self, Location, StorageError};
use crate::triples::{Format, TriplesError};
use crate::wikibase::timestamp::Timestamp;

/// What to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// The dumps, the wiki, and what `bootstrap` makes of them.
    pub base: bootstrap::Config,
    /// The directory to write to; for a table, its root.
    pub output: Location,
    /// What to write.
    pub format: Format,
    /// How text is compressed.
    pub compression: Compression,
    /// How a table's cells are written.
    pub encoding: Encoding,
    /// What may be left out.
    pub munge: munge::Options,
    /// Whether no triple is to be written twice.
    pub distinct: bool,
    /// When a new file begins.
    pub files: Files,
    /// The table's partition.
    pub partition: Partition,
    /// Zstandard's level for a table; 0: none.
    pub level: i32,
    /// Rows of a row group, about.
    pub group_rows: usize,
    /// Entities that may be bad before the run ends.
    pub max_bad: u64,
    /// Bytes of memory that the run may use, beside the state of the entities. Row groups are smaller if they must.
    pub memory: u64,
    /// A local directory for what does not fit into memory; `None`: beside the output, or the system's.
    pub scratch: Option<PathBuf>,
    /// What to do where an import is already.
    pub on_existing: OnExisting,
}

/// What to do where an import is already, finished or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// End before anything is touched.
    Refuse,
    /// Replace it.
    Overwrite,
    /// Go on with it, if it is not finished.
    Resume,
}

/// When a new file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// After so many entities.
    Entities(u64),
    /// So that there are about so many, each of about the same share of the input.
    Count(u64),
    /// After so many compressed bytes of input.
    Bytes(u64),
    /// There is one.
    One,
}

/// The Hive partition that a table's files belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// As `20251215`; `None`: the day of the first header.
    pub date: Option<String>,
    /// As `wikidata`.
    pub wiki: String,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What `bootstrap` could not do either.
    #[error(transparent)]
    Bootstrap(Box<BootstrapError>),
    /// Triples could not be written.
    #[error(transparent)]
    Triples(#[from] TriplesError),
    /// There is something in the way.
    #[error("{location} is not empty: {found}")]
    Occupied {
        /// The directory.
        location: Location,
        /// Something in it.
        found: Location,
        /// Whether it is of an earlier import, so that it may be replaced.
        is_ours: bool,
        /// Whether that import was finished.
        is_finished: bool,
    },
    /// The journal of the run to be resumed is damaged.
    #[error("{location} is no journal of an import")]
    BadJournal {
        /// The journal.
        location: Location,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The run to be resumed had other options or inputs.
    #[error("the interrupted run into {0} had other inputs or options")]
    OtherRun(Location),
    /// A complete file of the run to be resumed is not as that left it.
    #[error("{0} is not as the interrupted run left it")]
    Changed(Location),
    /// No header tells the day.
    #[error("{0} begins without a dump header, so the day of its partition is not known")]
    NoDate(Location),
    /// There is nothing to write.
    #[error("none of the entities could be munged; the first is in {}: byte {} of the text (line {}): {}: {}",
        first.location, first.place.offset, first.place.line + 1, first.broken.subject, first.broken.rule)]
    Nothing {
        /// The first that was skipped.
        first: Box<bootstrap::gather::Skipped>,
    },
    /// What is to hold what does not fit into memory is no directory.
    #[error("{} is no directory", .0.display())]
    NoScratch(PathBuf),
    /// Too many bad entities.
    #[error("{count} entities could not be munged, which is more than allowed; the last one is in {}: byte {} of the text (line {}): {}: {}",
        last.location, last.place.offset, last.place.line + 1, last.broken.subject, last.broken.rule)]
    TooManyBad {
        /// How many.
        count: u64,
        /// The last.
        last: Box<bootstrap::gather::Skipped>,
    },
}

impl std::convert::From<BootstrapError> for ImportError {
    fn from(error: BootstrapError) -> Self {
        Self::Bootstrap(Box::new(error))
    }
}

impl std::convert::From<StorageError> for ImportError {
    fn from(error: StorageError) -> Self {
        Self::Triples(error.into())
    }
}

/// Imports.
pub fn run(config: &Config, env: &Env) -> Result<Report, ImportError> {
    let mut timing = Timing { started: (env.now)(), ..Timing::default() };
    bootstrap::refuse_clashes(&config.base, Some(&config.output))?;
    let From::Dumps(dumps) = &config.base.from else { unreachable!("an import reads dumps") };
    refuse_twice(dumps)?;
    if let Some(scratch) = config.scratch.as_ref().filter(|scratch| scratch.exists() && !scratch.is_dir()) {
        return Err(ImportError::NoScratch(scratch.clone()));
    }
    let sources = dumps.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    env.progress.total_bytes.store(sources.iter().map(Source::size).sum(), Ordering::Relaxed);
    let dir = directory(config, &sources, env)?;
    let again = config.on_existing == OnExisting::Resume && target::has_begun_publishing(config, &dir)?;
    let base = if again { replacing(&config.base) } else { config.base.clone() };
    let config = &Config { base, ..config.clone() };
    bootstrap::refuse_existing(&config.base)?;
    let (_claim, journal) = target::prepare(&dir, config.on_existing)?;
    if again {
        target::begin_publishing(config, &dir)?;
    }
    let imported = flow::run(config, &dir, sources, journal, env)?;
    timing.read = (env.now)();
    finish(config, &dir, imported, timing, env)
}

/// The same, with what the interrupted run may have published already to be replaced. It was not there, or to be replaced, when
/// that run began.
fn replacing(base: &bootstrap::Config) -> bootstrap::Config {
    let mut base = bootstrap::Config { on_existing: savepoint::OnExisting::Overwrite, ..base.clone() };
    if let Some((_, options)) = &mut base.revision_map {
        options.overwrite = true;
    }
    base
}

fn finish(
    config: &Config,
    dir: &Location,
    imported: Imported,
    mut timing: Timing,
    env: &Env,
) -> Result<Report, ImportError> {
    guard::refuse(&imported.gathered, config.base.wiki.scheme.entity_data()).map_err(BootstrapError::from)?;
    if let (true, Some(first)) = (imported.gathered.table.is_empty(), imported.gathered.skipped.first()) {
        return Err(ImportError::Nothing { first: Box::new(first.clone()) });
    }
    env.progress.writing.store(true, Ordering::Relaxed);
    target::begin_publishing(config, dir)?;
    let published = bootstrap::publish(&config.base, &imported.gathered, env)?;
    timing.written = (env.now)();
    let manifest = Manifest::new(config, &imported, timing.written);
    let report = Report::new(config, dir, &imported, published, timing);
    target::publish(dir, &imported.files)?;
    storage::put(&dir.join(manifest::NAME), to_json(&manifest).into())?;
    storage::scratch::delete(&journal::scratch(config, dir))?;
    target::tidy(dir)?;
    if let Some(file) = &config.base.report {
        storage::put(file, to_json(&report).into())?;
    }
    Ok(report)
}

/// Where the files go.
fn directory(config: &Config, sources: &[Source], env: &Env) -> Result<Location, ImportError> {
    if config.format != Format::Parquet {
        return Ok(config.output.clone());
    }
    let date = match &config.partition.date {
        Some(date) => date.clone(),
        None => first_day(config, &sources[0], env)?,
    };
    Ok(config.output.join(&format!("date={date}/wiki={}", config.partition.wiki)))
}

/// The day of the first header of a dump, as `20251215`.
fn first_day(config: &Config, source: &Source, env: &Env) -> Result<String, ImportError> {
    let mut first: Option<Timestamp> = None;
    let read = read::read(source, bootstrap::manner(&config.base), &env.stop, &mut |found| match found.fact {
        Fact::HeaderDate(date) => {
            first = Some(date);
            ControlFlow::Break(())
        }
        Fact::Revision(..) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if let Err(read::ReadError::Decode(error)) = read {
        return Err(BootstrapError::from(error).into());
    }
    let first = first.ok_or_else(|| ImportError::NoDate(source.location().clone()))?;
    Ok(first.to_string().chars().take(10).filter(char::is_ascii_digit).collect())
}
