//! The names of all files of a savepoint or checkpoint.
//!
//! Promise: a stored name is made and recognised here and nowhere else.
//! Invariant: a name never leads out of the savepoint's directory; that of a checkpoint's only to `shared`, beside it.
//! Not here: the files.

use std::collections::BTreeSet;
use std::fmt;

use crate::savepoint::METADATA;
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::native::manifest::{Manifest, Stored};
use crate::storage::{Attempt, Location};
use crate::wikibase::entity::EntityKind;

const STATE: &str = "state";
const SUFFIX: &str = ".parquet";
/// Digits of a part's number. A kind has at most 2^31 entities, so they always do.
const DIGITS: usize = 5;
/// The directory, beside those of checkpoints, of the files that several of them may name.
pub const SHARED: &str = "shared";
/// The way there from a checkpoint's directory.
const TO_SHARED: &str = "../shared/";
const BASE: &str = "base-";
const DELTA: &str = "delta-";
const STREAM: &str = "stream";
const LINES: &str = ".jsonl";
const PACKED: &str = ".zst";

/// Who wrote a file, which is in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The writer of a savepoint: the files have a directory of their own within its directory.
    Savepoint(Attempt),
    /// A checkpoint: the files are where all checkpoints find them.
    Checkpoint(CheckpointId),
}

/// A state file: the kind of its entities, its number among the files of that kind, from 0, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    pub kind: EntityKind,
    pub part: u32,
    pub owner: Owner,
}

/// A file of changes, by the checkpoint that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeltaName(pub CheckpointId);

/// The file of what the stream had in hand; packed by Zstandard or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamName {
    pub attempt: Attempt,
    pub is_packed: bool,
}

/// A name that says what a file is.
pub trait Name: fmt::Display + Copy + Send + Sync {
    /// Reads a name relative to the savepoint's directory; `None` for anything that is not exactly such a name.
    fn parse(name: &str) -> Option<Self>;
}

impl Name for PartName {
    fn parse(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix(TO_SHARED) {
            let (id, part) = name.strip_prefix(BASE)?.match_indices('-').nth(1).map(|(at, _)| {
                let name = &name[BASE.len()..];
                (&name[..at], &name[at + 1..])
            })?;
            let (kind, part) = part_of(part)?;
            return Some(Self { kind, part, owner: Owner::Checkpoint(CheckpointId::parse(id).ok()?) });
        }
        let (attempt, file) = name.strip_prefix(STATE)?.split_once('/')?;
        let (kind, part) = part_of(file)?;
        Some(Self { kind, part, owner: Owner::Savepoint(Attempt::parse(attempt)?) })
    }
}

/// Reads `Q-00000.parquet`.
fn part_of(file: &str) -> Option<(EntityKind, u32)> {
    let (kind, part) = file.strip_suffix(SUFFIX)?.split_once('-')?;
    let &[letter] = kind.as_bytes() else { return None };
    let part = part.parse().ok().filter(|_| part.len() == DIGITS && part.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((EntityKind::from_letter(letter)?, part))
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            Owner::Savepoint(attempt) => write!(f, "{STATE}{attempt}/")?,
            Owner::Checkpoint(id) => write!(f, "{TO_SHARED}{BASE}{id}-")?,
        }
        write!(f, "{}-{:0DIGITS$}{SUFFIX}", self.kind.letter(), self.part)
    }
}

impl Name for DeltaName {
    fn parse(name: &str) -> Option<Self> {
        let id = name.strip_prefix(TO_SHARED)?.strip_prefix(DELTA)?.strip_suffix(SUFFIX)?;
        CheckpointId::parse(id).ok().map(Self)
    }
}

impl fmt::Display for DeltaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TO_SHARED}{DELTA}{}{SUFFIX}", self.0)
    }
}

impl Name for StreamName {
    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix(STREAM)?;
        let (name, is_packed) = name.strip_suffix(PACKED).map_or((name, false), |name| (name, true));
        Some(Self { attempt: Attempt::parse(name.strip_suffix(LINES)?)?, is_packed })
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STREAM}{}{LINES}{}", self.attempt, if self.is_packed { PACKED } else { "" })
    }
}

