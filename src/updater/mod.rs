//! The streaming line: events, put in order, decided on, fetched, compared, sent.
//!
//! Promise: each event is answered by a mutation, by a side output, or by both.
//! Invariant: all but `desk` is pure; time and state are handed in.
//! Not here: what becomes of side outputs.

pub mod cache;
pub mod chunk;
pub mod counters;
pub mod decide;
pub mod desk;
pub mod intake;
pub mod line;
pub mod messages;
mod metrics;
pub mod notice;
pub mod outputs;
pub mod pace;
pub mod reorder;
pub mod revisions;
pub mod service;
pub mod source;
pub mod status;
pub mod watch;
pub mod watermark;
pub mod works;
