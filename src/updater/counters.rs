//! What the loop has done, counted while it does it.
//!
//! Promise: everything is counted once, where it happens; nothing is ever counted down.
//! In -> out: what happens, as calls -> numbers, for `updater::status`.
//! Invariant: to count is to add to a number at a place that is known: no lock, no text, no allocation. The clock is handed in.
//! Not here: what is there at a moment, such as events that wait (see `updater::status`).

use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::event::Change;
use crate::event::filter::Reason;
use crate::histogram::Histogram;
use crate::mutation::Operation;
use crate::side_output::{FailureKind, Inconsistency};
use crate::updater::decide::Outcome;
use crate::wikibase::timestamp::Timestamp;

/// Within how many milliseconds of its event a mutation is to be sent. Rule: Wikidata's promise to those who query, 10 minutes.
pub const OBJECTIVE: u64 = 600_000;

/// Something of which there are a few kinds, which are counted.
pub trait Kinds: Copy + 'static {
    /// All of them, in their order.
    const ALL: &'static [Self];
    /// Its place among them.
    fn place(self) -> usize;
    /// Its name, for counters.
    fn name(self) -> &'static str;
}

/// A number for each of `N` kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By<K, const N: usize>([u64; N], PhantomData<K>);

impl<K: Kinds, const N: usize> By<K, N> {
    /// Adds one.
    #[inline]
    pub fn count(&mut self, kind: K) {
        self.add(kind, 1);
    }

    /// Adds so many.
    #[inline]
    pub fn add(&mut self, kind: K, number: u64) {
        self.0[kind.place()] += number;
    }

    /// How many of that kind.
    pub fn of(&self, kind: K) -> u64 {
        self.0[kind.place()]
    }

    /// How many of all kinds.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The kinds in their order, each with its name and number.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        K::ALL.iter().map(|kind| (kind.name(), self.of(*kind)))
    }
}

impl<K, const N: usize> Default for By<K, N> {
    fn default() -> Self {
        Self([0; N], PhantomData)
    }
}

impl<K: Kinds, const N: usize> Serialize for By<K, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(N))?;
        self.iter().try_for_each(|(name, number)| map.serialize_entry(name, &number))?;
        map.end()
    }
}

/// What an event tells, without what it tells it of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// As [`Change::RevCreate`].
    RevCreate,
    /// As [`Change::PageDelete`].
    PageDelete,
    /// As [`Change::PageUndelete`].
    PageUndelete,
    /// As [`Change::ReconcileInputEvent`].
    Reconcile,
}

/// What is done, without the revisions of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// As [`Operation::FullImport`].
    Import,
    /// As [`Operation::Diff`].
    Diff,
    /// As [`Operation::DeleteItem`].
    Delete,
    /// As [`Operation::Reconcile`].
    Reconcile,
}

impl From<&Change> for ChangeKind {
    fn from(change: &Change) -> Self {
        match change {
            Change::RevCreate { .. } => Self::RevCreate,
            Change::PageDelete => Self::PageDelete,
            Change::PageUndelete => Self::PageUndelete,
            Change::ReconcileInputEvent { .. } => Self::Reconcile,
        }
    }
}

impl From<Operation> for OperationKind {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::FullImport => Self::Import,
            Operation::Diff { .. } => Self::Diff,
            Operation::DeleteItem => Self::Delete,
            Operation::Reconcile => Self::Reconcile,
        }
    }
}

impl Kinds for ChangeKind {
    const ALL: &'static [Self] = &[Self::RevCreate, Self::PageDelete, Self::PageUndelete, Self::Reconcile];

    fn place(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        match self {
            Self::RevCreate => "rev_create",
            Self::PageDelete => "page_delete",
            Self::PageUndelete => "page_undelete",
            Self::Reconcile => "reconcile",
        }
    }
}

impl Kinds for OperationKind {
    const ALL: &'static [Self] = &[Self::Import, Self::Diff, Self::Delete, Self::Reconcile];

    fn place(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Diff => "diff",
            Self::Delete => "delete",
            Self::Reconcile => "reconcile",
        }
    }
}

impl Kinds for Reason {
    const ALL: &'static [Self] = &Self::ALL;

