//! One batch of a dump -> munged rows or lines.
//!
//! Promise: what comes out depends on the batch and the plan alone; so batches can be worked on side by side.
//! In -> out: [`Job`] -> [`Done`].
//! Invariant: with [`Plan::distinct`], a triple that another entity may have too is put aside, not written here; and none is
//! written twice for one entity.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::compression::Compression;
use crate::dump::batches::Batch;
use crate::dump::scan::Place;
use crate::munge::Unfit;
use crate::munge::text::{Bad, Context, Entity, Kept, Munger, Sink};
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::reader::Arena;
use crate::rdf::term::{Iri, Term, Triple};
use crate::rdf::vocab;
use crate::triples::Format;
use crate::triples::lines::LineWriter;
use crate::triples::rows::{RowWriter, Rows};

/// What is to be made of every batch.
#[derive(Debug)]
pub struct Plan {
    /// The rules.
    pub munger: Munger,
    /// What to write.
    pub format: Format,
    /// How lines are compressed.
    pub compression: Compression,
    /// How a table's cells are written.
    pub encoding: Encoding,
    /// Whether no triple is to be written twice.
    pub distinct: bool,
}

/// A batch, and what is known before it.
#[derive(Debug)]
pub struct Job {
    /// The text.
    pub batch: Batch,
    /// The `schema:softwareVersion` of the dump so far.
    pub format: Option<Arc<str>>,
    /// Where entities begin that were seen before, in bytes from the start of the batch.
    pub repeated: Vec<u64>,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Done {
    /// Its output; `None`: nothing.
    pub piece: Option<Piece>,
    /// Lines of N-Triples to be written once, however often they come.
    pub shared: Vec<u8>,
    /// Triples read.
    pub read: u64,
    /// Triples that stay, the shared ones included.
    pub kept: u64,
    /// Entities that could not be munged, with their places in the file.
    pub bad: Vec<(Place, Bad)>,
}

/// Some output.
#[derive(Debug)]
pub struct Piece {
    /// Triples in it.
    pub triples: u64,
    /// Its content.
    pub content: Content,
}

/// The content of a [`Piece`].
#[derive(Debug)]
pub enum Content {
    /// Compressed text.
    Text(Vec<u8>),
    /// Rows of the table.
    Rows(Rows),
}

/// Works on a batch. Errors: the output could not be compressed.
pub fn work(plan: &Plan, job: Job) -> std::io::Result<Done> {
    let Batch { text, place, prefixes, .. } = job.batch;
    let (text, is_utf8) = readable(&text);
    let arena = Arena::default();
    let mut worker = Worker {
        plan,
        writer: Writer::new(plan),
        repeated: job.repeated,
        seen: Seen::default(),
        triples: 0,
        bad: Vec::new(),
        done: Done::default(),
    };
    plan.munger.text(&text, &prefixes, job.format.as_deref(), &arena, &mut worker);
    let Worker { writer, triples, bad, mut done, .. } = worker;
    if triples > 0 {
        done.piece = Some(Piece { triples, content: writer.end(plan.compression)? });
    }
    done.bad = bad.into_iter().map(|bad| (place.after(&text.as_bytes()[..bad.offset]), told(bad, is_utf8))).collect();
    Ok(done)
}

/// The text, if it is UTF-8; else the text with the bytes that are not so replaced by what is no Turtle anywhere, so that what
/// they stand in is bad, and nothing else.
pub fn readable(text: &[u8]) -> (Cow<'_, str>, bool) {
    if let Ok(text) = simdutf8::basic::from_utf8(text) {
        return (Cow::Borrowed(text), true);
    }
    let valid =
        text.utf8_chunks().flat_map(|chunk| [chunk.valid(), if chunk.invalid().is_empty() { "" } else { "\\\u{1}" }]);
    (Cow::Owned(valid.collect()), false)
}

/// What is bad, with a word about the encoding where that is to blame.
pub fn told(bad: Bad, is_utf8: bool) -> Bad {
    match bad.reason {
        Unfit::Syntax(rule) if !is_utf8 => {
            Bad { reason: Unfit::Syntax(format!("{rule} (the text holds bytes that are not UTF-8)")), ..bad }
        }
        _ => bad,
    }
}

struct Worker<'p> {
    plan: &'p Plan,
    writer: Writer,
    repeated: Vec<u64>,
    seen: Seen,
    triples: u64,
    bad: Vec<Bad>,
    done: Done,
}

