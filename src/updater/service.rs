//! A line, opened where it must go on, and opened again when it broke off.
//!
//! Promise: it goes on from the one checkpoint that is true, or from a state and positions that fit together; if that cannot be
//! known it does not begin.
//! In -> out: [`Config`] -> a [`Line`], again and again -> [`Summary`].
//! Invariant: whoever had the transactions before is shut out before it is asked what he committed. No position is guessed.
//! Rules: design.md, "Exactly once through one Kafka transaction" and "Never guess a position".
//! Not here: what a line does (see `updater::line`).

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use error::ServiceError;
use serde::Serialize;

use crate::diff::Coverage;
use crate::entity_data::{self, Fetcher};
use crate::env::Env;
use crate::event::filter::Filter;
use crate::event::{Incoming, InputEvent};
use crate::kafka::cluster::Cluster;
use crate::kafka::feed::Feed;
use crate::kafka::outbox::Outbox;
use crate::kafka::{Committed, Extent, Partition, Settings, Topic, Topics};
use crate::mutation::wire::Version;
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::checkpoint::{self, Checkpoints};
use crate::savepoint::native::manifest::{CREATED_BY, Provenance, StartOffset};
use crate::savepoint::stream::Stream;
use crate::savepoint::{self, About, Contents, OnExisting, SavepointError};
use crate::state::StateTable;
use crate::storage::Location;
use crate::subgraph::assign::Assigner;
use crate::subgraph::definitions::Definitions;
use crate::updater::counters::{InconsistencyCounts, Totals};
use crate::updater::intake::{Beginning, Intake, Rules};
use crate::updater::line::{Commits, Ended, Keeper, Line, LineError, Parts, Until, noted};
use crate::updater::messages::Messages;
use crate::updater::outputs::{Outputs, Routes};
use crate::updater::revisions::{Folder, Http, Revisions, Wiki};
use crate::updater::source::event_stream::{self, OverHttp};
use crate::updater::source::lines::Lines;
use crate::updater::source::{self, PartitionName, Position, Source};
use crate::updater::watermark::Patience;
use crate::updater::works::{Limits, Works};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// The first pause before a line is opened again; each is twice the one before.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After the newest header of a dump, how long its last entities may be newer, in milliseconds: a document is written within the hour.
const DOCUMENT: i64 = 2 * 3_600_000;

/// What to run.
#[derive(Debug)]
pub struct Config {
    /// The wiki.
    pub scheme: UrisScheme,
    /// Where events come from.
    pub source: Events,
    /// Where entity data comes from.
    pub entities: Entities,
    /// Which events are meant.
    pub filter: Filter,
    /// How long an event waits for those before it, in milliseconds.
    pub window: i64,
    /// How long partitions wait for each other.
    pub patience: Patience,
    /// The graphs.
    pub definitions: Definitions,
    /// Where messages and side outputs go.
    pub routes: Routes,
    /// Whether output files that no checkpoint knows of are emptied.
    pub overwrite: bool,
    /// The form of messages.
    pub version: Version,
    /// How much reconciliations tell.
    pub coverage: Coverage,
    /// How long a message's triples may be, in UTF-16 code units.
    pub chunk: usize,
    /// Where to begin, if no checkpoint was committed.
    pub initial: Initial,
    /// Where checkpoints are.
    pub checkpoints: Option<CheckpointConfig>,
    /// How to reach Kafka, if anything is read from there or written to it.
    pub kafka: Option<Settings>,
    /// The name of the transactions.
    pub transactional: String,
    /// How much may be under way.
    pub limits: Limits,
    /// How many bytes of munged revisions are remembered.
    pub cache_bytes: usize,
    /// When to end.
    pub until: Until,
    /// Where to write a savepoint at the end.
    pub savepoint: Option<(Location, OnExisting)>,
    /// For how long to try again without any progress; after that the error is final.
    pub give_up: Duration,
}

/// Where events come from.
#[derive(Debug)]
pub enum Events {
    /// These topics of Kafka.
    Kafka(BTreeSet<Topic>),
    /// Files, one after the other.
    Files(Vec<Location>),
    /// A stream over HTTP.
    EventStream(Box<event_stream::Asked>),
}

/// Where entity data comes from.
#[derive(Clone, Debug)]
pub enum Entities {
    /// A wiki.
    Http(entity_data::Settings),
    /// A directory; see [`Folder`].
    Folder(Location),
}

/// The state to begin with.
#[derive(Clone, Debug)]
pub enum Initial {
    /// That of a savepoint, of any format.
    Savepoint(Location),
    /// None: no entity is known.
    Nothing,
    /// There must be a checkpoint.
    Checkpoint,
}

