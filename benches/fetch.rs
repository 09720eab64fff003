//! How fast documents are fetched from a made-up wiki on this machine that takes no time, or 100 ms, to answer: documents a second,
//! the median of several rounds.
//!
//! Run with `cargo bench --bench fetch`. The wiki runs in the same process, on one thread, and takes some of the cores.

#[path = "../tests/wiki/mod.rs"]
mod wiki;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::entity_data::{Asked, Fetcher, Settings};
use headwater::env::Env;
use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

use crate::wiki::edit::Size;
use crate::wiki::history::{History, Shape};
use crate::wiki::server::Server;

const ROUNDS: usize = 5;
/// How many entities the wiki has; they are of typical size.
const ENTITIES: usize = 500;
const IN_FLIGHT: usize = 100;
/// As many as the loop keeps in order.
const QUEUE: usize = 2 * IN_FLIGHT;

fn main() {
    let shape = Shape { size: Size::TYPICAL, pages: ENTITIES, ..Shape::default() };
    let history = Arc::new(History::shaped(shape, 1, 8 * ENTITIES));
    let all: Vec<_> = history.entities(i64::MAX).map(|(entity, revision)| (entity, revision.number)).collect();
    let size = |(entity, revision): &(EntityId, u64)| history.document(*entity, *revision).map_or(0, |text| text.len());
    let sizes: Vec<_> = all.iter().map(size).collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    for (millis, documents) in [(0, 20_000), (100, 5_000)] {
        let server = Server::start(Arc::clone(&history));
        server.delay(Duration::from_millis(millis));
        let bytes = sizes.iter().cycle().take(documents).sum();
        let asked = || all.iter().cycle().take(documents);
        let mut rates: Vec<_> = (0..ROUNDS).map(|_| round(&server.url(), asked(), bytes)).collect();
        rates.sort_by(f64::total_cmp);
        println!(
            "fetch: {documents} documents of {mean} bytes, {millis} ms each, {IN_FLIGHT} at once: \
             median {:.0} a second ({:.0} to {:.0})",
            rates[ROUNDS / 2],
            rates[0],
            rates[ROUNDS - 1]
        );
    }
}

/// Documents a second.
fn round<'e>(url: &str, documents: impl Iterator<Item = &'e (EntityId, u64)>, expected: usize) -> f64 {
    let settings =
        Settings { entity_data: url.to_owned(), in_flight: IN_FLIGHT, ..Settings::new(&UrisScheme::wikidata()) };
    let fetcher = Fetcher::new(settings, &Env::default()).expect("the settings are good");
    let start = Instant::now();
    let mut queue = VecDeque::new();
    let (mut bytes, mut count) = (0, 0);
    for (entity, revision) in documents {
        let revision = Revision::new(*revision).expect("a revision is above 0");
        queue.push_back(fetcher.begin(Asked {
            entity: *entity,
            revision,
            is_new: true,
            event_time: Timestamp::default(),
        }));
        count += 1;
        while queue.len() >= QUEUE {
            bytes += queue.pop_front().map_or(0, |pending| pending.wait().expect("it is there").len());
        }
    }
    bytes += queue.into_iter().map(|pending| pending.wait().expect("it is there").len()).sum::<usize>();
    assert_eq!(bytes, expected);
    f64::from(count) / start.elapsed().as_secs_f64()
}
