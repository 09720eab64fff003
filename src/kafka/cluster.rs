//! A cluster, connected.
//!
//! Promise: each question is one request to each broker concerned, however many partitions it is about.
//! In -> out: [`Settings`] -> [`Cluster`].
//! Invariant: see the module above; the client is asked by one thread at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use crate::env::Env;
use crate::kafka::ear::Ear;
use crate::kafka::error::{created, is_passing, words};
use crate::kafka::request::{answers, list, list_of_commits};
use crate::kafka::settings::Role;
use crate::kafka::{Around, Committed, Extent, GroupState, KafkaError, Partition, Settings, Topic, Topics, reader};
use crate::wikibase::timestamp::Timestamp;

/// Offsets in one commit request: it must fit into one message of the broker (1 MB unless set otherwise).
const COMMIT_AT_ONCE: usize = 500;

/// A connection to a cluster, as one consumer group that is never joined.
pub struct Cluster {
    pub(in crate::kafka) consumer: Arc<BaseConsumer<Ear>>,
    pub(in crate::kafka) env: Env,
    pub(in crate::kafka) timeout: Duration,
    brokers: String,
    group: String,
    id: String,
}

impl Cluster {
    /// Connects. Errors: `Property`, `Settings`; `Unreachable` if no broker answers in time.
    pub fn connect(settings: &Settings, env: &Env) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer<Ear> =
            created(settings.client(Role::Questions).create_with_context(Ear::default()))?;
        let mut cluster = Self {
            consumer: Arc::new(consumer),
            env: env.clone(),
            timeout: settings.timeout,
            brokers: settings.brokers.clone(),
            group: settings.group.clone(),
            id: String::new(),
        };
        let action = "the cluster's name";
        let id = cluster.consumer.client().fetch_cluster_id(cluster.timeout);
        cluster.id = id.ok_or_else(|| cluster.unreachable(action))?;
        Ok(cluster)
    }

    /// What the cluster calls itself; no two have one id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The group as which it is connected.
    pub fn group_name(&self) -> &str {
        &self.group
    }

    /// The partitions of `topics`.
    pub fn partitions(&self, topics: &BTreeSet<Topic>) -> Result<Topics, KafkaError> {
        let action = "its topics";
        // All topics in one request; to ask for one by name may make it.
        let metadata = self.done(action, self.consumer.fetch_metadata(None, self.timeout))?;
        let known: BTreeMap<_, _> = metadata.topics().iter().map(|topic| (topic.name(), topic)).collect();
        let mut found = Topics::default();
        for topic in topics {
            match known.get(topic.as_str()) {
                Some(known) if !known.partitions().is_empty() => {
                    found.partitions.extend(partitions_of(topic, known));
                }
                _ => found.unknown.push(topic.clone()),
            }
        }
        found.partitions.sort();
        Ok(found)
    }

    /// What each of `partitions` retains.
    pub fn extents(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Extent>, KafkaError> {
        let earliest = self.offsets(partitions, Offset::Beginning, "the earliest offsets")?;
        let end = self.offsets(partitions, Offset::End, "the latest offsets")?;
        let extent = |partition: &Partition| Extent {
            earliest: earliest.get(partition).copied().flatten().unwrap_or_default(),
            end: end.get(partition).copied().flatten().unwrap_or_default(),
        };
        Ok(partitions.iter().map(|partition| (partition.clone(), extent(partition))).collect())
    }

    /// The offset of the first record of each of `partitions` whose time is `time` or later; `None` if there is none.
    pub fn first_since(
        &self,
        partitions: &[Partition],
        time: Timestamp,
    ) -> Result<BTreeMap<Partition, Option<u64>>, KafkaError> {
        // Kafka's times are not negative: below 0 stand its own signs.
        self.offsets(partitions, Offset::Offset(time.millis().max(0)), "the offsets of a time")
    }

    /// What the group has committed for `partitions`; those without an offset are not in the answer.
    pub fn committed(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, KafkaError> {
        let action = "the committed offsets";
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked = list(partitions.iter().map(|partition| (partition, Offset::Invalid)));
        let answer = self.done(action, self.consumer.committed_offsets(asked, self.timeout))?;
        let answers = answers(&answer).map_err(|(partition, error)| self.partly(action, &partition, &error))?;
        let committed = answers.into_iter().filter_map(|answer| {
            let Offset::Offset(offset) = answer.offset else { return None };
            let offset = u64::try_from(offset).ok()?;
            Some((answer.partition, Committed { offset, metadata: answer.metadata }))
        });
        Ok(committed.collect())
    }

    /// What Kafka says of the group.
    pub fn group(&self) -> Result<GroupState, KafkaError> {
        let action = "the state of the group";
        let list = self.done(action, self.consumer.fetch_group_list(Some(&self.group), self.timeout))?;
        let Some(group) = list.groups().iter().find(|group| group.name() == self.group) else {
            return Ok(GroupState::Idle);
        };
        let members = group.members().iter().map(|member| format!("{} {}", member.client_id(), member.client_host()));
        let members: Vec<_> = members.collect();
        Ok(match group.state() {
            "Empty" if members.is_empty() => GroupState::Idle,
            "Dead" | "" if members.is_empty() => GroupState::Unclear(group.state().to_owned()),
            state => GroupState::Active { state: state.to_owned(), members },
        })
    }

    /// The records around one offset of each partition, as far as its extent reaches.
    pub fn records_at(
        &self,
        wanted: &BTreeMap<Partition, (u64, Extent)>,
    ) -> Result<BTreeMap<Partition, Around>, KafkaError> {
        reader::records_at(self, wanted)
    }

    /// Commits exactly these offsets for the group. Errors, with how many were committed before: `Active` if it has members; after
    /// `Unreachable`, nobody knows which of the others are committed, and this cluster is of no more use.
    pub fn commit(&self, offsets: &BTreeMap<Partition, Committed>) -> Result<(), (usize, KafkaError)> {
        let offsets: Vec<_> = offsets.iter().collect();
        let pieces = offsets.chunks(COMMIT_AT_ONCE).enumerate();
        let commit =
            |(at, piece)| self.commit_at_once(list_of_commits(piece)).map_err(|error| (at * COMMIT_AT_ONCE, error));
        pieces.into_iter().try_for_each(commit)
    }

    fn commit_at_once(&self, offsets: TopicPartitionList) -> Result<(), KafkaError> {
        let action = "the commit";
        // The client waits without end for a coordinator that is gone, and does not tell how a commit ended that it was not to
        // wait for. So a thread waits, and is left behind if need be; with it the client, which would otherwise not close.
        let (consumer, (tell, told)) = (Arc::clone(&self.consumer), mpsc::channel());
        std::thread::spawn(move || {
            // Nobody listens where the time was up.
            let _ = tell.send(consumer.commit(&offsets, CommitMode::Sync));
        });
        let committed = told.recv_timeout(self.timeout).map_err(|_| self.unreachable(action))?;
        committed.map_err(|error| match error.rdkafka_error_code() {
            Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress) => {
                KafkaError::Active { group: self.group.clone(), reason: words(&error) }
            }
            _ => self.failed(action, &error),
        })
    }

    /// When an answer to what is asked now is too late, in milliseconds since 1970.
    pub(in crate::kafka) fn deadline(&self) -> i64 {
        let timeout = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        (self.env.now)().millis().saturating_add(timeout)
    }

    /// Asks the leaders of `partitions` for the offset that `time` means: a time, or one of Kafka's signs.
    fn offsets(
        &self,
        partitions: &[Partition],
        time: Offset,
        action: &'static str,
    ) -> Result<BTreeMap<Partition, Option<u64>>, KafkaError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked = list(partitions.iter().map(|partition| (partition, time)));
        let answer = self.done(action, self.consumer.offsets_for_times(asked, self.timeout))?;
        let answers = answers(&answer).map_err(|(partition, error)| self.partly(action, &partition, &error))?;
        let offset = |offset| match offset {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        };
        Ok(answers.into_iter().map(|answer| (answer.partition, offset(answer.offset))).collect())
    }

    pub(in crate::kafka) fn done<T>(&self, action: &'static str, result: KafkaResult<T>) -> Result<T, KafkaError> {
        result.map_err(|error| self.failed(action, &error))
    }

    fn failed(&self, action: &'static str, error: &ClientError) -> KafkaError {
        if error.rdkafka_error_code().is_none_or(is_passing) {
            return self.unreachable(action);
        }
        KafkaError::Refused { brokers: self.brokers.clone(), action, reason: words(error) }
    }

    /// An error of one partition among many.
    fn partly(&self, action: &'static str, partition: &Partition, error: &ClientError) -> KafkaError {
        match self.failed(action, error) {
            KafkaError::Refused { brokers, action, reason } => {
                KafkaError::Refused { brokers, action, reason: format!("{partition}: {reason}") }
            }
            KafkaError::Unreachable { brokers, action, timeout, mut heard } => {
                heard.push(format!("{partition}: {}", words(error)));
                KafkaError::Unreachable { brokers, action, timeout, heard }
            }
            error => error,
        }
    }

    pub(in crate::kafka) fn unreachable(&self, action: &'static str) -> KafkaError {
        // What the client said waits to be fetched.
        for _ in 0..32 {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        let heard = self.consumer.context().heard();
        KafkaError::Unreachable { brokers: self.brokers.clone(), action, timeout: self.timeout, heard }
    }

    /// Errors if the user asked to stop.
    pub(in crate::kafka) fn go_on(&self) -> Result<(), KafkaError> {
        if self.env.stop.load(std::sync::atomic::Ordering::Relaxed) { Err(KafkaError::Stopped) } else { Ok(()) }
    }
}

fn partitions_of(topic: &Topic, known: &MetadataTopic) -> Vec<Partition> {
    let numbers = known.partitions().iter().filter_map(|partition| u32::try_from(partition.id()).ok());
    numbers.map(|number| Partition { topic: topic.clone(), number }).collect()
}
