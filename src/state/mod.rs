//! What the updater knows of every entity: at which revision it stands, or that it was deleted.
//!
//! Promise: a [`StateTable`] maps entities to states in about 8 bytes each, in entity order, without hashing.
//! Invariant: every change goes through [`StateTable::set`] or [`StateTable::raise`]; absent is `None`, never a number.
//! Not here: how state is stored (see `savepoint`).

pub mod filling;

use std::ops::{AddAssign, Range};

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

    #[inline]
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

/// What [`StateTable::raise_all`] found, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RaisedCounts {
    /// Entities that were not known.
    pub new: u64,
    /// States that replaced an older one.
    pub newer: u64,
    /// States that changed nothing.
    pub stale: u64,
}

/// An entity and its state, packed into 16 bytes; what [`StateTable::raise_all`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    entity: EntityId,
    word: u64,
}

impl Entry {
    /// That `entity` is in `state`.
    pub const fn new(entity: EntityId, state: EntityState) -> Self {
        Self { entity, word: state.to_slot() }
    }

    /// The entity.
    pub const fn entity(self) -> EntityId {
        self.entity
    }

    /// which [`Region`] of a table it belongs to; ascending with the entity.
    #[inline]
    pub const fn region(self) -> usize {
        (self.entity.kind() as usize) * (REGIONS / 4) + self.entity.number() as usize / (PAGE * REGION)
    }

    /// The page in its region.
    #[inline]
    const fn page(self) -> usize {
        self.entity.number() as usize / PAGE % REGION
    }

    /// Its state.
    pub fn state(self) -> EntityState {
        EntityState::from_slot(self.word)
    }
}

/// How many entities of one kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCount {
    /// Entities that exist.
    pub created: u64,
    /// Entities that were deleted.
    pub deleted: u64,
}

/// Entity -> state: for each kind a list of [`Region`]s, each of some pages of 256 numbers.
///
/// A page keeps only the slots that are in use, packed, behind a bitmap that says which they are. So it costs 8 bytes
/// an entity and a little, whether the numbers are dense (a whole wiki) or scattered (a sample of one).
#[derive(Debug, Default)]
pub struct StateTable {
    kinds: [Vec<Region>; 4],
}

/// About a million consecutive numbers of one kind: the part of a table that one thread can fill beside others.
#[derive(Debug, Default)]
pub struct Region {
    pages: Vec<Page>,
    counts: KindCount,
}

impl StateTable {
    /// The state of `entity`, if known.
    pub fn get(&self, entity: EntityId) -> Option<EntityState> {
        let (region, page, slot) = place(entity);
        let page = self.kinds[entity.kind() as usize].get(region)?.pages.get(page)?;
        page.find(slot).ok().map(|at| EntityState::from_slot(page.0[at]))
    }

    /// Sets the state of `entity`; returns what it was.
    pub fn set(&mut self, entity: EntityId, state: EntityState) -> Option<EntityState> {
        let (region, page, slot) = place(entity);
        let Region { pages, counts } = grown(&mut self.kinds[entity.kind() as usize], region);
        let page = grown(pages, page);
        let before = match page.find(slot) {
            Ok(at) => Some(std::mem::replace(&mut page.0[at], state.to_slot())),
            Err(at) => {
                page.insert(slot, at, state.to_slot());
                None
            }
        };
        counts.replace(before, state.to_slot());
        before.map(EntityState::from_slot)
    }

    /// Forgets `entity`; returns what its state was.
    pub fn remove(&mut self, entity: EntityId) -> Option<EntityState> {
        let (region, page, slot) = place(entity);
        let Region { pages, counts } = self.kinds[entity.kind() as usize].get_mut(region)?;
        let word = pages.get_mut(page)?.remove(slot)?;
        counts.forget(word);
        Some(EntityState::from_slot(word))
    }

    /// Records that `entity` exists at `revision`, unless it is already known at that revision or a newer one.
    pub fn raise(&mut self, entity: EntityId, revision: Revision) -> Raised {
        match self.get(entity) {
            Some(known) if known.revision() >= revision => Raised::Stale,
            known => {
                self.set(entity, EntityState::Created(revision));
                if known.is_none() { Raised::New } else { Raised::Newer }
            }
        }
    }

