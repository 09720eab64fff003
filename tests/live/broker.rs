//! The bed's Kafka: topics, records and groups as a test wants them.
//!
//! A Kafka that has just begun has no coordinators and few leaders yet; what it answers then is waited out.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::wiki::records::Record;

pub const KAFKA: &str = "HEADWATER_LIVE_KAFKA";
/// On a machine that has other things to do, a thousand partitions are made in a minute.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Does `work`, and again while what it is told passes. Panics where it is told something else, or the time is up.
fn patiently<T>(what: &str, mut work: impl FnMut() -> KafkaResult<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = match work() {
            Ok(done) => return done,
            Err(error) => error,
        };
        let passes = error.rdkafka_error_code().is_some_and(is_passing);
        assert!(passes && Instant::now() < deadline, "{what}: {error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_passing(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        NotCoordinator
            | CoordinatorNotAvailable
            | CoordinatorLoadInProgress
            | WaitingForCoordinator
            | ConcurrentTransactions
            | LeaderNotAvailable
            | NotLeaderForPartition
            | UnknownTopicOrPartition
            | OffsetNotAvailable
            | NotController
            | RequestTimedOut
            | OperationTimedOut
            | BrokerTransportFailure
    )
}

/// A running Kafka, and a name that no other test has.
pub struct Broker {
    pub brokers: String,
    name: String,
    /// Records of the test are counted from here: two hours ago.
    pub base: i64,
}

impl Broker {
    pub fn new(name: &str) -> Self {
        Self::at(&std::env::var(KAFKA).expect("looked for before"), name)
    }

    /// That Kafka.
    pub fn at(brokers: &str, name: &str) -> Self {
        let brokers = brokers.to_owned();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let base = (i64::try_from(now.as_secs()).expect("before the year 292,000,000,000") - 7200) * 1000;
        Self { brokers, name: format!("{name}-{}", now.as_nanos()), base }
    }

    /// A name for a topic or a group of this test.
    pub fn named(&self, what: &str) -> String {
        format!("{}.{what}", self.name)
    }

    /// The moment so many seconds after the base, as it is typed.
    pub fn time(&self, second: i64) -> String {
        headwater::wikibase::timestamp::Timestamp::from_millis(self.base + second * 1000).expect("a time").to_string()
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("a client")
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    /// Makes topics, each of so many partitions.
    pub fn topics(&self, names: &[String], partitions: i32, settings: &[(&str, &str)]) {
        let topic = |name| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
            settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        };
        let topics: Vec<_> = names.iter().map(|name| topic(name)).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let admin = self.admin();
        patiently("topics", || {
            let made = Self::wait(admin.create_topics(&topics, &options))?;
            let failed = |made: TopicResult| match made {
                // By an attempt whose answer was lost.
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => None,
                Err((_, code)) => Some(KafkaError::AdminOp(code)),
            };
            made.into_iter().find_map(failed).map_or(Ok(()), Err)
        });
        // Made is not yet known to all of the broker.
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let metadata = patiently("topics", || admin.inner().fetch_metadata(None, PATIENCE));
            let led = |name: &String| {
                let topic = metadata.topics().iter().find(|topic| topic.name() == name);
                topic.is_some_and(|topic| topic.partitions().iter().all(|partition| partition.leader() >= 0))
            };
            if names.iter().all(led) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{names:?} have no leaders");
    }

    /// Makes one topic; gives its name.
    pub fn topic(&self, what: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.named(what);
        self.topics(std::slice::from_ref(&name), partitions, settings);
        name
    }

