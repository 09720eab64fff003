//! Dumps made up by a program: as large as wanted, in the shapes of real ones, with known contents.
//!
//! Promise: a [`profile::Profile`] and a document number give the same bytes on every machine, and what a reader must
//! find in them is known without reading them.
//! Invariant: a document depends on the profile and its own number only, so documents can be written in parallel.
//! Not here: compression, files, threads.

pub mod profile;

mod document;
mod item;
mod languages;
mod lexeme;
mod mediainfo;
mod names;
mod property;
mod random;
mod shapes;
mod statement;
mod traps;
mod turtle;
mod value;
