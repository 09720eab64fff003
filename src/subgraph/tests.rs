//! Definitions, assignments and plans, as tables.

use std::path::Path;

use proptest::prelude::*;

use crate::diff::{self, Coverage, Patch};
use crate::munge::set::{Filling, TripleSet};
use crate::mutation::wire::Kind;
use crate::subgraph::assign::Assigner;
use crate::subgraph::definitions::{Definitions, Outcome, Term};
use crate::subgraph::plan::{self, Step};
use crate::wikibase::entity::EntityId;
use crate::wikibase::uris::UrisScheme;

const SAMPLE: &str = include_str!("../../data-samples/subgraphs.yaml");

fn q1() -> EntityId {
    EntityId::parse(b"Q1").unwrap()
}

fn assigner(definitions: &str) -> Assigner {
    Assigner::new(&Definitions::parse(definitions).unwrap(), &UrisScheme::wikidata())
}

/// A set of triples written with `wd:` and `wdt:`; those about `v:` are shared.
fn set(lines: &[&str]) -> TripleSet {
    let mut filling = Filling::default();
    for line in lines {
        let word = |word: &str| match word.split_once(':') {
            Some(("wd", name)) => format!("<http://www.wikidata.org/entity/{name}>"),
            Some(("wdt", name)) => format!("<http://www.wikidata.org/prop/direct/{name}>"),
            Some(("v", name)) => format!("<http://www.wikidata.org/value/{name}>"),
            _ => word.to_owned(),
        };
        let words: Vec<_> = line.split(' ').map(word).collect();
        filling.line(&format!("{} .\n", words.join(" ")), line.starts_with("v:"));
    }
    filling.take().unwrap()
}

#[test]
fn the_sample_says_what_it_says() {
    let definitions = Definitions::parse(SAMPLE).unwrap();
    let [bridges, main, full] = definitions.graphs() else { panic!("{definitions:?}") };
    assert_eq!((&*bridges.name, &*bridges.stream), ("bridges", "example.mutation-bridges"));
    assert_eq!(bridges.uri.as_deref(), Some("https://query.example.org/subgraph/bridges"));
    assert_eq!((bridges.default, main.default, full.default), (Outcome::Block, Outcome::Pass, Outcome::Pass));
    assert_eq!((bridges.stubs_source, main.stubs_source, full.stubs_source), (true, true, false));
    assert_eq!((full.uri.as_ref(), full.rules.len()), (None, 0));
    let [first, second] = &bridges.rules[..] else { panic!("{bridges:?}") };
    assert_eq!((first.outcome, &first.subject), (Outcome::Pass, &Term::Entity));
    assert_eq!(first.predicate, "http://www.wikidata.org/prop/direct/P31");
    let bridge = ["Q12280", "Q158438"].map(|name| format!("http://www.wikidata.org/entity/{name}"));
    assert_eq!(first.object, Term::OneOf(bridge.to_vec()));
    assert_eq!(second.object, Term::Anything);
    assert_eq!(main.rules[0].outcome, Outcome::Block);
}

#[test]
fn real_definitions_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures");
    if !folder.is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    let rows = [
        ("wdqs-subgraph-definitions-v2.yaml", [("scholarly_articles", 2), ("wikidata_main", 2), ("wikidata_full", 0)]),
        ("subgraph-definitions.yaml", [("subgraph1", 2), ("subgraph0", 1), ("subgraph_", 0)]),
    ];
    for (file, expected) in rows {
        let definitions = Definitions::parse(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        let found: Vec<_> = definitions.graphs().iter().map(|graph| (&*graph.name, graph.rules.len())).collect();
        assert_eq!(found, expected, "{file}");
    }
    let text = std::fs::read_to_string(folder.join("wdqs-subgraph-definitions-v2.yaml")).unwrap();
    let definitions = Definitions::parse(&text).unwrap();
    let Term::OneOf(types) = &definitions.graphs()[0].rules[0].object else { panic!() };
    assert_eq!(types.len(), 49);
    let assigner = assigner(&text);
    let rows = [
        (&["wd:Q1 wdt:P31 wd:Q13442814"][..], [true, false, true]),
        (&["wd:Q1 wdt:P13046 wd:Q7"], [true, false, true]),
        (&["wd:Q1 wdt:P31 wd:Q5"], [false, true, true]),
        (&[], [false, true, true]),
    ];
    for (lines, expected) in rows {
        assert_eq!(assigner.assign(q1(), &set(lines)), expected, "{lines:?}");
    }
}

