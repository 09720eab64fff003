//! Events of an entity, put in order by revision within a window of event time.
//!
//! Promise: every event comes out once: at once, when its time has come, or as late. What is not late comes out in the order of
//! revisions and times, as if it had arrived so.
//! In -> out: events in any order, the watermark -> events in their turn ([`Reorder::push`], [`Reorder::advance`]).
//! Rules: upstream's `ReorderAndDecideMutationOperation`: an event waits until the watermark is a window behind it; when its time
//! has come, whatever of the entity sorts before it goes too; what surely is in its turn does not wait.
//! Invariant: pure. Nothing is allocated for an event but where the buffer grows to a new size.
//! Not here: where the watermark comes from (see `updater::watermark`), what an event leads to (see `updater::decide`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use crate::event::{Change, Incoming};
use crate::state::EntityState;
use crate::updater::watermark::START;
use crate::wikibase::entity::EntityId;

/// The window that upstream uses by default, in milliseconds.
pub const WINDOW: i64 = 60_000;

/// The buffer of events that wait.
#[derive(Debug)]
pub struct Reorder {
    window: i64,
    watermark: i64,
    /// The first place of each entity's events.
    first: HashMap<EntityId, usize>,
    /// All events that wait; those of an entity are a list, newest arrival first.
    places: Vec<Place>,
    free: Vec<usize>,
    /// When to look at an entity. Where its events have gone before, there is nothing to find.
    timers: BinaryHeap<Reverse<(i64, EntityId)>>,
    arrivals: u64,
    /// Used by [`Reorder::release`] only.
    sorted: Vec<(Key, usize)>,
}

/// What becomes of an event that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is its turn.
    Ready(Incoming),
    /// It waits.
    Buffered,
    /// It came too late: the watermark is more than a window ahead of it.
    Late(Incoming),
}

/// What an entity's events are sorted by: revision, event time, then new revisions before what happens to them, then arrival.
/// The first two are upstream's, who leaves the rest to arrival.
type Key = (i64, i64, bool, u64);

#[derive(Debug)]
struct Place {
    /// Empty if the place is free.
    held: Option<Incoming>,
    arrival: u64,
    /// The entity's next event, or [`NONE`].
    next: usize,
}

const NONE: usize = usize::MAX;

impl Reorder {
    /// An empty buffer with a window of so many milliseconds.
    pub fn new(window: i64) -> Self {
        Self {
            window,
            watermark: START,
            first: HashMap::new(),
            places: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            arrivals: 0,
            sorted: Vec::new(),
        }
    }

    /// Takes in an event of an entity that is in this `state`.
    pub fn push(&mut self, incoming: Incoming, state: Option<EntityState>) -> Pushed {
        if self.turn(&incoming) < self.watermark {
            Pushed::Late(incoming)
        } else if self.must_wait(&incoming, state) {
            self.keep(incoming);
            Pushed::Buffered
        } else {
            Pushed::Ready(incoming)
        }
    }

    /// Moves the watermark on, and hands over what has its turn: entities as their first timers come, and all of an entity's at
    /// once. Upstream goes from timer to timer; that gives the same order within an entity, and much more work where many of its
    /// events wait.
    pub fn advance(&mut self, watermark: i64, mut ready: impl FnMut(Incoming)) {
        self.watermark = self.watermark.max(watermark);
        while let Some(Reverse((time, entity))) = self.timers.peek().copied()
            && time <= self.watermark
        {
            self.timers.pop();
            self.release(entity, &mut ready);
        }
    }

    /// The watermark.
    pub const fn watermark(&self) -> i64 {
        self.watermark
    }

    /// How many events wait.
    pub const fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether no event waits.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All events that wait, in the order of their arrival: what a checkpoint keeps.
    pub fn buffered(&self) -> impl Iterator<Item = &Incoming> {
        let held = self.places.iter().filter_map(|place| Some((place.arrival, place.held.as_ref()?)));
        let mut held: Vec<_> = held.collect();
        held.sort_unstable_by_key(|(arrival, _)| *arrival);
        held.into_iter().map(|(_, incoming)| incoming)
    }

    /// Takes in events that [`Reorder::buffered`] gave, in their order. They wait, whatever the watermark and the state: those
    /// whose turn it is come with the next [`Reorder::advance`]. The watermark itself is for the caller to set again, likewise.
    pub fn restore(&mut self, events: impl IntoIterator<Item = Incoming>) {
        events.into_iter().for_each(|incoming| self.keep(incoming));
    }

    /// The watermark at which an event has waited long enough.
    fn turn(&self, incoming: &Incoming) -> i64 {
        incoming.event().event_time.saturating_add(self.window)
    }

    /// Only what surely is in its turn need not wait: a revision that is known already, or the one after the one known, if
    /// nothing else waits; and a reconciliation, which does not depend on what was before.
    fn must_wait(&self, incoming: &Incoming, state: Option<EntityState>) -> bool {
        match (&incoming.event().change, state) {
            (Change::ReconcileInputEvent { .. }, _) => false,
            (Change::RevCreate { parent_revision: Some(parent) }, Some(EntityState::Created(known))) => {
                let is_known = incoming.revision().is_some_and(|revision| revision <= known);
                let is_next = u64::try_from(*parent) == Ok(known.get());
                !is_known && (!is_next || self.first.contains_key(&incoming.entity()))
            }
            _ => true,
        }
    }

    fn keep(&mut self, incoming: Incoming) {
        let entity = incoming.entity();
        self.timers.push(Reverse((self.turn(&incoming), entity)));
        let at = self.free.pop().unwrap_or(self.places.len());
        let next = self.first.insert(entity, at).unwrap_or(NONE);
        let place = Place { held: Some(incoming), arrival: self.arrivals, next };
        self.arrivals += 1;
        match self.places.get_mut(at) {
            Some(free) => *free = place,
            None => self.places.push(place),
        }
    }

    /// Hands over an entity's events up to the last in order whose turn it is.
    fn release(&mut self, entity: EntityId, ready: &mut impl FnMut(Incoming)) {
        let Some(first) = self.first.get(&entity).copied() else { return };
        let mut sorted = std::mem::take(&mut self.sorted);
        let mut at = first;
        while let Some(Place { held: Some(incoming), arrival, next }) = self.places.get(at) {
            sorted.push((key(incoming, *arrival), at));
            at = *next;
        }
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let has_turn =
            |((_, event_time, ..), _): &(Key, usize)| event_time.saturating_add(self.window) <= self.watermark;
        if let Some(last) = sorted.iter().rposition(has_turn) {
            self.relink(entity, &sorted[last + 1..]);
            for (_, at) in &sorted[..=last] {
                self.free.push(*at);
                self.places[*at].held.take().into_iter().for_each(&mut *ready);
            }
        }
        sorted.clear();
        self.sorted = sorted;
    }

    /// Makes these the events of the entity.
    fn relink(&mut self, entity: EntityId, rest: &[(Key, usize)]) {
        let mut first = NONE;
        for (_, at) in rest {
            self.places[*at].next = first;
            first = *at;
        }
        match first {
            NONE => self.first.remove(&entity),
            first => self.first.insert(entity, first),
        };
    }
}

fn key(incoming: &Incoming, arrival: u64) -> Key {
    let event = incoming.event();
    let is_new = matches!(event.change, Change::RevCreate { .. });
    (event.revision, event.event_time, !is_new, arrival)
}

#[cfg(test)]
mod tests;
