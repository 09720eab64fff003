//! What a made-up dump holds, which is known before a byte of it is written.
//!
//! Promise: [`Profile::expected`] lists exactly what a reader of all documents must find, in their order, without text.
//! Invariant: entities come in page order, which is not the order of their numbers, except for MediaInfo.

use std::io::{self, Write};

use crate::generate::document::{Document, Nodes};
use crate::generate::random::{Random, mix};
use crate::generate::{item, lexeme, mediainfo, property};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};
use crate::wikibase::timestamp::Timestamp;

/// Everything that decides a dump's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Another seed gives another dump of the same kind.
    pub seed: u64,
    /// What the entities are.
    pub contents: Contents,
    /// How many entities there are in all documents; at most [`Profile::MAX_ENTITIES`] are written.
    pub entities: u32,
    /// How many Turtle documents they are spread over, each with its own prefixes and header; at least 1.
    pub documents: u32,
    /// How many items or lexemes out of 1024 are redirects.
    pub redirects: u32,
    /// When the oldest document was begun; whole seconds.
    pub start: Timestamp,
    /// Which labels the node prefixes have.
    pub prefixes: Prefixes,
}

/// Which kinds of entities a dump holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Items and, one in a hundred, properties, as in Wikidata's "all" dump.
    Items,
    /// Lexemes only, as in Wikidata's lexeme dump.
    Lexemes,
    /// Items, properties and lexemes, as on a small wiki.
    Mixed,
    /// MediaInfo only, as on Commons.
    MediaInfo,
}

/// The labels of the prefixes for statements, references and values on Wikidata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefixes {
    /// `s:`, `ref:` and `v:`, until February 2025.
    Old,
    /// `wds:`, `wdref:` and `wdv:`, since then.
    New,
}

/// An entity of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub entity: EntityId,
    /// Its revision.
    pub revision: Revision,
    /// The entity that it redirects to, if it does.
    pub target: Option<EntityId>,
    seed: u64,
    neighbours: u64,
}

/// Entities whose order is scattered together.
const BLOCK: u32 = 1024;
/// Entities in a row that were made in the same way.
const NEIGHBOURS: u32 = 48;
/// The order within a dump is written by that many processes side by side, one after the other.
const SHARDS: u32 = 8;
/// Seconds that a process takes for a document.
const SECONDS: i64 = 1_460;
/// How much text is collected before it is handed on.
const CHUNK: usize = 1 << 20;

impl Contents {
    /// Items, properties, lexemes and MediaInfo in a block, together [`BLOCK`].
    const fn shares(self) -> [u32; 4] {
        match self {
            Self::Items => [1014, 10, 0, 0],
            Self::Lexemes => [0, 0, 1024, 0],
            Self::Mixed => [840, 60, 124, 0],
            Self::MediaInfo => [0, 0, 0, 1024],
        }
    }
}

impl Profile {
    /// The most entities a dump can have, so that all their numbers are valid.
    pub const MAX_ENTITIES: u32 = 700_000_000;

    /// Writes the Turtle document with that number, counted from 0.
    pub fn write_document(&self, number: u32, out: &mut dyn Write) -> io::Result<()> {
        let mut document = Document::new(self.nodes(), number);
        document.header(&self.prefixes(), self.header_time(number));
        for entry in self.entries(number) {
            entry.write(&mut document);
            if document.text.0.len() >= CHUNK {
                out.write_all(&document.text.0)?;
                document.text.0.clear();
            }
        }
        out.write_all(&document.text.0)
    }

    /// The entities of the document with that number, in its order.
    pub fn entries(&self, number: u32) -> impl Iterator<Item = Entry> {
        (self.first(number)..self.first(number + 1)).map(|at| self.entry(at))
    }

    /// Every entity and its revision, in the order of the dump. Redirects are among them.
    pub fn expected(&self) -> impl Iterator<Item = (EntityId, Revision)> {
        (0..self.count()).map(|at| self.entry(at)).map(|entry| (entry.entity, entry.revision))
    }

    /// How many of the entities are redirects.
    pub fn count_redirects(&self) -> u64 {
        (0..self.count()).filter(|at| self.entry(*at).target.is_some()).count() as u64
    }

    /// When the document with that number was begun, as its header says. Never before [`Profile::start`].
    pub fn header_time(&self, number: u32) -> Timestamp {
        let batches = self.documents().div_ceil(SHARDS);
        let (shard, batch) = (number / batches, number % batches);
        // One shard is the first to begin, and where there are several it is not the one that comes first in the dump.
        let shards = self.documents().div_ceil(batches);
        let oldest = if shards == 1 { 0 } else { 1 + mix(self.seed) as u32 % (shards - 1) };
        let late = if shard == oldest { 0 } else { 1 + (mix(self.seed ^ u64::from(shard)) % 40) as i64 };
        let seconds = late + i64::from(batch) * SECONDS;
        Timestamp::from_millis(self.start.millis().saturating_add(seconds * 1000)).unwrap_or(self.start)
    }

