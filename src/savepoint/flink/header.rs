//! What stands before the key groups in the bytes of keyed state: the states and their serializers.
//!
//! Promise: whatever the bytes, a [`Header`] or the place and the rule that is broken.
//! Rules: Flink's `KeyedBackendSerializationProxy`, version 6, and the snapshots of the serializers that the updater's
//! operator has. A snapshot of an unknown class cannot be passed over, as nothing tells its length.
//! Invariant: pure.

use crate::savepoint::flink::java::{Input, Parsed, put_i32, put_utf};

/// The name of the state that holds the revisions (`UpdaterStateConfiguration`).
pub const LAST_SEEN: &str = "lastSeenRev";
/// The version of the header; the only one that Flink 1.20 reads.
const VERSION: i32 = 6;
/// The version of what stands before each snapshot.
const PROXY: i32 = 2;
/// The versions of a composite snapshot's two headers.
const COMPOSITE: i32 = 911_108;
const NESTED: i32 = 1_333_245;

const STRING: &str = "org.apache.flink.api.common.typeutils.base.StringSerializer$StringSerializerSnapshot";
const LONG: &str = "org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot";
const VOID: &str = "org.apache.flink.runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot";
const LIST: &str = "org.apache.flink.api.common.typeutils.base.ListSerializerSnapshot";
const TIMER: &str = "org.apache.flink.streaming.api.operators.TimerSerializerSnapshot";
const EVENT: &str = "org.wikidata.query.rdf.updater.InputEventSerializerSnapshot";

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether each key group is a stream of Snappy's.
    pub compressed: bool,
    /// The states, in the order of their numbers.
    pub states: Vec<State>,
    /// Its own length in bytes.
    pub length: usize,
}

/// A state and what its entries are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its name.
    pub name: String,
    /// What its entries are.
    pub content: Content,
}

/// What the entries of a state are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Keys with a number: `ValueState<Long>`.
    Long,
    /// Keys with input events: `ListState<InputEvent>`.
    Events,
    /// Times and keys.
    Timers,
    /// Keys with something else, which is counted.
    Else,
}

/// A serializer, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Serializer {
    Text,
    Long,
    Void,
    Event,
    List(Box<Serializer>),
    Timer(Vec<Serializer>),
}

impl State {
    /// Whether its entries are read, and not only counted.
    pub fn is_read(&self) -> bool {
        match self.content {
            Content::Long => self.name == LAST_SEEN,
            Content::Events | Content::Timers => true,
            Content::Else => false,
        }
    }
}

impl Header {
    /// Reads it from the first bytes of keyed state.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut input = Input::new(bytes, 0);
        let version = input.i32()?;
        if version != VERSION {
            return Err(
                input.back(4, format!("keyed state of version {version}; known is {VERSION}, Flink 1.18 to 2.x"))
            );
        }
        let compressed = input.flag()?;
        let keys = snapshot(&mut input)?;
        if keys != Serializer::Text {
            return Err(input.broken("its keys are no strings: not the state of an updater"));
        }
        let count = input.i16()?;
        let states: Vec<_> = (0..count.max(0)).map(|_| state(&mut input)).collect::<Parsed<_>>()?;
        Ok(Self { compressed, states, length: input.consumed() })
    }
}

