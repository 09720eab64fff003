//! `headwater savepoint inspect` and `verify`: what a savepoint says of itself, and whether it is true.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped, size};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind, in_a_line};
use crate::cli::savepoint::dir;
use crate::event::InputEvent;
use crate::savepoint::flink::{Entries, Opened, OperatorId};
use crate::savepoint::native::manifest::{Manifest, StartOffset};
use crate::savepoint::{self, About, Format, SavepointError, Verified, native};
use crate::state::KindCount;
use crate::storage::Location;
use crate::wikibase::entity::EntityKind;
use crate::wikibase::timestamp::Timestamp;

/// How many buffered events are shown to people; as JSON, all are.
const SHOWN: usize = 10;

/// Print what is in a savepoint: how it was made, from what, how many entities; of Flink's also buffered events and timers
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater savepoint inspect /srv/state/20260105")]
pub struct InspectArgs {
    /// The savepoint's directory
    dir: String,
}

/// Check every byte of a savepoint: sizes, checksums, order, counts
///
/// Of Flink's savepoints: that every file is there, that every entry can be read and every key belongs where it stands. Ends
/// with exit code 1 if anything is wrong, and lists all of it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Example:
  headwater savepoint verify /srv/state/20260105")]
pub struct VerifyArgs {
    /// The savepoint's directory
    dir: String,
}

pub fn inspect(args: &InspectArgs, output: &Output) -> Result<(), CliError> {
    let dir = dir(&args.dir)?;
    if Format::of(&dir)? == Format::Native {
        let manifest = native::inspect(&dir)?;
        let overview = NativeOverview::of(&dir, &manifest);
        return output.result(&overview, &overview);
    }
    match savepoint::read(&dir) {
        Ok(contents) => {
            let counts = EntityKind::ALL.map(|kind| contents.state.count(kind));
            let overview = Overview::of(&dir, &contents.about, counts);
            output.result(&overview, &overview)
        }
        // What stands in `_metadata` can be told all the same.
        Err(error @ SavepointError::Unfit { .. }) => {
            let overview = FlinkOverview::of(&dir, &Opened::open(&dir)?, None);
            output.result(&overview, &overview)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

pub fn verify(args: &VerifyArgs, output: &Output) -> Result<(), CliError> {
    let dir = dir(&args.dir)?;
    let Verified { about, counts, problems } = savepoint::verify(&dir)?;
    let sound = problems.is_empty();
    let overview = Overview::of(&dir, &about, counts).with_problems(problems);
    output.result(&overview, &overview)?;
    if sound {
        return Ok(());
    }
    Err(CliError::new(Kind::Data, format!("{dir} is damaged")).hint("restore it from a copy, or run bootstrap again"))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Overview<'a> {
    Native(NativeOverview),
    Flink(FlinkOverview<'a>),
}

/// Of our own savepoint.
#[derive(Serialize)]
struct NativeOverview {
    location: String,
    format: &'static str,
    created_at: String,
    created_by: String,
    inputs: Vec<String>,
    concept: String,
    entity_data: String,
    start_time: Option<String>,
    newest_header: Option<String>,
    headers: u64,
    kinds: Vec<KindOverview>,
    files: usize,
    bytes: u64,
    #[serde(flatten)]
    checkpoint: Option<CheckpointOverview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamOverview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<String>>,
}

/// What makes it a checkpoint.
#[derive(Serialize)]
struct CheckpointOverview {
    checkpoint: String,
    deltas: usize,
    changes: u64,
}

/// What a stream had in hand.
#[derive(Serialize)]
struct StreamOverview {
    offsets: Vec<StartOffset>,
    watermark: Option<String>,
    buffered: u64,
    pending: u64,
    outputs: u64,
}

/// Of Flink's.
#[derive(Serialize)]
struct FlinkOverview<'a> {
    location: String,
    format: &'static str,
    metadata_version: i32,
    checkpoint: i64,
    origin: Option<&'static str>,
    operators: Vec<OperatorOverview>,
    files: u64,
    bytes: u64,
    #[serde(flatten)]
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<String>>,
}

#[derive(Serialize)]
struct OperatorOverview {
    id: String,
    uid: Option<String>,
    parallelism: i32,
    max_parallelism: i32,
}

/// What the updater's operator holds.
#[derive(Serialize)]
struct Content<'a> {
    compressed: bool,
    kinds: Vec<KindOverview>,
    states: &'a BTreeMap<String, u64>,
    unread: &'a BTreeMap<String, u64>,
    buffered: Vec<Buffered<'a>>,
    timers: Vec<TimerOverview<'a>>,
    not_entities: u64,
}

#[derive(Serialize)]
struct Buffered<'a> {
    key: &'a str,
    events: &'a [InputEvent],
}

#[derive(Serialize)]
struct TimerOverview<'a> {
    key: &'a str,
    at: String,
    state: &'a str,
}

#[derive(Serialize)]
struct KindOverview {
    kind: &'static str,
    created: u64,
    deleted: u64,
}

