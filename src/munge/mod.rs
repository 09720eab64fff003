//! Raw triples of one entity -> the triples that a query service holds of it.
//!
//! Promise: on triples in the order in which Wikibase writes them, what upstream's munger keeps; on any other order, the same.
//! In -> out: text -> entities (`munge::text`) -> normalized terms (`munge::normalize`) -> a [`Verdict`] on each triple
//! (`munge::rules`).
//! Invariant: the verdicts depend on the set of triples alone, not on their order.
//! Not here: files and threads, and how triples are written. Rules: upstream's `Munger`, `NormalizingRdfHandler`, `EntityMungingRdfHandler`.

pub mod document;
pub mod normalize;
pub mod rules;
pub mod set;
pub mod text;

mod labels;
mod links;
mod repair;
mod unlabelled;

use crate::wikibase::entity::EntityIdError;

/// What may be left out, and how blank nodes are written. Rule: upstream's `MungerOptions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Labels, descriptions and aliases in these languages only; `None`: in all.
    pub label_languages: Option<Vec<String>>,
    /// One label and one description, in the first of these languages that has one; `None`: all.
    pub single_label: Option<Vec<String>>,
    /// Whether sitelinks are left out (their `wikibase:wikiGroup` stays).
    pub skip_sitelinks: bool,
    /// Whether types that nearly every node of a kind has are kept.
    pub keep_types: bool,
    /// Whether blank nodes become IRIs. The updater's stream does so; a store that is to follow it must have them.
    pub skolemize: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { label_languages: None, single_label: None, skip_sitelinks: false, keep_types: false, skolemize: true }
    }
}

/// What becomes of a triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It stays, with the entity in the place of the entity-data node.
    Move,
    /// It goes, by this rule.
    Drop(Rule),
}

/// Why a triple goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Of the entity-data node only the revision, the date and the `wikibase:` counts are of use.
    DataNode,
    /// It is about another entity.
    OtherEntity,
    /// A type that all entities of the kind have.
    EntityType,
    /// `schema:name` and `skos:prefLabel` say what `rdfs:label` says.
    DuplicateLabel,
    /// `rdfs:label` of lexemes, forms and senses says what their lemmas, representations and glosses say.
    LexemeLabel,
    /// It is in none of the languages asked for.
    Language,
    /// It is not the one label or description asked for.
    NotTheBest,
    /// A type that all statements, references or values have.
    NodeType,
    /// Of a property's predicates only the types are of use.
    PropertyDetail,
    /// Sitelinks are not wanted.
    Sitelink,
    /// Nothing that stays links to its subject.
    Unlinked,
}

impl Rule {
    /// The rule in words, to be read after the triple it dropped.
    pub const fn text(self) -> &'static str {
        match self {
            Self::DataNode => "of the entity-data node only the revision, the date and the counts are of use",
            Self::OtherEntity => "it is about another entity",
            Self::EntityType => "all entities of the kind have this type (kept with --keep-types)",
            Self::DuplicateLabel => "rdfs:label says the same",
            Self::LexemeLabel => "lemma, representation or gloss says the same",
            Self::Language => "not in a language asked for (--label-language)",
            Self::NotTheBest => "not the best label or description (--single-label)",
            Self::NodeType => "all nodes of the kind have this type (kept with --keep-types)",
            Self::PropertyDetail => "of a property's predicates only the types are of use",
            Self::Sitelink => "sitelinks are not wanted (--skip-sitelinks)",
            Self::Unlinked => "nothing that stays links to its subject",
        }
    }
}

/// Why an entity cannot be munged. Upstream logs these and goes on, as its `ContainedException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its id is none.
    #[error("{0}")]
    Id(#[from] EntityIdError),
    /// Its entity-data node has no `schema:version`.
    #[error("it has no schema:version")]
    NoRevision,
    /// Its `schema:version` is no revision.
    #[error("{rule}; its schema:version is {found:?}")]
    BadRevision {
        /// The rule broken.
        rule: String,
        /// What was found.
        found: String,
    },
    /// Its entity-data node has no `schema:dateModified`.
    #[error("it has no schema:dateModified")]
    NoDate,
    /// Something that is to be moved from the entity-data node, or filtered by language, is no literal.
    #[error("{0} has something other than a literal as its object")]
    NotLiteral(String),
    /// Nothing of it could be kept.
    #[error("none of its triples is about it or linked from it")]
    Nothing,
    /// Its entity-data node is about another entity.
    #[error("its entity-data node is about {0}")]
    About(String),
    /// A statement of it is no Turtle.
    #[error("this is no Turtle: {0}")]
    Syntax(String),
    /// Triples that stand before any entity.
    #[error("these triples stand outside of any entity: an entity begins with its entity-data node")]
    Stray,
}

#[cfg(test)]
mod tests;
