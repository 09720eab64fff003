//! How fast one core scans the text of a dump: GB/s, the median of several rounds over a made-up dump in memory.
//!
//! Run with `cargo bench --bench scan`.

use std::time::Instant;

use headwater::compression::source::WINDOW;
use headwater::dump::facts::Fact;
use headwater::dump::scan::{Manner, Place, Scanner};
use headwater::generate::profile::{Contents, Prefixes, Profile};
use headwater::rdf::prefixes;
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

const ROUNDS: usize = 9;

fn main() {
    let profile = Profile {
        seed: 1,
        contents: Contents::Items,
        entities: 40_000,
        documents: 16,
        redirects: 30,
        start: Timestamp::default(),
        prefixes: Prefixes::New,
    };
    let mut text = Vec::new();
    for number in 0..profile.documents {
        profile.write_document(number, &mut text).expect("writing to memory");
    }
    let mut rates: Vec<f64> = (0..ROUNDS).map(|_| rate(&text, u64::from(profile.entities))).collect();
    rates.sort_by(f64::total_cmp);
    let (slowest, median, fastest) = (rates[0], rates[ROUNDS / 2], rates[ROUNDS - 1]);
    println!(
        "scan: {:.0} MB of Turtle, one core: median {median:.2} GB/s ({slowest:.2} to {fastest:.2})",
        text.len() as f64 / 1e6
    );
}

fn rate(text: &[u8], entities: u64) -> f64 {
    let scheme = UrisScheme::wikidata();
    let mut scanner =
        Scanner::new(Manner { scheme: &scheme, strict: false }, prefixes::Prefixes::default(), Place::default());
    let mut revisions = 0;
    let mut count =
        |found: headwater::dump::scan::Found| revisions += u64::from(matches!(found.fact, Fact::Revision(..)));
    let start = Instant::now();
    text.chunks(WINDOW).for_each(|window| scanner.push(window, &mut count));
    scanner.finish(&mut count);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(revisions, entities, "every entity is found");
    text.len() as f64 / 1e9 / seconds
}
