//! Headwater as a process that a test watches, stops or kills.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::room::Room;

/// How long a process may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Each process has a log of its own.
static LOGS: AtomicUsize = AtomicUsize::new(0);

/// A process.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts headwater with these arguments, where `$DIR` is the room; its log is named after `name`.
    pub fn start(room: &Room, name: &str, arguments: &str) -> Self {
        let log = room.path(&format!("{name}-{}.log", LOGS.fetch_add(1, Ordering::Relaxed)));
        let file = fs::File::create(&log).expect("the room can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        let command = command.args(room.words(arguments)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self { child: command.spawn().expect("the program can be started"), log }
    }

    /// Kills it (SIGKILL); `false` if it had ended by itself, which must have been well.
    pub fn kill(&mut self) -> bool {
        if let Some(status) = self.child.try_wait().expect("its state") {
            assert!(status.success(), "{status}: {}", self.log());
            return false;
        }
        self.child.kill().expect("it can be killed");
        let status = self.child.wait().expect("its state");
        // It may have come to its end in the last moment.
        !status.success()
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Lets it do nothing (SIGSTOP), until it may go on.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Waits for its end, which must be with that exit code; what it said.
    pub fn ends_with(&mut self, code: i32) -> String {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(code), "{}", self.log());
        self.log()
    }

    /// Waits until it has said this.
    pub fn says(&mut self, what: &str) {
        self.says_times(what, 1);
    }

    /// Waits until it has said this so many times.
    pub fn says_times(&mut self, what: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(what).count() < times {
            assert!(self.is_running() && Instant::now() < deadline, "no {what} in: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
