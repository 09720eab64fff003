//! Committing a plan.
//!
//! Promise: what is committed is exactly the plan, after the world was seen anew; what was there before is in a file first.
//! In -> out: [`Plan`], what is allowed -> [`check`] -> [`commit`] -> committed and read back.
//! Invariant: a file of saved offsets is never overwritten.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::kafka::cluster::Cluster;
use crate::kafka::{Committed, KafkaError, Partition};
use crate::offsets::file::Saved;
use crate::offsets::observe::{Asked, plan, refuse_active};
use crate::offsets::plan::{Plan, Position, Risk};
use crate::offsets::{OffsetsError, read};
use crate::storage::{self, Location};
use crate::wikibase::timestamp::Timestamp;

/// Reads a plan.
pub fn read_plan(location: &Location) -> Result<Plan, OffsetsError> {
    let wrong = |error| OffsetsError::File { location: location.clone(), error };
    Plan::from_json(&read(location)?).map_err(wrong)
}

/// Whether the plan may be committed now. Errors: `OtherCluster`, `Risky`, `Active`, `Changed`, `Kafka`.
pub fn check(cluster: &Cluster, planned: &Plan, allowed: &BTreeSet<Risk>, now: Timestamp) -> Result<(), OffsetsError> {
    same_cluster(cluster, &planned.cluster)?;
    let risks: Vec<_> = planned.risks().difference(allowed).copied().collect();
    if !risks.is_empty() {
        return Err(OffsetsError::Risky(risks));
    }
    refuse_active(cluster)?;
    let asked =
        Asked { topics: planned.topics(), start: planned.start, expected_partitions: planned.expected_partitions };
    let changes = changes(planned, &plan(cluster, &asked, now)?);
    if changes.is_empty() { Ok(()) } else { Err(OffsetsError::Changed(changes)) }
}

/// Refuses brokers of another cluster than the one in a file.
pub fn same_cluster(cluster: &Cluster, there: &str) -> Result<(), OffsetsError> {
    let here = cluster.id();
    if here == there {
        return Ok(());
    }
    Err(OffsetsError::OtherCluster { here: here.to_owned(), there: there.to_owned() })
}

/// What a plan commits.
pub fn commits(plan: &Plan) -> BTreeMap<Partition, Committed> {
    let commit = |position: &Position| {
        (position.partition.clone(), Committed { offset: position.offset, metadata: String::new() })
    };
    plan.positions.iter().map(commit).collect()
}

/// Writes what the group has committed for the partitions of `commits` to `saved`, commits, and reads back.
///
/// Errors: `Storage` if `saved` exists or cannot be written: then nothing is committed. `HalfWay` or `NotKept` if it is not
/// sure that all is committed; `Kafka` with `Active` if Kafka refused since the group has members.
pub fn commit(
    cluster: &Cluster,
    commits: &BTreeMap<Partition, Committed>,
    saved: &Location,
    now: Timestamp,
) -> Result<(), OffsetsError> {
    let partitions: Vec<_> = commits.keys().cloned().collect();
    let mut before = cluster.committed(&partitions)?;
    let offsets = partitions.iter().map(|partition| (partition.clone(), before.remove(partition))).collect();
    let (cluster_id, group) = (cluster.id().to_owned(), cluster.group_name().to_owned());
    let file = Saved { saved_at: now, cluster: cluster_id, group, offsets };
    storage::create_new(saved, Bytes::from(file.to_json()))?;
    let half_way = |source| OffsetsError::HalfWay { saved: saved.clone(), source: Box::new(source) };
    cluster.commit(commits).map_err(|error| match error {
        (0, error @ (KafkaError::Active { .. } | KafkaError::Refused { .. })) => OffsetsError::Kafka(error),
        (_, error) => half_way(error),
    })?;
    let after = cluster.committed(&partitions).map_err(half_way)?;
    let differs = |(partition, commit): &(&Partition, &Committed)| {
        after.get(*partition).is_none_or(|committed| committed.offset != commit.offset)
    };
    let differing: Vec<_> = commits.iter().filter(differs).collect();
    match differing.first() {
        None => Ok(()),
        Some((first, _)) => {
            Err(OffsetsError::NotKept { saved: saved.clone(), count: differing.len(), first: (*first).clone() })
        }
    }
}

/// What matters to `planned` and is no longer so, in `seen`.
fn changes(planned: &Plan, seen: &Plan) -> Vec<String> {
    let mut changes = Vec::new();
    for topic in planned.unknown.iter().filter(|topic| !seen.unknown.contains(topic)) {
        changes.push(format!("the topic {topic} is there now"));
    }
    let mut now: BTreeMap<_, _> = seen.positions.iter().map(|position| (&position.partition, position)).collect();
    for position in &planned.positions {
        match now.remove(&position.partition) {
            None => changes.push(format!("{} is gone", position.partition)),
            Some(seen) => {
                changes.extend(change(position, seen).map(|change| format!("{}: {change}", position.partition)));
            }
        }
    }
    changes.extend(now.into_keys().map(|partition| format!("{partition} is new")));
    changes
}

