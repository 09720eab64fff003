//! The triples of entities at revisions: fetched, munged, and remembered.
//!
//! Promise: who wants a revision gets its munged triples, or why they cannot be had. A revision that is on its way or that was
//! sent last is not fetched again.
//! In -> out: [`Asked`] -> [`Wanted`], which is waited for by itself, so that the order is the caller's.
//! Invariant: to want something never blocks. What cannot be munged, even what makes the munger panic, is a failure of that
//! entity alone.
//! Rules: upstream's `GenerateEntityDiffPatchOperation`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::entity_data::{Asked, Counts, FetchError, Fetcher, Pending};
use crate::munge::document::Documents;
use crate::munge::set::TripleSet;
use crate::side_output::{Failure, FailureKind};
use crate::storage::{self, Location, StorageError};
use crate::updater::cache::Cache;
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::uris::UrisScheme;

/// How many revisions may be on their way until those that came are forgotten.
const FORGET_AT: usize = 256;

/// What became of a revision that was wanted.
pub type Munged = Result<Arc<TripleSet>, Missing>;

/// Why there are no triples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They cannot be had; a side output tells why.
    Failed(Failure),
    /// The wiki is out of reach: to try again is all that can be done.
    Unavailable(String),
}

/// Where revisions come from.
pub trait Wiki {
    /// Begins to get one.
    fn begin(&self, asked: Asked) -> Box<dyn Arriving>;

    /// What was fetched so far.
    fn counts(&self) -> Counts {
        Counts::default()
    }
}

/// A revision on its way.
pub trait Arriving {
    /// Whether it is here; waits that long for it.
    fn is_ready_within(&mut self, time: Duration) -> bool;

    /// What became of it; waits for it.
    fn take(self: Box<Self>) -> Munged;
}

/// A wiki asked over HTTP.
pub struct Http {
    fetcher: Fetcher,
    mungers: Arc<Mungers>,
}

/// Documents in a directory, named like `Q42-1234.ttl`: an entity and a revision. For tries without a wiki.
pub struct Folder {
    dir: Location,
    mungers: Mungers,
}

/// Mungers, one for each who munges at the same time.
struct Mungers {
    scheme: UrisScheme,
    idle: Mutex<Vec<Documents>>,
}

impl Mungers {
    fn new(scheme: &UrisScheme) -> Self {
        Self { scheme: scheme.clone(), idle: Mutex::default() }
    }

    fn munge(&self, document: &[u8], asked: Asked) -> Munged {
        let munged = catch_unwind(AssertUnwindSafe(|| {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut documents = idle.unwrap_or_else(|| Documents::new(&self.scheme));
            let munged = documents.munge(document, asked.entity);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(documents);
            munged
        }));
        match munged {
            Ok(Ok(munged)) if munged.revision != asked.revision => Err(Missing::Failed(Failure {
                kind: FailureKind::UnexpectedResponse,
                exception: "OtherRevision".to_owned(),
                message: format!("it is at revision {}, not {}", munged.revision, asked.revision),
            })),
            Ok(Ok(munged)) => Ok(Arc::new(munged.triples)),
            Ok(Err(error)) => Err(unfit("ContainedException", error.to_string())),
            Err(_) => Err(unfit("Panic", "munging it broke a rule of this program".to_owned())),
        }
    }
}

fn unfit(exception: &str, message: String) -> Missing {
    Missing::Failed(Failure { kind: FailureKind::Unknown, exception: exception.to_owned(), message })
}

impl Http {
    /// Asks through that fetcher; documents are those of that wiki.
    pub fn new(fetcher: Fetcher, scheme: &UrisScheme) -> Self {
        Self { fetcher, mungers: Arc::new(Mungers::new(scheme)) }
    }
}

impl Wiki for Http {
    fn begin(&self, asked: Asked) -> Box<dyn Arriving> {
        let mungers = Arc::clone(&self.mungers);
        let munge = move |document: Result<Bytes, FetchError>| match document {
            Ok(document) => mungers.munge(&document, asked),
            Err(error) => Err(error.failure().map_or_else(|| Missing::Unavailable(error.to_string()), Missing::Failed)),
        };
        Box::new(self.fetcher.begin_then(asked, munge))
    }

    fn counts(&self) -> Counts {
        self.fetcher.counts()
    }
}

