//! The store that is kept up to date, as the loop sees it.
//!
//! Promise: what [`Target::apply`] did, or did not, [`Target::position`] tells.
//! In -> out: an [`Update`] -> the store's new content and position, at once.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use crate::consume::batch::Changes;
use crate::consume::position::{Position, PositionError, Said};
use crate::consume::triples::Line;
use crate::consume::update;
use crate::sparql::{Done, Graph, SparqlError, Store};
use crate::wikibase::entity::EntityId;
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// The predicate of what the store is asked for.
const IS: &str = "<urn:headwater:is>";

/// What is done at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The changes.
    pub changes: Changes,
    /// What the store said before of where it is.
    pub before: Before,
    /// Where the store is afterwards.
    pub position: Position,
    /// The mean time of the changes.
    pub modified: Option<Timestamp>,
}

/// What a store said before an update of where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// This, as N-Triples.
    Lines(Vec<String>),
    /// Something that is no position.
    Garbage,
}

/// Why a store does not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It does not answer, or not as a store does.
    #[error(transparent)]
    Sparql(#[from] SparqlError),
    /// It breaks off in the middle of an answer, or says something else, and has answered before.
    #[error(transparent)]
    Broken(SparqlError),
    /// What it says of itself is no position.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// There is nobody to read what is printed.
    #[error("could not write to stdout: {0}")]
    Stdout(std::io::Error),
}

/// A store.
pub trait Target {
    /// Where it says it is.
    fn position(&mut self) -> Result<Said, TargetError>;

    /// Which of these entities it does not have: it says nothing of them. None, of one that cannot be asked.
    fn absent(&mut self, _entities: &BTreeSet<EntityId>) -> Result<Vec<EntityId>, TargetError> {
        Ok(Vec::new())
    }

    /// How many of these triples it holds; `None` if it cannot be asked.
    fn held(&mut self, _triples: &[&Line]) -> Result<Option<usize>, TargetError> {
        Ok(None)
    }

    /// Does it, all or nothing. After an error that may pass it is not known which.
    fn apply(&mut self, update: &Update) -> Result<Done, TargetError>;
}

/// A store behind an endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// The store.
    pub store: Store,
    /// The wiki.
    pub scheme: UrisScheme,
    has_answered: bool,
}

/// Nobody: updates are printed instead of applied.
pub struct Printer {
    /// What the store says, as if what was printed had been applied.
    pub said: Result<Said, PositionError>,
    /// The wiki.
    pub scheme: UrisScheme,
    /// Where they are printed.
    pub to: Box<dyn Write>,
}

impl TargetError {
    /// Whether the same may succeed soon.
    pub fn is_passing(&self) -> bool {
        // A store that fails within itself may have had no memory just then.
        let failed = |error: &SparqlError| matches!(error, SparqlError::Refused { status: 500.., .. });
        match self {
            Self::Sparql(error) => error.is_passing() || failed(error),
            Self::Broken(_) => true,
            Self::Position(_) | Self::Stdout(_) => false,
        }
    }

    /// The pause before the next try that the store asks for; none, if it asks for none.
    pub fn asked(&self) -> Duration {
        match self {
            Self::Sparql(error) => error.asked(),
            _ => Duration::ZERO,
        }
    }

    /// Whether the store refuses what an update says, or the way it is put.
    pub const fn is_of_content(&self) -> bool {
        matches!(self, Self::Sparql(SparqlError::Refused { status: 400, .. }))
    }
}

impl Endpoint {
    /// The store, of that wiki.
    pub const fn new(store: Store, scheme: UrisScheme) -> Self {
        Self { store, scheme, has_answered: false }
    }

    /// Asks it. What is no graph is the wrong endpoint's, if none came before.
    fn ask(&mut self, query: &str) -> Result<Graph, TargetError> {
        let graph = self.store.construct(query).map_err(|error| match error {
            error @ SparqlError::NotTurtle { .. } if self.has_answered => TargetError::Broken(error),
            error => error.into(),
        })?;
        self.has_answered = true;
        Ok(graph)
    }
}

impl Target for Endpoint {
    fn position(&mut self) -> Result<Said, TargetError> {
        Ok(Said::read(&self.ask(&Position::query())?)?)
    }

    fn absent(&mut self, entities: &BTreeSet<EntityId>) -> Result<Vec<EntityId>, TargetError> {
        let concept = self.scheme.concept().to_owned();
        let iri = |entity: &EntityId| format!("<{concept}{entity}>");
        let all: String = entities.iter().map(|entity| iri(entity) + " ").collect();
        let query =
            format!("CONSTRUCT {{ ?e {IS} true }} WHERE {{ VALUES ?e {{ {all}}} FILTER EXISTS {{ ?e ?p ?o }} }}");
        let found = self.ask(&query)?;
        let found: BTreeSet<_> = found.iter().map(|(key, _)| key.subject.as_str()).collect();
        Ok(entities.iter().filter(|entity| !found.contains(iri(entity).as_str())).copied().collect())
    }

    fn held(&mut self, triples: &[&Line]) -> Result<Option<usize>, TargetError> {
        let text: String = triples.iter().map(|line| format!("{line}\n")).collect();
        // As the store keeps values, not their spelling.
        let Ok(asked) = Graph::read(text.as_bytes()) else { return Ok(None) };
        let rows: String = triples.iter().map(|line| format!("({})\n", line.trim_end_matches(" ."))).collect();
        let query = format!("CONSTRUCT {{ ?s ?p ?o }} WHERE {{ VALUES (?s ?p ?o) {{\n{rows}}} ?s ?p ?o }}");
        let found = self.ask(&query)?;
        Ok(Some(asked.iter().filter(|(key, _)| found.has(key)).count()))
    }

    fn apply(&mut self, update: &Update) -> Result<Done, TargetError> {
        Ok(self.store.update(&update::text(&self.scheme, update))?)
    }
}

impl Target for Printer {
    fn position(&mut self) -> Result<Said, TargetError> {
        Ok(self.said.clone()?)
    }

    fn apply(&mut self, update: &Update) -> Result<Done, TargetError> {
        let text = update::text(&self.scheme, update);
        writeln!(self.to, "{text} ;\n").and_then(|()| self.to.flush()).map_err(TargetError::Stdout)?;
        self.said = Ok(Said::at(update.position.clone()));
        Ok(Done::default())
    }
}
