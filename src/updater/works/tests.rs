//! The order of mutations, what becomes one, and what cannot be had.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::diff::Coverage;
use crate::event::EventInfo;
use crate::munge::set::Filling;
use crate::mutation::wire::{Kind, Message, Version};
use crate::side_output::FailureKind;
use crate::subgraph::assign::Assigner;
use crate::subgraph::definitions::Definitions;
use crate::updater::messages::Stamp;
use crate::updater::revisions::{Arriving, Munged, Wiki};
use crate::wikibase::entity::EntityKind;
use crate::wikibase::uris::UrisScheme;

fn entity(number: u32) -> EntityId {
    EntityId::new(EntityKind::Item, number).unwrap()
}

fn mutation(number: u32, operation: Operation, revision: i64) -> Mutation {
    let original = EventInfo {
        timestamp: 0,
        id: None,
        domain: None,
        stream: String::new(),
        request_id: None,
        schema: String::new(),
    };
    Mutation { entity: entity(number), revision, operation, event_time: 0, ingestion_time: 0, original }
}

fn diff(from: u64) -> Operation {
    Operation::Diff { from: Revision::new(from).unwrap() }
}

/// A wiki in which every revision says its own number, and those in `gone` are not to be had. Each comes after it was asked for so
/// often.
#[derive(Clone, Default)]
struct Numbers {
    gone: Rc<RefCell<Vec<u64>>>,
    slow: u64,
}

struct Slow(u64, Munged);

impl Arriving for Slow {
    fn is_ready_within(&mut self, _: Duration) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }

    fn take(self: Box<Self>) -> Munged {
        self.1
    }
}

impl Wiki for Numbers {
    fn begin(&self, asked: Asked) -> Box<dyn Arriving> {
        let revision = asked.revision.get();
        let munged = if self.gone.borrow().contains(&revision) {
            let (kind, exception) = (FailureKind::EntityNotFound, "NotFound".to_owned());
            Err(Missing::Failed(Failure { kind, exception, message: String::new() }))
        } else {
            let mut filling = Filling::default();
            filling.line(&format!("<{}> <at> <{revision}> .\n", asked.entity), false);
            Ok(Arc::new(filling.take().unwrap()))
        };
        Box::new(Slow(self.slow * (revision % 5), munged))
    }
}

/// What was sent: kind, entity, revision, added and removed triples; of side outputs the operation that failed.
#[derive(Default)]
struct Sent(Vec<String>);

impl Outlet for Sent {
    type Error = std::convert::Infallible;

    fn message(&mut self, _: usize, entity: EntityId, json: &[u8]) -> Result<(), Self::Error> {
        let message = Message::read(json).unwrap();
        let number = |text: &str| text.rsplit('<').next().unwrap_or_default().trim_end_matches("> .\n").to_owned();
        let [added, removed] = [&message.data.added, &message.data.removed].map(|text| number(text));
        assert_eq!((message.entity, message.kind == Kind::Delete), (entity, added.is_empty()));
        self.0.push(format!("{} {entity} {} +{added} -{removed}", message.kind.name(), message.revision));
        Ok(())
    }

    fn side(&mut self, side: &SideOutput) -> Result<(), Self::Error> {
        let SideOutput::FetchFailed { mutation, .. } = side else { panic!("no other comes of here") };
        self.0.push(format!("failed {} {} {}", mutation.operation.name(), mutation.entity, mutation.revision));
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        Stamp { now: Timestamp::default(), id: String::new() }
    }
}

/// All that is sent for these mutations.
fn sent(wiki: &Numbers, limits: Limits, mutations: &[Mutation]) -> Vec<String> {
    let (mut works, mut revisions) = (Works::new(limits), Revisions::new(Box::new(wiki.clone()), 1 << 16));
    let assigner = Assigner::new(&Definitions::whole("s"), &UrisScheme::wikidata());
    let mut messages = Messages::new(assigner, Version::V2, "d", Coverage::Complete, 1000);
    mutations.iter().for_each(|mutation| works.push(mutation.clone(), 0));
    let mut sent = Sent::default();
    while !works.is_empty() {
        works.begin(&mut revisions);
        let Ok(_) = works.finish(Duration::ZERO, &mut revisions, &mut messages, &mut sent);
    }
    assert_eq!((works.pending().count(), works.begun()), (0, 0));
    sent.0
}

const LIMITS: Limits = Limits { begun: 2, waiting: 100, coalesce: false };

