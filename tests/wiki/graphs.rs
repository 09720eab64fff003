//! Laws of graphs: the exact stream leads to what there is, and whatever is not exact is found out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headwater::diff::{Coverage, Patch};
use headwater::munge::document::Documents;
use headwater::munge::set::{Filling, TripleSet};
use headwater::mutation::Operation;
use headwater::mutation::wire::{Kind, Message, Version};
use headwater::subgraph::assign::Assigner;
use headwater::subgraph::definitions::Definitions;
use headwater::subgraph::plan::{self, STUB};
use headwater::wikibase::entity::EntityId;
use proptest::prelude::*;

use crate::pages::{history, time};
use crate::wiki::dump::DumpOptions;
use crate::wiki::events::Form;
use crate::wiki::graph::{Graph, pairs};
use crate::wiki::history::History;
use crate::wiki::random::Random;
use crate::wiki::stream::Writer;

/// The messages of all changes, from nothing on.
fn messages(history: &History, limit: usize) -> Vec<Vec<u8>> {
    let mut writer = Writer::new(history, &BTreeMap::new());
    writer.limit = limit;
    (0..history.changes.len()).flat_map(|number| writer.answer(number)).collect()
}

fn applied<'m>(history: &History, messages: impl IntoIterator<Item = &'m Vec<u8>>) -> Graph {
    let mut graph = Graph::new(&history.shape.flavour.scheme());
    messages.into_iter().for_each(|message| graph.apply(message).unwrap());
    graph
}

