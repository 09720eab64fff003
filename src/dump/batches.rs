//! One dump file -> its text in batches that begin where an entity begins.
//!
//! Promise: the batches, one after the other, are the file's text; each but the first begins with an entity-data node, and
//! stands under the prefixes that come with it. What the scan finds comes before the batch in which it stands. Where batches
//! are cut depends on the file and the [`Cut`] alone.
//! In -> out: [`Source`] -> [`Event`]s on the calling thread.
//! Invariant: a batch is cut only at a statement that the scan has read and behind which no prefix has changed.
//! Not here: what is made of a batch.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::compression::ordered;
use crate::compression::source::{DecodeError, Source};
use crate::dump::facts::Fact;
use crate::dump::scan::{Found, Manner, Place, Scanner};
use crate::rdf::prefixes::Prefixes;

/// Text of a batch, about, in bytes. Enough to be worth a thread's while.
pub const BATCH: u64 = 1 << 20;

/// When a new chunk of entities begins. A chunk begins with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// After so many entities.
    Entities(u64),
    /// After so many compressed bytes of input.
    Bytes(u64),
    /// Never.
    Never,
}

/// How full the open chunk is, from one file to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    entities: u64,
    /// Compressed bytes of the files before.
    before: u64,
    /// And of this one, where the chunk begins.
    begins: u64,
}

/// A piece of a dump.
#[derive(Debug)]
pub struct Batch {
    /// Whole statements.
    pub text: Vec<u8>,
    /// Where it begins.
    pub place: Place,
    /// The prefixes that hold there.
    pub prefixes: Arc<Prefixes>,
    /// Whether a new chunk begins with it.
    pub begins_chunk: bool,
}

/// What comes of a file.
#[derive(Debug)]
pub enum Event {
    /// Something the scan found.
    Found(Found),
    /// The text up to a place that the findings have passed.
    Batch(Batch),
}

/// Where events go; `Break` ends the reading.
pub type Sink<'s> = &'s mut dyn FnMut(Event) -> ControlFlow<()>;

/// Reads a file, decoding so many `parts` of it ahead where that can be done, and returns where it ends, or where the sink
/// broke off.
pub fn read(
    source: &Source,
    manner: Manner<'_>,
    parts: usize,
    cut: Cut,
    fill: &mut Fill,
    sink: Sink<'_>,
) -> Result<Place, DecodeError> {
    let mut cutter = Cutter::new(manner, cut, fill);
    if ordered::text(source, parts, &mut |text, byte| cutter.push(text, byte, sink))? {
        // There is nothing left to be broken off.
        let _ = cutter.finish(sink);
        cutter.fill.before += source.size();
    }
    Ok(cutter.scanner.place())
}

struct Cutter<'m> {
    scanner: Scanner<'m>,
    cut: Cut,
    fill: &'m mut Fill,
    /// Text that is in no batch yet.
    text: Vec<u8>,
    /// Where it begins, under which prefixes, and whether a chunk begins with it.
    place: Place,
    prefixes: Arc<Prefixes>,
    begins_chunk: bool,
    found: Vec<Found>,
}

impl<'m> Cutter<'m> {
    fn new(manner: Manner<'m>, cut: Cut, fill: &'m mut Fill) -> Self {
        let (place, prefixes) = (Place::default(), Arc::new(Prefixes::default()));
        let scanner = Scanner::new(manner, Prefixes::default(), place);
        Self { scanner, cut, fill, text: Vec::new(), place, prefixes, begins_chunk: false, found: Vec::new() }
    }

    fn push(&mut self, text: &[u8], byte: u64, sink: Sink<'_>) -> ControlFlow<()> {
        self.text.reserve(text.len().max(BATCH as usize));
        self.text.extend_from_slice(text);
        let found = &mut self.found;
        self.scanner.push(text, &mut |event| found.push(event));
        let cuts = self.cuts(byte);
        self.found.drain(..).try_for_each(|found| sink(Event::Found(found)))?;
        cuts.into_iter().try_for_each(|(place, begins_chunk)| {
            self.batch(place, sink)?;
            self.begins_chunk = begins_chunk;
            ControlFlow::Continue(())
        })
    }

    /// Where batches end, and whether a chunk begins there: at entity-data nodes of those just found.
    fn cuts(&mut self, byte: u64) -> Vec<(Place, bool)> {
        let mut cuts = Vec::new();
        let mut last = self.place;
        let changed = self.scanner.prefixes_changed();
        let entities = self.found.iter().filter(|found| matches!(found.fact, Fact::Revision(..)));
        for place in entities.map(|found| found.place) {
            let is_safe = place >= changed && place > last;
            let begins = is_safe && self.is_full(byte);
            if begins {
                (self.fill.entities, self.fill.begins) = (0, self.fill.before + byte);
            }
            self.fill.entities += 1;
            if begins || (is_safe && place.offset - last.offset >= BATCH) {
                cuts.push((place, begins));
                last = place;
            }
        }
        cuts
    }

    /// Whether the next entity belongs to another chunk.
    fn is_full(&self, byte: u64) -> bool {
        match self.cut {
            Cut::Entities(entities) => self.fill.entities >= entities,
            Cut::Bytes(bytes) => self.fill.entities > 0 && self.fill.before + byte - self.fill.begins >= bytes,
            Cut::Never => false,
        }
    }

    fn batch(&mut self, end: Place, sink: Sink<'_>) -> ControlFlow<()> {
        let rest = self.text.split_off((end.offset - self.place.offset) as usize);
        let text = std::mem::replace(&mut self.text, rest);
        let prefixes = Arc::clone(&self.prefixes);
        if *prefixes != *self.scanner.prefixes() {
            self.prefixes = Arc::new(self.scanner.prefixes().clone());
        }
        let place = std::mem::replace(&mut self.place, end);
        sink(Event::Batch(Batch { text, place, prefixes, begins_chunk: self.begins_chunk }))
    }

    fn finish(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        let found = &mut self.found;
        self.scanner.finish(&mut |event| found.push(event));
        self.found.drain(..).try_for_each(|found| sink(Event::Found(found)))?;
        if self.text.is_empty() {
            return ControlFlow::Continue(());
        }
        self.batch(self.scanner.place(), sink)
    }
}
