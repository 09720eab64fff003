//! YAML -> a tree of texts, lists and maps with their lines.
//!
//! Promise: every error names its line; no key twice; no document that is small and unfolds into a large one.
//! Invariant: the one door to the YAML parser. Anchors, aliases, tags and a second document are refused: nothing here needs them.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The line on which it begins, counted from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `null`, `~`, or no text at all.
    Null,
    /// A text, a number or a truth value.
    Text(String),
    /// Several nodes.
    List(Vec<Node>),
    /// Keys and their nodes, in the order of the text.
    Map(Vec<(String, Node)>),
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {rule}")]
pub struct YamlError {
    /// The line, counted from 1.
    pub line: usize,
    /// The rule that is broken.
    pub rule: String,
}

/// How deep nodes may stand within each other.
const DEEPEST: usize = 16;

/// Reads a document.
pub fn read(text: &str) -> Result<Node, YamlError> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| YamlError { line: error.marker().line(), rule: error.info().to_owned() })?;
        tree.event(event, &span)?;
    }
    tree.root.ok_or_else(|| YamlError { line: 1, rule: "the file is empty".to_owned() })
}

/// A tree being built.
#[derive(Default)]
struct Tree {
    root: Option<Node>,
    open: Vec<Open>,
}

/// A list or a map whose end was not yet seen.
struct Open {
    node: Node,
    /// In a map: the key whose node comes next.
    key: Option<String>,
}

impl Tree {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let line = span.start.line();
        let error = |rule: &str| Err(YamlError { line, rule: rule.to_owned() });
        match event {
            Event::Scalar(_, _, anchor, ref tag)
            | Event::SequenceStart(anchor, ref tag)
            | Event::MappingStart(anchor, ref tag)
                if anchor > 0 || tag.is_some() =>
            {
                error("anchors and tags cannot be used here")
            }
            Event::Alias(_) => error("aliases cannot be used here"),
            Event::DocumentStart(_) if self.root.is_some() => error("there is more than one document in the file"),
            Event::Scalar(text, style, ..) => {
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Text(text.into_owned()) };
                self.add(Node { line, value })
            }
            Event::SequenceStart(..) => self.open(Node { line, value: Value::List(Vec::new()) }),
            Event::MappingStart(..) => self.open(Node { line, value: Value::Map(Vec::new()) }),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn open(&mut self, node: Node) -> Result<(), YamlError> {
        if self.open.len() == DEEPEST {
            return Err(YamlError {
                line: node.line,
                rule: "lists and maps stand too deep within each other".to_owned(),
            });
        }
        self.open.push(Open { node, key: None });
        Ok(())
    }

    /// Puts a whole node in its place.
    fn add(&mut self, node: Node) -> Result<(), YamlError> {
        let error = |rule: String| Err(YamlError { line: node.line, rule });
        let Some(Open { node: parent, key }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.value, key.take(), node.value) {
            (Value::List(nodes), _, value) => nodes.push(Node { value, ..node }),
            (Value::Map(entries), Some(known), value) => entries.push((known, Node { value, ..node })),
            (Value::Map(entries), None, Value::Text(text)) => {
                if entries.iter().any(|(known, _)| *known == text) {
                    return error(format!("`{text}` is there twice"));
                }
                *key = Some(text);
            }
            _ => return error("a key is a text".to_owned()),
        }
        Ok(())
    }
}
