//! How fast it goes, and when it will be done.
//!
//! Promise: what is told is of the last minute, or of all the time since the start if that is shorter.
//! In -> out: counters, looked at now and then -> [`Rates`], and the end of a backfill.
//! Invariant: pure; the clock is handed in. No more looks are kept than there are seconds in the window, however often is looked.

use std::collections::VecDeque;

use serde::Serialize;

use crate::updater::counters::{Counters, OBJECTIVE, maybe_time};
use crate::wikibase::timestamp::Timestamp;

/// Over how many milliseconds.
const WINDOW: i64 = 60_000;
/// How far apart looks are that are kept, in milliseconds.
const STEP: i64 = 1_000;

/// Looks at counters.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<Look>);

#[derive(Clone, Copy, Debug)]
struct Look {
    /// Milliseconds since 1970.
    at: i64,
    events: u64,
    mutations: u64,
    in_time: u64,
    remaining: Option<u64>,
}

/// How fast it goes; `None` where nothing can be said yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Records read in a second.
    pub events_per_second: Option<f64>,
    /// Mutations sent in a second.
    pub mutations_per_second: Option<f64>,
    /// Which part of those was sent in time (see [`OBJECTIVE`]), from 0 to 1.
    pub in_time: Option<f64>,
    /// Records that are still to be read.
    pub remaining: Option<u64>,
    /// When those will be read, at the speed at which they have become fewer; `None` if they have not.
    #[serde(serialize_with = "maybe_time")]
    pub caught_up_at: Option<Timestamp>,
}

impl Pace {
    /// Looks at the counters.
    pub fn look(&mut self, now: Timestamp, counters: &Counters) -> Rates {
        let totals = &counters.totals;
        let now = Look {
            at: now.millis(),
            events: totals.events.read,
            mutations: totals.end_to_end.count(),
            in_time: totals.end_to_end.within(OBJECTIVE),
            remaining: counters.remaining(),
        };
        // A clock that was set back says nothing of the time before.
        self.0.retain(|look| look.at <= now.at);
        // One of the window's age at least is kept.
        while self.0.get(1).is_some_and(|second| now.at - second.at >= WINDOW) {
            self.0.pop_front();
        }
        let rates = self.0.front().map_or_else(Rates::default, |then| then.rates(&now));
        if self.0.back().is_none_or(|last| now.at - last.at >= STEP) {
            self.0.push_back(now);
        }
        Rates { remaining: now.remaining, ..rates }
    }
}

impl Look {
    fn rates(&self, now: &Self) -> Rates {
        let seconds = (now.at - self.at) as f64 / 1000.0;
        let rate = |then: u64, now: u64| (seconds > 0.0).then(|| now.saturating_sub(then) as f64 / seconds);
        let sent = now.mutations.saturating_sub(self.mutations);
        let in_time = now.in_time.saturating_sub(self.in_time);
        Rates {
            events_per_second: rate(self.events, now.events),
            mutations_per_second: rate(self.mutations, now.mutations),
            in_time: (sent > 0).then(|| in_time as f64 / sent as f64),
            remaining: now.remaining,
            caught_up_at: self.end(now, seconds),
        }
    }

    fn end(&self, now: &Self, seconds: f64) -> Option<Timestamp> {
        let (then, left) = (self.remaining?, now.remaining?);
        if left == 0 {
            return Timestamp::from_millis(now.at);
        }
        let speed = then.checked_sub(left).filter(|fewer| *fewer > 0)? as f64 / seconds;
        // What is too far away has no date.
        let millis = (left as f64 / speed * 1000.0) as i64;
        Timestamp::from_millis(now.at.checked_add(millis)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    /// Counters after so many records of a partition with that end.
    fn read(events: u64, end: Option<u64>) -> Counters {
        let mut counters = Counters::default();
        let partition = counters.add_partition("t", 0, Some(events));
        counters.partitions[partition].end = end;
        counters.totals.events.read = events;
        counters
    }

    /// When all is read, after looks at these times, with so many records read and that end.
    fn end(looks: &[(i64, u64, Option<u64>)]) -> Option<i64> {
        let mut pace = Pace::default();
        let told = looks.iter().map(|(time, events, end)| pace.look(at(*time), &read(*events, *end)));
        told.last()?.caught_up_at.map(Timestamp::millis)
    }

    #[test]
    fn the_end_as_in_this_table() {
        type Row = (&'static str, &'static [(i64, u64, Option<u64>)], Option<i64>);
        let rows: &[Row] = &[
            ("nothing can be said of one look", &[(0, 0, Some(100))], None),
            ("a tenth in a second", &[(0, 0, Some(100)), (1000, 10, Some(100))], Some(10_000)),
            ("the end moves on", &[(0, 0, Some(100)), (1000, 10, Some(105))], Some(1000 + 19_000)),
            ("as fast as it is read", &[(0, 0, Some(100)), (1000, 10, Some(110))], None),
            ("all is read", &[(0, 0, Some(100)), (1000, 100, Some(100))], Some(1000)),
            ("no end is known", &[(0, 0, None), (1000, 10, None)], None),
            ("it stands", &[(0, 10, Some(100)), (1000, 10, Some(100))], None),
            ("the clock was set back", &[(5000, 0, Some(100)), (1000, 10, Some(100))], None),
            (
                "of the last minute only",
                &[(0, 0, Some(1000)), (1000, 880, Some(1000)), (61_000, 940, Some(1000))],
                Some(121_000),
            ),
            ("so far away that there is no date", &[(0, 0, Some(u64::MAX)), (1000, 1, Some(u64::MAX))], None),
        ];
        for (name, looks, expected) in rows {
            assert_eq!(end(looks), *expected, "{name}");
        }
    }

    #[test]
    fn which_part_was_in_time() {
        let (mut pace, mut counters) = (Pace::default(), Counters::default());
        assert_eq!(pace.look(at(0), &counters), Rates::default());
        counters.answered(0, 0, OBJECTIVE as i64);
        counters.answered(0, 0, OBJECTIVE as i64 + 1);
        let rates = pace.look(at(4000), &counters);
        assert_eq!((rates.in_time, rates.mutations_per_second), (Some(0.5), Some(0.5)));
    }

    proptest! {
        #[test]
        fn an_even_speed_is_told_and_no_more_is_kept_than_needed(
            gaps in prop::collection::vec(1..3000_i64, 2..500), speed in 1..5_u64,
        ) {
            let (mut pace, mut now) = (Pace::default(), 0);
            for (looks, gap) in gaps.into_iter().enumerate() {
                now += gap;
                let rates = pace.look(at(now), &read(now as u64 * speed, None));
                prop_assert!(pace.0.len() <= (WINDOW / STEP) as usize + 2);
                if looks > 0 {
                    let told = rates.events_per_second.unwrap();
                    prop_assert!((told - 1000.0 * speed as f64).abs() < 1e-6 * told, "{told}");
                }
            }
        }
    }
}
