//! A store in memory that does what SPARQL would do, and fails as it is told to.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use headwater::consume::batch::{Changes, Replaced};
use headwater::consume::position::{Position, Said, VALUES};
use headwater::consume::target::{Before, Target, TargetError, Update};
use headwater::consume::triples::Line;
use headwater::sparql::{Done, Graph, SparqlError};
use headwater::wikibase::entity::EntityId;
use headwater::wikibase::uris::UrisScheme;

const ABOUT: &str = "<http://schema.org/about>";
const PARTS: [&str; 2] =
    ["<http://www.w3.org/ns/lemon/ontolex#lexicalForm>", "<http://www.w3.org/ns/lemon/ontolex#sense>"];
const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf>";
const ON_PROPERTY: &str = "<http://www.w3.org/2002/07/owl#onProperty>";

/// What happens to an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but what should.
    None,
    /// It is not done; the store is busy.
    Busy,
    /// It is done, but the answer is lost.
    Unheard,
    /// It is not done, though the store says so.
    Lied,
    /// The consumer is killed before it is done.
    KilledBefore,
    /// The consumer is killed after it was done.
    KilledAfter,
    /// It is not done, and an older copy takes the store's place.
    PutBack,
    /// It is done and found to be; then an older copy takes the store's place.
    PutBackLater,
    /// It is done, and by another consumer, of that name, in the same moment, so that neither sees the other.
    Twice(&'static str),
    /// It is done; then the last one that was not, too.
    Late,
}

/// All that a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub lines: BTreeSet<String>,
    /// What it says of where it is.
    said: BTreeSet<String>,
}

/// A store that outlives who keeps it up to date.
#[derive(Clone, Debug)]
pub struct Memory {
    scheme: UrisScheme,
    pub held: Rc<RefCell<Held>>,
    copies: Rc<RefCell<Vec<Held>>>,
    faults: Rc<RefCell<VecDeque<Fault>>>,
    /// After how many more questions for the position an older copy takes its place.
    later: Rc<RefCell<Option<u32>>>,
    /// The last update that was not done.
    undone: Rc<RefCell<Option<Update>>>,
    /// A part of a triple that it does not take; the empty one is part of whatever it is told.
    pub refused: Option<&'static str>,
}

impl Memory {
    /// One that holds these lines, and to which these things happen.
    pub fn new(scheme: &UrisScheme, lines: impl IntoIterator<Item = String>, faults: &[Fault]) -> Self {
        let held = Held { lines: lines.into_iter().collect(), said: BTreeSet::new() };
        Self {
            scheme: scheme.clone(),
            held: Rc::new(RefCell::new(held)),
            copies: Rc::default(),
            faults: Rc::new(RefCell::new(faults.iter().copied().collect())),
            later: Rc::default(),
            undone: Rc::default(),
            refused: None,
        }
    }

    /// What it held when half of all updates were done.
    pub fn copy(&self) -> Held {
        let copies = self.copies.borrow();
        copies.get(copies.len() / 2).cloned().unwrap_or_else(|| self.held.borrow().clone())
    }

    fn put_back(&self) {
        let copy = self.copy();
        *self.held.borrow_mut() = copy;
    }
}

fn refusal(status: u16) -> TargetError {
    let (url, said) = ("memory".to_owned(), String::new());
    match status {
        503 => SparqlError::Busy { url, status, said, asked: None }.into(),
        _ => SparqlError::Refused { url, status, said }.into(),
    }
}

impl Target for Memory {
    fn position(&mut self) -> Result<Said, TargetError> {
        let later = self.later.borrow_mut().take();
        match later {
            Some(0) => self.put_back(),
            Some(more) => *self.later.borrow_mut() = Some(more - 1),
            None => {}
        }
        Ok(self.held.borrow().says())
    }

    fn absent(&mut self, entities: &BTreeSet<EntityId>) -> Result<Vec<EntityId>, TargetError> {
        let held = self.held.borrow();
        let is_absent = |entity: &&EntityId| held.of(&format!("<{}{entity}>", self.scheme.concept())).is_empty();
        Ok(entities.iter().filter(is_absent).copied().collect())
    }

    fn held(&mut self, triples: &[&Line]) -> Result<Option<usize>, TargetError> {
        assert!(!triples.is_empty(), "nothing is asked about nothing");
        let held = self.held.borrow();
        Ok(Some(triples.iter().filter(|line| held.lines.contains(&****line)).count()))
    }

