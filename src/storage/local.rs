//! Paths of the local file system as paths of the store.
//!
//! Promise: any path a user can type finds the file that `ls` would find, whatever characters its name has.
//! Invariant: a name is taken literally, never percent-decoded, unless it stands in a `file://` URL.
//! Not here: reading and writing.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path as FilePath, PathBuf};
use std::time::UNIX_EPOCH;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::storage::StorageError;
use crate::wikibase::timestamp::Timestamp;

/// How many links are followed that lead to what does not exist.
const MOST_LINKS: u32 = 40;

/// The store's path of a path as typed.
pub fn path_of_text(text: &str) -> Result<Path, StorageError> {
    if text.is_empty() {
        return Err(bad(text, "it is empty"));
    }
    let absolute = std::path::absolute(text).map_err(|_| bad(text, "the current directory is not known"))?;
    let resolved = without_parents(&absolute).map_err(|_| bad(text, "a directory before `..` does not exist"))?;
    let path = Path::from_absolute_path(resolved);
    usable(text, path.map_err(|_| bad(text, "a control character is in its name"))?)
}

/// The store's path of a `file://` URL.
pub fn path_of_url(text: &str) -> Result<Path, StorageError> {
    const RULE: &str = "a file URL is written like file:///directory/name, with %23 for # and %3F for ?";
    let url = Url::parse(text).map_err(|_| bad(text, RULE))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(text, RULE));
    }
    let path = url.to_file_path().map_err(|()| bad(text, RULE))?;
    usable(text, Path::from_absolute_path(path).map_err(|_| bad(text, RULE))?)
}

/// Deletes the files in `dir` that have the store's names for what is not published yet of `ours`.
pub fn delete_unpublished(dir: &FilePath, ours: fn(&str) -> bool) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some((name, number)) = name.to_str().and_then(|name| name.rsplit_once('#')) else { continue };
        if ours(name)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && entry.file_type()?.is_file()
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What [`walk`] saw.
#[derive(Default)]
pub struct Walked {
    pub files: Vec<Found>,
    /// Directories that could not be read.
    pub unseen: Vec<(String, io::Error)>,
}

/// A file, by its name below where the walk began.
pub struct Found {
    pub name: String,
    pub size: u64,
    pub modified: Option<Timestamp>,
}

/// Every file below `root`, links followed, but each directory once. Errors: where `root` itself cannot be read.
pub fn walk(root: &FilePath) -> io::Result<Walked> {
    let mut walked = Walked::default();
    let mut seen = BTreeSet::new();
    // Directories behind links come last: what can be reached without them is known by its own name.
    let mut dirs = vec![String::new()];
    let mut linked = VecDeque::new();
    while let Some(dir) = dirs.pop().or_else(|| linked.pop_front()) {
        let path = root.join(&dir);
        let inside = path.metadata().and_then(|found| {
            let first = seen.insert((found.dev(), found.ino()));
            if first { std::fs::read_dir(&path)?.collect::<io::Result<Vec<_>>>() } else { Ok(Vec::new()) }
        });
        let inside = match inside {
            Ok(inside) => inside,
            Err(error) if dir.is_empty() => return Err(error),
            // It went away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                walked.unseen.push((dir, error));
                continue;
            }
        };
        for entry in inside {
            // A name that is no text is none that Flink or headwater gives.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            // Links that lead nowhere, and what went away meanwhile, are left out.
            let Ok(found) = entry.path().metadata() else { continue };
            if found.is_file() {
                let since = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
                walked.files.push(Found { name, size: found.len(), modified: millis.and_then(Timestamp::from_millis) });
            } else if found.is_dir() {
                if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                    linked.push_back(name);
                } else {
                    dirs.push(name);
                }
            }
        }
    }
    Ok(walked)
}

/// Deletes a directory, unless something is in it or it is not there.
pub fn delete_empty(dir: &FilePath) -> io::Result<()> {
    match std::fs::remove_dir(dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        done => done,
    }
}

/// The same path without `..`, resolved as the system does it: after links, so only what exists can stand before it.
fn without_parents(path: &FilePath) -> io::Result<PathBuf> {
    let parts: Vec<_> = path.components().collect();
    let Some(last) = parts.iter().rposition(|part| matches!(part, Component::ParentDir)) else {
        return Ok(path.to_owned());
    };
    let (before, after) = parts.split_at(last + 1);
    let before: PathBuf = before.iter().collect();
    Ok(before.canonicalize()?.join(after.iter().collect::<PathBuf>()))
}

/// The path in the file system of a path of the store's, unless the store keeps that name for itself.
pub fn path_in_file_system(path: &Path) -> Option<PathBuf> {
    LocalFileSystem::new().path_to_filesystem(path).ok()
}

/// Refuses names that the store keeps for files not yet published.
fn usable(text: &str, path: Path) -> Result<Path, StorageError> {
    if path.is_root() || path_in_file_system(&path).is_some() {
        return Ok(path);
    }
    Err(bad(text, "a file name cannot end in # and digits"))
}

/// An error about `text`, with a password in it left out.
pub fn bad(text: &str, rule: &'static str) -> StorageError {
    // A URL can carry a name and a password before the host.
    let shown = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    };
    StorageError::BadLocation { text: shown, rule }
}

/// The path with the links in it followed, also to what does not exist yet.
pub fn resolved(path: &FilePath) -> PathBuf {
    followed(path, MOST_LINKS)
}

fn followed(path: &FilePath, links: u32) -> PathBuf {
    let (parent, name) = match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(resolved), ..) => return resolved,
        (Err(_), Some(parent), Some(name)) => (followed(parent, links), name),
        _ => return path.to_owned(),
    };
    let path = parent.join(name);
    match path.read_link() {
        Ok(target) if links > 0 => followed(&parent.join(target), links - 1),
        _ => path,
    }
}
