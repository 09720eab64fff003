//! What is to be sent of what was found, after the wiki was asked where that is needed.
//!
//! Promise: a [`Repair`] is made for each finding that is certain, and for each doubtful one that the wiki confirms: that what it says
//! now was so at the time of the state already, which the state does not know. Where the wiki was asked, a repair is what it said.
//! In -> out: [`Finding`]s, a [`Wiki`] -> [`Repair`]s, and how many of the doubtful came to what.
//! Rules: an edit, deletion or restoration after the time of the state is yet to come by the stream, so it is left to that.
//! Invariant: nothing doubtful is repaired without the wiki's word.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::{EventInfo, ReconcileAction};
use crate::mediawiki::{ApiError, Latest};
use crate::reconcile::compare::Finding;
use crate::state::EntityState;
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;

/// What is to be told to the updater of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The entity.
    pub entity: EntityId,
    /// At which revision it is, or was deleted; `None`: that it is to be deleted whatever its revision.
    pub revision: Option<Revision>,
    /// Whether it is there.
    pub action: ReconcileAction,
    /// Why, in a word.
    pub reason: &'static str,
    /// The event that could not be handled, if there was one.
    pub cause: Option<EventInfo>,
    /// The tag of the updater that it is for, if it is not the run's.
    pub source: Option<String>,
}

/// The wiki, as it is now.
pub trait Wiki {
    /// The newest revisions of entities, in the order asked; `None` where there is none such.
    fn latest(&mut self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError>;

    /// When the page of an entity was last deleted or restored, if the wiki tells. `title`: the page's, if it is known.
    fn turned(&mut self, entity: EntityId, title: Option<&str>) -> Result<Option<Timestamp>, ApiError>;
}

/// What the findings came to that the wiki was asked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// They are wrong in the state.
    pub wrong: u64,
    /// The state is right.
    pub right: u64,
    /// It happened after the time of the state.
    pub since: u64,
    /// The wiki says something that cannot be; they are left alone.
    pub odd: u64,
}

/// How many entities the wiki is asked of at once. Rule: the API's limit for those who have no right to more.
pub const BATCH: usize = 50;

/// What a certain finding asks for. `None` for any other.
pub fn of_certain(finding: &Finding) -> Option<Repair> {
    let known = finding.known.map(EntityState::revision);
    let revision = finding.dumped.max(known).filter(|_| finding.class.is_certain())?;
    Some(repair(finding, revision, ReconcileAction::ReconcileCreation))
}

/// Asks the wiki of findings, and gives `take` what they ask for: of those that are expected nothing. `until` is the time up to which the state is complete.
pub fn confirm(
    asked: &[Finding],
    until: Timestamp,
    wiki: &mut dyn Wiki,
    mut take: impl FnMut(Repair),
) -> Result<Confirmed, ApiError> {
    let mut confirmed = Confirmed::default();
    for batch in asked.chunks(BATCH) {
        let entities: Vec<_> = batch.iter().map(|finding| finding.entity).collect();
        for (finding, latest) in batch.iter().zip(wiki.latest(&entities)?) {
            match judge(finding, latest.as_ref(), until, wiki)? {
                Word::Wrong(repair) => {
                    confirmed.wrong += 1;
                    take(repair);
                }
                Word::Right => confirmed.right += 1,
                Word::Since => confirmed.since += 1,
                Word::Odd => confirmed.odd += 1,
            }
        }
    }
    Ok(confirmed)
}

/// What the wiki says to a finding.
enum Word {
    Wrong(Repair),
    Right,
    Since,
    Odd,
}

fn judge(finding: &Finding, latest: Option<&Latest>, until: Timestamp, wiki: &mut dyn Wiki) -> Result<Word, ApiError> {
    use EntityState::{Created, Deleted};
    use ReconcileAction::{ReconcileCreation, ReconcileDeletion};
    let wrong = |revision, action| Word::Wrong(repair(finding, revision, action));
    // The log is asked only where it decides: one page at a time.
    let mut is_since = |title| Ok::<_, ApiError>(wiki.turned(finding.entity, title)?.is_some_and(|time| time > until));
    Ok(match (finding.known, latest) {
        (None | Some(Deleted(_)), None) => Word::Right,
        (Some(Created(_)), None) if is_since(None)? => Word::Since,
        (Some(Created(known)), None) => {
            wrong(finding.dumped.map_or(known, |dumped| dumped.max(known)), ReconcileDeletion)
        }
        (Some(Created(known)), Some(latest)) if latest.revision < known => Word::Odd,
        (_, Some(latest)) if finding.class.is_certain() => wrong(latest.revision, ReconcileCreation),
        (Some(Created(known)), Some(latest)) if latest.revision == known => Word::Right,
        (Some(Created(_)), Some(latest)) if latest.time > until => Word::Since,
        (_, Some(latest)) if finding.known.is_some_and(EntityState::is_deleted) && is_since(Some(&latest.title))? => {
            Word::Since
        }
        (_, Some(latest)) => wrong(latest.revision, ReconcileCreation),
    })
}

