//! A state and a newer dump, read so that they can be compared.
//!
//! Promise: what an [`Evidence`] holds for settled was surely read from the wiki before the time of the state.
//! In -> out: a savepoint or checkpoint -> [`Known`]; dumps, or a revision map -> [`Evidence`].
//! Rules: every document of a dump says when it was begun, and takes no longer than [`End::After`]: Wikibase's dump scripts cut
//! them so that each stays well under an hour. What a document tells of was read between the two.
//! Invariant: what waits in a checkpoint is in the state as if its turn had come.

use std::time::Duration;

use crate::bootstrap::gather::{self, Gathered};
use crate::bootstrap::guard;
use crate::bootstrap::{BootstrapError, OnBadEntity, Wiki};
use crate::dump::scan::Manner;
use crate::env::Env;
use crate::event::{EventError, Incoming, InputEvent};
use crate::reconcile::compare::Evidence;
use crate::revision_map::Negative;
use crate::savepoint::stream::Stream;
use crate::savepoint::{self, About, SavepointError};
use crate::state::{EntityState, StateTable};
use crate::storage::Location;
use crate::updater::decide::decide;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;

/// When something read from a wiki was surely read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By then, all of it.
    At(Timestamp),
    /// Each document so long after it was begun.
    After(Duration),
}

/// What the updater knows.
#[derive(Debug, Default)]
pub struct Known {
    /// The entities and their states; events that wait had their turn.
    pub state: StateTable,
    /// All events up to this moment are in there, if it is told.
    pub until: Option<Timestamp>,
    /// Entities whose last mutation could not be sent.
    pub behind: Vec<EntityId>,
    /// The namespace of the wiki's entities, if it is told.
    pub concept: Option<String>,
}

/// Why a savepoint cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum KnownError {
    /// It cannot be read.
    #[error(transparent)]
    Savepoint(#[from] SavepointError),
    /// An event that waits in it is none.
    #[error("an event that waits in {location} cannot be read")]
    Event {
        /// The savepoint.
        location: Location,
        /// Why.
        source: EventError,
    },
}

/// Reads a savepoint or checkpoint.
pub fn known(dir: &Location) -> Result<Known, KnownError> {
    let contents = savepoint::read(dir)?.whole(dir)?;
    let Stream { watermark, buffered, behind, .. } = contents.stream;
    let (until, concept, buffered) = match contents.about {
        About::Native(manifest) => {
            // What the bootstrap made is as old as the dump it was made of.
            let until = watermark.or(manifest.made.dump_starts.map(|starts| starts.oldest));
            (until, Some(manifest.made.concept), buffered)
        }
        About::Flink(_, entries) => (None, None, entries.events.into_iter().flat_map(|(_, events)| events).collect()),
    };
    let mut state = contents.state;
    settle(&mut state, buffered).map_err(|source| KnownError::Event { location: dir.clone(), source })?;
    Ok(Known { state, until, behind, concept })
}

/// Lets waiting events have their turn. Rule: upstream's order within an entity, by revision and time.
pub fn settle(state: &mut StateTable, buffered: Vec<InputEvent>) -> Result<(), EventError> {
    let mut events = buffered.into_iter().map(Incoming::new).collect::<Result<Vec<_>, _>>()?;
    events.sort_by_key(|event| (event.entity(), event.event().revision, event.event().event_time));
    for event in events {
        match decide(state.get(event.entity()), &event).next {
            Some(next) => state.set(event.entity(), next),
            None => state.remove(event.entity()),
        };
    }
    Ok(())
}

/// What dumps prove for a state that is complete up to `until`.
pub fn of_dumps(
    dumps: &[Location],
    (wiki, strict): (&Wiki, bool),
    on_bad_entity: OnBadEntity,
    (end, until): (End, Timestamp),
    env: &Env,
) -> Result<(Evidence, Gathered), BootstrapError> {
    let manner = Manner { scheme: &wiki.scheme, strict };
    // The last moment at which a document may have been begun that was complete by then.
    let last = match end {
        End::At(end) if end <= until => None,
        End::At(_) => Some(Timestamp::default()),
        End::After(longest) => Some(until.before(longest)),
    };
    let mut gathered = gather::dumps_by(dumps, manner, on_bad_entity, last, env)?;
    guard::refuse(&gathered, wiki.scheme.entity_data())?;
    let headers = gathered.headers();
    let is_over = last.is_none_or(|last| headers.newest().is_some_and(|newest| newest <= last));
    let evidence = Evidence {
        is_complete: is_over && (last.is_none() || headers.undated() == 0),
        settled: std::mem::take(&mut gathered.table),
        unsettled: std::mem::take(&mut gathered.later),
    };
    Ok((evidence, gathered))
}

/// What a revision map proves that was complete at `end`, for a state that is complete up to `until`. An entity that it calls
/// deleted is one that it does not have.
pub fn of_map(
    (files, negative): (&[Location], Negative),
    on_bad_entity: OnBadEntity,
    (end, until): (Timestamp, Timestamp),
    env: &Env,
) -> Result<(Evidence, Gathered), BootstrapError> {
    let mut gathered = gather::revision_map(files, negative, on_bad_entity, env)?;
    guard::refuse(&gathered, "")?;
    let mut table = std::mem::take(&mut gathered.table);
    let is_deleted = |(entity, state)| matches!(state, EntityState::Deleted(_)).then_some(entity);
    let deleted: Vec<_> = table.iter().filter_map(is_deleted).collect();
    deleted.into_iter().for_each(|entity| _ = table.remove(entity));
    let is_complete = end <= until;
    let (settled, unsettled) =
        if is_complete { (table, StateTable::default()) } else { (StateTable::default(), table) };
    Ok((Evidence { settled, unsettled, is_complete }, gathered))
}
