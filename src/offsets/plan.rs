//! Where a group is to begin, and what that would mean.
//!
//! Promise: every way in which a position can lose or repeat records is named as a [`Risk`]; what is not known is said to be.
//! In -> out: what was seen of each partition -> [`Plan`]; [`Position::found`] and [`Position::step`] judge it.
//! Invariant: pure; a verdict is computed from the numbers and never stored beside them.
//! Not here: how it was seen (`offsets::observe`), and how it is written down (`offsets::file`).

use std::collections::BTreeSet;

use crate::kafka::{Around, Committed, Extent, Partition, Record, Topic};
use crate::offsets::span::Span;
use crate::wikibase::timestamp::Timestamp;

/// From when the stream is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The time asked for.
    pub wanted: Timestamp,
    /// How much earlier to begin.
    pub margin: Span,
}

impl Start {
    /// The first moment whose records must be read.
    pub fn time(self) -> Timestamp {
        self.margin.before(self.wanted)
    }
}

/// Where a group is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When the world was seen.
    pub made_at: Timestamp,
    /// The cluster's id.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// From when.
    pub start: Start,
    /// How many partitions each topic must have at least, if that was said.
    pub expected_partitions: Option<u32>,
    /// Topics that were asked for and are not there.
    pub unknown: Vec<Topic>,
    /// One a partition, sorted.
    pub positions: Vec<Position>,
}

/// Where to begin in a partition, and what was seen around there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// What it retains.
    pub extent: Extent,
    /// The offset to begin at: that of the first record since the start, or the end.
    pub offset: u64,
    /// The records around it.
    pub around: Around,
    /// What the group has committed.
    pub current: Option<Current>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The offset.
    pub committed: Committed,
    /// The first record at or after it, or else the last one before; `None` if it is no longer retained.
    pub record: Option<Record>,
}

/// How a position stands to the time asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first record since the start; one before it is there, or none was ever deleted.
    Record,
    /// No record was ever written: everything will be read.
    Empty,
    /// Records are retained, but none since the start: only what comes will be read.
    LogEnd,
    /// Nothing before the position is retained, so records since the start may be gone: those of so long at most, if any record
    /// is left to tell.
    Gap(Option<Span>),
}

/// How a position stands to what the group has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It has committed nothing.
    First,
    /// It is there already.
    Stays,
    /// So many offsets would be read again; so much time, if the records tell.
    Back(u64, Option<Span>),
    /// So many offsets would never be read; so much time, if the records tell.
    Ahead(u64, Option<Span>),
}

/// Something that must be allowed before a plan with it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// A topic is not there.
    UnknownTopic,
    /// A topic has fewer partitions than expected.
    FewerPartitions,
    /// Records since the start may be gone.
    Gap,
    /// There is no record since the start.
    LogEnd,
    /// What was read would be read again.
    MoveBack,
    /// What was not read never would be.
    MoveAhead,
}

impl Risk {
    /// All risks.
    pub const ALL: [Self; 6] =
        [Self::UnknownTopic, Self::FewerPartitions, Self::Gap, Self::LogEnd, Self::MoveBack, Self::MoveAhead];

    /// What it is called where it is allowed: `--allow-gap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownTopic => "unknown-topic",
            Self::FewerPartitions => "fewer-partitions",
            Self::Gap => "gap",
            Self::LogEnd => "log-end",
            Self::MoveBack => "move-back",
            Self::MoveAhead => "move-ahead",
        }
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::UnknownTopic => "a topic is not there",
            Self::FewerPartitions => "a topic has fewer partitions than expected",
            Self::Gap => "records since the start may be gone",
            Self::LogEnd => "a partition has no record since the start",
            Self::MoveBack => "records would be read again",
            Self::MoveAhead => "records would never be read",
        }
    }
}

impl Position {
    /// How it stands to the time `start`.
    pub fn found(&self, start: Timestamp) -> Found {
        let Extent { earliest, end } = self.extent;
        match self.around {
            _ if end == 0 => Found::Empty,
            Around { before: None, at } if earliest > 0 => {
                Found::Gap(at.and_then(|record| record.time).map(|time| Span::between(start, time)))
            }
            Around { at: Some(_), .. } => Found::Record,
            Around { at: None, .. } => Found::LogEnd,
        }
    }

    /// How it stands to what the group has committed.
    pub fn step(&self) -> Step {
        let Some(current) = &self.current else { return Step::First };
        let from = current.committed.offset;
        // Where nothing is at an offset, the record before it tells the time best.
        let here = self.around.at.or(self.around.before).and_then(|record| record.time);
        let there = current.record.and_then(|record| record.time);
        let span = |from: Option<Timestamp>, to: Option<Timestamp>| Some(Span::between(from?, to?));
        match self.offset.cmp(&from) {
            std::cmp::Ordering::Equal => Step::Stays,
            std::cmp::Ordering::Less => Step::Back(from - self.offset, span(here, there)),
            std::cmp::Ordering::Greater => Step::Ahead(self.offset - from, span(there, here)),
        }
    }

    /// What is risky about it.
    pub fn risks(&self, start: Timestamp) -> impl Iterator<Item = Risk> {
        let found = match self.found(start) {
            Found::Record | Found::Empty => None,
            Found::LogEnd => Some(Risk::LogEnd),
            Found::Gap(_) => Some(Risk::Gap),
        };
        let step = match self.step() {
            Step::First | Step::Stays => None,
            Step::Back(..) => Some(Risk::MoveBack),
            Step::Ahead(..) => Some(Risk::MoveAhead),
        };
        [found, step].into_iter().flatten()
    }
}

