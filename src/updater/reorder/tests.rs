//! The buffer does what upstream's operation does, written down slowly; and any order of arrival comes out as the right one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::{EventInfo, InputEvent, ReconcileAction};
use crate::updater::decide::{Outcome, decide};
use crate::updater::watermark::END;
use crate::wikibase::entity::{EntityKind, Revision};

const TEN: i64 = 10;

fn event(number: u32, change: Change, revision: i64, event_time: i64) -> Incoming {
    let item = EntityId::new(EntityKind::Item, number).unwrap().to_string();
    let stream = "stream".to_owned();
    let original =
        EventInfo { timestamp: 0, id: None, domain: None, stream, request_id: None, schema: "schema".to_owned() };
    Incoming::new(InputEvent { item, event_time, ingestion_time: 0, revision, change, original }).unwrap()
}

/// With a name, to tell events apart that are otherwise the same.
fn named(incoming: Incoming, id: usize) -> Incoming {
    let mut event = incoming.into_event();
    event.original.id = Some(id.to_string());
    Incoming::new(event).unwrap()
}

fn created(number: u64) -> Option<EntityState> {
    Some(EntityState::Created(Revision::new(number).unwrap()))
}

/// The loop as the updater has it: what has its turn is decided on, and the state follows.
struct Loop {
    reorder: Reorder,
    state: BTreeMap<EntityId, EntityState>,
    told: Vec<String>,
}

impl Loop {
    fn new() -> Self {
        Self { reorder: Reorder::new(TEN), state: BTreeMap::new(), told: Vec::new() }
    }

    fn push(&mut self, incoming: Incoming) {
        let state = self.state.get(&incoming.entity()).copied();
        match self.reorder.push(incoming, state) {
            Pushed::Ready(incoming) => follow(&mut self.state, &mut self.told, &incoming),
            Pushed::Late(incoming) => self.told.push(format!("late {}", text(&incoming))),
            Pushed::Buffered => {}
        }
    }

    fn advance(&mut self, watermark: i64) {
        let Self { reorder, state, told } = self;
        reorder.advance(watermark, |incoming| follow(state, told, &incoming));
    }
}

fn follow(state: &mut BTreeMap<EntityId, EntityState>, told: &mut Vec<String>, incoming: &Incoming) {
    let decision = decide(state.get(&incoming.entity()).copied(), incoming);
    match decision.next {
        Some(next) => state.insert(incoming.entity(), next),
        None => state.remove(&incoming.entity()),
    };
    let outcome = match decision.outcome {
        Outcome::Mutate(step) => step.operation.name(),
        Outcome::Report(inconsistency) | Outcome::Both(_, inconsistency) => inconsistency.name(),
    };
    told.push(format!("{outcome} {}", text(incoming)));
}

fn text(incoming: &Incoming) -> String {
    let event = incoming.event();
    format!("{} {} at {}", event.item, event.revision, event.event_time)
}

enum Step {
    Create(u32, i64, Option<i64>, i64),
    Delete(u32, i64, i64),
    Undelete(u32, i64, i64),
    Reconcile(u32, i64, i64),
    Watermark(i64),
}
use Step::{Create, Delete, Reconcile, Undelete, Watermark};

