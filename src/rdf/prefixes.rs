//! The prefixes and the base that hold at some point of a Turtle document.
//!
//! Promise: a later declaration of a label replaces the earlier one, as Turtle says.
//! Invariant: two values are equal exactly if they resolve every name alike.

/// Label -> namespace, and the base IRI if one was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Sorted by label.
    declared: Vec<(Box<str>, Box<str>)>,
    base: Option<Box<str>>,
}

impl Prefixes {
    /// The namespace of `label` (without the colon).
    pub fn get(&self, label: &[u8]) -> Option<&str> {
        let at = self.declared.iter().position(|(known, _)| same(known.as_bytes(), label))?;
        Some(&self.declared[at].1)
    }

    /// Declares `label`.
    pub fn declare(&mut self, label: &str, namespace: &str) {
        match self.declared.binary_search_by(|(known, _)| (**known).cmp(label)) {
            Ok(at) if &*self.declared[at].1 == namespace => {}
            Ok(at) => self.declared[at].1 = namespace.into(),
            Err(at) => self.declared.insert(at, (label.into(), namespace.into())),
        }
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
        self.declared.iter().map(|(label, namespace)| (&**label, &**namespace))
    }
}

/// Equality of short texts; most differ in length or in the first byte, which is faster seen than a call is made.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.first() == b.first() && a == b
}
