//! Why a document was not fetched.
//!
//! Promise: callers tell by [`FetchError::failure`] whether it is for a side output or ends the run.

use crate::side_output::{Failure, FailureKind};
use crate::web::{SetUpError, UrlError};

/// Why a document was not fetched, after all tries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The wiki does not know the revision, or does not show it to everyone.
    #[error("404 for {url}")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The wiki has no data of it.
    #[error("204, no content, for {url}")]
    NoContent {
        /// What was asked for.
        url: String,
    },
    /// The answer was a success with nothing in it.
    #[error("an empty answer for {url}")]
    Empty {
        /// What was asked for.
        url: String,
    },
    /// The answer was none that can be used.
    #[error("{what} for {url}")]
    Unexpected {
        /// What was asked for.
        url: String,
        /// What came instead.
        what: String,
    },
    /// No whole answer came.
    #[error("no whole answer for {url}: {reason}")]
    Failed {
        /// What was asked for.
        url: String,
        /// What happened to the last try.
        reason: String,
    },
    /// The server could not be reached for a while. It is no fault of the entity: a later run may succeed.
    #[error("the server cannot be reached for {url}: {reason}")]
    Unavailable {
        /// What was asked for.
        url: String,
        /// What happened to the last try.
        reason: String,
    },
}

impl FetchError {
    /// What to tell in the side output; `None` where the run has to end instead, as nothing else could be fetched either.
    pub fn failure(&self) -> Option<Failure> {
        let (kind, exception) = match self {
            Self::NotFound { .. } => (FailureKind::EntityNotFound, "NotFound"),
            Self::NoContent { .. } => (FailureKind::NoContent, "NoContent"),
            Self::Empty { .. } => (FailureKind::EmptyResponse, "Empty"),
            Self::Unexpected { .. } => (FailureKind::UnexpectedResponse, "Unexpected"),
            Self::Failed { .. } => (FailureKind::Unknown, "Failed"),
            Self::Unavailable { .. } => return None,
        };
        Some(Failure { kind, exception: exception.to_owned(), message: self.to_string() })
    }
}

/// Why nothing can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetUpError {
    /// It is no namespace of entity data.
    #[error("`{0}` is no place of entity data: it is written like https://www.wikidata.org/wiki/Special:EntityData/")]
    BadUrl(String),
    /// There is a secret in it.
    #[error(transparent)]
    Secret(UrlError),
    /// The client cannot be set up.
    #[error(transparent)]
    Client(#[from] SetUpError),
}
