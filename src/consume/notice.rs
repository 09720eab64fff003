//! What a consumer has to tell while it runs, for a log.
//!
//! Invariant: pure. Each has a name that programs can look for, and a sentence for people.

use std::fmt;

use serde::Serialize;

use crate::consume::status::Status;
use crate::telling::{Level, Telling};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// It begins to read.
    Opened {
        /// Where.
        at: String,
    },
    /// All that there is was read.
    CaughtUp,
    /// How it goes.
    Progress(Box<Status>),
    /// A record was left out.
    Skipped {
        /// Where it is.
        place: String,
        /// Why.
        reason: String,
    },
    /// Messages of a mutation that was begun before the place where reading was begun.
    Headless {
        /// Where the first is.
        place: String,
    },
    /// The store does not do as asked, and is asked again.
    Retrying {
        /// What it says.
        reason: String,
        /// After which pause, in milliseconds.
        pause_ms: u64,
    },
    /// Something failed, or the store was put back: it is gone on with where the store is.
    Reopening {
        /// What failed.
        reason: String,
        /// After which pause, in milliseconds.
        pause_ms: u64,
    },
    /// The connection to where messages come from was lost.
    Heard {
        /// What was heard of it.
        what: String,
    },
    /// It has ended.
    Stopped {
        /// Why.
        reason: String,
        /// Where the store is.
        at: String,
    },
}

impl Telling for Notice {
    fn level(&self) -> Level {
        match self {
            Self::Opened { .. } | Self::CaughtUp | Self::Progress(_) | Self::Stopped { .. } => Level::Info,
            Self::Headless { .. } | Self::Retrying { .. } | Self::Reopening { .. } | Self::Heard { .. } => {
                Level::Warning
            }
            Self::Skipped { .. } => Level::Error,
        }
    }

    fn is_always_told(&self) -> bool {
        matches!(self, Self::Skipped { .. })
    }

    fn kind(&self) -> usize {
        match self {
            Self::Opened { .. } => 0,
            Self::CaughtUp => 1,
            Self::Progress(_) => 2,
            Self::Skipped { .. } => 3,
            Self::Headless { .. } => 4,
            Self::Retrying { .. } => 5,
            Self::Reopening { .. } => 6,
            Self::Heard { .. } => 7,
            Self::Stopped { .. } => 8,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { at } => write!(f, "reads from {at}"),
            Self::CaughtUp => f.write_str("caught up"),
            Self::Progress(status) => status.line(f),
            Self::Skipped { place, reason } => {
                write!(f, "left out {place}: {reason}; what it changes must be reconciled")
            }
            Self::Headless { place } => {
                write!(f, "passed over the end of a mutation at {place}, which was begun before")
            }
            Self::Retrying { reason, pause_ms } => write!(f, "asks the store again in {pause_ms} ms: {reason}"),
            Self::Reopening { reason, pause_ms } => write!(f, "goes on where the store is in {pause_ms} ms: {reason}"),
            Self::Heard { what } => f.write_str(what),
            Self::Stopped { reason, at } => write!(f, "stopped: {reason}; the store is at {at}"),
        }
    }
}
