//! Why a stream does not go on.

use std::fmt;

use crate::kafka::TopicError;
use crate::web::{SetUpError, UrlError};
use crate::wikibase::timestamp::Timestamp;

/// Why a stream does not go on, or is not begun.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It is no URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A position is none of Kafka's.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Nothing can be asked.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// The server does not give it.
    #[error("{url} gives no stream: {what}")]
    Refused {
        /// What was asked for.
        url: String,
        /// What came instead.
        what: String,
    },
    /// The server has not answered for longer than allowed. The same may succeed later.
    #[error("{url} has been out of reach since {since}: {}", .heard.join("; "))]
    OutOfReach {
        /// What was asked for.
        url: String,
        /// Since when.
        since: Timestamp,
        /// What was heard last.
        heard: Vec<String>,
    },
    /// An event is larger than allowed, or what comes are no events.
    #[error("{url} sends an event of more than {most} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// What is allowed.
        most: usize,
    },
    /// Events may be lost.
    #[error(transparent)]
    Gap(Box<Gap>),
}

/// Where a stream goes on later than it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Gap {
    /// What was asked for.
    pub url: String,
    /// All from then on was wanted.
    pub asked: Timestamp,
    /// The time of what came.
    pub came: Timestamp,
    /// The offsets asked for and come, if it was asked for by offset.
    pub offsets: Option<(u64, u64)>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, asked, came, offsets } = self;
        write!(f, "{url} was asked for what happened since {asked}")?;
        if let Some((asked, _)) = offsets {
            write!(f, ", from offset {asked} on,")?;
        }
        write!(f, " but goes on at {came}")?;
        if let Some((_, came)) = offsets {
            write!(f, " with offset {came}")?;
        }
        f.write_str(": what happened between may be lost; begin anew with a later dump, or accept the gap")
    }
}
