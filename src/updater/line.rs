//! The line at work: events in, messages out, checkpoints in between.
//!
//! Promise: whatever ends it, a line that begins at its last committed checkpoint goes on as if nothing had happened: nothing is
//! lost, and of what goes to topics and files nothing is seen twice.
//! In -> out: a [`Source`], a wiki, [`Outputs`], a place for checkpoints -> until it is told to stop, or [`Until`].
//! Invariant: one thread; between two turns state, buffer, positions and what was sent are of one moment. A checkpoint is
//! complete in storage before its id is committed with the messages; the committed id alone says which one is true.
//! Rules: design.md, "Exactly once through one Kafka transaction".
//! Not here: how all this is opened, and what happens after an error (see `updater::service`).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::env::Env;
use crate::event::Incoming;
use crate::kafka::feed::Feed;
use crate::kafka::{Committed, Partition, Topic};
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::checkpoint::{Checkpoints, Taken};
use crate::savepoint::native::manifest::{Provenance, StartOffset};
use crate::savepoint::stream::Stream;
use crate::savepoint::{OnExisting, SavepointError, native};
use crate::storage::Location;
use crate::updater::counters::{self, Counters};
use crate::updater::intake::{self, Intake, Step};
use crate::updater::messages::{Messages, Outlet};
use crate::updater::notice::Notice;
use crate::updater::outputs::{OutputError, Outputs};
use crate::updater::revisions::Revisions;
use crate::updater::service::in_full;
use crate::updater::source::{PartitionName, Polled, Position, Source, SourceError};
use crate::updater::works::{Finished, Works};
use crate::wikibase::timestamp::Timestamp;

/// How long to wait for events where nothing else is to be done.
const IDLE: Duration = Duration::from_millis(20);
/// How long to wait for the first mutation where nothing else is to be done.
const BUSY: Duration = Duration::from_millis(2);

/// What a line is made of.
pub struct Parts {
    /// Where events come from.
    pub source: Box<dyn Source>,
    /// What is known, at the positions of the source.
    pub intake: Intake,
    /// Mutations that were pending when the last line ended.
    pub works: Works,
    /// Where triples come from.
    pub revisions: Revisions,
    /// How messages are made.
    pub messages: Messages,
    /// Where messages and side outputs go.
    pub outputs: Outputs,
    /// Who takes checkpoints.
    pub keeper: Option<Keeper>,
    /// How the state came to be.
    pub made: Provenance,
}

/// A line.
pub struct Line {
    pub(in crate::updater) env: Env,
    pub(in crate::updater) intake: Intake,
    pub(in crate::updater) works: Works,
    pub(in crate::updater) revisions: Revisions,
    pub(in crate::updater) counters: Counters,
    source: Box<dyn Source>,
    messages: Messages,
    outputs: Outputs,
    keeper: Option<Keeper>,
    made: Provenance,
    /// What is worth to be told, for whoever watches.
    pub(in crate::updater) notices: Vec<Notice>,
    /// What was heard of connections and is told.
    heard: Vec<String>,
    steps: Vec<Step>,
    /// Why no more is read, once that is so; what is pending is still to be sent.
    enough: Option<Ended>,
    /// Whether anything was done since the last checkpoint.
    is_new: bool,
}

/// Who takes checkpoints, and when.
pub struct Keeper {
    /// Where they are.
    pub checkpoints: Checkpoints,
    /// How long from one to the next, in milliseconds.
    pub interval: i64,
    /// What offsets are committed for.
    pub commits: Commits,
    /// When the last one was taken or tried, in milliseconds since 1970.
    last: i64,
}

/// What tells in Kafka which checkpoint is true.
pub enum Commits {
    /// Nothing: nothing goes to Kafka, and the newest checkpoint is true.
    None,
    /// The offsets of what is read.
    Inputs,
    /// The source is not Kafka: the offset 0 of an output's partition, which nobody reads from there.
    Output(Box<Feed>, Partition),
}

/// When a line ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// When every partition was read to its end.
    pub at_end: bool,
    /// When all events up to that time are there, in milliseconds since 1970.
    pub time: Option<i64>,
    /// When the watermark is no more than so many milliseconds behind the present.
    pub lag: Option<i64>,
}

/// Why a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to read.
    Source,
    /// What it was to reach is reached.
    Reached,
    /// It was asked to stop.
    Stopped,
}

