//! What a running stream has in hand, beside the state.
//!
//! Promise: a run that is given a [`Stream`] goes on as the one that left it would have.
//! In -> out: [`Stream`] <-> the lines of a file, by `savepoint::stream::lines`; offsets and watermark stand in `_metadata`.
//! Invariant: pure.
//! Not here: where the file is, and what becomes of events and mutations (see `updater`).

pub mod lines;

use crate::event::InputEvent;
use crate::mutation::Mutation;
use crate::savepoint::native::manifest::StartOffset;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// What a running stream has in hand; nothing, where there was no stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The positions to read from next: of the partitions of topics, or of files.
    pub offsets: Vec<StartOffset>,
    /// All events up to this moment were read, if that is known.
    pub watermark: Option<Timestamp>,
    /// Events that wait for their turn, in the order of their arrival.
    pub buffered: Vec<InputEvent>,
    /// What was decided and not yet sent, in order.
    pub pending: Vec<Mutation>,
    /// Entities whose last mutation could not be sent, so that what readers hold of them is not at the revision that is known.
    pub behind: Vec<EntityId>,
    /// How long the files of output are.
    pub outputs: Vec<OutputEnd>,
}

/// How long a file of output is: what is behind was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputEnd {
    /// The file, as the run names it.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Stream {
    /// Whether there is nothing that needs a file: no event, no mutation, no entity behind, no output.
    pub fn is_bare(&self) -> bool {
        self.buffered.is_empty() && self.pending.is_empty() && self.behind.is_empty() && self.outputs.is_empty()
    }
}
