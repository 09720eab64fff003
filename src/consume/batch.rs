//! Mutations -> one update of a store.
//!
//! Promise: to apply a batch is to apply its mutations one after the other, whatever of them the store has already.
//! In -> out: [`Whole`] mutations, in order -> [`Changes`].
//! Rules: upstream's `PatchAccumulator` and `SiteLinksReclassification`, but for what the table says.
//!
//! | what | upstream | here |
//! | --- | --- | --- |
//! | added, then removed, or the other way round | neither is sent | the later is: the store may have the first already, where it was loaded from a dump that was begun before |
//! | shared elements that are unlinked | never deleted | the same |
//! | deletes and reconciliations | barriers; what came before of the entity is dropped | the same, but for what is removed |
//! | a reconciliation | its added triples | also its shared ones |
//! | one triple of two entities | an error, or logged | does not happen: of an article that two entities have, a batch knows one |
//! | an article that an entity loses | never deleted, unless renamed | deleted, if no other entity has it by then |
//! | an article that an entity gets | is added to what there is | replaces what there is, unless that is newer |
//! | two articles of one wiki in a patch; one of none | an error | no matter |
//! | a difference of an entity that the store does not have | is applied | is passed over, and counted |
//!
//! Not here: what spellings mean. Two of one value (`"05"` and `"5"`, `@EN` and `@en`) are two triples, of which one added and the other
//! removed do not cancel: whoever writes a stream spells a value in one way.
//! Invariant: pure. After a refusal the batch is as it was before. Within a batch no order matters: of an entity that is deleted or
//! reconciled it has nothing else, and each triple is added or removed, not both.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::consume::assemble::Whole;
use crate::consume::history::History;
use crate::consume::triples::{Line, Namespaces, Owner, Read, Says, TriplesError};
use crate::mutation::wire::Kind;
use crate::rdf::reader::Arena;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// What a deletion weighs, in triples. Rule: upstream's `TRIPLES_PER_DELETE`.
const DELETION: usize = 100;

/// What is done to a triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

/// What mutations tell of a triple.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// When it was told last, among all that the batch was told.
    at: u32,
    change: Change,
    entity: EntityId,
    /// Whether the store must have it before if it is removed, and must not have it if it is added: no other entity says the same, and
    /// it was told once.
    is_sure: bool,
}

/// A shared triple that is to be there.
#[derive(Clone, Debug)]
struct Linked {
    /// As of [`Said`].
    at: u32,
    /// Who needs it: one at least.
    by: Vec<EntityId>,
}

/// Mutations that are applied together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Triples of one entity each.
    own: HashMap<Line, Said>,
    /// Shared triples that are to be there.
    linked: HashMap<Line, Linked>,
    /// How much it was told.
    told: u32,
    /// Articles that an entity gets: what is said of them is all that there is to say.
    gained: HashMap<Line, EntityId>,
    /// Articles that an entity loses.
    lost: HashMap<Line, EntityId>,
    /// Who has articles that this batch says something of.
    articles: HashMap<Line, EntityId>,
    /// Entities of which there is something in those; and whether the store must have them, as the first that is told of them is a
    /// difference.
    patched: HashMap<EntityId, bool>,
    deleted: BTreeSet<EntityId>,
    reconciled: BTreeMap<EntityId, Reconciled>,
    counts: Counts,
    times: Times,
}

/// The triples of a mutation.
struct Told {
    added: Vec<Read>,
    removed: Vec<Read>,
    linked: Vec<Read>,
    unlinked: Vec<Read>,
}

impl Told {
    fn read(Whole { data, .. }: &Whole<'_>, namespaces: &Namespaces) -> Result<Self, TriplesError> {
        let arena = Arena::default();
        let read = |turtle: &str| namespaces.read(turtle, &arena);
        Ok(Self {
            added: read(&data.added)?,
            removed: read(&data.removed)?,
            linked: read(&data.linked_shared)?,
            unlinked: read(&data.unlinked_shared)?,
        })
    }

    fn len(&self) -> usize {
        self.added.len() + self.removed.len() + self.linked.len() + self.unlinked.len()
    }
}

/// All of an entity.
#[derive(Clone, Debug, Default)]
struct Reconciled {
    triples: Vec<Line>,
    gained: HashSet<Line>,
}