/// The places of the last messages about each entity.
fn last(messages: &[Vec<u8>]) -> Vec<usize> {
    let mut last = HashMap::new();
    for (place, message) in messages.iter().enumerate() {
        last.insert(Message::read(message).unwrap().entity, place);
    }
    let mut places: Vec<_> = last.into_values().collect();
    places.sort_unstable();
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn exact_diffs_lead_from_a_dump_to_what_there_is(
        history in history(),
        of_1000 in 0..1001_i64,
        takes in prop_oneof![Just(0), 0..1000_i64],
        limit in prop_oneof![Just(128_000_usize), 200..2000_usize],
        version in prop_oneof![Just(Version::V1), Just(Version::V2)],
    ) {
        let at = time(&history, of_1000);
        let duration = (history.now - at) * takes / 1000;
        let dump = history.dump(at, DumpOptions { duration, ..DumpOptions::default() });
        let mut graph = Graph::of_dump(&history.shape.flavour.scheme(), &String::from_utf8(dump.text()).unwrap());
        let mut writer = Writer::new(&history, &dump.revisions);
        (writer.limit, writer.version) = (limit, version);
        for number in 0..history.changes.len() {
            if history.changes[number].time >= at {
                writer.answer(number).iter().for_each(|message| graph.apply(message).unwrap());
            }
        }
        prop_assert_eq!(graph.compare(&history.munged(history.now)), Ok(()));
        prop_assert!(duration > 0 || graph.divergences == 0, "{}", graph.divergences);
    }

    #[test]
    fn exact_diffs_build_it_from_nothing_at_any_time(history in history(), limit in 200..4000_usize) {
        let mut writer = Writer::new(&history, &BTreeMap::new());
        writer.limit = limit;
        let mut graph = Graph::new(&history.shape.flavour.scheme());
        for number in 0..history.changes.len() {
            writer.answer(number).iter().for_each(|message| graph.apply(message).unwrap());
            let change = history.changes[number];
            let is_last = history.changes.get(number + 1).is_none_or(|next| next.time > change.time);
            if is_last && number % 29 == 0 {
                prop_assert_eq!(graph.compare(&history.munged(change.time)), Ok(()));
            }
        }
        prop_assert_eq!(graph.compare(&history.munged(history.now)), Ok(()));
        prop_assert_eq!(graph.divergences, 0);
    }

    #[test]
    fn reconciled_entities_are_as_they_are(history in history(), every in 1..5_usize, coverage in coverage()) {
        // Every so manieth diff is missed, and reconciled in the end.
        let mut writer = Writer::new(&history, &BTreeMap::new());
        let mut graph = Graph::new(&history.shape.flavour.scheme());
        let mut missed = BTreeSet::new();
        for number in 0..history.changes.len() {
            let messages = writer.answer(number);
            let entity = history.changes[number].entity;
            if number % every == 0 {
                missed.insert(entity);
            }
            if !missed.contains(&entity) {
                messages.iter().for_each(|message| graph.apply(message).unwrap());
            }
        }
        for entity in missed {
            writer.reconcile(entity, coverage).iter().for_each(|message| graph.apply(message).unwrap());
        }
        let compared = graph.compare(&history.munged(history.now));
        // Without what is shared, references that only the missed diffs would have brought are not there.
        let is_shared = |line: &str| !line.starts_with("  ") || ["/value/", "/reference/", "wikiGroup"].iter().any(|shared| line.contains(shared));
        match (coverage, compared) {
            (_, Ok(())) => {}
            (Coverage::Complete, Err(report)) => prop_assert!(false, "{}", report),
            (Coverage::OwnOnly, Err(report)) => prop_assert!(
                report.contains(", 0 too many") && report.lines().skip(1).all(is_shared), "{}", report
            ),
        }
    }

    #[test]
    fn only_the_order_of_an_entitys_own_messages_matters(seed: u64, most in 1..200_u64) {
        let history = History::random(seed, 250);
        let mut writer = Writer::new(&history, &BTreeMap::new());
        let (mut random, mut last) = (Random::new(seed), HashMap::new());
        // Each change's messages come some changes later, but not before those of the entity's change before.
        let mut disordered: Vec<_> = (0..history.changes.len())
            .map(|number| {
                let place = last.entry(history.changes[number].entity).or_insert(0);
                *place = (number as u64 + random.up_to(most)).max(*place);
                (*place, number, writer.answer(number))
            })
            .collect();
        disordered.sort();
        let messages = disordered.iter().flat_map(|(_, _, messages)| messages);
        prop_assert_eq!(applied(&history, messages).compare(&history.munged(history.now)), Ok(()));
    }

    #[test]
    fn a_lost_message_is_found_out(seed: u64, limit in 200..4000_usize, choice: prop::sample::Index) {
        let history = History::random(seed, 120);
        let messages = messages(&history, limit);
        let lost = *choice.get(&last(&messages));
        let entity = Message::read(&messages[lost]).unwrap().entity;
        // The message may be one of several of its mutation; then the next one shows it, or the end.
        let mut graph = Graph::new(&history.shape.flavour.scheme());
        let others = messages.iter().enumerate().filter(|(place, _)| *place != lost);
        let refused = others.map(|(_, message)| graph.apply(message)).find(Result::is_err);
        if refused.is_none() {
            let report = graph.compare(&history.munged(history.now)).unwrap_err();
            prop_assert!(report.contains(&entity.to_string()) || report.contains("lacks messages"), "{}", report);
        }
    }

    #[test]
    fn a_wrong_patch_is_found_out(seed: u64, choice: prop::sample::Index, line: prop::sample::Index, is_added: bool) {
        let history = History::random(seed, 120);
        let mut messages = messages(&history, 128_000);
        let wrong = *choice.get(&last(&messages));
        let mut message = Message::read(&messages[wrong]).unwrap();
        let part = if is_added { &mut message.data.added } else { &mut message.data.removed };
        let concept = format!("<{}", history.shape.flavour.scheme().concept());
        let own: Vec<_> = part.split_inclusive('\n').filter(|line| line.starts_with(&concept)).collect();
        if own.is_empty() {
            return Ok(());
        }
        *part = part.replace(line.get(&own), "").into();
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        messages[wrong] = bytes;
        prop_assert!(applied(&history, &messages).compare(&history.munged(history.now)).is_err());
    }

    #[test]
    fn a_triple_more_or_less_is_found_out(seed: u64, choice: prop::sample::Index) {
        let history = History::random(seed, 120);
        let graph = applied(&history, &messages(&history, 128_000));
        let expected = history.munged(history.now);
        // Nodes without a name stand for several properties.
        let texts = expected.values().map(TripleSet::text).collect::<String>();
        let named: Vec<_> = texts.lines().filter(|line| !line.contains("/.well-known/genid/genid")).collect();
        let (subject, rest) = pairs(choice.get::<&str>(&named)).next().unwrap().unwrap();
        let mut less = graph.clone();
        prop_assert!(less.triples.get_mut(&subject).unwrap().remove(&rest));
        prop_assert!(less.compare(&expected).unwrap_err().contains("1 triples are missing, 0 too many"));
        let mut more = graph.clone();
        more.load(&format!("{subject} <http://example.org/more> \"more\" ."));
        prop_assert!(more.compare(&expected).unwrap_err().contains("0 triples are missing, 1 too many"));
        // What was shared once and is not any more may be left, but not what never was.
        more = graph.clone();
        more.load("<http://www.wikidata.org/reference/0> <http://www.wikidata.org/prop/reference/P1> 1 .");
        prop_assert!(more.compare(&expected).is_err());
    }

    #[test]
    fn each_subgraph_holds_its_entities_and_stubs_of_the_others(seed: u64, of_1000 in 0..1001_i64) {
        let history = History::random(seed, 150);
        let scheme = history.shape.flavour.scheme();
        let definitions = Definitions::parse(SUBGRAPHS).unwrap();
        let assigner = Assigner::new(&definitions, &scheme);
        let at = time(&history, of_1000);
        let mut graphs: Vec<_> =
            expected_of(&assigner, &history.munged(at)).iter().map(|expected| Graph::of(&scheme, expected.values())).collect();
        let mut writer = Writer::new(&history, &history.revisions(at));
        for number in 0..history.changes.len() {
            if history.changes[number].time <= at {
                continue;
            }
            let mutation = writer.decide(number, Form::PageChange);
            let Some(mutation) = mutation else { continue };
            let time = history.changes[number].time;
            let (entity, revision) = (mutation.entity, mutation.revision);
            let steps = match mutation.operation {
                Operation::FullImport => plan::import(&assigner, entity, &writer.triples(entity, revision, time)),
                Operation::Diff { from } => {
                    let from = writer.triples(entity, from.get() as i64, time);
                    plan::diff(&assigner, entity, &from, &writer.triples(entity, revision, time))
                }
                Operation::DeleteItem => plan::delete(&assigner),
                Operation::Reconcile => unreachable!("nobody asks for that"),
            };
            for step in steps {
                let place = assigner.graphs().position(|graph| graph == step.graph).unwrap();
                for message in writer.messages(&mutation, step.kind, &step.patch) {
                    graphs[place].apply(&message).unwrap();
                }
            }
        }
        for (graph, expected) in graphs.iter().zip(expected_of(&assigner, &history.munged(history.now))) {
            prop_assert_eq!(graph.compare(&expected), Ok(()));
        }
    }
}

