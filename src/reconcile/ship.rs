//! Repairs as reconcile events, sent to where the updater reads them.
//!
//! Promise: each repair is sent once, or the error says how many were; what was sent is noted after it was, so a run that is killed
//! sends at most a batch again, which does no harm.
//! In -> out: [`Repair`]s -> events in the published schema, to a topic of Kafka, an EventGate, a file, or nowhere.
//! Rules: upstream's `ReconciliationSender`: the event's time is that of sending, else it would be late. An EventGate says 201 or 202
//! when all is taken, 207 when a part is; it is asked again after a failure of its own (500 and above, 429) or of the network.
//! Invariant: no more events in a second than asked for.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use crate::env::{self, Env};
use crate::event::wire::{self, RECONCILE_SCHEMA};
use crate::event::{Change, EventInfo, Incoming, InputEvent, ReconcileAction};
use crate::kafka::sender::Sender;
use crate::kafka::{KafkaError, Partition};
use crate::reconcile::audit::{Audit, AuditError, Note};
use crate::reconcile::repair::Repair;
use crate::storage::appended::Appended;
use crate::storage::{Location, StorageError};
use crate::web::{Calls, WebError};
use crate::wikibase::entity::Revision;

/// The stream of reconcile events, as upstream names it.
pub const STREAM: &str = "rdf-streaming-updater.reconcile";
/// What an event that no other event led to names as its origin.
const ORIGIN: &str = "headwater.reconcile";
/// How many events are sent at once, at most. Rule: upstream's `--event-gate-batch-size`.
const BATCH: usize = 20;
/// How often the same is sent at most.
const TRIES: u32 = 4;
/// The pause after the first try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that an EventGate may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where events go.
pub enum Target {
    /// A partition of a topic.
    Topic(Box<Sender>, Partition),
    /// An EventGate.
    Gate(Box<Calls>, String),
    /// A file, a line each.
    File(Box<Appended>),
    /// Standard output, a line each.
    Stdout(Box<dyn Write>),
    /// Nowhere: they are only shown; and the place where they would go.
    Nowhere(String),
}

/// What stands in all events, and how fast they are sent.
#[derive(Clone, Debug)]
pub struct Manner {
    /// `meta.domain`: the wiki's host.
    pub domain: String,
    /// `meta.stream`.
    pub stream: String,
    /// `reconciliation_source`: the tag of the updater they are for, where a repair has none.
    pub source: String,
    /// How many events in a second, at most.
    pub rate: u32,
    /// Whether what was sent before is sent again.
    pub again: bool,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Shipped {
    /// Events that were sent.
    pub sent: u64,
    /// Events that were sent before, and not again.
    pub sent_before: u64,
}

/// Why not all was sent.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// Kafka did not take it.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The EventGate was not reached.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The EventGate did not take it.
    #[error("{url} did not take the events: {said}")]
    Gate {
        /// Its URL.
        url: String,
        /// What it said.
        said: String,
        /// Whether the same may succeed later.
        is_passing: bool,
    },
    /// The file of what was sent cannot be used.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The file of events cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Standard output cannot be written.
    #[error("could not write to stdout: {0}")]
    Stdout(#[source] io::Error),
    /// The user asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// An event that is ready.
struct Ready {
    id: String,
    json: Vec<u8>,
    note: Note,
}

impl Target {
    /// As in [`Note::to`].
    pub fn name(&self) -> String {
        match self {
            Self::Topic(_, partition) => format!("kafka:{}", partition.topic),
            Self::Gate(_, url) => url.clone(),
            Self::File(file) => file.location().to_string(),
            Self::Stdout(_) => "-".to_owned(),
            Self::Nowhere(place) => place.clone(),
        }
    }

    /// A file of events, which is made anew.
    pub fn file(location: &Location) -> Result<Self, StorageError> {
        Ok(Self::File(Box::new(Appended::open(location, 0)?)))
    }
}

/// Sends repairs, and keeps count.
pub struct Shipping<'s> {
    /// Where to.
    pub target: Target,
    /// Where it is noted.
    pub audit: Option<Audit>,
    /// What stands in all events.
    pub manner: Manner,
    /// The surroundings.
    pub env: &'s Env,
    /// What was sent so far.
    pub shipped: Shipped,
}

impl Shipping<'_> {
    /// Sends repairs; `show` is given each event that was sent. After an error, `shipped` tells how many were.
    pub fn ship(&mut self, repairs: &[Repair], mut show: impl FnMut(&[u8])) -> Result<(), ShipError> {
        let size = BATCH.min(self.manner.rate.max(1) as usize);
        repairs.chunks(size).try_for_each(|batch| self.batch(batch, &mut show))
    }

