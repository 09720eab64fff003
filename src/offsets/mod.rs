//! Start positions: where a consumer group is to begin, so that nothing is lost and nothing guessed.
//!
//! Promise: offsets are committed only by [`commit`](apply::commit), which first writes down what was there, commits exactly
//! what it is given, and reads it back.
//! In -> out: topics and a time -> [`Plan`](plan::Plan) -> committed offsets -> proof; and back.
//! Invariant: before anything is committed the world is read anew; what changed since the plan is a reason to refuse.
//! Not here: who confirms, and how it is shown (`cli::offsets`).

pub mod apply;
pub mod file;
pub mod observe;
pub mod plan;
pub mod presets;
pub mod rollback;
pub mod span;
pub mod verify;

use bytes::Bytes;

use crate::kafka::{KafkaError, Partition};
use crate::offsets::file::FileError;
use crate::offsets::plan::Risk;
use crate::storage::{self, Location, StorageError};

/// The largest plan or saved file that is read, in bytes: some 100,000 partitions.
const MAX_BYTES: u64 = 64 << 20;

/// Why offsets could not be planned, committed, verified or restored.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// Kafka did not do as asked.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file is not what it should be.
    #[error("{location} cannot be used: {error}")]
    File {
        /// The file.
        location: Location,
        /// What is wrong with it.
        error: FileError,
    },
    /// The brokers are of another cluster.
    #[error("these brokers are of the cluster {here}, but the offsets are for the cluster {there}")]
    OtherCluster {
        /// The cluster that answered.
        here: String,
        /// The one in the file.
        there: String,
    },
    /// The start lies in the future.
    #[error("the start {start} is later than now, {now}")]
    Future {
        /// The start.
        start: String,
        /// The present.
        now: String,
    },
    /// None of the topics is there.
    #[error("none of the topics is there: {0}")]
    NoTopic(String),
    /// The group has members.
    #[error("the group {group} is active: {state}, members: {members}")]
    Active {
        /// The group.
        group: String,
        /// What Kafka calls its state.
        state: String,
        /// Who they are.
        members: String,
    },
    /// The world is no longer as the plan has it.
    #[error("the world has changed since the plan was made: {}", several(.0))]
    Changed(Vec<String>),
    /// The plan has risks that are not allowed.
    #[error("the plan is not safe: {}", names(.0))]
    Risky(Vec<Risk>),
    /// A commit failed, and what was committed is not known.
    #[error("the commit did not end well, and some offsets may be set: {source}")]
    HalfWay {
        /// Where the offsets from before are.
        saved: Location,
        /// What happened.
        #[source]
        source: Box<KafkaError>,
    },
    /// Kafka does not tell the offsets that were committed.
    #[error("{} after the commit; the first is {first}", differ(.count))]
    NotKept {
        /// Where the offsets from before are.
        saved: Location,
        /// How many partitions.
        count: usize,
        /// The first of them.
        first: Partition,
    },
}

fn several(changes: &[String]) -> String {
    let shown = changes.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    if changes.len() > 3 { format!("{shown}; and {} more", changes.len() - 3) } else { shown }
}

fn names(risks: &[Risk]) -> String {
    risks.iter().map(|risk| risk.meaning()).collect::<Vec<_>>().join("; ")
}

fn differ(count: &usize) -> String {
    if *count == 1 { "an offset differs".to_owned() } else { format!("{count} offsets differ") }
}

/// Reads a small file whole.
fn read(location: &Location) -> Result<Bytes, OffsetsError> {
    Ok(storage::read_at_most(location, MAX_BYTES)?)
}
