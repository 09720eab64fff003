//! Records as they come, of partitions that are given: where a stream begins.
//!
//! Promise: of each partition every committed record from the offset it was begun at, in order; or an error where records were
//! deleted before they were read.
//! In -> out: [`Settings`] and offsets -> records, one call after the other.
//! Invariant: no group is joined, no offset committed or reset. The group's name is only what the [`Outbox`] commits for.
//! Not here: what the records mean.
//!
//! [`Outbox`]: crate::kafka::outbox::Outbox

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::{Message, Offset};

use crate::kafka::ear::Ear;
use crate::kafka::error::{created, is_out_of_range, is_passing, words};
use crate::kafka::request::{answers, list, offset};
use crate::kafka::settings::Role;
use crate::kafka::{KafkaError, Partition, Settings};
use crate::wikibase::timestamp::Timestamp;

/// Records taken at once, at most.
const AT_ONCE: usize = 1000;
/// And their bytes, at most, but for the last record: few enough to be in the processor's cache when they are read.
const BYTES_AT_ONCE: usize = 256 << 10;

/// How long to wait for an answer while there is other work.
const SOON: Duration = Duration::from_secs(1);

/// Partitions that are read.
pub struct Feed {
    consumer: BaseConsumer<Ear>,
    /// The places of partitions in the list that they were opened with, by topic, then by number.
    places: HashMap<String, BTreeMap<i32, usize>>,
    partitions: Vec<Partition>,
    brokers: String,
    timeout: Duration,
}

/// A record that came.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'r> {
    /// The place of its partition in the list that the feed was opened with.
    pub place: usize,
    /// Its offset. The stream goes on behind it at the next one.
    pub offset: u64,
    /// When it was written, as Kafka has it.
    pub time: Option<Timestamp>,
    /// Its bytes; none for a mark that deletes others.
    pub value: &'r [u8],
}

impl Feed {
    /// Begins to read each partition at an offset. Errors: `Property`, `Settings`, `Refused`.
    pub fn open(settings: &Settings, starts: &[(Partition, u64)]) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer<Ear> = created(settings.client(Role::Feed).create_with_context(Ear::default()))?;
        let begun = consumer.assign(&list(starts.iter().map(|(partition, from)| (partition, offset(*from)))));
        let brokers = settings.brokers.clone();
        begun.map_err(|error| KafkaError::Refused {
            brokers: brokers.clone(),
            action: "to read",
            reason: words(&error),
        })?;
        let mut places: HashMap<_, BTreeMap<_, _>> = HashMap::new();
        for (place, (partition, _)) in starts.iter().enumerate() {
            let number = i32::try_from(partition.number).unwrap_or(i32::MAX);
            places.entry(partition.topic.as_str().to_owned()).or_default().insert(number, place);
        }
        let partitions = starts.iter().map(|(partition, _)| partition.clone()).collect();
        Ok(Self { consumer, places, partitions, brokers, timeout: settings.timeout })
    }

    /// Hands what has come to `take`, after waiting for the first record for at most `wait`. Returns how many there were.
    ///
    /// A broker that is gone is no error: the client goes on trying, and [`Feed::heard`] tells of it.
    /// Errors: `Lost` where records were deleted, or the partition is gone; `Refused`.
    pub fn poll(&self, wait: Duration, mut take: impl FnMut(Arrived<'_>)) -> Result<usize, KafkaError> {
        let (mut wait, mut count, mut bytes) = (wait, 0, 0);
        for _ in 0..AT_ONCE {
            if bytes >= BYTES_AT_ONCE {
                break;
            }
            match self.consumer.poll(wait) {
                None => break,
                Some(Err(error)) => self.passes(&error)?,
                Some(Ok(record)) => {
                    count += 1;
                    bytes += record.payload_len();
                    let place = self.places.get(record.topic()).and_then(|numbers| numbers.get(&record.partition()));
                    if let (Some(place), Ok(offset)) = (place, u64::try_from(record.offset())) {
                        let time = record.timestamp().to_millis().and_then(Timestamp::from_millis);
                        take(Arrived { place: *place, offset, time, value: record.payload().unwrap_or_default() });
                    }
                }
            }
            wait = Duration::ZERO;
        }
        Ok(count)
    }

    /// What the client said lately of connections that do not hold.
    pub fn heard(&self) -> Vec<String> {
        self.consumer.context().heard()
    }

    /// Why nothing can come of some partition, if its leader could not be reached some seconds ago.
    pub fn out_of_reach(&self) -> Option<KafkaError> {
        self.consumer.context().is_cut_off().then(|| self.unreachable("records"))
    }

    /// Where a partition, by its place, ended some seconds ago, if that is known and its leader can be reached.
    pub fn end(&self, place: usize) -> Option<u64> {
        let Partition { topic, number } = self.partitions.get(place)?;
        self.consumer.context().end(topic.as_str(), i32::try_from(*number).ok()?)
    }

    /// Where these partitions end, by their places; `None` if not all of their leaders answer soon.
    pub fn ends(&self, places: &[usize]) -> Option<Vec<u64>> {
        let asked = places.iter().filter_map(|place| self.partitions.get(*place));
        let list = list(asked.map(|partition| (partition, Offset::End)));
        let told = answers(&self.consumer.offsets_for_times(list, self.timeout.min(SOON)).ok()?).ok()?;
        let end = |place: &usize| {
            let answer = told.iter().find(|answer| self.partitions.get(*place) == Some(&answer.partition))?;
            answer.offset.to_raw().and_then(|offset| u64::try_from(offset).ok())
        };
        places.iter().map(end).collect()
    }

    /// The partitions, in the order that they were opened with.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// What the group's offsets are committed for.
    pub(in crate::kafka) fn group(&self) -> Result<ConsumerGroupMetadata, KafkaError> {
        self.consumer.group_metadata().ok_or_else(|| self.unreachable("the group"))
    }

    fn unreachable(&self, action: &'static str) -> KafkaError {
        KafkaError::Unreachable { brokers: self.brokers.clone(), action, timeout: self.timeout, heard: self.heard() }
    }

    fn passes(&self, error: &ClientError) -> Result<(), KafkaError> {
        match error.rdkafka_error_code() {
            Some(code) if is_passing(code) => Ok(()),
            Some(code) if is_out_of_range(code) || is_unknown(code) => {
                // The client does not say which.
                let partitions: Vec<_> = self.partitions.iter().map(Partition::to_string).collect();
                let (brokers, partitions) = (self.brokers.clone(), partitions.join(" or "));
                Err(KafkaError::Lost { brokers, partitions, reason: words(error) })
            }
            _ => Err(KafkaError::Refused { brokers: self.brokers.clone(), action: "to read", reason: words(error) }),
        }
    }
}

/// Whether the topic is gone.
const fn is_unknown(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownPartition | Code::UnknownTopic)
}