/// Why a line broke off.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Events cannot be read.
    #[error("events cannot be read")]
    Source(#[from] SourceError),
    /// Messages cannot be sent.
    #[error("messages cannot be sent")]
    Output(#[from] OutputError),
    /// A checkpoint or savepoint that was asked for cannot be taken.
    #[error("the checkpoint could not be taken")]
    Checkpoint(#[from] SavepointError),
}

impl Ended {
    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Source => "all events were read",
            Self::Reached => "it is where it was to come",
            Self::Stopped => "it was told to",
        }
    }
}

impl Keeper {
    /// The first checkpoint is due at once.
    pub fn new(checkpoints: Checkpoints, interval: i64, commits: Commits) -> Self {
        Self { checkpoints, interval, commits, last: i64::MIN }
    }
}

impl Line {
    /// Puts a line together.
    pub fn new(env: &Env, parts: Parts) -> Self {
        let Parts { source, intake, works, revisions, messages, outputs, keeper, made } = parts;
        let mut counters = Counters::new(messages.streams().iter().map(String::as_str));
        for partition in intake.partitions() {
            counters.add_partition(&partition.name.topic, partition.name.number, partition.next);
        }
        Self {
            env: env.clone(),
            intake,
            works,
            revisions,
            counters,
            source,
            messages,
            outputs,
            keeper,
            made,
            notices: Vec::new(),
            heard: Vec::new(),
            steps: Vec::new(),
            enough: None,
            is_new: true,
        }
    }

    /// Works until it is told to stop, or is where it was to come; `look` is called between turns.
    pub fn run(
        &mut self,
        until: Until,
        mut look: impl FnMut(&mut Self) -> Result<(), LineError>,
    ) -> Result<Ended, LineError> {
        let ended = loop {
            if self.env.stop.load(Ordering::Relaxed) {
                break Ended::Stopped;
            }
            self.turn()?;
            if self.enough.is_none() && self.has_reached(until) {
                self.enough = Some(Ended::Reached);
            }
            if let Some(ended) = self.enough.filter(|_| self.works.is_empty()) {
                break ended;
            }
            if self.is_checkpoint_due() {
                self.checkpoint_if_possible()?;
            }
            look(self)?;
        };
        self.finish()?;
        Ok(ended)
    }

    /// Does what can be done now, or waits a little.
    pub fn turn(&mut self) -> Result<(), LineError> {
        let finished = self.send(Duration::ZERO)?;
        let is_reading = self.works.has_room() && self.enough.is_none();
        let read = if is_reading { self.read(finished > 0)? } else { 0 };
        let now = self.now().millis();
        if is_reading {
            self.listen(now);
            self.intake.advance(now, &mut self.counters, &mut self.steps);
        } else {
            self.intake.pass(now);
        }
        // Time alone may lead to a side output.
        self.is_new |= finished > 0 || read > 0 || !self.steps.is_empty();
        self.follow(now)?;
        self.works.begin(&mut self.revisions);
        if finished == 0 && read == 0 && !self.works.is_empty() {
            self.is_new |= self.send(BUSY)? > 0;
        }
        Ok(())
    }

    /// Waits on for partitions of which nothing comes because they cannot be read.
    fn listen(&mut self, now: i64) {
        let falling = self.intake.falling_idle(now);
        if falling.is_empty() {
            return;
        }
        let silent = self.source.are_silent(&falling);
        let is_silent = |place: &usize| {
            let at = falling.iter().position(|falling| falling == place);
            silent.as_ref().is_some_and(|silent| at.is_none_or(|at| silent[at]))
        };
        // Where it cannot be known, what was idle before may have something to say too.
        let doubtful: Vec<_> = (0..self.intake.partitions().len()).filter(|place| !is_silent(place)).collect();
        doubtful.into_iter().for_each(|place| self.intake.doubt(place));
    }

    /// Sends the mutations whose triples are here, after waiting for those of the first. How many there were.
    fn send(&mut self, wait: Duration) -> Result<usize, LineError> {
        let (mut sent, mut wait) = (0, wait);
        while let Some(finished) =
            self.works.finish(wait, &mut self.revisions, &mut self.messages, &mut self.outputs)?
        {
            self.count(&finished);
            sent += 1;
            wait = Duration::ZERO;
            self.works.begin(&mut self.revisions);
        }
        Ok(sent)
    }

    fn count(&mut self, finished: &Finished) {
        for (stream, sent) in self.counters.totals.streams.iter_mut().zip(self.outputs.sent()) {
            (stream.messages, stream.bytes) = (sent.messages, sent.bytes);
        }
        let Finished { mutation, turn, outcome } = finished;
        match outcome {
            Ok(0) => self.counters.unchanged(),
            Ok(_) => {}
            Err(failure) => {
                self.counters.fetch_failed(failure.kind);
                self.notices.push(Notice::FetchFailed {
                    entity: mutation.entity,
                    revision: mutation.revision,
                    kind: failure.kind,
                    reason: failure.message.clone(),
                });
            }
        }
        let now = self.now().millis();
        self.counters.answered(mutation.event_time, *turn, now);
    }

