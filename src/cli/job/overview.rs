//! How an updater is, for people.
//!
//! Promise: an updater of another version is shown as far as it tells the same; what it does not tell is a dash.

use std::fmt;

use serde_json::Value;

use crate::bootstrap::report::{counted, grouped, size};

/// What the updater told.
pub struct Overview<'a>(pub &'a Value);

impl fmt::Display for Overview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.pointer("/complete_until").is_some() {
            return self.consumer(f);
        }
        self.run(f)?;
        self.flow(f)?;
        self.trouble(f)?;
        self.upkeep(f)?;
        self.partitions(f)
    }
}

impl Overview<'_> {
    /// One that keeps a store up to date.
    fn consumer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        writeln!(f, "store at    {}", self.text("/position"))?;
        writeln!(f, "complete    until {}, {} messages left", self.text("/complete_until"), self.number("/lag"))?;
        let rate = self.0.pointer("/mutations_per_second").and_then(Value::as_f64);
        let rate = rate.map_or_else(dash, |rate| format!("{rate:.1}"));
        let [import, diff, delete, reconcile] =
            ["/import", "/diff", "/delete", "/reconcile"].map(|kind| self.number(kind));
        writeln!(
            f,
            "mutations   {rate}/s; {import} import, {diff} diff, {delete} delete, {reconcile} reconcile; {} left out",
            self.number("/skipped")
        )?;
        let time = |pointer| self.0.pointer(pointer).and_then(Value::as_f64).map_or_else(dash, span);
        writeln!(
            f,
            "updates     {}, half within {}, 99 % within {}; {} triples at most now; {} sent again",
            self.number("/updates"),
            time("/store/p50_ms"),
            time("/store/p99_ms"),
            self.number("/batch"),
            self.number("/retries")
        )?;
        writeln!(
            f,
            "triples     {}; {} needless, {} shared, {} unlinked",
            self.number("/triples"),
            self.number("/redundant"),
            self.number("/shared"),
            self.number("/unlinked")
        )?;
        let [of_sample, sampled, reported, expected] =
            ["of_sample", "sampled", "reported", "expected"].map(|at| self.number(&format!("/divergences/{at}")));
        writeln!(
            f,
            "divergences {of_sample} of {sampled} triples looked at in the store, {reported} of {expected} by what it reports"
        )?;
        writeln!(f, "absent      {} entities of which only differences came", self.number("/absent"))?;
        writeln!(f, "reopened    {}", self.number("/reopened"))
    }

    fn run(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        let behind = self.0.pointer("/watermark_behind_ms").and_then(Value::as_f64).map_or_else(dash, span);
        writeln!(f, "watermark   {}, {behind} behind", self.text("/watermark"))?;
        let left = self.number("/rates/remaining");
        match self.0.pointer("/rates/caught_up_at").and_then(Value::as_str) {
            Some(at) => writeln!(f, "to be read  {left} records, at this speed until {at}"),
            None => writeln!(f, "to be read  {left} records"),
        }
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.text("/phase").replace('_', " ");
        match self.0.pointer("/reason").and_then(Value::as_str) {
            Some(reason) => writeln!(f, "phase       {phase}: {reason}")?,
            None => writeln!(f, "phase       {phase}")?,
        }
        let (version, started, at) = (self.text("/version"), self.text("/started_at"), self.text("/at"));
        writeln!(f, "process     headwater {version}, since {started}; as of {at}")
    }

    fn flow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate =
            |pointer| self.0.pointer(pointer).and_then(Value::as_f64).map_or_else(dash, |rate| format!("{rate:.1}"));
        let share = |pointer| self.0.pointer(pointer).and_then(Value::as_f64).map_or_else(dash, percent);
        let time = |pointer| self.0.pointer(pointer).and_then(Value::as_f64).map_or_else(dash, span);
        let (read, passed) = (self.number("/events/read"), grouped(self.sum("/events/passed")));
        writeln!(f, "events      {}/s; {read} read, {passed} of this wiki", rate("/rates/events_per_second"))?;
        let mutations = grouped(self.sum("/mutations"));
        let per_second = rate("/rates/mutations_per_second");
        writeln!(f, "mutations   {per_second}/s; {mutations}: {}", self.each("/mutations"))?;
        let (minute, all) = (share("/rates/in_time"), share("/objective/share"));
        writeln!(f, "in time     {minute} of the last minute, {all} of all within {}", time("/objective/within_ms"))?;
        let (half, most) = (time("/end_to_end/p50_ms"), time("/end_to_end/p99_ms"));
        writeln!(f, "latency     half within {half}, 99 % within {most} of their events")?;
        writeln!(
            f,
            "            half within {}, 99 % within {} of their turn",
            time("/added/p50_ms"),
            time("/added/p99_ms")
        )?;
        let [buffered, pending, fetching] = ["/buffered", "/pending", "/fetches/in_flight"].map(|at| self.number(at));
        writeln!(f, "under way   {buffered} events in wait, {pending} mutations, {fetching} fetches")?;
        let (fetched, half, most) =
            (self.number("/fetches/fetched"), time("/fetches/times/p50_ms"), time("/fetches/times/p99_ms"));
        let retries = self.number("/fetches/retries");
        writeln!(f, "fetches     {fetched} documents, {retries} retries; half within {half}, 99 % within {most}")?;
        let (hits, entries, bytes) =
            (self.number("/cache/hits"), self.number("/cache/entries"), self.bytes("/cache/bytes"));
        writeln!(f, "cache       {hits} fetches saved; {entries} revisions, {bytes}")?;
        for stream in self.list("/streams") {
            let stream = Overview(stream);
            let (name, messages, bytes) = (stream.text("/name"), stream.whole("/messages"), stream.bytes("/bytes"));
            let messages = messages.map_or_else(dash, |messages| counted(messages, "message"));
            writeln!(f, "sent        {messages}, {bytes} into {name}")?;
        }
        Ok(())
    }

    fn trouble(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("/inconsistencies/real", "inconsistent"),
            ("/inconsistencies/expected", "inconsistent, as expected while catching up"),
            ("/events/late", "late"),
            ("/fetch_failures", "not fetched"),
        ];
        for (pointer, what) in rows {
            let sum = self.sum(pointer);
            if sum > 0 {
                writeln!(f, "            ! {} {what}: {}", counted(sum, "event"), self.each(pointer))?;
            }
        }
        match self.whole("/events/dead_letters") {
            Some(letters) if letters > 0 => writeln!(f, "            ! {} unreadable", counted(letters, "record")),
            _ => Ok(()),
        }
    }

    fn upkeep(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entities = self.0.pointer("/entities").and_then(Value::as_object).into_iter().flatten();
        let count = |(kind, count): (&String, &Value)| {
            let of = |what| count.get(what).and_then(Value::as_u64).unwrap_or_default();
            let (created, deleted) = (of("created"), of("deleted"));
            (created + deleted > 0).then(|| format!("{} {kind} ({} deleted)", grouped(created), grouped(deleted)))
        };
        let entities: Vec<_> = entities.filter_map(count).collect();
        writeln!(f, "state       {}", if entities.is_empty() { dash() } else { entities.join(", ") })?;
        let (taken, failed) = (self.number("/checkpoints/taken"), self.number("/checkpoints/failed"));
        match self.0.pointer("/checkpoints/last").filter(|last| last.is_object()).map(Overview) {
            Some(last) => {
                let age = self.0.pointer("/checkpoint_age_ms").and_then(Value::as_f64).map_or_else(dash, span);
                let took = last.0.pointer("/millis").and_then(Value::as_f64).map_or_else(dash, span);
                let form = if last.0.pointer("/full") == Some(&Value::Bool(true)) { "full" } else { "incremental" };
                let (id, entities, bytes) = (last.text("/id"), last.number("/entities"), last.bytes("/bytes"));
                writeln!(f, "checkpoint  {id}, {age} ago: {form}, {entities} entities, {bytes}, in {took}")?;
                writeln!(f, "            {taken} taken, {failed} failed")?;
            }
            None => writeln!(f, "checkpoint  {taken} taken, {failed} failed")?,
        }
        writeln!(f, "restarts    {}", self.number("/restarts"))
    }

    fn partitions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["part", "position", "end", "lag", "last event"].map(str::to_owned)];
        let mut topics = vec![""];
        for partition in self.list("/partitions") {
            let told = Overview(partition);
            let [position, end, lag] =
                ["/position", "/end", "/lag"].map(|at| told.whole(at).map_or_else(dash, |at| at.to_string()));
            rows.push([told.text("/number"), position, end, lag, told.text("/last_event")]);
            topics.push(partition.pointer("/topic").and_then(Value::as_str).unwrap_or("-"));
        }
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
        let widths: [usize; 5] = std::array::from_fn(width);
        let line = |f: &mut fmt::Formatter<'_>, row: &[String; 5]| {
            row.iter().zip(widths).try_for_each(|(cell, width)| write!(f, "  {cell:>width$}"))?;
            writeln!(f)
        };
        for (at, topic) in topics.iter().enumerate().skip(1) {
            if *topic != topics[at - 1] {
                writeln!(f, "\n{topic}")?;
                line(f, &rows[0])?;
            }
            line(f, &rows[at])?;
        }
        Ok(())
    }

    /// A text or a number as it is.
    fn text(&self, pointer: &str) -> String {
        match self.0.pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => dash(),
        }
    }

    fn whole(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(Value::as_u64)
    }

    fn number(&self, pointer: &str) -> String {
        self.whole(pointer).map_or_else(dash, grouped)
    }

    fn bytes(&self, pointer: &str) -> String {
        self.whole(pointer).map_or_else(dash, size)
    }

    fn list(&self, pointer: &str) -> impl Iterator<Item = &Value> {
        self.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
    }

    /// The numbers of an object, with their names.
    fn numbers(&self, pointer: &str) -> impl Iterator<Item = (&String, u64)> {
        let entries = self.0.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(name, number)| Some((name, number.as_u64()?)))
    }

    fn sum(&self, pointer: &str) -> u64 {
        self.numbers(pointer).map(|(_, number)| number).sum()
    }

    /// What there is of each.
    fn each(&self, pointer: &str) -> String {
        let each = self.numbers(pointer).filter(|(_, number)| *number > 0);
        let each: Vec<_> = each.map(|(name, number)| format!("{} {name}", grouped(number))).collect();
        if each.is_empty() { dash() } else { each.join(", ") }
    }
}

