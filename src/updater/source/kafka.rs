//! Events from Kafka's topics.
//!
//! Promise: as of [`Feed`]: every committed record from the positions on, or an error where some were deleted unread.
//! Not here: at which positions (see `offsets`).

use std::time::Duration;

use crate::kafka::feed::Feed;
use crate::kafka::{Partition, Settings};
use crate::updater::source::{Arrived, PartitionName, Polled, Source, SourceError};

/// Topics that are read.
pub struct Topics {
    feed: Feed,
    names: Vec<PartitionName>,
}

impl Topics {
    /// Begins to read each partition at an offset.
    pub fn open(settings: &Settings, starts: &[(Partition, u64)]) -> Result<Self, SourceError> {
        let name = |(partition, _): &(Partition, u64)| PartitionName {
            topic: partition.topic.as_str().to_owned(),
            number: partition.number,
        };
        Ok(Self { feed: Feed::open(settings, starts)?, names: starts.iter().map(name).collect() })
    }
}

impl Source for Topics {
    fn partitions(&self) -> &[PartitionName] {
        &self.names
    }

    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let arrived = |record: crate::kafka::feed::Arrived<'_>| {
            take(Arrived { place: record.place, next: Some(record.offset + 1), value: record.value });
        };
        Ok(Polled { records: self.feed.poll(wait, arrived)?, ended: false })
    }

    fn feed(&self) -> Option<&Feed> {
        Some(&self.feed)
    }

    fn heard(&self) -> Vec<String> {
        self.feed.heard()
    }
}
