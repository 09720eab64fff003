//! Dumps -> the state of every entity, and all that a report needs.
//!
//! Promise: every entity of every dump is in the table at its newest revision, or listed as skipped.
//! In -> out: locations of dumps -> [`Gathered`].

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::bootstrap::{BootstrapError, From, OnBadEntity, table};
use crate::compression::source::Source;
use crate::dump::facts::{Broken, Fact};
use crate::dump::headers::Headers;
use crate::dump::read::{self, ReadError};
use crate::dump::scan::{Found, Manner, Place};
use crate::env::Env;
use crate::revision_map::{self, BadLine, Negative, OnBadLine, ReadOptions, ReadStats};
use crate::savepoint::native::manifest::Input;
use crate::state::{Raised, StateTable};
use crate::storage::{Blob, Location, StorageError};
use crate::wikibase::timestamp::Timestamp;

/// How many skipped entities are listed; the others are only counted.
pub const LISTED: usize = 1000;

/// What the input came to.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The state of every entity.
    pub table: StateTable,
    /// After what [`dumps_by`] was given: entities of documents that were begun later, or who knows when; they are not in `table`
    /// for that.
    pub later: StateTable,
    /// Each dump, in the order given; or all files of a revision map as one.
    pub files: Vec<FileFacts>,
    /// Where the input is, and its size as it is stored.
    pub inputs: Vec<Input>,
    /// Entities that were seen more than once, by how often they were seen again.
    pub duplicates: u64,
    /// What was skipped, the first [`LISTED`] of it.
    pub skipped: Vec<Skipped>,
    /// How much was skipped in all.
    pub skipped_count: u64,
}

/// What one dump came to, or a revision map.
#[derive(Debug, Default)]
pub struct FileFacts {
    /// The file as the user named it.
    pub name: String,
    /// How it is compressed: plain, gzip, bzip2 or zstd; or that it is a revision map.
    pub form: &'static str,
    /// Its size as it is stored, in bytes.
    pub bytes: u64,
    /// Its text, in bytes and lines.
    pub text: Place,
    /// Its headers; `None` for a revision map, which has none.
    pub headers: Option<Headers>,
    /// Revisions of entities of the chosen wiki.
    pub revisions: u64,
    /// Redirects.
    pub redirects: u64,
    /// What was skipped.
    pub skipped: u64,
    /// Versions of something else.
    pub foreign: u64,
    /// The first such thing.
    pub foreign_example: Option<Box<str>>,
}

/// Something that broke a rule and was passed over.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The file.
    pub location: Location,
    /// The place in its text.
    pub place: Place,
    /// What, and which rule.
    pub broken: Broken,
}

impl Skipped {
    fn of_line(bad: &BadLine) -> Self {
        let place = match bad.place {
            revision_map::Place::Line { line, offset } => Place { offset, line: line - 1 },
            revision_map::Place::Row(row) => Place { offset: 0, line: row - 1 },
        };
        let broken = Broken { subject: bad.entity.clone(), rule: bad.rule.to_string() };
        Self { location: bad.location.clone(), place, broken }
    }
}

impl Gathered {
    /// The headers of all files.
    pub fn headers(&self) -> Headers {
        let mut all = Headers::default();
        self.files.iter().filter_map(|file| file.headers.as_ref()).for_each(|headers| all.extend(headers));
        all
    }
}

/// Reads all dumps, one after the other, each on every core.
pub fn dumps(
    dumps: &[Location],
    manner: Manner<'_>,
    on_bad_entity: OnBadEntity,
    env: &Env,
) -> Result<Gathered, BootstrapError> {
    dumps_by(dumps, manner, on_bad_entity, None, env)
}

/// As [`dumps`]; entities of documents begun after `last` are kept apart.
pub fn dumps_by(
    dumps: &[Location],
    manner: Manner<'_>,
    on_bad_entity: OnBadEntity,
    last: Option<Timestamp>,
    env: &Env,
) -> Result<Gathered, BootstrapError> {
    refuse_twice(dumps)?;
    let sources = dumps.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    env.progress.total_bytes.store(sources.iter().map(Source::size).sum(), Ordering::Relaxed);
    let mut gathered = Gathered::default();
    for source in sources {
        let source = source.counting(Arc::clone(&env.progress.bytes));
        let file = dump(&source, manner, (on_bad_entity, last), env, &mut gathered)?;
        gathered.files.push(file);
    }
    Ok(gathered)
}

/// The headers of dumps, or of what was made of them.
pub fn headers(
    from: &From,
    manner: Manner<'_>,
    on_bad_entity: OnBadEntity,
    env: &Env,
) -> Result<Headers, BootstrapError> {
    match from {
        From::Dumps(files) => Ok(dumps(files, manner, on_bad_entity, env)?.headers()),
        From::Triples(text) => table::headers(text, env),
        From::RevisionMap { .. } => Ok(Headers::default()),
    }
}

