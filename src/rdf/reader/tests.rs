//! The law of the reader: of any text, however it is cut, oxttl's triples in their order; or both refuse it.

use std::collections::HashMap;
use std::fmt::Write as _;

use oxttl::TurtleParser;
use proptest::prelude::*;

use super::*;
use crate::generate::profile::{Contents, Profile};
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::term::{Literal, Tag};
use crate::wikibase::timestamp::Timestamp;

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

/// What oxttl reads; `None` where it refuses.
fn reference(text: &str) -> Option<String> {
    // See `judge`: nothing may touch the end of oxttl's input.
    let text = [text, "\n"].concat();
    let (mut lines, arena) = (Lines::default(), Arena::default());
    for triple in TurtleParser::new().for_slice(&text) {
        lines.triple(&arena.triple(&triple.ok()?));
    }
    Some(lines.text)
}

/// What the reader reads of a text that comes in pieces of these sizes in turn; `None` where it refuses. The same by lines.
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
        end += sizes.next().map_or(text.len(), |size| *size.max(&1)).min(text.len() - end);
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

/// What documents are put together from. Each is a sequence of whole statements, most of them valid.
const FRAGMENTS: &[&str] = &[
    "@prefix schema: <http://schema.org/> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n",
    "@prefix wd: <http://www.wikidata.org/entity/> .\n@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n",
    "@prefix wikibase: <http://wikiba.se/ontology#> .\n@prefix labeloftwelve: <http://example.org/long#> .\n",
    "@prefix : <http://example.org/:> .\n:a :b :c.d:e .\r\n: : : . wd:Q1 a:b : .\n",
    "@prefix wd: <http://other.example/> .\nwd:Q1 wd:P1 wd:Q2 .\n@prefix wd: <http://www.wikidata.org/entity/> .\n",
    "@prefix xs: <http://www.w3.org/2001/XMLSchema#str> .\nwd:a wd:b \"x\"^^xs:ing , \"y\"^^<http://www.w3.org/2001/XMLSchema#string> .\n",
    "@prefix st: <http://www.w3.org/2001/XMLSchema#string> .\nwd:a wd:b \"x\"^^st: , \"x\"^^xsd:string .\n",
    "@prefix h: <http://host> .\nh:x wd:b h:8 . wd:a wd:b h: .\n",
    "@prefix p: <http://host:8> .\np:x wd:b p:8 .\n",
    "@prefix p: <http://host:8> .\nwd:a wd:b p:8 .\n",
    "@prefix u: <urn:x> .\nu:x u:: u:8 .\n",
    "@prefix\tq.r: <http://example.org/q#> . q.r:a q.r:b q.r:c .\n",
    "@prefix # why\nwd:<http://www.wikidata.org/entity/>.wd:Q1 wd:P1 wd:Q1.\n",
    "PREFIX schema: <http://schema.org/>\n",
    "pReFix w:<http://example.org/w?> w:Q7 schema:version 7 . ",
    "@base <https://www.wikidata.org/wiki/> .\n<Q8> schema:version <http://a.org/b/../c> , <#x> .\n",
    "BASE # why not\n <http://schema.org/> wd:Q9 <version> 9 .\n",
    "wd:Q31 a schema:Dataset ;\n\tschema:about wd:Q31 ;\n\tschema:version \"1065756426\"^^xsd:integer ;\n\tschema:dateModified \"2019-11-30T01:14:52Z\"^^xsd:dateTime .\n\n",
    "wd:Q1 a wd:Q2,\n\t\twd:Q3 ;\n\n;;\n\tschema:name \"A\"@en,\n\t\t'B'@de-x-formal , \"C\"@zh-min-nan, \"D\"@be-tarask ;\n.\n",
    "<https://af.wikipedia.org/wiki/Douglas_Adams> a schema:Article ; schema:isPartOf <https://af.wikipedia.org/> .\n",
    "<https://ar.wikipedia.org/wiki/%D8%AF%D9%88%D8%BA> a <http://пример.org/%41!~$?x=/?#/é?> .\n",
    "<http://a.org:80/> a <http://u@a.org/> , <http://[::1]/> , <http://a.org> , <http:///x> , <ftp://a.org/> , <urn:x> .\n",
    "<http://a.org/\\u0061> a <http://a.org/#\\U00000061> .\n",
    "<http://a.org/#a#b> a wd:Q1 .\n",
    "<http://a.org/%4> a wd:Q1 .\n",
    "<http://a.org/\u{E000}> a wd:Q1 .\n",
    "<http://a.org/?\u{E000}\u{FFEF}> a wd:Q1 .\n",
    "<http://a.org/a|b> a wd:Q1 .\n",
    "<a> a wd:Q1 .\n",
    "<http://a.org/a> <http://a.org/b> 1 .\n<http://a.org/a> <http://a.org/b> 2 .\n<http://a.org/ab> <http://a.org/bc> 3 .\n",
    "<http://a.org/b/../c> <http://a.org/p/../q> 1 .\n<http://a.org/b/../c> <http://a.org/p/../q> <http://a.org/b/../c> .\n",
    "<http://a.org/a> <http://a.org/b> \"c\" .\n<http://a.org/a> <http://a.org/b> <http://a.org/c> .\n",
    "<http://a.org/a> <http://a.org/b> \"\" .\n<http://a.org/a> <http://a.org/b> \"\"\"\"\"\" .\n<http://a.org/a> <http://a.org/b> \"é\"@en-GB .\n",
    "<http://a.org/a> <http://a.org/b> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n",
    "<http://a.org/a> <http://a.org/b> \"1\"^^<http://www.w3.org/2001/XMLSchema#string> .\n<http://a.org/a> <http://a.org/b> 'c' .\n",
    "<http://a.org/a> <http://a.org/b> \"\u{7f}\" .\n<http://a.org/a> <http://a.org/b> \"\\\"\" .\n<http://a.org/a> <http://a.org/b> \"c\" .\r\n",
    "<http://a.org/a>\t<http://a.org/b> \"c\" .\n<http://a.org/a> <http://a.org/b> <http://a.org/c>.\n<http://a.org/a> <http://a.org/b> \"c\" . \n",
    "<http://a.org/a> <http://a.org/b> \"c\" , \"d\" .\n<http://a.org/a> <http://a.org/b> _:c .\n<http://a.org/\\u0061> <http://a.org/b> \"c\" .\n",
    "<http://a.org/a> <http://a.org/b> \"c\"^^xsd:date .\n<http://a.org/a> <http://a.org/b> \"c\"^^ <http://a.org/c> .\n",
    "<> <> <> .\n",
    "wd:Q1 wd:P1 5.wd:Q2 wd:P2 .5 , -1 , +2. wd:Q1 wd:P1 -1.5 , 2.e5 , 1e0 , 5.0 . \n",
    "wd:Q1 wd:P1 5 .5 .\n",
    "_:a.wd:P1 wd:P2 wd:Q3 .\n",
    "_:b wd:P2 wd:Q3. wd:Q3 wd:P4 true.wd:Q3 wd:P4 false, true;wd:P5 true\n.\n",
    "_:a:b :c _:0.1. _:_ :c _:é .\n",
    "wd:Q1 wd:P4 truely .\n",
    "wd:Q1 wd:P4 true.false .\n",
    "wd:Q1\nwd:P1\nwd:Q2\n.\nwd:Q54\nschema:version\n54\n.\n",
    "[ schema:version 55 ] schema:about wd:Q55 .\n( wd:Q56 ) schema:version [] .\n",
    "wd:Q57 schema:about [ schema:version 1 ; wd:a wd:Q1 ] ; schema:version 57 .\n",
    "wd:Q1 schema:name \"naïve 世界 🙂\"@fr ; schema:name \"back\\\\\" , 'it\\'s \"' .\n",
    "wd:Q1 schema:name \"\\t\\b\\n\\r\\f\\\"\\'\\\\\\u00e9\\U0001F642\" , '''a\\u0041''b\n\r'''@en , \"\"\"\"\" \"x\\\"\"\"\" .\n",
    "wd:Q1 schema:name \"\\ud83d\\ude42\" .\n",
    "wd:Q1 schema:name \"\\u+041\" .\n",
    "wd:Q1 schema:name \"\\x\" .\n",
    "wd:Q1 schema:name \"\" , '' , \"\"\"\"\"\" , ''''''@en . # a comment \" with a mark\n",
    "wd:Q1 schema:name \"tab\there\u{1}\u{7f}\" .\n",
    "wd:Q1 schema:name \"cr\rhere\" .\n",
    "wd:Q1 schema:name \"x\" @en , \"x\" # c\n ^^ # d\n xsd:integer , \"x\"^^ xsd:date .\n",
    "wd:Q1 schema:name \"x\"@en5 .\n",
    "wd:Q1 schema:name \"x\"@en- .\n",
    "wd:Q1 schema:name \"x\"@en--ltr .\n",
    "wd:Q1 schema:name \"x\"@toolongtag .\n",
    "wd:Q1 schema:name \"x\"@a , \"x\"@i-klingon .\n",
    "wd:Q1 schema:name \"x\"@EN-gb-x-y, \"x\"@zh-cmn-Hans-CN-a-bc, \"x\"@x-a , \"x\"@sl-rozaj-1994 , \"x\"@es-419 .\n",
    "wd:Q1 schema:name \"x\"^^rdf:langString .\n",
    "wd:Q1 schema:name \"x\"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .\n",
    "wd:Q1 wd:P1 wd:a\\. , wd:b\\~c , wd:%41 , wd:%4 .\n",
    "wd:Q1 wd:P1 wd:a\\. , wd:b\\~c , wd:%41..b , wd:é , wd:a.é , wd:a.\n",
    "wd:Q1 wd:P1 wd:a..\n",
    "wd:Q1 wd:P1 wd:-a .\n",
    "wd:Q1 wd:P1 wd:.5 .\n",
    "wd:Q1 wd:P1 wd:a.b..c- .wd:Q1 wd:P1 wd:0:1 , wd:a..:b.wd:c , labeloftwelve:x , wd:a-,wd:_;wd:b wikibase:Item.\n",
    "wd:Q1 wd:P1 undeclared:Q2 .\n",
    "wd:Q1\0\0\0:P1 wd:Q2 .\n",
    "wd:Q1a wd:Q2 .\nwd:Q1 a<http://a.org/>; a\"x\" .\n",
    "wd:Q1 a<http://a.org/>;a wd:Q2 .\n",
    "# wd:Q53 schema:version 53 .\n",
    "# no end\r",
    "\n\n \t\r\n",
    "\u{c}",
    "wd:a wd:b wd:c",
    "wd:a wd:b wd:c ; .\nwd:a wd:b wd:c , .\n",
    "wd:a wd:b .\n",
    "wd:a \"b\" wd:c .\n\"a\" wd:b wd:c .\n",
    "@prefix wd: <http://www.wikidata.org/entity/> .5\n",
    "@prefix -a: <http://www.wikidata.org/entity/> .\n",
    "@PREFIX a: <http://www.wikidata.org/entity/> .\n",
    "@prefixed a: <http://www.wikidata.org/entity/> .\n",
];