/// What a batch was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Mutations that add all of an entity.
    pub import: u64,
    /// Mutations that change some of one.
    pub diff: u64,
    /// Mutations that delete one.
    pub delete: u64,
    /// Mutations that replace one.
    pub reconcile: u64,
    /// Triples that they told to add or remove.
    pub triples: u64,
    /// Of these: how many a later one made needless.
    pub redundant: u64,
    /// Of these: shared ones to be there.
    pub shared: u64,
    /// Of these: shared ones that an entity no longer needs; they stay.
    pub unlinked: u64,
}

/// When the changes of a batch happened, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    sum: i128,
    count: i128,
    newest: Option<i64>,
}

/// What became of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the batch.
    Yes,
    /// It cannot be in one batch with what is there: apply that first.
    No,
}

/// What a batch does to a store, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Triples to remove.
    pub removed: Vec<Line>,
    /// Articles of which all is removed but what they are about, as N-Triples has them.
    pub cleared: Vec<Line>,
    /// Triples to add.
    pub added: Vec<Line>,
    /// Articles that are removed if they are about nothing.
    pub swept: Vec<Line>,
    /// Entities that are removed, with their statements, forms and senses, and the articles about them alone; and what is there of
    /// each afterwards.
    pub replaced: Vec<Replaced>,
}

/// An entity that is removed, and what is put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The entity.
    pub entity: EntityId,
    /// As [`Changes::cleared`].
    pub cleared: Vec<Line>,
    /// As [`Changes::added`].
    pub added: Vec<Line>,
}

impl Batch {
    /// Takes a mutation, unless it cannot be in one batch with what is there. Errors: its triples cannot be read.
    pub fn take(
        &mut self,
        whole: &Whole<'_>,
        namespaces: &Namespaces,
        history: &mut History,
    ) -> Result<Taken, TriplesError> {
        if !self.admits(whole.entity, whole.kind) {
            return Ok(Taken::No);
        }
        let told = Told::read(whole, namespaces)?;
        if !self.has_articles_for(whole.entity, told.added.iter().chain(&told.removed)) {
            return Ok(Taken::No);
        }
        self.counts.triples += told.len() as u64;
        self.times.take(whole.event_time.millis());
        match whole.kind {
            Kind::Import | Kind::Diff => self.patch(whole, told, history),
            Kind::Delete => self.delete(whole.entity),
            Kind::Reconcile => self.reconcile(whole, told, history),
        }
        Ok(Taken::Yes)
    }

    fn admits(&self, entity: EntityId, kind: Kind) -> bool {
        let (is_deleted, is_reconciled) = (self.deleted.contains(&entity), self.reconciled.contains_key(&entity));
        match kind {
            // What comes before an import of what the store must have may be passed over, and the import not.
            Kind::Import => !is_deleted && !is_reconciled && self.patched.get(&entity) != Some(&true),
            Kind::Diff => !is_deleted && !is_reconciled,
            Kind::Delete => !is_reconciled,
            Kind::Reconcile => !is_deleted,
        }
    }

