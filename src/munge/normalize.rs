//! Terms as every Wikibase should have written them.
//!
//! Promise: each rule is one function, changes only what its example shows, and changes nothing when applied again.
//! In -> out: a triple -> the same triple, and which rules rewrote it.
//! Rules: upstream's `NormalizingRdfHandler`, `BNodeSkolemization`, `PointCoordinateSwitcher` and `Munger`.

use std::borrow::Cow;

use crate::rdf::reader::Arena;
use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};
use crate::rdf::vocab;
use crate::wikibase::names::{Name, Namer, Space};

/// The longest literal, in UTF-16 code units: Blazegraph's, which keeps lengths in 16 bits.
pub const LONGEST_LITERAL: usize = 32_767;

const OLD_ONTOLOGIES: [&str; 2] = ["http://wikiba.se/ontology-", "http://www.wikidata.org/ontology-"];

/// The rules that rewrote a triple.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// [`current_ontology`]
    pub ontology: bool,
    /// [`number`]
    pub number: bool,
    /// [`lower_case`]
    pub language: bool,
    /// [`without_invisible`]
    pub invisible: bool,
    /// [`skolemized`]
    pub skolemized: bool,
    /// [`trimmed`]
    pub trimmed: bool,
    /// [`switched_point`]
    pub switched: bool,
}

impl Rewrites {
    /// The rules in words.
    pub fn texts(self) -> impl Iterator<Item = &'static str> {
        [
            (self.ontology, "the ontology's namespace carries no version"),
            (self.number, "what is no number becomes 0"),
            (self.language, "language tags are in lower case"),
            (self.invisible, "invisible characters are removed"),
            (self.skolemized, "blank nodes become IRIs (not with --no-skolemize)"),
            (self.trimmed, "literals have at most 32767 UTF-16 units"),
            (self.switched, "format 0.0.1 has latitude first, which is put last"),
        ]
        .into_iter()
        .filter_map(|(applied, text)| applied.then_some(text))
    }
}

/// Applies all rules that need to know the triple only.
pub fn normalize<'a>(
    triple: &mut Triple<'a>,
    skolemize: Option<&str>,
    namer: &mut Namer<'_, 'a>,
    arena: &'a Arena,
) -> Rewrites {
    let (mut rewrites, object) = (Rewrites::default(), triple.object);
    for term in [&mut triple.subject, &mut triple.object] {
        match term {
            Term::Iri(iri) => rewrites.ontology |= put(current_ontology(*iri, namer, arena), iri),
            Term::Blank(label) => {
                if let Some(genid) = skolemize {
                    *term = Term::Iri(skolemized(label, genid, arena));
                    rewrites.skolemized = true;
                }
            }
            Term::Literal(literal) => self::literal(literal, namer, arena, &mut rewrites),
        }
    }
    if rewrites.number && triple.predicate.is(vocab::SCHEMA_VERSION) {
        // An entity without a revision cannot be munged, and is told of by what stands in the dump.
        (triple.object, rewrites.number) = (object, false);
    }
    rewrites.ontology |= put(current_ontology(triple.predicate, namer, arena), &mut triple.predicate);
    rewrites
}

fn literal<'a>(literal: &mut Literal<'a>, namer: &mut Namer<'_, 'a>, arena: &'a Arena, rewrites: &mut Rewrites) {
    match &mut literal.tag {
        Tag::Datatype(datatype) => {
            if namer.space(*datatype) == Space::Xsd {
                rewrites.number |= put(number(literal.value, namer.name(*datatype)), &mut literal.value);
            }
        }
        Tag::Language(language) => {
            rewrites.language |= put(lower_case(language).map(|language| arena.text(&language)), language);
            rewrites.invisible |= put(visible(literal.value, arena), &mut literal.value);
        }
        Tag::None => rewrites.invisible |= put(visible(literal.value, arena), &mut literal.value),
    }
    rewrites.trimmed |= put(trimmed(literal.value), &mut literal.value);
}

fn visible<'a>(value: &str, arena: &'a Arena) -> Option<&'a str> {
    without_invisible(value).map(|text| arena.text(&text))
}

/// Puts what a rule made in the place of what it was made from.
fn put<T>(new: Option<T>, place: &mut T) -> bool {
    new.map(|new| *place = new).is_some()
}

