//! Lengths of time, as people write and read them.
//!
//! Promise: what is displayed with one unit reads back as the same; nothing is rounded up.
//! In -> out: `10m`, `1h30m` <-> milliseconds.

use std::fmt;
use std::time::Duration;

use crate::wikibase::timestamp::Timestamp;

/// Units, the longest first, in milliseconds. `ms` stands before `m` and `s`, as it ends like one and begins like the other.
const UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1000)];

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(u64);

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is written like 10m, 90s or 1h30m, with the units d, h, m, s and ms")]
pub struct SpanError;

impl Span {
    /// That many milliseconds.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Its milliseconds.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// From one moment to a later one; nothing if it is not later.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(u64::try_from(to.millis().saturating_sub(from.millis())).unwrap_or_default())
    }

    /// That long before `time`, but not before 1970, where Kafka's times begin.
    pub fn before(self, time: Timestamp) -> Timestamp {
        let millis = time.millis().saturating_sub(i64::try_from(self.0).unwrap_or(i64::MAX)).max(0);
        Timestamp::from_millis(millis).unwrap_or_default()
    }

    /// Reads `10m`, `1h30m`.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let (mut rest, mut millis) = (text, 0u64);
        if rest.is_empty() {
            return Err(SpanError);
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| SpanError)?;
            rest = &rest[digits..];
            let (name, unit) = UNITS.iter().find(|(name, _)| rest.starts_with(name)).ok_or(SpanError)?;
            rest = &rest[name.len()..];
            millis = number.checked_mul(*unit).and_then(|more| millis.checked_add(more)).ok_or(SpanError)?;
        }
        Ok(Self(millis))
    }

    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Span {
    /// Its two largest units, such as `3d4h`; what is smaller is cut off.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units: Vec<_> = UNITS.to_vec();
        units.sort_by_key(|(_, unit)| std::cmp::Reverse(*unit));
        let Some(first) = units.iter().position(|(_, unit)| self.0 >= *unit) else { return f.write_str("0s") };
        let (name, unit) = units[first];
        write!(f, "{}{name}", self.0 / unit)?;
        match units.get(first + 1) {
            Some((name, smaller)) if self.0 % unit >= *smaller => write!(f, "{}{name}", self.0 % unit / smaller),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_displayed() {
        let rows = [
            ("10m", Some(600_000), "10m"),
            ("1h30m", Some(5_400_000), "1h30m"),
            ("90s", Some(90_000), "1m30s"),
            ("250ms", Some(250), "250ms"),
            ("1s5ms", Some(1005), "1s5ms"),
            ("3d4h5m", Some(273_900_000), "3d4h"),
            ("0s", Some(0), "0s"),
            ("1d5m", Some(86_700_000), "1d"),
            ("", None, ""),
            ("10", None, ""),
            ("m", None, ""),
            ("10 m", None, ""),
            ("-10m", None, ""),
            ("1w", None, ""),
            ("99999999999999999999d", None, ""),
            ("999999999999999999d", None, ""),
        ];
        for (text, millis, shown) in rows {
            let span = Span::parse(text).ok();
            assert_eq!(span.map(Span::millis), millis, "{text}");
            assert_eq!(span.map(|span| span.to_string()).unwrap_or_default(), shown, "{text}");
        }
    }

    #[test]
    fn back_from_a_time() {
        let time = Timestamp::parse("2026-01-05T23:00:02Z").unwrap();
        assert_eq!(Span::parse("10m").unwrap().before(time).to_string(), "2026-01-05T22:50:02Z");
        assert_eq!(Span::from_millis(u64::MAX).before(time), Timestamp::default());
        assert_eq!(Span::between(time, Timestamp::default()), Span::default());
    }
}
