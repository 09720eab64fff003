//! Does a store hold what the wiki says? Each entity is compared with its munged document of the same revision.
//!
//! Promise: the verdict on an entity is about one revision, that at which the store has it, and about all of its nodes: statements,
//! articles, forms and senses, references, values. A store that is merely behind is not divergent.
//! In -> out: a store, a wiki, entities -> a [`Checked`] of each, in their order.
//! Rules: what is too young to be expected in the store, or out of it, is left to the stream (see [`Verdict::Young`]).
//! Invariant: nothing is changed, in the store or elsewhere.
//! Not here: what is done about it (see `reconcile`).

pub mod compare;
mod queries;
pub mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::entity_data::{Asked, FetchError, Fetcher};
use crate::env::Env;
use crate::mediawiki::{ApiError, Latest};
use crate::munge::document::Documents;
use crate::reconcile::repair::Wiki;
use crate::sparql::{Graph, SparqlError, Store};
use crate::verify::compare::Divergence;
use crate::web::WebError;
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// How many entities the wiki and the store are asked of at once.
pub const BATCH: usize = 50;
/// How many nodes the store is asked of at once.
const NODES: usize = 500;
/// How much is told of an answer that makes no sense: triples, and characters of these.
const TOLD: (usize, usize) = (3, 300);
/// How often an entity is looked at that changes while it is.
const LOOKS: usize = 3;

/// What of an entity was found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The entity.
    pub entity: EntityId,
    /// At which revision the store has it.
    pub held: Option<Revision>,
    /// At which the wiki has it.
    pub latest: Option<Latest>,
    /// What that means.
    pub verdict: Verdict,
}

/// What the store is worth, as to an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds what the revision says, and nothing else.
    Equal,
    /// It holds something else.
    Divergent(Divergence),
    /// It does not have the entity, which the wiki has had for a while.
    Missing,
    /// It has the entity, which the wiki has not had for a while.
    Left,
    /// Neither has it.
    Absent,
    /// It does not have what the wiki has for a short time, or the other way round.
    Young,
    /// The document cannot be had or munged, or what the store says cannot be read, so that nothing is known; why.
    Unknown(String),
    /// It was at another revision each time it was looked at.
    Moving,
}

/// Why nothing more can be found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] SparqlError),
    /// The wiki's API does not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It has no entity at all: whatever is asked of it, nothing would follow.
    #[error("the store has no entity with a revision")]
    Empty,
    /// It does not count what nobody links to.
    #[error("{store} does not tell how many nodes nobody links to; it says: {said}")]
    NoCount {
        /// The store.
        store: String,
        /// What it says, as N-Triples, the beginning of it.
        said: String,
    },
    /// The wiki's entity data cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// A store that is compared with a wiki.
pub struct Verifier<'v> {
    /// The store.
    pub store: &'v Store,
    /// Documents of the wiki.
    pub fetcher: &'v Fetcher,
    /// What the wiki has now.
    pub wiki: &'v mut dyn Wiki,
    /// Its URIs.
    pub scheme: &'v UrisScheme,
    /// What is younger than this may not be in the store yet.
    pub young_since: Timestamp,
    /// The surroundings.
    pub env: &'v Env,
}

