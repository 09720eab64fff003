//! Which checkpoints there are, and which of them and of their files may go.
//!
//! Promise: what is told to be removed is named by no checkpoint that stays, nor by anything that the next one may build on.
//! In -> out: what was found, taken, settled and given up -> [`Removal`]s.
//! Rules: of the settled ones the newest stay. One that was found whole counts as settled, unless it is newer than the one that was
//! restored: those were never committed. One that was taken stays until it, or a later one, is settled.
//! Invariant: pure.
//! Not here: how things are removed, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::native::manifest::Manifest;
use crate::savepoint::native::paths::{self, StreamName};

/// The names of files in the directory of shared files.
pub type Names = BTreeSet<String>;

/// All checkpoints that are known to be there.
#[derive(Debug, Default)]
pub struct Shelf {
    held: BTreeMap<CheckpointId, Held>,
}

/// What is known of a checkpoint.
#[derive(Clone, Debug)]
pub struct Held {
    /// The shared files that it names.
    pub names: Names,
    /// The file of its stream.
    pub stream: Option<StreamName>,
    /// Whether all its files were there.
    pub is_complete: bool,
    /// What became of it.
    pub standing: Standing,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was found; nobody told what became of it.
    Found,
    /// It is later than the one that was restored.
    Abandoned,
    /// It was taken by this run.
    Taken,
    /// It was committed.
    Settled,
}

/// What is to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Checkpoints, and the file of the stream of each.
    pub checkpoints: Vec<(CheckpointId, Option<StreamName>)>,
    /// Shared files, once the checkpoints are gone.
    pub names: Names,
}

impl Held {
    /// What is known of a checkpoint by what it says of itself.
    pub fn of(manifest: &Manifest, standing: Standing) -> Self {
        let stream = manifest.stream.as_ref().map(|stream| stream.file.name);
        Self { names: paths::shared_names(manifest), stream, is_complete: true, standing }
    }
}

impl Shelf {
    /// A checkpoint is there.
    pub fn put(&mut self, id: CheckpointId, held: Held) {
        self.held.insert(id, held);
    }

    /// What is known of a checkpoint.
    pub fn get(&self, id: CheckpointId) -> Option<&Held> {
        self.held.get(&id)
    }

    /// The newest that is complete.
    pub fn newest(&self) -> Option<&CheckpointId> {
        self.held.iter().rfind(|(_, held)| held.is_complete).map(|(id, _)| id)
    }

    /// The shared files that any of them names.
    pub fn names(&self) -> Names {
        self.held.values().flat_map(|held| held.names.iter().cloned()).collect()
    }

    /// `id` was restored, so that later ones never were committed.
    pub fn restored(&mut self, id: CheckpointId, held: Held) {
        for (later, held) in &mut self.held {
            if *later > id && held.standing == Standing::Found {
                held.standing = Standing::Abandoned;
            }
        }
        self.held.insert(id, held);
    }

    /// `id` was committed: keeps the newest `keep` that were, and what was taken since. `used` are files that stay in any case.
    pub fn settled(&mut self, id: CheckpointId, keep: usize, used: &Names) -> Removal {
        for (other, held) in &mut self.held {
            if *other == id || *other < id && held.standing == Standing::Found && held.is_complete {
                held.standing = Standing::Settled;
            }
        }
        let settled = self.held.iter().rev().filter(|(_, held)| held.standing == Standing::Settled);
        let mut stay: BTreeSet<_> = settled.map(|(id, _)| *id).take(keep.max(1)).chain([id]).collect();
        let later = self.held.iter().filter(|(other, held)| **other > id && held.standing == Standing::Taken);
        stay.extend(later.map(|(id, _)| *id));
        let go: Vec<_> = self.held.keys().copied().filter(|id| !stay.contains(id)).collect();
        self.take_away(&go, used)
    }

    /// `id` was not committed, and is not wanted.
    pub fn discarded(&mut self, id: CheckpointId, used: &Names) -> Removal {
        self.take_away(&[id], used)
    }

    fn take_away(&mut self, ids: &[CheckpointId], used: &Names) -> Removal {
        let mut removal = Removal::default();
        for (id, held) in ids.iter().filter_map(|id| Some((*id, self.held.remove(id)?))) {
            removal.checkpoints.push((id, held.stream));
            removal.names.extend(held.names);
        }
        let named = self.names();
        removal.names.retain(|name| !named.contains(name) && !used.contains(name));
        removal
    }
}

impl Shelf {
    /// Those that lack files.
    pub fn incomplete(&self) -> impl Iterator<Item = CheckpointId> {
        self.held.iter().filter(|(_, held)| !held.is_complete).map(|(id, _)| *id)
    }
}

