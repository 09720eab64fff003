//! Triple stores, asked and changed over SPARQL 1.1: the one door to their endpoints.
//!
//! Promise: an answer is a whole graph, or an error that says whether to ask again is of use.
//! In -> out: the text of a `CONSTRUCT` -> a [`Graph`]; that of an update -> what the store says of it.
//! Rules: SPARQL 1.1 Protocol, the query posted as it is. Every store answers a `CONSTRUCT` in Turtle, so that one reader serves all:
//! Oxigraph, QLever, Blazegraph, Virtuoso. Asked again: what broke off or was out of reach, and 429, 502, 503 and 504; a query changes
//! nothing, so it may be asked twice. An update is sent once: whether it was done, where no answer came, is for who knows what it does.
//! Not here: what is asked for, and what follows.

mod graph;
#[cfg(test)]
mod tests;
mod token;

use std::time::Duration;

pub use graph::{Graph, Key};
pub use token::Token;

use crate::env::Env;
use crate::rdf::SyntaxError;
use crate::web::{self, Answer, Calls, Route, SetUpError, WebError};

/// How often the same is asked at most.
const TRIES: u32 = 4;
/// The longest pause that a store may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The most that an answer may have, in bytes.
const MOST: usize = 256 << 20;
/// What is posted. Without its charset Blazegraph takes it for ISO 8859-1.
const QUERY: &str = "application/sparql-query; charset=UTF-8";
const UPDATE: &str = "application/sparql-update; charset=UTF-8";
/// How much of what a store says is told, in characters.
const TOLD: usize = 300;

/// Which store is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its endpoint of queries: `http://localhost:7878/query`.
    pub url: String,
    /// Its endpoint of updates, if it has another.
    pub update_url: Option<String>,
    /// What shows that this program may change it, as QLever wants it.
    pub token: Option<Token>,
    /// Who is to be asked in the place of others.
    pub routes: Vec<Route>,
    /// The `User-Agent` that is sent.
    pub user_agent: String,
    /// How long to wait for a connection, and for each part of an answer; queries over a whole store take long.
    pub timeout: Duration,
    /// How often a query is tried, at least once.
    pub tries: u32,
    /// The pause after the first try; it doubles with each.
    pub pause: Duration,
}

/// Why a store gave no graph.
#[derive(Debug, thiserror::Error)]
pub enum SparqlError {
    /// How it is to be asked cannot be used.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// It could not be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// It has no time, again and again.
    #[error("{url} is busy: the status {status}: {said}")]
    Busy {
        /// The endpoint.
        url: String,
        /// The status.
        status: u16,
        /// What came with it.
        said: String,
        /// The pause that it asks for, if it does.
        asked: Option<Duration>,
    },
    /// It refused.
    #[error("{url} refuses: the status {status}: {said}")]
    Refused {
        /// The endpoint.
        url: String,
        /// The status.
        status: u16,
        /// What came with it.
        said: String,
    },
    /// What it said with success is no graph: stores begin to answer before they know that they can.
    #[error("{url} does not answer in Turtle: byte {}: {}; it says: {said}", error.offset, error.message)]
    NotTurtle {
        /// The endpoint.
        url: String,
        /// What is wrong.
        error: SyntaxError,
        /// What it said.
        said: String,
    },
}

/// A store that is asked.
#[derive(Debug)]
pub struct Store {
    calls: Calls,
    settings: Settings,
    env: Env,
}

impl Settings {
    /// For the store at that endpoint.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            update_url: None,
            token: None,
            routes: Vec::new(),
            user_agent: web::USER_AGENT.to_owned(),
            timeout: Duration::from_secs(60),
            tries: TRIES,
            pause: Duration::from_millis(500),
        }
    }
}

/// What a store says of an update with success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How many triples it changed, if it says so.
    pub changed: Option<u64>,
    /// The beginning of what it said, in a line.
    pub said: String,
}

impl Store {
    /// Makes one; asks nothing yet.
    pub fn new(settings: Settings, env: &Env) -> Result<Self, SparqlError> {
        let calls = Calls::new(&settings.user_agent, settings.timeout, MOST, settings.routes.clone(), env)?;
        Ok(Self { calls, settings, env: env.clone() })
    }

    /// Its endpoint of queries, as it is shown.
    pub fn name(&self) -> String {
        public(&self.settings.url)
    }

    /// What a `CONSTRUCT` gives.
    pub fn construct(&self, query: &str) -> Result<Graph, SparqlError> {
        let url = &self.settings.url;
        for tried in 1.. {
            let error = match self.post(url, query, QUERY, "text/turtle") {
                Ok(answer) if answer.is_success() => return self.graph(&answer),
                Ok(answer) => refusal(url, &answer),
                Err(error) => error,
            };
            if !error.is_passing() || tried >= self.settings.tries {
                return Err(error);
            }
            let least = self.settings.pause * 2_u32.pow(tried - 1);
            if !self.env.rest(error.asked().clamp(least, LONGEST_PAUSE.max(least))) {
                return Err(WebError::Stopped.into());
            }
        }
        unreachable!("the last try ends it")
    }

    /// Sends an update, once. After an error that is passing it is not known whether it was done.
    pub fn update(&self, update: &str) -> Result<Done, SparqlError> {
        let url = self.settings.update_url.as_ref().unwrap_or(&self.settings.url);
        let answer = self.post(url, update, UPDATE, "*/*")?;
        match answer.is_success() {
            true => Ok(Done { changed: changed(&answer.body), said: told(&answer.body) }),
            false => Err(refusal(url, &answer)),
        }
    }

    fn post(&self, url: &str, body: &str, content_type: &str, accept: &str) -> Result<Answer, SparqlError> {
        let authorization = self.settings.token.as_ref().map(Token::header);
        let mut headers = vec![("accept", accept)];
        headers.extend(authorization.as_deref().map(|token| ("authorization", token)));
        let answer = self.calls.post_with(url, body.as_bytes(), content_type, &headers);
        Ok(answer.map_err(|error| match error {
            WebError::OutOfReach { reason, .. } => WebError::OutOfReach { url: public(url), reason },
            WebError::BadAnswer { reason, .. } => WebError::BadAnswer { url: public(url), reason },
            error => error,
        })?)
    }

    fn graph(&self, answer: &Answer) -> Result<Graph, SparqlError> {
        Graph::read(&answer.body).map_err(|error| SparqlError::NotTurtle {
            url: public(&self.settings.url),
            said: told(&answer.body),
            error,
        })
    }
}

/// An endpoint, as it is shown: what follows a question mark may be a key.
fn public(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

fn refusal(url: &str, answer: &Answer) -> SparqlError {
    let (url, status, said) = (public(url), answer.status, told(&answer.body));
    match status {
        429 | 502..=504 => SparqlError::Busy { url, status, said, asked: answer.retry_after },
        _ => SparqlError::Refused { url, status, said },
    }
}

impl SparqlError {
    /// Whether the same may succeed soon.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Web(WebError::OutOfReach { .. }))
    }

    /// The pause before the next try that the store asks for; none, if it asks for none.
    pub fn asked(&self) -> Duration {
        match self {
            Self::Busy { asked, .. } => asked.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}

/// How many triples an update changed, where the store says so. Rule: Blazegraph's page ends with `mutationCount=7`.
fn changed(body: &[u8]) -> Option<u64> {
    const COUNT: &[u8] = b"mutationCount=";
    let digits = &body[memchr::memmem::rfind(body, COUNT)? + COUNT.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// The beginning of what a store says, in a line.
fn told(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * TOLD)]);
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(TOLD).collect()
}
