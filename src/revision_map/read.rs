//! Reading revision maps on all cores.
//!
//! Promise: the result does not depend on the order of files, blocks or threads.
//! Invariant: at most [`BATCH`] bytes of blocks and their entries are held besides the state.
//! Not here: finding blocks (see `blocks`) and parsing lines (see `line`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use crate::env::Env;
use crate::revision_map::blocks::{Block, Content, IN_FLIGHT, Sent, send_all};
use crate::revision_map::line::{self, Bad};
use crate::revision_map::{
    BadLine, LineRule, MAX_BAD_LINES, OnBadLine, Place, ReadOptions, ReadStats, RevisionMapError,
};
use crate::state::{Entry, RaisedCounts, StateTable};
use crate::storage::Location;

/// Bytes of blocks that are parsed together. The more, the fewer times each page of the state is touched.
const BATCH: usize = 128 << 20;

pub fn read(
    files: &[Location],
    options: &ReadOptions,
    env: &Env,
) -> Result<(StateTable, ReadStats), RevisionMapError> {
    let next = AtomicUsize::new(0);
    let threads = rayon::current_num_threads();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(IN_FLIGHT);
        for _ in 0..threads.min(files.len()) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || send_all(files, next, env, &sender));
        }
        drop(sender);
        let mut map = Map::new(files, *options, threads);
        map.take_all(&receiver, env)?;
        Ok(map.finish())
    })
}

/// The map as far as it is read. Pages of the state are dealt out to several tables, so that each can have a thread.
struct Map<'a> {
    files: &'a [Location],
    options: ReadOptions,
    shards: Vec<StateTable>,
    raised: RaisedCounts,
    stats: ReadStats,
    /// Lines of each file that are behind.
    lines: Vec<u64>,
    /// Lines left out, with the number of their file.
    bad: Vec<(usize, BadLine)>,
}

/// What was found in one block.
struct Found {
    shards: Vec<Vec<Entry>>,
    lines: u64,
    filled: u64,
    bad: Vec<Bad>,
}

impl<'a> Map<'a> {
    fn new(files: &'a [Location], options: ReadOptions, threads: usize) -> Self {
        Self {
            files,
            options,
            // A power of two, and more than threads: shards are not all of one size.
            shards: (0..2 * threads.next_power_of_two()).map(|_| StateTable::default()).collect(),
            raised: RaisedCounts::default(),
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
                env.progress.entities.store(self.raised.new, Ordering::Relaxed);
            }
            if env.stop.load(Ordering::Relaxed) {
                return Err(RevisionMapError::Cancelled);
            }
        }
        if env.stop.load(Ordering::Relaxed) { Err(RevisionMapError::Cancelled) } else { self.take_batch(batch) }
    }

    fn take_batch(&mut self, batch: Vec<Block>) -> Result<(), RevisionMapError> {
        let (options, shards) = (self.options, self.shards.len());
        let found: Vec<_> = batch.into_par_iter().map(|block| parse(block, options, shards)).collect();
        let mut entries: Vec<Vec<Vec<Entry>>> = (0..shards).map(|_| Vec::new()).collect();
        for (block, found) in found {
            self.count(&block, &found)?;
            found.shards.into_iter().zip(&mut entries).for_each(|(found, entries)| entries.push(found));
        }
        let raised =
            self.shards.par_iter_mut().zip(entries).map(|(shard, entries)| shard.raise_all(&mut entries.concat()));
        for raised in raised.collect::<Vec<_>>() {
            self.raised.new += raised.new;
            self.raised.newer += raised.newer;
            self.raised.stale += raised.stale;
        }
        Ok(())
    }

    fn count(&mut self, block: &Block, found: &Found) -> Result<(), RevisionMapError> {
        let before = self.lines[block.file];
        self.lines[block.file] += found.lines;
        self.stats.lines += found.filled;
        match &block.content {
            Content::Lines(_, text) => self.stats.bytes_text += text.len() as u64,
            Content::End(size) => self.stats.bytes_stored += size,
            Content::Rows(..) | Content::TooLong(..) => {}
        }
        for bad in &found.bad {
            let place = match block.content {
                Content::Rows(rows, ..) => Place::Row(rows + bad.offset as u64 + 1),
                Content::Lines(offset, _) | Content::TooLong(offset, _) => {
                    Place::Line { line: before + bad.lines_before + 1, offset: offset + bad.offset as u64 }
                }
                Content::End(_) => continue,
            };
            let location = self.files[block.file].clone();
            let bad = BadLine { location, place, entity: bad.entity.clone(), rule: bad.rule };
            let cannot_go_on = matches!(block.content, Content::TooLong(..));
            if self.options.on_bad_line == OnBadLine::Stop || cannot_go_on {
                return Err(RevisionMapError::BadLine(Box::new(bad)));
            }
            self.skip(block.file, bad);
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
        let mut state = StateTable::default();
        for shard in self.shards {
            state.absorb(shard);
        }
        let duplicates = self.raised.newer + self.raised.stale;
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

fn parse(mut block: Block, options: ReadOptions, shards: usize) -> (Block, Found) {
    // About 16 bytes make a line; too little costs a copy, too much only address space.
    let room = block.content.size() / 16 / shards;
    let mut found =
        Found { shards: (0..shards).map(|_| Vec::with_capacity(room)).collect(), lines: 0, filled: 0, bad: Vec::new() };
    // The number of shards is a power of two.
    let deal = |entry: Entry, found: &mut Vec<Vec<Entry>>| found[entry.page() & (shards - 1)].push(entry);
    match &mut block.content {
        Content::Lines(offset, text) => {
            let parsed = line::parse(text, *offset == 0, options.negative, |entry| deal(entry, &mut found.shards));
            (found.lines, found.filled, found.bad) = (parsed.lines, parsed.filled, parsed.bad);
        }
        Content::Rows(_, entities, revisions) => {
            for (at, (entity, revision)) in entities.iter().zip(revisions).enumerate() {
                match line::row(entity, *revision, options.negative) {
                    Ok(entry) => deal(entry, &mut found.shards),
                    Err(bad) => found.bad.push(Bad { offset: at, ..bad }),
                }
                found.filled += 1;
            }
        }
        Content::TooLong(_, start) => {
            let entity = std::mem::take(start);
            found.bad.push(Bad { offset: 0, lines_before: 0, entity, rule: LineRule::Length });
        }
        Content::End(_) => {}
    }
    (block, found)
}