fn state(input: &mut Input<'_>) -> Parsed<State> {
    let name = input.utf()?;
    let kind = input.i32()?;
    let mut form = String::new();
    for _ in 0..input.count(4)? {
        let (key, value) = (input.utf()?, input.utf()?);
        if key == "KEYED_STATE_TYPE" {
            form = value;
        }
    }
    let mut serializers = Vec::new();
    for _ in 0..input.count(12)? {
        serializers.push((input.utf()?, snapshot(input)?));
    }
    let of = |key: &str| serializers.iter().find(|(name, _)| name == key).map(|(_, serializer)| serializer);
    let keyed = of("NAMESPACE_SERIALIZER") == Some(&Serializer::Void);
    let content = match (kind, form.as_str(), of("VALUE_SERIALIZER")) {
        (0, "VALUE", Some(Serializer::Long)) if keyed => Content::Long,
        (0, "LIST", Some(Serializer::List(element))) if keyed && **element == Serializer::Event => Content::Events,
        (3, _, Some(Serializer::Timer(of))) if *of == [Serializer::Text, Serializer::Void] => Content::Timers,
        (0 | 3, ..) => Content::Else,
        _ => return Err(input.broken(format!("the state {name} is of the unknown kind {kind}"))),
    };
    if name == LAST_SEEN && content != Content::Long {
        return Err(input.broken(format!("the state {name} does not hold numbers: not the state of an updater")));
    }
    Ok(State { name, content })
}

/// A serializer's snapshot with what stands before it.
fn snapshot(input: &mut Input<'_>) -> Parsed<Serializer> {
    let proxy = input.i32()?;
    if proxy != PROXY {
        return Err(input.back(4, format!("a serializer's snapshot of version {proxy}; known is {PROXY}")));
    }
    serializer(input, 0)
}

fn serializer(input: &mut Input<'_>, depth: usize) -> Parsed<Serializer> {
    let class = input.utf()?;
    let version = input.i32()?;
    let serializer = match (class.as_str(), version) {
        (STRING, 3) => Serializer::Text,
        (LONG, 3) => Serializer::Long,
        (VOID, 3) => Serializer::Void,
        // Version 1 is of the time before reconciliation, and else the same.
        (EVENT, 1 | 2) => Serializer::Event,
        (LIST, 3) if depth == 0 => match nested(input, 1, depth)?.pop() {
            Some(element) => Serializer::List(Box::new(element)),
            None => return Err(input.broken("a list without elements' serializer")),
        },
        (TIMER, 3) if depth == 0 => Serializer::Timer(nested(input, 2, depth)?),
        (class, version) => {
            return Err(input.broken(format!("the serializer {class}, version {version}, is not known here")));
        }
    };
    Ok(serializer)
}

/// The serializers within a composite one, whose own version is `outer`.
fn nested(input: &mut Input<'_>, outer: i32, depth: usize) -> Parsed<Vec<Serializer>> {
    for expected in [COMPOSITE, outer, NESTED, 1] {
        let found = input.i32()?;
        if found != expected {
            return Err(input.back(4, format!("{found} instead of {expected} in a composite serializer")));
        }
    }
    let count = input.count(6)?;
    (0..count).map(|_| serializer(input, depth + 1)).collect()
}

/// The header of state that is nothing but the revisions, not compressed: what the bootstrap writes.
pub fn of_last_seen() -> Vec<u8> {
    let mut out = Vec::new();
    put_i32(&mut out, VERSION);
    out.push(0);
    put_snapshot(&mut out, STRING);
    out.extend_from_slice(&1_i16.to_be_bytes());
    put_utf(&mut out, LAST_SEEN);
    put_i32(&mut out, 0);
    put_i32(&mut out, 1);
    put_utf(&mut out, "KEYED_STATE_TYPE");
    put_utf(&mut out, "VALUE");
    put_i32(&mut out, 2);
    put_utf(&mut out, "VALUE_SERIALIZER");
    put_snapshot(&mut out, LONG);
    put_utf(&mut out, "NAMESPACE_SERIALIZER");
    put_snapshot(&mut out, VOID);
    out
}

fn put_snapshot(out: &mut Vec<u8>, class: &str) {
    put_i32(out, PROXY);
    put_utf(out, class);
    put_i32(out, 3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own() {
        let bytes = of_last_seen();
        assert_eq!(bytes.len(), 377, "as long as Flink's");
        let header = Header::parse(&bytes).unwrap();
        let states = vec![State { name: LAST_SEEN.to_owned(), content: Content::Long }];
        assert_eq!(header, Header { compressed: false, states, length: 377 });
        for end in 0..bytes.len() {
            assert!(Header::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
