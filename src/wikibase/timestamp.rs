//! Moments in time, always UTC.
//!
//! Promise: the one door to chrono; a [`Timestamp`] compares as the moment it stands for.
//! Invariant: a text without a time zone is refused, never read in some local zone.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, Utc};

/// A moment, to the millisecond; by default 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// The text is no date and time with a zone, such as `2020-03-02T23:00:02Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is written like 2020-03-02T23:00:02Z, with Z or an offset")]
pub struct TimestampError;

impl Timestamp {
    /// Reads an RFC 3339 time, which is what `xsd:dateTime` with a zone looks like in dumps. What is finer than a
    /// millisecond is cut off; a year that in UTC has other than four digits is refused, since it could not be read again.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError)?.to_utc();
        let is_writable = (0..=9999).contains(&moment.year());
        is_writable.then(|| Self(moment.trunc_subsecs(3))).ok_or(TimestampError)
    }

    /// Reads a time as HTTP writes it, such as `Mon, 02 Mar 2020 23:00:02 GMT`.
    pub fn parse_http(text: &str) -> Result<Self, TimestampError> {
        DateTime::parse_from_rfc2822(text).map(|moment| Self(moment.to_utc())).map_err(|_| TimestampError)
    }

    /// The moment that many milliseconds after 1970-01-01T00:00:00Z; `None` beyond the year 262,000.
    pub fn from_millis(millis: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// How long after `earlier` it is; nothing if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis().saturating_sub(earlier.millis()).max(0) as u64)
    }

    /// So much before; the epoch, where there is no such time.
    pub fn before(self, time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.millis().saturating_sub(millis)).unwrap_or_default()
    }

    /// As other crates take it.
    pub fn to_chrono(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for Timestamp {
    /// `2020-03-02T23:00:02Z`; with milliseconds only where there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        f.write_str(&self.0.to_rfc3339_opts(format, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_with_a_zone() {
        let rows = [
            ("2020-03-02T23:00:02Z", Some("2020-03-02T23:00:02Z")),
            ("2020-03-03T00:00:02+01:00", Some("2020-03-02T23:00:02Z")),
            ("2020-03-02T23:00:02.250Z", Some("2020-03-02T23:00:02.250Z")),
            ("2020-03-02T23:00:02.250999999Z", Some("2020-03-02T23:00:02.250Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("0000-01-01T00:00:00+01:00", None),
            ("2020-03-02T23:00:02", None),
            ("2020-03-02", None),
            ("yesterday", None),
        ];
        for (text, expected) in rows {
            let got = Timestamp::parse(text).ok().map(|moment| moment.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
            let again = got.as_deref().map(Timestamp::parse);
            assert_eq!(again.transpose().unwrap(), Timestamp::parse(text).ok(), "{text}");
        }
    }
}
