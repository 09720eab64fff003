//! A batch -> the store, which is asked where it is before and after.
//!
//! Promise: the store is where a batch leads when [`Line::apply`] returns, or it is not known to be; then that is said.
//! In -> out: what was taken -> an [`Update`], sent until the store is where it leads.
//! Rules: an answer proves nothing, as it may be lost, and a success may be none. Whoever else has changed the store since is told by what
//! the store says. An update that is refused is cut into its mutations; one mutation that is refused is of no use.

use std::collections::BTreeSet;

use crate::consume::batch::Changes;
use crate::consume::error::{BadRecord, ConsumeError};
use crate::consume::line::{AHEAD, Line, Pace, Parts, Spot};
use crate::consume::notice::Notice;
use crate::consume::patience::Patience;
use crate::consume::position::{Position, Said};
use crate::consume::target::{Before, TargetError, Update};
use crate::consume::triples::Line as Triple;
use crate::sparql::Done;
use crate::updater::service::in_full;

impl Line<'_> {
    /// Brings the store to where the batch ends, if that is elsewhere.
    pub(super) fn apply(&mut self) -> Result<(), ConsumeError> {
        let is_elsewhere = self.has_moved && !self.reached.is_at(&self.parts.position);
        if self.batch.counts().mutations() == 0 && !is_elsewhere {
            return Ok(());
        }
        self.refuse_other()?;
        // A clock that is wrong would else be believed for ever.
        let present = self.now().saturating_add(AHEAD);
        self.reached.reach(self.batch.newest_time().filter(|newest| newest.millis() <= present));
        self.mark();
        let presumed: BTreeSet<_> = self.batch.presumed().collect();
        if !presumed.is_empty() {
            for entity in self.parts.target.absent(&presumed)? {
                self.batch.drop_all(entity);
                self.parts.totals.absent += 1;
            }
        }
        let batch = self.batch.take_all();
        let (absent, present) = batch.expectations();
        let expected = (absent.len() + present.len()) as u64;
        let most = self.parts.pace.sample / 2;
        sample(&mut self.parts, &some(&absent, most), &some(&present, most));
        let (counts, was_full) = (batch.counts(), batch.weight() >= self.limit);
        let (position, modified) = (self.said(&self.reached), batch.mean_time());
        let update = Update { changes: batch.into_changes(), before: self.parts.before.clone(), position, modified };
        let (begun, from) = (self.now(), self.from.take());
        let done = match self.bring(&update) {
            Err(ConsumeError::Target(error)) if error.is_of_content() && counts.mutations() > 0 => {
                return self.refused(from.unwrap_or_default(), error, counts.mutations(), update.position);
            }
            done => done?,
        };
        let millis = (self.now() - begun).max(0) as u64;
        let totals = &mut self.parts.totals;
        totals.store.record(millis);
        totals.updates += 1;
        totals.applied.add(&counts);
        if let Some(changed) = done.changed {
            totals.divergences.expected += expected;
            totals.divergences.reported += expected.saturating_sub(changed);
        }
        self.adapt(was_full, millis);
        (self.parts.position, self.since) = (update.position, None);
        Ok(())
    }

    /// A position, as this consumer says it.
    fn said(&self, position: &Position) -> Position {
        Position { by: self.parts.by.iter().cloned().collect(), ..position.clone() }
    }

    /// The store refuses what an update says: that of one mutation is of no use, if it takes one that says nothing.
    fn refused(
        &mut self,
        from: Spot,
        source: TargetError,
        mutations: u64,
        until: Position,
    ) -> Result<(), ConsumeError> {
        if mutations > 1 {
            let (from, until) = (self.place(from).into(), Box::new(until));
            return Err(ConsumeError::Refused { mutations, from, until, source });
        }
        let position = self.said(&self.parts.position);
        let (before, changes) = (self.parts.before.clone(), Changes::default());
        let nothing = Update { changes, before, position, modified: None };
        self.parts.target.apply(&nothing)?;
        if !self.is_there(&nothing)? {
            return Err(ConsumeError::Target(source));
        }
        (self.parts.position, self.since) = (nothing.position, None);
        self.bad(from, BadRecord::Refused(source))
    }

    /// Sends an update until the store is where it leads.
    fn bring(&mut self, update: &Update) -> Result<Done, ConsumeError> {
        let mut patience = Patience::new(self.parts.pace.patience);
        loop {
            self.waits = None;
            let error = match self.attempt(update) {
                Ok(done) => return Ok(done),
                Err(error @ ConsumeError::NotDone { .. }) => error,
                Err(ConsumeError::Target(error)) if error.is_passing() => error.into(),
                Err(error) => return Err(error),
            };
            let pause = match patience.pause(self.present(), error.asked()) {
                Ok(pause) => pause,
                Err(tried) => return Err(ConsumeError::GaveUp { tried, source: Box::new(error) }),
            };
            self.parts.totals.retries += 1;
            let reason = in_full(&error);
            self.waits = Some(reason.clone());
            self.notices.push(Notice::Retrying { reason, pause_ms: pause.as_millis() as u64 });
            self.look();
            if !self.env.rest(pause) {
                return Err(ConsumeError::Stopped);
            }
        }
    }

    /// Sends an update, if the store is still where it was left and the update was not done after all.
    fn attempt(&mut self, update: &Update) -> Result<Done, ConsumeError> {
        if self.is_there(update)? {
            return Ok(Done::default());
        }
        let done = self.parts.target.apply(update)?;
        if self.parts.before == Before::Garbage {
            self.parts.before = Before::Lines(Said::at(update.position.clone()).lines);
        }
        match self.is_there(update)? {
            true => Ok(done),
            false => Err(ConsumeError::NotDone { at: self.parts.position.clone(), said: done.said }),
        }
    }

    /// Whether the store is where an update leads, rather than where it was.
    fn is_there(&mut self, update: &Update) -> Result<bool, ConsumeError> {
        if self.parts.before == Before::Garbage {
            return Ok(false);
        }
        let (Said { position: found, lines }, expected) = (self.parts.target.position()?, &self.parts.position);
        if found == update.position || found == *expected {
            self.parts.before = Before::Lines(lines);
            return Ok(found == update.position);
        }
        let is_on = found.by.len() > 1 || found.is_ahead_of(expected) || found.is_at(expected);
        let (expected, found) = (Box::new(expected.clone()), Box::new(found));
        match is_on {
            true => Err(ConsumeError::Another { expected, found }),
            false => Err(ConsumeError::Rewound { expected, found }),
        }
    }

    /// Makes updates larger or smaller, by how long one took.
    fn adapt(&mut self, was_full: bool, millis: u64) {
        let Pace { least, most, aim, .. } = self.parts.pace;
        let aim = u64::try_from(aim.as_millis()).unwrap_or(u64::MAX);
        if millis > aim {
            self.limit = (self.limit / 2).max(least);
        } else if was_full && millis < aim / 2 {
            self.limit = (self.limit * 2).min(most);
        }
    }
}

/// Looks whether triples are in the store before an update as the stream takes them to be.
fn sample(parts: &mut Parts<'_>, absent: &[&Triple], present: &[&Triple]) {
    let looked_at = [(absent, 0), (present, present.len())].into_iter().filter(|(triples, _)| !triples.is_empty());
    for (triples, wanted) in looked_at {
        // A store that does not answer this will not answer the update either, which is tried again.
        if let Ok(Some(held)) = parts.target.held(triples) {
            parts.totals.divergences.sampled += triples.len() as u64;
            parts.totals.divergences.of_sample += held.abs_diff(wanted) as u64;
        }
    }
}

/// Some of these, spread over all; none, if there is room for none.
fn some<'t>(lines: &[&'t Triple], most: usize) -> Vec<&'t Triple> {
    let step = lines.len().div_ceil(most.max(1)).max(1);
    lines.iter().copied().step_by(step).take(most).collect()
}
