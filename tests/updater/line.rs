//! A line of the updater beside a made-up wiki, in memory, by a clock that the test winds.
//!
//! Promise: everything but the wiki, the source and the clock is the real thing: events are read, put in order, decided on, munged,
//! compared and sent, checkpoints are taken and read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use headwater::diff::Coverage;
use headwater::entity_data::Asked;
use headwater::env::Env;
use headwater::event::Incoming;
use headwater::event::filter::ReconcileSource;
use headwater::event_streams;
use headwater::munge::document::Documents;
use headwater::mutation::wire::Version;
use headwater::reconcile::ship::STREAM;
use headwater::savepoint::checkpoint::Checkpoints;
use headwater::savepoint::native::manifest::Provenance;
use headwater::savepoint::stream::Stream;
use headwater::side_output::{Failure, FailureKind};
use headwater::state::{EntityState, StateTable};
use headwater::storage::Location;
use headwater::subgraph::assign::Assigner;
use headwater::subgraph::definitions::Definitions;
use headwater::updater::intake::{Beginning, Intake, Rules};
use headwater::updater::line::{Commits, Keeper, Line, LineError, Parts, Until};
use headwater::updater::messages::Messages;
use headwater::updater::outputs::{Outputs, Route, Routes, SideRoute};
use headwater::updater::revisions::{Arriving, Missing, Munged, Revisions, Wiki};
use headwater::updater::source::event_stream::{Asked as AskedStream, Known, OverHttp};
use headwater::updater::source::{Arrived, PartitionName, Polled, Position, Source, SourceError};
use headwater::updater::watermark::Patience;
use headwater::updater::works::{Limits, Works};
use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

use crate::serving::{Serving, Shared, number};
use crate::wiki::dump::munge;
use crate::wiki::history::History;
use crate::wiki::records::Record;
use crate::wiki::stream::{TOPIC, filter};

