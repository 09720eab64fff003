//! Which files a user means by one text.
//!
//! Promise: a file, a directory of part files, or a pattern such as `part-*.csv` becomes a sorted list, never empty.
//! Invariant: a file that exists under exactly the given name wins over its reading as a pattern.
//! Not here: patterns in the names of directories.

use crate::storage::{Location, StorageError, children, exists};

pub fn expand(text: &str) -> Result<Vec<Location>, StorageError> {
    let whole = Location::parse(text);
    if let Ok(location) = &whole
        && exists(location)?
    {
        return Ok(vec![location.clone()]);
    }
    let (dir, pattern) = text.rsplit_once('/').unwrap_or((".", text));
    let (meant, found) = if pattern.contains(['*', '?']) {
        let dir = Location::parse(if dir.is_empty() { "/" } else { dir })?;
        // Who asks for names that begin with `_` gets them; otherwise they are markers beside the data.
        let hidden = pattern.starts_with(['_', '.']);
        let keep = |name: &str| matches(pattern.as_bytes(), name.as_bytes()) && (hidden || !is_marker(name));
        (dir.join(pattern), inside(&dir, keep)?)
    } else {
        let dir = whole?;
        let found = match inside(&dir, |name| !is_marker(name)) {
            // It has no file of that name, and directories are nothing to it.
            Err(StorageError::NotListed { .. }) => Vec::new(),
            found => found?,
        };
        (dir, found)
    };
    if found.is_empty() { Err(StorageError::NotFound { location: meant }) } else { Ok(found) }
}

fn inside(dir: &Location, keep: impl Fn(&str) -> bool) -> Result<Vec<Location>, StorageError> {
    let mut found = children(dir)?;
    found.retain(|location| keep(location.file_name()));
    found.sort_by(|a, b| a.file_name().cmp(b.file_name()));
    Ok(found)
}

fn is_marker(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// Whether `name` matches `pattern`, in which `*` stands for any bytes and `?` for one character.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, name) || name.split_first().is_some_and(|(_, name)| matches(pattern, name))
        }
        (Some((b'?', rest)), Some((_, name))) => {
            // The bytes after the first one of a character belong to it.
            let more = name.iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
            matches(rest, &name[more..])
        }
        (Some((wanted, rest)), Some((byte, name))) => wanted == byte && matches(rest, name),
        _ => false,
    }
}
