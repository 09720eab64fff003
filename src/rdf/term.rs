//! What triples are made of, borrowed from the text they stand in.
//!
//! Promise: a term is what Turtle says it is, however it was written; escapes are resolved.
//! Invariant: an IRI is its namespace's text followed by its local part; where it was spelled out in full, the namespace is
//! [`Namespace::NONE`]. Under any other the local part holds no slash and no `#`, as Turtle writes those only with an escape,
//! and a name with escapes is given in full. So one IRI may be split in several ways, and only [`Iri::is`] and [`Iri::to_text`] do not care how.
//! Not here: how terms are read (see `reader`) and what they mean (see `wikibase`).

use std::borrow::Cow;

/// A namespace that some prefix stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    text: Cow<'static, str>,
    id: u32,
}

impl Namespace {
    /// No namespace: that of an IRI spelled out in full.
    pub const NONE: &'static Self = &Self { text: Cow::Borrowed(""), id: 0 };

    /// A namespace with a number of its own, above 0, by which what is known about it can be looked up.
    pub(super) fn new(text: &str, id: u32) -> Self {
        Self { text: Cow::Owned(text.to_owned()), id }
    }

    /// Its IRI.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its number: 0 for [`Self::NONE`]; else small, and the same for the same text within one document, if that declares
    /// no more than a thousand namespaces.
    pub fn id(&self) -> usize {
        self.id as usize
    }
}

/// An IRI in two parts, as a prefixed name gives it.
#[derive(Clone, Copy, Debug)]
pub struct Iri<'a> {
    /// What its prefix stands for.
    pub namespace: &'a Namespace,
    /// What follows.
    pub local: &'a str,
}

impl<'a> Iri<'a> {
    /// An IRI spelled out in full.
    pub const fn full(iri: &'a str) -> Self {
        Self { namespace: Namespace::NONE, local: iri }
    }

    /// Whether this is `iri`.
    pub fn is(self, iri: &str) -> bool {
        let namespace = self.namespace.text();
        // Most IRIs differ in length, which is faster seen than two calls are made.
        iri.len() == namespace.len() + self.local.len() && iri.ends_with(self.local) && iri.starts_with(namespace)
    }

    /// The whole IRI.
    pub fn to_text(self) -> Cow<'a, str> {
        if self.namespace.id == 0 {
            Cow::Borrowed(self.local)
        } else {
            Cow::Owned([self.namespace.text(), self.local].concat())
        }
    }
}

/// A subject or an object. (A predicate is an [`Iri`].)
#[derive(Clone, Copy, Debug)]
pub enum Term<'a> {
    /// An IRI.
    Iri(Iri<'a>),
    /// A blank node's label, without `_:`.
    Blank(&'a str),
    /// A literal; never a subject.
    Literal(Literal<'a>),
}

impl Term<'_> {
    /// Whether this is the same piece of text as another IRI, so that what is known of one holds of the other. Quick; a no
    /// tells nothing.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Iri(a), Self::Iri(b)) => std::ptr::eq(a.namespace, b.namespace) && std::ptr::eq(a.local, b.local),
            _ => false,
        }
    }
}

/// A literal.
#[derive(Clone, Copy, Debug)]
pub struct Literal<'a> {
    /// Its lexical form.
    pub value: &'a str,
    /// What kind of literal it is.
    pub tag: Tag<'a>,
}

/// What follows a literal's lexical form.
#[derive(Clone, Copy, Debug)]
pub enum Tag<'a> {
    /// Nothing: an `xsd:string`. A datatype that says so is dropped.
    None,
    /// A language, as it is written, or in small letters: case does not matter.
    Language(&'a str),
    /// A datatype other than `xsd:string`.
    Datatype(Iri<'a>),
}

/// Subject, predicate and object.
#[derive(Clone, Copy, Debug)]
pub struct Triple<'a> {
    /// An IRI or a blank node.
    pub subject: Term<'a>,
    /// An IRI.
    pub predicate: Iri<'a>,
    /// Anything.
    pub object: Term<'a>,
}
