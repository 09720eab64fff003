//! When to connect again.
//!
//! Promise: a server in trouble is asked less and less often, and not by all its clients at once; one that says when to come is not
//! asked before.
//! Invariant: pure; chance comes in.

use std::time::Duration;

/// The longest pause that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Pauses between connections.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    /// Connections in a row that brought nothing.
    in_vain: u32,
}

impl Pauses {
    /// From the first to the longest.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, in_vain: 0 }
    }

    /// The connection brought something.
    pub fn reset(&mut self) {
        self.in_vain = 0;
    }

    /// The pause after a connection that ended: twice as long each time, less up to a half by `chance`, from 0 to 1. `retry` is
    /// what the server wants for a first pause, `asked` what it asks for this time.
    pub fn next(&mut self, retry: Option<Duration>, asked: Option<Duration>, chance: f64) -> Duration {
        let first = retry.unwrap_or(self.first);
        let pause = first.saturating_mul(1 << self.in_vain.min(20)).min(self.longest.max(first)).min(LONGEST_ASKED);
        self.in_vain = self.in_vain.saturating_add(1);
        let half = pause / 2;
        asked.map_or(half, |asked| asked.min(LONGEST_ASKED).max(half)) + half.mul_f64(chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server wants for a first pause, what it asks for, chance, and pauses; in seconds.
    type Row<'r> = (Option<u64>, Option<u64>, f64, &'r [f64]);

    #[test]
    fn pauses_as_in_this_table() {
        let seconds = Duration::from_secs;
        let rows: [Row<'_>; 7] = [
            (None, None, 1.0, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]),
            (None, None, 0.0, &[0.5, 1.0, 2.0]),
            (Some(4), None, 1.0, &[4.0, 8.0, 16.0, 32.0, 60.0]),
            (Some(90), None, 1.0, &[90.0, 90.0]),
            (Some(u64::MAX / 2), None, 1.0, &[3600.0, 3600.0]),
            (None, Some(7), 0.5, &[7.25, 7.5, 8.0, 9.0, 12.0, 24.0]),
            (None, Some(1 << 40), 0.0, &[3600.0, 3600.0]),
        ];
        for (retry, asked, chance, expected) in rows {
            let mut pauses = Pauses::new(seconds(1), seconds(60));
            let (retry, asked) = (retry.map(seconds), asked.map(seconds));
            let got: Vec<_> = expected.iter().map(|_| pauses.next(retry, asked, chance).as_secs_f64()).collect();
            assert_eq!(got, expected, "{retry:?} {asked:?} {chance}");
            pauses.reset();
            assert_eq!(pauses.next(retry, asked, chance).as_secs_f64(), expected[0]);
        }
        let mut pauses = Pauses::new(seconds(1), seconds(60));
        assert!((0..10_000).all(|_| pauses.next(None, None, 1.0) <= seconds(60)));
    }
}
