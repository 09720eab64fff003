//! Checkpoints: the state of a running stream, made again and again at the cost of what changed.
//!
//! Promise: [`Checkpoints::read`] gives what [`Checkpoints::take`] was given, or an error; killed at any moment, every checkpoint that
//! was taken and not removed is still whole.
//! In -> out: [`StateTable`], what changed, [`Provenance`] and [`Stream`] <-> `chk-NUMBER-NONCE/_metadata`, `…/stream.jsonl`, and
//! `shared/base-…`, `shared/delta-…`, which several checkpoints may name.
//! Invariant: no two attempts have a name in common, so nothing is ever written twice; `_metadata` is written last and deleted first.
//! Nothing rests on a listing but what is removed of killed runs.
//! Not here: when a checkpoint is taken, and which one is true: that is known to Kafka, or to whoever commits its id.

mod chain;
pub mod id;
mod plan;
mod shelf;
mod sweep;
#[cfg(test)]
mod tests;

use std::mem;

use rayon::prelude::*;

use crate::savepoint::checkpoint::chain::Chain;
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::checkpoint::plan::{Limits, Plan};
use crate::savepoint::checkpoint::shelf::{Held, Names, Removal, Shelf, Standing};
use crate::savepoint::checkpoint::sweep::Found;
use crate::savepoint::native::manifest::{Manifest, ManifestError, Provenance, StoredDelta, StoredFile};
use crate::savepoint::native::paths::{DeltaName, Owner, Paths, SHARED, StreamName};
use crate::savepoint::native::write::Parts;
use crate::savepoint::native::{Whole, delta, read, write};
use crate::savepoint::stream::Stream;
use crate::savepoint::{OnExisting, SavepointError, place};
use crate::state::StateTable;
use crate::storage::{self, Attempt, Claim, Location, StorageError};
use crate::wikibase::entity::EntityId;

/// How many settled checkpoints stay, unless told otherwise.
pub const KEEP: usize = 3;
/// Once in so many checkpoints is looked whether the files of the earlier ones are still there, where that takes requests.
const RARELY: u64 = 64;

/// A directory of checkpoints, and the right to write there.
pub struct Checkpoints {
    dir: Location,
    keep: usize,
    limits: Limits,
    _claim: Claim,
    /// The number of the next checkpoint.
    next: u64,
    /// The newest that could not be restored when the directory was opened.
    broken: Option<CheckpointId>,
    shelf: Shelf,
    /// What the next checkpoint builds on; nothing before the first of a run.
    chain: Option<Chain>,
    /// Those that were taken and not yet settled, the oldest first.
    open: Vec<Open>,
    /// What changed in checkpoints that were discarded.
    carried: Vec<EntityId>,
    /// What could not be removed yet.
    backlog: Removal,
    /// Whether what killed runs left was removed.
    is_swept: bool,
}

/// A checkpoint that was taken and not yet settled: what there was before it, and what changed since.
struct Open {
    id: CheckpointId,
    before: Option<Chain>,
    changed: Vec<EntityId>,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Restored {
    /// The entities and their states.
    pub state: StateTable,
    /// How it came to be.
    pub made: Provenance,
    /// What the stream had in hand.
    pub stream: Stream,
}

/// A checkpoint that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id, to be committed.
    pub id: CheckpointId,
    /// Bytes that were written for it.
    pub bytes: u64,
    /// How many files were written for it, `_metadata` included.
    pub files: u64,
    /// Whether the whole state was written.
    pub is_full: bool,
    /// Entities that were written.
    pub rows: u64,
}

impl Checkpoints {
    /// Opens the directory `dir`, which is made if need be, to keep there the newest `keep` settled checkpoints, at least one.
    ///
    /// What killed runs left is removed, where it can be: at once where the directory can be locked; elsewhere, as another may still
    /// be at it, when the first checkpoint is settled. Errors: `Storage`, also `InUse`, where another run has it.
    pub fn open(dir: &Location, keep: usize) -> Result<Self, SavepointError> {
        let claim = storage::claim(dir)?;
        let found = Found::look(dir)?;
        if dir.has_names() {
            // What cannot be removed is no worse than it was.
            let _ = found.sweep(dir, &found.shelf.names(), None);
        }
        Ok(Self {
            dir: dir.clone(),
            keep,
            limits: Limits::default(),
            _claim: claim,
            next: found.next,
            broken: found.broken(),
            shelf: found.shelf,
            chain: None,
            open: Vec::new(),
            carried: Vec::new(),
            backlog: Removal::default(),
            is_swept: dir.has_names(),
        })
    }

