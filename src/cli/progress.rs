//! How far a run is: a bar on a terminal, a line every 10 seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bootstrap::report::{grouped, size};
use crate::env::Progress;

const FRAME: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(10);

/// Shows progress while it lives.
pub struct Watcher {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to show `progress`, unless told to be `quiet`.
    pub fn start(progress: &Arc<Progress>, quiet: bool) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (progress, seen) = (Arc::clone(progress), Arc::clone(&done));
        let thread = (!quiet).then(|| std::thread::spawn(move || watch(&progress, &seen)));
        Self { done, thread }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A broken bar must not break the run.
            let _ = thread.join();
        }
    }
}

fn watch(progress: &Progress, done: &AtomicBool) {
    if std::io::stderr().is_terminal() { bar(progress, done) } else { lines(progress, done) }
}

fn bar(progress: &Progress, done: &AtomicBool) {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style =
        "{bar:30} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {msg}  {eta} left";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    while !done.load(Ordering::Relaxed) {
        let Snapshot { bytes, total, entities, writing } = Snapshot::of(progress);
        if total == 0 {
            // Nothing is open yet, or there is no size to tell: a bar would show it as done.
            if entities > 0 {
                bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_message(format!("{} entities", grouped(entities)));
                bar.tick();
            }
            std::thread::park_timeout(FRAME);
            continue;
        }
        bar.set_style(style.clone());
        bar.set_length(total);
        bar.set_position(bytes);
        bar.set_message(if writing { "writing".to_owned() } else { format!("{} entities", grouped(entities)) });
        std::thread::park_timeout(FRAME);
    }
    bar.finish_and_clear();
}

fn lines(progress: &Progress, done: &AtomicBool) {
    let start = Instant::now();
    let mut next = LINE;
    while !done.load(Ordering::Relaxed) {
        std::thread::park_timeout(next.saturating_sub(start.elapsed()));
        if start.elapsed() >= next {
            next += LINE;
            let line = line(&Snapshot::of(progress), start.elapsed().as_secs_f64());
            // If stderr is gone, there is nobody to read it.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// `30 s: 1.2 GB of 110.0 GB (1 %), 40.0 MB/s, 1,234 entities, about 45 min left`
fn line(Snapshot { bytes, total, entities, writing }: &Snapshot, seconds: f64) -> String {
    if *total == 0 {
        return format!("{seconds:.0} s: {} entities", grouped(*entities));
    }
    let rate = *bytes as f64 / seconds;
    let percent = bytes * 100 / total;
    let left = (total - bytes) as f64 / rate.max(1.0);
    let left = if *writing { "writing".to_owned() } else { format!("about {} left", duration(left)) };
    format!(
        "{seconds:.0} s: {} of {} ({percent} %), {}/s, {} entities, {left}",
        size(*bytes),
        size(*total),
        size(rate as u64),
        grouped(*entities),
    )
}

fn duration(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ ..100 => format!("{seconds} s"),
        seconds @ ..6000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

struct Snapshot {
    bytes: u64,
    total: u64,
    entities: u64,
    writing: bool,
}

impl Snapshot {
    fn of(progress: &Progress) -> Self {
        let total = progress.total_bytes.load(Ordering::Relaxed);
        Self {
            bytes: progress.bytes.load(Ordering::Relaxed).min(total),
            total,
            entities: progress.entities.load(Ordering::Relaxed),
            writing: progress.writing.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far() {
        let snapshot = Snapshot { bytes: 1_200_000_000, total: 110_000_000_000, entities: 1234, writing: false };
        let expected = "30 s: 1.2 GB of 110.0 GB (1 %), 40.0 MB/s, 1,234 entities, about 45 min left";
        assert_eq!(line(&snapshot, 30.0), expected);
        let sizeless = Snapshot { bytes: 0, total: 0, entities: 180, writing: false };
        assert_eq!(line(&sizeless, 10.0), "10 s: 180 entities");
        let done = Snapshot { bytes: 7, total: 7, entities: 1, writing: true };
        assert_eq!(line(&done, 1.0), "1 s: 7 B of 7 B (100 %), 7 B/s, 1 entities, writing");
    }
}
