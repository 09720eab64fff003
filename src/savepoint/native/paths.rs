//! The names of all files of a savepoint.
//!
//! Promise: a stored name is made and recognised here and nowhere else.
//! Invariant: a [`PartName`] never leads out of the savepoint's directory.
//! Not here: the files.

use std::fmt;

use crate::savepoint::METADATA;
use crate::storage::{Attempt, Location};
use crate::wikibase::entity::EntityKind;

const STATE: &str = "state";
const SUFFIX: &str = ".parquet";
/// Digits of a part's number. A kind has at most 2^31 entities, so they always do.
const DIGITS: usize = 5;

/// A state file: the kind of its entities, its number among the files of that kind, from 0, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    pub kind: EntityKind,
    pub part: u32,
    /// In a directory of its own each, where a directory cannot be locked.
    pub attempt: Attempt,
}

impl PartName {
    /// Reads a name relative to the savepoint's directory; `None` for anything that is not exactly such a name.
    pub fn parse(name: &str) -> Option<Self> {
        let (attempt, file) = name.strip_prefix(STATE)?.split_once('/')?;
        let attempt = Attempt::parse(attempt)?;
        let (kind, part) = file.strip_suffix(SUFFIX)?.split_once('-')?;
        let &[letter] = kind.as_bytes() else { return None };
        let part =
            part.parse().ok().filter(|_| part.len() == DIGITS && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(Self { kind: EntityKind::from_letter(letter)?, part, attempt })
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STATE}{}/{}-{:0DIGITS$}{SUFFIX}", self.attempt, self.kind.letter(), self.part)
    }
}

/// Whether a name, relative to the savepoint's directory, is that of a state file.
pub fn is_ours(name: &str) -> bool {
    PartName::parse(name).is_some()
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

    /// Where a state file is.
    pub fn part(&self, name: PartName) -> Location {
        self.0.join(&name.to_string())
    }

    /// The directory of all state files, where the directory was locked when they were written.
    pub fn state(&self) -> Location {
        self.0.join(STATE)
    }
}
