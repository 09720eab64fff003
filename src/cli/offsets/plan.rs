//! `headwater offsets plan`: where a group would begin, and what that would mean.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::bootstrap::gather;
use crate::bootstrap::report::{counted, grouped, quote};
use crate::bootstrap::{From, OnBadEntity};
use crate::cli::Output;
use crate::cli::dump_start;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::Existing;
use crate::cli::offsets::connection::Connection;
use crate::cli::offsets::table::{Row, Table, or_dash};
use crate::cli::progress::Watcher;
use crate::dump::scan::Manner;
use crate::env::Env;
use crate::kafka::{GroupState, Record, Topic};
use crate::offsets::observe::{self, Asked};
use crate::offsets::plan::{Found, Plan, Position, Start, Step};
use crate::offsets::presets::PRESETS;
use crate::offsets::span::Span;
use crate::savepoint::{Format, OnExisting, native};
use crate::storage::{self, Location, StorageError};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// Plan where a consumer group is to begin, for a start time; changes nothing
///
/// For every partition: the first record since the start, the one before it, what is retained, where the group is now, and what
/// could be lost or repeated. Topics are each --topic with each --prefix. Ends with exit code 0 whether there are risks or not:
/// `apply` refuses those that are not allowed.
///
/// Whether a group is active, Kafka knows only of consumers that join it. Flink's jobs do not: see to it that none runs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater offsets plan --brokers kafka1:9092,kafka2:9092 --group wdqs_streaming_updater --preset wdqs \\
    --prefix eqiad. --prefix codfw. --savepoint /srv/state/20260105 --output plan.json
  headwater offsets plan --brokers kafka1:9093 --kafka-properties tls.properties --group test \\
    --topic eqiad.mediawiki.page_change.v1 --start-time 2026-01-05T23:00:02Z --margin 1h --json")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The consumer group
    #[arg(long, value_name = "NAME", env = "HEADWATER_GROUP")]
    group: String,
    /// A topic, without what --prefix adds; give it once for each
    #[arg(long = "topic", value_name = "NAME", required_unless_present = "preset")]
    topics: Vec<String>,
    /// The topics that an updater reads
    #[arg(long, value_name = "NAME", value_parser = presets())]
    preset: Option<String>,
    /// The prefix of a data centre, such as eqiad.; give it once for each
    #[arg(long = "prefix", value_name = "TEXT")]
    prefixes: Vec<String>,
    #[command(flatten)]
    start: StartArgs,
    /// Begin that much earlier: records that are read twice do no harm, one that is missed does
    #[arg(long, value_name = "TIME", default_value = "10m", env = "HEADWATER_MARGIN", value_parser = Span::parse)]
    margin: Span,
    /// How many partitions each topic must have at least
    #[arg(long, value_name = "N")]
    expect_partitions: Option<u32>,
    /// Write the plan to this file, for `apply`
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    #[command(flatten)]
    existing: Existing,
}

/// From when.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct StartArgs {
    /// The time to begin at, with Z or an offset, such as 2026-01-05T23:00:02Z
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    start_time: Option<Timestamp>,
    /// Begin where the dumps began that this savepoint of headwater's own format was made from
    #[arg(long, value_name = "DIR")]
    savepoint: Option<String>,
    /// Begin where these dumps began, the oldest of all their headers: they are read whole; give it once for each
    #[arg(long = "dump", value_name = "FILE")]
    dumps: Vec<String>,
}

fn presets() -> clap::builder::PossibleValuesParser {
    PRESETS.iter().map(|preset| preset.name).into()
}

impl Args {
    /// Each topic with each prefix.
    fn topics(&self) -> Result<BTreeSet<Topic>, CliError> {
        let preset = PRESETS.iter().find(|preset| Some(preset.name) == self.preset.as_deref());
        let of_preset = preset.into_iter().flat_map(|preset| preset.topics.iter().map(|topic| (*topic).to_owned()));
        let bare: Vec<_> = self.topics.iter().cloned().chain(of_preset).collect();
        let prefixes = if self.prefixes.is_empty() { &[String::new()][..] } else { &self.prefixes };
        let all = prefixes.iter().flat_map(|prefix| bare.iter().map(move |topic| format!("{prefix}{topic}")));
        all.map(|topic| Topic::parse(&topic).map_err(|error| CliError::usage(error.to_string()))).collect()
    }
}

impl StartArgs {
    fn wanted(&self, env: &Env, output: &Output) -> Result<Timestamp, CliError> {
        match (self.start_time, &self.savepoint) {
            (Some(time), _) => Ok(time),
            (None, Some(dir)) => start_of(dir),
            (None, None) => start_of_dumps(&self.dumps, env, output),
        }
    }
}

/// The oldest date of all headers of dumps.
fn start_of_dumps(dumps: &[String], env: &Env, output: &Output) -> Result<Timestamp, CliError> {
    let files: Result<Vec<_>, _> = dumps.iter().map(|dump| storage::expand(dump)).collect();
    let watcher = Watcher::start(&env.progress, output.quiet);
    // The dump's own node has the same name in every wiki.
    let manner = Manner { scheme: &UrisScheme::wikidata(), strict: false };
    let headers = gather::headers(&From::Dumps(files?.concat()), manner, OnBadEntity::Stop, env)?;
    drop(watcher);
    dump_start::oldest(&headers).map_err(|error| error.hint("give whole dumps, or the time with --start-time"))
}

