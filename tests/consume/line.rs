//! A line from a source that is not as it should be.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use headwater::consume::line::{Line, OnBadRecord, Parts};
use headwater::consume::position::Position;
use headwater::consume::target::Before;
use headwater::consume::triples::Namespaces;
use headwater::consume::{ConsumeError, Totals, service};
use headwater::kafka::KafkaError;
use headwater::updater::source::{Arrived, PartitionName, Polled, Source, SourceError};

use super::*;

/// A topic, a record a poll.
struct Topic {
    name: [PartitionName; 1],
    records: Vec<Vec<u8>>,
    read: usize,
    /// After how many records another has taken its place, with the same ones but the first.
    remade_after: usize,
    is_out_of_reach: bool,
    /// What was asked for again.
    asked: Rc<Cell<usize>>,
}

impl Topic {
    fn of(records: Vec<Vec<u8>>) -> Self {
        let name = [PartitionName { topic: "t".to_owned(), number: 0 }];
        Self { name, records, read: 0, remade_after: usize::MAX, is_out_of_reach: false, asked: Rc::default() }
    }
}

impl Source for Topic {
    fn partitions(&self) -> &[PartitionName] {
        &self.name
    }

    fn poll(&mut self, _wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let Some(value) = self.records.get(self.read) else {
            return Ok(Polled { records: 0, ended: !self.is_out_of_reach });
        };
        let start = self.read as u64;
        self.read += 1;
        take(Arrived { place: 0, start: Some(start), next: Some(start + 1), value });
        Ok(Polled { records: 1, ended: false })
    }

    fn still_has(&mut self, place: usize, start: u64, is_it: &dyn Fn(&[u8]) -> bool) -> Result<bool, SourceError> {
        assert_eq!(place, 0);
        self.asked.set(self.asked.get() + 1);
        let value = if self.read > self.remade_after { &b"another"[..] } else { &self.records[start as usize] };
        Ok(is_it(value))
    }

    fn out_of_reach(&self) -> Option<SourceError> {
        let error = KafkaError::Unreachable {
            brokers: "b:1".to_owned(),
            action: "records",
            timeout: Duration::from_secs(1),
            heard: Vec::new(),
        };
        self.is_out_of_reach.then(|| error.into())
    }
}

fn parts<'p>(history: &History, source: Topic, target: &'p mut Memory, most: usize) -> Parts<'p> {
    let service::Config { scheme, domain, pace, .. } = config(history, Path::new("/none"), most);
    Parts {
        source: Box::new(source),
        target,
        position: Position::default(),
        before: Before::Lines(Vec::new()),
        from: Position::default(),
        ends: Vec::new(),
        is_at_beginning: true,
        namespaces: Namespaces::new(&scheme),
        pace,
        on_bad: OnBadRecord::Stop,
        totals: Totals::default(),
        domain,
        by: None,
        is_marked: true,
        alone_until: None,
        look: Box::new(|_| {}),
    }
}

/// Of a topic that was made anew nothing is applied, wherever that was seen; what was applied before stays.
#[test]
fn a_topic_made_anew_is_left() {
    let (history, _, messages) = mutations();
    for most in [1, 300, 100_000] {
        for remade_after in [1, 2, 17, messages.len() - 1] {
            let source = Topic { remade_after, ..Topic::of(messages.clone()) };
            let mut store = Memory::new(&history.shape.flavour.scheme(), [], &[]);
            let ended = Line::new(&Env::default(), parts(&history, source, &mut store, most)).run();
            assert!(matches!(ended, Err(ConsumeError::OtherRecord { .. })), "{remade_after}: {ended:?}");
            let position = store.held.borrow().says().position;
            let reached = position.places.first().map_or(0, |place| place.next);
            assert!(reached <= remade_after as u64, "{reached} of {remade_after}");
        }
    }
}

#[test]
fn before_each_update_the_stream_is_known_again() {
    let (history, _, messages) = mutations();
    let source = Topic::of(messages);
    let asked = Rc::clone(&source.asked);
    let mut store = Memory::new(&history.shape.flavour.scheme(), [], &[]);
    let mut line = Line::new(&Env::default(), parts(&history, source, &mut store, 300));
    line.run().unwrap();
    assert_eq!(asked.get() as u64, line.totals().updates);
}

/// Milliseconds since 1970.
static NOW: AtomicI64 = AtomicI64::new(0);

/// A source out of reach is told after half a minute, and waited for as long as may be.
#[test]
fn a_source_out_of_reach_is_waited_for() {
    let (history, _, messages) = mutations();
    let source = Topic { is_out_of_reach: true, ..Topic::of(messages) };
    let mut store = Memory::new(&history.shape.flavour.scheme(), [], &[]);
    let mut parts = parts(&history, source, &mut store, 300);
    parts.pace.patience.give_up = Duration::from_secs(100);
    let waited = Rc::new(Cell::new(None));
    let told = Rc::clone(&waited);
    parts.look = Box::new(move |line| {
        let now = NOW.fetch_add(1000, Ordering::Relaxed);
        if line.waits().is_some() && told.get().is_none() {
            told.set(Some(now));
        }
    });
    let now = || Timestamp::from_millis(NOW.load(Ordering::Relaxed)).unwrap();
    let error = Line::new(&Env { now, ..Env::default() }, parts).run().unwrap_err();
    let told = service_error(&error);
    assert!(told.contains("no answer from Kafka at b:1") && told.ends_with("for 100 s"), "{told}");
    assert!((30_000..40_000).contains(&waited.get().unwrap()), "{waited:?}");
}