    /// The newest that is complete. It need not have been committed.
    pub fn newest(&self) -> Option<&CheckpointId> {
        self.shelf.newest()
    }

    /// One that was there when the directory was opened, newer than all that are complete, and cannot be restored: files are missing, or
    /// its `_metadata` is damaged.
    pub fn broken(&self) -> Option<CheckpointId> {
        let newest = self.newest().map(|id| id.number());
        self.broken.filter(|broken| newest.is_none_or(|newest| newest < broken.number()))
    }

    /// Reads a checkpoint, known by its id alone; later ones count as never committed. The next one builds on it.
    ///
    /// Errors: `NotASavepoint`, `Manifest`, `Columns`, `State`, `Damaged`, `Storage`.
    pub fn read(&mut self, id: &CheckpointId) -> Result<Restored, SavepointError> {
        let dir = self.dir_of(*id);
        let mut notes: Vec<Vec<EntityId>> = Vec::new();
        let Whole { manifest, state, stream } = read::read(&dir, |at, (entity, _)| {
            if at >= notes.len() {
                notes.resize_with(at + 1, Vec::new);
            }
            notes[at].push(*entity);
        })?;
        if manifest.checkpoint != Some(*id) {
            let source = ManifestError::Inconsistent(format!("it is not the one of the checkpoint {id}"));
            return Err(SavepointError::Manifest { location: Paths(&dir).metadata(), source });
        }
        self.next = self.next.max(id.number().saturating_add(1));
        self.shelf.restored(*id, Held::of(&manifest, Standing::Settled));
        self.chain = Some(Chain::of(self.limits, &manifest, notes));
        self.open.clear();
        self.carried.clear();
        Ok(Restored { state, made: manifest.made, stream })
    }

    /// Takes a checkpoint of `state`, in which nothing but the entities in `changed`, in any order, is other than in the last one
    /// that was taken or read; an entity that `state` does not know is forgotten. Offsets and watermark are those of `stream`.
    ///
    /// The first one of a run that read none, one after many changes, and one whose base was lost, is full. After an error all is as before: whoever calls again
    /// gives these changes again. Errors: `Columns`, `Storage`, `Overtaken`.
    pub fn take(
        &mut self,
        state: &StateTable,
        changed: &[EntityId],
        made: &Provenance,
        stream: &Stream,
    ) -> Result<Taken, SavepointError> {
        if !self.is_whole()? {
            self.chain = None;
        }
        let id = self.fresh_id()?;
        let changed = sorted([changed, &self.carried].concat());
        let draft = Draft::of(self.chain.as_ref(), id, state, &changed);
        let dir = self.dir_of(id);
        let made = draft.write(&dir, id, state, made, stream);
        let Written { manifest, taken } = made.inspect_err(|_| draft.remove(&dir))?;
        self.shelf.put(id, Held::of(&manifest, Standing::Taken));
        let chain = draft.chain(self.limits, &manifest);
        let before = self.chain.replace(chain);
        self.open.push(Open { id, before, changed });
        self.carried.clear();
        Ok(taken)
    }

    /// The checkpoint was committed: older ones than the newest few are removed, and what nobody names any more.
    ///
    /// Errors: `NotASavepoint` for one that was never taken or read here. Any other is what could not be removed: it is tried again
    /// with the next one, and the checkpoint is as good as without it.
    pub fn settled(&mut self, id: &CheckpointId) -> Result<(), SavepointError> {
        if self.shelf.get(*id).is_none() {
            return Err(SavepointError::NotASavepoint { location: self.dir_of(*id) });
        }
        self.open.retain(|open| open.id > *id);
        let used = self.used();
        let removal = self.shelf.settled(*id, self.keep, &used);
        self.remove(removal)?;
        if !self.is_swept {
            let found = Found::look(&self.dir)?;
            let named: Names = self.shelf.names().into_iter().chain(self.used()).chain(found.shelf.names()).collect();
            found.sweep(&self.dir, &named, Some(*id))?;
            self.is_swept = true;
        }
        Ok(())
    }