impl Verifier<'_> {
    /// Looks at entities, and gives `take` what it finds, one after the other, until that fails.
    pub fn check<E: From<VerifyError>>(
        &mut self,
        entities: &[EntityId],
        mut take: impl FnMut(Checked) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.store.construct(&queries::anything()).map_err(VerifyError::from)?.is_empty() {
            return Err(VerifyError::Empty.into());
        }
        entities.chunks(BATCH).try_for_each(|batch| self.batch(batch, &mut take))
    }

    fn batch<E: From<VerifyError>>(
        &mut self,
        batch: &[EntityId],
        take: &mut impl FnMut(Checked) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut documents = Documents::new(self.scheme);
        let latest = self.wiki.latest(batch).map_err(VerifyError::from)?;
        let held = self.revisions(batch)?;
        let begin = |entity: &EntityId| {
            held.get(entity).map(|revision| (*revision, self.fetcher.begin(asked(*entity, *revision))))
        };
        let begun: Vec<_> = batch.iter().map(begin).collect();
        for ((entity, latest), begun) in batch.iter().zip(latest).zip(begun) {
            if self.env.stop.load(Ordering::Relaxed) {
                return Err(VerifyError::from(SparqlError::from(WebError::Stopped)).into());
            }
            let held = held.get(entity).copied();
            let verdict = match (begun, &latest) {
                (Some((revision, document)), Some(_)) => {
                    self.look(*entity, revision, document.wait(), &mut documents)?
                }
                (None, Some(latest)) if latest.time >= self.young_since => Verdict::Young,
                (None, Some(_)) => Verdict::Missing,
                (_, None) => self.gone(*entity, held)?,
            };
            self.env.progress.entities.fetch_add(1, Ordering::Relaxed);
            take(Checked { entity: *entity, held, latest, verdict })?;
        }
        Ok(())
    }

    /// How many references and values of the store nobody links to. Reads the whole store.
    pub fn orphans(&self) -> Result<Orphans, VerifyError> {
        let root = self.scheme.root();
        let count = |namespace: &str, link: Option<&str>| -> Result<u64, VerifyError> {
            let answer = self.store.construct(&queries::orphans(namespace, link))?;
            let counts: Vec<_> = answer.iter().map(|(key, _)| number(&key.object)).collect();
            match counts[..] {
                [Some(count)] => Ok(count),
                _ => Err(VerifyError::NoCount { store: self.store.name(), said: told(&answer) }),
            }
        };
        Ok(Orphans {
            references: count(&format!("{root}reference/"), Some("<http://www.w3.org/ns/prov#wasDerivedFrom>"))?,
            values: count(&format!("{root}value/"), None)?,
        })
    }

    /// At which revisions the store has entities. Of several, which is a fault that the comparison finds, the newest.
    fn revisions(&self, entities: &[EntityId]) -> Result<BTreeMap<EntityId, Revision>, VerifyError> {
        let answer = self.store.construct(&queries::revisions(self.scheme, entities))?;
        let newest = |entity: &EntityId| {
            let iri = queries::iri(self.scheme, *entity);
            let said = answer.iter().filter(|(key, _)| key.subject == iri).filter_map(|(key, _)| number(&key.object));
            Some((*entity, said.filter_map(|number| Revision::new(number).ok()).max()?))
        };
        Ok(entities.iter().filter_map(newest).collect())
    }

    /// What it means that the wiki does not have an entity.
    fn gone(&mut self, entity: EntityId, held: Option<Revision>) -> Result<Verdict, VerifyError> {
        if held.is_none() && self.nodes(entity)?.is_empty() {
            return Ok(Verdict::Absent);
        }
        let turned = self.wiki.turned(entity, None)?;
        Ok(if turned.is_some_and(|time| time >= self.young_since) { Verdict::Young } else { Verdict::Left })
    }

    /// Compares an entity with its document at the revision at which the store has it; again, if that is another one meanwhile.
    fn look(
        &self,
        entity: EntityId,
        mut revision: Revision,
        mut document: Result<Bytes, FetchError>,
        documents: &mut Documents,
    ) -> Result<Verdict, VerifyError> {
        for _ in 0..LOOKS {
            let expected = match document {
                Ok(document) => expected(&document, entity, revision, documents),
                Err(error) if error.failure().is_none() => return Err(error.into()),
                Err(error) => Err(error.to_string()),
            };
            let expected = match expected {
                Ok(expected) => expected,
                Err(reason) => return Ok(Verdict::Unknown(reason)),
            };
            let held = match self.held(entity, &expected) {
                // What one entity has been given in the store is no reason not to look at the others.
                Err(VerifyError::Store(error @ SparqlError::NotTurtle { .. })) => {
                    return Ok(Verdict::Unknown(error.to_string()));
                }
                held => held?,
            };
            match self.revisions(&[entity])?.get(&entity) {
                Some(now) if *now == revision => {
                    let divergence = Divergence::of(&expected, &held, &queries::iri(self.scheme, entity));
                    return Ok(if divergence.is_none() { Verdict::Equal } else { Verdict::Divergent(divergence) });
                }
                Some(now) => revision = *now,
                None => return Ok(Verdict::Moving),
            }
            document = self.fetcher.begin(asked(entity, revision)).wait();
        }
        Ok(Verdict::Moving)
    }

    /// All that the store says of an entity: of the nodes that it should have, and of those that the store links to it.
    fn held(&self, entity: EntityId, expected: &Graph) -> Result<Graph, VerifyError> {
        let linked = self.nodes(entity)?;
        let expected = expected.iter().map(|(key, _)| &*key.subject);
        let subjects: BTreeSet<_> = expected.chain(linked.iter().map(|node| &**node)).collect();
        let (subjects, mut held) = (Vec::from_iter(subjects), Graph::default());
        for some in subjects.chunks(NODES) {
            held.extend(self.store.construct(&queries::statements(some))?);
        }
        Ok(held)
    }

    /// The nodes of the store that belong to an entity, besides itself.
    fn nodes(&self, entity: EntityId) -> Result<Vec<String>, VerifyError> {
        let answer = self.store.construct(&queries::nodes(self.scheme, entity))?;
        Ok(answer.iter().map(|(key, _)| key.object.clone()).filter(|node| node.starts_with('<')).collect())
    }
}

/// References and values that nobody links to. They do no harm: what links to them was edited away, and no stream tells that nobody
/// else does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Orphans {
    /// References.
    pub references: u64,
    /// Values.
    pub values: u64,
}

/// The document of a revision that has been there for a while.
fn asked(entity: EntityId, revision: Revision) -> Asked {
    Asked { entity, revision, is_new: false, event_time: Timestamp::default() }
}

/// What a store should hold of an entity, by its document; or why that is not known.
fn expected(document: &[u8], entity: EntityId, revision: Revision, documents: &mut Documents) -> Result<Graph, String> {
    let munged = documents.munge(document, entity).map_err(|error| error.to_string())?;
    if munged.revision != revision {
        return Err(format!("the wiki gives revision {}, not {revision}", munged.revision));
    }
    Ok(Graph::read(munged.triples.text().as_bytes()).expect("a munged set is N-Triples"))
}

/// The beginning of what a store says.
fn told(answer: &Graph) -> String {
    let lines: Vec<_> = answer.iter().take(TOLD.0).map(|(_, line)| line).collect();
    match lines[..] {
        [] => "nothing".to_owned(),
        _ => lines.join(" ").chars().take(TOLD.1).collect(),
    }
}

/// The number that is the value of a key's object.
fn number(object: &str) -> Option<u64> {
    object.parse().ok()
}