    fn place(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Kinds for Inconsistency {
    const ALL: &'static [Self] = &Self::ALL;

    fn place(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Kinds for FailureKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn place(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

/// All that the loop counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// The partitions that are read, in the order in which they were added.
    pub partitions: Vec<PartitionCount>,
    /// What was done.
    pub totals: Totals,
}

/// A partition that is read. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionCount {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub number: u32,
    /// The offset of the record that is read next.
    pub position: Option<u64>,
    /// The offset that the next record to be written will have; or the one to end before, where there is an end.
    pub end: Option<u64>,
    /// When the last event read happened.
    pub last_event: Option<i64>,
    /// Its watermark.
    pub watermark: Option<i64>,
}

/// What was done, counted since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Events.
    pub events: EventCounts,
    /// What was decided to be done.
    pub mutations: By<OperationKind, 4>,
    /// What did not fit to the state.
    pub inconsistencies: InconsistencyCounts,
    /// Mutations whose triples could not be had.
    pub fetch_failures: By<FailureKind, 5>,
    /// Mutations that changed no triple, so that nothing was sent.
    pub unchanged: u64,
    /// The streams that are written, in the order in which they were given.
    pub streams: Vec<StreamCount>,
    /// How long after their events mutations were sent, in milliseconds.
    pub end_to_end: Histogram,
    /// How long after their turn mutations were sent, in milliseconds: what the updater adds to the waiting for order.
    pub added: Histogram,
    /// Checkpoints.
    pub checkpoints: CheckpointCounts,
    /// How often the run went on from a checkpoint after something had failed.
    pub restarts: u64,
}

/// Events, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventCounts {
    /// Records that were read: the sum of the next three.
    pub read: u64,
    /// Those that do not concern the updater, by the reason.
    pub dropped: By<Reason, 8>,
    /// Those that are no events.
    pub dead_letters: u64,
    /// Those that concern it.
    pub passed: By<ChangeKind, 4>,
    /// Those of them that came too late.
    pub late: By<ChangeKind, 4>,
}

/// What did not fit to the state, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InconsistencyCounts {
    /// What is to be expected of events that are older than the state; see [`is_expected`].
    pub expected: By<Inconsistency, 5>,
    /// All else.
    pub real: By<Inconsistency, 5>,
}

/// What was sent into a stream, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamCount {
    /// Its name.
    pub name: String,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Checkpoints, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckpointCounts {
    /// Those that were taken.
    pub taken: u64,
    /// Those that failed.
    pub failed: u64,
    /// The last that was taken, or that the run began with.
    pub last: Option<Checkpoint>,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Its name.
    pub id: String,
    /// When it was complete.
    #[serde(serialize_with = "time")]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many entities it holds, that is those that changed since the one before; all of them in a full one.
    pub entities: u64,
    /// Whether it is complete in itself, or adds to the one before.
    pub full: bool,
}

