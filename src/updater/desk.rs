//! Between the loop and whoever asks: how it is goes out, what it is told comes in.
//!
//! Promise: the loop never waits for who asks. Who asks has an answer, also from a loop that has ended or broken.
//! In -> out: [`Status`]es from the loop, for anyone; orders from anyone, for the loop.
//! Invariant: one [`Mailbox`], one [`Orders`]. An order is answered once.
//! Not here: how one asks (see `control`), and what carrying out an order is.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::control::{Desk, Refusal};
use crate::updater::metrics;
use crate::updater::status::{Phase, Status};
use crate::wikibase::timestamp::Timestamp;

/// How many orders may wait.
const MOST: usize = 4;
/// How old, in milliseconds, what the loop says of itself may be.
const OLDEST: i64 = 60_000;

/// The side of those who ask.
#[derive(Debug)]
pub struct Mailbox {
    status: Mutex<Arc<Status>>,
    orders: SyncSender<Order>,
    now: fn() -> Timestamp,
}

/// The side of the loop. When it is dropped, who still waits is told that the updater has ended.
#[derive(Debug)]
pub struct Orders(Receiver<Order>);

/// What the loop is told to do.
#[derive(Debug)]
pub enum Order {
    /// To take a savepoint.
    Save {
        /// Where; the loop chooses if `None`.
        to: Option<String>,
        /// Told where it is.
        reply: Reply<String>,
    },
    /// To stop.
    Stop {
        /// Whether to take a savepoint before, and where.
        save: Option<Option<String>>,
        /// Told where it is, when nothing more will be done.
        reply: Reply<Option<String>>,
    },
}

/// Tells who gave an order how it went. Dropped without a word it says that the updater has ended.
#[derive(Debug)]
pub struct Reply<T>(SyncSender<Result<T, Refusal>>);

impl<T> Reply<T> {
    /// It was done.
    pub fn done(self, what: T) {
        self.tell(Ok(what));
    }

    /// It was not.
    pub fn refuse(self, refusal: Refusal) {
        self.tell(Err(refusal));
    }

    fn tell(self, how: Result<T, Refusal>) {
        // Who asked may have gone.
        let _ = self.0.try_send(how);
    }
}

/// A mailbox, and the loop's side of it. `first` is how the updater is before the loop has said anything.
pub fn mailbox(first: Status, now: fn() -> Timestamp) -> (Arc<Mailbox>, Orders) {
    let (orders, taken) = sync_channel(MOST);
    (Arc::new(Mailbox { status: Mutex::new(Arc::new(first)), orders, now }), Orders(taken))
}

impl Mailbox {
    /// How the loop is now; to be told about once a second.
    pub fn publish(&self, status: Status) {
        let status = Arc::new(status);
        let old = std::mem::replace(&mut *self.status.lock().unwrap_or_else(PoisonError::into_inner), status);
        // Not while others wait for the lock.
        drop(old);
    }

    /// How the loop was when it last told.
    pub fn latest(&self) -> Arc<Status> {
        Arc::clone(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands an order over and waits for the answer.
    fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
        let (reply, answer) = sync_channel(1);
        match self.orders.try_send(order(Reply(reply))) {
            Ok(()) => answer.recv().unwrap_or(Err(Refusal::Ended)),
            Err(TrySendError::Full(_)) => Err(Refusal::NotNow(format!("{MOST} orders wait already: ask again later"))),
            Err(TrySendError::Disconnected(_)) => Err(Refusal::Ended),
        }
    }
}

impl Orders {
    /// The next order, if there is one.
    pub fn next(&self) -> Option<Order> {
        self.0.try_recv().ok()
    }

    /// The next order; waits that long for one.
    pub fn wait(&self, time: Duration) -> Option<Order> {
        self.0.recv_timeout(time).ok()
    }
}

impl Desk for Mailbox {
    /// Not well is who has ended, and a loop that has not been heard of for a minute, but for those times when it reads or
    /// writes all of the state.
    fn health(&self) -> Result<(), String> {
        let status = self.latest();
        let age = (self.now)().millis().saturating_sub(status.at.millis());
        match status.phase {
            Phase::Stopped => Err(format!("stopped: {}", status.reason.as_deref().unwrap_or("as it was told"))),
            Phase::CatchingUp | Phase::Running if age > OLDEST => {
                Err(format!("the loop has not been heard of for {} s", age / 1000))
            }
            _ => Ok(()),
        }
    }

    fn status(&self) -> Vec<u8> {
        // All keys are texts, so that it can always be written.
        let mut json = serde_json::to_vec(&*self.latest()).unwrap_or_default();
        json.push(b'\n');
        json
    }

    fn metrics(&self) -> String {
        metrics::render(&self.latest(), (self.now)())
    }

    fn save(&self, to: Option<String>) -> Result<String, Refusal> {
        self.ask(|reply| Order::Save { to, reply })
    }

