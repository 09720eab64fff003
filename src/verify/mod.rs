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
    /// The document cannot be had or munged, so that nothing is known; why.
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
    /// The wiki's entity data cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What the store says of an entity's revision is none.
    #[error("the store has {entity} at several revisions, or at none that is a number: {said}")]
    Revision {
        /// The entity.
        entity: EntityId,
        /// What it says.
        said: String,
    },
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
    /// Looks at entities, and gives `take` what it finds, one after the other.
    pub fn check(&mut self, entities: &[EntityId], mut take: impl FnMut(Checked)) -> Result<(), VerifyError> {
        let mut documents = Documents::new(self.scheme);
        for batch in entities.chunks(BATCH) {
            let latest = self.wiki.latest(batch)?;
            let held = self.revisions(batch)?;
            let begin =
                |entity: &EntityId| held.get(entity).map(|revision| self.fetcher.begin(asked(*entity, *revision)));
            let pending: Vec<_> = batch.iter().map(begin).collect();
            for ((entity, latest), pending) in batch.iter().zip(latest).zip(pending) {
                if self.env.stop.load(Ordering::Relaxed) {
                    return Err(SparqlError::from(WebError::Stopped).into());
                }
                let held = held.get(entity).copied();
                let verdict = match (held, &latest, pending) {
                    (Some(revision), Some(_), Some(pending)) => {
                        self.compare(*entity, revision, pending.wait(), &mut documents)?
                    }
                    (None, Some(latest), _) if latest.time >= self.young_since => Verdict::Young,
                    (None, Some(_), _) => Verdict::Missing,
                    (_, None, _) => self.gone(*entity, held)?,
                    (Some(_), Some(_), None) => unreachable!("a document was asked for"),
                };
                self.env.progress.entities.fetch_add(1, Ordering::Relaxed);
                take(Checked { entity: *entity, held, latest, verdict });
            }
        }
        Ok(())
    }

    /// How many references and values of the store nobody links to. Reads the whole store.
    pub fn orphans(&self) -> Result<Orphans, VerifyError> {
        let root = self.scheme.root();
        let count = |namespace: &str, link: Option<&str>| -> Result<u64, VerifyError> {
            let answer = self.store.construct(&queries::orphans(namespace, link))?;
            let count = answer.iter().find_map(|(key, _)| number(&key.object));
            // A store that counts nothing may give nothing.
            Ok(count.unwrap_or_default())
        };
        Ok(Orphans {
            references: count(&format!("{root}reference/"), Some("<http://www.w3.org/ns/prov#wasDerivedFrom>"))?,
            values: count(&format!("{root}value/"), None)?,
        })
    }

    /// At which revisions the store has entities.
    fn revisions(&self, entities: &[EntityId]) -> Result<BTreeMap<EntityId, Revision>, VerifyError> {
        let answer = self.store.construct(&queries::revisions(self.scheme, entities))?;
        let mut found = BTreeMap::new();
        for entity in entities {
            let iri = queries::iri(self.scheme, *entity);
            let said: Vec<_> =
                answer.iter().filter(|(key, _)| key.subject == iri).map(|(key, _)| &*key.object).collect();
            let revision = match *said {
                [] => continue,
                [one] => number(one).and_then(|number| Revision::new(number).ok()),
                _ => None,
            };
            let wrong = || VerifyError::Revision { entity: *entity, said: said.join(", ") };
            found.insert(*entity, revision.ok_or_else(wrong)?);
        }
        Ok(found)
    }

    /// What it means that the wiki does not have an entity.
    fn gone(&mut self, entity: EntityId, held: Option<Revision>) -> Result<Verdict, VerifyError> {
        if held.is_none() && self.nodes(entity)?.is_empty() {
            return Ok(Verdict::Absent);
        }
        let turned = self.wiki.turned(entity, None)?;
        Ok(if turned.is_some_and(|time| time >= self.young_since) { Verdict::Young } else { Verdict::Left })
    }

    fn compare(
        &self,
        entity: EntityId,
        mut revision: Revision,
        mut document: Result<bytes::Bytes, FetchError>,
        documents: &mut Documents,
    ) -> Result<Verdict, VerifyError> {
        for _ in 0..LOOKS {
            let document_now = match document {
                Ok(document) => document,
                Err(error) if error.failure().is_none() => return Err(error.into()),
                Err(error) => return Ok(Verdict::Unknown(error.to_string())),
            };
            let munged = match documents.munge(&document_now, entity) {
                Ok(munged) => munged,
                Err(error) => return Ok(Verdict::Unknown(error.to_string())),
            };
            if munged.revision != revision {
                return Ok(Verdict::Unknown(format!("the wiki gave revision {}, not {revision}", munged.revision)));
            }
            let expected = Graph::read(munged.triples.text().as_bytes()).expect("a munged set is N-Triples");
            let held = self.held(entity, &expected)?;
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

/// The number that is the value of a key's object.
fn number(object: &str) -> Option<u64> {
    object.parse().ok()
}
