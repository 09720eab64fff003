//! A graph that follows a mutation stream, as a right reader of it does.
//!
//! Promise: afterwards it is as the messages say. What they may leave behind is remembered, so that `comparison` allows that and
//! nothing else.
//! In -> out: munged triples or a dump, then messages ([`Graph::apply`]) -> triples.
//! Rules: upstream's consumer:
//!
//! | what a message says | what is done |
//! | --- | --- |
//! | added, linked shared | it is there |
//! | removed | it is gone, but for the triples of an article (all but `schema:about`): see below |
//! | unlinked shared | nothing; it may be left |
//! | a diff takes an article away and has no other of that wiki | only its `schema:about` goes; the rest may be left |
//! | delete | gone: the entity, its forms and senses, their statements, the articles about it |
//! | reconcile | as delete, then what is in `added` is there |
//!
//! Different from upstream's, as it cannot be right there: triples of an article that is also about another entity are never removed,
//! as messages about two entities come in no order; and a mutation's messages must be complete and in order.
//! Invariant: what may be left behind is what a patch unlinked, what an entity that was deleted or reconciled had and others may
//! share, and what no message can remove: how the predicates of a property that was deleted are typed.

use std::collections::{BTreeSet, HashMap, HashSet};

use headwater::munge::Options;
use headwater::munge::set::TripleSet;
use headwater::munge::text::{Bad, Entity, Munger, Sink};
use headwater::mutation::wire::{Data, Kind, Message};
use headwater::rdf::ntriples::{self, Encoding};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::Arena;
use headwater::rdf::term::Triple;
use headwater::wikibase::entity::EntityId;
use headwater::wikibase::uris::UrisScheme;
use oxttl::TurtleParser;

const ARTICLE: &str = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://schema.org/Article>";
const ABOUT: &str = "<http://schema.org/about>";
const IS_PART_OF: &str = "<http://schema.org/isPartOf>";
const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf>";
const PARTS: [&str; 2] =
    ["<http://www.w3.org/ns/lemon/ontolex#lexicalForm>", "<http://www.w3.org/ns/lemon/ontolex#sense>"];

/// Triples by subject: predicate and object with a space between them, all as N-Triples has them.
pub type Triples = HashMap<String, BTreeSet<String>>;

/// A graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// What is in it.
    pub triples: Triples,
    /// What of it the messages may have left behind.
    pub left: Triples,
    /// How often a message added an entity's triple that was there, removed one that was not, or deleted an entity that was not: how
    /// far the graph was from what the writer took it for.
    pub divergences: u64,
    scheme: UrisScheme,
    /// The articles about an entity.
    articles: HashMap<String, BTreeSet<String>>,
    /// The mutation of which not all messages were read.
    unfinished: Option<Mutation>,
}

/// A mutation, put together of its messages.
#[derive(Clone, Debug)]
struct Mutation {
    entity: EntityId,
    kind: Kind,
    revision: u64,
    request: Option<String>,
    next: u32,
    length: u32,
    data: Data<'static>,
}

/// A triple: subject; predicate and object.
pub type Pair = (String, String);

impl Graph {
    /// An empty graph of the wiki.
    pub fn new(scheme: &UrisScheme) -> Self {
        Self {
            triples: Triples::new(),
            left: Triples::new(),
            divergences: 0,
            scheme: scheme.clone(),
            articles: HashMap::new(),
            unfinished: None,
        }
    }

