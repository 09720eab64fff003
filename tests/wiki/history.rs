//! What happened in the wiki, one change after the other, and what there is at any time.
//!
//! Promise: a seed gives a history; every change has all that an event of it tells. What a Wikibase keeps to is kept: revisions and
//! page ids grow over the whole wiki, a page of another wiki belongs to one item at a time, what is deleted is not edited.
//! In -> out: [`Shape`], seed -> [`History::step`] by step -> [`Change`]s, and documents of what is there.
//! Not here: how pages are written (see `turtle`), what is told of changes (see `events`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use headwater::wikibase::entity::{EntityId, EntityKind};

use crate::wiki::content::{Content, Entity, Own, Sitelink, WIKIS};
use crate::wiki::edit::Size;
use crate::wiki::random::Random;
use crate::wiki::turtle::{Document, Flavour, Shown};

/// What kind of history it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The wiki.
    pub flavour: Flavour,
    /// How large entities are.
    pub size: Size,
    /// When it begins, in milliseconds since 1970.
    pub start: i64,
    /// The mean time between two steps, in milliseconds.
    pub pace: u64,
    /// About how many pages there are to be; then pages are no longer made, but changed.
    pub pages: usize,
}

impl Default for Shape {
    /// A small Wikidata with an edit every two seconds, from the first of January 2026 on.
    fn default() -> Self {
        Self { flavour: Flavour::Wikidata, size: Size::SMALL, start: 1_767_225_600_000, pace: 2_000, pages: usize::MAX }
    }
}

/// A change of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub entity: EntityId,
    /// What was done.
    pub kind: Kind,
    /// The revision it made; where it made none, the page's newest.
    pub revision: u64,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// What was asked for; one request may change several pages.
    pub request: u128,
}

/// What was done to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was made.
    Create,
    /// It got a new revision.
    Edit,
    /// It got another title where titles can change (files), and a new revision that says the same.
    Move,
    /// It was deleted.
    Delete {
        /// So that nobody sees what it was.
        is_suppressed: bool,
    },
    /// It was restored with all its revisions.
    Undelete,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its id.
    pub id: u64,
    /// Its revisions; never empty.
    pub revisions: Vec<PageRevision>,
    /// When it came to be there or was gone, by turns.
    turns: Vec<i64>,
}

/// A revision of a page.
#[derive(Clone, Debug)]
pub struct PageRevision {
    /// Its number.
    pub number: u64,
    /// The one before it.
    pub parent: Option<u64>,
    /// When it was made, in milliseconds since 1970.
    pub time: i64,
    /// What it says.
    pub content: Arc<Content>,
    /// The revision that first said so.
    pub origin: u64,
    /// How often the page was moved up to it.
    pub moves: u32,
}

/// A page of another wiki that was taken from an item and is to go to another one.
#[derive(Clone, Copy, Debug)]
struct Loose {
    link: Sitelink,
    due: i64,
}

/// What happened in a wiki.
#[derive(Clone, Debug)]
pub struct History {
    /// What kind it is.
    pub shape: Shape,
    /// The present, in milliseconds since 1970.
    pub now: i64,
    /// All that happened, in order.
    pub changes: Vec<Change>,
    pages: BTreeMap<EntityId, Page>,
    ids: Vec<EntityId>,
    last_revision: u64,
    last_page: u64,
    last_title: u32,
    loose: Vec<Loose>,
}

impl Page {
    /// Whether it is there at that time.
    pub fn is_there(&self, at: i64) -> bool {
        self.turns.iter().filter(|turn| **turn <= at).count() % 2 == 1
    }

    /// When it was last deleted or restored up to that time, if it ever was.
    pub fn turned(&self, at: i64) -> Option<i64> {
        // First it was made.
        self.turns.iter().skip(1).filter(|turn| **turn <= at).max().copied()
    }

    /// Its newest revision at that time, whether it is there or not.
    pub fn newest(&self, at: i64) -> Option<&PageRevision> {
        self.revisions[..self.revisions.partition_point(|revision| revision.time <= at)].last()
    }

    /// The revision of that number.
    pub fn revision(&self, number: u64) -> Option<&PageRevision> {
        self.revisions.binary_search_by_key(&number, |revision| revision.number).ok().map(|at| &self.revisions[at])
    }

    fn last(&self) -> &PageRevision {
        self.revisions.last().expect("a page has a revision")
    }
}

