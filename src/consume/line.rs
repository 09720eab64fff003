//! From messages to updates of a store, one after the other.
//!
//! Promise: the store is always where some mutation ended, with all before it and nothing behind it. What it says is believed, never
//! what it was told: before and after each update it is asked where it is. A stream is only gone on with if its last record is the one
//! that was read last, when it is opened and before each update.
//! In -> out: records of a [`Source`] -> updates of a [`Target`].
//! Rules: an update is sent when it has as many triples as it may, when messages have come for [`Pace::linger`], or when none come. How
//! many triples it may have follows how fast the store is.
//! Invariant: one thread. A record that cannot be used stops everything, unless it is to be left out.
//! Not here: where reading begins (see `service`); what is done with the store (`bring`).

mod bring;

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::consume::assemble::{Assembler, AssemblyError, Whole};
use crate::consume::batch::{Batch, Taken};
use crate::consume::error::{BadRecord, ConsumeError};
use crate::consume::history::History;
use crate::consume::notice::Notice;
use crate::consume::patience::Limits;
use crate::consume::position::{Mark, Position};
use crate::consume::status::Totals;
use crate::consume::target::{Before, Target};
use crate::consume::triples::Namespaces;
use crate::env::Env;
use crate::mutation::wire::Message;
use crate::updater::service::in_full;
use crate::updater::source::lines::LONGEST;
use crate::updater::source::{PartitionName, Source};
use crate::wikibase::timestamp::Timestamp;

/// How long to wait for messages.
const WAIT: Duration = Duration::from_millis(100);
/// How many mutations an update may have: the store is asked for the entity of each, though it may add and remove nothing.
const MOST: u64 = 10_000;
/// For how long a source may be out of reach before that is told: it may have closed a connection to get another.
const SILENT: Duration = Duration::from_secs(30);
/// What the host of messages is that only show that a stream is alive.
const CANARY: &str = "canary";
/// How far ahead of the present a change may say to be, in milliseconds.
const AHEAD: i64 = 24 * 3_600_000;

/// How updates are cut, and how a store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many triples an update may have at first.
    pub first: usize,
    /// At least.
    pub least: usize,
    /// At most.
    pub most: usize,
    /// How long an update should take.
    pub aim: Duration,
    /// How long messages wait for more.
    pub linger: Duration,
    /// How many triples of each update are looked at before, at most.
    pub sample: usize,
    /// For how long what fails is tried again.
    pub patience: Limits,
}

/// What to do with a record that is of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRecord {
    /// Stop before it.
    #[default]
    Stop,
    /// Leave it out, and say so.
    Skip,
}

/// Why a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All was read that is to be read.
    AtEnd,
    /// It was told to stop.
    Stopped,
}

/// What a line is made of.
pub struct Parts<'p> {
    /// Where records come from.
    pub source: Box<dyn Source>,
    /// The store.
    pub target: &'p mut dyn Target,
    /// Where the store is.
    pub position: Position,
    /// What it says of that.
    pub before: Before,
    /// Where reading is begun; not where the store is, if that is not to count.
    pub from: Position,
    /// Where each partition ends that has an end, by its place.
    pub ends: Vec<Option<u64>>,
    /// Whether a mutation begins where reading is begun, as the store said so.
    pub is_at_beginning: bool,
    /// The wiki's namespaces.
    pub namespaces: Namespaces,
    /// How updates are cut.
    pub pace: Pace,
    /// What to do with what is of no use.
    pub on_bad: OnBadRecord,
    /// What was done so far.
    pub totals: Totals,
    /// The wiki's host, as messages name it.
    pub domain: String,
    /// Which run of a consumer this is, for the store to say.
    pub by: Option<String>,
    /// Whether the source can be read again from a record on, which is known by its mark then.
    pub is_marked: bool,
    /// Up to where each mutation is an update of its own, to find the one that the store refuses.
    pub alone_until: Option<Position>,
    /// Who looks at the line between turns, and while it waits.
    pub look: Look<'p>,
}

/// Looks at a line.
pub type Look<'p> = Box<dyn FnMut(&mut Line<'p>) + 'p>;

