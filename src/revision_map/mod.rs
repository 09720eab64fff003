//! Revision maps: files of `entity,revision` in and out.
//!
//! Promise: every line counts or is reported with its place; of several revisions of an entity the newest stays.
//! In -> out: CSV (plain, gzip, bzip2, Zstandard) or Parquet, one file or many parts <-> [`StateTable`].
//! Invariant: the fast reader gives, for any bytes, what the exact one gives; memory is the state's and a batch's.
//! Not here: which files are meant (see `storage::expand`), and where a revision map comes from.

mod blocks;
mod line;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use crate::columns::ColumnsError;
use crate::compression::Compression;
use crate::compression::source::DecodeError;
use crate::env::Env;
use crate::state::StateTable;
use crate::storage::{Location, StorageError};
use crate::wikibase::entity::{EntityIdError, RevisionError};

/// What a negative revision means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Negative {
    /// It is an error: upstream's map generator writes -1 where it could not read a version.
    #[default]
    Reject,
    /// The entity was deleted at that revision; upstream's state has this sign.
    Deleted,
}

/// What to do about a line that breaks a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadLine {
    /// Stop with an error.
    #[default]
    Stop,
    /// Leave it out, and report it.
    Skip,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What a negative revision means.
    pub negative: Negative,
    /// What to do about a line that breaks a rule.
    pub on_bad_line: OnBadLine,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct ReadStats {
    /// Files.
    pub files: u64,
    /// Lines or rows with something in them, without headers.
    pub lines: u64,
    /// Bytes of the files as they are stored.
    pub bytes_stored: u64,
    /// Bytes of text; 0 for Parquet.
    pub bytes_text: u64,
    /// Lines that name an entity which another line names too, with a newer revision or the same.
    pub duplicates: u64,
    /// Lines left out.
    pub skipped: u64,
    /// The first [`MAX_BAD_LINES`] lines left out, in order.
    pub bad_lines: Vec<BadLine>,
}

/// How many bad lines are kept to be shown; all are counted.
pub const MAX_BAD_LINES: usize = 1000;

/// A line that breaks a rule.
#[derive(Clone, Debug)]
pub struct BadLine {
    /// The file.
    pub location: Location,
    /// Where in it.
    pub place: Place,
    /// What stands where the entity should, cut to 60 characters.
    pub entity: String,
    /// The rule.
    pub rule: LineRule,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of text.
    Line {
        /// Its number, from 1.
        line: u64,
        /// The offset of its first byte in the decompressed text.
        offset: u64,
    },
    /// A row of a table, from 1.
    Row(u64),
}

/// What a line must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineRule {
    /// Two fields with one comma between them, perhaps in double quotes.
    #[error("a line is `entity,revision`")]
    Fields,
    /// A line has an end.
    #[error("a line has at most 65536 bytes")]
    Length,
    /// The first field is an entity id.
    #[error(transparent)]
    Entity(#[from] EntityIdError),
    /// The second field is a revision.
    #[error(transparent)]
    Revision(#[from] RevisionError),
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, place, entity, rule } = self;
        match place {
            Place::Line { line, offset } => write!(f, "{location}, line {line} (byte {offset}), `{entity}`: {rule}"),
            Place::Row(row) => write!(f, "{location}, row {row}, `{entity}`: {rule}"),
        }
    }
}

/// Why a revision map could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RevisionMapError {
    /// A line breaks a rule.
    #[error("{0}")]
    BadLine(Box<BadLine>),
    /// A file could not be decoded: it is truncated or corrupt.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The caller asked to stop.
    #[error("the revision map was cancelled")]
    Cancelled,
    /// A Parquet file is damaged or has other columns.
    #[error("a table cannot be read")]
    Columns(#[source] ColumnsError),
    /// There is something at the target.
    #[error("{location} already exists")]
    Exists {
        /// The target.
        location: Location,
    },
    /// The target directory holds files that are no part files.
    #[error("{location} holds other files, such as {found}")]
    NotEmpty {
        /// The directory.
        location: Location,
        /// One of the files.
        found: Location,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ColumnsError> for RevisionMapError {
    fn from(error: ColumnsError) -> Self {
        match error {
            ColumnsError::Storage(error) => Self::Storage(error),
            error => Self::Columns(error),
        }
    }
}

/// The form of a revision map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of `entity,revision`.
    Csv(Compression),
    /// The columns `entity` (text) and `revision` (64-bit number).
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Csv(Compression::Plain),
        Self::Csv(Compression::Gzip),
        Self::Csv(Compression::Bzip2),
        Self::Csv(Compression::Zstd),
        Self::Parquet,
    ];

    /// The form that a file name asks for: `.csv`, `.csv.gz`, `.csv.bz2`, `.csv.zst` or `.parquet`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| name.ends_with(&format.extension()))
    }

    /// What names of such files end in, with the dot.
    pub fn extension(self) -> String {
        match self {
            Self::Csv(compression) => format!(".csv{}", compression.extension()),
            Self::Parquet => ".parquet".to_owned(),
        }
    }
}

/// What to write of a deleted entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// Nothing.
    #[default]
    Omit,
    /// Its revision with a minus sign.
    Negative,
}

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// The form.
    pub format: Format,
    /// Into how many part files in a directory; `None` for one file.
    pub partitions: Option<u32>,
    /// What to write of deleted entities.
    pub deleted: Deleted,
    /// Whether to replace what is at the target.
    pub overwrite: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files with entities; at least 1.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entities in them.
    pub entities: u64,
    /// Deleted entities that were left out.
    pub omitted: u64,
}

/// Reads the revision map that all `files` together are. How each is compressed is told by its content.
///
/// A first line `entity,revision` is a header. Lines may end in CRLF, fields may be quoted, empty lines are ignored.
/// Errors: `BadLine` (the first one, unless they are to be skipped), `Decode`, `Columns`, `Storage`,
/// `Cancelled` when `env` says stop.
pub fn read(files: &[Location], options: &ReadOptions, env: &Env) -> Result<(StateTable, ReadStats), RevisionMapError> {
    read::read(files, options, env)
}

/// Whether [`write()`] would begin: looks, and changes nothing. Errors: `Exists`, `NotEmpty`, `Storage`.
pub fn check_target(target: &Location, options: &WriteOptions) -> Result<(), RevisionMapError> {
    write::survey(target, options).map(drop)
}

/// Deletes what [`write()`] wrote with these options.
pub fn delete(target: &Location, options: &WriteOptions) -> Result<(), RevisionMapError> {
    write::delete(target, options)
}

/// Writes `state` as a revision map, sorted by entity: into the file `target`, or into part files in the directory
/// `target` as Spark would name them, with an empty `_SUCCESS` beside them at the end.
///
/// Errors: `Exists`; `NotEmpty` where a directory holds more than part files; `Storage`; `Cancelled`.
pub fn write(
    target: &Location,
    state: &StateTable,
    options: &WriteOptions,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Written, RevisionMapError> {
    write::write(target, state, options, cancelled)
}
