//! Paths of the local file system as paths of the store.
//!
//! Promise: any path a user can type finds the file that `ls` would find, whatever characters its name has.
//! Invariant: a name is taken literally, never percent-decoded, unless it stands in a `file://` URL.
//! Not here: reading and writing.

use std::io;
use std::path::{Component, Path as FilePath, PathBuf};

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::storage::StorageError;

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

/// Refuses names that the store keeps for files not yet published.
fn usable(text: &str, path: Path) -> Result<Path, StorageError> {
    if path.is_root() || LocalFileSystem::new().path_to_filesystem(&path).is_ok() {
        return Ok(path);
    }
    Err(bad(text, "a file name cannot end in # and digits"))
}

fn bad(text: &str, rule: &'static str) -> StorageError {
    // A URL can carry a name and a password before the host.
    let shown = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    };
    StorageError::BadLocation { text: shown, rule }
}

/// The path with the links in it followed, as far as it exists.
pub fn resolved(path: &FilePath) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(resolved), ..) => resolved,
        (Err(_), Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path.to_owned(),
    }
}
