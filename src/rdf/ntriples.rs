//! Terms -> N-Triples.
//!
//! Promise: what is written is one line a triple, and means the term it was made of.
//! In -> out: terms -> bytes appended to a buffer.
//! Rules: N-Triples 1.1; for [`Encoding::Sesame`], `NTriplesUtil` of Sesame 2.8.11, as upstream's `StatementEncoder` uses it.

use crate::rdf::term::{Iri, Literal, Tag, Term, Triple};

/// How characters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As they are; only what N-Triples forbids is escaped.
    #[default]
    Utf8,
    /// As upstream's triples table has them: everything beyond ASCII as `\uXXXX`, by UTF-16 code unit. A character beyond
    /// U+FFFF becomes two such escapes, which strict readers refuse.
    Sesame,
}

/// Appends `<…>`.
pub fn iri(out: &mut Vec<u8>, iri: Iri<'_>, encoding: Encoding) {
    out.push(b'<');
    for part in [iri.namespace.text(), iri.local] {
        match encoding {
            Encoding::Utf8 => out.extend_from_slice(part.as_bytes()),
            Encoding::Sesame => escaped_iri(out, part),
        }
    }
    out.push(b'>');
}

/// Appends a subject or an object.
pub fn term(out: &mut Vec<u8>, term: &Term<'_>, encoding: Encoding) {
    match term {
        Term::Iri(name) => iri(out, *name, encoding),
        Term::Blank(label) => blank(out, label, encoding),
        Term::Literal(value) => literal(out, value, encoding),
    }
}

/// Appends a line: the triple, a dot and a line feed.
pub fn line(out: &mut Vec<u8>, triple: &Triple<'_>, encoding: Encoding) {
    term(out, &triple.subject, encoding);
    out.push(b' ');
    iri(out, triple.predicate, encoding);
    out.push(b' ');
    term(out, &triple.object, encoding);
    out.extend_from_slice(b" .\n");
}

/// `_:label`. Sesame writes a letter or digit as it is, any other character as its code in hexadecimal digits; and before a label
/// that does not begin with a letter, `genid` and the code of its first character.
fn blank(out: &mut Vec<u8>, label: &str, encoding: Encoding) {
    out.extend_from_slice(b"_:");
    if encoding == Encoding::Utf8 {
        return out.extend_from_slice(label.as_bytes());
    }
    let code = |unit: u16| format!("{unit:x}").into_bytes();
    let mut units = label.encode_utf16().peekable();
    if let Some(first) = units.peek().filter(|_| !label.starts_with(|c: char| c.is_ascii_alphabetic())) {
        out.extend_from_slice(b"genid");
        out.extend(code(*first));
    }
    for unit in units {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend(code(unit)),
        }
    }
}

fn literal(out: &mut Vec<u8>, literal: &Literal<'_>, encoding: Encoding) {
    out.push(b'"');
    string(out, literal.value, encoding);
    out.push(b'"');
    match &literal.tag {
        Tag::None => {}
        Tag::Language(language) => {
            out.push(b'@');
            out.extend_from_slice(language.as_bytes());
        }
        Tag::Datatype(datatype) => {
            out.extend_from_slice(b"^^");
            iri(out, *datatype, encoding);
        }
    }
}

fn string(out: &mut Vec<u8>, value: &str, encoding: Encoding) {
    if is_plain(value, encoding) {
        return out.extend_from_slice(value.as_bytes());
    }
    for c in value.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            _ if is_escaped(c, encoding) => escape(out, c),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Whether nothing in a string needs an escape. Without a branch for each byte, as most strings are.
fn is_plain(value: &str, encoding: Encoding) -> bool {
    let beyond = if encoding == Encoding::Utf8 { 0xFF } else { 0x7E };
    let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\' || *byte == 0x7F || *byte > beyond;
    !value.as_bytes().iter().fold(false, |found, byte| found | special(byte))
}

fn escaped_iri(out: &mut Vec<u8>, part: &str) {
    if part.is_ascii() {
        return out.extend_from_slice(part.as_bytes());
    }
    for c in part.chars() {
        if c.is_ascii() { out.push(c as u8) } else { escape(out, c) }
    }
}

fn is_escaped(c: char, encoding: Encoding) -> bool {
    c.is_ascii_control() || (encoding == Encoding::Sesame && !c.is_ascii())
}

/// `\uXXXX`, for each of the UTF-16 code units.
fn escape(out: &mut Vec<u8>, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(format!("\\u{unit:04X}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_written_as_in_this_table() {
        let string = |value| Term::Literal(Literal { value, tag: Tag::None });
        let rows = [
            (string("plain"), r#""plain""#, r#""plain""#),
            (string("a\"b\\c\nd\re\tf"), r#""a\"b\\c\nd\re\tf""#, r#""a\"b\\c\nd\re\tf""#),
            (string("\u{1}\u{7F}"), r#""\u0001\u007F""#, r#""\u0001\u007F""#),
            (string("Belém 😀"), r#""Belém 😀""#, r#""Bel\u00E9m \uD83D\uDE00""#),
            (Term::Iri(Iri::full("http://a/é")), "<http://a/é>", r"<http://a/\u00E9>"),
            (Term::Blank("a1"), "_:a1", "_:a1"),
            (Term::Blank("0123"), "_:0123", "_:genid300123"),
            (Term::Blank("A_b"), "_:A_b", "_:A5fb"),
            (Term::Literal(Literal { value: "x", tag: Tag::Language("de-CH") }), r#""x"@de-CH"#, r#""x"@de-CH"#),
        ];
        for (value, utf8, sesame) in rows {
            for (encoding, expected) in [(Encoding::Utf8, utf8), (Encoding::Sesame, sesame)] {
                let mut out = Vec::new();
                term(&mut out, &value, encoding);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{encoding:?}");
            }
        }
    }
}
