//! The whole table of states and events, and the laws that hold for all of it.

use proptest::prelude::*;

use super::*;
use crate::event::EventInfo;

const STATE: u64 = 5;

fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

fn info() -> EventInfo {
    EventInfo {
        timestamp: 2,
        id: Some("id".to_owned()),
        domain: None,
        stream: "stream".to_owned(),
        request_id: Some("request".to_owned()),
        schema: "schema".to_owned(),
    }
}

fn event(change: Change, revision: i64) -> Incoming {
    let item = "Q7".to_owned();
    Incoming::new(InputEvent { item, event_time: 1, ingestion_time: 3, revision, change, original: info() }).unwrap()
}

fn change(name: &str) -> Change {
    match name {
        "create" => Change::RevCreate { parent_revision: Some(1) },
        "delete" => Change::PageDelete,
        "undelete" => Change::PageUndelete,
        "reconcile-creation" => Change::ReconcileInputEvent { action: ReconcileAction::ReconcileCreation },
        "reconcile-deletion" => Change::ReconcileInputEvent { action: ReconcileAction::ReconcileDeletion },
        other => panic!("{other}"),
    }
}

fn state(text: &str) -> Option<EntityState> {
    match text {
        "none" => None,
        "created" => Some(EntityState::Created(revision(STATE))),
        "deleted" => Some(EntityState::Deleted(revision(STATE))),
        other => panic!("{other}"),
    }
}

fn told(outcome: Outcome) -> String {
    let step = |step: Step| match step.operation {
        Operation::Diff { from } => format!("diff {from} {}", step.revision),
        operation => format!("{} {}", operation.name(), step.revision),
    };
    match outcome {
        Outcome::Mutate(mutation) => step(mutation),
        Outcome::Report(inconsistency) => inconsistency.name().to_owned(),
        Outcome::Both(mutation, inconsistency) => format!("{} {}", step(mutation), inconsistency.name()),
    }
}

fn known(state: Option<EntityState>) -> String {
    match state {
        None => "-".to_owned(),
        Some(EntityState::Created(revision)) => format!("created {revision}"),
        Some(EntityState::Deleted(revision)) => format!("deleted {revision}"),
    }
}

/// Event, state (at revision 5), revision of the event, what to do, state after.
const TABLE: &[(&str, &str, i64, &str, &str)] = &[
    ("create", "none", 4, "import 4", "created 4"),
    ("create", "created", 4, "newer_revision_seen", "created 5"),
    ("create", "created", 5, "newer_revision_seen", "created 5"),
    ("create", "created", 6, "diff 5 6", "created 6"),
    ("create", "deleted", 4, "newer_revision_seen", "deleted 5"),
    ("create", "deleted", 5, "newer_revision_seen", "deleted 5"),
    ("create", "deleted", 6, "missed_undelete", "deleted 5"),
    ("delete", "none", 4, "newer_revision_seen", "-"),
    ("delete", "created", 4, "newer_revision_seen", "created 5"),
    ("delete", "created", 5, "delete 5", "deleted 5"),
    ("delete", "created", 6, "delete 6", "deleted 6"),
    ("delete", "deleted", 4, "newer_revision_seen", "deleted 5"),
    ("delete", "deleted", 5, "newer_revision_seen", "deleted 5"),
    ("delete", "deleted", 6, "newer_revision_seen", "deleted 5"),
    ("undelete", "none", 4, "import 4", "created 4"),
    ("undelete", "created", 4, "newer_revision_seen", "created 5"),
    ("undelete", "created", 5, "unmatched_delete", "created 5"),
    ("undelete", "created", 6, "newer_revision_seen", "created 5"),
    ("undelete", "deleted", 4, "unmatched_delete", "deleted 5"),
    ("undelete", "deleted", 5, "import 5", "created 5"),
    ("undelete", "deleted", 6, "unmatched_delete", "deleted 5"),
    ("reconcile-creation", "none", 4, "reconcile 4", "created 4"),
    ("reconcile-creation", "created", 4, "reconcile 5", "created 5"),
    ("reconcile-creation", "created", 5, "reconcile 5", "created 5"),
    ("reconcile-creation", "created", 6, "reconcile 6", "created 6"),
    ("reconcile-creation", "deleted", 4, "delete 5", "deleted 5"),
    ("reconcile-creation", "deleted", 5, "reconcile 5 reconcile_ambiguous_creation", "created 5"),
    ("reconcile-creation", "deleted", 6, "reconcile 6", "created 6"),
    ("reconcile-deletion", "none", 4, "delete 4", "deleted 4"),
    ("reconcile-deletion", "created", 4, "reconcile 5", "created 5"),
    ("reconcile-deletion", "created", 5, "delete 5 reconcile_ambiguous_deletion", "deleted 5"),
    ("reconcile-deletion", "created", 6, "delete 6", "deleted 6"),
    ("reconcile-deletion", "deleted", 4, "delete 5", "deleted 5"),
    ("reconcile-deletion", "deleted", 5, "delete 5", "deleted 5"),
    ("reconcile-deletion", "deleted", 6, "delete 6", "deleted 6"),
    ("reconcile-deletion", "none", 0, "delete 0", "-"),
    ("reconcile-deletion", "created", 0, "delete 0", "-"),
    ("reconcile-deletion", "deleted", 0, "delete 0", "-"),
];

