//! A graph beside the wiki: whether it is as it should be, and where it is not.
//!
//! Promise: [`Graph::compare`] is content if every triple of every entity is there, and whatever else is there may have been left
//! behind by a message (see `graph`, whose invariant says what that is). Else it says what is missing and what is too much, by
//! entity.
//! Invariant: nodes without a name of their own, those of a property's "no value" class, are compared by what they say: Wikibase
//! numbers them anew in each document, so that a dump and a fetch never agree on them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use headwater::munge::set::TripleSet;
use headwater::wikibase::entity::EntityId;

use crate::wiki::graph::{Graph, Pair, Triples, pairs};

const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf> ";
const ON_PROPERTY: &str = "<http://www.w3.org/2002/07/owl#onProperty> ";
/// Of how many entities or nodes differences are told, and how many of each.
const MOST: [usize; 2] = [8, 6];

/// Where a graph is not as it should be.
struct Differences {
    missing: Vec<Pair>,
    surplus: Vec<Pair>,
    /// How many triples more there are that may be.
    left: usize,
}

impl Graph {
    /// Whether the graph holds these entities, and nothing else but what may be left behind; else what is wrong.
    pub fn compare(&self, entities: &BTreeMap<EntityId, TripleSet>) -> Result<(), String> {
        let differences = self.differences(entities);
        let is_as_it_should = differences.missing.is_empty() && differences.surplus.is_empty() && self.is_finished();
        if is_as_it_should { Ok(()) } else { Err(self.report(&differences)) }
    }

    /// How many triples are left behind: they are of none of these entities, but may be there.
    pub fn left_over(&self, entities: &BTreeMap<EntityId, TripleSet>) -> usize {
        self.differences(entities).left
    }

    fn differences(&self, entities: &BTreeMap<EntityId, TripleSet>) -> Differences {
        let mut expected = Triples::new();
        for pair in entities.values().flat_map(|triples| pairs(triples.text())) {
            let (subject, rest) = pair.expect("a set is lines of N-Triples");
            expected.entry(subject).or_default().insert(rest);
        }
        let (expected, found) = (Named::of(&expected), Named::of(&self.triples));
        let is_left = |subject: &str, rest: &str| self.left.get(subject).is_some_and(|all| all.contains(rest));
        // Of a class that is left, what it is not is left too.
        let is_class_left =
            |class: &str| self.left.get(class).is_some_and(|all| all.iter().any(|rest| rest.starts_with(COMPLEMENT)));
        let may_be_left = |subject: &str, rest: &str| match found.class(subject) {
            Some(class) => is_class_left(class),
            None => is_left(subject, rest) || rest.starts_with(COMPLEMENT) && is_class_left(subject),
        };
        let (left, surplus) =
            found.without(&expected).into_iter().partition::<Vec<_>, _>(|(subject, rest)| may_be_left(subject, rest));
        Differences { missing: expected.without(&found), surplus, left: left.len() }
    }

    fn report(&self, Differences { missing, surplus, .. }: &Differences) -> String {
        // Entities first, then nodes that they share.
        let mut by_owner: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (triples, what) in [(missing, "missing"), (surplus, "too much")] {
            for (subject, rest) in triples {
                let owner = self.owner(subject);
                let line = format!("\n  {what}: {subject} {rest} .");
                by_owner.entry((owner.starts_with('<'), owner)).or_default().insert(line);
            }
        }
        let mut report = format!(
            "the graph is not as the wiki is: {} triples are missing, {} too many, of {} entities or nodes",
            missing.len(),
            surplus.len(),
            by_owner.len()
        );
        if !self.is_finished() {
            report += "; the last mutation lacks messages";
        }
        let [owners, most] = MOST;
        for ((_, owner), lines) in by_owner.iter().take(owners) {
            report += &format!("\n{owner}");
            lines.iter().take(most).for_each(|line| report += line);
            report += if lines.len() > most { "\n  …" } else { "" };
        }
        report
    }

    /// The entity that a subject is, is a part or a statement of, or is about; else the subject.
    fn owner(&self, subject: &str) -> String {
        let about = self.triples.get(subject).into_iter().flatten();
        let mut about = about.filter_map(|rest| rest.strip_prefix("<http://schema.org/about> "));
        let node = about.next().unwrap_or(subject);
        let local = node.trim_matches(['<', '>']).strip_prefix(self.scheme().concept());
        let local = local.map(|local| local.strip_prefix("statement/").unwrap_or(local));
        let id = local.and_then(|local| local.split('-').next()).unwrap_or(subject);
        EntityId::parse(id.to_uppercase().as_bytes()).map_or_else(|_| subject.to_owned(), |id| id.to_string())
    }
}

/// Triples, in which nodes without a name are called after the class that they are the complement of. One node may stand for
/// several of them, as each document has its first.
struct Named<'t> {
    triples: &'t Triples,
    /// What is said of these classes and nodes, in the place of what the triples say.
    renamed: Triples,
    /// The classes, and the nodes as they are called in the triples.
    hidden: HashSet<&'t str>,
    /// The class of each node, as it is called here.
    classes: HashMap<String, &'t str>,
}

impl<'t> Named<'t> {
    fn of(triples: &'t Triples) -> Self {
        let (renamed, hidden, classes) = (Triples::new(), HashSet::new(), HashMap::new());
        let mut named = Self { triples, renamed, hidden, classes };
        for (class, all) in triples {
            let mut nodes = all.iter().filter_map(|rest| rest.strip_prefix(COMPLEMENT)).peekable();
            if nodes.peek().is_some() {
                named.hidden.insert(class);
                nodes.for_each(|node| named.name(class, all, node));
            }
        }
        named
    }

    fn name(&mut self, class: &'t str, all: &BTreeSet<String>, node: &'t str) {
        let name = format!("what {class} is not");
        let others = all.iter().filter(|rest| !rest.starts_with(COMPLEMENT)).cloned();
        self.renamed.entry(class.to_owned()).or_default().extend(others.chain([format!("{COMPLEMENT}{name}")]));
        let is_of_class =
            |rest: &&String| rest.strip_prefix(ON_PROPERTY).is_none_or(|property| local(property) == local(class));
        let said = self.triples.get(node).into_iter().flatten().filter(is_of_class).cloned();
        self.renamed.entry(name.clone()).or_default().extend(said);
        self.hidden.insert(node);
        self.classes.insert(name, class);
    }

    /// The class that a node is called after.
    fn class(&self, subject: &str) -> Option<&'t str> {
        self.classes.get(subject).copied()
    }

    fn has(&self, subject: &str, rest: &str) -> bool {
        let is_hidden = self.hidden.contains(subject);
        let all = self.renamed.get(subject).or_else(|| self.triples.get(subject).filter(|_| !is_hidden));
        all.is_some_and(|all| all.contains(rest))
    }

    /// The triples that the other does not have.
    fn without(&self, other: &Named<'_>) -> Vec<Pair> {
        let plain = self.triples.iter().filter(|(subject, _)| !self.hidden.contains(&***subject));
        let pairs = plain.chain(&self.renamed).flat_map(|(subject, all)| all.iter().map(move |rest| (subject, rest)));
        let only = pairs.filter(|(subject, rest)| !other.has(subject, rest));
        only.map(|(subject, rest)| (subject.clone(), rest.clone())).collect()
    }
}

/// What follows the last slash of an IRI.
fn local(iri: &str) -> &str {
    iri.rsplit('/').next().unwrap_or_default()
}
