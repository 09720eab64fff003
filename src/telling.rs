//! What a service has to tell while it runs: how much it matters, and how often it is told.
//!
//! Promise: what comes again and again is told a few times a minute, and then how often it came; but for what would be lost by that.
//! In -> out: notices of any service, as [`Telling`] -> whether a line is to be written, by [`Limiter`].
//! Invariant: pure; the clock is handed in.
//! Not here: what there is to tell, where lines go, and how they look.

use std::fmt::Display;

use serde::Serialize;

use crate::wikibase::timestamp::Timestamp;

/// How many notices of a kind are told before they are held back.
const BURST: u64 = 5;
/// For how long they are counted together, in milliseconds.
const WINDOW: i64 = 60_000;

/// Something to tell: a sentence for people, fields for programs, of which `notice` is its name.
pub trait Telling: Display + Serialize {
    /// How much it matters.
    fn level(&self) -> Level;
    /// The number of its kind, from 0 on.
    fn kind(&self) -> usize;
    /// Whether it is told however often its kind comes: nothing else tells what it tells.
    fn is_always_told(&self) -> bool {
        false
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody should look, if it comes often.
    Warning,
    /// Something was not done.
    Error,
}

impl Level {
    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Holds back notices of a kind that come again and again: of those of a minute the first few are told.
#[derive(Clone, Debug, Default)]
pub struct Limiter(Vec<Window>);

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// When it began, in milliseconds since 1970.
    start: i64,
    count: u64,
}

impl Limiter {
    /// Whether to tell one of that kind; if so, how many of it were held back since the last that was told.
    pub fn admits(&mut self, kind: usize, now: Timestamp) -> Option<u64> {
        self.0.resize(self.0.len().max(kind + 1), Window::default());
        let window = &mut self.0[kind];
        let age = now.millis().saturating_sub(window.start);
        let mut held = 0;
        // A clock that was set back begins anew.
        if window.count == 0 || !(0..WINDOW).contains(&age) {
            held = window.count.saturating_sub(BURST);
            *window = Window { start: now.millis(), count: 0 };
        }
        window.count += 1;
        (window.count <= BURST).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    #[test]
    fn the_first_few_of_a_minute_are_told() {
        let (late, other) = (10, 1);
        let mut limiter = Limiter::default();
        let told: Vec<_> = (0..8).map(|second| limiter.admits(late, at(second * 1000))).collect();
        assert_eq!(told, [Some(0), Some(0), Some(0), Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admits(other, at(8000)), Some(0), "kinds do not hold back each other");
        assert_eq!(limiter.admits(late, at(59_999)), None);
        assert_eq!(limiter.admits(late, at(60_000)), Some(4));
        assert_eq!(limiter.admits(late, at(60_001)), Some(0));
        assert_eq!(limiter.admits(late, at(0)), Some(0), "the clock was set back");
    }

    proptest! {
        /// What was told and what was told to be held back is all there was, but for what is held back at the end.
        #[test]
        fn nothing_is_held_back_in_silence(gaps in prop::collection::vec(0..40_000_i64, 1..300)) {
            let (mut limiter, mut now, mut accounted, mut pending) = (Limiter::default(), 0, 0, 0);
            for gap in &gaps {
                now += gap;
                match limiter.admits(3, at(now)) {
                    Some(held) => {
                        accounted += 1 + held;
                        pending = 0;
                    }
                    None => pending += 1,
                }
            }
            prop_assert_eq!(accounted + pending, gaps.len() as u64);
        }
    }
}
