//! The batch flow: dumps (or a revision map) -> state -> savepoint, with the dump start and a report.
//!
//! Promise: when [`run`] returns `Ok`, the savepoint and the revision map that were asked for are complete; when it does
//! not, nothing is left that looks like one.
//! In -> out: [`Config`] -> [`report::Report`].
//! Invariant: everything that can be refused before hours of reading is refused before.

pub mod gather;
pub mod guard;
pub mod report;
pub mod table;

use std::sync::atomic::Ordering;

use crate::bootstrap::gather::{Gathered, Skipped};
use crate::bootstrap::guard::Refusal;
use crate::bootstrap::report::{Report, Timing};
use crate::compression::source::DecodeError;
use crate::dump::scan::Manner;
use crate::env::Env;
use crate::revision_map::{self, Negative, RevisionMapError, WriteOptions};
use crate::savepoint::native::manifest::{CREATED_BY, DumpStarts, Provenance};
use crate::savepoint::{self, OnExisting, SavepointError};
use crate::sql::SqlError;
use crate::storage::{self, Location, StorageError, Writer};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// What to do with an entity, or a part of a dump, that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadEntity {
    /// End the run with its place and the rule.
    Stop,
    /// Leave it out of the state, and list it in the report.
    Skip,
}

/// Which wiki the dumps are of.
#[derive(Clone, Debug)]
pub struct Wiki {
    /// Its namespaces.
    pub scheme: UrisScheme,
    /// Whether it is Wikidata, whose lexemes are a dump of their own.
    pub wikidata: bool,
}

/// Where the revisions come from.
#[derive(Clone, Debug)]
pub enum From {
    /// Turtle or N-Triples dumps.
    Dumps(Vec<Location>),
    /// A triples table: a directory of Parquet files, or a pattern.
    Triples(String),
    /// `entity,revision` files.
    RevisionMap {
        /// The files.
        files: Vec<Location>,
        /// What a negative revision means.
        negative: Negative,
    },
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// The wiki.
    pub wiki: Wiki,
    /// The input.
    pub from: From,
    /// Whether to read every statement of the dumps.
    pub strict: bool,
    /// What to do with what breaks a rule.
    pub on_bad_entity: OnBadEntity,
    /// The savepoints to write: of one state, in directories and formats of their own.
    pub savepoints: Vec<savepoint::Target>,
    /// The revision map to write, if one is wanted: a file, or a directory of part files.
    pub revision_map: Option<(Location, WriteOptions)>,
    /// The file to write the report to as JSON, if it is wanted.
    pub report: Option<Location>,
    /// What to do where the output exists.
    pub on_existing: OnExisting,
}

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// Something in a dump breaks a rule.
    #[error(
        "{}: byte {} of the text (line {}): {}: {}",
        _0.location, _0.place.offset, _0.place.line + 1, _0.broken.subject, _0.broken.rule
    )]
    BadEntity(Box<Skipped>),
    /// A dump ends within a statement; what follows is not known, so it cannot be skipped.
    #[error(
        "{}: byte {} of the text (line {}): {}: {}",
        _0.location, _0.place.offset, _0.place.line + 1, _0.broken.subject, _0.broken.rule
    )]
    Unfinished(Box<Skipped>),
    /// The input is not fit to start an updater from.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A dump could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A revision map could not be read or written.
    #[error(transparent)]
    RevisionMap(#[from] RevisionMapError),
    /// A triples table could not be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A triples table is damaged, or is none.
    #[error("the triples table {table} cannot be used")]
    Table {
        /// Where it is.
        table: String,
        /// What is wrong.
        source: Box<SqlError>,
    },
    /// The savepoint could not be written.
    #[error(transparent)]
    Savepoint(#[from] SavepointError),
    /// Input or output could not be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An input is given twice.
    #[error("{0} is given twice")]
    Twice(Location),
    /// Two outputs, or an output and an input, are one place.
    #[error("{0} and {1} are in one place: one would destroy the other")]
    Clash(Location, Location),
    /// The run was asked to end.
    #[error("stopped before the end; nothing was written")]
    Stopped,
}

/// Gathers, guards, publishes, reports.
pub fn run(config: &Config, env: &Env) -> Result<Report, BootstrapError> {
    let mut timing = Timing { started: (env.now)(), ..Timing::default() };
    refuse_clashes(config, None)?;
    refuse_existing(config)?;
    let gathered = gather(config, env)?;
    timing.read = (env.now)();
    guard::refuse(&gathered, config.wiki.scheme.entity_data())?;
    env.progress.writing.store(true, Ordering::Relaxed);
    let written = publish(config, &gathered, env)?;
    timing.written = (env.now)();
    let report = Report::new(config, &gathered, written, timing);
    // Millions of pages are given back while the report is written; a process that ends does not wait for that.
    rayon::spawn(move || drop(gathered));
    if let Some(file) = &config.report {
        storage::put(file, report::to_json(&report).into())?;
    }
    Ok(report)
}

/// What a run wrote.
#[derive(Debug, Default)]
pub struct Published {
    /// The bytes and files of each savepoint.
    pub savepoints: Vec<savepoint::Written>,
    /// The revision map's bytes and files.
    pub revision_map: Option<revision_map::Written>,
}

/// Refuses outputs that would destroy each other or an input.
pub fn refuse_clashes(config: &Config, more: Option<&Location>) -> Result<(), BootstrapError> {
    let map = config.revision_map.as_ref().map(|(target, _)| target);
    let savepoints = config.savepoints.iter().map(|target| &target.dir);
    let outputs: Vec<_> = savepoints.chain([map, config.report.as_ref(), more].into_iter().flatten()).collect();
    let inputs: Vec<Location> = match &config.from {
        From::Dumps(files) | From::RevisionMap { files, .. } => files.clone(),
        From::Triples(text) => vec![Location::parse(text)?],
    };
    for (at, output) in outputs.iter().enumerate() {
        let mut others = outputs[..at].iter().copied().chain(&inputs);
        if let Some(other) = others.find(|other| other.overlaps(output)) {
            return Err(BootstrapError::Clash(other.clone(), (*output).clone()));
        }
    }
    Ok(())
}

/// Refuses to write where something is already, or nothing can be.
pub fn refuse_existing(config: &Config) -> Result<(), BootstrapError> {
    if let Some(report) = &config.report {
        if config.on_existing == OnExisting::Refuse && storage::exists(report)? {
            return Err(StorageError::AlreadyExists { location: report.clone() }.into());
        }
        // Begun and dropped, it leaves nothing, and shows now what would else show after hours.
        Writer::create(report)?;
    }
    config.savepoints.iter().try_for_each(|target| savepoint::check_target(target, config.on_existing))?;
    if let Some((target, options)) = &config.revision_map {
        revision_map::check_target(target, options)?;
    }
    Ok(())
}

/// How the dumps are scanned.
pub fn manner(config: &Config) -> Manner<'_> {
    Manner { scheme: &config.wiki.scheme, strict: config.strict }
}

