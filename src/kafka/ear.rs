//! What the client says by itself while it works: errors of connections, mostly, and where partitions end.
//!
//! Promise: the last few things said since all was well, each once, for an error to tell; nothing goes to stderr.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;

use crate::kafka::error::is_passing;

/// How many things are remembered.
const MOST: usize = 4;

/// Remembers what the client said last.
#[derive(Debug, Default)]
pub struct Ear {
    said: Mutex<VecDeque<String>>,
    /// The ends of partitions, by topic, then by number, as far as they were told.
    ends: Mutex<HashMap<String, HashMap<i32, u64>>>,
    /// Whether the leader of some partition that is read could not be reached when it was told.
    is_cut_off: AtomicBool,
    undelivered: Mutex<Undelivered>,
}

/// Records that were not delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// How many, so far.
    pub count: u64,
    /// Whether the last of them may be delivered another time.
    pub is_passing: bool,
}

impl Ear {
    /// What was said last, the newest last.
    pub fn heard(&self) -> Vec<String> {
        self.said.lock().map(|heard| heard.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether nothing could come from some partition when the client last told.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }

    /// Where a partition ended when the client last told: the offset behind the last record that may be read. `None` also while its
    /// leader cannot be reached.
    pub fn end(&self, topic: &str, number: i32) -> Option<u64> {
        self.ends.lock().ok()?.get(topic)?.get(&number).copied()
    }

    /// What was not delivered so far.
    pub fn undelivered(&self) -> Undelivered {
        self.undelivered.lock().map(|undelivered| *undelivered).unwrap_or_default()
    }

    fn hear(&self, said: &str) {
        let said = without_tally(said);
        let Ok(mut heard) = self.said.lock() else { return };
        heard.retain(|known| known != said);
        heard.push_back(said.to_owned());
        if heard.len() > MOST {
            heard.pop_front();
        }
    }
}

impl ClientContext for Ear {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, message: &str) {
        if level as i32 <= RDKafkaLogLevel::Error as i32 {
            // `[thrd:…]: what`
            self.hear(message.split_once("]: ").map_or(message, |(_, what)| what));
        }
    }

    fn error(&self, error: ClientError, reason: &str) {
        let code = error.rdkafka_error_code();
        // The end of a partition is no error, and that all brokers are down says less than why each is.
        let says_nothing = matches!(code, Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown));
        if !says_nothing {
            self.hear(reason);
        }
    }

    fn stats(&self, statistics: Statistics) {
        let Ok(mut ends) = self.ends.lock() else { return };
        let Statistics { brokers, topics, .. } = statistics;
        let is_up = |leader: i32| brokers.values().any(|broker| broker.nodeid == leader && broker.state == "UP");
        let mut is_cut_off = false;
        for (topic, told) in topics {
            let known = ends.entry(topic).or_default();
            // The client has one of its own beside those that are read, below 0.
            for (number, partition) in told.partitions.into_iter().filter(|(number, _)| *number >= 0) {
                if !is_up(partition.leader) {
                    is_cut_off = true;
                    known.remove(&number);
                // Below 0 it is not known yet. Of open transactions nothing may be read.
                } else if let Ok(end) = u64::try_from(partition.ls_offset) {
                    known.insert(number, end);
                }
            }
        }
        self.is_cut_off.store(is_cut_off, Ordering::Relaxed);
        if let (false, Ok(mut said)) = (is_cut_off, self.said.lock()) {
            said.clear();
        }
    }
}

impl ConsumerContext for Ear {}

impl ProducerContext for Ear {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        // A record that was not delivered breaks its transaction; the reason is told with that.
        let Err((error, _)) = result else { return };
        self.hear(&error.to_string());
        if let Ok(mut undelivered) = self.undelivered.lock() {
            undelivered.count += 1;
            undelivered.is_passing = error.rdkafka_error_code().is_some_and(is_passing);
        }
    }
}

/// Without what the client counts behind an error: `… (after 3ms in state CONNECT, 4 identical error(s) suppressed)`.
fn without_tally(said: &str) -> &str {
    said.rfind(" (after ").map_or(said, |at| &said[..at])
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Broker, Partition, Topic};

    use super::*;

    /// The state of the leader -> where the partition ends, whether nothing can come, what was heard.
    #[test]
    fn who_is_out_of_reach_is_not_believed() {
        let ear = Ear::default();
        let rows =
            [("UP", Some(7), false, 0), ("DOWN", None, true, 1), ("CONNECT", None, true, 1), ("UP", Some(7), false, 0)];
        for (state, end, is_cut_off, heard) in rows {
            ear.hear("broker 1 is gone");
            let broker = |nodeid, state: &str| Broker { nodeid, state: state.to_owned(), ..Broker::default() };
            let partition = |leader, ls_offset| Partition { leader, ls_offset, ..Partition::default() };
            let topic =
                Topic { partitions: [(0, partition(1, 7)), (-1, partition(-1, -1001))].into(), ..Topic::default() };
            ear.stats(Statistics {
                brokers: [("1".to_owned(), broker(1, state)), ("2".to_owned(), broker(2, "DOWN"))].into(),
                topics: [("t".to_owned(), topic)].into(),
                ..Statistics::default()
            });
            assert_eq!((ear.end("t", 0), ear.is_cut_off(), ear.heard().len()), (end, is_cut_off, heard), "{state}");
        }
    }

    #[test]
    fn the_last_few_things_each_once() {
        let ear = Ear::default();
        for at in 0..6 {
            ear.hear(&format!("broker {} is gone (after {at}ms in state CONNECT)", at % 5));
        }
        assert_eq!(ear.heard(), [2, 3, 4, 0].map(|at| format!("broker {at} is gone")));
    }
}
