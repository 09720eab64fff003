//! Laws of histories, documents and dumps.

use std::collections::{BTreeMap, HashMap};

use headwater::bootstrap::OnBadEntity;
use headwater::bootstrap::gather;
use headwater::dump::scan::Manner;
use headwater::env::Env;
use headwater::munge::document::Documents;
use headwater::state::EntityState;
use headwater::storage::Location;
use headwater::wikibase::entity::EntityKind;
use oxttl::TurtleParser;
use proptest::prelude::*;

use crate::wiki::dump::DumpOptions;
use crate::wiki::edit::Size;
use crate::wiki::graph::Graph;
use crate::wiki::history::{History, Kind, Shape};
use crate::wiki::turtle::Flavour;

/// Histories of both wikis.
pub fn history() -> impl Strategy<Value = History> {
    let flavour = prop_oneof![4 => Just(Flavour::Wikidata), 1 => Just(Flavour::Commons)];
    (flavour, any::<u64>(), 1..250_usize)
        .prop_map(|(flavour, seed, steps)| History::shaped(Shape { flavour, ..Shape::default() }, seed, steps))
}

/// A time in a history.
pub fn time(history: &History, of_1000: i64) -> i64 {
    history.shape.start + (history.now - history.shape.start) * of_1000 / 1000
}

#[test]
fn a_seed_gives_one_history() {
    let [one, same, other] = [7, 7, 8].map(|seed| History::random(seed, 400));
    assert_eq!(one.changes, same.changes);
    assert_ne!(one.changes, other.changes);
    let documents = |history: &History| {
        let change = |change: &crate::wiki::history::Change| history.document(change.entity, change.revision);
        history.changes.iter().map(change).collect::<Vec<_>>()
    };
    assert_eq!(documents(&one), documents(&same));
    let options = DumpOptions { duration: 100_000, ..DumpOptions::default() };
    let at = time(&one, 500);
    assert_eq!(one.dump(at, options).text(), same.dump(at, options).text());
}

#[test]
fn everything_happens() {
    let history = History::random(1, 3000);
    let count = |is_it: &dyn Fn(&Kind) -> bool| history.changes.iter().filter(|change| is_it(&change.kind)).count();
    let kinds = [
        count(&|kind| *kind == Kind::Create),
        count(&|kind| *kind == Kind::Edit),
        count(&|kind| *kind == Kind::Move),
        count(&|kind| *kind == Kind::Delete { is_suppressed: false }),
        count(&|kind| *kind == Kind::Delete { is_suppressed: true }),
        count(&|kind| *kind == Kind::Undelete),
        history.entities(i64::MAX).filter(|(_, revision)| revision.content.redirect().is_some()).count(),
        history.entities(i64::MAX).map(|(_, revision)| revision.content.sitelinks().len()).sum(),
    ];
    assert!(kinds.iter().all(|count| *count > 20), "{kinds:?}");
    for kind in [EntityKind::Item, EntityKind::Property, EntityKind::Lexeme] {
        assert!(history.pages().filter(|(entity, _)| entity.kind() == kind).count() > 20, "{kind:?}");
    }
    // How often articles go from one item to another, and that references are shared.
    let (mut owners, mut moved) = (HashMap::new(), 0);
    for change in &history.changes {
        let revision = history.page(change.entity).unwrap().revision(change.revision).unwrap();
        for link in revision.content.sitelinks() {
            let before = owners.insert(link.title, change.entity);
            moved += usize::from(before.is_some_and(|before| before != change.entity));
        }
    }
    assert!(moved > 50, "{moved}");
    let munged = history.munged(i64::MAX);
    let mut users: HashMap<_, usize> = HashMap::new();
    munged.values().flat_map(|triples| triples.shared().lines()).for_each(|line| *users.entry(line).or_default() += 1);
    assert!(users.values().filter(|users| **users > 1).count() > 200);
}