    /// Whether nothing is known here of what other entities say of these articles; from now on it is known that this one does.
    fn has_articles_for<'r>(&mut self, entity: EntityId, triples: impl Iterator<Item = &'r Read> + Clone) -> bool {
        let of_articles = triples.filter(|read| read.owner == Owner::Article);
        let is_others = |read: &Read| self.articles.get(read.subject()).is_some_and(|owner| *owner != entity);
        if of_articles.clone().any(is_others) {
            return false;
        }
        for read in of_articles {
            if !self.articles.contains_key(read.subject()) {
                self.articles.insert(read.subject().into(), entity);
            }
        }
        true
    }

    fn patch(&mut self, whole: &Whole<'_>, told: Told, history: &mut History) {
        let Told { added, removed, linked, unlinked } = told;
        let entity = whole.entity;
        *(if whole.kind == Kind::Import { &mut self.counts.import } else { &mut self.counts.diff }) += 1;
        self.patched.entry(entity).or_insert(whole.kind == Kind::Diff);
        let lost = articles(&removed);
        for read in removed {
            // What is said of an article that is lost goes with it, unless another entity has it.
            if read.owner == Owner::Article && read.says != Says::IsAbout && lost.contains(read.subject()) {
                self.forget(&read.line);
            } else {
                self.say(read, Change::Remove, entity);
            }
        }
        for article in lost {
            self.gained.remove(&article);
            self.lost.insert(article, entity);
        }
        let (gained, passed) = gained(&added, whole, history);
        for read in added {
            let is_of_passed = || passed.contains(read.subject()) && read.says != Says::IsAbout;
            if read.owner == Owner::Shared {
                self.link(read.line, entity);
            } else if read.owner != Owner::Article || !is_of_passed() {
                self.say(read, Change::Add, entity);
            }
        }
        for article in gained {
            self.lost.remove(&article);
            self.gained.insert(article, entity);
        }
        for read in unlinked {
            self.counts.unlinked += 1;
            self.unlink(&read.line, entity);
        }
        linked.into_iter().for_each(|read| self.link(read.line, entity));
    }

    fn say(&mut self, Read { line, owner, .. }: Read, change: Change, entity: EntityId) {
        self.told += 1;
        let said = Said { at: self.told, change, entity, is_sure: owner == Owner::Entity };
        match self.own.entry(line) {
            Entry::Vacant(vacant) => _ = vacant.insert(said),
            Entry::Occupied(mut before) => {
                self.counts.redundant += 1;
                before.insert(Said { is_sure: false, ..said });
            }
        }
    }

    fn forget(&mut self, line: &str) {
        self.counts.redundant += u64::from(self.own.remove(line).is_some());
    }

    fn link(&mut self, line: Line, entity: EntityId) {
        self.counts.shared += 1;
        self.told += 1;
        let at = self.told;
        let linked = self.linked.entry(line).or_insert_with(|| Linked { at, by: Vec::with_capacity(1) });
        if !linked.by.contains(&entity) {
            linked.by.push(entity);
        }
    }

    fn unlink(&mut self, line: &str, entity: EntityId) {
        let Some(linked) = self.linked.get_mut(line) else { return };
        linked.by.retain(|by| *by != entity);
        if linked.by.is_empty() {
            self.linked.remove(line);
            self.counts.redundant += 1;
        }
    }

    fn delete(&mut self, entity: EntityId) {
        self.counts.delete += 1;
        self.drop_added(entity);
        self.deleted.insert(entity);
    }

    fn reconcile(&mut self, whole: &Whole<'_>, told: Told, history: &mut History) {
        let Told { added, linked, .. } = told;
        self.counts.reconcile += 1;
        let entity = whole.entity;
        self.drop_added(entity);
        let (gained, passed) = gained(&added, whole, history);
        let is_said = |read: &Read| !passed.contains(read.subject()) || read.says == Says::IsAbout;
        let triples = added.into_iter().chain(linked).filter(is_said).map(|read| read.line).collect();
        self.reconciled.insert(entity, Reconciled { triples, gained });
    }

    /// The entities that the store must have, as only differences of them are told.
    pub fn presumed(&self) -> impl Iterator<Item = EntityId> {
        self.patched.iter().filter(|(_, is_presumed)| **is_presumed).map(|(entity, _)| *entity)
    }

    /// Drops what was told of an entity's triples, as the store does not have it. To what is not there nothing is added, else statements
    /// would stay that nothing links and no deletion finds.
    pub fn drop_all(&mut self, entity: EntityId) {
        self.drop(entity, |_| false);
        self.lost.retain(|_, owner| *owner != entity);
    }

    /// Drops what was to be added of an entity, as it goes. What was to be removed still is: the store may have it unlinked, as of a
    /// statement that is not there any more in a dump that was made later.
    fn drop_added(&mut self, entity: EntityId) {
        self.drop(entity, |change| change == Change::Remove);
    }

    fn drop(&mut self, entity: EntityId, stays: impl Fn(Change) -> bool) {
        if self.patched.remove(&entity).is_none() {
            return;
        }
        let before = self.own.len() + self.linked.len();
        self.own.retain(|_, said| said.entity != entity || stays(said.change));
        self.linked.retain(|_, linked| {
            linked.by.retain(|by| *by != entity);
            !linked.by.is_empty()
        });
        self.gained.retain(|_, owner| *owner != entity);
        self.counts.redundant += (before - self.own.len() - self.linked.len()) as u64;
    }

    /// How much work it is, in triples.
    pub fn weight(&self) -> usize {
        let reconciled: usize = self.reconciled.values().map(|all| all.triples.len() + DELETION).sum();
        self.own.len() + self.linked.len() + reconciled + self.deleted.len() * DELETION
    }

    /// What it was made of.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The mean of the times of the changes.
    pub fn mean_time(&self) -> Option<Timestamp> {
        let Times { sum, count, .. } = self.times;
        let mean = sum.checked_div(count)?;
        Timestamp::from_millis(i64::try_from(mean).ok()?)
    }

    /// The time of the newest change.
    pub fn newest_time(&self) -> Option<Timestamp> {
        self.times.newest.and_then(Timestamp::from_millis)
    }

    /// Triples that the store must not have before, and those that it must have, if it is as the stream takes it to be.
    pub fn expectations(&self) -> (Vec<&Line>, Vec<&Line>) {
        let (mut absent, mut present) = (Vec::new(), Vec::new());
        for (line, said) in self.own.iter().filter(|(_, said)| said.is_sure) {
            (if said.change == Change::Add { &mut absent } else { &mut present }).push(line);
        }
        (absent, present)
    }

    /// Takes what there is; what is left is empty, and has room for as much.
    pub fn take_all(&mut self) -> Self {
        let empty = Self { own: HashMap::with_capacity(self.own.len()), ..Self::default() };
        std::mem::replace(self, empty)
    }

    /// What it does, in the order in which it was told.
    pub fn into_changes(self) -> Changes {
        let Self { own, linked, gained, lost, deleted, mut reconciled, told, .. } = self;
        let (mut added, mut removed) = (InOrder::of(told), InOrder::of(told));
        for (line, Said { at, change, .. }) in own {
            (if change == Change::Add { &mut added } else { &mut removed }).put(at, line);
        }
        linked.into_iter().for_each(|(line, Linked { at, .. })| added.put(at, line));
        let gone: BTreeSet<_> = deleted.into_iter().chain(reconciled.keys().copied()).collect();
        let replaced = |entity: EntityId| {
            let Reconciled { triples, gained } = reconciled.remove(&entity).unwrap_or_default();
            Replaced { entity, cleared: sorted(gained), added: triples }
        };
        Changes {
            removed: removed.end(),
            cleared: sorted(gained.into_keys()),
            added: added.end(),
            swept: sorted(lost.into_keys()),
            replaced: gone.into_iter().map(replaced).collect(),
        }
    }
}

