//! A small Wikibase, made up from a seed: what the laws of the updater are stated with.
//!
//! Promise: a [`history::History`] knows what happened and what there is at any time, and everything that a real wiki shows of it is
//! made of it: documents, dumps, events, answers over HTTP. A [`graph::Graph`] takes the messages of a mutation stream as a right
//! reader does, and says where it is not as the wiki is.
//! Invariant: the same seed gives the same bytes; no clock, and but for [`server`] no network and no thread.
//!
//! A test or bench has it by `#[path = "../wiki/mod.rs"] mod wiki;` at the root of its crate (from `benches`,
//! `../tests/wiki/mod.rs`). Each uses a part of it. Its own laws are the test target `wiki`.

#![allow(dead_code, reason = "who includes it uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

pub mod api;
pub mod comparison;
pub mod content;
pub mod dump;
pub mod edit;
pub mod events;
pub mod graph;
pub mod history;
pub mod random;
pub mod records;
pub mod server;
pub mod stream;
pub mod turtle;
