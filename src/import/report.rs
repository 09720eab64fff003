//! What an import did, for people and for programs: the report of `bootstrap`, and what became of the triples.
//!
//! Promise: the JSON form is that of `bootstrap` with one field more; it grows and never changes.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::Published;
use crate::bootstrap::report::{self as bootstrap, Timing, counted, grouped, size};
use crate::import::Config;
use crate::import::flow::Imported;
use crate::storage::Location;

/// What an import did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What `bootstrap` reports.
    #[serde(flatten)]
    pub base: bootstrap::Report,
    /// What became of the triples.
    pub triples: TriplesReport,
}

/// What became of the triples.
#[derive(Clone, Debug, Serialize)]
pub struct TriplesReport {
    /// Triples in the dumps.
    pub read: u64,
    /// Triples that the rules keep.
    pub kept: u64,
    /// Triples written; fewer than kept where repeats are dropped.
    pub written: u64,
    /// Triples read in a second.
    pub read_per_second: u64,
    /// Whether blank nodes are IRIs, as in the stream.
    pub skolemized: bool,
    /// The files.
    pub output: bootstrap::OutputReport,
}

impl Report {
    /// The report of a run that wrote what it should into `dir`.
    pub fn new(config: &Config, dir: &Location, imported: &Imported, published: Published, timing: Timing) -> Self {
        let base = bootstrap::Report::new(&config.base, &imported.gathered, published, timing);
        let base = bootstrap::Report { counts: "first", ..base };
        let read_per_second = (imported.read as f64 / base.read_seconds.max(0.001)) as u64;
        let output = bootstrap::OutputReport {
            location: dir.to_string(),
            files: imported.files.len() as u64,
            bytes: imported.files.iter().map(|file| file.size).sum(),
        };
        let triples = TriplesReport {
            read: imported.read,
            kept: imported.kept,
            written: imported.files.iter().map(|file| file.triples).sum(),
            read_per_second,
            skolemized: config.munge.skolemize,
            output,
        };
        Self { base, triples }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TriplesReport { read, kept, written, read_per_second, skolemized, output } = &self.triples;
        let [read, kept, written, rate] = [read, kept, written, read_per_second].map(|number| grouped(*number));
        writeln!(f, "triples     {read} read at {rate} triples/s, {kept} kept, {written} written")?;
        let blank = if *skolemized { "IRIs, as in the stream" } else { "as they are: the stream has IRIs instead" };
        writeln!(f, "blank nodes {blank}")?;
        writeln!(f, "written     {}: {}, {}", output.location, counted(output.files, "file"), size(output.bytes))?;
        self.base.fmt(f)
    }
}
