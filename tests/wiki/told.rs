//! Laws of events and records.

use std::collections::{BTreeMap, HashMap};

use headwater::event::wire::{self, Read};
use headwater::event::{Change as Told, Incoming};
use headwater::state::EntityState;
use headwater::updater::reorder::{Pushed, Reorder, WINDOW};
use headwater::updater::watermark::{Patience, START, Watermarks};
use headwater::wikibase::entity::Revision;
use proptest::prelude::*;

use crate::pages::history;
use crate::wiki::events::{Event, Form};
use crate::wiki::history::{History, Kind};
use crate::wiki::random::uuid;
use crate::wiki::records::{Disorder, Mark, Record};
use crate::wiki::stream::{Writer, filter};

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::PageChange), Just(Form::Legacy)]
}

fn incoming(history: &History, event: &Event) -> Incoming {
    let read = wire::read(&event.bytes(), &filter(history.shape.flavour), 7).unwrap();
    let Read::Event(incoming) = read else { panic!("{event:?}") };
    incoming
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn an_event_tells_of_its_change(history in history(), form in form()) {
        for (change, event) in history.changes.iter().zip(history.events(form)) {
            let incoming = incoming(&history, &event);
            let told = incoming.event();
            prop_assert_eq!(incoming.entity(), change.entity);
            prop_assert_eq!((told.revision as u64, told.event_time), (change.revision, change.time));
            let parent = history.page(change.entity).unwrap().revision(change.revision).unwrap().parent;
            let expected = match change.kind {
                Kind::Create | Kind::Edit | Kind::Move => {
                    Told::RevCreate { parent_revision: parent.map(|parent| parent as i64) }
                }
                Kind::Delete { .. } => Told::PageDelete,
                Kind::Undelete => Told::PageUndelete,
            };
            prop_assert_eq!(&told.change, &expected);
            prop_assert_eq!(&told.original.stream, event.stream);
            prop_assert_eq!(told.original.request_id.clone(), Some(uuid(change.request)));
            prop_assert_eq!(told.original.domain.as_deref(), Some(history.shape.flavour.host()));
            prop_assert!(told.original.id.is_some());
        }
    }

    #[test]
    fn what_is_decided_on_in_order_leads_to_what_there_is(history in history(), form in form()) {
        let mut writer = Writer::new(&history, &BTreeMap::new());
        let mutations = (0..history.changes.len()).filter_map(|number| writer.decide(number, form)).count();
        prop_assert_eq!(mutations, history.changes.len());
        let expected = history.pages().map(|(entity, page)| {
            let revision = Revision::new(page.newest(i64::MAX).unwrap().number).unwrap();
            let is_there = page.is_there(i64::MAX);
            (entity, if is_there { EntityState::Created(revision) } else { EntityState::Deleted(revision) })
        });
        prop_assert_eq!(writer.state, expected.collect::<BTreeMap<_, _>>());
    }

    #[test]
    fn records_are_what_they_are_marked_as(history in history(), form in form(), seed: u64) {
        let disorder = Disorder { form, ..Disorder::BAD };
        let records = history.records(0..history.changes.len(), &disorder, seed);
        prop_assert_eq!(&records, &history.records(0..history.changes.len(), &disorder, seed));
        prop_assert!(records.is_sorted_by_key(|record| record.time));
        let (topics, filter) = (disorder.topics(), filter(history.shape.flavour));
        let mut first: HashMap<usize, &Record> = HashMap::new();
        for record in &records {
            prop_assert!(topics.contains(&record.topic) && (0..disorder.partitions).contains(&record.partition));
            let read = wire::read(&record.json, &filter, 7);
            match record.mark {
                Mark::Event(number) | Mark::Late(number) => {
                    prop_assert!(first.insert(number, record).is_none());
                    let change = history.changes[number];
                    let is_late = record.mark == Mark::Late(number);
                    prop_assert_eq!(record.time - change.time > disorder.within, is_late);
                    let Ok(Read::Event(incoming)) = read else { panic!("{record:?}") };
                    let told = (incoming.entity(), incoming.event().event_time);
                    prop_assert_eq!(told, (change.entity, change.time));
                }
                Mark::Again(number) => prop_assert!(first[&number].json == record.json),
                Mark::Canary | Mark::Elsewhere => {
                    prop_assert!(matches!(read, Ok(Read::Ignored(ignored)) if ignored.source_time.is_some()));
                }
                Mark::Malformed => prop_assert!(read.is_err(), "{:?}", record),
            }
        }
        prop_assert_eq!(first.len(), history.changes.len());
    }

    #[test]
    fn late_is_what_is_marked_as_late(seed: u64) {
        let history = History::random(seed, 250);
        let records = history.records(0..history.changes.len(), &Disorder::BAD, seed);
        let filter = filter(history.shape.flavour);
        let (mut reorder, mut watermarks) = (Reorder::new(WINDOW), Watermarks::new(Patience::default(), START));
        let mut partitions = HashMap::new();
        for record in &records {
            partitions.entry((&record.topic, record.partition)).or_insert_with(|| watermarks.add(0));
        }
        for record in &records {
            let partition = partitions[&(&record.topic, record.partition)];
            match wire::read(&record.json, &filter, record.time) {
                Ok(Read::Event(incoming)) => {
                    watermarks.event(partition, incoming.source_time());
                    let pushed = reorder.push(incoming, None);
                    prop_assert_eq!(matches!(pushed, Pushed::Late(_)), matches!(record.mark, Mark::Late(_)));
                }
                Ok(Read::Ignored(ignored)) => {
                    ignored.source_time.into_iter().for_each(|time| watermarks.event(partition, time));
                }
                Err(_) => prop_assert_eq!(record.mark, Mark::Malformed),
            }
            reorder.advance(watermarks.advance(record.time), drop);
        }
    }
}

#[test]
fn there_is_disorder_of_every_kind() {
    let history = History::random(5, 2000);
    let records = history.records(0..history.changes.len(), &Disorder::BAD, 5);
    let kinds: [fn(&Mark) -> bool; 5] = [
        |mark| matches!(mark, Mark::Again(_)),
        |mark| matches!(mark, Mark::Late(_)),
        |mark| *mark == Mark::Canary,
        |mark| *mark == Mark::Elsewhere,
        |mark| *mark == Mark::Malformed,
    ];
    for (at, kind) in kinds.iter().enumerate() {
        assert!(records.iter().filter(|record| kind(&record.mark)).count() > 20, "{at}");
    }
    let own = records.iter().filter_map(|record| match record.mark {
        Mark::Event(number) => Some(number),
        _ => None,
    });
    assert!(!own.is_sorted());
    let in_order = history.records(10..300, &Disorder::NONE, 5);
    let marks: Vec<_> = in_order.iter().map(|record| record.mark).filter(|mark| *mark != Mark::Canary).collect();
    assert_eq!(marks, (10..300).map(Mark::Event).collect::<Vec<_>>());
}