/// A store being kept up to date.
pub struct Line<'p> {
    env: Env,
    parts: Parts<'p>,
    assembler: Assembler,
    history: History,
    batch: Batch,
    /// Where the store will be after this batch.
    reached: Position,
    /// Where the records that came are read up to.
    read: Vec<Option<u64>>,
    /// What the first record of each partition must be, where it was read before.
    sought: Vec<Option<Mark>>,
    /// A record of each partition that came before what the next update is made of, or with it at first.
    proof: Vec<Option<Mark>>,
    /// The last record of each partition before where the store will be, if it came since the last update.
    last: Vec<Option<Record>>,
    /// Whether any record was taken.
    has_moved: bool,
    /// When the first message of the batch came, in milliseconds since 1970.
    since: Option<i64>,
    /// Where it is.
    from: Option<Spot>,
    /// Where the first message is of the mutation that is not whole.
    begun_at: Option<Spot>,
    /// When it turned last, waiting for nobody.
    turned: Timestamp,
    /// What it waits for, if it does.
    waits: Option<String>,
    /// Since when the source is out of reach.
    unreached: Option<Timestamp>,
    /// What was heard last.
    heard: Vec<String>,
    /// How many triples an update may have now.
    limit: usize,
    /// What there is to tell.
    pub notices: Vec<Notice>,
}

/// Where a record is: the place of its partition, and where it begins there.
type Spot = (usize, Option<u64>);

/// A record that came.
struct Record {
    place: usize,
    start: Option<u64>,
    next: Option<u64>,
    value: Vec<u8>,
}

impl<'p> Line<'p> {
    /// One that goes on where the store is.
    pub fn new(env: &Env, parts: Parts<'p>) -> Self {
        let (reached, limit) = (parts.from.clone(), parts.pace.first.clamp(parts.pace.least, parts.pace.most));
        let places: Vec<_> = parts.source.partitions().iter().map(|name| parts.from.place(name)).collect();
        let read = places.iter().map(|place| place.map(|place| place.from_last().next)).collect();
        let sought: Vec<_> = places.iter().map(|place| place.and_then(|place| place.last)).collect();
        Self {
            env: env.clone(),
            parts,
            assembler: Assembler::default(),
            history: History::default(),
            batch: Batch::default(),
            reached,
            read,
            proof: sought.clone(),
            sought,
            last: Vec::new(),
            has_moved: false,
            since: None,
            from: None,
            begun_at: None,
            turned: (env.now)(),
            waits: None,
            unreached: None,
            heard: Vec::new(),
            limit,
            notices: Vec::new(),
        }
    }

