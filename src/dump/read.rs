//! One dump file, decoded and scanned in parts side by side.
//!
//! Promise: what the sink gets is what a single [`Scanner`] would give it for the whole text.
//! In -> out: [`Source`] -> [`Found`]s in document order, on the calling thread.
//! Invariant: a part is begun on two guesses, where its data begins (the seam) and under which prefixes its text stands;
//! its results count only if the part before it ended at that seam, between two statements, under those prefixes.
//! Otherwise the part is read again from where the part before it truly ended. So guesses cost time, never truth.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::compression::source::{DecodeError, Seam, Source};
use crate::dump::scan::{Found, Manner, Place, Scanner, statement_break};
use crate::rdf::prefixes::Prefixes;

/// Findings sent at once.
const BATCH: usize = 4096;
/// Batches that a part may be ahead of the reader.
const AHEAD: usize = 8;
/// Text looked through for the first end of a statement before a part is given up as unfit to begin with.
const HEAD: usize = 1 << 20;

/// What a file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The end of its text: how many bytes and lines it has.
    pub end: Place,
    /// Parts that were guessed wrongly and read twice.
    pub reread: u64,
}

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The sink wanted no more, or stopping was asked for.
    #[error("reading was broken off")]
    BrokenOff,
}

/// Where findings go; `Break` ends the reading.
pub type Sink<'s> = &'s mut dyn FnMut(Found) -> ControlFlow<()>;

/// Reads the file and gives what it finds to `sink`, in document order, until `stop` is set.
pub fn read(source: &Source, manner: Manner<'_>, stop: &AtomicBool, sink: Sink<'_>) -> Result<Summary, ReadError> {
    let guess = first_prefixes(source, manner);
    rayon::in_place_scope_fifo(|scope| {
        let mut reader = Reader::new(source, manner, &guess, stop);
        let mut ranges = source.ranges();
        let mut ahead = VecDeque::new();
        loop {
            while ahead.len() <= rayon::current_num_threads() {
                let Some(range) = ranges.find(|range| !reader.expected.reaches(range.end)) else { break };
                let (sender, receiver) = sync_channel(AHEAD);
                let worker = Worker { source, manner, stop, guess: &guess, range: range.clone(), sender };
                scope.spawn_fifo(move |_| worker.run());
                ahead.push_back((range, receiver));
            }
            let Some((range, parts)) = ahead.pop_front() else { break };
            if !reader.expected.reaches(range.end) {
                reader.take(&range, &parts, sink)?;
            }
        }
        reader.finish(sink)
    })
}

/// The prefixes that hold after the first window of text: in every dump known, those that hold in all of it.
fn first_prefixes(source: &Source, manner: Manner<'_>) -> Prefixes {
    let mut scanner = Scanner::new(manner, Prefixes::default(), Place::default());
    let mut first = |text: &[u8]| {
        scanner.push(text, &mut |_| ());
        ControlFlow::Break(())
    };
    // An error here is met again, and reported, by the part that holds it.
    let _ = source.decode(Seam::START, source.size(), &mut first);
    scanner.prefixes().clone()
}

/// What a worker sends of its part, in this order: `Begin`, `Head`, any number of `Found`, `End`.
enum Message {
    /// The part seems to begin here; `None`: nowhere.
    Begin(Option<Seam>),
    /// The text before the first end of a statement.
    Head(Vec<u8>),
    /// Findings, with places counted from the end of the head.
    Found(Vec<Found>),
    /// How the part ended.
    End(Box<End>),
}

struct End {
    seam: Result<Seam, DecodeError>,
    prefixes: Prefixes,
    carry: Vec<u8>,
    recovering: bool,
    /// Where the carry begins, counted from the end of the head.
    place: Place,
}

/// Reads one part on its guesses.
struct Worker<'a> {
    source: &'a Source,
    manner: Manner<'a>,
    stop: &'a AtomicBool,
    guess: &'a Prefixes,
    range: Range<u64>,
    sender: SyncSender<Message>,
}

