//! What a store should hold of an entity, and what it does.
//!
//! Promise: every triple that is missing and every one too many is told, and no other.
//! In -> out: the munged triples of an entity, what the store says of all its nodes -> a [`Divergence`].
//! Invariant: pure. Triples are compared by what they mean (see `sparql::Key`). What the store says of an article being about *other*
//! entities is theirs: it is told where those are looked at.

use serde::Serialize;

use crate::sparql::{Graph, Key};

const ABOUT: &str = "<http://schema.org/about>";

/// How a store differs from what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// Triples that it lacks, as N-Triples.
    pub missing: Vec<String>,
    /// Triples that it should not have.
    pub surplus: Vec<String>,
}

impl Divergence {
    /// Compares; `entity` is its IRI, as N-Triples has it.
    pub fn of(expected: &Graph, held: &Graph, entity: &str) -> Self {
        let is_of_another = |key: &Key| key.predicate == ABOUT && key.object != entity;
        let only = |one: &Graph, other: &Graph| {
            let only = one.iter().filter(|(key, _)| !other.contains(key) && !is_of_another(key));
            only.map(|(_, line)| line.to_owned()).collect()
        };
        Self { missing: only(expected, held), surplus: only(held, expected) }
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn graph<'l>(lines: impl IntoIterator<Item = &'l String>) -> Graph {
        Graph::read(lines.into_iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()).unwrap()
    }

    fn lines() -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set("<http://[ab]> <http://[pq]> \"[xy]{1,2}\" \\.", 0..10)
    }

    proptest! {
        #[test]
        fn both_differences_are_those_of_sets(expected in lines(), held in lines()) {
            let found = Divergence::of(&graph(&expected), &graph(&held), "<http://a>");
            let set = |lines: &[String]| lines.iter().cloned().collect::<BTreeSet<_>>();
            prop_assert_eq!(set(&found.missing), &expected - &held);
            prop_assert_eq!(set(&found.surplus), &held - &expected);
            prop_assert_eq!(found.is_none(), expected == held);
        }
    }

    #[test]
    fn an_article_may_be_about_another() {
        let [own, other] = ["Q1", "Q2"].map(|id| format!("<http://x/wiki/A> {ABOUT} <http://w/entity/{id}> ."));
        let found = Divergence::of(&graph([&own]), &graph([&own, &other]), "<http://w/entity/Q1>");
        assert!(found.is_none());
        let found = Divergence::of(&Graph::default(), &graph([&own, &other]), "<http://w/entity/Q1>");
        assert_eq!(found.surplus, [own]);
    }
}
