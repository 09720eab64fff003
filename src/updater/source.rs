//! Where events come from, as the loop sees it.
//!
//! Promise: each record of a partition once, in order, from the position that was asked for; or an error that tells what is lost.
//! In -> out: a wait -> [`Arrived`] records, each with the position behind it.
//! Invariant: a [`Position`] that the loop keeps is all that is needed to go on: an offset in a topic, or a byte in a file. Where a
//! source tells none, it is gone on from the time up to which all events are there (see `source::event_stream`).
//! Not here: what records say (see `event::wire`).

pub mod event_stream;
pub mod kafka;
pub mod lines;

use std::fmt;
use std::time::Duration;

use crate::event_streams::{StreamError, StreamPosition};
use crate::kafka::KafkaError;
use crate::kafka::feed::Feed;
use crate::savepoint::native::manifest::StartOffset;
use crate::storage::StorageError;

/// Names a partition: that of a topic, or a file of events, whose number is 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    /// The topic, or where the file is.
    pub topic: String,
    /// The number of the partition.
    pub number: u32,
}

/// Where a partition is read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which.
    pub partition: PartitionName,
    /// The offset of the record to read next, or the byte.
    pub next: u64,
}

/// A record that came.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'r> {
    /// The place of its partition in [`Source::partitions`].
    pub place: usize,
    /// Its position: an offset, or the byte at which it begins; `None` if the source does not tell.
    pub start: Option<u64>,
    /// The position behind it; `None` if the source does not tell.
    pub next: Option<u64>,
    /// Its bytes.
    pub value: &'r [u8],
}

/// What a poll brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// How many records.
    pub records: usize,
    /// Whether there will never be more.
    pub ended: bool,
}

/// Why there are no more events.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Kafka said so.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A stream over HTTP does not go on.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A file of events cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file became shorter than what was read of it.
    #[error("{location} has {size} bytes, but was read up to byte {next}: it is another file by now")]
    Shrunk {
        /// The file.
        location: String,
        /// How long it is.
        size: u64,
        /// The position.
        next: u64,
    },
}

/// What hands over records.
pub trait Source {
    /// All partitions. A poll may add more behind, whose records come with the next; none goes away.
    fn partitions(&self) -> &[PartitionName];

    /// Hands what has come to `take`, after waiting for the first record for at most `wait`.
    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError>;

    /// Whether each of these partitions, of which nothing came for long, has nothing to read; `None` if that cannot be known now.
    fn are_silent(&mut self, places: &[usize]) -> Option<Vec<bool>> {
        Some(vec![true; places.len()])
    }

    /// Whether a record that was read, by where it begins, is still one that `is_it` knows; also if it is not kept any more, or the
    /// source cannot change behind the reader's back. Else what was read since may be another stream's.
    fn still_has(&mut self, _place: usize, _start: u64, _is_it: &dyn Fn(&[u8]) -> bool) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// The feed, if they come from Kafka: what offsets are committed for.
    fn feed(&self) -> Option<&Feed> {
        None
    }

    /// Where a partition ends now, if that is known: the position behind its last record.
    fn end(&self, _place: usize) -> Option<u64> {
        None
    }

    /// What was heard lately of connections that do not hold, for people.
    fn heard(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why nothing can come now, if that is known.
    fn out_of_reach(&self) -> Option<SourceError> {
        None
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

impl From<&StreamPosition> for Position {
    fn from(position: &StreamPosition) -> Self {
        let StreamPosition { topic, partition, next_offset } = position;
        let partition = PartitionName { topic: topic.clone(), number: *partition };
        Self { partition, next: *next_offset }
    }
}

impl From<StartOffset> for Position {
    fn from(stored: StartOffset) -> Self {
        let partition = PartitionName { topic: stored.topic, number: stored.partition };
        Self { partition, next: stored.offset }
    }
}
