//! The wiki's documents of entities at revisions, over HTTP.
//!
//! Promise: each document that was asked for comes, or why it does not; in any order, but each is waited for by itself, so that
//! who keeps what it began in a queue gets all in order.
//! In -> out: an entity and a revision -> [`Pending`] -> the bytes of its document, or a [`FetchError`].
//! Invariant: no more requests are on their way than allowed; to begin one never blocks. Dropped, a [`Pending`] is given up.
//! Rules: upstream's `WikibaseRepository` and `GenerateEntityDiffPatchOperation`; where it differs, this table says so:
//!
//! | what comes | what is done | what it is in the end |
//! | --- | --- | --- |
//! | 200 to 299 with a body | | the document |
//! | 204 | | `NoContent` |
//! | 200 with nothing in it | (caches make this of a 204) | `Empty` |
//! | 404 | again after 1 s, while a new revision's event is younger than the acceptable lag | `NotFound` |
//! | 503, 429 | three times more, after 500 ms or what `Retry-After` asks for (upstream: always 500 ms), 60 s at most | `Unexpected` |
//! | any other status; redirects are not followed | | `Unexpected` |
//! | a page in HTML, an unknown encoding, too many bytes | (upstream: not looked at) | `Unexpected` |
//! | an answer that breaks off, or none in time | four tries, 1 s apart | `Failed` |
//! | no connection: unknown host, refused, no TLS, time-out | again after 1 s, for half a minute (upstream: the job ends at once) | `Unavailable` |
//!
//! A connection that is reset is for upstream as if there were none, and ends the job; here it is an answer that breaks off, so that
//! one entity, poisoned for the server, cannot stop all others. HTTP/1.1 is spoken, as upstream does, and gzip understood.
//! Not here: what the document says (see `munge::document`), and what becomes of failures (see `side_output`).

mod answer;
pub mod attempts;
mod counts;
mod error;
mod route;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub use counts::Counts;
pub use error::{FetchError, FetchSetUpError};

use crate::entity_data::attempts::{Attempts, Retries, Trouble};
use crate::entity_data::route::Target;
use crate::env::Env;
use crate::storage::tasks::{Job, Slots, Tasks, pause};
use crate::web::{self, Client, Request, Route, SetUpError};
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// The threads that drive the requests; reading and unpacking is all they do.
const THREADS: usize = 2;
/// So many times the time-out is the longest that a request may take in all, however steadily its answer drips.
const LONGEST: u32 = 12;

/// What to fetch, whence and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The wiki's namespace of entity data, such as `https://www.wikidata.org/wiki/Special:EntityData/`.
    pub entity_data: String,
    /// Who is to be asked in the place of a host.
    pub routes: Vec<Route>,
    /// The `User-Agent` that is sent. Wikis ask that it says who runs the program and how to reach them.
    pub user_agent: String,
    /// How long to wait for a connection, and for each part of an answer.
    pub timeout: Duration,
    /// How many requests may be on their way at once. Upstream: 10.
    pub in_flight: usize,
    /// How many bytes a document may have.
    pub most_bytes: usize,
    /// How often and when to try again.
    pub retries: Retries,
}

impl Settings {
    /// As upstream has them, for that wiki.
    pub fn new(wiki: &UrisScheme) -> Self {
        Self {
            entity_data: wiki.entity_data().to_owned(),
            routes: Vec::new(),
            user_agent: web::USER_AGENT.to_owned(),
            timeout: Duration::from_secs(5),
            in_flight: 10,
            most_bytes: 64 << 20,
            retries: Retries::default(),
        }
    }
}

/// A document that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of which entity.
    pub entity: EntityId,
    /// At which revision.
    pub revision: Revision,
    /// Whether the revision is the one that the event made, which may not have reached all of the wiki's servers yet.
    pub is_new: bool,
    /// When that was.
    pub event_time: Timestamp,
}

/// Fetches documents.
#[derive(Debug)]
pub struct Fetcher {
    tasks: Arc<Tasks>,
    wiki: Arc<Wiki>,
}

/// A document that is on its way.
#[derive(Debug)]
pub struct Pending(Job<Result<Bytes, FetchError>>);

impl Pending {
    /// Whether [`Pending::wait`] would return at once.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// As [`Pending::is_ready`]; waits that long for it.
    pub fn is_ready_within(&mut self, time: Duration) -> bool {
        self.0.is_ready_within(time)
    }

