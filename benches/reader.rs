//! How fast one core reads all triples of a dump, and how fast oxttl does: MB/s and triples/s, medians of rounds in turn.
//!
//! Run with `cargo bench --bench reader`; a file given as argument, or in `HEADWATER_CHUNK`, stands for a real dump.

use std::path::PathBuf;
use std::time::Instant;

use headwater::generate::profile::{self, Contents, Profile};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::{Arena, Reader};
use headwater::wikibase::timestamp::Timestamp;
use oxttl::TurtleParser;

const ROUNDS: usize = 7;
/// Bytes read in a round, at least.
const SIZE: usize = 50_000_000;

fn main() {
    compare("made-up dump", &generated());
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let path = given.or_else(|| std::env::var("HEADWATER_CHUNK").ok()).map_or_else(default_chunk, PathBuf::from);
    match std::fs::read_to_string(&path) {
        Ok(chunk) => compare(&path.display().to_string(), &chunk.repeat(SIZE / chunk.len() + 1)),
        Err(error) => eprintln!("SKIPPED: no real dump at {}: {error}", path.display()),
    }
}

fn default_chunk() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/dumps/Q42.ttl")
}

fn generated() -> String {
    let mut profile = Profile {
        seed: 1,
        contents: Contents::Items,
        entities: 10_000,
        documents: 16,
        redirects: 30,
        start: Timestamp::default(),
        prefixes: profile::Prefixes::New,
    };
    let mut text = Vec::new();
    while text.len() < SIZE {
        (0..profile.documents).for_each(|number| profile.write_document(number, &mut text).expect("writing to memory"));
        profile.seed += 1;
    }
    String::from_utf8(text).expect("dumps are UTF-8")
}

fn compare(name: &str, text: &str) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut triples = (0, 0);
    for _ in 0..ROUNDS {
        triples.0 = timed(&mut ours, || read(text));
        triples.1 = timed(&mut theirs, || read_by_oxttl(text));
    }
    assert_eq!(triples.0, triples.1, "both read the same triples");
    println!("{name}: {:.1} MB, {:.3} M triples", text.len() as f64 / 1e6, triples.0 as f64 / 1e6);
    let (ours, theirs) = (median(ours), median(theirs));
    for (name, seconds) in [("reader", ours), ("oxttl", theirs)] {
        let (bytes, triples) = (text.len() as f64 / 1e6 / seconds, triples.0 as f64 / 1e6 / seconds);
        println!("  {name:<6} median {bytes:>6.0} MB/s {triples:>6.2} M triples/s");
    }
    println!("  ratio  {:.1}", theirs / ours);
}

fn timed(seconds: &mut Vec<f64>, read: impl FnOnce() -> usize) -> usize {
    let start = Instant::now();
    let triples = read();
    seconds.push(start.elapsed().as_secs_f64());
    triples
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn read(text: &str) -> usize {
    let (arena, prefixes) = (Arena::default(), Prefixes::default());
    let mut reader = Reader::new(&arena, &prefixes, text, 0, true);
    let (mut triples, mut count) = (Vec::new(), 0);
    while reader.statement(&mut triples).expect("it is Turtle") {
        count += triples.len();
        std::hint::black_box(&triples);
        triples.clear();
    }
    count
}

fn read_by_oxttl(text: &str) -> usize {
    let mut count = 0;
    for triple in TurtleParser::new().for_slice(text) {
        std::hint::black_box(triple.expect("it is Turtle"));
        count += 1;
    }
    count
}