    /// The checkpoint was not committed, and will not be: it is removed. What changed in it is remembered, so that the next one
    /// holds it. What cannot be removed now is tried again later.
    pub fn discard(&mut self, id: &CheckpointId) {
        if let Some(at) = self.open.iter().position(|open| open.id == *id) {
            let Open { before, changed, .. } = self.open.remove(at);
            match self.open.get_mut(at) {
                Some(later) => {
                    later.before = before;
                    later.changed = sorted([mem::take(&mut later.changed), changed].concat());
                }
                None => {
                    self.chain = before;
                    self.carried = sorted([mem::take(&mut self.carried), changed].concat());
                }
            }
        }
        let removal = self.shelf.discarded(*id, &self.used());
        // It is in the backlog then.
        let _ = self.remove(removal);
    }

    /// Where a checkpoint is.
    pub fn dir_of(&self, id: CheckpointId) -> Location {
        self.dir.join(&id.dir())
    }

    fn fresh_id(&mut self) -> Result<CheckpointId, SavepointError> {
        let nonce = getrandom::u64().map_err(|error| StorageError::Unavailable {
            location: self.dir.clone(),
            action: "name a checkpoint in",
            source: error.into(),
        })?;
        let id = CheckpointId::new(self.next, nonce);
        self.next = self.next.saturating_add(1);
        Ok(id)
    }

    /// The shared files that the next checkpoint may build on.
    /// Whether the files are still there that the next checkpoint would build on: somebody may have tidied up. In a store that is asked
    /// for each of them it is looked now and then only.
    fn is_whole(&self) -> Result<bool, StorageError> {
        let is_due = self.dir.has_names() || self.next.is_multiple_of(RARELY);
        let Some(chain) = self.chain.as_ref().filter(|_| is_due) else { return Ok(true) };
        for name in chain.names() {
            if !storage::exists(&self.dir.join(SHARED).join(&name))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn used(&self) -> Names {
        let chains = self.open.iter().filter_map(|open| open.before.as_ref()).chain(&self.chain);
        chains.flat_map(Chain::names).collect()
    }

    /// Removes what may go, and what could not go before.
    fn remove(&mut self, removal: Removal) -> Result<(), SavepointError> {
        self.backlog.checkpoints.extend(removal.checkpoints);
        self.backlog.names.extend(removal.names);
        sweep::remove(&self.dir, &mut self.backlog)
    }
}

fn sorted(mut entities: Vec<EntityId>) -> Vec<EntityId> {
    entities.sort_unstable();
    entities.dedup();
    entities
}

/// What is to be written for a checkpoint.
struct Draft<'a> {
    before: Option<&'a Chain>,
    content: Content<'a>,
}

enum Content<'a> {
    /// The whole state.
    Base(Parts<'a>),
    /// No state: it is that of the checkpoint before.
    Nothing,
    /// What changed, in place of so many of the deltas before.
    Delta { name: DeltaName, merged: usize, entities: Vec<EntityId> },
}

struct Written {
    manifest: Manifest,
    taken: Taken,
}

impl<'a> Draft<'a> {
    fn of(before: Option<&'a Chain>, id: CheckpointId, state: &'a StateTable, changed: &[EntityId]) -> Self {
        let base = || Content::Base(write::parts(state, Owner::Checkpoint(id)));
        let content = match before.map(|chain| (chain, chain.plan(changed.len() as u64))) {
            None | Some((_, Plan::Base)) => base(),
            Some((_, Plan::Nothing)) => Content::Nothing,
            Some((chain, Plan::Delta { merged })) => match chain.merged(merged, changed) {
                Some(entities) => Content::Delta { name: DeltaName(id), merged, entities },
                None => base(),
            },
        };
        Self { before, content }
    }

