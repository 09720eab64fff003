//! Triples as a store gives them back.
//!
//! Promise: two statements have the same [`Key`] if and only if they mean the same to a store that keeps values, not their spelling.
//! In -> out: Turtle, or the N-Triples of a munged set -> statements by their keys.
//! Rules: what stores change, each seen in one of them at least:
//!
//! | what | how it is compared |
//! | --- | --- |
//! | numbers (`+5`, `05`, `5.0`; `xsd:int` for `xsd:integer`) | by value, whatever their type; those of floating point by their nearest double |
//! | times (`2015-01-01T00:00:00.000Z`, `+00:00` for `Z`) | without fractions of nothing, with `Z` |
//! | tags of languages | in lower case |
//! | `xsd:string` | as without a type |
//!
//! Invariant: a key is N-Triples but for numbers and times. Blank nodes are equal by their labels only, which no store keeps: a store
//! that follows the stream has none.

use std::collections::BTreeMap;

use crate::rdf::SyntaxError;
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::reader::{Arena, Reader};
use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// What a statement means: subject, predicate and object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The subject, as N-Triples has it.
    pub subject: String,
    /// The predicate.
    pub predicate: String,
    /// The object, by its value.
    pub object: String,
}

/// Statements, each once, as they were written: as N-Triples, without a line feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph(BTreeMap<Key, String>);

impl Graph {
    /// Reads a whole document of Turtle.
    pub fn read(turtle: &[u8]) -> Result<Self, SyntaxError> {
        let text = simdutf8::compat::from_utf8(turtle)
            .map_err(|error| SyntaxError::new(error.valid_up_to(), "it is no UTF-8"))?;
        let (arena, prefixes) = (Arena::default(), Prefixes::default());
        let mut reader = Reader::new(&arena, &prefixes, text, 0, true);
        let (mut graph, mut triples) = (Self::default(), Vec::new());
        while reader.statement(&mut triples)? {
            triples.drain(..).for_each(|triple| graph.insert(&triple));
        }
        Ok(graph)
    }

    /// The statements, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &str)> {
        self.0.iter().map(|(key, line)| (key, &**line))
    }

    /// Whether one is among them.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn insert(&mut self, triple: &Triple<'_>) {
        let mut line = Vec::new();
        ntriples::line(&mut line, triple, Encoding::Utf8);
        line.truncate(line.len() - 1);
        let key = Key {
            subject: written(|out| ntriples::term(out, &triple.subject, Encoding::Utf8)),
            predicate: written(|out| ntriples::iri(out, triple.predicate, Encoding::Utf8)),
            object: value(&triple.object),
        };
        self.0.insert(key, text(line));
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("terms are made of text")
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    text(out)
}

/// What an object means.
fn value(object: &Term<'_>) -> String {
    let plain = |term: &Term<'_>| written(|out| ntriples::term(out, term, Encoding::Utf8));
    let Term::Literal(literal) = object else { return plain(object) };
    match literal.tag {
        Tag::None => plain(object),
        Tag::Language(language) => {
            let language = language.to_ascii_lowercase();
            plain(&Term::Literal(Literal { tag: Tag::Language(&language), ..*literal }))
        }
        Tag::Datatype(datatype) => of_type(literal.value, datatype).unwrap_or_else(|| plain(object)),
    }
}

/// What the value of a type means that stores keep as a value; `None` for others, and for what is no value of the type.
fn of_type(value: &str, datatype: Iri<'_>) -> Option<String> {
    let datatype = datatype.to_text();
    match datatype.strip_prefix(XSD)? {
        "string" => Some(written(|out| {
            ntriples::term(out, &Term::Literal(Literal { value, tag: Tag::None }), Encoding::Utf8);
        })),
        "decimal" | "integer" | "int" | "long" | "short" | "byte" | "nonNegativeInteger" | "positiveInteger" => {
            decimal(value)
        }
        "double" | "float" => {
            let number = value.parse::<f64>().ok()?.to_string();
            Some(decimal(&number).unwrap_or(number))
        }
        "dateTime" => Some(time(value)),
        _ => None,
    }
}

