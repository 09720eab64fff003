//! Our munge beside upstream's, on small inputs: `upstream.txt` holds each input and what upstream's munger gave for it (made by
//! `tests/live/upstream-munge/observe.py`).
//!
//! Invariant: every difference is on the list below with its reason; one that is on the list and no difference is an error too.

use std::collections::{BTreeMap, BTreeSet};

use headwater::munge::Options;
use headwater::munge::text::{Bad, Entity, Munger, Sink};
use headwater::rdf::ntriples::{self, Encoding};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::Arena;
use headwater::rdf::term::Triple;
use headwater::wikibase::uris::UrisScheme;

/// Cases, by the beginning of their names, where we differ on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("b-char-datatype", "a datatype is an IRI and repaired as such; what upstream writes is no N-Triples"),
    ("b-char-object", "what no IRI can hold is an error; what upstream writes is no N-Triples"),
    ("b-onto", "only the ontology's IRIs lose their version, not every IRI that holds `ontology-beta`"),
    ("e-plain", "blank nodes without a label are named after what their statement says, not at random"),
    ("e-skolemize", "so do they here; and a header's blank nodes become IRIs as all others do"),
    ("l-dump-skolem", "a header's blank nodes become IRIs as all others do"),
    ("g-bad", "what is no point stays as it is; upstream ends the run"),
    ("g-foreign-bad-point", "what is no point stays as it is; upstream ends the run"),
    ("g-point", "what is no point stays as it is; upstream ends the run, or reads one into it"),
    ("g-dump-iri", "a relative IRI needs a base"),
    ("i-form-first", "links are followed whatever the order"),
    ("i-reference-first", "links are followed whatever the order"),
    ("i-statement-first", "links are followed whatever the order"),
    ("n-violation", "links are followed whatever the order"),
    ("j-about", "an entity-data node that is about something else is an error"),
    ("j-commons-label-L", "an entity of Wikidata in a dump of Commons is an error"),
    ("j-commons-wd-data-under-commons", "an entity of Wikidata in a dump of Commons is an error"),
    ("j-commons-no-about", "the entity-data node says which entity it is"),
    ("j-data-only-then", "the entity-data node says which entity it is"),
    ("j-data-subpage", "no entity is called Q1/x"),
    ("j-id-in-lowercase", "no entity is called q1"),
    ("j-lexeme-L-in-item", "no entity is called Lonely"),
    ("j-no-about", "the entity-data node says which entity it is"),
    ("j-skipped-then-no-about", "the entity-data node says which entity it is"),
    ("j-redirect", "the entity-data node says which entity it is"),
    ("j-sameas-anywhere", "only an entity's own owl:sameAs says that it is a redirect"),
    ("j-sameas-own", "an entity that is a redirect may have other triples too"),
    ("j-two-data", "the entity-data node says which entity it is"),
    ("j-version", "a revision is a number above 0"),
    ("p-literal-links", "a literal links nothing, whatever its text"),
    ("p-reference-predicates", "a literal links nothing, whatever its text"),
    ("p-statement-any-predicate", "a literal links nothing, whatever its text"),
    ("q-", "what is no Turtle is an error"),
];

#[derive(Default)]
struct Lines(BTreeSet<String>);

impl Lines {
    fn add(&mut self, triple: &Triple<'_>) {
        let mut line = Vec::new();
        ntriples::line(&mut line, triple, Encoding::Utf8);
        self.0.insert(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
}

impl Sink for Lines {
    fn header(&mut self, triple: &Triple<'_>) {
        self.add(triple);
    }

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        entity.kept().for_each(|kept| self.add(&kept.triple));
    }

    fn bad(&mut self, _: Bad) {}
}

fn munge(turtle: &str, options: &str) -> BTreeSet<String> {
    let mut words = options.split_whitespace();
    let mut munge = Options { skolemize: false, ..Options::default() };
    let mut scheme = UrisScheme::wikidata();
    while let Some(word) = words.next() {
        let mut list = || Some(words.next().expect("an option's value").split(',').map(str::to_owned).collect());
        match word {
            "--skolemize" => munge.skolemize = true,
            "--keep-types" => munge.keep_types = true,
            "--skip-sitelinks" => munge.skip_sitelinks = true,
            "--label-language" => munge.label_languages = list(),
            "--single-label" => munge.single_label = list(),
            "--commons" => scheme = UrisScheme::commons(),
            "--host" => scheme = UrisScheme::for_host(words.next().expect("a host")).expect("a host"),
            other => panic!("unknown option {other}"),
        }
    }
    let text = format!("{}{turtle}", include_str!("prefixes.ttl"));
    let mut lines = Lines::default();
    Munger::new(&scheme, munge).text(&text, &Prefixes::default(), None, &Arena::default(), &mut lines);
    lines.0
}

/// Name, options, input, and the triples upstream gave.
fn cases() -> Vec<(String, String, String, BTreeSet<String>)> {
    let text = include_str!("upstream.txt");
    let case = |case: &str| {
        let (head, rest) = case.split_once('\n').expect("a head");
        let (name, options) = head.split_once(" |").expect("options");
        let (turtle, output) = rest.split_once("\n---\n").unwrap_or((rest, ""));
        let is_triple = |line: &&str| line.starts_with('<') || line.starts_with('_');
        let triples = output.split('\n').filter(is_triple).map(str::to_owned).collect();
        (name.to_owned(), options.to_owned(), turtle.to_owned(), triples)
    };
    text.split("=== ").skip(1).map(case).collect()
}

#[test]
fn we_munge_as_upstream_does() {
    let mut unexpected = BTreeMap::new();
    let mut differing = BTreeSet::new();
    for (name, options, turtle, upstream) in cases() {
        let ours = munge(&turtle, &options);
        if ours == upstream {
            continue;
        }
        match DIFFERENT.iter().find(|(known, _)| name.starts_with(known)) {
            Some((known, _)) => {
                differing.insert(*known);
            }
            None => {
                let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
                unexpected.insert(name, (only(&ours, &upstream), only(&upstream, &ours)));
            }
        }
    }
    for (name, (ours, upstream)) in &unexpected {
        println!("{name}\n  only ours: {ours:#?}\n  only upstream's: {upstream:#?}");
    }
    assert!(unexpected.is_empty(), "{} cases differ", unexpected.len());
    let stale: Vec<_> = DIFFERENT.iter().filter(|(known, _)| !differing.contains(known)).collect();
    assert!(stale.is_empty(), "no difference any more: {stale:?}");
}
