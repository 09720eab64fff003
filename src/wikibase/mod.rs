//! The nouns of a Wikibase: entities, revisions, times and the URIs they are written with.
//!
//! Promise: a value of one of these types is valid; text is parsed once, at the border.
//! Invariant: nothing here reads a clock, a disk or the network.

pub mod entity;
pub mod names;
pub mod timestamp;
pub mod uris;
