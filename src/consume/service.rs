//! A line, opened where the store is, and opened again when something broke off.
//!
//! Promise: it goes on where the store says it is; only a store that says nothing is begun where it is told to. No position is guessed.
//! In -> out: [`Config`], a [`Target`] -> a [`Line`], again and again -> [`Summary`].
//! Rules: where reading is begun:
//!
//! | the store | begun |
//! | --- | --- |
//! | has a position in the topic, or the files | there, if the message before it is the one that it has read last |
//! | has a time only, of a stream over HTTP without offsets | at that time, less a margin: what comes twice does no harm |
//! | has one in another stream | not at all |
//! | has none | where it was told to |

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::consume::desk::Board;
use crate::consume::error::ConsumeError;
use crate::consume::line::{Ended, Line, OnBadRecord, Pace, Parts};
use crate::consume::notice::Notice;
use crate::consume::patience::{LONGEST, Patience};
use crate::consume::position::{Place, Position, Said};
use crate::consume::status::{Status, Totals};
use crate::consume::target::{Before, Target, TargetError};
use crate::consume::triples::Namespaces;
use crate::env::Env;
use crate::kafka::cluster::Cluster;
use crate::kafka::{Extent, KafkaError, Partition, Settings, Topic};
use crate::storage::{Blob, Location};
use crate::updater::service::in_full;
use crate::updater::source::event_stream::{Asked, Known, OverHttp};
use crate::updater::source::kafka::Topics;
use crate::updater::source::lines::Lines;
use crate::updater::source::{PartitionName, Source, SourceError};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// How far behind the present a stream whose end is not known may be to be taken for caught up, in milliseconds.
const NEAR: i64 = 300_000;
/// How long from one status to the next, in milliseconds.
const STEP: i64 = 1000;
/// How long from one line about progress to the next, in milliseconds.
const TOLD: i64 = 30_000;

/// What to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The wiki.
    pub scheme: UrisScheme,
    /// Its host, as messages name it.
    pub domain: String,
    /// Where messages come from.
    pub source: Messages,
    /// Where to begin, if the store does not say.
    pub start: Option<Start>,
    /// Begin there even if the store says where it is.
    pub is_anew: bool,
    /// Whether to end where the stream ends now.
    pub until_end: bool,
    /// How updates are cut.
    pub pace: Pace,
    /// What to do with records of no use.
    pub on_bad: OnBadRecord,
    /// Which run this is, for the store to say: an id that no other has. `None` if nothing is applied.
    pub run: Option<String>,
}

/// Where messages come from.
#[derive(Clone, Debug)]
pub enum Messages {
    /// A topic of Kafka.
    Kafka(Box<Settings>, Topic),
    /// Files, one after the other.
    Files(Vec<Location>),
    /// A stream over HTTP.
    EventStream(Box<Asked>),
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first there is.
    Earliest,
    /// With the first that was written then or later.
    Time(Timestamp),
    /// Where the consumer group has committed that it goes on.
    Committed,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Why it ended.
    pub reason: &'static str,
    /// Where the store is.
    pub position: String,
    /// What was done.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Who is told how it goes.
pub struct Watcher {
    board: Arc<Board>,
    tell: Box<dyn FnMut(&Notice)>,
    started_at: Timestamp,
    now: fn() -> Timestamp,
    next: i64,
    told: i64,
    /// When it was looked last, and how many mutations had been applied.
    last: (i64, u64),
    has_caught_up: bool,
}

impl Watcher {
    /// One that tells notices to `tell`.
    pub fn new(now: fn() -> Timestamp, stop: &Arc<AtomicBool>, tell: Box<dyn FnMut(&Notice)>) -> Self {
        let started_at = now();
        let at = started_at.millis();
        let board = Arc::new(Board::new(now, Arc::clone(stop)));
        Self { board, tell, started_at, now, next: at, told: at, last: (at, 0), has_caught_up: false }
    }