    fn batch(&mut self, repairs: &[Repair], show: &mut impl FnMut(&[u8])) -> Result<(), ShipError> {
        let begun = (self.env.now)();
        let to = self.target.name();
        let mut batch: Vec<_> = repairs.iter().map(|repair| self.ready(repair, &to)).collect();
        if !self.manner.again {
            batch.retain(|ready| self.audit.as_ref().is_none_or(|audit| !audit.knows(&ready.note)));
        }
        self.shipped.sent_before += (repairs.len() - batch.len()) as u64;
        let refused = self.send(&batch)?;
        let taken: Vec<_> = batch.into_iter().filter(|ready| !refused.ids.contains(&ready.id)).collect();
        taken.iter().for_each(|ready| show(&ready.json));
        self.shipped.sent += taken.len() as u64;
        self.env.progress.entities.store(self.shipped.sent, Ordering::Relaxed);
        let pause = Duration::from_secs(1) * taken.len() as u32 / self.manner.rate.max(1);
        if let Some(audit) = &mut self.audit {
            audit.add(taken.into_iter().map(|ready| ready.note).collect()).map_err(AuditError::from)?;
        }
        if let Some(error) = refused.error {
            return Err(error);
        }
        let is_paced = matches!(self.target, Target::Topic(..) | Target::Gate(..));
        let passed = Duration::from_millis((self.env.now)().millis().saturating_sub(begun.millis()).max(0) as u64);
        self.wait(if is_paced { pause.saturating_sub(passed) } else { Duration::ZERO })
    }

    /// Waits, unless a stop is asked for.
    fn wait(&self, time: Duration) -> Result<(), ShipError> {
        if self.env.rest(time) { Ok(()) } else { Err(ShipError::Stopped) }
    }

    /// Sends a batch: what was not taken of it.
    fn send(&mut self, batch: &[Ready]) -> Result<Refused, ShipError> {
        if batch.is_empty() {
            return Ok(Refused::default());
        }
        match &mut self.target {
            Target::Topic(sender, partition) => {
                let records: Vec<_> =
                    batch.iter().map(|ready| (ready.note.entity.clone(), ready.json.clone())).collect();
                sender.send(partition, &records)?;
            }
            Target::File(file) => {
                batch.iter().try_for_each(|ready| file.append(&[&*ready.json, b"\n"].concat()))?;
                file.flush()?;
            }
            Target::Gate(..) => return self.post(batch),
            Target::Stdout(out) => {
                let lines = batch.iter().try_for_each(|ready| out.write_all(&[&*ready.json, b"\n"].concat()));
                lines.and_then(|()| out.flush()).map_err(ShipError::Stdout)?;
            }
            Target::Nowhere(_) => {}
        }
        Ok(Refused::default())
    }