/// What was found in the directories of killed runs.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The files in the directory of shared files.
    pub shared: Names,
    /// Checkpoints with a `_metadata` that cannot be read: nobody knows what they name.
    pub unread: Vec<CheckpointId>,
}

/// The shared files that killed runs left: made for a checkpoint that is not there, and named by none that is. Files whose names
/// are not ours stay; so do those that a checkpoint that cannot be read may name, and those of checkpoints from `before` on.
pub fn leftovers(findings: &Findings, named: &Names, before: Option<CheckpointId>) -> Names {
    let is_left = |name: &&String| {
        let Some(owner) = paths::owner_of_shared(name) else { return false };
        let in_doubt = findings.unread.iter().any(|unread| unread.number() >= owner.number());
        !named.contains(*name) && !in_doubt && before.is_none_or(|before| owner.number() < before.number())
    };
    findings.shared.iter().filter(is_left).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> CheckpointId {
        CheckpointId::new(number, 7)
    }

    fn names(of: &[u64]) -> Names {
        of.iter().map(|number| format!("delta-{}.parquet", id(*number))).collect()
    }

    fn held(of: &[u64], standing: Standing) -> Held {
        Held { names: names(of), stream: None, is_complete: true, standing }
    }

    fn removed(removal: &Removal) -> (Vec<u64>, Names) {
        (removal.checkpoints.iter().map(|(id, _)| id.number()).collect(), removal.names.clone())
    }

    #[test]
    fn what_goes() {
        let mut shelf = Shelf::default();
        shelf.put(id(1), held(&[1], Standing::Found));
        shelf.put(id(2), held(&[1, 2], Standing::Found));
        shelf.put(id(3), held(&[3], Standing::Found));
        shelf.put(id(4), held(&[1, 4], Standing::Found));
        shelf.restored(id(2), held(&[1, 2], Standing::Settled));
        shelf.put(id(5), held(&[1, 2, 5], Standing::Taken));
        assert_eq!(shelf.newest(), Some(&id(5)));
        // Of 1, 2 and 5, two stay; 3 and 4 were never committed.
        let removal = shelf.settled(id(5), 2, &Names::new());
        assert_eq!(removed(&removal), (vec![1, 3, 4], names(&[3, 4])));
        shelf.put(id(6), held(&[6], Standing::Taken));
        shelf.put(id(7), held(&[6, 7], Standing::Taken));
        // One that was taken later stays; one that was given up goes, but not what others name or use.
        assert_eq!(removed(&shelf.discarded(id(6), &Names::new())), (vec![6], names(&[])));
        assert_eq!(removed(&shelf.discarded(id(6), &Names::new())), (vec![], names(&[])));
        assert_eq!(removed(&shelf.settled(id(7), 1, &names(&[2]))), (vec![2, 5], names(&[1, 5])));
        assert_eq!(shelf.names(), names(&[6, 7]));
    }

    #[test]
    fn what_is_left() {
        let mut shared = names(&[1, 2, 3, 4, 5]);
        shared.insert("notes.parquet".to_owned());
        let findings = |unread: &[u64]| Findings {
            shared: shared.clone(),
            unread: unread.iter().map(|number| id(*number)).collect(),
        };
        assert_eq!(leftovers(&findings(&[]), &names(&[2]), None), names(&[1, 3, 4, 5]));
        assert_eq!(leftovers(&findings(&[3]), &names(&[5]), None), names(&[4]));
        assert_eq!(leftovers(&findings(&[]), &names(&[2]), Some(id(4))), names(&[1, 3]));
    }

    proptest! {
        /// Whatever happens: all that stays is whole, and `keep` settled ones stay.
        #[test]
        fn what_stays_is_whole(
            keep in 0..4_usize,
            steps in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0..4_u8), 1..30),
        ) {
            let mut shelf = Shelf::default();
            let (mut files, mut settled) = (Names::new(), 0);
            for ((parents, what), number) in steps.into_iter().zip(1..) {
                let there: Vec<_> = files.iter().cloned().collect();
                let mut held = held(&[number], Standing::Taken);
                held.names.extend(parents.iter().filter(|_| !there.is_empty()).map(|at| at.get(&there).clone()));
                files.extend(held.names.iter().cloned());
                shelf.put(id(number), held);
                let removal = match what {
                    0 => shelf.discarded(id(number), &Names::new()),
                    1 => Removal::default(),
                    _ => {
                        settled += 1;
                        shelf.settled(id(number), keep, &Names::new())
                    }
                };
                files.retain(|name| !removal.names.contains(name));
                prop_assert!(shelf.names().is_subset(&files));
                let kept = shelf.held.values().filter(|held| held.standing == Standing::Settled).count();
                prop_assert_eq!(kept, settled.min(keep.max(1)));
                if what > 1 {
                    prop_assert_eq!(shelf.names(), files.clone(), "nothing stays without need");
                }
            }
        }
    }
}