fn coverage() -> impl Strategy<Value = Coverage> {
    prop_oneof![Just(Coverage::Complete), Just(Coverage::OwnOnly)]
}

/// Persons apart from the rest, by a value that statements of the made-up wiki often have.
const SUBGRAPHS: &str = "
prefixes:
  wd: http://www.wikidata.org/entity/
  wdt: http://www.wikidata.org/prop/direct/
  subgraph: https://query.example.org/subgraph/
subgraphs:
  - name: authored
    stream: example.mutation-authored
    subgraph_uri: subgraph:authored
    default: block
    rules:
      - pass ?entity wdt:P50 []
    stubs_source: true
  - name: main
    stream: example.mutation-main
    subgraph_uri: subgraph:main
    default: pass
    rules:
      - block ?entity wdt:P50 []
    stubs_source: true
  - name: full
    stream: example.mutation
    default: pass
    stubs_source: false
";

/// What each subgraph is to hold.
fn expected_of(assigner: &Assigner, entities: &BTreeMap<EntityId, TripleSet>) -> Vec<BTreeMap<EntityId, TripleSet>> {
    let graphs: Vec<_> = assigner.graphs().collect();
    let mut expected = vec![BTreeMap::new(); graphs.len()];
    for (entity, triples) in entities {
        let is_in = assigner.assign(*entity, triples);
        let mut stubs = Filling::default();
        for (graph, _) in graphs.iter().zip(&is_in).filter(|(graph, is_in)| **is_in && graph.stubs_source) {
            let uri = graph.uri.as_deref().unwrap();
            stubs.line(&format!("{} <{STUB}> <{uri}> .\n", assigner.entity_iri(*entity)), false);
        }
        let stubs = stubs.take().unwrap();
        for (expected, is_in) in expected.iter_mut().zip(is_in) {
            expected.insert(*entity, if is_in { triples.clone() } else { stubs.clone() });
        }
    }
    expected
}