impl Arriving for Pending<Munged> {
    fn is_ready_within(&mut self, time: Duration) -> bool {
        Pending::is_ready_within(self, time)
    }

    fn take(self: Box<Self>) -> Munged {
        self.wait()
    }
}

impl Folder {
    /// The documents of that wiki in a directory.
    pub fn new(dir: Location, scheme: &UrisScheme) -> Self {
        Self { dir, mungers: Mungers::new(scheme) }
    }
}

impl Wiki for Folder {
    fn begin(&self, asked: Asked) -> Box<dyn Arriving> {
        let Asked { entity, revision, .. } = asked;
        let file = self.dir.join(&format!("{entity}-{}.ttl", revision.get()));
        let munged = match storage::read(&file) {
            Ok(document) => self.mungers.munge(&document, asked),
            Err(error @ StorageError::NotFound { .. }) => Err(Missing::Failed(Failure {
                kind: FailureKind::EntityNotFound,
                exception: "NotFound".to_owned(),
                message: error.to_string(),
            })),
            Err(error) => Err(unfit("Storage", error.to_string())),
        };
        Box::new(munged)
    }
}

/// What is here already.
impl Arriving for Munged {
    fn is_ready_within(&mut self, _: Duration) -> bool {
        true
    }

    fn take(self: Box<Self>) -> Munged {
        *self
    }
}

/// Revisions as they are wanted.
pub struct Revisions {
    wiki: Box<dyn Wiki>,
    cache: Cache,
    /// Those on their way, as long as somebody wants them.
    going: HashMap<(EntityId, Revision), Weak<RefCell<Slot>>>,
    shared: u64,
}

/// A revision that somebody wants.
#[derive(Clone)]
pub struct Wanted(Rc<RefCell<Slot>>);

enum Slot {
    Going(Option<Box<dyn Arriving>>),
    Here(Munged),
}

impl Revisions {
    /// From that wiki, with a memory of so many bytes.
    pub fn new(wiki: Box<dyn Wiki>, cache_bytes: usize) -> Self {
        Self { wiki, cache: Cache::new(cache_bytes), going: HashMap::new(), shared: 0 }
    }

    /// Wants a revision.
    pub fn want(&mut self, asked: Asked) -> Wanted {
        let key = (asked.entity, asked.revision);
        if let Some(going) = self.going.get(&key).and_then(Weak::upgrade)
            && !matches!(&*going.borrow(), Slot::Here(Err(_)))
        {
            self.shared += 1;
            return Wanted(going);
        }
        if let Some(triples) = self.cache.get(asked.entity, asked.revision) {
            return Wanted(Rc::new(RefCell::new(Slot::Here(Ok(triples)))));
        }
        let slot = Rc::new(RefCell::new(Slot::Going(Some(self.wiki.begin(asked)))));
        if self.going.len() >= FORGET_AT {
            self.going.retain(|_, going| going.strong_count() > 0);
        }
        self.going.insert(key, Rc::downgrade(&slot));
        Wanted(slot)
    }

    /// Remembers what an entity has now; the next change of it begins there.
    pub fn remember(&mut self, entity: EntityId, revision: Revision, triples: &Arc<TripleSet>) {
        self.cache.put(entity, revision, Arc::clone(triples));
    }

    /// What is remembered.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// How often something was wanted that was on its way.
    pub fn shared(&self) -> u64 {
        self.shared
    }

    /// What was fetched so far.
    pub fn counts(&self) -> Counts {
        self.wiki.counts()
    }
}

impl Wanted {
    /// Whether it is here; waits that long for it.
    pub fn is_ready_within(&self, time: Duration) -> bool {
        match &mut *self.0.borrow_mut() {
            Slot::Going(Some(arriving)) => arriving.is_ready_within(time),
            Slot::Going(None) | Slot::Here(_) => true,
        }
    }

    /// What became of it; waits for it.
    pub fn get(&self) -> Munged {
        let mut slot = self.0.borrow_mut();
        if let Slot::Going(arriving) = &mut *slot
            && let Some(arriving) = arriving.take()
        {
            *slot = Slot::Here(arriving.take());
        }
        match &*slot {
            Slot::Here(munged) => munged.clone(),
            Slot::Going(_) => unreachable!("what was going was taken, and is here"),
        }
    }
}