thread_local! {
    /// The present, in milliseconds since 1970: each test has its own.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

fn now() -> Timestamp {
    Timestamp::from_millis(NOW.get()).expect("a time of the history")
}

/// What a test runs lines with.
pub struct Bed {
    pub history: Arc<History>,
    records: Rc<Vec<Record>>,
    /// The state to begin with.
    pub begun_with: BTreeMap<EntityId, Revision>,
    pub limits: Limits,
    pub limit: usize,
    /// Whether documents of pages that are gone by now can be had.
    pub is_timeless: bool,
    pub checkpoints: Option<Location>,
    /// Revisions that cannot be had.
    pub unfetchable: BTreeSet<u64>,
    /// Who is asked for the records, if they are not at hand; and whether the topics are known beforehand.
    pub over_http: Option<(Serving, bool)>,
    /// Whether all was read that is there by now.
    is_read: Rc<Cell<bool>>,
    output: Location,
}

/// Mutations under way: no more than make a difference.
pub const LIMITS: Limits = Limits { begun: 4, waiting: 8, coalesce: false };

impl Bed {
    /// For these records, from a state; messages go to a file.
    pub fn new(
        history: &Arc<History>,
        records: Vec<Record>,
        begun_with: BTreeMap<EntityId, Revision>,
        output: &std::path::Path,
    ) -> Self {
        NOW.set(records.first().map_or(history.shape.start, |record| record.time));
        Self {
            history: Arc::clone(history),
            records: Rc::new(records),
            begun_with,
            limits: LIMITS,
            limit: 128_000,
            is_timeless: false,
            checkpoints: None,
            unfetchable: BTreeSet::new(),
            over_http: None,
            is_read: Rc::new(Cell::new(true)),
            output: Location::parse(output.to_str().expect("a path in UTF-8")).expect("a location"),
        }
    }

    fn scheme(&self) -> UrisScheme {
        self.history.shape.flavour.scheme()
    }

    /// Opens a line: at the newest checkpoint, or at the beginning.
    pub fn open(&self) -> Line {
        let env = self.env();
        let mut checkpoints = self.checkpoints.as_ref().map(|dir| Checkpoints::open(dir, 2).unwrap());
        let newest = checkpoints.as_ref().and_then(|all| all.newest().copied());
        let restored = newest.map(|id| checkpoints.as_mut().unwrap().read(&id).unwrap());
        let (state, stream) = match restored {
            Some(restored) => (restored.state, restored.stream),
            None => (self.state(), Stream::default()),
        };
        let (source, starts) = self.source(&stream, &env);
        let intake = self.intake(state, &stream, starts);
        let mut works = Works::new(self.limits);
        works.set_behind(stream.behind.iter().copied());
        stream.pending.iter().for_each(|mutation| works.push(mutation.clone(), NOW.get()));
        let wiki = Remembered {
            history: Arc::clone(&self.history),
            is_timeless: self.is_timeless,
            unfetchable: self.unfetchable.clone(),
            documents: self.documents(),
        };
        let revisions = Revisions::new(Box::new(wiki), 1 << 20);
        let assigner = Assigner::new(&Definitions::whole(TOPIC), &self.scheme());
        let messages = Messages::new(assigner, Version::V2, "www.wikidata.org", Coverage::Complete, self.limit);
        let outputs = Outputs::open(self.routes(), None, &stream.outputs, true, Box::new(io::sink()), &env).unwrap();
        let keeper = checkpoints.map(|checkpoints| Keeper::new(checkpoints, 10_000, Commits::None));
        let made = self.made();
        Line::new(&env, Parts { source, intake, works, revisions, messages, outputs, keeper, made })
    }

    fn source(&self, stream: &Stream, env: &Env) -> (Box<dyn Source>, Vec<Position>) {
        let Some((serving, knows_topics)) = &self.over_http else {
            let told = Told::new(&self.records, stream);
            let position = |(name, next): (&PartitionName, &u64)| Position { partition: name.clone(), next: *next };
            let starts = told.names.iter().zip(&told.next).map(position).collect();
            return (Box::new(told), starts);
        };
        let topics: BTreeSet<_> = self.records.iter().map(|record| record.topic.clone()).collect();
        let settings = event_streams::Settings {
            since: self.records.first().and_then(|record| Timestamp::from_millis(record.time)),
            topics: if *knows_topics { topics.into_iter().collect() } else { Vec::new() },
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(1),
            ..event_streams::Settings::new(&serving.url())
        };
        let positions: Vec<_> = stream.offsets.iter().cloned().map(Position::from).collect();
        let known = Known { positions: &positions, watermark: stream.watermark, dump_start: None };
        let settings = AskedStream { settings, margin: Duration::ZERO }.after(known).unwrap();
        serving.shared.now.store(NOW.get(), SeqCst);
        let due = Due::new(&serving.shared, &settings, OverHttp::open(settings.clone(), env).unwrap(), &self.is_read);
        (Box::new(due), settings.positions.iter().map(Position::from).collect())
    }

    /// Sets the clock.
    pub fn wind(&self, time: i64) {
        NOW.set(time);
    }

    /// A turn is over: a second passes, unless there is more to read of this one.
    fn pass(&self) {
        if self.is_read.get() {
            NOW.set(NOW.get() + 1000);
        }
        if let Some((serving, _)) = &self.over_http {
            serving.shared.now.store(NOW.get(), SeqCst);
        }
    }

    fn documents(&self) -> RefCell<Documents> {
        RefCell::new(Documents::new(&self.scheme()))
    }

    /// Other records in the place of those that were read.
    pub fn hear(&mut self, records: Vec<Record>) {
        self.records = Rc::new(records);
    }

    /// The surroundings, with the clock of the test.
    pub fn env(&self) -> Env {
        Env { now, ..Env::default() }
    }

    /// The state to begin with.
    pub fn state(&self) -> StateTable {
        let mut state = StateTable::default();
        self.begun_with.iter().for_each(|(entity, revision)| _ = state.set(*entity, EntityState::Created(*revision)));
        state
    }

    fn intake(&self, state: StateTable, stream: &Stream, starts: Vec<Position>) -> Intake {
        let mut filter = filter(self.history.shape.flavour);
        filter.reconcile = Some(ReconcileSource { stream: STREAM.to_owned(), tag: None });
        let rules =
            Rules { filter, window: 60_000, patience: Patience::default(), settled: None, is_sequential: false };
        let buffered = stream.buffered.iter().cloned().map(|event| Incoming::new(event).unwrap()).collect();
        let watermark = stream.watermark.map(Timestamp::millis);
        let mut intake = Intake::new(rules, Beginning { state, watermark, buffered });
        starts.into_iter().for_each(|position| intake.add(position, None));
        for left in &stream.offsets {
            let watermark = left.watermark.map(Timestamp::millis);
            watermark.into_iter().for_each(|time| intake.resume(&Position::from(left.clone()).partition, time));
        }
        intake
    }

    fn routes(&self) -> Routes {
        let side = |stream: &str| SideRoute { to: Route::File(self.output.clone()), stream: stream.to_owned() };
        Routes {
            mutations: vec![Route::File(self.output.clone())],
            lapsed: side("lapsed-action"),
            inconsistent: side("state-inconsistency"),
            fetch_failed: side("fetch-failure"),
            dead_letters: Route::File(self.output.clone()),
            domain: "www.wikidata.org".to_owned(),
            emitter_id: None,
        }
    }

    fn made(&self) -> Provenance {
        Provenance {
            created_at: now(),
            created_by: "the test".to_owned(),
            inputs: Vec::new(),
            concept: self.scheme().concept().to_owned(),
            entity_data: self.scheme().entity_data().to_owned(),
            dump_starts: None,
        }
    }

    /// Runs a line until all records are read; the clock goes on a second a turn.
    pub fn run(&self, line: &mut Line) {
        line.run(Until::default(), |_| {
            self.pass();
            Ok(())
        })
        .unwrap();
    }

    /// Runs a line for so many turns, if it has as many; whether it had not. Then it is killed: what was not committed is lost.
    pub fn run_and_kill(&self, mut line: Line, turns: usize) -> bool {
        let mut left = turns;
        let ended = line.run(Until::default(), |_| {
            self.pass();
            left = left.saturating_sub(1);
            let killed = SourceError::Shrunk { location: "killed".to_owned(), size: 0, next: 0 };
            if left == 0 { Err(LineError::Source(killed)) } else { Ok(()) }
        });
        ended.is_ok()
    }

    /// All that was sent: lines of JSON.
    pub fn sent(&self) -> Vec<serde_json::Value> {
        let text = headwater::storage::read(&self.output).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

/// Whether something that was sent is a message of the mutation stream.
pub fn is_message(sent: &serde_json::Value) -> bool {
    sent["$schema"].as_str().is_some_and(|schema| schema.contains("rdf_change"))
}

/// Records of partitions, told when their time comes.
struct Told {
    records: Rc<Vec<Record>>,
    names: Vec<PartitionName>,
    /// Of each partition: the records, by their number among all, and how many were taken.
    of: Vec<Vec<usize>>,
    next: Vec<u64>,
}

impl Told {
    fn new(records: &Rc<Vec<Record>>, stream: &Stream) -> Self {
        let mut of: BTreeMap<PartitionName, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            let number = u32::try_from(record.partition).unwrap();
            of.entry(PartitionName { topic: record.topic.clone(), number }).or_default().push(at);
        }
        let known = |name: &PartitionName| {
            let mut offsets = stream.offsets.iter();
            offsets
                .find(|known| known.topic == name.topic && known.partition == name.number)
                .map_or(0, |known| known.offset)
        };
        let next = of.keys().map(known).collect();
        let (names, of) = of.into_iter().unzip();
        Self { records: Rc::clone(records), names, of, next }
    }
}

impl Source for Told {
    fn partitions(&self) -> &[PartitionName] {
        &self.names
    }

    fn poll(&mut self, _: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let (mut records, mut ended) = (0, true);
        for (place, all) in self.of.iter().enumerate() {
            while let Some(record) = all.get(self.next[place] as usize).map(|at| &self.records[*at]) {
                if record.time > NOW.get() {
                    ended = false;
                    break;
                }
                self.next[place] += 1;
                records += 1;
                let next = self.next[place];
                take(Arrived { place, start: Some(next - 1), next: Some(next), value: &record.json });
            }
        }
        Ok(Polled { records, ended })
    }
}

/// A source over HTTP of which the test knows what is to come: the clock waits for it, and after the last it ends.
struct Due {
    inner: OverHttp,
    shared: Arc<Shared>,
    /// The numbers of the records that are to come, and how many of them came in a row.
    due: Vec<usize>,
    in_a_row: usize,
    came: BTreeSet<usize>,
    /// When something came that was awaited.
    last: Instant,
    is_read: Rc<Cell<bool>>,
}

impl Due {
    fn new(
        shared: &Arc<Shared>,
        settings: &event_streams::Settings,
        inner: OverHttp,
        is_read: &Rc<Cell<bool>>,
    ) -> Self {
        let is_due = |at: &usize| {
            let record = &shared.records[*at];
            let of_place = |position: &&event_streams::StreamPosition| {
                (&position.topic, position.partition) == (&record.place.0, record.place.1)
            };
            match settings.positions.iter().find(of_place) {
                Some(position) => record.offset >= position.next_offset,
                None => record.time >= settings.since.unwrap().millis(),
            }
        };
        let due = (0..shared.records.len()).filter(is_due).collect();
        let (shared, is_read) = (Arc::clone(shared), Rc::clone(is_read));
        Self { inner, shared, due, in_a_row: 0, came: BTreeSet::new(), last: Instant::now(), is_read }
    }
}

impl Source for Due {
    fn partitions(&self) -> &[PartitionName] {
        self.inner.partitions()
    }

    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let Self { inner, shared, due, in_a_row, came, last, is_read } = self;
        let is_awaited = |number: &usize| shared.records[*number].time <= NOW.get();
        let wait = if due.get(*in_a_row).is_some_and(is_awaited) { wait } else { Duration::ZERO };
        let polled = inner.poll(wait, &mut |arrived| {
            came.extend(number(arrived.value));
            take(arrived);
        })?;
        while due.get(*in_a_row).is_some_and(|number| came.contains(number)) {
            (*in_a_row, *last) = (*in_a_row + 1, Instant::now());
        }
        let next = due.get(*in_a_row).map(|number| shared.records[*number].time);
        is_read.set(next.is_none_or(|time| time > NOW.get()));
        let told = || format!("{:?}: {:?}, {:?}", due.get(*in_a_row), inner.heard(), shared.asked.lock());
        assert!(is_read.get() || last.elapsed() < Duration::from_secs(20), "this does not come: {}", told());
        Ok(Polled { ended: next.is_none(), ..polled })
    }
}

/// The wiki, as it answers now.
struct Remembered {
    history: Arc<History>,
    is_timeless: bool,
    unfetchable: BTreeSet<u64>,
    documents: RefCell<Documents>,
}

impl Wiki for Remembered {
    fn begin(&self, asked: Asked) -> Box<dyn Arriving> {
        let (entity, revision) = (asked.entity, asked.revision.get());
        let document = match self.is_timeless {
            _ if self.unfetchable.contains(&revision) => None,
            true => self.history.document(entity, revision),
            false => self.history.document_at(entity, revision, NOW.get()),
        };
        let munged: Munged = match document {
            Some(document) => Ok(Arc::new(munge(&mut self.documents.borrow_mut(), entity, &document))),
            None => Err(Missing::Failed(Failure {
                kind: FailureKind::EntityNotFound,
                exception: "NotFound".to_owned(),
                message: String::new(),
            })),
        };
        Box::new(munged)
    }
}
