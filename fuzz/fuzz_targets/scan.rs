//! The law of the scan: of every document that oxttl accepts, the facts of its triples, however the text is cut.
//!
//! Input: two bytes that choose the cuts, one whose lowest bit puts the usual prefixes before the document, the document.
//! Of what oxttl refuses, the scan only has to come to its end; the law is then put to what stands before the error.

#![no_main]

use headwater::dump::facts::{self, Fact};
use headwater::dump::scan::{Found, Manner, Place, Scanner};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::Arena;
use headwater::wikibase::uris::UrisScheme;
use libfuzzer_sys::fuzz_target;
use oxttl::TurtleParser;

const PREFIXES: &[u8] = b"@prefix schema: <http://schema.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .
@prefix wikibase: <http://wikiba.se/ontology#> .
";

fuzz_target!(|input: &[u8]| {
    let [first, second, prefixed, document @ ..] = input else { return };
    let start = if prefixed & 1 == 1 { PREFIXES } else { b"" };
    let text = [start, document].concat();
    let sizes = [*first, *second];
    scanned(&text, &sizes);
    if let Some((text, expected)) = accepted(&text) {
        let whole = scanned(text, &[]);
        assert_eq!(facts(&whole), expected, "what the scan of the whole text found, and oxttl");
        assert_eq!(scanned(text, &sizes), whole, "what the scans of the cut and of the whole text found");
    }
});

/// How often a document is made shorter until oxttl accepts it.
const TRIES: usize = 6;

/// A beginning of the document that oxttl accepts, perhaps all of it, and its facts. Most changes break a document; what
/// stands before the break is worth looking at all the same.
fn accepted(mut text: &[u8]) -> Option<(&[u8], Vec<Fact>)> {
    for _ in 0..TRIES {
        match reference(text) {
            Ok(facts) => return Some((text, facts)),
            Err(broken) => {
                let before = &text[..broken.min(text.len().saturating_sub(1))];
                text = &text[..before.iter().rposition(|byte| *byte == b'.')? + 1];
            }
        }
    }
    None
}

/// The facts of a document as oxttl reads it, or where it breaks a rule.
fn reference(text: &[u8]) -> Result<Vec<Fact>, usize> {
    // oxttl loses the end of a name with escapes that touches the end of its input.
    let text = [text, b"\n"].concat();
    let scheme = UrisScheme::wikidata();
    let (mut found, arena) = (Vec::new(), Arena::default());
    for triple in TurtleParser::new().for_slice(&text) {
        let triple = triple.map_err(|error| error.location().start.offset as usize)?;
        found.extend(facts::fact(&arena.triple(&triple), &scheme));
    }
    Ok(found)
}

/// What a scan finds in the text, pushed in pieces of these sizes in turn; 0 is all that is left.
fn scanned(text: &[u8], sizes: &[u8]) -> Vec<Found> {
    let scheme = UrisScheme::wikidata();
    let mut scanner = Scanner::new(Manner { scheme: &scheme, strict: false }, Prefixes::default(), Place::default());
    let (mut found, mut rest, mut sizes) = (Vec::new(), text, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(0, |size| usize::from(*size));
        let (piece, after) = rest.split_at(if size == 0 { rest.len() } else { size.min(rest.len()) });
        scanner.push(piece, &mut |fact| found.push(fact));
        rest = after;
    }
    scanner.finish(&mut |fact| found.push(fact));
    assert_eq!(scanner.place(), end_of(text), "the scanner stands at the end");
    found
}

fn end_of(text: &[u8]) -> Place {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    Place { offset: text.len() as u64, line: lines as u64 }
}

fn facts(found: &[Found]) -> Vec<Fact> {
    found.iter().map(|found| found.fact.clone()).collect()
}
