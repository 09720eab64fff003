//! How the updater is at a moment, for whoever watches.
//!
//! Promise: all that people and programs are told of a running updater comes from a [`Status`], so that they are told the same.
//! In -> out: [`Counters`], and what is there now, as [`Gauges`] -> a [`Status`]; it serializes to the JSON of `/status`.
//! Rules: in JSON, times are RFC 3339 in UTC, durations milliseconds (`…_ms`); what is not known is null.
//! Invariant: pure; the clock is handed in.
//! Not here: how it is handed over (see `updater::desk`), and the form of Prometheus (see `updater::metrics`).

use serde::{Serialize, Serializer};

use crate::entity_data::Counts as FetchCounts;
use crate::state::{KindCount, StateTable};
use crate::updater::cache::{self, Cache};
use crate::updater::counters::{Counters, OBJECTIVE, PartitionCount, Totals, maybe_time, time};
use crate::updater::pace::Rates;
use crate::updater::watermark::{END, START};
use crate::wikibase::entity::EntityKind;
use crate::wikibase::timestamp::Timestamp;

/// What the updater is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It reads a savepoint or checkpoint.
    Restoring,
    /// It reads what has happened before.
    CatchingUp,
    /// It follows what happens.
    Running,
    /// It takes a savepoint.
    Saving,
    /// It finishes what it has begun.
    Stopping,
    /// It has ended.
    Stopped,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Restoring, Self::CatchingUp, Self::Running, Self::Saving, Self::Stopping, Self::Stopped];

    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restoring => "restoring",
            Self::CatchingUp => "catching_up",
            Self::Running => "running",
            Self::Saving => "saving",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// What is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// What the updater is at.
    pub phase: Phase,
    /// Why, if there is something to say.
    pub reason: Option<String>,
    /// The combined watermark, in milliseconds since 1970; [`START`] or [`END`] without one.
    pub watermark: i64,
    /// Events that wait for their turn.
    pub buffered: usize,
    /// Mutations that were decided on and are not sent yet.
    pub pending: usize,
    /// Documents that are being fetched.
    pub fetching: usize,
    /// What was fetched.
    pub fetched: FetchCounts,
    /// The cache of munged revisions.
    pub cache: CacheStatus,
    /// What the state holds, in the order of [`EntityKind::ALL`]; see [`entities`].
    pub entities: [KindCount; 4],
}

/// How many entities of each kind the state holds, in the order of [`EntityKind::ALL`].
pub fn entities(state: &StateTable) -> [KindCount; 4] {
    EntityKind::ALL.map(|kind| state.count(kind))
}

/// How the updater is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// When the process began.
    #[serde(serialize_with = "time")]
    pub started_at: Timestamp,
    /// When this was so.
    #[serde(serialize_with = "time")]
    pub at: Timestamp,
    /// What the updater is at.
    pub phase: Phase,
    /// Why, if there is something to say.
    pub reason: Option<String>,
    /// The time up to which all events are taken to be there.
    #[serde(serialize_with = "maybe_time")]
    pub watermark: Option<Timestamp>,
    /// How far that is behind the present.
    pub watermark_behind_ms: Option<u64>,
    /// The partitions that are read.
    pub partitions: Vec<PartitionStatus>,
    /// How fast it goes.
    pub rates: Rates,
    /// Mutations that were sent in time.
    pub objective: Objective,
    /// Events that wait for their turn.
    pub buffered: usize,
    /// Mutations that were decided on and are not sent yet.
    pub pending: usize,
    /// What was fetched.
    pub fetches: FetchStatus,
    /// The cache of munged revisions.
    pub cache: CacheStatus,
    /// What the state holds.
    #[serde(serialize_with = "by_kind")]
    pub entities: [KindCount; 4],
    /// How long ago the last checkpoint was complete.
    pub checkpoint_age_ms: Option<u64>,
    /// What was done since the process began.
    #[serde(flatten)]
    pub totals: Totals,
}

/// A partition that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub number: u32,
    /// The offset of the record that is read next.
    pub position: Option<u64>,
    /// The offset that the next record to be written will have, or the one to end before.
    pub end: Option<u64>,
    /// How many records are still to be read.
    pub lag: Option<u64>,
    /// When the last event read happened.
    #[serde(serialize_with = "maybe_time")]
    pub last_event: Option<Timestamp>,
    /// Its watermark.
    #[serde(serialize_with = "maybe_time")]
    pub watermark: Option<Timestamp>,
}

/// Whether mutations are sent as soon as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Within which time of their events.
    pub within_ms: u64,
    /// How many were, since the process began.
    pub in_time: u64,
    /// Which part of all that is, from 0 to 1.
    pub share: Option<f64>,
}

