//! The law of the scan: for every document that oxttl accepts, the facts of its triples, however the text is cut.

use oxttl::TurtleParser;
use proptest::prelude::*;

use super::*;

/// The facts of a document as oxttl reads it; `None` where it does not accept it.
fn reference(text: &[u8]) -> Option<Vec<Fact>> {
    // See `rdf::reader::judge`: nothing may touch the end of oxttl's input.
    let text = &[text, b"\n"].concat();
    let scheme = UrisScheme::wikidata();
    let (mut facts, arena) = (Vec::new(), Arena::default());
    for triple in TurtleParser::new().for_slice(text) {
        facts.extend(facts::fact(&arena.triple(&triple.ok()?), &scheme));
    }
    Some(facts)
}

/// The facts that a scan finds in the text, pushed in pieces of these sizes in turn.
fn scanned(text: &[u8], sizes: &[usize]) -> Vec<Found> {
    let scheme = UrisScheme::wikidata();
    let mut scanner = Scanner::new(Manner { scheme: &scheme, strict: false }, Prefixes::default(), Place::default());
    let mut found = Vec::new();
    let mut sizes = sizes.iter().cycle();
    let mut rest = text;
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        scanner.push(&rest[..size], &mut |fact| found.push(fact));
        rest = &rest[size..];
    }
    scanner.finish(&mut |fact| found.push(fact));
    assert_eq!(scanner.place(), Place::default().after(text), "the scanner stands at the end");
    found
}

fn facts(found: Vec<Found>) -> Vec<Fact> {
    found.into_iter().map(|found| found.fact).collect()
}

/// What documents are put together from. Each is a sequence of whole statements.
const FRAGMENTS: &[&str] = &[
    "@prefix schema: <http://schema.org/> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n",
    "@prefix wd: <http://www.wikidata.org/entity/> .\n@prefix owl: <http://www.w3.org/2002/07/owl#> .\n",
    "@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .\n@prefix wikibase: <http://wikiba.se/ontology#> .\n",
    "@prefix data: <http://example.org/other/> .\n",
    "@prefix d: <https://www.wikidata.org/wiki/Special:EntityData/> .\nd:Q5 schema:version \"5\" .\n",
    "@prefix v: <http://schema.org/ver> .\nwd:Q1 wd:P1 wd:Q2 .\ndata:Q6 v:sion \"6\" .\n@prefix v: <http://schema.org/> .\n",
    "PREFIX schema: <http://schema.org/>\n",
    "pReFix w:<https://www.wikidata.org/wiki/Special:EntityData/> w:Q7 schema:version 7 . ",
    "@base <https://www.wikidata.org/wiki/> .\n<Special:EntityData/Q8> schema:version 8 .\n",
    "BASE # why not\n <http://schema.org/> data:Q9 <version> 9 .\n",
    "data:Q31 a schema:Dataset ;\n\tschema:about wd:Q31 ;\n\tschema:version \"1065756426\"^^xsd:integer ;\n\tschema:dateModified \"2019-11-30T01:14:52Z\"^^xsd:dateTime .\n\n",
    "data:Q32 a schema:Dataset ; schema:version 2 . data:Q33 schema:version 3 . wd:Q33 owl:sameAs wd:Q34 .\n",
    "data:L4696 schema:version \"766944915\"^^xsd:integer ;\n.\n",
    "wikibase:Dump a schema:Dataset,\n\t\towl:Ontology ;\n\tschema:dateModified \"2020-03-02T23:00:02Z\"^^xsd:dateTime .\n",
    "wikibase:Dump a schema:Dataset .\n",
    "<http://wikiba.se/ontology-beta#Dump> schema:dateModified \"yesterday\" .\n",
    "<https://www.wikidata.org/wiki/Special:EntityData/Q41> <http://schema.org/version> \"41\" .\n",
    "<https://www.wikidata.org/wiki/Special:EntityData/Q42> <http://schema.org/\\u0076ersion> \"42\" .\n",
    "<https://www.wikidata.org/wiki/Special:EntityData/Q43> <http://schema.org/\\U00000076ersion> \"4\\u0033\" .\n",
    "wd:Q44 owl:sameAs wd:Q45 .\n",
    "data:Q46 schema:version \"x\" .\ndata:X1 schema:version 1 .\ndata:Q47 schema:version data:Q47 .\n",
    "wd:Q1 schema:description \"data:Q50 schema:version \\\"50\\\" .\"@en .\n",
    "wd:Q1 schema:description \"\"\"long\n\ndata:Q51 schema:version 51 .\n\"\"\"@en .\n",
    "wd:Q1 schema:description '''long .\n@prefix data: <http://example.org/> .\n''' ; schema:name \"\" , '' .\n",
    "wd:Q1 schema:description 'it\"s' , \"it's\" . data:Q52 schema:version '52' .\n",
    "# data:Q53 schema:version 53 .\n",
    "wd:Q1 wd:P1 wd:Q2 . # a comment \" with a mark\n",
    "wd:Q1 wd:P1 5.wd:Q2 wd:P2 .5 .\n",
    "_:a.wd:P1 wd:P2 wd:Q3 .\n",
    "_:b wd:P2 wd:Q3. wd:Q3 wd:P4 true.\n",
    "wd:Q1\nwd:P1\nwd:Q2\n.\ndata:Q54\nschema:version\n54\n.\n",
    "[ schema:version 55 ] schema:about data:Q55 .\n( data:Q56 ) schema:version 56 .\n",
    "data:Q57 schema:about [ schema:version 1 ; owl:sameAs wd:Q1 ] ; schema:version 57 .\n",
    "wd:Q1 schema:name \"naïve 世界 🙂\"@fr ; schema:name \"back\\\\\" .\n",
    "wd:Q1 wd:P1 wd:a\\. , wd:b\\~c .\ndata:Q58 schema:version 58 .\n",
    "wd: wd:P1 : .\n@prefix : <http://example.org/:> .\n",
    "@prefix : <http://example.org/:> .\n:a :b :c.d:e .\r\ndata:Q59 schema:version 59 .\r\n",
    "wd:Q1 schema:name \"\"\"a \"quoted\" ' word\\\"\"\"\"; schema:version 60 .\n",
    "<http://example.org/#x> schema:version \"1\" .\n<http://example.org/a> wd:P1 <http://example.org/#x> .\n",
    "wd:Q1 schema:name \"prefix: <base <\" .\n",
    "\n\n \t\r\n",
];