    /// One that was loaded with these entities.
    pub fn of<'t>(scheme: &UrisScheme, entities: impl IntoIterator<Item = &'t TripleSet>) -> Self {
        let mut graph = Self::new(scheme);
        entities.into_iter().for_each(|entity| graph.load(entity.text()));
        graph
    }

    /// One that was loaded with a dump, as Headwater munges it.
    pub fn of_dump(scheme: &UrisScheme, dump: &str) -> Self {
        let (mut graph, arena, mut lines) = (Self::new(scheme), Arena::default(), Lines::default());
        let munger = Munger::new(scheme, Options::default());
        munger.text(dump, &Prefixes::default(), None, &arena, &mut lines);
        graph.load(std::str::from_utf8(&lines.0).expect("lines are text"));
        graph
    }

    /// Puts in triples in N-Triples, or in Turtle without prefixes.
    pub fn load(&mut self, text: &str) {
        for pair in pairs(text) {
            let (subject, rest) = pair.expect("what is loaded is Turtle");
            self.insert(subject, rest);
        }
    }

    /// How many triples there are.
    pub fn len(&self) -> usize {
        self.triples.values().map(BTreeSet::len).sum()
    }

    /// The wiki's URIs.
    pub const fn scheme(&self) -> &UrisScheme {
        &self.scheme
    }

    /// Takes a message of the stream. Errors: what a reader could not go on after.
    pub fn apply(&mut self, message: &[u8]) -> Result<(), String> {
        let message = Message::read(message).map_err(|error| error.to_string())?;
        let mut mutation = match self.unfinished.take() {
            None => Mutation::begin(&message),
            Some(unfinished) => unfinished,
        };
        mutation.take(&message)?;
        if mutation.next < mutation.length {
            self.unfinished = Some(mutation);
            return Ok(());
        }
        let Mutation { entity, kind, data, .. } = mutation;
        self.mutate(entity, kind, &data).map_err(|error| format!("a message ({}) about {entity}: {error}", kind.name()))
    }

    /// Whether all messages of the last mutation were read.
    pub const fn is_finished(&self) -> bool {
        self.unfinished.is_none()
    }

    fn mutate(&mut self, entity: EntityId, kind: Kind, data: &Data<'_>) -> Result<(), String> {
        let (added, removed) = (read(&data.added)?, read(&data.removed)?);
        let (linked, unlinked) = (read(&data.linked_shared)?, read(&data.unlinked_shared)?);
        let is_fit = match kind {
            Kind::Diff => true,
            Kind::Import => removed.is_empty() && unlinked.is_empty(),
            Kind::Reconcile => removed.is_empty() && unlinked.is_empty() && linked.is_empty(),
            Kind::Delete => [&added, &removed, &linked, &unlinked].iter().all(|part| part.is_empty()),
        };
        if !is_fit {
            return Err("it has triples in parts that are not for it".to_owned());
        }
        match kind {
            Kind::Import => self.add(added),
            Kind::Diff => self.diff(added, removed)?,
            Kind::Delete => self.delete(entity),
            Kind::Reconcile => {
                self.delete_from(&self.iri(entity));
                self.link(added);
            }
        }
        unlinked.into_iter().for_each(|(subject, rest)| self.leave(&subject, rest));
        self.link(linked);
        Ok(())
    }

    /// Puts in what may be there.
    fn link(&mut self, pairs: Vec<Pair>) {
        for (subject, rest) in pairs {
            self.insert(subject, rest);
        }
    }

    /// Puts in what should not be there.
    fn add(&mut self, added: Vec<Pair>) {
        for (subject, rest) in added {
            let is_own = self.is_own(&subject);
            let is_new = self.insert(subject, rest);
            self.divergences += u64::from(!is_new && is_own);
        }
    }

    fn diff(&mut self, added: Vec<Pair>, removed: Vec<Pair>) -> Result<(), String> {
        let (new, gone) = (sites(&added)?, sites(&removed)?);
        let of_gone: HashMap<_, _> = gone.iter().map(|(site, article)| (article, site)).collect();
        for (subject, rest) in &removed {
            let is_about = rest.starts_with(ABOUT);
            // Where a wiki's article takes the place of another one, that was renamed.
            let is_kept = of_gone.get(subject).is_some_and(|site| !new.contains_key(*site));
            if !is_about && (is_kept || self.is_shared_article(subject, &removed)) {
                self.leave(subject, rest.clone());
            } else {
                let was_there = self.remove(subject, rest);
                self.divergences += u64::from(!was_there && self.is_own(subject));
            }
        }
        self.add(added);
        Ok(())
    }

    /// Whether an article is about an entity, not counting what is being removed.
    fn is_shared_article(&self, article: &str, removed: &[Pair]) -> bool {
        let Some(all) = self.triples.get(article).filter(|all| all.contains(ARTICLE)) else { return false };
        let is_removed = |about: &&String| removed.iter().any(|(subject, rest)| subject == article && rest == *about);
        let others = all.iter().filter(|rest| rest.starts_with(ABOUT) && !is_removed(rest)).count();
        // That of the entity itself, if it is not removed.
        let has_removed = removed.iter().any(|(subject, rest)| subject == article && rest.starts_with(ABOUT));
        others > usize::from(!has_removed)
    }

    fn delete(&mut self, entity: EntityId) {
        let iri = self.iri(entity);
        self.divergences += u64::from(!self.triples.contains_key(&iri));
        self.delete_from(&iri);
        self.leave_predicates(entity);
    }

    /// Removes an entity with its parts, their statements and the articles about it.
    fn delete_from(&mut self, iri: &str) {
        let parts = self.objects(iri, |predicate, _| PARTS.contains(&predicate));
        for node in parts.iter().map(String::as_str).chain([iri]) {
            let statements = self.objects(node, |_, object| self.is_statement(object));
            for statement in statements {
                self.leave_linked(&statement);
                self.remove_all(&statement);
            }
            self.leave_linked(node);
            self.remove_all(node);
        }
        for article in self.articles.remove(iri).unwrap_or_default() {
            self.triples.get_mut(&article).map(|all| all.remove(&format!("{ABOUT} {iri}")));
            let rest = self.triples.get(&article).cloned().unwrap_or_default();
            for site in self.objects(&article, |predicate, _| predicate == IS_PART_OF) {
                self.leave_all(&site);
            }
            if rest.iter().any(|rest| rest.starts_with(ABOUT)) {
                rest.into_iter().filter(|rest| !rest.starts_with(ABOUT)).for_each(|rest| self.leave(&article, rest));
            } else {
                self.remove_all(&article);
            }
        }
    }

    /// What a subject points at may be left, and what that points at.
    fn leave_linked(&mut self, subject: &str) {
        for node in self.objects(subject, |_, object| self.is_shared(object)) {
            // Lengths in metres are normalized to themselves.
            if node != subject {
                self.leave_all(&node);
                self.leave_linked(&node);
            }
        }
    }

    /// No message removes how the predicates of a property are typed.
    fn leave_predicates(&mut self, entity: EntityId) {
        let namespace = format!("<{}prop/", self.scheme.property_root());
        let end = format!("/{entity}>");
        let is_predicate = |subject: &&String| subject.starts_with(&namespace) && subject.ends_with(&end);
        let predicates: Vec<_> = self.triples.keys().filter(is_predicate).cloned().collect();
        for predicate in predicates {
            for node in self.objects(&predicate, |predicate, _| predicate == COMPLEMENT) {
                self.leave_all(&node);
            }
            self.leave_all(&predicate);
        }
    }

    fn leave_all(&mut self, subject: &str) {
        for rest in self.triples.get(subject).cloned().unwrap_or_default() {
            self.leave(subject, rest);
        }
    }

    fn leave(&mut self, subject: &str, rest: String) {
        self.left.entry(subject.to_owned()).or_default().insert(rest);
    }

    /// Puts a triple in; whether it was not there.
    fn insert(&mut self, subject: String, rest: String) -> bool {
        if let Some(left) = self.left.get_mut(&subject) {
            left.remove(&rest);
        }
        if let Some(entity) = rest.strip_prefix(ABOUT) {
            self.articles.entry(entity.trim_start().to_owned()).or_default().insert(subject.clone());
        }
        self.triples.entry(subject).or_default().insert(rest)
    }

    /// Takes a triple out; whether it was there.
    fn remove(&mut self, subject: &str, rest: &str) -> bool {
        if let Some(entity) = rest.strip_prefix(ABOUT)
            && let Some(articles) = self.articles.get_mut(entity.trim_start())
        {
            articles.remove(subject);
        }
        let Some(all) = self.triples.get_mut(subject) else { return false };
        let was_there = all.remove(rest);
        if all.is_empty() {
            self.triples.remove(subject);
        }
        was_there
    }

    fn remove_all(&mut self, subject: &str) {
        self.triples.remove(subject);
    }

    fn objects(&self, subject: &str, is_wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let pairs = self.triples.get(subject).into_iter().flatten().filter_map(|rest| rest.split_once(' '));
        pairs.filter(|(predicate, object)| is_wanted(predicate, object)).map(|(_, object)| object.to_owned()).collect()
    }

    /// An entity's IRI as N-Triples has it.
    pub fn iri(&self, entity: EntityId) -> String {
        format!("<{}{entity}>", self.scheme.concept())
    }

    /// Whether a subject is an entity, a part or a statement of one.
    fn is_own(&self, subject: &str) -> bool {
        is_below(subject, self.scheme.concept(), "")
    }

    fn is_statement(&self, term: &str) -> bool {
        is_below(term, self.scheme.concept(), "statement/")
    }

    fn is_shared(&self, term: &str) -> bool {
        ["reference/", "value/"].iter().any(|path| is_below(term, self.scheme.root(), path))
    }
}

