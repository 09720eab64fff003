//! The streaming updater: events in, changes of the graph out.
//!
//! Promise: each event is answered by a mutation, by a side output, or by both.
//! In -> out: events -> reorder -> decide -> fetch -> munge -> diff -> chunk -> sink.
//! Invariant: the stages are pure; what touches the world is handed in.

pub mod chunk;
