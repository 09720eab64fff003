//! Dumps -> batches -> workers -> output, in order.
//!
//! Promise: the output depends on the dumps and the configuration, not on how many threads there are.
//! In -> out: [`Source`]s -> files, and what was gathered on the way.
//! Invariant: the calling thread decodes, scans and writes; rayon's threads munge. A few batches a thread are in memory.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::ScopeFifo;

use crate::bootstrap::gather::{FileFacts, Gathered, LISTED, Skipped};
use crate::bootstrap::{BootstrapError, OnBadEntity, manner};
use crate::compression::source::Source;
use crate::dump::batches::{self, Batch, Event};
use crate::dump::facts::{Broken, Fact};
use crate::dump::headers::Headers;
use crate::dump::scan::{Found, Place};
use crate::env::Env;
use crate::import::output::Output;
use crate::import::worker::{self, Content, Done, Job, Piece, Plan};
use crate::import::{Config, Cut, ImportError};
use crate::munge::text::{Bad, Munger};
use crate::rdf::vocab;
use crate::savepoint::manifest::Input;
use crate::state::Raised;
use crate::storage::Location;
use crate::triples::distinct::Distinct;
use crate::triples::files::StoredFile;
use crate::triples::lines::Lines;
use crate::triples::rows::RowWriter;
use crate::triples::{Format, TriplesError};
use crate::wikibase::entity::EntityId;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Imported {
    /// The state of every entity that was written, and what was found.
    pub gathered: Gathered,
    /// The files written.
    pub files: Vec<StoredFile>,
    /// Triples read.
    pub read: u64,
    /// Triples that the rules keep, before repeats are dropped.
    pub kept: u64,
}

/// Runs the flow. The directory `dir` must be ready.
pub fn run(config: &Config, dir: &Location, sources: Vec<Source>, env: &Env) -> Result<Imported, ImportError> {
    let plan = Plan {
        munger: Munger::new(&config.base.wiki.scheme, config.munge.clone()),
        format: config.format,
        compression: config.compression,
        encoding: config.encoding,
        distinct: config.distinct,
        chunk_size: if let Cut::Entities(entities) = config.cut { Some(entities) } else { None },
    };
    let output = match config.format {
        Format::Parquet => {
            Output::table(dir.clone(), config.level, config.group_rows, Vec::new()).map_err(TriplesError::from)?
        }
        format => Output::text(dir.clone(), format, config.compression, Vec::new()),
    };
    let shared = config.distinct.then(|| Distinct::new(&config.scratch)).transpose()?;
    rayon::in_place_scope_fifo(|scope| {
        let mut flow = Flow {
            config,
            plan: &plan,
            env,
            scope,
            output,
            shared,
            ahead: VecDeque::new(),
            imported: Imported::default(),
            file: FileFacts::default(),
            format: None,
            begun: VecDeque::new(),
            repeated: Vec::new(),
            in_file: 0,
            input_before: 0,
        };
        for source in sources {
            flow.dump(&source.counting(Arc::clone(&env.progress.bytes)))?;
        }
        flow.finish()
    })
}

struct Flow<'f, 's> {
    config: &'f Config,
    plan: &'s Plan,
    env: &'f Env,
    scope: &'f ScopeFifo<'s>,
    output: Output,
    /// Lines that are to be written once, at the end.
    shared: Option<Distinct>,
    /// Batches in work, with whether a file begins with them.
    ahead: VecDeque<(bool, Receiver<Done>)>,
    imported: Imported,
    /// The dump being read.
    file: FileFacts,
    /// Its `schema:softwareVersion` so far.
    format: Option<Arc<str>>,
    /// Where entities begin that are in no batch yet.
    begun: VecDeque<u64>,
    /// Those of them that were seen before.
    repeated: Vec<u64>,
    /// Entities in the open file, and the input's bytes that went before it.
    in_file: u64,
    input_before: u64,
}

