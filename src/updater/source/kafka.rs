//! Events from Kafka's topics.
//!
//! Promise: as of [`Feed`]: every committed record from the positions on, or an error where some were deleted unread. The client goes
//! on at the next offset also where a topic was made anew meanwhile: that is seen by reading again what was read.
//! Not here: at which positions (see `offsets`).

use std::time::Duration;

use crate::kafka::cluster::Cluster;
use crate::kafka::feed::Feed;
use crate::kafka::{Partition, Settings};
use crate::updater::source::{Arrived, PartitionName, Polled, Source, SourceError};

/// Topics that are read.
pub struct Topics {
    feed: Feed,
    /// Who is asked for what was read already.
    cluster: Option<Cluster>,
    names: Vec<PartitionName>,
    /// Where each is read on.
    next: Vec<u64>,
    /// Where each ended when it was asked last.
    ends: Vec<Option<u64>>,
    /// Whether all that had come was taken at some time since.
    was_empty: bool,
}

impl Topics {
    /// Begins to read each partition at an offset.
    pub fn open(settings: &Settings, starts: &[(Partition, u64)]) -> Result<Self, SourceError> {
        let name = |(partition, _): &(Partition, u64)| PartitionName {
            topic: partition.topic.as_str().to_owned(),
            number: partition.number,
        };
        let names = starts.iter().map(name).collect();
        let next = starts.iter().map(|(_, next)| *next).collect();
        let feed = Feed::open(settings, starts)?;
        Ok(Self { feed, cluster: None, names, next, ends: vec![None; starts.len()], was_empty: false })
    }

    /// The same, that can say what the topics still have.
    pub fn asking(self, cluster: Cluster) -> Self {
        Self { cluster: Some(cluster), ..self }
    }
}

impl Source for Topics {
    fn partitions(&self) -> &[PartitionName] {
        &self.names
    }

    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Arrived<'_>)) -> Result<Polled, SourceError> {
        let arrived = |record: crate::kafka::feed::Arrived<'_>| {
            self.next[record.place] = record.offset + 1;
            let (start, next) = (Some(record.offset), Some(record.offset + 1));
            take(Arrived { place: record.place, start, next, value: record.value });
        };
        let records = self.feed.poll(wait, arrived)?;
        self.was_empty |= records == 0;
        Ok(Polled { records, ended: false })
    }

    /// A partition is silent if its leader says that it was read to its end. Where that ends with what is no record (marks of
    /// transactions, or what was aborted), he must say it twice, and all that had come must have been taken between.
    fn are_silent(&mut self, places: &[usize]) -> Option<Vec<bool>> {
        let ends = self.feed.ends(places)?;
        let was_empty = std::mem::take(&mut self.was_empty);
        let is_silent = |(place, end): (&usize, u64)| {
            let was_so = self.ends[*place].replace(end) == Some(end);
            end <= self.next[*place] || was_so && was_empty
        };
        Some(places.iter().zip(ends).map(is_silent).collect())
    }

    fn still_has(&mut self, place: usize, start: u64, is_it: &dyn Fn(&[u8]) -> bool) -> Result<bool, SourceError> {
        match (&self.cluster, self.feed.partitions().get(place)) {
            (Some(cluster), Some(partition)) => Ok(cluster.still_has(partition, start, is_it)?),
            _ => Ok(true),
        }
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

    fn out_of_reach(&self) -> Option<SourceError> {
        self.feed.out_of_reach().map(SourceError::Kafka)
    }
}
