//! Threads that drive asynchronous work, for engines that are made of it.
//!
//! Promise: callers stay plain threads; work ends when it is done or soon after a stop is asked for.
//! Invariant: what a run leaves behind on the threads ends with them.
//! Not here: what the work is.

use std::io;
use std::pin::pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::Stream;
use tokio::runtime::{Builder, Runtime};

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// The threads.
#[derive(Debug)]
pub struct Tasks(Runtime);

impl Tasks {
    /// Starts that many threads.
    pub fn start(threads: usize) -> io::Result<Self> {
        Builder::new_multi_thread().worker_threads(threads).thread_name("tasks").enable_time().build().map(Self)
    }

    /// Runs `work` to its end; `None` where `stop` was set before that.
    pub fn run<T>(&self, stop: &AtomicBool, work: impl Future<Output = T>) -> Option<T> {
        self.0.block_on(async {
            let mut work = pin!(work);
            while !stop.load(Ordering::Relaxed) {
                if let Ok(done) = tokio::time::timeout(LOOK, &mut work).await {
                    return Some(done);
                }
            }
            None
        })
    }
}

/// The threads of storage itself.
pub(super) fn runtime() -> Result<&'static Runtime, &'static io::Error> {
    static RUNTIME: LazyLock<io::Result<Runtime>> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).thread_name("storage").enable_all().build());
    RUNTIME.as_ref()
}

/// Items as a stream that always has the next one ready.
pub fn stream<T>(items: impl Iterator<Item = T>) -> impl Stream<Item = T> {
    futures::stream::iter(items)
}
