//! Documents and what they give; real ones where they are at hand.

use std::collections::BTreeSet;
use std::path::Path;

use crate::diff;
use crate::generate::profile::{Contents, Prefixes as Generation, Profile};
use crate::munge::document::{DocumentError, Documents, MungedEntity};
use crate::munge::text::{Bad, Entity, Munger, Sink};
use crate::munge::{Options, Unfit};
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::Arena;
use crate::rdf::term::Triple;
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

const HEAD: &str = "\
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix wikibase: <http://wikiba.se/ontology#> .
@prefix schema: <http://schema.org/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .
@prefix s: <http://www.wikidata.org/entity/statement/> .
@prefix ref: <http://www.wikidata.org/reference/> .
@prefix v: <http://www.wikidata.org/value/> .
@prefix wdt: <http://www.wikidata.org/prop/direct/> .
@prefix p: <http://www.wikidata.org/prop/> .
@prefix ps: <http://www.wikidata.org/prop/statement/> .
@prefix psv: <http://www.wikidata.org/prop/statement/value/> .
@prefix pr: <http://www.wikidata.org/prop/reference/> .

";
const DATA: &str = "data:Q1 schema:about wd:Q1 ; schema:version 7 ; schema:dateModified \"x\" .\n";

fn id(text: &str) -> EntityId {
    EntityId::parse(text.as_bytes()).unwrap()
}

fn munge(document: &str) -> Result<MungedEntity, DocumentError> {
    Documents::new(&UrisScheme::wikidata()).munge(document.as_bytes(), id("Q1"))
}

#[test]
fn nodes_that_entities_share_are_told_apart() {
    let document = format!(
        "{HEAD}{DATA}wd:Q1 p:P1 s:Q1-a ; wdt:P1 _:b .\n\
         s:Q1-a ps:P1 1 ; psv:P1 v:a ; prov:wasDerivedFrom ref:r .\n\
         v:a wikibase:timeValue \"1\" .\nref:r pr:P1 2 .\nref:r pr:P1 2 .\n\
         <https://en.w.org/wiki/A> a schema:Article ; schema:about wd:Q1 .\n<https://en.w.org/> wikibase:wikiGroup \"w\" ."
    );
    let MungedEntity { id: entity, revision, triples } = munge(&document).unwrap();
    assert_eq!((entity, revision.get()), (id("Q1"), 7));
    let count = |text: &str| text.lines().count();
    assert_eq!((count(triples.own()), count(triples.shared())), (9, 3), "{triples:?}");
    assert_eq!(
        triples.shared(),
        "<http://www.wikidata.org/value/a> <http://wikiba.se/ontology#timeValue> \"1\" .\n\
         <http://www.wikidata.org/reference/r> <http://www.wikidata.org/prop/reference/P1> \
         \"2\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n\
         <https://en.w.org/> <http://wikiba.se/ontology#wikiGroup> \"w\" .\n"
    );
    let skolemized = "<http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P1> <http://www.wikidata.org/.well-known/genid/b> .";
    assert!(triples.own().lines().any(|line| line == skolemized), "{triples:?}");
}

#[test]
fn documents_that_give_nothing_say_why() {
    let not_turtle = |line, rule: &str| DocumentError::NotTurtle { line, rule: rule.to_owned() };
    let unfit = |subject: &str, reason| DocumentError::Unfit { subject: subject.to_owned(), reason };
    let other = DATA.replace("Q1", "Q2");
    let rows = [
        (String::new(), DocumentError::Empty),
        (HEAD.to_owned(), DocumentError::Empty),
        (format!("{HEAD}{other}"), DocumentError::Other(id("Q2"))),
        (format!("{HEAD}{DATA}{other}"), DocumentError::Other(id("Q2"))),
        (format!("{HEAD}{DATA}wd:Q1 wdt:P1 1 .\n{DATA}"), DocumentError::Repeated(id("Q1"))),
        (format!("{HEAD}data:Q1 schema:dateModified \"x\" ."), unfit("Q1", Unfit::NoRevision)),
        (format!("{HEAD}data:Q1 schema:version 7 ."), unfit("Q1", Unfit::NoDate)),
        (format!("{HEAD}wd:Q1 wdt:P1 1 ."), unfit("wd:Q1", Unfit::Stray)),
        (format!("{HEAD}{DATA}wd:Q1 wdt:P1 1"), not_turtle(17, "")),
        (format!("{HEAD}{DATA}wd:Q1 unknown:P1 1 ."), not_turtle(17, "")),
        ("<!DOCTYPE html>\n<html><head><title>Wikimedia Error</title></head></html>".to_owned(), not_turtle(1, "")),
        ("@prefix wd: <relative> .".to_owned(), not_turtle(1, "")),
    ];
    for (document, expected) in rows {
        match (munge(&document).unwrap_err(), expected) {
            (DocumentError::NotTurtle { line, rule }, DocumentError::NotTurtle { line: expected, .. }) => {
                assert_eq!(line, expected, "{document}: {rule}");
                assert!(!rule.is_empty(), "{document}");
            }
            (error, expected) => assert_eq!(error, expected, "{document}"),
        }
    }
    let mut broken = format!("{HEAD}{DATA}").into_bytes();
    let at = broken.len();
    broken.push(0xFF);
    assert_eq!(Documents::new(&UrisScheme::wikidata()).munge(&broken, id("Q1")), Err(DocumentError::NotUtf8(at)));
}

