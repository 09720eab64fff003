//! An upload in parts.
//!
//! Promise: at most [`Parts::in_flight`] + 1 parts are in memory, however large the file: of [`Parts::size`] bytes, and what is
//! given at once.
//! Invariant: an upload ends in exactly one of complete and abort.
//! Not here: where it goes (see the module above).

use std::collections::VecDeque;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinHandle;

use crate::storage::{Location, StorageError, failed, runtime, start, wait};

/// How a file is cut.
struct Parts {
    /// Bytes of a part.
    size: usize,
    /// Parts on their way at once.
    in_flight: usize,
}

/// To a store each part is a request, of which some have to be under way at once; some stores refuse parts below 5 MiB.
const REMOTE: Parts = Parts { size: 8 << 20, in_flight: 3 };
/// A file's page cache takes what it is given; memory used once more is quicker than fresh memory.
const LOCAL: Parts = Parts { size: 4 << 20, in_flight: 1 };

pub struct Upload {
    cut: &'static Parts,
    parts: Option<Box<dyn MultipartUpload>>,
    on_their_way: VecDeque<JoinHandle<object_store::Result<()>>>,
    /// The next part, but for its end.
    pieces: Vec<Bytes>,
    pieces_len: usize,
    /// The end of the next part.
    buffer: Vec<u8>,
    size: u64,
}

impl Upload {
    pub fn begin(location: &Location) -> Result<Self, StorageError> {
        let parts = wait(location, "create", location.objects().put_multipart(&location.path))?;
        let cut = if location.local().is_some() { &LOCAL } else { &REMOTE };
        Ok(Self {
            cut,
            parts: Some(parts),
            on_their_way: VecDeque::new(),
            pieces: Vec::new(),
            pieces_len: 0,
            buffer: Vec::new(),
            size: 0,
        })
    }

    pub fn write(&mut self, location: &Location, mut bytes: &[u8]) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = self.cut.size - self.pieces_len;
            if self.buffer.capacity() == 0 {
                self.buffer.reserve_exact(room);
            }
            let (now, later) = bytes.split_at(bytes.len().min(room - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == room {
                self.send(location)?;
            }
        }
        Ok(())
    }

    /// As [`Upload::write`], without a copy.
    pub fn give(&mut self, location: &Location, bytes: Bytes) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        self.gather();
        self.pieces_len += bytes.len();
        self.pieces.push(bytes);
        if self.pieces_len >= self.cut.size { self.send(location) } else { Ok(()) }
    }

    /// Makes the buffer a piece.
    fn gather(&mut self) {
        if !self.buffer.is_empty() {
            self.pieces_len += self.buffer.len();
            self.pieces.push(std::mem::take(&mut self.buffer).into());
        }
    }

    pub fn finish(mut self, location: &Location) -> Result<u64, StorageError> {
        self.gather();
        if self.pieces_len > 0 {
            self.send(location)?;
        }
        while let Some(part) = self.on_their_way.pop_front() {
            arrived(location, part)?;
        }
        if let Some(parts) = &mut self.parts {
            wait(location, "write", parts.complete())?;
        }
        self.parts = None;
        Ok(self.size)
    }

    fn send(&mut self, location: &Location) -> Result<(), StorageError> {
        if self.on_their_way.len() >= self.cut.in_flight
            && let Some(oldest) = self.on_their_way.pop_front()
        {
            arrived(location, oldest)?;
        }
        self.gather();
        self.pieces_len = 0;
        let part: PutPayload = std::mem::take(&mut self.pieces).into_iter().collect();
        if let Some(parts) = &mut self.parts {
            let part = parts.put_part(part);
            self.on_their_way.push_back(start(location)?.spawn(part));
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut parts), Ok(runtime)) = (self.parts.take(), runtime()) else { return };
        let on_their_way = std::mem::take(&mut self.on_their_way);
        runtime.block_on(async {
            // Parts on their way land before the abort, or one could be written after it.
            futures::future::join_all(on_their_way).await;
            // Nobody is left to tell of a failure, and what stays behind has no published name.
            let _ = parts.abort().await;
        });
    }
}

fn arrived(location: &Location, part: JoinHandle<object_store::Result<()>>) -> Result<(), StorageError> {
    let done = start(location)?.block_on(part);
    done.unwrap_or_else(|error| Err(error.into())).map_err(|error| failed(location, "write", error))
}
