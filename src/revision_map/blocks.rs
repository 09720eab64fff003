//! Files as blocks that can be parsed apart from each other.
//!
//! Promise: the blocks of a file, put together, are its text; a block ends where a line ends.
//! Invariant: blocks of one file come in order; no more than [`IN_FLIGHT`] wait to be taken.
//! Not here: what stands in the lines.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use crate::columns::{Column, Field, Reader, Texts, Type};
use crate::compression::source::{Seam, Source};
use crate::env::Env;
use crate::revision_map::RevisionMapError;
use crate::revision_map::line::{self, MAX_LINE};
use crate::storage::{Blob, Location};

/// Bytes of a block.
const BLOCK: usize = 512 << 10;
/// Blocks that may wait.
pub const IN_FLIGHT: usize = 16;
/// The columns of a revision map.
pub const FIELDS: &[Field] =
    &[Field { name: "entity", kind: Type::Text }, Field { name: "revision", kind: Type::Int64 }];

/// A piece of a file, by its number among the files.
pub struct Block {
    pub file: usize,
    pub content: Content,
}

pub enum Content {
    /// Whole lines, and the offset of the first one in the text.
    Lines(u64, Vec<u8>),
    /// Rows of a table, and how many rows are before them.
    Rows(u64, Texts, Vec<i64>),
    /// A line that is too long to go on: its offset, and how it begins.
    TooLong(u64, String),
    /// The end of the file, and its size as stored.
    End(u64),
}

pub type Sent = Result<Block, RevisionMapError>;

/// Sends all blocks of the files that no other thread has taken. Stops early when nobody receives them any more.
pub fn send_all(files: &[Location], next: &AtomicUsize, env: &Env, sender: &SyncSender<Sent>) {
    while let Some((file, location)) = take(files, next) {
        let mut send = |content| match sender.send(Ok(Block { file, content })) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        match send_file(location, env, &mut send) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return,
            Err(error) => return drop(sender.send(Err(error))),
        }
    }
}

fn take<'a>(files: &'a [Location], next: &AtomicUsize) -> Option<(usize, &'a Location)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    files.get(at).map(|file| (at, file))
}

type Send<'s> = &'s mut dyn FnMut(Content) -> ControlFlow<()>;

/// Sends the blocks of one file; `Break` when they are no longer wanted.
fn send_file(location: &Location, env: &Env, send: Send<'_>) -> Result<ControlFlow<()>, RevisionMapError> {
    let blob = Blob::open(location)?.reading_ahead();
    let size = blob.size();
    let flow = if *blob.read(0..size.min(4))? == *b"PAR1" {
        let flow = send_rows(blob, send)?;
        env.progress.bytes.fetch_add(size, Ordering::Relaxed);
        flow
    } else {
        send_lines(location, env, send)?
    };
    Ok(if flow.is_continue() { send(Content::End(size)) } else { flow })
}

fn send_lines(location: &Location, env: &Env, send: Send<'_>) -> Result<ControlFlow<()>, RevisionMapError> {
    let source = Source::open(location)?.counting(Arc::clone(&env.progress.bytes));
    let mut lines = Lines::new(BLOCK);
    let mut flow = ControlFlow::Continue(());
    source.decode(Seam::START, source.size(), &mut |text| {
        flow = if env.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { lines.push(text, send) };
        flow
    })?;
    Ok(if flow.is_continue() { lines.finish(send) } else { flow })
}

fn send_rows(blob: Blob, send: Send<'_>) -> Result<ControlFlow<()>, RevisionMapError> {
    let mut rows = 0;
    for columns in Reader::open(blob, FIELDS)? {
        // The reader gives the columns as they were asked for.
        let Ok([Column::Text(entities), Column::Int64(revisions)]) = <[Column; 2]>::try_from(columns?) else {
            continue;
        };
        let before = rows;
        rows += revisions.len() as u64;
        if send(Content::Rows(before, entities, revisions)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Cuts a text into blocks of whole lines.
pub struct Lines {
    size: usize,
    offset: u64,
    block: Vec<u8>,
}

impl Lines {
    /// Blocks of about `size` bytes, or a little more than the longest line.
    pub fn new(size: usize) -> Self {
        Self { size, offset: 0, block: Vec::new() }
    }

    /// Takes the next bytes of the text.
    pub fn push(&mut self, text: &[u8], send: Send<'_>) -> ControlFlow<()> {
        self.block.extend_from_slice(text);
        if self.block.len() < self.size {
            return ControlFlow::Continue(());
        }
        match memchr::memrchr(b'\n', &self.block) {
            Some(feed) => {
                let mut rest = Vec::with_capacity(self.size + self.size / 4);
                rest.extend_from_slice(&self.block[feed + 1..]);
                self.block.truncate(feed + 1);
                self.send(rest, send)
            }
            // Without a limit, a file that is no text could be one line of many gigabytes.
            None if self.block.len() > MAX_LINE => {
                send(Content::TooLong(self.offset, line::shown(&self.block)))?;
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    /// Ends the text.
    pub fn finish(&mut self, send: Send<'_>) -> ControlFlow<()> {
        if self.block.is_empty() { ControlFlow::Continue(()) } else { self.send(Vec::new(), send) }
    }

    fn send(&mut self, rest: Vec<u8>, send: Send<'_>) -> ControlFlow<()> {
        let block = std::mem::replace(&mut self.block, rest);
        let offset = self.offset;
        self.offset += block.len() as u64;
        send(Content::Lines(offset, block))
    }
}
