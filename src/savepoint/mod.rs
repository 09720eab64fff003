//! State at rest: savepoints, ours and Flink's, and checkpoints of the running updater.
//!
//! Promise: a directory with a valid `_metadata` is a whole savepoint or checkpoint; any other is none, wherever a writer was killed.
//! In -> out: [`StateTable`] <-> a directory in one of two formats.
//! Invariant: `_metadata` is written last and deleted first; nothing that is not a savepoint's own is ever deleted.
//! Not here: how a state came to be.

pub mod checkpoint;
pub mod diff;
pub mod flink;
pub mod list;
pub mod native;
mod place;
pub mod stream;

use std::error::Error;

use crate::columns::ColumnsError;
use crate::savepoint::flink::Unfit;
use crate::savepoint::native::manifest::{Manifest, ManifestError, Provenance};
use crate::savepoint::stream::Stream;
use crate::state::{KindCount, StateTable};
use crate::storage::{self, Blob, Location, StorageError};
use crate::wikibase::entity::EntityKind;

/// The name of the file that makes a directory a savepoint, in both formats.
const METADATA: &str = "_metadata";

/// How a savepoint is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Our own: Parquet and JSON.
    Native,
    /// Flink's canonical savepoint.
    Flink,
}

/// What to do where a savepoint is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Write nothing.
    Refuse,
    /// Delete it first. From then on there is no savepoint until the new one is complete.
    Overwrite,
}

/// A savepoint to write.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its directory.
    pub dir: Location,
    /// Its format.
    pub format: Format,
    /// In Flink's format: how many state files, 1 to [`flink::MAX_PARALLELISM`].
    pub parallelism: u16,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of all files, `_metadata` included.
    pub bytes: u64,
    /// How many files, `_metadata` included.
    pub files: u64,
}

/// A savepoint that was read.
#[derive(Debug)]
pub struct Contents {
    /// The entities and their states.
    pub state: StateTable,
    /// What a stream of ours had in hand; nothing in a savepoint of the bootstrap, and in Flink's, which keep it in [`About`].
    pub stream: Stream,
    /// What it says of itself.
    pub about: About,
}

/// What a savepoint says of itself, beside the state.
#[derive(Debug)]
pub enum About {
    /// Our own, savepoint or checkpoint.
    Native(Box<Manifest>),
    /// Flink's, and what else it holds; the state in there is empty.
    Flink(Box<flink::Opened>, Box<flink::Entries>),
}

/// What [`verify`] found.
#[derive(Debug)]
pub struct Verified {
    /// What the savepoint says of itself.
    pub about: About,
    /// Entities of each kind, in the order of [`EntityKind::ALL`]; as far as they can be read.
    pub counts: [KindCount; 4],
    /// Everything that is wrong; empty for a sound savepoint.
    pub problems: Vec<String>,
}

