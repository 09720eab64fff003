//! The door to oxttl, which reads whatever is not plain.
//!
//! Promise: oxttl's triples for one statement, or its error with the place in the text.
//! In -> out: a text and a place at which a statement begins -> triples in the arena, perhaps new prefixes.
//! Invariant: oxttl sees the bytes of whole statements, under the prefixes that hold, as if it had read all before.
//! Not here: which statements are plain (see `reader`).

use oxrdf::{BlankNode, NamedNode, NamedOrBlankNode};
use oxttl::TurtleParser;

use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};
use crate::rdf::{SyntaxError, lexer, vocab};

impl<'a> Reader<'a> {
    /// Reads the statement that begins here, whatever it is; at the end of a document whatever is left, which may be
    /// directives without a dot.
    #[cold]
    pub(super) fn judge(&mut self, triples: &mut Vec<Triple<'a>>) -> Result<bool, SyntaxError> {
        let end = match lexer::statement_end(self.text.as_bytes(), self.at, self.whole)? {
            Some(end) => end,
            None if self.whole => self.text.len(),
            None => return Ok(false),
        };
        // oxttl 0.2.5 loses the end of a name with escapes that touches the end of its input; so nothing touches it.
        let statement = [&self.text[self.at..end], "\n"].concat();
        let parser = parser(self.prefixes).map_err(|message| SyntaxError::new(self.at, message))?;
        let mut parser = parser.for_slice(&statement);
        let mut found = Vec::new();
        for triple in parser.by_ref() {
            let triple = triple.map_err(|error| {
                let offset = error.location().start.offset as usize;
                SyntaxError::new(self.at + offset.min(end - self.at), error.message())
            })?;
            found.push(self.arena.triple(&triple));
        }
        let mut prefixes = self.prefixes.clone();
        parser.prefixes().for_each(|(label, namespace)| prefixes.declare(label, namespace));
        if let Some(base) = parser.base_iri() {
            prefixes.declare_base(base);
        }
        if prefixes != *self.prefixes {
            self.prefixes = self.arena.prefixes.alloc(prefixes);
        }
        triples.append(&mut found);
        self.at = end;
        Ok(true)
    }
}

/// An oxttl parser under these prefixes.
fn parser(prefixes: &Prefixes) -> Result<TurtleParser, String> {
    let mut parser = TurtleParser::new();
    for (label, namespace) in prefixes.iter() {
        parser = parser.with_prefix(label, namespace).map_err(|error| error.to_string())?;
    }
    match prefixes.base() {
        Some(base) => parser.with_base_iri(base).map_err(|error| error.to_string()),
        None => Ok(parser),
    }
}

impl Arena {
    /// The same triple, kept here.
    pub fn triple(&self, triple: &oxrdf::Triple) -> Triple<'_> {
        let subject = match &triple.subject {
            NamedOrBlankNode::NamedNode(node) => Term::Iri(self.iri(node)),
            NamedOrBlankNode::BlankNode(node) => self.blank(node),
        };
        let object = match &triple.object {
            oxrdf::Term::NamedNode(node) => Term::Iri(self.iri(node)),
            oxrdf::Term::BlankNode(node) => self.blank(node),
            oxrdf::Term::Literal(literal) => Term::Literal(self.literal(literal)),
        };
        Triple { subject, predicate: self.iri(&triple.predicate), object }
    }

    fn iri(&self, node: &NamedNode) -> Iri<'_> {
        Iri::full(self.text(node.as_str()))
    }

    fn blank(&self, node: &BlankNode) -> Term<'_> {
        Term::Blank(self.text(node.as_str()))
    }

    fn literal(&self, literal: &oxrdf::Literal) -> Literal<'_> {
        let tag = match literal.language() {
            Some(language) => Tag::Language(self.text(language)),
            None if literal.datatype().as_str() == vocab::XSD_STRING => Tag::None,
            None => Tag::Datatype(Iri::full(self.text(literal.datatype().as_str()))),
        };
        Literal { value: self.text(literal.value()), tag }
    }
}