const FULL: &str = "{ name: full, stream: full, default: pass }";

#[test]
fn definitions_that_are_wrong_name_line_and_rule() {
    let graphs = |lines: &str| {
        format!("prefixes: {{ a: http://a.org/ }}\nbindings: {{ b: [a:x] }}\nsubgraphs:\n- {FULL}\n{lines}")
    };
    let graph =
        |more: &str| graphs(&format!("- {{ name: n, stream: s, subgraph_uri: 'a:n', default: block, {more} }}"));
    let rule = |rule: &str| graph(&format!("rules: ['{rule}']"));
    let rows = [
        (String::new(), "line 1: the file is empty"),
        ("a: [".to_owned(), "line "),
        ("[]".to_owned(), "line 1: `the file` must be a map"),
        ("prefixes: {}\nsubgraph: []".to_owned(), "line 2: `subgraph` is no key here"),
        ("prefixes: {}".to_owned(), "line 1: `subgraphs` is missing"),
        ("subgraphs: {}".to_owned(), "`subgraphs` must be a list"),
        ("subgraphs: []".to_owned(), "0 graphs have no subgraph_uri"),
        (graphs("- { name: more, stream: more, default: pass }"), "2 graphs have no subgraph_uri"),
        (format!("subgraphs: [{FULL}]\nsubgraphs: []"), "line 2: `subgraphs` is there twice"),
        (graphs("").replace("b:", "entity:"), "line 2: `entity` is a reserved name"),
        (graphs("").replace("b:", "wildcard:"), "`wildcard` is a reserved name"),
        (graphs("").replace("a:x", "z:x"), "line 2: the prefix of `z:x` is not declared"),
        (graphs("- { name: n, stream: s, subgraph_uri: 'a:n' }"), "line 5: `default` is missing"),
        (graphs("- { name: n, default: pass, subgraph_uri: 'a:n' }"), "`stream` is missing"),
        (graphs("- { stream: n, default: pass, subgraph_uri: 'a:n' }"), "`name` is missing"),
        (graphs("- { name: n, stream: s, default: maybe }"), "`default` must be pass or block"),
        (
            graphs("- { name: full, stream: s, default: pass, subgraph_uri: 'a:n' }"),
            "line 5: two graphs have the name `full`",
        ),
        (
            graphs("- { name: n, stream: full, default: pass, subgraph_uri: 'a:n' }"),
            "two graphs have the stream `full`",
        ),
        (
            graph("rules: []") + "\n- { name: m, stream: t, default: pass, subgraph_uri: <http://a.org/n> }",
            "line 6: two graphs have the subgraph_uri `http://a.org/n`",
        ),
        (
            format!("subgraphs: [{}]", FULL.replace("pass", "block")),
            "`full` has no subgraph_uri, so it is the full graph",
        ),
        (format!("subgraphs: [{}]", FULL.replace("pass", "pass, stubs_source: true")), "so it is the full graph"),
        (graph("stub_source: true"), "`stub_source` is no key here"),
        (graph("stubs_source: yes"), "`stubs_source` must be true or false"),
        (graph("rules: pass"), "`rules` must be a list"),
        (rule("pass ?entity a:p"), "is no rule"),
        (rule("allow ?entity a:p []"), "is no rule"),
        (rule("pass ?entity a:p [] []"), "is no rule"),
        (rule("pass ?c a:p []"), "`?c` is not bound"),
        (rule("pass ?entity ?b []"), "`?b` is no IRI"),
        (rule("pass ?entity [] []"), "`[]` is no IRI"),
        (rule("pass ?entity a:p \"text\""), "is no IRI"),
        (rule("pass ?entity a:p z:x"), "the prefix of `z:x` is not declared"),
        (rule("pass ?entity a:p <a|b>"), "is no IRI"),
        (format!("subgraphs: [&x {FULL}]"), "anchors and tags cannot be used here"),
        (format!("subgraphs: [!x {FULL}]"), "anchors and tags cannot be used here"),
        (format!("subgraphs: [{FULL}]\n---\nsubgraphs: []"), "more than one document"),
        (format!("{}{}", "[".repeat(20), "]".repeat(20)), "too deep"),
        ("? [a]\n: b".to_owned(), "a key is a text"),
    ];
    for (text, expected) in rows {
        let error = Definitions::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}:\n{text}");
    }
    for good in [
        graphs(""),
        graph("rules: ~"),
        graph("rules: []"),
        rule("block [] a:p ?b"),
        graphs("").replace("{ b: [a:x] }", "{}"),
    ] {
        assert!(Definitions::parse(&good).is_ok(), "{good}");
    }
}

