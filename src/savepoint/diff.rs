//! What two states disagree on.
//!
//! Promise: [`rows`] tells each entity on which they do once, in entity order; of one state and itself, none.
//! Invariant: pure.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::state::{EntityState, StateTable};
use crate::wikibase::entity::EntityId;

/// How two states disagree on an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only the first knows it.
    OnlyInA,
    /// Only the second knows it.
    OnlyInB,
    /// The first has the newer revision.
    NewerInA,
    /// The second has the newer revision.
    NewerInB,
    /// The revision is the same, and deleted in one of them only.
    Status,
}

/// An entity on which they disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entity.
    pub entity: EntityId,
    /// How.
    pub difference: Difference,
    /// What the first says.
    pub a: Option<EntityState>,
    /// What the second says.
    pub b: Option<EntityState>,
}

impl Difference {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OnlyInA, Self::OnlyInB, Self::NewerInA, Self::NewerInB, Self::Status];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnlyInA => "only_in_a",
            Self::OnlyInB => "only_in_b",
            Self::NewerInA => "newer_in_a",
            Self::NewerInB => "newer_in_b",
            Self::Status => "status_differs",
        }
    }

    fn of(a: Option<EntityState>, b: Option<EntityState>) -> Option<Self> {
        match (a, b) {
            (None, None) => None,
            (Some(_), None) => Some(Self::OnlyInA),
            (None, Some(_)) => Some(Self::OnlyInB),
            (Some(a), Some(b)) => match a.revision().cmp(&b.revision()) {
                Ordering::Greater => Some(Self::NewerInA),
                Ordering::Less => Some(Self::NewerInB),
                Ordering::Equal => (a.is_deleted() != b.is_deleted()).then_some(Self::Status),
            },
        }
    }
}

/// The entities on which two states disagree, sorted.
pub fn rows(a: &StateTable, b: &StateTable) -> impl Iterator<Item = Row> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let entity = [a.peek(), b.peek()].into_iter().flatten().map(|(entity, _)| *entity).min()?;
            let (a, b) = (take(&mut a, entity), take(&mut b, entity));
            if let Some(difference) = Difference::of(a, b) {
                return Some(Row { entity, difference, a, b });
            }
        }
    })
}

/// The state of `entity`, if it comes next.
fn take<I: Iterator<Item = (EntityId, EntityState)>>(
    states: &mut Peekable<I>,
    entity: EntityId,
) -> Option<EntityState> {
    states.next_if(|(next, _)| *next == entity).map(|(_, state)| state)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::wikibase::entity::{EntityKind, Revision};

    fn table(map: &BTreeMap<(usize, u32), (u64, bool)>) -> StateTable {
        let mut table = StateTable::default();
        for ((kind, number), (revision, deleted)) in map {
            let revision = Revision::new(*revision).unwrap();
            let state = if *deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) };
            table.set(EntityId::new(EntityKind::ALL[*kind], *number).unwrap(), state);
        }
        table
    }

    fn map() -> impl Strategy<Value = BTreeMap<(usize, u32), (u64, bool)>> {
        prop::collection::btree_map((0..4_usize, 1..30_u32), (1..4_u64, any::<bool>()), 0..60)
    }

    proptest! {
        /// Each entity that is not the same in both, and no other; the other way round, the same in reverse.
        #[test]
        fn rows_are_what_differs(a in map(), b in map()) {
            let found: Vec<_> = rows(&table(&a), &table(&b)).collect();
            let all: BTreeSet<_> = a.keys().chain(b.keys()).copied().collect();
            let differ = all.iter().filter(|key| a.get(key) != b.get(key));
            let ids = differ.map(|(kind, number)| EntityId::new(EntityKind::ALL[*kind], *number).unwrap());
            prop_assert!(found.iter().map(|row| row.entity).eq(ids));
            let back: Vec<_> = rows(&table(&b), &table(&a)).collect();
            for (row, back) in found.iter().zip(&back) {
                prop_assert_eq!((row.a, row.b), (back.b, back.a));
                let mirrored = match row.difference {
                    Difference::OnlyInA => Difference::OnlyInB,
                    Difference::OnlyInB => Difference::OnlyInA,
                    Difference::NewerInA => Difference::NewerInB,
                    Difference::NewerInB => Difference::NewerInA,
                    Difference::Status => Difference::Status,
                };
                prop_assert_eq!(back.difference, mirrored);
            }
            prop_assert_eq!(rows(&table(&a), &table(&a)).count(), 0);
        }
    }
}
