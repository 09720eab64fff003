//! Lists of partitions as the client has them.
//!
//! In -> out: partitions with offsets -> the client's list; its answer -> one [`Answer`] a partition, or the first error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::error::Trouble;
use crate::kafka::{Committed, Partition, Topic};

/// What Kafka said of a partition.
pub struct Answer {
    /// The partition.
    pub partition: Partition,
    /// An offset, or a sign that there is none.
    pub offset: Offset,
    /// What stands beside a committed offset.
    pub metadata: String,
}

/// The client's list of partitions, each with an offset that is not negative or a sign.
pub fn list<'a>(partitions: impl Iterator<Item = (&'a Partition, Offset)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        let mut element = list.add_partition(partition.topic.as_str(), number(partition));
        element.set_offset(offset).expect("no offset is negative");
    }
    list
}

/// The client's list of what is to be committed.
pub fn list_of_commits(commits: &[(&Partition, &Committed)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(commits.len());
    for (partition, committed) in commits {
        let mut element = list.add_partition(partition.topic.as_str(), number(partition));
        element.set_offset(offset(committed.offset)).expect("no offset is negative");
        if !committed.metadata.is_empty() {
            element.set_metadata(&committed.metadata);
        }
    }
    list
}

/// What was answered of each partition, or the first error.
pub fn answers(list: &TopicPartitionList) -> Result<Vec<Answer>, Trouble> {
    let answer = |element: &TopicPartitionListElem<'_>| {
        let partition = partition(element)?;
        Some(match element.error() {
            Ok(()) => Ok(Answer { partition, offset: element.offset(), metadata: metadata(element) }),
            Err(error) => Err(Trouble { partition: Some(partition), error }),
        })
    };
    list.elements().iter().filter_map(answer).collect()
}

/// The offset as the client has it: no partition ever holds more than 2^63 records.
pub fn offset(offset: u64) -> Offset {
    Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX))
}

fn number(partition: &Partition) -> i32 {
    i32::try_from(partition.number).unwrap_or(i32::MAX)
}

fn partition(element: &TopicPartitionListElem<'_>) -> Option<Partition> {
    let (topic, number) = (Topic::parse(element.topic()).ok()?, u32::try_from(element.partition()).ok()?);
    Some(Partition { topic, number })
}

/// What a consumer wrote beside its offset. The client panics where that is no UTF-8; then it is lost.
fn metadata(element: &TopicPartitionListElem<'_>) -> String {
    catch_unwind(AssertUnwindSafe(|| element.metadata().to_owned())).unwrap_or_default()
}
