//! A log on stderr: what a service has to tell while it runs, a line each.
//!
//! Promise: a line is whole and is one line, whatever was told; what comes again and again is told a few times a minute, and
//! then how often.
//! In -> out: notices of a service -> lines for people, or for programs as JSON.
//! Invariant: who tells is never stopped by a log that cannot be written.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::cli::error::in_a_line;
use crate::telling::{Level, Limiter, Telling};
use crate::updater::counters::time;
use crate::wikibase::timestamp::Timestamp;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people: the time, how much it matters, a sentence
    #[default]
    Text,
    /// For programs: an object with `time`, `level`, `notice`, `message`, and what the sentence tells
    Json,
}

/// A log.
#[derive(Debug)]
pub struct Log<W> {
    format: LogFormat,
    least: Level,
    now: fn() -> Timestamp,
    to: Mutex<(Limiter, W)>,
}

#[derive(Serialize)]
struct Line<'n, N: Telling> {
    #[serde(serialize_with = "time")]
    time: Timestamp,
    level: Level,
    message: String,
    /// How many of its kind were not told since the last.
    #[serde(skip_serializing_if = "is_none")]
    held_back: u64,
    #[serde(flatten)]
    notice: &'n N,
}

impl<W: Write> Log<W> {
    /// Writes lines to `to`; if `quiet`, those of errors only.
    pub fn new(format: LogFormat, quiet: bool, now: fn() -> Timestamp, to: W) -> Self {
        let least = if quiet { Level::Error } else { Level::Info };
        Self { format, least, now, to: Mutex::new((Limiter::default(), to)) }
    }

    /// Writes a line of it, unless there were too many of its kind lately.
    pub fn tell(&self, notice: &impl Telling) {
        let level = notice.level();
        if level < self.least {
            return;
        }
        let now = (self.now)();
        let (limiter, to) = &mut *self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = if notice.is_always_told() { Some(0) } else { limiter.admits(notice.kind(), now) };
        if let Some(held_back) = admitted {
            let line = match self.format {
                LogFormat::Text => text(now, level, notice, held_back),
                LogFormat::Json => json(now, level, notice, held_back),
            };
            // If stderr is gone, there is nobody to read it.
            let _ = to.write_all(line.as_bytes()).and_then(|()| to.flush());
        }
    }
}

fn text(now: Timestamp, level: Level, notice: &impl Telling, held_back: u64) -> String {
    let more = if held_back > 0 { format!(" ({held_back} more were held back)") } else { String::new() };
    let level = if level == Level::Info { String::new() } else { format!("{}: ", level.name()) };
    format!("{now} {level}{}{more}\n", in_a_line(&notice.to_string()))
}

fn json(time: Timestamp, level: Level, notice: &impl Telling, held_back: u64) -> String {
    let line = Line { time, level, message: notice.to_string(), held_back, notice };
    // All keys are texts, so that it can always be written.
    let mut line = serde_json::to_string(&line).unwrap_or_default();
    line.push('\n');
    line
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::updater::notice::Notice;

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-05T23:00:02.250Z").unwrap()
    }

    fn told(format: LogFormat, quiet: bool, notices: &[Notice]) -> String {
        let log = Log::new(format, quiet, now, Vec::new());
        notices.iter().for_each(|notice| log.tell(notice));
        String::from_utf8(log.to.into_inner().unwrap().1).unwrap()
    }

    fn some() -> [Notice; 3] {
        [
            Notice::CaughtUp,
            Notice::Disconnected {
                source: "kafka1:9092".to_owned(),
                reason: "reset\n2026 error: \u{1b}[31mfake".to_owned(),
            },
            Notice::CheckpointFailed { reason: "no room".to_owned() },
        ]
    }

    #[test]
    fn lines_for_people() {
        let expected = "\
2026-01-05T23:00:02.250Z caught up
2026-01-05T23:00:02.250Z warning: lost kafka1:9092: reset\u{fffd}2026 error: \u{fffd}[31mfake
2026-01-05T23:00:02.250Z error: a checkpoint failed: no room
";
        assert_eq!(told(LogFormat::Text, false, &some()), expected);
        let last = expected.lines().last().unwrap();
        assert_eq!(told(LogFormat::Text, true, &some()), format!("{last}\n"), "quiet is all but errors");
    }

    #[test]
    fn lines_for_programs() {
        let lines = told(LogFormat::Json, false, &some());
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [caught_up, lost, failed] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(caught_up["notice"], "caught_up");
        assert_eq!((lost["level"].as_str(), lost["source"].as_str()), (Some("warning"), Some("kafka1:9092")));
        assert_eq!(failed["time"], "2026-01-05T23:00:02.250Z");
        assert_eq!(failed["message"], "a checkpoint failed: no room");
        assert!(lines.iter().all(|line| line.get("held_back").is_none()));
    }

    #[test]
    fn what_comes_again_and_again_is_held_back() {
        let many = vec![Notice::CaughtUp; 1000];
        assert_eq!(told(LogFormat::Text, false, &many).lines().count(), 5);
    }

    #[test]
    fn what_nothing_else_tells_is_not_held_back() {
        let log = Log::new(LogFormat::Text, true, now, Vec::new());
        let skipped = |at| crate::consume::Notice::Skipped { place: format!("x/0 {at}"), reason: "no".to_owned() };
        (0..1000).for_each(|at| log.tell(&skipped(at)));
        assert_eq!(String::from_utf8(log.to.into_inner().unwrap().1).unwrap().lines().count(), 1000);
    }
}
