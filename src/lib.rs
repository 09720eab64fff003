//! Headwater: from Wikibase RDF dumps to everything a streaming updater needs to start.
//!
//! Modules in reading order; each may use those above it and none below (`tests/architecture.rs` keeps that true). See
//! ARCHITECTURE.md for the map.

// Nouns and pure logic: no disk, no clock, no network.
pub mod diff;
pub mod env;
pub mod event;
pub mod exposition;
pub mod generate;
pub mod histogram;
pub mod munge;
pub mod mutation;
pub mod rdf;
pub mod side_output;
pub mod state;
pub mod subgraph;
pub mod telling;
pub mod wikibase;

// Adapters: the only code that touches the world.
pub mod columns;
pub mod compression;
pub mod control;
pub mod dump;
pub mod entity_data;
pub mod event_streams;
pub mod kafka;
pub mod mediawiki;
pub mod revision_map;
pub mod savepoint;
pub mod sparql;
pub mod storage;
pub mod triples;
pub mod web;

// Flows.
pub mod bootstrap;
pub mod consume;
pub mod import;
pub mod offsets;
pub mod reconcile;
pub mod sql;
pub mod updater;
pub mod verify;

// The command line.
pub mod cli;
