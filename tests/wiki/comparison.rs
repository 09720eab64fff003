//! A graph beside the wiki: whether it is as it should be, and where it is not.
//!
//! Promise: [`Graph::compare`] is content if every triple of every entity is there, and whatever else is there may have been left
//! behind by a message (see `graph`, whose invariant says what that is). Else it says what is missing and what is too much, by
//! entity.
//! Invariant: nodes without a name of their own, those of a property's "no value" class, are compared by what they say: Wikibase
//! numbers them anew in each document, so that a dump and a fetch never agree on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headwater::munge::set::TripleSet;
use headwater::wikibase::entity::EntityId;

use crate::wiki::graph::{Graph, Triples, read};

const COMPLEMENT: &str = "<http://www.w3.org/2002/07/owl#complementOf> ";
const ON_PROPERTY: &str = "<http://www.w3.org/2002/07/owl#onProperty> ";
/// Of how many entities or nodes differences are told, and how many of each.
const MOST: [usize; 2] = [8, 6];

impl Graph {
    /// Whether the graph holds these entities, and nothing else but what may be left behind; else what is wrong.
    pub fn compare(&self, entities: &BTreeMap<EntityId, TripleSet>) -> Result<(), String> {
        let mut expected = Triples::new();
        for triples in entities.values() {
            for (subject, rest) in read(triples.text()).expect("a set is lines of N-Triples") {
                expected.entry(subject).or_default().insert(rest);
            }
        }
        let (names, expected) = (Names::of(&self.triples), Names::of(&expected).named(&expected));
        let [found, mut left] = [&self.triples, &self.left].map(|triples| names.named(triples));
        // Of a class that is left, what it is not is left too; the node may be another property's as well.
        let classes = self.left.iter().filter(|(_, all)| all.iter().any(|rest| rest.starts_with(COMPLEMENT)));
        for node in classes.map(|(class, _)| nameless(class)) {
            if let Some(all) = found.get(&node) {
                left.insert(node, all.clone());
            }
        }
        let missing = without(&expected, &[&found]);
        let surplus = without(&found, &[&expected, &left]);
        if missing.is_empty() && surplus.is_empty() && self.is_finished() {
            return Ok(());
        }
        Err(self.report(&missing, &surplus))
    }

    /// How many triples are there that are of none of these entities, though they may be.
    pub fn left_over(&self, entities: &BTreeMap<EntityId, TripleSet>) -> usize {
        let expected = Self::of(self.scheme(), entities.values());
        without(&self.triples, &[&expected.triples]).len()
    }

    fn report(&self, missing: &[(&str, &str)], surplus: &[(&str, &str)]) -> String {
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

/// The triples that none of the others have.
fn without<'t>(triples: &'t Triples, others: &[&Triples]) -> Vec<(&'t str, &'t str)> {
    let is_in =
        |subject: &str, rest: &str| others.iter().any(|other| other.get(subject).is_some_and(|all| all.contains(rest)));
    let pairs = triples.iter().flat_map(|(subject, all)| all.iter().map(move |rest| (&**subject, &**rest)));
    pairs.filter(|(subject, rest)| !is_in(subject, rest)).collect()
}

/// The classes that a node without a name is the complement of.
struct Names(HashMap<String, BTreeSet<String>>);

impl Names {
    fn of(triples: &Triples) -> Self {
        let mut names: HashMap<_, BTreeSet<_>> = HashMap::new();
        for (class, rest) in triples.iter().flat_map(|(class, all)| all.iter().map(move |rest| (class, rest))) {
            if let Some(node) = rest.strip_prefix(COMPLEMENT) {
                names.entry(node.to_owned()).or_default().insert(class.clone());
            }
        }
        Self(names)
    }

    /// The same triples with such nodes named after the property. One node may stand for several of them, as each document has its
    /// first.
    fn named(&self, triples: &Triples) -> Triples {
        let mut named = Triples::with_capacity(triples.len());
        let mut put = |subject: &str, rest: &str| {
            named.entry(subject.to_owned()).or_default().insert(rest.to_owned());
        };
        for (subject, rest) in triples.iter().flat_map(|(subject, all)| all.iter().map(move |rest| (subject, rest))) {
            match (self.0.get(subject), rest.strip_prefix(COMPLEMENT)) {
                (Some(classes), _) => {
                    let property = rest.strip_prefix(ON_PROPERTY).map(local);
                    let of_property = |class: &&String| property.is_none_or(|property| property == local(class));
                    classes.iter().filter(of_property).for_each(|class| put(&nameless(class), rest));
                }
                (None, Some(_)) => put(subject, &format!("{COMPLEMENT}{}", nameless(subject))),
                (None, None) => put(subject, rest),
            }
        }
        named
    }
}

/// How the node without a name is called that a class is the complement of.
fn nameless(class: &str) -> String {
    format!("what {class} is not")
}

/// What follows the last slash of an IRI.
fn local(iri: &str) -> &str {
    iri.rsplit('/').next().unwrap_or_default()
}