fn document() -> impl Strategy<Value = String> {
    let fragments = prop::collection::vec(prop::sample::select(FRAGMENTS), 0..8);
    let declared = FRAGMENTS[..4].concat();
    (any::<bool>(), fragments).prop_map(move |(prefixed, fragments)| {
        let start = if prefixed { &*declared } else { "" };
        start.to_owned() + &fragments.concat()
    })
}

/// A document after some characters were removed, doubled or replaced.
fn damaged() -> impl Strategy<Value = String> {
    let characters: Vec<char> = "\"'.<>#\\\n\r ;,:@[]()ae5_-%^+é×\u{0}\u{7f}".chars().collect();
    let change = (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(characters));
    (document(), prop::collection::vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut text: Vec<char> = text.chars().collect();
        for (at, what, character) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match what {
                0 => drop(text.remove(at)),
                1 => text.insert(at, character),
                _ => text[at] = character,
            }
        }
        text.into_iter().collect()
    })
}

/// Whether a language tag may have what the reader allows and oxttl does not: more than 8 characters in private use.
fn has_long_private_use(text: &str) -> bool {
    let private_use = text.split(['-', '@']).skip_while(|subtag| !matches!(*subtag, "x" | "X"));
    private_use.skip(1).any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() > 8)
}

#[test]
fn a_language_without_a_code_is_named_by_its_item() {
    let text = "@prefix wd: <http://www.wikidata.org/entity/> . wd:L1 wd:P1 \"a\"@mis-x-Q107284134 .";
    assert_eq!(reference(text), None);
    assert!(read(text, &[]).is_some_and(|lines| lines.contains("@mis-x-q107284134")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_reads_what_oxttl_reads(text in damaged(), sizes in prop::collection::vec(1..300_usize, 0..4)) {
        prop_assume!(!has_long_private_use(&text));
        let expected = reference(&text);
        prop_assert_eq!(&read(&text, &[]), &expected, "in one piece");
        prop_assert_eq!(&read(&text, &sizes), &expected, "in pieces");
    }
}

#[test]
fn each_fragment_alone_and_cut_everywhere() {
    let declared = FRAGMENTS[..4].concat();
    for fragment in FRAGMENTS {
        for text in [(*fragment).to_owned(), declared.clone() + fragment] {
            let expected = reference(&text);
            assert_eq!(read(&text, &[]), expected, "{text}");
            for size in 1..40 {
                assert_eq!(read(&text, &[size]), expected, "{text}, in pieces of {size}");
            }
        }
    }
}

fn generated(contents: Contents) -> String {
    let profile = Profile {
        seed: 5,
        contents,
        entities: 40,
        documents: 2,
        redirects: 50,
        start: Timestamp::default(),
        prefixes: crate::generate::profile::Prefixes::New,
    };
    let mut text = Vec::new();
    (0..profile.documents).for_each(|number| profile.write_document(number, &mut text).expect("writing to memory"));
    String::from_utf8(text).expect("dumps are UTF-8")
}

/// What dumps are made of is read in the plain way, all of it.
#[test]
fn made_up_dumps_are_read_without_oxttl() {
    for contents in [Contents::Items, Contents::Mixed, Contents::Lexemes, Contents::MediaInfo] {
        let text = generated(contents);
        assert_eq!(read(&text, &[]), reference(&text));
        assert_eq!(read(&text, &[1000, 70]), reference(&text));
        let (arena, prefixes) = (Arena::default(), Prefixes::default());
        let mut reader = Reader::new(&arena, &prefixes, &text, 0, true);
        let mut triples = Vec::new();
        while reader.statement(&mut triples).expect("it is Turtle") {}
        assert!(arena.text.len() < text.len() / 30, "{contents:?}: {} bytes in the arena", arena.text.len());
        assert!(arena.prefixes.len() < 100, "what is declared again makes no new prefixes");
    }
}