/// Whether a name, relative to the savepoint's directory, is that of a file of a savepoint, within the directory.
pub fn is_ours(name: &str) -> bool {
    let is_part = PartName::parse(name).is_some_and(|part| matches!(part.owner, Owner::Savepoint(_)));
    is_part || StreamName::parse(name).is_some()
}

/// The checkpoint that wrote the file of this name in the directory [`SHARED`].
pub fn owner_of_shared(name: &str) -> Option<CheckpointId> {
    let name = format!("{TO_SHARED}{name}");
    let part = PartName::parse(&name).and_then(|part| match part.owner {
        Owner::Checkpoint(id) => Some(id),
        Owner::Savepoint(_) => None,
    });
    part.or_else(|| DeltaName::parse(&name).map(|delta| delta.0))
}

/// The names, in the directory [`SHARED`], of the files that a checkpoint names there.
pub fn shared_names(manifest: &Manifest) -> BTreeSet<String> {
    let paths = manifest.files.iter().map(Stored::path).chain(manifest.deltas.iter().map(Stored::path));
    paths.filter_map(|path| Some(path.strip_prefix(TO_SHARED)?.to_owned())).collect()
}

/// Whether a name is that of a directory in which one attempt has its state files.
pub fn is_our_directory(name: &str) -> bool {
    name.strip_prefix(STATE).is_some_and(|attempt| !attempt.is_empty() && Attempt::parse(attempt).is_some())
}

/// Where the files of one savepoint are.
pub struct Paths<'a>(pub &'a Location);

impl Paths<'_> {
    /// Where the manifest is.
    pub fn metadata(&self) -> Location {
        self.0.join(METADATA)
    }

    /// Where a file is.
    pub fn of(&self, name: impl Name) -> Location {
        let name = name.to_string();
        match (name.strip_prefix(TO_SHARED), self.0.parent()) {
            (Some(name), Some(around)) => around.join(SHARED).join(name),
            _ => self.0.join(&name),
        }
    }

    /// The directory of all state files, where the directory was locked when they were written.
    pub fn state(&self) -> Location {
        self.0.join(STATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        fn same<N: Name>(text: &str) -> bool {
            N::parse(text).is_some_and(|name| name.to_string() == text)
        }
        const ID: &str = "12-5f3a9c01d2e4b677";
        assert!(same::<PartName>("state/Q-00000.parquet"));
        assert!(same::<PartName>("state-5f3a9c01d2e4b677/M-00012.parquet"));
        assert!(same::<PartName>(&format!("../shared/base-{ID}-Q-00000.parquet")));
        assert!(same::<DeltaName>(&format!("../shared/delta-{ID}.parquet")));
        assert!(same::<StreamName>("stream.jsonl"));
        assert!(same::<StreamName>("stream-5f3a9c01d2e4b677.jsonl.zst"));
        let bad = [
            "../shared/base-12-Q-00000.parquet".to_owned(),
            format!("../shared/base-{ID}-Q-0.parquet"),
            format!("../shared/base-{ID}.parquet"),
            format!("../shared/../delta-{ID}.parquet"),
            format!("shared/delta-{ID}.parquet"),
            format!("../shared/delta-{ID}-Q-00000.parquet"),
            "stream".to_owned(),
            "stream.jsonl.zst.zst".to_owned(),
            "stream-12.jsonl".to_owned(),
        ];
        for name in &bad {
            assert!(PartName::parse(name).is_none() && DeltaName::parse(name).is_none(), "{name}");
            assert!(StreamName::parse(name).is_none() && !is_ours(name), "{name}");
        }
        assert!(!is_ours(&format!("../shared/base-{ID}-Q-00000.parquet")));
        for name in [format!("base-{ID}-Q-00000.parquet"), format!("delta-{ID}.parquet")] {
            assert_eq!(owner_of_shared(&name).map(|id| id.to_string()).as_deref(), Some(ID), "{name}");
        }
        assert_eq!(owner_of_shared("notes.parquet"), None);
    }
}
