//! Names of places.
//!
//! Promise: a text as people type it becomes a [`Location`] in its store, or an error says which rule it breaks.
//! Invariant: a location never leads out of what it was joined to, and what it displays holds no secret.
//! Not here: whether anything is there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::{Path, PathPart};
use url::Url;

use crate::storage::error::StorageError;
use crate::storage::local;
use crate::storage::store::{Kind, Store};

/// A place where a file or a directory is or could be. Cheap to clone.
#[derive(Clone)]
pub struct Location {
    store: Arc<Store>,
    path: Path,
    text: Arc<str>,
}

/// A place as an engine that does its own reading asks for it.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where to read.
    pub store: Arc<dyn ObjectStore>,
    /// What to read, below a scheme and host that no other store here has.
    pub url: Url,
}

impl Location {
    /// Reads what a user typed: a path, relative or absolute, or a URL: `file:///…`, `hdfs://NAMENODE/…` (also `viewfs`; without
    /// a name node the default file system of Hadoop's configuration), `s3://BUCKET/…`, `swift://CONTAINER.SERVICE/…`,
    /// `http://…` and `https://…` (read only), `memory:…` (gone with the process).
    ///
    /// A path is taken as it stands (`~`, `%20` and `*` are ordinary characters), also in a URL, but for those of `file` and
    /// HTTP, in which `%20` is a space. Nothing is asked of the store yet.
    /// Errors: `NotSupported` for another scheme, `BadLocation` for what can name no file, `NotSetUp` for a store that is not
    /// known well enough to be reached.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        match scheme(text) {
            None if lacks_slashes(text) => Err(local::bad(
                text,
                "a URL has two slashes behind the colon; a path that looks like one is written with ./ before",
            )),
            None => Ok(Self { store: Store::local(), path: local::path_of_text(text)?, text: text.into() }),
            Some("file") => {
                let path = local::path_of_url(text)?;
                Ok(Self { store: Store::local(), text: format!("/{path}").into(), path })
            }
            Some(scheme) => Self::in_store(text, scheme),
        }
    }

    /// The root of a new, empty store in memory. It lives as long as its locations do.
    pub fn memory() -> Self {
        Self { store: Store::memory(), path: Path::ROOT, text: "memory:".into() }
    }

    /// The root of a store that is made for tests.
    #[cfg(test)]
    pub(super) fn root_of(store: Arc<Store>) -> Self {
        Self { store, path: Path::ROOT, text: "memory:".into() }
    }

    /// A URL of another store than the file system.
    fn in_store(text: &str, scheme: &str) -> Result<Self, StorageError> {
        let Some(kind) = Kind::of_scheme(scheme) else {
            return Err(StorageError::NotSupported { scheme: scheme.to_owned() });
        };
        let text = text.trim_end_matches('/');
        let after = &text[scheme.len() + 1..];
        let (authority, path) = match after.strip_prefix("//") {
            Some(after) => after.split_once('/').unwrap_or((after, "")),
            None => ("", after.trim_start_matches('/')),
        };
        let bad = |rule| local::bad(text, rule);
        if authority.contains('@') {
            return Err(bad("names and passwords come from the environment, never from a location"));
        }
        if authority.is_empty() && !matches!(kind, Kind::Hdfs | Kind::Memory) {
            return Err(bad("the host, bucket or container is missing after the `//`"));
        }
        if kind == Kind::Hdfs && path.contains(':') {
            return Err(bad("HDFS has no names with a colon"));
        }
        let path = if kind == Kind::Http { http_path(text).map_err(bad)? } else { literal(path).map_err(bad)? };
        Ok(Self { store: Store::open(kind, scheme, authority)?, path, text: text.into() })
    }

    /// What is called `name` below this directory; `name` may hold `/`. It can never lead out of the directory.
    pub fn join(&self, name: &str) -> Self {
        let parts = name.split('/').filter(|part| !part.is_empty());
        // `parse` takes a name literally; what it refuses (such as `..`) is percent-encoded into a harmless name.
        let part = |name| PathPart::parse(name).unwrap_or_else(|_| PathPart::from(name));
        let path = parts.fold(self.path.clone(), |path, name| path.join(part(name)));
        let text = format!("{}/{name}", self.text.strip_suffix('/').unwrap_or(&self.text));
        Self { store: Arc::clone(&self.store), path, text: text.into() }
    }

    /// The directory that this is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let name = self.path.filename()?;
        let mut parts: Vec<_> = self.path.parts().collect();
        parts.pop();
        let path: Path = parts.into_iter().collect();
        // As the user wrote it, if what he wrote tells.
        let text = match self.text.trim_end_matches('/').strip_suffix(name).and_then(|text| text.strip_suffix('/')) {
            Some(text) if !text.is_empty() => text.into(),
            _ if self.store.kind == Kind::Local => format!("/{path}").into(),
            _ => path.to_string().into(),
        };
        Some(Self { store: Arc::clone(&self.store), path, text })
    }

    /// The last part of the path; empty for the root.
    pub fn file_name(&self) -> &str {
        self.path.filename().unwrap_or_default()
    }

    /// Its name as seen from the directory `dir`, with `/` between the parts, if it is below it.
    pub fn relative_to(&self, dir: &Self) -> Option<String> {
        let parts: Vec<_> = self.path.prefix_match(&dir.path)?.map(|part| part.as_ref().to_owned()).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    /// Whether one of the two is the other or lies within it, links in the file system followed.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.local(), other.local()) {
            (Some(a), Some(b)) => {
                let (a, b) = (local::resolved(&a), local::resolved(&b));
                a.starts_with(&b) || b.starts_with(&a)
            }
            _ if !Arc::ptr_eq(&self.store, &other.store) => false,
            _ => self.path.prefix_matches(&other.path) || other.path.prefix_matches(&self.path),
        }
    }

    /// The store and the URL of this file; of this directory, if `is_dir`.
    pub fn served(&self, is_dir: bool) -> Served {
        let root = match self.store.kind {
            Kind::Local => "file:///".to_owned(),
            _ => format!("store://{:x}/", Arc::as_ptr(&self.store).addr()),
        };
        let mut url = Url::parse(&root).expect("these roots are URLs");
        let parts = self.path.parts().map(|part| part.as_ref().to_owned());
        let end = is_dir.then(String::new);
        url.path_segments_mut().expect("these roots have paths").clear().extend(parts.chain(end));
        Served { store: Arc::clone(&self.store.objects), url }
    }

    /// The path in the file system, where this is one.
    pub fn local(&self) -> Option<PathBuf> {
        match self.store.kind {
            Kind::Local if self.path.is_root() => Some(PathBuf::from("/")),
            Kind::Local => local::path_in_file_system(&self.path),
            _ => None,
        }
    }

    /// Whether files can be moved there at no cost, and a directory can be locked. Elsewhere files are written where they stay.
    pub fn has_names(&self) -> bool {
        matches!(self.store.kind, Kind::Local | Kind::Memory)
    }

    /// Whether what is there is gone when this process ends.
    pub fn ends_with_process(&self) -> bool {
        self.store.kind == Kind::Memory
    }

    /// The path in its store.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its store.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Its store, as the crate's.
    pub(super) fn objects(&self) -> &dyn ObjectStore {
        self.store.objects.as_ref()
    }

    /// The place at `path` in the same store, which is in the directory `self`.
    pub(super) fn below(&self, path: Path) -> Self {
        let name = path.as_ref().strip_prefix(self.path.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/');
        let text = format!("{}/{name}", self.text.strip_suffix('/').unwrap_or(&self.text));
        Self { store: Arc::clone(&self.store), text: text.into(), path }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.text)
    }
}

/// A path as it stands in a URL, nothing decoded.
fn literal(path: &str) -> Result<Path, &'static str> {
    Path::parse(path).map_err(|_| "a name in it is empty, `.`, `..`, or has a control character")
}

fn http_path(text: &str) -> Result<Path, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no URL")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a URL with `?` or `#` names no file: download it first, or write %3F and %23");
    }
    Path::from_url_path(url.path()).map_err(|_| "a name in it is empty, `.` or `..`")
}

/// Whether it begins as the URL of a store does, but for the slashes.
fn lacks_slashes(text: &str) -> bool {
    let known = text.split_once(':').and_then(|(scheme, rest)| Some((Kind::of_scheme(scheme)?, rest)));
    known.is_some_and(|(_, rest)| !rest.starts_with("//"))
}

/// The scheme of a URL: letters before `://`, or `file:` and `memory:`. A path has none.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_url = (rest.starts_with("//") || matches!(scheme, "file" | "memory")) && scheme.len() > 1;
    (is_url && scheme.bytes().all(allowed)).then_some(scheme)
}
