//! Why a store cannot be kept up to date.

use std::time::Duration;

use crate::consume::assemble::AssemblyError;
use crate::consume::position::Position;
use crate::consume::target::TargetError;
use crate::consume::triples::TriplesError;
use crate::kafka::{KafkaError, Topic};
use crate::mutation::wire::WireError;
use crate::sparql::SparqlError;
use crate::storage::StorageError;
use crate::updater::source::SourceError;
use crate::updater::source::lines::LONGEST;

/// Why a record is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// It is no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It is about another wiki.
    #[error("it is about {found}, not about {wanted}")]
    OtherWiki {
        /// The host that it names.
        found: String,
        /// The wiki's.
        wanted: String,
    },
    /// It does not fit to those before it.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// Its triples cannot be read.
    #[error("{entity} at revision {revision}: {source}")]
    Triples {
        /// The entity.
        entity: String,
        /// The revision.
        revision: u64,
        /// Why not.
        source: TriplesError,
    },
    /// It is longer than any message.
    #[error("it has {size} bytes or more, and a message has at most {LONGEST}")]
    TooLong {
        /// How many were read of it.
        size: usize,
    },
    /// The store does not take it, though it takes other updates.
    #[error("the store does not take it: {0}")]
    Refused(TargetError),
}

/// Why a store cannot be kept up to date.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The store refuses an update of several mutations.
    #[error("the store refuses an update of {mutations} mutations, from {from} on: {source}")]
    Refused {
        /// How many.
        mutations: u64,
        /// Where the first is.
        from: Box<str>,
        /// Where the update was to lead.
        until: Box<Position>,
        /// What the store says.
        source: TargetError,
    },
    /// A record is of no use.
    #[error("{place}: {source}")]
    Record {
        /// Its topic, partition and offset, or file and byte.
        place: String,
        /// Why.
        source: BadRecord,
    },
    /// There are no more messages.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store does not do as asked.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store says that an update was done, and is where it was before.
    #[error("the store says that an update was done, but is where it was before: {at}; it said: {said}")]
    NotDone {
        /// Where it is.
        at: Position,
        /// What it said.
        said: String,
    },
    /// The store is no longer where it was left: an older copy took its place.
    #[error("the store was at {expected}, and is at {found} now: an older copy took its place")]
    Rewound {
        /// Where it was left.
        expected: Box<Position>,
        /// Where it is.
        found: Box<Position>,
    },
    /// The store moved on by itself.
    #[error("the store was left at {expected}, and is at {found} now: another consumer keeps it up to date, too")]
    Another {
        /// Where it was left.
        expected: Box<Position>,
        /// Where it is.
        found: Box<Position>,
    },
    /// Nothing tells where to begin.
    #[error("nothing tells where to begin: the store has no position")]
    NoStart,
    /// What the store says is of another stream.
    #[error("the store is at {found}, which is no position in {wanted}")]
    OtherStream {
        /// Where it is.
        found: Position,
        /// What is read.
        wanted: String,
    },
    /// The topic is not there, or has more than one partition.
    #[error("{topic} {}; a stream of mutations has one partition, as its order counts", partitions_of(*.partitions))]
    Partitions {
        /// The topic.
        topic: Topic,
        /// How many it has.
        partitions: usize,
    },
    /// A file has no beginning of a line where the store is.
    #[error("{file} has no line that begins at byte {next}, where the store is: it is another file by now")]
    OtherFile {
        /// The file.
        file: String,
        /// The byte.
        next: u64,
    },
    /// The last record is not the one that the store has read last.
    #[error("{place}: this is not the message that the store has read last: it is another stream by now")]
    OtherRecord {
        /// Its topic, partition and offset, or file and byte.
        place: String,
    },
    /// The group has committed nothing.
    #[error("the group has committed no offset for {0}")]
    NoCommit(Topic),
    /// The topic no longer has what comes next.
    #[error("{topic} begins at offset {earliest}, and the store is at {next}: what is between is lost")]
    Lost {
        /// The topic.
        topic: Topic,
        /// The first offset that it has.
        earliest: u64,
        /// The offset wanted.
        next: u64,
    },
    /// The topic does not go as far as the store is.
    #[error("{topic} ends at offset {end}, and the store is at {next}: it was made anew, or is another cluster's")]
    Ahead {
        /// The topic.
        topic: Topic,
        /// Where it ends.
        end: u64,
        /// The offset wanted.
        next: u64,
    },
    /// A time before all that a topic has, or after it.
    #[error("{topic} has no message since {time}: {reason}")]
    NoTime {
        /// The topic.
        topic: Topic,
        /// The time.
        time: String,
        /// Why not.
        reason: String,
    },
    /// The stream ends within a mutation.
    #[error("the stream ends within a mutation: of {0}; the store is before it")]
    Unfinished(String),
    /// The same again and again.
    #[error("{source}, for {} s", .tried.as_secs())]
    GaveUp {
        /// For how long it was tried.
        tried: Duration,
        /// What failed last.
        source: Box<ConsumeError>,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Stopped,
}

fn partitions_of(count: usize) -> String {
    if count == 0 { "is not there".to_owned() } else { format!("has {count} partitions") }
}

impl From<KafkaError> for ConsumeError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::Stopped => Self::Stopped,
            error => Self::Source(error.into()),
        }
    }
}

impl From<SparqlError> for ConsumeError {
    fn from(error: SparqlError) -> Self {
        Self::Target(error.into())
    }
}

impl ConsumeError {
    /// The pause before the next try that the store asks for; none, if it asks for none.
    pub fn asked(&self) -> Duration {
        match self {
            Self::Target(error) => error.asked(),
            _ => Duration::ZERO,
        }
    }

    /// Whether to open everything again, where the store says it is, is of use.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Target(error) => error.is_passing(),
            Self::NotDone { .. } | Self::Rewound { .. } => true,
            // A stream over HTTP has waited by itself for as long as it may.
            Self::Source(SourceError::Kafka(error)) => matches!(error, KafkaError::Unreachable { .. }),
            Self::Source(SourceError::Storage(error)) => matches!(error, StorageError::Unavailable { .. }),
            _ => false,
        }
    }
}
