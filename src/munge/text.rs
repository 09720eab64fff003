//! The text of a dump -> its headers and its entities, munged.
//!
//! Promise: every triple of the text belongs to a header or to one entity, or is told as bad with what it stands in.
//! In -> out: text that begins where a statement begins, under known prefixes -> a [`Sink`]'s calls, in order.
//! Invariant: an entity begins with its entity-data node and ends where the next begins. Where the text is no Turtle, the
//! entity is bad and reading goes on with the next one. Rule: upstream's `EntityMungingRdfHandler`.

use crate::munge::normalize::{self, Rewrites};
use crate::munge::repair::{self, Repaired};
use crate::munge::rules::{Fit, Judge, Judgement};
use crate::munge::{Options, Unfit, Verdict, unlabelled};
use crate::rdf::SyntaxError;
use crate::rdf::lexer;
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::{Iri, Literal, Term, Triple};
use crate::wikibase::names::{Name, Namer, Space, Spaces};
use crate::wikibase::uris::UrisScheme;

/// Munges texts of one wiki's dumps.
#[derive(Clone, Debug)]
pub struct Munger {
    options: Options,
    spaces: Spaces,
    concept: String,
}

/// Who takes what a text comes to.
pub trait Sink {
    /// A triple of a dump header, normalized.
    fn header(&mut self, triple: &Triple<'_>);
    /// An entity.
    fn entity(&mut self, entity: &Entity<'_, '_>);
    /// An entity that could not be munged.
    fn bad(&mut self, bad: Bad);
}

/// An entity that could not be munged, or triples of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where the fault is, in bytes from the start of the text; where the entity begins, if it is no single place.
    pub offset: usize,
    /// The entity's id as the text has it, or the first word of the statement.
    pub subject: String,
    /// What is wrong.
    pub reason: Unfit,
}

/// A munged entity.
pub struct Entity<'e, 'a> {
    /// Its id and revision.
    pub fit: Fit,
    /// Where it begins, in bytes from the start of the text.
    pub offset: usize,
    id: &'a str,
    iri: Iri<'a>,
    triples: &'e [Triple<'a>],
    rewrites: &'e [Rewrites],
    judgements: &'e [Judgement],
}

/// To which part of a triples table a triple belongs.
/// Rule: upstream's `RdfChunkParser`, which writes these as its `context` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The entity in whose text it stands.
    Entity,
    /// References, which entities share.
    Reference,
    /// Values, which entities share.
    Value,
}

/// A triple that stays.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Where it belongs.
    pub context: Context,
    /// Whether no other entity can have the same triple: its subject is the entity, a part or a statement of it.
    pub is_own: bool,
    /// The triple.
    pub triple: Triple<'a>,
}

/// What became of a triple, for those who ask why.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'a> {
    /// The triple after normalization.
    pub triple: Triple<'a>,
    /// The normalization.
    pub rewrites: Rewrites,
    /// Whether it stays.
    pub verdict: Verdict,
}

impl Munger {
    /// A munger for dumps of that wiki.
    pub fn new(scheme: &UrisScheme, options: Options) -> Self {
        Self { options, spaces: Spaces::of(scheme), concept: scheme.concept().to_owned() }
    }

    /// Munges a text that begins and ends between statements. `format` is the dump's `schema:softwareVersion` so far.
    pub fn text<'a>(
        &self,
        text: &'a str,
        prefixes: &'a Prefixes,
        format: Option<&'a str>,
        arena: &'a Arena,
        sink: &mut dyn Sink,
    ) {
        let reader = Reader::new(arena, prefixes, text, 0, true);
        let namer = Namer::new(&self.spaces, arena);
        let judge = Judge::new(&self.options, namer);
        let (block, repaired) = (Block::default(), None);
        Text { munger: self, text, arena, reader, judge, format, sink, block, repaired }.run();
    }

    fn genid(&self) -> Option<&str> {
        self.options.skolemize.then(|| self.spaces.genid())
    }
}

/// A text being read.
struct Text<'s, 'a> {
    munger: &'s Munger,
    text: &'a str,
    arena: &'a Arena,
    reader: Reader<'a>,
    judge: Judge<'s, 'a>,
    format: Option<&'a str>,
    sink: &'s mut dyn Sink,
    block: Block<'a>,
    /// Once a statement could not be read: the text from there on, repaired, is what is read; and where it began.
    repaired: Option<(usize, Option<Repaired>)>,
}

/// The triples of the entity being read.
#[derive(Default)]
struct Block<'a> {
    /// In the text as it was given.
    offset: usize,
    /// `None`: no entity has begun.
    id: Option<&'a str>,
    /// What stands in the place of an id.
    first_word: String,
    triples: Vec<Triple<'a>>,
    rewrites: Vec<Rewrites>,
    /// Whether there are triples other than those of the entity-data node.
    has_content: bool,
    fault: Option<(usize, SyntaxError)>,
}

