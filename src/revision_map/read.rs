//! Reading revision maps on all cores.
//!
//! Promise: the result does not depend on the order of files, blocks or threads.
//! Invariant: besides the state that is filled, about [`BATCH`] bytes of blocks are held.
//! Not here: finding blocks (see `blocks`) and parsing lines (see `line`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use crate::env::Env;
use crate::revision_map::blocks::{Block, Content, IN_FLIGHT, Sent, send_all};
use crate::revision_map::line::{self, Bad, Parsed};
use crate::revision_map::{
    BadLine, LineRule, MAX_BAD_LINES, OnBadLine, Place, ReadOptions, ReadStats, RevisionMapError,
};
use crate::state::filling::{Dealt, Filling};
use crate::state::{Entry, StateTable};
use crate::storage::Location;

/// Bytes of blocks that are parsed together.
const BATCH: usize = 8 << 20;

pub fn read(files: &[Location], options: &ReadOptions, env: &Env) -> Result<(StateTable, ReadStats), RevisionMapError> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(IN_FLIGHT);
        for _ in 0..rayon::current_num_threads().min(files.len()) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || send_all(files, next, env, &sender));
        }
        drop(sender);
        let mut map = Map::new(files, *options);
        map.take_all(&receiver, env)?;
        let (state, stats) = map.finish();
        env.progress.entities.store(state.len(), Ordering::Relaxed);
        Ok((state, stats))
    })
}

/// The map as far as it is read.
struct Map<'a> {
    files: &'a [Location],
    options: ReadOptions,
    state: Filling,
    stats: ReadStats,
    /// Lines of each file that are behind.
    lines: Vec<u64>,
    /// Lines left out, with the number of their file.
    bad: Vec<(usize, BadLine)>,
}

/// What was found in one block.
struct Found {
    file: usize,
    entries: Dealt,
    from: From,
    lines: u64,
    filled: u64,
    bad: Vec<Bad>,
}

/// Where in its file a block was, and how much.
enum From {
    /// At this byte, so many bytes.
    Text(u64, usize),
    /// A line too long, at this byte.
    TooLong(u64),
    /// After so many rows.
    Rows(u64),
    /// At the end of a file of so many bytes.
    End(u64),
}

impl<'a> Map<'a> {
    fn new(files: &'a [Location], options: ReadOptions) -> Self {
        Self {
            files,
            options,
            state: Filling::default(),
            stats: ReadStats { files: files.len() as u64, ..ReadStats::default() },
            lines: vec![0; files.len()],
            bad: Vec::new(),
        }
    }

    fn take_all(&mut self, receiver: &Receiver<Sent>, env: &Env) -> Result<(), RevisionMapError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Ok(block) = receiver.recv() {
            let block = block?;
            bytes += block.content.size();
            batch.push(block);
            if bytes >= BATCH {
                self.take_batch(std::mem::take(&mut batch))?;
                bytes = 0;
                env.progress.entities.store(self.state.raised().new, Ordering::Relaxed);
            }
        }
        // Asked to stop, the senders end as if the files did.
        if env.stop.load(Ordering::Relaxed) {
            return Err(RevisionMapError::Cancelled);
        }
        self.take_batch(batch)
    }

    fn take_batch(&mut self, batch: Vec<Block>) -> Result<(), RevisionMapError> {
        let options = self.options;
        let found: Vec<_> =
            batch.into_par_iter().map_init(Vec::new, |entries, block| parse(block, options, entries)).collect();
        for mut found in found {
            self.count(&found)?;
            self.state.take(std::mem::take(&mut found.entries));
        }
        Ok(())
    }

    fn count(&mut self, found: &Found) -> Result<(), RevisionMapError> {
        let before = self.lines[found.file];
        self.lines[found.file] += found.lines;
        self.stats.lines += found.filled;
        match found.from {
            From::Text(_, bytes) => self.stats.bytes_text += bytes as u64,
            From::End(size) => self.stats.bytes_stored += size,
            From::Rows(_) | From::TooLong(_) => {}
        }
        for bad in &found.bad {
            let place = match found.from {
                From::Rows(rows) => Place::Row(rows + bad.offset as u64 + 1),
                From::Text(offset, _) | From::TooLong(offset) | From::End(offset) => {
                    Place::Line { line: before + bad.lines_before + 1, offset: offset + bad.offset as u64 }
                }
            };
            let location = self.files[found.file].clone();
            let bad = BadLine { location, place, entity: bad.entity.clone(), rule: bad.rule };
            let cannot_go_on = matches!(found.from, From::TooLong(_));
            if self.options.on_bad_line == OnBadLine::Stop || cannot_go_on {
                return Err(RevisionMapError::BadLine(Box::new(bad)));
            }
            self.skip(found.file, bad);
        }
        Ok(())
    }

    fn skip(&mut self, file: usize, bad: BadLine) {
        self.stats.skipped += 1;
        self.bad.push((file, bad));
        if self.bad.len() > 2 * MAX_BAD_LINES {
            self.keep_first();
        }
    }

    fn keep_first(&mut self) {
        self.bad.sort_by_key(|(file, bad)| (*file, bad.place));
        self.bad.truncate(MAX_BAD_LINES);
    }

    fn finish(mut self) -> (StateTable, ReadStats) {
        self.keep_first();
        let (state, raised) = self.state.finish();
        let duplicates = raised.newer + raised.stale;
        let bad_lines = self.bad.into_iter().map(|(_, bad)| bad).collect();
        (state, ReadStats { duplicates, bad_lines, ..self.stats })
    }
}

impl Content {
    fn size(&self) -> usize {
        match self {
            Self::Lines(_, text) => text.len(),
            Self::Rows(_, _, revisions) => revisions.len() * 20,
            Self::TooLong(..) | Self::End(_) => 0,
        }
    }
}

/// Parses a block; `entries` is room for what is in it.
fn parse(block: Block, options: ReadOptions, entries: &mut Vec<Entry>) -> Found {
    entries.clear();
    let mut bad = Vec::new();
    let mut parsed = Parsed::default();
    let from = match block.content {
        Content::Lines(offset, text) => {
            parsed = line::parse(&text, offset == 0, options.negative, |entry| entries.push(entry));
            From::Text(offset, text.len())
        }
        Content::Rows(before, entities, revisions) => {
            for (at, (entity, revision)) in entities.iter().zip(&revisions).enumerate() {
                match line::row(entity, *revision, options.negative) {
                    Ok(entry) => entries.push(entry),
                    Err(row) => bad.push(Bad { offset: at, ..row }),
                }
            }
            parsed.filled = revisions.len() as u64;
            From::Rows(before)
        }
        Content::TooLong(offset, entity) => {
            bad.push(Bad { offset: 0, lines_before: 0, entity, rule: LineRule::Length });
            From::TooLong(offset)
        }
        Content::End(size) => From::End(size),
    };
    bad.append(&mut parsed.bad);
    Found { file: block.file, entries: Dealt::of(entries), from, lines: parsed.lines, filled: parsed.filled, bad }
}
