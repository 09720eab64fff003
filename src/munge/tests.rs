//! Each rule of the munge as a row: what goes in, what stays; and the laws on any order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::munge::text::{Bad, Context, Entity, Munger, Sink};
use crate::munge::{Options, Unfit};
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::Triple;
use crate::wikibase::uris::UrisScheme;

const PREFIXES: &str = "\
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ontolex: <http://www.w3.org/ns/lemon/ontolex#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix wikibase: <http://wikiba.se/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <http://schema.org/> .
@prefix cc: <http://creativecommons.org/ns#> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> .
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
@prefix pq: <http://www.wikidata.org/prop/qualifier/> .
@prefix pr: <http://www.wikidata.org/prop/reference/> .
@prefix prv: <http://www.wikidata.org/prop/reference/value/> .
@prefix wdno: <http://www.wikidata.org/prop/novalue/> .
@prefix genid: <http://www.wikidata.org/.well-known/genid/> .
";

/// What every entity here begins with, and what stays of it.
const DATA: &str = "data:Q1 schema:version 7 ; schema:dateModified \"2020-01-01T00:00:00Z\"^^xsd:dateTime .\n";
const MOVED: &str = "wd:Q1 schema:version 7 ; schema:dateModified \"2020-01-01T00:00:00Z\"^^xsd:dateTime .\n";

#[derive(Default)]
struct Collected {
    kept: BTreeSet<String>,
    contexts: BTreeSet<(String, String)>,
    entities: Vec<String>,
    headers: usize,
    bad: Vec<Bad>,
}

impl Sink for Collected {
    fn header(&mut self, _: &Triple<'_>) {
        self.headers += 1;
    }

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        self.entities.push(entity.fit.id.to_string());
        for kept in entity.kept() {
            self.kept.insert(line(&kept.triple));
            let context = match kept.context {
                Context::Entity => entity.iri().to_text().into_owned(),
                Context::Reference => "reference".to_owned(),
                Context::Value => "value".to_owned(),
            };
            let mut subject = Vec::new();
            ntriples::term(&mut subject, &kept.triple.subject, Encoding::Utf8);
            self.contexts.insert((String::from_utf8_lossy(&subject).into_owned(), context));
        }
    }

    fn bad(&mut self, bad: Bad) {
        self.bad.push(bad);
    }
}

fn line(triple: &Triple<'_>) -> String {
    let mut line = Vec::new();
    ntriples::line(&mut line, triple, Encoding::Utf8);
    String::from_utf8(line).unwrap()
}

fn munge_with(scheme: &UrisScheme, text: &str, options: Options) -> Collected {
    let mut collected = Collected::default();
    Munger::new(scheme, options).text(text, &Prefixes::default(), None, &Arena::default(), &mut collected);
    collected
}

fn munge(text: &str, options: Options) -> Collected {
    munge_with(&UrisScheme::wikidata(), &format!("{PREFIXES}{text}"), options)
}

/// The triples of a text, as lines.
fn triples(text: &str) -> BTreeSet<String> {
    let (text, arena, prefixes) = (format!("{PREFIXES}{text}"), Arena::default(), Prefixes::default());
    let (mut reader, mut triples) = (Reader::new(&arena, &prefixes, &text, 0, true), Vec::new());
    while reader.statement(&mut triples).unwrap() {}
    triples.iter().map(line).collect()
}

fn plain() -> Options {
    Options { skolemize: false, ..Options::default() }
}

/// Of Q1, whose entity-data node says what it must, with these triples, the `kept` stay.
#[track_caller]
fn check(options: &Options, given: &str, kept: &str) {
    let munged = munge(&format!("{DATA}{given}"), options.clone());
    assert_eq!(munged.bad, [], "{given}");
    assert_eq!(munged.kept, triples(&format!("{MOVED}{kept}")), "{given}");
}

