//! A [`Status`] in Prometheus' text format.
//!
//! Promise: names and labels stay as they are; what is not known has no sample. Units are those of Prometheus: seconds, bytes.
//! In -> out: a [`Status`] and the present -> text, version 0.0.4.
//! Invariant: pure. A family is told once, with help and type; labels are escaped.

use crate::exposition::{COUNTER, Family, GAUGE, HISTOGRAM, Page, age, seconds};
use crate::state::KindCount;
use crate::updater::counters::{By, Kinds};
use crate::updater::status::{PartitionStatus, Phase, Status};
use crate::wikibase::entity::EntityKind;
use crate::wikibase::timestamp::Timestamp;

/// All that is known of the updater; ages are as of `now`.
pub fn render(status: &Status, now: Timestamp) -> String {
    let mut page = Page::default();
    run(&mut page, status, now);
    partitions(&mut page, status);
    events(&mut page, status);
    fetches(&mut page, status);
    checkpoints(&mut page, status, now);
    latency(&mut page, status);
    page.into_text()
}

fn run(page: &mut Page, status: &Status, now: Timestamp) {
    page.family("info", GAUGE, "The version of the program.").sample("", &[("version", status.version)], 1);
    page.family("start_time_seconds", GAUGE, "When the process began, in seconds since 1970.").sample(
        "",
        &[],
        seconds(status.started_at),
    );
    page.family("status_time_seconds", GAUGE, "When the loop last told of itself, in seconds since 1970.").sample(
        "",
        &[],
        seconds(status.at),
    );
    let phases = Phase::ALL.iter().map(|phase| (phase.name(), u64::from(*phase == status.phase)));
    page.family("phase", GAUGE, "What the updater is at: 1 for one of the phases.").by("phase", phases);
    page.family("restarts_total", COUNTER, "How often the run went on from a checkpoint after a failure.").sample(
        "",
        &[],
        status.totals.restarts,
    );
    page.family("watermark_seconds", GAUGE, "The time up to which all events are there, in seconds since 1970.")
        .maybe(&[], status.watermark.map(seconds));
    page.family("watermark_behind_seconds", GAUGE, "How far the watermark is behind the present.")
        .maybe(&[], status.watermark.map(|watermark| age(watermark, now)));
}

fn partitions(page: &mut Page, status: &Status) {
    let mut each = |name, help, of: fn(&PartitionStatus) -> Option<f64>| {
        let mut family = page.family(name, GAUGE, help);
        for partition in &status.partitions {
            let number = partition.number.to_string();
            family.maybe(&[("topic", &partition.topic), ("partition", &number)], of(partition));
        }
    };
    each("partition_position", "The offset of the record that is read next.", |at| {
        at.position.map(|offset| offset as f64)
    });
    each("partition_end", "The offset up to which there is something to read.", |at| {
        at.end.map(|offset| offset as f64)
    });
    each("partition_lag_records", "How many records are still to be read.", |at| at.lag.map(|lag| lag as f64));
    each("partition_event_time_seconds", "When the last event read happened, in seconds since 1970.", |at| {
        at.last_event.map(seconds)
    });
    each("partition_watermark_seconds", "The watermark of the partition, in seconds since 1970.", |at| {
        at.watermark.map(seconds)
    });
    page.family("remaining_records", GAUGE, "How many records are still to be read, in all partitions.")
        .maybe(&[], status.rates.remaining);
    page.family("caught_up_time_seconds", GAUGE, "When all will be read at the speed of now, in seconds since 1970.")
        .maybe(&[], status.rates.caught_up_at.map(seconds));
}

fn events(page: &mut Page, status: &Status) {
    let totals = &status.totals;
    page.family("records_read_total", COUNTER, "Records read.").sample("", &[], totals.events.read);
    page.family("events_total", COUNTER, "Events that concern the updater.").by("kind", totals.events.passed.iter());
    page.family("events_late_total", COUNTER, "Events that came too late.").by("kind", totals.events.late.iter());
    page.family("events_dropped_total", COUNTER, "Events that do not concern the updater.")
        .by("reason", totals.events.dropped.iter());
    page.family("dead_letters_total", COUNTER, "Records that are no events.").sample(
        "",
        &[],
        totals.events.dead_letters,
    );
    page.family("buffered_events", GAUGE, "Events that wait for their turn.").sample("", &[], status.buffered);
    page.family("mutations_total", COUNTER, "Mutations decided on.").by("operation", totals.mutations.iter());
    page.family("mutations_pending", GAUGE, "Mutations that are not sent yet.").sample("", &[], status.pending);
    page.family("mutations_unchanged_total", COUNTER, "Mutations that changed no triple.").sample(
        "",
        &[],
        totals.unchanged,
    );
    let mut family =
        page.family("inconsistencies_total", COUNTER, "Events that do not fit to the state; expected or real.");
    of_both(&mut family, "expected", &totals.inconsistencies.expected);
    of_both(&mut family, "real", &totals.inconsistencies.real);
    page.family("fetch_failures_total", COUNTER, "Mutations whose triples could not be had.")
        .by("kind", totals.fetch_failures.iter());
    let streams = || totals.streams.iter();
    page.family("messages_sent_total", COUNTER, "Messages sent.")
        .by("stream", streams().map(|stream| (stream.name.as_str(), stream.messages)));
    page.family("sent_bytes_total", COUNTER, "Bytes of messages sent.")
        .by("stream", streams().map(|stream| (stream.name.as_str(), stream.bytes)));
    let mut family = page.family("entities", GAUGE, "Entities in the state.");
    for (kind, KindCount { created, deleted }) in EntityKind::ALL.into_iter().zip(status.entities) {
        family.sample("", &[("kind", kind.plural()), ("state", "created")], created);
        family.sample("", &[("kind", kind.plural()), ("state", "deleted")], deleted);
    }
}

