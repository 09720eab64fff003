//! Why an updater does not run, or does no longer.

use crate::entity_data::FetchSetUpError;
use crate::event::EventError;
use crate::kafka::{KafkaError, Partition, Topic};
use crate::savepoint::SavepointError;
use crate::savepoint::checkpoint::id::CheckpointId;
use crate::storage::{Location, StorageError};
use crate::updater::line::LineError;
use crate::updater::outputs::OutputError;
use crate::updater::source::{PartitionName, SourceError};

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The line broke off.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Kafka said so.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// No entity data can be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchSetUpError),
    /// A savepoint or checkpoint cannot be read.
    #[error(transparent)]
    Savepoint(#[from] SavepointError),
    /// The checkpoint that is true cannot be read.
    #[error("checkpoint {id}, from which the group goes on, cannot be read")]
    Checkpoint {
        /// Its id.
        id: CheckpointId,
        /// Why not.
        source: Box<SavepointError>,
    },
    /// Topics are not there.
    #[error("Kafka has no topic {}", names(.0))]
    UnknownTopics(Vec<Topic>),
    /// Some partitions were committed with a checkpoint and others without it, or with another.
    #[error("the group's offsets are not of one moment: {one} says `{of_one}`, {other} says `{of_other}`")]
    Mixed {
        /// A partition.
        one: Partition,
        /// What stands beside its offset.
        of_one: String,
        /// Another.
        other: Partition,
        /// What stands beside its.
        of_other: String,
    },
    /// There is no checkpoint, and nothing else to begin with.
    #[error("there is no checkpoint yet, and no state to begin with")]
    NoState,
    /// The group was committed with a checkpoint, but no directory of checkpoints is given.
    #[error("the group goes on from checkpoint {0}, and no directory of checkpoints is given")]
    NoDirectory(CheckpointId),
    /// Nothing tells where to begin.
    #[error("nothing tells where to begin {0}: neither the savepoint nor the group has an offset")]
    NoOffset(PartitionName),
    /// Nothing tells from when on a stream is to be read.
    #[error(
        "nothing tells from when on the stream is to be read: neither a checkpoint nor the savepoint has a time, and none is given"
    )]
    NoTime,
    /// The savepoint and the group say different things.
    #[error("the group is at {group} in {partition}, the savepoint at {savepoint}")]
    Disagree {
        /// The partition.
        partition: PartitionName,
        /// The group's offset.
        group: u64,
        /// The savepoint's.
        savepoint: u64,
    },
    /// What is to be read was deleted.
    #[error("{partition} begins at {earliest}, but must be read from {next} on: events are lost")]
    Gap {
        /// The partition.
        partition: PartitionName,
        /// What is retained.
        earliest: u64,
        /// Where it must be read from.
        next: u64,
    },
    /// What is to be read was never written.
    #[error("{partition} ends at {end}, but was read up to {next}: it is another topic by now")]
    Ahead {
        /// The partition.
        partition: PartitionName,
        /// Where it ends.
        end: u64,
        /// Where it was read up to.
        next: u64,
    },
    /// The newest checkpoint cannot be restored. Whoever went on from an older one, or from the savepoint, would not know it.
    #[error("the newest checkpoint in {dir}, {id}, is damaged or lacks files")]
    Broken {
        /// The directory of checkpoints.
        dir: Location,
        /// Which.
        id: CheckpointId,
    },
    /// An event in a savepoint is none.
    #[error("an event that waits in the savepoint cannot be used")]
    Buffered(#[source] EventError),
    /// The savepoint is another wiki's.
    #[error("the savepoint is of the wiki with entities in {found}, not {wanted}")]
    OtherWiki {
        /// The namespace of its entities.
        found: String,
        /// The one that is meant.
        wanted: String,
    },
}

fn names(topics: &[Topic]) -> String {
    topics.iter().map(Topic::to_string).collect::<Vec<_>>().join(", ")
}

impl From<OutputError> for ServiceError {
    fn from(error: OutputError) -> Self {
        Self::Line(error.into())
    }
}

impl From<SourceError> for ServiceError {
    fn from(error: SourceError) -> Self {
        Self::Line(error.into())
    }
}

impl ServiceError {
    /// Whether something is missed that is there again when it was there before: a broker that has just begun does not know all
    /// topics yet, and a file system may be away for a while.
    pub(in crate::updater) fn is_of_what_was_there(&self) -> bool {
        matches!(self, Self::UnknownTopics(_) | Self::Savepoint(_) | Self::Checkpoint { .. })
    }

    /// Whether the same may succeed later. A stream over HTTP has waited by itself for as long as it may.
    pub fn may_pass(&self) -> bool {
        let of_kafka =
            |error: &KafkaError| matches!(error, KafkaError::Unreachable { .. } | KafkaError::Transaction { .. });
        let of_storage = |error: &StorageError| matches!(error, StorageError::Unavailable { .. });
        match self {
            Self::Kafka(error)
            | Self::Line(LineError::Source(SourceError::Kafka(error)) | LineError::Output(OutputError::Kafka(error))) => {
                of_kafka(error)
            }
            Self::Savepoint(SavepointError::Storage(error))
            | Self::Line(
                LineError::Checkpoint(SavepointError::Storage(error)) | LineError::Output(OutputError::Storage(error)),
            ) => of_storage(error),
            Self::Checkpoint { source, .. } => {
                matches!(&**source, SavepointError::Storage(error) if of_storage(error))
            }
            _ => false,
        }
    }
}
