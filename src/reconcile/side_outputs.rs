//! What the updater could not do, as repairs.
//!
//! Promise: one repair an entity and updater, for what upstream would reconcile; what follows from the wiki's word where it is asked.
//! In -> out: side outputs -> [`Told`] -> [`Repair`]s.
//! Rules: upstream's `UpdaterReconcile`. Late events ask for what they say; of inconsistencies only `unmatched_delete`,
//! `missed_undelete` and `newer_revision_seen` of what is deleted, each for a creation; failed fetches ask for a creation at the
//! newest revision, if there is one. Upstream asks the wiki of failed fetches only, and sends an event for each side output; here the
//! wiki is asked of all, and there is one event an entity, that of the newest revision, or of those the last: so an entity that was
//! deleted late and restored since is not deleted.
//! Invariant: pure, but for the [`Wiki`].

use serde::Serialize;

use crate::event::{Change, EventInfo, Incoming, ReconcileAction};
use crate::mediawiki::ApiError;
use crate::reconcile::repair::{BATCH, Repair, Wiki, one_each};
use crate::side_output::wire::Received;
use crate::side_output::{Inconsistency, SideOutput};
use crate::wikibase::entity::{EntityId, Revision};

/// The places in a tag that stand for what a side output says: of its data centre, and of the pipeline that sent it. Upstream's own.
pub const PLACES: [&str; 2] = [DATA_CENTRE, EMITTER];
const DATA_CENTRE: &str = "$DC$";
const EMITTER: &str = "$EMITTER_ID$";

/// What side outputs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Late events.
    pub late: u64,
    /// Inconsistencies that ask for a repair.
    pub inconsistent: u64,
    /// Failed fetches.
    pub failed: u64,
    /// Inconsistencies that ask for none.
    pub harmless: u64,
    /// Side outputs of other wikis.
    pub other_wikis: u64,
    /// Entities that the wiki no longer has, and that nobody asks to delete.
    pub gone: u64,
}

/// Side outputs, as far as they were read.
#[derive(Debug)]
pub struct Told {
    /// The tag of whoever is to repair.
    source: String,
    domain: String,
    repairs: Vec<(i64, Repair)>,
    /// How many there were.
    pub counts: Counts,
}

/// A side output does not say what the tag needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a side output of {entity} has no `{field}`, which the tag `{source_tag}` needs")]
pub struct NoTag {
    entity: EntityId,
    field: &'static str,
    source_tag: String,
}

impl Told {
    /// None yet, of the wiki `domain`, for the updaters with that tag.
    pub fn new(domain: &str, source: &str) -> Self {
        Self { source: source.to_owned(), domain: domain.to_owned(), repairs: Vec::new(), counts: Counts::default() }
    }

    /// Takes a side output.
    pub fn take(&mut self, received: Received) -> Result<(), NoTag> {
        if received.domain.as_deref() != Some(&self.domain) {
            self.counts.other_wikis += 1;
            return Ok(());
        }
        let Some(asked) = asked(&received.side) else {
            self.counts.harmless += 1;
            return Ok(());
        };
        *match received.side {
            SideOutput::Lapsed(_) => &mut self.counts.late,
            SideOutput::Inconsistent { .. } => &mut self.counts.inconsistent,
            SideOutput::FetchFailed { .. } => &mut self.counts.failed,
        } += 1;
        let Asked { entity, revision, action, time, cause, reason } = asked;
        let source = Some(self.tag(entity, &received)?);
        self.repairs.push((time, Repair { entity, revision, action, reason, cause: Some(cause), source }));
        Ok(())
    }

    /// The tag for a side output.
    fn tag(&self, entity: EntityId, received: &Received) -> Result<String, NoTag> {
        let mut tag = self.source.clone();
        let fields =
            [(DATA_CENTRE, "datacenter", &received.data_centre), (EMITTER, "emitter_id", &received.emitter_id)];
        for (place, field, value) in fields {
            if tag.contains(place) {
                let missing = || NoTag { entity, field, source_tag: self.source.clone() };
                tag = tag.replace(place, value.as_ref().ok_or_else(missing)?);
            }
        }
        Ok(tag)
    }

    /// One repair for each entity, as the side outputs have them.
    pub fn repairs(mut self) -> (Vec<Repair>, Counts) {
        self.repairs.sort_by_key(|(time, _)| *time);
        (one_each(self.repairs.into_iter().map(|(_, repair)| repair)), self.counts)
    }

    /// The same, as the wiki has them now.
    pub fn confirmed(self, wiki: &mut dyn Wiki) -> Result<(Vec<Repair>, Counts), ApiError> {
        let (repairs, mut counts) = self.repairs();
        let mut confirmed = Vec::new();
        for batch in repairs.chunks(BATCH) {
            let entities: Vec<_> = batch.iter().map(|repair| repair.entity).collect();
            for (repair, latest) in batch.iter().zip(wiki.latest(&entities)?) {
                let latest = latest.map(|latest| latest.revision);
                match (latest, repair.action) {
                    (Some(latest), _) => confirmed.push(Repair {
                        revision: repair.revision.max(Some(latest)),
                        action: ReconcileAction::ReconcileCreation,
                        ..repair.clone()
                    }),
                    (None, ReconcileAction::ReconcileDeletion) => confirmed.push(repair.clone()),
                    // The updater was surely told of the deletion since; and what is gone could not be fetched.
                    (None, ReconcileAction::ReconcileCreation) => counts.gone += 1,
                }
            }
        }
        Ok((confirmed, counts))
    }
}

/// What a side output asks for.
struct Asked {
    entity: EntityId,
    revision: Option<Revision>,
    action: ReconcileAction,
    time: i64,
    cause: EventInfo,
    reason: &'static str,
}

fn asked(side: &SideOutput) -> Option<Asked> {
    use ReconcileAction::ReconcileCreation;
    match side {
        SideOutput::Lapsed(event) => Some(Asked::of(event, action(&event.event().change), "late")),
        SideOutput::Inconsistent { event, inconsistency, state } => {
            let is_deleted = state.is_some_and(|state| state.is_deleted());
            let is_asking = match inconsistency {
                Inconsistency::UnmatchedUndelete | Inconsistency::MissedUndelete => true,
                Inconsistency::NewerRevisionSeen => is_deleted,
                Inconsistency::ReconcileAmbiguousDeletion | Inconsistency::ReconcileAmbiguousCreation => false,
            };
            is_asking.then(|| Asked::of(event, ReconcileCreation, inconsistency.name()))
        }
        SideOutput::FetchFailed { mutation, .. } => Some(Asked {
            entity: mutation.entity,
            // What is to be there has a revision.
            revision: Some(u64::try_from(mutation.revision).ok().and_then(|number| Revision::new(number).ok())?),
            action: ReconcileCreation,
            time: mutation.event_time,
            cause: mutation.original.clone(),
            reason: "fetch_failed",
        }),
    }
}

impl Asked {
    fn of(event: &Incoming, action: ReconcileAction, reason: &'static str) -> Self {
        let (entity, revision) = (event.entity(), event.revision());
        let (time, cause) = (event.event().event_time, event.event().original.clone());
        Self { entity, revision, action, time, cause, reason }
    }
}

const fn action(change: &Change) -> ReconcileAction {
    match change {
        Change::RevCreate { .. } | Change::PageUndelete => ReconcileAction::ReconcileCreation,
        Change::PageDelete => ReconcileAction::ReconcileDeletion,
        Change::ReconcileInputEvent { action } => *action,
    }
}

#[cfg(test)]
mod tests;
