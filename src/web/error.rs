//! Why a server gave no answer that can be used.
//!
//! Promise: it is always told whether the server was reached.

use std::error::Error;
use std::io;

use crate::web::UrlError;

/// Why servers cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// It cannot stand in a header.
    #[error("`{0:?}` is no name for a program: give printable ASCII")]
    BadUserAgent(String),
    /// The client could not be made.
    #[error("no HTTP client could be made: {0}")]
    Client(String),
    /// No threads could be started.
    #[error("no threads could be started")]
    Threads(#[source] io::Error),
}

/// Why a request has no answer, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection: unknown host, refused, no TLS, none in time.
    #[error("no connection: {reason}")]
    Unreachable {
        /// Why not.
        reason: String,
        /// Whether it was waited for as long as may be.
        is_timeout: bool,
    },
    /// The answer broke off, or did not come in time.
    #[error("{0}")]
    Broken(String),
}

impl NoAnswer {
    /// What the client's error says.
    pub(in crate::web) fn of(error: &reqwest::Error) -> Self {
        let reason = reason(error);
        match error.is_connect() {
            true => Self::Unreachable { reason, is_timeout: error.is_timeout() },
            false => Self::Broken(reason),
        }
    }
}

/// The first cause: what stands before it names the URL and the steps that it failed.
fn reason(error: &reqwest::Error) -> String {
    let first = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source()).last();
    first.map(ToString::to_string).unwrap_or_default()
}

/// Why there is no whole body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more than so many bytes.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// It broke off.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// It is no URL of a web server.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The server did not answer, or not to the end. The same may succeed later.
    #[error("no answer from {url}: {reason}")]
    OutOfReach {
        /// What was asked for.
        url: String,
        /// Why not.
        reason: NoAnswer,
    },
    /// The answer cannot be used.
    #[error("the answer from {url} cannot be used: {reason}")]
    BadAnswer {
        /// What was asked for.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Stopped,
}
