//! Records and offsets that are written together: where a stream ends.
//!
//! Promise: what is sent between two commits, and the offsets given with the second, are seen by readers of committed records all
//! at once, or never. A process that was thought dead and comes back can write nothing more.
//! In -> out: records -> a transaction; offsets with a note each -> its end.
//! Invariant: a transaction is open from [`Outbox::open`] to the end.
//! Rules: Kafka's transactions (KIP-98, KIP-447).
//! Not here: what is sent, and what the note says (see design: the number of a checkpoint).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::env::Env;
use crate::kafka::ear::Ear;
use crate::kafka::error::{created, words};
use crate::kafka::feed::Feed;
use crate::kafka::flush::flush;
use crate::kafka::request::list_of_commits;
use crate::kafka::settings::Role;
use crate::kafka::{Committed, KafkaError, Partition, Settings};
use crate::wikibase::timestamp::Timestamp;

/// How long to wait for room in the client's queue before looking again.
const ROOM: Duration = Duration::from_millis(50);
/// How long to wait before the same is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// A transactional writer.
pub struct Outbox {
    producer: BaseProducer<Ear>,
    env: Env,
    brokers: String,
    transactional: String,
    timeout: Duration,
    /// How long Kafka lets a transaction be open.
    longest: Duration,
    /// When the open one was begun.
    begun: Cell<Timestamp>,
}

impl Outbox {
    /// Takes over the name `transactional`: whoever had it before is shut out, and what he left open is aborted. Begins the first
    /// transaction. Errors: `Property`, `Settings`, `Unreachable`, `Transaction`, `Fenced`.
    pub fn open(settings: &Settings, transactional: &str, env: &Env) -> Result<Self, KafkaError> {
        let config = settings.client(Role::Outbox { transactional });
        let producer: BaseProducer<Ear> = created(config.create_with_context(Ear::default()))?;
        let longest = config.get("transaction.timeout.ms").and_then(|millis| millis.parse().ok());
        let outbox = Self {
            producer,
            env: env.clone(),
            brokers: settings.brokers.clone(),
            transactional: transactional.to_owned(),
            timeout: settings.timeout,
            longest: longest.map_or(Duration::MAX, Duration::from_millis),
            begun: Cell::new((env.now)()),
        };
        outbox.done("to take over its transactions", |left| outbox.producer.init_transactions(left))?;
        outbox.begin()?;
        Ok(outbox)
    }

    /// Sends a record within the open transaction. Waits where too much is on its way.
    pub fn send(&self, to: &Partition, key: &[u8], value: &[u8]) -> Result<(), KafkaError> {
        let number = i32::try_from(to.number).unwrap_or(i32::MAX);
        let mut record = BaseRecord::to(to.topic.as_str()).partition(number).key(key).payload(value);
        let begun = (self.env.now)();
        loop {
            record = match self.producer.send(record) {
                Ok(()) => break,
                Err((ClientError::MessageProduction(Code::QueueFull), back)) => back,
                Err((error, _)) => return Err(self.failed("to send", &error)),
            };
            if self.left(begun).is_zero() {
                return Err(self.unreachable("to send"));
            }
            self.producer.poll(ROOM);
        }
        // What was delivered is forgotten, so that there is room for more.
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Ends the transaction with offsets of the feed's group, and begins the next one.
    ///
    /// Errors: after any of them the transaction is aborted, or will be by whoever opens the outbox next, unless the answer to the
    /// very last request was lost. Only the committed offsets tell which: so this outbox is of no more use.
    pub fn commit(&self, feed: &Feed, offsets: &BTreeMap<Partition, Committed>) -> Result<(), KafkaError> {
        let group = feed.group()?;
        let commits: Vec<_> = offsets.iter().collect();
        // The client commits only once its reports are read, which this does.
        self.done("to deliver", |left| flush(&self.producer, left))?;
        let list = list_of_commits(&commits);
        self.done("to commit offsets", |left| self.producer.send_offsets_to_transaction(&list, &group, left))?;
        self.done("to commit", |left| self.producer.commit_transaction(left))?;
        self.begin()
    }

    /// Takes back all that was sent since the last commit, and begins anew.
    pub fn abort(&self) -> Result<(), KafkaError> {
        // To abort is to wait for the reports of what is on its way, which only this reads. Whether it was delivered is all the same.
        let _ = flush(&self.producer, self.timeout);
        self.done("to abort", |left| self.producer.abort_transaction(left))?;
        self.begin()
    }

    fn begin(&self) -> Result<(), KafkaError> {
        self.begun.set((self.env.now)());
        self.producer.begin_transaction().map_err(|error| self.failed("to begin", &error))
    }

    /// Tries until it is done, where the client says that it may be tried again, or the time is up.
    fn done(&self, action: &'static str, work: impl Fn(Duration) -> KafkaResult<()>) -> Result<(), KafkaError> {
        let begun = (self.env.now)();
        loop {
            match work(self.left(begun)) {
                Ok(()) => return Ok(()),
                Err(ClientError::Transaction(error)) if error.is_retriable() && self.left(begun) > PAUSE => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(self.failed(action, &error)),
            }
        }
    }

    /// How much of the time-out is left.
    fn left(&self, begun: Timestamp) -> Duration {
        self.timeout.saturating_sub(self.since(begun))
    }

    fn since(&self, begun: Timestamp) -> Duration {
        let passed = (self.env.now)().millis().saturating_sub(begun.millis());
        Duration::from_millis(u64::try_from(passed).unwrap_or_default())
    }

    fn failed(&self, action: &'static str, error: &ClientError) -> KafkaError {
        let ended = match error {
            ClientError::Transaction(error) if !error.is_retriable() => true,
            error => error.rdkafka_error_code().is_some_and(|code| matches!(code, Code::Fatal | Code::Fenced)),
        };
        let fatal = self.producer.client().fatal_error();
        let code = fatal.as_ref().map(|(code, _)| *code).or_else(|| error.rdkafka_error_code());
        let is_fenced = matches!(code, Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch));
        // Who had a transaction open for too long is shut out in the same words, by nobody.
        if is_fenced && self.since(self.begun.get()) < self.longest {
            let (transactional, reason) =
                (self.transactional.clone(), fatal.map_or_else(|| words(error), |(_, why)| why));
            return KafkaError::Fenced { brokers: self.brokers.clone(), transactional, reason };
        }
        match ended {
            true => KafkaError::Transaction { brokers: self.brokers.clone(), action, reason: words(error) },
            false => self.unreachable(action),
        }
    }

    fn unreachable(&self, action: &'static str) -> KafkaError {
        let heard = self.producer.context().heard();
        KafkaError::Unreachable { brokers: self.brokers.clone(), action, timeout: self.timeout, heard }
    }
}
