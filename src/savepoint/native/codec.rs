//! State as columns.
//!
//! Promise: what [`entries`] reads of the columns of [`Rows`] is what was pushed; rows that can be no state are an error.
//! Invariant: pure; a batch of columns is of one kind and its numbers ascend.
//! Not here: files.

use crate::columns::{Column, Field, Texts, Type};
use crate::state::{EntityState, Entry};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};

/// The columns of a state file.
pub const FIELDS: &[Field] = &[
    Field { name: "kind", kind: Type::FewTexts },
    Field { name: "number", kind: Type::Int64 },
    Field { name: "revision", kind: Type::Int64 },
    Field { name: "deleted", kind: Type::Flag },
];

/// Rows on their way into columns.
#[derive(Default)]
pub struct Rows {
    numbers: Vec<i64>,
    revisions: Vec<i64>,
    deleted: Vec<bool>,
}

impl Rows {
    /// Adds an entity.
    pub fn push(&mut self, entity: EntityId, state: EntityState) {
        self.numbers.push(i64::from(entity.number()));
        // A revision is less than 2^62, so nothing is lost.
        self.revisions.push(state.revision().get() as i64);
        self.deleted.push(state.is_deleted());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Their columns; none are left. `kinds` is the letter of their kind, repeated.
    pub fn take(&mut self, kinds: &Texts) -> Vec<Column> {
        let room = self.len();
        vec![
            Column::Text(kinds.first(room)),
            Column::Int64(std::mem::replace(&mut self.numbers, Vec::with_capacity(room))),
            Column::Int64(std::mem::replace(&mut self.revisions, Vec::with_capacity(room))),
            Column::Flag(std::mem::replace(&mut self.deleted, Vec::with_capacity(room))),
        ]
    }
}

/// The entities of these columns, which must all be of `kind` and come after the number `last`, in ascending order.
///
/// Errors: the rule that is broken.
pub fn entries(kind: EntityKind, last: u32, columns: &[Column]) -> Result<Vec<Entry>, String> {
    let [Column::FewTexts(kinds, rows), Column::Int64(numbers), Column::Int64(revisions), Column::Flag(deleted)] =
        columns
    else {
        return Err("its columns are of other types".to_owned());
    };
    let is_kind: Vec<_> = kinds.iter().map(|text| text.bytes().eq([kind.letter() as u8])).collect();
    if !rows.iter().all(|row| is_kind.get(*row as usize) == Some(&true)) {
        return Err(format!("an entity in it is not of the kind {}", kind.letter()));
    }
    let mut last = i64::from(last);
    let mut entries = Vec::with_capacity(numbers.len());
    for ((number, revision), deleted) in numbers.iter().zip(revisions).zip(deleted) {
        if *number <= last {
            return Err(format!("the number {number} follows {last}"));
        }
        last = *number;
        entries.push(entry(kind, *number, *revision, *deleted)?);
    }
    Ok(entries)
}

/// The entity of that number. Errors: there is none.
pub fn entity(kind: EntityKind, number: i64) -> Result<EntityId, String> {
    let entity = u32::try_from(number).ok().and_then(|number| EntityId::new(kind, number));
    entity.ok_or_else(|| format!("no entity has the number {number}"))
}

/// What a row says. Errors: the rule that is broken.
pub fn entry(kind: EntityKind, number: i64, revision: i64, deleted: bool) -> Result<Entry, String> {
    let entity = entity(kind, number)?;
    let revision = u64::try_from(revision).ok().and_then(|revision| Revision::new(revision).ok());
    let revision = revision.ok_or_else(|| format!("{entity} has no valid revision"))?;
    Ok(Entry::new(entity, if deleted { EntityState::Deleted(revision) } else { EntityState::Created(revision) }))
}