#[test]
fn a_delete_that_comes_again_is_found_out() {
    let mut found = 0;
    for seed in 0..10 {
        let history = History::random(seed, 300);
        let messages = messages(&history, 128_000);
        let expected = history.munged(history.now);
        for message in &messages {
            let Message { entity, kind, .. } = Message::read(message).unwrap();
            if kind == Kind::Delete && expected.contains_key(&entity) {
                // It was restored since.
                let report = applied(&history, messages.iter().chain([message])).compare(&expected).unwrap_err();
                assert!(report.contains(&format!("\n{entity}\n")), "{report}");
                found += 1;
            }
        }
        // One that is there twice at once does no harm, but tells that the writer was wrong.
        let twice = messages.iter().flat_map(|message| {
            let is_delete = Message::read(message).unwrap().kind == Kind::Delete;
            std::iter::repeat_n(message, if is_delete { 2 } else { 1 })
        });
        let graph = applied(&history, twice);
        assert_eq!(graph.compare(&expected), Ok(()));
        assert!(graph.divergences > 0);
    }
    assert!(found > 10, "{found}");
}

#[test]
fn to_delete_what_is_unlinked_is_found_out() {
    let history = History::random(1, 400);
    let messages = messages(&history, 128_000);
    let wrong: Vec<_> = messages
        .iter()
        .map(|bytes| {
            let mut message = Message::read(bytes).unwrap();
            let unlinked = std::mem::take(&mut message.data.unlinked_shared);
            *message.data.removed.to_mut() += &unlinked;
            let mut bytes = Vec::new();
            message.write(&mut bytes);
            bytes
        })
        .collect();
    let report = applied(&history, &wrong).compare(&history.munged(history.now)).unwrap_err();
    assert!(report.contains(", 0 too many") && report.contains("/value/"), "{report}");
}

#[test]
fn messages_that_do_not_follow_each_other_are_refused() {
    let history = History::random(2, 60);
    let messages = messages(&history, 300);
    let sequence = |message: &Vec<u8>| {
        let Message { sequence, sequence_length, .. } = Message::read(message).unwrap();
        (sequence, sequence_length)
    };
    let first = messages.iter().position(|message| sequence(message) == (0, 3)).unwrap();
    let [a, b, c] = [0, 1, 2].map(|place| messages[first + place].clone());
    let other = messages[first + 3..].iter().find(|message| sequence(message).0 == 0).unwrap().clone();
    let rows: [(&str, Vec<&Vec<u8>>, bool); 6] = [
        ("all", vec![&a, &b, &c], true),
        ("not the first", vec![&b, &c], false),
        ("not the second", vec![&a, &c], false),
        ("one twice", vec![&a, &b, &b, &c], false),
        ("another between", vec![&a, &other, &b, &c], false),
        ("not the last", vec![&a, &b], true),
    ];
    for (name, messages, is_good) in rows {
        let mut graph = Graph::new(&history.shape.flavour.scheme());
        let good = messages.into_iter().all(|message| graph.apply(message).is_ok());
        assert_eq!(good, is_good, "{name}");
        assert!(!good || graph.is_finished() == (name == "all"), "{name}");
    }
    let mut graph = Graph::new(&history.shape.flavour.scheme());
    assert!(graph.apply(b"{}").is_err());
    graph.apply(&a).unwrap();
    assert!(graph.compare(&BTreeMap::new()).unwrap_err().contains("lacks messages"));
}

