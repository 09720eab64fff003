//! One dump file -> its text in batches that begin where an entity begins.
//!
//! Promise: the batches, one after the other, are the file's text; each but the first begins with an entity-data node, and
//! stands under the prefixes that come with it. What the scan finds comes before the batch in which it stands.
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
pub const BATCH: usize = 1 << 20;

/// A piece of a dump.
#[derive(Debug)]
pub struct Batch {
    /// Whole statements.
    pub text: Vec<u8>,
    /// Where it begins.
    pub place: Place,
    /// The prefixes that hold there.
    pub prefixes: Arc<Prefixes>,
}

/// What comes of a file.
#[derive(Debug)]
pub enum Event {
    /// Something the scan found.
    Found(Found),
    /// The text up to a place that the findings have passed.
    Batch(Batch),
}

/// Where events go; `Break` ends the reading. At an entity-data node the answer to its finding says whether a batch should
/// end before it.
pub type Sink<'s> = &'s mut dyn FnMut(Event) -> ControlFlow<()>;

/// Reads a file. `false`: the sink broke off.
pub fn read(source: &Source, manner: Manner<'_>, sink: Sink<'_>) -> Result<(bool, Place), DecodeError> {
    let mut cutter = Cutter::new(manner);
    let going = ordered::text(source, &mut |text| cutter.push(text, sink))?;
    if !going {
        return Ok((false, cutter.scanner.place()));
    }
    let going = cutter.finish(sink).is_continue();
    Ok((going, cutter.scanner.place()))
}

struct Cutter<'m> {
    scanner: Scanner<'m>,
    /// Text that is in no batch yet.
    text: Vec<u8>,
    /// Where it begins, and under which prefixes.
    place: Place,
    prefixes: Arc<Prefixes>,
    found: Vec<Found>,
}

impl<'m> Cutter<'m> {
    fn new(manner: Manner<'m>) -> Self {
        let (place, prefixes) = (Place::default(), Arc::new(Prefixes::default()));
        let scanner = Scanner::new(manner, Prefixes::default(), place);
        Self { scanner, text: Vec::with_capacity(2 * BATCH), place, prefixes, found: Vec::new() }
    }

    fn push(&mut self, text: &[u8], sink: Sink<'_>) -> ControlFlow<()> {
        self.text.extend_from_slice(text);
        let found = &mut self.found;
        self.scanner.push(text, &mut |event| found.push(event));
        let cut = self.cut();
        self.found.drain(..).try_for_each(|found| sink(Event::Found(found)))?;
        match cut {
            Some(cut) => self.batch(cut, sink),
            None => ControlFlow::Continue(()),
        }
    }

    /// The last entity-data node of those just found, if the text before it makes a batch.
    fn cut(&self) -> Option<Place> {
        let is_safe =
            |found: &&Found| matches!(found.fact, Fact::Revision(..)) && found.place >= self.scanner.prefixes_changed();
        let last = self.found.iter().rev().find(is_safe)?.place;
        (last.offset - self.place.offset >= BATCH as u64).then_some(last)
    }

    fn batch(&mut self, end: Place, sink: Sink<'_>) -> ControlFlow<()> {
        let rest = self.text.split_off((end.offset - self.place.offset) as usize);
        let text = std::mem::replace(&mut self.text, rest);
        self.text.reserve(2 * BATCH);
        let prefixes = Arc::clone(&self.prefixes);
        if *prefixes != *self.scanner.prefixes() {
            self.prefixes = Arc::new(self.scanner.prefixes().clone());
        }
        let place = std::mem::replace(&mut self.place, end);
        sink(Event::Batch(Batch { text, place, prefixes }))
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