    fn stop(&self, save: Option<Option<String>>) -> Result<Option<String>, Refusal> {
        self.ask(|reply| Order::Stop { save, reply })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::updater::status::tests::of;
    use crate::updater::watermark::START;

    fn status(phase: Phase) -> Status {
        of(phase, START)
    }

    /// A minute and a second after what `status` gives.
    fn later() -> Timestamp {
        Timestamp::from_millis(status(Phase::Running).at.millis() + OLDEST + 1000).unwrap()
    }

    fn soon() -> Timestamp {
        status(Phase::Running).at
    }

    /// The loop: carries out orders until it is told to stop.
    fn run(orders: &Orders) {
        while let Some(order) = orders.wait(Duration::from_secs(60)) {
            match order {
                Order::Save { to: Some(to), reply } if to.is_empty() => {
                    reply.refuse(Refusal::Wrong("no place".to_owned()));
                }
                Order::Save { to, reply } => reply.done(to.unwrap_or_else(|| "here".to_owned())),
                Order::Stop { save, reply } => {
                    reply.done(save.map(|to| to.unwrap_or_else(|| "here".to_owned())));
                    return;
                }
            }
        }
    }

    #[test]
    fn orders_are_answered_once_by_the_loop() {
        let (mailbox, orders) = mailbox(status(Phase::Running), soon);
        thread::scope(|scope| {
            scope.spawn(move || run(&orders));
            let ask = || (0..MOST).map(|at| (at, mailbox.save(Some(at.to_string())))).collect::<Vec<_>>();
            let all = [(); 2].map(|()| scope.spawn(ask));
            for (at, answer) in all.into_iter().flat_map(|asked| asked.join().unwrap()) {
                assert_eq!(answer, Ok(at.to_string()));
            }
            assert_eq!(mailbox.save(None), Ok("here".to_owned()));
            assert_eq!(mailbox.save(Some(String::new())), Err(Refusal::Wrong("no place".to_owned())));
            assert_eq!(mailbox.stop(Some(Some("there".to_owned()))), Ok(Some("there".to_owned())));
        });
        assert_eq!((mailbox.save(None), mailbox.stop(None)), (Err(Refusal::Ended), Err(Refusal::Ended)));
    }

    #[test]
    fn a_loop_that_breaks_leaves_nobody_waiting() {
        let (mailbox, orders) = mailbox(status(Phase::Running), soon);
        thread::scope(|scope| {
            let asked = [(); 2].map(|()| scope.spawn(|| mailbox.save(None)));
            let taken = orders.wait(Duration::from_secs(60)).unwrap();
            drop((taken, orders));
            assert_eq!(asked.map(|asked| asked.join().unwrap()), [Err(Refusal::Ended), Err(Refusal::Ended)]);
        });
    }

    #[test]
    fn no_more_orders_wait_than_allowed() {
        let (mailbox, orders) = mailbox(status(Phase::Running), soon);
        assert!(orders.next().is_none());
        let start = Instant::now();
        assert!(orders.wait(Duration::from_millis(20)).is_none() && start.elapsed() >= Duration::from_millis(20));
        thread::scope(|scope| {
            // One more than there is room for: who comes last is told so, and does not wait.
            let asked: Vec<_> = (0..=MOST).map(|_| scope.spawn(|| mailbox.save(None))).collect();
            while !asked.iter().any(|asked| asked.is_finished()) {
                thread::yield_now();
            }
            drop(orders);
            let mut answers: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
            answers.retain(|answer| *answer != Err(Refusal::Ended));
            assert!(matches!(answers[..], [Err(Refusal::NotNow(_))]), "{answers:?}");
        });
    }

    #[test]
    fn who_has_gone_does_no_harm() {
        let (mailbox, orders) = mailbox(status(Phase::Running), soon);
        let (reply, answer) = sync_channel(1);
        mailbox.orders.try_send(Order::Save { to: None, reply: Reply(reply) }).unwrap();
        drop(answer);
        let Some(Order::Save { reply, .. }) = orders.next() else { panic!("an order is there") };
        reply.done("here".to_owned());
    }

    #[test]
    fn health_as_in_this_table() {
        for phase in Phase::ALL {
            let silent_is_well = !matches!(phase, Phase::CatchingUp | Phase::Running | Phase::Stopped);
            assert_eq!(mailbox(status(phase), soon).0.health().is_ok(), phase != Phase::Stopped, "{phase:?}");
            assert_eq!(mailbox(status(phase), later).0.health().is_ok(), silent_is_well, "{phase:?}");
        }
    }

    #[test]
    fn what_was_told_last_is_told() {
        let (mailbox, _orders) = mailbox(status(Phase::Restoring), soon);
        mailbox.publish(status(Phase::Running));
        assert_eq!(mailbox.latest().phase, Phase::Running);
        let json: serde_json::Value = serde_json::from_slice(&mailbox.status()).unwrap();
        assert_eq!(json["phase"], "running");
        assert!(mailbox.metrics().contains("headwater_phase{phase=\"running\"} 1\n"), "{}", mailbox.metrics());
    }
}
