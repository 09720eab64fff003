//! The names of the state files that we write. Flink's own have random ones; it restores any.

use crate::savepoint::flink::hash::MAX_PARALLELISM;

const PREFIX: &str = "part-";

/// The name of a subtask's file.
pub fn name(subtask: u16) -> String {
    format!("{PREFIX}{subtask:05}")
}

/// Whether a name is one that `name` gives.
pub fn is_ours(file: &str) -> bool {
    let number = file.strip_prefix(PREFIX).and_then(|number| number.parse().ok());
    number.is_some_and(|number| number < MAX_PARALLELISM && name(number) == file)
}
