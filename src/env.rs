//! What the world tells a run: the time, whether to stop, and chance.
//!
//! Promise: plain values handed down from the command line, so that a test can hand down others.
//! Invariant: no other module asks for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::wikibase::timestamp::Timestamp;

/// The surroundings of a run.
#[derive(Clone, Debug)]
pub struct Env {
    /// The present moment.
    pub now: fn() -> Timestamp,
    /// Set when the user or the system asks the run to end.
    pub stop: Arc<AtomicBool>,
    /// What is done so far, for whoever watches.
    pub progress: Arc<Progress>,
}

impl Default for Env {
    /// Surroundings in which it is always 1970 and nobody asks to stop.
    fn default() -> Self {
        Self { now: Timestamp::default, stop: Arc::default(), progress: Arc::default() }
    }
}

impl Env {
    /// Waits that long, unless the run is asked to end; whether it was not.
    pub fn rest(&self, time: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(50);
        let mut left = time;
        while !left.is_zero() && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(left.min(LOOK));
            left = left.saturating_sub(LOOK);
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Counters that a run keeps while it works.
#[derive(Debug, Default)]
pub struct Progress {
    /// Compressed bytes of all input.
    pub total_bytes: AtomicU64,
    /// Compressed bytes read so far; may exceed the total where something had to be read twice.
    pub bytes: Arc<AtomicU64>,
    /// Entities found so far.
    pub entities: AtomicU64,
    /// Set once the input is read and the output is being written.
    pub writing: AtomicBool,
}

/// An id that nothing else has: a random UUID (RFC 9562, version 4). A system without chance is one on which nothing that is to
/// be safe can run.
pub fn new_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    uuid(u128::from_le_bytes(bytes))
}

/// A UUID of these bits.
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xF << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let part = |shift: u32, digits: usize| format!("{:0digits$x}", bits >> shift & ((1 << (4 * digits)) - 1));
    [part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_4() {
        let rows = [
            (0, "00000000-0000-4000-8000-000000000000"),
            (u128::MAX, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
            (0x0123_4567_89ab_cdef_0123_4567_89ab_cdef, "01234567-89ab-4def-8123-456789abcdef"),
        ];
        for (bits, expected) in rows {
            assert_eq!(uuid(bits), expected);
        }
    }
}