    /// Reads what has come. How many records there were.
    fn read(&mut self, is_busy: bool) -> Result<usize, LineError> {
        let wait = if is_busy || !self.works.is_empty() { Duration::ZERO } else { IDLE };
        let now = self.now().millis();
        let Self { source, intake, counters, steps, outputs, notices, .. } = self;
        let mut failed = Ok(());
        let polled = source.poll(wait, &mut |arrived| {
            if let intake::Taken::Dead(cause) = intake.take(arrived, now, counters, steps)
                && failed.is_ok()
            {
                let PartitionName { topic, number: partition } = intake.partitions()[arrived.place].name.clone();
                let (offset, reason) = (arrived.start, cause.to_string());
                failed = outputs.dead(&topic, partition, offset, arrived.value, &reason);
                notices.push(Notice::DeadLetter { topic, partition, offset, reason });
            }
        });
        let Polled { records, ended } = polled?;
        failed?;
        for name in &self.source.partitions()[self.intake.partitions().len()..] {
            self.counters.add_partition(&name.topic, name.number, None);
            self.intake.add_unplaced(name.clone());
        }
        if ended {
            self.enough = Some(Ended::Source);
            self.intake.end(now, &mut self.counters, &mut self.steps);
        }
        Ok(records)
    }

    /// Follows what was decided.
    fn follow(&mut self, now: i64) -> Result<(), LineError> {
        for step in self.steps.drain(..) {
            match step {
                Step::Mutate(mutation) => self.works.push(mutation, now),
                Step::Report(side) => self.outputs.side(&side)?,
            }
        }
        Ok(())
    }

    fn has_reached(&self, until: Until) -> bool {
        let watermark = self.intake.watermark();
        let is_at = |time: i64| watermark.is_some_and(|watermark| watermark >= time);
        until.at_end && self.intake.is_at_end()
            || until.time.is_some_and(is_at)
            || until.lag.is_some_and(|lag| is_at(self.now().millis() - lag))
    }

    /// Takes the last checkpoint.
    fn finish(&mut self) -> Result<(), LineError> {
        // A checkpoint keeps what is pending; without one it is sent now.
        if self.keeper.is_none() {
            self.drain()?;
        }
        if self.is_new {
            self.checkpoint()?;
        }
        self.outputs.flush()?;
        Ok(())
    }

    /// Sends all that is pending.
    fn drain(&mut self) -> Result<(), LineError> {
        while !self.works.is_empty() {
            self.works.begin(&mut self.revisions);
            self.send(IDLE)?;
        }
        Ok(())
    }

    fn is_checkpoint_due(&self) -> bool {
        self.is_new
            && self
                .keeper
                .as_ref()
                .is_some_and(|keeper| self.now().millis().saturating_sub(keeper.last) >= keeper.interval)
    }

    /// Takes a checkpoint. Storage that fails is no reason to end: what was not kept is kept the next time.
    fn checkpoint_if_possible(&mut self) -> Result<(), LineError> {
        match self.checkpoint() {
            Err(LineError::Checkpoint(error)) => {
                self.notices.push(Notice::CheckpointFailed { reason: in_full(&error) });
                Ok(())
            }
            done => done,
        }
    }