impl KindOverview {
    fn all(counts: [KindCount; 4]) -> Vec<Self> {
        let of = |(kind, count): (EntityKind, KindCount)| Self {
            kind: kind.plural(),
            created: count.created,
            deleted: count.deleted,
        };
        EntityKind::ALL.into_iter().zip(counts).map(of).collect()
    }
}

impl<'a> Overview<'a> {
    fn of(dir: &Location, about: &'a About, counts: [KindCount; 4]) -> Self {
        match about {
            About::Native(manifest) => Self::Native(NativeOverview::of(dir, manifest)),
            About::Flink(opened, entries) => Self::Flink(FlinkOverview::of(dir, opened, Some((entries, counts)))),
        }
    }

    fn with_problems(mut self, problems: Vec<String>) -> Self {
        match &mut self {
            Self::Native(overview) => overview.problems = Some(problems),
            Self::Flink(overview) => overview.problems = Some(problems),
        }
        self
    }
}

impl NativeOverview {
    fn of(dir: &Location, manifest: &Manifest) -> Self {
        let made = &manifest.made;
        Self {
            location: dir.to_string(),
            format: Format::Native.name(),
            created_at: made.created_at.to_string(),
            created_by: made.created_by.clone(),
            inputs: made.inputs.iter().map(|input| input.location.clone()).collect(),
            concept: made.concept.clone(),
            entity_data: made.entity_data.clone(),
            start_time: made.dump_starts.as_ref().map(|starts| starts.oldest.to_string()),
            newest_header: made.dump_starts.as_ref().map(|starts| starts.newest.to_string()),
            headers: made.dump_starts.as_ref().map_or(0, |starts| starts.headers),
            kinds: KindOverview::all(manifest.counts),
            files: manifest.files.len(),
            bytes: manifest.size().1,
            checkpoint: manifest.checkpoint.map(|id| CheckpointOverview {
                checkpoint: id.to_string(),
                deltas: manifest.deltas.len(),
                changes: manifest.deltas.iter().map(|delta| delta.rows).sum(),
            }),
            stream: StreamOverview::of(manifest),
            problems: None,
        }
    }
}

impl StreamOverview {
    /// Nothing, where there was no stream.
    fn of(manifest: &Manifest) -> Option<Self> {
        let stored = manifest.stream.as_ref();
        let is_there = stored.is_some() || !manifest.offsets.is_empty() || manifest.watermark.is_some();
        is_there.then(|| Self {
            offsets: manifest.offsets.clone(),
            watermark: manifest.watermark.map(|watermark| watermark.to_string()),
            buffered: stored.map_or(0, |stored| stored.events),
            pending: stored.map_or(0, |stored| stored.mutations),
            outputs: stored.map_or(0, |stored| stored.outputs),
        })
    }
}

impl<'a> FlinkOverview<'a> {
    fn of(dir: &Location, opened: &Opened, content: Option<(&'a Entries, [KindCount; 4])>) -> Self {
        let operator = |operator: &savepoint::flink::Operator| OperatorOverview {
            id: operator.id.to_string(),
            uid: operator
                .uid
                .clone()
                .or((operator.id == OperatorId::DECIDE).then(|| OperatorId::DECIDE_UID.to_owned())),
            parallelism: operator.parallelism,
            max_parallelism: operator.max_parallelism,
        };
        let (bytes, files) = opened.size();
        Self {
            location: dir.to_string(),
            format: Format::Flink.name(),
            metadata_version: opened.metadata.version,
            checkpoint: opened.metadata.checkpoint,
            origin: opened.metadata.origin(),
            operators: opened.metadata.operators.iter().map(operator).collect(),
            files,
            bytes,
            content: content.map(|(entries, counts)| Content::of(entries, counts)),
            problems: None,
        }
    }
}

impl<'a> Content<'a> {
    fn of(entries: &'a Entries, counts: [KindCount; 4]) -> Self {
        let buffered = |(key, events): &'a (String, Vec<InputEvent>)| Buffered { key, events };
        let timer = |timer: &'a savepoint::flink::Timer| TimerOverview {
            key: &timer.key,
            at: moment(timer.at),
            state: &timer.state,
        };
        Self {
            compressed: entries.compressed,
            kinds: KindOverview::all(counts),
            states: &entries.counts,
            unread: &entries.unread,
            buffered: entries.events.iter().map(buffered).collect(),
            timers: entries.timers.iter().map(timer).collect(),
            not_entities: entries.odd,
        }
    }
}

/// A time in milliseconds as people read it; the number itself where no calendar reaches.
fn moment(millis: i64) -> String {
    Timestamp::from_millis(millis).map_or_else(|| millis.to_string(), |moment| moment.to_string())
}

impl fmt::Display for Overview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(overview) => overview.fmt(f),
            Self::Flink(overview) => overview.fmt(f),
        }
    }
}