fn gather(config: &Config, env: &Env) -> Result<Gathered, BootstrapError> {
    match &config.from {
        From::Dumps(dumps) => gather::dumps(dumps, manner(config), config.on_bad_entity, env),
        From::Triples(text) => table::triples(text, env),
        From::RevisionMap { files, negative } => gather::revision_map(files, *negative, config.on_bad_entity, env),
    }
}

/// Writes the revision map and the savepoints that were asked for, or leaves nothing of any.
pub fn publish(config: &Config, gathered: &Gathered, env: &Env) -> Result<Published, BootstrapError> {
    let mut published = Published::default();
    let stop = || env.stop.load(Ordering::Relaxed);
    if let Some((target, options)) = &config.revision_map {
        published.revision_map = Some(revision_map::write(target, &gathered.table, options, &stop)?);
    }
    let made = provenance(config, gathered, (env.now)());
    for target in &config.savepoints {
        match savepoint::write(target, &gathered.table, &made, config.on_existing, &stop) {
            Ok(written) => published.savepoints.push(written),
            Err(error) => {
                // Nothing is left of a run that failed; and a rerun is not refused for the sake of half of the outputs.
                config.savepoints.iter().take(published.savepoints.len()).try_for_each(savepoint::delete)?;
                if let Some((target, options)) = &config.revision_map {
                    revision_map::delete(target, options)?;
                }
                return Err(error.into());
            }
        }
    }
    Ok(published)
}

fn provenance(config: &Config, gathered: &Gathered, now: Timestamp) -> Provenance {
    let headers = gathered.headers();
    Provenance {
        created_at: now,
        created_by: CREATED_BY.to_owned(),
        inputs: gathered.inputs.clone(),
        concept: config.wiki.scheme.concept().to_owned(),
        entity_data: config.wiki.scheme.entity_data().to_owned(),
        dump_starts: headers.oldest().zip(headers.newest()).map(|(oldest, newest)| DumpStarts {
            oldest,
            newest,
            headers: headers.count,
        }),
    }
}
