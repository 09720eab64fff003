//! The file that says how a graph is split.
//!
//! Promise: what is read means what upstream makes of it, or the line and the rule it breaks are told.
//! In -> out: YAML -> [`Definitions`].
//! Invariant: names, IRIs and streams are each there once; exactly one graph, the full one, has no IRI. IRIs are whole and valid.
//!
//! ```yaml
//! prefixes: { wdt: http://www.wikidata.org/prop/direct/ }
//! bindings: { scholarly_type: ["<http://www.wikidata.org/entity/Q13442814>"] }
//! subgraphs:
//!   - name: scholarly
//!     stream: mutation-scholarly
//!     subgraph_uri: <https://query.wikidata.org/subgraph/scholarly>
//!     default: block
//!     rules: [pass ?entity wdt:P31 ?scholarly_type]
//!     stubs_source: true
//!   - { name: full, stream: mutation, default: pass }
//! ```

use crate::subgraph::yaml::{self, Node, Value, YamlError};

/// The graphs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definitions {
    graphs: Vec<Subgraph>,
}

/// One graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subgraph {
    /// What people call it.
    pub name: String,
    /// The stream that tells its changes.
    pub stream: String,
    /// What stubs call it; `None`: the full graph.
    pub uri: Option<String>,
    /// What becomes of an entity that no rule is about.
    pub default: Outcome,
    /// The first that is about an entity decides.
    pub rules: Vec<Rule>,
    /// Whether other graphs tell of the entities that are in this one.
    pub stubs_source: bool,
}

/// Whether an entity belongs to a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Pass,
    /// It does not.
    Block,
}

/// A rule is about entities of which any triple is like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it decides.
    pub outcome: Outcome,
    /// The subject.
    pub subject: Term,
    /// The predicate, an IRI.
    pub predicate: String,
    /// The object.
    pub object: Term,
}

/// What a rule says of a subject or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// `?entity`: it is the entity.
    Entity,
    /// `[]`: it may be anything.
    Anything,
    /// It is one of these IRIs.
    OneOf(Vec<String>),
}

/// Why definitions cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {rule}")]
pub struct DefinitionsError {
    /// The line, counted from 1.
    pub line: usize,
    /// The rule that is broken.
    pub rule: Broken,
}

/// A rule that definitions break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The rules of YAML, and those of the subset that is read.
    #[error("{0}")]
    Yaml(String),
    /// Something is of the wrong kind.
    #[error("`{0}` must be {1}")]
    Kind(String, &'static str),
    /// A key that is not known: a typing error, or a later version's.
    #[error("`{0}` is no key here; there are {1}")]
    Key(String, &'static str),
    /// A key is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The name of a binding means something else.
    #[error("`{0}` is a reserved name and cannot be bound")]
    Reserved(String),
    /// What must differ does not.
    #[error("two graphs have the {0} `{1}`")]
    Duplicate(&'static str, String),
    /// There is not exactly one full graph.
    #[error("{0} graphs have no subgraph_uri; exactly one has none: the full graph")]
    Full(usize),
    /// The full graph is not full.
    #[error(
        "`{0}` has no subgraph_uri, so it is the full graph: it passes all, has no rules and is no source of stubs"
    )]
    NotFull(String),
    /// A text is no IRI.
    #[error("`{0}` is no IRI: write prefix:name or <https://…>")]
    Iri(String),
    /// A prefix is not declared.
    #[error("the prefix of `{0}` is not declared")]
    Prefix(String),
    /// A name is not bound.
    #[error("`{0}` is not bound")]
    Unbound(String),
    /// A text is no rule.
    #[error("`{0}` is no rule: write pass or block, then subject, predicate and object")]
    Rule(String),
}

const KEYS: &str = "prefixes, bindings and subgraphs";
const GRAPH_KEYS: &str = "name, stream, subgraph_uri, default, rules and stubs_source";
const RESERVED: [&str; 2] = ["entity", "wildcard"];

impl From<YamlError> for DefinitionsError {
    fn from(YamlError { line, rule }: YamlError) -> Self {
        Self { line, rule: Broken::Yaml(rule) }
    }
}