    fn apply(&mut self, update: &Update) -> Result<Done, TargetError> {
        let is_refused = |line: &Line| self.refused.is_some_and(|part| line.contains(part));
        let replaced = update.changes.replaced.iter().flat_map(|replaced| &replaced.added);
        let mut triples = update.changes.added.iter().chain(&update.changes.removed).chain(replaced);
        if self.refused == Some("") || triples.any(is_refused) {
            return Err(refusal(400));
        }
        let fault = self.faults.borrow_mut().pop_front().unwrap_or(Fault::None);
        if fault == Fault::PutBackLater {
            *self.later.borrow_mut() = Some(1);
        }
        let is_undone = matches!(fault, Fault::Busy | Fault::Lied | Fault::KilledBefore | Fault::PutBack);
        if is_undone {
            *self.undone.borrow_mut() = Some(update.clone());
        } else {
            self.copies.borrow_mut().push(self.held.borrow().clone());
            let mut held = self.held.borrow_mut();
            held.update(&self.scheme, update);
            if let Fault::Twice(name) = fault {
                let position = Position { by: [name.to_owned()].into(), ..update.position.clone() };
                held.said.extend(position.triples());
            }
            if let (Fault::Late, Some(undone)) = (fault, self.undone.borrow_mut().take()) {
                held.update(&self.scheme, &undone);
            }
        }
        match fault {
            Fault::None | Fault::Lied | Fault::PutBackLater | Fault::Twice(_) | Fault::Late => Ok(Done::default()),
            Fault::Busy | Fault::Unheard => Err(refusal(503)),
            Fault::KilledBefore | Fault::KilledAfter => Err(refusal(401)),
            Fault::PutBack => {
                self.put_back();
                Err(refusal(503))
            }
        }
    }
}

impl Held {
    /// Where it says it is.
    pub fn says(&self) -> Said {
        let text: String = self.said.iter().map(|line| format!("{line}\n")).collect();
        Said::read(&Graph::read(text.as_bytes()).unwrap()).unwrap()
    }

    fn update(&mut self, scheme: &UrisScheme, update: &Update) {
        self.apply(scheme, &update.changes);
        match &update.before {
            Before::Lines(lines) => lines.iter().for_each(|line| _ = self.said.remove(line)),
            Before::Garbage => self.said.clear(),
        }
        self.said.retain(|line| !VALUES.iter().any(|value| line.contains(value)));
        self.said.extend(update.position.triples());
    }

    /// As the update's SPARQL does it, in its order.
    fn apply(&mut self, scheme: &UrisScheme, changes: &Changes) {
        changes.removed.iter().for_each(|line| _ = self.lines.remove(&**line));
        self.clear(&changes.cleared);
        self.lines.extend(changes.added.iter().map(ToString::to_string));
        changes.swept.iter().for_each(|article| self.sweep(article));
        for Replaced { entity, cleared, added } in &changes.replaced {
            self.delete(scheme, *entity);
            self.clear(cleared);
            self.lines.extend(added.iter().map(ToString::to_string));
        }
    }

    fn of(&self, subject: &str) -> Vec<String> {
        let from = format!("{subject} ");
        let all = self.lines.range(from.clone()..).take_while(|line| line.starts_with(&from));
        all.cloned().collect()
    }

    fn remove_all(&mut self, subject: &str) {
        self.of(subject).iter().for_each(|line| _ = self.lines.remove(line));
    }

    fn clear(&mut self, articles: &[Line]) {
        for article in articles {
            let about = format!("{article} {ABOUT} ");
            self.of(article)
                .iter()
                .filter(|line| !line.starts_with(&about))
                .for_each(|line| _ = self.lines.remove(line));
        }
    }

    fn sweep(&mut self, article: &str) {
        let about = format!("{article} {ABOUT} ");
        if !self.of(article).iter().any(|line| line.starts_with(&about)) {
            self.remove_all(article);
        }
    }

    fn objects(&self, subject: &str, is_wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let lines = self.of(subject);
        let terms = lines.iter().map(|line| {
            let mut terms = line.splitn(3, ' ').skip(1);
            (terms.next().unwrap(), terms.next().unwrap().trim_end_matches(" ."))
        });
        terms.filter(|(predicate, object)| is_wanted(predicate, object)).map(|(_, object)| object.to_owned()).collect()
    }

    fn delete(&mut self, scheme: &UrisScheme, id: EntityId) {
        let entity = format!("<{}{id}>", scheme.concept());
        let statements = format!("<{}statement/", scheme.concept());
        let is_statement = |_: &str, object: &str| object.starts_with(&statements);
        let mut nodes = self.objects(&entity, is_statement);
        for part in self.objects(&entity, |predicate, _| PARTS.contains(&predicate)) {
            nodes.extend(self.objects(&part, is_statement));
            nodes.push(part);
        }
        let root = scheme.property_root();
        let class = format!("<{root}prop/novalue/{id}>");
        for node in self.objects(&class, |predicate, _| predicate == COMPLEMENT) {
            self.lines.remove(&format!("{node} {ON_PROPERTY} <{root}prop/direct/{id}> ."));
            let is_complement = format!(" {COMPLEMENT} {node} .");
            if !self.lines.iter().any(|line| line.ends_with(&is_complement) && !line.starts_with(&class)) {
                nodes.push(node);
            }
        }
        let predicates = format!("<{root}prop/");
        let of_property = format!("/{id}>");
        let subjects: BTreeSet<_> = self.lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let is_predicate = |subject: &&&str| subject.starts_with(&predicates) && subject.ends_with(&of_property);
        nodes.extend(subjects.iter().filter(is_predicate).map(|subject| (*subject).to_owned()));
        nodes.push(entity.clone());
        let about = format!(" {ABOUT} {entity} .");
        let articles: Vec<_> = self.lines.iter().filter(|line| line.ends_with(&about)).cloned().collect();
        for line in &articles {
            self.lines.remove(line);
            self.sweep(line.split(' ').next().unwrap());
        }
        nodes.iter().for_each(|node| self.remove_all(node));
    }
}
