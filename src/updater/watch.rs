//! What looks at a line between its turns: tells how it is, and does what it is ordered.
//!
//! Promise: who asks is told how the line was a second ago; an order is carried out between two turns, and answered once.
//! In -> out: a [`Line`] -> [`Status`]es and [`Notice`]s; [`Order`]s -> savepoints, or the end.
//! Invariant: without anybody who asks, nothing but a look at the clock a turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::control::Refusal;
use crate::savepoint::OnExisting;
use crate::storage::Location;
use crate::updater::counters::Counters;
use crate::updater::desk::{Mailbox, Order, Orders, Reply, mailbox};
use crate::updater::line::{Ended, Line, LineError};
use crate::updater::notice::Notice;
use crate::updater::pace::{Pace, Rates};
use crate::updater::service::{ServiceError, Watch, in_full};
use crate::updater::status::{CacheStatus, Gauges, Phase, Status, entities};
use crate::updater::watermark::START;
use crate::wikibase::timestamp::Timestamp;

/// How long from one status to the next, in milliseconds.
const STEP: i64 = 1000;
/// How long from one line about progress to the next, in milliseconds: while it catches up, and when it follows.
const TOLD: [i64; 2] = [10_000, 300_000];
/// How far the watermark of a line that follows may be behind, in milliseconds: window, lateness and as much again.
const BEHIND: i64 = 300_000;

/// Looks at lines.
pub struct Watcher {
    started_at: Timestamp,
    mailbox: Arc<Mailbox>,
    orders: Orders,
    tell: Box<dyn FnMut(Notice)>,
    /// Where savepoints go for which no place is named.
    savepoints: Option<Location>,
    pace: Pace,
    next: i64,
    /// When progress was told last.
    told: i64,
    has_caught_up: bool,
    stopping: Option<Stopping>,
}

/// An order to stop that is being carried out.
struct Stopping {
    /// Whether to take a savepoint before, and where.
    save: Option<Option<String>>,
    reply: Reply<Option<String>>,
}

impl Watcher {
    /// One that tells notices to `tell`, and puts savepoints for which no place is named into `savepoints`.
    pub fn new(now: fn() -> Timestamp, savepoints: Option<Location>, tell: Box<dyn FnMut(Notice)>) -> Self {
        let started_at = now();
        let first = Gauges {
            phase: Phase::Restoring,
            reason: None,
            watermark: START,
            buffered: 0,
            pending: 0,
            fetching: 0,
            fetched: Default::default(),
            cache: CacheStatus::default(),
            entities: Default::default(),
        };
        let first = Status::new(started_at, started_at, &Counters::default(), Rates::default(), first);
        let (mailbox, orders) = mailbox(first, now);
        let (pace, stopping) = (Pace::default(), None);
        Self {
            started_at,
            mailbox,
            orders,
            tell,
            savepoints,
            pace,
            next: 0,
            told: started_at.millis(),
            has_caught_up: false,
            stopping,
        }
    }

    /// The side of those who ask.
    pub fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    fn publish(&mut self, line: &mut Line, phase: Phase, reason: Option<String>) -> Rates {
        let now = line.now();
        line.look();
        let rates = self.pace.look(now, &line.counters);
        let gauges = Gauges {
            phase,
            reason,
            watermark: line.intake.watermark().unwrap_or(START),
            buffered: line.intake.waiting(),
            pending: line.works.len(),
            fetching: line.works.begun(),
            fetched: line.revisions.counts(),
            cache: CacheStatus::from(line.revisions.cache()),
            entities: entities(line.intake.state()),
        };
        self.mailbox.publish(Status::new(self.started_at, now, &line.counters, rates, gauges));
        rates
    }

    /// Tells how fast it goes, now and then.
    fn progress(&mut self, line: &Line, phase: Phase, rates: Rates) {
        let now = line.now().millis();
        if now - self.told >= TOLD[usize::from(phase == Phase::Running)] {
            self.told = now;
            let behind = line.intake.watermark().map(|watermark| (now - watermark).max(0) as u64);
            (self.tell)(Notice::Progress { read: line.counters.totals.events.read, rates, behind });
        }
    }