/// `<http://wikiba.se/ontology-beta#Item>` -> `<http://wikiba.se/ontology#Item>`
///
/// Unlike upstream, an IRI of another site that happens to hold `ontology-beta` is left alone.
pub fn current_ontology<'a>(iri: Iri<'a>, namer: &mut Namer<'_, 'a>, arena: &'a Arena) -> Option<Iri<'a>> {
    let may_be = iri.namespace.id() != 0 || OLD_ONTOLOGIES.iter().any(|old| iri.local.starts_with(old));
    if !may_be || namer.space(iri) != Space::OldOntology {
        return None;
    }
    let text = namer.text(iri);
    let current = ["-0.0.1", "-beta"].iter().find(|version| text.contains(*version))?;
    Some(Iri::full(arena.text(&text.replacen(current, "", 1))))
}

/// `"unknown"^^xsd:integer` -> `"0"^^xsd:integer`
///
/// A number is a sign, digits, a dot, digits, each of which may be missing, but not all.
pub fn number(value: &str, datatype: Name<'_>) -> Option<&'static str> {
    if datatype.space != Space::Xsd || !matches!(datatype.local, "integer" | "decimal") {
        return None;
    }
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let mut dots = 0;
    let is_number = unsigned.bytes().all(|byte| {
        dots += usize::from(byte == b'.');
        byte.is_ascii_digit() || (byte == b'.' && dots == 1)
    });
    (!is_number || value.is_empty()).then_some("0")
}

/// `"so\u{AD}ft"@en` -> `"soft"@en`: soft hyphens, joiners and marks of direction, from strings with or without a language.
///
/// The range holds U+200C and U+200D, which carry meaning in Persian, in Hindi and in emoji; upstream removes them too, and the
/// stream would not agree with a store that kept them.
pub fn without_invisible(value: &str) -> Option<Cow<'_, str>> {
    let is_invisible = |c: char| {
        matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}'
            | '\u{206A}'..='\u{206F}')
    };
    // All of them begin with one of these two bytes.
    if memchr::memchr2(0xC2, 0xE2, value.as_bytes()).is_none() || !value.contains(is_invisible) {
        return None;
    }
    Some(Cow::Owned(value.chars().filter(|c| !is_invisible(*c)).collect()))
}

/// `"a"@zh-Hans` -> `"a"@zh-hans`
pub fn lower_case(language: &str) -> Option<String> {
    language.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| language.to_ascii_lowercase())
}

/// `_:4478b3` -> `<http://www.wikidata.org/.well-known/genid/4478b3>`
pub fn skolemized<'a>(label: &str, genid: &str, arena: &'a Arena) -> Iri<'a> {
    Iri::full(arena.text(&[genid, label].concat()))
}

/// A literal of more than [`LONGEST_LITERAL`] units -> its beginning.
///
/// Where that would cut a pair of surrogates in two, upstream keeps the first half; here the character goes, as half a
/// character cannot be written.
pub fn trimmed(value: &str) -> Option<&str> {
    if value.len() <= LONGEST_LITERAL {
        return None;
    }
    let mut units = 0;
    let cut = value.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > LONGEST_LITERAL
    })?;
    Some(&value[..cut.0])
}

/// `"Point(1.5 -2)"^^geo:wktLiteral` -> `"Point(-2 1.5)"^^geo:wktLiteral`, for format 0.0.1; so with a globe's IRI before it.
///
/// What is no point stays as it is; upstream ends the run there.
pub fn switched_point<'a>(object: &Term<'a>, namer: &mut Namer<'_, 'a>, arena: &'a Arena) -> Option<Term<'a>> {
    let Term::Literal(Literal { value, tag: Tag::Datatype(datatype) }) = object else { return None };
    if namer.name(*datatype) != Name::new(Space::Geo, "wktLiteral") {
        return None;
    }
    let globe = value.find('>').filter(|_| value.starts_with('<')).map_or(0, |end| end + 1);
    let (globe, point) = value.split_at(globe);
    let (blank, point) = point.split_at(point.len() - point.trim_start().len());
    let (name, numbers) = point.trim_end().strip_suffix(')')?.split_once('(')?;
    let (first, second) = numbers.trim_end().split_once([',', ' ', '\t'])?;
    if !name.eq_ignore_ascii_case("point") || second.contains([',', ' ', '\t']) {
        return None;
    }
    let switched = [globe, blank, "Point(", second, " ", first, ")"].concat();
    Some(Term::Literal(Literal { value: arena.text(&switched), tag: Tag::Datatype(*datatype) }))
}