    /// Records many states at once, in any order: of two states of one entity the one with the newer revision stays,
    /// and of two with the same revision the deletion. Reorders `entries`. Far faster than one by one.
    pub fn raise_all(&mut self, entries: &mut [Entry]) -> RaisedCounts {
        entries.sort_by_key(|entry| entry.region());
        let mut raised = RaisedCounts::default();
        for entries in entries.chunk_by_mut(|a, b| a.region() == b.region()) {
            let wanted = [entries[0].region()];
            self.regions_mut(&wanted).iter_mut().for_each(|region| raised += region.raise_all(entries));
        }
        raised
    }

    /// The regions of these numbers (see [`Entry::region`]; ascending, each once), to be filled side by side.
    pub fn regions_mut(&mut self, wanted: &[usize]) -> Vec<&mut Region> {
        for region in wanted {
            grown(&mut self.kinds[region / (REGIONS / 4)], region % (REGIONS / 4));
        }
        let all = self.kinds.iter_mut().enumerate().flat_map(|(kind, regions)| (kind * (REGIONS / 4)..).zip(regions));
        all.filter(|(at, _)| wanted.binary_search(at).is_ok()).map(|(_, region)| region).collect()
    }

    /// Takes over all that `other` knows, as [`StateTable::raise_all`] would. Regions that only one knows cost nothing.
    pub fn absorb(&mut self, other: Self) -> RaisedCounts {
        let mut raised = RaisedCounts::default();
        for (of_kind, others) in self.kinds.iter_mut().zip(other.kinds) {
            for (at, region) in others.into_iter().enumerate() {
                if region.counts.total() > 0 {
                    raised += grown(of_kind, at).absorb(region);
                }
            }
        }
        raised
    }

    /// How many entities of `kind` are known.
    pub fn count(&self, kind: EntityKind) -> KindCount {
        let regions = self.kinds[kind as usize].iter().map(|region| region.counts);
        regions.fold(KindCount::default(), |sum, count| KindCount {
            created: sum.created + count.created,
            deleted: sum.deleted + count.deleted,
        })
    }

    /// How many entities are known, deleted ones included.
    pub fn len(&self) -> u64 {
        EntityKind::ALL.into_iter().map(|kind| self.count(kind).total()).sum()
    }

    /// Whether no entity is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entities and their states, sorted by entity.
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, EntityState)> {
        EntityKind::ALL.into_iter().flat_map(|kind| self.pages(kind, 0..self.kinds[kind as usize].len() * REGION))
    }

    /// A number above those of all entities of this kind.
    pub fn end(&self, kind: EntityKind) -> usize {
        self.kinds[kind as usize].len() * REGION * PAGE
    }

    /// The entities of this kind with these numbers, and their states, sorted.
    pub fn range(&self, kind: EntityKind, numbers: Range<usize>) -> impl Iterator<Item = (EntityId, EntityState)> {
        let pages = numbers.start / PAGE..numbers.end.min(self.end(kind)).div_ceil(PAGE);
        self.pages(kind, pages).filter(move |(entity, _)| numbers.contains(&(entity.number() as usize)))
    }

    /// Tells `take` of the entities of this kind with these numbers, sorted. As [`StateTable::range`], and several times as fast.
    #[inline]
    pub fn each(&self, kind: EntityKind, numbers: Range<usize>, mut take: impl FnMut(EntityId, EntityState)) {
        let pages = numbers.start / PAGE..numbers.end.min(self.end(kind)).div_ceil(PAGE);
        for (at, page) in pages.filter_map(|at| Some((at, self.page(kind, at)?))) {
            page.each(|slot, word| {
                let number = at * PAGE + slot;
                if numbers.contains(&number) {
                    let entity = EntityId::new(kind, number as u32).expect("a slot is only ever filled for a valid id");
                    take(entity, EntityState::from_slot(word));
                }
            });
        }
    }

    /// Cuts these numbers of a kind into consecutive spans with at most about `entities` entities each; what holds none is left out.
    pub fn spans(&self, kind: EntityKind, numbers: Range<usize>, entities: usize) -> Vec<Range<usize>> {
        let numbers = numbers.start..numbers.end.min(self.end(kind));
        let mut spans = Vec::new();
        let (mut start, mut len) = (numbers.start, 0);
        for at in numbers.start / PAGE..numbers.end.div_ceil(PAGE) {
            len += self.page(kind, at).map_or(0, Page::len);
            let end = ((at + 1) * PAGE).min(numbers.end);
            if len > 0 && (len + PAGE > entities || end == numbers.end) {
                spans.push(start..end);
                (start, len) = (end, 0);
            }
        }
        spans
    }

    /// Cuts the table into consecutive slices of one kind and at most about `entities` entities each, in entity order.
    pub fn slices(&self, entities: usize) -> Vec<StateSlice<'_>> {
        EntityKind::ALL.into_iter().flat_map(|kind| self.slices_of(kind, entities)).collect()
    }

    fn slices_of(&self, kind: EntityKind, entities: usize) -> Vec<StateSlice<'_>> {
        let mut slices = Vec::new();
        let (mut start, mut len) = (0, 0);
        let pages = self.kinds[kind as usize].len() * REGION;
        for at in 0..pages {
            len += self.page(kind, at).map_or(0, Page::len);
            if len > 0 && (len + PAGE > entities || at + 1 == pages) {
                slices.push(StateSlice { table: self, kind, pages: start..at + 1, len });
                (start, len) = (at + 1, 0);
            }
        }
        slices
    }

    fn pages(&self, kind: EntityKind, pages: Range<usize>) -> impl Iterator<Item = (EntityId, EntityState)> {
        pages.filter_map(move |at| Some((at, self.page(kind, at)?))).flat_map(move |(at, page)| {
            page.iter().map(move |(slot, word)| {
                let number = (at * PAGE + slot) as u32;
                let entity = EntityId::new(kind, number).expect("a slot is only ever filled for a valid id");
                (entity, EntityState::from_slot(word))
            })
        })
    }

    /// A page by its number among all of its kind.
    fn page(&self, kind: EntityKind, at: usize) -> Option<&Page> {
        self.kinds[kind as usize].get(at / REGION)?.pages.get(at % REGION)
    }
}

