//! Two munged sets of an entity -> what is to be changed in a graph that holds the first.
//!
//! Promise: a graph that has the first set and takes the [`Patch`] has the second.
//! In -> out: [`TripleSet`]s -> lines of N-Triples in four parts.
//! Invariant: a triple is in one part only. What may be shared is never in `added` or `removed`, but for [`reconcile`].
//! Rules: upstream's `EntityDiff` and `SubgraphDiff`.
//! Not here: sitelinks, which may have gone to another entity; that is for the reader of the stream to find out.

use crate::munge::set::TripleSet;

/// Changes to a graph, each part as lines of N-Triples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Triples of the entity to be added.
    pub added: String,
    /// Triples of the entity to be removed.
    pub removed: String,
    /// Triples that entities share, to be there afterwards.
    pub linked_shared: String,
    /// Triples that entities share and that this one no longer needs.
    pub unlinked_shared: String,
}

/// How much a reconciliation tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coverage {
    /// All triples of the entity: also of its references and values, and which groups its wikis are of; and stubs.
    #[default]
    Complete,
    /// What upstream's has told since May 2024: the entity's own triples, and no stubs.
    OwnOnly,
}

impl Patch {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        [&self.added, &self.removed, &self.linked_shared, &self.unlinked_shared].iter().all(|part| part.is_empty())
    }
}

/// From one revision to another.
pub fn diff(from: &TripleSet, to: &TripleSet) -> Patch {
    let (gone, new) = from.compare(to);
    Patch { added: new.own, removed: gone.own, linked_shared: new.shared, unlinked_shared: gone.shared }
}

/// From nothing.
pub fn import(entity: &TripleSet) -> Patch {
    Patch { added: entity.own().to_owned(), linked_shared: entity.shared().to_owned(), ..Patch::default() }
}

/// From whatever is there: all that the entity is to have, in `added`.
pub fn reconcile(entity: &TripleSet, coverage: Coverage) -> Patch {
    let added = match coverage {
        Coverage::Complete => entity.text(),
        Coverage::OwnOnly => entity.own(),
    };
    Patch { added: added.to_owned(), ..Patch::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::munge::set::set;

    fn graph(text: &str) -> BTreeSet<&str> {
        text.split_inclusive('\n').collect()
    }

    /// A graph after a patch; what is unlinked may stay, as no one knows who else links it.
    fn applied<'t>(patch: &'t Patch, before: &'t TripleSet) -> BTreeSet<&'t str> {
        let mut graph = graph(before.text());
        patch.removed.split_inclusive('\n').for_each(|line| assert!(graph.remove(line), "{line} is not there"));
        patch.added.split_inclusive('\n').for_each(|line| assert!(graph.insert(line), "{line} is there"));
        graph.extend(patch.linked_shared.split_inclusive('\n'));
        graph
    }

    fn lines() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[os][ab]{0,3}\n", 0..20)
    }

    proptest! {
        #[test]
        fn a_diff_leads_from_one_set_to_the_other(a in lines(), b in lines()) {
            let (a, b) = (set(&a), set(&b));
            let patch = diff(&a, &b);
            let after = applied(&patch, &a);
            let own: BTreeSet<_> = after.iter().filter(|line| line.starts_with('o')).copied().collect();
            prop_assert_eq!(own, graph(b.own()));
            prop_assert!(after.is_superset(&graph(b.shared())));
            let gone: BTreeSet<_> = graph(a.shared()).difference(&graph(b.shared())).copied().collect();
            prop_assert_eq!(graph(&patch.unlinked_shared), gone);
            let new: BTreeSet<_> = graph(b.shared()).difference(&graph(a.shared())).copied().collect();
            prop_assert_eq!(graph(&patch.linked_shared), new);
        }

        #[test]
        fn nothing_differs_from_itself_in_any_order(
            (lines, shuffled) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
            other in lines(),
        ) {
            let (a, b, other) = (set(&lines), set(&shuffled), set(&other));
            prop_assert!(diff(&a, &b).is_empty());
            let (one, two) = (diff(&a, &other), diff(&b, &other));
            prop_assert_eq!((&one.added, &one.linked_shared), (&two.added, &two.linked_shared));
            prop_assert_eq!(graph(&one.removed), graph(&two.removed));
            prop_assert_eq!(graph(&one.unlinked_shared), graph(&two.unlinked_shared));
        }

        #[test]
        fn an_import_is_the_diff_from_nothing(lines in lines()) {
            let set = set(&lines);
            prop_assert_eq!(import(&set), diff(&TripleSet::default(), &set));
        }
    }

    #[test]
    fn a_reconciliation_tells_all_or_what_upstream_tells() {
        let set = set(&["oa\n", "sa\n", "ob\n"].map(str::to_owned));
        let rows = [(Coverage::Complete, "oa\nob\nsa\n"), (Coverage::OwnOnly, "oa\nob\n")];
        for (coverage, added) in rows {
            assert_eq!(reconcile(&set, coverage), Patch { added: added.to_owned(), ..Patch::default() });
        }
    }
}
