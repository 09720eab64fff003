//! The files that a state is made of, and what of them is remembered so that the next checkpoint can build on them.
//!
//! Promise: what is merged into a delta is what the deltas hold whose place it takes.
//! Invariant: pure. The entities of a delta are remembered as long as it may be merged: 8 bytes each.
//! Not here: what is merged when (see `plan`).

use std::sync::Arc;

use crate::savepoint::checkpoint::plan::{Limits, Plan};
use crate::savepoint::checkpoint::shelf::Names;
use crate::savepoint::native::manifest::{Manifest, StoredDelta, StoredFile};
use crate::savepoint::native::paths;
use crate::wikibase::entity::EntityId;

/// A base and its deltas. Cheap to clone, but for the list of files.
#[derive(Clone, Debug)]
pub struct Chain {
    base: Vec<StoredFile>,
    base_rows: u64,
    deltas: Vec<Link>,
    names: Names,
    limits: Limits,
}

#[derive(Clone, Debug)]
struct Link {
    file: StoredDelta,
    /// The entities in it, sorted; nothing where it is too large to be merged.
    entities: Option<Arc<[EntityId]>>,
}

impl Chain {
    /// The files of a checkpoint, and the entities in each of its deltas.
    pub fn of(limits: Limits, manifest: &Manifest, entities: Vec<Vec<EntityId>>) -> Self {
        let base_rows = manifest.files.iter().map(|file| file.rows).sum();
        let deltas = manifest.deltas.iter().cloned().zip(entities);
        let chain = Self {
            base: manifest.files.clone(),
            base_rows,
            deltas: Vec::new(),
            names: paths::shared_names(manifest),
            limits,
        };
        let deltas = deltas.map(|(file, entities)| chain.link(file, entities)).collect();
        Self { deltas, ..chain }
    }

    /// What to write where so many entities changed.
    pub fn plan(&self, changed: u64) -> Plan {
        let rows: Vec<_> = self.deltas.iter().map(|link| link.file.rows).collect();
        self.limits.plan(self.base_rows, &rows, changed)
    }

    /// Those that changed and those in the newest `merged` deltas, sorted; `None` if these are not remembered.
    pub fn merged(&self, merged: usize, changed: &[EntityId]) -> Option<Vec<EntityId>> {
        let mut all = changed.to_vec();
        for link in &self.deltas[self.deltas.len() - merged..] {
            all.extend_from_slice(link.entities.as_ref()?);
        }
        // Runs that are sorted are merged, not compared anew.
        all.sort();
        all.dedup();
        Some(all)
    }

    /// Its files, with `delta` in place of the newest `merged` ones.
    pub fn files(&self, merged: usize, delta: Option<StoredDelta>) -> (Vec<StoredFile>, Vec<StoredDelta>) {
        let stay = self.deltas[..self.deltas.len() - merged].iter().map(|link| link.file.clone());
        (self.base.clone(), stay.chain(delta).collect())
    }

    /// The chain of a checkpoint that was built on it so: with a delta of `entities` in place of the newest `merged` ones.
    pub fn with(&self, manifest: &Manifest, merged: usize, entities: Option<Vec<EntityId>>) -> Self {
        let mut deltas = self.deltas[..self.deltas.len() - merged].to_vec();
        let newest = manifest.deltas.last().cloned().zip(entities);
        deltas.extend(newest.map(|(file, entities)| self.link(file, entities)));
        Self { base: self.base.clone(), deltas, names: paths::shared_names(manifest), ..*self }
    }

    /// The names of its files.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.names.iter().cloned()
    }

    fn link(&self, file: StoredDelta, entities: Vec<EntityId>) -> Link {
        let entities = self.limits.is_for_merging(self.base_rows, file.rows).then(|| entities.into());
        Link { file, entities }
    }
}