#[test]
fn the_first_rule_that_is_about_an_entity_decides() {
    let one = |rules: &str, default: &str| {
        let graph = format!("{{ name: n, stream: s, subgraph_uri: 'p:n', default: {default}, rules: [{rules}] }}");
        let prefixes = "{ wd: http://www.wikidata.org/entity/, p: http://www.wikidata.org/prop/direct/ }";
        assigner(&format!("prefixes: {prefixes}\nbindings: {{ b: [wd:Q7, wd:Q5] }}\nsubgraphs: [{graph}, {FULL}]"))
    };
    type Row = (&'static str, &'static str, &'static [&'static str], bool);
    let rows: &[Row] = &[
        ("", "pass", &[], true),
        ("", "block", &["wd:Q1 wdt:P1 wd:Q5"], false),
        ("pass ?entity p:P1 wd:Q5", "block", &["wd:Q1 wdt:P1 wd:Q5"], true),
        ("pass ?entity p:P1 wd:Q5", "block", &["wd:Q1 wdt:P1 wd:Q55", "wd:Q1 wdt:P11 wd:Q5"], false),
        ("pass ?entity p:P1 wd:Q5", "block", &["wd:Q2 wdt:P1 wd:Q5"], false),
        ("pass wd:Q2 p:P1 wd:Q5", "block", &["wd:Q2 wdt:P1 wd:Q5"], true),
        ("pass [] p:P1 []", "block", &["v:x wdt:P1 \"a b <c> .\"@en"], true),
        ("pass ?entity p:P1 ?b", "block", &["wd:Q1 wdt:P1 wd:Q4", "wd:Q1 wdt:P1 wd:Q5"], true),
        ("pass ?entity p:P1 ?b", "block", &["wd:Q1 wdt:P1 wd:Q6"], false),
        ("pass [] p:P1 ?entity", "block", &["wd:Q9 wdt:P1 wd:Q1"], true),
        ("block ?b p:P1 []", "pass", &["wd:Q7 wdt:P1 wd:Q1"], false),
        // By the order of rules, not of triples.
        ("block ?entity p:P2 [], pass ?entity p:P1 []", "block", &["wd:Q1 wdt:P1 wd:Q5", "wd:Q1 wdt:P2 wd:Q5"], false),
        ("pass ?entity p:P1 [], block ?entity p:P2 []", "block", &["wd:Q1 wdt:P2 wd:Q5", "wd:Q1 wdt:P1 wd:Q5"], true),
    ];
    for (rules, default, lines, expected) in rows {
        let quoted: Vec<_> =
            rules.split(", ").filter(|rule| !rule.is_empty()).map(|rule| format!("'{rule}'")).collect();
        let assigner = one(&quoted.join(", "), default);
        assert_eq!(assigner.assign(q1(), &set(lines)), [*expected, true], "{rules}: {lines:?}");
    }
}

/// A bridge, and what is none.
const BRIDGE: &[&str] = &["wd:Q1 wdt:P31 wd:Q12280", "wd:Q1 wdt:P2 1", "v:a wdt:P3 1"];
const PERSON: &[&str] = &["wd:Q1 wdt:P31 wd:Q5", "wd:Q1 wdt:P2 1", "v:b wdt:P3 1"];
const OTHER: &[&str] = &["wd:Q1 wdt:P31 wd:Q5", "wd:Q1 wdt:P2 2"];

fn stub(graph: &str) -> String {
    format!("<http://www.wikidata.org/entity/Q1> <{}> <https://query.example.org/subgraph/{graph}> .\n", plan::STUB)
}