fn of_both<K: Kinds, const N: usize>(family: &mut Family<'_>, nature: &str, numbers: &By<K, N>) {
    numbers.iter().for_each(|(name, number)| family.sample("", &[("name", name), ("nature", nature)], number));
}

fn fetches(page: &mut Page, status: &Status) {
    let (counts, cache) = (&status.fetches.counts, &status.cache);
    let outcomes = [
        ("fetched", counts.fetched),
        ("not_found", counts.not_found),
        ("no_content", counts.no_content),
        ("empty", counts.empty),
        ("unexpected", counts.unexpected),
        ("failed", counts.failed),
        ("unavailable", counts.unavailable),
    ];
    page.family("fetch_documents_total", COUNTER, "Documents asked for, by how it ended.").by("outcome", outcomes);
    page.family("fetch_bytes_total", COUNTER, "Bytes of documents fetched.").sample("", &[], counts.bytes);
    page.family("fetch_retries_total", COUNTER, "Requests that repeated one.").sample("", &[], counts.retries);
    page.family("fetch_in_flight", GAUGE, "Documents that are being fetched.").sample(
        "",
        &[],
        status.fetches.in_flight,
    );
    page.family("fetch_request_duration_seconds", HISTOGRAM, "How long requests took.").histogram(&counts.times);
    page.family("cache_hits_total", COUNTER, "Revisions found in the cache; each saved a fetch.").sample(
        "",
        &[],
        cache.hits,
    );
    page.family("cache_misses_total", COUNTER, "Revisions not found in the cache.").sample("", &[], cache.misses);
    page.family("cache_entries", GAUGE, "Revisions in the cache.").sample("", &[], cache.entries);
    page.family("cache_bytes", GAUGE, "Bytes that they take.").sample("", &[], cache.bytes);
}

fn checkpoints(page: &mut Page, status: &Status, now: Timestamp) {
    let checkpoints = &status.totals.checkpoints;
    let outcomes = [("taken", checkpoints.taken), ("failed", checkpoints.failed)];
    page.family("checkpoints_total", COUNTER, "Checkpoints, by how it ended.").by("outcome", outcomes);
    let last = checkpoints.last.as_ref();
    page.family("checkpoint_info", GAUGE, "The last checkpoint: its name.")
        .maybe(&[("id", last.map_or("", |last| &last.id))], last.map(|_| 1));
    page.family("checkpoint_time_seconds", GAUGE, "When the last checkpoint was complete, in seconds since 1970.")
        .maybe(&[], last.map(|last| seconds(last.at)));
    page.family("checkpoint_age_seconds", GAUGE, "How long ago that was.")
        .maybe(&[], last.map(|last| age(last.at, now)));
    page.family("checkpoint_duration_seconds", GAUGE, "How long it took.")
        .maybe(&[], last.map(|last| last.millis as f64 / 1000.0));
    page.family("checkpoint_size_bytes", GAUGE, "How large it is.").maybe(&[], last.map(|last| last.bytes));
    page.family("checkpoint_entities", GAUGE, "How many entities it holds.").maybe(&[], last.map(|last| last.entities));
    page.family("checkpoint_full", GAUGE, "1 if it is complete in itself, 0 if it adds to the one before.")
        .maybe(&[], last.map(|last| u64::from(last.full)));
}

fn latency(page: &mut Page, status: &Status) {
    page.family("end_to_end_latency_seconds", HISTOGRAM, "How long after their events mutations were sent.")
        .histogram(&status.totals.end_to_end);
    page.family("added_latency_seconds", HISTOGRAM, "How long after the turn of their events mutations were sent.")
        .histogram(&status.totals.added);
    page.family("objective_seconds", GAUGE, "How long after its event a mutation is to be sent at the latest.").sample(
        "",
        &[],
        status.objective.within_ms as f64 / 1000.0,
    );
    page.family("mutations_in_time_total", COUNTER, "Mutations that were.").sample("", &[], status.objective.in_time);
}

#[cfg(test)]
mod tests;
