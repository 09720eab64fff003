//! A triples table -> the state of every entity.
//!
//! Promise: what `sql/entity_revision_map.sql`, `sql/dump_start.sql` and `sql/redirects.sql` say of the table, and no other reading.
//! In -> out: where a table is -> [`Gathered`]. Ours or one that upstream's Spark import wrote.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::bootstrap::BootstrapError;
use crate::bootstrap::gather::{FileFacts, Gathered};
use crate::dump::headers::Headers;
use crate::env::Env;
use crate::savepoint::native::manifest::Input;
use crate::sql::engine::Engine;
use crate::sql::form::Form;
use crate::sql::statements::BuiltIn;
use crate::sql::{Settings, SqlError};
use crate::state::StateTable;
use crate::storage::{self, Location};
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;

/// Bytes that sorting and grouping may hold: room for the entities of Wikidata without going to disk.
const MEMORY: usize = 2 << 30;

/// The headers of the dumps that the table at `text` was made of, as far as their dates differ.
pub fn headers(text: &str, env: &Env) -> Result<Headers, BootstrapError> {
    dates(&engine(text, env)?).map_err(|source| table_error(text, source))
}

/// Reads the table at `text`.
pub fn triples(text: &str, env: &Env) -> Result<Gathered, BootstrapError> {
    let named = |source| table_error(text, source);
    let engine = engine(text, env)?;
    let mut revisions = Lines::new(Revisions::default());
    let entities = run(&engine, "entity_revision_map", &mut revisions).map_err(named)?;
    let redirects = run(&engine, "redirects", &mut io::sink()).map_err(named)?;
    let bytes = storage::list(&Location::parse(text)?)?.iter().map(|entry| entry.size).sum();
    let file = FileFacts {
        name: text.to_owned(),
        form: "triples table",
        bytes,
        headers: Some(dates(&engine).map_err(named)?),
        revisions: entities,
        redirects,
        ..FileFacts::default()
    };
    let inputs = vec![Input { location: text.to_owned(), size: bytes }];
    Ok(Gathered { table: revisions.take.0, files: vec![file], inputs, ..Gathered::default() })
}

fn engine(text: &str, env: &Env) -> Result<Engine, BootstrapError> {
    let engine = Engine::start(Settings { memory: MEMORY, threads: rayon::current_num_threads() }, env)?;
    engine.add_table("triples", text)?;
    Ok(engine)
}

fn dates(engine: &Engine) -> Result<Headers, SqlError> {
    let mut dates = Lines::new(Dates::default());
    run(engine, "dump_start", &mut dates)?;
    Ok(Headers::of_dates(dates.take.0))
}

/// What a statement of ours fails at is told with the table; what is not of its making is told as it is.
fn table_error(text: &str, source: SqlError) -> BootstrapError {
    match source {
        SqlError::Statement(_) | SqlError::Failed(_) | SqlError::Write(_) => {
            BootstrapError::Table { table: text.to_owned(), source: Box::new(source) }
        }
        source => source.into(),
    }
}

fn run(engine: &Engine, name: &str, target: &mut impl Write) -> Result<u64, SqlError> {
    let statement = BuiltIn::named(name).expect("it comes with the program");
    engine.query(statement.text, &BTreeMap::new())?.write(Form::Csv, target)
}

/// Someone who takes the lines of a result.
trait Take {
    /// Takes a line, without its line feed; the error says which rule it breaks.
    fn line(&mut self, line: &str) -> Result<(), String>;
}

/// `Q31,1065756426`
#[derive(Default)]
struct Revisions(StateTable);

impl Take for Revisions {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (entity, revision) = line.split_once(',').ok_or("there is no revision")?;
        let bad = |rule: &dyn std::fmt::Display| format!("{entity} at revision {revision}: {rule}");
        let id = EntityId::parse(entity.as_bytes()).map_err(|error| bad(&error))?;
        self.0.raise(id, Revision::parse(revision.as_bytes()).map_err(|error| bad(&error))?);
        Ok(())
    }
}

/// `2020-03-02T23:00:02Z`
#[derive(Default)]
struct Dates(Vec<Timestamp>);

impl Take for Dates {
    fn line(&mut self, line: &str) -> Result<(), String> {
        self.0.push(Timestamp::parse(line).map_err(|error| format!("{error}; a dump header's date is {line:?}"))?);
        Ok(())
    }
}

/// Cuts what is written into lines. The first is the columns' names.
struct Lines<T> {
    take: T,
    rest: Vec<u8>,
    is_head: bool,
}

impl<T> Lines<T> {
    fn new(take: T) -> Self {
        Self { take, rest: Vec::new(), is_head: true }
    }
}

impl<T: Take> Write for Lines<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        for feed in memchr::memchr_iter(b'\n', &self.rest) {
            let line = std::str::from_utf8(&self.rest[start..feed]).map_err(io::Error::other)?;
            if !std::mem::take(&mut self.is_head) {
                self.take.line(line).map_err(io::Error::other)?;
            }
            start = feed + 1;
        }
        self.rest.drain(..start);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
