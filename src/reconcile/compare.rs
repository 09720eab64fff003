//! What the running state and a newer dump disagree on, and what follows from that.
//!
//! Promise: what is [certain](Class::is_certain) is wrong in the state, whatever happened to the wiki while the dump was made; what
//! is [expected](Class::is_expected) may come of edits, deletions and restorations that the stream handled as it should; what is
//! [doubtful](Class::is_doubtful) is either, and only the wiki can tell.
//! In -> out: a state that is complete up to a time, what a dump proves of the time before -> one [`Finding`] for each entity on which
//! they disagree.
//! Rules, for a stream that missed nothing: an entity that was seen at a revision was told to the stream at that revision or a newer
//! one before; a deletion names the newest revision there was; a revision that is forgotten was never there. So an entity that was
//! read before the state's time, and that the state does not know, knows at an older revision, or holds for deleted at an older one,
//! was missed. One that the state knows and the dump lacks may have been deleted unnoticed, or restored after the dump had passed it.
//! One that the dump has and the state holds for deleted at the same revision may have been restored unnoticed, or deleted since.
//! Invariant: pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::savepoint::diff;
use crate::state::{EntityState, StateTable};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};

/// What a dump proves.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Entities that were surely read before the time of the state, and their revisions.
    pub settled: StateTable,
    /// Entities that may have been read after it.
    pub unsettled: StateTable,
    /// Whether all of the dump was surely written before the time of the state. Only then it says something that an entity is not
    /// there.
    pub is_complete: bool,
}

/// What a disagreement comes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The state does not know it.
    Missing,
    /// The state knows it at an older revision.
    Older,
    /// The state holds it for deleted, at an older revision.
    Restored,
    /// The state knows it, but what was to be sent of it could not be had.
    Unsent,
    /// The state knows it, and the dump does not have it.
    Gone,
    /// The state holds it for deleted, and the dump has it at the same revision.
    Deleted,
    /// The state knows a newer revision.
    Newer,
    /// The state knows it at a revision newer than all of the dump's.
    CreatedSince,
    /// The state holds it for deleted, at a newer revision.
    DeletedSince,
    /// The dump tells of a time after the state's.
    NotYet,
}

/// An entity on which a state and a dump disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The entity.
    pub entity: EntityId,
    /// What it comes of.
    pub class: Class,
    /// What the state says.
    pub known: Option<EntityState>,
    /// What the dump says.
    pub dumped: Option<Revision>,
}

/// How many entities there are of each class.
pub type Counts = BTreeMap<Class, u64>;

impl Class {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Missing,
        Self::Older,
        Self::Restored,
        Self::Unsent,
        Self::Gone,
        Self::Deleted,
        Self::Newer,
        Self::CreatedSince,
        Self::DeletedSince,
        Self::NotYet,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Older => "older",
            Self::Restored => "restored",
            Self::Unsent => "unsent",
            Self::Gone => "gone",
            Self::Deleted => "deleted",
            Self::Newer => "newer",
            Self::CreatedSince => "created_since",
            Self::DeletedSince => "deleted_since",
            Self::NotYet => "not_yet",
        }
    }

    /// What it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Missing => "not known to the state",
            Self::Older => "known at an older revision",
            Self::Restored => "held for deleted, and since then edited",
            Self::Unsent => "known, but what was to be sent could not be had",
            Self::Gone => "known, and not in the dump: deleted unnoticed, or restored after the dump had passed",
            Self::Deleted => "held for deleted, and in the dump: restored unnoticed, or deleted since",
            Self::Newer => "edited since",
            Self::CreatedSince => "created since",
            Self::DeletedSince => "edited and deleted since",
            Self::NotYet => "in a part of the dump that may be younger than the state",
        }
    }

    /// Whether the state is surely wrong.
    pub const fn is_certain(self) -> bool {
        matches!(self, Self::Missing | Self::Older | Self::Restored | Self::Unsent)
    }

    /// Whether only the wiki can tell.
    pub const fn is_doubtful(self) -> bool {
        matches!(self, Self::Gone | Self::Deleted)
    }

    /// Whether it may be so if the stream missed nothing.
    pub const fn is_expected(self) -> bool {
        !self.is_certain() && !self.is_doubtful()
    }
}

impl Evidence {
    /// The kinds of which there are entities in the state, and none in the dump: it says nothing of those.
    pub fn lacks(&self, state: &StateTable) -> Vec<EntityKind> {
        EntityKind::ALL.into_iter().filter(|kind| state.count(*kind).created > 0 && !self.has(*kind)).collect()
    }