#[test]
fn what_is_left_behind_is_little_and_of_what_is_shared() {
    let history = History::random(3, 1500);
    let graph = applied(&history, &messages(&history, 128_000));
    let expected = history.munged(history.now);
    assert_eq!(graph.compare(&expected), Ok(()));
    let left = graph.left_over(&expected);
    assert!(left > 0 && left * 4 < graph.len(), "{left} of {}", graph.len());
    // Loaded anew, nothing is.
    let anew = Graph::of(graph.scheme(), expected.values());
    assert_eq!((anew.compare(&expected), anew.left_over(&expected)), (Ok(()), 0));
}

#[test]
fn articles_go_from_item_to_item_as_in_this_table() {
    const HEAD: &str = "\
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix wikibase: <http://wikiba.se/ontology#> .
@prefix schema: <http://schema.org/> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .
";
    let scheme = headwater::wikibase::uris::UrisScheme::wikidata();
    let item = |id: &str, revision: u64, articles: &[&str]| {
        let mut text =
            format!("{HEAD}data:{id} schema:about wd:{id} ; schema:version {revision} ; schema:dateModified \"x\" .\n");
        for article in articles {
            text += &format!(
                "<https://en.w.org/{article}> a schema:Article ; schema:about wd:{id} ; schema:name \"{article}\"@en ;\n\
                 schema:isPartOf <https://en.w.org/> .\n<https://en.w.org/> wikibase:wikiGroup \"w\" .\n"
            );
        }
        let id = EntityId::parse(id.as_bytes()).unwrap();
        (id, Documents::new(&scheme).munge(text.as_bytes(), id).unwrap().triples)
    };
    // What the two items have before and after, whose messages come first, and whether anything is left.
    type Row = (&'static str, [[&'static [&'static str]; 2]; 2], bool);
    let rows: [Row; 5] = [
        ("it goes over", [[&["A"], &[]], [&[], &["A"]]], false),
        ("it goes", [[&["A"], &[]], [&[], &[]]], true),
        ("it is renamed", [[&["A"], &["B"]], [&[], &[]]], false),
        ("it goes over and another comes", [[&["A"], &["B"]], [&[], &["A"]]], false),
        ("they change places", [[&["A"], &["B"]], [&["B"], &["A"]]], false),
    ];
    for (name, [one, two], is_left) in rows {
        for is_first in [true, false] {
            let before = BTreeMap::from([item("Q1", 1, one[0]), item("Q2", 2, two[0])]);
            let after = BTreeMap::from([item("Q1", 3, one[1]), item("Q2", 4, two[1])]);
            let mut graph = Graph::of(&scheme, before.values());
            let mut entities: Vec<_> = before.keys().copied().collect();
            entities.sort_by_key(|entity| (entity.number() == 1) != is_first);
            for entity in entities {
                let patch = headwater::diff::diff(&before[&entity], &after[&entity]);
                graph.apply(&diff_message(entity, &patch)).unwrap();
            }
            assert_eq!(graph.compare(&after), Ok(()), "{name}, the one that gives first: {is_first}");
            assert_eq!(graph.left_over(&after) > 0, is_left, "{name}, {is_first}");
        }
    }
}

fn diff_message(entity: EntityId, patch: &Patch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let message = Message {
        version: Version::V2,
        meta: headwater::mutation::wire::Meta {
            dt: Default::default(),
            id: "x".into(),
            domain: None,
            stream: "x".into(),
            request_id: None,
        },
        entity,
        revision: 1,
        event_time: Default::default(),
        sequence: 0,
        sequence_length: 1,
        kind: Kind::Diff,
        data: headwater::mutation::wire::Data {
            added: (&*patch.added).into(),
            removed: (&*patch.removed).into(),
            linked_shared: (&*patch.linked_shared).into(),
            unlinked_shared: (&*patch.unlinked_shared).into(),
        },
    };
    message.write(&mut bytes);
    bytes
}
