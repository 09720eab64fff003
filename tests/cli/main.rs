//! The program as its users meet it: words in, words and an exit code out.
//!
//! Promise: each test runs the real program in a room of its own (see `harness`).
//! `UPDATE_GOLDEN=1 cargo test --test cli` rewrites `help.txt` and `golden/`; read the difference before you commit it.
//! Not here: what lower tests say already (the readers' laws, the formats).

/// The sealed room, and golden files.
mod harness;

/// What the README of the samples says is in them.
mod readme;

/// Whole transcripts: from two dumps to a savepoint and out again.
mod transcripts;

/// Every sample: its exit code, its message, its map.
mod samples;

/// Real dumps, where they are at hand.
mod fixtures;

/// Savepoints in Flink's format: written, read, compared, listed.
mod flink;

/// Made-up dumps of known contents, in every compression.
mod generated;

/// Outputs that exist, cannot be written, or get into each other's way.
mod outputs;

/// Savepoints: verified, damaged, exported.
mod savepoint;

/// `consume`, as far as it goes without a store.
mod consume;

/// `dump-start`.
mod dump_start;

/// `offsets`, as far as it goes without Kafka.
mod offsets;

/// `job`, against a made-up updater.
mod job;

/// `reconcile`, as far as it goes without Kafka and a wiki.
mod reconcile;

/// `sql`.
#[cfg(feature = "sql")]
mod sql;
mod stream;
#[cfg(feature = "sql")]
mod tables;

/// JSON for programs.
mod json;

/// Wrong arguments.
mod usage;
mod verify;

/// The settings file, the environment, and who wins.
mod settings;

/// Help, manual pages, completions.
mod help;
mod import;

/// Ctrl-C and sudden death.
mod interruption;
