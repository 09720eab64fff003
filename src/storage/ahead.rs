//! Reading ahead.
//!
//! Promise: while something is read, what follows it is on its way, so that workers do not wait for the network.
//! Invariant: at most [`Ahead::most`] chunks are in memory; what could not be fetched ahead is fetched when it is asked for, and
//! only then is it an error.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::storage::blob::Object;
use crate::storage::error::StorageError;
use crate::storage::{start, wait_again};

/// Bytes fetched at once: a request has a cost of its own.
const CHUNK: u64 = 8 << 20;
/// How many chunks are fetched ahead. One stream through a proxy of Swift's brings 500 MB/s, and two or three bring more.
const DISTANCE: u64 = 3;

/// The chunks of a file that were asked for or soon will be.
#[derive(Debug)]
pub struct Ahead {
    object: Arc<Object>,
    /// The one used last is at the end.
    chunks: Mutex<VecDeque<(u64, Chunk)>>,
    most: usize,
}

/// Bytes on their way; `None` where they got lost.
type Chunk = Shared<BoxFuture<'static, Option<Bytes>>>;

impl Ahead {
    /// For a file that nobody has read of yet.
    pub fn new(object: Arc<Object>) -> Self {
        // Each worker may be in a chunk of its own.
        let most = rayon::current_num_threads() + DISTANCE as usize + 1;
        Self { object, chunks: Mutex::default(), most }
    }

    /// The bytes of `range`, which is within the file and not empty.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        let chunks = range.start / CHUNK..=(range.end - 1) / CHUNK;
        let end = self.object.size.div_ceil(CHUNK).min(chunks.end() + 1 + DISTANCE);
        let location = &self.object.location;
        if range.end - range.start > CHUNK {
            return wait_again(location, "read", || self.object.get(range.clone()));
        }
        let begun = self.begin(*chunks.start()..end)?;
        let mut pieces = Vec::with_capacity(2);
        for (at, chunk) in chunks.zip(begun) {
            let from = at * CHUNK;
            let wanted = range.start.max(from) - from..range.end.min(from + CHUNK) - from;
            match start(location)?.block_on(chunk) {
                Some(bytes) if bytes.len() as u64 >= wanted.end => {
                    pieces.push(bytes.slice(wanted.start as usize..wanted.end as usize));
                }
                _ => {
                    self.forget(at);
                    return wait_again(location, "read", || self.object.get(range.clone()));
                }
            }
        }
        Ok(match pieces.len() {
            1 => pieces.remove(0),
            _ => pieces
                .iter()
                .fold(BytesMut::new(), |mut all, piece| {
                    all.extend_from_slice(piece);
                    all
                })
                .freeze(),
        })
    }

    /// Sees that the chunks are on their way; returns them in their order.
    fn begin(&self, wanted: Range<u64>) -> Result<Vec<Chunk>, StorageError> {
        let runtime = start(&self.object.location)?;
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun = Vec::new();
        for at in wanted {
            let known = chunks.iter().position(|(known, _)| *known == at).and_then(|place| chunks.remove(place));
            let chunk = known.map_or_else(
                || {
                    let object = Arc::clone(&self.object);
                    let fetched = runtime.spawn(async move {
                        let from = at * CHUNK;
                        object.get(from..object.size.min(from + CHUNK)).await.ok()
                    });
                    fetched.map(|fetched| fetched.ok().flatten()).boxed().shared()
                },
                |(_, chunk)| chunk,
            );
            begun.push(chunk.clone());
            chunks.push_back((at, chunk));
        }
        while chunks.len() > self.most {
            chunks.pop_front();
        }
        Ok(begun)
    }

    fn forget(&self, at: u64) {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != at);
    }
}
