//! How fast one core goes from two documents of an entity, as `Special:EntityData` gives them, to a message: diffs a second, the
//! median of several rounds over made-up items of about 20 KB. The fetch is not in it.
//!
//! Run with `cargo bench --bench diff`, or `-- DIR` with documents in files like `1-Q42.from.ttl` and `1-Q42.to.ttl`, to have the same that
//! others are measured with.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use headwater::diff;
use headwater::generate::profile::{Contents, Prefixes, Profile};
use headwater::munge::document::{Documents, MungedEntity};
use headwater::mutation::wire::{Kind, Message, Meta, Version};
use headwater::updater::chunk::{self, Chunk};
use headwater::wikibase::entity::EntityId;
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

const ROUNDS: usize = 15;
const ITEMS: usize = 64;
/// Each round goes over the items that often.
const TIMES: usize = 8;

/// An item and two revisions of it.
struct Item {
    id: EntityId,
    from: String,
    to: String,
}

fn main() {
    let dir = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let items: Vec<_> = match dir {
        Some(dir) => from_files(Path::new(&dir)),
        None => (0..).filter_map(item).take(ITEMS).collect(),
    };
    let size = items.iter().map(|item| item.from.len()).sum::<usize>() / items.len();
    let mut documents = Documents::new(&UrisScheme::wikidata());
    let mut munge =
        |item: &Item, text: &str| documents.munge(text.as_bytes(), item.id).expect("made-up items are good");
    let munged: Vec<_> = items.iter().map(|item| (munge(item, &item.from), munge(item, &item.to))).collect();
    let triples = munged.iter().map(|(from, _)| from.triples.len()).sum::<usize>() / items.len();
    let memory = munged.iter().map(|(from, _)| from.triples.memory()).sum::<usize>() / items.len();
    let messages = munged.iter().map(|(from, to)| message(from, to).len()).sum::<usize>() / items.len();
    println!(
        "{} items: {size} bytes of Turtle, {triples} triples kept in {memory} bytes, messages of {messages} bytes",
        items.len()
    );
    measure("two documents to a message", &items, |item, _| {
        let (from, to) = (munge(item, &item.from), munge(item, &item.to));
        message(&from, &to).len()
    });
    measure("one document and a set kept to a message", &items, |item, at| {
        message(&munged[at].0, &munge(item, &item.to)).len()
    });
    measure("two sets to a message", &items, |_, at| message(&munged[at].0, &munged[at].1).len());
}

fn measure(what: &str, items: &[Item], mut work: impl FnMut(&Item, usize) -> usize) {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..TIMES {
            items.iter().enumerate().for_each(|(at, item)| assert!(work(item, at) > 0));
        }
        (TIMES * items.len()) as f64 / start.elapsed().as_secs_f64()
    };
    let mut rates: Vec<_> = (0..ROUNDS).map(|_| round()).collect();
    rates.sort_by(f64::total_cmp);
    let (median, low, high) = (rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
    println!("{what}, one core: median {median:.0} diffs/s ({low:.0} to {high:.0})");
}

/// All messages of the diff, one after the other.
fn message(from: &MungedEntity, to: &MungedEntity) -> Vec<u8> {
    let patch = diff::diff(&from.triples, &to.triples);
    let mut out = Vec::new();
    for Chunk { sequence, sequence_length, data } in chunk::chunks(Kind::Diff, &patch, chunk::LIMIT) {
        let meta = Meta {
            dt: Timestamp::default(),
            id: Cow::Borrowed("c8d7f8e0-5a1e-4b6e-9f0a-2f1f7f0e9d11"),
            domain: Some(Cow::Borrowed("www.wikidata.org")),
            stream: Cow::Borrowed("rdf-streaming-updater.mutation.v2"),
            request_id: Some(Cow::Borrowed("79c4ddcf-3db2-437d-9c42-2d144cefb8d1")),
        };
        let message = Message {
            version: Version::V2,
            meta,
            entity: to.id,
            revision: to.revision.get(),
            event_time: Timestamp::default(),
            sequence,
            sequence_length,
            kind: Kind::Diff,
            data,
        };
        message.write(&mut out);
    }
    out
}

/// The items of a directory.
fn from_files(dir: &Path) -> Vec<Item> {
    let text = |path: &Path| fs::read_to_string(path).expect("a document is text");
    let read = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".from.ttl")?;
        let id = EntityId::parse(name.rsplit('-').next()?.as_bytes()).expect("the name ends with an entity");
        let to = dir.join(format!("{name}.to.ttl"));
        Some(Item { id, from: text(&path), to: text(&to) })
    };
    let files = fs::read_dir(dir).expect("the directory can be read").map(|entry| entry.expect("an entry").path());
    files.filter_map(read).collect()
}

/// The item made of that seed, if it is of the size wanted.
fn item(seed: u64) -> Option<Item> {
    let profile = Profile {
        seed,
        contents: Contents::Items,
        entities: 1,
        documents: 1,
        redirects: 0,
        start: Timestamp::default(),
        prefixes: Prefixes::New,
    };
    let mut text = Vec::new();
    profile.write_document(0, &mut text).expect("writing to memory");
    let text = String::from_utf8(text).expect("a dump is text");
    // Documents have no dump header.
    let (prefixes, rest) = text.split_once("wikibase:Dump")?;
    let from = [prefixes, rest.split_once("\n\n")?.1].concat();
    let (id, revision) = profile.expected().next()?;
    let to = edited(&from, &id.to_string(), revision.get())?;
    (18_000..22_000).contains(&from.len()).then_some(Item { id, from, to })
}

/// The next revision: one statement goes, and one with a value, a reference and a sitelink comes.
fn edited(text: &str, id: &str, revision: u64) -> Option<String> {
    let last = text.rfind(&format!("\n\nwd:{id} p:P"))? + 2;
    let block = |at: usize| Some(at + text[at..].find("\n\n")? + 2);
    let end = block(block(last)?)?;
    let revised = text[..last].replacen(&revision.to_string(), &(revision + 1).to_string(), 1);
    let statement = format!(
        "wd:{id} wdt:P569 \"1952-03-11T00:00:00Z\"^^xsd:dateTime ;\n\tp:P569 wds:{id}-new .\n\n\
         wds:{id}-new a wikibase:Statement,\n\t\twikibase:BestRank ;\n\twikibase:rank wikibase:NormalRank ;\n\
         \tps:P569 \"1952-03-11T00:00:00Z\"^^xsd:dateTime ;\n\tpsv:P569 wdv:new ;\n\tprov:wasDerivedFrom wdref:new .\n\n\
         <https://eo.wikipedia.org/wiki/New> a schema:Article ;\n\tschema:about wd:{id} ;\n\tschema:inLanguage \"eo\" ;\n\
         \tschema:isPartOf <https://eo.wikipedia.org/> ;\n\tschema:name \"New\"@eo .\n\n\
         wdv:new a wikibase:TimeValue ;\n\twikibase:timeValue \"1952-03-11T00:00:00Z\"^^xsd:dateTime ;\n\
         \twikibase:timePrecision \"11\"^^xsd:integer ;\n\twikibase:timeTimezone \"0\"^^xsd:integer .\n\n\
         wdref:new a wikibase:Reference ;\n\tpr:P143 wd:Q328 .\n\n"
    );
    Some([&*revised, &text[end..], &*statement].concat())
}
