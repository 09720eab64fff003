//! The laws of decoding: any bytes are a text or an error, the same in parts of any size as in one; nobody is given more
//! text than he asked for.
//!
//! Input: one byte that chooses the size of the parts, then the file.

#![no_main]

use std::ops::ControlFlow;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;

use bytes::Bytes;
use headwater::compression::source::{DecodeError, Seam, Source, WINDOW};
use headwater::storage::{self, Location};
use libfuzzer_sys::fuzz_target;

/// A few bytes can stand for gigabytes of text; whoever has seen enough breaks off.
const ENOUGH: usize = 4 << 20;

fuzz_target!(|input: &[u8]| {
    static HOOK: Once = Once::new();
    HOOK.call_once(forgive_lbzip2);
    let Some((choice, bytes)) = input.split_first() else { return };
    let file = Location::memory().join("file");
    storage::put(&file, Bytes::copy_from_slice(bytes)).expect("memory takes it");
    let source = Source::open(&file).expect("any bytes can be opened");
    let (whole, parts) = (decoded(&source, u64::MAX), decoded(&source, u64::from(*choice) * 8 + 8));
    assert_eq!(whole.broken_off, parts.broken_off);
    assert_eq!(whole.error.is_some(), parts.error.is_some(), "{:?} and {:?}", whole.error, parts.error);
    assert!(whole.text == parts.text, "the text in parts is the text");
});

/// Panics of lbzip2 are caught where it is called and count as damage to the file; libFuzzer would stop at them.
fn forgive_lbzip2() {
    let hook = take_hook();
    let is_caught = |info: &PanicHookInfo<'_>| info.location().is_some_and(|place| place.file().contains("/lbzip2-"));
    set_hook(Box::new(move |info| {
        if !is_caught(info) {
            hook(info)
        }
    }));
}

/// What came of a file.
struct Decoded {
    text: Vec<u8>,
    error: Option<DecodeError>,
    broken_off: bool,
}

/// Decodes in parts of `part` compressed bytes, as `dump::read` does: a part counts if it begins where the last ended.
fn decoded(source: &Source, part: u64) -> Decoded {
    let mut decoded = Decoded { text: Vec::new(), error: None, broken_off: false };
    let (mut start, mut expected) = (0, Seam::START);
    while start < source.size() && !decoded.broken_off {
        let range = start..source.size().min(start.saturating_add(part));
        start = range.end;
        if expected.reaches(range.end) {
            continue;
        }
        let found = source.find(&range).expect("memory can be read");
        let from = found.filter(|found| *found == expected).unwrap_or(expected);
        match source.decode(from, range.end, &mut |window| decoded.take(window)) {
            Ok(seam) => expected = seam,
            Err(error) => {
                decoded.error = Some(error);
                return decoded;
            }
        }
    }
    assert!(decoded.broken_off || expected == Seam::START || expected.byte() == source.size(), "all of it was read");
    decoded
}

impl Decoded {
    fn take(&mut self, window: &[u8]) -> ControlFlow<()> {
        assert!(!self.broken_off, "nothing comes after breaking off");
        assert!(window.len() <= WINDOW);
        self.text.extend_from_slice(window);
        self.broken_off = self.text.len() >= ENOUGH;
        if self.broken_off { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
