//! Numbers in Prometheus' text format.
//!
//! Promise: a page that Prometheus reads. Names begin with `headwater_`; labels are escaped; what is not known has no sample.
//! In -> out: families and their samples -> text, version 0.0.4.
//! Invariant: pure. Units are those of Prometheus: seconds, bytes.

use std::fmt::{Display, Write};

use crate::histogram::Histogram;
use crate::wikibase::timestamp::Timestamp;

/// What is there now.
pub const GAUGE: &str = "gauge";
/// What only grows.
pub const COUNTER: &str = "counter";
/// Durations by bounds.
pub const HISTOGRAM: &str = "histogram";

/// A time in seconds since 1970.
pub fn seconds(time: Timestamp) -> f64 {
    time.millis() as f64 / 1000.0
}

/// How long ago a time is, in seconds; never less than 0.
pub fn age(time: Timestamp, now: Timestamp) -> f64 {
    (seconds(now) - seconds(time)).max(0.0)
}

/// What was written so far.
#[derive(Debug, Default)]
pub struct Page(String);

/// A family of samples, being written.
#[derive(Debug)]
pub struct Family<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Page {
    /// Begins a family: its name without `headwater_`, its kind and what it is.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Nothing can go wrong where text is written into text.
        let _ = writeln!(self.0, "# HELP headwater_{name} {help}\n# TYPE headwater_{name} {kind}");
        Family { page: &mut self.0, name }
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Writes a sample.
    pub fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.page, "headwater_{}{suffix}", self.name);
        for (at, (name, text)) in labels.iter().enumerate() {
            let _ = write!(self.page, "{}{name}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.page, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Writes a sample, if there is a value.
    pub fn maybe(&mut self, labels: &[(&str, &str)], value: Option<impl Display>) {
        if let Some(value) = value {
            self.sample("", labels, value);
        }
    }

    /// Writes a sample for each value of a label.
    pub fn by<'a>(&mut self, label: &str, samples: impl IntoIterator<Item = (&'a str, u64)>) {
        samples.into_iter().for_each(|(name, number)| self.sample("", &[(label, name)], number));
    }

    /// Writes the samples of a histogram, in seconds.
    pub fn histogram(&mut self, histogram: &Histogram) {
        for (bound, count) in histogram.cumulated() {
            self.sample("_bucket", &[("le", &(bound as f64 / 1000.0).to_string())], count);
        }
        self.sample("_bucket", &[("le", "+Inf")], histogram.count());
        self.sample("_sum", &[], histogram.sum() as f64 / 1000.0);
        self.sample("_count", &[], histogram.count());
    }
}

/// The value of a label, with what would end it escaped.
pub fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