#[test]
fn each_rule_keeps_what_its_row_says() {
    let rows = [
        // The entity-data node.
        ("data:Q1 a schema:Dataset ; schema:about wd:Q1 ; cc:license <http://l/> .", ""),
        (
            "data:Q1 wikibase:sitelinks 3 ; wikibase:statements 4 .",
            "wd:Q1 wikibase:sitelinks 3 ; wikibase:statements 4 .",
        ),
        ("<http://www.wikidata.org/wiki/Special:EntityData/Q1> wikibase:x 1 .", "wd:Q1 wikibase:x 1 ."),
        ("data:Q1 schema:softwareVersion \"1.0.0\" .", ""),
        // The entity.
        ("wd:Q2 wdt:P1 1 .", ""),
        ("wd:Q1 a wikibase:Item , wikibase:Property , schema:Thing .", "wd:Q1 a wikibase:Property , schema:Thing ."),
        ("wd:Q1 rdfs:label \"a\"@en ; schema:name \"a\"@en ; skos:prefLabel \"a\"@en .", "wd:Q1 rdfs:label \"a\"@en ."),
        (
            "wd:Q1 schema:description \"d\"@fr ; skos:altLabel \"b\" .",
            "wd:Q1 schema:description \"d\"@fr ; skos:altLabel \"b\" .",
        ),
        ("wd:Q1 wdt:P1 wd:Q2 ; schema:caption \"c\"@en .", "wd:Q1 wdt:P1 wd:Q2 ; schema:caption \"c\"@en ."),
        ("wd:Q1 owl:sameAs wd:Q2 .", "wd:Q1 owl:sameAs wd:Q2 ."),
        // Statements.
        (
            "wd:Q1 p:P1 s:Q1-a . s:Q1-a a wikibase:Statement , wikibase:BestRank , wdno:P1 ; ps:P1 1 .",
            "wd:Q1 p:P1 s:Q1-a . s:Q1-a a wikibase:BestRank , wdno:P1 ; ps:P1 1 .",
        ),
        ("wd:Q1 wdt:P1 s:Q1-a . s:Q1-a ps:P1 1 .", "wd:Q1 wdt:P1 s:Q1-a ."),
        ("s:Q1-a ps:P1 1 . wd:Q1 wdt:P1 1 .", "wd:Q1 wdt:P1 1 ."),
        // References.
        (
            "s:Q1-a prov:wasDerivedFrom ref:r . ref:r a wikibase:Reference , wikibase:Odd ; pr:P1 1 .",
            "s:Q1-a prov:wasDerivedFrom ref:r . ref:r a wikibase:Odd ; pr:P1 1 .",
        ),
        ("ref:r pr:P1 1 . wd:Q1 wdt:P1 1 .", "wd:Q1 wdt:P1 1 ."),
        // Values.
        (
            "wd:Q1 p:P1 s:Q1-a . s:Q1-a psv:P1 v:x . v:x wikibase:timeValue 1 .",
            "wd:Q1 p:P1 s:Q1-a . s:Q1-a psv:P1 v:x . v:x wikibase:timeValue 1 .",
        ),
        (
            "s:Q1-a prov:wasDerivedFrom ref:r . ref:r prv:P1 v:x ; pr:P1 v:y . v:x wikibase:timeValue 1 . v:y wikibase:timeValue 1 .",
            "s:Q1-a prov:wasDerivedFrom ref:r . ref:r prv:P1 v:x ; pr:P1 v:y . v:x wikibase:timeValue 1 .",
        ),
        ("v:x a wikibase:TimeValue ; wikibase:timeValue 1 .", "v:x a wikibase:TimeValue ."),
        (
            "v:x wikibase:quantityNormalized v:n . v:n wikibase:quantityAmount 1 . wd:Q1 wdt:P1 1 .",
            "v:n wikibase:quantityAmount 1 . wd:Q1 wdt:P1 1 .",
        ),
        // Properties, blank nodes.
        (
            "wdno:P1 a owl:Class ; owl:complementOf _:b . _:b a owl:Restriction .",
            "wdno:P1 a owl:Class ; owl:complementOf _:b . _:b a owl:Restriction .",
        ),
        (
            "p:P1 a owl:ObjectProperty ; rdfs:label \"x\" . wdt:P1 a owl:DatatypeProperty .",
            "p:P1 a owl:ObjectProperty . wdt:P1 a owl:DatatypeProperty .",
        ),
        ("genid:x wdt:P1 1 .", "genid:x wdt:P1 1 ."),
        // Sitelinks and what is not known.
        (
            "<https://it.wikipedia.org/> wikibase:wikiGroup \"wikipedia\" .",
            "<https://it.wikipedia.org/> wikibase:wikiGroup \"wikipedia\" .",
        ),
        (
            "<http://w/a> schema:name \"a\" ; a schema:Article ; schema:about wd:Q1 .",
            "<http://w/a> schema:name \"a\" ; a schema:Article ; schema:about wd:Q1 .",
        ),
        ("<http://w/a> schema:name \"a\" . wd:Q1 wdt:P1 1 .", "wd:Q1 wdt:P1 1 ."),
    ];
    rows.iter().for_each(|(given, kept)| check(&plain(), given, kept));
}

