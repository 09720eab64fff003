//! Plans and saved offsets as files.
//!
//! Promise: what was written reads back the same; anything else is refused with the reason.
//! In -> out: [`Plan`], [`Saved`] <-> JSON, by format and version.
//! Invariant: the stored form (`…Wire`) is apart from the types the program uses.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::kafka::{Around, Committed, Extent, Partition, Record, Topic};
use crate::offsets::plan::{Current, Plan, Position, Start};
use crate::offsets::span::Span;
use crate::wikibase::timestamp::Timestamp;

const PLAN: &str = "headwater-offsets-plan";
const SAVED: &str = "headwater-saved-offsets";
const VERSION: u64 = 1;
/// Kafka's partitions and offsets are signed.
const MOST_PARTITION: u32 = i32::MAX as u32;
const MOST_OFFSET: u64 = i64::MAX as u64;

/// What a group had committed before it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// When.
    pub saved_at: Timestamp,
    /// The cluster's id.
    pub cluster: String,
    /// The consumer group.
    pub group: String,
    /// What was committed; `None` where nothing was.
    pub offsets: BTreeMap<Partition, Option<Committed>>,
}

/// Why a file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no JSON, or has other fields.
    #[error("it is not complete: {0}")]
    Json(#[from] serde_json::Error),
    /// It is something else.
    #[error("it is {found}, not {wanted}")]
    Format {
        /// What it says it is.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// It was written in another version of the format.
    #[error("it is of format version {0}; this program knows version 1")]
    Version(u64),
    /// It contradicts itself.
    #[error("{0}")]
    Inconsistent(String),
}

#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanWire {
    format: String,
    version: u64,
    made_by: String,
    made_at: String,
    cluster: String,
    group: String,
    wanted: String,
    margin_ms: u64,
    expected_partitions: Option<u32>,
    unknown_topics: Vec<String>,
    positions: Vec<PositionWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PositionWire {
    topic: String,
    partition: u32,
    offset: u64,
    record: Option<RecordWire>,
    before: Option<RecordWire>,
    earliest: u64,
    end: u64,
    current: Option<CurrentWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordWire {
    offset: u64,
    time: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrentWire {
    offset: u64,
    metadata: String,
    record: Option<RecordWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedWire {
    format: String,
    version: u64,
    made_by: String,
    saved_at: String,
    cluster: String,
    group: String,
    offsets: Vec<SavedOffsetWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedOffsetWire {
    topic: String,
    partition: u32,
    /// Nothing was committed if null.
    offset: Option<u64>,
    metadata: String,
}

/// The program and its version.
fn made_by() -> String {
    format!("headwater {}", env!("CARGO_PKG_VERSION"))
}

fn to_json(wire: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(wire).expect("texts and numbers have a JSON form");
    json.push(b'\n');
    json
}

fn from_json<T: DeserializeOwned>(json: &[u8], format: &'static str) -> Result<T, FileError> {
    let head: Head = serde_json::from_slice(json)?;
    match (head.format, head.version) {
        (Some(found), Some(VERSION)) if found == format => Ok(serde_json::from_slice(json)?),
        (Some(found), Some(version)) if found == format => Err(FileError::Version(version)),
        (found, _) => {
            Err(FileError::Format { found: found.unwrap_or_else(|| "something else".to_owned()), wanted: format })
        }
    }
}

impl Plan {
    /// The stored form.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&PlanWire {
            format: PLAN.to_owned(),
            version: VERSION,
            made_by: made_by(),
            made_at: self.made_at.to_string(),
            cluster: self.cluster.clone(),
            group: self.group.clone(),
            wanted: self.start.wanted.to_string(),
            margin_ms: self.start.margin.millis(),
            expected_partitions: self.expected_partitions,
            unknown_topics: self.unknown.iter().map(ToString::to_string).collect(),
            positions: self.positions.iter().map(PositionWire::of).collect(),
        })
    }

    /// Reads the stored form.
    pub fn from_json(json: &[u8]) -> Result<Self, FileError> {
        let wire: PlanWire = from_json(json, PLAN)?;
        let positions = wire.positions.into_iter().map(PositionWire::position).collect::<Result<Vec<_>, _>>()?;
        if !positions.is_sorted_by(|a, b| a.partition < b.partition) {
            return Err(FileError::Inconsistent("its positions are not in order, or one is there twice".to_owned()));
        }
        let made_at = time(&wire.made_at)?;
        let start = Start { wanted: time(&wire.wanted)?, margin: Span::from_millis(wire.margin_ms) };
        // No plan is made for a time to come.
        if made_at < start.time() {
            return Err(FileError::Inconsistent(format!(
                "it was made at {made_at}, before its start {}",
                start.time()
            )));
        }
        Ok(Self {
            made_at,
            cluster: wire.cluster,
            group: group(wire.group)?,
            start,
            expected_partitions: wire.expected_partitions,
            unknown: wire.unknown_topics.iter().map(|text| topic(text)).collect::<Result<_, _>>()?,
            positions,
        })
    }
}

impl Saved {
    /// The stored form.
    pub fn to_json(&self) -> Vec<u8> {
        let offset = |(partition, committed): (&Partition, &Option<Committed>)| SavedOffsetWire {
            topic: partition.topic.to_string(),
            partition: partition.number,
            offset: committed.as_ref().map(|committed| committed.offset),
            metadata: committed.as_ref().map(|committed| committed.metadata.clone()).unwrap_or_default(),
        };
        to_json(&SavedWire {
            format: SAVED.to_owned(),
            version: VERSION,
            made_by: made_by(),
            saved_at: self.saved_at.to_string(),
            cluster: self.cluster.clone(),
            group: self.group.clone(),
            offsets: self.offsets.iter().map(offset).collect(),
        })
    }

    /// Reads the stored form.
    pub fn from_json(json: &[u8]) -> Result<Self, FileError> {
        let wire: SavedWire = from_json(json, SAVED)?;
        let count = wire.offsets.len();
        let read = |wire: SavedOffsetWire| {
            let metadata = wire.metadata;
            let committed = wire.offset.map(offset).transpose()?.map(|offset| Committed { offset, metadata });
            Ok::<_, FileError>((partition(&wire.topic, wire.partition)?, committed))
        };
        let offsets = wire.offsets.into_iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?;
        if offsets.len() != count {
            return Err(FileError::Inconsistent("a partition is there twice".to_owned()));
        }
        let saved_at = time(&wire.saved_at)?;
        Ok(Self { saved_at, cluster: wire.cluster, group: group(wire.group)?, offsets })
    }
}

impl PositionWire {
    fn of(position: &Position) -> Self {
        Self {
            topic: position.partition.topic.to_string(),
            partition: position.partition.number,
            offset: position.offset,
            record: position.around.at.map(RecordWire::of),
            before: position.around.before.map(RecordWire::of),
            earliest: position.extent.earliest,
            end: position.extent.end,
            current: position.current.as_ref().map(CurrentWire::of),
        }
    }

    fn position(self) -> Result<Position, FileError> {
        let record = |record: Option<RecordWire>| record.map(RecordWire::record).transpose();
        let (partition, extent) = (
            partition(&self.topic, self.partition)?,
            Extent { earliest: offset(self.earliest)?, end: offset(self.end)? },
        );
        let offset = offset(self.offset)?;
        if !(extent.earliest..=extent.end).contains(&offset) {
            let message = format!("offset {offset} of {partition} lies outside of what it retains");
            return Err(FileError::Inconsistent(message));
        }
        let around = Around { before: record(self.before)?, at: record(self.record)? };
        let current = self.current.map(CurrentWire::current).transpose()?;
        Ok(Position { partition, extent, offset, around, current })
    }
}

impl RecordWire {
    fn of(record: Record) -> Self {
        Self { offset: record.offset, time: record.time.map(|time| time.to_string()) }
    }

    fn record(self) -> Result<Record, FileError> {
        Ok(Record { offset: offset(self.offset)?, time: self.time.as_deref().map(time).transpose()? })
    }
}

impl CurrentWire {
    fn of(current: &Current) -> Self {
        let Committed { offset, metadata } = current.committed.clone();
        Self { offset, metadata, record: current.record.map(RecordWire::of) }
    }

    fn current(self) -> Result<Current, FileError> {
        let committed = Committed { offset: offset(self.offset)?, metadata: self.metadata };
        Ok(Current { committed, record: self.record.map(RecordWire::record).transpose()? })
    }
}

fn time(text: &str) -> Result<Timestamp, FileError> {
    Timestamp::parse(text).map_err(|error| FileError::Inconsistent(format!("`{text}`: {error}")))
}

fn topic(text: &str) -> Result<Topic, FileError> {
    Topic::parse(text).map_err(|error| FileError::Inconsistent(error.to_string()))
}

fn partition(text: &str, number: u32) -> Result<Partition, FileError> {
    if number > MOST_PARTITION {
        return Err(FileError::Inconsistent(format!("no topic has a partition {number}")));
    }
    Ok(Partition { topic: topic(text)?, number })
}

fn offset(offset: u64) -> Result<u64, FileError> {
    if offset > MOST_OFFSET {
        return Err(FileError::Inconsistent(format!("no partition has an offset {offset}")));
    }
    Ok(offset)
}

fn group(name: String) -> Result<String, FileError> {
    if name.is_empty() || name.contains('\0') {
        return Err(FileError::Inconsistent("it names no group".to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let record = |offset, millis| Record { offset, time: Timestamp::from_millis(millis) };
        let committed = |offset| Committed { offset, metadata: "a \"word\"".to_owned() };
        let position = |number, current| Position {
            partition: Partition { topic: Topic::parse("eqiad.t").unwrap(), number },
            extent: Extent { earliest: 3, end: 90 },
            offset: 50,
            around: Around { before: None, at: Some(record(50, 1_767_654_002_250)) },
            current,
        };
        let current = Current { committed: committed(7), record: Some(Record { offset: 7, time: None }) };
        Plan {
            made_at: Timestamp::from_millis(1_767_654_002_000).unwrap(),
            cluster: "c".to_owned(),
            group: "g".to_owned(),
            start: Start { wanted: Timestamp::from_millis(1_767_000_000_001).unwrap(), margin: Span::from_millis(5) },
            expected_partitions: Some(2),
            unknown: vec![Topic::parse("codfw.t").unwrap()],
            positions: vec![position(0, None), position(1, Some(current))],
        }
    }

    fn saved() -> Saved {
        let partition = |number| Partition { topic: Topic::parse("eqiad.t").unwrap(), number };
        let committed = Committed { offset: 7, metadata: "m".to_owned() };
        let offsets = [(partition(0), None), (partition(1), Some(committed))].into();
        Saved { saved_at: Timestamp::default(), cluster: "c".to_owned(), group: "g".to_owned(), offsets }
    }

    #[test]
    fn files_read_back() {
        assert_eq!(Plan::from_json(&plan().to_json()).unwrap(), plan());
        assert_eq!(Saved::from_json(&saved().to_json()).unwrap(), saved());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let json = String::from_utf8(plan().to_json()).unwrap();
        let rows = [
            ("\"version\": 1", "\"version\": 2", "it is of format version 2"),
            (
                "headwater-offsets-plan",
                "headwater-saved-offsets",
                "it is headwater-saved-offsets, not headwater-offsets-plan",
            ),
            ("\"format\"", "\"shape\"", "it is something else"),
            ("\"group\": \"g\",", "", "missing field `group`"),
            ("\"group\": \"g\"", "\"group\": \"\"", "it names no group"),
            ("\"margin_ms\"", "\"margin\"", "unknown field `margin`"),
            (
                "\"offset\": 50,\n      \"record\"",
                "\"offset\": 91,\n      \"record\"",
                "lies outside of what it retains",
            ),
            ("\"offset\": 50,\n      \"record\"", "\"offset\": -1,\n      \"record\"", "invalid value"),
            ("\"partition\": 1", "\"partition\": 0", "one is there twice"),
            ("\"partition\": 1", "\"partition\": 3000000000", "no topic has a partition"),
            ("2026-01-05T23:00:02Z", "yesterday", "a time is written like"),
            ("2026-01-05T23:00:02Z", "2025-12-29T09:19:59Z", "made at 2025-12-29T09:19:59Z, before its start"),
            ("\"eqiad.t\"", "\"eqiad t\"", "is no name of a topic"),
            ("{", "[", "it is not complete"),
        ];
        for (from, to, message) in rows {
            assert!(json.contains(from), "{from} is not in {json}");
            let error = Plan::from_json(json.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(message), "{from} -> {to}: {error}");
        }
    }
}
