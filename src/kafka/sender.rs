//! Records that are written one batch after the other, without transactions.
//!
//! Promise: after [`Sender::send`] each record of a batch is acknowledged by all replicas in sync, once and in order; or there is an
//! error, and each of them may have been written or not.
//! In -> out: records -> a partition of a topic.
//! Not here: what is sent, and what was sent before (see `reconcile::ship`).

use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::kafka::ear::Ear;
use crate::kafka::error::{created, words};
use crate::kafka::flush::flush;
use crate::kafka::settings::Role;
use crate::kafka::{KafkaError, Partition, Settings};

/// How long to wait for room in the client's queue before looking again.
const ROOM: Duration = Duration::from_millis(50);

/// A writer.
pub struct Sender {
    producer: BaseProducer<Ear>,
    brokers: String,
    timeout: Duration,
}

impl Sender {
    /// Makes one; asks nothing yet. Errors: `Property`, `Settings`.
    pub fn new(settings: &Settings) -> Result<Self, KafkaError> {
        let producer = created(settings.client(Role::Sender).create_with_context(Ear::default()))?;
        Ok(Self { producer, brokers: settings.brokers.clone(), timeout: settings.timeout })
    }

    /// Sends records, keys and values, and waits until all are there. Errors: `Unreachable`, `Refused`.
    pub fn send(&self, to: &Partition, records: &[(String, Vec<u8>)]) -> Result<(), KafkaError> {
        let number = i32::try_from(to.number).unwrap_or(i32::MAX);
        let failed = self.producer.context().undelivered();
        for (key, value) in records {
            let mut record = BaseRecord::to(to.topic.as_str()).partition(number).key(key).payload(value);
            while let Err((error, back)) = self.producer.send(record) {
                if !matches!(error, ClientError::MessageProduction(Code::QueueFull)) {
                    return Err(self.refused(&words(&error)));
                }
                self.producer.poll(ROOM);
                record = back;
            }
        }
        // Records have a time-out of their own (see `Role::Sender`), shorter than this.
        flush(&self.producer, self.timeout * 2).map_err(|_| self.unreachable())?;
        let undelivered = self.producer.context().undelivered();
        match undelivered.count == failed.count {
            true => Ok(()),
            false if undelivered.is_passing => Err(self.unreachable()),
            false => Err(self.refused(&self.producer.context().heard().join("; "))),
        }
    }

    fn refused(&self, reason: &str) -> KafkaError {
        KafkaError::Refused { brokers: self.brokers.clone(), action: "to write", reason: reason.to_owned() }
    }

    fn unreachable(&self) -> KafkaError {
        let heard = self.producer.context().heard();
        KafkaError::Unreachable { brokers: self.brokers.clone(), action: "to write", timeout: self.timeout, heard }
    }
}
