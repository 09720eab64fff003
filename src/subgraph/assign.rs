//! An entity's triples -> the graphs that it belongs to.
//!
//! Promise: what upstream's `SubgraphAssigner` says: a rule is about an entity if any of its triples is like the rule.
//! In -> out: [`Definitions`], a [`TripleSet`] -> the [`Subgraph`]s.
//! Invariant: one pass over the triples, however many rules there are. The order of triples does not matter.

use crate::munge::set::TripleSet;
use crate::subgraph::definitions::{Definitions, Outcome, Rule, Subgraph, Term};
use crate::wikibase::entity::EntityId;
use crate::wikibase::uris::UrisScheme;

/// Assigns entities to graphs.
#[derive(Clone, Debug)]
pub struct Assigner {
    graphs: Vec<Graph>,
    /// What the rules look for; several rules may look for the same.
    patterns: Vec<Pattern>,
    concept: String,
}

#[derive(Clone, Debug)]
struct Graph {
    definition: Subgraph,
    /// The outcome of each rule, and the number of its pattern.
    rules: Vec<(Outcome, usize)>,
}

/// What a triple is to be like, its terms as N-Triples has them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    subject: Wanted,
    predicate: String,
    object: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Entity,
    Anything,
    /// Sorted.
    OneOf(Vec<String>),
}

impl Wanted {
    fn of(term: &Term) -> Self {
        match term {
            Term::Entity => Self::Entity,
            Term::Anything => Self::Anything,
            Term::OneOf(iris) => {
                let mut iris: Vec<_> = iris.iter().map(|iri| bracketed(iri)).collect();
                iris.sort_unstable();
                Self::OneOf(iris)
            }
        }
    }

    fn is_met(&self, term: &str, entity: &str) -> bool {
        match self {
            Self::Entity => term == entity,
            Self::Anything => true,
            Self::OneOf(iris) => iris.binary_search_by(|iri| (**iri).cmp(term)).is_ok(),
        }
    }
}

fn bracketed(iri: &str) -> String {
    format!("<{iri}>")
}

impl Pattern {
    fn of(rule: &Rule) -> Self {
        Self {
            subject: Wanted::of(&rule.subject),
            predicate: bracketed(&rule.predicate),
            object: Wanted::of(&rule.object),
        }
    }
}

impl Assigner {
    /// For the entities of that wiki.
    pub fn new(definitions: &Definitions, scheme: &UrisScheme) -> Self {
        let mut patterns = Vec::new();
        let mut rule = |rule: &Rule| {
            let pattern = Pattern::of(rule);
            let known = patterns.iter().position(|known| *known == pattern);
            let number = known.unwrap_or_else(|| {
                patterns.push(pattern);
                patterns.len() - 1
            });
            (rule.outcome, number)
        };
        let graph =
            |graph: &Subgraph| Graph { definition: graph.clone(), rules: graph.rules.iter().map(&mut rule).collect() };
        let graphs = definitions.graphs().iter().map(graph).collect();
        Self { graphs, patterns, concept: scheme.concept().to_owned() }
    }

    /// All graphs, in the order of their definitions.
    pub fn graphs(&self) -> impl Iterator<Item = &Subgraph> {
        self.graphs.iter().map(|graph| &graph.definition)
    }

    /// The IRI of an entity, as N-Triples has it.
    pub fn entity_iri(&self, entity: EntityId) -> String {
        format!("<{}{entity}>", self.concept)
    }

    /// For each of [`Self::graphs`]: whether the entity belongs to it.
    pub fn assign(&self, entity: EntityId, triples: &TripleSet) -> Vec<bool> {
        let met = self.met(&self.entity_iri(entity), triples);
        let passes = |graph: &Graph| {
            let decided = graph.rules.iter().find(|(_, pattern)| met[*pattern]);
            decided.map_or(graph.definition.default, |(outcome, _)| *outcome) == Outcome::Pass
        };
        self.graphs.iter().map(passes).collect()
    }

    /// For each pattern: whether any triple is like it.
    fn met(&self, entity: &str, triples: &TripleSet) -> Vec<bool> {
        let mut met = vec![false; self.patterns.len()];
        if met.is_empty() {
            return met;
        }
        for line in triples.text().lines() {
            let Some((subject, rest)) = line.split_once(' ') else { continue };
            for (pattern, met) in self.patterns.iter().zip(&mut met) {
                let object = rest.strip_prefix(&*pattern.predicate).and_then(|rest| rest.strip_prefix(' '));
                let Some(object) = object.and_then(|rest| rest.strip_suffix(" .")) else { continue };
                *met |= pattern.subject.is_met(subject, entity) && pattern.object.is_met(object, entity);
            }
        }
        met
    }
}