impl<'a> Text<'_, 'a> {
    fn run(mut self) {
        loop {
            let start = self.block.triples.len();
            let offset = self.reader.at();
            match self.reader.statement(&mut self.block.triples) {
                Ok(true) => {
                    let statement = &self.text[offset..self.reader.at()];
                    unlabelled::name(&mut self.block.triples[start..], statement, self.arena);
                    self.sort(start, offset);
                }
                Ok(false) => break,
                Err(_) if self.repair(offset) => {}
                Err(error) => self.recover(offset, error),
            }
        }
        self.flush();
    }

    /// Normalizes the triples from `start` on, which were read at `offset`, and finds out where they belong.
    fn sort(&mut self, start: usize, offset: usize) {
        if self.block.id.is_none() && start == 0 {
            self.block_begins(offset);
        }
        let mut at = start;
        let mut last: Option<(Term<'a>, Option<Name<'a>>)> = None;
        while at < self.block.triples.len() {
            let mut triple = self.block.triples[at];
            let rewrites = normalize::normalize(&mut triple, self.munger.genid(), self.judge.namer(), self.arena);
            let subject = match last {
                Some((term, subject)) if term.is_same(&triple.subject) => subject,
                _ => self.name(&triple.subject),
            };
            last = Some((triple.subject, subject));
            if subject == Some(DUMP) {
                self.block.triples.remove(at);
                self.header(&triple);
                continue;
            }
            if let Some(id) = self.begins(subject, &triple) {
                self.begin(at, id, offset);
                at = 0;
            }
            self.block.has_content |= subject.is_none_or(|subject| subject.space != Space::Data);
            self.block.triples[at] = triple;
            self.block.rewrites.push(rewrites);
            at += 1;
        }
    }

    fn name(&mut self, term: &Term<'a>) -> Option<Name<'a>> {
        match term {
            Term::Iri(iri) => Some(self.judge.namer().name(*iri)),
            _ => None,
        }
    }

    fn header(&mut self, triple: &Triple<'a>) {
        if let Term::Literal(Literal { value, .. }) = triple.object
            && self.judge.namer().predicate(triple.predicate) == Name::new(Space::Schema, "softwareVersion")
        {
            self.format = Some(value);
        }
        self.sink.header(triple);
    }

    /// The id of the entity that begins with this triple, if one does: with an entity-data node; or, in old dumps whose
    /// redirects had none, with `wd:Q1 owl:sameAs wd:Q2`.
    fn begins(&mut self, subject: Option<Name<'a>>, triple: &Triple<'a>) -> Option<&'a str> {
        let subject = subject?;
        let is_another = self.block.id != Some(subject.local);
        match subject.space {
            Space::Data if is_another || self.block.has_content => Some(subject.local),
            Space::Entity if is_another => {
                let predicate = self.judge.namer().predicate(triple.predicate);
                (predicate == Name::new(Space::Owl, "sameAs")).then_some(subject.local)
            }
            _ => None,
        }
    }

    /// Ends the block before triple `at`, and begins that of entity `id`.
    fn begin(&mut self, at: usize, id: &'a str, offset: usize) {
        let rest = self.block.triples.split_off(at);
        self.flush();
        self.block.triples.extend(rest);
        self.block.id = Some(id);
        self.block_begins(offset);
    }

    /// The block's first statement is the one at or after `offset`.
    fn block_begins(&mut self, offset: usize) {
        let offset = lexer::skip_blank(self.text.as_bytes(), offset).unwrap_or(offset);
        self.block.offset = self.place(offset);
        if self.block.id.is_none() {
            self.block.first_word = first_word(&self.text[offset..]);
        }
    }

    /// Munges what was read of an entity.
    fn flush(&mut self) {
        if !self.block.triples.is_empty() || self.block.fault.is_some() {
            match self.munge() {
                Ok(fit) => self.give(fit),
                Err(bad) => self.sink.bad(bad),
            }
        }
        self.block.triples.clear();
        self.block.rewrites.clear();
        (self.block.id, self.block.fault, self.block.has_content) = (None, None, false);
    }

    fn munge(&mut self) -> Result<Fit, Bad> {
        let block = &mut self.block;
        let subject = || block.id.unwrap_or(&block.first_word).to_owned();
        if let Some((offset, error)) = &block.fault {
            return Err(Bad { offset: *offset, subject: subject(), reason: Unfit::Syntax(error.message.clone()) });
        }
        let bad = |reason| Bad { offset: block.offset, subject: subject(), reason };
        let id = block.id.ok_or_else(|| bad(Unfit::Stray))?;
        self.judge.entity(id, &block.triples, self.format).map_err(bad)
    }

    fn give(&mut self, fit: Fit) {
        let block = &mut self.block;
        if fit.latitude_first {
            for (triple, rewrites) in block.triples.iter_mut().zip(&mut block.rewrites) {
                if let Some(switched) = normalize::switched_point(&triple.object, self.judge.namer(), self.arena) {
                    (triple.object, rewrites.switched) = (switched, true);
                }
            }
        }
        let id = block.id.unwrap_or_default();
        let iri = Iri::full(self.arena.text(&[&*self.munger.concept, id].concat()));
        let Block { offset, triples, rewrites, .. } = block;
        let (offset, judgements) = (*offset, self.judge.judgements());
        self.sink.entity(&Entity { fit, offset, id, iri, triples, rewrites, judgements });
    }

    /// Repairs the text from `offset` on, if it is not repaired yet and that changes anything.
    fn repair(&mut self, offset: usize) -> bool {
        if self.repaired.is_some() {
            return false;
        }
        let repaired = repair::repaired(&self.text[offset..]);
        let is_repaired = repaired.is_some();
        if let Some(repaired) = &repaired {
            self.text = self.arena.text(&repaired.text);
            self.reader = Reader::new(self.arena, self.reader.prefixes(), self.text, 0, true);
        }
        self.repaired = Some((offset, repaired));
        is_repaired
    }

    /// The place in the text as it was given.
    fn place(&self, offset: usize) -> usize {
        match &self.repaired {
            Some((start, Some(repaired))) => start + repaired.before(offset),
            _ => offset,
        }
    }

    /// Goes on behind a statement that is no Turtle. It belongs to the entity being read, unless its subject says that it
    /// begins another.
    fn recover(&mut self, offset: usize, error: SyntaxError) {
        let start = lexer::skip_blank(self.text.as_bytes(), offset).unwrap_or(offset);
        let fault = error.offset.clamp(start, self.text.len());
        if let Some(id) = self.subject_of(start) {
            self.begin(self.block.triples.len(), id, start);
        }
        if self.block.id.is_none() && self.block.fault.is_none() {
            self.block_begins(start);
        }
        let place = self.place(fault);
        self.block.fault.get_or_insert((place, error));
        let bytes = self.text.as_bytes();
        let after = || lexer::next_statement(&bytes[fault..]).map_or(bytes.len(), |next| fault + next);
        let next = lexer::block_before(&bytes[start..fault]).map_or_else(after, |next| start + next);
        self.reader = Reader::new(self.arena, self.reader.prefixes(), self.text, next, true);
    }

    /// The entity whose entity-data node the statement at `start` is about, though it cannot be read.
    fn subject_of(&mut self, start: usize) -> Option<&'a str> {
        let token = lexer::token(self.text.as_bytes(), start, true).ok()??;
        let statement = self.arena.text(&[&self.text[start..token.end], " a <http://schema.org/Dataset> ."].concat());
        let mut triples = Vec::new();
        Reader::new(self.arena, self.reader.prefixes(), statement, 0, true).statement(&mut triples).ok()?;
        let name = self.name(&triples.first()?.subject)?;
        (name.space == Space::Data).then_some(name.local)
    }
}