impl Definitions {
    /// No split: one graph, of all entities, with that stream.
    pub fn whole(stream: &str) -> Self {
        let full = Subgraph {
            name: stream.to_owned(),
            stream: stream.to_owned(),
            uri: None,
            default: Outcome::Pass,
            rules: Vec::new(),
            stubs_source: false,
        };
        Self { graphs: vec![full] }
    }

    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, DefinitionsError> {
        let root = yaml::read(text)?;
        let mut words = Words::default();
        let mut graphs = None;
        for (key, node) in entries("the file", &root)? {
            match key.as_str() {
                "prefixes" => words.prefixes = texts(key, node)?,
                "bindings" => {}
                "subgraphs" => graphs = Some(node),
                _ => return Err(node.error(Broken::Key(key.clone(), KEYS))),
            }
        }
        let bindings = entries("the file", &root)?.iter().find(|(key, _)| key == "bindings");
        if let Some((key, node)) = bindings {
            words.bind(key, node)?;
        }
        let nodes = list("subgraphs", graphs.ok_or_else(|| root.error(Broken::Missing("subgraphs")))?)?;
        let graphs = nodes.iter().map(|node| words.graph(node)).collect::<Result<Vec<_>, _>>()?;
        check(&root, nodes, &graphs)?;
        Ok(Self { graphs })
    }

    /// The graphs, in the order of the file.
    pub fn graphs(&self) -> &[Subgraph] {
        &self.graphs
    }
}

/// What graphs have together.
fn check(root: &Node, nodes: &[Node], graphs: &[Subgraph]) -> Result<(), DefinitionsError> {
    type Distinct = (&'static str, fn(&Subgraph) -> Option<&String>);
    let distinct: [Distinct; 3] = [
        ("name", |graph| Some(&graph.name)),
        ("stream", |graph| Some(&graph.stream)),
        ("subgraph_uri", |graph| graph.uri.as_ref()),
    ];
    for (what, of) in distinct {
        for (at, (node, graph)) in nodes.iter().zip(graphs).enumerate() {
            if let Some(value) = of(graph)
                && graphs[..at].iter().any(|other| of(other) == Some(value))
            {
                return Err(node.error(Broken::Duplicate(what, value.clone())));
            }
        }
    }
    let full = graphs.iter().filter(|graph| graph.uri.is_none()).count();
    if full == 1 { Ok(()) } else { Err(root.error(Broken::Full(full))) }
}

/// The prefixes and bindings of a file.
#[derive(Default)]
struct Words<'y> {
    prefixes: Vec<(&'y str, &'y str)>,
    bindings: Vec<(&'y str, Vec<String>)>,
}

impl<'y> Words<'y> {
    fn bind(&mut self, key: &str, node: &'y Node) -> Result<(), DefinitionsError> {
        for (name, node) in entries(key, node)? {
            if RESERVED.contains(&name.as_str()) {
                return Err(node.error(Broken::Reserved(name.clone())));
            }
            let iri = |node: &'y Node| self.iri(node, text(name, node)?);
            let iris = list(name, node)?.iter().map(iri).collect::<Result<_, _>>()?;
            self.bindings.push((name, iris));
        }
        Ok(())
    }

    fn graph(&self, node: &'y Node) -> Result<Subgraph, DefinitionsError> {
        let missing = |key| node.error(Broken::Missing(key));
        let (mut name, mut stream, mut uri, mut default) = (None, None, None, None);
        let (mut rules, mut stubs_source) = (Vec::new(), false);
        for (key, node) in entries("a graph", node)? {
            match key.as_str() {
                "name" => name = Some(text(key, node)?.to_owned()),
                "stream" => stream = Some(text(key, node)?.to_owned()),
                "subgraph_uri" if node.value == Value::Null => {}
                "subgraph_uri" => uri = Some(self.iri(node, text(key, node)?)?),
                "default" => default = Some(outcome(key, node)?),
                "rules" if node.value == Value::Null => {}
                "rules" => rules = list(key, node)?.iter().map(|node| self.rule(node)).collect::<Result<_, _>>()?,
                "stubs_source" => stubs_source = truth(key, node)?,
                _ => return Err(node.error(Broken::Key(key.clone(), GRAPH_KEYS))),
            }
        }
        let graph = Subgraph {
            name: name.ok_or_else(|| missing("name"))?,
            stream: stream.ok_or_else(|| missing("stream"))?,
            uri,
            default: default.ok_or_else(|| missing("default"))?,
            rules,
            stubs_source,
        };
        let is_full = graph.default == Outcome::Pass && graph.rules.is_empty() && !graph.stubs_source;
        match graph.uri {
            None if !is_full => Err(node.error(Broken::NotFull(graph.name))),
            _ => Ok(graph),
        }
    }

    /// `pass ?entity wdt:P31 ?scholarly_type`
    fn rule(&self, node: &Node) -> Result<Rule, DefinitionsError> {
        let text = text("rules", node)?;
        let words: Vec<_> = text.split_whitespace().collect();
        let [outcome @ ("pass" | "block"), subject, predicate, object] = words[..] else {
            return Err(node.error(Broken::Rule(text.to_owned())));
        };
        Ok(Rule {
            outcome: if outcome == "pass" { Outcome::Pass } else { Outcome::Block },
            subject: self.term(node, subject)?,
            predicate: self.iri(node, predicate)?,
            object: self.term(node, object)?,
        })
    }

    fn term(&self, node: &Node, word: &str) -> Result<Term, DefinitionsError> {
        match word.strip_prefix('?') {
            Some("entity") => Ok(Term::Entity),
            Some(name) => match self.bindings.iter().find(|(known, _)| *known == name) {
                Some((_, iris)) => Ok(Term::OneOf(iris.clone())),
                None => Err(node.error(Broken::Unbound(word.to_owned()))),
            },
            None if word == "[]" => Ok(Term::Anything),
            None => Ok(Term::OneOf(vec![self.iri(node, word)?])),
        }
    }

    /// `prefix:name` or `<https://…>`
    fn iri(&self, node: &Node, word: &str) -> Result<String, DefinitionsError> {
        let whole = word.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let iri = match (whole, word.split_once(':')) {
            (Some(iri), _) => iri.to_owned(),
            (None, Some((label, name))) => match self.prefixes.iter().find(|(known, _)| *known == label) {
                Some((_, namespace)) => [namespace, name].concat(),
                None => return Err(node.error(Broken::Prefix(word.to_owned()))),
            },
            (None, None) => String::new(),
        };
        let is_plain = |c: char| c > ' ' && c != '\u{7F}' && !"<>\"{}|^`\\".contains(c);
        if !iri.contains(':') || !iri.chars().all(is_plain) {
            return Err(node.error(Broken::Iri(word.to_owned())));
        }
        Ok(iri)
    }
}

impl Node {
    fn error(&self, rule: Broken) -> DefinitionsError {
        DefinitionsError { line: self.line, rule }
    }
}

fn entries<'y>(name: &str, node: &'y Node) -> Result<&'y [(String, Node)], DefinitionsError> {
    match &node.value {
        Value::Map(entries) => Ok(entries),
        _ => Err(node.error(Broken::Kind(name.to_owned(), "a map"))),
    }
}

