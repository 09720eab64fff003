//! Where bytes are kept: the one door to files and to other stores.
//!
//! Promise: a thing is read in exact ranges and published whole; a reader sees all of it or none.
//! In -> out: a text as people type it -> [`Location`] -> [`Blob`] to read, [`Writer`] or [`put`] to write.
//! Invariant: callers are plain threads (nothing here may be called from `async` code); no secret is ever displayed.
//! Not here: what the bytes mean. And no flush to the disk itself: a published file survives a killed process, not
//! always a power cut.

mod ahead;
pub mod appended;
mod blob;
mod claim;
mod error;
#[cfg(test)]
pub mod faulty;
mod glob;
mod local;
mod location;
pub mod scratch;
mod secrets;
pub mod sequential;
pub mod server;
mod store;
mod swift;
pub mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http::Extensions;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions};
use tokio::runtime::Runtime;

use crate::wikibase::timestamp::Timestamp;

pub use blob::Blob;
pub use claim::{Attempt, Claim, claim};
pub use error::StorageError;
use error::{copy, failed, failed_io};
pub use location::{Location, Served};
use store::{Kind, PATIENCE};

/// Pauses before what failed in HDFS is tried again: a data node may be lost, and the name node take a while to see it.
const HDFS_PAUSES: &[Duration] = &[Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

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
    /// Errors: `NotAFile` where a directory is; `ReadOnly`; `Unavailable`.
    pub fn create(location: &Location) -> Result<Self, StorageError> {
        refuse_read_only(location)?;
        refuse_special(location)?;
        Ok(Self { location: location.clone(), upload: writer::Upload::begin(location, Extensions::new())? })
    }

    /// As [`Writer::create`], where nothing is, as the caller knows: a store is not asked.
    pub fn create_fresh(location: &Location) -> Result<Self, StorageError> {
        refuse_read_only(location)?;
        refuse_special_file(location)?;
        Ok(Self { location: location.clone(), upload: writer::Upload::begin(location, fresh())? })
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

/// Every file in the directory `dir` and below it, sorted by name; none where there is no such directory, nor on a web server,
/// which does not tell what it has.
pub fn list(dir: &Location) -> Result<Vec<Entry>, StorageError> {
    if dir.store().kind == Kind::Http {
        return Ok(Vec::new());
    }
    let mut found = published_or_not(dir)?;
    found.retain(|meta| unpublished(dir, meta.location.filename().unwrap_or_default()).is_none());
    found.sort_by(|a, b| a.location.cmp(&b.location));
    let entry = |meta: ObjectMeta| Entry {
        location: dir.below(meta.location),
        size: meta.size,
        modified: Timestamp::from_millis(meta.last_modified.timestamp_millis()),
    };
    Ok(found.into_iter().map(entry).collect())
}

/// As [`list`], with what killed writers left.
fn published_or_not(dir: &Location) -> Result<Vec<ObjectMeta>, StorageError> {
    wait_again(dir, "list", || dir.objects().list(Some(dir.path())).try_collect::<Vec<_>>())
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
/// a way without links, if there is one. Errors: as of [`list`], for `dir` itself; `NotListed` on a web server.
pub fn walk(dir: &Location) -> Result<Walk, StorageError> {
    refuse_unlisted(dir)?;
    let Some(path) = dir.local() else { return Ok(Walk { entries: list(dir)?, unseen: Vec::new() }) };
    let found = match local::walk(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Walk::default()),
        found => found.map_err(|error| failed_io(dir, "list", error))?,
    };
    let mut walk = Walk::default();
    for local::Found { name, size, modified } in found.files {
        walk.entries.push(Entry { location: dir.join(&name), size, modified });
    }
    walk.entries.sort_by(|a, b| a.location.path().cmp(b.location.path()));
    walk.unseen = found.unseen.into_iter().map(|(name, error)| failed_io(&dir.join(&name), "list", error)).collect();
    Ok(walk)
}

/// The files a user means by `text`: one file, all files right inside a directory, or all that match `*` and `?` in the
/// last part of the path. Sorted by name; names that begin with `_` or `.` (markers, checksums) only if asked for.
///
/// Errors: as of [`Location::parse`]; `NotFound` where nothing is meant; `NotListed` for a pattern on a web server.
pub fn expand(text: &str) -> Result<Vec<Location>, StorageError> {
    glob::expand(text)
}

/// Whether a directory is there. Elsewhere than in the file system there is no telling before something is read, so there may be.
pub fn may_be_directory(location: &Location) -> bool {
    location.local().is_none_or(|path| path.is_dir())
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
    match wait_again(location, "look at", || location.objects().head(location.path())) {
        Ok(_) => Ok(true),
        Err(StorageError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stores `bytes` at `location` at once, replacing what is there.
pub fn put(location: &Location, bytes: Bytes) -> Result<(), StorageError> {
    refuse_read_only(location)?;
    refuse_special(location)?;
    wait_again(location, "write", || location.objects().put(location.path(), bytes.clone().into())).map(drop)
}

/// As [`put`], where nothing is, as the caller knows: a store is not asked.
pub fn put_fresh(location: &Location, bytes: Bytes) -> Result<(), StorageError> {
    refuse_read_only(location)?;
    refuse_special_file(location)?;
    let options = || PutOptions { extensions: fresh(), ..PutOptions::default() };
    let put = || location.objects().put_opts(location.path(), bytes.clone().into(), options());
    wait_again(location, "write", put).map(drop)
}

/// Stores `bytes` at `location` at once, unless something is there: then `AlreadyExists`, and nothing changes.
///
/// Of two at once both may be told that they were first, but in the file system: in other stores this is a look and not a lock,
/// and some cannot even do that. Who must know looks at what is there afterwards.
pub fn create_new(location: &Location, bytes: Bytes) -> Result<(), StorageError> {
    refuse_read_only(location)?;
    refuse_special(location)?;
    let create = location.objects().put_opts(location.path(), bytes.clone().into(), PutMode::Create.into());
    match start(location)?.block_on(create) {
        Ok(_) => Ok(()),
        Err(object_store::Error::NotImplemented { .. }) if exists(location)? => {
            Err(StorageError::AlreadyExists { location: location.clone() })
        }
        Err(object_store::Error::NotImplemented { .. }) => put(location, bytes),
        // It may be our own, stored by a request whose answer was lost.
        Err(object_store::Error::AlreadyExists { .. }) if !location.has_names() && read(location)? == bytes => Ok(()),
        Err(error) => Err(failed(location, "write", error)),
    }
}

/// The bytes of a small file. Errors: as of [`Blob::open`] and [`Blob::read`].
pub fn read(location: &Location) -> Result<Bytes, StorageError> {
    read_at_most(location, u64::MAX)
}

/// As [`read`], of a file of at most so many bytes. Errors: `TooLarge`.
pub fn read_at_most(location: &Location, most: u64) -> Result<Bytes, StorageError> {
    let blob = Blob::open(location)?;
    if blob.size() > most {
        return Err(StorageError::TooLarge { location: location.clone(), size: blob.size(), most });
    }
    blob.read(0..blob.size())
}

/// Deletes the file at `location`. Errors: `NotFound` where none is.
pub fn delete(location: &Location) -> Result<(), StorageError> {
    refuse_read_only(location)?;
    // Stores differ in whether it is an error to delete what is not there; callers see one behaviour.
    if !exists(location)? {
        return Err(StorageError::NotFound { location: location.clone() });
    }
    wait(location, "delete", location.objects().delete(location.path()))
}

/// Moves a file, replacing what is there; only where [`Location::has_names`]. Errors: `NotFound` where none is.
pub fn rename(from: &Location, to: &Location) -> Result<(), StorageError> {
    if !exists(from)? {
        return Err(StorageError::NotFound { location: from.clone() });
    }
    wait(from, "move", from.objects().rename(from.path(), to.path()))
}

/// Deletes a directory, where directories are things of their own, unless something is in it or it is not there.
pub fn delete_empty(dir: &Location) -> Result<(), StorageError> {
    match dir.local() {
        Some(path) => local::delete_empty(&path).map_err(|error| failed_io(dir, "delete", error)),
        // HDFS deletes none that is not empty, and says why in words only; so what is in it is looked at first.
        None if dir.store().kind == Kind::Hdfs => {
            let found = wait_again(dir, "list", || dir.objects().list_with_delimiter(Some(dir.path())))?;
            if !found.objects.is_empty() || !found.common_prefixes.is_empty() || dir.path().is_root() {
                return Ok(());
            }
            match wait(dir, "delete", dir.objects().delete(dir.path())) {
                Err(StorageError::NotFound { .. }) => Ok(()),
                done => done,
            }
        }
        None => Ok(()),
    }
}

/// Deletes those directories right inside the directory `dir` that are empty and of `ours`, where stores keep such: in HDFS. In
/// the file system one name may be another writer's who is about to begin.
pub fn delete_empty_inside(dir: &Location, ours: fn(&str) -> bool) -> Result<(), StorageError> {
    if dir.store().kind != Kind::Hdfs {
        return Ok(());
    }
    let found = wait_again(dir, "list", || dir.objects().list_with_delimiter(Some(dir.path())))?;
    let inside = found.common_prefixes.into_iter().map(|path| dir.below(path));
    inside.filter(|dir| ours(dir.file_name())).try_for_each(|dir| delete_empty(&dir))
}

/// Deletes what killed writers left unpublished of files of `ours` right inside the directory `dir`; in HDFS also below it, each
/// known by its path there. Nobody may be writing there.
pub fn delete_unpublished(dir: &Location, ours: fn(&str) -> bool) -> Result<(), StorageError> {
    match dir.local() {
        Some(path) => local::delete_unpublished(&path, ours).map_err(|error| failed_io(dir, "clean up", error)),
        None if dir.store().kind == Kind::Hdfs => {
            let files = published_or_not(dir)?.into_iter().map(|meta| dir.below(meta.location));
            let left = |file: &Location| {
                let within = file.relative_to(dir)?;
                let published = unpublished(dir, file.file_name())?;
                let place = within.strip_suffix(file.file_name())?;
                Some(ours(&format!("{place}{published}")))
            };
            files.filter(|file| left(file) == Some(true)).try_for_each(|file| delete(&file))
        }
        None => Ok(()),
    }
}

/// The name that a file of the name `name` in `dir` would have got, had its writer published it.
fn unpublished<'n>(dir: &Location, name: &'n str) -> Option<&'n str> {
    // As hdfs-native-object-store calls them.
    let (name, number) = name.strip_prefix('.').filter(|_| dir.store().kind == Kind::Hdfs)?.rsplit_once(".tmp.")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

/// The files right inside the directory `dir`, in no order. Errors: `NotListed`.
fn children(dir: &Location) -> Result<Vec<Location>, StorageError> {
    refuse_unlisted(dir)?;
    let found = wait_again(dir, "list", || dir.objects().list_with_delimiter(Some(dir.path())))?;
    let mut files: Vec<_> = found.objects.into_iter().map(|meta| dir.below(meta.location)).collect();
    files.retain(|file| unpublished(dir, file.file_name()).is_none());
    Ok(files)
}

fn refuse_unlisted(dir: &Location) -> Result<(), StorageError> {
    match dir.store().kind {
        Kind::Http => Err(StorageError::NotListed { location: dir.clone() }),
        _ => Ok(()),
    }
}

fn refuse_read_only(location: &Location) -> Result<(), StorageError> {
    match location.store().is_writable() {
        true => Ok(()),
        false => Err(StorageError::ReadOnly { location: location.clone() }),
    }
}

/// A directory, a pipe or a device would be replaced by a file, not written to.
fn refuse_special(location: &Location) -> Result<(), StorageError> {
    refuse_special_file(location)?;
    if location.local().is_some() {
        return Ok(());
    }
    // In some stores a file and a directory can have one name; then nobody finds what is in the directory.
    let found = wait_again(location, "look at", || location.objects().list_with_delimiter(Some(location.path())))?;
    let is_free = found.objects.is_empty() && found.common_prefixes.is_empty();
    if is_free { Ok(()) } else { Err(StorageError::NotAFile { location: location.clone() }) }
}

/// As [`refuse_special`], as far as no store need be asked.
fn refuse_special_file(location: &Location) -> Result<(), StorageError> {
    let special = |path: PathBuf| path.metadata().is_ok_and(|found| !found.is_file());
    let is_special = location.path().is_root() || location.local().is_some_and(special);
    if is_special { Err(StorageError::NotAFile { location: location.clone() }) } else { Ok(()) }
}

/// Stands beside a request to store where nothing is.
#[derive(Clone, Copy, Debug)]
struct Fresh;

fn fresh() -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(Fresh);
    extensions
}

/// As [`wait`], and again after a failure that may pass, for what may be repeated: the clients of other stores do so themselves.
fn wait_again<T, W>(location: &Location, action: &'static str, work: impl Fn() -> W) -> Result<T, StorageError>
where
    W: Future<Output = object_store::Result<T>>,
{
    let mut pauses: &[Duration] = match location.store().kind {
        Kind::Hdfs => HDFS_PAUSES,
        _ => &[],
    };
    loop {
        match (wait(location, action, work()), pauses.split_first()) {
            (Err(StorageError::Unavailable { .. }), Some((pause, rest))) => {
                std::thread::sleep(*pause);
                pauses = rest;
            }
            (done, _) => return done,
        }
    }
}

/// Runs `work` to its end; `action` says in errors what was being done.
fn wait<T>(
    location: &Location,
    action: &'static str,
    work: impl Future<Output = object_store::Result<T>>,
) -> Result<T, StorageError> {
    let runtime = start(location)?;
    if location.store().kind != Kind::Hdfs {
        return runtime.block_on(work).map_err(|error| failed(location, action, error));
    }
    // Its client waits for an answer without end.
    let timely = runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await });
    let silence = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));
    timely.map_err(|_| failed_io(location, action, silence()))?.map_err(|error| failed(location, action, error))
}

fn start(location: &Location) -> Result<&'static Runtime, StorageError> {
    tasks::runtime().map_err(|error| failed_io(location, "start threads for", copy(error)))
}
