//! How fast one core munges the text of a dump into N-Triples: triples read a second, the median of several rounds over a
//! made-up dump in memory.
//!
//! Run with `cargo bench --bench munge`.

use std::time::Instant;

use headwater::generate::profile::{Contents, Prefixes as Generation, Profile};
use headwater::munge::Options;
use headwater::munge::text::{Bad, Entity, Munger, Sink};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::Arena;
use headwater::rdf::term::Triple;
use headwater::triples::lines::LineWriter;
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

const ROUNDS: usize = 9;

struct Lines {
    writer: LineWriter,
    read: usize,
}

impl Sink for Lines {
    fn header(&mut self, triple: &Triple<'_>) {
        self.read += 1;
        self.writer.triple(triple);
    }

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        self.read += entity.read();
        entity.kept().for_each(|kept| self.writer.triple(&kept.triple));
    }

    fn bad(&mut self, bad: Bad) {
        panic!("a made-up dump is good: {bad:?}");
    }
}

fn main() {
    let profile = Profile {
        seed: 1,
        contents: Contents::Items,
        entities: 10_000,
        documents: 64,
        redirects: 30,
        start: Timestamp::default(),
        prefixes: Generation::New,
    };
    let document = |number| {
        let mut text = Vec::new();
        profile.write_document(number, &mut text).expect("writing to memory");
        String::from_utf8(text).expect("a dump is text")
    };
    let documents: Vec<_> = (0..profile.documents).map(document).collect();
    let megabytes = documents.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| round(&documents)).collect();
    rounds.sort_by(|a, b| a.1.total_cmp(&b.1));
    let rate = |at: usize| rounds[at].0 as f64 / 1e6 / rounds[at].1;
    println!(
        "munge: {megabytes:.0} MB of Turtle, one core: median {:.2} million triples/s ({:.2} to {:.2}), {:.0} MB/s",
        rate(ROUNDS / 2),
        rate(ROUNDS - 1),
        rate(0),
        megabytes / rounds[ROUNDS / 2].1
    );
}

/// Triples read, and seconds.
fn round(documents: &[String]) -> (usize, f64) {
    let munger = Munger::new(&UrisScheme::wikidata(), Options::default());
    let start = Instant::now();
    let mut read = 0;
    for document in documents {
        let mut lines = Lines { writer: LineWriter::n_triples(), read: 0 };
        munger.text(document, &Prefixes::default(), None, &Arena::default(), &mut lines);
        read += lines.read;
        std::hint::black_box(lines.writer.finish());
    }
    (read, start.elapsed().as_secs_f64())
}
