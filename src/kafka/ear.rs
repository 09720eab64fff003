//! What the client says by itself while it works: errors of connections, mostly, and where partitions end.
//!
//! Promise: the last few things said, each once, for an error to tell; nothing goes to stderr.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

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

    /// Where a partition ended when the client last told: the offset behind the last record that may be read.
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
        for (topic, told) in statistics.topics {
            let known = ends.entry(topic).or_default();
            for (number, partition) in told.partitions {
                // Below 0 it is not known yet. Of open transactions nothing may be read.
                if let Ok(end) = u64::try_from(partition.ls_offset) {
                    known.insert(number, end);
                }
            }
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
    use super::*;

    #[test]
    fn the_last_few_things_each_once() {
        let ear = Ear::default();
        for at in 0..6 {
            ear.hear(&format!("broker {} is gone (after {at}ms in state CONNECT)", at % 5));
        }
        assert_eq!(ear.heard(), [2, 3, 4, 0].map(|at| format!("broker {at} is gone")));
    }
}