impl Region {
    /// As [`StateTable::raise_all`], for entries of this region only; others would end up under another entity.
    pub fn raise_all(&mut self, entries: &mut [Entry]) -> RaisedCounts {
        if entries.is_sorted_by_key(|entry| entry.page()) {
            return self.raise_sorted(entries);
        }
        if entries.len() >= REGION {
            return self.raise_sorted(&dealt_by_page(&[&*entries]));
        }
        entries.sort_unstable_by_key(|entry| entry.page());
        self.raise_sorted(entries)
    }

    /// As [`Region::raise_all`] of all entries in `pieces`.
    pub fn raise_pieces(&mut self, pieces: &[&[Entry]]) -> RaisedCounts {
        let many = pieces.iter().map(|piece| piece.len()).sum::<usize>() >= REGION;
        if many { self.raise_sorted(&dealt_by_page(pieces)) } else { self.raise_all(&mut pieces.concat()) }
    }

    fn raise_sorted(&mut self, entries: &[Entry]) -> RaisedCounts {
        let mut raised = RaisedCounts::default();
        let mut flat = Flat::default();
        for of_page in entries.chunk_by(|a, b| a.page() == b.page()) {
            let words = of_page.iter().map(|entry| (place(entry.entity).2, entry.word));
            raised += self.raise_page(&mut flat, of_page[0].page(), words);
        }
        raised
    }

    fn absorb(&mut self, other: Self) -> RaisedCounts {
        let mut raised = RaisedCounts::default();
        if self.counts.total() == 0 {
            raised.new = other.counts.total();
            *self = other;
            return raised;
        }
        let mut flat = Flat::default();
        for (at, page) in other.pages.into_iter().enumerate().filter(|(_, page)| page.len() > 0) {
            raised += self.raise_page(&mut flat, at, page.iter());
        }
        raised
    }

    /// Raises words of one page: they are laid out flat, and packed again if there are new ones.
    fn raise_page(&mut self, flat: &mut Flat, at: usize, words: impl Iterator<Item = (usize, u64)>) -> RaisedCounts {
        let page = grown(&mut self.pages, at);
        page.each(|slot, word| flat.set(slot, word));
        let mut raised = RaisedCounts::default();
        for (slot, word) in words {
            let known = flat.words[slot];
            if known >= word {
                raised.stale += 1;
                continue;
            }
            *(if known == 0 { &mut raised.new } else { &mut raised.newer }) += 1;
            flat.set(slot, word);
            self.counts.replace((known != 0).then_some(known), word);
        }
        flat.pack(page, raised.new > 0);
        raised
    }
}

