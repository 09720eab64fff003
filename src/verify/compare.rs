//! What a store should hold of an entity, and what it does.
//!
//! Promise: every triple that is missing and every one too many is told, and no other.
//! In -> out: the munged triples of an entity, what the store says of all its nodes -> a [`Divergence`].
//! Invariant: pure. Triples are compared by what they mean (see `sparql::Key`). What the store says of an article being about *other*
//! entities is theirs: it is told where those are looked at. The class of what has no value of a property is the complement of a node
//! without a name of its own: how a document names it is chance, and several properties may come to share one. So it is known by its
//! class, and what the store says of it besides is not judged.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::sparql::{Graph, Key};

const ABOUT: &str = "<http://schema.org/about>";
const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf>";

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
        let (expected, held) = (named(expected), named(held));
        let is_of_another = |key: &Key| key.predicate == ABOUT && key.object != entity;
        let missing = expected.iter().filter(|(key, _)| !held.contains_key(key));
        let surplus = held.iter().filter(|(key, _)| !expected.contains_key(key));
        let surplus = surplus.filter(|(key, _)| !is_of_another(key) && !key.subject.starts_with(COMPLEMENT));
        let lines = |(_, line): (&Key, &&str)| (*line).to_owned();
        Self { missing: missing.map(lines).collect(), surplus: surplus.map(lines).collect() }
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty()
    }
}

/// The statements of a graph, where complements are named after their classes.
fn named(graph: &Graph) -> BTreeMap<Key, &str> {
    let name = |class: &str| format!("{COMPLEMENT} {class}");
    let complements = graph.iter().filter(|(key, _)| key.predicate == COMPLEMENT);
    let complements: HashMap<_, _> = complements.map(|(key, _)| (&*key.object, name(&key.subject))).collect();
    let renamed = |term: &String| complements.get(&**term).unwrap_or(term).clone();
    let renamed = |key: &Key| Key {
        subject: renamed(&key.subject),
        predicate: key.predicate.clone(),
        object: if key.predicate == COMPLEMENT { renamed(&key.object) } else { key.object.clone() },
    };
    graph.iter().map(|(key, line)| (renamed(key), line)).collect()
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

    /// The node that a class is the complement of may have any name, but must be there.
    #[test]
    fn a_complement_is_known_by_its_class() {
        let of = |name: &str, property: &str| {
            let class = format!("<http://w/prop/novalue/P8> {COMPLEMENT} <http://w/genid/{name}> .");
            [class, format!("<http://w/genid/{name}> <http://w/on> <http://w/prop/direct/{property}> .")]
        };
        let expected = graph(&of("1", "P8"));
        let mut shared = of("2", "P8").to_vec();
        shared.push(of("2", "P9")[1].clone());
        assert!(Divergence::of(&expected, &graph(&of("2", "P8")), "").is_none());
        assert!(Divergence::of(&expected, &graph(&shared), "").is_none());
        assert_eq!(Divergence::of(&expected, &graph(&of("2", "P9")), "").missing, [of("1", "P8")[1].clone()]);
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