    /// The side of those who ask over HTTP.
    pub fn desk(&self) -> Arc<dyn crate::control::Desk> {
        Arc::clone(&self.board) as _
    }

    fn look(&mut self, line: &mut Line<'_>) {
        line.notices.drain(..).for_each(|notice| (self.tell)(&notice));
        let now = line.present().millis();
        if now < self.next && line.waits().is_none() {
            return;
        }
        self.next = now + STEP;
        let lag = line.lag();
        let until = line.position().until;
        let is_near = until.is_some_and(|until| now.saturating_sub(until.millis()) < NEAR);
        if (lag == Some(0) || lag.is_none() && is_near) && !self.has_caught_up {
            self.has_caught_up = true;
            (self.tell)(&Notice::CaughtUp);
        }
        let status = self.status(line, lag);
        self.board.publish(status.clone());
        if now - self.told >= TOLD {
            self.told = now;
            (self.tell)(&Notice::Progress(Box::new(status)));
        }
    }

    fn status(&mut self, line: &Line<'_>, lag: Option<u64>) -> Status {
        let (at, mutations) = (line.present(), line.totals().applied.mutations());
        let (then, before) = std::mem::replace(&mut self.last, (at.millis(), mutations));
        let seconds = (at.millis() - then) as f64 / 1000.0;
        let rate = (seconds > 0.0).then(|| mutations.saturating_sub(before) as f64 / seconds);
        let phase = match (line.waits(), self.has_caught_up) {
            (Some(_), _) => "waiting",
            (None, true) => "running",
            (None, false) => "catching_up",
        };
        Status {
            at,
            phase,
            reason: line.waits().map(str::to_owned),
            position: line.position().to_string(),
            lag,
            complete_until: line.position().until,
            mutations_per_second: rate,
            batch: line.limit(),
            totals: *line.totals(),
            ..Status::new(self.started_at)
        }
    }

    /// Nothing goes on for a while.
    fn waits(&mut self, reason: &str, pause: Duration, totals: &Totals) {
        let latest = self.board.latest();
        let (at, reason) = ((self.now)(), reason.to_owned());
        let status = Status { at, phase: "waiting", reason: Some(reason.clone()), totals: *totals, ..latest };
        self.board.publish(status);
        (self.tell)(&Notice::Reopening { reason, pause_ms: pause.as_millis() as u64 });
    }