fn is_below(term: &str, root: &str, path: &str) -> bool {
    term.strip_prefix('<').and_then(|iri| iri.strip_prefix(root)).is_some_and(|rest| rest.starts_with(path))
}

impl Mutation {
    fn begin(message: &Message<'_>) -> Self {
        Self {
            entity: message.entity,
            kind: message.kind,
            revision: message.revision,
            request: message.meta.request_id.as_deref().map(str::to_owned),
            next: 0,
            length: message.sequence_length,
            data: Data::default(),
        }
    }

    /// Takes the next message.
    fn take(&mut self, message: &Message<'_>) -> Result<(), String> {
        let Message { entity, revision, sequence, sequence_length: length, kind, data, meta, .. } = message;
        let is_same = (*entity, *kind, *revision, *length) == (self.entity, self.kind, self.revision, self.length)
            && meta.request_id.as_deref() == self.request.as_deref();
        if !is_same || *sequence != self.next {
            let Self { entity: wanted, next, length: of, .. } = self;
            return Err(format!(
                "message {next} of {of} about {wanted} was to come, not {sequence} of {length} about {entity}"
            ));
        }
        self.next += 1;
        *self.data.added.to_mut() += &data.added;
        *self.data.removed.to_mut() += &data.removed;
        *self.data.linked_shared.to_mut() += &data.linked_shared;
        *self.data.unlinked_shared.to_mut() += &data.unlinked_shared;
        Ok(())
    }
}