/// Upstream's `ReorderAndDecideMutationOperatorUnitTest`, with what it expects, and more.
const CASES: &[(&str, &[Step], &[&str])] = &[
    (
        "what operation to apply",
        &[
            Create(1, 3, Some(2), 30),
            Create(1, 1, None, 5),
            Watermark(42),
            Create(1, 2, Some(1), 45),
            Create(1, 2, Some(1), 4),
            Delete(2, 3, 103),
            Create(2, 1, None, 100),
            Create(2, 2, Some(1), 102),
            Watermark(200),
        ],
        &[
            "import Q1 1 at 5",
            "diff Q1 3 at 30",
            "newer_revision_seen Q1 2 at 45",
            "late Q1 2 at 4",
            "import Q2 1 at 100",
            "diff Q2 2 at 102",
            "delete Q2 3 at 103",
        ],
    ),
    ("delete", &[Create(1, 1, None, 1), Delete(1, 1, 2), Watermark(200)], &["import Q1 1 at 1", "delete Q1 1 at 2"]),
    ("delete of the unknown", &[Delete(1, 1, 1), Watermark(200)], &["newer_revision_seen Q1 1 at 1"]),
    (
        "late delete",
        &[Create(1, 2, None, 1), Watermark(20), Delete(1, 1, 25), Watermark(200)],
        &["import Q1 2 at 1", "newer_revision_seen Q1 1 at 25"],
    ),
    (
        "missed revision",
        &[Create(1, 1, None, 1), Delete(1, 2, 2), Watermark(200)],
        &["import Q1 1 at 1", "delete Q1 2 at 2"],
    ),
    (
        "missed revision that comes late",
        &[Create(1, 1, None, 1), Delete(1, 2, 2), Watermark(25), Create(1, 2, Some(1), 40), Watermark(200)],
        &["import Q1 1 at 1", "delete Q1 2 at 2", "newer_revision_seen Q1 2 at 40"],
    ),
    (
        "revision after a delete",
        &[Create(1, 1, None, 1), Delete(1, 1, 2), Create(1, 2, Some(1), 3), Watermark(200)],
        &["import Q1 1 at 1", "delete Q1 1 at 2", "missed_undelete Q1 2 at 3"],
    ),
    (
        "undelete",
        &[Create(1, 1, None, 1), Delete(1, 1, 2), Undelete(1, 1, 3), Watermark(200)],
        &["import Q1 1 at 1", "delete Q1 1 at 2", "import Q1 1 at 3"],
    ),
    (
        "late undelete",
        &[Create(1, 1, None, 1), Create(1, 2, None, 2), Watermark(20), Undelete(1, 1, 25), Watermark(200)],
        &["import Q1 1 at 1", "diff Q1 2 at 2", "newer_revision_seen Q1 1 at 25"],
    ),
    (
        "undelete first",
        &[Undelete(1, 1, 1), Create(1, 2, None, 2), Watermark(200)],
        &["import Q1 1 at 1", "diff Q1 2 at 2"],
    ),
    (
        "unmatched undelete",
        &[Create(1, 2, None, 1), Undelete(1, 2, 2), Watermark(200)],
        &["import Q1 2 at 1", "unmatched_delete Q1 2 at 2"],
    ),
    (
        "early delete and a revision twice",
        &[Create(1, 1, None, 0), Watermark(20), Delete(1, 1, 22), Create(1, 1, None, 20), Watermark(200)],
        &["import Q1 1 at 0", "newer_revision_seen Q1 1 at 20", "delete Q1 1 at 22"],
    ),
    (
        "what is in its turn does not wait, unless something does",
        &[
            Create(1, 1, None, 0),
            Watermark(10),
            Create(1, 2, Some(1), 20),
            Delete(1, 3, 40),
            Create(1, 3, Some(2), 30),
            Watermark(39),
            Watermark(40),
            Watermark(50),
        ],
        &["import Q1 1 at 0", "diff Q1 2 at 20", "diff Q1 3 at 30", "delete Q1 3 at 40"],
    ),
    (
        "an older revision goes with a newer one whose turn it is",
        &[Create(1, 3, None, 5), Create(1, 2, None, 100), Watermark(15), Watermark(200)],
        &["import Q1 2 at 100", "diff Q1 3 at 5"],
    ),
    (
        "a reconciliation does not wait",
        &[Create(1, 5, None, 5), Reconcile(1, 5, 6), Watermark(200)],
        &["reconcile Q1 5 at 6", "newer_revision_seen Q1 5 at 5"],
    ),
    ("a reconciliation can be late", &[Watermark(200), Reconcile(1, 5, 189)], &["late Q1 5 at 189"]),
    ("just in time", &[Watermark(200), Reconcile(1, 5, 190)], &["reconcile Q1 5 at 190"]),
];

#[test]
fn cases_of_upstream() {
    for (name, steps, expected) in CASES {
        let mut run = Loop::new();
        for step in *steps {
            match step {
                Create(number, revision, parent_revision, time) => {
                    run.push(event(*number, Change::RevCreate { parent_revision: *parent_revision }, *revision, *time));
                }
                Delete(number, revision, time) => run.push(event(*number, Change::PageDelete, *revision, *time)),
                Undelete(number, revision, time) => run.push(event(*number, Change::PageUndelete, *revision, *time)),
                Reconcile(number, revision, time) => {
                    let change = Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation };
                    run.push(event(*number, change, *revision, *time));
                }
                Watermark(time) => run.advance(*time),
            }
        }
        assert_eq!(run.told, *expected, "{name}");
        assert!(run.reorder.is_empty(), "{name}");
    }
}

