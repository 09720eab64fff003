//! What the client says by itself while it works: errors of connections, mostly.
//!
//! Promise: the last few things said, each once, for an error to tell; nothing goes to stderr.

use std::collections::VecDeque;
use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// How many things are remembered.
const MOST: usize = 4;

/// Remembers what the client said last.
#[derive(Debug, Default)]
pub struct Ear(Mutex<VecDeque<String>>);

impl Ear {
    /// What was said last, the newest last.
    pub fn heard(&self) -> Vec<String> {
        self.0.lock().map(|heard| heard.iter().cloned().collect()).unwrap_or_default()
    }

    fn hear(&self, said: &str) {
        let said = without_tally(said);
        let Ok(mut heard) = self.0.lock() else { return };
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
}

impl ConsumerContext for Ear {}

impl ProducerContext for Ear {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        // A record that was not delivered breaks its transaction; the reason is told with that.
        if let Err((error, _)) = result {
            self.hear(&error.to_string());
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
