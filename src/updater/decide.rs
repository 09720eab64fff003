//! State and event -> what to do, and the state after it.
//!
//! Promise: every event is answered, by a mutation, by a side output or by both: an [`Outcome`] cannot be nothing.
//! In -> out: what is known of an entity, an event in its turn -> [`Decision`].
//! Rules: upstream's `MutationResolver`, case by case; the table in the tests is the whole of it.
//! Invariant: pure, and without allocation until [`Decision::carry_out`]. But for a forced delete no decision lowers a revision.
//! Not here: in which order events have their turn (see `updater::reorder`).

use crate::event::{Change, Incoming, InputEvent, ReconcileAction};
use crate::mutation::{Mutation, Operation};
use crate::side_output::{Inconsistency, SideOutput};
use crate::state::EntityState;
use crate::wikibase::entity::Revision;

/// What to do, and what is known afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub outcome: Outcome,
    /// The state before.
    pub before: Option<EntityState>,
    /// The state after; `None` if nothing is known any more, and the entity is to be removed from the state.
    pub next: Option<EntityState>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A mutation.
    Mutate(Step),
    /// The event is not followed; a side output tells why.
    Report(Inconsistency),
    /// The event is followed, but a side output tells what is odd.
    Both(Step, Inconsistency),
}

/// The mutation of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub operation: Operation,
    /// The revision afterwards; 0 for a forced delete.
    pub revision: i64,
}

/// What a decision sends out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A mutation.
    Mutation(Mutation),
    /// A side output.
    Side(Box<SideOutput>),
    /// Both.
    Both(Mutation, Box<SideOutput>),
}

/// Decides on one event.
pub fn decide(before: Option<EntityState>, incoming: &Incoming) -> Decision {
    let (outcome, next) = match (&incoming.event().change, incoming.revision()) {
        // A forced delete. Nobody may know the revision of what is deleted; the state is cleared, so that anything may follow.
        (_, None) => (Outcome::Mutate(Step { operation: Operation::DeleteItem, revision: 0 }), None),
        (Change::RevCreate { .. }, Some(revision)) => rev_create(before, revision),
        (Change::PageDelete, Some(revision)) => page_delete(before, revision),
        (Change::PageUndelete, Some(revision)) => page_undelete(before, revision),
        (Change::ReconcileInputEvent { action }, Some(revision)) => reconcile(before, revision, *action),
    };
    Decision { outcome, before, next }
}

type Decided = (Outcome, Option<EntityState>);

fn rev_create(before: Option<EntityState>, revision: Revision) -> Decided {
    match before {
        None => import(revision),
        Some(EntityState::Created(from)) if from < revision => {
            (Outcome::Mutate(Step::new(Operation::Diff { from }, revision)), Some(EntityState::Created(revision)))
        }
        Some(EntityState::Deleted(at)) if at < revision => report(Inconsistency::MissedUndelete, before),
        Some(_) => report(Inconsistency::NewerRevisionSeen, before),
    }
}

fn page_delete(before: Option<EntityState>, revision: Revision) -> Decided {
    match before {
        Some(EntityState::Created(at)) if at <= revision => delete(revision),
        _ => report(Inconsistency::NewerRevisionSeen, before),
    }
}

fn page_undelete(before: Option<EntityState>, revision: Revision) -> Decided {
    match before {
        None => import(revision),
        Some(EntityState::Deleted(at)) if at == revision => import(revision),
        Some(EntityState::Created(at)) if at != revision => report(Inconsistency::NewerRevisionSeen, before),
        Some(_) => report(Inconsistency::UnmatchedUndelete, before),
    }
}

/// The newer of state and event is right; at the same revision the event is, but if the two disagree that is told.
fn reconcile(before: Option<EntityState>, revision: Revision, action: ReconcileAction) -> Decided {
    let wanted = match action {
        ReconcileAction::ReconcileCreation => EntityState::Created(revision),
        ReconcileAction::ReconcileDeletion => EntityState::Deleted(revision),
    };
    match before {
        Some(known) if known.revision() > revision => establish(known),
        Some(known) if known.revision() == revision && known != wanted => {
            let (step, next) = established(wanted);
            let inconsistency = match action {
                ReconcileAction::ReconcileCreation => Inconsistency::ReconcileAmbiguousCreation,
                ReconcileAction::ReconcileDeletion => Inconsistency::ReconcileAmbiguousDeletion,
            };
            (Outcome::Both(step, inconsistency), next)
        }
        _ => establish(wanted),
    }
}

fn import(revision: Revision) -> Decided {
    (Outcome::Mutate(Step::new(Operation::FullImport, revision)), Some(EntityState::Created(revision)))
}

fn delete(revision: Revision) -> Decided {
    establish(EntityState::Deleted(revision))
}

fn establish(state: EntityState) -> Decided {
    let (step, next) = established(state);
    (Outcome::Mutate(step), next)
}

/// What makes the triples be as `state` says, whatever they were.
fn established(state: EntityState) -> (Step, Option<EntityState>) {
    let operation = if state.is_deleted() { Operation::DeleteItem } else { Operation::Reconcile };
    (Step::new(operation, state.revision()), Some(state))
}

fn report(inconsistency: Inconsistency, before: Option<EntityState>) -> Decided {
    (Outcome::Report(inconsistency), before)
}

impl Step {
    fn new(operation: Operation, revision: Revision) -> Self {
        // A revision has 62 bits.
        Self { operation, revision: revision.get() as i64 }
    }

    fn mutation(self, incoming: Incoming) -> Mutation {
        let entity = incoming.entity();
        let InputEvent { event_time, ingestion_time, original, .. } = incoming.into_event();
        Mutation { entity, revision: self.revision, operation: self.operation, event_time, ingestion_time, original }
    }
}

impl Decision {
    /// What is to be sent out, made of the event that was decided on.
    pub fn carry_out(self, incoming: Incoming) -> Answer {
        let side =
            |event, inconsistency| Box::new(SideOutput::Inconsistent { event, inconsistency, state: self.before });
        match self.outcome {
            Outcome::Mutate(step) => Answer::Mutation(step.mutation(incoming)),
            Outcome::Report(inconsistency) => Answer::Side(side(incoming, inconsistency)),
            Outcome::Both(step, inconsistency) => {
                Answer::Both(step.mutation(incoming.clone()), side(incoming, inconsistency))
            }
        }
    }
}

#[cfg(test)]
mod tests;
