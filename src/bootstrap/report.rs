//! What a run did, for people and for programs.
//!
//! Promise: the JSON form is stable: fields may be added, never renamed. Times are RFC 3339 in UTC, sizes bytes.
//! In -> out: [`Gathered`] -> [`Report`]; `Display` is the form for people.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::gather::{FileFacts, Gathered, Skipped};
use crate::bootstrap::{Config, Published, guard};
use crate::dump::headers::Headers;
use crate::savepoint::Format;
use crate::wikibase::entity::EntityKind;
use crate::wikibase::timestamp::Timestamp;

/// When the parts of a run began and ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// The run began.
    pub started: Timestamp,
    /// All input was read.
    pub read: Timestamp,
    /// All output was written.
    pub written: Timestamp,
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it began.
    pub started_at: String,
    /// Seconds to read all input.
    pub read_seconds: f64,
    /// Seconds to write all output.
    pub write_seconds: f64,
    /// The time from which the stream must be followed: the oldest date of all dump headers.
    pub start_time: Option<String>,
    /// The headers of all files.
    pub headers: HeaderReport,
    /// How many entities of each kind exist.
    pub entities: EntityReport,
    /// Each input file.
    pub files: Vec<FileReport>,
    /// Which of an entity's revisions counts: the newest, or, where triples are written as they come, the first.
    #[serde(skip)]
    pub counts: &'static str,
    /// Entities seen again after the first time.
    pub duplicates: u64,
    /// What was left out.
    #[serde(flatten)]
    pub skips: Skips,
    /// What looks wrong without being surely so.
    pub warnings: Vec<String>,
    /// The savepoints written.
    pub savepoints: Vec<SavepointReport>,
    /// The revision map written.
    pub revision_map: Option<OutputReport>,
    /// What to run next.
    pub next_command: Option<String>,
}

/// Dump headers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HeaderReport {
    /// How many there are.
    pub count: u64,
    /// How many of them have no date.
    pub undated: u64,
    /// The oldest date.
    pub oldest: Option<String>,
    /// The newest date.
    pub newest: Option<String>,
}

/// Entities in the state.
#[derive(Clone, Debug, Serialize)]
pub struct EntityReport {
    /// All that exist.
    pub total: u64,
    /// `Q…`
    pub items: u64,
    /// `P…`
    pub properties: u64,
    /// `L…`
    pub lexemes: u64,
    /// `M…`
    pub mediainfo: u64,
    /// How many of the total are redirects, as their dumps say.
    pub redirects: u64,
    /// Known to be deleted; not in the total.
    pub deleted: u64,
}

/// One input file.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Where it is.
    pub location: String,
    /// `plain`, `gzip`, `bzip2` or `zstd`; or `revision map`.
    pub compression: String,
    /// Its size as stored.
    pub bytes: u64,
    /// The size of its text.
    pub text_bytes: u64,
    /// Lines of its text.
    pub lines: u64,
    /// Revisions in it.
    pub revisions: u64,
    /// Redirects in it.
    pub redirects: u64,
    /// Its headers; a revision map has none.
    pub headers: Option<HeaderReport>,
}

/// What was skipped because it breaks a rule.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Skips {
    /// How many entities, lines or statements.
    pub skipped_count: u64,
    /// The first of them.
    pub skipped: Vec<SkippedReport>,
}

/// Something skipped.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedReport {
    /// The file.
    pub location: String,
    /// Bytes from the start of its text.
    pub offset: u64,
    /// The line, counted from 1.
    pub line: u64,
    /// What it is about.
    pub subject: String,
    /// The rule it breaks.
    pub rule: String,
}

/// Something written.
#[derive(Clone, Debug, Serialize)]
pub struct OutputReport {
    /// Where.
    pub location: String,
    /// How many files.
    pub files: u64,
    /// How many bytes in all.
    pub bytes: u64,
}

/// A savepoint written.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointReport {
    /// `native` or `flink`.
    pub format: &'static str,
    /// Where, and how much.
    #[serde(flatten)]
    pub output: OutputReport,
}

