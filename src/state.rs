//! What the updater knows of every entity: at which revision it stands, or that it was deleted.
//!
//! Promise: a [`StateTable`] maps entities to states in about 8 bytes each, in entity order, without hashing.
//! Invariant: every change goes through [`StateTable::set`] or [`StateTable::raise`]; absent is `None`, never a number.
//! Not here: how state is stored (see `savepoint`).

use crate::wikibase::entity::{EntityId, EntityKind, Revision};

/// The state of an entity that is known at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityState {
    /// It exists, last seen at this revision.
    Created(Revision),
    /// It was deleted; this is the revision at which it was.
    Deleted(Revision),
}

impl EntityState {
    /// The revision, whichever the status.
    pub const fn revision(self) -> Revision {
        match self {
            Self::Created(revision) | Self::Deleted(revision) => revision,
        }
    }

    /// Whether the entity was deleted.
    pub const fn is_deleted(self) -> bool {
        matches!(self, Self::Deleted(_))
    }

    /// One word: the revision shifted left by one, the lowest bit set for a deletion. Never 0.
    const fn to_slot(self) -> u64 {
        self.revision().get() << 1 | self.is_deleted() as u64
    }

    fn from_slot(slot: u64) -> Self {
        let revision = Revision::new(slot >> 1).expect("a slot is only ever filled by to_slot");
        if slot & 1 == 0 { Self::Created(revision) } else { Self::Deleted(revision) }
    }
}

/// What [`StateTable::raise`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// The entity was not known.
    New,
    /// The entity was known at an older revision, which is now replaced.
    Newer,
    /// The entity was known at this revision or a newer one; nothing changed.
    Stale,
}

/// How many entities of one kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCount {
    /// Entities that exist.
    pub created: u64,
    /// Entities that were deleted.
    pub deleted: u64,
}

/// Entity -> state: for each kind a directory of pages, for each page of 256 numbers the slots in use.
///
/// A page keeps only the slots that are in use, packed, behind a bitmap that says which they are. So it costs 8 bytes an
/// entity and a little, whether the numbers are dense (a whole wiki) or scattered (a sample of one).
#[derive(Debug, Default)]
pub struct StateTable {
    kinds: [Vec<Page>; 4],
    counts: [KindCount; 4],
}

impl StateTable {
    /// The state of `entity`, if known.
    pub fn get(&self, entity: EntityId) -> Option<EntityState> {
        let (page, slot) = place(entity);
        let page = self.kinds[entity.kind() as usize].get(page)?;
        page.find(slot).ok().map(|at| EntityState::from_slot(page.0[at]))
    }

    /// Sets the state of `entity`; returns what it was.
    pub fn set(&mut self, entity: EntityId, state: EntityState) -> Option<EntityState> {
        let page = self.page_mut(entity);
        let slot = place(entity).1;
        let before = match page.find(slot) {
            Ok(at) => Some(EntityState::from_slot(std::mem::replace(&mut page.0[at], state.to_slot()))),
            Err(at) => {
                page.insert(slot, at, state.to_slot());
                None
            }
        };
        let counts = &mut self.counts[entity.kind() as usize];
        *counts.of(state) += 1;
        if let Some(before) = before {
            *counts.of(before) -= 1;
        }
        before
    }

    /// Records that `entity` exists at `revision`, unless it is already known at that revision or a newer one.
    pub fn raise(&mut self, entity: EntityId, revision: Revision) -> Raised {
        match self.get(entity) {
            Some(known) if known.revision() >= revision => return Raised::Stale,
            known => {
                self.set(entity, EntityState::Created(revision));
                if known.is_none() { Raised::New } else { Raised::Newer }
            }
        }
    }

    /// How many entities of `kind` are known.
    pub fn count(&self, kind: EntityKind) -> KindCount {
        self.counts[kind as usize]
    }

    /// How many entities are known, deleted ones included.
    pub fn len(&self) -> u64 {
        self.counts.iter().map(|count| count.created + count.deleted).sum()
    }

    /// Whether no entity is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entities and their states, sorted by entity.
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, EntityState)> {
        EntityKind::ALL.into_iter().flat_map(|kind| self.pages(kind, 0..self.kinds[kind as usize].len()))
    }

    /// Cuts the table into consecutive slices of one kind and at most about `entities` entities each, in entity order.
    pub fn slices(&self, entities: usize) -> Vec<StateSlice<'_>> {
        EntityKind::ALL.into_iter().flat_map(|kind| self.slices_of(kind, entities)).collect()
    }

    fn slices_of(&self, kind: EntityKind, entities: usize) -> Vec<StateSlice<'_>> {
        let mut slices = Vec::new();
        let (mut start, mut len) = (0, 0);
        let pages = &self.kinds[kind as usize];
        for (at, page) in pages.iter().enumerate() {
            len += page.len();
            if len > 0 && (len + PAGE > entities || at + 1 == pages.len()) {
                slices.push(StateSlice { table: self, kind, pages: start..at + 1, len });
                (start, len) = (at + 1, 0);
            }
        }
        slices
    }

    fn pages(&self, kind: EntityKind, pages: std::ops::Range<usize>) -> impl Iterator<Item = (EntityId, EntityState)> {
        pages.flat_map(move |at| {
            let page = &self.kinds[kind as usize][at];
            page.iter().map(move |(slot, word)| {
                let number = (at * PAGE + slot) as u32;
                let entity = EntityId::new(kind, number).expect("a slot is only ever filled for a valid id");
                (entity, EntityState::from_slot(word))
            })
        })
    }

    fn page_mut(&mut self, entity: EntityId) -> &mut Page {
        let pages = &mut self.kinds[entity.kind() as usize];
        let at = place(entity).0;
        if at >= pages.len() {
            pages.resize_with(at + 1, Page::default);
        }
        &mut pages[at]
    }
}

