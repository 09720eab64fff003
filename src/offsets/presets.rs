//! The topics that known updaters read.
//!
//! Source: the streams that upstream's `IncomingStreams` reads, before and since `page_change`, and the one of reconcile events,
//! which WDQS and WCQS share (each takes those of its own source). A stream is a topic with the prefix of its data centre.

use crate::event::streams::{LEGACY, PAGE_CHANGE, RECONCILE};

/// A named set of topics, without the prefix of a data centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// Its topics.
    pub topics: &'static [&'static str],
}

const OF_LEGACY: &[&str] = &[LEGACY[0], LEGACY[1], LEGACY[2], LEGACY[3], RECONCILE];
const OF_PAGE_CHANGE: &[&str] = &[PAGE_CHANGE, RECONCILE];

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset { name: "wdqs", topics: OF_PAGE_CHANGE },
    Preset { name: "wcqs", topics: OF_PAGE_CHANGE },
    Preset { name: "wdqs-legacy", topics: OF_LEGACY },
    Preset { name: "wcqs-legacy", topics: OF_LEGACY },
    Preset { name: "page-change", topics: &[PAGE_CHANGE] },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Topic;

    #[test]
    fn all_are_topics() {
        for preset in PRESETS {
            assert!(!preset.topics.is_empty());
            preset.topics.iter().for_each(|topic| assert!(Topic::parse(topic).is_ok(), "{topic}"));
        }
    }
}
