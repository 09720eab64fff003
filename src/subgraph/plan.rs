//! A mutation of an entity -> what each graph is told of it.
//!
//! Promise: afterwards each graph that the entity belongs to holds it, and each other holds a stub for every source of stubs that
//! has it, and nothing else of it.
//! In -> out: the entity's triples before and after -> [`Step`]s, those of one graph in the order in which they must come.
//! Rules: upstream's `SubgraphDiff`. Its reconciliations carry stubs in a part that is not sent, so that none arrive; they do here,
//! unless upstream's coverage is asked for.

use std::sync::Arc;

use crate::diff::{self, Coverage, Patch};
use crate::munge::set::TripleSet;
use crate::mutation::wire::Kind;
use crate::subgraph::assign::Assigner;
use crate::subgraph::definitions::Subgraph;
use crate::wikibase::entity::EntityId;

/// The predicate of stubs: from an entity to a graph that has it.
pub const STUB: &str = "http://wikiba.se/queryservice#subgraph";

/// What one graph is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'g> {
    /// The graph.
    pub graph: &'g Subgraph,
    /// What its messages tell to do.
    pub kind: Kind,
    /// With which triples.
    pub patch: Arc<Patch>,
}

/// An entity that goes from one revision to another.
///
/// A graph that it stays in is told the difference. One that it leaves is told to delete it; one that it enters, to delete it, which
/// takes the stubs away, and then all of it.
pub fn diff<'g>(assigner: &'g Assigner, entity: EntityId, from: &TripleSet, to: &TripleSet) -> Vec<Step<'g>> {
    let (before, after) = (assigner.assign(entity, from), assigner.assign(entity, to));
    let moves: Vec<_> = assigner.graphs().zip(before.into_iter().zip(after)).collect();
    let delete = Arc::new(Patch::default());
    let mut steps = Steps::default();
    if moves.iter().any(|(_, is_in)| *is_in == (true, true)) {
        let change = Arc::new(diff::diff(from, to));
        moves
            .iter()
            .filter(|(_, is_in)| *is_in == (true, true))
            .for_each(|(graph, _)| steps.add(graph, Kind::Diff, &change));
    }
    // Where it neither was nor is, there may be stubs that tell of the graphs it left.
    let has_left_source = moves.iter().any(|(graph, is_in)| *is_in == (true, false) && graph.stubs_source);
    for (graph, (was_in, is_in)) in &moves {
        if !is_in && (*was_in || has_left_source) {
            steps.add(graph, Kind::Delete, &delete);
        }
    }
    let mut all = None;
    for (graph, is_in) in &moves {
        if *is_in == (false, true) {
            let all = all.get_or_insert_with(|| Arc::new(diff::import(to)));
            steps.add(graph, Kind::Delete, &delete);
            steps.add(graph, Kind::Diff, all);
        }
    }
    let is_in: Vec<_> = moves.iter().map(|(graph, (_, is_in))| (*graph, *is_in)).collect();
    steps.stubs(Kind::Diff, &is_in, &assigner.entity_iri(entity));
    steps.0
}

/// An entity that is not there yet.
pub fn import<'g>(assigner: &'g Assigner, entity: EntityId, triples: &TripleSet) -> Vec<Step<'g>> {
    let is_in: Vec<_> = assigner.graphs().zip(assigner.assign(entity, triples)).collect();
    let all = Arc::new(diff::import(triples));
    let mut steps = Steps::default();
    is_in.iter().filter(|(_, is_in)| *is_in).for_each(|(graph, _)| steps.add(graph, Kind::Import, &all));
    steps.stubs(Kind::Import, &is_in, &assigner.entity_iri(entity));
    steps.0
}

/// An entity that is to be brought in order everywhere.
pub fn reconcile<'g>(
    assigner: &'g Assigner,
    entity: EntityId,
    triples: &TripleSet,
    coverage: Coverage,
) -> Vec<Step<'g>> {
    let is_in: Vec<_> = assigner.graphs().zip(assigner.assign(entity, triples)).collect();
    let all = Arc::new(diff::reconcile(triples, coverage));
    let mut steps = Steps::default();
    is_in.iter().filter(|(_, is_in)| *is_in).for_each(|(graph, _)| steps.add(graph, Kind::Reconcile, &all));
    let has_source = is_in.iter().any(|(graph, is_in)| *is_in && graph.stubs_source);
    if !has_source {
        let delete = Arc::new(Patch::default());
        is_in.iter().filter(|(_, is_in)| !is_in).for_each(|(graph, _)| steps.add(graph, Kind::Delete, &delete));
    } else if coverage == Coverage::Complete {
        steps.stubs(Kind::Reconcile, &is_in, &assigner.entity_iri(entity));
    }
    steps.0
}

/// An entity that is gone. All graphs are told, as it is not known which of them had it or stubs of it.
pub fn delete(assigner: &Assigner) -> Vec<Step<'_>> {
    let delete = Arc::new(Patch::default());
    let mut steps = Steps::default();
    assigner.graphs().for_each(|graph| steps.add(graph, Kind::Delete, &delete));
    steps.0
}

#[derive(Default)]
struct Steps<'g>(Vec<Step<'g>>);

impl<'g> Steps<'g> {
    fn add(&mut self, graph: &'g Subgraph, kind: Kind, patch: &Arc<Patch>) {
        self.0.push(Step { graph, kind, patch: patch.clone() });
    }

    /// Tells the graphs without the entity of the sources that have it.
    fn stubs(&mut self, kind: Kind, is_in: &[(&'g Subgraph, bool)], entity: &str) {
        let sources = is_in.iter().filter(|(graph, is_in)| *is_in && graph.stubs_source);
        let stub = |(graph, _): &(&Subgraph, bool)| Some(format!("{entity} <{STUB}> <{}> .\n", graph.uri.as_ref()?));
        let stubs: String = sources.filter_map(stub).collect();
        if stubs.is_empty() {
            return;
        }
        let patch = match kind {
            Kind::Reconcile => Patch { added: stubs, ..Patch::default() },
            _ => Patch { linked_shared: stubs, ..Patch::default() },
        };
        let patch = Arc::new(patch);
        is_in.iter().filter(|(_, is_in)| !is_in).for_each(|(graph, _)| self.add(graph, kind, &patch));
    }
}