/// Some consecutive entities of one kind; the unit in which state is written.
#[derive(Debug)]
pub struct StateSlice<'a> {
    table: &'a StateTable,
    kind: EntityKind,
    pages: std::ops::Range<usize>,
    len: usize,
}

impl StateSlice<'_> {
    /// The kind of all of them.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// How many they are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a slice is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The entities and their states, sorted by entity.
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, EntityState)> {
        self.table.pages(self.kind, self.pages.clone())
    }
}

impl KindCount {
    fn of(&mut self, state: EntityState) -> &mut u64 {
        if state.is_deleted() { &mut self.deleted } else { &mut self.created }
    }
}

/// Entity numbers in a page.
const PAGE: usize = 256;
/// Words of a page's bitmap.
const BITMAP: usize = PAGE / 64;

fn place(entity: EntityId) -> (usize, usize) {
    let number = entity.number() as usize;
    (number / PAGE, number % PAGE)
}

/// Empty, or the bitmap of used slots followed by their words in order.
#[derive(Debug, Default)]
struct Page(Vec<u64>);

impl Page {
    fn len(&self) -> usize {
        self.0.len().saturating_sub(BITMAP)
    }

    /// Where the word of `slot` is, or where it would have to be inserted.
    fn find(&self, slot: usize) -> Result<usize, usize> {
        let Some(bitmap) = self.0.first_chunk::<BITMAP>() else { return Err(BITMAP) };
        let (word, bit) = (slot / 64, slot % 64);
        let below: u32 = bitmap[..word].iter().map(|word| word.count_ones()).sum();
        let rank = below + (bitmap[word] & ((1 << bit) - 1)).count_ones();
        let at = BITMAP + rank as usize;
        if bitmap[word] >> bit & 1 == 1 { Ok(at) } else { Err(at) }
    }

    fn insert(&mut self, slot: usize, at: usize, word: u64) {
        if self.0.is_empty() {
            self.0.reserve_exact(BITMAP + 4);
            self.0.extend([0; BITMAP]);
        }
        if self.0.len() == self.0.capacity() {
            // An eighth more, not double: what is reserved and not used counts against the 10 bytes an entity.
            let more = (self.len() / 8).clamp(4, BITMAP + PAGE - self.0.len());
            self.0.reserve_exact(more);
        }
        self.0[slot / 64] |= 1 << (slot % 64);
        self.0.insert(at, word);
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let (bitmap, words) = self.0.split_at_checked(BITMAP).unwrap_or_default();
        let slots = (0..bitmap.len() * 64).filter(|slot| bitmap[slot / 64] >> (slot % 64) & 1 == 1);
        slots.zip(words.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entity() -> impl Strategy<Value = EntityId> {
        let number = prop_oneof![1..2000_u32, 1..=EntityId::MAX_NUMBER / 64];
        (0..4_usize, number).prop_map(|(kind, number)| EntityId::new(EntityKind::ALL[kind], number).unwrap())
    }

    fn state() -> impl Strategy<Value = EntityState> {
        (1..50_u64, any::<bool>()).prop_map(|(revision, deleted)| {
            let revision = Revision::new(revision).unwrap();
            if deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) }
        })
    }

    proptest! {
        /// The table is a sorted map, whatever is set in whatever order.
        #[test]
        fn a_table_is_a_sorted_map(sets in prop::collection::vec((entity(), state()), 0..600), size in 1..700_usize) {
            let mut table = StateTable::default();
            let mut map = BTreeMap::new();
            for (entity, state) in &sets {
                prop_assert_eq!(table.set(*entity, *state), map.insert(*entity, *state));
            }
            for (entity, _) in &sets {
                prop_assert_eq!(table.get(*entity), map.get(entity).copied());
            }
            prop_assert_eq!(table.len(), map.len() as u64);
            prop_assert!(table.iter().eq(map.clone()));
            let slices = table.slices(size);
            prop_assert!(slices.iter().flat_map(StateSlice::iter).eq(map));
            prop_assert!(slices.iter().all(|slice| slice.len() == slice.iter().count()));
        }

        /// Raising keeps the largest revision, in any order.
        #[test]
        fn the_newest_revision_wins(revisions in prop::collection::vec(1..20_u64, 1..20)) {
            let mut table = StateTable::default();
            let entity = EntityId::parse(b"Q1").unwrap();
            let mut seen = 0;
            for number in revisions {
                let expected = if seen == 0 { Raised::New } else if number > seen { Raised::Newer } else { Raised::Stale };
                let revision = Revision::new(number).unwrap();
                prop_assert_eq!(table.raise(entity, revision), expected);
                seen = seen.max(number);
                prop_assert_eq!(table.get(entity).map(|state| state.revision().get()), Some(seen));
            }
        }
    }

    /// Memory is what the design allows: at most 10 bytes an entity, dense or half empty.
    #[test]
    fn ten_bytes_an_entity() {
        for step in [1, 2, 3, 5] {
            let mut table = StateTable::default();
            for number in (1..400_000).step_by(step) {
                let entity = EntityId::new(EntityKind::Item, number).unwrap();
                table.set(entity, EntityState::Created(Revision::new(1).unwrap()));
            }
            let words: usize = table.kinds[0].iter().map(|page| page.0.capacity()).sum();
            let bytes = words * 8 + table.kinds[0].capacity() * size_of::<Page>();
            assert!(bytes as u64 <= 10 * table.len(), "step {step}: {} bytes an entity", bytes as f64 / table.len() as f64);
        }
    }
}