impl History {
    /// One in which nothing happened yet.
    pub const fn new(shape: Shape) -> Self {
        Self {
            shape,
            now: shape.start,
            changes: Vec::new(),
            pages: BTreeMap::new(),
            ids: Vec::new(),
            last_revision: 2_300_000_000,
            last_page: 130_000_000,
            last_title: 0,
            loose: Vec::new(),
        }
    }

    /// A small Wikidata after so many steps.
    pub fn random(seed: u64, steps: usize) -> Self {
        Self::shaped(Shape::default(), seed, steps)
    }

    /// A wiki of that shape after so many steps.
    pub fn shaped(shape: Shape, seed: u64, steps: usize) -> Self {
        let (mut history, mut random) = (Self::new(shape), Random::new(seed));
        for _ in 0..steps {
            history.step(&mut random);
        }
        history
    }

    /// Lets time go on and something happen: the numbers of the changes.
    pub fn step(&mut self, random: &mut Random) -> Range<usize> {
        let before = self.changes.len();
        // Times may be equal where pages differ; seldom nothing happens for some minutes.
        self.now += random.up_to(2 * self.shape.pace) as i64 + if random.chance(5) { 400_000 } else { 0 };
        while self.changes.len() == before {
            let request = random.wide();
            match random.below(100) {
                _ if self.has_due() => self.give(request, random),
                0..12 => self.create(request, random),
                12..17 => self.take(request, random),
                17..20 => self.move_page(request, random),
                20..25 => self.delete(request, random),
                25..30 => self.undelete(request, random),
                30..34 => self.merge(request, random),
                34 => self.part(request, random),
                35..42 => self.edit_sitelinks(request, random),
                _ => self.edit(request, random),
            }
        }
        before..self.changes.len()
    }

    /// The pages, by entity.
    pub fn pages(&self) -> impl Iterator<Item = (EntityId, &Page)> {
        self.pages.iter().map(|(entity, page)| (*entity, page))
    }

    /// The page of an entity.
    pub fn page(&self, entity: EntityId) -> Option<&Page> {
        self.pages.get(&entity)
    }

    /// The entities that are there at that time, each at its newest revision.
    pub fn entities(&self, at: i64) -> impl Iterator<Item = (EntityId, &PageRevision)> {
        let there = self.pages().filter(move |(_, page)| page.is_there(at));
        there.filter_map(move |(entity, page)| page.newest(at).map(|revision| (entity, revision)))
    }

    /// What `Special:EntityData` says of an entity at a revision, in the end: nothing of what is deleted.
    pub fn document(&self, entity: EntityId, revision: u64) -> Option<String> {
        self.document_at(entity, revision, i64::MAX)
    }

    /// The same at some time: what was not there yet, or no longer, is not found.
    pub fn document_at(&self, entity: EntityId, revision: u64, at: i64) -> Option<String> {
        let page = self.page(entity).filter(|page| page.is_there(at))?;
        let revision = page.revision(revision).filter(|revision| revision.time <= at)?;
        Some(Document::of(self.shape.flavour, revision.shown(entity)))
    }

    fn has_due(&self) -> bool {
        self.loose.first().is_some_and(|loose| loose.due <= self.now)
    }

    /// Some entity for which the question is answered with yes.
    fn some(&self, random: &mut Random, is_fit: impl Fn(&Page) -> bool) -> Option<EntityId> {
        const TRIES: usize = 50;
        let mut ids = (0..TRIES).filter_map(|_| random.pick(&self.ids).copied());
        ids.find(|entity| is_fit(&self.pages[entity]))
    }

    fn some_entity(&self, random: &mut Random) -> Option<EntityId> {
        self.some(random, |page| page.is_there(i64::MAX) && page.last().content.entity().is_some())
    }

    fn some_item(&self, random: &mut Random, is_fit: impl Fn(&Entity) -> bool) -> Option<EntityId> {
        let is_item = |entity: &Entity| matches!(entity.own, Own::Item(_)) && is_fit(entity);
        self.some(random, |page| page.is_there(i64::MAX) && page.last().content.entity().is_some_and(is_item))
    }

    fn content(&self, entity: EntityId) -> &Arc<Content> {
        &self.pages[&entity].last().content
    }

    /// A copy of an entity that is no redirect, to be changed.
    fn copy(&self, entity: EntityId) -> Entity {
        self.content(entity).entity().expect("it is no redirect").clone()
    }