    /// The oldest and the newest time that a header says.
    pub fn header_times(&self) -> (Timestamp, Timestamp) {
        let times = (0..self.documents()).map(|number| self.header_time(number));
        times.fold((self.start, self.start), |(oldest, newest), time| (oldest.min(time), newest.max(time)))
    }

    fn documents(&self) -> u32 {
        self.documents.max(1)
    }

    fn count(&self) -> u32 {
        self.entities.min(Self::MAX_ENTITIES)
    }

    /// How many entities precede the document with that number.
    fn first(&self, number: u32) -> u32 {
        (u64::from(self.count()) * u64::from(number.min(self.documents())) / u64::from(self.documents())) as u32
    }

    /// The entity at that place of the dump.
    fn entry(&self, at: u32) -> Entry {
        let seed = mix(self.seed ^ u64::from(at).wrapping_mul(0xd6e8_feb8_6659_fd93));
        let (kind, number) = self.place(at, seed);
        let revision = 1_000_000_000 + seed % 1_300_000_000;
        let redirects = matches!(kind, EntityKind::Item | EntityKind::Lexeme);
        let target = (redirects && (seed >> 40) % 1024 < self.redirects.into()).then(|| id(kind, number ^ 1));
        let neighbours = mix(self.seed ^ u64::from(at / NEIGHBOURS)).rotate_left(9);
        let revision = Revision::new(revision).expect("between 1000000000 and 2300000000");
        Entry { entity: id(kind, number), revision, target, seed, neighbours }
    }

    /// The kind and number of the entity at that place: in every block, a permutation of the numbers that belong to it.
    fn place(&self, at: u32, seed: u64) -> (EntityKind, u32) {
        if self.contents == Contents::MediaInfo {
            return (EntityKind::MediaInfo, at * 3 + 2 + (seed % 3) as u32);
        }
        let block = at / BLOCK;
        let scatter = mix(self.seed.rotate_left(17) ^ u64::from(block)) as u32;
        let mut rest = ((at % BLOCK).wrapping_mul(scatter | 1).wrapping_add(scatter >> 16)) % BLOCK;
        let mut kinds = EntityKind::ALL.into_iter().zip(self.contents.shares());
        let found = kinds.find(|(_, share)| {
            let found = rest < *share;
            rest -= if found { 0 } else { *share };
            found
        });
        let (kind, share) = found.expect("the shares add up to a block");
        (kind, block * share + rest + 2)
    }

    fn nodes(&self) -> Nodes {
        let commons = self.contents == Contents::MediaInfo;
        let (entity, data) = if commons { ("sdc:", "sdcdata:") } else { ("wd:", "data:") };
        let (statement, reference, value) = match self.prefixes {
            _ if commons => ("sdcs:", "sdcref:", "sdcv:"),
            Prefixes::Old => ("s:", "ref:", "v:"),
            Prefixes::New => ("wds:", "wdref:", "wdv:"),
        };
        Nodes { entity, data, statement, reference, value }
    }

    /// The prefixes of a document with their namespaces, in order.
    fn prefixes(&self) -> Vec<(&'static str, &'static str)> {
        let commons = self.contents == Contents::MediaInfo;
        let vocabulary = VOCABULARY.iter().filter(|(prefix, _)| !commons || !["ontolex", "dct"].contains(prefix));
        let nodes = match self.prefixes {
            Prefixes::Old => &NODES_OLD,
            Prefixes::New => &NODES_NEW,
        };
        let commons = if commons { COMMONS } else { &[] };
        vocabulary.chain(nodes).chain(PROPERTIES).chain(commons).copied().collect()
    }
}

fn id(kind: EntityKind, number: u32) -> EntityId {
    EntityId::new(kind, number).expect("numbers are at least 2, and small for as many entities as there can be")
}

impl Entry {
    fn write(&self, document: &mut Document) {
        let mut random = Random::new(self.seed, 3);
        let mut habits = Random::new(self.neighbours, 4);
        document.id.clear();
        document.id.push_str(&self.entity.to_string());
        self.write_data(&mut random, document);
        match (self.target, self.entity.kind()) {
            (Some(target), _) => write_redirect(target, document),
            (None, EntityKind::Item) => item::write(habits, &mut random, document),
            (None, EntityKind::Property) => property::write(&mut habits, &mut random, document),
            (None, EntityKind::Lexeme) => lexeme::write(&mut habits, &mut random, document),
            (None, EntityKind::MediaInfo) => mediainfo::write(&mut habits, &mut random, document),
        }
    }

