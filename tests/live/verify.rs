//! A real store is compared with a made-up wiki.
//!
//! Seeds are printed; `HEADWATER_SEED` gives one.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use headwater::sparql::Graph;
use headwater::wikibase::entity::EntityId;
use serde_json::Value;

use crate::room::{Room, given};
use crate::store::{Kind, Store};
use crate::updater::seed;
use crate::wiki::dump::DumpOptions;
use crate::wiki::history::History;
use crate::wiki::server::Server;
use crate::wiki::turtle::Flavour;

/// A store that was loaded with what `import` makes of a dump, and the wiki.
struct Loaded {
    history: Arc<History>,
    server: Server,
    store: Store,
    room: Room,
}

impl Loaded {
    /// The wiki at the end of its history.
    fn new(kind: Kind, history: History) -> Self {
        let (history, room) = (Arc::new(history), Room::new());
        fs::write(room.path("dump.ttl"), history.dump(history.now, DumpOptions::default()).text()).unwrap();
        let wiki = scheme(&history);
        room.headwater(
            &format!(
                "import --quiet {wiki} --dump $DIR/dump.ttl --format nt --output $DIR/nt --savepoint-dir $DIR/state"
            ),
            0,
        );
        let store = Store::start(kind, &room.path("store"));
        for file in fs::read_dir(room.path("nt")).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "nt") {
                store.load(&fs::read_to_string(file).unwrap());
            }
        }
        Self { server: Server::start(Arc::clone(&history)), history, store, room }
    }

    /// What `verify` says of these entities.
    fn verify(&self, which: &str, more: &str, code: i32) -> Value {
        let (url, api) = (self.server.url(), self.server.api());
        let arguments = format!(
            "verify --json --quiet {} {which} --sparql {} --entity-data {url} --api {api} --findings $DIR/findings.ndjson --overwrite {more}",
            scheme(&self.history),
            self.store.query(),
        );
        self.room.headwater(&arguments, code).json()
    }

    /// What it found, by entity: the verdict, and how many triples are missing and too many.
    fn findings(&self) -> BTreeMap<String, (String, usize, usize)> {
        let text = fs::read_to_string(self.room.path("findings.ndjson")).unwrap();
        let finding = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let count = |name: &str| line[name].as_array().map_or(0, Vec::len);
            let word = |name: &str| line[name].as_str().unwrap().to_owned();
            (word("entity"), (word("verdict"), count("missing"), count("surplus")))
        };
        text.lines().map(finding).collect()
    }
}

fn scheme(history: &History) -> &'static str {
    match history.shape.flavour {
        Flavour::Wikidata => "--uris-scheme wikidata",
        Flavour::Commons => "--uris-scheme commons",
    }
}

/// A store that holds a munged dump is as the wiki says; whatever is then taken out or put in is found, and nothing else; and the
/// events of the repair are about those entities alone.
fn what_is_wrong_is_found(kind: Kind) {
    if !given(kind.variable()) {
        return;
    }
    let seed = seed();
    for number in 0..3 {
        let seed = seed.wrapping_add(number);
        one_history(kind, seed);
    }
}

#[test]
#[ignore = "needs a real Oxigraph: tests/live/bed run"]
fn what_is_wrong_in_oxigraph_is_found() {
    what_is_wrong_is_found(Kind::Oxigraph);
}

#[test]
#[ignore = "needs a real Blazegraph: tests/live/bed run"]
fn what_is_wrong_in_blazegraph_is_found() {
    what_is_wrong_is_found(Kind::Blazegraph);
}

