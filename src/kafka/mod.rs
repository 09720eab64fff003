//! Kafka: the one door to its client.
//!
//! Promise: answers about many partitions at once, each within the time-out; nothing is written but by
//! [`Cluster::commit`](cluster::Cluster::commit), [`Outbox`](outbox::Outbox) and [`Sender`](sender::Sender), which write exactly what
//! they are given.
//! In -> out: [`Settings`] -> a [`Cluster`](cluster::Cluster) to ask, a [`Feed`](feed::Feed) to read, an [`Outbox`](outbox::Outbox)
//! or a [`Sender`](sender::Sender) to write.
//! Invariant: no consumer joins a group, commits, stores or resets an offset by itself, or makes a topic. No value of a
//! property, which may be a secret, is ever displayed.
//! Not here: which position is the right one.

pub mod cluster;
mod ear;
mod error;
pub mod feed;
mod flush;
pub mod outbox;
pub mod range;
mod reader;
mod request;
pub mod sender;
mod settings;

use std::fmt;

pub use error::KafkaError;
pub use settings::{Property, PropertyError, Settings};

use crate::wikibase::timestamp::Timestamp;

/// The name of a topic: 1 to 249 letters, digits, dots, underscores and dashes, as Kafka has them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(String);

/// The text is no name of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a topic: 1 to 249 letters, digits, dots, underscores and dashes")]
pub struct TopicError(String);

impl Topic {
    /// The longest name that Kafka takes, in characters.
    const MOST: usize = 249;

    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=Self::MOST).contains(&text.len()) && text.chars().all(legal) && text != "." && text != "..";
        if fits { Ok(Self(text.to_owned())) } else { Err(TopicError(text.to_owned())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic.
    pub topic: Topic,
    /// Its number, from 0.
    pub number: u32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} partition {}", self.topic, self.number)
    }
}

/// What a partition retains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first offset that may be read; above 0 once anything was deleted.
    pub earliest: u64,
    /// The offset that the next record will have.
    pub end: u64,
}

impl Extent {
    /// Whether nothing is retained.
    pub fn is_empty(self) -> bool {
        self.earliest >= self.end
    }
}

/// A record, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: u64,
    /// Its time; `None` for one of a producer so old that it gave none.
    pub time: Option<Timestamp>,
}

/// The records around an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// The last one before it.
    pub before: Option<Record>,
    /// The first one at it or after it.
    pub at: Option<Record>,
}

/// An offset that a group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Where the group goes on.
    pub offset: u64,
    /// What the consumer wrote beside it; mostly empty.
    pub metadata: String,
}

/// What Kafka says of a consumer group.
///
/// A job that assigns its partitions to itself, as Flink's do, is no member: Kafka does not know whether it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// It has no member; its offsets may be set.
    Idle,
    /// It has members.
    Active {
        /// What Kafka calls its state, such as `Stable`.
        state: String,
        /// The hosts of the members, as Kafka names them.
        members: Vec<String>,
    },
    /// A state that says neither, as of groups of a newer protocol. Kafka refuses a commit if it has members.
    Unclear(String),
}

/// The partitions of some topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    /// All partitions of those that there are, sorted.
    pub partitions: Vec<Partition>,
    /// Those that there are not.
    pub unknown: Vec<Topic>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_kafka_takes_for_a_topic() {
        let long = "x".repeat(250);
        let rows = [
            ("eqiad.mediawiki.page_change.v1", true),
            ("A-b_c.9", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("a\0", false),
            ("é", false),
        ];
        for (text, legal) in rows {
            assert_eq!(Topic::parse(text).is_ok(), legal, "{text}");
        }
    }
}
