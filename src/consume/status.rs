//! What a consumer did, and how it is.
//!
//! Promise: one snapshot for JSON, Prometheus and the log.
//! In -> out: [`Totals`], counted by the loop -> [`Status`] -> JSON, text for Prometheus, a line.
//! Invariant: pure; the clock is handed in. Names and labels stay as they are.

use std::fmt;

use serde::Serialize;

use crate::consume::batch::Counts;
use crate::exposition::{COUNTER, GAUGE, HISTOGRAM, Page, age, seconds};
use crate::histogram::Histogram;
use crate::updater::counters::{maybe_time, time};
use crate::wikibase::timestamp::Timestamp;

/// What was done since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Records read.
    pub records: u64,
    /// Of these: those that only show that the stream is alive.
    pub canaries: u64,
    /// Of these: those without any content.
    pub empty: u64,
    /// Of these: those that were left out, as they are of no use.
    pub skipped: u64,
    /// Mutations and triples that were applied.
    #[serde(flatten)]
    pub applied: Counts,
    /// Entities, once in each update, of which a difference was passed over, as the store does not have them.
    pub absent: u64,
    /// Updates that were applied.
    pub updates: u64,
    /// Times that the store was asked again.
    pub retries: u64,
    /// Times that all was opened again.
    pub reopened: u64,
    /// Triples that should not have been there before they were added, or should have been before they were removed.
    pub divergences: Divergences,
    /// How long waiting for messages took, in milliseconds.
    pub poll_ms: u64,
    /// How long updates took.
    pub store: Histogram,
}

/// Triples that were not as the stream takes them to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Divergences {
    /// Of how many it was looked at, in the store, before they were changed.
    pub sampled: u64,
    /// How many of these diverged.
    pub of_sample: u64,
    /// Changes that were expected, where the store says how many it made.
    pub expected: u64,
    /// How many of these it did not make, at least.
    pub reported: u64,
}

