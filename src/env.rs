//! What the world tells a run: the time, and whether to stop.
//!
//! Promise: plain values handed down from the command line, so that a test can hand down others.
//! Invariant: no other module asks for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

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
