//! The updater, as it is asked over HTTP.
//!
//! Promise: an answer that says no is an error with what it says; so is silence, with another exit code.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;

use crate::cli::error::{CliError, Kind, in_a_line};
use crate::env::Env;
use crate::storage::tasks::Tasks;
use crate::web::{BodyError, Client, NoAnswer, Request, Settings, Target, USER_AGENT, UrlError};

/// How long a connection, and the answer to a question, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an order may take to be carried out: to write all of a state to a distant store takes a while.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How many bytes an answer may have.
const MOST: usize = 16 << 20;

/// Where a running updater is asked.
#[derive(Debug, clap::Args)]
pub struct Control {
    /// Where the updater listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464", env = "HEADWATER_CONTROL")]
    control: String,
}

/// A running updater.
pub struct Peer {
    url: String,
    tasks: Tasks,
    stop: Arc<AtomicBool>,
}

impl Peer {
    /// Asks nothing yet.
    pub fn new(control: &Control, env: &Env) -> Result<Self, CliError> {
        let url = control.control.trim_end_matches('/');
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        Target::new(&url, &[]).map_err(|error| match error {
            UrlError::Secret(_) => CliError::usage(error.to_string()),
            UrlError::Form(text) => {
                CliError::usage(format!("`{text}` is no address of an updater: write it like http://127.0.0.1:9464"))
            }
        })?;
        let tasks = Tasks::start(1).map_err(|error| CliError::bug(&error))?;
        Ok(Self { url, tasks, stop: Arc::clone(&env.stop) })
    }

    /// What is at that path.
    pub fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask(path, None, TIMEOUT)
    }

    /// Gives an order, and waits until it is carried out.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.ask(path, Some(body.to_string().as_bytes()), LONGEST)
    }

    fn ask(&self, path: &str, body: Option<&[u8]>, patience: Duration) -> Result<Value, CliError> {
        let settings = Settings {
            user_agent: USER_AGENT.to_owned(),
            connect: TIMEOUT,
            part: patience,
            whole: Some(patience),
            kept: 0,
            // Whoever answers is near; a proxy would look for it elsewhere.
            is_direct: true,
        };
        let client = Client::new(&settings).map_err(|error| CliError::bug(&error))?;
        let url = format!("{}{path}", self.url);
        let posted = body.map(|body| (body, "application/json"));
        let asked = async {
            let response = client.send(Request { url: &url, host: None, headers: &[], posted }).await?;
            let status = response.status();
            Ok::<_, BodyError>((status, response.body(MOST).await?))
        };
        match self.tasks.run(&self.stop, asked) {
            None => Err(self.interrupted(body.is_some())),
            Some(Err(error)) => Err(self.silent(&error)),
            Some(Ok((status, body))) => self.judged(status, &body),
        }
    }

    /// What was answered, if it is a yes.
    fn judged(&self, status: u16, body: &[u8]) -> Result<Value, CliError> {
        let answer = serde_json::from_slice(body).ok().filter(Value::is_object);
        let error = answer.as_ref().and_then(|answer: &Value| answer.get("error")).and_then(Value::as_str);
        match (status, error) {
            (200, None) => answer.ok_or_else(|| self.stranger("what it says is not JSON")),
            (_, Some(error)) => Err(CliError::new(Kind::Data, format!("the updater says no: {}", in_a_line(error)))),
            (status, None) => Err(self.stranger(&format!("it answers with the status {status}"))),
        }
    }

    fn silent(&self, error: &BodyError) -> CliError {
        let url = &self.url;
        match error {
            BodyError::NoAnswer(NoAnswer::Unreachable { reason, .. }) => {
                CliError::new(Kind::Unavailable, format!("nobody answers at {url}: {reason}"))
                    .hint("does the updater run, and is this where it listens? --control names another place")
            }
            BodyError::NoAnswer(NoAnswer::Broken(reason)) => {
                CliError::new(Kind::Unavailable, format!("{url} gave no whole answer: {reason}"))
                    .hint("`headwater job status` tells whether the updater runs and what it has done")
            }
            BodyError::TooLarge(_) => self.stranger(&format!("its answer has {error}")),
        }
    }

    fn stranger(&self, what: &str) -> CliError {
        CliError::new(Kind::Data, format!("{} is no updater: {what}", self.url))
            .hint("--control names the address at which it listens")
    }

    fn interrupted(&self, is_order: bool) -> CliError {
        let error = CliError::new(Kind::Interrupted, "interrupted");
        if is_order { error.hint("the updater goes on with what it was told") } else { error }
    }
}