    /// It has ended, and all is done.
    fn summary(&mut self, reason: &'static str, position: &Position, totals: &Totals) -> Summary {
        let at = position.to_string();
        let status = Status {
            at: (self.now)(),
            phase: "stopped",
            reason: Some(reason.to_owned()),
            position: at.clone(),
            complete_until: position.until,
            totals: *totals,
            ..Status::new(self.started_at)
        };
        self.board.publish(status);
        (self.tell)(&Notice::Stopped { reason: reason.to_owned(), at: at.clone() });
        Summary { reason, position: at, totals: *totals }
    }
}

impl Drop for Watcher {
    /// Whoever waits for the end has it, also after an error.
    fn drop(&mut self) {
        let status = self.board.latest();
        if status.phase != "stopped" {
            self.board.publish(Status { phase: "stopped", reason: Some("it failed".to_owned()), ..status });
        }
    }
}

/// How a run goes.
struct Course {
    totals: Totals,
    /// Where the store is.
    last: Position,
    /// As of [`Config::is_anew`], until something was done.
    is_anew: bool,
    /// As of [`Parts::alone_until`].
    alone_until: Option<Position>,
    /// For how long nothing failed, the last time.
    well: Duration,
    has_met_another: bool,
    /// Whether the topic was looked at again that has lost what comes next.
    has_looked: bool,
}

/// Runs until the end, until it is told to stop, or until it cannot go on.
pub fn run(
    config: &Config,
    target: &mut dyn Target,
    env: &Env,
    watcher: &mut Watcher,
) -> Result<Summary, ConsumeError> {
    let mut course = Course {
        totals: Totals::default(),
        last: Position::default(),
        is_anew: config.is_anew,
        alone_until: None,
        well: Duration::ZERO,
        has_met_another: false,
        has_looked: false,
    };
    let mut patience = Patience::new(config.pace.patience);
    loop {
        let updates = course.totals.updates;
        let ended = attempt(config, target, env, watcher, &mut course);
        let Course { totals, last, .. } = &course;
        let error = match ended {
            Ok(reason) => return Ok(watcher.summary(reason, last, totals)),
            // Whatever broke off because of that.
            Err(_) if env.stop.load(Ordering::Relaxed) => return Ok(watcher.summary("told to stop", last, totals)),
            Err(error) => error,
        };
        let has_done = course.totals.updates > updates;
        course.is_anew &= !has_done;
        if has_done || course.well >= LONGEST {
            patience = Patience::new(config.pace.patience);
        }
        let pause = match course.is_answered(&error, config) {
            true => config.pace.patience.pause,
            false if !error.may_pass() => return Err(error),
            false => match patience.pause((env.now)(), error.asked()) {
                Ok(pause) => pause,
                Err(tried) => return Err(ConsumeError::GaveUp { tried, source: Box::new(error) }),
            },
        };
        course.totals.reopened += 1;
        watcher.waits(&in_full(&error), pause, &course.totals);
        if !env.rest(pause) {
            return Ok(watcher.summary("told to stop", &course.last, &course.totals));
        }
    }
}

impl Course {
    /// Whether there is something to do about an error, besides trying the same again.
    fn is_answered(&mut self, error: &ConsumeError, config: &Config) -> bool {
        match error {
            ConsumeError::Refused { until, .. } => {
                self.alone_until = Some((**until).clone());
                true
            }
            // Once: when it is opened it is said what became of it.
            ConsumeError::Source(SourceError::Kafka(KafkaError::Lost { .. })) => {
                !std::mem::replace(&mut self.has_looked, true)
            }
            // Once: what a consumer that was killed had sent may be done late. Of two that live, one stays.
            ConsumeError::Another { found, .. } => {
                let stays = !found.by.is_empty() && found.by.iter().all(|by| config.run.as_ref() <= Some(by));
                !std::mem::replace(&mut self.has_met_another, true) || stays
            }
            _ => false,
        }
    }
}

/// Opens a line and lets it run; why it ended. How it went is told also after an error.
fn attempt(
    config: &Config,
    target: &mut dyn Target,
    env: &Env,
    watcher: &mut Watcher,
    course: &mut Course,
) -> Result<&'static str, ConsumeError> {
    course.well = Duration::ZERO;
    let (position, before) = match target.position() {
        Err(TargetError::Position(_)) if course.is_anew => (Position::default(), Before::Garbage),
        said => {
            let Said { position, lines } = said?;
            (position, Before::Lines(lines))
        }
    };
    course.last.clone_from(&position);
    let known = if course.is_anew { Position::default() } else { position.clone() };
    let Opened { source, from, ends } = open(config, &known, env)?;
    let begun = if from.is_unknown() { "the beginning".to_owned() } else { from.to_string() };
    (watcher.tell)(&Notice::Opened { at: begun });
    let parts = Parts {
        source,
        target,
        position,
        before,
        from,
        ends,
        is_at_beginning: !known.places.is_empty(),
        namespaces: Namespaces::new(&config.scheme),
        pace: config.pace,
        on_bad: config.on_bad,
        totals: course.totals,
        domain: config.domain.clone(),
        by: config.run.clone(),
        is_marked: !matches!(config.source, Messages::EventStream(_)),
        alone_until: course.alone_until.clone(),
        look: Box::new(|line| watcher.look(line)),
    };
    let (mut line, opened) = (Line::new(env, parts), (env.now)());
    let ended = line.run();
    line.look();
    (course.totals, course.last) = (*line.totals(), line.position().clone());
    course.well = line.turned().since(opened);
    match ended? {
        Ended::AtEnd => Ok("at the end"),
        Ended::Stopped => Ok("told to stop"),
    }
}