fn repair(finding: &Finding, revision: Revision, action: ReconcileAction) -> Repair {
    let (entity, reason) = (finding.entity, finding.class.name());
    Repair { entity, revision: Some(revision), action, reason, cause: None, source: None }
}

/// Of several repairs of one entity and for one updater the one that counts: that at the newest revision, and of those the last.
pub fn one_each(repairs: impl IntoIterator<Item = Repair>) -> Vec<Repair> {
    let mut each = BTreeMap::<_, Repair>::new();
    for repair in repairs {
        let key = (repair.source.clone(), repair.entity);
        if each.get(&key).is_none_or(|known| known.revision <= repair.revision) {
            each.insert(key, repair);
        }
    }
    each.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use EntityState::{Created, Deleted};
    use ReconcileAction::{ReconcileCreation, ReconcileDeletion};

    use super::*;
    use crate::reconcile::compare::Class;

    /// A wiki of some pages: the newest revision and its time; and when each was last deleted or restored.
    #[derive(Default)]
    struct Made {
        pages: BTreeMap<EntityId, (u64, i64)>,
        turns: BTreeMap<EntityId, i64>,
        asked: Vec<usize>,
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    impl Wiki for Made {
        fn latest(&mut self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError> {
            self.asked.push(entities.len());
            let latest = |(number, time): &(u64, i64)| Latest {
                revision: revision(*number),
                time: at(*time),
                title: "T".to_owned(),
            };
            Ok(entities.iter().map(|entity| self.pages.get(entity).map(latest)).collect())
        }

        fn turned(&mut self, entity: EntityId, title: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
            assert_eq!(title, self.pages.contains_key(&entity).then_some("T"));
            Ok(self.turns.get(&entity).copied().map(at))
        }
    }

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn q(number: u32) -> EntityId {
        EntityId::parse(format!("Q{number}").as_bytes()).unwrap()
    }

    fn finding(class: Class, known: Option<EntityState>, dumped: Option<u64>) -> Finding {
        Finding { entity: q(1), class, known, dumped: dumped.map(revision) }
    }

    #[test]
    fn what_is_certain_is_asked_for_at_the_newest_revision_known() {
        let created = |number| Some(Created(revision(number)));
        let rows = [
            (finding(Class::Missing, None, Some(5)), Some(5)),
            (finding(Class::Older, created(4), Some(5)), Some(5)),
            (finding(Class::Restored, Some(Deleted(revision(4))), Some(5)), Some(5)),
            (finding(Class::Unsent, created(6), Some(5)), Some(6)),
            (finding(Class::Unsent, created(6), None), Some(6)),
            (finding(Class::Gone, created(6), None), None),
            (finding(Class::Deleted, Some(Deleted(revision(5))), Some(5)), None),
            (finding(Class::Newer, created(6), Some(5)), None),
        ];
        for (finding, expected) in rows {
            let repair = of_certain(&finding);
            assert_eq!(repair.as_ref().and_then(|repair| repair.revision), expected.map(revision), "{finding:?}");
            assert!(repair.is_none_or(|repair| repair.action == ReconcileCreation));
        }
    }

    /// A finding; the page's newest revision and its time, if there is one; when it was last deleted or restored; what is sent, or
    /// which count goes up.
    type Row = (Finding, Option<(u64, i64)>, Option<i64>, Result<(u64, ReconcileAction), &'static str>);

    #[test]
    fn the_wiki_judges_as_in_this_table() {
        let (gone, held) = (
            finding(Class::Gone, Some(Created(revision(5))), None),
            finding(Class::Deleted, Some(Deleted(revision(5))), Some(5)),
        );
        let of = finding;
        let (created, deleted) = (|number| Some(Created(revision(number))), |number| Some(Deleted(revision(number))));
        // The state is complete up to 100.
        let rows: &[Row] = &[
            (gone, None, Some(100), Ok((5, ReconcileDeletion))),
            (gone, None, Some(101), Err("since")),
            (gone, None, None, Ok((5, ReconcileDeletion))),
            (gone, Some((5, 50)), Some(60), Err("right")),
            (gone, Some((6, 100)), Some(60), Ok((6, ReconcileCreation))),
            (gone, Some((6, 101)), Some(60), Err("since")),
            (gone, Some((4, 50)), Some(60), Err("odd")),
            (held, None, Some(60), Err("right")),
            (held, Some((5, 50)), Some(100), Ok((5, ReconcileCreation))),
            (held, Some((5, 50)), Some(101), Err("since")),
            (held, Some((5, 50)), None, Ok((5, ReconcileCreation))),
            (held, Some((7, 200)), Some(90), Ok((7, ReconcileCreation))),
            (of(Class::Restored, deleted(5), Some(6)), Some((7, 200)), Some(90), Ok((7, ReconcileCreation))),
            (of(Class::Restored, deleted(5), Some(6)), None, Some(200), Err("right")),
            (of(Class::Missing, None, Some(6)), Some((6, 50)), None, Ok((6, ReconcileCreation))),
            (of(Class::Missing, None, Some(6)), None, Some(90), Err("right")),
            (of(Class::Older, created(5), Some(6)), Some((7, 200)), None, Ok((7, ReconcileCreation))),
            (of(Class::Older, created(5), Some(6)), None, Some(90), Ok((6, ReconcileDeletion))),
            (of(Class::Older, created(5), Some(6)), None, Some(101), Err("since")),
            (of(Class::Unsent, created(5), Some(5)), Some((5, 50)), None, Ok((5, ReconcileCreation))),
            (of(Class::Unsent, created(5), None), None, Some(90), Ok((5, ReconcileDeletion))),
        ];
        for (finding, page, turned, expected) in rows {
            let mut wiki = Made::default();
            page.iter().for_each(|page| _ = wiki.pages.insert(q(1), *page));
            turned.iter().for_each(|turned| _ = wiki.turns.insert(q(1), *turned));
            let mut repairs = Vec::new();
            let confirmed = confirm(&[*finding], at(100), &mut wiki, |repair| repairs.push(repair)).unwrap();
            let sent: Vec<_> =
                repairs.iter().map(|repair| (repair.revision.map(Revision::get), repair.action)).collect();
            let row = format!("{finding:?} {page:?} {turned:?}");
            match expected {
                Ok((revision, action)) => {
                    assert_eq!((confirmed.wrong, sent), (1, vec![(Some(*revision), *action)]), "{row}")
                }
                Err(count) => {
                    assert!(sent.is_empty(), "{row}");
                    assert_eq!(serde_json::to_value(confirmed).unwrap()[count], 1, "{row}");
                }
            }
        }
    }

    #[test]
    fn the_wiki_is_asked_in_batches() {
        let doubtful: Vec<_> = (1..=120)
            .map(|number| Finding { entity: q(number), ..finding(Class::Deleted, Some(Deleted(revision(5))), Some(5)) })
            .collect();
        let mut wiki = Made::default();
        let confirmed = confirm(&doubtful, at(100), &mut wiki, |_| {}).unwrap();
        assert_eq!((wiki.asked, confirmed.right), (vec![50, 50, 20], 120));
    }

    #[test]
    fn of_several_repairs_the_newest_counts() {
        let repair = |number, action, source: &str| Repair {
            entity: q(1),
            revision: number,
            action,
            reason: "late",
            cause: None,
            source: Some(source.to_owned()),
        };
        let of = |number| Some(revision(number));
        let rows = [
            (vec![(of(1), ReconcileCreation), (of(2), ReconcileCreation)], (of(2), ReconcileCreation)),
            (vec![(of(2), ReconcileCreation), (of(1), ReconcileDeletion)], (of(2), ReconcileCreation)),
            (vec![(of(2), ReconcileCreation), (of(2), ReconcileDeletion)], (of(2), ReconcileDeletion)),
            (vec![(of(2), ReconcileDeletion), (of(2), ReconcileCreation)], (of(2), ReconcileCreation)),
            (vec![(None, ReconcileDeletion), (of(2), ReconcileCreation)], (of(2), ReconcileCreation)),
        ];
        for (given, (number, action)) in rows {
            let repairs = given.iter().map(|(number, action)| repair(*number, *action, "a"));
            assert_eq!(one_each(repairs), [repair(number, action, "a")], "{given:?}");
        }
        let two = ["a", "b"].map(|source| repair(of(1), ReconcileCreation, source));
        assert_eq!(one_each(two.clone()), two);
    }
}
