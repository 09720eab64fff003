//! Mutations in their order, from the decision to the messages.
//!
//! Promise: what was pushed is sent in that order, each mutation whole, or answered by a side output. One whose triples cannot be
//! reached for now holds up all behind it, and is tried again.
//! In -> out: [`Mutation`]s -> revisions that are wanted -> messages and side outputs, through an [`Outlet`].
//! Invariant: what was pushed and not finished is pending, and is what a checkpoint keeps ([`Works::pending`]).
//! Rules: upstream's ordered asynchronous `GenerateEntityDiffPatchOperation`. Where it sends a difference to a revision that never
//! reached the graphs, as its triples could not be had, the entity is reconciled here: else what that revision brought or took would
//! stay wrong until somebody reads the side output.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::entity_data::Asked;
use crate::mutation::{Mutation, Operation};
use crate::side_output::{Failure, SideOutput};
use crate::updater::messages::{Messages, Outlet, Triples};
use crate::updater::revisions::{Missing, Revisions, Wanted};
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;

/// A mutation that is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The mutation.
    pub mutation: Mutation,
    /// When it was pushed, in milliseconds since 1970.
    pub turn: i64,
    /// How many messages were sent, none where nothing changed; or why a side output was.
    pub outcome: Result<u64, Failure>,
}

/// How much may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mutations whose revisions are wanted.
    pub begun: usize,
    /// Mutations that wait for that.
    pub waiting: usize,
    /// Whether mutations of one entity that wait become one.
    pub coalesce: bool,
}

/// Mutations under way.
pub struct Works {
    limits: Limits,
    begun: VecDeque<Work>,
    /// Those that became part of a later one are empty.
    waiting: VecDeque<Option<(Mutation, i64)>>,
    /// The number of the first of them, counted from the very first.
    first: u64,
    /// The last that waits of each entity, by its number; only where they are coalesced.
    last: HashMap<EntityId, u64>,
    empty: usize,
    coalesced: u64,
    /// Entities whose last mutation could not be sent: the graphs are not at the revision that is known.
    behind: HashSet<EntityId>,
    /// Why the wiki cannot be reached; taken once it was told.
    unreachable: Option<String>,
    is_reached: bool,
}

struct Work {
    mutation: Mutation,
    /// When it was pushed.
    turn: i64,
    wanted: Need,
}

/// The revisions that a mutation needs.
enum Need {
    Nothing,
    One(Wanted),
    Two(Wanted, Wanted),
}

impl Works {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        let (begun, waiting) = (VecDeque::new(), VecDeque::new());
        let (last, behind) = (HashMap::new(), HashSet::new());
        Self {
            limits,
            begun,
            waiting,
            first: 0,
            last,
            empty: 0,
            coalesced: 0,
            behind,
            unreachable: None,
            is_reached: true,
        }
    }

    /// Takes a mutation as the last, at a time in milliseconds since 1970.
    pub fn push(&mut self, mut mutation: Mutation, turn: i64) {
        if self.limits.coalesce {
            if let Some(before) = self.last.get(&mutation.entity).copied()
                && let Some(place) = self.waiting.get_mut((before - self.first) as usize)
                && let Some(merged) = place.as_ref().and_then(|(before, _)| merged(before, &mutation))
            {
                mutation.operation = merged;
                *place = None;
                self.empty += 1;
                self.coalesced += 1;
            }
            self.last.insert(mutation.entity, self.first + self.waiting.len() as u64);
        }
        self.waiting.push_back(Some((mutation, turn)));
    }

    /// Whether more may be pushed.
    pub fn has_room(&self) -> bool {
        self.waiting.len() - self.empty < self.limits.waiting
    }

    /// How many are not finished.
    pub fn len(&self) -> usize {
        self.begun.len() + self.waiting.len() - self.empty
    }

    /// How many are waited for, for their triples.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Whether all are finished.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entities whose last mutation could not be sent, in their order.
    pub fn behind(&self) -> Vec<EntityId> {
        let mut behind: Vec<_> = self.behind.iter().copied().collect();
        behind.sort_unstable();
        behind
    }

    /// These entities' last mutations could not be sent.
    pub fn set_behind(&mut self, entities: impl IntoIterator<Item = EntityId>) {
        self.behind.extend(entities);
    }

    /// Why the wiki cannot be reached, once each time.
    pub fn unreachable(&mut self) -> Option<String> {
        self.unreachable.take()
    }

    /// How many became part of a later one.
    pub fn coalesced(&self) -> u64 {
        self.coalesced
    }

    /// All that are not finished, in their order.
    pub fn pending(&self) -> impl Iterator<Item = &Mutation> {
        let waiting = self.waiting.iter().flatten().map(|(mutation, _)| mutation);
        self.begun.iter().map(|work| &work.mutation).chain(waiting)
    }

    /// Begins those that wait, as far as there is room.
    pub fn begin(&mut self, revisions: &mut Revisions) {
        while self.begun.len() < self.limits.begun
            && let Some(next) = self.waiting.pop_front()
        {
            let Some((mutation, turn)) = next else {
                (self.first, self.empty) = (self.first + 1, self.empty - 1);
                continue;
            };
            if self.last.get(&mutation.entity) == Some(&self.first) {
                self.last.remove(&mutation.entity);
            }
            self.first += 1;
            let wanted = Need::of(&mutation, revisions);
            self.begun.push_back(Work { mutation, turn, wanted });
        }
    }

    /// Finishes the first, if its triples are here within `wait`; `None` if not, or if there is none.
    pub fn finish<O: Outlet>(
        &mut self,
        wait: Duration,
        revisions: &mut Revisions,
        messages: &mut Messages,
        outlet: &mut O,
    ) -> Result<Option<Finished>, O::Error> {
        let Some(work) = self.begun.front_mut() else { return Ok(None) };
        if !work.wanted.is_ready_within(wait) {
            return Ok(None);
        }
        let is_behind = self.behind.contains(&work.mutation.entity);
        if is_behind && matches!(work.mutation.operation, Operation::Diff { .. }) {
            work.mutation.operation = Operation::Reconcile;
        }
        let outcome = match work.wanted.triples(&work.mutation) {
            Err(Missing::Unavailable(reason)) => {
                if std::mem::take(&mut self.is_reached) {
                    self.unreachable = Some(reason);
                }
                work.wanted = Need::of(&work.mutation, revisions);
                return Ok(None);
            }
            Err(Missing::Failed(failure)) => {
                outlet.side(&SideOutput::FetchFailed { mutation: work.mutation.clone(), failure: failure.clone() })?;
                self.behind.insert(work.mutation.entity);
                Err(failure)
            }
            Ok(triples) => {
                let sent = messages.send(&work.mutation, &triples, outlet)?;
                if let (Some(after), Some(revision)) = (triples.after(), revision(&work.mutation)) {
                    revisions.remember(work.mutation.entity, revision, after);
                }
                self.behind.remove(&work.mutation.entity);
                Ok(sent)
            }
        };
        self.is_reached = true;
        let finished = self.begun.pop_front();
        Ok(finished.map(|Work { mutation, turn, .. }| Finished { mutation, turn, outcome }))
    }
}

