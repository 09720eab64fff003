//! The prefixes and the base that hold at some point of a Turtle document.
//!
//! Promise: a later declaration of a label replaces the earlier one, as Turtle says.
//! In -> out: labels -> [`Namespace`]s, whose numbers stay what they are in every clone.
//! Invariant: two values are equal exactly if they resolve every name alike.
//! Not here: what makes a label or an IRI valid (see `reader`).

use std::sync::Arc;

use crate::rdf::term::Namespace;

/// Label -> namespace, and the base IRI if one was declared.
#[derive(Clone, Debug, Default)]
pub struct Prefixes {
    /// Sorted by label.
    declared: Vec<(Arc<str>, Arc<Namespace>)>,
    /// Namespaces that were declared so far, for one that is declared again to keep its number.
    known: Vec<Arc<Namespace>>,
    /// The highest number given.
    numbers: u32,
    table: Table,
    base: Option<Arc<str>>,
}

/// Namespaces that are remembered at least; a dump has about 40. Bounded, so that memory does not grow with the dump.
const MOST_KNOWN: usize = 1024;

impl PartialEq for Prefixes {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base && self.iter().eq(other.iter())
    }
}

impl Eq for Prefixes {}

impl Prefixes {
    /// The namespace of `label` (without the colon).
    pub fn get(&self, label: &str) -> Option<&Namespace> {
        let at = self.declared.binary_search_by(|(known, _)| (**known).cmp(label)).ok()?;
        Some(&self.declared[at].1)
    }

    /// The namespace of `label`, if a name of it surely is a valid IRI however it goes on.
    pub(super) fn get_for_any_name(&self, label: &str) -> Option<&Namespace> {
        self.get(label).filter(|namespace| takes_any_name(namespace.text()))
    }

    /// The same for a label of at most 8 bytes, as [`pack`] makes a number of it.
    pub(super) fn get_packed(&self, label: u64) -> Option<&Namespace> {
        self.table.get(label)
    }

    /// Declares `label`.
    pub fn declare(&mut self, label: &str, namespace: &str) {
        let place = self.declared.binary_search_by(|(known, _)| (**known).cmp(label));
        if place.is_ok_and(|at| self.declared[at].1.text() == namespace) {
            return;
        }
        let namespace = self.number(namespace);
        match place {
            Ok(at) => self.declared[at].1 = namespace,
            Err(at) => self.declared.insert(at, (label.into(), namespace)),
        }
        self.table = Table::new(&self.declared);
    }

    fn number(&mut self, text: &str) -> Arc<Namespace> {
        if let Some(known) = self.known.iter().find(|known| known.text() == text) {
            return known.clone();
        }
        if self.known.len() >= MOST_KNOWN.max(2 * self.declared.len()) {
            self.known = self.declared.iter().map(|(_, namespace)| namespace.clone()).collect();
        }
        self.numbers += 1;
        let namespace = Arc::new(Namespace::new(text, self.numbers));
        self.known.push(namespace.clone());
        namespace
    }

    /// Declares the base that relative IRIs are resolved against.
    pub fn declare_base(&mut self, base: &str) {
        self.base = Some(base.into());
    }

    /// The base, if one was declared.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// All labels and namespaces, sorted by label.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declared.iter().map(|(label, namespace)| (&**label, namespace.text()))
    }
}

/// A label of at most 8 bytes as a number: its bytes, the first lowest, then its colon if that is still among the 8.
fn pack(label: &str) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..label.len())?.copy_from_slice(label.as_bytes());
    if let Some(colon) = bytes.get_mut(label.len()) {
        *colon = b':';
    }
    Some(u64::from_le_bytes(bytes))
}

/// A hash table of packed labels, with twice as many slots as labels or more.
#[derive(Clone, Debug, Default)]
struct Table {
    slots: Box<[Slot]>,
}

/// A packed label and its namespace.
type Slot = Option<(u64, Arc<Namespace>)>;

impl Table {
    fn new(declared: &[(Arc<str>, Arc<Namespace>)]) -> Self {
        let mut table = Self { slots: vec![None; (2 * declared.len()).next_power_of_two()].into() };
        for (label, namespace) in declared {
            if let Some(label) = pack(label)
                && takes_any_name(namespace.text())
            {
                let mut slot = table.slot(label);
                while table.slots[slot].is_some() {
                    slot = (slot + 1) % table.slots.len();
                }
                table.slots[slot] = Some((label, namespace.clone()));
            }
        }
        table
    }

    /// The slot at which a search for a label begins.
    fn slot(&self, label: u64) -> usize {
        let hash = (label ^ (label >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> 40) as usize & (self.slots.len().wrapping_sub(1))
    }

    fn get(&self, label: u64) -> Option<&Namespace> {
        let mut slot = self.slot(label);
        loop {
            match self.slots.get(slot)? {
                Some((found, namespace)) if *found == label => return Some(namespace),
                Some(_) => slot = (slot + 1) & (self.slots.len() - 1),
                None => return None,
            }
        }
    }
}

/// Whether what follows the namespace is never part of an authority, of which not every name would be a valid one.
fn takes_any_name(namespace: &str) -> bool {
    namespace.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_keeps_its_number() {
        let mut prefixes = Prefixes::default();
        let mut number = |label: &str, text: &str| {
            prefixes.declare(label, text);
            prefixes.get(label).unwrap().id()
        };
        assert_eq!(number("a", "http://a.org/"), 1);
        assert_eq!(number("b", "http://b.org/"), 2);
        assert_eq!(number("c", "http://a.org/"), 1);
        assert_eq!(number("a", "http://c.org/"), 3);
        assert_eq!(number("c", "http://c.org/"), 3);
        assert_eq!(number("a", "http://a.org/"), 1);
        for count in 0..5 * MOST_KNOWN {
            assert_eq!(number("d", &format!("http://d.org/{count}/")), count + 4);
        }
        assert_eq!(number("e", "http://a.org/"), 1, "what is declared is remembered");
        assert!(prefixes.known.len() <= MOST_KNOWN, "what is not is forgotten");
    }

    #[test]
    fn short_labels_of_safe_namespaces_are_found_by_their_number() {
        let rows = [
            ("", "http://a.org/", true),
            ("wd", "http://a.org/b#", true),
            ("wikibas", "http://a.org?", true),
            ("wikibase", "http://a.org/", true),
            ("wikibases", "http://a.org/", false),
            ("wd", "http://a.org", false),
            ("wd", "urn:a:", false),
        ];
        for (label, namespace, expected) in rows {
            let mut prefixes = Prefixes::default();
            prefixes.declare(label, namespace);
            let found = pack(label).and_then(|label| prefixes.get_packed(label));
            assert_eq!(found.map(Namespace::text), expected.then_some(namespace), "{label}: <{namespace}>");
            assert_eq!(prefixes.get_packed(0), None);
        }
    }
}
