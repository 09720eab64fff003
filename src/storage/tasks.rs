//! Threads that drive asynchronous work, for engines that are made of it.
//!
//! Promise: callers stay plain threads; work ends when it is done or soon after a stop is asked for.
//! Invariant: what a run leaves behind on the threads ends with them.
//! Not here: what the work is.

use std::io;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::Stream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinHandle};

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// The threads.
#[derive(Debug)]
pub struct Tasks(Runtime);

impl Tasks {
    /// Starts that many threads.
    pub fn start(threads: usize) -> io::Result<Self> {
        Builder::new_multi_thread().worker_threads(threads).thread_name("tasks").enable_all().build().map(Self)
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

    /// Begins `work`, which goes on by itself.
    pub fn spawn<T: Send + 'static>(self: &Arc<Self>, work: impl Future<Output = T> + Send + 'static) -> Job<T> {
        Job { work: self.0.spawn(work), done: None, tasks: Arc::clone(self) }
    }

    /// A pipe from work to a plain thread, with that many places, and one at least.
    pub fn pipe<T>(self: &Arc<Self>, places: usize) -> (Inlet<T>, Outlet<T>) {
        let (sender, receiver) = mpsc::channel(places.max(1));
        (Inlet(sender), Outlet { receiver, tasks: Arc::clone(self) })
    }
}

/// Where work puts items into a pipe.
#[derive(Debug)]
pub struct Inlet<T>(mpsc::Sender<T>);

impl<T> Inlet<T> {
    /// Puts an item, as soon as there is a place. Whether anyone is there to take it.
    pub async fn put(&self, item: T) -> bool {
        self.0.send(item).await.is_ok()
    }
}

/// Where a plain thread takes items out of a pipe, in order.
#[derive(Debug)]
pub struct Outlet<T> {
    receiver: mpsc::Receiver<T>,
    tasks: Arc<Tasks>,
}

/// What came out of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// An item.
    Item(T),
    /// Nothing so far.
    Nothing,
    /// Nothing will come any more.
    Ended,
}

impl<T> Outlet<T> {
    /// The next item; waits that long for it.
    pub fn take(&mut self, wait: Duration) -> Taken<T> {
        let next = self.receiver.recv();
        match self.tasks.0.block_on(async { tokio::time::timeout(wait, next).await }) {
            Ok(Some(item)) => Taken::Item(item),
            Ok(None) => Taken::Ended,
            Err(_) => Taken::Nothing,
        }
    }
}

/// Work that goes on by itself, for a plain thread to wait for. Dropped, it is given up.
#[derive(Debug)]
pub struct Job<T> {
    work: JoinHandle<T>,
    done: Option<T>,
    /// They may not end before the work does.
    tasks: Arc<Tasks>,
}

impl<T> Job<T> {
    /// Whether it is done.
    pub fn is_ready(&self) -> bool {
        self.done.is_some() || self.work.is_finished()
    }

    /// Whether it is done; waits that long for it.
    pub fn is_ready_within(&mut self, time: Duration) -> bool {
        if self.done.is_none() {
            let work = &mut self.work;
            let ended = self.tasks.0.block_on(async { tokio::time::timeout(time, work).await });
            self.done = ended.ok().map(unwound);
        }
        self.done.is_some()
    }

    /// What it gave; waits for it. A panic in it goes on here.
    pub fn wait(mut self) -> T {
        match self.done.take() {
            Some(done) => done,
            None => unwound(self.tasks.0.block_on(&mut self.work)),
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// Only who drops a job cancels it, so that what is waited for has ended or panicked.
fn unwound<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// Places for work, each for one at a time; who asks first gets one first.
#[derive(Debug)]
pub struct Slots(Semaphore);

impl Slots {
    /// That many, and one at least.
    pub fn new(places: usize) -> Self {
        Self(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)))
    }

    /// Waits for a place; it is free again when what is given is dropped.
    pub async fn take(&self) -> impl Send {
        self.0.acquire().await.expect("the places are never closed")
    }
}

/// Lets that much time pass, without holding a thread.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn tasks() -> Arc<Tasks> {
        Arc::new(Tasks::start(1).unwrap())
    }

    #[test]
    fn a_job_is_waited_for_as_long_as_one_likes() {
        let mut job = tasks().spawn(async {
            pause(Duration::from_millis(50)).await;
            7
        });
        assert!(!job.is_ready_within(Duration::from_millis(1)) && !job.is_ready());
        assert!(job.is_ready_within(Duration::from_secs(60)) && job.is_ready());
        assert!(job.is_ready_within(Duration::ZERO));
        assert_eq!(job.wait(), 7);
    }

    #[test]
    fn a_panic_goes_on_where_it_is_waited_for() {
        let job = tasks().spawn(async { panic!("as asked") });
        assert!(catch_unwind(AssertUnwindSafe(|| job.wait())).is_err());
    }

    #[test]
    fn a_pipe_holds_no_more_than_it_has_places_for() {
        let tasks = tasks();
        let (inlet, mut outlet) = tasks.pipe(2);
        let put = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&put);
        let mut job = tasks.spawn(async move {
            for item in 0..5 {
                assert!(inlet.put(item).await);
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(!job.is_ready_within(Duration::from_millis(50)));
        assert_eq!(put.load(Ordering::SeqCst), 2);
        for item in 0..5 {
            assert_eq!(outlet.take(Duration::from_secs(60)), Taken::Item(item));
        }
        assert_eq!(outlet.take(Duration::from_secs(60)), Taken::Ended);
        let (inlet, mut outlet) = tasks.pipe::<u8>(0);
        assert_eq!(outlet.take(Duration::ZERO), Taken::Nothing);
        drop(outlet);
        assert!(!tasks.spawn(async move { inlet.put(7).await }).wait());
    }

    #[test]
    fn places_are_free_again() {
        let (tasks, slots) = (tasks(), Arc::new(Slots::new(0)));
        let held = tasks.0.block_on(slots.take());
        let others = Arc::clone(&slots);
        let mut job = tasks.spawn(async move { drop(others.take().await) });
        assert!(!job.is_ready_within(Duration::from_millis(20)));
        drop(held);
        assert!(job.is_ready_within(Duration::from_secs(60)));
    }
}