    /// The document; waits for it.
    pub fn wait(self) -> Result<Bytes, FetchError> {
        self.0.wait()
    }
}

impl Fetcher {
    /// Makes one; asks nothing yet. Errors: what is set cannot be used, or the system has no threads left.
    pub fn new(settings: Settings, env: &Env) -> Result<Self, FetchSetUpError> {
        let target = Target::new(&settings.entity_data, &settings.routes)?;
        let client = client(&settings, &target)?;
        let tasks = Arc::new(Tasks::start(THREADS).map_err(SetUpError::Threads)?);
        let slots = Slots::new(settings.in_flight);
        let wiki = Wiki { client, target, slots, settings, now: env.now, counts: Mutex::default() };
        Ok(Self { tasks, wiki: Arc::new(wiki) })
    }

    /// Begins to fetch a document, as soon as its turn comes.
    pub fn begin(&self, asked: Asked) -> Pending {
        let wiki = Arc::clone(&self.wiki);
        Pending(self.tasks.spawn(async move { wiki.fetch(asked).await }))
    }

    /// What was fetched so far.
    pub fn counts(&self) -> Counts {
        self.wiki.counts(|counts| *counts)
    }
}

fn client(settings: &Settings, target: &Target) -> Result<Client, SetUpError> {
    Client::new(&web::Settings {
        user_agent: settings.user_agent.clone(),
        // Less than for an answer, so that which of both was waited for is known.
        connect: settings.timeout * 9 / 10,
        part: settings.timeout,
        whole: Some(settings.timeout * LONGEST),
        kept: settings.in_flight,
        // Who names a target means it. Without one, a proxy that the environment names is used.
        is_direct: target.host().is_some(),
    })
}

/// The wiki, as its documents are fetched.
#[derive(Debug)]
struct Wiki {
    client: Client,
    target: Target,
    slots: Slots,
    settings: Settings,
    now: fn() -> Timestamp,
    counts: Mutex<Counts>,
}

impl Wiki {
    async fn fetch(&self, asked: Asked) -> Result<Bytes, FetchError> {
        let url = self.target.asked(asked.entity, asked.revision);
        let mut attempts = Attempts::new(self.settings.retries, asked.is_new.then_some(asked.event_time));
        let mut is_retry = false;
        let trouble = loop {
            let slot = self.slots.take().await;
            let trouble = match self.request(&url, is_retry).await {
                Ok(document) => {
                    self.counts(|counts| counts.document(Ok(document.len())));
                    return Ok(document);
                }
                Err(trouble) => trouble,
            };
            let Some(time) = attempts.pause_after(&trouble, (self.now)()) else { break trouble };
            // A server that is busy is to get fewer requests: the place stays taken.
            let slot = Some(slot).filter(|_| matches!(trouble, Trouble::Busy { .. }));
            pause(time).await;
            drop(slot);
            is_retry = true;
        };
        let error = self.error(asked, trouble);
        self.counts(|counts| counts.document(Err(&error)));
        Err(error)
    }

    /// Requests a document once.
    async fn request(&self, url: &str, is_retry: bool) -> Result<Bytes, Trouble> {
        let start = (self.now)();
        let headers = &[("accept-encoding", "gzip")];
        let request = Request { url, host: self.target.host(), headers, posted: None };
        let answered = match self.client.send(request).await {
            Ok(response) => answer::read(response, self.settings.most_bytes, (self.now)()).await,
            Err(error) => Err(answer::without_answer(error, self.settings.timeout)),
        };
        let millis = (self.now)().millis().saturating_sub(start.millis()).max(0) as u64;
        self.counts(|counts| counts.request(is_retry, millis));
        answered
    }

    /// What a request's trouble is after the last try.
    fn error(&self, asked: Asked, trouble: Trouble) -> FetchError {
        let url = self.target.public(asked.entity, asked.revision);
        match trouble {
            Trouble::NotFound => FetchError::NotFound { url },
            Trouble::NoContent => FetchError::NoContent { url },
            Trouble::Empty => FetchError::Empty { url },
            Trouble::Busy { status, .. } => FetchError::Unexpected { url, what: format!("the status {status}") },
            Trouble::Unexpected(what) => FetchError::Unexpected { url, what },
            Trouble::Broken(reason) => FetchError::Failed { url, reason },
            Trouble::Unreachable { reason, .. } => FetchError::Unavailable { url, reason },
        }
    }

    fn counts<T>(&self, count: impl FnOnce(&mut Counts) -> T) -> T {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
