//! Where messages and side outputs go: topics of Kafka, files, standard output.
//!
//! Promise: what was sent between two commits is seen by readers of committed records at once or never; a file that is cut back to
//! where it was at a checkpoint and goes on from there has everything once.
//! In -> out: messages by graph, side outputs and dead letters -> [`Route`]s.
//! Invariant: one transaction for all topics; a file is one output, however many routes lead to it.
//! Not here: when to commit (see `updater::line`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use crate::env::{self, Env};
use crate::kafka::feed::Feed;
use crate::kafka::outbox::Outbox;
use crate::kafka::{Committed, KafkaError, Partition, Topic};
use crate::savepoint::stream::OutputEnd;
use crate::side_output::SideOutput;
use crate::side_output::wire::{self, Sender};
use crate::storage::appended::Appended;
use crate::storage::{self, Blob, Location, StorageError};
use crate::updater::messages::{Outlet, Stamp};
use crate::wikibase::entity::EntityId;

/// Where something goes.
#[derive(Clone, Debug)]
pub enum Route {
    /// To a partition of a topic, in transactions.
    Topic(Partition),
    /// To a local file, a line each.
    File(Location),
    /// To standard output, a line each: no commit takes that back.
    Stdout,
    /// Nowhere: it is only counted.
    Nowhere,
}

/// Where everything goes.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Messages, by graph.
    pub mutations: Vec<Route>,
    /// Events that came too late.
    pub lapsed: SideRoute,
    /// Events that do not fit.
    pub inconsistent: SideRoute,
    /// Mutations whose triples could not be had.
    pub fetch_failed: SideRoute,
    /// Records that are no events, with the reason.
    pub dead_letters: Route,
    /// The wiki's host, for `meta.domain`.
    pub domain: String,
    /// Which pipeline sends side outputs.
    pub emitter_id: Option<String>,
}

/// Where side outputs of a kind go.
#[derive(Clone, Debug)]
pub struct SideRoute {
    /// Where.
    pub to: Route,
    /// What stands in `meta.stream`.
    pub stream: String,
}

/// Why something cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Kafka said so. The transaction is lost: only a new beginning from what was committed helps.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A file cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Standard output is gone.
    #[error("standard output cannot be written")]
    Stdout(#[source] io::Error),
    /// A file is there that no checkpoint knows of.
    #[error("{0} is there already, and no checkpoint tells how much of it counts")]
    Exists(Location),
}

/// The open outputs.
pub struct Outputs {
    env: Env,
    routes: Routes,
    outbox: Option<Outbox>,
    files: BTreeMap<String, Appended>,
    stdout: Box<dyn Write>,
    /// Bytes and messages of each graph.
    sent: Vec<Sent>,
}

/// How much went to a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A record that is no event, as it is told.
#[derive(Serialize)]
struct DeadLetter<'d> {
    dt: String,
    topic: &'d str,
    partition: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    cause: &'d str,
    record: &'d str,
}

impl Routes {
    fn all(&self) -> impl Iterator<Item = &Route> {
        let sides = [&self.lapsed.to, &self.inconsistent.to, &self.fetch_failed.to, &self.dead_letters];
        self.mutations.iter().chain(sides)
    }

    /// Whether anything goes to Kafka.
    pub fn need_kafka(&self) -> bool {
        self.all().any(|route| matches!(route, Route::Topic(_)))
    }

    /// The topics that anything goes to.
    pub fn topics(&self) -> BTreeSet<Topic> {
        let topic =
            |route: &Route| if let Route::Topic(partition) = route { Some(partition.topic.clone()) } else { None };
        self.all().filter_map(topic).collect()
    }

    /// The files that anything goes to.
    pub fn files(&self) -> impl Iterator<Item = &Location> {
        self.all().filter_map(|route| if let Route::File(file) = route { Some(file) } else { None })
    }

    /// Whether anything goes where no commit takes it back.
    pub fn use_stdout(&self) -> bool {
        self.all().any(|route| matches!(route, Route::Stdout))
    }

    /// The first partition that messages go to.
    pub fn first_topic(&self) -> Option<&Partition> {
        self.all().find_map(|route| if let Route::Topic(partition) = route { Some(partition) } else { None })
    }

    fn side(&self, side: &SideOutput) -> &SideRoute {
        match side {
            SideOutput::Lapsed(_) => &self.lapsed,
            SideOutput::Inconsistent { .. } => &self.inconsistent,
            SideOutput::FetchFailed { .. } => &self.fetch_failed,
        }
    }
}

