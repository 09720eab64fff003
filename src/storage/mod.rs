//! Where bytes are kept: the one door to files and, later, to other stores.
//!
//! Promise: a thing is read in exact ranges and published whole; a reader sees all of it or none.
//! In -> out: a text as people type it -> [`Location`] -> [`Blob`] to read, [`Writer`] or [`put`] to write.
//! Invariant: callers are plain threads (nothing here may be called from `async` code); no secret is ever displayed.
//! Not here: what the bytes mean. And no flush to the disk itself: a published file survives a killed process, not
//! always a power cut.

mod glob;
mod local;
pub mod scratch;
pub mod sequential;
pub mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use std::error::Error;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::{Path, PathPart};
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode};
use tokio::runtime::Runtime;
use url::Url;

use crate::wikibase::timestamp::Timestamp;

/// A place where a file or a directory is or could be. Cheap to clone.
#[derive(Clone)]
pub struct Location {
    store: Store,
    path: Path,
    text: Arc<str>,
}

/// A kind of store; a new one is one variant here and one arm in [`Location::parse`].
#[derive(Clone)]
enum Store {
    Local(Arc<LocalFileSystem>),
    Memory(Arc<InMemory>),
}

/// A place as an engine that does its own reading asks for it.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where to read.
    pub store: Arc<dyn ObjectStore>,
    /// What to read, below a scheme and host that no other store here has.
    pub url: Url,
}