/// Where checkpoints are, and when they are taken.
#[derive(Clone, Debug)]
pub struct CheckpointConfig {
    /// The directory.
    pub dir: Location,
    /// How many are kept.
    pub keep: usize,
    /// How long from one to the next.
    pub interval: Duration,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Why it ended.
    pub reason: &'static str,
    /// How often it was opened again.
    pub restarts: u64,
    /// Events that wait for their turn.
    pub waiting: usize,
    /// What was done since it was opened last.
    #[serde(flatten)]
    pub totals: Totals,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { events, mutations, inconsistencies, fetch_failures, unchanged, .. } = &self.totals;
        let of = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
            let some = counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}"));
            let some: Vec<_> = some.collect();
            if some.is_empty() { String::new() } else { format!(" ({})", some.join(", ")) }
        };
        writeln!(f, "ended       {}", self.reason)?;
        let passed = of(&mut events.passed.iter());
        writeln!(f, "events      {} read, {} of entities{passed}", events.read, events.passed.total())?;
        writeln!(f, "mutations   {}{}", mutations.total(), of(&mut mutations.iter()))?;
        for stream in &self.totals.streams {
            writeln!(f, "sent        {} messages, {} bytes to {}", stream.messages, stream.bytes, stream.name)?;
        }
        let InconsistencyCounts { expected, real } = inconsistencies;
        let rows = [
            ("waiting", self.waiting as u64, " events, for their turn".to_owned()),
            ("unchanged", *unchanged, String::new()),
            ("late", events.late.total(), of(&mut events.late.iter())),
            ("odd", real.total(), of(&mut real.iter())),
            ("expected", expected.total(), of(&mut expected.iter())),
            ("not fetched", fetch_failures.total(), of(&mut fetch_failures.iter())),
            ("no events", events.dead_letters, String::new()),
            ("restarts", self.restarts, String::new()),
        ];
        rows.iter()
            .filter(|(_, count, _)| *count > 0)
            .try_for_each(|(name, count, of)| writeln!(f, "{name:<12}{count}{of}"))
    }
}

/// Where a line goes on.
struct Restored {
    state: StateTable,
    made: Provenance,
    stream: Stream,
    /// Whether positions are those of a checkpoint that is true.
    is_checkpoint: bool,
    /// What it was read from, for people.
    from: String,
}

/// Where each partition is read from, and where its reading ends, if it does.
type Starts = Vec<(Position, Option<u64>)>;

/// What Kafka says before anything is read.
struct Known {
    cluster: Cluster,
    partitions: Vec<Partition>,
    committed: BTreeMap<Partition, Committed>,
}

/// Who is told what becomes of lines.
pub trait Watch {
    /// A line was opened, to go on from there.
    fn opened(&mut self, line: &mut Line, from: &str);

    /// A line is between two turns. An error breaks it off.
    fn look(&mut self, line: &mut Line) -> Result<(), LineError>;

    /// A line has ended, and all is done.
    fn ended(&mut self, line: &mut Line, ended: Ended);

    /// A line broke off, and is opened again after a pause.
    fn broke(&mut self, error: &ServiceError, pause: Duration);
}