/// What is read twice is counted twice. (The files of a revision map come from one listing and are not the same.)
pub fn refuse_twice(files: &[Location]) -> Result<(), BootstrapError> {
    let twice = files.iter().enumerate().find(|(at, file)| files[..*at].iter().any(|other| other.overlaps(file)));
    twice.map_or(Ok(()), |(_, file)| Err(BootstrapError::Twice(file.clone())))
}

fn dump(
    source: &Source,
    manner: Manner<'_>,
    rules: (OnBadEntity, Option<Timestamp>),
    env: &Env,
    gathered: &mut Gathered,
) -> Result<FileFacts, BootstrapError> {
    let (name, form, bytes) = (source.location().to_string(), source.compression().name(), source.size());
    gathered.inputs.push(Input { location: name.clone(), size: bytes });
    let mut file = FileFacts { name, form, bytes, headers: Some(Headers::default()), ..FileFacts::default() };
    let mut bad = None;
    let summary = read::read(source, manner, &env.stop, &mut |found| {
        bad = take(found, source.location(), &mut file, rules, env, gathered);
        if bad.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match (bad, summary) {
        (Some(bad), _) => Err(bad),
        (None, Ok(summary)) => Ok(FileFacts { text: summary.end, ..file }),
        (None, Err(ReadError::BrokenOff)) => Err(BootstrapError::Stopped),
        (None, Err(ReadError::Decode(error))) => Err(error.into()),
    }
}

/// Takes one finding; returns it where it must end the run.
fn take(
    Found { fact, place }: Found,
    location: &Location,
    file: &mut FileFacts,
    (on_bad_entity, last): (OnBadEntity, Option<Timestamp>),
    env: &Env,
    gathered: &mut Gathered,
) -> Option<BootstrapError> {
    let mut begun = None;
    if let Some(headers) = &mut file.headers {
        headers.take(&fact);
        begun = headers.current();
    }
    match fact {
        Fact::Revision(entity, revision) => {
            file.revisions += 1;
            let is_later = last.is_some_and(|last| begun.is_none_or(|begun| begun > last));
            let table = if is_later { &mut gathered.later } else { &mut gathered.table };
            if table.raise(entity, revision) == Raised::New {
                env.progress.entities.fetch_add(1, Ordering::Relaxed);
            } else {
                gathered.duplicates += 1;
            }
        }
        Fact::Redirect(_) => file.redirects += 1,
        Fact::Foreign(subject) => {
            file.foreign += 1;
            file.foreign_example.get_or_insert(subject);
        }
        Fact::Header | Fact::HeaderDate(_) | Fact::HeaderFormat(_) => {}
        Fact::Unfinished(broken) => {
            let skipped = Skipped { location: location.clone(), place, broken: *broken };
            return Some(BootstrapError::Unfinished(Box::new(skipped)));
        }
        Fact::Bad(broken) => {
            let skipped = Skipped { location: location.clone(), place, broken: *broken };
            if on_bad_entity == OnBadEntity::Stop {
                return Some(BootstrapError::BadEntity(Box::new(skipped)));
            }
            file.skipped += 1;
            gathered.skipped_count += 1;
            if gathered.skipped.len() < LISTED {
                gathered.skipped.push(skipped);
            }
        }
    }
    None
}

/// Reads all files of a revision map.
pub fn revision_map(
    files: &[Location],
    negative: Negative,
    on_bad_entity: OnBadEntity,
    env: &Env,
) -> Result<Gathered, BootstrapError> {
    let on_bad_line = match on_bad_entity {
        OnBadEntity::Stop => OnBadLine::Stop,
        OnBadEntity::Skip => OnBadLine::Skip,
    };
    let size = |file: &Location| Ok(Input { location: file.to_string(), size: Blob::open(file)?.size() });
    let inputs = files.iter().map(size).collect::<Result<Vec<_>, StorageError>>()?;
    env.progress.total_bytes.store(inputs.iter().map(|input| input.size).sum(), Ordering::Relaxed);
    let (table, stats) = revision_map::read(files, &ReadOptions { negative, on_bad_line }, env)?;
    Ok(Gathered {
        table,
        files: vec![map_facts(&inputs, &stats)],
        inputs,
        duplicates: stats.duplicates,
        skipped_count: stats.skipped,
        skipped: stats.bad_lines.iter().map(Skipped::of_line).collect(),
        ..Gathered::default()
    })
}

fn map_facts(inputs: &[Input], stats: &ReadStats) -> FileFacts {
    let name = match inputs {
        [] => String::new(),
        [one] => one.location.clone(),
        [first, others @ ..] => format!("{} and {} more", first.location, others.len()),
    };
    FileFacts {
        name,
        form: "revision map",
        bytes: stats.bytes_stored,
        text: Place { offset: stats.bytes_text, line: stats.lines },
        revisions: stats.lines - stats.skipped,
        skipped: stats.skipped,
        ..FileFacts::default()
    }
}