    fn phase(&mut self, line: &Line) -> Phase {
        let behind = line.intake.watermark().map(|watermark| line.now().millis() - watermark);
        if behind.is_none_or(|behind| behind > BEHIND) && !self.has_caught_up {
            return Phase::CatchingUp;
        }
        if !std::mem::replace(&mut self.has_caught_up, true) {
            (self.tell)(Notice::CaughtUp);
        }
        Phase::Running
    }

    /// Where an ordered savepoint goes.
    fn place(&self, line: &Line, to: Option<&str>) -> Result<Location, Refusal> {
        match (to, &self.savepoints) {
            (Some(to), _) => Location::parse(to).map_err(|error| Refusal::Wrong(in_full(&error))),
            (None, Some(dir)) => {
                let time: String = line.now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
                Ok(dir.join(&format!("savepoint-{time}")))
            }
            (None, None) => Err(Refusal::Wrong("no place: say where the savepoint is to go".to_owned())),
        }
    }

    /// Takes a savepoint where it was ordered.
    fn save(&mut self, line: &mut Line, to: Option<&str>) -> Result<String, Refusal> {
        let place = self.place(line, to)?;
        self.publish(line, Phase::Saving, Some(place.to_string()));
        let begun = line.now();
        match line.savepoint(&place, OnExisting::Refuse) {
            Ok(()) => {
                let millis = (line.now().millis() - begun.millis()).max(0) as u64;
                (self.tell)(Notice::SavepointTaken { place: place.to_string(), millis });
                Ok(place.to_string())
            }
            Err(error) => {
                let reason = in_full(&error);
                (self.tell)(Notice::SavepointFailed { reason: reason.clone() });
                Err(Refusal::Failed(reason))
            }
        }
    }
}

impl Watch for Watcher {
    fn opened(&mut self, line: &mut Line, from: &str) {
        (self.tell)(Notice::Restored {
            from: from.to_owned(),
            entities: line.intake.state().len(),
            buffered: line.intake.waiting(),
            watermark: line.intake.watermark().and_then(Timestamp::from_millis),
        });
        self.publish(line, Phase::CatchingUp, None);
    }

    fn look(&mut self, line: &mut Line) -> Result<(), LineError> {
        line.notices.drain(..).for_each(&mut self.tell);
        while let Some(order) = self.orders.next() {
            match order {
                Order::Save { to, reply } => match self.save(line, to.as_deref()) {
                    Ok(place) => reply.done(place),
                    Err(refusal) => reply.refuse(refusal),
                },
                Order::Stop { reply, .. } if self.stopping.is_some() => {
                    reply.refuse(Refusal::NotNow("it is stopping already".to_owned()));
                }
                // Who cannot have the savepoint does not lose the updater.
                Order::Stop { save, reply } => match save.as_ref().map(|to| self.place(line, to.as_deref())) {
                    Some(Err(refusal)) => reply.refuse(refusal),
                    _ => {
                        self.stopping = Some(Stopping { save, reply });
                        line.env.stop.store(true, Ordering::Relaxed);
                    }
                },
            }
        }
        let now = line.now().millis();
        if now >= self.next {
            self.next = now.saturating_add(STEP);
            let phase = self.phase(line);
            let rates = self.publish(line, phase, None);
            self.progress(line, phase, rates);
        }
        Ok(())
    }

    fn ended(&mut self, line: &mut Line, ended: Ended) {
        line.notices.drain(..).for_each(&mut self.tell);
        let mut savepoint = None;
        if let Some(Stopping { save, reply }) = self.stopping.take() {
            match save.map(|to| self.save(line, to.as_deref())).transpose() {
                Ok(place) => {
                    savepoint.clone_from(&place);
                    reply.done(place);
                }
                Err(refusal) => reply.refuse(refusal),
            }
        }
        self.publish(line, Phase::Stopped, Some(ended.reason().to_owned()));
        (self.tell)(Notice::Stopped { reason: ended.reason().to_owned(), savepoint });
    }

    fn broke(&mut self, error: &ServiceError, pause: Duration) {
        let pause = pause.as_millis().try_into().unwrap_or(u64::MAX);
        (self.tell)(Notice::Restarting { reason: in_full(error), pause });
    }
}