/// A number without what does not change it: `+05.50` is `5.5`.
fn decimal(value: &str) -> Option<String> {
    let (sign, digits) = match value.as_bytes().first()? {
        b'-' => ("-", &value[1..]),
        b'+' => ("", &value[1..]),
        _ => ("", value),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

/// A time without what does not change it.
fn time(value: &str) -> String {
    let (moment, zone) = match value.strip_suffix("+00:00").or_else(|| value.strip_suffix('Z')) {
        Some(moment) => (moment, "Z"),
        None => (value, ""),
    };
    let moment = match moment.split_once('.') {
        Some((seconds, fraction)) => match fraction.trim_end_matches('0') {
            "" => seconds.to_owned(),
            fraction => format!("{seconds}.{fraction}"),
        },
        None => moment.to_owned(),
    };
    format!("{}{zone}", moment.strip_prefix('+').unwrap_or(&moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(term: &str) -> String {
        let graph = Graph::read(format!("<http://s> <http://p> {term} .").as_bytes()).unwrap();
        let (key, statement) = graph.iter().next().unwrap();
        assert!(statement.starts_with("<http://s> <http://p> ") && statement.ends_with(" ."));
        key.object.clone()
    }

    fn typed(value: &str, datatype: &str) -> String {
        object(&format!("\"{value}\"^^<{XSD}{datatype}>"))
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let same = [
            ["+5", "5"],
            ["05.50", "5.5"],
            ["-0.0", "0"],
            ["-0", "+0.00"],
            [".5", "0.5"],
            ["-00.250", "-0.25"],
            ["10", "10."],
            ["12345678901234567890.10", "12345678901234567890.1"],
        ];
        for [one, other] in same {
            assert_eq!(typed(one, "decimal"), typed(other, "decimal"), "{one}");
            assert_eq!(typed(one, "decimal"), typed(other, "int"), "{one}");
        }
        for [one, other] in [["5", "-5"], ["5", "50"], ["0.5", "0.05"], ["1", "1.0000000000000000000001"]] {
            assert_ne!(typed(one, "decimal"), typed(other, "decimal"), "{one}");
        }
        assert_eq!(typed("1.5E1", "double"), typed("15", "integer"));
        assert_ne!(typed("INF", "double"), typed("NaN", "double"));
        // What is no number stays what it is.
        assert_ne!(typed("x", "integer"), typed("x", "decimal"));
        assert_ne!(typed("", "integer"), typed("0", "integer"));
    }

    #[test]
    fn other_values_are_compared_as_in_this_table() {
        let rows = [
            (typed("2015-01-01T00:00:00Z", "dateTime"), typed("2015-01-01T00:00:00.000Z", "dateTime"), true),
            (typed("2015-01-01T00:00:00Z", "dateTime"), typed("2015-01-01T00:00:00+00:00", "dateTime"), true),
            (typed("-0500-01-01T00:00:00Z", "dateTime"), typed("0500-01-01T00:00:00Z", "dateTime"), false),
            (typed("2015-01-01T00:00:00.5Z", "dateTime"), typed("2015-01-01T00:00:00.500Z", "dateTime"), true),
            (object("\"a\"@de-CH"), object("\"a\"@de-ch"), true),
            (object("\"a\"@de"), object("\"a\"@en"), false),
            (object("\"a\""), typed("a", "string"), true),
            (object("\"a\""), object("\"a\"@en"), false),
            (object("\"1\""), typed("1", "integer"), false),
            (object("<http://a>"), object("\"http://a\""), false),
            (typed("Point(1 2)", "other"), typed("Point(1.0 2)", "other"), false),
        ];
        for (one, other, is_same) in rows {
            assert_eq!(one == other, is_same, "{one} {other}");
        }
    }

    #[test]
    fn prefixes_and_lists_are_turtle_too() {
        let turtle = b"@prefix p: <http://p/> .\np:a a p:b ; p:c 1, \"x\"@EN .\n";
        let graph = Graph::read(turtle).unwrap();
        assert_eq!(graph.len(), 3);
        let lines = b"<http://p/a> <http://p/c> \"x\"@en .\n<http://p/a> <http://p/c> 01 .\n";
        assert!(Graph::read(lines).unwrap().iter().all(|(key, _)| graph.0.contains_key(key)));
        let cut = Graph::read(b"<http://p/a> <http://p/c> \"x").unwrap_err();
        assert!(!cut.message.is_empty());
        assert_eq!(Graph::read(b"\xff").unwrap_err().offset, 0);
    }
}
