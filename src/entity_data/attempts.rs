//! Whether to try again after a request that brought nothing, and when.
//!
//! Promise: the table in `entity_data`; every series of tries ends.
//! In -> out: [`Trouble`] and the present -> a pause, or none.
//! Invariant: pure; the time comes in.

use std::time::Duration;

use crate::wikibase::timestamp::Timestamp;

/// How often and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many tries may break off, the first among them. Upstream: `fetchAttempts`, 4.
    pub tries: u32,
    /// The pause before another try. Upstream: `fetchRetryDelay`, 1 s.
    pub pause: Duration,
    /// How often to try again when the server is busy (503, 429). Upstream: 3.
    pub busy_retries: u32,
    /// The pause after that, if the server asks for no longer one. Upstream: 500 ms.
    pub busy_pause: Duration,
    /// The longest pause that the server may ask for.
    pub longest_pause: Duration,
    /// How old an event may be for its revision not to be there yet. Upstream: `acceptable_mediawiki_lag`, 10 s.
    pub acceptable_lag: Duration,
    /// How long the server may be out of reach.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            tries: 4,
            pause: Duration::from_secs(1),
            busy_retries: 3,
            busy_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            acceptable_lag: Duration::from_secs(10),
            patience: Duration::from_secs(30),
        }
    }
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The wiki does not know it, or not yet.
    NotFound,
    /// The wiki has no data of it.
    NoContent,
    /// The answer was empty.
    Empty,
    /// The server asks for patience.
    Busy {
        /// 503 or 429.
        status: u16,
        /// For how much, if it says so.
        asked: Option<Duration>,
    },
    /// What came cannot be used.
    Unexpected(String),
    /// The answer broke off, or did not come in time.
    Broken(String),
    /// There was no connection.
    Unreachable {
        /// Why not.
        reason: String,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// The tries for one document.
#[derive(Clone, Debug)]
pub struct Attempts {
    rules: Retries,
    /// When the revision was made, if it may not be there yet.
    made: Option<Timestamp>,
    not_found: u32,
    busy: u32,
    broken: u32,
    /// How long the server was out of reach without a break.
    unreachable: Duration,
}

impl Attempts {
    /// None so far. `made` is when the revision was made, if it is to be waited for.
    pub fn new(rules: Retries, made: Option<Timestamp>) -> Self {
        Self { rules, made, not_found: 0, busy: 0, broken: 0, unreachable: Duration::ZERO }
    }

    /// How long to wait before the next try; `None` where there is to be none.
    pub fn pause_after(&mut self, trouble: &Trouble, now: Timestamp) -> Option<Duration> {
        let rules = self.rules;
        if !matches!(trouble, Trouble::Unreachable { .. }) {
            self.unreachable = Duration::ZERO;
        }
        match trouble {
            Trouble::NotFound => {
                self.not_found += 1;
                self.may_come(now).then_some(rules.pause)
            }
            Trouble::Busy { asked, .. } => {
                self.busy += 1;
                let pause = asked.unwrap_or_default().min(rules.longest_pause).max(rules.busy_pause);
                (self.busy <= rules.busy_retries).then_some(pause)
            }
            Trouble::Broken(_) => {
                self.broken += 1;
                (self.broken < rules.tries).then_some(rules.pause)
            }
            Trouble::Unreachable { waited, .. } => {
                self.unreachable += *waited + rules.pause;
                (self.unreachable <= rules.patience).then_some(rules.pause)
            }
            Trouble::NoContent | Trouble::Empty | Trouble::Unexpected(_) => None,
        }
    }

    /// Whether the event is so young that its revision may not have reached the server that was asked. An event from the future,
    /// by a clock that is wrong, is not young for ever.
    fn may_come(&self, now: Timestamp) -> bool {
        let lag = self.rules.acceptable_lag;
        let is_young = self.made.is_some_and(|made| i128::from(now.millis() - made.millis()) < lag.as_millis() as i128);
        is_young && self.rules.pause * (self.not_found - 1) < lag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn busy(asked: Option<u64>) -> Trouble {
        Trouble::Busy { status: 503, asked: asked.map(Duration::from_secs) }
    }

    fn broken() -> Trouble {
        Trouble::Broken("reset".to_owned())
    }

    fn unreachable(waited: u64) -> Trouble {
        Trouble::Unreachable { reason: "refused".to_owned(), waited: Duration::from_secs(waited) }
    }

    /// What is tried, when the revision was made, what happens each time, and the pauses in milliseconds.
    type Row = (&'static str, Option<i64>, Vec<Trouble>, Vec<u128>);

    /// Pauses in milliseconds until there is no further try, while the clock runs on with them.
    fn pauses(made: Option<i64>, troubles: impl IntoIterator<Item = Trouble>) -> Vec<u128> {
        let (mut attempts, mut now) = (Attempts::new(Retries::default(), made.map(at)), 100_000);
        let pause = |trouble: Trouble| {
            let pause = attempts.pause_after(&trouble, at(now))?.as_millis();
            now += pause as i64;
            Some(pause)
        };
        troubles.into_iter().map_while(pause).collect()
    }

    #[test]
    fn pauses_as_in_this_table() {
        let always = |trouble: Trouble| std::iter::repeat_n(trouble, 100);
        let rows: Vec<Row> = vec![
            ("not found, young", Some(100_000), always(Trouble::NotFound).collect(), vec![1000; 10]),
            ("not found, 9.999 s old", Some(90_001), always(Trouble::NotFound).collect(), vec![1000]),
            ("not found, 10 s old", Some(90_000), always(Trouble::NotFound).collect(), vec![]),
            ("not found, from the future", Some(1 << 40), always(Trouble::NotFound).collect(), vec![1000; 10]),
            ("not found, not to be waited for", None, always(Trouble::NotFound).collect(), vec![]),
            ("no content", Some(100_000), always(Trouble::NoContent).collect(), vec![]),
            ("empty", Some(100_000), always(Trouble::Empty).collect(), vec![]),
            ("unexpected", Some(100_000), always(Trouble::Unexpected("500".to_owned())).collect(), vec![]),
            ("busy", None, always(busy(None)).collect(), vec![500; 3]),
            ("busy, asking for more", None, always(busy(Some(7))).collect(), vec![7000; 3]),
            ("busy, asking for less", None, always(busy(Some(0))).collect(), vec![500; 3]),
            ("busy, asking for too much", None, always(busy(Some(3600))).collect(), vec![60_000; 3]),
            ("broken", None, always(broken()).collect(), vec![1000; 3]),
            ("unreachable", None, always(unreachable(0)).collect(), vec![1000; 30]),
            ("unreachable, slowly", None, always(unreachable(5)).collect(), vec![1000; 5]),
            (
                "each is counted for itself",
                None,
                vec![broken(), busy(None), broken(), busy(None), broken(), busy(None), broken()],
                vec![1000, 500, 1000, 500, 1000, 500],
            ),
        ];
        for (name, made, troubles, expected) in rows {
            assert_eq!(pauses(made, troubles), expected, "{name}");
        }
    }

    #[test]
    fn who_was_reached_is_not_out_of_reach() {
        let once = std::iter::repeat_n(unreachable(0), 30);
        let troubles = once.clone().chain([broken()]).chain(once).chain([unreachable(0)]);
        assert_eq!(pauses(None, troubles).len(), 30 + 1 + 30);
    }
}
