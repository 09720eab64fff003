//! How fast mutations are read and merged, without a store: `cargo bench --bench consume [-- FILE]`; mutations a second on one core.
//!
//! `-- record FILE COUNT` makes such a file: so many mutations at least, of made-up wikis one after the other, as a perfect updater
//! would send them. Without a file, of 20,000 recorded in memory.

#[path = "../tests/wiki/mod.rs"]
mod wiki;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use headwater::consume::line::{OnBadRecord, Pace};
use headwater::consume::patience::Limits;
use headwater::consume::position::Said;
use headwater::consume::service::{self, Config, Messages, Start, Watcher};
use headwater::consume::target::{Target, TargetError, Update};
use headwater::env::Env;
use headwater::sparql::Done;
use headwater::storage::Location;
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;
use rayon::prelude::*;

use crate::wiki::edit::Size;
use crate::wiki::history::{History, Shape};
use crate::wiki::stream::Writer;

const ROUNDS: usize = 5;
/// Mutations of a made-up wiki.
const EACH: usize = 5_000;

/// A store that takes everything at once.
#[derive(Default)]
struct Nobody {
    said: Said,
    triples: usize,
}

impl Target for Nobody {
    fn position(&mut self) -> Result<Said, TargetError> {
        Ok(self.said.clone())
    }

    fn apply(&mut self, update: &Update) -> Result<Done, TargetError> {
        self.triples += update.changes.added.len() + update.changes.removed.len();
        self.said = Said::at(update.position.clone());
        Ok(Done::default())
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", file, count] => record(Path::new(file), count.parse().expect("a number")),
        [file] => measure(Path::new(file)),
        _ => {
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().join("mutations.ndjson");
            record(&file, 20_000);
            measure(&file);
        }
    }
}

fn record(file: &Path, count: usize) {
    let mut out = BufWriter::new(File::create(file).expect("the file can be written"));
    let (mut mutations, mut bytes) = (0, 0);
    let seeds: Vec<_> = (0..count.div_ceil(EACH) as u64).collect();
    for seeds in seeds.chunks(8) {
        let recorded: Vec<_> = seeds.par_iter().map(|seed| of_wiki(*seed)).collect();
        for message in recorded.iter().flatten() {
            mutations += 1;
            bytes += message.len() + 1;
            out.write_all(message).and_then(|()| out.write_all(b"\n")).expect("the file can be written");
        }
    }
    out.flush().expect("the file can be written");
    println!("consume: {mutations} messages, {bytes} bytes in {}", file.display());
}

fn of_wiki(seed: u64) -> Vec<Vec<u8>> {
    let history = History::shaped(Shape { size: Size::TYPICAL, pages: 500, ..Shape::default() }, seed, EACH);
    let mut writer = Writer::new(&history, &BTreeMap::new());
    (0..history.changes.len()).flat_map(|number| writer.answer(number)).collect()
}

fn measure(file: &Path) {
    let config = Config {
        scheme: UrisScheme::wikidata(),
        domain: "www.wikidata.org".to_owned(),
        source: Messages::Files(vec![Location::parse(file.to_str().expect("a path in UTF-8")).expect("a location")]),
        start: Some(Start::Earliest),
        is_anew: false,
        until_end: false,
        pace: Pace {
            first: 10_000,
            least: 100,
            most: 10_000,
            aim: Duration::from_secs(2),
            linger: Duration::from_secs(3),
            sample: 20,
            patience: Limits { pause: Duration::from_millis(1), give_up: Duration::from_secs(1) },
        },
        on_bad: OnBadRecord::Stop,
        run: Some(headwater::env::new_id()),
    };
    let mut rates: Vec<_> = (0..ROUNDS).map(|_| round(&config)).collect();
    rates.sort_by(f64::total_cmp);
    let [least, middle, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| rates[at]);
    println!("consume: median {middle:.0} mutations a second ({least:.0} to {most:.0}), one thread, no store");
}

fn round(config: &Config) -> f64 {
    let (mut nobody, begun) = (Nobody::default(), Instant::now());
    let mut watcher = Watcher::new(Timestamp::default, &Arc::new(AtomicBool::new(false)), Box::new(|_| {}));
    let summary = service::run(config, &mut nobody, &Env::default(), &mut watcher).expect("the file is good");
    let seconds = begun.elapsed().as_secs_f64();
    let applied = summary.totals.applied;
    println!("  {} mutations, {} triples -> {}, {seconds:.2} s", applied.mutations(), applied.triples, nobody.triples);
    applied.mutations() as f64 / seconds
}
