//! Records -> decisions: the part of the line before anything is fetched.
//!
//! Promise: each record is dropped for a reason that is told, waits for its turn, or is answered by a mutation or side output.
//! In -> out: bytes with their partition, the present -> [`Step`]s, in the order in which they must be done.
//! Invariant: what is decided is in the state, and what waits is in the buffer, as soon as the position is behind it: state,
//! buffer, positions and what came out of it are of one moment, which is what a checkpoint keeps. Pure; the time is handed in.
//! Rules: upstream's `IncomingStreams` and `ReorderAndDecideMutationOperation`.

use hashbrown::HashSet;

use crate::event::filter::Filter;
use crate::event::wire::{self, Read};
use crate::event::{EventError, Incoming};
use crate::mutation::Mutation;
use crate::side_output::SideOutput;
use crate::state::StateTable;
use crate::updater::counters::{self, Counters};
use crate::updater::decide::{Answer, Decision, Outcome, decide};
use crate::updater::reorder::{Pushed, Reorder};
use crate::updater::source::{Arrived, PartitionName, Position};
use crate::updater::watermark::{END, PartitionKey, Patience, START, Watermarks};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// How far ahead an event may be of the moment at which it is received, in milliseconds: clocks differ by less.
const AHEAD: i64 = 24 * 60 * 60 * 1000;

/// What follows of a record, or of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A mutation.
    Mutate(Mutation),
    /// A side output.
    Report(Box<SideOutput>),
}

/// What became of a record.
#[derive(Debug)]
pub enum Taken {
    /// It was read.
    Read,
    /// It is no event.
    Dead(EventError),
    /// It is behind the end of its partition, and was not read.
    Beyond,
}

/// How events are taken in; times in milliseconds.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which events are meant.
    pub filter: Filter,
    /// How long an event waits for those before it.
    pub window: i64,
    /// How long partitions wait for each other.
    pub patience: Patience,
    /// What happened before may be known to the state already, in milliseconds since 1970 (see [`counters::is_expected`]).
    pub settled: Option<i64>,
    /// Whether partitions come one after the other, and do not wait for each other.
    pub is_sequential: bool,
}

/// Where an updater begins or goes on.
#[derive(Debug, Default)]
pub struct Beginning {
    /// What is known of entities.
    pub state: StateTable,
    /// The time up to which all events were there, in milliseconds since 1970.
    pub watermark: Option<i64>,
    /// Events that wait for their turn, in the order of their arrival.
    pub buffered: Vec<Incoming>,
}

/// A partition as far as it was read.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Its name.
    pub name: PartitionName,
    /// Where it is read on, if that is known.
    pub next: Option<u64>,
    /// Where reading it ends, if it does.
    pub until: Option<u64>,
    key: PartitionKey,
}

/// What an updater knows, and what waits.
pub struct Intake {
    rules: Rules,
    known: Known,
    reorder: Reorder,
    watermarks: Watermarks,
    /// The last that is a time.
    watermark: Option<i64>,
    partitions: Vec<Partition>,
}

/// The state, and what of it is new.
struct Known {
    state: StateTable,
    /// Entities whose state is another than at the last checkpoint.
    changed: HashSet<EntityId>,
    settled: Option<i64>,
}

impl Intake {
    /// Begins there. Without partitions yet.
    pub fn new(rules: Rules, beginning: Beginning) -> Self {
        let Beginning { state, watermark, buffered } = beginning;
        let floor = watermark.unwrap_or(START);
        let mut reorder = Reorder::new(rules.window);
        reorder.advance(floor, |_| {});
        reorder.restore(buffered);
        let watermarks = Watermarks::new(rules.patience, floor);
        let known = Known { state, changed: HashSet::new(), settled: rules.settled };
        Self { rules, known, reorder, watermarks, watermark, partitions: Vec::new() }
    }

    /// One more partition; its place is the number of those before it.
    pub fn add(&mut self, position: Position, until: Option<u64>) {
        self.add_partition(position.partition, Some(position.next), until);
    }

    /// One more partition, whose records will tell where they stand, or nothing will.
    pub fn add_unplaced(&mut self, name: PartitionName) {
        self.add_partition(name, None, None);
    }

    fn add_partition(&mut self, name: PartitionName, next: Option<u64>, until: Option<u64>) {
        let key = match self.partitions.first() {
            Some(first) if self.rules.is_sequential => first.key,
            _ => self.watermarks.add(self.partitions.len()),
        };
        self.partitions.push(Partition { name, next, until, key });
    }

    /// The partition had come so far when it was left, in milliseconds since 1970.
    pub fn resume(&mut self, name: &PartitionName, watermark: i64) {
        if let Some(partition) = self.partitions.iter().find(|partition| partition.name == *name) {
            self.watermarks.resume(partition.key, watermark);
        }
    }

    /// Takes in a record that came at `now`, in milliseconds since 1970.
    pub fn take(&mut self, arrived: Arrived<'_>, now: i64, counters: &mut Counters, steps: &mut Vec<Step>) -> Taken {
        let Arrived { place, next, value, .. } = arrived;
        let Some(partition) = self.partitions.get_mut(place) else { return Taken::Beyond };
        if partition.until.is_some_and(|until| next.is_some_and(|next| next > until)) {
            return Taken::Beyond;
        }
        partition.next = next.or(partition.next);
        counters.read(place, next);
        let key = partition.key;
        match wire::read(value, &self.rules.filter, now) {
            // Its turn would never come.
            Ok(Read::Event(incoming)) if incoming.event().event_time.saturating_sub(now) > AHEAD => {
                counters.dead_letter();
                let time = Timestamp::from_millis(incoming.event().event_time).unwrap_or_default();
                return Taken::Dead(EventError::Future { time });
            }
            Ok(Read::Event(incoming)) => {
                // A clock that is ahead is not believed: what comes after it would be late.
                let time = incoming.source_time().min(now);
                counters.passed(place, &incoming.event().change, time);
                self.watermarks.event(key, time);
                self.push(incoming, counters, steps);
            }
            Ok(Read::Ignored(ignored)) => {
                counters.dropped(ignored.reason);
                ignored.source_time.into_iter().for_each(|time| self.watermarks.event(key, time.min(now)));
            }
            Err(error) => {
                counters.dead_letter();
                return Taken::Dead(error);
            }
        }
        Taken::Read
    }