impl Counters {
    /// No counts yet, and streams of these names.
    pub fn new<'a>(streams: impl IntoIterator<Item = &'a str>) -> Self {
        let stream = |name: &str| StreamCount { name: name.to_owned(), ..StreamCount::default() };
        let streams = streams.into_iter().map(stream).collect();
        Self { partitions: Vec::new(), totals: Totals { streams, ..Totals::default() } }
    }

    /// One more partition; gives its place among [`Counters::partitions`].
    pub fn add_partition(&mut self, topic: &str, number: u32, position: Option<u64>) -> usize {
        self.partitions.push(PartitionCount { topic: topic.to_owned(), number, position, ..PartitionCount::default() });
        self.partitions.len() - 1
    }

    /// A record was read; `next` is the position behind it, if that is known. Afterwards one of [`Counters::dropped`], [`Counters::dead_letter`] and [`Counters::passed`] is due.
    #[inline]
    pub fn read(&mut self, partition: usize, next: Option<u64>) {
        self.totals.events.read += 1;
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.position = next.or(partition.position);
        }
    }

    /// The record does not concern the updater.
    #[inline]
    pub fn dropped(&mut self, reason: Reason) {
        self.totals.events.dropped.count(reason);
    }

    /// The record is no event.
    pub fn dead_letter(&mut self) {
        self.totals.events.dead_letters += 1;
    }

    /// The record is an event of that time (as in [`crate::event::Incoming::source_time`]), in milliseconds since 1970.
    #[inline]
    pub fn passed(&mut self, partition: usize, change: &Change, time: i64) {
        self.totals.events.passed.count(change.into());
        if let Some(partition) = self.partitions.get_mut(partition) {
            partition.last_event = Some(time);
        }
    }

    /// The event came too late.
    pub fn late(&mut self, change: &Change) {
        self.totals.events.late.count(change.into());
    }

    /// What was decided on an event; of an inconsistency whether it [`is_expected`].
    #[inline]
    pub fn decided(&mut self, outcome: Outcome, is_expected: bool) {
        let (step, inconsistency) = match outcome {
            Outcome::Mutate(step) => (Some(step), None),
            Outcome::Report(inconsistency) => (None, Some(inconsistency)),
            Outcome::Both(step, inconsistency) => (Some(step), Some(inconsistency)),
        };
        if let Some(step) = step {
            self.totals.mutations.count(step.operation.into());
        }
        if let Some(inconsistency) = inconsistency {
            let InconsistencyCounts { expected, real } = &mut self.totals.inconsistencies;
            (if is_expected { expected } else { real }).count(inconsistency);
        }
    }

    /// The triples of a mutation could not be had.
    pub fn fetch_failed(&mut self, kind: FailureKind) {
        self.totals.fetch_failures.count(kind);
    }

    /// A mutation changed no triple.
    #[inline]
    pub fn unchanged(&mut self) {
        self.totals.unchanged += 1;
    }

    /// A message of that many bytes was sent into the stream with that number, from 0.
    #[inline]
    pub fn sent(&mut self, stream: usize, bytes: usize) {
        if let Some(stream) = self.totals.streams.get_mut(stream) {
            stream.messages += 1;
            stream.bytes += bytes as u64;
        }
    }

    /// All of a mutation was sent. Its event happened at `event`, had its turn at `turn`, and now it is `now`; each in
    /// milliseconds since 1970. What lies in the future, by a clock that is wrong, counts as now.
    #[inline]
    pub fn answered(&mut self, event: i64, turn: i64, now: i64) {
        let since = |then: i64| now.saturating_sub(then).max(0) as u64;
        self.totals.end_to_end.record(since(event));
        self.totals.added.record(since(turn));
    }

    /// A checkpoint was taken.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) {
        self.totals.checkpoints.taken += 1;
        self.totals.checkpoints.last = Some(checkpoint);
    }

    /// A checkpoint failed.
    pub fn checkpoint_failed(&mut self) {
        self.totals.checkpoints.failed += 1;
    }

    /// How many records are still to be read, in all partitions whose end is known; `None` if that is none.
    pub fn remaining(&self) -> Option<u64> {
        self.partitions.iter().filter_map(PartitionCount::lag).reduce(|sum, lag| sum + lag)
    }
}

impl PartitionCount {
    /// How many records are still to be read, as far as known.
    pub fn lag(&self) -> Option<u64> {
        Some(self.end?.saturating_sub(self.position?))
    }
}

/// Whether an inconsistency is no sign of trouble, because the state may know more than an event of that time tells.
///
/// `settled` is the time up to which the state may be newer than the events, that is until the last entity of the dump was
/// written. An event of before that time may tell of a revision that the dump has left behind, of a page that was deleted before
/// the dump could have it, or of one that was deleted and restored before. All times are in milliseconds since 1970.
pub fn is_expected(inconsistency: Inconsistency, event_time: i64, settled: Option<i64>) -> bool {
    let may_be = matches!(inconsistency, Inconsistency::NewerRevisionSeen | Inconsistency::UnmatchedUndelete);
    may_be && settled.is_some_and(|settled| event_time <= settled)
}

