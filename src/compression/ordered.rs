//! A compressed file -> its text in order, decoded ahead where that can be done side by side.
//!
//! Promise: the windows are the file's text, on the calling thread, from its first byte to its last.
//! Invariant: a part decoded ahead counts only if the part before it ended at the seam where it was begun (see `source`); and
//! a part that grows beyond `MOST_TEXT` is given up and decoded when its turn comes, so that memory is bounded.
//! Not here: what the text means.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::compression::Compression;
use crate::compression::source::{DecodeError, Seam, Source, WINDOW};

/// Text that one part may have, in bytes.
const MOST_TEXT: usize = 64 << 20;

/// Where windows go, each with the compressed byte up to which the file is decoded, about; `Break` ends the decoding.
///
/// The byte depends on the file alone, not on how many threads decode it.
pub type Sink<'w> = &'w mut dyn FnMut(&[u8], u64) -> ControlFlow<()>;

/// Gives the whole text to `windows`, until it breaks off; then `false`.
///
/// Blocks of bzip2 are decoded by rayon's threads, so many `parts` of the file ahead. All else is decoded here: a gzip member of Wikidata's dumps has
/// 500 MB of text, and one thread decodes them faster than many can munge.
pub fn text(source: &Source, parts: usize, windows: Sink<'_>) -> Result<bool, DecodeError> {
    let mut going = true;
    let mut give = |text: &[u8], byte: u64| {
        let flow = windows(text, byte);
        going = flow.is_continue();
        flow
    };
    if source.compression() == Compression::Bzip2 {
        side_by_side(source, parts, &mut give)?;
    } else {
        let before = source.consumed();
        source.decode(Seam::START, source.size(), &mut |text| give(text, source.consumed() - before))?;
    }
    Ok(going)
}

/// A part as its worker left it.
struct Part {
    begin: Seam,
    text: Vec<u8>,
    end: Result<Seam, DecodeError>,
}

fn side_by_side(source: &Source, parts: usize, windows: Sink<'_>) -> Result<(), DecodeError> {
    rayon::in_place_scope_fifo(|scope| {
        let mut ranges = source.ranges();
        let mut ahead: VecDeque<(Range<u64>, Receiver<Part>)> = VecDeque::new();
        let mut expected = Seam::START;
        loop {
            while ahead.len() < parts {
                let Some(range) = ranges.next() else { break };
                let (sender, receiver) = sync_channel(1);
                let part = range.clone();
                scope.spawn_fifo(move |_| decode(source, &part, &sender));
                ahead.push_back((range, receiver));
            }
            let Some((range, part)) = ahead.pop_front() else { return Ok(()) };
            if expected.reaches(range.end) {
                continue;
            }
            let mut flow = ControlFlow::Continue(());
            let mut give = |text: &[u8]| {
                flow = windows(text, range.start);
                flow
            };
            expected = match part.recv() {
                Ok(part) if part.begin == expected => {
                    // What breaks off is seen below.
                    let _ = part.text.chunks(WINDOW).try_for_each(&mut give);
                    part.end?
                }
                _ => source.decode(expected, range.end, &mut give)?,
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    })
}

/// Decodes the part that seems to begin in `range`. Not to send it tells the reader to decode it himself.
fn decode(source: &Source, range: &Range<u64>, sender: &SyncSender<Part>) {
    let Ok(Some(begin)) = source.find(range) else { return };
    let mut text = Vec::new();
    let end = source.decode(begin, range.end, &mut |window| {
        text.extend_from_slice(window);
        if text.len() > MOST_TEXT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if text.len() <= MOST_TEXT {
        // Nobody listens any more if reading was broken off.
        let _ = sender.send(Part { begin, text, end });
    }
}