/// What was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FetchStatus {
    /// Documents that are being fetched.
    pub in_flight: usize,
    /// What was fetched so far.
    #[serde(flatten)]
    pub counts: FetchCounts,
}

/// The cache of munged revisions. Each hit is a fetch that was not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatus {
    /// How often a revision was there.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
    /// How many revisions are there.
    pub entries: usize,
    /// How many bytes they take.
    pub bytes: usize,
}

impl From<&Cache> for CacheStatus {
    fn from(cache: &Cache) -> Self {
        let cache::Counts { hits, misses } = cache.counts();
        Self { hits, misses, entries: cache.len(), bytes: cache.memory() }
    }
}

impl Status {
    /// How the updater, begun at `started_at`, is `now`.
    pub fn new(started_at: Timestamp, now: Timestamp, counters: &Counters, rates: Rates, gauges: Gauges) -> Self {
        let since = |then: Timestamp| now.millis().saturating_sub(then.millis()).max(0) as u64;
        let watermark = moment(gauges.watermark);
        let totals = counters.totals.clone();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            at: now,
            phase: gauges.phase,
            reason: gauges.reason,
            watermark,
            watermark_behind_ms: watermark.map(since),
            partitions: counters.partitions.iter().map(PartitionStatus::from).collect(),
            rates,
            objective: Objective::of(&totals),
            buffered: gauges.buffered,
            pending: gauges.pending,
            fetches: FetchStatus { in_flight: gauges.fetching, counts: gauges.fetched },
            cache: gauges.cache,
            entities: gauges.entities,
            checkpoint_age_ms: totals.checkpoints.last.as_ref().map(|last| since(last.at)),
            totals,
        }
    }
}

impl Objective {
    fn of(totals: &Totals) -> Self {
        let (count, in_time) = (totals.end_to_end.count(), totals.end_to_end.within(OBJECTIVE));
        Self { within_ms: OBJECTIVE, in_time, share: (count > 0).then(|| in_time as f64 / count as f64) }
    }
}

impl From<&PartitionCount> for PartitionStatus {
    fn from(partition: &PartitionCount) -> Self {
        Self {
            topic: partition.topic.clone(),
            number: partition.number,
            position: partition.position,
            end: partition.end,
            lag: partition.lag(),
            last_event: partition.last_event.and_then(moment),
            watermark: partition.watermark.and_then(moment),
        }
    }
}

/// A time of milliseconds since 1970; `None` before the first event and after the last.
fn moment(millis: i64) -> Option<Timestamp> {
    if matches!(millis, START | END) { None } else { Timestamp::from_millis(millis) }
}

fn by_kind<S: Serializer>(entities: &[KindCount; 4], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Count {
        created: u64,
        deleted: u64,
    }
    let count = |(kind, count): (EntityKind, &KindCount)| {
        (kind.plural(), Count { created: count.created, deleted: count.deleted })
    };
    serializer.collect_map(EntityKind::ALL.into_iter().zip(entities).map(count))
}