/// Why storage could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The text is no location.
    #[error("`{text}` is no location: {rule}")]
    BadLocation {
        /// What was given, without a password.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A URL of a scheme that no store here understands.
    #[error("locations of the scheme `{scheme}` are not supported: give a path or a file:// URL")]
    NotSupported {
        /// The part of the URL before the colon.
        scheme: String,
    },
    /// Nothing is there.
    #[error("nothing found at {location}")]
    NotFound {
        /// Where.
        location: Location,
    },
    /// Something is there already.
    #[error("{location} already exists")]
    AlreadyExists {
        /// Where.
        location: Location,
    },
    /// Another process is writing there.
    #[error("another process is writing to {location}")]
    InUse {
        /// The directory.
        location: Location,
    },
    /// A directory, a pipe or a device is where a file is needed.
    #[error("{location} is not a regular file")]
    NotAFile {
        /// Where.
        location: Location,
    },
    /// A file is where a directory is needed.
    #[error("{location} is no directory, or is within what is none")]
    NotADirectory {
        /// Where.
        location: Location,
    },
    /// The file is shorter than the bytes that were asked for: it was cut, or something that describes it lies.
    #[error("{location} ends before byte {end}")]
    TooShort {
        /// Where.
        location: Location,
        /// The byte after the last one asked for.
        end: u64,
    },
    /// The store refused or failed: no permission, full disk, I/O error. A later try may succeed.
    #[error("could not {action} {location}")]
    Unavailable {
        /// Where.
        location: Location,
        /// What was being done, as a verb.
        action: &'static str,
        /// The reason; an [`io::Error`] wherever there was one.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// One file in a listing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is.
    pub location: Location,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last, as the store says.
    pub modified: Option<Timestamp>,
}

impl Location {
    /// Reads what a user typed: a path, relative or absolute, or a `file://` URL.
    ///
    /// A path is taken as it stands (`~`, `%20` and `*` are ordinary characters).
    /// Errors: `NotSupported` for another scheme, `BadLocation` for what can name no file.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let path = match scheme(text) {
            None => local::path_of_text(text)?,
            Some("file") => local::path_of_url(text)?,
            Some(scheme) => return Err(StorageError::NotSupported { scheme: scheme.to_owned() }),
        };
        let shown = if scheme(text).is_some() { format!("/{path}") } else { text.to_owned() };
        Ok(Self { store: Store::Local(Arc::new(LocalFileSystem::new())), path, text: shown.into() })
    }

    /// The root of a new, empty store in memory. It lives as long as its locations do.
    pub fn memory() -> Self {
        Self { store: Store::Memory(Arc::new(InMemory::new())), path: Path::ROOT, text: "memory:".into() }
    }

    /// What is called `name` below this directory; `name` may hold `/`. It can never lead out of the directory.
    pub fn join(&self, name: &str) -> Self {
        let parts = name.split('/').filter(|part| !part.is_empty());
        // `parse` takes a name literally; what it refuses (such as `..`) is percent-encoded into a harmless name.
        let part = |name| PathPart::parse(name).unwrap_or_else(|_| PathPart::from(name));
        let path = parts.fold(self.path.clone(), |path, name| path.join(part(name)));
        let text = format!("{}/{name}", self.text.strip_suffix('/').unwrap_or(&self.text));
        Self { store: self.store.clone(), path, text: text.into() }
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
            (None, None) => self.path.prefix_matches(&other.path) || other.path.prefix_matches(&self.path),
            _ => false,
        }
    }

    /// The store and the URL of this file; of this directory, if `is_dir`.
    pub fn served(&self, is_dir: bool) -> Served {
        let (store, root): (Arc<dyn ObjectStore>, _) = match &self.store {
            Store::Local(store) => (store.clone(), "file:///".to_owned()),
            Store::Memory(store) => (store.clone(), format!("memory://{:x}/", Arc::as_ptr(store).addr())),
        };
        let mut url = Url::parse(&root).expect("these roots are URLs");
        let parts = self.path.parts().map(|part| part.as_ref().to_owned());
        let end = is_dir.then(String::new);
        url.path_segments_mut().expect("these roots have paths").clear().extend(parts.chain(end));
        Served { store, url }
    }

    fn at(&self, dir: &Self, path: Path) -> Self {
        let name = path.as_ref().strip_prefix(dir.path.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/');
        let text = format!("{}/{name}", dir.text.strip_suffix('/').unwrap_or(&dir.text));
        Self { store: self.store.clone(), text: text.into(), path }
    }

    fn objects(&self) -> &dyn ObjectStore {
        match &self.store {
            Store::Local(store) => store.as_ref(),
            Store::Memory(store) => store.as_ref(),
        }
    }

    /// The path in the file system, where this is one.
    pub fn local(&self) -> Option<PathBuf> {
        match &self.store {
            Store::Local(_) if self.path.is_root() => Some(PathBuf::from("/")),
            Store::Local(store) => store.path_to_filesystem(&self.path).ok(),
            Store::Memory(_) => None,
        }
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

/// A stored file, open for reading in any order from any number of threads.
#[derive(Debug)]
pub struct Blob {
    location: Location,
    size: u64,
    /// Local files are read directly: half the time of a read through the store, which opens the file for each range.
    file: Option<File>,
}

impl Blob {
    /// Opens the file at `location`. Errors: `NotFound`; `NotAFile` for a directory or a pipe; `Unavailable`.
    pub fn open(location: &Location) -> Result<Self, StorageError> {
        let location = location.clone();
        let Some(path) = location.local() else {
            let head = location.objects().head(&location.path);
            let size = wait(&location, "open", head)?.size;
            return Ok(Self { location, size, file: None });
        };
        // Looked at before it is opened, because to open a pipe is to wait for its other end.
        let kind = std::fs::metadata(&path).map_err(|error| failed_io(&location, "open", error))?;
        if !kind.is_file() {
            return Err(StorageError::NotAFile { location });
        }
        let file = File::open(&path).map_err(|error| failed_io(&location, "open", error))?;
        Ok(Self { location, size: kind.len(), file: Some(file) })
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The bytes of `range`, all of them. Errors: `TooShort` beyond the end; `Unavailable`.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        let len = range.end.saturating_sub(range.start);
        let len = usize::try_from(len).ok().filter(|_| range.end <= self.size && range.start <= range.end);
        let len = len.ok_or_else(|| self.too_short(range.end))?;
        if len == 0 {
            return Ok(Bytes::new());
        }
        let Some(file) = &self.file else {
            let options = GetOptions::new().with_range(Some(range.clone()));
            let get = async { self.location.objects().get_opts(&self.location.path, options).await?.bytes().await };
            let bytes = wait(&self.location, "read", get)?;
            return if bytes.len() == len { Ok(bytes) } else { Err(self.too_short(range.end)) };
        };
        let mut bytes = vec![0; len];
        match file.read_exact_at(&mut bytes, range.start) {
            Ok(()) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.too_short(range.end)),
            Err(error) => Err(failed_io(&self.location, "read", error)),
        }
    }

    fn too_short(&self, end: u64) -> StorageError {
        StorageError::TooShort { location: self.location.clone(), end }
    }
}

/// A file being written, in bounded memory; it appears at its location when [`Writer::finish`] returns, not before.
///
/// Dropped before that, it leaves nothing behind.
pub struct Writer {
    location: Location,
    upload: writer::Upload,
}

impl Writer {
    /// Begins a file at `location`, replacing what is there when finished. Parent directories are made.
    ///
    /// Errors: `NotAFile` where a directory is; `Unavailable`.
    pub fn create(location: &Location) -> Result<Self, StorageError> {
        refuse_special(location)?;
        Ok(Self { location: location.clone(), upload: writer::Upload::begin(location)? })
    }

    /// Writes `bytes` behind what is written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.upload.write(&self.location, bytes)
    }

    /// As [`Writer::append`], without a copy: for what is large.
    pub fn give(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.upload.give(&self.location, bytes)
    }

    /// Publishes the file; returns its size in bytes.
    pub fn finish(self) -> Result<u64, StorageError> {
        self.upload.finish(&self.location)
    }

    /// Where the file will be.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl io::Write for Writer {
    /// Errors carry a [`StorageError`] as their source.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every file in the directory `dir` and below it, sorted by name; none where there is no such directory.
pub fn list(dir: &Location) -> Result<Vec<Entry>, StorageError> {
    let listing = dir.objects().list(Some(&dir.path)).try_collect::<Vec<_>>();
    let mut found = wait(dir, "list", listing)?;
    found.sort_by(|a, b| a.location.cmp(&b.location));
    let entry = |meta: ObjectMeta| Entry {
        location: dir.at(dir, meta.location),
        size: meta.size,
        modified: Timestamp::from_millis(meta.last_modified.timestamp_millis()),
    };
    Ok(found.into_iter().map(entry).collect())
}

/// What is below a directory, as far as it can be seen.
#[derive(Debug, Default)]
pub struct Walk {
    /// Every file, sorted by name.
    pub entries: Vec<Entry>,
    /// Why the rest was not seen.
    pub unseen: Vec<StorageError>,
}

/// As [`list`], but goes on where a directory cannot be read, and into each directory once, however many links lead to it: by
/// a way without links, if there is one. Errors: as of [`list`], for `dir` itself.
pub fn walk(dir: &Location) -> Result<Walk, StorageError> {
    let Some(path) = dir.local() else { return Ok(Walk { entries: list(dir)?, unseen: Vec::new() }) };
    let found = match local::walk(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Walk::default()),
        found => found.map_err(|error| failed_io(dir, "list", error))?,
    };
    let mut walk = Walk::default();
    for local::Found { name, size, modified } in found.files {
        walk.entries.push(Entry { location: dir.join(&name), size, modified });
    }
    walk.entries.sort_by(|a, b| a.location.path.cmp(&b.location.path));
    walk.unseen = found.unseen.into_iter().map(|(name, error)| failed_io(&dir.join(&name), "list", error)).collect();
    Ok(walk)
}