    /// Deletes a topic and makes another of its name.
    pub fn topic_anew(&self, name: &str, settings: &[(&str, &str)]) {
        let (admin, options) = (self.admin(), AdminOptions::new().operation_timeout(Some(PATIENCE)));
        patiently("a topic to be deleted", || {
            let deleted = Self::wait(admin.delete_topics(&[name], &options))?;
            let failed = |gone: TopicResult| match gone {
                Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => None,
                Err((_, code)) => Some(KafkaError::AdminOp(code)),
            };
            deleted.into_iter().find_map(failed).map_or(Ok(()), Err)
        });
        // Deleted is not yet known to all of the broker, for which the old one would do.
        let is_there = || {
            let metadata = patiently("topics", || admin.inner().fetch_metadata(None, PATIENCE));
            metadata.topics().iter().any(|topic| topic.name() == name)
        };
        let deadline = Instant::now() + PATIENCE;
        while is_there() {
            assert!(Instant::now() < deadline, "{name} is still there");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.topics(&[name.to_owned()], 1, settings);
    }

    /// Writes records, each with a key and the second of its time.
    pub fn produce(&self, topic: &str, partition: i32, records: &[(&str, i64)]) {
        self.produce_to_all(&[topic.to_owned()], partition..partition + 1, records);
    }

    /// The same to each of these partitions of each topic.
    pub fn produce_to_all(&self, topics: &[String], partitions: Range<i32>, records: &[(&str, i64)]) {
        let producer: BaseProducer = self.config().create().expect("a producer");
        for topic in topics {
            partitions.clone().for_each(|partition| self.send(&producer, topic, partition, records));
        }
        producer.flush(PATIENCE).expect("Kafka takes the records");
    }

    /// The same in one transaction.
    pub fn transact(&self, topic: &str, partition: i32, records: &[(&str, i64)], commit: bool) {
        let mut config = self.config();
        config.set("transactional.id", self.named("transactions"));
        let producer: BaseProducer = config.create().expect("a producer");
        patiently("transactions", || producer.init_transactions(PATIENCE));
        producer.begin_transaction().expect("a transaction");
        self.send(&producer, topic, partition, records);
        producer.flush(PATIENCE).expect("Kafka takes the records");
        patiently("a transaction's end", || match commit {
            true => producer.commit_transaction(PATIENCE),
            false => producer.abort_transaction(PATIENCE),
        });
    }

    fn send(&self, producer: &BaseProducer, topic: &str, partition: i32, records: &[(&str, i64)]) {
        for (key, second) in records {
            let record = BaseRecord::to(topic).partition(partition).key(*key).payload("x");
            let record = record.timestamp(self.base + second * 1000);
            producer.send(record).unwrap_or_else(|(error, _)| panic!("{topic}: {error}"));
        }
    }

    /// Writes records as they are.
    pub fn put(&self, records: &[Record]) {
        let producer: BaseProducer = self.config().create().expect("a producer");
        for Record { topic, partition, time, json, .. } in records {
            loop {
                let record = BaseRecord::<(), _>::to(topic).partition(*partition).payload(json).timestamp(*time);
                match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(Code::QueueFull), _)) => {
                        producer.poll(PAUSE);
                    }
                    Err((error, _)) => panic!("{topic}: {error}"),
                }
            }
        }
        producer.flush(PATIENCE).expect("Kafka takes the records");
    }

    /// All committed records of a topic's partition 0.
    pub fn committed_records(&self, topic: &str) -> Vec<Vec<u8>> {
        let mut config = self.config();
        config.set("group.id", self.named("reader")).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&list).expect("a partition");
        let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            assert!(Instant::now() < deadline, "{topic}: no end after {} records", records.len());
            match consumer.poll(PAUSE) {
                Some(Ok(record)) => records.push(record.payload().unwrap_or_default().to_vec()),
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(Err(error)) => assert!(error.rdkafka_error_code().is_some_and(is_passing), "{topic}: {error}"),
                None => {}
            }
        }
    }

    /// Deletes the records of a partition before `offset`; all of them if it is -1.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        let offset = if offset < 0 { Offset::End } else { Offset::Offset(offset) };
        list.add_partition_offset(topic, partition, offset).expect("an offset");
        let options = AdminOptions::new();
        let admin = self.admin();
        patiently("records to delete", || {
            let deleted = Self::wait(admin.delete_records(&list, &options))?;
            deleted.elements().iter().try_for_each(|element| element.error())
        });
    }

    pub fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("session.timeout.ms", "6000");
        config.create().expect("a consumer")
    }

    /// Commits offsets for a group that is not active.
    pub fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("an offset");
        }
        let consumer = self.consumer(group);
        // To ask is to wait for the group's coordinator, which a Kafka that has just begun has yet to choose.
        patiently("the group's coordinator", || consumer.committed_offsets(list.clone(), PATIENCE));
        patiently("a commit", || consumer.commit(&list, CommitMode::Sync));
    }

    /// What a group has committed for partitions 0, 1, … of a topic.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let consumer = self.consumer(group);
        let committed = patiently("committed offsets", || {
            let committed = consumer.committed_offsets(list.clone(), PATIENCE)?;
            committed.elements().iter().try_for_each(|element| element.error())?;
            Ok(committed)
        });
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        committed.elements().iter().map(|element| offset(element.offset())).collect()
    }
}
