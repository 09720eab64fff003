//! A cluster, connected.
//!
//! Promise: each question is one request to each broker concerned, however many partitions it is about. What passes, as where a
//! coordinator or a leader has just moved, is asked again until the time is up; so is a commit, which may be repeated.
//! In -> out: [`Settings`] -> [`Cluster`].
//! Invariant: see the module above; the client is asked by one thread at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::groups::GroupList;
use rdkafka::metadata::MetadataTopic;

use crate::env::Env;
use crate::kafka::ear::Ear;
use crate::kafka::error::{Trouble, created};
use crate::kafka::request::{answers, list, list_of_commits};
use crate::kafka::settings::Role;
use crate::kafka::{Around, Committed, Extent, GroupState, KafkaError, Partition, Settings, Topic, Topics, reader};
use crate::wikibase::timestamp::Timestamp;

/// Offsets in one commit request: it must fit into one message of the broker (1 MB unless set otherwise).
const COMMIT_AT_ONCE: usize = 500;
/// How long to wait before the same is asked again.
const PAUSE: Duration = Duration::from_millis(100);

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
        Self::connect_as(Role::Questions, settings, env)
    }

    /// Connects, to see of transactions only what was committed: partitions end before what is open, aborted records are not there,
    /// and committed offsets are told only when no transaction is about to change them. Errors as of [`Cluster::connect`].
    pub fn connect_to_committed(settings: &Settings, env: &Env) -> Result<Self, KafkaError> {
        Self::connect_as(Role::CommittedOnly, settings, env)
    }

    fn connect_as(role: Role<'_>, settings: &Settings, env: &Env) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer<Ear> = created(settings.client(role).create_with_context(Ear::default()))?;
        let mut cluster = Self {
            consumer: Arc::new(consumer),
            env: env.clone(),
            timeout: settings.timeout,
            brokers: settings.brokers.clone(),
            group: settings.group.clone(),
            id: String::new(),
        };
        let action = "the cluster's name";
        // The client connects when it is asked something: the name alone it would wait for without a word, for up to a second.
        cluster.ask(action, |left| Ok(cluster.consumer.fetch_metadata(None, left)?))?;
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
        let metadata = self.ask(action, |left| Ok(self.consumer.fetch_metadata(None, left)?))?;
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

    /// Behind the last record of each of these partitions, 0 if it has none: the log may end with marks that are none.
    pub fn behind_last(&self, extents: &BTreeMap<Partition, Extent>) -> Result<BTreeMap<Partition, u64>, KafkaError> {
        let wanted = extents.iter().map(|(partition, extent)| (partition.clone(), (extent.end, *extent))).collect();
        let end =
            |(partition, around): (Partition, Around)| (partition, around.before.map_or(0, |record| record.offset + 1));
        Ok(self.records_at(&wanted)?.into_iter().map(end).collect())
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
        let answers = self.ask(action, |left| {
            let asked = list(partitions.iter().map(|partition| (partition, Offset::Invalid)));
            answers(&self.consumer.committed_offsets(asked, left)?)
        })?;
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
        let of_us = |list: &GroupList| list.groups().iter().position(|group| group.name() == self.group);
        let list = self.ask(action, |left| {
            let list = self.consumer.fetch_group_list(Some(&self.group), left)?;
            // A broker that knows no state gives an error of that group, which the client does not tell.
            let says_nothing = of_us(&list).is_some_and(|at| list.groups()[at].state().is_empty());
            if says_nothing { Err(ClientError::GroupListFetch(Code::Partial).into()) } else { Ok(list) }
        })?;
        let Some(group) = of_us(&list).map(|at| &list.groups()[at]) else { return Ok(GroupState::Idle) };
        let members = group.members().iter().map(|member| format!("{} {}", member.client_id(), member.client_host()));
        let members: Vec<_> = members.collect();
        Ok(match group.state() {
            "Empty" if members.is_empty() => GroupState::Idle,
            "Dead" if members.is_empty() => GroupState::Unclear(group.state().to_owned()),
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

    /// Whether the record at an offset is one that `is_it` knows, or is not retained any more. Else the partition was made anew.
    pub fn still_has(
        &self,
        partition: &Partition,
        offset: u64,
        is_it: &dyn Fn(&[u8]) -> bool,
    ) -> Result<bool, KafkaError> {
        reader::still_has(self, partition, offset, is_it)
    }

    /// Commits exactly these offsets for the group. Errors, with how many were committed before: `Active` if it has members; after
    /// `Unreachable`, nobody knows which of the others are committed, and this cluster is of no more use.
    pub fn commit(&self, offsets: &BTreeMap<Partition, Committed>) -> Result<(), (usize, KafkaError)> {
        let offsets: Vec<_> = offsets.iter().collect();
        let pieces = offsets.chunks(COMMIT_AT_ONCE).enumerate();
        let commit = |(at, piece)| self.commit_at_once(piece).map_err(|error| (at * COMMIT_AT_ONCE, error));
        pieces.into_iter().try_for_each(commit)
    }

    fn commit_at_once(&self, offsets: &[(&Partition, &Committed)]) -> Result<(), KafkaError> {
        self.ask("the commit", |left| {
            // The client waits without end for a coordinator that is gone, and does not tell how a commit ended that it was not
            // to wait for. So a thread waits, and is left behind if need be; with it the client, which would otherwise not close.
            let (consumer, (tell, told)) = (Arc::clone(&self.consumer), mpsc::channel());
            let offsets = list_of_commits(offsets);
            std::thread::spawn(move || {
                // Nobody listens where the time was up.
                let _ = tell.send(consumer.commit(&offsets, CommitMode::Sync));
            });
            let too_late = |_| Err(ClientError::ConsumerCommit(Code::OperationTimedOut));
            Ok(told.recv_timeout(left).unwrap_or_else(too_late)?)
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
        let answers = self.ask(action, |left| {
            let asked = list(partitions.iter().map(|partition| (partition, time)));
            answers(&self.consumer.offsets_for_times(asked, left)?)
        })?;
        let offset = |offset| match offset {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        };
        Ok(answers.into_iter().map(|answer| (answer.partition, offset(answer.offset))).collect())
    }

    /// Asks, and again while what is said passes, until the time is up. The question is told how long it may take.
    fn ask<T>(&self, action: &'static str, question: impl Fn(Duration) -> Result<T, Trouble>) -> Result<T, KafkaError> {
        let deadline = self.deadline();
        let mut left = self.timeout;
        loop {
            let trouble = match question(left) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            left = Duration::from_millis(u64::try_from(deadline - (self.env.now)().millis()).unwrap_or_default());
            if !trouble.is_passing() || left <= PAUSE {
                return Err(self.failed(action, &trouble));
            }
            self.go_on()?;
            std::thread::sleep(PAUSE);
            left -= PAUSE;
        }
    }

    pub(in crate::kafka) fn done<T>(&self, action: &'static str, result: KafkaResult<T>) -> Result<T, KafkaError> {
        result.map_err(|error| self.failed(action, &error.into()))
    }

    fn failed(&self, action: &'static str, trouble: &Trouble) -> KafkaError {
        match trouble.error.rdkafka_error_code() {
            Some(code) if !trouble.is_passing() => {
                let reason = trouble.to_string();
                match code {
                    Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress => {
                        KafkaError::Active { group: self.group.clone(), reason }
                    }
                    _ => KafkaError::Refused { brokers: self.brokers.clone(), action, reason },
                }
            }
            code => {
                // What the client says by itself it says in more words elsewhere; what a broker answered is told.
                let is_answer = trouble.partition.is_some() || code.is_some_and(|code| code as i32 > 0);
                self.unreachable_as(action, is_answer.then(|| trouble.to_string()))
            }
        }
    }

    pub(in crate::kafka) fn unreachable(&self, action: &'static str) -> KafkaError {
        self.unreachable_as(action, None)
    }

    fn unreachable_as(&self, action: &'static str, answer: Option<String>) -> KafkaError {
        // What the client said waits to be fetched.
        for _ in 0..32 {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        let heard = self.consumer.context().heard().into_iter().chain(answer).collect();
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

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
    use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Answer};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A stand-in of the client's own for a cluster, with a topic of two partitions.
    struct Stand(MockCluster<'static, DefaultProducerContext>);

    impl Stand {
        fn new() -> Self {
            let mock = MockCluster::new(3).unwrap();
            mock.create_topic("t", 2, 1).unwrap();
            Self(mock)
        }

        fn connect(&self, timeout: Duration) -> Cluster {
            let now = || {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap()).unwrap()
            };
            let (brokers, group) = (self.0.bootstrap_servers(), "g".to_owned());
            let settings = Settings { brokers, group, properties: Vec::new(), timeout };
            Cluster::connect(&settings, &Env { now, ..Env::default() }).unwrap()
        }
    }

    fn partitions() -> Vec<Partition> {
        (0..2).map(|number| Partition { topic: Topic::parse("t").unwrap(), number }).collect()
    }

    fn commits(offset: u64) -> BTreeMap<Partition, Committed> {
        let committed = Committed { offset, metadata: String::new() };
        partitions().into_iter().map(|partition| (partition, committed.clone())).collect()
    }

    #[test]
    fn what_passes_is_asked_again() {
        use Answer::*;
        let stand = Stand::new();
        let cluster = stand.connect(20 * SECOND);
        let moved = [
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        ];
        stand.0.request_errors(Api::OffsetFetch, &moved);
        assert_eq!(cluster.committed(&partitions()).unwrap(), BTreeMap::new());
        stand.0.request_errors(Api::OffsetCommit, &moved);
        cluster.commit(&commits(7)).unwrap();
        stand.0.request_errors(Api::OffsetFetch, &moved);
        assert_eq!(cluster.committed(&partitions()).unwrap(), commits(7));
        let moved = [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE];
        stand.0.request_errors(Api::ListOffsets, &moved.repeat(4));
        assert_eq!(cluster.extents(&partitions()).unwrap()[&partitions()[1]], Extent { earliest: 0, end: 0 });
    }

    #[test]
    fn a_refusal_is_told_at_once_and_what_does_not_pass_in_time() {
        use Answer::*;
        let stand = Stand::new();
        let cluster = stand.connect(20 * SECOND);
        let begun = Instant::now();
        stand.0.request_errors(Api::OffsetFetch, &[RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED]);
        let refused = cluster.committed(&partitions()).unwrap_err();
        assert!(matches!(&refused, KafkaError::Refused { .. }), "{refused}");
        stand.0.request_errors(Api::OffsetCommit, &[RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
        let active = cluster.commit(&commits(7)).unwrap_err();
        assert!(matches!(&active, (0, KafkaError::Active { .. })), "{}", active.1);
        assert!(begun.elapsed() < 10 * SECOND);

        let cluster = stand.connect(4 * SECOND);
        let begun = Instant::now();
        stand.0.request_errors(Api::OffsetFetch, &[RD_KAFKA_RESP_ERR_NOT_COORDINATOR; 1000]);
        let late = cluster.committed(&partitions()).unwrap_err();
        assert!(matches!(&late, KafkaError::Unreachable { .. }), "{late}");
        assert!(late.to_string().contains("NotCoordinator"), "{late}");
        assert!((3 * SECOND..8 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    /// An offset, a value -> whether the record there still has it.
    #[test]
    fn what_was_read_is_known_again_as_in_this_table() {
        let stand = Stand::new();
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", stand.0.bootstrap_servers()).create().unwrap();
        for value in ["a", "b", "c"] {
            producer
                .send(BaseRecord::<(), _>::to("t").partition(1).payload(value))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        producer.flush(20 * SECOND).unwrap();
        let cluster = stand.connect(20 * SECOND);
        let rows = [(0, "a", true), (2, "c", true), (1, "b", true), (1, "c", false), (3, "c", false), (9, "c", false)];
        for (offset, value, expected) in rows {
            let has = cluster.still_has(&partitions()[1], offset, &|found| found == value.as_bytes()).unwrap();
            assert_eq!(has, expected, "{value} at {offset}");
        }
    }
}