#[test]
fn normalization_changes_what_its_row_says() {
    let rows = [
        ("wd:Q1 a <http://wikiba.se/ontology-beta#Property> .", "wd:Q1 a wikibase:Property ."),
        ("wd:Q1 a <http://wikiba.se/ontology-0.0.1#Item> .", ""),
        ("wd:Q1 wdt:P1 <http://example.org/ontology-beta/x> .", "wd:Q1 wdt:P1 <http://example.org/ontology-beta/x> ."),
        ("wd:Q1 wdt:P1 \"x\"^^xsd:integer , \"+1.5\"^^xsd:decimal .", "wd:Q1 wdt:P1 0 , \"+1.5\"^^xsd:decimal ."),
        (
            "wd:Q1 wdt:P1 \"1e5\"^^xsd:decimal , \"1e5\"^^xsd:double .",
            "wd:Q1 wdt:P1 \"0\"^^xsd:decimal , \"1e5\"^^xsd:double .",
        ),
        ("wd:Q1 rdfs:label \"so\u{AD}ft\u{200D}\"@en .", "wd:Q1 rdfs:label \"soft\"@en ."),
        ("wd:Q1 wdt:P1 \"a\u{200B}\"^^geo:x .", "wd:Q1 wdt:P1 \"a\u{200B}\"^^geo:x ."),
        (
            "wd:Q1 rdfs:label \"\u{200A}\u{2010}\u{2029}\u{202F}\u{2065}\"@en .",
            "wd:Q1 rdfs:label \"\u{200A}\u{2010}\u{2029}\u{202F}\u{2065}\"@en .",
        ),
        ("wd:Q1 wdt:P1 \"\"^^xsd:integer , \"+.\"^^xsd:decimal .", "wd:Q1 wdt:P1 0 , \"+.\"^^xsd:decimal ."),
        ("wd:Q1 rdfs:label \"a\"@zh-Hans .", "wd:Q1 rdfs:label \"a\"@zh-hans ."),
        (
            "data:Q1 schema:softwareVersion \"0.0.1\" . wd:Q1 wdt:P1 \"Point(1.5 -2)\"^^geo:wktLiteral .",
            "wd:Q1 wdt:P1 \"Point(-2 1.5)\"^^geo:wktLiteral .",
        ),
    ];
    rows.iter().for_each(|(given, kept)| check(&plain(), given, kept));
    let skolemized = "wd:Q1 wdt:P1 genid:b . genid:b a owl:Restriction .";
    check(&Options::default(), "wd:Q1 wdt:P1 _:b . _:b a owl:Restriction .", skolemized);
}

#[test]
fn long_literals_are_cut_by_utf16_units() {
    let rows = [
        ("x".repeat(32_768), "x".repeat(32_767)),
        ("é".repeat(32_768), "é".repeat(32_767)),
        ("é".repeat(32_767), "é".repeat(32_767)),
        ("😀".repeat(16_384), "😀".repeat(16_383)),
    ];
    for (given, kept) in rows {
        check(&plain(), &format!("wd:Q1 rdfs:label \"{given}\"@en ."), &format!("wd:Q1 rdfs:label \"{kept}\"@en ."));
    }
}

#[test]
fn options_keep_what_their_row_says() {
    let list = |languages: &[&str]| Some(languages.iter().map(|language| (*language).to_owned()).collect());
    let labels = "wd:Q1 rdfs:label \"a\"@de , \"b\"@en , \"c\"@en , \"d\" ; schema:description \"e\"@fr ; skos:altLabel \"f\"@de , \"g\"@en .";
    let rows = [
        (Options { keep_types: true, ..plain() }, "wd:Q1 a wikibase:Item .", "wd:Q1 a wikibase:Item ."),
        (
            Options { keep_types: true, ..plain() },
            "s:Q1-a a wikibase:Statement . ref:r a wikibase:Reference .",
            "s:Q1-a a wikibase:Statement . ref:r a wikibase:Reference .",
        ),
        (
            Options { label_languages: list(&["en"]), ..plain() },
            labels,
            "wd:Q1 rdfs:label \"b\"@en , \"c\"@en ; skos:altLabel \"g\"@en .",
        ),
        (
            Options { single_label: list(&["fr", "en", "de"]), ..plain() },
            labels,
            "wd:Q1 rdfs:label \"b\"@en ; schema:description \"e\"@fr ; skos:altLabel \"f\"@de , \"g\"@en .",
        ),
        (Options { single_label: list(&["it"]), ..plain() }, labels, "wd:Q1 skos:altLabel \"f\"@de , \"g\"@en ."),
        (
            Options { skip_sitelinks: true, ..plain() },
            "<http://w/a> a schema:Article ; schema:about wd:Q1 . <http://w/> wikibase:wikiGroup \"w\" .",
            "<http://w/> wikibase:wikiGroup \"w\" .",
        ),
    ];
    rows.iter().for_each(|(options, given, kept)| check(options, given, kept));
}

