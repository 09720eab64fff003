//! How content comes to be and changes.
//!
//! Promise: an edit changes something, and leaves what a Wikibase would take.

use headwater::wikibase::entity::EntityKind;

use crate::wiki::content::{
    Datatype, Entity, Form, LANGUAGES, Lexeme, Own, PROPERTIES, Rank, Reference, Sense, Sitelink, Statement, Term,
    Value,
};
use crate::wiki::random::Random;

/// Words that terms are made of; some are there to be stumbled over.
const WORDS: [&str; 12] = [
    "spring",
    "Quelle",
    "源",
    "источник",
    "چشمه\u{200c}ها",
    "the \"old\" well",
    "C:\\wells\\7",
    "line\none",
    "tab\tbed",
    "🌊🏞",
    "soft\u{ad}en",
    "<b>mill</b> & 'race'",
];

/// From how many values of a kind one is picked, and from how many references.
const VALUES: u64 = 24;
const REFERENCES: u64 = 40;

/// How large entities are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The most terms of a kind.
    pub terms: u64,
    /// The fewest and the most statements.
    pub statements: (u64, u64),
}

impl Size {
    /// A few triples, so that many histories can be tried.
    pub const SMALL: Self = Self { terms: 3, statements: (0, 6) };
    /// About 20 KB of Turtle, as a typical item of Wikidata.
    pub const TYPICAL: Self = Self { terms: 8, statements: (24, 34) };
}

impl Entity {
    /// A new entity of that kind.
    pub fn new(kind: EntityKind, size: Size, random: &mut Random) -> Self {
        let own = match kind {
            EntityKind::Item => Own::Item(Vec::new()),
            EntityKind::Property => Own::Property(PROPERTIES[random.below(PROPERTIES.len() as u64) as usize].1),
            EntityKind::Lexeme => Own::Lexeme(Lexeme::new(random)),
            EntityKind::MediaInfo => Own::MediaInfo(1000 + random.below(9_000_000)),
        };
        let mut terms = |most| (0..random.up_to(most)).map(|_| Term::new(random)).collect::<Vec<_>>();
        let has_terms = kind != EntityKind::Lexeme;
        let mut labels = if has_terms { terms(size.terms) } else { Vec::new() };
        let has_terms = has_terms && kind != EntityKind::MediaInfo;
        let mut descriptions = if has_terms { terms(size.terms) } else { Vec::new() };
        let aliases = if has_terms { terms(size.terms) } else { Vec::new() };
        one_a_language(&mut labels);
        one_a_language(&mut descriptions);
        let (fewest, most) = size.statements;
        let mut statements: Vec<_> =
            (0..fewest + random.up_to(most - fewest)).map(|_| Statement::new(random)).collect();
        statements.sort_by_key(|statement| statement.property);
        Self { labels, descriptions, aliases, statements, own }
    }

    /// Changes something, but no page in another wiki; for these see `history`.
    pub fn edit(&mut self, random: &mut Random) {
        let before = self.clone();
        while *self == before {
            match random.below(8) {
                0 | 1 => self.edit_terms(random),
                2 if self.edit_own(random) => {}
                _ => edit_statements(&mut self.statements, random),
            }
        }
    }

    fn edit_terms(&mut self, random: &mut Random) {
        let terms = match (&self.own, random.below(3)) {
            (Own::Lexeme(_), _) => return,
            (Own::MediaInfo(_), _) | (_, 0) => &mut self.labels,
            (_, 1) => &mut self.descriptions,
            _ => &mut self.aliases,
        };
        edit_terms(terms, random);
        one_a_language(&mut self.labels);
        one_a_language(&mut self.descriptions);
    }

    fn edit_own(&mut self, random: &mut Random) -> bool {
        match &mut self.own {
            Own::Lexeme(lexeme) => lexeme.edit(random),
            Own::MediaInfo(size) => *size += 1 + random.below(1000),
            Own::Item(_) | Own::Property(_) => return false,
        }
        true
    }

    /// The page in that wiki.
    pub fn sitelink(&self, wiki: usize) -> Option<Sitelink> {
        match &self.own {
            Own::Item(sitelinks) => sitelinks.iter().find(|link| link.wiki == wiki).copied(),
            _ => None,
        }
    }

    /// The pages in other wikis, if entities of its kind have such.
    pub fn sitelinks_mut(&mut self) -> Option<&mut Vec<Sitelink>> {
        match &mut self.own {
            Own::Item(sitelinks) => Some(sitelinks),
            _ => None,
        }
    }
}