#[test]
fn prefixes_remembered_change_nothing() {
    let mut documents = Documents::new(&UrisScheme::wikidata());
    let body = format!("{DATA}wd:Q1 wdt:P1 wd:Q2 .\n");
    let another = HEAD.replace("prop/direct/", "prop/other/");
    let heads = [
        HEAD.to_owned(),
        another.clone(),
        format!("{HEAD}@prefix wdt: <http://a.org/> .\n"),
        HEAD.replace("\n\n", "\n"),
        HEAD.replace('\n', "\r\n"),
        format!("# {HEAD}{HEAD}"),
        HEAD.replace("@prefix wdt", "@prefix wdx"),
        String::new(),
        HEAD.trim_end().to_owned(),
        format!("{HEAD}@base <http://b.org/> . @prefix wdt: <direct/> .\n"),
        HEAD.to_owned(),
    ];
    let read = |head: &String| documents.munge(format!("{head}{body}").as_bytes(), id("Q1"));
    let warm: Vec<_> = heads.iter().map(read).collect();
    let cold: Vec<_> = heads.iter().map(|head| munge(&format!("{head}{body}"))).collect();
    assert_eq!(warm, cold);
    assert_eq!(warm.iter().filter(|read| read.is_err()).count(), 2, "{warm:?}");
}

/// All that a munger keeps of a text, as lines.
#[derive(Default)]
struct Kept(BTreeSet<String>);

impl Sink for Kept {
    fn header(&mut self, _: &Triple<'_>) {}

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        for kept in entity.kept() {
            let mut line = Vec::new();
            ntriples::line(&mut line, &kept.triple, Encoding::Utf8);
            self.0.insert(String::from_utf8(line).unwrap());
        }
    }

    fn bad(&mut self, bad: Bad) {
        panic!("{bad:?}");
    }
}

/// Documents of one entity each.
fn made_up() -> impl Iterator<Item = (EntityId, String)> {
    let contents = [Contents::Items, Contents::Lexemes, Contents::Mixed];
    (0..60_u64).map(move |seed| {
        let profile = Profile {
            seed,
            contents: contents[seed as usize % 3],
            entities: 1,
            documents: 1,
            redirects: 100,
            start: Timestamp::default(),
            prefixes: Generation::New,
        };
        let mut text = Vec::new();
        profile.write_document(0, &mut text).unwrap();
        (profile.expected().next().unwrap().0, String::from_utf8(text).unwrap())
    })
}

#[test]
fn a_document_gives_what_the_same_text_gives_in_a_dump() {
    let scheme = UrisScheme::wikidata();
    let (mut documents, munger) = (Documents::new(&scheme), Munger::new(&scheme, Options::default()));
    for (entity, text) in made_up() {
        let mut kept = Kept::default();
        munger.text(&text, &Prefixes::default(), None, &Arena::default(), &mut kept);
        let triples = documents.munge(text.as_bytes(), entity).unwrap().triples;
        assert_eq!(
            triples.text().split_inclusive('\n').map(str::to_owned).collect::<BTreeSet<_>>(),
            kept.0,
            "{entity}"
        );
        assert_eq!(triples.len(), kept.0.len(), "{entity}");
    }
}

#[test]
fn two_real_revisions_differ_as_upstream_finds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/munge");
    if !folder.is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    let mut documents = Documents::new(&UrisScheme::wikidata());
    let mut read = |name: &str| {
        let text = std::fs::read(folder.join(name)).unwrap();
        documents.munge(&text, id("Q2")).unwrap()
    };
    let (from, to) = (read("sitelink_class_rev_1.ttl"), read("sitelink_class_rev_2.ttl"));
    assert_eq!((from.revision.get(), to.revision.get()), (1, 2));
    let patch = diff::diff(&from.triples, &to.triples);
    let about = |text: &str| text.lines().filter(|line| line.contains("Zemlja")).count();
    assert!(about(&patch.added) > 0 && about(&patch.removed) > 0, "{patch:?}");
    let version = |number| {
        format!(
            "<http://www.wikidata.org/entity/Q2> <http://schema.org/version> \"{number}\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n"
        )
    };
    assert!(patch.removed.contains(&version(1)) && patch.added.contains(&version(2)), "{patch:?}");
    let group =
        |wiki| format!("<https://{wiki}.wikipedia.org/> <http://wikiba.se/ontology#wikiGroup> \"wikipedia\" .\n");
    assert_eq!((patch.linked_shared, patch.unlinked_shared), (group("simple"), group("en")));
}