impl Outputs {
    /// Opens them; files are cut back to where a checkpoint says that they ended. With `overwrite`, files that no checkpoint knows of
    /// are emptied. Errors: `Exists`, `Storage`.
    pub fn open(
        routes: Routes,
        outbox: Option<Outbox>,
        ends: &[OutputEnd],
        overwrite: bool,
        stdout: Box<dyn Write>,
        env: &Env,
    ) -> Result<Self, OutputError> {
        let mut files = BTreeMap::new();
        for route in routes.all() {
            let Route::File(location) = route else { continue };
            let name = location.to_string();
            if files.contains_key(&name) {
                continue;
            }
            let end = ends.iter().find(|end| end.path == name).map(|end| end.bytes);
            // An empty one loses nothing: it is what a run leaves that could not take its first checkpoint.
            if end.is_none() && !overwrite && storage::exists(location)? && Blob::open(location)?.size() > 0 {
                return Err(OutputError::Exists(location.clone()));
            }
            files.insert(name, Appended::open(location, end.unwrap_or(0))?);
        }
        let sent = vec![Sent::default(); routes.mutations.len()];
        Ok(Self { env: env.clone(), routes, outbox, files, stdout, sent })
    }

    /// How much went to each graph.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// A record that is no event, with where it stands, as far as that is known, and why it is none.
    pub fn dead(
        &mut self,
        topic: &str,
        partition: u32,
        offset: Option<u64>,
        record: &[u8],
        cause: &str,
    ) -> Result<(), OutputError> {
        if matches!(self.routes.dead_letters, Route::Nowhere) {
            return Ok(());
        }
        let letter = DeadLetter {
            dt: (self.env.now)().to_string(),
            topic,
            partition,
            offset,
            cause,
            record: &String::from_utf8_lossy(record),
        };
        let json = serde_json::to_vec(&letter).expect("texts and numbers have a JSON form");
        let route = self.routes.dead_letters.clone();
        self.put(&route, b"", &json)
    }

    /// Hands all to the system; how long the files are then.
    pub fn flush(&mut self) -> Result<Vec<OutputEnd>, OutputError> {
        self.stdout.flush().map_err(OutputError::Stdout)?;
        let mut ends = Vec::with_capacity(self.files.len());
        for (path, file) in &mut self.files {
            file.flush()?;
            ends.push(OutputEnd { path: path.clone(), bytes: file.size() });
        }
        Ok(ends)
    }

    /// Commits what went to Kafka, with these offsets of the feed's group. Without Kafka nothing is to be done.
    pub fn commit(&mut self, feed: &Feed, offsets: &BTreeMap<Partition, Committed>) -> Result<(), OutputError> {
        match &self.outbox {
            Some(outbox) => Ok(outbox.commit(feed, offsets)?),
            None => Ok(()),
        }
    }

    /// Whether anything goes to Kafka.
    pub fn has_outbox(&self) -> bool {
        self.outbox.is_some()
    }

    fn put(&mut self, route: &Route, key: &[u8], json: &[u8]) -> Result<(), OutputError> {
        match route {
            Route::Nowhere => {}
            Route::Topic(partition) => {
                if let Some(outbox) = &self.outbox {
                    outbox.send(partition, key, json)?;
                }
            }
            Route::File(location) => {
                if let Some(file) = self.files.get_mut(&location.to_string()) {
                    file.append(json)?;
                    file.append(b"\n")?;
                }
            }
            Route::Stdout => {
                let written = self.stdout.write_all(json).and_then(|()| self.stdout.write_all(b"\n"));
                written.map_err(OutputError::Stdout)?;
            }
        }
        Ok(())
    }
}

impl Outlet for Outputs {
    type Error = OutputError;

    fn message(&mut self, graph: usize, entity: EntityId, json: &[u8]) -> Result<(), OutputError> {
        let route = self.routes.mutations[graph].clone();
        self.put(&route, entity.to_string().as_bytes(), json)?;
        self.sent[graph].messages += 1;
        self.sent[graph].bytes += json.len() as u64;
        Ok(())
    }

    fn side(&mut self, side: &SideOutput) -> Result<(), OutputError> {
        let SideRoute { to, stream } = self.routes.side(side).clone();
        if matches!(to, Route::Nowhere) {
            return Ok(());
        }
        let Stamp { now, id } = self.stamp();
        let emitter_id = self.routes.emitter_id.as_deref();
        let sender = Sender { id: &id, domain: &self.routes.domain, stream: &stream, emitter_id, now: now.millis() };
        let json = wire::to_json(side, &sender);
        self.put(&to, b"", &json)
    }

    fn stamp(&self) -> Stamp {
        Stamp { now: (self.env.now)(), id: env::new_id() }
    }
}
