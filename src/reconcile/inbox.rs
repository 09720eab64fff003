//! Where side outputs are had from.
//!
//! Promise: every side output of a place goes to whoever takes them; what is none is an error with its place.
//! In -> out: files of lines, tables in Parquet, topics of Kafka -> JSON, one side output each.
//! Rules: tables are laid out as Hive has them, with `datacenter=eqiad` among the directories; topics as `eqiad.` before the stream.
//! Not here: what is made of them (see `reconcile::side_outputs`).

use std::ops::ControlFlow;
use std::path::Path;

use crate::columns::{ColumnsError, rows};
use crate::compression::ordered;
use crate::compression::source::{DecodeError, Source};
use crate::env::Env;
use crate::kafka::{KafkaError, Settings, Topic, range};
use crate::side_output::wire::{self, Received, SideOutputError};
use crate::storage::{self, Blob, Location, StorageError, Walk};
use crate::wikibase::timestamp::Timestamp;

/// The directory of a table in which its rows' data centre is told.
const DATA_CENTRE: &str = "datacenter=";
/// Parts of a file decoded ahead.
const AHEAD: usize = 2;

/// A place with side outputs.
#[derive(Clone, Debug)]
pub enum Place {
    /// Files: lines of JSON, of any compression, or Parquet.
    Files(Vec<Location>),
    /// A topic, from a time on and up to one.
    Topic(Box<Settings>, Topic, Option<Timestamp>, Option<Timestamp>),
}

/// Why side outputs cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// Something is no side output.
    #[error("{place}, {what} {number}")]
    Unreadable {
        /// The file or topic.
        place: String,
        /// `line`, `row` or `record`.
        what: &'static str,
        /// Which, from 1.
        number: u64,
        /// Why not.
        source: SideOutputError,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// A file cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A topic cannot be read.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A file cannot be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Place {
    /// The files that a text means: one, a pattern, or a directory with all that is below it but for what Hive hides.
    pub fn files(text: &str) -> Result<Self, StorageError> {
        let whole = Location::parse(text)?;
        if text.contains(['*', '?', '[']) || storage::exists(&whole)? {
            return storage::expand(text).map(Self::Files);
        }
        let Walk { entries, unseen } = storage::walk(&whole)?;
        unseen.into_iter().next().map_or(Ok(()), Err)?;
        let files = entries.into_iter().map(|entry| entry.location);
        let is_hidden = |file: &Location| {
            let below = file.relative_to(&whole).unwrap_or_default();
            below.split('/').any(|part| part.starts_with(['.', '_']))
        };
        let files: Vec<_> = files.filter(|file| !is_hidden(file)).collect();
        match files.is_empty() {
            true => Err(StorageError::NotFound { location: whole }),
            false => Ok(Self::Files(files)),
        }
    }

    /// The files that are read.
    pub fn read(&self) -> &[Location] {
        match self {
            Self::Files(files) => files,
            Self::Topic(..) => &[],
        }
    }

    /// Gives each side output to `take`, and what is none as an error, until that fails; returns how many there were.
    pub fn each<E: From<InboxError>>(
        &self,
        env: &Env,
        mut take: impl FnMut(Result<Received, InboxError>) -> Result<(), E>,
    ) -> Result<u64, E> {
        match self {
            Self::Files(files) => {
                let mut count = 0;
                for file in files {
                    count += of_file(file, &mut take)?;
                }
                Ok(count)
            }
            Self::Topic(settings, topic, from, until) => of_topic(settings, topic, (*from, *until), env, take),
        }
    }
}

fn of_file<E: From<InboxError>>(
    file: &Location,
    take: &mut impl FnMut(Result<Received, InboxError>) -> Result<(), E>,
) -> Result<u64, E> {
    let is_table = Path::new(file.file_name()).extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
    let text = file.to_string();
    let data_centre = text.split('/').find_map(|part| part.strip_prefix(DATA_CENTRE)).map(str::to_owned);
    let mut number = 0;
    let mut give = |what: &'static str, json: &[u8]| -> Result<(), E> {
        number += 1;
        let unreadable = |source| InboxError::Unreadable { place: file.to_string(), what, number, source };
        let received = wire::receive(json).map_err(unreadable);
        take(received.map(|received| Received {
            data_centre: received.data_centre.clone().or_else(|| data_centre.clone()),
            ..received
        }))
    };
    if is_table {
        let blob = Blob::open(file).map_err(InboxError::from)?;
        let row = |row: serde_json::Value| give("row", row.to_string().as_bytes()).map_err(Wrapped);
        rows::each::<Wrapped<E>>(blob, row).map_err(|wrapped| wrapped.0)?;
        return Ok(number);
    }
    let source = Source::open(file).map_err(InboxError::from)?;
    let (mut line, mut failed) = (Vec::new(), None);
    let mut end = |line: &mut Vec<u8>| {
        let outcome = if line.trim_ascii().is_empty() { Ok(()) } else { give("line", line) };
        line.clear();
        outcome
    };
    let read = ordered::text(&source, AHEAD, &mut |text, _| {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n")
                && let Err(error) = end(&mut line)
            {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    read.map_err(InboxError::from)?;
    failed.map_or_else(|| end(&mut line), Err)?;
    Ok(number)
}

/// An error of whoever takes rows, or of the rows.
struct Wrapped<E>(E);

impl<E: From<InboxError>> From<ColumnsError> for Wrapped<E> {
    fn from(error: ColumnsError) -> Self {
        Self(InboxError::from(error).into())
    }
}

fn of_topic<E: From<InboxError>>(
    settings: &Settings,
    topic: &Topic,
    times: (Option<Timestamp>, Option<Timestamp>),
    env: &Env,
    mut take: impl FnMut(Result<Received, InboxError>) -> Result<(), E>,
) -> Result<u64, E> {
    let data_centre = topic.as_str().split_once('.').map(|(before, _)| before.to_owned());
    let (mut number, mut outcome) = (0, Ok(()));
    let read = range::read(settings, topic, times, env, |json| {
        number += 1;
        if outcome.is_ok() {
            let place = topic.to_string();
            let unreadable = |source| InboxError::Unreadable { place, what: "record", number, source };
            let received = wire::receive(json).map_err(unreadable);
            outcome = take(received.map(|received| Received { data_centre: data_centre.clone(), ..received }));
        }
    });
    read.map_err(InboxError::from)?;
    outcome.map(|()| number)
}