/// Puts in, takes out or rewrites a term.
fn edit_terms(terms: &mut Vec<Term>, random: &mut Random) {
    match (random.below(3), random.place(terms.len())) {
        (0, Some(at)) => drop(terms.remove(at)),
        (1, Some(at)) => terms[at].text = text(random),
        _ => {
            let term = Term::new(random);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
    }
}

/// Keeps the first text of each language.
fn one_a_language(terms: &mut Vec<Term>) {
    let mut seen = Vec::new();
    terms.retain(|term| {
        let is_new = !seen.contains(&term.language);
        seen.push(term.language);
        is_new
    });
}

fn edit_statements(statements: &mut Vec<Statement>, random: &mut Random) {
    match (random.below(5), random.place(statements.len())) {
        (0, Some(at)) => drop(statements.remove(at)),
        (1..4, Some(at)) => statements[at].edit(random),
        _ => {
            let statement = Statement::new(random);
            let end = statements.partition_point(|other| other.property <= statement.property);
            statements.insert(end, statement);
        }
    }
}

impl Term {
    /// Some term.
    pub fn new(random: &mut Random) -> Self {
        let language = LANGUAGES[random.below(LANGUAGES.len() as u64) as usize];
        Self { language, text: text(random) }
    }
}

fn text(random: &mut Random) -> String {
    let word = WORDS[random.below(WORDS.len() as u64) as usize];
    format!("{word} {}", random.below(1000))
}

impl Value {
    /// Some value of a property.
    pub fn new(datatype: Datatype, random: &mut Random) -> Self {
        match random.below(40) {
            0 => Self::Unknown,
            1 => Self::None,
            _ => datatype.value(random.below(VALUES) as u32),
        }
    }
}

impl Reference {
    /// Some reference.
    pub fn new(random: &mut Random) -> Self {
        Self(random.below(REFERENCES) as u32)
    }
}

impl Statement {
    /// Some statement.
    pub fn new(random: &mut Random) -> Self {
        let (property, datatype) = PROPERTIES[random.below(PROPERTIES.len() as u64) as usize];
        let mut statement = Self {
            node: random.wide(),
            property,
            value: Value::new(datatype, random),
            rank: Rank::Normal,
            qualifiers: Vec::new(),
            references: Vec::new(),
        };
        while random.chance(400) {
            statement.decorate(random);
        }
        statement
    }

    /// Adds a reference or a qualifier, unless it is there.
    fn decorate(&mut self, random: &mut Random) {
        if random.chance(600) {
            let reference = Reference::new(random);
            if !self.references.contains(&reference) {
                self.references.push(reference);
            }
        } else {
            let (property, datatype) = PROPERTIES[random.below(PROPERTIES.len() as u64) as usize];
            if self.qualifiers.iter().all(|(other, _)| *other != property) {
                self.qualifiers.push((property, Value::new(datatype, random)));
            }
        }
    }

    fn edit(&mut self, random: &mut Random) {
        match random.below(6) {
            0 => {
                let of_property = PROPERTIES.iter().find(|(property, _)| *property == self.property);
                self.value = Value::new(of_property.expect("it is one of them").1, random);
            }
            1 => {
                let ranks = [Rank::Preferred, Rank::Normal, Rank::Deprecated];
                self.rank = ranks[random.below(3) as usize];
            }
            2 => drop(random.place(self.references.len()).map(|at| self.references.remove(at))),
            3 => drop(random.place(self.qualifiers.len()).map(|at| self.qualifiers.remove(at))),
            _ => self.decorate(random),
        }
    }
}

impl Lexeme {
    fn new(random: &mut Random) -> Self {
        let mut lexeme = Self {
            lemma: Term::new(random),
            language: 1860 + random.below(4) as u32,
            category: 1084 + random.below(4) as u32,
            forms: Vec::new(),
            senses: Vec::new(),
            next: 1,
        };
        for _ in 0..random.below(4) {
            lexeme.add(random);
        }
        lexeme
    }

    /// Adds a form or a sense.
    fn add(&mut self, random: &mut Random) {
        let number = self.next;
        self.next += 1;
        let terms = vec![Term::new(random)];
        let statements: Vec<_> = (0..random.below(3)).map(|_| Statement::new(random)).collect();
        if random.chance(600) {
            let features = (0..random.below(3)).map(|at| 110_786 + 7 * at as u32).collect();
            self.forms.push(Form { number, representations: terms, features, statements });
        } else {
            self.senses.push(Sense { number, glosses: terms, statements });
        }
    }

    fn edit(&mut self, random: &mut Random) {
        let (form, sense) = (random.place(self.forms.len()), random.place(self.senses.len()));
        match (random.below(9), form, sense) {
            (0, Some(at), _) => drop(self.forms.remove(at)),
            (1, _, Some(at)) => drop(self.senses.remove(at)),
            (2, Some(at), _) => edit_statements(&mut self.forms[at].statements, random),
            (3, _, Some(at)) => edit_statements(&mut self.senses[at].statements, random),
            (4, Some(at), _) => self.forms[at].representations = vec![Term::new(random)],
            (5, _, Some(at)) => edit_terms(&mut self.senses[at].glosses, random),
            (6, ..) => self.lemma = Term::new(random),
            (7, Some(at), _) => self.forms[at].features = vec![110_786 + random.below(20) as u32],
            _ => self.add(random),
        }
    }
}