/// A name, what waits, and what is told.
type Row<'r> = (&'r str, &'r [(Operation, i64)], &'r [&'r str]);

#[test]
fn what_becomes_one() {
    use Operation::{DeleteItem, FullImport, Reconcile};
    // What an entity at revision 1, if any, is told of mutations that wait at the same time.
    let rows: &[Row<'_>] = &[
        ("edits", &[(diff(1), 2), (diff(2), 3), (diff(3), 4)], &["diff Q1 4 +4 -1"]),
        ("a new entity and its edits", &[(FullImport, 2), (diff(2), 3)], &["import Q1 3 +3 -"]),
        ("an edit and a deletion", &[(diff(1), 2), (DeleteItem, 2)], &["delete Q1 2 + -"]),
        (
            "a deletion and a restoration are two",
            &[(DeleteItem, 1), (FullImport, 1)],
            &["delete Q1 1 + -", "import Q1 1 +1 -"],
        ),
        (
            "edits around them",
            &[(diff(1), 2), (DeleteItem, 2), (FullImport, 2), (diff(2), 3), (diff(3), 4)],
            &["delete Q1 2 + -", "import Q1 4 +4 -"],
        ),
        ("edits after a reconciliation", &[(Reconcile, 2), (diff(2), 3)], &["reconcile Q1 3 +3 -"]),
        ("a reconciliation after an edit", &[(diff(1), 2), (Reconcile, 2)], &["reconcile Q1 2 +2 -"]),
    ];
    for (name, steps, expected) in rows {
        let mutations: Vec<_> = steps.iter().map(|(operation, revision)| mutation(1, *operation, *revision)).collect();
        let limits = Limits { coalesce: true, ..LIMITS };
        assert_eq!(sent(&Numbers::default(), limits, &mutations), *expected, "{name}");
    }
}

#[test]
fn after_a_failure_the_entity_is_reconciled_once() {
    let wiki = Numbers::default();
    wiki.gone.borrow_mut().push(2);
    let mutations = [
        mutation(1, diff(1), 2),
        mutation(2, diff(8), 9),
        mutation(1, diff(2), 3),
        mutation(1, diff(3), 4),
        mutation(1, diff(1), 2),
        mutation(1, Operation::DeleteItem, 2),
        mutation(1, Operation::FullImport, 5),
        mutation(1, diff(5), 6),
    ];
    let expected = [
        "failed diff Q1 2",
        "diff Q2 9 +9 -8",
        "reconcile Q1 3 +3 -",
        "diff Q1 4 +4 -3",
        "failed diff Q1 2",
        "delete Q1 2 + -",
        "import Q1 5 +5 -",
        "diff Q1 6 +6 -5",
    ];
    assert_eq!(sent(&wiki, LIMITS, &mutations), expected);
}

#[test]
fn a_revision_is_fetched_once() {
    let wiki = Numbers { slow: 3, ..Numbers::default() };
    let mut revisions = Revisions::new(Box::new(wiki), 1 << 16);
    let mut works = Works::new(Limits { begun: 10, ..LIMITS });
    (1..=4).for_each(|at| works.push(mutation(1, diff(at), at as i64 + 1), 0));
    works.begin(&mut revisions);
    assert_eq!(revisions.shared(), 3, "of eight that are wanted five are asked for");
}

proptest! {
    /// However slow single documents are, and however few are begun at once: the order is that of the decisions.
    #[test]
    fn in_the_order_of_decisions(
        steps in proptest::collection::vec(1..6_u32, 1..60),
        begun in 1..10_usize,
        slow in 0..4_u64,
    ) {
        let mut at = BTreeMap::new();
        let mut next = 0;
        let mutations: Vec<_> = steps.iter().map(|number| {
            next += 1;
            let operation = at.insert(*number, next).map_or(Operation::FullImport, diff);
            mutation(*number, operation, next as i64)
        }).collect();
        let wiki = Numbers { slow, ..Numbers::default() };
        let all = sent(&wiki, Limits { begun, ..LIMITS }, &mutations);
        let order: Vec<_> = all.iter().map(|line| line.split(' ').nth(2).unwrap().parse::<u64>().unwrap()).collect();
        prop_assert_eq!(order, (1..=mutations.len() as u64).collect::<Vec<_>>());
        // Coalesced, each entity is told no more than once what waits at the same time, and what it has in the end.
        let limits = Limits { begun: 1, waiting: 1000, coalesce: true };
        let one = sent(&Numbers::default(), limits, &mutations);
        prop_assert_eq!(one.len(), at.len());
    }
}