fn linked(graph: &str) -> Patch {
    Patch { linked_shared: stub(graph), ..Patch::default() }
}

fn added(text: String) -> Patch {
    Patch { added: text, ..Patch::default() }
}

#[track_caller]
fn check(steps: &[Step<'_>], expected: &[(&str, Kind, Patch)]) {
    let steps: Vec<_> = steps.iter().map(|step| (&*step.graph.name, step.kind, (*step.patch).clone())).collect();
    assert_eq!(steps, expected);
}

#[test]
fn each_graph_is_told_what_it_must_know() {
    let assigner = assigner(SAMPLE);
    let (bridge, person, other) = (set(BRIDGE), set(PERSON), set(OTHER));
    let nothing = Patch::default;
    // Stays where it is.
    let change = diff::diff(&person, &other);
    check(
        &plan::diff(&assigner, q1(), &person, &other),
        &[("main", Kind::Diff, change.clone()), ("full", Kind::Diff, change), ("bridges", Kind::Diff, linked("main"))],
    );
    // Leaves one and enters the other.
    check(
        &plan::diff(&assigner, q1(), &person, &bridge),
        &[
            ("full", Kind::Diff, diff::diff(&person, &bridge)),
            ("main", Kind::Delete, nothing()),
            ("bridges", Kind::Delete, nothing()),
            ("bridges", Kind::Diff, diff::import(&bridge)),
            ("main", Kind::Diff, linked("bridges")),
        ],
    );
    check(
        &plan::import(&assigner, q1(), &bridge),
        &[
            ("bridges", Kind::Import, diff::import(&bridge)),
            ("full", Kind::Import, diff::import(&bridge)),
            ("main", Kind::Import, linked("bridges")),
        ],
    );
    let all = added(bridge.text().to_owned());
    check(
        &plan::reconcile(&assigner, q1(), &bridge, Coverage::Complete),
        &[
            ("bridges", Kind::Reconcile, all.clone()),
            ("full", Kind::Reconcile, all),
            ("main", Kind::Reconcile, added(stub("bridges"))),
        ],
    );
    let own = added(bridge.own().to_owned());
    check(
        &plan::reconcile(&assigner, q1(), &bridge, Coverage::OwnOnly),
        &[("bridges", Kind::Reconcile, own.clone()), ("full", Kind::Reconcile, own)],
    );
    check(
        &plan::delete(&assigner),
        &[("bridges", Kind::Delete, nothing()), ("main", Kind::Delete, nothing()), ("full", Kind::Delete, nothing())],
    );
}

#[test]
fn a_graph_that_is_no_source_leaves_no_stubs() {
    let assigner = assigner(&SAMPLE.replace("stubs_source: true", "stubs_source: false"));
    let (bridge, person) = (set(BRIDGE), set(PERSON));
    let nothing = Patch::default;
    check(
        &plan::diff(&assigner, q1(), &bridge, &person),
        &[
            ("full", Kind::Diff, diff::diff(&bridge, &person)),
            ("bridges", Kind::Delete, nothing()),
            ("main", Kind::Delete, nothing()),
            ("main", Kind::Diff, diff::import(&person)),
        ],
    );
    check(
        &plan::import(&assigner, q1(), &bridge),
        &[("bridges", Kind::Import, diff::import(&bridge)), ("full", Kind::Import, diff::import(&bridge))],
    );
    for coverage in [Coverage::Complete, Coverage::OwnOnly] {
        let all = diff::reconcile(&bridge, coverage);
        check(
            &plan::reconcile(&assigner, q1(), &bridge, coverage),
            &[
                ("bridges", Kind::Reconcile, all.clone()),
                ("full", Kind::Reconcile, all),
                ("main", Kind::Delete, nothing()),
            ],
        );
    }
}

#[test]
fn a_graph_that_is_not_split_is_told_the_patch() {
    let assigner = Assigner::new(&Definitions::whole("mutation"), &UrisScheme::wikidata());
    let (bridge, person) = (set(BRIDGE), set(PERSON));
    check(&plan::diff(&assigner, q1(), &bridge, &person), &[("mutation", Kind::Diff, diff::diff(&bridge, &person))]);
    check(&plan::import(&assigner, q1(), &bridge), &[("mutation", Kind::Import, diff::import(&bridge))]);
    check(&plan::delete(&assigner), &[("mutation", Kind::Delete, Patch::default())]);
}

/// A graph, as the lines in it; what messages tell is done to it.
fn tell(graph: &mut Vec<String>, step: &Step<'_>) {
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let is_own = |line: &String| line.starts_with("<http://www.wikidata.org/entity/Q1> ");
    match step.kind {
        Kind::Delete => graph.retain(|line| !is_own(line)),
        Kind::Reconcile => {
            graph.retain(|line| !is_own(line));
            graph.extend(lines(&step.patch.added));
        }
        Kind::Import | Kind::Diff => {
            let removed = lines(&step.patch.removed);
            graph.retain(|line| !removed.contains(line));
            graph.extend(lines(&step.patch.added));
            graph.extend(lines(&step.patch.linked_shared));
        }
    }
    graph.sort();
    graph.dedup();
}

proptest! {
    /// The promise of the plans, over a life of revisions: a graph holds the entity, or a stub for each source that has it.
    #[test]
    fn graphs_hold_the_entity_or_stubs(
        life in proptest::collection::vec((0..4_u8, 0..8_u8), 1..12),
        rules in proptest::collection::vec((0..3_u8, any::<bool>(), any::<bool>()), 1..4),
    ) {
        let graph = |(number, (property, pass, source)): (usize, &(u8, bool, bool))| {
            let (rule, default) = if *pass { ("pass", "block") } else { ("block", "pass") };
            format!(
                "- {{ name: g{number}, stream: s{number}, subgraph_uri: <http://g/{number}>, default: {default}, \
                 stubs_source: {source}, rules: ['{rule} ?entity <http://www.wikidata.org/prop/direct/P{property}> []'] }}\n"
            )
        };
        let graphs: String = rules.iter().enumerate().map(graph).collect();
        let assigner = assigner(&format!("subgraphs:\n- {FULL}\n{graphs}"));
        let mut held: Vec<Vec<String>> = vec![Vec::new(); rules.len() + 1];
        let mut before: Option<TripleSet> = None;
        for (what, properties) in life {
            let lines: Vec<_> = (0..3).filter(|bit| properties >> bit & 1 == 1).map(|bit| format!("wd:Q1 wdt:P{bit} 1")).collect();
            let version = format!("wd:Q1 wdt:P9 {properties}");
            let lines: Vec<_> = lines.iter().map(String::as_str).chain([&*version, "v:x wdt:P9 1"]).collect();
            let after = set(&lines);
            let (steps, after) = match (what, before) {
                (0, _) => (plan::delete(&assigner), None),
                (1, _) => (plan::reconcile(&assigner, q1(), &after, Coverage::Complete), Some(after)),
                (_, None) => (plan::import(&assigner, q1(), &after), Some(after)),
                (_, Some(before)) => (plan::diff(&assigner, q1(), &before, &after), Some(after)),
            };
            for step in &steps {
                let at = assigner.graphs().position(|graph| graph.name == step.graph.name).unwrap();
                tell(&mut held[at], step);
            }
            let is_in = after.as_ref().map_or_else(|| vec![false; held.len()], |after| assigner.assign(q1(), after));
            let graphs: Vec<_> = assigner.graphs().collect();
            for (at, held) in held.iter().enumerate() {
                let own: Vec<_> = held.iter().filter(|line| !line.starts_with("<http://www.wikidata.org/value/")).cloned().collect();
                let mut expected: Vec<String> = match &after {
                    Some(after) if is_in[at] => after.own().split_inclusive('\n').map(str::to_owned).collect(),
                    Some(_) => graphs.iter().zip(&is_in).filter(|(graph, is_in)| **is_in && graph.stubs_source).map(|(graph, _)| {
                        format!("{} <{}> <{}> .\n", assigner.entity_iri(q1()), plan::STUB, graph.uri.as_ref().unwrap())
                    }).collect(),
                    None => Vec::new(),
                };
                expected.sort();
                prop_assert_eq!(own, expected, "graph {} after {:?}", at, steps);
                let needs_value = is_in[at];
                prop_assert!(!needs_value || held.iter().any(|line| line.starts_with("<http://www.wikidata.org/value/")));
            }
            before = after;
        }
    }
}
