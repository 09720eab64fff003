//! Which savepoints and checkpoints there are, and which one to restore from.
//!
//! Promise: every directory below a place that is one, or was to become one, is told, with what is wrong with it; so is what
//! could not be looked into. One that goes away meanwhile, as checkpoints do, or that cannot be read, is no reason to stop.
//! Invariant: reads only `_metadata` and sizes.
//! Not here: whether the bytes of the state are sound (see `verify`).

use std::collections::BTreeMap;

use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::flink::{Form, Keyed, Opened};
use crate::savepoint::{Format, METADATA, Problem, SavepointError, native, with_causes};
use crate::storage::{self, Entry, Location, Walk};
use crate::wikibase::timestamp::Timestamp;

/// A savepoint or checkpoint, complete or not.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its directory.
    pub dir: Location,
    /// What it is.
    pub kind: Kind,
    /// When `_metadata` was written, or the newest of its files.
    pub written: Option<Timestamp>,
    /// Bytes of all its files, of a checkpoint also of those that others name too.
    pub bytes: u64,
    /// What is wrong; nothing if it is complete.
    pub problems: Vec<String>,
}

/// What is below a directory.
#[derive(Clone, Debug)]
pub struct Listing {
    /// All savepoints and checkpoints, the oldest first.
    pub found: Vec<Listed>,
    /// What could not be looked into, and why.
    pub unseen: Vec<String>,
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our own savepoint.
    Native,
    /// A checkpoint of our own updater.
    Checkpoint(CheckpointId),
    /// Flink's savepoint or checkpoint.
    Flink {
        /// The number of the checkpoint.
        checkpoint: i64,
        /// Savepoint or checkpoint, if its properties tell.
        origin: Option<&'static str>,
        /// In which form the updater's state is; `None` if it has none.
        form: Option<Form>,
    },
    /// No valid `_metadata`.
    Unknown,
}

impl Listed {
    /// Whether `_metadata` is valid, and all files that it names are there.
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty()
    }
}

/// All that is below `root`. Errors: `Storage`, where `root` itself cannot be looked into.
pub fn list(root: &Location) -> Result<Listing, SavepointError> {
    let mut dirs: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let Walk { entries, unseen } = storage::walk(root)?;
    for entry in entries {
        let name = entry.location.relative_to(root).unwrap_or_default();
        dirs.entry(savepoint_of(&name).to_owned()).or_default().push(entry);
    }
    let mut listed = Vec::new();
    for (name, files) in dirs {
        let dir = if name.is_empty() { root.clone() } else { root.join(&name) };
        let metadata = files.iter().find(|file| file.location.file_name() == METADATA);
        if let Some(metadata) = metadata {
            let (kind, bytes, problems) = look(&dir);
            listed.push(Listed { dir, kind, written: metadata.modified, bytes, problems });
        } else if is_one(&name) {
            let written = files.iter().filter_map(|file| file.modified).max();
            let bytes = files.iter().map(|file| file.size).sum();
            let problems = vec!["it has no _metadata: it was never completed".to_owned()];
            listed.push(Listed { dir, kind: Kind::Unknown, written, bytes, problems });
        }
    }
    listed.sort_by_key(|found| (found.written, found.number()));
    Ok(Listing { found: listed, unseen: unseen.iter().map(|error| with_causes(error)).collect() })
}

/// The newest that is complete and of an updater, among those of [`list`].
pub fn newest(listed: &[Listed]) -> Option<&Listed> {
    listed.iter().rfind(|found| found.is_complete() && !matches!(found.kind, Kind::Flink { form: None, .. }))
}

impl Listed {
    fn number(&self) -> i64 {
        match self.kind {
            Kind::Flink { checkpoint, .. } => checkpoint,
            Kind::Checkpoint(id) => i64::try_from(id.number()).unwrap_or(i64::MAX),
            Kind::Native | Kind::Unknown => 0,
        }
    }
}

/// The directory of the savepoint that a file belongs to: its own, or the one around our `state`.
fn savepoint_of(file: &str) -> &str {
    let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
    match dir.rsplit_once('/').unwrap_or(("", dir)) {
        (around, "state") if name != METADATA => around,
        _ => dir,
    }
}

/// Whether a directory has a name that Flink, or our updater, gives to what becomes a checkpoint or a savepoint.
fn is_one(dir: &str) -> bool {
    let name = dir.rsplit('/').next().unwrap_or_default();
    name.starts_with("savepoint-")
        || CheckpointId::of_dir(name).is_some()
        || name
            .strip_prefix("chk-")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn look(dir: &Location) -> (Kind, u64, Vec<String>) {
    let looked = Format::of(dir).and_then(|format| match format {
        Format::Native => native::inspect(dir).and_then(|manifest| {
            let kind = manifest.checkpoint.map_or(Kind::Native, Kind::Checkpoint);
            Ok((kind, manifest.size().1, native::missing(dir, &manifest)?))
        }),
        Format::Flink => Opened::open(dir).and_then(|opened| {
            let metadata = &opened.metadata;
            // Without an entity there are no bytes, whatever the form.
            let form_of = |keyed: &[Keyed]| keyed.first().map_or(Form::Canonical, |keyed| keyed.form);
            let form = metadata.decide().map(|operator| form_of(&operator.keyed));
            let kind = Kind::Flink { checkpoint: metadata.checkpoint, origin: metadata.origin(), form };
            Ok((kind, opened.size().0, opened.missing()?))
        }),
    });
    match looked {
        Ok((kind, bytes, problems)) => (kind, bytes, problems.iter().map(Problem::to_string).collect()),
        Err(error) => (Kind::Unknown, 0, vec![with_causes(&error)]),
    }
}
