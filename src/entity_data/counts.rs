//! What was fetched so far, for whoever watches.

use serde::Serialize;

use crate::entity_data::error::FetchError;
use crate::histogram::Histogram;

/// Counters that only grow, each but the times counted once a request or once a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that were answered or given up, repeated ones among them.
    pub requests: u64,
    /// Those of them that repeated one.
    pub retries: u64,
    /// How long requests took, in milliseconds, each up to the end of its answer.
    pub times: Histogram,
    /// Documents that came.
    pub fetched: u64,
    /// Their bytes, as text.
    pub bytes: u64,
    /// Documents that did not come, as [`FetchError::NotFound`].
    pub not_found: u64,
    /// As [`FetchError::NoContent`].
    pub no_content: u64,
    /// As [`FetchError::Empty`].
    pub empty: u64,
    /// As [`FetchError::Unexpected`].
    pub unexpected: u64,
    /// As [`FetchError::Failed`].
    pub failed: u64,
    /// As [`FetchError::Unavailable`].
    pub unavailable: u64,
}

impl Counts {
    /// Counts a request.
    pub fn request(&mut self, is_retry: bool, millis: u64) {
        self.requests += 1;
        self.retries += u64::from(is_retry);
        self.times.record(millis);
    }

    /// Counts a document: its size, or why it did not come.
    pub fn document(&mut self, outcome: Result<usize, &FetchError>) {
        self.bytes += outcome.map_or(0, |size| size as u64);
        *match outcome {
            Ok(_) => &mut self.fetched,
            Err(FetchError::NotFound { .. }) => &mut self.not_found,
            Err(FetchError::NoContent { .. }) => &mut self.no_content,
            Err(FetchError::Empty { .. }) => &mut self.empty,
            Err(FetchError::Unexpected { .. }) => &mut self.unexpected,
            Err(FetchError::Failed { .. }) => &mut self.failed,
            Err(FetchError::Unavailable { .. }) => &mut self.unavailable,
        } += 1;
    }
}
