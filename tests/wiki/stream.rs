//! The mutation stream as it ought to be: each change decided on in order, its documents at hand, every diff exact.
//!
//! Promise: what an updater would write that nothing ever goes wrong for. Made of the same parts as the real one, but without its loop:
//! for tests of those who read the stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use headwater::diff::{self, Coverage, Patch};
use headwater::event::Incoming;
use headwater::event::filter::Filter;
use headwater::event::wire::{self, Read};
use headwater::munge::document::Documents;
use headwater::munge::set::TripleSet;
use headwater::mutation::wire::{Kind, Message, Meta, Version};
use headwater::mutation::{Mutation, Operation};
use headwater::state::EntityState;
use headwater::updater::chunk::{Chunk, chunks};
use headwater::updater::decide::{Answer, decide};
use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;

use crate::wiki::dump::munge;
use crate::wiki::events::Form;
use crate::wiki::history::{History, Kind as Happened};
use crate::wiki::random::{hash, uuid};
use crate::wiki::turtle::Flavour;

/// The stream without a data centre's prefix.
pub const TOPIC: &str = "rdf-streaming-updater.mutation";

/// What is known of each entity.
pub type State = BTreeMap<EntityId, EntityState>;

/// A writer of the stream.
pub struct Writer<'h> {
    /// The wiki.
    pub history: &'h History,
    /// What is known of each entity so far.
    pub state: State,
    /// The form of its messages.
    pub version: Version,
    /// How long a message's triples may be, in UTF-16 code units.
    pub limit: usize,
    documents: Documents,
    written: u64,
}

/// The events that the wiki's updater takes.
pub fn filter(flavour: Flavour) -> Filter {
    match flavour {
        Flavour::Wikidata => Filter::wikidata(),
        Flavour::Commons => Filter::commons(),
    }
}

impl<'h> Writer<'h> {
    /// One that begins with the entities of a dump, or with none.
    pub fn new(history: &'h History, revisions: &BTreeMap<EntityId, Revision>) -> Self {
        let created = |(entity, revision): (&EntityId, &Revision)| (*entity, EntityState::Created(*revision));
        Self {
            history,
            state: revisions.iter().map(created).collect(),
            version: Version::V2,
            limit: headwater::updater::chunk::LIMIT,
            documents: Documents::new(&history.shape.flavour.scheme()),
            written: 0,
        }
    }

    /// The event of the change with that number, as an updater receives it.
    pub fn incoming(&self, number: usize, form: Form) -> Incoming {
        let event = self.history.event(number, form, 0);
        let received = self.history.changes[number].time + 100;
        match wire::read(&event.bytes(), &filter(self.history.shape.flavour), received) {
            Ok(Read::Event(incoming)) => incoming,
            other => panic!("the event of a change is one, but: {other:?}"),
        }
    }

    /// What the event of the change with that number leads to, if it is a mutation.
    pub fn decide(&mut self, number: usize, form: Form) -> Option<Mutation> {
        let incoming = self.incoming(number, form);
        let decision = decide(self.state.get(&incoming.entity()).copied(), &incoming);
        match decision.next {
            Some(next) => drop(self.state.insert(incoming.entity(), next)),
            None => drop(self.state.remove(&incoming.entity())),
        }
        match decision.carry_out(incoming) {
            Answer::Mutation(mutation) | Answer::Both(mutation, _) => Some(mutation),
            Answer::Side(_) => None,
        }
    }

    /// The messages that answer the change with that number.
    pub fn answer(&mut self, number: usize) -> Vec<Vec<u8>> {
        let Some(mutation) = self.decide(number, Form::PageChange) else { return Vec::new() };
        let time = self.history.changes[number].time;
        let patch = match mutation.operation {
            Operation::FullImport => diff::import(&self.triples(mutation.entity, mutation.revision, time)),
            Operation::Diff { from } => {
                let from = self.triples(mutation.entity, from.get() as i64, time);
                diff::diff(&from, &self.triples(mutation.entity, mutation.revision, time))
            }
            Operation::DeleteItem => Patch::default(),
            Operation::Reconcile => {
                diff::reconcile(&self.triples(mutation.entity, mutation.revision, time), Coverage::Complete)
            }
        };
        self.messages(&mutation, Kind::of(mutation.operation), &patch)
    }

    /// The messages that bring an entity to what it is now, whatever it was taken for.
    pub fn reconcile(&mut self, entity: EntityId, coverage: Coverage) -> Vec<Vec<u8>> {
        let changes = &self.history.changes;
        let last = changes.iter().rposition(|change| change.entity == entity).expect("it was once");
        let (revision, is_there) =
            (changes[last].revision as i64, !matches!(changes[last].kind, Happened::Delete { .. }));
        let incoming = self.incoming(last, Form::PageChange).into_event();
        let (event_time, ingestion_time) = (incoming.event_time, incoming.ingestion_time);
        let operation = if is_there { Operation::Reconcile } else { Operation::DeleteItem };
        let original = incoming.original;
        let mutation = Mutation { entity, revision, operation, event_time, ingestion_time, original };
        let patch = match is_there {
            true => diff::reconcile(&self.triples(entity, revision, i64::MAX), coverage),
            false => Patch::default(),
        };
        self.messages(&mutation, Kind::of(operation), &patch)
    }

    /// The triples of an entity at a revision, as they are fetched at that time.
    pub fn triples(&mut self, entity: EntityId, revision: i64, at: i64) -> TripleSet {
        let document = self.history.document_at(entity, revision as u64, at);
        munge(&mut self.documents, entity, &document.expect("nothing is fetched that is not there"))
    }

    /// The messages of a mutation.
    pub fn messages(&mut self, mutation: &Mutation, kind: Kind, patch: &Patch) -> Vec<Vec<u8>> {
        let chunks = chunks(kind, patch, self.limit);
        chunks.into_iter().map(|chunk| self.message(mutation, kind, chunk)).collect()
    }

    fn message(&mut self, mutation: &Mutation, kind: Kind, chunk: Chunk<'_>) -> Vec<u8> {
        self.written += 1;
        let time = |millis| Timestamp::from_millis(millis).expect("it is in this age");
        let meta = Meta {
            dt: time(mutation.ingestion_time + 1000),
            id: uuid(hash(self.written, 0x3e)).into(),
            domain: Some(self.history.shape.flavour.host().into()),
            stream: self.version.stream(TOPIC).into(),
            request_id: mutation.original.request_id.as_deref().map(Cow::Borrowed),
        };
        let message = Message {
            version: self.version,
            meta,
            entity: mutation.entity,
            revision: mutation.revision as u64,
            event_time: time(mutation.event_time),
            sequence: chunk.sequence,
            sequence_length: chunk.sequence_length,
            kind,
            data: chunk.data,
        };
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        bytes
    }
}
