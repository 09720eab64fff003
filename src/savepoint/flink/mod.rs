//! Flink's canonical savepoint of the updater's job, without Flink.
//!
//! Promise: what [`write()`] writes, Flink 1.18 to 2.x restores on either state backend, and finds every entity in it; what a
//! running job wrote, [`Opened::take`] reads, with all that is buffered. Nothing is passed over in silence.
//! In -> out: [`StateTable`] <-> `_metadata` and state files.
//! Rules: Flink 1.20.2, as its own savepoints show it (tests compare bytes); upstream's `UpdaterStateConfiguration`.
//! Not here: RocksDB's own files and the hashmap backend's own form (see [`Unfit`]).

mod entry;
mod events;
mod groups;
mod hash;
mod header;
mod java;
mod metadata;
mod part;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use crate::event::InputEvent;
use crate::savepoint::{OnExisting, SavepointError, Written, place};
use crate::state::StateTable;
use crate::storage::Location;

pub use groups::{Odd, Timer};
pub use hash::MAX_PARALLELISM;
pub use metadata::{Form, Keyed, MAGIC, Metadata, Operator, OperatorId};
pub use part::is_ours;
pub use read::{Opened, Taken};

/// All that the updater's operator holds.
#[derive(Debug, Default)]
pub struct Entries {
    /// The revisions: its state `lastSeenRev`.
    pub state: StateTable,
    /// Buffered events, by key, sorted.
    pub events: Vec<(String, Vec<InputEvent>)>,
    /// Timers, sorted.
    pub timers: Vec<Timer>,
    /// How many entries of `lastSeenRev` no [`StateTable`] can hold: keys that are no entity's id, revisions that are none.
    pub odd: u64,
    /// The first thousand of them.
    pub odd_entries: Vec<Odd>,
    /// Entries of each of its states, by name.
    pub counts: BTreeMap<String, u64>,
    /// Entries of states that cannot be read here, by the name of the state.
    pub unread: BTreeMap<String, u64>,
    /// Whether its bytes are compressed.
    pub compressed: bool,
}

impl Entries {
    /// How many entries there are besides the revisions: buffered events, timers, and what cannot be read here.
    pub fn besides(&self) -> u64 {
        let events: usize = self.events.iter().map(|(_, events)| events.len()).sum();
        (events + self.timers.len()) as u64 + self.unread.values().sum::<u64>()
    }
}

/// Why a savepoint of Flink's, though whole, is not one to read the updater's state from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The updater's operator is not in it.
    #[error("it has no state of the operator `DecideMutationOperation` ({id}), only of {}", found.join(", "), id = OperatorId::DECIDE)]
    Operator {
        /// The operators that are.
        found: Vec<String>,
    },
    /// Its keyed state is in a backend's own form.
    #[error("its state is in the own form of {}", match _0 {
        Form::RocksDb => "the RocksDB backend",
        _ => "the hashmap backend",
    })]
    Form(Form),
    /// It holds what a [`StateTable`] cannot.
    #[error("{count} of its keys and values are no revision of an entity, such as: {first}")]
    Odd {
        /// How many.
        count: u64,
        /// One of them.
        first: Odd,
    },
}

/// Whether [`write()`] would begin: looks, and changes nothing. Errors: `Exists`, `NotEmpty`, `Storage`.
pub fn check_target(dir: &Location, on_existing: OnExisting) -> Result<(), SavepointError> {
    place::survey(dir, on_existing).map(drop)
}

/// Whether a job took the savepoint in `dir`, which has a `_metadata`. One that cannot be read is no one's.
pub fn is_of_a_job(dir: &Location) -> Result<bool, SavepointError> {
    match Opened::open(dir) {
        Ok(opened) => Ok(!opened.metadata.is_ours()),
        Err(error @ SavepointError::Storage(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Deletes a savepoint that [`write()`] wrote.
pub fn delete(dir: &Location) -> Result<(), SavepointError> {
    place::clear(dir, OnExisting::Overwrite)
}

/// Writes the savepoint that `UpdaterBootstrapJob` would have written into the directory `dir`, which is made if need be: the
/// operator's state `lastSeenRev`, deletions as negative revisions, in one file for each of `parallelism` subtasks (1 to
/// [`MAX_PARALLELISM`]; a job of any parallelism restores it). Paths are relative: the directory can be moved.
///
/// `cancelled` is asked now and then.
/// Errors: `Exists`, `NotEmpty` (also with `Overwrite`: files of others, Flink's too, are never touched), `Cancelled`,
/// `Storage`.
pub fn write(
    dir: &Location,
    state: &StateTable,
    parallelism: u16,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    write::write_in_rounds(dir, state, parallelism.clamp(1, MAX_PARALLELISM), on_existing, cancelled, write::ROUND)
}
