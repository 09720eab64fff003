//! Blank nodes without a label, such as `[]` and those of a list: what to call them.
//!
//! Promise: the same statement gives the same names in every run, so that outputs can be compared, and runs resumed.
//! In -> out: the triples of one statement, its text -> the triples, with names that follow from what the statement says.
//! Invariant: a name is used in one statement only, but for statements that say the same: then the nodes are one, which says no
//! less. Wikibase labels all of its nodes.

use std::fmt::Write as _;

use memchr::memmem;

use crate::rdf::fingerprint::Fingerprint;
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::reader::Arena;
use crate::rdf::term::{Term, Triple};

/// Names the nodes of a statement's triples that have no label in its text. (The reader gives those labels at random.)
pub fn name<'a>(triples: &mut [Triple<'a>], statement: &str, arena: &'a Arena) {
    let text = statement.as_bytes().as_ptr_range();
    // A label that is a piece of the text stands there; only of others must be found out whether they do.
    let is_doubtful = |term: &Term<'_>| matches!(term, Term::Blank(label) if !text.contains(&label.as_ptr()));
    if triples.iter().any(|triple| is_doubtful(&triple.subject) || is_doubtful(&triple.object)) {
        rename(triples, statement, arena);
    }
}

#[cold]
fn rename<'a>(triples: &mut [Triple<'a>], statement: &str, arena: &'a Arena) {
    let mut nodes: Vec<&str> = Vec::new();
    let mut number = |term: &mut Term<'a>| {
        let Term::Blank(label) = term else { return };
        if memmem::find(statement.as_bytes(), ["_:", *label].concat().as_bytes()).is_some() {
            return;
        }
        let known = nodes.iter().position(|node| node == label);
        let number = known.unwrap_or_else(|| {
            nodes.push(*label);
            nodes.len() - 1
        });
        *label = arena.text(&format!("-{number}"));
    };
    for triple in &mut *triples {
        number(&mut triple.subject);
        number(&mut triple.object);
    }
    let mut says = Vec::new();
    triples.iter().for_each(|triple| ntriples::line(&mut says, triple, Encoding::Utf8));
    let mut prefix = String::new();
    // Writing to a text cannot fail.
    let _ = write!(prefix, "unlabelled-{:016x}", Fingerprint::of(&says));
    let place = |term: &mut Term<'a>| {
        if let Term::Blank(label) = term
            && label.starts_with('-')
        {
            *label = arena.text(&[&prefix, *label].concat());
        }
    };
    for triple in triples {
        place(&mut triple.subject);
        place(&mut triple.object);
    }
}