#[cfg(test)]
pub(in crate::updater) mod tests {
    use super::*;
    use crate::event::filter::Reason;
    use crate::event::{Change, ReconcileAction};
    use crate::histogram::Histogram;
    use crate::mutation::Operation;
    use crate::side_output::{FailureKind, Inconsistency};
    use crate::updater::counters::Checkpoint;
    use crate::updater::decide::{Outcome, Step};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis).unwrap()
    }

    /// One in which nothing is zero that can be something else.
    pub fn sample() -> Status {
        let mut counters = Counters::new(["rdf-streaming-updater.mutation", "lapsed-action"]);
        let partition = counters.add_partition("eqiad.mediawiki.page_change.v1", 3, Some(100));
        counters.partitions[partition].end = Some(150);
        counters.partitions[partition].watermark = Some(at(40_000).millis());
        counters.add_partition("codfw.\"odd\\\ntopic", 0, None);
        for offset in 100..110 {
            counters.read(partition, Some(offset + 1));
        }
        counters.passed(partition, &Change::RevCreate { parent_revision: None }, at(100_000).millis());
        let reconcile = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion };
        counters.passed(partition, &reconcile, at(99_000).millis());
        counters.late(&reconcile);
        (0..7).for_each(|_| counters.dropped(Reason::Domain));
        counters.dead_letter();
        counters.decided(Outcome::Mutate(Step { operation: Operation::FullImport, revision: 7 }), false);
        counters.decided(Outcome::Report(Inconsistency::NewerRevisionSeen), true);
        counters.decided(Outcome::Report(Inconsistency::MissedUndelete), false);
        counters.fetch_failed(FailureKind::EntityNotFound);
        counters.unchanged();
        counters.sent(0, 2048);
        counters.answered(at(0).millis(), at(119_500).millis(), at(120_000).millis());
        counters.answered(at(0).millis(), at(700_000).millis(), at(700_250).millis());
        counters.checkpoint(Checkpoint {
            id: "7-\"a\"".to_owned(),
            at: at(90_000),
            millis: 250,
            bytes: 4096,
            entities: 12,
            full: false,
        });
        counters.checkpoint_failed();
        counters.totals.restarts = 1;
        let rates = Rates {
            events_per_second: Some(25.5),
            mutations_per_second: Some(9.0),
            in_time: Some(0.75),
            remaining: counters.remaining(),
            caught_up_at: Some(at(200_000)),
        };
        let mut times = Histogram::default();
        [80, 120, 3000].into_iter().for_each(|millis| times.record(millis));
        let fetched = FetchCounts { requests: 3, retries: 1, times, fetched: 2, bytes: 9000, ..FetchCounts::default() };
        let gauges = Gauges {
            phase: Phase::CatchingUp,
            reason: Some("40 records are left".to_owned()),
            watermark: at(40_000).millis(),
            buffered: 5,
            pending: 4,
            fetching: 3,
            fetched,
            cache: CacheStatus { hits: 10, misses: 2, entries: 8, bytes: 65_536 },
            entities: [
                KindCount { created: 100, deleted: 2 },
                KindCount::default(),
                KindCount::default(),
                KindCount::default(),
            ],
        };
        Status::new(at(0), at(120_000), &counters, rates, gauges)
    }

    /// One of a run that has done nothing.
    pub fn of(phase: Phase, watermark: i64) -> Status {
        let gauges = Gauges {
            phase,
            reason: None,
            watermark,
            buffered: 0,
            pending: 0,
            fetching: 0,
            fetched: FetchCounts::default(),
            cache: CacheStatus::default(),
            entities: entities(&StateTable::default()),
        };
        Status::new(at(0), at(1), &Counters::default(), Rates::default(), gauges)
    }

    #[test]
    fn what_json_holds() {
        let json = serde_json::to_value(sample()).unwrap();
        let rows = [
            ("/phase", r#""catching_up""#),
            ("/started_at", r#""2023-11-14T22:13:20Z""#),
            ("/watermark", r#""2023-11-14T22:14:00Z""#),
            ("/watermark_behind_ms", "80000"),
            ("/partitions/0/lag", "40"),
            ("/partitions/0/last_event", r#""2023-11-14T22:14:59Z""#),
            ("/partitions/1/lag", "null"),
            ("/rates/caught_up_at", r#""2023-11-14T22:16:40Z""#),
            ("/objective", r#"{"in_time":1,"share":0.5,"within_ms":600000}"#),
            ("/fetches/in_flight", "3"),
            ("/fetches/times/count", "3"),
            ("/fetches/retries", "1"),
            ("/cache/hits", "10"),
            ("/entities/items", r#"{"created":100,"deleted":2}"#),
            ("/checkpoint_age_ms", "30000"),
            ("/checkpoints/last/at", r#""2023-11-14T22:14:50Z""#),
            ("/events/read", "10"),
            ("/events/dropped/domain", "7"),
            ("/events/late/reconcile", "1"),
            ("/mutations/import", "1"),
            ("/inconsistencies/expected/newer_revision_seen", "1"),
            ("/inconsistencies/real/newer_revision_seen", "0"),
            ("/inconsistencies/real/missed_undelete", "1"),
            ("/fetch_failures/ENTITY_NOT_FOUND", "1"),
            ("/streams/0", r#"{"bytes":2048,"messages":1,"name":"rdf-streaming-updater.mutation"}"#),
            ("/added/longest_ms", "500.0"),
            ("/restarts", "1"),
        ];
        for (pointer, expected) in rows {
            assert_eq!(
                json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).to_string(),
                expected,
                "{pointer}"
            );
        }
    }

    #[test]
    fn phases_are_named_as_they_are_written() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }

    #[test]
    fn no_watermark_is_none() {
        for watermark in [START, END] {
            let status = of(Phase::Restoring, watermark);
            assert_eq!((status.watermark, status.watermark_behind_ms, status.objective.share), (None, None, None));
        }
        assert_eq!(of(Phase::Running, at(10).millis()).watermark_behind_ms, Some(0), "a clock behind the events");
    }
}
