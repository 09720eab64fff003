//! The bed's Kafka: topics, records and groups as a test wants them.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub const KAFKA: &str = "HEADWATER_LIVE_KAFKA";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Kafka, and a name that no other test has.
pub struct Broker {
    pub brokers: String,
    name: String,
    /// Records of the test are counted from here: two hours ago.
    pub base: i64,
}

impl Broker {
    pub fn new(name: &str) -> Self {
        let brokers = std::env::var(KAFKA).expect("looked for before");
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
        let made = Self::wait(self.admin().create_topics(&topics, &options)).expect("Kafka answers");
        made.into_iter().for_each(|made| _ = made.unwrap_or_else(|(name, error)| panic!("{name}: {error}")));
        // Made is not yet known to all of the broker.
        let admin = self.admin();
        for _ in 0..100 {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE).expect("Kafka answers");
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
        producer.init_transactions(PATIENCE).expect("transactions");
        producer.begin_transaction().expect("a transaction");
        self.send(&producer, topic, partition, records);
        producer.flush(PATIENCE).expect("Kafka takes the records");
        let ended = if commit { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) };
        ended.expect("a transaction ends");
    }

    fn send(&self, producer: &BaseProducer, topic: &str, partition: i32, records: &[(&str, i64)]) {
        for (key, second) in records {
            let record = BaseRecord::to(topic).partition(partition).key(*key).payload("x");
            let record = record.timestamp(self.base + second * 1000);
            producer.send(record).unwrap_or_else(|(error, _)| panic!("{topic}: {error}"));
        }
    }

    /// Deletes the records of a partition before `offset`; all of them if it is -1.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        let offset = if offset < 0 { Offset::End } else { Offset::Offset(offset) };
        list.add_partition_offset(topic, partition, offset).expect("an offset");
        let options = AdminOptions::new();
        let deleted = Self::wait(self.admin().delete_records(&list, &options)).expect("Kafka answers");
        deleted.elements().iter().for_each(|element| element.error().expect("records can be deleted"));
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
        consumer.committed_offsets(list.clone(), PATIENCE).expect("Kafka answers");
        consumer.commit(&list, CommitMode::Sync).expect("a commit");
    }

    /// What a group has committed for partitions 0, 1, … of a topic.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = self.consumer(group).committed_offsets(list, PATIENCE).expect("Kafka answers");
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        committed.elements().iter().map(|element| offset(element.offset())).collect()
    }
}
