//! The records of a topic between two times, read once.
//!
//! Promise: every committed record that a partition retains whose offset lies between those of the two times; each once, and of a
//! partition in order.
//! In -> out: [`Settings`], a topic, times -> records.
//! Invariant: no group is joined, no offset committed or reset. The ends are read before the records, so that the reading ends.
//! Not here: what the records mean.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;

use crate::env::Env;
use crate::kafka::cluster::Cluster;
use crate::kafka::ear::Ear;
use crate::kafka::error::{created, is_out_of_range, is_passing, words};
use crate::kafka::request::{list, offset};
use crate::kafka::settings::Role;
use crate::kafka::{KafkaError, Partition, Settings, Topic};
use crate::wikibase::timestamp::Timestamp;

/// How long to wait for records before looking whether to go on.
const WAIT: Duration = Duration::from_millis(200);

/// Where reading begins and ends, by the number of the partition; what has ended is not in it.
type Spans = BTreeMap<i32, (Partition, u64, u64)>;

/// Hands the records of a topic to `take`, from the first that is as young as `from` to the last before `until`, or what is there now.
/// Returns how many there were. Errors: those of [`Cluster`]; `Unreadable` where the topic is not there; `Lost`.
pub fn read(
    settings: &Settings,
    topic: &Topic,
    (from, until): (Option<Timestamp>, Option<Timestamp>),
    env: &Env,
    mut take: impl FnMut(&[u8]),
) -> Result<u64, KafkaError> {
    let mut spans = spans(settings, topic, (from, until), env)?;
    let consumer: BaseConsumer<Ear> =
        created(settings.client(Role::CommittedOnly).create_with_context(Ear::default()))?;
    let starts = spans.values().map(|(partition, start, _)| (partition, offset(*start)));
    let refused = |error: &ClientError| KafkaError::Refused {
        brokers: settings.brokers.clone(),
        action: "to read",
        reason: words(error),
    };
    consumer.assign(&list(starts)).map_err(|error| refused(&error))?;
    let (mut count, mut heard) = (0, (env.now)());
    while !spans.is_empty() {
        if env.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(KafkaError::Stopped);
        }
        let ended = match consumer.poll(WAIT) {
            None => None,
            Some(Err(ClientError::PartitionEOF(number))) => Some(number),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(code) if is_passing(code) => None,
                Some(code) if is_out_of_range(code) => {
                    let (brokers, partitions) = (settings.brokers.clone(), topic.to_string());
                    return Err(KafkaError::Lost { brokers, partitions, reason: words(&error) });
                }
                _ => return Err(refused(&error)),
            },
            Some(Ok(record)) => {
                heard = (env.now)();
                let at = u64::try_from(record.offset()).unwrap_or_default();
                let end = spans.get(&record.partition()).map(|(.., end)| *end);
                if let (Some(value), true) = (record.payload(), end.is_some_and(|end| at < end)) {
                    count += 1;
                    take(value);
                }
                end.is_some_and(|end| at + 1 >= end).then(|| record.partition())
            }
        };
        if let Some(number) = ended {
            heard = (env.now)();
            spans.remove(&number);
        }
        let silent = (env.now)().millis().saturating_sub(heard.millis()).max(0) as u128;
        if silent > settings.timeout.as_millis() {
            let (brokers, timeout) = (settings.brokers.clone(), settings.timeout);
            return Err(KafkaError::Unreachable {
                brokers,
                action: "records",
                timeout,
                heard: consumer.context().heard(),
            });
        }
    }
    Ok(count)
}

fn spans(
    settings: &Settings,
    topic: &Topic,
    (from, until): (Option<Timestamp>, Option<Timestamp>),
    env: &Env,
) -> Result<Spans, KafkaError> {
    let cluster = Cluster::connect_to_committed(settings, env)?;
    let partitions = cluster.partitions(&BTreeSet::from([topic.clone()]))?.partitions;
    if partitions.is_empty() {
        let reason = "there is no such topic".to_owned();
        let partition = Partition { topic: topic.clone(), number: 0 };
        return Err(KafkaError::Unreadable { partition, offset: 0, reason });
    }
    let extents = cluster.extents(&partitions)?;
    let since = |time: Option<Timestamp>| time.map(|time| cluster.first_since(&partitions, time)).transpose();
    let (from, until) = (since(from)?, since(until)?);
    let span = |partition: Partition| {
        let extent = extents.get(&partition)?;
        // No record that is as young: nothing is to be read, or all.
        let at = |times: &Option<BTreeMap<Partition, Option<u64>>>, otherwise: u64| match times {
            Some(times) => times.get(&partition).copied().flatten().unwrap_or(extent.end),
            None => otherwise,
        };
        let (start, end) = (at(&from, extent.earliest).max(extent.earliest), at(&until, extent.end).min(extent.end));
        let number = i32::try_from(partition.number).ok()?;
        (start < end).then_some((number, (partition, start, end)))
    };
    Ok(partitions.into_iter().filter_map(span).collect())
}
