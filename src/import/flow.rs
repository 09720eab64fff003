//! Dumps -> batches -> workers -> output, in order.
//!
//! Promise: the output depends on the dumps and the configuration, not on how many threads there are.
//! In -> out: [`Source`]s -> files, and what was gathered on the way.
//! Invariant: the calling thread decodes, scans and writes; rayon's threads munge. What is in memory is what `import::memory` allows.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::ScopeFifo;

use crate::bootstrap::gather::{FileFacts, Gathered, LISTED, Skipped};
use crate::bootstrap::{BootstrapError, OnBadEntity, manner};
use crate::compression::source::Source;
use crate::dump::batches::{self, Batch, Cut, Event, Fill};
use crate::dump::facts::{Broken, Fact};
use crate::dump::headers::Headers;
use crate::dump::scan::{Found, Place};
use crate::env::Env;
use crate::import::journal::{self, Journal, Skip};
use crate::import::memory::Shares;
use crate::import::output::Output;
use crate::import::worker::{self, Content, Done, Job, Piece, Plan};
use crate::import::{Config, Files, ImportError, target};
use crate::munge::text::{Bad, Munger};
use crate::rdf::vocab;
use crate::savepoint::native::manifest::Input;
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

/// Runs the flow. The directory `dir` must be ready; with a `journal`, as that says.
pub fn run(
    config: &Config,
    dir: &Location,
    sources: Vec<Source>,
    journal: Option<Journal>,
    env: &Env,
) -> Result<Imported, ImportError> {
    let plan = Plan {
        munger: Munger::new(&config.base.wiki.scheme, config.munge.clone()),
        format: config.format,
        compression: config.compression,
        encoding: config.encoding,
        distinct: config.distinct,
    };
    let input = |source: &Source| Input { location: source.location().to_string(), size: source.size() };
    let inputs: Vec<_> = sources.iter().map(input).collect();
    let cut = match config.files {
        Files::Entities(entities) => Cut::Entities(entities),
        Files::Count(count) => Cut::Bytes(inputs.iter().map(|input| input.size).sum::<u64>().div_ceil(count).max(1)),
        Files::Bytes(bytes) => Cut::Bytes(bytes),
        Files::One => Cut::Never,
    };
    let fingerprint = Journal::fingerprint(config, &sources);
    if journal.as_ref().is_some_and(|journal| journal.fingerprint != fingerprint) {
        return Err(ImportError::OtherRun(dir.clone()));
    }
    let scratch = journal::scratch(config, dir);
    let shared = match &journal {
        _ if !config.distinct => None,
        Some(journal) => Some(Distinct::resume(&scratch, &journal.scratch)?),
        None => Some(Distinct::new(&scratch)?),
    };
    let skip_to = journal.as_ref().map(|journal| (journal.dump, journal.offset));
    let journal = journal.unwrap_or_else(|| Journal { fingerprint, ..Journal::default() });
    let shares = Shares::of(config.memory, rayon::current_num_threads(), config.group_rows);
    let output = output(config, &shares, &target::workshop(dir), journal.files.clone())?;
    rayon::in_place_scope_fifo(|scope| {
        let mut flow = Flow {
            config,
            shares,
            plan: &plan,
            env,
            scope,
            dir,
            output,
            shared,
            journal,
            skip_to,
            ahead: VecDeque::new(),
            gathered: Gathered { inputs, ..Gathered::default() },
            file: FileFacts::default(),
            format: None,
            repeated: VecDeque::new(),
            last: None,
        };
        let mut fill = Fill::default();
        for (number, source) in sources.into_iter().enumerate() {
            flow.dump(number, &source.counting(Arc::clone(&env.progress.bytes)), cut, &mut fill)?;
        }
        flow.finish()
    })
}

fn output(config: &Config, shares: &Shares, dir: &Location, done: Vec<StoredFile>) -> Result<Output, ImportError> {
    Ok(match config.format {
        Format::Parquet => Output::table(dir.clone(), config.level, shares, done).map_err(TriplesError::from)?,
        format => Output::text(dir.clone(), format, config.compression, done),
    })
}

