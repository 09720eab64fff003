//! What the loop has to tell while it runs, for a log.
//!
//! Promise: what is worth a line is one of these; each has a name that programs can look for, and a sentence for people.
//! In -> out: what happened -> [`Notice`]; those that come again and again -> as few lines as [`Limiter`] allows.
//! Invariant: pure; the clock is handed in.
//! Not here: where lines go, and how they look.

use std::fmt;

use serde::Serialize;

use crate::side_output::FailureKind;
use crate::updater::counters::{Checkpoint, maybe_time};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// How many notices of a kind are told before they are held back.
const BURST: u64 = 5;
/// For how long they are counted together, in milliseconds.
const WINDOW: i64 = 60_000;

/// Something that happened to the loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The state was read.
    Restored {
        /// Of which savepoint or checkpoint.
        from: String,
        /// How many entities it holds.
        entities: u64,
        /// How many events wait in it.
        buffered: usize,
        /// Up to which time all events are in it.
        #[serde(serialize_with = "maybe_time")]
        watermark: Option<Timestamp>,
    },
    /// What had happened before has been read.
    CaughtUp,
    /// A checkpoint was taken.
    CheckpointTaken(Checkpoint),
    /// A checkpoint was not.
    CheckpointFailed {
        /// Why.
        reason: String,
    },
    /// A savepoint was taken, as somebody had asked.
    SavepointTaken {
        /// Where.
        place: String,
        /// How long it took, in milliseconds.
        millis: u64,
    },
    /// A savepoint was not.
    SavepointFailed {
        /// Why.
        reason: String,
    },
    /// The connection to where events come from was lost.
    Disconnected {
        /// To whom.
        source: String,
        /// Why.
        reason: String,
    },
    /// It is there again.
    Reconnected {
        /// To whom.
        source: String,
        /// For how long it was not, in milliseconds.
        millis: u64,
    },
    /// The triples of a mutation could not be had.
    FetchFailed {
        /// Of which entity.
        #[serde(serialize_with = "id")]
        entity: EntityId,
        /// At which revision.
        revision: i64,
        /// The kind of failure.
        #[serde(serialize_with = "failure")]
        kind: FailureKind,
        /// What happened.
        reason: String,
    },
    /// A record is no event.
    DeadLetter {
        /// Of which topic.
        topic: String,
        /// Of which partition of it.
        partition: u32,
        /// At which offset, if that is known.
        offset: Option<u64>,
        /// Why it is none.
        reason: String,
    },
    /// An event came too late.
    Late {
        /// Of which entity.
        #[serde(serialize_with = "id")]
        entity: EntityId,
        /// How far it was behind the watermark, in milliseconds.
        millis: u64,
    },
    /// Something failed, and the loop goes on from its last checkpoint.
    Restarting {
        /// What failed.
        reason: String,
        /// After which pause, in milliseconds.
        pause: u64,
    },
    /// The loop has ended.
    Stopped {
        /// Why.
        reason: String,
        /// From where it can go on.
        savepoint: Option<String>,
    },
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody should look, if it comes often.
    Warning,
    /// Something was not done.
    Error,
}

