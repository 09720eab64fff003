//! The few places of a text that a revision scan must look at, found at memory speed.
//!
//! Promise: in a regular text ([`is_regular`]) under prefixes that do not split a target ([`splits_target`]), every
//! statement that states a fact or declares a prefix holds an anchor. Other places may be anchors too.
//! In -> out: bytes -> [`Anchors`], positions in ascending order.
//! Invariant: an anchor only says "read this statement"; that alone decides what it means. So a word inside a literal
//! costs a little time and can never become a fact.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr3};

use crate::dump::facts::TARGETS;
use crate::rdf::prefixes::Prefixes;

/// The last parts of the targets, as a prefixed name and as an IRI end with them.
const ENDINGS: [&str; 6] = [":version", "/version>", ":sameAs", "#sameAs>", ":Dump", "#Dump>"];

/// The same letters written as escapes, which only IRIs need: `\u0076` or `\U00000076`.
const ESCAPES: [&str; 2] = ["\\u00", "\\U000000"];

static FINDERS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| ENDINGS.iter().chain(&ESCAPES).map(Finder::new).collect());
static LONG_STRINGS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| [Finder::new("\"\"\""), Finder::new("'''")]);

/// Whether every line of `text` ends outside all tokens: no long string in it, and every `"` closed on its own line.
///
/// May say no of a text that is regular (an apostrophe string or a comment with one quotation mark).
pub fn is_regular(text: &[u8]) -> bool {
    strings_close(text) && LONG_STRINGS.iter().all(|finder| finder.find(text).is_none())
}

fn strings_close(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(open) = memchr(b'"', &text[at..]) {
        at += open + 1;
        loop {
            let Some(found) = memchr3(b'"', b'\\', b'\n', &text[at..]) else { return false };
            at += found + 1;
            match text[at - 1] {
                b'"' => break,
                b'\\' if at < text.len() => at += 1,
                _ => return false,
            }
        }
    }
    true
}

/// Whether a target could be written without one of the [`ENDINGS`]: a base is in force, or a namespace ends elsewhere
/// in a target than at its last part (`@prefix v: <http://schema.org/ver>`, then `v:sion`).
pub fn splits_target(prefixes: &Prefixes) -> bool {
    prefixes.base().is_some() || prefixes.iter().any(|(_, namespace)| TARGETS.iter().any(|target| splits(namespace, target)))
}

fn splits(namespace: &str, target: &str) -> bool {
    target.strip_prefix(namespace).is_some_and(|local| !["version", "sameAs", "Dump"].contains(&local))
}

/// The anchors of a text, in ascending order.
pub struct Anchors<'t> {
    text: &'t [u8],
    /// For each finder its next hit, at or after the position last asked for; `None` when there are no more.
    next: Vec<Option<usize>>,
}

impl<'t> Anchors<'t> {
    /// The anchors of `text`.
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, next: vec![Some(0); FINDERS.len() + 1] }.primed()
    }

    fn primed(mut self) -> Self {
        for which in 0..self.next.len() {
            self.next[which] = self.find(which, 0);
        }
        self
    }

    /// The first anchor at or after `at`; positions may only be asked for in ascending order.
    pub fn at_or_after(&mut self, at: usize) -> Option<usize> {
        for which in 0..self.next.len() {
            if self.next[which].is_some_and(|hit| hit < at) {
                self.next[which] = self.find(which, at);
            }
        }
        self.next.iter().flatten().min().copied()
    }

    fn find(&self, which: usize, from: usize) -> Option<usize> {
        let Some(finder) = FINDERS.get(which) else { return layout::find(self.text, from) };
        finder.find(&self.text[from.min(self.text.len())..]).map(|found| from + found)
    }
}

/// Whether `text` holds an anchor.
pub fn has_anchor(text: &[u8]) -> bool {
    FINDERS.iter().any(|finder| finder.find(text).is_some()) || layout::find(text, 0).is_some()
}

mod layout {
    //! Anchors that are no fixed words: directives in any case, and lines that begin where none should.

    /// Bytes looked at together; the compiler turns the loop over them into vector instructions.
    const LANES: usize = 64;
    /// Bytes that a test looks at behind a position.
    const BEHIND: usize = 6;

    /// The first anchor of this kind at or after `from`.
    pub fn find(text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(window) = text.get(at..at + LANES + BEHIND).and_then(|window| window.first_chunk()) {
            if maybe(window) && let Some(hit) = (at..at + LANES).find(|at| is_anchor(text, *at)) {
                return Some(hit);
            }
            at += LANES;
        }
        (at..text.len()).find(|at| is_anchor(text, *at))
    }

    /// Whether some position of the window may be an anchor. Wider than [`is_anchor`], and never narrower.
    fn maybe(window: &[u8; LANES + BEHIND]) -> bool {
        let mut hit = 0_u8;
        for at in 0..LANES {
            let byte = |ahead: usize| window[at + ahead];
            let letter = |ahead: usize| byte(ahead) | 0x20;
            let prefix = (letter(0) == b'p') & (letter(3) == b'f') & (letter(5) == b'x');
            let base = (letter(0) == b'b') & (letter(2) == b's') & (letter(3) == b'e') & (byte(4) <= b'<');
            let line = (byte(0) != b'.') & (byte(0) != b'\n') & (byte(1) == b'\n') & (byte(2) > b' ');
            hit |= u8::from(prefix | base | line);
        }
        hit != 0
    }

    /// Whether a directive may begin at `at`, or whether the line after it begins a statement though this one ends none.
    fn is_anchor(text: &[u8], at: usize) -> bool {
        let rest = &text[at..];
        let word = |word: &[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if word(b"prefix") {
            return rest.get(6).is_none_or(|next| !next.is_ascii_alphanumeric());
        }
        if word(b"base") {
            return begins_iri(&rest[4..]);
        }
        !matches!(rest[0], b'.' | b'\n') && rest.get(1) == Some(&b'\n') && rest.get(2).is_some_and(|next| *next > b' ')
    }

    /// Whether, after white space, an IRI or a comment follows. What cannot be seen yet may follow.
    fn begins_iri(text: &[u8]) -> bool {
        text.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| matches!(byte, b'<' | b'#'))
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
            ("a:b a:c \"\"\"d\"\"\" .\n", false),
            ("a:b a:c '''d''' .\n", false),
            ("a:b a:c \"open .\n", false),
            ("a:b a:c \"open\n\" .\n", false),
            ("a:b a:c 'it\"s' .\n", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_regular(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn anchors_are_found_wherever_they_stand() {
        let words = [
            "schema:version ", "<http://schema.org/version>", "owl:sameAs ", "@prefix ", "PREFIX x:", "pReFiX ", "@base <",
            "BASE\n<", "wikibase:Dump a", "ontology#Dump>", "<http://schema.org/\\u0076ersion>", "x ;\ny",
        ];
        for word in words {
            for before in 0..150 {
                let text = format!("{} {word} {}", " ".repeat(before), " ".repeat(150 - before));
                let hit = Anchors::new(text.as_bytes()).at_or_after(0);
                assert!(hit.is_some_and(|hit| (before..=before + word.len()).contains(&hit)), "{word} after {before}");
                assert!(has_anchor(text.as_bytes()));
            }
        }
        for word in ["database <x>", "softwareVersion", "prefixes:", "base of", "x .\ny", "x ;\n y", "same:As"] {
            let text = format!("{}{word} {}", " ".repeat(70), " ".repeat(100));
            let expected = word == "database <x>";
            assert_eq!(Anchors::new(text.as_bytes()).at_or_after(0).is_some(), expected, "{word}");
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