    fn create(&mut self, request: u128, random: &mut Random) {
        if self.ids.len() >= self.shape.pages {
            return;
        }
        let kind = match (self.shape.flavour, random.below(10)) {
            (Flavour::Commons, _) => EntityKind::MediaInfo,
            (_, 0) => EntityKind::Property,
            (_, 1 | 2) => EntityKind::Lexeme,
            _ => EntityKind::Item,
        };
        self.last_page += 1 + random.below(3);
        let number = match kind {
            EntityKind::MediaInfo => self.last_page,
            _ => 1 + self.ids.iter().filter(|entity| entity.kind() == kind).count() as u64,
        };
        let entity = EntityId::new(kind, number as u32).expect("there are not so many");
        let mut content = Entity::new(kind, self.shape.size, random);
        if content.sitelinks_mut().is_some() && random.chance(500) {
            self.add_sitelink(&mut content, random);
        }
        self.ids.push(entity);
        let page = Page { id: self.last_page, revisions: Vec::new(), turns: vec![self.now] };
        self.pages.insert(entity, page);
        self.write(entity, Kind::Create, Content::Entity(content).into(), request);
    }

    fn edit(&mut self, request: u128, random: &mut Random) {
        if let Some(entity) = self.some_entity(random) {
            let mut content = self.copy(entity);
            content.edit(random);
            self.write(entity, Kind::Edit, Content::Entity(content).into(), request);
        }
    }

    fn edit_sitelinks(&mut self, request: u128, random: &mut Random) {
        let Some(item) = self.some_item(random, |_| true) else { return };
        let mut content = self.copy(item);
        let links = content.sitelinks_mut().expect("items have them");
        match (random.below(5), random.place(links.len())) {
            (0, Some(at)) => drop(links.remove(at)),
            (1, Some(at)) => links[at].badge = !links[at].badge,
            (2, Some(at)) => links[at].title = self.new_title(),
            _ => self.add_sitelink(&mut content, random),
        }
        if self.content(item).entity() != Some(&content) {
            self.write(item, Kind::Edit, Content::Entity(content).into(), request);
        }
    }

    /// A page of some wiki in which there is none yet.
    fn add_sitelink(&mut self, content: &mut Entity, random: &mut Random) {
        let wiki = random.below(WIKIS.len() as u64) as usize;
        if content.sitelink(wiki).is_none() {
            let link = Sitelink { wiki, title: self.new_title(), badge: random.chance(200) };
            content.sitelinks_mut().expect("items have them").push(link);
        }
    }

    fn new_title(&mut self) -> u32 {
        self.last_title += 1;
        self.last_title
    }

    /// Takes a page of another wiki from an item, by an edit or with all of the item. It goes to another item at once, or minutes
    /// later.
    fn take(&mut self, request: u128, random: &mut Random) {
        let Some(item) = self.some_item(random, |entity| matches!(&entity.own, Own::Item(links) if !links.is_empty()))
        else {
            return;
        };
        let mut content = self.copy(item);
        let links = content.sitelinks_mut().expect("items have them");
        let mut link = links.remove(random.below(links.len() as u64) as usize);
        if random.chance(300) {
            self.end(item, Kind::Delete { is_suppressed: false }, request);
        } else {
            // An item may get another page of that wiki in the same edit.
            if random.chance(300) {
                let title = self.new_title();
                content.sitelinks_mut().expect("items have them").push(Sitelink { title, ..link });
            }
            self.write(item, Kind::Edit, Content::Entity(content).into(), request);
        }
        link.badge ^= random.chance(100);
        let wait = if random.chance(500) { random.below(50) } else { 30_000 + random.below(270_000) };
        self.loose.push(Loose { link, due: self.now + wait as i64 });
        self.loose.sort_by_key(|loose| loose.due);
        if wait < 50 {
            self.now += wait as i64;
            self.give(random.wide(), random);
        }
    }

    /// Gives the page whose time has come to an item that has none in that wiki.
    fn give(&mut self, request: u128, random: &mut Random) {
        let Loose { link, .. } = self.loose.remove(0);
        let Some(item) = self.some_item(random, |entity| entity.sitelink(link.wiki).is_none()) else { return };
        let mut content = self.copy(item);
        content.sitelinks_mut().expect("items have them").push(link);
        self.write(item, Kind::Edit, Content::Entity(content).into(), request);
    }

    fn move_page(&mut self, request: u128, random: &mut Random) {
        if let Some(entity) = self.some_entity(random) {
            self.write(entity, Kind::Move, self.content(entity).clone(), request);
        }
    }

