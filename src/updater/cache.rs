//! The last munged revision of entities that were edited lately, so that the next edit needs one fetch and not two.
//!
//! Promise: what is given for an entity and a revision is what was put for both. What was not used for longest goes first.
//! Invariant: an entity has one entry at most; all entries together take no more bytes than allowed, by [`TripleSet::memory`].
//! To find, to put and to make room each take the same time however many entries there are (in the long run).
//! Not here: whether an entry is still true. Revisions do not change, so it is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::munge::set::TripleSet;
use crate::wikibase::entity::{EntityId, Revision};

/// How many outdated uses are kept whatever the number of entries.
const SLACK: usize = 64;

/// The entries.
#[derive(Debug)]
pub struct Cache {
    limit: usize,
    memory: usize,
    entries: HashMap<EntityId, Entry>,
    /// When which entity was used, the oldest first. Only an entity's last use counts; the others are passed over.
    uses: VecDeque<(u64, EntityId)>,
    /// Of all uses so far, the number of the last.
    last: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Entry {
    revision: Revision,
    triples: Arc<TripleSet>,
    /// The number of its last use.
    used: u64,
}

/// How often something was found: each is a fetch that was not needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Found.
    pub hits: u64,
    /// Not found, or at another revision only.
    pub misses: u64,
}

impl Cache {
    /// For that many bytes; with 0 nothing is kept.
    pub fn new(bytes: usize) -> Self {
        let (entries, uses) = (HashMap::new(), VecDeque::new());
        Self { limit: bytes, memory: 0, entries, uses, last: 0, counts: Counts::default() }
    }

    /// The triples of the entity at that revision, if they are here.
    pub fn get(&mut self, entity: EntityId, revision: Revision) -> Option<Arc<TripleSet>> {
        let found = self.entries.get(&entity).filter(|entry| entry.revision == revision);
        let found = found.map(|entry| Arc::clone(&entry.triples));
        match found {
            Some(_) => self.counts.hits += 1,
            None => self.counts.misses += 1,
        }
        if found.is_some() {
            self.touch(entity);
        }
        found
    }

    /// Keeps the triples, in place of those of any other revision of the entity. What alone is larger than all that may be kept is
    /// not.
    pub fn put(&mut self, entity: EntityId, revision: Revision, triples: Arc<TripleSet>) {
        self.remove(entity);
        let size = triples.memory();
        if size > self.limit {
            return;
        }
        while self.memory + size > self.limit && self.remove_oldest() {}
        self.memory += size;
        self.entries.insert(entity, Entry { revision, triples, used: 0 });
        self.touch(entity);
    }

    /// How many bytes the entries take.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What was found so far and what was not.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Makes this the last use.
    fn touch(&mut self, entity: EntityId) {
        self.last += 1;
        if let Some(entry) = self.entries.get_mut(&entity) {
            entry.used = self.last;
        }
        self.uses.push_back((self.last, entity));
        // Half of them at least are then outdated, so each use pays for two that are looked at here.
        if self.uses.len() > 2 * self.entries.len() + SLACK {
            self.uses.retain(|use_| is_last(&self.entries, use_));
        }
    }

    fn remove(&mut self, entity: EntityId) {
        if let Some(entry) = self.entries.remove(&entity) {
            self.memory -= entry.triples.memory();
        }
    }

    /// Whether there was one.
    fn remove_oldest(&mut self) -> bool {
        while let Some(oldest) = self.uses.pop_front() {
            if is_last(&self.entries, &oldest) {
                self.remove(oldest.1);
                return true;
            }
        }
        false
    }
}