impl Report {
    /// The report of a run that wrote what it should.
    pub fn new(config: &Config, gathered: &Gathered, published: Published, timing: Timing) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| (to.millis() - from.millis()) as f64 / 1000.0;
        let headers = gathered.headers();
        let savepoints = config.savepoints.iter().zip(published.savepoints);
        let map = config.revision_map.as_ref().zip(published.revision_map);
        Self {
            started_at: timing.started.to_string(),
            read_seconds: seconds(timing.started, timing.read),
            write_seconds: seconds(timing.read, timing.written),
            start_time: headers.oldest().map(|oldest| oldest.to_string()),
            headers: HeaderReport::of(&headers),
            entities: EntityReport::of(gathered),
            files: gathered.files.iter().map(FileReport::of).collect(),
            counts: "newest",
            duplicates: gathered.duplicates,
            skips: Skips::of(gathered),
            warnings: guard::warnings(gathered, config.wiki.wikidata, timing.written),
            next_command: config
                .savepoints
                .iter()
                .find(|target| !target.dir.ends_with_process())
                .map(|target| format!("headwater savepoint verify {}", quote(&target.dir.to_string()))),
            savepoints: savepoints
                .map(|(target, written)| SavepointReport {
                    format: target.format.name(),
                    output: OutputReport {
                        location: target.dir.to_string(),
                        files: written.files,
                        bytes: written.bytes,
                    },
                })
                .collect(),
            revision_map: map.map(|((target, _), written)| OutputReport {
                location: target.to_string(),
                files: written.files,
                bytes: written.bytes,
            }),
        }
    }
}

/// A report as JSON, with a last line feed.
pub fn to_json(report: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(report).expect("texts and numbers have a JSON form");
    json.push(b'\n');
    json
}

impl HeaderReport {
    /// The headers of one file, or of all.
    pub fn of(headers: &Headers) -> Self {
        Self {
            count: headers.count,
            undated: headers.undated(),
            oldest: headers.oldest().map(|date| date.to_string()),
            newest: headers.newest().map(|date| date.to_string()),
        }
    }
}

impl EntityReport {
    fn of(gathered: &Gathered) -> Self {
        let created = |kind| gathered.table.count(kind).created;
        Self {
            total: EntityKind::ALL.into_iter().map(created).sum(),
            items: created(EntityKind::Item),
            properties: created(EntityKind::Property),
            lexemes: created(EntityKind::Lexeme),
            mediainfo: created(EntityKind::MediaInfo),
            redirects: gathered.files.iter().map(|file| file.redirects).sum(),
            deleted: EntityKind::ALL.into_iter().map(|kind| gathered.table.count(kind).deleted).sum(),
        }
    }
}

impl FileReport {
    fn of(file: &FileFacts) -> Self {
        Self {
            location: file.name.clone(),
            compression: file.form.to_owned(),
            bytes: file.bytes,
            text_bytes: file.text.offset,
            lines: file.text.line,
            revisions: file.revisions,
            redirects: file.redirects,
            headers: file.headers.as_ref().map(HeaderReport::of),
        }
    }
}

impl Skips {
    /// Those of an input.
    pub fn of(gathered: &Gathered) -> Self {
        let skipped = gathered.skipped.iter().map(SkippedReport::of).collect();
        Self { skipped_count: gathered.skipped_count, skipped }
    }

    /// Takes in those of another input.
    pub fn extend(&mut self, other: Self) {
        self.skipped_count += other.skipped_count;
        self.skipped.extend(other.skipped);
    }
}

impl fmt::Display for Skips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for skipped in self.skipped.iter().take(10) {
            let SkippedReport { location, offset, line, subject, rule } = skipped;
            writeln!(f, "skipped     {location}: byte {offset} (line {line}): {subject}: {rule}")?;
        }
        match self.skipped_count.checked_sub(10) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "skipped     … and {} more (see --report or --json)", grouped(more)),
        }
    }
}

