//! Why Kafka did not do as asked.

use std::fmt;
use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};

use crate::kafka::Partition;

/// Why Kafka did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The client does not take a property, or not that value. The value is not shown.
    #[error("the Kafka client does not take the property {key}: {reason}")]
    Property {
        /// Its key.
        key: String,
        /// What the client says.
        reason: String,
    },
    /// The client does not take the properties together.
    #[error("the Kafka client does not take these settings: {0}")]
    Settings(String),
    /// No broker answered in time.
    #[error("no answer from Kafka at {brokers} within {} s while asking for {action}{}", .timeout.as_secs_f64(), told(.heard))]
    Unreachable {
        /// The brokers that were given.
        brokers: String,
        /// What was asked for.
        action: &'static str,
        /// The time-out.
        timeout: Duration,
        /// What the client said last.
        heard: Vec<String>,
    },
    /// Kafka said no.
    #[error("Kafka at {brokers} refused {action}: {reason}")]
    Refused {
        /// The brokers that were given.
        brokers: String,
        /// What was asked for.
        action: &'static str,
        /// What Kafka said.
        reason: String,
    },
    /// Kafka refused a commit because the group has members.
    #[error("Kafka refused the commit: the group {group} is active ({reason})")]
    Active {
        /// The group.
        group: String,
        /// What Kafka said.
        reason: String,
    },
    /// A partition cannot be read where it must be.
    #[error("{partition} cannot be read from offset {offset}: {reason}")]
    Unreadable {
        /// The partition.
        partition: Partition,
        /// Where reading was to begin.
        offset: u64,
        /// What Kafka said.
        reason: String,
    },
    /// Records were deleted before they were read: retention was shorter than the stream was behind, or the topic is gone.
    #[error("Kafka at {brokers} no longer has records of {partitions} that were not read yet: {reason}")]
    Lost {
        /// The brokers asked.
        brokers: String,
        /// Of which they may be.
        partitions: String,
        /// What Kafka said.
        reason: String,
    },
    /// A transaction cannot go on; what was sent since the last commit is or will be aborted.
    #[error("the transaction with Kafka at {brokers} broke {action}: {reason}")]
    Transaction {
        /// The brokers asked.
        brokers: String,
        /// What was being done.
        action: &'static str,
        /// What Kafka said.
        reason: String,
    },
    /// Another took over the transactions: what was sent since the last commit is aborted, and nothing more can be sent.
    #[error("another took over the transactions of {transactional} with Kafka at {brokers}: {reason}")]
    Fenced {
        /// The brokers asked.
        brokers: String,
        /// The name of the transactions.
        transactional: String,
        /// What Kafka said.
        reason: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// What the client or a broker answered instead of an answer.
#[derive(Debug)]
pub struct Trouble {
    /// The partition it is about, where it is one among many.
    pub partition: Option<Partition>,
    /// What was said.
    pub error: ClientError,
}

impl Trouble {
    /// Whether the same may be answered otherwise a little later.
    pub fn is_passing(&self) -> bool {
        self.error.rdkafka_error_code().is_some_and(is_passing)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self { partition: None, error }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = words(&self.error);
        match &self.partition {
            Some(partition) => write!(f, "{partition}: {said}"),
            None => f.write_str(&said),
        }
    }
}

fn told(heard: &[String]) -> String {
    if heard.is_empty() { String::new() } else { format!(": {}", heard.join("; ")) }
}

/// Whether the same may succeed later.
pub fn is_passing(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        BrokerTransportFailure
            | OperationTimedOut
            | AllBrokersDown
            | Resolve
            | TimedOutQueue
            | MessageTimedOut
            | WaitingForCoordinator
            | DestroyBroker
            | Partial
            | LeaderNotAvailable
            | NotLeaderForPartition
            | RequestTimedOut
            | BrokerNotAvailable
            | ReplicaNotAvailable
            | NetworkException
            | CoordinatorLoadInProgress
            | CoordinatorNotAvailable
            | NotCoordinator
            | FencedLeaderEpoch
            | UnknownLeaderEpoch
            | OffsetNotAvailable
            | KafkaStorageError
            | NotEnoughReplicas
            | NotEnoughReplicasAfterAppend
            // The broker is up, but does not let us in; the reason is among what was heard.
            | Authentication
            | SSL
    )
}

/// Whether there is no such offset: records were deleted, or never were. No offset is chosen in its place.
pub const fn is_out_of_range(code: Code) -> bool {
    matches!(code, Code::OffsetOutOfRange | Code::AutoOffsetReset)
}

/// A client, or why it could not be made. The client repeats the value of a property, which may be a secret.
pub fn created<T>(client: KafkaResult<T>) -> Result<T, KafkaError> {
    client.map_err(|error| match error {
        ClientError::ClientConfig(_, reason, key, value) => {
            let reason = if value.is_empty() { reason } else { reason.replace(&value, "…") };
            KafkaError::Property { key, reason }
        }
        error => KafkaError::Settings(error.to_string()),
    })
}

/// What the client says of an error, in few words.
pub fn words(error: &ClientError) -> String {
    if let ClientError::Transaction(error) = error {
        return error.string();
    }
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}
