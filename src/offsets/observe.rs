//! Seeing the world: topics and a time -> a plan.
//!
//! Promise: nothing is written. However many partitions there are, each question is asked once.
//! In -> out: [`Asked`] -> [`Plan`].
//! Invariant: the ends of the partitions are read before the offsets of the time: what is written in between lies behind.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::cluster::Cluster;
use crate::kafka::{Committed, Extent, GroupState, KafkaError, Partition, Topic};
use crate::offsets::OffsetsError;
use crate::offsets::plan::{Current, Plan, Position, Start};
use crate::wikibase::timestamp::Timestamp;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The topics.
    pub topics: BTreeSet<Topic>,
    /// From when.
    pub start: Start,
    /// How many partitions each topic must have at least, if that is known.
    pub expected_partitions: Option<u32>,
}

/// Plans. Errors: `Future`, `NoTopic`, `Kafka`.
pub fn plan(cluster: &Cluster, asked: &Asked, now: Timestamp) -> Result<Plan, OffsetsError> {
    if asked.start.time() > now {
        return Err(OffsetsError::Future { start: asked.start.time().to_string(), now: now.to_string() });
    }
    let topics = cluster.partitions(&asked.topics)?;
    if topics.partitions.is_empty() {
        let names: Vec<_> = asked.topics.iter().map(ToString::to_string).collect();
        return Err(OffsetsError::NoTopic(names.join(", ")));
    }
    let extents = cluster.extents(&topics.partitions)?;
    let since = cluster.first_since(&topics.partitions, asked.start.time())?;
    let target = |(partition, extent): (&Partition, &Extent)| {
        let since = since.get(partition).copied().flatten();
        let offset = since.unwrap_or(extent.end).clamp(extent.earliest, extent.end);
        (partition.clone(), (offset, *extent))
    };
    let targets: BTreeMap<_, _> = extents.iter().map(target).collect();
    let mut around = cluster.records_at(&targets)?;
    let mut current = current(cluster, &extents)?;
    let position = |(partition, (offset, extent)): (Partition, (u64, Extent))| Position {
        around: around.remove(&partition).unwrap_or_default(),
        current: current.remove(&partition),
        partition,
        extent,
        offset,
    };
    Ok(Plan {
        made_at: now,
        cluster: cluster.id().to_owned(),
        group: cluster.group_name().to_owned(),
        start: asked.start,
        expected_partitions: asked.expected_partitions,
        unknown: topics.unknown,
        positions: targets.into_iter().map(position).collect(),
    })
}

/// What the group has committed, with the record there.
pub fn current(
    cluster: &Cluster,
    extents: &BTreeMap<Partition, Extent>,
) -> Result<BTreeMap<Partition, Current>, KafkaError> {
    let partitions: Vec<_> = extents.keys().cloned().collect();
    let committed = cluster.committed(&partitions)?;
    let places = committed.iter().filter_map(|(partition, Committed { offset, .. })| {
        let extent = extents.get(partition)?;
        // What is no longer there has no record of its own; the first that is left would mislead.
        (*offset >= extent.earliest).then(|| (partition.clone(), (*offset, *extent)))
    });
    let mut around = cluster.records_at(&places.collect())?;
    let current = |(partition, committed)| {
        let around = around.remove(&partition).unwrap_or_default();
        let record = around.at.or(around.before);
        (partition, Current { committed, record })
    };
    Ok(committed.into_iter().map(current).collect())
}

/// Refuses a group with members.
pub fn refuse_active(cluster: &Cluster) -> Result<(), OffsetsError> {
    match cluster.group()? {
        GroupState::Idle | GroupState::Unclear(_) => Ok(()),
        GroupState::Active { state, members } => {
            Err(OffsetsError::Active { group: cluster.group_name().to_owned(), state, members: members.join(", ") })
        }
    }
}
