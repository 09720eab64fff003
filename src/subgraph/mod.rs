//! A graph that is split: which subgraphs there are, which an entity belongs to, what each of them is told.
//!
//! Promise: after the messages of any mutation, each subgraph holds the entities that its rules pass, and stubs for those that
//! it can find elsewhere.
//! In -> out: a YAML file -> [`definitions::Definitions`] -> [`assign::Assigner`] -> [`plan::Step`]s.
//! Invariant: there is one full graph, which all entities belong to. Pure: the file is read by the caller.
//! Rules: upstream's `SubgraphDefinitions`, `SubgraphRule`, `SubgraphAssigner`, `SubgraphDiff`.

pub mod assign;
pub mod definitions;
pub mod plan;

mod yaml;

#[cfg(test)]
mod tests;
