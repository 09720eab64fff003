//! Events over HTTP, as EventStreams serves them: for those who cannot reach Kafka.
//!
//! Promise: as of [`EventStream`]: every event from where it was asked for, or an error where the server does not have them.
//! In -> out: what a checkpoint or savepoint knows, or a time -> where the stream is begun -> records.
//! Invariant: no time is guessed. Of a new partition nothing is handed over before the loop knows of all that the server named, so
//! that their events wait for each other; what waits is in no checkpoint.
//! Rules: where a stream is begun, by what is known:
//!
//! | known | begun |
//! | --- | --- |
//! | positions | partitions behind them; others at the time up to which all events are there |
//! | that time alone | there |
//! | neither | at the time that was given, or so much before the start of the dump; or not at all |
//!
//! Events of a server that tells no offsets are one partition, named after the URL, without a position: what came since the time up
//! to which all events are there may come again after a break or a restart. An edit that comes again is known by its revision, and
//! reported instead of followed, so that nothing is sent twice.
//! Not here: connections, and what is tried again (see `event_streams`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::env::Env;
use crate::event_streams::{self, EventStream, Settings, StreamPosition};
use crate::kafka::Topic;
use crate::updater::source::{Arrived, PartitionName, Polled, Position, Source, SourceError};
use crate::wikibase::timestamp::Timestamp;

/// A stream that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which, and how. `since` is the time to begin at where nothing else tells; positions are those of [`Known`].
    pub settings: Settings,
    /// How long before the start of the dump it is begun.
    pub margin: Duration,
}

/// What is known of what was read before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'k> {
    /// Where partitions were read up to; those that are none of Kafka's are passed over.
    pub positions: &'k [Position],
    /// The time up to which all events are there.
    pub watermark: Option<Timestamp>,
    /// When the dump began.
    pub dump_start: Option<Timestamp>,
}

/// A stream that is read.
pub struct OverHttp {
    stream: EventStream,
    names: Vec<PartitionName>,
    /// The partition of what has no place.
    unplaced: PartitionName,
    /// What came behind the first event of a new partition.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    place: usize,
    next: Option<u64>,
    value: Vec<u8>,
}

impl Asked {
    /// How to read it on from there; `None` if nothing tells where to begin.
    pub fn after(&self, known: Known<'_>) -> Option<Settings> {
        let topics = &self.settings.topics;
        let is_meant = |topic: &String| Topic::parse(topic).is_ok() && (topics.is_empty() || topics.contains(topic));
        let meant = known.positions.iter().filter(|position| is_meant(&position.partition.topic));
        let positions = meant.map(|Position { partition: PartitionName { topic, number }, next }| StreamPosition {
            topic: topic.clone(),
            partition: *number,
            next_offset: *next,
        });
        let (since, margin) = match (known.watermark.or(self.settings.since), known.dump_start) {
            (Some(time), _) => (time, Duration::ZERO),
            (None, Some(start)) => (start, self.margin),
            (None, None) => return None,
        };
        Some(Settings { since: Some(since), margin, positions: positions.collect(), ..self.settings.clone() })
    }
}

impl OverHttp {
    /// Begins to read. The partitions of the positions come first, in their order.
    pub fn open(settings: Settings, env: &Env) -> Result<Self, SourceError> {
        let mut names: Vec<_> = settings.positions.iter().map(|at| name(&at.topic, at.partition)).collect();
        // Each has this partition, if no more. Those that it has besides, the server names.
        let is_new = |topic: &&String| settings.positions.iter().all(|position| position.topic != **topic);
        names.extend(settings.topics.iter().filter(is_new).map(|topic| name(topic, 0)));
        let stream = EventStream::open(settings, env)?;
        let unplaced = name(stream.url(), 0);
        Ok(Self { stream, names, unplaced, waiting: VecDeque::new() })
    }
}

fn name(topic: &str, number: u32) -> PartitionName {
    PartitionName { topic: topic.to_owned(), number }
}

