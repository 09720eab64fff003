//! Going back to saved offsets.
//!
//! Promise: every partition of the file is told: where it is, where it goes back to, and whether that can be.
//! In -> out: [`Saved`] and the cluster -> [`Return`]s -> what [`crate::offsets::apply::commit`] is to commit.
//! Invariant: nothing is written here. An offset cannot be taken away by this client: where nothing was committed, that is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::cluster::Cluster;
use crate::kafka::{Committed, Extent, Partition};
use crate::offsets::apply::same_cluster;
use crate::offsets::file::Saved;
use crate::offsets::observe::refuse_active;
use crate::offsets::{OffsetsError, read};
use crate::storage::Location;

/// Where a partition goes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The partition.
    pub partition: Partition,
    /// What was committed when the file was saved.
    pub saved: Option<Committed>,
    /// What is committed now.
    pub current: Option<u64>,
    /// What it retains; `None` if it is gone.
    pub extent: Option<Extent>,
}

/// How a partition can go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is there already.
    Stays,
    /// The saved offset is committed.
    Goes,
    /// So are the records from it up to this offset gone; from here it would go on.
    Gap(u64),
    /// Nothing was committed, and something is now: it must be deleted with Kafka's own tool.
    Delete,
    /// The partition is gone, or ends before the saved offset.
    Gone,
}

impl Return {
    /// How it can go back.
    pub fn way(&self) -> Way {
        match (&self.saved, self.current, self.extent) {
            (None, None, _) => Way::Stays,
            (None, Some(_), _) => Way::Delete,
            (Some(saved), Some(current), _) if saved.offset == current => Way::Stays,
            (Some(_), _, None) => Way::Gone,
            (Some(saved), _, Some(extent)) if saved.offset > extent.end => Way::Gone,
            (Some(saved), _, Some(extent)) if saved.offset < extent.earliest => Way::Gap(extent.earliest),
            (Some(_), _, Some(_)) => Way::Goes,
        }
    }
}

/// Reads saved offsets.
pub fn read_saved(location: &Location) -> Result<Saved, OffsetsError> {
    let wrong = |error| OffsetsError::File { location: location.clone(), error };
    Saved::from_json(&read(location)?).map_err(wrong)
}

/// Looks at each partition of the file. Errors: `OtherCluster`, `Active`, `Kafka`.
pub fn look(cluster: &Cluster, saved: &Saved) -> Result<Vec<Return>, OffsetsError> {
    same_cluster(cluster, &saved.cluster)?;
    refuse_active(cluster)?;
    let topics: BTreeSet<_> = saved.offsets.keys().map(|partition| partition.topic.clone()).collect();
    let mut there = cluster.partitions(&topics)?.partitions;
    there.retain(|partition| saved.offsets.contains_key(partition));
    let (extents, current) = (cluster.extents(&there)?, cluster.committed(&there)?);
    let back = |(partition, saved): (&Partition, &Option<Committed>)| Return {
        saved: saved.clone(),
        current: current.get(partition).map(|committed| committed.offset),
        extent: extents.get(partition).copied(),
        partition: partition.clone(),
    };
    Ok(saved.offsets.iter().map(back).collect())
}

/// What is to be committed to go back, as far as that can be.
pub fn commits(returns: &[Return]) -> BTreeMap<Partition, Committed> {
    let commit = |back: &Return| match back.way() {
        Way::Goes | Way::Gap(_) => back.saved.clone().map(|saved| (back.partition.clone(), saved)),
        Way::Stays | Way::Delete | Way::Gone => None,
    };
    returns.iter().filter_map(commit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Topic;

    #[test]
    fn ways_back() {
        let rows = [
            (None, None, Some((5, 90)), Way::Stays),
            (None, Some(7), Some((5, 90)), Way::Delete),
            (Some(7), Some(7), Some((5, 90)), Way::Stays),
            (Some(7), Some(50), Some((5, 90)), Way::Goes),
            (Some(90), Some(50), Some((5, 90)), Way::Goes),
            (Some(7), None, Some((5, 90)), Way::Goes),
            (Some(4), Some(50), Some((5, 90)), Way::Gap(5)),
            (Some(91), Some(50), Some((5, 90)), Way::Gone),
            (Some(7), None, None, Way::Gone),
        ];
        for (saved, current, extent, way) in rows {
            let back = Return {
                partition: Partition { topic: Topic::parse("t").unwrap(), number: 0 },
                saved: saved.map(|offset| Committed { offset, metadata: String::new() }),
                current,
                extent: extent.map(|(earliest, end)| Extent { earliest, end }),
            };
            assert_eq!(back.way(), way, "{back:?}");
            assert_eq!(commits(&[back]).is_empty(), !matches!(way, Way::Goes | Way::Gap(_)));
        }
    }
}