/// What is read, and where it begins and ends.
struct Opened {
    source: Box<dyn Source>,
    from: Position,
    ends: Vec<Option<u64>>,
}

fn open(config: &Config, known: &Position, env: &Env) -> Result<Opened, ConsumeError> {
    match &config.source {
        Messages::Kafka(settings, topic) => of_topic(config, settings, topic, known, env),
        Messages::Files(files) => of_files(config, files, known),
        Messages::EventStream(asked) => over_http(config, asked, known, env),
    }
}

fn of_topic(
    config: &Config,
    settings: &Settings,
    topic: &Topic,
    known: &Position,
    env: &Env,
) -> Result<Opened, ConsumeError> {
    let cluster = Cluster::connect_to_committed(settings, env)?;
    let partitions = cluster.partitions(&BTreeSet::from([topic.clone()]))?.partitions;
    let [partition] = &partitions[..] else {
        return Err(ConsumeError::Partitions { topic: topic.clone(), partitions: partitions.len() });
    };
    let extents = cluster.extents(&partitions)?;
    let extent = extents.get(partition).copied().unwrap_or(Extent { earliest: 0, end: 0 });
    let name = PartitionName { topic: topic.as_str().to_owned(), number: partition.number };
    let place = match known.place(&name) {
        Some(place) => place.clone(),
        None if !known.is_unknown() => {
            return Err(ConsumeError::OtherStream { found: known.clone(), wanted: topic.to_string() });
        }
        None => {
            let next = begun(config, &cluster, partition, extent, (env.now)())?;
            Place { partition: name, next, last: None }
        }
    };
    let next = place.next;
    if next < extent.earliest {
        return Err(ConsumeError::Lost { topic: topic.clone(), earliest: extent.earliest, next });
    }
    if next > extent.end {
        return Err(ConsumeError::Ahead { topic: topic.clone(), end: extent.end, next });
    }
    let ends = match config.until_end {
        true => cluster.behind_last(&extents)?.into_values().map(Some).collect(),
        false => Vec::new(),
    };
    // What the topic no longer has proves nothing.
    let place = Place { last: place.last.filter(|last| last.start >= extent.earliest), ..place };
    let source = Box::new(Topics::open(settings, &[(partition.clone(), place.from_last().next)])?.asking(cluster));
    let from = Position { places: vec![place], until: known.until, ..Position::default() };
    Ok(Opened { source, from, ends })
}

/// Where to begin a topic of which the store knows nothing.
fn begun(
    config: &Config,
    cluster: &Cluster,
    partition: &Partition,
    extent: Extent,
    now: Timestamp,
) -> Result<u64, ConsumeError> {
    let topic = &partition.topic;
    match config.start {
        None => Err(ConsumeError::NoStart),
        Some(Start::Earliest) => Ok(extent.earliest),
        Some(Start::Committed) => {
            let committed = cluster.committed(std::slice::from_ref(partition))?;
            let committed = committed.get(partition).map(|committed| committed.offset);
            committed.ok_or_else(|| ConsumeError::NoCommit(topic.clone()))
        }
        Some(Start::Time(time)) => {
            let none = |reason: &str| {
                let (topic, time, reason) = (topic.clone(), time.to_string(), reason.to_owned());
                ConsumeError::NoTime { topic, time, reason }
            };
            let found = cluster.first_since(std::slice::from_ref(partition), time)?;
            let Some(offset) = found.get(partition).copied().flatten() else {
                // All that it has is older: what is written from now on is what is wanted.
                return if time <= now { Ok(extent.end) } else { Err(none("that is yet to come")) };
            };
            if offset > extent.earliest || extent.earliest == 0 {
                return Ok(offset);
            }
            // Records were deleted: whether they were younger than the time, nobody knows.
            Err(none("the oldest that it has is younger, and older ones were deleted"))
        }
    }
}