/// The message of an error and those of its causes.
pub fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string) {
        // Some tell their causes themselves.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Runs until it ends by itself, is told to stop, or cannot go on.
pub fn run(
    config: &Config,
    stdout: impl Fn() -> Box<dyn Write>,
    env: &Env,
    watch: &mut dyn Watch,
) -> Result<Summary, ServiceError> {
    let (mut restarts, mut pause, mut waited, mut was_open) = (0, PAUSE, Duration::ZERO, false);
    loop {
        let mut progress = 0;
        let attempt = open(config, stdout(), env).and_then(|(mut line, from)| {
            line.counters.totals.restarts = restarts;
            watch.opened(&mut line, &from);
            was_open = true;
            let ended = line.run(config.until, |line| watch.look(line));
            // Checkpoints of nothing new are none.
            let totals = &line.counters.totals;
            progress = totals.checkpoints.taken.min(totals.events.read);
            let ended = ended?;
            if let Some((dir, on_existing)) = &config.savepoint {
                line.write_savepoint(dir, *on_existing)?;
            }
            watch.ended(&mut line, ended);
            let (reason, waiting) = (ended.reason(), line.intake.waiting());
            Ok(Summary { reason, restarts, waiting, totals: line.counters.totals.clone() })
        });
        let error = match attempt {
            Ok(summary) => return Ok(summary),
            Err(error) => error,
        };
        if progress > 0 {
            (pause, waited) = (PAUSE, Duration::ZERO);
        }
        let may_pass = error.may_pass() || was_open && error.is_of_what_was_there();
        if !may_pass || waited >= config.give_up || env.stop.load(Ordering::Relaxed) {
            return Err(error);
        }
        restarts += 1;
        watch.broke(&error, pause);
        env.rest(pause);
        waited += pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Opens a line where it must go on; also tells where that is.
pub fn open(config: &Config, stdout: Box<dyn Write>, env: &Env) -> Result<(Line, String), ServiceError> {
    // Who cannot have the directory shuts nobody out.
    let mut checkpoints = config.checkpoints.as_ref().map(|at| Checkpoints::open(&at.dir, at.keep)).transpose()?;
    // From here on nobody else can commit: only now is it known which checkpoint is true.
    let outbox = match &config.kafka {
        Some(kafka) if config.routes.need_kafka() => Some(Outbox::open(kafka, &config.transactional, env)?),
        _ => None,
    };
    let known = known(config, env)?;
    let true_one = known.as_ref().map_or(Ok(None), |known| true_checkpoint(&known.committed))?;
    let restored = restore(config, checkpoints.as_mut(), true_one.as_ref(), outbox.is_some())?;
    let (source, starts) = begin(config, known.as_ref(), &restored, env)?;
    let outputs = &restored.stream.outputs;
    let outputs = Outputs::open(config.routes.clone(), outbox, outputs, config.overwrite, stdout, env)?;
    let keeper = checkpoints.zip(config.checkpoints.as_ref()).map(|(checkpoints, at)| {
        let interval = i64::try_from(at.interval.as_millis()).unwrap_or(i64::MAX);
        Ok::<_, ServiceError>(Keeper::new(checkpoints, interval, commits(config, outputs.has_outbox())?))
    });
    // Else a run that is killed before its first checkpoint leaves files of which nobody knows how much counts.
    let begins_files = !restored.is_checkpoint && config.routes.files().next().is_some();
    let Restored { state, made, stream, from, .. } = restored;
    let Stream { offsets, watermark, buffered, pending, behind, .. } = stream;
    let beginning = beginning(state, watermark, buffered)?;
    let mut intake = intake(config, &made, beginning, starts);
    offsets.into_iter().for_each(|left| resume(&mut intake, left));
    let mut works = Works::new(config.limits);
    works.set_behind(behind);
    let now = (env.now)().millis();
    pending.into_iter().for_each(|mutation| works.push(mutation, now));
    let revisions = Revisions::new(wiki(config, env)?, config.cache_bytes);
    let assigner = Assigner::new(&config.definitions, &config.scheme);
    let messages = Messages::new(assigner, config.version, &config.routes.domain, config.coverage, config.chunk);
    let keeper = keeper.transpose()?;
    let parts = Parts { source, intake, works, revisions, messages, outputs, keeper, made };
    let mut line = Line::new(env, parts);
    if begins_files {
        line.checkpoint()?;
    }
    Ok((line, from))
}

/// Asks Kafka, if it has a part in this.
fn known(config: &Config, env: &Env) -> Result<Option<Known>, ServiceError> {
    let Some(kafka) = &config.kafka else { return Ok(None) };
    let cluster = Cluster::connect_to_committed(kafka, env)?;
    let unknown = cluster.partitions(&config.routes.topics())?.unknown;
    if !unknown.is_empty() {
        return Err(ServiceError::UnknownTopics(unknown));
    }
    let partitions = match (&config.source, config.routes.first_topic()) {
        (Events::Kafka(topics), _) => {
            let Topics { partitions, unknown } = cluster.partitions(topics)?;
            if !unknown.is_empty() {
                return Err(ServiceError::UnknownTopics(unknown));
            }
            partitions
        }
        (Events::Files(_) | Events::EventStream(_), Some(output)) => vec![output.clone()],
        (Events::Files(_) | Events::EventStream(_), None) => Vec::new(),
    };
    let committed = cluster.committed(&partitions)?;
    Ok(Some(Known { cluster, partitions, committed }))
}

/// The checkpoint that was committed last, by what stands beside the offsets.
fn true_checkpoint(committed: &BTreeMap<Partition, Committed>) -> Result<Option<CheckpointId>, ServiceError> {
    let mut all = committed.iter().map(|(partition, committed)| (partition, &committed.metadata));
    let Some((one, of_one)) = all.next() else { return Ok(None) };
    if let Some((other, of_other)) = all.find(|(_, note)| noted(note) != noted(of_one)) {
        let (one, other, of_one, of_other) = (one.clone(), other.clone(), of_one.clone(), of_other.clone());
        return Err(ServiceError::Mixed { one, of_one, other, of_other });
    }
    Ok(noted(of_one))
}

/// The state to go on from.
fn restore(
    config: &Config,
    checkpoints: Option<&mut Checkpoints>,
    true_one: Option<&CheckpointId>,
    in_kafka: bool,
) -> Result<Restored, ServiceError> {
    let found = match (checkpoints, true_one) {
        (None, Some(id)) => return Err(ServiceError::NoDirectory(*id)),
        (Some(checkpoints), Some(id)) => {
            let unreadable = |source| ServiceError::Checkpoint { id: *id, source: Box::new(source) };
            Some((*id, checkpoints.read(id).map_err(unreadable)?))
        }
        // Where nothing is committed elsewhere, what is complete is true.
        (Some(checkpoints), None) if !in_kafka => {
            if let (Some(id), Some(at)) = (checkpoints.broken(), &config.checkpoints) {
                return Err(ServiceError::Broken { dir: at.dir.clone(), id });
            }
            let newest = checkpoints.newest().copied();
            newest.map(|id| Ok::<_, SavepointError>((id, checkpoints.read(&id)?))).transpose()?
        }
        (_, None) => None,
    };
    let restored = match found {
        Some((id, checkpoint::Restored { state, made, stream })) => {
            Restored { state, made, stream, is_checkpoint: true, from: format!("checkpoint {id}") }
        }
        None => initial(config)?,
    };
    if restored.made.concept != config.scheme.concept() {
        let (found, wanted) = (restored.made.concept, config.scheme.concept().to_owned());
        return Err(ServiceError::OtherWiki { found, wanted });
    }
    Ok(restored)
}

fn initial(config: &Config) -> Result<Restored, ServiceError> {
    let nothing = Provenance {
        created_at: Default::default(),
        created_by: CREATED_BY.to_owned(),
        inputs: Vec::new(),
        concept: config.scheme.concept().to_owned(),
        entity_data: config.scheme.entity_data().to_owned(),
        dump_starts: None,
    };
    let dir = match &config.initial {
        Initial::Savepoint(dir) => dir,
        Initial::Checkpoint => return Err(ServiceError::NoState),
        Initial::Nothing => {
            let (state, stream) = (StateTable::default(), Stream::default());
            return Ok(Restored { state, made: nothing, stream, is_checkpoint: false, from: "nothing".to_owned() });
        }
    };
    let Contents { state, stream, about } = savepoint::read(dir)?.whole(dir)?;
    let (made, stream) = match about {
        About::Native(manifest) => (manifest.made, stream),
        // What waits in Flink's is in the state of its operator; positions are not.
        About::Flink(_, entries) => {
            let buffered = entries.events.into_iter().flat_map(|(_, events)| events).collect();
            (nothing, Stream { buffered, ..stream })
        }
    };
    Ok(Restored { state, made, stream, is_checkpoint: false, from: dir.to_string() })
}

/// A source, and where each partition of it begins and ends, if it does.
type Begun = (Box<dyn Source>, Starts);

/// Opens the source, and tells where each partition begins and ends.
fn begin(config: &Config, known: Option<&Known>, restored: &Restored, env: &Env) -> Result<Begun, ServiceError> {
    let stored: Vec<Position> = restored.stream.offsets.iter().cloned().map(Position::from).collect();
    match (&config.source, known, &config.kafka) {
        (Events::Kafka(_), Some(known), Some(kafka)) => {
            let starts = starts(known, &stored, restored.is_checkpoint)?;
            let ends = if config.until.at_end { known.ends()? } else { BTreeMap::new() };
            let opened: Vec<_> = starts.iter().map(|(partition, next)| (partition.clone(), *next)).collect();
            let positions = starts.into_iter().map(|(partition, next)| {
                let until = ends.get(&partition).copied();
                (Position { partition: name(&partition), next }, until)
            });
            Ok((Box::new(source::kafka::Topics::open(kafka, &opened)?), positions.collect()))
        }
        (Events::Files(files), ..) => {
            let lines = Lines::open(files, &stored)?;
            let position = |partition: &PartitionName| {
                let next = stored.iter().find(|position| position.partition == *partition);
                (Position { partition: partition.clone(), next: next.map_or(0, |position| position.next) }, None)
            };
            let positions = lines.partitions().iter().map(position).collect();
            Ok((Box::new(lines), positions))
        }
        (Events::EventStream(asked), ..) => {
            let (watermark, dump) = (restored.stream.watermark, restored.made.dump_starts);
            let dump_start = dump.map(|starts| starts.oldest);
            let before = event_stream::Known { positions: &stored, watermark, dump_start };
            let settings = asked.after(before).ok_or(ServiceError::NoTime)?;
            let positions = settings.positions.iter().map(|position| (Position::from(position), None)).collect();
            Ok((Box::new(OverHttp::open(settings, env)?), positions))
        }
        (Events::Kafka(topics), ..) => Err(ServiceError::UnknownTopics(topics.iter().cloned().collect())),
    }
}

/// Where each partition is read from.
fn starts(known: &Known, stored: &[Position], is_checkpoint: bool) -> Result<Vec<(Partition, u64)>, ServiceError> {
    let extents = known.cluster.extents(&known.partitions)?;
    let start = |partition: &Partition| {
        let name = name(partition);
        let extent = extents.get(partition).copied().unwrap_or(Extent { earliest: 0, end: 0 });
        let saved = stored.iter().find(|position| position.partition == name).map(|position| position.next);
        let group = known.committed.get(partition).map(|committed| committed.offset);
        let next = match (saved, group) {
            (Some(saved), Some(group)) if saved != group && !is_checkpoint => {
                return Err(ServiceError::Disagree { partition: name, group, savepoint: saved });
            }
            (Some(next), _) | (None, Some(next)) => next,
            // It was made since.
            (None, None) if is_checkpoint => extent.earliest,
            (None, None) => return Err(ServiceError::NoOffset(name)),
        };
        if next < extent.earliest {
            return Err(ServiceError::Gap { partition: name, earliest: extent.earliest, next });
        }
        if next > extent.end {
            return Err(ServiceError::Ahead { partition: name, end: extent.end, next });
        }
        Ok((partition.clone(), next))
    };
    known.partitions.iter().map(start).collect()
}

impl Known {
    /// Behind the last record of each partition.
    fn ends(&self) -> Result<BTreeMap<Partition, u64>, ServiceError> {
        Ok(self.cluster.behind_last(&self.cluster.extents(&self.partitions)?)?)
    }
}

fn name(partition: &Partition) -> PartitionName {
    PartitionName { topic: partition.topic.as_str().to_owned(), number: partition.number }
}

/// What is committed with a checkpoint.
fn commits(config: &Config, has_outbox: bool) -> Result<Commits, ServiceError> {
    match (&config.source, &config.kafka, config.routes.first_topic()) {
        _ if !has_outbox => Ok(Commits::None),
        (Events::Kafka(_), ..) => Ok(Commits::Inputs),
        (Events::Files(_) | Events::EventStream(_), Some(kafka), Some(output)) => {
            Ok(Commits::Output(Box::new(Feed::open(kafka, &[])?), output.clone()))
        }
        (Events::Files(_) | Events::EventStream(_), ..) => Ok(Commits::None),
    }
}

fn beginning(
    state: StateTable,
    watermark: Option<Timestamp>,
    buffered: Vec<InputEvent>,
) -> Result<Beginning, ServiceError> {
    let buffered = buffered.into_iter().map(Incoming::new).collect::<Result<_, _>>();
    let buffered = buffered.map_err(ServiceError::Buffered)?;
    Ok(Beginning { state, watermark: watermark.map(Timestamp::millis), buffered })
}

fn intake(config: &Config, made: &Provenance, beginning: Beginning, starts: Starts) -> Intake {
    let rules = Rules {
        filter: config.filter.clone(),
        window: config.window,
        patience: config.patience,
        settled: made.dump_starts.map(|starts| starts.newest.millis() + DOCUMENT),
        is_sequential: matches!(config.source, Events::Files(_)),
    };
    let mut intake = Intake::new(rules, beginning);
    starts.into_iter().for_each(|(position, until)| intake.add(position, until));
    intake
}

/// A partition goes on in time where it was left, so that the others need not wait for it to speak again.
fn resume(intake: &mut Intake, left: StartOffset) {
    if let Some(watermark) = left.watermark {
        intake.resume(&Position::from(left).partition, watermark.millis());
    }
}

fn wiki(config: &Config, env: &Env) -> Result<Box<dyn Wiki>, ServiceError> {
    Ok(match &config.entities {
        Entities::Http(settings) => Box::new(Http::new(Fetcher::new(settings.clone(), env)?, &config.scheme)),
        Entities::Folder(dir) => Box::new(Folder::new(dir.clone(), &config.scheme)),
    })
}