/// The oldest date of the dumps that a savepoint was made from.
fn start_of(dir: &str) -> Result<Timestamp, CliError> {
    let dir = Location::parse(dir)?;
    let none = || {
        CliError::new(Kind::Data, format!("the savepoint {dir} does not tell when its dumps began"))
            .hint("give the time with --start-time; `headwater dump-start` finds it in the dumps")
    };
    if Format::of(&dir)? != Format::Native {
        return Err(none());
    }
    native::inspect(&dir)?.made.dump_starts.map(|starts| starts.oldest).ok_or_else(none)
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let start = Start { wanted: args.start.wanted(env, output)?, margin: args.margin };
    let asked = Asked { topics: args.topics()?, start, expected_partitions: args.expect_partitions };
    let target = args.output.as_deref().map(Location::parse).transpose()?;
    let replace = args.existing.policy() == OnExisting::Overwrite;
    if let Some(location) = &target
        && !replace
        && storage::exists(location)?
    {
        return Err(StorageError::AlreadyExists { location: location.clone() }.into());
    }
    let cluster = args.connection.connect(&args.group, env)?;
    let plan = observe::plan(&cluster, &asked, (env.now)())?;
    let state = cluster.group()?;
    if let Some(target) = &target {
        let json = Bytes::from(plan.to_json());
        if replace { storage::put(target, json)? } else { storage::create_new(target, json)? }
    }
    let view = View::of(&plan, Some(&state), target.as_ref());
    output.result(&view, &view)
}

/// A plan, for people and for programs.
#[derive(Serialize)]
pub struct View {
    cluster: String,
    group: String,
    /// What Kafka says of the group, if it was asked.
    group_state: Option<String>,
    /// Whether it has members, if Kafka was asked and tells.
    group_active: Option<bool>,
    wanted: String,
    margin: String,
    start_time: String,
    unknown_topics: Vec<String>,
    too_few_partitions: Vec<TooFew>,
    partitions: usize,
    /// What must be allowed before it is applied.
    risks: Vec<&'static str>,
    positions: Vec<PositionView>,
    /// Where it was written.
    plan: Option<String>,
    #[serde(skip)]
    next_command: Option<String>,
}

#[derive(Serialize)]
struct TooFew {
    topic: String,
    partitions: u32,
}

#[derive(Serialize)]
struct PositionView {
    topic: String,
    partition: u32,
    offset: u64,
    record_offset: Option<u64>,
    record_time: Option<String>,
    before_offset: Option<u64>,
    before_time: Option<String>,
    earliest: u64,
    latest: u64,
    current: Option<u64>,
    /// `ok`, `empty`, `log-end` or `gap`.
    found: &'static str,
    /// How long the gap is at most.
    gap_ms: Option<u64>,
    /// `first`, `stays`, `back` or `ahead`.
    step: &'static str,
    step_offsets: u64,
    step_ms: Option<u64>,
    risks: Vec<&'static str>,
    #[serde(skip)]
    row: Row,
}

impl View {
    /// Of a plan; `state` is what Kafka says of the group, `file` where the plan was written.
    pub fn of(plan: &Plan, state: Option<&GroupState>, file: Option<&Location>) -> Self {
        let start = plan.start.time();
        let too_few = |(topic, partitions): (&Topic, u32)| TooFew { topic: topic.to_string(), partitions };
        Self {
            cluster: plan.cluster.clone(),
            group: plan.group.clone(),
            group_state: state.map(in_words),
            group_active: state.and_then(is_active),
            wanted: plan.start.wanted.to_string(),
            margin: plan.start.margin.to_string(),
            start_time: start.to_string(),
            unknown_topics: plan.unknown.iter().map(ToString::to_string).collect(),
            too_few_partitions: plan.too_small().into_iter().map(too_few).collect(),
            partitions: plan.positions.len(),
            risks: plan.risks().into_iter().map(|risk| risk.name()).collect(),
            positions: plan.positions.iter().map(|position| PositionView::of(position, start)).collect(),
            plan: file.map(Location::to_string),
            next_command: file
                .filter(|file| !file.ends_with_process())
                .map(|file| format!("headwater offsets apply {}", quote(&file.to_string()))),
        }
    }
}

fn is_active(state: &GroupState) -> Option<bool> {
    match state {
        GroupState::Idle => Some(false),
        GroupState::Active { .. } => Some(true),
        GroupState::Unclear(_) => None,
    }
}

fn in_words(state: &GroupState) -> String {
    match state {
        GroupState::Idle => "no member".to_owned(),
        GroupState::Active { state, members } => format!("ACTIVE ({state}): {}", members.join(", ")),
        GroupState::Unclear(_) => {
            "of a newer protocol; whether it has members, Kafka does not tell this client".to_owned()
        }
    }
}

