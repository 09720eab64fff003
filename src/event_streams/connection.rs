//! One connection to a stream: from a pause before it to its end.
//!
//! Promise: the bytes of the answer in order, then why it ended.
//! In -> out: [`Ask`] -> bytes -> [`End`].
//! Invariant: no more is read than there are places for what was not taken; the server has to wait then. Dropped, it is closed.
//! Not here: what the bytes mean, and whether to connect again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::storage::tasks::{Inlet, Job, Outlet, Taken, Tasks, pause};
use crate::web::{Client, NoAnswer, Request, Response};
use crate::wikibase::timestamp::Timestamp;

/// Parts of an answer that are read ahead; each has some 8 to 400 KB.
const PLACES: usize = 4;
/// How much of a refusal is told, in bytes.
const MOST_TOLD: usize = 300;

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The URL that is requested.
    pub url: String,
    /// What the `Host` header says, if not what the URL says.
    pub host: Option<String>,
    /// Where to go on.
    pub last_event_id: Option<String>,
    /// How long to wait before that.
    pub pause: Duration,
    /// The present, for what the server says of times.
    pub now: fn() -> Timestamp,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The server closed it, as it does now and then.
    Closed,
    /// The server has no place for it.
    Busy {
        /// 429 or 503.
        status: u16,
        /// The pause that it asks for.
        asked: Option<Duration>,
    },
    /// It broke, was silent for too long, or the server has trouble.
    Failed(String),
    /// There was none.
    Unreachable(String),
    /// What is asked for is not to be had, however often it is asked for.
    Refused(String),
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    parts: Outlet<Bytes>,
    job: Job<End>,
}

/// What came over a connection.
#[derive(Debug)]
pub enum Came {
    /// Bytes.
    Part(Bytes),
    /// Nothing so far.
    Nothing,
    /// Its end.
    End,
}

impl Connection {
    /// Begins one.
    pub fn begin(tasks: &Arc<Tasks>, client: &Client, ask: Ask) -> Self {
        let (inlet, parts) = tasks.pipe(PLACES);
        let client = client.clone();
        Self { parts, job: tasks.spawn(async move { run(&client, &ask, &inlet).await }) }
    }

    /// What came next; waits that long for it.
    pub fn next(&mut self, wait: Duration) -> Came {
        match self.parts.take(wait) {
            Taken::Item(part) => Came::Part(part),
            Taken::Nothing => Came::Nothing,
            Taken::Ended => Came::End,
        }
    }

    /// Why it ended, once it has.
    pub fn end(self) -> End {
        self.job.wait()
    }
}

async fn run(client: &Client, ask: &Ask, inlet: &Inlet<Bytes>) -> End {
    pause(ask.pause).await;
    let mut headers = vec![("accept", "text/event-stream"), ("cache-control", "no-cache")];
    headers.extend(ask.last_event_id.as_deref().map(|id| ("last-event-id", id)));
    let request = Request { url: &ask.url, host: ask.host.as_deref(), headers: &headers, posted: None };
    let mut response = match client.send(request).await {
        Ok(response) => response,
        Err(NoAnswer::Unreachable { reason, .. }) => return End::Unreachable(reason),
        Err(NoAnswer::Broken(reason)) => return End::Failed(reason),
    };
    if let Some(end) = judge(&response, ask.now) {
        return match end {
            End::Refused(what) => End::Refused(what + &told(response).await),
            end => end,
        };
    }
    loop {
        match response.part().await {
            // Without anyone to take it, it is about to be dropped.
            Ok(Some(part)) => _ = inlet.put(part).await,
            Ok(None) => return End::Closed,
            Err(error) => return End::Failed(error.to_string()),
        }
    }
}

/// Why a connection ends with its answer's head; `None` if it is a stream.
fn judge(response: &Response, now: fn() -> Timestamp) -> Option<End> {
    let has =
        |name, wanted: &str| response.header(name).is_some_and(|text| text.to_ascii_lowercase().starts_with(wanted));
    match response.status() {
        status @ (429 | 503) => Some(End::Busy { status, asked: response.retry_after(now()) }),
        status @ (408 | 425 | 500 | 502 | 504) => Some(End::Failed(format!("the status {status}"))),
        200 if !has("content-type", "text/event-stream") => {
            let kind = response.header("content-type").unwrap_or("no type").to_owned();
            Some(End::Refused(format!("{kind} instead of text/event-stream")))
        }
        200 if response.header("content-encoding").is_some() && !has("content-encoding", "identity") => {
            Some(End::Refused("it is packed, which was not asked for".to_owned()))
        }
        200 => None,
        status => Some(End::Refused(format!("the status {status}"))),
    }
}

/// What stands in an answer that is no stream, shortened; nothing of a page in HTML.
async fn told(mut response: Response) -> String {
    let part = response.part().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&part[..part.len().min(MOST_TOLD)]).trim().to_owned();
    if text.is_empty() || text.starts_with('<') { String::new() } else { format!(": {text}") }
}