/// The place of a partition, which may be new.
fn place(names: &mut Vec<PartitionName>, topic: &str, number: u32) -> usize {
    let known = names.iter().position(|name| name.number == number && name.topic == topic);
    known.unwrap_or_else(|| {
        names.push(name(topic, number));
        names.len() - 1
    })
}

/// The offset of the record before that.
fn before(next: Option<u64>) -> Option<u64> {
    next.map(|next| next.saturating_sub(1))
}

impl Source for OverHttp {
    fn partitions(&self) -> &[PartitionName] {
        &self.names
    }

    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let Self { stream, names, unplaced, waiting } = self;
        let mut records = waiting.len();
        for Waiting { place, next, value } in waiting.drain(..) {
            take(Arrived { place, start: before(next), next, value: &value });
        }
        if records > 0 {
            return Ok(Polled { records, ended: false });
        }
        let (known, mut tells) = (names.len(), false);
        let arrived = |event_streams::Arrived { at, value }: event_streams::Arrived<'_>| {
            tells |= at.is_some();
            let place = match at {
                Some(at) => place(names, &at.topic, at.partition),
                None => place(names, &unplaced.topic, unplaced.number),
            };
            let next = at.map(|at| at.next_offset);
            if place < known && waiting.is_empty() {
                records += 1;
                take(Arrived { place, start: before(next), next, value });
            } else {
                waiting.push_back(Waiting { place, next, value: value.to_vec() });
            }
        };
        let polled = stream.poll(wait, arrived);
        // Where no event tells its partition, none of those that the server names would have any.
        if tells {
            stream.partitions().for_each(|(topic, number)| _ = place(names, topic, number));
        }
        polled?;
        Ok(Polled { records, ended: false })
    }

    fn heard(&self) -> Vec<String> {
        self.stream.heard()
    }

    fn out_of_reach(&self) -> Option<SourceError> {
        self.stream.out_of_reach().map(SourceError::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000).unwrap()
    }

    fn position(topic: &str, next: u64) -> Position {
        Position { partition: name(topic, 0), next }
    }

    /// Where the stream is begun: the time, and the topics with positions.
    #[test]
    fn where_a_stream_is_begun() {
        let all = [position("eqiad.x", 7), position("/srv/events.ndjson", 100), position("eqiad.other", 3)];
        let (none, other): (&[&str], &[&str]) = (&[], &["codfw.x"]);
        let rows = [
            ("by nothing", none, None, (&all[..0], None, None), None),
            ("never by positions alone", none, None, (&all[..], None, None), None),
            ("before the dump", none, None, (&all[..0], None, Some(5000)), Some((4400, vec![]))),
            ("at the time given", none, Some(9), (&all[..0], None, Some(5000)), Some((9, vec![]))),
            ("where it was", none, Some(9), (&all[1..2], Some(6000), Some(5000)), Some((6000, vec![]))),
            ("at positions", none, Some(9), (&all[..], Some(6000), None), Some((6000, vec!["eqiad.x", "eqiad.other"]))),
            ("at those meant", &["eqiad.x"], None, (&all[..], Some(6000), None), Some((6000, vec!["eqiad.x"]))),
            ("at none of those meant", other, None, (&all[..], Some(6000), None), Some((6000, vec![]))),
        ];
        for (what, topics, given, (positions, watermark, dump_start), expected) in rows {
            let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            let settings = Settings { since: given.map(time), topics, ..Settings::new("http://w/v2/stream/x") };
            let asked = Asked { settings, margin: Duration::from_secs(600) };
            let known = Known { positions, watermark: watermark.map(time), dump_start: dump_start.map(time) };
            let begun = asked.after(known).map(|settings| {
                let topics: Vec<_> = settings.positions.iter().map(|position| position.topic.clone()).collect();
                (settings.since.unwrap().millis() / 1000 - settings.margin.as_secs() as i64, topics)
            });
            let expected = expected.map(|(since, topics)| (since, topics.into_iter().map(str::to_owned).collect()));
            assert_eq!(begun, expected, "{what}");
        }
    }
}