/// The files a user means by `text`: one file, all files right inside a directory, or all that match `*` and `?` in the
/// last part of the path. Sorted by name; names that begin with `_` or `.` (markers, checksums) only if asked for.
///
/// Errors: as of [`Location::parse`]; `NotFound` where nothing is meant.
pub fn expand(text: &str) -> Result<Vec<Location>, StorageError> {
    glob::expand(text)
}

/// Whether a file is stored at `location`; a directory is none.
pub fn exists(location: &Location) -> Result<bool, StorageError> {
    if let Some(path) = location.local() {
        return match std::fs::metadata(path) {
            Ok(found) => Ok(!found.is_dir()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed_io(location, "look at", error)),
        };
    }
    match wait(location, "look at", location.objects().head(&location.path)) {
        Ok(_) => Ok(true),
        Err(StorageError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stores `bytes` at `location` at once, replacing what is there.
pub fn put(location: &Location, bytes: Bytes) -> Result<(), StorageError> {
    refuse_special(location)?;
    let put = location.objects().put(&location.path, bytes.into());
    wait(location, "write", put).map(drop)
}

/// Stores `bytes` at `location` at once, unless something is there: then `AlreadyExists`, and nothing changes.
pub fn create_new(location: &Location, bytes: Bytes) -> Result<(), StorageError> {
    let put = location.objects().put_opts(&location.path, bytes.into(), PutMode::Create.into());
    wait(location, "write", put).map(drop)
}

/// Deletes the file at `location`. Errors: `NotFound` where none is.
pub fn delete(location: &Location) -> Result<(), StorageError> {
    // Stores differ in whether it is an error to delete what is not there; callers see one behaviour.
    if !exists(location)? {
        return Err(StorageError::NotFound { location: location.clone() });
    }
    wait(location, "delete", location.objects().delete(&location.path))
}

/// Moves a file, replacing what is there. In a store without names of its own for moved files this copies.
/// Errors: `NotFound` where none is.
pub fn rename(from: &Location, to: &Location) -> Result<(), StorageError> {
    if !exists(from)? {
        return Err(StorageError::NotFound { location: from.clone() });
    }
    wait(from, "move", from.objects().rename(&from.path, &to.path))
}

/// Deletes a directory that is empty, where directories are things of their own.
pub fn delete_empty(dir: &Location) -> Result<(), StorageError> {
    match dir.local() {
        Some(path) => local::delete_empty(&path).map_err(|error| failed_io(dir, "delete", error)),
        None => Ok(()),
    }
}

/// Deletes what killed writers left unpublished of files of `ours` right inside the directory `dir`. Nobody may be writing
/// there.
pub fn delete_unpublished(dir: &Location, ours: fn(&str) -> bool) -> Result<(), StorageError> {
    match dir.local() {
        Some(path) => local::delete_unpublished(&path, ours).map_err(|error| failed_io(dir, "clean up", error)),
        None => Ok(()),
    }
}

/// The sole right to write to a directory, held until dropped, even by being killed.
pub struct Claim {
    _locked: Option<File>,
}

/// Makes the directory `dir` if need be and claims it. Errors: `InUse`. Stores in memory have one process and no claims.
pub fn claim(dir: &Location) -> Result<Claim, StorageError> {
    let Some(path) = dir.local() else { return Ok(Claim { _locked: None }) };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => StorageError::NotADirectory { location: dir.clone() },
        _ => failed_io(dir, "make", error),
    };
    std::fs::create_dir_all(&path).map_err(failed)?;
    let opened = File::open(&path).map_err(failed)?;
    match opened.try_lock() {
        Ok(()) => Ok(Claim { _locked: Some(opened) }),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { location: dir.clone() }),
        Err(TryLockError::Error(error)) => Err(failed_io(dir, "lock", error)),
    }
}

/// The files right inside the directory `dir`, in no order.
fn children(dir: &Location) -> Result<Vec<Location>, StorageError> {
    let found = wait(dir, "list", dir.objects().list_with_delimiter(Some(&dir.path)))?;
    Ok(found.objects.into_iter().map(|meta| dir.at(dir, meta.location)).collect())
}

/// A directory, a pipe or a device would be replaced by a file, not written to.
fn refuse_special(location: &Location) -> Result<(), StorageError> {
    let special = |path: PathBuf| path.metadata().is_ok_and(|found| !found.is_file());
    match location.local().is_some_and(special) {
        true => Err(StorageError::NotAFile { location: location.clone() }),
        false => Ok(()),
    }
}

/// The scheme of a URL: letters before `://`, or `file:`. A path has none.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_url = (rest.starts_with("//") || scheme == "file") && scheme.len() > 1;
    (is_url && scheme.bytes().all(allowed)).then_some(scheme)
}

