//! The names of the state files that we write. Flink's own have random ones; it restores any.

use crate::savepoint::flink::hash::MAX_PARALLELISM;
use crate::storage::Attempt;

const PREFIX: &str = "part-";

/// The name of a subtask's file.
pub fn name(subtask: u16, attempt: Attempt) -> String {
    format!("{PREFIX}{subtask:05}{attempt}")
}

/// Whether a name is one that `name` gives.
pub fn is_ours(file: &str) -> bool {
    let parsed = || {
        let (number, attempt) = file.strip_prefix(PREFIX)?.split_at_checked(5)?;
        Some((number.parse().ok()?, Attempt::parse(attempt)?))
    };
    parsed().is_some_and(|(number, attempt)| number < MAX_PARALLELISM && name(number, attempt) == file)
}