    fn delete(&mut self, request: u128, random: &mut Random) {
        if let Some(entity) = self.some(random, |page| page.is_there(i64::MAX)) {
            self.end(entity, Kind::Delete { is_suppressed: random.chance(200) }, request);
        }
    }

    fn undelete(&mut self, request: u128, random: &mut Random) {
        if let Some(entity) = self.some(random, |page| !page.is_there(i64::MAX))
            && self.is_free(self.content(entity))
        {
            self.end(entity, Kind::Undelete, request);
        }
    }

    /// Merges an item into another one: all in one request, both and at last the redirect.
    fn merge(&mut self, request: u128, random: &mut Random) {
        let (Some(from), Some(to)) = (self.some_item(random, |_| true), self.some_item(random, |_| true)) else {
            return;
        };
        if from == to {
            return;
        }
        let (mut emptied, mut filled) = (self.copy(from), self.copy(to));
        let links = std::mem::take(emptied.sitelinks_mut().expect("items have them"));
        let gone: Vec<_> = links.into_iter().filter(|link| filled.sitelink(link.wiki).is_none()).collect();
        filled.sitelinks_mut().expect("items have them").extend(gone);
        for mut statement in emptied.statements.drain(..) {
            statement.node = random.wide();
            filled.statements.push(statement);
        }
        filled.statements.sort_by_key(|statement| statement.property);
        self.write(from, Kind::Edit, Content::Entity(emptied).into(), request);
        self.now += random.below(40) as i64;
        if self.content(to).entity() != Some(&filled) {
            self.write(to, Kind::Edit, Content::Entity(filled).into(), request);
        }
        self.now += 1 + random.below(40) as i64;
        self.write(from, Kind::Edit, Content::Redirect(to).into(), request);
    }

    /// Makes a redirect what it was before.
    fn part(&mut self, request: u128, random: &mut Random) {
        let is_redirect = |page: &Page| page.is_there(i64::MAX) && page.last().content.redirect().is_some();
        if let Some(entity) = self.some(random, is_redirect) {
            let revisions = &self.pages[&entity].revisions;
            let before = revisions.iter().rev().find(|revision| revision.content.entity().is_some());
            let content = before.expect("it was an entity").content.clone();
            if self.is_free(&content) {
                self.write(entity, Kind::Edit, content, request);
            }
        }
    }

    /// Whether no item has the pages of this one, and none is to get them.
    fn is_free(&self, content: &Content) -> bool {
        let has = |link: &Sitelink, others: &[Sitelink]| others.iter().any(|other| other.title == link.title);
        let is_taken = |link: &Sitelink| {
            let is_there = |page: &&Page| page.is_there(i64::MAX);
            self.loose.iter().any(|loose| loose.link.title == link.title)
                || self.pages.values().filter(is_there).any(|page| has(link, page.last().content.sitelinks()))
        };
        !content.sitelinks().iter().any(is_taken)
    }

    /// Writes a new revision of a page.
    fn write(&mut self, entity: EntityId, kind: Kind, content: Arc<Content>, request: u128) {
        self.last_revision += 1;
        let number = self.last_revision;
        let page = self.pages.get_mut(&entity).expect("it has a page");
        let last = page.revisions.last();
        // The order of a page's changes is that of their times.
        self.now += i64::from(last.is_some_and(|last| last.time == self.now) || page.turns.last() == Some(&self.now))
            * i64::from(kind != Kind::Create);
        let origin = last.filter(|last| last.content == content).map_or(number, |last| last.origin);
        let moves = last.map_or(0, |last| last.moves) + u32::from(kind == Kind::Move);
        let parent = last.map(|last| last.number);
        page.revisions.push(PageRevision { number, parent, time: self.now, content, origin, moves });
        self.changes.push(Change { entity, kind, revision: number, time: self.now, request });
    }

    /// Takes a page away, or back.
    fn end(&mut self, entity: EntityId, kind: Kind, request: u128) {
        let page = self.pages.get_mut(&entity).expect("it has a page");
        self.now += i64::from(page.last().time == self.now || page.turns.last() == Some(&self.now));
        page.turns.push(self.now);
        let revision = page.last().number;
        self.changes.push(Change { entity, kind, revision, time: self.now, request });
    }
}

impl PageRevision {
    /// As it is written.
    pub fn shown(&self, entity: EntityId) -> Shown<'_> {
        Shown { id: entity, revision: self.number, time: self.time, content: &self.content }
    }
}