    /// Posts a batch to the EventGate.
    fn post(&self, batch: &[Ready]) -> Result<Refused, ShipError> {
        let Target::Gate(calls, url) = &self.target else { return Ok(Refused::default()) };
        let events: Vec<&[u8]> = batch.iter().map(|ready| &*ready.json).collect();
        let body = [b"[", &*events.join(&b","[..]), b"]"].concat();
        for tried in 1.. {
            let (error, asked) = match calls.post(url, &body, "application/json") {
                Ok(answer) if matches!(answer.status, 201 | 202) => return Ok(Refused::default()),
                Ok(answer) if answer.status == 207 => return Ok(Refused::of(url, &answer.body, batch)),
                Ok(answer) => {
                    let is_passing = answer.status >= 500 || answer.status == 429;
                    let said = format!("the status {}{}", answer.status, excerpt(&answer.body));
                    (ShipError::Gate { url: url.clone(), said, is_passing }, answer.retry_after.filter(|_| is_passing))
                }
                Err(error) => (error.into(), None),
            };
            if tried == TRIES || !error.is_passing() {
                return Err(error);
            }
            self.wait(asked.unwrap_or(PAUSE * 2_u32.pow(tried - 1)).min(LONGEST_PAUSE))?;
        }
        unreachable!("the last try ends it")
    }

    fn ready(&self, repair: &Repair, to: &str) -> Ready {
        let Manner { domain, stream, source, .. } = &self.manner;
        let (now, id) = ((self.env.now)(), env::new_id());
        let revision = repair.revision.map_or(0, Revision::get);
        let own = EventInfo {
            timestamp: now.millis(),
            id: Some(id.clone()),
            domain: Some(domain.clone()),
            stream: stream.clone(),
            request_id: Some(env::new_id()),
            schema: RECONCILE_SCHEMA.to_owned(),
        };
        // Upstream's updater wants to know where an event came from, and names the request of that in its messages.
        let origin = || EventInfo { stream: ORIGIN.to_owned(), ..own.clone() };
        let cause = repair.cause.clone().unwrap_or_else(origin);
        let event = InputEvent {
            item: repair.entity.to_string(),
            event_time: now.millis(),
            ingestion_time: now.millis(),
            revision: i64::try_from(revision).unwrap_or(i64::MAX),
            change: Change::ReconcileInputEvent { action: repair.action },
            original: own,
        };
        let source = repair.source.as_ref().unwrap_or(source);
        let event = Incoming::new(event).expect("an entity, a revision and the present make an event");
        let note = Note {
            sent_at: now.to_string(),
            to: to.to_owned(),
            entity: repair.entity.to_string(),
            revision,
            action: action(repair.action).to_owned(),
            source: source.clone(),
            reason: repair.reason.to_owned(),
            id: id.clone(),
        };
        Ready { id, json: wire::to_json(&event, source, Some(&cause)), note }
    }
}

impl ShipError {
    /// Whether the same may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Web(error) => matches!(error, WebError::OutOfReach { .. }),
            Self::Gate { is_passing, .. } => *is_passing,
            _ => false,
        }
    }
}

/// Its name in the schema.
const fn action(action: ReconcileAction) -> &'static str {
    match action {
        ReconcileAction::ReconcileCreation => "CREATION",
        ReconcileAction::ReconcileDeletion => "DELETION",
    }
}

/// What was not taken of a batch.
#[derive(Default)]
struct Refused {
    /// The events' ids.
    ids: Vec<String>,
    error: Option<ShipError>,
}

impl Refused {
    /// What an EventGate says that took a part: lists of those that are not valid, and of those that could not be sent on. What it does
    /// not say cannot be known, so then none counts as taken.
    fn of(url: &str, body: &[u8], batch: &[Ready]) -> Self {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let failed = ["invalid", "error"].into_iter().filter_map(|list| told[list].as_array()).flatten();
        let known = |failed: &Value| {
            let id = failed["event"]["meta"]["id"].as_str()?;
            batch.iter().any(|ready| ready.id == id).then(|| id.to_owned())
        };
        let ids: Option<Vec<_>> = failed.map(known).collect();
        let all = || batch.iter().map(|ready| ready.id.clone()).collect();
        let ids = ids.filter(|ids| !ids.is_empty()).unwrap_or_else(all);
        let said = format!("the status 207, {} of {} events{}", ids.len(), batch.len(), excerpt(body));
        Self { ids, error: Some(ShipError::Gate { url: url.to_owned(), said, is_passing: false }) }
    }
}

/// The beginning of an answer, for people.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST)]).trim().to_owned();
    if text.is_empty() { text } else { format!(": {text}") }
}

#[cfg(test)]
mod tests;