#[test]
fn typical_entities_are_as_large_as_those_of_wikidata() {
    let shape = Shape { size: Size::TYPICAL, pages: 100, ..Shape::default() };
    let history = History::shaped(shape, 3, 150);
    let items: Vec<_> = history.entities(i64::MAX).filter(|(entity, _)| entity.kind() == EntityKind::Item).collect();
    let items: Vec<_> = items.iter().filter(|(_, revision)| revision.content.entity().is_some()).collect();
    let bytes: usize = items.iter().map(|(id, revision)| history.document(*id, revision.number).unwrap().len()).sum();
    let mean = bytes / items.len();
    assert!((15_000..25_000).contains(&mean), "{mean} bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn each_revision_has_a_document_of_its_own(history in history()) {
        let mut documents = Documents::new(&history.shape.flavour.scheme());
        for (entity, page) in history.pages() {
            for revision in &page.revisions {
                let there = page.is_there(i64::MAX);
                let Some(document) = history.document(entity, revision.number) else {
                    prop_assert!(!there);
                    continue;
                };
                prop_assert!(there);
                let triples = TurtleParser::new().for_slice(&document).count();
                prop_assert!(TurtleParser::new().for_slice(&document).all(|triple| triple.is_ok()), "{}", document);
                let munged = documents.munge(document.as_bytes(), entity).unwrap();
                prop_assert_eq!((munged.id, munged.revision.get()), (entity, revision.number));
                prop_assert!((3..=triples).contains(&munged.triples.len()));
                let is_there_then = history.document_at(entity, revision.number, revision.time).is_some();
                prop_assert!(is_there_then && history.document_at(entity, revision.number, revision.time - 1).is_none());
            }
        }
    }

    #[test]
    fn a_wikibase_would_take_it(history in history()) {
        let mut last = BTreeMap::new();
        let mut newest = 0;
        let mut time = history.shape.start;
        let mut links: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for change in &history.changes {
            let page = history.page(change.entity).unwrap();
            let revision = page.revision(change.revision).unwrap();
            prop_assert!(change.time >= time);
            time = change.time;
            // The changes of a page are at different times, and each finds the page as it must be.
            let before = last.insert(change.entity, change.time);
            prop_assert!(before < Some(change.time));
            let is_new = matches!(change.kind, Kind::Create | Kind::Edit | Kind::Move);
            if is_new {
                prop_assert!(change.revision > newest);
                newest = change.revision;
                prop_assert_eq!(revision.time, change.time);
                prop_assert_eq!(revision.parent.is_none(), change.kind == Kind::Create);
            }
            let is_there = !matches!(change.kind, Kind::Delete { .. });
            prop_assert_eq!(page.is_there(change.time), is_there);
            prop_assert_eq!(page.is_there(change.time - 1), !matches!(change.kind, Kind::Create | Kind::Undelete));
            if change.kind == Kind::Move {
                prop_assert_eq!(&page.revision(revision.parent.unwrap()).unwrap().content, &revision.content);
            }
            // An article belongs to one item.
            links.remove(&change.entity);
            let titles: Vec<_> = revision.content.sitelinks().iter().map(|link| link.title).filter(|_| is_there).collect();
            let taken = links.values().flatten().find(|title| titles.contains(title));
            prop_assert_eq!(taken, None);
            links.insert(change.entity, titles);
        }
    }

    #[test]
    fn a_dump_that_takes_no_time_is_the_wiki(history in history(), of_1000 in 0..1001_i64, ranges in 1..5_usize) {
        let at = time(&history, of_1000);
        let dump = history.dump(at, DumpOptions { ranges, ..DumpOptions::default() });
        prop_assert_eq!(&dump.revisions, &history.revisions(at));
        let (revisions, oldest) = bootstrapped(&history, &dump.text());
        prop_assert_eq!(&revisions, &dump.revisions);
        prop_assert_eq!(oldest, at - at.rem_euclid(1000));
        let graph = Graph::of_dump(&history.shape.flavour.scheme(), &String::from_utf8(dump.text()).unwrap());
        prop_assert_eq!(graph.compare(&history.munged(at)), Ok(()));
    }

    #[test]
    fn a_dump_that_takes_time_is_read_while_it_is_edited(history in history(), of_1000 in 0..700_i64) {
        let at = time(&history, of_1000);
        let duration = history.now - at;
        let dump = history.dump(at, DumpOptions { duration, ..DumpOptions::default() });
        let (revisions, oldest) = bootstrapped(&history, &dump.text());
        prop_assert_eq!(&revisions, &dump.revisions);
        prop_assert_eq!(oldest, at - at.rem_euclid(1000));
        let (before, after) = (history.revisions(at), history.revisions(history.now));
        for (entity, revision) in &revisions {
            prop_assert!(before.get(entity).is_none_or(|before| before <= revision));
            prop_assert!(after.get(entity).is_none_or(|after| after >= revision));
        }
        for entity in before.keys().filter(|entity| after.contains_key(entity)) {
            let was_always_there = history.changes.iter().filter(|change| change.entity == *entity && change.time > at)
                .all(|change| matches!(change.kind, Kind::Edit | Kind::Move));
            prop_assert!(!was_always_there || revisions.contains_key(entity));
        }
    }
}

/// What Headwater finds in a dump: revisions, and the time of the oldest header.
fn bootstrapped(
    history: &History,
    dump: &[u8],
) -> (BTreeMap<headwater::wikibase::entity::EntityId, headwater::wikibase::entity::Revision>, i64) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dump.ttl");
    std::fs::write(&file, dump).unwrap();
    let scheme = history.shape.flavour.scheme();
    let manner = Manner { scheme: &scheme, strict: true };
    let dumps = [Location::parse(file.to_str().unwrap()).unwrap()];
    let gathered = gather::dumps(&dumps, manner, OnBadEntity::Stop, &Env::default()).unwrap();
    assert_eq!((gathered.duplicates, gathered.files[0].foreign), (0, 0));
    let created = |(entity, state)| match state {
        EntityState::Created(revision) => (entity, revision),
        EntityState::Deleted(_) => panic!("{entity} is deleted"),
    };
    (gathered.table.iter().map(created).collect(), gathered.headers().oldest().unwrap().millis())
}
