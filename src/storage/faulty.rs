//! A store in memory that breaks down when it is told to: for tests of what killed or unlucky writers leave.
//!
//! Promise: which operation fails is chosen by its number; what was stored before stays.
//! Not here: delays, and listings that lag.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::storage::Location;
use crate::storage::store::{Kind, Store};

/// Which operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This one and all after it, as if the process were killed before it.
    DeadFrom(u64),
    /// This one only; nothing of it is done.
    Fails(u64),
    /// This one only; it is done, and its answer is lost.
    AnswerLost(u64),
}

/// Decides on the operations of a store.
#[derive(Debug, Default)]
pub struct Fuse {
    done: AtomicU64,
    dead_from: AtomicU64,
    fails: AtomicU64,
    answer_lost: AtomicU64,
}

impl Fuse {
    /// From now on, operations are counted from 0 on and fail so.
    pub fn arm(&self, fault: Option<Fault>) {
        let of = |number: Option<u64>| number.unwrap_or(u64::MAX);
        let [mut dead_from, mut fails, mut answer_lost] = [None; 3];
        match fault {
            Some(Fault::DeadFrom(number)) => dead_from = Some(number),
            Some(Fault::Fails(number)) => fails = Some(number),
            Some(Fault::AnswerLost(number)) => answer_lost = Some(number),
            None => {}
        }
        self.dead_from.store(of(dead_from), Ordering::SeqCst);
        self.fails.store(of(fails), Ordering::SeqCst);
        self.answer_lost.store(of(answer_lost), Ordering::SeqCst);
        self.done.store(0, Ordering::SeqCst);
    }

    /// How many operations there were since it was armed.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Begins an operation; says whether its answer is to be lost.
    fn begin(&self) -> Result<bool> {
        let number = self.done.fetch_add(1, Ordering::SeqCst);
        if number >= self.dead_from.load(Ordering::SeqCst) || number == self.fails.load(Ordering::SeqCst) {
            return Err(broken());
        }
        Ok(number == self.answer_lost.load(Ordering::SeqCst))
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "told to fail".into() }
}

fn answer<T>(is_lost: bool, answer: Result<T>) -> Result<T> {
    if is_lost { Err(broken()) } else { answer }
}

/// The root of a new store, with names to lock and move or without, and what decides on its operations.
pub fn memory(has_names: bool) -> (Location, Arc<Fuse>) {
    let fuse = Arc::new(Fuse::default());
    fuse.arm(None);
    let objects = Arc::new(Faulty { inner: InMemory::new(), fuse: Arc::clone(&fuse) });
    let kind = if has_names { Kind::Memory } else { Kind::S3 };
    (Location::root_of(Arc::new(Store { kind, objects })), fuse)
}

#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fuse: Arc<Fuse>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        answer(self.fuse.begin()?, self.inner.put_opts(location, payload, opts).await)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        answer(self.fuse.begin()?, self.inner.put_multipart_opts(location, opts).await)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        answer(self.fuse.begin()?, self.inner.get_opts(location, options).await)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.fuse.begin() {
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
            Ok(is_lost) => self.inner.delete_stream(locations).map(move |deleted| answer(is_lost, deleted)).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fuse.begin() {
            Ok(false) => self.inner.list(prefix),
            _ => futures::stream::once(async { Err(broken()) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        answer(self.fuse.begin()?, self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        answer(self.fuse.begin()?, self.inner.copy_opts(from, to, options).await)
    }
}