impl fmt::Display for NativeOverview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.checkpoint {
            Some(CheckpointOverview { checkpoint, deltas, changes }) => {
                let (files, deltas) = (counted(self.files as u64, "state file"), counted(*deltas as u64, "file"));
                let changes = counted(*changes, "change");
                let size = size(self.bytes);
                writeln!(f, "checkpoint  {}: {checkpoint}, {files}, {changes} in {deltas}, {size}", self.location)?;
            }
            None => writeln!(f, "savepoint   {}: {} state files, {}", self.location, self.files, size(self.bytes))?,
        }
        writeln!(f, "made        {} by {}", self.created_at, self.created_by)?;
        for input in &self.inputs {
            writeln!(f, "from        {input}")?;
        }
        writeln!(f, "wiki        {} ({})", self.concept, self.entity_data)?;
        match &self.start_time {
            Some(start) => writeln!(f, "start time  {start} (oldest of {} dump headers)", grouped(self.headers))?,
            None => writeln!(f, "start time  not known")?,
        }
        write_kinds(f, &self.kinds)?;
        if let Some(stream) = &self.stream {
            stream.fmt(f)?;
        }
        write_problems(f, self.problems.as_deref(), "every byte is as it was written")
    }
}

impl fmt::Display for StreamOverview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for StartOffset { topic, partition, offset, .. } in self.offsets.iter().take(SHOWN) {
            writeln!(f, "position    {} {partition}: {offset}", in_a_line(topic))?;
        }
        if self.offsets.len() > SHOWN {
            writeln!(f, "            … and {} more (see --json)", grouped((self.offsets.len() - SHOWN) as u64))?;
        }
        if let Some(watermark) = &self.watermark {
            writeln!(f, "watermark   {watermark}")?;
        }
        let (events, mutations) = (counted(self.buffered, "event"), counted(self.pending, "mutation"));
        writeln!(f, "in hand     {events} buffered, {mutations} not yet sent")
    }
}

impl fmt::Display for FlinkOverview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = (counted(self.files, "file"), size(self.bytes));
        writeln!(f, "savepoint   {}: Flink's, {files}, {bytes}", self.location)?;
        let origin = self.origin.unwrap_or("made outside of a job");
        writeln!(
            f,
            "made        checkpoint {}, {origin}; _metadata of version {}",
            self.checkpoint, self.metadata_version
        )?;
        for OperatorOverview { id, uid, parallelism, max_parallelism } in &self.operators {
            let uid = in_a_line(uid.as_deref().unwrap_or("another"));
            writeln!(f, "operator    {id} ({uid}): parallelism {parallelism} of {max_parallelism}")?;
        }
        if let Some(content) = &self.content {
            content.fmt(f)?;
        }
        write_problems(f, self.problems.as_deref(), "every file is there, every entry is where it belongs")
    }
}

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (state, count) in self.states {
            writeln!(f, "state       {}: {}", in_a_line(state), counted(*count, "entry").replace("entrys", "entries"))?;
        }
        write_kinds(f, &self.kinds)?;
        if self.not_entities > 0 {
            writeln!(f, "not usable  {} keys or values are no revision of an entity", grouped(self.not_entities))?;
        }
        for (state, count) in self.unread {
            writeln!(
                f,
                "not decoded {} of {}: elements of another type than upstream's",
                grouped(*count),
                in_a_line(state)
            )?;
        }
        let events: usize = self.buffered.iter().map(|buffered| buffered.events.len()).sum();
        match events {
            0 => writeln!(f, "buffered    no events")?,
            _ => writeln!(f, "buffered    {} of {}", counted(events as u64, "event"), entities(self.buffered.len()))?,
        }
        let each = self.buffered.iter().flat_map(|buffered| buffered.events);
        for InputEvent { item, event_time, revision, change, .. } in each.take(SHOWN) {
            let item = in_a_line(item);
            writeln!(f, "            {item}: {} at revision {revision}, {}", change.name(), moment(*event_time))?;
        }
        if events > SHOWN {
            writeln!(f, "            … and {} more (see --json)", grouped((events - SHOWN) as u64))?;
        }
        let span = self.timers.first().zip(self.timers.last());
        match span {
            Some((first, last)) => {
                writeln!(f, "timers      {} from {} to {}", grouped(self.timers.len() as u64), first.at, last.at)
            }
            None => writeln!(f, "timers      none"),
        }
    }
}

fn entities(count: usize) -> String {
    if count == 1 { "1 entity".to_owned() } else { format!("{} entities", grouped(count as u64)) }
}

fn write_kinds(f: &mut fmt::Formatter<'_>, kinds: &[KindOverview]) -> fmt::Result {
    for KindOverview { kind, created, deleted } in kinds.iter().filter(|kind| kind.created + kind.deleted > 0) {
        let deleted = if *deleted > 0 { format!(", {} deleted", grouped(*deleted)) } else { String::new() };
        writeln!(f, "{kind:<11} {}{deleted}", grouped(*created))?;
    }
    Ok(())
}

fn write_problems(f: &mut fmt::Formatter<'_>, problems: Option<&[String]>, sound: &str) -> fmt::Result {
    match problems {
        None => Ok(()),
        Some([]) => writeln!(f, "verified    {sound}"),
        Some(problems) => problems.iter().try_for_each(|problem| writeln!(f, "problem     {}", in_a_line(problem))),
    }
}
