//! The right to write to a directory.
//!
//! Promise: where directories can be locked, there is one writer at a time, and a lock ends with its process. Elsewhere every
//! writer has names of its own for what it writes, so that two at once never mix.
//! Invariant: an [`Attempt`] is never used twice.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::num::NonZeroU64;

use crate::storage::error::{StorageError, failed_io};
use crate::storage::location::Location;
use crate::storage::refuse_read_only;

/// The right to write, held until dropped.
pub struct Claim {
    _locked: Option<File>,
    attempt: Attempt,
}

/// What distinguishes the names of one writer's files from those of others: nothing, where there is one writer at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(Option<NonZeroU64>);

impl Claim {
    /// What to put behind the names of files.
    pub fn attempt(&self) -> Attempt {
        self.attempt
    }
}

impl Attempt {
    /// One that nobody else has. Errors: the system has no random numbers.
    pub fn fresh() -> io::Result<Self> {
        let number = getrandom::u64().map_err(io::Error::other)?;
        Ok(Self(Some(NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX))))
    }

    /// Reads what it displays.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        let digits = text.strip_prefix('-').filter(|digits| digits.len() == 16)?;
        let is_written_so = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(digits, 16).ok().filter(|_| is_written_so)?;
        Some(Self(Some(NonZeroU64::new(number)?)))
    }
}

impl fmt::Display for Attempt {
    /// Nothing, or `-` and 16 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |number| write!(f, "-{number:016x}"))
    }
}

/// Claims the directory `dir`, and makes it where directories are made. Errors: `InUse`, `ReadOnly`, `Unavailable`.
pub fn claim(dir: &Location) -> Result<Claim, StorageError> {
    refuse_read_only(dir)?;
    let Some(path) = dir.local() else {
        // What is in memory has one process.
        let attempt = if dir.has_names() { Ok(Attempt::default()) } else { Attempt::fresh() };
        let attempt = attempt.map_err(|error| failed_io(dir, "claim", error))?;
        return Ok(Claim { _locked: None, attempt });
    };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => StorageError::NotADirectory { location: dir.clone() },
        _ => failed_io(dir, "make", error),
    };
    std::fs::create_dir_all(&path).map_err(failed)?;
    let opened = File::open(&path).map_err(failed)?;
    match opened.try_lock() {
        Ok(()) => Ok(Claim { _locked: Some(opened), attempt: Attempt::default() }),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { location: dir.clone() }),
        Err(TryLockError::Error(error)) => Err(failed_io(dir, "lock", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_attempts_display() {
        let fresh = Attempt::fresh().unwrap();
        assert_ne!(fresh, Attempt::fresh().unwrap());
        for attempt in [Attempt::default(), fresh] {
            assert_eq!(Attempt::parse(&attempt.to_string()), Some(attempt));
        }
        for text in ["-", "-0000000000000000", "-123", "x", "-00000000000000fF", "-+0000000000000f"] {
            assert_eq!(Attempt::parse(text), None, "{text}");
        }
    }
}
