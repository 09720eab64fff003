//! The records around given offsets, of many partitions at once; and whether one that was read is still there.
//!
//! Promise: for each partition the last record before an offset and the first at or after it, whatever is missing between
//! offsets: compacted records, the marks of transactions, expired segments.
//! In -> out: an offset and an extent a partition -> [`Around`].
//! Invariant: nothing beyond the extent is told, so that all answers are of one moment.
//!
//! All partitions are read side by side, each from one offset before the wanted one. Where that finds no record before it, it
//! is read again from eight times as far before, up to where the last reading began; and so on to the earliest offset.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::BorrowedMessage;

use crate::kafka::cluster::Cluster;
use crate::kafka::ear::Ear;
use crate::kafka::error::{is_out_of_range, is_passing, words};
use crate::kafka::request::{list, offset};
use crate::kafka::{Around, Extent, KafkaError, Partition, Record};
use crate::wikibase::timestamp::Timestamp;

/// How much further back each reading begins.
const FURTHER: u64 = 8;
/// How long to wait for more when no partition has any.
const PAUSE: Duration = Duration::from_millis(2);

const ACTION: &str = "records";

/// What is known of a partition, and what is still to be read.
#[derive(Clone, Copy, Debug)]
struct Search {
    wanted: u64,
    extent: Extent,
    found: Around,
    /// Where the next reading begins; nothing is left to read if `None`.
    from: Option<u64>,
    /// Where it ends, unless a record at or after the wanted offset ends it before.
    until: u64,
}

impl Search {
    fn new(wanted: u64, extent: Extent) -> Self {
        let nearest = wanted.min(extent.end).saturating_sub(1).max(extent.earliest);
        let from = (!extent.is_empty()).then_some(nearest);
        Self { wanted, extent, found: Around::default(), from, until: extent.end }
    }

    /// Takes a record; says whether the reading is done.
    fn take(&mut self, record: Record) -> bool {
        if record.offset >= self.until {
            return true;
        }
        if record.offset >= self.wanted {
            self.found.at = Some(record);
            return true;
        }
        self.found.before = Some(record);
        // The last offset of all: nothing can follow.
        record.offset + 1 >= self.until
    }

    /// Where a reading that is done leaves things: what is before is found, or is looked for further back.
    fn close(&mut self) {
        let Some(from) = self.from.take() else { return };
        if self.found.before.is_none() && from > self.extent.earliest {
            let back = self.wanted.min(self.extent.end).saturating_sub(from).max(1);
            self.until = from;
            self.from = Some(from.saturating_sub(back.saturating_mul(FURTHER - 1)).max(self.extent.earliest));
        }
    }
}

/// The records around the wanted offset of each partition.
pub fn records_at(
    cluster: &Cluster,
    wanted: &BTreeMap<Partition, (u64, Extent)>,
) -> Result<BTreeMap<Partition, Around>, KafkaError> {
    let search = |(partition, (offset, extent)): (&Partition, &(u64, Extent))| {
        (partition.clone(), Search::new(*offset, *extent))
    };
    let mut searches: BTreeMap<_, _> = wanted.iter().map(search).collect();
    let deadline = cluster.deadline();
    while searches.values().any(|search| search.from.is_some()) {
        let read = read(cluster, &mut searches, deadline);
        // Let go of all partitions, also after an error.
        cluster.done(ACTION, cluster.consumer.assign(&list(std::iter::empty())))?;
        read?;
    }
    Ok(searches.into_iter().map(|(partition, search)| (partition, search.found)).collect())
}

/// Whether the record at an offset is one that `is_it` knows, or is not retained any more.
pub fn still_has(
    cluster: &Cluster,
    partition: &Partition,
    at: u64,
    is_it: &dyn Fn(&[u8]) -> bool,
) -> Result<bool, KafkaError> {
    let unreadable = |reason| KafkaError::Unreadable { partition: partition.clone(), offset: at, reason };
    // As it has one since it was read so: see [`read`].
    let queue = queue(cluster, partition).ok_or_else(|| unreadable("it has no queue".to_owned()))?;
    cluster.done(ACTION, cluster.consumer.assign(&list([(partition, offset(at))].into_iter())))?;
    let has = has(cluster, &queue, at, is_it, unreadable);
    cluster.done(ACTION, cluster.consumer.assign(&list(std::iter::empty())))?;
    if let Some(has) = has? {
        return Ok(has);
    }
    let extents = cluster.extents(std::slice::from_ref(partition))?;
    Ok(extents.get(partition).is_some_and(|extent| at < extent.earliest))
}