impl SkippedReport {
    fn of(skipped: &Skipped) -> Self {
        Self {
            location: skipped.location.to_string(),
            offset: skipped.place.offset,
            line: skipped.place.line + 1,
            subject: skipped.broken.subject.clone(),
            rule: skipped.broken.rule.clone(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_entities(f)?;
        self.write_start(f)?;
        self.write_input(f)?;
        self.write_output(f)?;
        self.skips.fmt(f)?;
        for warning in &self.warnings {
            writeln!(f, "warning     {warning}")?;
        }
        match &self.next_command {
            Some(command) => writeln!(f, "next        {command}"),
            None => Ok(()),
        }
    }
}

impl Report {
    fn read_dumps(&self) -> bool {
        self.files.iter().any(|file| file.headers.is_some())
    }

    fn write_entities(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EntityReport { total, items, properties, lexemes, mediainfo, redirects, deleted } = self.entities;
        let kinds = [("items", items), ("properties", properties), ("lexemes", lexemes), ("mediainfo", mediainfo)];
        let kinds: Vec<_> =
            kinds.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{} {kind}", grouped(*n))).collect();
        writeln!(f, "entities    {} ({})", grouped(total), kinds.join(", "))?;
        if self.read_dumps() {
            writeln!(f, "redirects   {} of them", grouped(redirects))?;
        }
        if self.duplicates > 0 {
            writeln!(f, "seen again  {} (the {} revision counts)", grouped(self.duplicates), self.counts)?;
        }
        if deleted > 0 {
            writeln!(f, "deleted     {}", grouped(deleted))?;
        }
        Ok(())
    }

    fn write_start(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HeaderReport { count, undated, newest, .. } = &self.headers;
        match (&self.start_time, newest) {
            (Some(start), Some(newest)) => {
                writeln!(
                    f,
                    "start time  {start} (oldest of {}; the newest says {newest})",
                    counted(*count, "dump header")
                )
            }
            _ if self.read_dumps() => {
                writeln!(f, "start time  not known ({count} dump headers, {undated} without a date)")
            }
            _ => writeln!(f, "start time  not known: a revision map does not hold it"),
        }
    }

    fn write_input(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, text): (u64, u64) =
            self.files.iter().fold((0, 0), |(bytes, text), file| (bytes + file.bytes, text + file.text_bytes));
        for file in &self.files {
            let FileReport { location, compression, bytes, text_bytes, revisions, .. } = file;
            let revisions = grouped(*revisions);
            writeln!(
                f,
                "read        {location}: {compression}, {} -> {}, {revisions} revisions",
                size(*bytes),
                size(*text_bytes)
            )?;
        }
        let rate = |amount: u64| size((amount as f64 / self.read_seconds.max(0.001)) as u64);
        let seconds = self.read_seconds;
        writeln!(
            f,
            "            {} in {seconds:.1} s: {}/s as stored, {}/s of text",
            size(bytes),
            rate(bytes),
            rate(text)
        )
    }

    fn write_output(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let savepoints = self.savepoints.iter().map(|savepoint| {
            let of_flink = savepoint.format == Format::Flink.name();
            (if of_flink { "for Flink " } else { "savepoint " }, &savepoint.output)
        });
        let map = self.revision_map.iter().map(|map| ("map       ", map));
        for (what, OutputReport { location, files, bytes }) in savepoints.chain(map) {
            writeln!(f, "{what}  {location}: {}, {}", counted(*files, "file"), size(*bytes))?;
        }
        writeln!(f, "            written in {:.1} s", self.write_seconds)
    }
}

/// `1,065,756,426`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// `1 file`, `2 files`.
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1.5 GB`, in powers of 1,000.
pub fn size(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.iter().find(|(_, unit)| bytes as f64 >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} B"),
    }
}

/// The text as one word of a shell command.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!([0, 999, 1000, 1_065_756_426].map(grouped), ["0", "999", "1,000", "1,065,756,426"]);
        assert_eq!([0, 999, 1500, 110_000_000_000].map(size), ["0 B", "999 B", "1.5 kB", "110.0 GB"]);
        assert_eq!(quote("a b/it's"), "'a b/it'\\''s'");
        assert_eq!(quote("/tmp/x"), "/tmp/x");
    }
}