    /// Writes the beginning of the entity-data block.
    fn write_data(&self, random: &mut Random, document: &mut Document) {
        let Document { text, nodes, id, .. } = document;
        text.put(&[nodes.data, id, " "]);
        // Wikibase wrote redirects without these for a time.
        if self.target.is_none() || !random.chance(300) {
            text.put(&["a schema:Dataset ;\n\tschema:about ", nodes.entity, id, " ;\n\t"]);
        }
        if self.entity.kind() == EntityKind::MediaInfo {
            text.put(&["cc:license <http://creativecommons.org/publicdomain/zero/1.0/> ;\n\t"]);
            text.put(&["schema:softwareVersion \"1.0.0\" ;\n\t"]);
        }
        text.put(&["schema:version "]);
        text.integer(self.revision.get());
        text.put(&[" ;\n\tschema:dateModified "]);
        let date = (2013 + random.below(6) as i32, random.below(12) as u8 + 1, random.below(28) as u8 + 1);
        text.date_time(date, (random.below(24) as u8, random.below(60) as u8, random.below(60) as u8));
    }
}

fn write_redirect(target: EntityId, document: &mut Document) {
    document.text.put(&[" .\n\n"]);
    document.begin();
    document.next();
    document.text.put(&["owl:sameAs ", document.nodes.entity, &target.to_string()]);
    document.end();
}