impl Worker<'_> {
    /// Runs until the part ends or nobody listens any more.
    fn run(self) {
        // An unreadable file is reported by the reader, who will find no seam here and read the part itself.
        let seam = self.source.find(&self.range).unwrap_or_default();
        if self.send(Message::Begin(seam)).is_continue()
            && let Some(seam) = seam
        {
            self.part(seam);
        }
    }

    fn part(&self, from: Seam) {
        let at_start = from == Seam::START;
        let prefixes = if at_start { Prefixes::default() } else { self.guess.clone() };
        let mut scanner = Scanner::new(self.manner, prefixes, Place::default());
        let mut head = (!at_start).then(Vec::new);
        let mut batch = Vec::new();
        if at_start && self.send(Message::Head(Vec::new())).is_break() {
            return;
        }
        let seam = self.source.decode(from, self.range.end, &mut |mut text| {
            if self.stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if let Some(begun) = &mut head {
                let end = statement_break(text);
                begun.extend_from_slice(&text[..end.unwrap_or(text.len())]);
                match end {
                    None if begun.len() > HEAD => return ControlFlow::Break(()),
                    None => return ControlFlow::Continue(()),
                    Some(end) => text = &text[end..],
                }
                self.send(Message::Head(head.take().unwrap_or_default()))?;
            }
            scanner.push(text, &mut |found| batch.push(found));
            if batch.len() >= BATCH {
                self.send(Message::Found(std::mem::take(&mut batch)))
            } else {
                ControlFlow::Continue(())
            }
        });
        if head.is_some() {
            // No statement ends here. Not to send a head tells the reader to read the part itself.
            return;
        }
        let (place, recovering) = (scanner.place(), scanner.is_recovering());
        let end =
            End { seam, place, recovering, prefixes: scanner.prefixes().clone(), carry: scanner.carry().to_vec() };
        if self.send(Message::Found(batch)).is_continue() {
            let _ = self.send(Message::End(Box::new(end)));
        }
    }

    fn send(&self, message: Message) -> ControlFlow<()> {
        if self.sender.send(message).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Puts the parts together.
struct Reader<'a> {
    source: &'a Source,
    guess: &'a Prefixes,
    stop: &'a AtomicBool,
    /// Stands where the parts read so far end.
    scanner: Scanner<'a>,
    /// The seam at which they end.
    expected: Seam,
    reread: u64,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source, manner: Manner<'a>, guess: &'a Prefixes, stop: &'a AtomicBool) -> Self {
        let scanner = Scanner::new(manner, Prefixes::default(), Place::default());
        Self { source, guess, stop, scanner, expected: Seam::START, reread: 0 }
    }

    /// Takes the part of `range`: from its worker if it guessed right, else by reading it here.
    fn take(&mut self, range: &Range<u64>, parts: &Receiver<Message>, sink: Sink<'_>) -> Result<(), ReadError> {
        let begun = matches!(parts.recv(), Ok(Message::Begin(Some(seam))) if seam == self.expected);
        let head = if begun { parts.recv() } else { return self.reread(range, 0, sink) };
        let Ok(Message::Head(head)) = head else { return self.reread(range, 0, sink) };
        let at_start = self.expected == Seam::START;
        push(&mut self.scanner, &head, sink)?;
        if !self.scanner.is_between_statements() || (!at_start && self.scanner.prefixes() != self.guess) {
            return self.reread(range, head.len(), sink);
        }
        let base = self.scanner.place();
        for message in parts {
            match message {
                Message::Found(batch) => batch
                    .into_iter()
                    .try_for_each(|found| give(sink, Found { place: base.plus(found.place), ..found }))?,
                Message::End(end) => {
                    self.expected = end.seam?;
                    self.scanner.resume(end.prefixes, end.carry, end.recovering, base.plus(end.place));
                    return self.check_stop();
                }
                Message::Begin(_) | Message::Head(_) => unreachable!("a worker begins once"),
            }
        }
        unreachable!("a worker that sent its head ends with Message::End while it is listened to")
    }

    /// Reads the part of `range` on this thread, less its first `skip` bytes of text, which are read already.
    fn reread(&mut self, range: &Range<u64>, mut skip: usize, sink: Sink<'_>) -> Result<(), ReadError> {
        self.reread += 1;
        let mut result = Ok(());
        let decoded = self.source.decode(self.expected, range.end, &mut |text| {
            let skipped = skip.min(text.len());
            skip -= skipped;
            result = push(&mut self.scanner, &text[skipped..], sink);
            if result.is_err() || self.stop.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        result?;
        self.expected = decoded?;
        self.check_stop()
    }

    fn check_stop(&self) -> Result<(), ReadError> {
        if self.stop.load(Ordering::Relaxed) { Err(ReadError::BrokenOff) } else { Ok(()) }
    }

    fn finish(mut self, sink: Sink<'_>) -> Result<Summary, ReadError> {
        let mut result = Ok(());
        self.scanner.finish(&mut |found| give_on(&mut result, sink, found));
        result.map(|()| Summary { end: self.scanner.place(), reread: self.reread })
    }
}

fn push(scanner: &mut Scanner<'_>, text: &[u8], sink: Sink<'_>) -> Result<(), ReadError> {
    let mut result = Ok(());
    scanner.push(text, &mut |found| give_on(&mut result, sink, found));
    result
}

fn give_on(result: &mut Result<(), ReadError>, sink: Sink<'_>, found: Found) {
    if result.is_ok() {
        *result = give(sink, found);
    }
}

fn give(sink: Sink<'_>, found: Found) -> Result<(), ReadError> {
    if sink(found).is_break() { Err(ReadError::BrokenOff) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