fn of_files(config: &Config, files: &[Location], known: &Position) -> Result<Opened, ConsumeError> {
    let begun: Vec<_> = known.places.iter().map(Place::from_last).collect();
    let source = Lines::open(files, &begun)?;
    let is_known = source.partitions().iter().any(|name| known.next(name).is_some());
    if !known.is_unknown() && !is_known {
        let wanted = files.iter().map(Location::to_string).collect::<Vec<_>>().join(", ");
        return Err(ConsumeError::OtherStream { found: known.clone(), wanted });
    }
    if !is_known && !matches!(config.start, Some(Start::Earliest)) {
        return Err(ConsumeError::NoStart);
    }
    for (file, name) in files.iter().zip(source.partitions()) {
        known.place(name).map_or(Ok(()), |place| refuse_other(file, place))?;
    }
    Ok(Opened { source: Box::new(source), from: known.clone(), ends: Vec::new() })
}

/// Refuses a file that was cut, or, if its last line is not known, has no line where the store is.
fn refuse_other(file: &Location, place: &Place) -> Result<(), ConsumeError> {
    let (blob, next) = (Blob::open(file).map_err(SourceError::from)?, place.next);
    if blob.size() < next {
        return Err(SourceError::Shrunk { location: file.to_string(), size: blob.size(), next }.into());
    }
    let around = blob.read(next.saturating_sub(1)..blob.size().min(next + 1)).map_err(SourceError::from)?;
    // A last line may have had no end then.
    let is_line = next == 0 || next == blob.size() || around.contains(&b'\n');
    match is_line || place.last.is_some() {
        true => Ok(()),
        false => Err(ConsumeError::OtherFile { file: file.to_string(), next }),
    }
}

fn over_http(config: &Config, asked: &Asked, known: &Position, env: &Env) -> Result<Opened, ConsumeError> {
    let since = match (known.until, config.start) {
        (Some(until), _) => until.before(asked.margin),
        (None, Some(Start::Time(time))) => time,
        (None, _) => return Err(ConsumeError::NoStart),
    };
    // A server sends what comes next, not what came last: nothing is proved.
    let mut from = known.clone();
    from.places.iter_mut().for_each(|place| place.last = None);
    let positions: Vec<_> = from.places.iter().map(Place::from_last).collect();
    let before = Known { positions: &positions, watermark: Some(since), dump_start: None };
    let settings = asked.after(before).ok_or(ConsumeError::NoStart)?;
    Ok(Opened { source: Box::new(OverHttp::open(settings, env)?), from, ends: Vec::new() })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { records, canaries, skipped, applied, updates, retries, reopened, divergences, .. } = &self.totals;
        writeln!(f, "ended       {}", self.reason)?;
        writeln!(f, "position    {}", self.position)?;
        let kinds = [
            (applied.import, "import"),
            (applied.diff, "diff"),
            (applied.delete, "delete"),
            (applied.reconcile, "reconcile"),
        ];
        let kinds: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
        writeln!(f, "messages    {records} read, {canaries} of them canaries")?;
        let of = if kinds.is_empty() { "" } else { ": " };
        writeln!(f, "mutations   {} in {updates} updates{of}{}", applied.mutations(), kinds.join(", "))?;
        writeln!(
            f,
            "triples     {}, {} of them needless, {} shared, {} unlinked",
            applied.triples, applied.redundant, applied.shared, applied.unlinked
        )?;
        writeln!(
            f,
            "divergences {} of {} triples that were looked at",
            divergences.of_sample + divergences.reported,
            divergences.sampled + divergences.expected
        )?;
        let rows = [
            ("empty", self.totals.empty),
            ("absent", self.totals.absent),
            ("left out", *skipped),
            ("asked again", *retries),
            ("reopened", *reopened),
        ];
        rows.iter().filter(|(_, count)| *count > 0).try_for_each(|(name, count)| writeln!(f, "{name:<12}{count}"))
    }
}
