//! What changed between two checkpoints, as a file.
//!
//! Promise: what [`read`] tells of the bytes of [`encode`] is what was put in; rows that can be no change are an error.
//! Layout: the columns of a state file, and before them `checkpoint`, the number of the checkpoint that wrote the file, the same
//! in all its rows. An entity that is no longer known at all has the revision 0, which no revision is, and counts as deleted.
//! Of the rows of an entity in several files of a checkpoint, that with the largest `checkpoint` is true.
//! Invariant: rows are sorted by kind (Q, P, L, M), then number; each entity has one.
//! Not here: which changes go into which file (see `savepoint::checkpoint::plan`).

use crate::columns::{BATCH_ROWS, Column, ColumnsError, Encoder, Field, Reader, Texts, Type};
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::native::codec;
use crate::state::EntityState;
use crate::storage::Blob;
use crate::wikibase::entity::{EntityId, EntityKind};

/// The columns of a file of changes.
const FIELDS: &[Field] = &[
    Field { name: "checkpoint", kind: Type::Int64 },
    Field { name: "kind", kind: Type::FewTexts },
    Field { name: "number", kind: Type::Int64 },
    Field { name: "revision", kind: Type::Int64 },
    Field { name: "deleted", kind: Type::Flag },
];
/// Stands in a row for an entity that is not known.
const NO_REVISION: i64 = 0;

/// An entity and what it has become; `None` if it is no longer known.
pub type Change = (EntityId, Option<EntityState>);

/// Why a file of changes cannot be read.
pub enum DeltaError {
    /// It is no such table.
    Columns(ColumnsError),
    /// It breaks a rule.
    Rule(String),
}

/// The file of these entities, which must be sorted and different, as `now` tells of them.
pub fn encode(
    writer: CheckpointId,
    entities: &[EntityId],
    now: impl Fn(EntityId) -> Option<EntityState>,
) -> Result<Vec<u8>, ColumnsError> {
    let mut encoder = Encoder::new(FIELDS)?;
    // As the bits stand: a number of checkpoints that needs the sign is never reached.
    let number = writer.number() as i64;
    for of_kind in entities.chunk_by(|a, b| a.kind() == b.kind()) {
        let kinds = Texts::repeated(of_kind[0].kind().letter().encode_utf8(&mut [0; 4]), of_kind.len().min(BATCH_ROWS));
        for batch in of_kind.chunks(BATCH_ROWS) {
            let states: Vec<_> = batch.iter().map(|entity| now(*entity)).collect();
            let revision =
                |state: &Option<EntityState>| state.map_or(NO_REVISION, |state| state.revision().get() as i64);
            encoder.push(vec![
                Column::Int64(vec![number; batch.len()]),
                Column::Text(kinds.first(batch.len())),
                Column::Int64(batch.iter().map(|entity| i64::from(entity.number())).collect()),
                Column::Int64(states.iter().map(revision).collect()),
                Column::Flag(states.iter().map(|state| state.is_none_or(EntityState::is_deleted)).collect()),
            ])?;
        }
    }
    encoder.finish()
}

/// Tells `take` of all changes in a file of `writer` with so many rows, in their order.
pub fn read(blob: Blob, writer: CheckpointId, rows: u64, mut take: impl FnMut(Change)) -> Result<(), DeltaError> {
    let mut last = None;
    let mut found = 0;
    for columns in Reader::open(blob, FIELDS).map_err(DeltaError::Columns)? {
        let columns = columns.map_err(DeltaError::Columns)?;
        let changes = changes(writer, last, &columns).map_err(DeltaError::Rule)?;
        found += changes.len() as u64;
        // A file can say in few bytes that it has very many rows.
        if found > rows {
            break;
        }
        last = changes.last().map(|(entity, _)| *entity).or(last);
        changes.into_iter().for_each(&mut take);
    }
    if found == rows { Ok(()) } else { Err(DeltaError::Rule(format!("it has {found} rows instead of {rows}"))) }
}

fn changes(writer: CheckpointId, mut last: Option<EntityId>, columns: &[Column]) -> Result<Vec<Change>, String> {
    let [
        Column::Int64(checkpoints),
        Column::FewTexts(letters, rows),
        Column::Int64(numbers),
        Column::Int64(revisions),
        Column::Flag(deleted),
    ] = columns
    else {
        return Err("its columns are of other types".to_owned());
    };
    if checkpoints.iter().any(|number| *number as u64 != writer.number()) {
        return Err(format!("a row in it is not of the checkpoint {writer}"));
    }
    let kind_of = |text: &String| match text.as_bytes() {
        [letter] => EntityKind::from_letter(*letter),
        _ => None,
    };
    let kinds: Vec<_> = letters.iter().map(kind_of).collect();
    let mut changes = Vec::with_capacity(numbers.len());
    for (((row, number), revision), deleted) in rows.iter().zip(numbers).zip(revisions).zip(deleted) {
        let kind = usize::try_from(*row).ok().and_then(|row| *kinds.get(row)?);
        let kind = kind.ok_or("an entity in it is of no known kind")?;
        let (entity, state) = match *revision {
            NO_REVISION if *deleted => (codec::entity(kind, *number)?, None),
            revision => {
                let entry = codec::entry(kind, *number, revision, *deleted)?;
                (entry.entity(), Some(entry.state()))
            }
        };
        if let Some(last) = last.filter(|last| *last >= entity) {
            return Err(format!("{entity} follows {last}"));
        }
        last = Some(entity);
        changes.push((entity, state));
    }
    Ok(changes)
}