#[test]
fn the_whole_table() {
    for (name, before, revision, outcome, next) in TABLE {
        let decision = decide(state(before), &event(change(name), *revision));
        let row = format!("{name} {revision} when {before}");
        assert_eq!(told(decision.outcome), *outcome, "{row}");
        assert_eq!(known(decision.next), *next, "{row}");
        assert_eq!(decision.before, state(before), "{row}");
    }
    let names = ["create", "delete", "undelete", "reconcile-creation", "reconcile-deletion"];
    for name in names {
        for (state, revisions) in [("none", &[4][..]), ("created", &[4, 5, 6]), ("deleted", &[4, 5, 6])] {
            for revision in revisions {
                let is_row = |row: &&(&str, &str, i64, &str, &str)| (row.0, row.1, row.2) == (name, state, *revision);
                assert_eq!(TABLE.iter().filter(is_row).count(), 1, "{name} {revision} when {state}");
            }
        }
    }
}

#[test]
fn what_is_carried_out_holds_what_the_event_said() {
    let mutation = |operation, revision| Mutation {
        entity: event(Change::PageDelete, 1).entity(),
        revision,
        operation,
        event_time: 1,
        ingestion_time: 3,
        original: info(),
    };
    let side = |event: &Incoming, inconsistency, state| {
        Box::new(SideOutput::Inconsistent { event: event.clone(), inconsistency, state })
    };
    let created = state("created");
    let rows = [
        ("create", 6, Answer::Mutation(mutation(Operation::Diff { from: revision(5) }, 6))),
        ("create", 4, Answer::Side(side(&event(change("create"), 4), Inconsistency::NewerRevisionSeen, created))),
        (
            "reconcile-deletion",
            5,
            Answer::Both(
                mutation(Operation::DeleteItem, 5),
                side(&event(change("reconcile-deletion"), 5), Inconsistency::ReconcileAmbiguousDeletion, created),
            ),
        ),
        ("reconcile-deletion", 0, Answer::Mutation(mutation(Operation::DeleteItem, 0))),
    ];
    for (name, revision, expected) in rows {
        let event = event(change(name), revision);
        assert_eq!(decide(created, &event).carry_out(event), expected, "{name} {revision}");
    }
}

fn events() -> impl Strategy<Value = Vec<Incoming>> {
    let one = (0..5_usize, 1..9_i64, prop::bool::weighted(0.05)).prop_map(|(which, revision, forced)| {
        let names = ["create", "delete", "undelete", "reconcile-creation", "reconcile-deletion"];
        if forced { event(change("reconcile-deletion"), 0) } else { event(change(names[which]), revision) }
    });
    prop::collection::vec(one, 0..40)
}

proptest! {
    /// No decision lowers a revision but a forced delete; what the state says afterwards is what was sent out.
    #[test]
    fn revisions_only_rise_and_state_is_what_was_sent(events in events()) {
        let mut state = None;
        for event in events {
            let decision = decide(state, &event);
            let is_forced = event.revision().is_none();
            let (before, after) = (state.map(EntityState::revision), decision.next.map(EntityState::revision));
            prop_assert!(is_forced && after.is_none() || after >= before, "{state:?} {event:?}");
            match decision.outcome {
                Outcome::Report(_) => prop_assert_eq!(decision.next, state),
                Outcome::Mutate(step) | Outcome::Both(step, _) => {
                    let is_deletion = step.operation == Operation::DeleteItem;
                    prop_assert_eq!(decision.next.is_none_or(EntityState::is_deleted), is_deletion);
                    prop_assert_eq!(after.map_or(0, |revision| revision.get() as i64), step.revision);
                    if let Operation::Diff { from } = step.operation {
                        prop_assert_eq!(state, Some(EntityState::Created(from)));
                    }
                }
            }
            state = decision.next;
        }
    }

    /// An event that comes twice changes the state once.
    #[test]
    fn an_event_that_comes_again_changes_nothing(events in events()) {
        let mut state = None;
        for event in events {
            state = decide(state, &event).next;
            prop_assert_eq!(decide(state, &event).next, state, "{:?}", event);
        }
    }
}
