//! The few places of a text that a revision scan must look at, found at memory speed.
//!
//! Promise: in a regular text ([`is_regular`]) under prefixes that do not split a target ([`splits_target`]), every
//! statement that states a fact or declares a prefix holds an anchor. Other places may be anchors too.
//! In -> out: bytes -> positions.
//! Invariant: an anchor only says "read this statement"; that alone decides what it means. So a word inside a literal
//! costs a little time and can never become a fact.

use memchr::{memchr, memchr3};

use crate::dump::facts::TARGETS;
use crate::rdf::prefixes::Prefixes;

/// Whether every `"` of these whole lines is closed on its own line, so that up to the first long string every line ends
/// outside all tokens.
///
/// No for an apostrophe string or a comment with one quotation mark as well. Of a text that is no Turtle yes may be said
/// where strings that are never closed are even in number in a group.
pub fn is_regular(text: &[u8]) -> bool {
    groups(text).all(strings_close)
}

/// Bytes in which quotation marks are counted together, about.
const GROUP: usize = 2048;

/// The text in runs of whole lines.
fn groups(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let feed = memchr(b'\n', rest.get(GROUP..).unwrap_or_default()).map(|feed| GROUP + feed + 1);
        let (group, after) = rest.split_at(feed.unwrap_or(rest.len()));
        rest = after;
        (!group.is_empty()).then_some(group)
    })
}

fn strings_close(group: &[u8]) -> bool {
    let marks = finder::marks(group);
    if marks.escapes { strings_with_escapes_close(group) } else { marks.even_quotes }
}

fn strings_with_escapes_close(group: &[u8]) -> bool {
    let mut at = 0;
    while let Some(open) = memchr(b'"', &group[at..]) {
        at += open + 1;
        loop {
            let Some(found) = memchr3(b'"', b'\\', b'\n', &group[at..]) else { return false };
            at += found + 1;
            match group[at - 1] {
                b'"' => break,
                b'\\' if at < group.len() => at += 1,
                _ => return false,
            }
        }
    }
    true
}

/// Whether a target could be written other than it is looked for: a base is in force, or a namespace ends elsewhere
/// in a target than at its last part (`@prefix v: <http://schema.org/ver>`, then `v:sion`).
pub fn splits_target(prefixes: &Prefixes) -> bool {
    prefixes.base().is_some()
        || prefixes.iter().any(|(_, namespace)| TARGETS.iter().any(|target| splits(namespace, target)))
}

fn splits(namespace: &str, target: &str) -> bool {
    target.strip_prefix(namespace).is_some_and(|local| !["version", "sameAs", "Dump"].contains(&local))
}

/// A place to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The statement at this position may state a fact or declare a prefix.
    Read(usize),
    /// A long string may begin here; lines after it may end within it.
    LongString(usize),
}

/// The first anchor of `text` at or after `from`.
pub fn find(text: &[u8], from: usize) -> Option<Anchor> {
    let at = finder::find(text, from)?;
    Some(if finder::is_long_string(&text[at..]) { Anchor::LongString(at) } else { Anchor::Read(at) })
}

mod finder {
    //! One pass over the text for all that is looked for.

    /// Bytes looked at together; the compiler turns the loop over them into vector instructions.
    const LANES: usize = 64;
    /// Bytes that a test looks at behind a position.
    const BEHIND: usize = 8;

    /// What the marks in a group say of its strings.
    pub struct Marks {
        /// Whether the number of `"` is even.
        pub even_quotes: bool,
        /// Whether there is a backslash.
        pub escapes: bool,
    }

