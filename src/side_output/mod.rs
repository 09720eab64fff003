//! What the updater could not turn into a mutation, told to whoever sets it right: the side outputs.
//!
//! Promise: a [`SideOutput`] holds all that is needed to reconcile the entity later.
//! In -> out: JSON by `side_output::wire`.
//! Rules: upstream's `late-events`, `InconsistentMutation` and `FailedOp`.
//! Invariant: pure.
//! Not here: when which is due (see `updater`).

pub mod wire;

use crate::event::Incoming;
use crate::mutation::Mutation;
use crate::state::EntityState;

/// One side output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideOutput {
    /// An event that came too late to be put in order.
    Lapsed(Incoming),
    /// An event that does not fit to what is known of its entity.
    Inconsistent {
        /// The event.
        event: Incoming,
        /// How it does not fit.
        inconsistency: Inconsistency,
        /// What was known.
        state: Option<EntityState>,
    },
    /// A mutation whose triples could not be had.
    FetchFailed {
        /// The mutation.
        mutation: Mutation,
        /// Why not.
        failure: Failure,
    },
}

/// How an event does not fit to what is known of its entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inconsistency {
    /// What is known is newer, or not known to exist.
    NewerRevisionSeen,
    /// It was restored, but not deleted before at that revision.
    UnmatchedUndelete,
    /// It was deleted, and now there is a newer revision.
    MissedUndelete,
    /// A reconciliation wants it deleted at the very revision at which it is known to exist.
    ReconcileAmbiguousDeletion,
    /// A reconciliation wants it there at the very revision at which it was deleted.
    ReconcileAmbiguousCreation,
}

/// Why triples could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What failed, for people who group failures: a name, such as that of an error type.
    pub exception: String,
    /// What happened, for people.
    pub message: String,
}

/// The kinds of failure, as the schema knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The wiki does not know the revision.
    EntityNotFound,
    /// The wiki has no data of it.
    NoContent,
    /// The answer was empty.
    EmptyResponse,
    /// The answer had a status that nobody asked for.
    UnexpectedResponse,
    /// Anything else.
    Unknown,
}

impl Inconsistency {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NewerRevisionSeen,
        Self::UnmatchedUndelete,
        Self::MissedUndelete,
        Self::ReconcileAmbiguousDeletion,
        Self::ReconcileAmbiguousCreation,
    ];

    /// Its name in events. `unmatched_delete` is what upstream writes for an undelete that does not match.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewerRevisionSeen => "newer_revision_seen",
            Self::UnmatchedUndelete => "unmatched_delete",
            Self::MissedUndelete => "missed_undelete",
            Self::ReconcileAmbiguousDeletion => "reconcile_ambiguous_deletion",
            Self::ReconcileAmbiguousCreation => "reconcile_ambiguous_creation",
        }
    }
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::EntityNotFound, Self::NoContent, Self::EmptyResponse, Self::UnexpectedResponse, Self::Unknown];

    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EntityNotFound => "ENTITY_NOT_FOUND",
            Self::NoContent => "NO_CONTENT",
            Self::EmptyResponse => "EMPTY_RESPONSE",
            Self::UnexpectedResponse => "UNEXPECTED_RESPONSE",
            Self::Unknown => "UNKNOWN",
        }
    }
}