    /// Takes a checkpoint and commits it.
    pub fn checkpoint(&mut self) -> Result<(), LineError> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        let done = self.checkpoint_with(&mut keeper);
        self.keeper = Some(keeper);
        done
    }

    fn checkpoint_with(&mut self, keeper: &mut Keeper) -> Result<(), LineError> {
        let begun = self.now();
        keeper.last = begun.millis();
        let stream = self.stream()?;
        let made = self.provenance(begun);
        let changed = self.intake.changed();
        let taken = keeper.checkpoints.take(self.intake.state(), &changed, &made, &stream);
        let taken = taken.inspect_err(|_| self.counters.checkpoint_failed())?;
        self.commit(keeper, &taken.id)?;
        self.intake.settle();
        // It is true; what of the older ones cannot be deleted now is deleted later.
        drop(keeper.checkpoints.settled(&taken.id));
        self.is_new = false;
        let checkpoint = counted(&taken, changed.len(), begun, self.now());
        self.notices.push(Notice::CheckpointTaken(checkpoint.clone()));
        self.counters.checkpoint(checkpoint);
        Ok(())
    }

    /// Makes the checkpoint the true one, in one transaction with all that was sent.
    fn commit(&mut self, keeper: &Keeper, id: &CheckpointId) -> Result<(), LineError> {
        let note = note(id);
        let committed = |offset| Committed { offset, metadata: note.clone() };
        match &keeper.commits {
            Commits::None => {}
            Commits::Inputs => {
                let inputs = self.intake.positions().filter_map(|position| {
                    let topic = Topic::parse(&position.partition.topic).ok()?;
                    let partition = Partition { topic, number: position.partition.number };
                    Some((partition, committed(position.next)))
                });
                let inputs: BTreeMap<_, _> = inputs.collect();
                if let Some(feed) = self.source.feed() {
                    self.outputs.commit(feed, &inputs)?;
                }
            }
            Commits::Output(feed, partition) => {
                self.outputs.commit(feed, &BTreeMap::from([(partition.clone(), committed(0))]))?;
            }
        }
        Ok(())
    }

    /// Takes a checkpoint, and writes a savepoint of the same moment that can be moved.
    pub fn savepoint(&mut self, dir: &Location, on_existing: OnExisting) -> Result<(), LineError> {
        self.checkpoint()?;
        self.write_savepoint(dir, on_existing)
    }

    /// Writes a savepoint of this moment. What was sent since the last checkpoint is not committed.
    pub(in crate::updater) fn write_savepoint(
        &mut self,
        dir: &Location,
        on_existing: OnExisting,
    ) -> Result<(), LineError> {
        let (stream, made) = (self.stream()?, self.provenance(self.now()));
        native::write_with_stream(dir, self.intake.state(), &made, &stream, on_existing, &|| false)?;
        Ok(())
    }

    fn stream(&mut self) -> Result<Stream, LineError> {
        let outputs = self.outputs.flush()?;
        Ok(Stream {
            offsets: self.intake.positions().enumerate().map(|(place, position)| self.left(place, position)).collect(),
            watermark: self.intake.watermark().and_then(Timestamp::from_millis),
            buffered: self.intake.buffered().map(Incoming::event).cloned().collect(),
            pending: self.works.pending().cloned().collect(),
            behind: self.works.behind(),
            outputs,
        })
    }

    /// Where a partition is left.
    fn left(&self, place: usize, position: Position) -> StartOffset {
        let Position { partition: PartitionName { topic, number: partition }, next: offset } = position;
        let watermark = self.intake.watermark_of(place).and_then(Timestamp::from_millis);
        StartOffset { topic, partition, offset, watermark }
    }

    fn provenance(&self, now: Timestamp) -> Provenance {
        Provenance { created_at: now, ..self.made.clone() }
    }

    /// Notes where partitions are and what was heard of connections, for whoever watches.
    pub(in crate::updater) fn look(&mut self) {
        let heard = self.source.heard();
        for reason in heard.iter().filter(|what| !self.heard.contains(what)).cloned() {
            self.notices.push(Notice::Disconnected { source: "the events".to_owned(), reason });
        }
        self.heard = heard;
        if let Some(reason) = self.works.unreachable() {
            self.notices.push(Notice::Disconnected { source: "the wiki".to_owned(), reason });
        }
        for place in 0..self.counters.partitions.len() {
            let partition = &mut self.counters.partitions[place];
            partition.watermark = self.intake.watermark_of(place);
            let until = self.intake.partitions().get(place).and_then(|partition| partition.until);
            partition.end = until.or_else(|| self.source.end(place));
        }
    }

    /// The present.
    pub(in crate::updater) fn now(&self) -> Timestamp {
        (self.env.now)()
    }
}

/// What stands beside committed offsets: which checkpoint is true. Rule: design.md.
pub fn note(id: &CheckpointId) -> String {
    format!("checkpoint={id}")
}

/// The checkpoint that such a note names; `None` for the notes of others.
pub fn noted(note: &str) -> Option<CheckpointId> {
    CheckpointId::parse(note.strip_prefix("checkpoint=")?).ok()
}

fn counted(taken: &Taken, changed: usize, begun: Timestamp, now: Timestamp) -> counters::Checkpoint {
    counters::Checkpoint {
        id: taken.id.to_string(),
        at: now,
        millis: now.millis().saturating_sub(begun.millis()).max(0) as u64,
        bytes: taken.bytes,
        entities: if taken.is_full { taken.rows } else { changed as u64 },
        full: taken.is_full,
    }
}