impl PositionView {
    fn of(position: &Position, start: Timestamp) -> Self {
        let (found, step) = (position.found(start), position.step());
        let time = |record: Option<Record>| record.and_then(|record| record.time).map(|time| time.to_string());
        let millis = |span: Option<Span>| span.map(Span::millis);
        let (step_name, step_offsets, step_span) = match step {
            Step::First => ("first", 0, None),
            Step::Stays => ("stays", 0, None),
            Step::Back(count, span) => ("back", count, span),
            Step::Ahead(count, span) => ("ahead", count, span),
        };
        Self {
            topic: position.partition.topic.to_string(),
            partition: position.partition.number,
            offset: position.offset,
            record_offset: position.around.at.map(|record| record.offset),
            record_time: time(position.around.at),
            before_offset: position.around.before.map(|record| record.offset),
            before_time: time(position.around.before),
            earliest: position.extent.earliest,
            latest: position.extent.end,
            current: position.current.as_ref().map(|current| current.committed.offset),
            found: found_name(found),
            gap_ms: if let Found::Gap(span) = found { millis(span) } else { None },
            step: step_name,
            step_offsets,
            step_ms: millis(step_span),
            risks: position.risks(start).map(|risk| risk.name()).collect(),
            row: row(position, found, step),
        }
    }
}

fn found_name(found: Found) -> &'static str {
    match found {
        Found::Record => "ok",
        Found::Empty => "empty",
        Found::LogEnd => "log-end",
        Found::Gap(_) => "gap",
    }
}

const HEAD: &[&str] = &["offset", "its record", "the one before", "earliest", "latest", "current"];

fn row(position: &Position, found: Found, step: Step) -> Row {
    let time = |record: Option<Record>| or_dash(record.and_then(|record| record.time));
    let cells = vec![
        position.offset.to_string(),
        time(position.around.at),
        time(position.around.before),
        position.extent.earliest.to_string(),
        position.extent.end.to_string(),
        or_dash(position.current.as_ref().map(|current| current.committed.offset)),
    ];
    let remarks: Vec<_> = [found_remark(found), step_remark(step)].into_iter().flatten().collect();
    let verdict = match (remarks.is_empty(), found, step) {
        (false, ..) => "",
        (true, Found::Empty, _) => "empty",
        (true, _, Step::Stays) => "there",
        _ => "ok",
    };
    Row { partition: position.partition.clone(), cells, verdict: verdict.to_owned(), remarks }
}

fn found_remark(found: Found) -> Option<String> {
    match found {
        Found::Record | Found::Empty => None,
        Found::LogEnd => Some("log end: no record since the start, so it begins at the end".to_owned()),
        Found::Gap(Some(span)) => {
            Some(format!("gap: nothing older is retained; up to {span} since the start may be gone"))
        }
        Found::Gap(None) => Some("gap: all records are gone; none is left to tell since when".to_owned()),
    }
}

fn step_remark(step: Step) -> Option<String> {
    let far = |count: u64, span: Option<Span>| match span {
        Some(span) => format!("{}, {span}", counted(count, "offset")),
        None => counted(count, "offset"),
    };
    match step {
        Step::First | Step::Stays => None,
        Step::Back(count, span) => Some(format!("back by {}: what was read would be read again", far(count, span))),
        Step::Ahead(count, span) => {
            Some(format!("ahead by {}: what lies between would never be read", far(count, span)))
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "group       {} on the cluster {}", self.group, self.cluster)?;
        self.group_state.iter().try_for_each(|state| writeln!(f, "state       {state}"))?;
        writeln!(f, "start       {} ({} less {})", self.start_time, self.wanted, self.margin)?;
        self.unknown_topics.iter().try_for_each(|topic| writeln!(f, "unknown     {topic}: no such topic"))?;
        let too_few = |TooFew { topic, partitions }: &TooFew| {
            writeln!(f, "too few     {topic}: {}", counted(u64::from(*partitions), "partition"))
        };
        self.too_few_partitions.iter().try_for_each(too_few)?;
        Table { head: HEAD, rows: self.positions.iter().map(|position| &position.row).collect() }.fmt(f)?;
        let risky = self.positions.iter().filter(|position| !position.risks.is_empty()).count();
        let of = counted(self.partitions as u64, "partition");
        let is_active = self.group_active == Some(true);
        if is_active {
            writeln!(f, "verdict     group active: stop it first, or `apply` refuses")?;
        }
        if self.risks.is_empty() && !is_active {
            writeln!(f, "verdict     safe: {of}")?;
        } else if self.risks.is_empty() {
            writeln!(f, "            otherwise safe: {of}")?;
        } else {
            writeln!(
                f,
                "verdict     risks in {} of {of}; to apply it all the same, allow them:",
                grouped(risky as u64)
            )?;
            let flags: Vec<_> = self.risks.iter().map(|risk| format!("--allow-{risk}")).collect();
            writeln!(f, "            {}", flags.join(" "))?;
        }
        self.next_command.iter().try_for_each(|command| writeln!(f, "next        {command}"))
    }
}