    fn write(
        &self,
        dir: &Location,
        id: CheckpointId,
        state: &StateTable,
        made: &Provenance,
        stream: &Stream,
    ) -> Result<Written, SavepointError> {
        let (files, of_stream) =
            rayon::join(|| self.write_state(dir, state), || write::write_stream(dir, stream, Attempt::default()));
        let ((files, delta), of_stream) = (files?, of_stream?);
        let new = files.iter().map(|file| (Paths(dir).of(file.name), file.size));
        let new = new.chain(delta.iter().map(|file| (Paths(dir).of(file.name), file.size)));
        let new = new.chain(of_stream.iter().map(|stream| (Paths(dir).of(stream.file.name), stream.file.size)));
        let new: Vec<_> = new.collect();
        let rows = files.iter().map(|file| file.rows).chain(delta.iter().map(|file| file.rows)).sum();
        let (files, deltas) = self.named(files, delta);
        let manifest = write::manifest(state, made, stream, files, of_stream);
        let manifest = Manifest { checkpoint: Some(id), deltas, ..manifest };
        let json = write::sealed(dir, &manifest)?;
        let taken = Taken {
            id,
            bytes: new.iter().map(|(_, size)| size).sum::<u64>() + json.len() as u64,
            files: new.len() as u64 + 1,
            is_full: matches!(self.content, Content::Base(_)),
            rows,
        };
        place::publish(dir, json, &new, OnExisting::Refuse)?;
        Ok(Written { manifest, taken })
    }

    fn write_state(
        &self,
        dir: &Location,
        state: &StateTable,
    ) -> Result<(Vec<StoredFile>, Option<StoredDelta>), SavepointError> {
        match &self.content {
            Content::Base(parts) => Ok((write::write_parts(dir, parts, &|| false)?, None)),
            Content::Nothing => Ok((Vec::new(), None)),
            Content::Delta { name, entities, .. } => {
                let bytes = delta::encode(name.0, entities, |entity| state.get(entity))?;
                Ok((Vec::new(), Some(write::write_file(dir, *name, bytes, entities.len() as u64)?)))
            }
        }
    }

    /// All state files and deltas of the checkpoint, of which these were written.
    fn named(&self, files: Vec<StoredFile>, delta: Option<StoredDelta>) -> (Vec<StoredFile>, Vec<StoredDelta>) {
        match (&self.content, self.before) {
            (Content::Delta { merged, .. }, Some(chain)) => chain.files(*merged, delta),
            (Content::Nothing, Some(chain)) => chain.files(0, None),
            _ => (files, Vec::new()),
        }
    }

    /// What the next checkpoint builds on, once this one is written.
    fn chain(self, limits: Limits, manifest: &Manifest) -> Chain {
        match (self.content, self.before) {
            (Content::Delta { merged, entities, .. }, Some(chain)) => chain.with(manifest, merged, Some(entities)),
            (Content::Nothing, Some(chain)) => chain.with(manifest, 0, None),
            _ => Chain::of(limits, manifest, Vec::new()),
        }
    }

    /// Removes what was written, as far as it can be: the rest is what a killed run leaves.
    fn remove(&self, dir: &Location) {
        let paths = Paths(dir);
        let streams = [true, false].map(|is_packed| paths.of(StreamName { attempt: Attempt::default(), is_packed }));
        let state: Vec<_> = match &self.content {
            Content::Base(parts) => parts.iter().map(|(name, _)| paths.of(*name)).collect(),
            Content::Nothing => Vec::new(),
            Content::Delta { name, .. } => vec![paths.of(*name)],
        };
        let gone = match storage::delete(&paths.metadata()) {
            Ok(()) | Err(StorageError::NotFound { .. }) => true,
            Err(_) => false,
        };
        if gone {
            state.par_iter().chain(&streams).for_each(|file| drop(storage::delete(file)));
            let _ = storage::delete_empty(dir);
        }
    }
}
