//! Calls that are simply waited for, as a command line makes them.
//!
//! Promise: a call ends with an answer of any status, an error, or soon after a stop is asked for.
//! In -> out: a URL -> [`Answer`].
//! Invariant: a call is made once; whether to repeat it is for who knows what it does.

use std::time::Duration;

use crate::env::Env;
use crate::storage::tasks::Tasks;
use crate::web::{BodyError, Client, Request, Route, SetUpError, Settings, Target, WebError};

/// A connection must come within so much of the time that an answer may take.
const CONNECT: (u32, u32) = (9, 10);
/// So many times the time-out is the longest that a call may take in all, however steadily its answer drips.
const LONGEST: u32 = 12;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What came with it.
    pub body: Vec<u8>,
    /// The pause that it asks for, if it does: `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Whether the status says that it was done: 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Makes calls.
#[derive(Debug)]
pub struct Calls {
    tasks: Tasks,
    client: Client,
    routes: Vec<Route>,
    env: Env,
    most: usize,
}

impl Calls {
    /// Who calls as `user_agent`, waits `timeout` for a connection and for each part of an answer, and takes answers of `most`
    /// bytes at most. With routes, no proxy is used.
    pub fn new(
        user_agent: &str,
        timeout: Duration,
        most: usize,
        routes: Vec<Route>,
        env: &Env,
    ) -> Result<Self, SetUpError> {
        let client = Client::new(&Settings {
            user_agent: user_agent.to_owned(),
            connect: timeout * CONNECT.0 / CONNECT.1,
            part: timeout,
            whole: Some(timeout * LONGEST),
            kept: 1,
            is_direct: !routes.is_empty(),
        })?;
        let tasks = Tasks::start(1).map_err(SetUpError::Threads)?;
        Ok(Self { tasks, client, routes, env: env.clone(), most })
    }

    /// What is at a URL. Errors: `Url`, `OutOfReach`, `BadAnswer`, `Stopped`.
    pub fn get(&self, url: &str) -> Result<Answer, WebError> {
        self.call(url, None, &[])
    }

    /// Posts a body of that `Content-Type`. Errors as those of [`Calls::get`]; after `OutOfReach` and `Stopped` it is not known
    /// whether the server did what was asked.
    pub fn post(&self, url: &str, body: &[u8], content_type: &str) -> Result<Answer, WebError> {
        self.post_with(url, body, content_type, &[])
    }

    /// As [`Calls::post`], with more headers.
    pub fn post_with(
        &self,
        url: &str,
        body: &[u8],
        content_type: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, WebError> {
        self.call(url, Some((body, content_type)), headers)
    }

    fn call(
        &self,
        url: &str,
        posted: Option<(&[u8], &str)>,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, WebError> {
        let target = Target::new(url, &self.routes)?;
        let request = Request { url: target.asked(), host: target.host(), headers, posted };
        let answer = async {
            let response = self.client.send(request).await.map_err(BodyError::NoAnswer)?;
            let (status, retry_after) = (response.status(), response.retry_after((self.env.now)()));
            Ok(Answer { status, body: response.body(self.most).await?, retry_after })
        };
        let url = || target.public().to_owned();
        self.tasks.run(&self.env.stop, answer).ok_or(WebError::Stopped)?.map_err(|error| match error {
            BodyError::NoAnswer(reason) => WebError::OutOfReach { url: url(), reason },
            BodyError::TooLarge(_) => WebError::BadAnswer { url: url(), reason: error.to_string() },
        })
    }
}
