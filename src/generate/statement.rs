//! Statements and references.
//!
//! Promise: a statement is made once and then written twice, as the simple claim and as the node.
//! Invariant: a reference has the same name wherever the same thing is meant, as hashes do.

use crate::generate::document::Document;
use crate::generate::random::{Random, mix};
use crate::generate::shapes::{IdShape, REFERENCED, Range, Slot};
use crate::generate::value::{Value, recent_day, wide, write_page, write_title};

/// A statement about an entity.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The property.
    pub property: u32,
    /// The value.
    pub value: Value,
    node: u128,
    rank: &'static str,
    ordinal: Option<u32>,
    qualifier: Option<(u32, Value)>,
    references: [Option<Reference>; 2],
}

/// Where a statement is said to come from.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// Imported from a Wikimedia project.
    Imported(u32),
    /// Stated in a work, under an identifier, seen on a day.
    Stated { work: u32, id: u64, day: u32 },
    /// A web page, seen on a day.
    Page { page: u64, day: u32 },
}

/// What the statements of an entity refer to, and what they have in common with those of its neighbours.
#[derive(Clone, Copy, Debug)]
pub struct Sources {
    references: [Reference; 3],
    common: u64,
}

impl Sources {
    /// Sources of which the second is the entity's own and the others are also those of its neighbours.
    pub fn new(habits: &mut Random, random: &mut Random) -> Self {
        let references = [Reference::new(habits), Reference::new(random), Reference::new(habits)];
        Self { references, common: habits.word() }
    }

    /// The numbers that decide on a statement: mostly the same for neighbours.
    fn deciding(&self, property: u32, random: &mut Random) -> Random {
        let seed = if random.chance(720) { self.common } else { random.word() };
        Random::new(seed, property.into())
    }
}

impl Reference {
    /// Some reference.
    pub fn new(random: &mut Random) -> Self {
        let day = random.skewed(3_000);
        match random.below(8) {
            0..4 => Self::Imported(random.skewed(200)),
            4..7 => Self::Stated { work: random.skewed(400), id: random.word(), day },
            _ => Self::Page { page: random.word(), day },
        }
    }

    /// What names the node.
    pub fn hash(self) -> u128 {
        let word = match self {
            Self::Imported(project) => project.into(),
            Self::Stated { work, id, day } => mix(id ^ 1) ^ mix(u64::from(work)) ^ u64::from(day),
            Self::Page { page, day } => mix(page ^ 2) ^ u64::from(day),
        };
        wide(mix(word))
    }
}

/// Makes the statements that a thing with `slots` has.
pub fn fill(slots: &[Slot], sources: &Sources, random: &mut Random, statements: &mut Vec<Statement>) {
    for slot in slots {
        let mut deciding = sources.deciding(slot.property, random);
        if !deciding.chance(slot.chance) {
            continue;
        }
        for ordinal in 0..=deciding.below(slot.most) {
            let shared = matches!(slot.range, Range::Items { .. } | Range::Days { .. } | Range::Amount { .. });
            let value = Value::new(slot.range, if shared { &mut deciding } else { random });
            let mut statement = Statement::new(slot.property, value, sources, random);
            statement.ordinal = slot.numbered.then_some(ordinal + 1);
            statements.push(statement);
        }
    }
}

impl Statement {
    /// A statement that takes its references from `sources`.
    pub fn new(property: u32, value: Value, sources: &Sources, random: &mut Random) -> Self {
        let odd = random.below(1024);
        let value = match odd {
            0..8 => Value::Unknown,
            8..12 => Value::None,
            _ => value,
        };
        let rank = match odd {
            1016.. => "PreferredRank",
            1008.. => "DeprecatedRank",
            _ => "NormalRank",
        };
        let qualifier = random.chance(70).then(|| match random.below(3) {
            0 => (580, Value::new(Range::Days { from: 1990, to: 2024, only_year: 3 }, random)),
            1 => (459, Value::new(Range::Items { from: 15_600_000, size: 90 }, random)),
            _ => (1810, Value::new(Range::Name, random)),
        });
        let mut references = [None; 2];
        if random.chance(760) {
            let own = random.chance(30).then(|| Reference::new(random));
            references[0] = own.or(Some(sources.references[random.skewed(2) as usize]));
            references[1] = random.chance(60).then_some(sources.references[2]);
        }
        let node = u128::from(random.word()) << 64 | u128::from(random.word());
        Self { property, value, node, rank, ordinal: None, qualifier, references }
    }

    /// Whether the value is an identifier elsewhere.
    pub fn is_identifier(&self) -> bool {
        matches!(self.value, Value::Id(..))
    }

    /// Whether it is one of the best for its property.
    fn is_best(&self) -> bool {
        self.rank != "DeprecatedRank"
    }

    fn unknown(&self) -> u128 {
        wide(self.node as u64)
    }

    /// Appends `wdt:P31 wd:Q5`, or only the value after a comma where the property is `before` again.
    /// Returns the property where a next value can follow after a comma.
    fn write_simple(&self, before: Option<u32>, document: &mut Document) -> Option<u32> {
        if !matches!(self.value, Value::None) && before == Some(self.property) {
            document.text.put(&[",\n\t\t"]);
            self.value.write(self.unknown(), &mut document.text);
            return before;
        }
        put_value(self.property, self.value, self.unknown(), ["wdt:P", "", "wdtn:P"], document);
        let alone = matches!(self.value, Value::None | Value::Id(IdShape { uri: Some(_), .. }, _));
        (!alone).then_some(self.property)
    }

