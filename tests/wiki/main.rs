//! The laws of the made-up wiki itself: before anything is stated with it, it must be right, and its comparison must be able to fail.

#![allow(clippy::unwrap_used, reason = "what fails ends the test")]

#[path = "mod.rs"]
mod wiki;

/// Histories, documents and dumps.
mod pages;

/// Events, and their disorder.
mod told;

/// Graphs, and what they are compared with.
mod graphs;

/// The wiki over HTTP.
mod http;