    fn push(&mut self, incoming: Incoming, counters: &mut Counters, steps: &mut Vec<Step>) {
        let state = self.known.state.get(incoming.entity());
        match self.reorder.push(incoming, state) {
            Pushed::Buffered => {}
            Pushed::Ready(incoming) => self.known.decide(incoming, counters, steps),
            Pushed::Late(incoming) => {
                counters.late(&incoming.event().change);
                steps.push(Step::Report(Box::new(SideOutput::Lapsed(incoming))));
            }
        }
    }

    /// Lets time go on to `now`: what has its turn is decided. To be called often (see [`Watermarks::advance`]).
    pub fn advance(&mut self, now: i64, counters: &mut Counters, steps: &mut Vec<Step>) {
        let watermark = self.watermarks.advance(now);
        if watermark != START && watermark != END {
            self.watermark = Some(watermark);
        }
        let known = &mut self.known;
        self.reorder.advance(watermark, |incoming| known.decide(incoming, counters, steps));
    }

    /// Lets time go on to `now` while nothing is read: nobody is silent who is not listened to.
    pub fn pass(&mut self, now: i64) {
        self.watermarks.pass(now);
    }

    /// The partitions that will no longer be waited for from `now` on, by their places.
    pub fn falling_idle(&self, now: i64) -> Vec<usize> {
        let falling: Vec<_> = self.watermarks.falling_idle(now).collect();
        let is_falling = |(_, partition): &(usize, &Partition)| falling.contains(&partition.key);
        self.partitions.iter().enumerate().filter(is_falling).map(|(place, _)| place).collect()
    }

    /// It is not known whether there is nothing to be read in that partition: it is waited for longer.
    pub fn doubt(&mut self, place: usize) {
        if let Some(partition) = self.partitions.get(place) {
            self.watermarks.doubt(partition.key);
        }
    }

    /// Nothing will come any more: all that waits has its turn.
    pub fn end(&mut self, now: i64, counters: &mut Counters, steps: &mut Vec<Step>) {
        self.partitions.iter().for_each(|partition| self.watermarks.end(partition.key));
        self.advance(now, counters, steps);
    }

    /// Whether every partition was read to its end; never, if one has none.
    pub fn is_at_end(&self) -> bool {
        let is_at_end =
            |partition: &Partition| partition.until.zip(partition.next).is_some_and(|(until, next)| next >= until);
        self.partitions.iter().all(is_at_end)
    }

    /// The partitions.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Where every partition is read on of which that is known.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        let position =
            |Partition { name, next, .. }: &Partition| next.map(|next| Position { partition: name.clone(), next });
        self.partitions.iter().filter_map(position)
    }

    /// The watermark of a partition, in milliseconds since 1970.
    pub fn watermark_of(&self, place: usize) -> Option<i64> {
        let source = if self.rules.is_sequential { 0 } else { place };
        self.watermarks.of_source(source).filter(|time| *time != START && *time != END)
    }

    /// The time up to which all events are taken to be there, in milliseconds since 1970.
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// Events that wait for their turn, in the order of their arrival.
    pub fn buffered(&self) -> impl Iterator<Item = &Incoming> {
        self.reorder.buffered()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.reorder.len()
    }

    /// What is known of entities.
    pub fn state(&self) -> &StateTable {
        &self.known.state
    }

    /// The entities whose state changed since [`Intake::settle`], in their order.
    pub fn changed(&self) -> Vec<EntityId> {
        let mut changed: Vec<_> = self.known.changed.iter().copied().collect();
        changed.sort_unstable();
        changed
    }

    /// A checkpoint holds all that changed.
    pub fn settle(&mut self) {
        self.known.changed.clear();
    }
}

impl Known {
    fn decide(&mut self, incoming: Incoming, counters: &mut Counters, steps: &mut Vec<Step>) {
        let (entity, event_time) = (incoming.entity(), incoming.event().event_time);
        let decision = decide(self.state.get(entity), &incoming);
        self.learn(entity, decision);
        counters.decided(decision.outcome, self.is_expected(decision.outcome, event_time));
        match decision.carry_out(incoming) {
            Answer::Mutation(mutation) => steps.push(Step::Mutate(mutation)),
            Answer::Side(side) => steps.push(Step::Report(side)),
            Answer::Both(mutation, side) => steps.extend([Step::Report(side), Step::Mutate(mutation)]),
        }
    }

    fn is_expected(&self, outcome: Outcome, event_time: i64) -> bool {
        let is_expected = |inconsistency| counters::is_expected(inconsistency, event_time, self.settled);
        match outcome {
            Outcome::Mutate(_) => false,
            Outcome::Report(inconsistency) | Outcome::Both(_, inconsistency) => is_expected(inconsistency),
        }
    }

    fn learn(&mut self, entity: EntityId, Decision { before, next, .. }: Decision) {
        if before == next {
            return;
        }
        match next {
            Some(state) => self.state.set(entity, state),
            None => self.state.remove(entity),
        };
        self.changed.insert(entity);
    }
}
