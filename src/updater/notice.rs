//! What the loop has to tell while it runs, for a log.
//!
//! Promise: what is worth a line is one of these; each has a name that programs can look for, and a sentence for people.
//! Invariant: pure.
//! Not here: how often notices are told (see `telling`), where lines go, and how they look.

use std::fmt;

use serde::Serialize;

use crate::side_output::FailureKind;
use crate::telling::{Level, Telling};
use crate::updater::counters::{Checkpoint, maybe_time};
use crate::updater::pace::Rates;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// Something that happened to the loop.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// How fast it goes.
    Progress {
        /// Records read so far.
        read: u64,
        /// What is known of the last minute, and of what is left.
        rates: Rates,
        /// How far the watermark is behind the present, in milliseconds.
        behind: Option<u64>,
    },
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

impl Telling for Notice {
    fn level(&self) -> Level {
        match self {
            Self::Restored { .. }
            | Self::CaughtUp
            | Self::Progress { .. }
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

    fn kind(&self) -> usize {
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
            Self::Progress { .. } => 13,
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
            Self::Progress { read, rates, behind } => progress(f, *read, rates, *behind),
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

fn progress(f: &mut fmt::Formatter<'_>, read: u64, rates: &Rates, behind: Option<u64>) -> fmt::Result {
    write!(f, "{read} records read")?;
    rates.events_per_second.map_or(Ok(()), |rate| write!(f, ", {rate:.0} a second"))?;
    rates.mutations_per_second.map_or(Ok(()), |rate| write!(f, ", {rate:.0} mutations a second"))?;
    behind.map_or(Ok(()), |behind| write!(f, ", {} s behind", behind / 1000))?;
    rates.remaining.filter(|left| *left > 0).map_or(Ok(()), |left| write!(f, ", {left} left"))?;
    rates.caught_up_at.map_or(Ok(()), |at| write!(f, ", done at {at}"))
}

fn id<S: serde::Serializer>(entity: &EntityId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(entity)
}

fn failure<S: serde::Serializer>(kind: &FailureKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

#[cfg(test)]
mod tests {
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
            Notice::Progress { read: 1, rates: Rates::default(), behind: Some(2000) },
        ]
    }

    #[test]
    fn each_has_a_place_a_name_and_a_sentence() {
        let notices = some();
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
}