/// The same of a partition that is assigned from there on; `None` if there is no such offset.
fn has(
    cluster: &Cluster,
    queue: &PartitionQueue<Ear>,
    at: u64,
    is_it: &dyn Fn(&[u8]) -> bool,
    unreadable: impl Fn(String) -> KafkaError,
) -> Result<Option<bool>, KafkaError> {
    let deadline = cluster.deadline();
    loop {
        match queue.poll(PAUSE) {
            None => {}
            Some(Ok(message)) => {
                let is_there = u64::try_from(message.offset()) == Ok(at);
                return Ok(Some(is_there && is_it(message.payload().unwrap_or_default())));
            }
            Some(Err(ClientError::PartitionEOF(_))) => return Ok(Some(false)),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(code) if is_passing(code) => {}
                Some(code) if is_out_of_range(code) => return Ok(None),
                _ => return Err(unreadable(words(&error))),
            },
        }
        // Also lets the client say what it has to say of its connections.
        let _ = cluster.consumer.poll(Duration::ZERO);
        cluster.go_on()?;
        if (cluster.env.now)().millis() > deadline {
            return Err(cluster.unreachable(ACTION));
        }
    }
}

/// Reads each partition once, side by side.
fn read(cluster: &Cluster, searches: &mut BTreeMap<Partition, Search>, deadline: i64) -> Result<(), KafkaError> {
    let mut open = Vec::new();
    for (partition, search) in searches.iter_mut().filter(|(_, search)| search.from.is_some()) {
        // Each has a queue of its own, because the end of a partition comes without the name of its topic.
        let queue = queue(cluster, partition).ok_or_else(|| unreadable(partition, search, "it has no queue"))?;
        open.push((queue, partition, search));
    }
    let starts = open.iter().map(|(_, partition, search)| (*partition, offset(search.from.unwrap_or_default())));
    cluster.done(ACTION, cluster.consumer.assign(&list(starts)))?;
    while !open.is_empty() {
        let mut idle = true;
        let mut failed = None;
        open.retain_mut(|(queue, partition, search)| match drain(queue, search) {
            Ok(Drained { done, any }) => {
                idle &= !any;
                !done
            }
            Err(reason) => {
                failed = Some(unreadable(partition, search, &reason));
                false
            }
        });
        failed.map_or(Ok(()), Err)?;
        cluster.go_on()?;
        if (cluster.env.now)().millis() > deadline {
            return Err(cluster.unreachable(ACTION));
        }
        if idle {
            // Also lets the client say what it has to say of its connections.
            let _ = cluster.consumer.poll(PAUSE);
        }
    }
    Ok(())
}

fn unreadable(partition: &Partition, search: &Search, reason: &str) -> KafkaError {
    let (partition, offset) = (partition.clone(), search.from.unwrap_or_default());
    KafkaError::Unreadable { partition, offset, reason: reason.to_owned() }
}

fn queue(cluster: &Cluster, partition: &Partition) -> Option<PartitionQueue<Ear>> {
    let number = i32::try_from(partition.number).ok()?;
    cluster.consumer.split_partition_queue(partition.topic.as_str(), number)
}

/// What came of taking all that a queue has.
struct Drained {
    done: bool,
    any: bool,
}

fn drain(queue: &PartitionQueue<Ear>, search: &mut Search) -> Result<Drained, String> {
    let mut any = false;
    let done = loop {
        match queue.poll(Duration::ZERO) {
            None => break false,
            Some(Ok(message)) => {
                if record(&message).is_some_and(|record| search.take(record)) {
                    break true;
                }
            }
            Some(Err(ClientError::PartitionEOF(_))) => break true,
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(code) if is_passing(code) => {}
                Some(code) if is_out_of_range(code) => {
                    return Err("it is no longer there, as records were deleted meanwhile".to_owned());
                }
                _ => return Err(words(&error)),
            },
        }
        any = true;
    };
    if done {
        search.close();
    }
    Ok(Drained { done, any })
}

fn record(message: &BorrowedMessage<'_>) -> Option<Record> {
    let time = message.timestamp().to_millis().and_then(Timestamp::from_millis);
    Some(Record { offset: u64::try_from(message.offset()).ok()?, time })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a log as [`read`] does, without Kafka.
    fn search(log: &[u64], wanted: u64, extent: Extent) -> (Around, usize) {
        let mut search = Search::new(wanted, extent);
        let mut readings = 0;
        while let Some(from) = search.from {
            readings += 1;
            for offset in log.iter().copied().filter(|offset| *offset >= from) {
                if search.take(Record { offset, time: None }) {
                    break;
                }
            }
            search.close();
        }
        (search.found, readings)
    }

    proptest! {
        #[test]
        fn finds_what_is_around(
            log in proptest::collection::btree_set(0u64..3000, 0..40),
            earliest in 0u64..3000,
            more in 0u64..500,
            wanted in 0u64..4000,
        ) {
            let log: Vec<_> = log.into_iter().collect();
            let end = (earliest + more).min(3000);
            let extent = Extent { earliest, end };
            let kept: Vec<_> = log.iter().copied().filter(|offset| (earliest..end).contains(offset)).collect();
            let (found, readings) = search(&log, wanted, extent);
            let of = |offset: Option<&u64>| offset.map(|offset| Record { offset: *offset, time: None });
            prop_assert_eq!(found.before, of(kept.iter().rfind(|offset| **offset < wanted)));
            prop_assert_eq!(found.at, of(kept.iter().find(|offset| **offset >= wanted)));
            prop_assert!(readings <= 6, "{} readings", readings);
        }
    }
}