/// Triples in N-Triples, or in Turtle without prefixes.
pub fn pairs(text: &str) -> impl Iterator<Item = Result<Pair, String>> {
    TurtleParser::new().for_slice(text).map(|triple| {
        let triple = triple.map_err(|error| error.to_string())?;
        Ok((triple.subject.to_string(), format!("{} {}", triple.predicate, triple.object)))
    })
}

/// The same, each once.
fn read(text: &str) -> Result<Vec<Pair>, String> {
    let mut seen = HashSet::new();
    let is_new = |pair: &Result<Pair, String>| pair.as_ref().map_or(true, |pair| seen.insert(pair.clone()));
    pairs(text).filter(is_new).collect()
}

/// The articles of a part of a patch, by their wikis. Rule: upstream's `SiteLinksReclassification`.
fn sites(part: &[Pair]) -> Result<HashMap<String, String>, String> {
    let mut sites = HashMap::new();
    for (article, _) in part.iter().filter(|(_, rest)| rest == ARTICLE) {
        let of_article = part.iter().filter(|(subject, _)| subject == article);
        let site = of_article.filter_map(|(_, rest)| rest.strip_prefix(IS_PART_OF)).next();
        let site = site.ok_or_else(|| format!("{article} is of no wiki"))?;
        if let Some(other) = sites.insert(site.trim_start().to_owned(), article.clone()) {
            return Err(format!("{article} and {other} are of one wiki"));
        }
    }
    Ok(sites)
}

/// The lines of a munged dump, without its headers.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Sink for Lines {
    fn header(&mut self, _: &Triple<'_>) {}

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        entity.kept().for_each(|kept| ntriples::line(&mut self.0, &kept.triple, Encoding::Utf8));
    }

    fn bad(&mut self, bad: Bad) {
        panic!("a dump of the made-up wiki is good, but: {bad:?}");
    }
}