#[test]
fn nodes_without_a_label_are_named_after_what_their_statement_says() {
    let kept = |text: &str| munge(&format!("{DATA}{text}"), plain()).kept;
    let [one, other] = ["wd:Q1 wdt:P1 [], ( wd:Q2 ) .", "wd:Q1 wdt:P1 [], ( wd:Q3 ) ."];
    assert_eq!(kept(one), kept(one), "in every run");
    assert_eq!(kept(one), kept(&format!("{one}\n{one}")), "what is said twice is said");
    let links = |text: &str| kept(text).into_iter().filter(|line| line.contains("/P1> _:")).count();
    assert_eq!(links(one), 2);
    assert_eq!(links(&format!("{one}\n{other}")), 4, "what says something else is another node");
    let label = "wd:Q1 wdt:P1 _:0123456789abcdef0123456789abcdef, [ rdf:first wd:Q2 ] .";
    assert!(kept(label).iter().any(|line| line.contains("_:0123456789abcdef0123456789abcdef ")), "a label stays");
}

#[test]
fn a_lexeme_keeps_its_forms_and_senses_and_not_their_labels() {
    let text = "data:L1 schema:version 7 ; schema:dateModified \"x\" .
        wd:L1 a wikibase:Lexeme , ontolex:LexicalEntry ; rdfs:label \"a\"@en ; wikibase:lemma \"a\"@en ;
          ontolex:lexicalForm wd:L1-F1 ; ontolex:sense wd:L1-S1 .
        wd:L1-F1 a wikibase:Form , ontolex:Form ; rdfs:label \"a\"@en ; ontolex:representation \"a\"@en ; p:P1 s:L1-F1-x .
        wd:L1-S1 a wikibase:Sense ; rdfs:label \"g\"@en ; skos:definition \"g\"@en .
        s:L1-F1-x ps:P1 1 . wd:L1-F2 ontolex:representation \"b\"@en .";
    let kept = "wd:L1 schema:version 7 ; schema:dateModified \"x\" ; a ontolex:LexicalEntry ; wikibase:lemma \"a\"@en ;
          ontolex:lexicalForm wd:L1-F1 ; ontolex:sense wd:L1-S1 .
        wd:L1-F1 a ontolex:Form ; ontolex:representation \"a\"@en ; p:P1 s:L1-F1-x .
        wd:L1-S1 skos:definition \"g\"@en . s:L1-F1-x ps:P1 1 .";
    assert_eq!(munge(text, plain()).kept, triples(kept));
}

#[test]
fn what_is_unfit_is_told_and_nothing_else_is_lost() {
    let good = "data:Q9 schema:version 1 ; schema:dateModified \"x\" . wd:Q9 wdt:P1 1 .";
    let rows = [
        ("data:Q1 schema:dateModified \"x\" . wd:Q1 wdt:P1 1 .", "Q1", Unfit::NoRevision),
        ("data:Q1 schema:version 1 . wd:Q1 wdt:P1 1 .", "Q1", Unfit::NoDate),
        ("data:Q1 schema:version wd:Q2 .", "Q1", Unfit::NotLiteral("version".to_owned())),
        (
            "data:Q1 schema:version 1 ; schema:dateModified \"x\" ; schema:about wd:Q2 .",
            "Q1",
            Unfit::About("Q2".to_owned()),
        ),
        ("data:Q1 schema:version 1 ; schema:dateModified \"x\" . <http://x/y> wdt:P1 1 .", "Q1", Unfit::Nothing),
        ("wd:Q1 owl:sameAs wd:Q2 .", "Q1", Unfit::NoRevision),
        ("wd:Q1 wdt:P1 1 .", "wd:Q1", Unfit::Stray),
    ];
    for (given, subject, reason) in rows {
        let munged = munge(&format!("{given}\n{good}"), plain());
        assert_eq!(munged.bad.iter().map(|bad| (&*bad.subject, &bad.reason)).collect::<Vec<_>>(), [(subject, &reason)]);
        assert_eq!(munged.entities, ["Q9"], "{given}");
    }
}