fn dash() -> String {
    "-".to_owned()
}

/// A part as percent; not rounded up to all of it.
fn percent(part: f64) -> String {
    format!("{:.1} %", (part * 1000.0).floor() / 10.0)
}

/// `250 ms`, `12.3 s`, `4 min 10 s`, `3 h 12 min`, `2 d 3 h`.
fn span(millis: f64) -> String {
    let seconds = (millis / 1000.0).round() as u64;
    match seconds {
        _ if millis < 1000.0 => format!("{millis:.0} ms"),
        _ if millis < 60_000.0 => format!("{:.1} s", millis / 1000.0),
        0..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_and_parts_as_in_this_table() {
        let rows = [
            (0.0, "0 ms"),
            (999.4, "999 ms"),
            (1000.0, "1.0 s"),
            (59_900.0, "59.9 s"),
            (60_000.0, "1 min 0 s"),
            (600_000.0, "10 min 0 s"),
            (11_520_000.0, "3 h 12 min"),
            (183_600_000.0, "2 d 3 h"),
        ];
        for (millis, expected) in rows {
            assert_eq!(span(millis), expected);
        }
        assert_eq!(
            (percent(1.0), percent(0.999_99), percent(0.0)),
            ("100.0 %".into(), "99.9 %".into(), "0.0 %".into())
        );
    }

    #[test]
    fn what_another_version_does_not_tell_is_a_dash() {
        for json in [json!({}), json!({ "phase": 7, "partitions": [{}], "streams": 1, "entities": [] })] {
            let text = Overview(&json).to_string();
            assert!(text.contains("watermark   -, - behind\n") && text.contains("restarts    -\n"), "{text}");
        }
    }

    #[test]
    fn a_consumer_is_told_by_what_it_counts() {
        let json = json!({
            "phase": "running", "complete_until": null, "position": "t/0 7", "lag": 3, "diff": 2, "batch": 1000,
            "divergences": { "of_sample": 1, "sampled": 20, "reported": 0, "expected": 0 },
        });
        let text = Overview(&json).to_string();
        for line in
            ["store at    t/0 7\n", "3 messages left", "2 diff", "1 of 20 triples looked at", "1,000 triples at most"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn trouble_is_told_where_there_is_some() {
        let told =
            |json| Overview(&json).to_string().lines().filter(|line| line.contains('!')).collect::<Vec<_>>().join("\n");
        assert_eq!(told(json!({ "events": { "late": { "page_delete": 0 }, "dead_letters": 0 } })), "");
        let some = json!({
            "inconsistencies": { "real": { "missed_undelete": 1 }, "expected": { "newer_revision_seen": 1200 } },
            "events": { "late": { "page_delete": 2, "rev_create": 3 }, "dead_letters": 1 },
            "fetch_failures": { "NO_CONTENT": 4 },
        });
        let expected = "            \
! 1 event inconsistent: 1 missed_undelete
            ! 1,200 events inconsistent, as expected while catching up: 1,200 newer_revision_seen
            ! 5 events late: 2 page_delete, 3 rev_create
            ! 4 events not fetched: 4 NO_CONTENT
            ! 1 record unreadable";
        assert_eq!(told(some), expected);
    }
}
