//! What is written in a transaction and the offsets beside it, on real Kafka.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater::env::Env;
use headwater::kafka::cluster::Cluster;
use headwater::kafka::feed::Feed;
use headwater::kafka::outbox::Outbox;
use headwater::kafka::{Committed, KafkaError, Partition, Settings, Topic};
use headwater::wikibase::timestamp::Timestamp;

use crate::broker::{Broker, KAFKA};
use crate::room::given;

const SECOND: Duration = Duration::from_secs(1);

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_millis(i64::try_from(now.as_millis()).expect("a time")).expect("a time")
}

/// The test's Kafka: a topic to read of two partitions, one to write to, a group.
struct Line {
    broker: Broker,
    settings: Settings,
    env: Env,
    from: Topic,
    to: Partition,
}

impl Line {
    fn new(name: &str) -> Self {
        let broker = Broker::new(name);
        let topics = [broker.named("in"), broker.named("out")];
        broker.topics(&topics[..1], 2, &[]);
        broker.topics(&topics[1..], 1, &[]);
        let settings = Settings {
            brokers: broker.brokers.clone(),
            group: broker.named("group"),
            properties: Vec::new(),
            timeout: 60 * SECOND,
        };
        let [from, to] = topics.map(|topic| Topic::parse(&topic).unwrap());
        Self { broker, settings, env: Env { now, ..Env::default() }, from, to: Partition { topic: to, number: 0 } }
    }

    fn inputs(&self, starts: [u64; 2]) -> Vec<(Partition, u64)> {
        let partition = |number| Partition { topic: self.from.clone(), number };
        vec![(partition(0), starts[0]), (partition(1), starts[1])]
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.settings, &self.broker.named("writer"), &self.env).unwrap()
    }

    /// All that a reader of committed records sees in the output.
    fn seen(&self) -> Vec<String> {
        let feed = Feed::open(&self.settings, &[(self.to.clone(), 0)]).unwrap();
        let mut seen = Vec::new();
        // A poll also ends with what the client has to say of a connection: only silence is an end.
        let mut heard = Instant::now();
        while heard.elapsed() < 2 * SECOND {
            if feed.poll(SECOND, |record| seen.push(String::from_utf8(record.value.to_vec()).unwrap())).unwrap() > 0 {
                heard = Instant::now();
            }
        }
        seen
    }

    fn committed(&self) -> BTreeMap<Partition, Committed> {
        let cluster = Cluster::connect(&self.settings, &self.env).unwrap();
        let partitions: Vec<_> = self.inputs([0, 0]).into_iter().map(|(partition, _)| partition).collect();
        cluster.committed(&partitions).unwrap()
    }

    fn offsets(&self, offsets: [u64; 2], checkpoint: u64) -> BTreeMap<Partition, Committed> {
        let committed =
            |(partition, offset)| (partition, Committed { offset, metadata: format!("checkpoint={checkpoint}") });
        self.inputs(offsets).into_iter().map(committed).collect()
    }
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn records_and_offsets_are_seen_together_or_never() {
    if !given(KAFKA) {
        return;
    }
    let line = Line::new("together");
    line.broker.produce(line.from.as_str(), 0, &[("k0", 0), ("k1", 1), ("k2", 2), ("k3", 3), ("k4", 4)]);
    line.broker.produce(line.from.as_str(), 1, &[("k0", 0), ("k1", 1), ("k2", 2)]);
    // Read on from offsets: every record of both partitions, in order.
    let feed = Feed::open(&line.settings, &line.inputs([2, 0])).unwrap();
    let mut got = [Vec::new(), Vec::new()];
    let deadline = Instant::now() + 20 * SECOND;
    while got.iter().map(Vec::len).sum::<usize>() < 6 {
        assert!(Instant::now() < deadline, "{got:?}");
        feed.poll(SECOND, |record| got[record.place].push(record.offset)).unwrap();
    }
    assert_eq!(got, [vec![2, 3, 4], vec![0, 1, 2]]);

    let outbox = line.outbox();
    outbox.send(&line.to, b"k", b"one").unwrap();
    assert_eq!(line.seen(), [""; 0]);
    outbox.commit(&feed, &line.offsets([4, 2], 1)).unwrap();
    assert_eq!((line.seen(), line.committed()), (vec!["one".to_owned()], line.offsets([4, 2], 1)));

    outbox.send(&line.to, b"k", b"taken back").unwrap();
    outbox.abort().unwrap();
    outbox.send(&line.to, b"k", b"two").unwrap();
    outbox.commit(&feed, &line.offsets([5, 3], 2)).unwrap();
    assert_eq!((line.seen(), line.committed()), (vec!["one".to_owned(), "two".to_owned()], line.offsets([5, 3], 2)));
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn who_was_thought_dead_writes_nothing_more() {
    if !given(KAFKA) {
        return;
    }
    let line = Line::new("fenced");
    line.broker.produce(line.from.as_str(), 0, &[("k0", 0), ("k1", 1)]);
    let feed = Feed::open(&line.settings, &line.inputs([0, 0])).unwrap();
    let old = line.outbox();
    old.send(&line.to, b"k", b"of the old one").unwrap();
    let new = line.outbox();
    let refused = old.commit(&feed, &line.offsets([2, 0], 1)).unwrap_err();
    assert!(matches!(refused, KafkaError::Fenced { .. }), "{refused}");
    assert!(line.committed().is_empty());
    new.send(&line.to, b"k", b"of the new one").unwrap();
    new.commit(&feed, &line.offsets([2, 0], 2)).unwrap();
    assert_eq!((line.seen(), line.committed()), (vec!["of the new one".to_owned()], line.offsets([2, 0], 2)));
}

#[test]
#[ignore = "needs a real Kafka: tests/live/bed run"]
fn records_deleted_before_they_were_read_are_missed_aloud() {
    if !given(KAFKA) {
        return;
    }
    let line = Line::new("lost");
    line.broker.produce(line.from.as_str(), 0, &[("k0", 0), ("k1", 1), ("k2", 2), ("k3", 3), ("k4", 4)]);
    let beyond = Feed::open(&line.settings, &line.inputs([50, 0])).unwrap();
    let found = (0..20).find_map(|_| beyond.poll(SECOND, |_| {}).err());
    assert!(matches!(found, Some(KafkaError::Lost { .. })), "{found:?}");
    // A broker that is not there is no end of the stream.
    let nobody = Settings { brokers: "127.0.0.1:1".to_owned(), timeout: SECOND, ..line.settings.clone() };
    let silent = Feed::open(&nobody, &line.inputs([0, 0])).unwrap();
    assert_eq!(silent.poll(2 * SECOND, |_| {}).unwrap(), 0);
    assert!(silent.heard().iter().any(|said| said.contains("127.0.0.1:1")), "{:?}", silent.heard());
}