/// Whether the entity is there and was not used after that.
fn is_last(entries: &HashMap<EntityId, Entry>, (number, entity): &(u64, EntityId)) -> bool {
    entries.get(entity).is_some_and(|entry| entry.used == *number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::munge::set::Filling;
    use crate::wikibase::entity::EntityKind;

    /// What is done to a cache: `Some` puts a set with a line of that length, `None` gets.
    type Step = (u32, u64, Option<usize>);

    fn entity(number: u32) -> EntityId {
        EntityId::new(EntityKind::Item, number).unwrap()
    }

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn set(length: usize) -> Arc<TripleSet> {
        let mut filling = Filling::default();
        filling.line(&format!("{}\n", "o".repeat(length)), false);
        Arc::new(filling.take().unwrap())
    }

    /// What a set with a line of that length takes.
    fn size(length: usize) -> usize {
        set(length).memory()
    }

    /// Does the step; whether something was found.
    fn does(cache: &mut Cache, (number, at, step): Step) -> Option<bool> {
        match step {
            Some(length) => {
                cache.put(entity(number), revision(at), set(length));
                None
            }
            None => Some(cache.get(entity(number), revision(at)).is_some()),
        }
    }

    #[test]
    fn what_is_found_in_a_cache_for_two() {
        // Steps, and what the gets among them find.
        let rows: &[(&str, &[Step], &[bool])] = &[
            ("nothing in an empty one", &[(1, 1, None)], &[false]),
            ("what was put", &[(1, 1, Some(9)), (1, 1, None), (1, 1, None)], &[true, true]),
            ("no other revision", &[(1, 1, Some(9)), (1, 2, None), (1, 1, None)], &[false, true]),
            ("the last one put", &[(1, 1, Some(9)), (1, 2, Some(9)), (1, 1, None), (1, 2, None)], &[false, true]),
            ("an older one, if it was put", &[(1, 2, Some(9)), (1, 1, Some(9)), (1, 1, None)], &[true]),
            (
                "the oldest goes",
                &[(1, 1, Some(9)), (2, 1, Some(9)), (3, 1, Some(9)), (1, 1, None), (2, 1, None), (3, 1, None)],
                &[false, true, true],
            ),
            (
                "unless it was used",
                &[(1, 1, Some(9)), (2, 1, Some(9)), (1, 1, None), (3, 1, Some(9)), (1, 1, None), (2, 1, None)],
                &[true, true, false],
            ),
            (
                "to ask for another revision is no use",
                &[(1, 1, Some(9)), (2, 1, Some(9)), (1, 2, None), (3, 1, Some(9)), (1, 1, None)],
                &[false, false],
            ),
            (
                "what is too large is not kept, nor what it replaces",
                &[(1, 1, Some(9)), (2, 1, Some(9)), (1, 2, Some(999)), (1, 1, None), (1, 2, None), (2, 1, None)],
                &[false, false, true],
            ),
            (
                "for a large one all others go",
                &[
                    (1, 1, Some(9)),
                    (2, 1, Some(9)),
                    (3, 1, Some(9 + size(9))),
                    (1, 1, None),
                    (2, 1, None),
                    (3, 1, None),
                ],
                &[false, false, true],
            ),
        ];
        for (name, steps, expected) in rows {
            let mut cache = Cache::new(2 * size(9));
            let found: Vec<_> = steps.iter().filter_map(|step| does(&mut cache, *step)).collect();
            assert_eq!(found, *expected, "{name}");
            let hits = expected.iter().filter(|found| **found).count() as u64;
            assert_eq!(cache.counts(), Counts { hits, misses: expected.len() as u64 - hits }, "{name}");
        }
    }

    #[test]
    fn nothing_is_kept_without_room() {
        let mut cache = Cache::new(0);
        cache.put(entity(1), revision(1), set(9));
        assert!(cache.get(entity(1), revision(1)).is_none() && cache.is_empty());
    }

    #[test]
    fn what_is_given_is_what_was_put() {
        let (mut cache, triples) = (Cache::new(1 << 20), set(9));
        cache.put(entity(1), revision(1), Arc::clone(&triples));
        assert!(Arc::ptr_eq(&cache.get(entity(1), revision(1)).unwrap(), &triples));
    }

    #[test]
    fn uses_that_are_outdated_do_not_pile_up() {
        let mut cache = Cache::new(1 << 20);
        for at in 0..10_000 {
            let number = at % 10 + 1;
            cache.put(entity(number), revision(1), set(9));
            assert!(cache.get(entity(number), revision(1)).is_some());
        }
        assert!(cache.uses.len() <= 2 * 10 + SLACK, "{}", cache.uses.len());
    }

    /// A list, the last used last.
    #[derive(Default)]
    struct Model(Vec<(u32, u64, usize)>);

    impl Model {
        fn memory(&self) -> usize {
            self.0.iter().map(|(_, _, size)| size).sum()
        }

        fn does(&mut self, (number, at, step): Step, limit: usize) -> Option<bool> {
            let place = self.0.iter().position(|(known, ..)| *known == number);
            let Some(length) = step else {
                let place = place.filter(|place| self.0[*place].1 == at);
                if let Some(place) = place {
                    let used = self.0.remove(place);
                    self.0.push(used);
                }
                return Some(place.is_some());
            };
            place.map(|place| self.0.remove(place));
            if size(length) <= limit {
                while self.memory() + size(length) > limit {
                    self.0.remove(0);
                }
                self.0.push((number, at, size(length)));
            }
            None
        }
    }

    proptest! {
        #[test]
        fn a_cache_does_as_a_list_would(
            steps in proptest::collection::vec((1..12_u32, 1..4_u64, proptest::option::of(0..300_usize)), 0..400),
            limit in 0..3000_usize,
        ) {
            let (mut cache, mut model) = (Cache::new(limit), Model::default());
            for step in steps {
                prop_assert_eq!(does(&mut cache, step), model.does(step, limit));
                prop_assert_eq!((cache.len(), cache.memory()), (model.0.len(), model.memory()));
                prop_assert!(cache.memory() <= limit);
            }
        }
    }
}