    /// Looks at all marks of a group, in one pass.
    pub fn marks(group: &[u8]) -> Marks {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "as for `next_block`")]
            // SAFETY: the feature was just found to be there.
            return unsafe { marks_avx2(group) };
        }
        marks_anywhere(group)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn marks_avx2(group: &[u8]) -> Marks {
        marks_anywhere(group)
    }

    #[inline(always)]
    fn marks_anywhere(group: &[u8]) -> Marks {
        let (mut odd, mut escapes) = ([0_u8; LANES], [0_u8; LANES]);
        let (blocks, rest) = group.as_chunks::<LANES>();
        for block in blocks {
            for at in 0..LANES {
                odd[at] ^= u8::from(block[at] == b'"');
                escapes[at] |= u8::from(block[at] == b'\\');
            }
        }
        for (at, byte) in rest.iter().enumerate() {
            odd[at] ^= u8::from(*byte == b'"');
            escapes[at] |= u8::from(*byte == b'\\');
        }
        let odd = odd.iter().fold(0, |odd, lane| odd ^ lane);
        Marks { even_quotes: odd == 0, escapes: escapes.iter().fold(0, |any, lane| any | lane) != 0 }
    }

    /// The first anchor at or after `from`.
    pub fn find(text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(block) = next_block(text, at) {
            let bytes = text[block..=block + LANES].array_windows();
            let begins = |[a, b]: &[u8; 2]| BEGINS[usize::from(*a)] || *b == b'\n';
            let mut places = (block..).zip(bytes).filter(|(_, pair)| begins(pair)).map(|(at, _)| at);
            if let Some(hit) = places.find(|at| is_anchor(&text[*at..])) {
                return Some(hit);
            }
            at = block + LANES;
        }
        // Less than a block is left.
        let rest = at + (text.len().saturating_sub(at + BEHIND)) / LANES * LANES;
        (rest.max(at)..text.len()).find(|at| is_anchor(&text[*at..]))
    }

    /// The start of the first block at or after `from` that may hold an anchor or a long string.
    fn next_block(text: &[u8], from: usize) -> Option<usize> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the one call that needs a feature of the processor")]
            // SAFETY: the feature was just found to be there.
            return unsafe { next_block_avx2(text, from) };
        }
        next_block_anywhere(text, from)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn next_block_avx2(text: &[u8], from: usize) -> Option<usize> {
        next_block_anywhere(text, from)
    }

    #[inline(always)]
    fn next_block_anywhere(text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk) {
            if may_hold(window) {
                return Some(at);
            }
            at += LANES;
        }
        None
    }

    /// Whether some position of the window may be an anchor or begin a long string. Wider than the tests, never narrower.
    #[inline(always)]
    fn may_hold(window: &[u8; LANES + BEHIND]) -> bool {
        let mut hit = 0_u8;
        for at in 0..LANES {
            let (a, b, c) = (window[at], window[at + 1], window[at + 2]);
            let (d, e, f) = (window[at + 3], window[at + 4], window[at + 5]);
            // One test for `:`, `/` and `#`, and for what is no letter, as signed comparisons are single instructions.
            let ends_namespace = (a as i8) < 0x40;
            let version = (b == b'v') & (e == b's');
            let others = ((b == b's') & (f == b'A')) | ((b == b'D') & (e == b'p'));
            let target = (version | others) & ends_namespace;
            let escape = (a == b'\\') & (c == b'0');
            // 0x22 and 0x27, the quotation marks, and a few other signs that hardly ever stand three in a row.
            let long = (a == b) & (b == c) & (a | 5 == 0x27);
            let prefix = (d | 0x20 == b'f') & (f | 0x20 == b'x');
            let base = (a | 0x20 == b'b') & (c | 0x20 == b's') & (d | 0x20 == b'e') & (e != b':');
            let line = (b == b'\n') & (c > b' ') & (a != b'.') & (a != b'\n');
            hit |= u8::from(target | escape | long | prefix | base | line | (a == 0));
        }
        hit != 0
    }

    /// Whether the text begins with three quotation marks of a kind.
    pub fn is_long_string(text: &[u8]) -> bool {
        matches!(text, [b'"', b'"', b'"', ..] | [b'\'', b'\'', b'\'', ..])
    }

    /// Whether a target may end where the text begins, or a directive or a long string begin, or whether the next line
    /// begins a statement though this one ends none.
    fn is_anchor(text: &[u8]) -> bool {
        match text {
            [b':' | b'/' | b'#', b'v' | b's' | b'D', ..] => ends_target(text),
            [b'\\', b'u' | b'U', ..] => is_ascii_escape(text),
            [b'p' | b'P', ..] => is_prefix(text),
            [b'b' | b'B', ..] => is_base(text),
            [b'"' | b'\'', second, ..] if text[0] == *second => is_long_string(text),
            // What a file that was never written to its end is full of.
            [0, ..] => true,
            [b'.' | b'\n', ..] => false,
            [_, b'\n', after, ..] => *after > b' ',
            _ => false,
        }
    }

    /// What [`is_anchor`] begins with, but for the byte before a line feed.
    const BEGINS: [bool; 256] = {
        let mut table = [false; 256];
        let bytes = b":/#\\pPbB\"'\0";
        let mut at = 0;
        while at < bytes.len() {
            table[bytes[at] as usize] = true;
            at += 1;
        }
        table
    };

    fn ends_target(text: &[u8]) -> bool {
        const ENDINGS: [&[u8]; 6] = [b":version", b"/version>", b":sameAs", b"#sameAs>", b":Dump", b"#Dump>"];
        ENDINGS.iter().any(|ending| text.starts_with(ending))
    }

    /// Whether this is the escape of an ASCII letter, which is written so only to hide in an IRI.
    fn is_ascii_escape(text: &[u8]) -> bool {
        text.starts_with(b"\\u00") || text.starts_with(b"\\U000000")
    }

    fn is_prefix(text: &[u8]) -> bool {
        let word = text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"prefix"));
        word && text.get(6).is_none_or(|next| !next.is_ascii_alphanumeric())
    }

    /// Whether this is `base` and, after white space, an IRI or a comment. What cannot be seen yet may follow.
    fn is_base(text: &[u8]) -> bool {
        let word = text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"base"));
        let mut after = text.iter().skip(4).skip_while(|byte| byte.is_ascii_whitespace());
        word && after.next().is_none_or(|byte| matches!(byte, b'<' | b'#'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_and_not() {
        let rows: &[(&str, bool)] = &[
            ("a:b a:c \"d\" .\n", true),
            ("a:b a:c \"\", \"x\" .\n", true),
            ("a:b a:c \"say \\\"hi\\\"\" .\n", true),
            ("a:b a:c \"back\\\\\" .\n", true),
            ("a:b a:c \"open .\n", false),
            ("a:b a:c 'it\"s' .\n", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_regular(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn anchors_are_found_wherever_they_stand() {
        let words = [
            "schema:version ",
            "<http://schema.org/version>",
            "owl:sameAs ",
            "@prefix ",
            "PREFIX x:",
            "pReFiX ",
            "@base <",
            "BASE\n<",
            "wikibase:Dump a",
            "ontology#Dump>",
            "<http://schema.org/\\u0076ersion>",
            "x ;\ny",
        ];
        for word in words {
            for before in 0..150 {
                let text = format!("{} {word} {}", " ".repeat(before), " ".repeat(150 - before));
                let Some(Anchor::Read(hit)) = find(text.as_bytes(), 0) else { panic!("{word} after {before}") };
                assert!((before..=before + word.len()).contains(&hit), "{word} after {before}");
            }
        }
        for quotes in ["\"\"\"", "'''"] {
            let text = format!("{}{quotes}{}", " ".repeat(70), " ".repeat(100));
            assert_eq!(find(text.as_bytes(), 0), Some(Anchor::LongString(70)));
        }
        for word in ["database <x>", "softwareVersion", "prefixes:", "base of", "x .\ny", "x ;\n y", "same:As"] {
            let text = format!("{}{word} {}", " ".repeat(70), " ".repeat(100));
            let expected = word == "database <x>";
            assert_eq!(find(text.as_bytes(), 0).is_some(), expected, "{word}");
        }
    }

    #[test]
    fn a_namespace_that_cuts_a_target_elsewhere_is_seen() {
        let rows = [
            ("http://schema.org/", false),
            ("http://www.wikidata.org/entity/", false),
            ("http://schema.org/ver", true),
            ("http://schema.org/version", true),
            ("http://", true),
            ("http://wikiba.se/ontology-beta#", false),
            ("http://wikiba.se/ontology", true),
        ];
        for (namespace, expected) in rows {
            let mut prefixes = Prefixes::default();
            prefixes.declare("x", namespace);
            assert_eq!(splits_target(&prefixes), expected, "{namespace}");
        }
    }
}