/// A time as people and other programs read it; for serde's `serialize_with`.
pub fn time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// As [`time`], or null.
pub fn maybe_time<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ReconcileAction;
    use crate::updater::decide::Step;
    use crate::wikibase::entity::Revision;

    fn names<K: Kinds>() -> Vec<&'static str> {
        let mut names: Vec<_> = K::ALL.iter().map(|kind| kind.name()).collect();
        assert!(K::ALL.iter().enumerate().all(|(at, kind)| kind.place() == at), "{names:?} are not in their order");
        names.sort_unstable();
        names.dedup();
        names
    }

    #[test]
    fn kinds_have_places_and_names_of_their_own() {
        let found = [
            names::<ChangeKind>().len(),
            names::<OperationKind>().len(),
            names::<Reason>().len(),
            names::<Inconsistency>().len(),
            names::<FailureKind>().len(),
        ];
        // As long as the arrays in which they are counted.
        assert_eq!(found, [4, 4, 8, 5, 5]);
    }

    #[test]
    fn what_is_counted_where() {
        let mut counters = Counters::new(["mutation"]);
        let at = counters.add_partition("page_change", 0, None);
        let reconcile = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation };
        for (offset, change) in [(5, None), (6, Some(&Change::PageDelete)), (9, Some(&reconcile))] {
            counters.read(at, Some(offset + 1));
            match change {
                Some(change) => counters.passed(at, change, 1000 * offset as i64),
                None => counters.dropped(Reason::Domain),
            }
        }
        counters.late(&reconcile);
        counters.read(77, Some(1));
        counters.dead_letter();
        counters.sent(0, 10);
        counters.sent(0, 20);
        counters.sent(1, 99);
        let events = counters.totals.events;
        assert_eq!(events.read, events.dropped.total() + events.dead_letters + events.passed.total());
        assert_eq!((events.passed.of(ChangeKind::Reconcile), events.late.of(ChangeKind::Reconcile)), (1, 1));
        assert_eq!((counters.partitions[at].position, counters.partitions[at].last_event), (Some(10), Some(9000)));
        assert_eq!(counters.remaining(), None);
        counters.partitions[at].end = Some(12);
        assert_eq!(counters.remaining(), Some(2));
        counters.partitions[at].end = Some(7);
        assert_eq!(counters.remaining(), Some(0), "an end that is known late is no negative lag");
        let expected = StreamCount { name: "mutation".to_owned(), messages: 2, bytes: 30 };
        assert_eq!(counters.totals.streams, [expected]);
    }

    #[test]
    fn decisions_count_as_what_they_lead_to() {
        let mut counters = Counters::default();
        let from = Revision::new(1).unwrap();
        let step = |operation| Step { operation, revision: 2 };
        counters.decided(Outcome::Mutate(step(Operation::Diff { from })), false);
        counters.decided(Outcome::Report(Inconsistency::NewerRevisionSeen), true);
        counters.decided(Outcome::Report(Inconsistency::NewerRevisionSeen), false);
        let both = Outcome::Both(step(Operation::DeleteItem), Inconsistency::ReconcileAmbiguousDeletion);
        counters.decided(both, false);
        let Totals { mutations, inconsistencies: InconsistencyCounts { expected, real }, .. } = counters.totals;
        assert_eq!((mutations.of(OperationKind::Diff), mutations.of(OperationKind::Delete)), (1, 1));
        assert_eq!((mutations.total(), expected.total(), real.total()), (2, 1, 2));
        assert_eq!(real.of(Inconsistency::ReconcileAmbiguousDeletion), 1);
    }

    #[test]
    fn what_is_expected() {
        for inconsistency in Inconsistency::ALL {
            let may_be = matches!(inconsistency.name(), "newer_revision_seen" | "unmatched_delete");
            assert_eq!(is_expected(inconsistency, 1000, Some(1000)), may_be, "{inconsistency:?}");
            assert!(!is_expected(inconsistency, 1001, Some(1000)) && !is_expected(inconsistency, 1000, None));
        }
    }

    #[test]
    fn times_are_since_the_event_and_since_its_turn() {
        let mut counters = Counters::default();
        counters.answered(1_000, 121_000, 121_500);
        counters.answered(i64::MIN, 5, 2);
        let Totals { end_to_end, added, .. } = counters.totals;
        assert_eq!((end_to_end.within(OBJECTIVE), end_to_end.count()), (1, 2));
        assert_eq!((added.longest(), added.sum(), added.count()), (500, 500, 2));
    }
}
