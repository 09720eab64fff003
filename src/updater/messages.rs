//! A mutation and its triples -> the messages of every graph.
//!
//! Promise: after the messages, in their order, each graph is as the mutation says.
//! In -> out: [`Mutation`], [`Triples`] -> JSON, a message at a time, to an [`Outlet`].
//! Rules: upstream's `PatchChunkOperation` and `MutationEventDataGenerator`; see `subgraph::plan`, `updater::chunk`, `mutation::wire`.
//! Invariant: pure; the time and ids come from the caller.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::diff::Coverage;
use crate::munge::set::TripleSet;
use crate::mutation::Mutation;
use crate::mutation::wire::{Message, Meta, Version};
use crate::side_output::SideOutput;
use crate::subgraph::assign::Assigner;
use crate::subgraph::plan::{self, Step};
use crate::updater::chunk::{self, Chunk};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// What takes messages and side outputs. An error ends the run.
pub trait Outlet {
    /// Why something cannot be sent.
    type Error;

    /// A message for a graph, by the number that it has in the assigner.
    fn message(&mut self, graph: usize, entity: EntityId, json: &[u8]) -> Result<(), Self::Error>;

    /// A side output.
    fn side(&mut self, side: &SideOutput) -> Result<(), Self::Error>;

    /// What tells the next message from all others.
    fn stamp(&self) -> Stamp;
}

/// The triples that a mutation needs.
#[derive(Clone, Debug)]
pub enum Triples {
    /// None: the entity is gone.
    None,
    /// Those that the entity has; it is there as new.
    Import(Arc<TripleSet>),
    /// Those that it has, whatever is there.
    Reconcile(Arc<TripleSet>),
    /// Those that it had and those that it has.
    Diff(Arc<TripleSet>, Arc<TripleSet>),
}

impl Triples {
    /// Those that the entity has afterwards.
    pub fn after(&self) -> Option<&Arc<TripleSet>> {
        match self {
            Self::None => None,
            Self::Import(after) | Self::Reconcile(after) | Self::Diff(_, after) => Some(after),
        }
    }
}

/// What tells one message from others, and is not of the mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The present.
    pub now: Timestamp,
    /// A new UUID.
    pub id: String,
}

/// How messages are made.
#[derive(Debug)]
pub struct Messages {
    version: Version,
    domain: String,
    coverage: Coverage,
    limit: usize,
    assigner: Assigner,
    /// The number of each graph, by its name.
    numbers: HashMap<String, usize>,
    /// What stands in `meta.stream` for each graph.
    streams: Vec<String>,
    json: Vec<u8>,
}

impl Messages {
    /// For the graphs of an assigner, in their order. `domain` is the wiki's host, as in `meta.domain`.
    pub fn new(assigner: Assigner, version: Version, domain: &str, coverage: Coverage, limit: usize) -> Self {
        let numbers = assigner.graphs().enumerate().map(|(at, graph)| (graph.name.clone(), at)).collect();
        let streams = assigner.graphs().map(|graph| version.stream(&graph.stream)).collect();
        let domain = domain.to_owned();
        Self { version, domain, coverage, limit, assigner, numbers, streams, json: Vec::new() }
    }

    /// What stands in `meta.stream` for each graph.
    pub fn streams(&self) -> &[String] {
        &self.streams
    }

    /// Sends every message; how many there were.
    pub fn send<O: Outlet>(&mut self, mutation: &Mutation, triples: &Triples, outlet: &mut O) -> Result<u64, O::Error> {
        let mut sent = 0;
        for Step { graph, kind, patch } in steps(&self.assigner, self.coverage, mutation, triples) {
            let number = self.numbers.get(&graph.name).copied().unwrap_or_default();
            for Chunk { sequence, sequence_length, data } in chunk::chunks(kind, &patch, self.limit) {
                let Stamp { now, id } = outlet.stamp();
                let meta = Meta {
                    dt: now,
                    id: Cow::Owned(id),
                    domain: Some(Cow::Borrowed(&self.domain)),
                    stream: Cow::Borrowed(&self.streams[number]),
                    request_id: request_id(mutation).map(Cow::Borrowed),
                };
                let message = Message {
                    version: self.version,
                    meta,
                    entity: mutation.entity,
                    revision: mutation.revision.unsigned_abs(),
                    event_time: Timestamp::from_millis(mutation.event_time).unwrap_or_default(),
                    sequence,
                    sequence_length,
                    kind,
                    data,
                };
                self.json.clear();
                message.write(&mut self.json);
                outlet.message(number, mutation.entity, &self.json)?;
                sent += 1;
            }
        }
        Ok(sent)
    }
}

/// What holds the messages of a mutation together: the request that led to it, or the event, where that does not tell of one.
fn request_id(mutation: &Mutation) -> Option<&str> {
    mutation.original.request_id.as_deref().or(mutation.original.id.as_deref())
}

fn steps<'g>(assigner: &'g Assigner, coverage: Coverage, mutation: &Mutation, triples: &Triples) -> Vec<Step<'g>> {
    match triples {
        Triples::None => plan::delete(assigner),
        Triples::Import(all) => plan::import(assigner, mutation.entity, all),
        Triples::Reconcile(all) => plan::reconcile(assigner, mutation.entity, all, coverage),
        Triples::Diff(from, to) => plan::diff(assigner, mutation.entity, from, to),
    }
}
