//! For how long what fails is tried again.
//!
//! Promise: each pause is twice the one before, and no shorter than is asked for, up to [`LONGEST`] and to the end of all patience; none
//! comes when nothing has come of it for as long as one is patient.
//! In -> out: a failure and the present -> a pause, or the end.
//! Invariant: pure; the clock is handed in.

use std::time::Duration;

use crate::wikibase::timestamp::Timestamp;

/// The longest pause.
pub const LONGEST: Duration = Duration::from_secs(30);

/// How long one is patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The first pause.
    pub pause: Duration,
    /// For how long something is tried again without any progress.
    pub give_up: Duration,
}

/// The patience that is left.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    limits: Limits,
    pause: Duration,
    /// When it failed first.
    since: Option<Timestamp>,
}

impl Patience {
    /// All of it.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, pause: limits.pause, since: None }
    }

    /// After a failure, by which a pause may be asked for: the pause before it is tried again, or else for how long it was tried in vain.
    pub fn pause(&mut self, now: Timestamp, asked: Duration) -> Result<Duration, Duration> {
        let tried = now.since(*self.since.get_or_insert(now));
        if tried >= self.limits.give_up {
            return Err(tried);
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        Ok(pause.max(asked.min(LONGEST)).min(self.limits.give_up - tried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        let limits = Limits { pause: Duration::from_secs(4), give_up: Duration::from_secs(100) };
        let mut patience = Patience::new(limits);
        // Nothing failed for long.
        let (mut now, mut pauses) = (1000, Vec::new());
        let tried = loop {
            // What is asked for counts where it is longer.
            match patience.pause(at(now), Duration::from_secs(if now == 1005 { 9 } else { 2 })) {
                Ok(pause) => pauses.push(pause.as_secs()),
                Err(tried) => break tried.as_secs(),
            }
            now += pauses[pauses.len() - 1] as i64 + 1;
        };
        assert_eq!((pauses, tried), (vec![4, 9, 16, 30, 30, 6], 101));
        let none = Limits { give_up: Duration::ZERO, ..limits };
        assert_eq!(Patience::new(none).pause(at(0), LONGEST), Err(Duration::ZERO));
    }
}