#[test]
fn only_what_surely_is_in_its_turn_does_not_wait() {
    let create = |parent_revision, revision| event(1, Change::RevCreate { parent_revision }, revision, 5);
    let deleted = Some(EntityState::Deleted(Revision::new(4).unwrap()));
    let rows = [
        (create(Some(4), 5), created(4), false),
        (create(Some(3), 4), created(4), false),
        (create(Some(2), 3), created(4), false),
        (create(Some(3), 5), created(4), true),
        (create(Some(-4), 5), created(4), true),
        (create(None, 5), created(4), true),
        (create(None, 4), created(4), true),
        (create(Some(4), 5), deleted, true),
        (create(Some(4), 5), None, true),
        (event(1, Change::PageDelete, 5, 5), created(4), true),
        (event(1, Change::PageUndelete, 4, 5), deleted, true),
    ];
    for (incoming, state, waits) in rows {
        let pushed = Reorder::new(TEN).push(incoming.clone(), state);
        let expected = if waits { Pushed::Buffered } else { Pushed::Ready(incoming) };
        assert_eq!(pushed, expected);
    }
}

/// Upstream's operation as it reads: a list and timers for each entity.
#[derive(Default)]
struct Slow {
    watermark: i64,
    waiting: BTreeMap<EntityId, Vec<Incoming>>,
    timers: BTreeSet<(i64, EntityId)>,
}

impl Slow {
    fn push(&mut self, incoming: Incoming, state: Option<EntityState>) -> Pushed {
        let turn = incoming.event().event_time + TEN;
        let waiting = self.waiting.entry(incoming.entity()).or_default();
        let waits = match (&incoming.event().change, state) {
            (Change::ReconcileInputEvent { .. }, _) => false,
            (Change::RevCreate { parent_revision: Some(parent) }, Some(EntityState::Created(at))) => {
                let at = at.get() as i64;
                at < incoming.event().revision && (at != *parent || !waiting.is_empty())
            }
            _ => true,
        };
        if turn < self.watermark {
            return Pushed::Late(incoming);
        }
        if !waits {
            return Pushed::Ready(incoming);
        }
        self.timers.insert((turn, incoming.entity()));
        waiting.push(incoming);
        Pushed::Buffered
    }

    fn advance(&mut self, watermark: i64, mut ready: impl FnMut(Incoming)) {
        self.watermark = self.watermark.max(watermark);
        while let Some((time, entity)) = self.timers.first().copied().filter(|(time, _)| *time <= self.watermark) {
            self.timers.pop_first();
            let waiting = self.waiting.get_mut(&entity).unwrap();
            waiting.sort_by_key(|incoming| {
                let event = incoming.event();
                (event.revision, event.event_time, !matches!(event.change, Change::RevCreate { .. }))
            });
            let last = waiting.iter().rposition(|incoming| incoming.event().event_time + TEN <= time);
            waiting.drain(..last.map_or(0, |last| last + 1)).for_each(&mut ready);
        }
    }
}

#[derive(Clone, Debug)]
enum Doing {
    Push(Box<Incoming>, Option<EntityState>),
    Advance(i64),
    /// Everything that waits is taken out and put into another buffer.
    Checkpoint,
}

/// Anything at all, sensible or not, over few entities, revisions and times.
fn doings() -> impl Strategy<Value = Vec<Doing>> {
    let change = prop_oneof![
        3 => prop::option::weighted(0.8, 0..6_i64).prop_map(|parent_revision| Change::RevCreate { parent_revision }),
        1 => Just(Change::PageDelete),
        1 => Just(Change::PageUndelete),
        1 => Just(Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation }),
    ];
    let state = prop_oneof![
        Just(None),
        (1..6_u64).prop_map(created),
        Just(Some(EntityState::Deleted(Revision::new(2).unwrap())))
    ];
    let push = (1..4_u32, change, 1..6_i64, 0..60_i64, state).prop_map(|(number, change, revision, time, state)| {
        Doing::Push(Box::new(event(number, change, revision, time)), state)
    });
    let one = prop_oneof![6 => push, 2 => (0..80_i64).prop_map(Doing::Advance), 1 => Just(Doing::Checkpoint)];
    prop::collection::vec(one, 0..60)
}

