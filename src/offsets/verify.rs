//! Proving that a group begins where it should.
//!
//! Promise: what is proven is proven by the records themselves: at each committed offset the first one is of the start or later,
//! and the one before it is earlier.
//! In -> out: a plan and the cluster -> one [`Checked`] a partition.
//! Invariant: nothing is written; a plan's numbers are only compared with, never believed.

use std::collections::BTreeMap;
use std::fmt;

use crate::kafka::cluster::Cluster;
use crate::kafka::{Around, Extent, Partition, Record};
use crate::offsets::OffsetsError;
use crate::offsets::apply::same_cluster;
use crate::offsets::plan::{Plan, Position};
use crate::wikibase::timestamp::Timestamp;

/// What was found of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The partition.
    pub partition: Partition,
    /// The offset in the plan.
    pub planned: u64,
    /// The offset that is committed.
    pub committed: Option<u64>,
    /// The records around it.
    pub around: Around,
    /// What is wrong; nothing if it is proven.
    pub problems: Vec<Problem>,
}

/// What is wrong with a committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is none.
    Missing,
    /// It is the one from before the plan.
    AsBefore,
    /// It is so far beyond the plan's.
    MovedOn(u64),
    /// It is so far before the plan's.
    MovedBack(u64),
    /// Records from it up to this offset are deleted.
    Deleted(u64),
    /// The log ends before it, at this offset.
    BeyondEnd(u64),
    /// The first record that would be read is older than the start.
    TooEarly(Timestamp),
    /// A record that would never be read is as late as the start or later.
    TooLate(Timestamp),
    /// A record around it has no time.
    NoTime(u64),
    /// The partition is gone.
    NoPartition,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the group has committed no offset"),
            Self::AsBefore => f.write_str("the group is where it was before the plan"),
            Self::MovedOn(count) => write!(f, "the group is {count} offsets beyond the plan: has it begun to read?"),
            Self::MovedBack(count) => write!(f, "the group is {count} offsets before the plan"),
            Self::Deleted(earliest) => write!(f, "records are deleted up to offset {earliest}"),
            Self::BeyondEnd(end) => write!(f, "the log ends before it, at offset {end}"),
            Self::TooEarly(time) => write!(f, "the record there is of {time}, before the start"),
            Self::TooLate(time) => {
                write!(f, "the record before it is of {time}, since the start, and would not be read")
            }
            Self::NoTime(offset) => write!(f, "the record at offset {offset} has no time"),
            Self::NoPartition => f.write_str("the partition is gone"),
        }
    }
}

/// Checks every position of a plan.
pub fn verify(cluster: &Cluster, plan: &Plan) -> Result<Vec<Checked>, OffsetsError> {
    same_cluster(cluster, &plan.cluster)?;
    let there = cluster.partitions(&plan.topics())?.partitions;
    let planned = plan.positions.iter().map(|position| &position.partition);
    let there: Vec<_> = planned.filter(|partition| there.binary_search(partition).is_ok()).cloned().collect();
    let committed = cluster.committed(&there)?;
    let extents = cluster.extents(&there)?;
    let place = |(partition, extent): (&Partition, &Extent)| {
        Some((partition.clone(), (committed.get(partition)?.offset, *extent)))
    };
    let around = cluster.records_at(&extents.iter().filter_map(place).collect::<BTreeMap<_, _>>())?;
    let check = |position: &Position| {
        let partition = &position.partition;
        let committed = committed.get(partition).map(|committed| committed.offset);
        let around = around.get(partition).copied().unwrap_or_default();
        let problems = match extents.get(partition) {
            None => vec![Problem::NoPartition],
            Some(extent) => problems(position, plan.start.time(), committed, *extent, around),
        };
        Checked { partition: partition.clone(), planned: position.offset, committed, around, problems }
    };
    Ok(plan.positions.iter().map(check).collect())
}

/// What is wrong with a committed offset, by what is around it now.
fn problems(
    planned: &Position,
    start: Timestamp,
    committed: Option<u64>,
    extent: Extent,
    around: Around,
) -> Vec<Problem> {
    let Some(offset) = committed else { return vec![Problem::Missing] };
    let was = planned.current.as_ref().map(|current| current.committed.offset);
    let place = match offset.cmp(&planned.offset) {
        std::cmp::Ordering::Equal => None,
        _ if was == Some(offset) => Some(Problem::AsBefore),
        std::cmp::Ordering::Greater => Some(Problem::MovedOn(offset - planned.offset)),
        std::cmp::Ordering::Less => Some(Problem::MovedBack(planned.offset - offset)),
    };
    let lost = (offset < extent.earliest).then_some(Problem::Deleted(extent.earliest));
    let beyond = (offset > extent.end).then_some(Problem::BeyondEnd(extent.end));
    let at = around.at.and_then(|record| wrong_time(record, |time| time < start, Problem::TooEarly));
    let before = around.before.and_then(|record| wrong_time(record, |time| time >= start, Problem::TooLate));
    [place, lost, beyond, at, before].into_iter().flatten().collect()
}

fn wrong_time(
    record: Record,
    is_wrong: impl Fn(Timestamp) -> bool,
    problem: fn(Timestamp) -> Problem,
) -> Option<Problem> {
    match record.time {
        None => Some(Problem::NoTime(record.offset)),
        Some(time) => is_wrong(time).then(|| problem(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Committed, Topic};
    use crate::offsets::plan::Current;

    #[test]
    fn problems_are_named() {
        let time = |second: i64| Timestamp::from_millis(second * 1000).unwrap();
        let around = |before: Option<i64>, at: Option<i64>| Around {
            before: before.map(|second| Record { offset: 49, time: Some(time(second)) }),
            at: at.map(|second| Record { offset: 50, time: Some(time(second)) }),
        };
        let extent = Extent { earliest: 5, end: 90 };
        let committed = Committed { offset: 30, metadata: String::new() };
        let planned = Position {
            partition: Partition { topic: Topic::parse("t").unwrap(), number: 0 },
            extent,
            offset: 50,
            around: around(Some(99), Some(100)),
            current: Some(Current { committed, record: None }),
        };
        let fine = planned.around;
        let rows = [
            (Some(50), extent, fine, vec![]),
            (Some(50), extent, around(None, Some(100)), vec![]),
            (Some(50), extent, around(Some(99), None), vec![]),
            (None, extent, Around::default(), vec![Problem::Missing]),
            (Some(30), extent, fine, vec![Problem::AsBefore]),
            (Some(52), extent, fine, vec![Problem::MovedOn(2)]),
            (Some(52), extent, around(Some(101), Some(102)), vec![Problem::MovedOn(2), Problem::TooLate(time(101))]),
            (Some(40), extent, around(Some(97), Some(98)), vec![Problem::MovedBack(10), Problem::TooEarly(time(98))]),
            (Some(50), Extent { earliest: 60, end: 90 }, around(None, Some(120)), vec![Problem::Deleted(60)]),
            (Some(50), Extent { earliest: 0, end: 40 }, around(Some(99), None), vec![Problem::BeyondEnd(40)]),
        ];
        for (committed, extent, around, expected) in rows {
            assert_eq!(problems(&planned, time(100), committed, extent, around), expected, "{committed:?} {around:?}");
        }
        let timeless = Around { before: None, at: Some(Record { offset: 50, time: None }) };
        assert_eq!(problems(&planned, time(100), Some(50), extent, timeless), [Problem::NoTime(50)]);
    }
}