const VOCABULARY: &[(&str, &str)] = &[
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("ontolex", "http://www.w3.org/ns/lemon/ontolex#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("wikibase", "http://wikiba.se/ontology#"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("schema", "http://schema.org/"),
    ("cc", "http://creativecommons.org/ns#"),
    ("geo", "http://www.opengis.net/ont/geosparql#"),
    ("prov", "http://www.w3.org/ns/prov#"),
    ("wd", "http://www.wikidata.org/entity/"),
    ("data", "https://www.wikidata.org/wiki/Special:EntityData/"),
];
const NODES_OLD: [(&str, &str); 3] = [
    ("s", "http://www.wikidata.org/entity/statement/"),
    ("ref", "http://www.wikidata.org/reference/"),
    ("v", "http://www.wikidata.org/value/"),
];
const NODES_NEW: [(&str, &str); 3] = [
    ("wds", "http://www.wikidata.org/entity/statement/"),
    ("wdref", "http://www.wikidata.org/reference/"),
    ("wdv", "http://www.wikidata.org/value/"),
];
const PROPERTIES: &[(&str, &str)] = &[
    ("wdt", "http://www.wikidata.org/prop/direct/"),
    ("wdtn", "http://www.wikidata.org/prop/direct-normalized/"),
    ("p", "http://www.wikidata.org/prop/"),
    ("ps", "http://www.wikidata.org/prop/statement/"),
    ("psv", "http://www.wikidata.org/prop/statement/value/"),
    ("psn", "http://www.wikidata.org/prop/statement/value-normalized/"),
    ("pq", "http://www.wikidata.org/prop/qualifier/"),
    ("pqv", "http://www.wikidata.org/prop/qualifier/value/"),
    ("pqn", "http://www.wikidata.org/prop/qualifier/value-normalized/"),
    ("pr", "http://www.wikidata.org/prop/reference/"),
    ("prv", "http://www.wikidata.org/prop/reference/value/"),
    ("prn", "http://www.wikidata.org/prop/reference/value-normalized/"),
    ("wdno", "http://www.wikidata.org/prop/novalue/"),
];
const COMMONS: &[(&str, &str)] = &[
    ("sdc", "https://commons.wikimedia.org/entity/"),
    ("sdcdata", "https://commons.wikimedia.org/wiki/Special:EntityData/"),
    ("sdcs", "https://commons.wikimedia.org/entity/statement/"),
    ("sdcref", "https://commons.wikimedia.org/reference/"),
    ("sdcv", "https://commons.wikimedia.org/value/"),
    ("sdct", "https://commons.wikimedia.org/prop/direct/"),
    ("sdctn", "https://commons.wikimedia.org/prop/direct-normalized/"),
    ("sdcp", "https://commons.wikimedia.org/prop/"),
    ("sdcps", "https://commons.wikimedia.org/prop/statement/"),
    ("sdcpsv", "https://commons.wikimedia.org/prop/statement/value/"),
    ("sdcpsn", "https://commons.wikimedia.org/prop/statement/value-normalized/"),
    ("sdcpq", "https://commons.wikimedia.org/prop/qualifier/"),
    ("sdcpqv", "https://commons.wikimedia.org/prop/qualifier/value/"),
    ("sdcpqn", "https://commons.wikimedia.org/prop/qualifier/value-normalized/"),
    ("sdcpr", "https://commons.wikimedia.org/prop/reference/"),
    ("sdcprv", "https://commons.wikimedia.org/prop/reference/value/"),
    ("sdcprn", "https://commons.wikimedia.org/prop/reference/value-normalized/"),
    ("sdcno", "https://commons.wikimedia.org/prop/novalue/"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use oxttl::TurtleParser;
    use sha2::{Digest, Sha256};

    use super::*;

    fn profile(contents: Contents, prefixes: Prefixes) -> Profile {
        let start = Timestamp::parse("2025-01-06T23:00:02Z").unwrap();
        Profile { seed: 7, contents, entities: 900, documents: 11, redirects: 60, start, prefixes }
    }

    fn text(profile: &Profile, number: u32) -> Vec<u8> {
        let mut out = Vec::new();
        profile.write_document(number, &mut out).unwrap();
        out
    }

    /// What a full parser finds in a document: revisions by subject, headers' times, redirects.
    #[derive(Default)]
    struct Found {
        revisions: Vec<(String, String)>,
        headers: Vec<String>,
        redirects: u64,
    }

    fn parse(text: &[u8], found: &mut Found) {
        for triple in TurtleParser::new().for_slice(text) {
            let triple = triple.unwrap();
            let (subject, object) = (triple.subject.to_string(), triple.object.to_string());
            let value = object.split('"').nth(1).unwrap_or_default().to_owned();
            let local = subject.split_once("Special:EntityData/").map(|(_, local)| local.trim_end_matches('>'));
            match (triple.predicate.as_str(), local) {
                ("http://schema.org/version", Some(local)) => found.revisions.push((local.to_owned(), value)),
                ("http://schema.org/dateModified", None) => found.headers.push(value),
                ("http://www.w3.org/2002/07/owl#sameAs", None) => found.redirects += 1,
                _ => {}
            }
        }
    }

    #[test]
    fn a_parser_finds_what_is_expected() {
        let rows = [
            (Contents::Items, Prefixes::Old),
            (Contents::Items, Prefixes::New),
            (Contents::Mixed, Prefixes::New),
            (Contents::Lexemes, Prefixes::Old),
            (Contents::MediaInfo, Prefixes::New),
        ];
        for (contents, prefixes) in rows {
            let profile = profile(contents, prefixes);
            let mut found = Found::default();
            for number in 0..profile.documents {
                parse(&text(&profile, number), &mut found);
            }
            let expected = profile.expected().map(|(entity, revision)| (entity.to_string(), revision.to_string()));
            assert!(expected.eq(found.revisions), "{contents:?}");
            let times = (0..profile.documents).map(|number| profile.header_time(number).to_string());
            assert!(times.eq(found.headers.iter().cloned()), "{contents:?}");
            let (oldest, newest) = profile.header_times();
            assert_eq!(found.headers.iter().min(), Some(&oldest.to_string()));
            assert_eq!(found.headers.iter().max(), Some(&newest.to_string()));
            assert_eq!(oldest, profile.start);
            assert!(profile.header_time(0) > oldest, "the first header is not the oldest");
            assert_eq!(found.redirects, profile.count_redirects());
            assert_eq!(found.redirects == 0, contents == Contents::MediaInfo);
        }
    }

    #[test]
    fn page_order_is_not_number_order() {
        let profile = profile(Contents::Mixed, Prefixes::New);
        let ids: Vec<_> = profile.expected().map(|(entity, _)| entity).collect();
        assert!(!ids.is_sorted());
        let kinds: BTreeMap<_, u32> = ids.iter().fold(BTreeMap::new(), |mut kinds, id| {
            *kinds.entry(id.kind().letter()).or_default() += 1;
            kinds
        });
        assert_eq!(kinds.keys().collect::<String>(), "LPQ");
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        let files: Vec<_> = self::profile(Contents::MediaInfo, Prefixes::New).expected().collect();
        assert!(files.is_sorted_by_key(|(entity, _)| *entity));
    }

    #[test]
    fn the_largest_dump_has_valid_numbers() {
        for contents in [Contents::Items, Contents::Lexemes, Contents::Mixed, Contents::MediaInfo] {
            let mut profile = profile(contents, Prefixes::New);
            (profile.entities, profile.documents) = (u32::MAX, 2_000);
            assert_eq!(profile.entries(1_999).take(2_000).count(), 2_000);
            profile.entry(Profile::MAX_ENTITIES - 1);
        }
    }

    #[test]
    fn the_bytes_are_the_same_everywhere() {
        let rows = [
            (Contents::Mixed, Prefixes::Old, "80ae856d43603271"),
            (Contents::MediaInfo, Prefixes::New, "5deca3aea566282e"),
        ];
        for (contents, prefixes, expected) in rows {
            let digest = Sha256::digest(text(&profile(contents, prefixes), 3));
            let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, expected, "{contents:?}");
        }
    }
}