/// Runs `work` to its end; `action` says in errors what was being done.
fn wait<T>(
    location: &Location,
    action: &'static str,
    work: impl Future<Output = object_store::Result<T>>,
) -> Result<T, StorageError> {
    start(location)?.block_on(work).map_err(|error| failed(location, action, error))
}

fn start(location: &Location) -> Result<&'static Runtime, StorageError> {
    runtime().map_err(|error| failed_io(location, "start threads for", copy(error)))
}

fn runtime() -> Result<&'static Runtime, &'static io::Error> {
    static RUNTIME: LazyLock<io::Result<Runtime>> =
        LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("storage").build());
    RUNTIME.as_ref()
}

fn failed(location: &Location, action: &'static str, error: object_store::Error) -> StorageError {
    let location = location.clone();
    match error {
        object_store::Error::NotFound { .. } => StorageError::NotFound { location },
        object_store::Error::AlreadyExists { .. } => StorageError::AlreadyExists { location },
        error => match root(&error) {
            Some(root) if root.kind() == io::ErrorKind::NotADirectory => StorageError::NotADirectory { location },
            Some(root) => StorageError::Unavailable { location, action, source: copy(root).into() },
            None => StorageError::Unavailable { location, action, source: error.into() },
        },
    }
}

fn failed_io(location: &Location, action: &'static str, error: io::Error) -> StorageError {
    let location = location.clone();
    match error.kind() {
        io::ErrorKind::NotFound => StorageError::NotFound { location },
        io::ErrorKind::NotADirectory => StorageError::NotADirectory { location },
        _ => StorageError::Unavailable { location, action, source: error.into() },
    }
}

/// The I/O error that an error of the store wraps. The store's own words repeat their cause; it is told once here.
fn root(error: &object_store::Error) -> Option<&io::Error> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<io::Error>())
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