#[test]
fn a_broken_statement_spoils_its_entity_only() {
    let entity = |id: &str, more: &str| {
        format!("data:{id} schema:version 1 ; schema:dateModified \"x\" .\n\nwd:{id} wdt:P1 1 {more}.\n\n")
    };
    let rows = [
        ([entity("Q1", ""), entity("Q2", ", \"\\q\" "), entity("Q3", "")], vec!["Q1", "Q3"], vec!["Q2"]),
        (
            [
                entity("Q1", ""),
                entity("Q2", "").replace("schema:version 1", "schema:version \"\\q\""),
                entity("Q3", ""),
            ],
            vec!["Q1", "Q3"],
            vec!["Q2"],
        ),
        ([entity("Q1", "; "), entity("Q2", ", ] "), entity("Q3", "<")], vec!["Q1"], vec!["Q2", "Q3"]),
    ];
    for (entities, fit, bad) in rows {
        let munged = munge(&entities.concat(), plain());
        assert_eq!(munged.entities, fit, "{entities:?}");
        assert_eq!(munged.bad.iter().map(|bad| &*bad.subject).collect::<Vec<_>>(), bad, "{entities:?}");
        assert!(munged.bad.iter().all(|bad| matches!(bad.reason, Unfit::Syntax(_))), "{:?}", munged.bad);
    }
}

#[test]
fn contexts_are_those_of_the_triples_table() {
    let text = format!(
        "{DATA}wd:Q1 p:P1 s:Q1-a . s:Q1-a psv:P1 v:x ; prov:wasDerivedFrom ref:r . v:x wikibase:timeValue 1 .
        ref:r pr:P1 1 . <http://w/a> a schema:Article . _:b a owl:Restriction ."
    );
    let q1 = "http://www.wikidata.org/entity/Q1";
    let contexts = munge(&text, plain()).contexts;
    let expected = [
        ("<http://w/a>", q1),
        ("<http://www.wikidata.org/entity/Q1>", q1),
        ("<http://www.wikidata.org/entity/statement/Q1-a>", q1),
        ("<http://www.wikidata.org/reference/r>", "reference"),
        ("<http://www.wikidata.org/value/x>", "value"),
        ("_:b", q1),
    ];
    assert_eq!(contexts, expected.map(|(subject, context)| (subject.to_owned(), context.to_owned())).into());
}

proptest! {
    /// The rules do not depend on the order of triples.
    #[test]
    fn any_order_gives_the_same_triples(order in Just((0..24_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let triples: Vec<_> = [
            "data:L1 schema:version 7 .", "data:L1 schema:dateModified \"x\" .", "data:L1 schema:softwareVersion \"0.0.1\" .",
            "wd:L1 ontolex:lexicalForm wd:L1-F1 .", "wd:L1-F1 ontolex:sense wd:L1-F1-S1 .",
            "wd:L1-F1-S1 p:P1 s:L1-a .", "wd:L1-F1 rdfs:label \"x\" .", "s:L1-a ps:P1 \"Point(1 2)\"^^geo:wktLiteral .",
            "s:L1-a psv:P1 v:a .", "v:a wikibase:quantityNormalized v:n .", "v:n wikibase:quantityAmount 1 .",
            "v:a wikibase:quantityAmount 2 .", "s:L1-a prov:wasDerivedFrom ref:r .", "ref:r prv:P1 v:b .",
            "v:b wikibase:timeValue 3 .", "v:c wikibase:timeValue 4 .", "s:L1-b ps:P1 5 .", "<http://w/a> schema:name \"a\" .",
            "<http://w/a> a schema:Article .", "<http://w/b> schema:name \"b\" .", "wd:Q5 wdt:P1 6 .",
            "wd:L1 schema:description \"d\"@de .", "wd:L1 schema:description \"e\"@en .", "wd:L1 schema:description \"f\"@fr .",
        ].into();
        let options = Options { single_label: Some(vec!["en".to_owned(), "de".to_owned()]), ..plain() };
        // The entity begins with its entity-data node, wherever its other triples are.
        let shuffled: String = std::iter::once(triples[0]).chain(order.iter().map(|at| triples[*at])).collect();
        // A second entity-data triple after others begins another entity, as upstream has it; so these stay together.
        let (data, others): (Vec<_>, Vec<_>) = shuffled.split_inclusive(" .").partition(|triple| triple.trim().starts_with("data:"));
        let text = data.concat() + &others.concat();
        let expected = triples.concat();
        prop_assert_eq!(munge(&text, options.clone()).kept, munge(&expected, options).kept);
    }
}