/// How a consumer is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// When the process began.
    #[serde(serialize_with = "time")]
    pub started_at: Timestamp,
    /// When this was so.
    #[serde(serialize_with = "time")]
    pub at: Timestamp,
    /// `catching_up`, `running`, `waiting` or `stopped`.
    pub phase: &'static str,
    /// Why, if there is something to say.
    pub reason: Option<String>,
    /// Where the store is.
    pub position: String,
    /// How many messages are still to be read, if that is known.
    pub lag: Option<u64>,
    /// The time of the newest change that was applied.
    #[serde(serialize_with = "maybe_time")]
    pub complete_until: Option<Timestamp>,
    /// Mutations that were applied in a second, lately.
    pub mutations_per_second: Option<f64>,
    /// How many triples an update may have now.
    pub batch: usize,
    /// What was done.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Status {
    /// One of a consumer that has done nothing.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            at: started_at,
            phase: "catching_up",
            reason: None,
            position: String::new(),
            lag: None,
            complete_until: None,
            mutations_per_second: None,
            batch: 0,
            totals: Totals::default(),
        }
    }

    /// A line of a log.
    pub fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { applied, updates, .. } = &self.totals;
        write!(f, "{} mutations in {updates} updates", applied.mutations())?;
        self.mutations_per_second.map_or(Ok(()), |rate| write!(f, ", {rate:.0} a second"))?;
        self.complete_until.map_or(Ok(()), |until| write!(f, ", complete until {until}"))?;
        self.lag.filter(|lag| *lag > 0).map_or(Ok(()), |lag| write!(f, ", {lag} messages left"))
    }

    /// All of it, for Prometheus; ages are as of `now`.
    pub fn metrics(&self, now: Timestamp) -> String {
        let mut page = Page::default();
        let Totals {
            records,
            canaries,
            empty,
            skipped,
            applied,
            absent,
            updates,
            retries,
            reopened,
            divergences,
            poll_ms,
            store,
        } = &self.totals;
        page.family("info", GAUGE, "The version of the program.").sample("", &[("version", self.version)], 1);
        page.family("start_time_seconds", GAUGE, "When the process began, in seconds since 1970.").sample(
            "",
            &[],
            seconds(self.started_at),
        );
        page.family("consumer_lag_records", GAUGE, "Messages that are still to be read.").maybe(&[], self.lag);
        page.family("consumer_complete_until_seconds", GAUGE, "The time of the newest change in the store.")
            .maybe(&[], self.complete_until.map(seconds));
        page.family("consumer_behind_seconds", GAUGE, "How long ago that was.")
            .maybe(&[], self.complete_until.map(|until| age(until, now)));
        page.family("consumer_batch_triples", GAUGE, "How many triples an update may have now.").sample(
            "",
            &[],
            self.batch,
        );
        let Counts { import, diff, delete, reconcile, triples, redundant, shared, unlinked } = *applied;
        let kinds = [("import", import), ("diff", diff), ("delete", delete), ("reconcile", reconcile)];
        page.family("consumer_mutations_total", COUNTER, "Mutations applied.").by("operation", kinds);
        let nature = [("all", triples), ("redundant", redundant), ("shared", shared), ("unlinked", unlinked)];
        page.family("consumer_triples_total", COUNTER, "Triples that mutations told to add or remove.")
            .by("nature", nature);
        let records = [("read", *records), ("canary", *canaries), ("empty", *empty), ("skipped", *skipped)];
        page.family("consumer_records_total", COUNTER, "Records, by what became of them.").by("outcome", records);
        page.family(
            "consumer_absent_entities_total",
            COUNTER,
            "Differences passed over, as the store lacks the entity.",
        )
        .sample("", &[], absent);
        page.family("consumer_updates_total", COUNTER, "Updates applied.").sample("", &[], updates);
        page.family("consumer_retries_total", COUNTER, "Updates sent again.").sample("", &[], retries);
        page.family("consumer_reopened_total", COUNTER, "How often all was opened again.").sample("", &[], reopened);
        let looked = [("sample", divergences.sampled), ("report", divergences.expected)];
        page.family("consumer_changes_checked_total", COUNTER, "Changes compared with what the store had, by how.")
            .by("by", looked);
        let found = [("sample", divergences.of_sample), ("report", divergences.reported)];
        page.family("consumer_divergences_total", COUNTER, "Those that were not as expected.").by("by", found);
        page.family("consumer_poll_seconds_total", COUNTER, "How long waiting for messages took.").sample(
            "",
            &[],
            *poll_ms as f64 / 1000.0,
        );
        page.family("consumer_store_duration_seconds", HISTOGRAM, "How long updates took.").histogram(store);
        page.into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_told_to_prometheus() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let mut status = Status::new(at(1000));
        status.lag = Some(31);
        status.complete_until = Some(at(5000));
        status.batch = 32;
        status.totals.applied = Counts {
            import: 11,
            diff: 12,
            delete: 13,
            reconcile: 14,
            triples: 15,
            redundant: 16,
            shared: 17,
            unlinked: 18,
        };
        (status.totals.records, status.totals.canaries, status.totals.skipped) = (19, 20, 21);
        (status.totals.updates, status.totals.retries, status.totals.reopened) = (22, 23, 24);
        status.totals.divergences = Divergences { sampled: 25, of_sample: 26, expected: 27, reported: 28 };
        status.totals.poll_ms = 29_000;
        (status.totals.absent, status.totals.empty) = (33, 34);
        status.totals.store.record(30_000);
        let text = status.metrics(at(6500));
        let numbers = (11..=34).map(|number| format!(" {number}\n"));
        let missing: Vec<_> = numbers.filter(|number| !text.contains(number)).collect();
        assert!(missing.is_empty(), "{missing:?}\n{text}");
        assert!(text.contains("headwater_consumer_behind_seconds 1.5\n"), "{text}");
    }
}