/// The entries in the order of their pages, dealt out by counting: several times as fast as comparing.
fn dealt_by_page(pieces: &[&[Entry]]) -> Vec<Entry> {
    let entries = || pieces.iter().copied().flatten();
    let mut starts = [0_usize; REGION];
    entries().for_each(|entry| starts[entry.page()] += 1);
    let mut sum = 0;
    starts.iter_mut().for_each(|start| sum += std::mem::replace(start, sum));
    let Some(first) = entries().next() else { return Vec::new() };
    let mut sorted = vec![*first; sum];
    for entry in entries() {
        let start = &mut starts[entry.page()];
        sorted[*start] = *entry;
        *start += 1;
    }
    sorted
}

/// The element `at`, after adding empty ones if need be.
fn grown<T: Default>(list: &mut Vec<T>, at: usize) -> &mut T {
    if at >= list.len() {
        list.resize_with(at + 1, T::default);
    }
    &mut list[at]
}

/// A page laid out flat, to be changed. Between pages it is empty; it is kept so that only what is used is ever cleared.
struct Flat {
    words: [u64; PAGE],
    used: [u64; BITMAP],
}

impl Default for Flat {
    fn default() -> Self {
        Self { words: [0; PAGE], used: [0; BITMAP] }
    }
}

impl Flat {
    #[inline]
    fn set(&mut self, slot: usize, word: u64) {
        self.words[slot] = word;
        self.used[slot / 64] |= 1 << (slot % 64);
    }

    /// Makes it the contents of `page`, which has the same slots in use unless there are `more`; leaves it empty.
    fn pack(&mut self, page: &mut Page, more: bool) {
        if more {
            let used: u32 = self.used.iter().map(|used| used.count_ones()).sum();
            page.0 = vec![0; BITMAP + used as usize];
            page.0[..BITMAP].copy_from_slice(&self.used);
        }
        let mut words = page.0.iter_mut().skip(BITMAP);
        for (at, used) in self.used.iter_mut().enumerate() {
            while *used != 0 {
                let slot = at * 64 + used.trailing_zeros() as usize;
                let word = std::mem::take(&mut self.words[slot]);
                words.next().into_iter().for_each(|place| *place = word);
                *used &= *used - 1;
            }
        }
    }
}

/// Some consecutive entities of one kind; the unit in which state is written.
#[derive(Debug)]
pub struct StateSlice<'a> {
    table: &'a StateTable,
    kind: EntityKind,
    pages: Range<usize>,
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

    /// Tells `take` of the entities and their states, sorted by entity. As [`StateSlice::iter`], and several times as fast.
    #[inline]
    pub fn each(&self, take: impl FnMut(EntityId, EntityState)) {
        self.table.each(self.kind, self.pages.start * PAGE..self.pages.end * PAGE, take);
    }
}

impl KindCount {
    /// All of them, deleted or not.
    pub fn total(self) -> u64 {
        self.created + self.deleted
    }

    /// Counts the word `after` and no longer the word `before`.
    fn replace(&mut self, before: Option<u64>, after: u64) {
        let of = |word: u64| if word & 1 == 1 { (0, 1) } else { (1, 0) };
        let (created, deleted) = before.map_or((0, 0), of);
        self.created = self.created + of(after).0 - created;
        self.deleted = self.deleted + of(after).1 - deleted;
    }

    fn forget(&mut self, word: u64) {
        *(if word & 1 == 1 { &mut self.deleted } else { &mut self.created }) -= 1;
    }
}

impl AddAssign for RaisedCounts {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.newer += other.newer;
        self.stale += other.stale;
    }
}

/// Entity numbers in a page.
const PAGE: usize = 256;
/// Pages in a region.
const REGION: usize = 4096;
/// Regions of a table of everything there can be, all kinds together.
const REGIONS: usize = 4 * (EntityId::MAX_NUMBER as usize + 1) / (PAGE * REGION);
/// Words of a page's bitmap.
const BITMAP: usize = PAGE / 64;

