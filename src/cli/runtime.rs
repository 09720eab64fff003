//! The real surroundings: clock, signals, threads, and the last word on panics.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::error::CliError;
use crate::env::{Env, Progress};
use crate::wikibase::timestamp::Timestamp;

/// What the last panic said, and where.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs `work`; prints its error, if any, and gives the exit code. A panic is our bug and has a code of its own.
pub fn guarded(work: impl FnOnce() -> Result<(), CliError>) -> ExitCode {
    // Silent, because decoders may panic on corrupt data and be caught (see `decode::bzip2`).
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = PANIC.lock() {
            *last = info.to_string();
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = PANIC.lock().map(|last| last.clone()).unwrap_or_default();
        Err(CliError::panicked(&last))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

/// The clock, and a flag that the first Ctrl-C (or SIGTERM) sets. The second one ends the process at once.
pub fn env() -> Result<Env, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| CliError::bug(&error))?;
    Ok(Env { now, stop, progress: Arc::new(Progress::default()) })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok().and_then(Timestamp::from_millis).unwrap_or_default()
}

/// Limits the workers to that many threads.
pub fn use_threads(threads: Option<u16>) -> Result<(), CliError> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(threads))
        .build_global()
        .map_err(|error| CliError::bug(&error))
}

/// Prints on stdout. A reader that went away (`| head`) is no error.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::stdout(error)),
        _ => Ok(()),
    }
}
