//! Dumps of the wiki, and what is to be found in a graph of it.
//!
//! Promise: as Wikibase dumps: shards one after the other, each a document for each range of page ids; all shards go through the ranges
//! side by side and take their time, while the wiki is edited. Each entity is as it was when it was read.
//! Invariant: a header says when its document was begun; the oldest, which is not the first, when the dump was. What was shown once
//! in a document is mostly not shown again there.

use std::collections::BTreeMap;

use headwater::munge::document::Documents;
use headwater::munge::set::TripleSet;
use headwater::wikibase::entity::{EntityId, EntityKind, Revision};

use crate::wiki::history::{History, PageRevision};
use crate::wiki::random::hash;
use crate::wiki::turtle::Document;

/// How a dump is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpOptions {
    /// How long it takes, in milliseconds.
    pub duration: i64,
    /// How many shards there are.
    pub shards: u64,
    /// How many ranges of page ids.
    pub ranges: usize,
    /// What is left out, as lexemes have a dump of their own.
    pub without: Option<EntityKind>,
}

impl Default for DumpOptions {
    /// All at once, but in several documents.
    fn default() -> Self {
        Self { duration: 0, shards: 3, ranges: 2, without: None }
    }
}

/// A dump.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// The documents, in order.
    pub documents: Vec<String>,
    /// The revisions of all entities in it.
    pub revisions: BTreeMap<EntityId, Revision>,
}

impl Dump {
    /// All of it.
    pub fn text(&self) -> Vec<u8> {
        self.documents.concat().into_bytes()
    }
}

impl History {
    /// The dump that was begun at that time.
    pub fn dump(&self, at: i64, options: DumpOptions) -> Dump {
        let mut pages: Vec<_> = self.pages().collect();
        pages.sort_by_key(|(_, page)| page.id);
        let of_shard = |entity: EntityId| hash(entity.number().into(), entity.kind() as u64) as u64 % options.shards;
        let ranges: Vec<_> = pages.chunks(pages.len().div_ceil(options.ranges).max(1)).collect();
        let span = options.duration / options.ranges as i64;
        let mut dump = Dump::default();
        for shard in 0..options.shards {
            for (number, range) in (0..).zip(&ranges) {
                // The last shard is begun first.
                let delay = (span / 10).min(3_000) * (options.shards - 1 - shard) as i64 / options.shards as i64;
                let start = at + number * span + delay;
                let mut document = Document::dump(self.shape.flavour, &format!("{shard}-{number}"), start);
                let pages = range.iter().filter(|(entity, _)| Some(entity.kind()) != options.without);
                let pages: Vec<_> = pages.filter(|(entity, _)| of_shard(*entity) == shard).collect();
                for (place, (entity, page)) in (0..).zip(&pages) {
                    let read = start + place * (span - delay) / pages.len() as i64;
                    if let Some(revision) = page.newest(read).filter(|_| page.is_there(read)) {
                        document.page(revision.shown(*entity));
                        dump.revisions.insert(*entity, number_of(revision));
                    }
                }
                dump.documents.push(document.text);
            }
        }
        dump
    }

    /// What a graph of the wiki holds of each entity at that time.
    pub fn munged(&self, at: i64) -> BTreeMap<EntityId, TripleSet> {
        let mut documents = Documents::new(&self.shape.flavour.scheme());
        let munged = |(entity, revision): (EntityId, &PageRevision)| {
            (entity, munge(&mut documents, entity, &Document::of(self.shape.flavour, revision.shown(entity))))
        };
        self.entities(at).map(munged).collect()
    }

    /// The revisions that are there at that time.
    pub fn revisions(&self, at: i64) -> BTreeMap<EntityId, Revision> {
        self.entities(at).map(|(entity, revision)| (entity, number_of(revision))).collect()
    }
}

fn number_of(revision: &PageRevision) -> Revision {
    Revision::new(revision.number).expect("a revision is above 0")
}

/// The munged triples of a document.
pub fn munge(documents: &mut Documents, entity: EntityId, document: &str) -> TripleSet {
    match documents.munge(document.as_bytes(), entity) {
        Ok(munged) => munged.triples,
        Err(error) => panic!("{entity}: {error}\n{document}"),
    }
}
