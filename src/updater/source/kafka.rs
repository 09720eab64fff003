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
    /// Where each ended when it was asked last.
    ends: Vec<Option<u64>>,
}

impl Topics {
    /// Begins to read each partition at an offset.
    pub fn open(settings: &Settings, starts: &[(Partition, u64)]) -> Result<Self, SourceError> {
        let name = |(partition, _): &(Partition, u64)| PartitionName {
            topic: partition.topic.as_str().to_owned(),
            number: partition.number,
        };
        let names = starts.iter().map(name).collect();
        Ok(Self { feed: Feed::open(settings, starts)?, names, ends: vec![None; starts.len()] })
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

    /// A partition is silent if its leader says twice that it ends in the same place, and nothing came between.
    fn are_silent(&mut self, places: &[usize]) -> Option<Vec<bool>> {
        let ends = self.feed.ends(places)?;
        Some(places.iter().zip(ends).map(|(place, end)| self.ends[*place].replace(end) == Some(end)).collect())
    }

    fn feed(&self) -> Option<&Feed> {
        Some(&self.feed)
    }

    fn end(&self, place: usize) -> Option<u64> {
        self.feed.end(place)
    }

    fn heard(&self) -> Vec<String> {
        self.feed.heard()
    }
}