/// The region of its kind, the page of the region and the slot of the page that an entity has.
#[inline]
fn place(entity: EntityId) -> (usize, usize, usize) {
    let number = entity.number() as usize;
    (number / PAGE / REGION, number / PAGE % REGION, number % PAGE)
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

    fn remove(&mut self, slot: usize) -> Option<u64> {
        let at = self.find(slot).ok()?;
        self.0[slot / 64] &= !(1 << (slot % 64));
        Some(self.0.remove(at))
    }

    #[inline]
    fn each(&self, mut take: impl FnMut(usize, u64)) {
        let (bitmap, words) = self.0.split_at_checked(BITMAP).unwrap_or_default();
        let mut words = words.iter();
        for (at, used) in bitmap.iter().enumerate() {
            let mut used = *used;
            while used != 0
                && let Some(word) = words.next()
            {
                take(at * 64 + used.trailing_zeros() as usize, *word);
                used &= used - 1;
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let (bitmap, words) = self.0.split_at_checked(BITMAP).unwrap_or_default();
        let slots = bitmap.iter().enumerate().flat_map(|(at, word)| {
            // Each step clears the lowest bit that is set.
            let used = |word: u64| (word != 0).then_some(word);
            std::iter::successors(used(*word), move |word| used(word & (word - 1)))
                .map(move |word| at * 64 + word.trailing_zeros() as usize)
        });
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
        #![proptest_config(ProptestConfig::with_cases(96))]

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
            for kind in EntityKind::ALL {
                let spans = table.spans(kind, 3..1500, size);
                prop_assert!(spans.iter().is_sorted_by(|a, b| a.end <= b.start));
                let spans = spans.into_iter().flat_map(|span| table.range(kind, span));
                prop_assert!(spans.eq(table.range(kind, 3..1500)));
                let mut told = Vec::new();
                table.each(kind, size..2000, |entity, state| told.push((entity, state)));
                prop_assert!(table.range(kind, size..2000).eq(told));
            }
            let slices = table.slices(size);
            prop_assert!(slices.iter().flat_map(StateSlice::iter).eq(map));
            prop_assert!(slices.iter().all(|slice| slice.len() == slice.iter().count()));
        }

        /// All at once, or in two tables made one, is the same as one by one.
        #[test]
        fn raising_all_is_raising_each(
            sets in prop::collection::vec((entity(), state()), 0..600),
            cut in 0..600_usize,
        ) {
            let mut map = BTreeMap::new();
            for (entity, state) in &sets {
                let known = map.entry(*entity).or_insert(*state);
                *known = if known.to_slot() < state.to_slot() { *state } else { *known };
            }
            let mut entries: Vec<_> = sets.iter().map(|(entity, state)| Entry::new(*entity, *state)).collect();
            let (one, two) = entries.split_at_mut(cut.min(sets.len()));
            let (mut table, mut other) = (StateTable::default(), StateTable::default());
            let first = table.raise_all(one);
            prop_assert_eq!((first.new, first.new + first.newer + first.stale), (table.len(), one.len() as u64));
            other.raise_all(two);
            let expected_new = map.len() as u64 - table.len();
            prop_assert_eq!(table.absorb(other).new, expected_new);
            prop_assert!(table.iter().eq(map.clone()));
            for kind in EntityKind::ALL {
                let of_kind = || map.iter().filter(|(entity, _)| entity.kind() == kind);
                let deleted = of_kind().filter(|(_, state)| state.is_deleted()).count() as u64;
                prop_assert_eq!(table.count(kind), KindCount { created: of_kind().count() as u64 - deleted, deleted });
            }
        }

        /// Raising keeps the largest revision, in any order.
        #[test]
        fn the_newest_revision_wins(revisions in prop::collection::vec(1..20_u64, 1..20)) {
            let mut table = StateTable::default();
            let entity = EntityId::parse(b"Q1").unwrap();
            let mut seen = 0;
            for number in revisions {
                let known = if number > seen { Raised::Newer } else { Raised::Stale };
                let expected = if seen == 0 { Raised::New } else { known };
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
            let pages = &table.kinds[0][0].pages;
            let words: usize = pages.iter().map(|page| page.0.capacity()).sum();
            let bytes = words * 8 + pages.capacity() * size_of::<Page>() + size_of::<Region>();
            assert!(
                bytes as u64 <= 10 * table.len(),
                "step {step}: {} bytes an entity",
                bytes as f64 / table.len() as f64
            );
        }
    }
}
