//! Which nodes are linked, and which triples wait for that.
//!
//! Promise: every triple that waits for a node comes back when the node is linked, once, to be judged again.
//! Invariant: no triple waits for a node that is linked. So the order in which triples come does not matter.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use crate::wikibase::names::Name;

/// The nodes of one entity.
#[derive(Default)]
pub(super) struct Links<'a> {
    linked: HashSet<Name<'a>>,
    waiting: HashMap<Name<'a>, Vec<u32>>,
    /// Triples whose node was linked after they were seen.
    released: VecDeque<u32>,
}

impl<'a> Links<'a> {
    /// Forgets all; keeps the memory.
    pub fn clear(&mut self) {
        self.linked.clear();
        self.waiting.clear();
        self.released.clear();
    }

    /// Whether the node is linked.
    pub fn has(&self, node: &Name<'a>) -> bool {
        self.linked.contains(node)
    }

    /// Links a node.
    pub fn link(&mut self, node: Name<'a>) {
        if self.linked.insert(node)
            && !self.waiting.is_empty()
            && let Some(waiting) = self.waiting.remove(&node)
        {
            self.released.extend(waiting);
        }
    }

    /// Lets a triple wait for its node.
    pub fn wait(&mut self, node: Name<'a>, triple: u32) {
        self.waiting.entry(node).or_default().push(triple);
    }

    /// The next triple to be judged again.
    pub fn next_released(&mut self) -> Option<u32> {
        self.released.pop_front()
    }

    /// The nodes that are still waited for, and the triples that wait.
    pub fn waiting(&self) -> impl Iterator<Item = (&Name<'a>, &[u32])> {
        self.waiting.iter().map(|(node, triples)| (node, &**triples))
    }
}