/// One thing that is wrong with a savepoint. Paths are relative to its directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A listed file is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file is there that is not listed.
    #[error("{path} does not belong to the savepoint")]
    Extra {
        /// The file.
        path: String,
    },
    /// A file has another size than listed.
    #[error("{path} has {found} bytes instead of {expected}")]
    Size {
        /// The file.
        path: String,
        /// Bytes listed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file has other bytes than were written.
    #[error("{path} is damaged: its SHA-256 is not the one listed")]
    Checksum {
        /// The file.
        path: String,
    },
    /// A file cannot be read as state.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why, with all causes.
        reason: String,
    },
    /// Bytes of a file break a rule.
    #[error("{path}, byte {at}: {rule}")]
    Broken {
        /// The file.
        path: String,
        /// The byte, counted from 0; within state that is compressed or inside `_metadata`, from its beginning.
        at: u64,
        /// The rule.
        rule: String,
    },
    /// Keys stand in the state more than once.
    #[error("{count} of its entries repeat a key")]
    Repeated {
        /// How many entries.
        count: u64,
    },
    /// A file's rows do not follow on the rows of the file before.
    #[error("{path} does not follow on the file before it")]
    Order {
        /// The file.
        path: String,
    },
    /// The files hold other entities than counted.
    #[error("there are {found} {what} instead of {expected}", what = kind.plural())]
    Count {
        /// Which entities.
        kind: EntityKind,
        /// What is listed, such as `5 existing and 1 deleted`.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// Why a savepoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SavepointError {
    /// There is no `_metadata` in the directory: no savepoint, or one that was never completed.
    #[error("{location} is no savepoint: it has no _metadata")]
    NotASavepoint {
        /// The directory.
        location: Location,
    },
    /// There is a savepoint already.
    #[error("{location} already holds a savepoint")]
    Exists {
        /// The directory.
        location: Location,
    },
    /// There are files that are not a savepoint's.
    #[error("{location} holds other files, such as {found}")]
    NotEmpty {
        /// The directory.
        location: Location,
        /// One of the files.
        found: Location,
    },
    /// There are files of a savepoint that was not completed, and nothing tells whether somebody is still at it.
    #[error("{location} holds files of an unfinished savepoint, such as {found}")]
    Unfinished {
        /// The directory.
        location: Location,
        /// One of the files.
        found: Location,
    },
    /// Another writer deleted our files, or published a savepoint of his own.
    #[error("another process wrote to {location} at the same time")]
    Overtaken {
        /// The directory.
        location: Location,
    },
    /// `_metadata` is not valid.
    #[error("{location} is not valid")]
    Manifest {
        /// The file `_metadata`.
        location: Location,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// A state file is damaged.
    #[error("a state file cannot be read")]
    Columns(#[source] ColumnsError),
    /// A state file does not hold what its place in the savepoint demands.
    #[error("{location} is damaged: {rule}")]
    State {
        /// The file.
        location: Location,
        /// The rule it breaks.
        rule: String,
    },
    /// Something of it is damaged.
    #[error("{location} is damaged: {problem}")]
    Damaged {
        /// The directory.
        location: Location,
        /// What was found first.
        problem: Problem,
    },
    /// It is Flink's, and not one to read the updater's state from.
    #[error("the state cannot be taken from {location}: {unfit}")]
    Unfit {
        /// The directory.
        location: Location,
        /// Why.
        unfit: Unfit,
    },
    /// The caller asked to stop; what was written is removed again.
    #[error("the savepoint was cancelled")]
    Cancelled,
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ColumnsError> for SavepointError {
    fn from(error: ColumnsError) -> Self {
        match error {
            ColumnsError::Storage(error) => Self::Storage(error),
            error => Self::Columns(error),
        }
    }
}

impl Format {
    /// Its name, as people type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Flink => "flink",
        }
    }

    /// The format of the savepoint in `dir`, by the first bytes of its `_metadata`. Errors: `NotASavepoint`, `Storage`.
    pub fn of(dir: &Location) -> Result<Self, SavepointError> {
        if !has_metadata(dir)? {
            return Err(SavepointError::NotASavepoint { location: dir.clone() });
        }
        let blob = Blob::open(&dir.join(METADATA))?;
        let start = blob.read(0..blob.size().min(flink::MAGIC.len() as u64))?;
        Ok(if start == flink::MAGIC[..] { Self::Flink } else { Self::Native })
    }
}

/// Whether there is a `_metadata` in `dir`, valid or not.
pub fn has_metadata(dir: &Location) -> Result<bool, StorageError> {
    // Below a file there is nothing to look at.
    Ok(!storage::exists(dir)? && storage::exists(&dir.join(METADATA))?)
}

/// Whether [`write()`] would begin: looks, and changes nothing. Errors: `Exists`, `NotEmpty`, `Storage`.
pub fn check_target(target: &Target, on_existing: OnExisting) -> Result<(), SavepointError> {
    match target.format {
        Format::Native => native::check_target(&target.dir, on_existing),
        Format::Flink => flink::check_target(&target.dir, on_existing),
    }
}

/// Writes `state` as a savepoint. Flink's format has no room for `made`.
///
/// Errors: as of [`native::write()`] and [`flink::write()`].
pub fn write(
    target: &Target,
    state: &StateTable,
    made: &Provenance,
    on_existing: OnExisting,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, SavepointError> {
    match target.format {
        Format::Native => native::write(&target.dir, state, made, on_existing, cancelled),
        Format::Flink => flink::write(&target.dir, state, target.parallelism, on_existing, cancelled),
    }
}

/// Reads the savepoint or checkpoint in `dir`, whatever its format.
///
/// Errors: `NotASavepoint`, `Manifest`, `Columns`, `State`, `Damaged`, `Unfit`, `Storage`.
pub fn read(dir: &Location) -> Result<Contents, SavepointError> {
    match Format::of(dir)? {
        Format::Native => {
            let native::Whole { manifest, state, stream } = native::read(dir)?;
            Ok(Contents { state, stream, about: About::Native(Box::new(manifest)) })
        }
        Format::Flink => {
            let opened = flink::Opened::open(dir)?;
            let flink::Taken { mut entries, problems } = opened.take(false)?;
            if let Some(problem) = problems.into_iter().next() {
                return Err(SavepointError::Damaged { location: dir.clone(), problem });
            }
            let state = std::mem::take(&mut entries.state);
            let about = About::Flink(Box::new(opened), Box::new(entries));
            Ok(Contents { state, stream: Stream::default(), about })
        }
    }
}

/// Checks every byte of the savepoint in `dir`, whatever its format, and reports all that is wrong. What Flink writes has no
/// checksums (but where it is compressed), so a changed revision cannot be told from another.
///
/// Errors: `NotASavepoint`, `Manifest`, `State` and `Unfit`, since nothing can be checked then; `Storage`.
pub fn verify(dir: &Location) -> Result<Verified, SavepointError> {
    match Format::of(dir)? {
        Format::Native => {
            let native::Verified { manifest, problems } = native::verify(dir)?;
            let problems = problems.iter().map(Problem::to_string).collect();
            Ok(Verified { counts: manifest.counts, about: About::Native(Box::new(manifest)), problems })
        }
        Format::Flink => {
            let opened = flink::Opened::open(dir)?;
            let flink::Taken { entries, problems } = opened.take(true)?;
            let mut found = opened.missing()?;
            // What is missing was found twice.
            found.extend(problems.into_iter().filter(|problem| matches!(problem, Problem::Broken { .. })));
            let mut problems: Vec<_> = found.iter().map(Problem::to_string).collect();
            problems.extend(entries.odd_entries.iter().map(flink::Odd::to_string));
            let untold = entries.odd - entries.odd_entries.len() as u64;
            if untold > 0 {
                problems.push(format!("{untold} more keys or values are no revision of an entity"));
            }
            let counts = EntityKind::ALL.map(|kind| entries.state.count(kind));
            Ok(Verified { counts, about: About::Flink(Box::new(opened), Box::new(entries)), problems })
        }
    }
}

/// Deletes a savepoint of ours. Errors: `NotEmpty` where others' files are; `Storage`.
pub fn delete(target: &Target) -> Result<(), SavepointError> {
    match target.format {
        Format::Native => native::delete(&target.dir),
        Format::Flink => flink::delete(&target.dir),
    }
}

impl Contents {
    /// The state, if it is all there is of revisions; else the error `Unfit`.
    pub fn whole(self, dir: &Location) -> Result<Self, SavepointError> {
        if let About::Flink(_, entries) = &self.about
            && let Some(first) = entries.odd_entries.first().cloned()
        {
            let unfit = Unfit::Odd { count: entries.odd, first };
            return Err(SavepointError::Unfit { location: dir.clone(), unfit });
        }
        Ok(self)
    }
}

/// The message of an error and those of its causes.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
