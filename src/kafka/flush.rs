//! Waiting until all that a producer was given is answered.
//!
//! Promise: ends as soon as it is, to within [`STEP`]. The client's own way waits for 100 ms whenever anything is on its way, which
//! every transaction would then take.

use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

/// How long to wait before looking again.
const STEP: Duration = Duration::from_millis(1);

/// Waits for at most `time`. Errors: the client's own, `Flush` where the time is up.
pub fn flush<C: ProducerContext + 'static>(producer: &BaseProducer<C>, time: Duration) -> KafkaResult<()> {
    let mut left = time;
    loop {
        match producer.flush(STEP.min(left)) {
            Err(ClientError::Flush(Code::OperationTimedOut)) if !left.is_zero() => left = left.saturating_sub(STEP),
            done => return done,
        }
    }
}