impl Counts {
    /// All mutations.
    pub const fn mutations(&self) -> u64 {
        self.import + self.diff + self.delete + self.reconcile
    }

    /// Adds those of another batch.
    pub fn add(&mut self, other: &Self) {
        self.import += other.import;
        self.diff += other.diff;
        self.delete += other.delete;
        self.reconcile += other.reconcile;
        self.triples += other.triples;
        self.redundant += other.redundant;
        self.shared += other.shared;
        self.unlinked += other.unlinked;
    }
}

impl Times {
    fn take(&mut self, millis: i64) {
        self.sum += i128::from(millis);
        self.count += 1;
        self.newest = self.newest.max(Some(millis));
    }
}

/// The articles that triples tell to be such.
fn articles(triples: &[Read]) -> HashSet<Line> {
    triples.iter().filter(|read| read.says == Says::IsArticle).map(|read| read.subject().into()).collect()
}

/// Of the articles that an entity gets: those that are to be as it says, and those of which another said something newer.
fn gained(added: &[Read], whole: &Whole<'_>, history: &mut History) -> (HashSet<Line>, HashSet<Line>) {
    let time = whole.event_time.millis();
    articles(added).into_iter().partition(|article| history.take(article, whole.entity, time))
}

fn sorted(lines: impl IntoIterator<Item = Line>) -> Vec<Line> {
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_unstable();
    lines
}

/// Lines in the order in which they were told, each at a place of its own.
struct InOrder(Vec<Option<Line>>);

impl InOrder {
    /// None yet, of so many that were told.
    fn of(told: u32) -> Self {
        Self(vec![None; told as usize])
    }

    /// A line, by when it was told, counted from 1.
    fn put(&mut self, at: u32, line: Line) {
        self.0[at as usize - 1] = Some(line);
    }

    fn end(self) -> Vec<Line> {
        self.0.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests;