struct Flow<'f, 's> {
    config: &'f Config,
    shares: Shares,
    plan: &'s Plan,
    env: &'f Env,
    scope: &'f ScopeFifo<'s>,
    dir: &'f Location,
    output: Output,
    /// Lines that are to be written once, at the end.
    shared: Option<Distinct>,
    /// What is done, as it will be written when the next file is complete.
    journal: Journal,
    /// The batch to go on with, of a run that is resumed: in which dump, and at which byte of its text.
    skip_to: Option<(usize, u64)>,
    ahead: VecDeque<Ahead>,
    gathered: Gathered,
    /// The dump being read.
    file: FileFacts,
    /// Its `schema:softwareVersion` so far.
    format: Option<Arc<str>>,
    /// Where entities begin that were seen before and are in no batch yet.
    repeated: VecDeque<u64>,
    /// The last entity found, and where.
    last: Option<(EntityId, u64)>,
}

/// A batch in work.
struct Ahead {
    begins_file: bool,
    dump: usize,
    offset: u64,
    done: Receiver<std::io::Result<Done>>,
}

impl<'s> Flow<'_, 's> {
    fn dump(&mut self, number: usize, source: &Source, cut: Cut, fill: &mut Fill) -> Result<(), ImportError> {
        let (name, form, bytes) = (source.location().to_string(), source.compression().name(), source.size());
        self.file = FileFacts { name, form, bytes, headers: Some(Headers::default()), ..FileFacts::default() };
        (self.format, self.last) = (None, None);
        let mut result = Ok(());
        let parts = self.shares.parts;
        let read = batches::read(source, manner(&self.config.base), parts, cut, fill, &mut |event| {
            result = match event {
                Event::Found(found) => self.found(found, source.location()),
                Event::Batch(batch) => self.batch(number, batch),
            };
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        self.file.text = read.map_err(BootstrapError::from)?;
        // The workers' places are in this dump.
        self.settle(0)?;
        self.file.skipped = self.journal.skipped.iter().filter(|skip| skip.dump == number).count() as u64;
        self.gathered.files.push(std::mem::take(&mut self.file));
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
                let is_of_same = self.last == Some((entity, place.offset));
                self.last = Some((entity, place.offset));
                if is_of_same {
                    // One node with two versions is no repeat of itself.
                    self.gathered.table.raise(entity, revision);
                } else if self.gathered.table.get(entity).is_some() {
                    self.gathered.duplicates += 1;
                    self.repeated.push_back(place.offset);
                } else if self.gathered.table.raise(entity, revision) == Raised::New {
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
                return Err(BootstrapError::Unfinished(Box::new(skipped)).into());
            }
            // The worker meets it too, and tells more.
            Fact::Bad(_) | Fact::Header | Fact::HeaderDate(_) => {}
        }
        Ok(())
    }

    /// Has a batch worked on, unless the run that is resumed did so.
    fn batch(&mut self, dump: usize, batch: Batch) -> Result<(), ImportError> {
        if self.env.stop.load(Ordering::Relaxed) {
            return Err(BootstrapError::Stopped.into());
        }
        let (start, end) = (batch.place.offset, batch.place.offset + batch.text.len() as u64);
        let later = self.repeated.partition_point(|place| *place < end);
        let repeated = self.repeated.drain(..later).map(|place| place - start).collect();
        if self.skip_to.is_some_and(|place| (dump, start) < place) {
            return Ok(());
        }
        self.skip_to = None;
        let (sender, done) = sync_channel(1);
        let ahead = Ahead { begins_file: batch.begins_chunk, dump, offset: start, done };
        let job = Job { batch, format: self.format.clone(), repeated };
        let plan = self.plan;
        self.scope.spawn_fifo(move |_| {
            // Nobody listens any more if the run has failed.
            let _ = sender.send(worker::work(plan, job));
        });
        self.ahead.push_back(ahead);
        self.settle(self.shares.batches)
    }

    /// Takes what workers have done until no more than `most` batches are in work.
    fn settle(&mut self, most: usize) -> Result<(), ImportError> {
        while self.ahead.len() > most {
            let Some(Ahead { begins_file, dump, offset, done }) = self.ahead.pop_front() else { break };
            let done = done.recv().expect("a batch is always answered for").map_err(TriplesError::Compress)?;
            if begins_file {
                self.next_file(dump, offset)?;
            }
            self.take(dump, done)?;
        }
        Ok(())
    }

    /// Completes the open file; a run that is interrupted after this is resumed at the batch at `offset`.
    fn next_file(&mut self, dump: usize, offset: u64) -> Result<(), ImportError> {
        let before = self.output.done().len();
        self.output.close(self.scope)?;
        if self.output.done().len() > before {
            self.journal.files = self.output.done().to_vec();
            self.journal.scratch = match &mut self.shared {
                Some(shared) => shared.checkpoint()?,
                None => Vec::new(),
            };
            (self.journal.dump, self.journal.offset) = (dump, offset);
            self.journal.write(self.dir)?;
        }
        Ok(())
    }

    fn take(&mut self, dump: usize, done: Done) -> Result<(), ImportError> {
        self.journal.read += done.read;
        self.journal.kept += done.kept;
        for (place, bad) in done.bad {
            self.bad(dump, place, bad)?;
        }
        if let Some(piece) = done.piece {
            self.output.add(piece, self.scope)?;
        }
        match &mut self.shared {
            Some(shared) => Ok(shared.push(&done.shared)?),
            None => Ok(()),
        }
    }

    /// An entity that could not be munged: it is in no output.
    fn bad(&mut self, dump: usize, place: Place, bad: Bad) -> Result<(), ImportError> {
        let Place { offset, line } = place;
        let skip = Skip { dump, offset, line, rule: bad.reason.to_string(), subject: bad.subject };
        self.journal.bad.push(skip.subject.clone());
        self.journal.skipped_count += 1;
        if self.config.base.on_bad_entity == OnBadEntity::Stop {
            return Err(BootstrapError::BadEntity(Box::new(self.skipped(&skip)?)).into());
        }
        if self.journal.skipped_count > self.config.max_bad {
            let last = Box::new(self.skipped(&skip)?);
            return Err(ImportError::TooManyBad { count: self.journal.skipped_count, last });
        }
        if self.journal.skipped.len() < LISTED {
            self.journal.skipped.push(skip);
        }
        Ok(())
    }

    fn skipped(&self, skip: &Skip) -> Result<Skipped, ImportError> {
        let Skip { dump, offset, line, subject, rule } = skip.clone();
        let location = Location::parse(&self.gathered.inputs[dump].location)?;
        Ok(Skipped { location, place: Place { offset, line }, broken: Broken { subject, rule } })
    }

    /// Writes what was put aside, and ends the files.
    fn finish(mut self) -> Result<Imported, ImportError> {
        if let Some(shared) = self.shared.take() {
            self.env.progress.writing.store(true, Ordering::Relaxed);
            let (plan, output, scope, stop) = (self.plan, &mut self.output, self.scope, &self.env.stop);
            let contexts = Contexts::of(self.config);
            shared.finish(self.shares.lines, &|lines| contexts.piece(plan, lines), &mut |piece| {
                if stop.load(Ordering::Relaxed) { Err(TriplesError::Stopped) } else { output.add(piece, scope) }
            })?;
        }
        self.output.close(self.scope)?;
        // Not before the end, or an entity that is repeated after it was found bad would not be known as repeated.
        let bad: Vec<_> = self.journal.bad.iter().filter_map(|id| EntityId::parse(id.as_bytes()).ok()).collect();
        for entity in bad {
            self.gathered.table.remove(entity);
        }
        self.gathered.skipped_count = self.journal.skipped_count;
        self.gathered.skipped = self.journal.skipped.iter().map(|skip| self.skipped(skip)).collect::<Result<_, _>>()?;
        let Journal { read, kept, .. } = self.journal;
        Ok(Imported { gathered: self.gathered, files: self.output.done().to_vec(), read, kept })
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
        Ok(Piece { triples, content })
    }
}