    fn has(&self, kind: EntityKind) -> bool {
        [&self.settled, &self.unsettled].into_iter().any(|table| table.count(kind).created > 0)
    }

    /// The newest revision of all.
    fn newest(&self) -> Option<Revision> {
        [&self.settled, &self.unsettled].into_iter().flat_map(StateTable::iter).map(|(_, state)| state.revision()).max()
    }
}

/// Tells `take` of each entity on which `state` and `evidence` disagree, and of those that are [behind](Class::Unsent); not of kinds
/// that the dump [lacks](Evidence::lacks).
pub fn compare(state: &StateTable, evidence: &Evidence, behind: &[EntityId], mut take: impl FnMut(Finding)) -> Counts {
    let mut counts = Counts::new();
    let mut tell = |finding: Finding| {
        *counts.entry(finding.class).or_default() += 1;
        take(finding);
    };
    let newest = evidence.newest();
    let mut behind: BTreeSet<_> = behind.iter().copied().collect();
    for row in diff::rows(state, &evidence.settled) {
        let class = class_of(row.entity, row.a, row.b.map(EntityState::revision), evidence, newest);
        let Some(mut class) = class.filter(|_| evidence.has(row.entity.kind())) else { continue };
        let is_known = row.a.is_some_and(|known| !known.is_deleted());
        // Whatever the dump says: its readers lack it.
        if behind.remove(&row.entity) && is_known && !class.is_certain() {
            class = Class::Unsent;
        }
        let dumped = row.b.or_else(|| evidence.unsettled.get(row.entity)).map(EntityState::revision);
        tell(Finding { entity: row.entity, class, known: row.a, dumped });
    }
    for (entity, read) in evidence.unsettled.iter() {
        if state.get(entity).is_none() && evidence.settled.get(entity).is_none() {
            tell(Finding { entity, class: Class::NotYet, known: None, dumped: Some(read.revision()) });
        }
    }
    for entity in behind {
        let known = state.get(entity);
        if known.is_some_and(|known| !known.is_deleted()) {
            let dumped = evidence.settled.get(entity).map(EntityState::revision);
            tell(Finding { entity, class: Class::Unsent, known, dumped });
        }
    }
    counts
}

/// What it comes of that the state and the settled part of a dump disagree; `None` where they do not after all.
fn class_of(
    entity: EntityId,
    known: Option<EntityState>,
    settled: Option<Revision>,
    evidence: &Evidence,
    newest: Option<Revision>,
) -> Option<Class> {
    use EntityState::{Created, Deleted};
    match (known, settled) {
        (None, None) => None,
        (None, Some(_)) => Some(Class::Missing),
        (Some(Created(known)), Some(read)) if known < read => Some(Class::Older),
        (Some(Created(known)), Some(read)) => (known > read).then_some(Class::Newer),
        (Some(Deleted(known)), Some(read)) if known < read => Some(Class::Restored),
        (Some(Deleted(known)), Some(read)) if known > read => Some(Class::DeletedSince),
        (Some(Deleted(_)), Some(_)) => Some(Class::Deleted),
        (Some(known), None) => absent(entity, known, evidence, newest),
    }
}

/// The same for an entity that the settled part does not have.
fn absent(entity: EntityId, known: EntityState, evidence: &Evidence, newest: Option<Revision>) -> Option<Class> {
    let later = evidence.unsettled.get(entity).map(EntityState::revision);
    match (known, later) {
        (EntityState::Created(known), Some(read)) if known > read => Some(Class::Newer),
        (EntityState::Created(known), Some(read)) if known == read => None,
        (_, Some(_)) => Some(Class::NotYet),
        (EntityState::Deleted(_), None) => None,
        (EntityState::Created(known), None) if newest.is_some_and(|newest| known > newest) => Some(Class::CreatedSince),
        (EntityState::Created(_), None) if !evidence.is_complete => Some(Class::NotYet),
        (EntityState::Created(_), None) => Some(Class::Gone),
    }
}

#[cfg(test)]
mod tests {
    use EntityState::{Created, Deleted};

    use super::*;

    fn entity(text: &str) -> EntityId {
        EntityId::parse(text.as_bytes()).unwrap()
    }

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn table(rows: &[(&str, EntityState)]) -> StateTable {
        let mut table = StateTable::default();
        rows.iter().for_each(|(id, state)| _ = table.set(entity(id), *state));
        table
    }

    fn created(number: u64) -> EntityState {
        Created(revision(number))
    }

    fn deleted(number: u64) -> EntityState {
        Deleted(revision(number))
    }