proptest! {
    /// The buffer and upstream's operation give the same, whatever happens. Nothing is lost, nothing doubled; and to take the
    /// buffer out and put it back is to do nothing.
    #[test]
    fn it_does_what_upstream_does(doings in doings()) {
        let (mut quick, mut slow) = (Reorder::new(TEN), Slow::default());
        let (mut from_quick, mut from_slow) = (Vec::new(), Vec::new());
        let (mut pushed, mut late) = (0, 0);
        for (at, doing) in doings.into_iter().chain([Doing::Advance(1000)]).enumerate() {
            match doing {
                Doing::Push(incoming, state) => {
                    let incoming = named(*incoming, at);
                    pushed += 1;
                    let (one, other) = (quick.push(incoming.clone(), state), slow.push(incoming, state));
                    prop_assert_eq!(&one, &other);
                    match one {
                        Pushed::Ready(incoming) => { from_quick.push(incoming.clone()); from_slow.push(incoming) }
                        Pushed::Late(_) => late += 1,
                        Pushed::Buffered => {}
                    }
                }
                Doing::Advance(watermark) => {
                    quick.advance(watermark, |incoming| from_quick.push(incoming));
                    slow.advance(watermark, |incoming| from_slow.push(incoming));
                }
                Doing::Checkpoint => {
                    let kept: Vec<_> = quick.buffered().cloned().collect();
                    prop_assert_eq!(kept.len(), quick.len());
                    let mut restored = Reorder::new(TEN);
                    restored.advance(quick.watermark(), |_| panic!("it is empty"));
                    restored.restore(kept);
                    quick = restored;
                }
            }
            prop_assert_eq!(quick.len(), slow.waiting.values().map(Vec::len).sum::<usize>());
        }
        let of_entities = |mut events: Vec<Incoming>| {
            events.sort_by_key(Incoming::entity);
            events
        };
        prop_assert_eq!(of_entities(from_quick.clone()), of_entities(from_slow));
        prop_assert_eq!(from_quick.len() + late, pushed);
        let names: BTreeSet<_> = from_quick.iter().map(|incoming| incoming.event().original.id.clone()).collect();
        prop_assert_eq!(names.len(), from_quick.len());
        prop_assert!(quick.is_empty() && quick.first.is_empty() && quick.timers.is_empty());
    }

    /// Histories of entities, arriving in any order within the window, come out as they happened. But for what does not wait:
    /// an edit may overtake a deletion and an undeletion of the revision before it. Even then the same is known in the end.
    #[test]
    fn any_order_of_arrival_comes_out_right(
        history in prop::collection::vec((1..4_u32, 0..4_u32, 0..4_i64, 0..TEN), 1..60),
        is_restored in any::<bool>(),
    ) {
        let (mut sorted, mut shuffled, mut stateless) = (Loop::new(), Loop::new(), Reorder::new(TEN));
        let mut arriving = happened(&history, is_restored);
        arriving.iter().for_each(|(event, _)| sorted.push(event.clone()));
        sorted.advance(END);
        let in_time = texts(arriving.iter().map(|(event, _)| event.clone()));
        arriving.sort_by_key(|(_, arrival)| *arrival);
        let mut out = Vec::new();
        for (event, arrival) in arriving {
            shuffled.push(event.clone());
            prop_assert_eq!(stateless.push(event, None), Pushed::Buffered, "nothing is known: all wait");
            shuffled.advance(arrival);
            stateless.advance(arrival, |event| out.push(event));
        }
        shuffled.advance(END);
        stateless.advance(END, |event| out.push(event));
        prop_assert_eq!(texts(out), in_time);
        prop_assert_eq!(&sorted.state, &shuffled.state);
        prop_assert!(shuffled.told.iter().all(|line| !line.starts_with("late")), "{:?}", shuffled.told);
        if !is_restored {
            prop_assert_eq!(by_entity(sorted.told), by_entity(shuffled.told));
        }
    }
}

/// The events by entity, each entity's in the order given.
fn texts(events: impl IntoIterator<Item = Incoming>) -> Vec<String> {
    by_entity(events.into_iter().map(|event| format!("{} {}", event.event().change.name(), text(&event))).collect())
}

fn by_entity(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    lines
}

/// What may happen to entities, in the order of time, and when it arrives: edits, each on the one before, deletions, and, if
/// what is deleted may be restored, undeletions. Of an entry: entity, kind, time since the one before, delay.
fn happened(history: &[(u32, u32, i64, i64)], is_restored: bool) -> Vec<(Incoming, i64)> {
    let mut pages: BTreeMap<u32, (i64, bool)> = BTreeMap::new();
    let (mut time, mut revision) = (0, 0);
    let one = |(number, kind, passed, delay): &(u32, u32, i64, i64)| {
        time += passed + 1;
        let (last, is_there) = pages.get(number).copied().unwrap_or((0, false));
        let change = match (last, is_there, kind) {
            (1.., true, 0) => Change::PageDelete,
            (1.., false, _) if is_restored => Change::PageUndelete,
            (1.., false, _) => return None,
            _ => Change::RevCreate { parent_revision: (last > 0).then_some(last) },
        };
        let is_new = matches!(change, Change::RevCreate { .. });
        revision += i64::from(is_new);
        let page = (if is_new { revision } else { last }, change != Change::PageDelete);
        pages.insert(*number, page);
        Some((event(*number, change, page.0, time), time + delay))
    };
    history.iter().filter_map(one).collect()
}