    /// Appends the name of the node.
    fn write_name(&self, document: &mut Document) {
        let large = self.node & 1 == 1;
        let Document { text, nodes, id, .. } = document;
        text.put(&[nodes.statement, id, "-"]);
        text.uuid(self.node, large);
    }

    /// Appends the node.
    fn write_node(&self, document: &mut Document) {
        self.write_name(document);
        document.text.put(&[" a wikibase:Statement"]);
        document.text.put(&[if self.is_best() { ",\n\t\twikibase:BestRank" } else { "" }]);
        document.text.put(&[" ;\n\twikibase:rank wikibase:", self.rank]);
        document.then();
        put_value(self.property, self.value, self.unknown(), ["ps:P", "psv:P", "psn:P"], document);
        if let Some(ordinal) = self.ordinal {
            document.text.put(&[" ;\n\tpq:P1545 \""]);
            document.text.number(ordinal);
            document.text.put(&["\""]);
        }
        if let Some((property, value)) = self.qualifier {
            document.then();
            put_value(property, value, self.unknown() ^ 1, ["pq:P", "pqv:P", "pqn:P"], document);
        }
        let mut before = " ;\n\tprov:wasDerivedFrom ";
        for reference in self.references.into_iter().flatten() {
            document.text.put(&[before]);
            reference.write_name(document);
            document.need_reference(reference);
            before = ",\n\t\t";
        }
        document.text.put(&[" .\n\n"]);
    }
}

/// Appends `predicate value` for the property under the first prefix, the full and normalized forms under the others.
fn put_value(property: u32, value: Value, unknown: u128, prefixes: [&str; 3], document: &mut Document) {
    let [simple, full, normalized] = prefixes;
    if matches!(value, Value::None) {
        document.predicate("a wdno:P", property, "");
        return;
    }
    document.predicate(simple, property, " ");
    value.write(unknown, &mut document.text);
    if let Value::Id(IdShape { uri: Some((before, after)), .. }, number) = value {
        document.then();
        document.predicate(normalized, property, " <");
        document.text.put(&[before]);
        document.text.number(number);
        document.text.put(&[after, ">"]);
    }
    let Some(hash) = value.hash().filter(|_| !full.is_empty()) else { return };
    let prefixes = if value.is_normalized() { &[full, normalized][..] } else { &[full] };
    for prefix in prefixes {
        document.then();
        document.predicate(prefix, property, " ");
        document.text.put(&[document.nodes.value]);
        document.text.hex(hash, 32);
    }
    document.need_value(value, hash);
}

impl Reference {
    /// The value that has a node.
    pub fn value(self) -> Option<Value> {
        match self {
            Self::Imported(_) => None,
            Self::Stated { day, .. } | Self::Page { day, .. } => Some(seen(day)),
        }
    }

    fn write_name(self, document: &mut Document) {
        document.text.put(&[document.nodes.reference]);
        document.text.hex(self.hash(), 32);
        document.text.hex(self.hash() % 4_294_967_291, 8);
    }

    /// Appends the node.
    pub fn write(self, document: &mut Document) {
        self.write_name(document);
        document.text.put(&[" a wikibase:Reference ;\n\t"]);
        match self {
            Self::Imported(project) => {
                document.text.put(&["pr:P143 wd:Q"]);
                document.text.number(328 + project);
            }
            Self::Stated { work, id, day } => {
                document.text.put(&["pr:P248 wd:Q"]);
                document.text.number(5_412_000 + work);
                document.then();
                let (property, shape) = REFERENCED[work as usize % REFERENCED.len()];
                let value = Value::Id(shape, id % shape.count);
                put_value(property, value, 0, ["pr:P", "prv:P", "prn:P"], document);
                document.then();
                put_value(813, seen(day), 0, ["pr:P", "prv:P", "prn:P"], document);
            }
            Self::Page { page, day } => {
                document.text.put(&["pr:P854 "]);
                write_page(page, &mut document.text);
                document.text.put(&[" ;\n\tpr:P1476 \""]);
                write_title(page, &mut document.text);
                document.text.put(&["\"@en ;\n\t"]);
                put_value(813, seen(day), 0, ["pr:P", "prv:P", "prn:P"], document);
            }
        }
        document.text.put(&[" .\n\n"]);
    }
}

fn seen(day: u32) -> Value {
    let (year, month, day) = recent_day(day);
    Value::Day(year, month, day)
}

/// Appends the claims and the statement nodes of the entity whose block is open, and ends its first sentence.
pub fn write(statements: &[Statement], document: &mut Document) {
    let mut before = None;
    for statement in statements.iter().filter(|statement| statement.is_best()) {
        if before != Some(statement.property) || matches!(statement.value, Value::None) {
            document.next();
        }
        before = statement.write_simple(before, document);
    }
    for statement in statements {
        document.next();
        document.predicate("p:P", statement.property, " ");
        statement.write_name(document);
        document.end();
        statement.write_node(document);
        document.begin();
    }
}
