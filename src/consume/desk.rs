//! Between the loop and whoever asks over HTTP.
//!
//! Promise: who asks never holds up the loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::consume::status::Status;
use crate::control::{Desk, Refusal};
use crate::wikibase::timestamp::Timestamp;

/// How old, in milliseconds, what the loop says of itself may be: an update may take minutes.
const OLDEST: i64 = 600_000;

/// What the loop said last.
#[derive(Debug)]
pub struct Board {
    status: Mutex<Status>,
    has_stopped: Condvar,
    stop: Arc<AtomicBool>,
    now: fn() -> Timestamp,
}

impl Board {
    /// One of a consumer that begins, and is told to stop by that.
    pub fn new(now: fn() -> Timestamp, stop: Arc<AtomicBool>) -> Self {
        Self { status: Mutex::new(Status::new(now())), has_stopped: Condvar::new(), stop, now }
    }

    /// How the loop is now.
    pub fn publish(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.has_stopped.notify_all();
    }

    /// How it was when it last told.
    pub fn latest(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Desk for Board {
    fn health(&self) -> Result<(), String> {
        let status = self.latest();
        let age = (self.now)().millis().saturating_sub(status.at.millis());
        match status.phase {
            "stopped" => Err(format!("stopped: {}", status.reason.as_deref().unwrap_or("as it was told"))),
            "waiting" => Err(status.reason.unwrap_or_else(|| "it waits".to_owned())),
            _ if age > OLDEST => Err(format!("the loop has not been heard of for {} s", age / 1000)),
            _ => Ok(()),
        }
    }

    fn status(&self) -> Vec<u8> {
        // All keys are texts, so that it can always be written.
        let mut json = serde_json::to_vec(&self.latest()).unwrap_or_default();
        json.push(b'\n');
        json
    }

    fn metrics(&self) -> String {
        self.latest().metrics((self.now)())
    }

    fn save(&self, _: Option<String>) -> Result<String, Refusal> {
        Err(Refusal::Wrong("a consumer has nothing to save: its position is in the store".to_owned()))
    }

    fn stop(&self, _: Option<Option<String>>) -> Result<Option<String>, Refusal> {
        self.stop.store(true, Ordering::Relaxed);
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        while status.phase != "stopped" {
            status = self.has_stopped.wait(status).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(None)
    }
}
