//! The law of the reader: of any text, oxttl's triples in their order, or both refuse it; wherever the text is cut.
//!
//! Input: two bytes that choose the cuts, one whose lowest bit puts the usual prefixes before the document, the document.
//! Where oxttl refuses, the law is then put to what stands before the error as well.

#![no_main]

use std::collections::HashMap;
use std::fmt::Write as _;

use headwater::rdf::SyntaxError;
use headwater::rdf::ntriples::{self, Encoding};
use headwater::rdf::prefixes::Prefixes;
use headwater::rdf::reader::{Arena, Reader};
use headwater::rdf::term::{Literal, Tag, Term, Triple};
use libfuzzer_sys::fuzz_target;
use oxttl::TurtleParser;

const PREFIXES: &str = "@prefix schema: <http://schema.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix : <http://example.org/:> .
@prefix labeloftwelve: <http://example.org/long#> .
@prefix x: <http://example.org> .
";

/// How often a document is made shorter until oxttl accepts it.
const TRIES: usize = 4;

fuzz_target!(|input: &[u8]| {
    let [first, second, prefixed, document @ ..] = input else { return };
    let start = if prefixed & 1 == 1 { PREFIXES } else { "" };
    let valid = document.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let text = [start, valid].concat();
    let mut text = text.as_str();
    if has_long_private_use(text) {
        return;
    }
    for _ in 0..TRIES {
        let expected = reference(text);
        let found = read(text, &[usize::from(*first), usize::from(*second)]);
        assert_eq!(found.as_ref(), expected.as_ref().ok(), "the reader, in pieces, and oxttl");
        assert_eq!(read(text, &[0]).as_ref(), expected.as_ref().ok(), "the reader, in one piece, and oxttl");
        let Err(broken) = expected else { break };
        let before = text.floor_char_boundary(broken.min(text.len().saturating_sub(1)));
        let Some(dot) = text[..before].rfind('.') else { break };
        text = &text[..=dot];
    }
});

/// Whether a language tag may have what the reader allows and oxttl does not: more than 8 characters in private use.
fn has_long_private_use(text: &str) -> bool {
    let private_use = text.split(['-', '@']).skip_while(|subtag| !matches!(*subtag, "x" | "X"));
    private_use.skip(1).any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() > 8)
}

/// What oxttl reads, or where it breaks a rule.
fn reference(text: &str) -> Result<String, usize> {
    // oxttl loses the end of a name with escapes that touches the end of its input.
    let text = [text, "\n"].concat();
    let (mut lines, arena) = (Lines::default(), Arena::default());
    for triple in TurtleParser::new().for_slice(&text) {
        lines.triple(&arena.triple(&triple.map_err(|error| error.location().start.offset as usize)?));
    }
    Ok(lines.text)
}

/// What the reader reads of a text that comes in pieces of these sizes in turn; 0 is all that is left. The same by lines.
fn read(text: &str, sizes: &[usize]) -> Option<String> {
    let read = read_by(text, sizes, |reader, triples| reader.statement(triples));
    assert_eq!(read_by(text, sizes, line_or_statement), read, "by lines");
    read
}

/// Reads the next line, if one stands there, else the next statement.
fn line_or_statement<'a>(reader: &mut Reader<'a>, triples: &mut Vec<Triple<'a>>) -> Result<bool, SyntaxError> {
    let Some((triple, line)) = reader.line() else { return reader.statement(triples) };
    let mut written = Vec::new();
    ntriples::line(&mut written, &triple, Encoding::Utf8);
    assert_eq!(line.to_owned() + "\n", String::from_utf8(written).expect("terms are made of text"));
    triples.push(triple);
    Ok(true)
}

type Next = for<'a> fn(&mut Reader<'a>, &mut Vec<Triple<'a>>) -> Result<bool, SyntaxError>;

fn read_by(text: &str, sizes: &[usize], next: Next) -> Option<String> {
    let mut lines = Lines::default();
    let (mut prefixes, mut start, mut end) = (Prefixes::default(), 0, 0);
    let mut sizes = sizes.iter().cycle();
    while end < text.len() || start < text.len() {
        let left = text.len() - end;
        end += sizes.next().map_or(left, |size| if *size == 0 { left } else { left.min(*size) });
        end = text.ceil_char_boundary(end);
        let arena = Arena::default();
        let mut reader = Reader::new(&arena, &prefixes, &text[..end], start, end == text.len());
        let mut triples = Vec::new();
        while next(&mut reader, &mut triples).ok()? {}
        triples.iter().for_each(|triple| lines.triple(triple));
        start = reader.at();
        let now = reader.prefixes().clone();
        assert!(end < text.len() || start == end, "the reader ends where the text ends");
        prefixes = now;
    }
    Some(lines.text)
}

/// Triples as text, a line each, with blank nodes numbered in the order in which they come.
#[derive(Default)]
struct Lines {
    text: String,
    blank: HashMap<String, usize>,
}

impl Lines {
    fn triple(&mut self, triple: &Triple<'_>) {
        self.term(triple.subject);
        self.text += &triple.predicate.to_text();
        self.term(triple.object);
        self.text += "\n";
    }

    fn term(&mut self, term: Term<'_>) {
        let _ = match term {
            Term::Iri(iri) => write!(self.text, " <{}> ", iri.to_text()),
            Term::Blank(label) => {
                let next = self.blank.len();
                write!(self.text, " _:{} ", self.blank.entry(label.to_owned()).or_insert(next))
            }
            Term::Literal(Literal { value, tag }) => match tag {
                Tag::None => write!(self.text, " {value:?}"),
                Tag::Language(tag) => write!(self.text, " {value:?}@{}", tag.to_ascii_lowercase()),
                Tag::Datatype(iri) => write!(self.text, " {value:?}^^{}", iri.to_text()),
            },
        };
    }
}