impl<'s> Flow<'_, 's> {
    fn dump(&mut self, source: &Source) -> Result<(), ImportError> {
        let (name, form, bytes) = (source.location().to_string(), source.compression().name(), source.size());
        self.imported.gathered.inputs.push(Input { location: name.clone(), size: bytes });
        self.file = FileFacts { name, form, bytes, headers: Some(Headers::default()), ..FileFacts::default() };
        self.format = None;
        let mut result = Ok(());
        let read = batches::read(source, manner(&self.config.base), &mut |event| {
            result = match event {
                Event::Found(found) => self.found(found, source.location()),
                Event::Batch(batch) => self.batch(batch, source.location()),
            };
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        let (_, end) = read.map_err(BootstrapError::from)?;
        self.settle(0, source.location())?;
        self.file.text = end;
        self.imported.gathered.files.push(std::mem::take(&mut self.file));
        Ok(())
    }

    /// Takes what the scan found.
    fn found(&mut self, Found { fact, place }: Found, location: &Location) -> Result<(), ImportError> {
        if let Some(headers) = &mut self.file.headers {
            headers.take(&fact);
        }
        match fact {
            Fact::Revision(entity, revision) => {
                self.file.revisions += 1;
                self.begun.push_back(place.offset);
                if self.imported.gathered.table.get(entity).is_some() {
                    self.imported.gathered.duplicates += 1;
                    self.repeated.push(place.offset);
                } else if self.imported.gathered.table.raise(entity, revision) == Raised::New {
                    self.env.progress.entities.fetch_add(1, Ordering::Relaxed);
                }
            }
            Fact::Redirect(_) => self.file.redirects += 1,
            Fact::HeaderFormat(format) => self.format = Some(format.into()),
            Fact::Foreign(subject) => {
                self.file.foreign += 1;
                self.file.foreign_example.get_or_insert(subject);
            }
            Fact::Unfinished(broken) => {
                let skipped = Skipped { location: location.clone(), place, broken: *broken };
                return Err(BootstrapError::BadEntity(Box::new(skipped)).into());
            }
            // The worker meets it too, and tells more.
            Fact::Bad(_) | Fact::Header | Fact::HeaderDate(_) => {}
        }
        Ok(())
    }

    /// Has a batch worked on.
    fn batch(&mut self, batch: Batch, location: &Location) -> Result<(), ImportError> {
        if self.env.stop.load(Ordering::Relaxed) {
            return Err(BootstrapError::Stopped.into());
        }
        let (start, end) = (batch.place.offset, batch.place.offset + batch.text.len() as u64);
        let entities = self.begun.iter().take_while(|place| **place < end).count();
        self.begun.drain(..entities);
        let later = self.repeated.partition_point(|place| *place < end);
        let repeated = self.repeated.drain(..later).map(|place| place - start).collect();
        let begins_file = self.begins_file();
        let job = Job { batch, format: self.format.clone(), in_file: self.in_file, repeated };
        self.in_file = self.counted(entities as u64);
        let (sender, receiver) = sync_channel(1);
        let plan = self.plan;
        self.scope.spawn_fifo(move |_| {
            // Nobody listens any more if the run has failed.
            let _ = sender.send(worker::work(plan, job));
        });
        self.ahead.push_back((begins_file, receiver));
        self.settle(rayon::current_num_threads() + 1, location)
    }

    /// Entities in the open file after `more`; a full file is followed by another with the next entity.
    fn counted(&self, more: u64) -> u64 {
        match (self.plan.chunk_size, more) {
            (_, 0) => self.in_file,
            (Some(size), more) => (self.in_file + more - 1) % size + 1,
            (None, more) => self.in_file + more,
        }
    }

    /// Whether the next batch begins a new file, as the input goes.
    fn begins_file(&mut self) -> bool {
        let Cut::Files(files) = self.config.cut else { return false };
        let read = self.env.progress.bytes.load(Ordering::Relaxed);
        let share = self.env.progress.total_bytes.load(Ordering::Relaxed).div_ceil(files);
        let begins = self.in_file > 0 && read / share.max(1) > self.input_before / share.max(1);
        if begins {
            (self.in_file, self.input_before) = (0, read);
        }
        begins
    }

    /// Takes what workers have done until no more than `most` batches are in work.
    fn settle(&mut self, most: usize, location: &Location) -> Result<(), ImportError> {
        while self.ahead.len() > most {
            let Some((begins_file, done)) = self.ahead.pop_front() else { break };
            let done = done.recv().expect("a batch is always answered for");
            if begins_file {
                self.output.close(self.scope)?;
            }
            self.take(done, location)?;
        }
        Ok(())
    }

    fn take(&mut self, done: Done, location: &Location) -> Result<(), ImportError> {
        if let Some(error) = done.failed {
            return Err(TriplesError::Compress(error).into());
        }
        self.imported.read += done.read;
        self.imported.kept += done.kept;
        for (place, bad) in done.bad {
            self.bad(location, place, bad)?;
        }
        for piece in done.pieces {
            if piece.begins_file {
                self.output.close(self.scope)?;
            }
            self.output.add(piece, self.scope)?;
        }
        match &mut self.shared {
            Some(shared) => Ok(shared.push(&done.shared)?),
            None => Ok(()),
        }
    }

    /// An entity that could not be munged: it is in no output.
    fn bad(&mut self, location: &Location, place: Place, bad: Bad) -> Result<(), ImportError> {
        if let Ok(entity) = EntityId::parse(bad.subject.as_bytes()) {
            self.imported.gathered.table.remove(entity);
        }
        let broken = Broken { subject: bad.subject, rule: bad.reason.to_string() };
        let skipped = Skipped { location: location.clone(), place, broken };
        if self.config.base.on_bad_entity == OnBadEntity::Stop {
            return Err(BootstrapError::BadEntity(Box::new(skipped)).into());
        }
        let gathered = &mut self.imported.gathered;
        gathered.skipped_count += 1;
        self.file.skipped += 1;
        if gathered.skipped_count > self.config.max_bad {
            return Err(ImportError::TooManyBad { count: gathered.skipped_count, last: Box::new(skipped) });
        }
        if gathered.skipped.len() < LISTED {
            gathered.skipped.push(skipped);
        }
        Ok(())
    }

    /// Writes what was put aside, and ends the files.
    fn finish(mut self) -> Result<Imported, ImportError> {
        if let Some(shared) = self.shared.take() {
            self.env.progress.writing.store(true, Ordering::Relaxed);
            let memory = usize::try_from(self.config.memory / 2).unwrap_or(usize::MAX);
            let (plan, output, scope, stop) = (self.plan, &mut self.output, self.scope, &self.env.stop);
            let contexts = Contexts::of(self.config);
            shared.finish(memory, &mut |lines| {
                if stop.load(Ordering::Relaxed) {
                    return Err(TriplesError::Stopped);
                }
                output.add(contexts.piece(plan, lines)?, scope)
            })?;
        }
        self.output.close(self.scope)?;
        self.imported.files = self.output.done().to_vec();
        Ok(self.imported)
    }
}

/// Which context a shared triple has, by its subject.
struct Contexts {
    reference: String,
    value: String,
}

impl Contexts {
    fn of(config: &Config) -> Self {
        let root = config.base.wiki.scheme.root();
        Self { reference: format!("<{root}reference/"), value: format!("<{root}value/") }
    }

    fn of_line(&self, line: &[u8]) -> &'static str {
        match line {
            _ if line.starts_with(self.reference.as_bytes()) => vocab::WIKIBASE_REFERENCE,
            _ if line.starts_with(self.value.as_bytes()) => vocab::WIKIBASE_VALUE,
            _ => vocab::WIKIBASE_DUMP[0],
        }
    }

    fn piece(&self, plan: &Plan, lines: &[u8]) -> Result<Piece, TriplesError> {
        let mut triples = 0;
        let content = match plan.format {
            Format::Parquet => {
                let mut rows = RowWriter::new(plan.encoding);
                for line in Lines::of(lines) {
                    rows.line(self.of_line(line), line);
                    triples += 1;
                }
                Content::Rows(rows.finish())
            }
            Format::NTriples | Format::Turtle => {
                triples = Lines::of(lines).count() as u64;
                Content::Text(plan.compression.compress(lines.to_vec()).map_err(TriplesError::Compress)?)
            }
        };
        Ok(Piece { begins_file: false, triples, content })
    }
}