fn list<'y>(name: &str, node: &'y Node) -> Result<&'y [Node], DefinitionsError> {
    match &node.value {
        Value::List(nodes) => Ok(nodes),
        _ => Err(node.error(Broken::Kind(name.to_owned(), "a list"))),
    }
}

fn text<'y>(name: &str, node: &'y Node) -> Result<&'y str, DefinitionsError> {
    match &node.value {
        Value::Text(text) if !text.is_empty() => Ok(text),
        _ => Err(node.error(Broken::Kind(name.to_owned(), "a text"))),
    }
}

fn texts<'y>(name: &str, node: &'y Node) -> Result<Vec<(&'y str, &'y str)>, DefinitionsError> {
    entries(name, node)?.iter().map(|(key, node)| Ok((key.as_str(), text(key, node)?))).collect()
}

fn outcome(name: &str, node: &Node) -> Result<Outcome, DefinitionsError> {
    match text(name, node) {
        Ok("pass") => Ok(Outcome::Pass),
        Ok("block") => Ok(Outcome::Block),
        _ => Err(node.error(Broken::Kind(name.to_owned(), "pass or block"))),
    }
}

fn truth(name: &str, node: &Node) -> Result<bool, DefinitionsError> {
    match text(name, node) {
        Ok("true") => Ok(true),
        Ok("false") => Ok(false),
        _ => Err(node.error(Broken::Kind(name.to_owned(), "true or false"))),
    }
}
