//! The laws of the updater over HTTP: connections that break anywhere, kills, partitions that nobody knew of.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use headwater::event_streams::StreamError;
use headwater::storage::Location;
use headwater::updater::line::{LineError, Until};
use headwater::updater::source::SourceError;
use proptest::prelude::*;

use crate::line::Bed;
use crate::serving::{Serving, Ways};
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::history::{History, Shape};
use crate::wiki::records::{Disorder, Record};
use crate::{assert_follows, by_entity, dumped, history};

/// A bed over HTTP, in a directory of its own.
fn bed(
    history: &Arc<History>,
    (dump, records): &(Dump, Vec<Record>),
    serving: Serving,
    knows_topics: bool,
) -> (Bed, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut bed = Bed::new(history, records.clone(), dump.revisions.clone(), &dir.path().join("sent"));
    bed.over_http = Some((serving, knows_topics));
    (bed, dir)
}

fn breaking(records: &[Record], ways: Ways, breaks: &[usize]) -> Serving {
    let serving = Serving::start(records, ways);
    *serving.shared.breaks.lock().unwrap() = breaks.to_vec();
    serving
}

fn run_with_kills(bed: &mut Bed, kills: &[usize]) {
    bed.checkpoints = Some(Location::memory());
    if !kills.iter().any(|turns| bed.run_and_kill(bed.open(), *turns)) {
        bed.run(&mut bed.open());
    }
}

fn breaks() -> impl Strategy<Value = Vec<usize>> {
    // In events, about: one has two kilobytes, with its id.
    prop::collection::vec(prop_oneof![0..3_000_usize, 0..60_000_usize], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// Broken off anywhere and killed anywhere: each entity is told the same as without, once, and the wiki is followed.
    #[test]
    fn broken_and_killed_anywhere(
        history in history(),
        (of_1000, seed) in (0..1000_i64, any::<u64>()),
        (times, knows_topics) in any::<(bool, bool)>(),
        breaks in breaks(),
        kills in prop::collection::vec(1..80_usize, 0..6),
    ) {
        let dumped = dumped(&history, of_1000, &Disorder { is_keyed: true, ..Disorder::USUAL }, seed);
        let ways = Ways { times, meta: true };
        let (mut whole, _dir) = bed(&history, &dumped, breaking(&dumped.1, ways, &[]), knows_topics);
        whole.is_timeless = true;
        whole.run(&mut whole.open());
        let (mut killed, _dir) = bed(&history, &dumped, breaking(&dumped.1, ways, &breaks), knows_topics);
        killed.is_timeless = true;
        run_with_kills(&mut killed, &kills);
        prop_assert_eq!(by_entity(&killed.sent()), by_entity(&whole.sent()));
        assert_follows(&history, &dumped.0, &killed.sent());
        let late = killed.sent().iter().filter(|sent| sent["$schema"].as_str().is_some_and(|schema| schema.contains("lapsed"))).count();
        prop_assert_eq!(late, 0);
    }

    /// From a server that tells no offsets events come again, but none is lost and no edit is sent twice.
    #[test]
    fn without_offsets_nothing_is_lost_either(
        history in history(),
        (of_1000, seed) in (0..1000_i64, any::<u64>()),
        breaks in breaks(),
        kills in prop::collection::vec(1..80_usize, 0..6),
    ) {
        let dumped = dumped(&history, of_1000, &Disorder::USUAL, seed);
        let serving = breaking(&dumped.1, Ways { times: true, meta: false }, &breaks);
        let (mut killed, _dir) = bed(&history, &dumped, serving, false);
        killed.is_timeless = true;
        run_with_kills(&mut killed, &kills);
        assert_follows(&history, &dumped.0, &killed.sent());
    }
}

fn an_hour() -> (Arc<History>, (Dump, Vec<Record>)) {
    let history = Arc::new(History::shaped(Shape { pace: 20_000, ..Shape::default() }, 7, 180));
    let dump = history.dump(history.shape.start, DumpOptions::default());
    let records = history.records(0..history.changes.len(), &Disorder { partitions: 1, ..Disorder::USUAL }, 7);
    (history, (dump, records))
}

/// What begins too late, at the first connection or after a kill, is an error, and nothing of it is taken.
#[test]
fn a_silent_gap_is_an_error() {
    let (history, dumped) = an_hour();
    let after = |millis: i64| dumped.1.partition_point(|record| record.time < dumped.1[0].time + millis);
    for (turns, deleted, is_gap) in
        [(0, 20 * 60_000, true), (0, 5 * 60_000, false), (300, 40 * 60_000, true), (300, 2 * 60_000, false)]
    {
        for knows_topics in [false, true] {
            let serving = breaking(&dumped.1, Ways { times: true, meta: true }, &[]);
            let (mut bed, _dir) = bed(&history, &dumped, serving, knows_topics);
            bed.checkpoints = Some(Location::memory());
            if turns > 0 {
                assert!(!bed.run_and_kill(bed.open(), turns));
            }
            let shared = Arc::clone(&bed.over_http.as_ref().unwrap().0.shared);
            // Ten minutes before the end: what begins at the end has something to come.
            let time = dumped.1.last().unwrap().time - 600_000;
            bed.wind(time);
            shared.deleted.store(after(deleted), SeqCst);
            let mut line = bed.open();
            let mut turns = 0;
            let ended = line.run(Until::default(), |_| {
                turns += 1;
                shared.now.store(if turns < 20 { time } else { i64::MAX }, SeqCst);
                let given_up = SourceError::Shrunk { location: "given up".to_owned(), size: 0, next: 0 };
                if turns < 500 { Ok(()) } else { Err(LineError::Source(given_up)) }
            });
            let found = matches!(&ended, Err(LineError::Source(SourceError::Stream(StreamError::Gap(_)))));
            assert_eq!(found, is_gap, "{turns} {deleted} {knows_topics}: {ended:?}");
        }
    }
}

/// A data centre that speaks for the first time after a restart is heard, and delays the others for no longer than a silent one.
#[test]
fn a_data_centre_that_was_silent_is_heard() {
    let (history, (dump, mut records)) = an_hour();
    let half = records[records.len() / 2].time;
    for record in &mut records {
        // They change places; no canaries of the one that is not used.
        let data_centre = if record.time < half { "eqiad" } else { "codfw" };
        record.topic = format!("{data_centre}.{}", record.topic.split_once('.').unwrap().1);
    }
    for (times, knows_topics) in [(false, false), (true, false), (true, true)] {
        let serving = breaking(&records, Ways { times, meta: true }, &[400_000, 40_000]);
        let (mut bed, _dir) = bed(&history, &(dump.clone(), records.clone()), serving, knows_topics);
        bed.is_timeless = true;
        run_with_kills(&mut bed, &[100, 500]);
        assert_follows(&history, &dump, &bed.sent());
        let asked = bed.over_http.as_ref().unwrap().0.shared.asked.lock().unwrap().clone();
        assert!(asked.len() >= 3, "{asked:?}");
    }
}
