//! How fast documents are fetched from a made-up wiki on this machine that takes no time, or 100 ms, to answer: documents a second,
//! the median of several rounds.
//!
//! Run with `cargo bench --bench fetch`. The wiki runs in the same process, on a thread a connection, and takes some of the cores.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use headwater::entity_data::{Asked, Fetcher, Settings};
use headwater::env::Env;
use headwater::wikibase::entity::{EntityId, EntityKind, Revision};
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

const ROUNDS: usize = 5;
/// A typical entity, in bytes.
const SIZE: usize = 20 << 10;
const IN_FLIGHT: usize = 100;
/// As many as the loop keeps in order.
const QUEUE: usize = 2 * IN_FLIGHT;

fn main() {
    for (millis, documents) in [(0, 20_000), (100, 5_000)] {
        let url = wiki(Duration::from_millis(millis));
        let mut rates: Vec<_> = (0..ROUNDS).map(|_| round(&url, documents)).collect();
        rates.sort_by(f64::total_cmp);
        println!(
            "fetch: {documents} documents of {SIZE} bytes, {millis} ms each, {IN_FLIGHT} at once: \
             median {:.0} a second ({:.0} to {:.0})",
            rates[ROUNDS / 2],
            rates[0],
            rates[ROUNDS - 1]
        );
    }
}

/// Documents a second.
fn round(url: &str, documents: u32) -> f64 {
    let settings =
        Settings { entity_data: url.to_owned(), in_flight: IN_FLIGHT, ..Settings::new(&UrisScheme::wikidata()) };
    let fetcher = Fetcher::new(settings, &Env::default()).expect("the settings are good");
    let start = Instant::now();
    let mut queue = VecDeque::new();
    let mut bytes = 0;
    for number in 1..=documents {
        let entity = EntityId::new(EntityKind::Item, number).expect("a small number");
        let revision = Revision::new(7).expect("a small number");
        queue.push_back(fetcher.begin(Asked { entity, revision, is_new: true, event_time: Timestamp::default() }));
        while queue.len() >= QUEUE {
            bytes += queue.pop_front().map_or(0, |pending| pending.wait().expect("it is there").len());
        }
    }
    bytes += queue.into_iter().map(|pending| pending.wait().expect("it is there").len()).sum::<usize>();
    assert_eq!(bytes, documents as usize * SIZE);
    f64::from(documents) / start.elapsed().as_secs_f64()
}

/// A wiki that has one document.
fn wiki(time: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, time));
        }
    });
    url
}

fn serve(mut stream: TcpStream, time: Duration) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/turtle\r\nContent-Length: {SIZE}\r\n\r\n");
    let answer = [head.into_bytes(), vec![b'x'; SIZE]].concat();
    let Ok(copy) = stream.try_clone() else { return };
    let lines = BufReader::new(copy).lines().map_while(Result::ok);
    // An empty line ends a request.
    for _ in lines.filter(String::is_empty) {
        thread::sleep(time);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}
