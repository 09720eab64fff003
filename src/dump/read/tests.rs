//! The law of reading: in whatever parts and on however many threads, what one scanner finds in the whole text.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::storage::{self, Location};
use crate::wikibase::uris::UrisScheme;

const PREFIXES: &str = "@prefix schema: <http://schema.org/> .\n@prefix wd: <http://www.wikidata.org/entity/> .\n\
    @prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .\n@prefix wikibase: <http://wikiba.se/ontology#> .\n";

/// Statements to fill a dump with; `#` stands for a number. The later ones make guesses fail.
const STATEMENTS: [&str; 7] = [
    "data:Q# a schema:Dataset ;\n\tschema:about wd:Q# ;\n\tschema:version \"#\" .\n\n",
    "wd:Q# a wikibase:Item ;\n\tschema:name \"data:Q5 schema:version 5 .\"@en .\n\n",
    "wikibase:Dump a schema:Dataset ;\n\tschema:dateModified \"2020-03-02T23:00:02Z\" .\n\n",
    "data:Q# schema:version \"x\" .\n",
    "wd:Q# schema:description \"\"\"long .\n\ndata:Q# schema:version 1 .\n\n@prefix data: <http://example.org/> .\n\"\"\" .\n",
    "@prefix data: <http://example.org/#/> .\n",
    "@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .\n",
];

fn dump() -> impl Strategy<Value = String> {
    let statement = prop_oneof![12 => 0..3_usize, 1 => 3..STATEMENTS.len()];
    prop::collection::vec((statement, 1..1000_u32), 0..600).prop_map(|statements| {
        let text = statements.into_iter().map(|(which, number)| STATEMENTS[which].replace('#', &number.to_string()));
        PREFIXES.to_owned() + &text.collect::<String>()
    })
}

fn source(bytes: Vec<u8>, part: u64) -> Source {
    let location = Location::memory().join("dump");
    storage::put(&location, bytes.into()).unwrap();
    Source::open(&location).unwrap().with_part(part)
}

fn found(source: &Source) -> (Vec<Found>, Result<Summary, ReadError>) {
    let mut found = Vec::new();
    let summary =
        read(source, Manner { scheme: &UrisScheme::wikidata(), strict: false }, &AtomicBool::new(false), &mut |fact| {
            found.push(fact);
            ControlFlow::Continue(())
        });
    (found, summary)
}

fn expected(text: &str) -> (Vec<Found>, Place) {
    let scheme = UrisScheme::wikidata();
    let mut scanner = Scanner::new(Manner { scheme: &scheme, strict: false }, Prefixes::default(), Place::default());
    let mut found = Vec::new();
    scanner.push(text.as_bytes(), &mut |fact| found.push(fact));
    scanner.finish(&mut |fact| found.push(fact));
    (found, scanner.place())
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bz2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn parts_find_what_the_whole_holds(text in dump(), part in 100..5000_u64, member in 50..9000_usize) {
        let (facts, end) = expected(&text);
        let members: Vec<u8> = text.as_bytes().chunks(member).flat_map(gz).collect();
        let streams: Vec<u8> = text.as_bytes().chunks(member * 10).flat_map(bz2).collect();
        for bytes in [text.clone().into_bytes(), members, streams, zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let (got, summary) = found(&source(bytes, part));
            prop_assert_eq!(&got, &facts);
            prop_assert_eq!(summary.unwrap().end, end);
        }
    }

    /// Before an error in the data, what precedes it is found.
    #[test]
    fn a_truncated_dump_gives_what_it_holds(text in dump(), cut: prop::sample::Index) {
        let whole: Vec<u8> = text.as_bytes().chunks(3000).flat_map(gz).collect();
        let (got, summary) = found(&source(whole[..cut.index(whole.len())].to_vec(), 500));
        let (facts, _) = expected(&text);
        let shared = got.iter().zip(&facts).take_while(|(got, fact)| got == fact).count();
        // The last thing found may be that the text breaks off.
        prop_assert!(shared + 1 >= got.len());
        if let Err(error) = summary {
            prop_assert!(matches!(error, ReadError::Decode(DecodeError::Truncated { .. })), "{error}");
        }
    }
}

#[test]
fn a_dump_as_dumps_are_is_read_once() {
    let block = STATEMENTS[..2].concat();
    let text: String =
        PREFIXES.to_owned() + &(1..4000).map(|number| block.replace('#', &number.to_string())).collect::<String>();
    let (got, summary) = found(&source(text.into_bytes(), 20_000));
    assert_eq!((got.len(), summary.unwrap().reread), (3999, 0));
}

#[test]
fn stopping_is_heeded() {
    let text: String = PREFIXES.to_owned() + &"wd:Q1 wd:P1 wd:Q2 .\n".repeat(10_000);
    let stopped = read(
        &source(text.into_bytes(), 5000),
        Manner { scheme: &UrisScheme::wikidata(), strict: false },
        &AtomicBool::new(true),
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(stopped, Err(ReadError::BrokenOff)));
}
