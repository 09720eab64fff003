//! An upload in parts.
//!
//! Promise: at most [`Parts::in_flight`] + 1 parts are in memory, however large the file: of [`Upload::part`] bytes, and what is
//! given at once.
//! Invariant: an upload that was begun ends in exactly one of complete and abort. What fits into one part is stored at once.
//! Not here: where it goes (see the module above).

use std::collections::VecDeque;

use bytes::Bytes;
use http::Extensions;
use object_store::{MultipartUpload, PutMultipartOptions, PutOptions, PutPayload};
use tokio::task::JoinHandle;

use crate::storage::error::failed;
use crate::storage::{Location, StorageError, start, tasks, wait, wait_again};

/// How a file is cut.
struct Parts {
    /// Bytes of a part.
    size: usize,
    /// Parts on their way at once.
    in_flight: usize,
}

/// To a store each part is a request, of which some have to be under way at once; some stores refuse parts below 5 MiB.
const REMOTE: Parts = Parts { size: 8 << 20, in_flight: 3 };
/// Swift takes 1,000 parts, so they grow: twice as large after so many, until they are [`LARGEST`]. That is 50 GB in all.
const GROWING: usize = 100;
/// Bytes of a part at most.
const LARGEST: usize = 64 << 20;
/// A file's page cache takes what it is given; memory used once more is quicker than fresh memory.
const LOCAL: Parts = Parts { size: 4 << 20, in_flight: 1 };

pub struct Upload {
    cut: &'static Parts,
    /// Begun with the first part that is not the whole file; in the file system at once, so that what is wrong there is seen early.
    parts: Option<Box<dyn MultipartUpload>>,
    sent: usize,
    on_their_way: VecDeque<JoinHandle<object_store::Result<()>>>,
    /// The next part, but for its end.
    pieces: Vec<Bytes>,
    pieces_len: usize,
    /// The end of the next part.
    buffer: Vec<u8>,
    size: u64,
    /// What the store is told beside the bytes.
    extensions: Extensions,
}

impl Upload {
    pub fn begin(location: &Location, extensions: Extensions) -> Result<Self, StorageError> {
        let is_local = location.local().is_some();
        Ok(Self {
            cut: if is_local { &LOCAL } else { &REMOTE },
            parts: if is_local { Some(begin(location, &extensions)?) } else { None },
            sent: 0,
            on_their_way: VecDeque::new(),
            pieces: Vec::new(),
            pieces_len: 0,
            buffer: Vec::new(),
            size: 0,
            extensions,
        })
    }

    pub fn write(&mut self, location: &Location, mut bytes: &[u8]) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = self.part() - self.pieces_len;
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
        if self.pieces_len >= self.part() { self.send(location) } else { Ok(()) }
    }

    /// Bytes of the next part.
    fn part(&self) -> usize {
        (self.cut.size << (self.sent / GROWING).min(8)).min(LARGEST.max(self.cut.size))
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
        if self.parts.is_none() {
            let whole: PutPayload = std::mem::take(&mut self.pieces).into_iter().collect();
            let options = || PutOptions { extensions: self.extensions.clone(), ..PutOptions::default() };
            let put = || location.objects().put_opts(location.path(), whole.clone(), options());
            wait_again(location, "write", put)?;
            return Ok(self.size);
        }
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
        self.sent += 1;
        let part: PutPayload = std::mem::take(&mut self.pieces).into_iter().collect();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(begin(location, &self.extensions)?),
        };
        self.on_their_way.push_back(start(location)?.spawn(parts.put_part(part)));
        Ok(())
    }
}

fn begin(location: &Location, extensions: &Extensions) -> Result<Box<dyn MultipartUpload>, StorageError> {
    let options = PutMultipartOptions { extensions: extensions.clone(), ..PutMultipartOptions::default() };
    wait(location, "create", location.objects().put_multipart_opts(location.path(), options))
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut parts), Ok(runtime)) = (self.parts.take(), tasks::runtime()) else { return };
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