fn revision(mutation: &Mutation) -> Option<Revision> {
    u64::try_from(mutation.revision).ok().and_then(|revision| Revision::new(revision).ok())
}

impl Need {
    fn of(mutation: &Mutation, revisions: &mut Revisions) -> Self {
        let Some(revision) = revision(mutation) else { return Self::Nothing };
        let asked = |revision, is_new| Asked {
            entity: mutation.entity,
            revision,
            is_new,
            event_time: Timestamp::from_millis(mutation.event_time).unwrap_or_default(),
        };
        match mutation.operation {
            Operation::DeleteItem => Self::Nothing,
            Operation::FullImport | Operation::Reconcile => Self::One(revisions.want(asked(revision, true))),
            Operation::Diff { from } => {
                let from = revisions.want(asked(from, false));
                Self::Two(from, revisions.want(asked(revision, true)))
            }
        }
    }

    fn is_ready_within(&self, wait: Duration) -> bool {
        match self {
            Self::Nothing => true,
            Self::One(wanted) => wanted.is_ready_within(wait),
            Self::Two(from, to) => from.is_ready_within(wait) && to.is_ready_within(wait),
        }
    }

    fn triples(&self, mutation: &Mutation) -> Result<Triples, Missing> {
        let is_reconciled = mutation.operation == Operation::Reconcile;
        Ok(match self {
            Self::Nothing => Triples::None,
            Self::One(to) | Self::Two(_, to) if is_reconciled => Triples::Reconcile(to.get()?),
            Self::One(to) => Triples::Import(to.get()?),
            Self::Two(from, to) => Triples::Diff(from.get()?, to.get()?),
        })
    }
}

/// What two mutations of an entity, one after the other, are together; `None` where they are not one.
///
/// What was there before the first and what is there after the second decide: a deletion between two revisions cannot be told
/// by any one mutation but a reconciliation, which is what the stream has for repairs only.
fn merged(first: &Mutation, second: &Mutation) -> Option<Operation> {
    match (first.operation, second.operation) {
        (Operation::DeleteItem, _) => None,
        (_, Operation::DeleteItem) => Some(Operation::DeleteItem),
        (_, Operation::Reconcile) | (Operation::Reconcile, _) => Some(Operation::Reconcile),
        (Operation::Diff { from }, Operation::Diff { .. }) => Some(Operation::Diff { from }),
        (Operation::FullImport, Operation::Diff { .. }) => Some(Operation::FullImport),
        (_, Operation::FullImport) => None,
    }
}

#[cfg(test)]
mod tests;