impl Sink for Worker<'_> {
    fn header(&mut self, triple: &Triple<'_>) {
        self.done.read += 1;
        self.done.kept += 1;
        if self.plan.distinct {
            return self.share(triple);
        }
        self.triples += 1;
        self.writer.triple(Iri::full(vocab::WIKIBASE_DUMP[0]), triple, false);
    }

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        self.done.read += entity.read() as u64;
        if self.repeated.contains(&(entity.offset as u64)) {
            return;
        }
        self.seen.clear();
        let mut last: Option<Term<'_>> = None;
        for Kept { context, is_own, triple } in entity.kept() {
            self.done.kept += 1;
            if self.plan.distinct && self.is_shared(context, is_own) {
                self.share(&triple);
                continue;
            }
            if self.plan.distinct && !self.seen.insert(&triple) {
                continue;
            }
            self.triples += 1;
            let again = last.replace(triple.subject).is_some_and(|last| last.is_same(&triple.subject));
            self.writer.triple(context_iri(context, entity.iri()), &triple, again);
        }
    }

    fn bad(&mut self, bad: Bad) {
        self.bad.push(bad);
    }
}

impl Worker<'_> {
    /// Whether a triple may be written for other entities too. In a table the entity is part of the row, but for nodes that
    /// have a context of their own.
    fn is_shared(&self, context: Context, is_own: bool) -> bool {
        match self.plan.format {
            Format::Parquet => context != Context::Entity,
            Format::NTriples | Format::Turtle => !is_own,
        }
    }

    fn share(&mut self, triple: &Triple<'_>) {
        let encoding = if self.plan.format == Format::Parquet { self.plan.encoding } else { Encoding::Utf8 };
        ntriples::line(&mut self.done.shared, triple, encoding);
    }
}

/// The context of a table's rows.
pub fn context_iri<'a>(context: Context, entity: Iri<'a>) -> Iri<'a> {
    match context {
        Context::Entity => entity,
        Context::Reference => Iri::full(vocab::WIKIBASE_REFERENCE),
        Context::Value => Iri::full(vocab::WIKIBASE_VALUE),
    }
}

/// Where kept triples go until the piece ends.
enum Writer {
    Rows(RowWriter),
    Lines(LineWriter),
}

impl Writer {
    fn new(plan: &Plan) -> Self {
        match plan.format {
            Format::Parquet => Self::Rows(RowWriter::new(plan.encoding)),
            Format::NTriples => Self::Lines(LineWriter::n_triples()),
            Format::Turtle => Self::Lines(LineWriter::turtle()),
        }
    }

    /// `again`: the context and the subject are those of the triple before.
    fn triple(&mut self, context: Iri<'_>, triple: &Triple<'_>, again: bool) {
        match self {
            Self::Rows(rows) => rows.triple(context, triple, again),
            Self::Lines(lines) => lines.triple(triple),
        }
    }

    fn end(self, compression: Compression) -> std::io::Result<Content> {
        match self {
            Self::Rows(rows) => Ok(Content::Rows(rows.finish())),
            Self::Lines(lines) => compression.compress(lines.finish()).map(Content::Text),
        }
    }
}

/// Which lines were seen, for one entity.
#[derive(Default)]
struct Seen {
    hasher: DefaultHashBuilder,
    text: Vec<u8>,
    lines: HashTable<(u32, u32)>,
}

impl Seen {
    fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }

    /// Whether the triple is new.
    fn insert(&mut self, triple: &Triple<'_>) -> bool {
        let start = self.text.len() as u32;
        ntriples::line(&mut self.text, triple, Encoding::Utf8);
        let (text, hasher) = (&self.text, &self.hasher);
        let line = |(start, end): &(u32, u32)| &text[*start as usize..*end as usize];
        let hash = |place: &(u32, u32)| hasher.hash_one(line(place));
        let new = (start, text.len() as u32);
        match self.lines.entry(hash(&new), |other| line(other) == line(&new), hash) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(new);
                true
            }
        }
    }
}