impl Level {
    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Notice {
    /// How many kinds there are.
    const KINDS: usize = 13;

    /// How much it matters.
    pub const fn level(&self) -> Level {
        match self {
            Self::Restored { .. }
            | Self::CaughtUp
            | Self::CheckpointTaken(_)
            | Self::SavepointTaken { .. }
            | Self::Reconnected { .. }
            | Self::Stopped { .. } => Level::Info,
            Self::Disconnected { .. }
            | Self::FetchFailed { .. }
            | Self::DeadLetter { .. }
            | Self::Late { .. }
            | Self::Restarting { .. } => Level::Warning,
            Self::CheckpointFailed { .. } | Self::SavepointFailed { .. } => Level::Error,
        }
    }

    const fn kind(&self) -> usize {
        match self {
            Self::Restored { .. } => 0,
            Self::CaughtUp => 1,
            Self::CheckpointTaken(_) => 2,
            Self::CheckpointFailed { .. } => 3,
            Self::SavepointTaken { .. } => 4,
            Self::SavepointFailed { .. } => 5,
            Self::Disconnected { .. } => 6,
            Self::Reconnected { .. } => 7,
            Self::FetchFailed { .. } => 8,
            Self::DeadLetter { .. } => 9,
            Self::Late { .. } => 10,
            Self::Restarting { .. } => 11,
            Self::Stopped { .. } => 12,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restored { from, entities, buffered, watermark } => {
                write!(f, "restored {from}: {entities} entities, {buffered} events that wait")?;
                watermark.map_or(Ok(()), |watermark| write!(f, ", up to {watermark}"))
            }
            Self::CaughtUp => f.write_str("caught up"),
            Self::CheckpointTaken(Checkpoint { id, millis, bytes, entities, full, .. }) => {
                let form = if *full { "full" } else { "incremental" };
                write!(f, "checkpoint {id} taken in {millis} ms: {form}, {entities} entities, {bytes} bytes")
            }
            Self::CheckpointFailed { reason } => write!(f, "a checkpoint failed: {reason}"),
            Self::SavepointTaken { place, millis } => write!(f, "savepoint {place} taken in {millis} ms"),
            Self::SavepointFailed { reason } => write!(f, "a savepoint failed: {reason}"),
            Self::Disconnected { source, reason } => write!(f, "lost {source}: {reason}"),
            Self::Reconnected { source, millis } => write!(f, "{source} is there again, after {millis} ms"),
            Self::FetchFailed { entity, revision, kind, reason } => {
                write!(f, "could not fetch {entity} at {revision}: {}: {reason}", kind.name())
            }
            Self::DeadLetter { topic, partition, offset, reason } => {
                write!(f, "no event at {topic} partition {partition}")?;
                offset.map_or(Ok(()), |offset| write!(f, " offset {offset}"))?;
                write!(f, ": {reason}")
            }
            Self::Late { entity, millis } => {
                write!(f, "an event of {entity} is late: {millis} ms behind the watermark")
            }
            Self::Restarting { reason, pause } => {
                write!(f, "goes on from the last checkpoint in {pause} ms, as something failed: {reason}")
            }
            Self::Stopped { reason, savepoint } => {
                write!(f, "stopped: {reason}")?;
                savepoint.as_ref().map_or(Ok(()), |savepoint| write!(f, "; goes on from {savepoint}"))
            }
        }
    }
}

fn id<S: serde::Serializer>(entity: &EntityId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(entity)
}

fn failure<S: serde::Serializer>(kind: &FailureKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

/// Holds back notices of a kind that come again and again: of those of a minute the first few are told.
#[derive(Clone, Debug, Default)]
pub struct Limiter([Window; Notice::KINDS]);

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// When it began, in milliseconds since 1970.
    start: i64,
    count: u64,
}

impl Limiter {
    /// Whether to tell this one; if so, how many of its kind were held back since the last that was told.
    pub fn admits(&mut self, notice: &Notice, now: Timestamp) -> Option<u64> {
        let window = &mut self.0[notice.kind()];
        let age = now.millis().saturating_sub(window.start);
        let mut held = 0;
        // A clock that was set back begins anew.
        if window.count == 0 || !(0..WINDOW).contains(&age) {
            held = window.count.saturating_sub(BURST);
            *window = Window { start: now.millis(), count: 0 };
        }
        window.count += 1;
        (window.count <= BURST).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wikibase::entity::EntityKind;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn some() -> Vec<Notice> {
        let text = || "x".to_owned();
        let entity = EntityId::new(EntityKind::Item, 42).unwrap();
        let checkpoint = Checkpoint { id: text(), at: at(0), millis: 1, bytes: 2, entities: 3, full: true };
        vec![
            Notice::Restored { from: text(), entities: 1, buffered: 2, watermark: Some(at(0)) },
            Notice::CaughtUp,
            Notice::CheckpointTaken(checkpoint),
            Notice::CheckpointFailed { reason: text() },
            Notice::SavepointTaken { place: text(), millis: 1 },
            Notice::SavepointFailed { reason: text() },
            Notice::Disconnected { source: text(), reason: text() },
            Notice::Reconnected { source: text(), millis: 1 },
            Notice::FetchFailed { entity, revision: 7, kind: FailureKind::NoContent, reason: text() },
            Notice::DeadLetter { topic: text(), partition: 1, offset: Some(2), reason: text() },
            Notice::Late { entity, millis: 1 },
            Notice::Restarting { reason: text(), pause: 1 },
            Notice::Stopped { reason: text(), savepoint: Some(text()) },
        ]
    }

    #[test]
    fn each_has_a_place_a_name_and_a_sentence() {
        let notices = some();
        assert_eq!(notices.len(), Notice::KINDS);
        let mut names = std::collections::BTreeSet::new();
        for (at, notice) in notices.iter().enumerate() {
            let json = serde_json::to_value(notice).unwrap();
            assert!(names.insert(json["notice"].to_string()), "{json}");
            let is_ours = |key: &&str| json.get(*key).is_some();
            assert_eq!(
                ["time", "level", "message", "held_back"].iter().find(|key| is_ours(key)),
                None,
                "the log's own"
            );
            assert_eq!(notice.kind(), at);
            let sentence = notice.to_string();
            assert!(!sentence.is_empty() && !sentence.contains('\n'), "{sentence}");
        }
    }

    #[test]
    fn the_first_few_of_a_minute_are_told() {
        let late = &some()[10];
        let mut limiter = Limiter::default();
        let told: Vec<_> = (0..8).map(|second| limiter.admits(late, at(second * 1000))).collect();
        assert_eq!(told, [Some(0), Some(0), Some(0), Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admits(&Notice::CaughtUp, at(8000)), Some(0), "kinds do not hold back each other");
        assert_eq!(limiter.admits(late, at(59_999)), None);
        assert_eq!(limiter.admits(late, at(60_000)), Some(4));
        assert_eq!(limiter.admits(late, at(60_001)), Some(0));
        assert_eq!(limiter.admits(late, at(0)), Some(0), "the clock was set back");
    }

    proptest! {
        /// What was told and what was told to be held back is all there was, but for what is held back at the end.
        #[test]
        fn nothing_is_held_back_in_silence(gaps in prop::collection::vec(0..40_000_i64, 1..300)) {
            let (mut limiter, mut now, mut accounted, mut pending) = (Limiter::default(), 0, 0, 0);
            for gap in &gaps {
                now += gap;
                match limiter.admits(&Notice::CaughtUp, at(now)) {
                    Some(held) => {
                        accounted += 1 + held;
                        pending = 0;
                    }
                    None => pending += 1,
                }
            }
            prop_assert_eq!(accounted + pending, gaps.len() as u64);
        }
    }
}