    /// The class of Q1, in a dump whose newest revision is 50.
    fn class(
        known: Option<EntityState>,
        settled: Option<u64>,
        unsettled: Option<u64>,
        is_complete: bool,
    ) -> Option<Class> {
        let rows = |q1: Option<EntityState>, q2| {
            table(&[Some(("Q2", created(q2))), q1.map(|state| ("Q1", state))].into_iter().flatten().collect::<Vec<_>>())
        };
        let evidence = Evidence {
            settled: rows(settled.map(created), 50),
            unsettled: table(&unsettled.map(|read| ("Q1", created(read))).into_iter().collect::<Vec<_>>()),
            is_complete,
        };
        let mut found = Vec::new();
        let counts = compare(&rows(known, 50), &evidence, &[], |finding| found.push(finding));
        assert_eq!(counts.values().sum::<u64>(), found.len() as u64);
        assert!(
            found.len() < 2 && found.iter().all(|finding| finding.entity == entity("Q1") && finding.known == known)
        );
        found.first().map(|finding| finding.class)
    }

    #[test]
    fn classes_as_in_this_table() {
        let settled = [
            (None, 5, Some(Class::Missing)),
            (Some(created(4)), 5, Some(Class::Older)),
            (Some(created(5)), 5, None),
            (Some(created(6)), 5, Some(Class::Newer)),
            (Some(deleted(4)), 5, Some(Class::Restored)),
            (Some(deleted(5)), 5, Some(Class::Deleted)),
            (Some(deleted(6)), 5, Some(Class::DeletedSince)),
        ];
        for (known, read, expected) in settled {
            assert_eq!(class(known, Some(read), None, true), expected, "{known:?} {read}");
            assert_eq!(class(known, Some(read), None, false), expected, "{known:?} {read}, some of it is later");
        }
        let absent = [
            (None, None, None),
            (Some(created(5)), Some(Class::Gone), Some(Class::NotYet)),
            (Some(created(50)), Some(Class::Gone), Some(Class::NotYet)),
            (Some(created(51)), Some(Class::CreatedSince), Some(Class::CreatedSince)),
            (Some(deleted(5)), None, None),
        ];
        for (known, complete, incomplete) in absent {
            assert_eq!(class(known, None, None, true), complete, "{known:?}");
            assert_eq!(class(known, None, None, false), incomplete, "{known:?}, some of it is later");
        }
        let later = [
            (None, Some(Class::NotYet)),
            (Some(created(4)), Some(Class::NotYet)),
            (Some(created(5)), None),
            (Some(created(6)), Some(Class::Newer)),
            (Some(deleted(4)), Some(Class::NotYet)),
            (Some(deleted(6)), Some(Class::NotYet)),
        ];
        for (known, expected) in later {
            assert_eq!(class(known, None, Some(5), false), expected, "{known:?}, read later");
        }
    }

    #[test]
    fn what_could_not_be_sent_is_told_once() {
        let state = table(&[("Q1", created(5)), ("Q2", created(5)), ("Q3", created(5)), ("Q4", deleted(5))]);
        let settled = table(&[("Q1", created(5)), ("Q2", created(7)), ("Q4", created(5))]);
        let evidence = Evidence { settled, is_complete: true, ..Evidence::default() };
        let behind = ["Q1", "Q2", "Q3", "Q4", "Q1"].map(entity);
        let mut found = Vec::new();
        compare(&state, &evidence, &behind, |finding| found.push((finding.entity.to_string(), finding.class)));
        let expected = [("Q2", Class::Older), ("Q3", Class::Unsent), ("Q4", Class::Deleted), ("Q1", Class::Unsent)];
        assert_eq!(found, expected.map(|(id, class)| (id.to_owned(), class)));
    }

    #[test]
    fn kinds_that_a_dump_lacks_are_not_compared() {
        let state = table(&[("Q1", created(5)), ("L1", created(5)), ("P1", created(5))]);
        let evidence = Evidence {
            settled: table(&[("Q1", created(5)), ("P1", created(6))]),
            is_complete: true,
            ..Evidence::default()
        };
        let mut found = Vec::new();
        compare(&state, &evidence, &[], |finding| found.push(finding.entity));
        assert_eq!((found, evidence.lacks(&state)), (vec![entity("P1")], vec![EntityKind::Lexeme]));
    }

    #[test]
    fn each_class_is_of_one_kind() {
        for class in Class::ALL {
            let kinds = [class.is_certain(), class.is_doubtful(), class.is_expected()];
            assert_eq!(kinds.into_iter().filter(|is| *is).count(), 1, "{}", class.name());
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
