//! How web servers are asked: the one door to the HTTP client.
//!
//! Promise: an answer comes in time and within its bounds, or it is told whether the server was reached.
//! In -> out: a [`Client`] and a [`Request`] -> a [`Response`], read part by part, for who works asynchronously; [`Calls`] for who
//! simply waits.
//! Invariant: redirects are not followed. HTTP/1.1 is spoken; TLS trusts whom the system trusts.
//! Not here: what is tried again (see the modules that ask), and what an answer says.

mod calls;
mod error;
mod route;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HOST, HeaderValue};
use reqwest::redirect::Policy;

pub use calls::{Answer, Calls};
pub use error::{BodyError, NoAnswer, SetUpError, WebError};
pub use route::{Route, RouteError, Target, UrlError};

use crate::wikibase::timestamp::Timestamp;

/// How this program calls itself to web servers.
pub const USER_AGENT: &str = concat!("Headwater/", env!("CARGO_PKG_VERSION"), " (Wikibase streaming updater) bot");

/// A connection that was not used for so long is closed, before the server does so while it is used again.
const IDLE: Duration = Duration::from_secs(15);

/// How servers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `User-Agent` that is sent. Wikis ask that it says who runs the program and how to reach them.
    pub user_agent: String,
    /// How long to wait for a connection.
    pub connect: Duration,
    /// How long to wait for each part of an answer.
    pub part: Duration,
    /// How long a request may take in all; `None` for one that never ends.
    pub whole: Option<Duration>,
    /// How many connections to a server are kept for later.
    pub kept: usize,
    /// Whether a proxy that the environment names (`HTTPS_PROXY`) is passed by.
    pub is_direct: bool,
}

/// Asks servers, asynchronously; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// Where: the URL that is connected to.
    pub url: &'r str,
    /// What the `Host` header says, where the URL says something else.
    pub host: Option<&'r str>,
    /// More headers. One that cannot be sent is an error of this program.
    pub headers: &'r [(&'static str, &'r str)],
    /// What is posted, and its `Content-Type`; without it the request is a `GET`.
    pub posted: Option<(&'r [u8], &'r str)>,
}

/// The head of an answer, its body yet to come.
#[derive(Debug)]
pub struct Response(reqwest::Response);

impl Client {
    /// Makes one; asks nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, SetUpError> {
        let bad_agent = |_| SetUpError::BadUserAgent(settings.user_agent.clone());
        let agent = HeaderValue::from_str(&settings.user_agent).map_err(bad_agent)?;
        let mut client = reqwest::Client::builder()
            .user_agent(agent)
            .http1_only()
            .redirect(Policy::none())
            .pool_max_idle_per_host(settings.kept)
            .pool_idle_timeout(IDLE)
            .connect_timeout(settings.connect)
            .read_timeout(settings.part);
        if let Some(whole) = settings.whole {
            client = client.timeout(whole);
        }
        if settings.is_direct {
            client = client.no_proxy();
        }
        client.build().map(Self).map_err(|error| SetUpError::Client(error.to_string()))
    }

    /// Sends a request; the body of what comes is read from the [`Response`].
    pub async fn send(&self, request: Request<'_>) -> Result<Response, NoAnswer> {
        let mut asked = match request.posted {
            None => self.0.get(request.url),
            Some((body, kind)) => self.0.post(request.url).header(CONTENT_TYPE, kind).body(body.to_vec()),
        };
        if let Some(host) = request.host {
            asked = asked.header(HOST, host);
        }
        for (name, value) in request.headers {
            asked = asked.header(*name, *value);
        }
        asked.send().await.map(Response).map_err(|error| NoAnswer::of(&error))
    }
}

impl Response {
    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// A header, if it is there and text; the name in lower case.
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.0.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// The pause that `Retry-After` asks for: in seconds, or up to a date, seen from `now`. Rule: RFC 9110.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        self.header("retry-after").and_then(|text| pause(text, now))
    }

    /// The next part of the body, of whatever size it came; `None` at its end.
    pub async fn part(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        self.0.chunk().await.map_err(|error| NoAnswer::of(&error))
    }

    /// The whole body, as it was sent, if it has `most` bytes at most.
    pub async fn body(mut self, most: usize) -> Result<Vec<u8>, BodyError> {
        let length = self.0.content_length().unwrap_or(0);
        if length > most as u64 {
            return Err(BodyError::TooLarge(most));
        }
        let mut body = Vec::with_capacity(length as usize);
        while let Some(part) = self.part().await? {
            if body.len() + part.len() > most {
                return Err(BodyError::TooLarge(most));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }
}

fn pause(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::parse_http(text).ok()?;
    Some(Duration::from_millis(until.millis().saturating_sub(now.millis()).max(0) as u64))
}
