//! The stream configuration, from where it stands.
//!
//! Promise: what the API or a file says, or why it cannot be had.
//! Not here: what it means (see `event::streams`).

use crate::event::streams::{StreamConfiguration, StreamsError};
use crate::storage::{self, Location, StorageError};
use crate::web::{Calls, WebError};

/// Why there is no stream configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The API did not answer.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The API answered with something else.
    #[error("the status {status} for {url}")]
    Status {
        /// What was asked for.
        url: String,
        /// What came.
        status: u16,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It says something else.
    #[error("{from}: {source}")]
    Streams {
        /// Where it stands.
        from: String,
        /// What is wrong with it.
        source: StreamsError,
    },
}

/// Reads the answer of MediaWiki's stream-configuration API: from its URL, such as
/// `https://meta.wikimedia.org/w/api.php?action=streamconfigs&format=json&streams=mediawiki.page_change.v1`, or from a location where
/// it was put.
pub fn configuration(from: &str, calls: &Calls) -> Result<StreamConfiguration, ConfigurationError> {
    let json = match from.split_once("://") {
        Some(("http" | "https", _)) => {
            let answer = calls.get(from)?;
            if !answer.is_success() {
                return Err(ConfigurationError::Status { url: from.to_owned(), status: answer.status });
            }
            answer.body
        }
        _ => storage::read(&Location::parse(from)?)?.to_vec(),
    };
    let streams = |source| ConfigurationError::Streams { from: from.to_owned(), source };
    StreamConfiguration::parse(&json).map_err(streams)
}