/// Bytes that show as text when a case fails.
#[derive(Clone)]
struct Text(Vec<u8>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

fn document() -> impl Strategy<Value = Text> {
    let fragments = prop::collection::vec(prop::sample::select(FRAGMENTS), 0..14);
    (any::<bool>(), fragments).prop_map(|(prefixed, fragments)| {
        let start = if prefixed { FRAGMENTS[..3].concat() } else { String::new() };
        Text((start + &fragments.concat()).into_bytes())
    })
}

/// A document after some bytes were removed, doubled or replaced.
fn damaged() -> impl Strategy<Value = Text> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(&b"\"'.<>#\\\n\r ;,:@[]()ae5_-\xC3"[..]));
    (document(), prop::collection::vec(change, 0..4)).prop_map(|(Text(mut text), changes)| {
        for (at, what, byte) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match what {
                0 => drop(text.remove(at)),
                1 => text.insert(at, byte),
                _ => text[at] = byte,
            }
        }
        Text(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_scan_finds_what_oxttl_finds(Text(text) in damaged(), sizes in prop::collection::vec(1..400_usize, 0..6)) {
        let found = scanned(&text, &sizes);
        if let Some(expected) = reference(&text) {
            prop_assert_eq!(facts(found), expected);
        }
    }

    #[test]
    fn however_the_text_is_cut(Text(text) in document(), sizes in prop::collection::vec(1..100_usize, 1..6)) {
        let (cut, whole) = (scanned(&text, &sizes), scanned(&text, &[]));
        // Of a document that is no Turtle, only what is looked at is judged, and that does depend on the cuts.
        if reference(&text).is_some() {
            prop_assert_eq!(cut, whole);
        }
    }
}

#[test]
fn broken_text_is_reported_with_its_place() {
    let rows: &[(&str, &str, u64, u64)] = &[
        ("wd:Q1 schema:name \"open .\ndata:Q2 schema:version 2 .\n", "ends on its own line", 25, 0),
        (
            "@prefix d: <http://e.org/> .\nd:a d:b ;\nd:c d:d .\nd:e d:f .\nd:g d:h d:i\n",
            "not a valid RDF object",
            0,
            1,
        ),
        ("@prefix d: <http://e.org/> .\nd:a d:b d:c .\nd:a d:b", "Unexpected end", 0, 2),
        ("x:a schema:version 1 .\n", "x:", 0, 0),
    ];
    for (text, rule, offset, line) in rows {
        let found = scanned(text.as_bytes(), &[]);
        let Some(Found { fact: Fact::Bad(broken) | Fact::Unfinished(broken), place }) = found.first() else {
            panic!("{text}: {found:?}")
        };
        assert!(broken.rule.contains(rule), "{text}: {}", broken.rule);
        assert!(*offset == 0 || place.offset == *offset, "{text}: {place:?}");
        assert!(*line == 0 || place.line == *line, "{text}: {place:?}");
    }
}

/// Statements that state nothing here are judged only when asked; a hole in a file is seen either way.
#[test]
fn what_is_broken_elsewhere_is_seen_when_strict() {
    let rows =
        [("wd:a wd:b .\n", false, true), ("wd:a wd:b \0\0\0 .\n", true, true), ("wd:a wd:b wd:c .\n", false, false)];
    for (statement, seen, seen_strictly) in rows {
        let text = format!("@prefix wd: <http://www.wikidata.org/entity/> .\n{statement}wd:d wd:e wd:f .\n");
        for (strict, expected) in [(false, seen), (true, seen_strictly)] {
            let scheme = UrisScheme::wikidata();
            let mut scanner = Scanner::new(Manner { scheme: &scheme, strict }, Prefixes::default(), Place::default());
            let mut found = Vec::new();
            scanner.push(text.as_bytes(), &mut |fact| found.push(fact));
            scanner.finish(&mut |fact| found.push(fact));
            assert_eq!(!found.is_empty(), expected, "{statement:?}, strict: {strict}");
        }
    }
}