impl Plan {
    /// Everything risky about it.
    pub fn risks(&self) -> BTreeSet<Risk> {
        let time = self.start.time();
        let mut risks: BTreeSet<_> = self.positions.iter().flat_map(|position| position.risks(time)).collect();
        if !self.unknown.is_empty() {
            risks.insert(Risk::UnknownTopic);
        }
        if !self.too_small().is_empty() {
            risks.insert(Risk::FewerPartitions);
        }
        risks
    }

    /// The topics that have fewer partitions than expected, and how many.
    pub fn too_small(&self) -> Vec<(&Topic, u32)> {
        let Some(expected) = self.expected_partitions else { return Vec::new() };
        let mut counts: Vec<(&Topic, u32)> = Vec::new();
        for Position { partition, .. } in &self.positions {
            match counts.last_mut() {
                Some((topic, count)) if *topic == &partition.topic => *count += 1,
                _ => counts.push((&partition.topic, 1)),
            }
        }
        counts.into_iter().filter(|(_, count)| *count < expected).collect()
    }

    /// The topics it is about, those that are not there included.
    pub fn topics(&self) -> BTreeSet<Topic> {
        let there = self.positions.iter().map(|position| &position.partition.topic);
        there.chain(&self.unknown).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000).unwrap()
    }

    fn position(
        extent: (u64, u64),
        offset: u64,
        records: [Option<(u64, i64)>; 2],
        current: Option<(u64, i64)>,
    ) -> Position {
        let record = |(offset, second)| Record { offset, time: Some(time(second)) };
        let committed = |offset| Committed { offset, metadata: String::new() };
        Position {
            partition: Partition { topic: Topic::parse("t").unwrap(), number: 0 },
            extent: Extent { earliest: extent.0, end: extent.1 },
            offset,
            around: Around { before: records[0].map(record), at: records[1].map(record) },
            current: current.map(|(offset, second)| Current {
                committed: committed(offset),
                record: Some(record((offset, second))),
            }),
        }
    }

    #[test]
    fn verdicts_on_the_time() {
        let span = |seconds: u64| Some(Span::from_millis(seconds * 1000));
        let rows = [
            ("a record, one before", (5, 90), 50, [Some((49, 99)), Some((50, 100))], Found::Record),
            ("a record, compacted before", (5, 90), 50, [Some((7, 99)), Some((51, 130))], Found::Record),
            ("the first of all", (0, 90), 0, [None, Some((0, 500))], Found::Record),
            ("the first of all, compacted", (0, 90), 3, [None, Some((3, 500))], Found::Record),
            ("never a record", (0, 0), 0, [None, None], Found::Empty),
            ("nothing since", (5, 90), 90, [Some((89, 99)), None], Found::LogEnd),
            ("only marks are left", (0, 3), 3, [None, None], Found::LogEnd),
            ("older ones are gone", (5, 90), 5, [None, Some((5, 160))], Found::Gap(span(60))),
            (
                "older ones are gone, the first is of the very moment",
                (5, 90),
                5,
                [None, Some((5, 100))],
                Found::Gap(span(0)),
            ),
            ("all are gone", (90, 90), 90, [None, None], Found::Gap(None)),
            ("all but marks are gone", (88, 90), 90, [None, None], Found::Gap(None)),
        ];
        for (name, extent, offset, records, expected) in rows {
            assert_eq!(position(extent, offset, records, None).found(time(100)), expected, "{name}");
        }
    }

    #[test]
    fn verdicts_on_the_way_there() {
        let span = |seconds: u64| Some(Span::from_millis(seconds * 1000));
        let at = [Some((49, 99)), Some((50, 100))];
        let end = [Some((49, 99)), None];
        let rows = [
            (at, None, Step::First),
            (at, Some((50, 100)), Step::Stays),
            (at, Some((60, 130)), Step::Back(10, span(30))),
            (at, Some((10, 40)), Step::Ahead(40, span(60))),
            (end, Some((10, 40)), Step::Ahead(40, span(59))),
        ];
        for (records, current, expected) in rows {
            assert_eq!(position((5, 90), 50, records, current).step(), expected, "{current:?}");
        }
        let mut unknown = position((5, 90), 50, at, Some((2, 0)));
        unknown.current.as_mut().unwrap().record = None;
        assert_eq!(unknown.step(), Step::Ahead(48, None));
    }

    #[test]
    fn risks_are_gathered() {
        let fine = position((0, 90), 50, [Some((49, 99)), Some((50, 100))], None);
        let gap = position((5, 90), 5, [None, Some((5, 160))], Some((60, 130)));
        let plan = |positions, expected_partitions, unknown| Plan {
            made_at: time(0),
            cluster: "c".into(),
            group: "g".into(),
            start: Start { wanted: time(110), margin: Span::from_millis(10_000) },
            expected_partitions,
            unknown,
            positions,
        };
        let topic = Topic::parse("u").unwrap();
        let rows = [
            (plan(vec![fine.clone()], Some(1), vec![]), vec![]),
            (plan(vec![fine.clone()], Some(2), vec![topic]), vec![Risk::UnknownTopic, Risk::FewerPartitions]),
            (plan(vec![fine, gap], None, vec![]), vec![Risk::Gap, Risk::MoveBack]),
        ];
        for (plan, risks) in rows {
            assert_eq!(plan.risks(), risks.into_iter().collect(), "{plan:?}");
        }
    }
}