fn change(planned: &Position, seen: &Position) -> Option<String> {
    let committed = |position: &Position| position.current.as_ref().map(|current| current.committed.offset);
    let name = |offset: Option<u64>| offset.map_or("nothing".to_owned(), |offset| format!("offset {offset}"));
    let (offset, before, after) = (planned.offset, committed(planned), committed(seen));
    // The first record since the start may be a later one where none lies in between: at the end of the log, behind the marks
    // of transactions, after a compaction.
    let same_place = seen.offset >= offset && seen.around.before.is_none_or(|record| record.offset < offset);
    if before != after {
        return Some(format!("the group has committed {}, no longer {}", name(after), name(before)));
    }
    if seen.extent.earliest > offset {
        return Some(format!(
            "records were deleted up to offset {}; the plan begins at {offset}",
            seen.extent.earliest
        ));
    }
    if seen.extent.end < planned.extent.end {
        return Some(format!("the log ends at offset {}, no longer at {}", seen.extent.end, planned.extent.end));
    }
    (!same_place).then(|| format!("the first record since the start has offset {}, no longer {offset}", seen.offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Around, Extent, Record, Topic};
    use crate::offsets::plan::{Current, Start};
    use crate::offsets::span::Span;

    fn position(number: u32, extent: (u64, u64), offset: u64, before: Option<u64>, current: Option<u64>) -> Position {
        let record = |offset| Record { offset, time: None };
        let committed = |offset| Committed { offset, metadata: String::new() };
        Position {
            partition: Partition { topic: Topic::parse("t").unwrap(), number },
            extent: Extent { earliest: extent.0, end: extent.1 },
            offset,
            around: Around { before: before.map(record), at: (offset < extent.1).then(|| record(offset)) },
            current: current.map(|offset| Current { committed: committed(offset), record: None }),
        }
    }

    fn plan(positions: Vec<Position>, unknown: &[&str]) -> Plan {
        Plan {
            made_at: Timestamp::default(),
            cluster: "c".to_owned(),
            group: "g".to_owned(),
            start: Start { wanted: Timestamp::default(), margin: Span::default() },
            expected_partitions: None,
            unknown: unknown.iter().map(|topic| Topic::parse(topic).unwrap()).collect(),
            positions,
        }
    }

    #[test]
    fn what_changed_is_seen() {
        let was = position(0, (5, 90), 50, Some(49), Some(70));
        let at_end = position(0, (5, 90), 90, Some(89), None);
        let rows = [
            (&was, position(0, (5, 99), 50, Some(49), Some(70)), ""),
            (&was, position(0, (50, 99), 50, None, Some(70)), ""),
            (&was, position(0, (5, 99), 52, Some(49), Some(70)), ""),
            (&was, position(0, (5, 99), 52, Some(51), Some(70)), "the first record since the start has offset 52"),
            (&was, position(0, (5, 99), 48, Some(47), Some(70)), "the first record since the start has offset 48"),
            (&was, position(0, (51, 99), 51, None, Some(70)), "records were deleted up to offset 51"),
            (&was, position(0, (5, 99), 50, Some(49), Some(71)), "has committed offset 71, no longer offset 70"),
            (&was, position(0, (5, 99), 50, Some(49), None), "has committed nothing, no longer offset 70"),
            (&was, position(0, (0, 60), 50, Some(49), Some(70)), "the log ends at offset 60"),
            (&at_end, position(0, (5, 99), 90, Some(89), None), ""),
            (&at_end, position(0, (5, 99), 92, Some(89), None), ""),
            (&at_end, position(0, (5, 99), 99, Some(98), None), "the first record since the start has offset 99"),
        ];
        for (planned, seen, message) in rows {
            let change = change(planned, &seen).unwrap_or_default();
            assert!(change.contains(message) && change.is_empty() == message.is_empty(), "{seen:?}: {change}");
        }
    }

    #[test]
    fn partitions_and_topics_come_and_go() {
        let one = || vec![position(0, (5, 90), 50, Some(49), None)];
        let two = || [one(), vec![position(1, (5, 90), 50, Some(49), None)]].concat();
        let rows = [
            (plan(one(), &["u"]), plan(one(), &["u"]), ""),
            (plan(one(), &["u"]), plan(one(), &[]), "the topic u is there now"),
            (plan(one(), &[]), plan(two(), &[]), "t partition 1 is new"),
            (plan(two(), &[]), plan(one(), &[]), "t partition 1 is gone"),
        ];
        for (planned, seen, message) in rows {
            assert_eq!(changes(&planned, &seen).join("; "), message);
        }
    }
}
