//! Names of checkpoints.
//!
//! Promise: two attempts never have one name, whoever makes them; `parse` and `Display` are inverse to each other.
//! Invariant: ids sort by their numbers; a checkpoint taken later by the same run has a larger one.
//! Not here: which checkpoints there are.

use std::fmt;

/// What the directories of checkpoints are called, before their ids.
const DIR: &str = "chk-";
/// Hexadecimal digits of a nonce.
const DIGITS: usize = 16;

/// The id of a checkpoint: a number, and a nonce that nobody else has; written `12-5f3a9c01d2e4b677`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId {
    number: u64,
    nonce: u64,
}

/// The text is no id of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a checkpoint is written like 12-5f3a9c01d2e4b677: a number and 16 hexadecimal digits")]
pub struct CheckpointIdError;

impl CheckpointId {
    /// An id with that number and nonce.
    pub const fn new(number: u64, nonce: u64) -> Self {
        Self { number, nonce }
    }

    /// Reads an id; nothing may stand before or after it.
    pub fn parse(text: &str) -> Result<Self, CheckpointIdError> {
        Self::read(text).ok_or(CheckpointIdError)
    }

    fn read(text: &str) -> Option<Self> {
        let (number, nonce) = text.split_once('-')?;
        let plain = number == "0" || !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !plain || nonce.len() != DIGITS || !nonce.bytes().all(hexadecimal) {
            return None;
        }
        Some(Self { number: number.parse().ok()?, nonce: u64::from_str_radix(nonce, 16).ok()? })
    }

    /// The id of the checkpoint in a directory of this name.
    pub fn of_dir(name: &str) -> Option<Self> {
        Self::read(name.strip_prefix(DIR)?)
    }

    /// The name of its directory: `chk-12-5f3a9c01d2e4b677`.
    pub fn dir(self) -> String {
        format!("{DIR}{self}")
    }

    /// The number; from one checkpoint of a run to the next it grows.
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:0DIGITS$x}", self.number, self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_displayed_is_parsed(number: u64, nonce: u64) {
            let id = CheckpointId::new(number, nonce);
            prop_assert_eq!(CheckpointId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(CheckpointId::of_dir(&id.dir()), Some(id));
        }
    }

    #[test]
    fn what_is_no_id() {
        assert_eq!(CheckpointId::new(12, 0x5f3a_9c01_d2e4_b677).to_string(), "12-5f3a9c01d2e4b677");
        let bad = [
            "",
            "12",
            "-5f3a9c01d2e4b677",
            "12-",
            "12-5f3a9c01d2e4b67",
            "12-5F3A9C01D2E4B677",
            "012-5f3a9c01d2e4b677",
            "+2-5f3a9c01d2e4b677",
            "12-+f3a9c01d2e4b677",
            "18446744073709551616-5f3a9c01d2e4b677",
            "12-5f3a9c01d2e4b677 ",
            "12-5f3a9c01d2e4b677-1",
        ];
        bad.iter().for_each(|text| assert_eq!(CheckpointId::parse(text), Err(CheckpointIdError), "{text}"));
        assert_eq!(CheckpointId::of_dir("chk-12"), None);
    }
}