fn one_history(kind: Kind, seed: u64) {
    let loaded = Loaded::new(kind, History::random(seed, 400));
    let Loaded { history, store, room, .. } = &loaded;
    let sound = loaded.verify("--sample 100000 --state $DIR/state", "--orphans", 0);
    let entities = history.munged(history.now);
    assert_eq!(sound["equal"].as_u64(), Some(entities.len() as u64), "{seed}: {sound}");
    assert_eq!((sound["orphans"]["references"].as_u64(), sound["orphans"]["values"].as_u64()), (Some(0), Some(0)));
    assert!(loaded.findings().is_empty());

    let mut expected = BTreeMap::new();
    let mut ids = entities.iter().filter(|(_, triples)| triples.own().contains("/entity/statement/"));
    // A triple of its own is gone; there is one too many; one of a node that it links is gone.
    let (lacking, triples) = ids.next().unwrap();
    store.update(&format!("DELETE DATA {{ {} }}", a_statement_of(triples.own())));
    expected.insert(lacking.to_string(), ("divergent".to_owned(), 1, 0));
    let (exceeding, triples) = ids.next().unwrap();
    let (node, _) = a_statement_of(triples.own()).split_once(' ').unwrap();
    store.update(&format!("INSERT DATA {{ {node} <http://www.wikidata.org/prop/statement/P999999> \"x\" }}"));
    expected.insert(exceeding.to_string(), ("divergent".to_owned(), 0, 1));
    // All of an entity is gone.
    let (missing, triples) = ids.next().unwrap();
    store.update(&format!("DELETE DATA {{ {} }}", triples.own()));
    expected.insert(missing.to_string(), ("missing".to_owned(), 0, 0));
    // One has two revisions.
    let (doubled, _) = ids.next().unwrap();
    let concept = history.shape.flavour.scheme().concept().to_owned();
    store.update(&format!("INSERT DATA {{ <{concept}{doubled}> <http://schema.org/version> 1 }}"));
    expected.insert(doubled.to_string(), ("divergent".to_owned(), 0, 1));
    // One that was deleted is still there.
    let gone = deleted(history);
    store.update(&format!("INSERT DATA {{ <{concept}{gone}> <http://schema.org/version> 7 }}"));
    expected.insert(gone.to_string(), ("left".to_owned(), 0, 0));
    let root = history.shape.flavour.scheme().root().to_owned();
    store.update(&format!(
        "INSERT DATA {{ <{root}reference/f00> <http://x/p> <{root}value/f00> . <{root}value/f01> <http://x/p> 1 }}"
    ));

    let all: BTreeSet<_> = entities.keys().chain([&gone]).map(EntityId::to_string).collect();
    room.write(
        "entities.csv",
        &format!("entity,note\n{}\n", all.iter().map(|id| format!("{id},1")).collect::<Vec<_>>().join("\n")),
    );
    let found = loaded.verify("--entities $DIR/entities.csv", "--orphans", 1);
    assert_eq!(loaded.findings(), expected, "{seed}: {found}");
    let graph = store.graph();
    assert_eq!(found["orphans"], orphans(&graph, &root), "{seed}");
    assert!(found["orphans"]["references"].as_u64() > Some(0) && found["orphans"]["values"].as_u64() > Some(0));
    assert_eq!(found["equal"].as_u64(), Some((all.len() - expected.len()) as u64), "{seed}: {found}");
    let ids = expected.keys().cloned().collect::<Vec<_>>().join(" ");
    loaded.verify(&ids, "--repair --to $DIR/events.ndjson --source test", 0);
    let events = fs::read_to_string(room.path("events.ndjson")).unwrap();
    let repaired: BTreeSet<_> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["item"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(repaired, expected.keys().cloned().collect());
    println!("{seed}: {} entities, {} triples", all.len(), graph.len());
}

/// How many references and values nothing links to.
fn orphans(graph: &Graph, root: &str) -> Value {
    let linked = |is_link: fn(&str) -> bool| -> BTreeSet<_> {
        let linked = graph.iter().filter(|(key, _)| is_link(&key.predicate));
        linked.map(|(key, _)| key.object.as_str()).collect()
    };
    let count = |path: &str, linked: BTreeSet<&str>| {
        let subjects: BTreeSet<_> = graph.iter().map(|(key, _)| key.subject.as_str()).collect();
        let of_path = subjects.into_iter().filter(|subject| subject.starts_with(&format!("<{root}{path}")));
        of_path.filter(|subject| !linked.contains(subject)).count()
    };
    serde_json::json!({
        "references": count("reference/", linked(|predicate| predicate.ends_with("wasDerivedFrom>"))),
        "values": count("value/", linked(|_| true)),
    })
}

/// The first triple of a statement node, without its dot.
fn a_statement_of(own: &str) -> &str {
    let line = own.lines().find(|line| line.split(' ').next().unwrap().contains("/entity/statement/")).unwrap();
    line.strip_suffix(" .").unwrap()
}

/// An entity that was deleted.
fn deleted(history: &History) -> EntityId {
    let state = history.pages().filter(|(_, page)| !page.is_there(history.now));
    state.map(|(entity, _)| entity).next().expect("some are deleted")
}