const DUMP: Name<'_> = Name::new(Space::Ontology, "Dump");

fn first_word(text: &str) -> String {
    let word = text.split_ascii_whitespace().next().unwrap_or_default();
    word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(60).collect()
}

impl<'a> Entity<'_, 'a> {
    /// The entity's IRI.
    pub fn iri(&self) -> Iri<'a> {
        self.iri
    }

    /// How many triples it was given in.
    pub fn read(&self) -> usize {
        self.triples.len()
    }

    /// The triples that stay, in order.
    pub fn kept(&self) -> impl Iterator<Item = Kept<'a>> {
        self.stays().map(|(judgement, triple)| {
            let is_own = judgement.verdict == Verdict::Move || self.owns(&triple.subject, judgement.subject);
            Kept { context: Context::of(judgement.subject), is_own, triple }
        })
    }

    /// The triples that stay, in order, and where they belong: for those who need not know which are the entity's own.
    pub fn placed(&self) -> impl Iterator<Item = (Context, Triple<'a>)> {
        self.stays().map(|(judgement, triple)| (Context::of(judgement.subject), triple))
    }

    fn stays(&self) -> impl Iterator<Item = (&Judgement, Triple<'a>)> {
        self.triples.iter().zip(self.judgements).filter_map(|(triple, judgement)| match judgement.verdict {
            Verdict::Keep => Some((judgement, *triple)),
            Verdict::Move => Some((judgement, Triple { subject: Term::Iri(self.iri), ..*triple })),
            Verdict::Drop(_) => None,
        })
    }

    /// Whether a subject carries the entity's id: `wd:Q1`, `wd:L1-F1`, `s:q1-…` (old statements have a small letter).
    fn owns(&self, subject: &Term<'_>, space: Space) -> bool {
        let (Term::Iri(iri), Space::Entity | Space::Statement) = (subject, space) else { return false };
        let local = iri.local.rsplit('/').next().unwrap_or_default().as_bytes();
        let id = self.id.as_bytes();
        local.len() >= id.len()
            && local[..id.len()].eq_ignore_ascii_case(id)
            && (local.len() == id.len() || local[id.len()] == b'-')
    }

    /// Every triple, and what became of it.
    pub fn explained(&self) -> impl Iterator<Item = Explained<'a>> {
        self.triples.iter().zip(self.rewrites).zip(self.judgements).map(|((triple, rewrites), judgement)| Explained {
            triple: *triple,
            rewrites: *rewrites,
            verdict: judgement.verdict,
        })
    }
}

impl Context {
    fn of(subject: Space) -> Self {
        match subject {
            Space::Reference => Self::Reference,
            Space::Value => Self::Value,
            _ => Self::Entity,
        }
    }
}