    /// Goes on until the end, or until it is told to stop.
    pub fn run(&mut self) -> Result<Ended, ConsumeError> {
        loop {
            self.turned = self.present();
            self.look();
            if self.env.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Stopped);
            }
            let (records, ended) = self.poll()?;
            let is_idle = records.is_empty();
            for record in records {
                if let Err(error) = self.take(record) {
                    return self.ended_by(error);
                }
                if self.is_due() {
                    self.apply()?;
                }
            }
            let has_ended = ended || self.is_at_end();
            if is_idle || has_ended || self.has_waited() {
                self.apply()?;
            }
            self.wait_for_source()?;
            if has_ended {
                self.refuse_unfound()?;
                let begun = self.assembler.begun();
                return begun.map_or(Ok(Ended::AtEnd), |begun| Err(ConsumeError::Unfinished(begun)));
            }
        }
    }

    /// What comes before what is of no use is applied; but not before what the store refused, which was with it.
    fn ended_by(&mut self, error: ConsumeError) -> Result<Ended, ConsumeError> {
        match error {
            ConsumeError::Record { source: BadRecord::Refused(_), .. } => Err(error),
            ConsumeError::Record { .. } => self.apply().and(Err(error)),
            error => Err(error),
        }
    }

    /// Lets itself be looked at.
    pub fn look(&mut self) {
        let mut look = std::mem::replace(&mut self.parts.look, Box::new(|_| {}));
        look(self);
        self.parts.look = look;
    }

    fn poll(&mut self) -> Result<(Vec<Record>, bool), ConsumeError> {
        let (mut records, begun) = (Vec::new(), self.now());
        let polled = self.parts.source.poll(WAIT, &mut |arrived| {
            let (place, start, next, value) = (arrived.place, arrived.start, arrived.next, arrived.value.to_vec());
            records.push(Record { place, start, next, value });
        })?;
        self.parts.totals.poll_ms += (self.now() - begun).max(0) as u64;
        let heard = self.parts.source.heard();
        let is_new = |what: &&String| !self.heard.contains(what);
        self.notices.extend(heard.iter().filter(is_new).map(|what| Notice::Heard { what: what.clone() }));
        self.heard = heard;
        Ok((records, polled.ended))
    }

    /// Tells that the source is out of reach; an error, if it is for too long.
    fn wait_for_source(&mut self) -> Result<(), ConsumeError> {
        self.waits = None;
        let Some(error) = self.parts.source.out_of_reach() else {
            self.unreached = None;
            return Ok(());
        };
        let now = self.present();
        let tried = now.since(*self.unreached.get_or_insert(now));
        if tried >= self.parts.pace.patience.give_up {
            return Err(ConsumeError::GaveUp { tried, source: Box::new(error.into()) });
        }
        self.waits = (tried >= SILENT).then(|| in_full(&error));
        Ok(())
    }

    fn now(&self) -> i64 {
        (self.env.now)().millis()
    }

    /// Whether every partition was read up to its end.
    fn is_at_end(&self) -> bool {
        let ends = &self.parts.ends;
        let is_read = |(place, end): (usize, &Option<u64>)| {
            let read = self.read.get(place).copied().flatten().unwrap_or(0);
            end.is_some_and(|end| read >= end)
        };
        !ends.is_empty() && ends.iter().enumerate().all(is_read)
    }

    fn is_due(&self) -> bool {
        self.batch.weight() >= self.limit || self.batch.counts().mutations() >= MOST || self.is_alone()
    }

    /// Whether each mutation is an update of its own.
    fn is_alone(&self) -> bool {
        self.parts.alone_until.as_ref().is_some_and(|until| !self.reached.is_ahead_of(until))
    }

    fn has_waited(&self) -> bool {
        let linger = i64::try_from(self.parts.pace.linger.as_millis()).unwrap_or(i64::MAX);
        self.since.is_some_and(|since| self.now() - since >= linger)
    }

    fn take(&mut self, record: Record) -> Result<(), ConsumeError> {
        if self.read.len() <= record.place {
            self.read.resize(record.place + 1, None);
            self.proof.resize(record.place + 1, None);
        }
        if self.is_sought(&record)? {
            self.read[record.place] = record.next;
            return Ok(());
        }
        self.parts.totals.records += 1;
        if self.proof[record.place].is_none() {
            self.proof[record.place] = self.mark_of(&record);
        }
        let taken = self.message(&record)?;
        let spot = self.spot_of_mutation(&record, taken.as_ref().err());
        if self.batch.counts().mutations() > 0 {
            self.from.get_or_insert(spot);
        }
        if let Err(source) = taken {
            self.bad(spot, source)?;
        }
        self.read[record.place] = record.next;
        self.has_moved = true;
        // Within a mutation the store stays before it.
        if self.assembler.begun().is_none() {
            let name = &self.parts.source.partitions()[record.place];
            // Where a source tells no positions, records are counted: so no position comes twice.
            let next = record.next.unwrap_or_else(|| self.reached.next(name).unwrap_or(0) + 1);
            self.reached.advance(name, next);
            if self.last.len() <= record.place {
                self.last.resize_with(record.place + 1, || None);
            }
            let place = record.place;
            self.last[place] = Some(record);
        }
        Ok(())
    }

    /// Where a mutation begins that a record ends or interrupts; and from now on that of one that it begins.
    fn spot_of_mutation(&mut self, record: &Record, error: Option<&BadRecord>) -> Spot {
        let (begun, here) = (self.begun_at.take(), (record.place, record.start));
        let is_interrupted = matches!(error, Some(BadRecord::Assembly(AssemblyError::Incomplete { .. })));
        if self.assembler.begun().is_some() {
            self.begun_at = begun.filter(|_| !is_interrupted).or(Some(here));
        }
        begun.unwrap_or(here)
    }

    /// A mutation is of no use.
    fn bad(&mut self, spot: Spot, source: BadRecord) -> Result<(), ConsumeError> {
        // What does not fit may be of another stream.
        self.refuse_other()?;
        let place = self.place(spot);
        if self.parts.on_bad == OnBadRecord::Stop {
            return Err(ConsumeError::Record { place, source });
        }
        self.parts.totals.skipped += 1;
        let reason = in_full(&source);
        self.notices.push(Notice::Skipped { place, reason });
        Ok(())
    }

    /// Whether a record is the one that was read last, as it must be if one is sought.
    fn is_sought(&mut self, record: &Record) -> Result<bool, ConsumeError> {
        let Some(sought) = self.sought.get_mut(record.place).and_then(Option::take) else { return Ok(false) };
        if record.start.map(|start| Mark::of(start, &record.value)) == Some(sought) {
            return Ok(true);
        }
        Err(ConsumeError::OtherRecord { place: self.place((record.place, Some(sought.start))) })
    }

    /// Refuses a stream that ended before the record came that was read last.
    fn refuse_unfound(&self) -> Result<(), ConsumeError> {
        let mut sought = self.parts.source.partitions().iter().zip(&self.sought);
        let unfound = sought.find_map(|(name, sought)| Some(place(name, Some((*sought)?.start))));
        unfound.map_or(Ok(()), |place| Err(ConsumeError::OtherRecord { place }))
    }

    /// Refuses what was read since the last update if the stream was made anew meanwhile: with what it began, it would be missed.
    fn refuse_other(&mut self) -> Result<(), ConsumeError> {
        for (place, proof) in self.proof.iter().enumerate() {
            let Some(proof) = *proof else { continue };
            let is_it = |value: &[u8]| Mark::of(proof.start, value) == proof;
            if !self.parts.source.still_has(place, proof.start, &is_it)? {
                return Err(ConsumeError::OtherRecord { place: self.place((place, Some(proof.start))) });
            }
        }
        Ok(())
    }

    /// Marks the last records before where the store will be, by which the stream is known again.
    fn mark(&mut self) {
        for record in std::mem::take(&mut self.last).into_iter().flatten() {
            if let Some(mark) = self.mark_of(&record) {
                self.reached.mark(&self.parts.source.partitions()[record.place], mark);
                self.proof[record.place] = Some(mark);
            }
        }
    }

    fn mark_of(&self, record: &Record) -> Option<Mark> {
        record.start.filter(|_| self.parts.is_marked).map(|start| Mark::of(start, &record.value))
    }

    /// Where a record is, for people.
    fn place(&self, (place_of, start): Spot) -> String {
        place(&self.parts.source.partitions()[place_of], start)
    }

    /// Takes a message; the inner error says that it is of no use.
    fn message(&mut self, record: &Record) -> Result<Result<(), BadRecord>, ConsumeError> {
        if record.value.is_empty() {
            self.parts.totals.empty += 1;
            return Ok(Ok(()));
        }
        if record.value.len() >= LONGEST {
            return Ok(Err(BadRecord::TooLong { size: record.value.len() }));
        }
        let message = match Message::read(&record.value) {
            Ok(message) => message,
            Err(error) => return Ok(Err(error.into())),
        };
        if message.meta.domain.as_deref() == Some(CANARY) {
            self.parts.totals.canaries += 1;
            return Ok(Ok(()));
        }
        if let Some(found) = message.meta.domain.as_deref().filter(|domain| *domain != self.parts.domain) {
            return Ok(Err(BadRecord::OtherWiki { found: found.to_owned(), wanted: self.parts.domain.clone() }));
        }
        if !self.parts.is_at_beginning && message.sequence > 0 {
            self.parts.totals.skipped += 1;
            let place = self.place((record.place, record.start));
            self.notices.push(Notice::Headless { place });
            return Ok(Ok(()));
        }
        self.parts.is_at_beginning = true;
        // What interrupts a mutation may be one itself.
        let kept =
            (self.parts.on_bad == OnBadRecord::Skip && self.assembler.begun().is_some()).then(|| message.clone());
        match self.assembler.take(message) {
            Ok(None) => Ok(Ok(())),
            Ok(Some(whole)) => self.mutation(&whole),
            Err(error @ AssemblyError::Incomplete { .. }) => {
                if let Some(message) = kept
                    && let Ok(Some(whole)) = self.assembler.take(message)
                    && let Err(error) = self.mutation(&whole)?
                {
                    return Ok(Err(error));
                }
                Ok(Err(error.into()))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn mutation(&mut self, whole: &Whole<'_>) -> Result<Result<(), BadRecord>, ConsumeError> {
        let bad = |source| BadRecord::Triples { entity: whole.entity.to_string(), revision: whole.revision, source };
        match self.batch.take(whole, &self.parts.namespaces, &mut self.history) {
            Ok(Taken::Yes) => {}
            Ok(Taken::No) => {
                self.apply()?;
                if let Err(source) = self.batch.take(whole, &self.parts.namespaces, &mut self.history) {
                    return Ok(Err(bad(source)));
                }
            }
            Err(source) => return Ok(Err(bad(source))),
        }
        let now = self.now();
        self.since.get_or_insert(now);
        Ok(Ok(()))
    }

    /// Where the store is.
    pub const fn position(&self) -> &Position {
        &self.parts.position
    }

    /// When it turned last, waiting for nobody.
    pub const fn turned(&self) -> Timestamp {
        self.turned
    }

    /// What it waits for, if it does.
    pub fn waits(&self) -> Option<&str> {
        self.waits.as_deref()
    }

    /// What was done so far.
    pub const fn totals(&self) -> &Totals {
        &self.parts.totals
    }

    /// How many triples an update may have now.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many messages are still to be read, if that is known.
    pub fn lag(&self) -> Option<u64> {
        if self.parts.source.partitions().is_empty() {
            return None;
        }
        let ends = (0..self.parts.source.partitions().len()).map(|place| self.parts.source.end(place));
        let left = ends.zip(&self.read).map(|(end, read)| Some(end?.saturating_sub((*read)?)));
        left.sum()
    }

    /// The present.
    pub fn present(&self) -> Timestamp {
        (self.env.now)()
    }
}

/// Where a record is, for people.
fn place(name: &PartitionName, start: Option<u64>) -> String {
    match start {
        Some(start) => format!("{} {start}", name),
        None => name.to_string(),
    }
}
