//! The munged triples of an entity at one revision, as text.
//!
//! Promise: each triple once; what one set has and another has not is found in a pass over both.
//! In -> out: triples -> a [`Filling`] -> a [`TripleSet`] -> lines of N-Triples.
//! Invariant: the text is N-Triples in UTF-8, a line a triple: those of the entity first, the shared ones after them, both in the
//! order in which they came. A set is two allocations, its text and 16 bytes a triple, as many of them are kept.
//! Not here: which triples are shared (see `munge::document`).

use std::cmp::Ordering;

use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::term::Triple;

/// The largest text of a set, in bytes: several times that of the largest entities there are.
const MOST_BYTES: usize = 256 << 20;
/// How much memory a filling keeps from set to set, in bytes.
const KEPT_BYTES: usize = 4 << 20;

/// Triples without order and without repeats.
#[derive(Clone, Default)]
pub struct TripleSet {
    text: Box<str>,
    /// Where in the text the shared ones begin.
    shared: u32,
    /// Sorted by hash, and by text where hashes are equal.
    lines: Box<[Line]>,
}

/// Where a line stands, with its line feed.
#[derive(Clone, Copy, Debug)]
struct Line {
    hash: u64,
    start: u32,
    end: u32,
}

/// Some triples of a set, as lines of N-Triples in the order in which the set has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Those of the entity.
    pub own: String,
    /// Those that it may share with others.
    pub shared: String,
}

/// There are more triples than a set can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its triples take more than 256 MiB")]
pub struct TooLarge;

impl TripleSet {
    /// The triples of the entity, as lines of N-Triples.
    pub fn own(&self) -> &str {
        &self.text[..self.shared as usize]
    }

    /// The triples that it may share with others, as lines of N-Triples.
    pub fn shared(&self) -> &str {
        &self.text[self.shared as usize..]
    }

    /// All triples, as lines of N-Triples.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many triples there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What it takes of memory, in bytes, for those who keep many.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.text.len() + size_of_val(&*self.lines)
    }

    /// The triples that only this set has, and those that only `other` has.
    pub fn compare(&self, other: &Self) -> (Difference, Difference) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut a, mut b) = (self.lines.iter(), other.lines.iter());
        let (mut first, mut second) = (a.next(), b.next());
        loop {
            let order = match (first, second) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(first), Some(second)) => self.order(first, other, second),
            };
            if order.is_ne() {
                if order.is_lt() { ours.extend(first) } else { theirs.extend(second) }
            }
            (first, second) =
                (if order.is_le() { a.next() } else { first }, if order.is_ge() { b.next() } else { second });
        }
        (self.difference(ours), other.difference(theirs))
    }

    /// Some lines of the set, in the order of its text.
    fn difference(&self, mut lines: Vec<&Line>) -> Difference {
        lines.sort_unstable_by_key(|line| line.start);
        let mut difference = Difference::default();
        for line in lines {
            let part = if line.start < self.shared { &mut difference.own } else { &mut difference.shared };
            part.push_str(&self.text[line.start as usize..line.end as usize]);
        }
        difference
    }

    /// How a line of this set compares with one of another.
    fn order(&self, line: &Line, other: &Self, others: &Line) -> Ordering {
        line.hash.cmp(&others.hash).then_with(|| self.line(line).cmp(other.line(others)))
    }

    fn line(&self, line: &Line) -> &[u8] {
        &self.text.as_bytes()[line.start as usize..line.end as usize]
    }
}

impl PartialEq for TripleSet {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&Line, &Line)| self.order(a, other, b) == Ordering::Equal;
        self.len() == other.len() && self.lines.iter().zip(&other.lines).all(is_same)
    }
}

impl Eq for TripleSet {}

impl std::fmt::Debug for TripleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TripleSet").field("own", &self.own()).field("shared", &self.shared()).finish()
    }
}

/// A set being filled. It may be used again and again, and keeps its memory, unless that is much.
#[derive(Debug, Default)]
pub struct Filling {
    own: Part,
    shared: Part,
    is_full: bool,
}

#[derive(Debug, Default)]
struct Part {
    text: Vec<u8>,
    lines: Vec<Line>,
}

impl Filling {
    /// Begins anew.
    pub fn clear(&mut self) {
        for part in [&mut self.own, &mut self.shared] {
            part.text.clear();
            part.text.shrink_to(KEPT_BYTES);
            part.lines.clear();
            part.lines.shrink_to(KEPT_BYTES / size_of::<Line>());
        }
        self.is_full = false;
    }

    /// Adds a triple, unless there are too many. One that is shared is so whenever it is added.
    pub fn triple(&mut self, triple: &Triple<'_>, is_shared: bool) {
        self.write(is_shared, |text| ntriples::line(text, triple, Encoding::Utf8));
    }

    /// Adds a triple that is written as [`ntriples::line`] writes it, unless there are too many.
    pub fn line(&mut self, line: &str, is_shared: bool) {
        self.write(is_shared, |text| text.extend_from_slice(line.as_bytes()));
    }

    fn write(&mut self, is_shared: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.is_full |= self.own.text.len() + self.shared.text.len() > MOST_BYTES;
        if self.is_full {
            return;
        }
        let Part { text, lines } = if is_shared { &mut self.shared } else { &mut self.own };
        let start = text.len();
        write(text);
        lines.push(Line { hash: hash(&text[start..]), start: start as u32, end: text.len() as u32 });
    }

    /// The set of all that was added; begins anew. Errors: there was too much.
    pub fn take(&mut self) -> Result<TripleSet, TooLarge> {
        if self.is_full || self.own.text.len() + self.shared.text.len() > u32::MAX as usize {
            self.clear();
            return Err(TooLarge);
        }
        let Part { text, lines } = &mut self.own;
        let mut shared = text.len();
        text.append(&mut self.shared.text);
        let moved = |line: &Line| Line { start: line.start + shared as u32, end: line.end + shared as u32, ..*line };
        lines.extend(self.shared.lines.iter().map(moved));
        sort(text, lines);
        let of = |line: &Line| &text[line.start as usize..line.end as usize];
        let read = lines.len();
        lines.dedup_by(|b, a| a.hash == b.hash && of(a) == of(b));
        if lines.len() < read {
            (*text, shared) = without_repeats(text, lines, shared);
        }
        let text = simdutf8::basic::from_utf8(text).expect("lines are made of text");
        let set = TripleSet { text: text.into(), shared: shared as u32, lines: lines.as_slice().into() };
        self.clear();
        Ok(set)
    }
}

/// By hash, then by text, the first of equal lines first.
fn sort(text: &[u8], lines: &mut [Line]) {
    let of = |line: &Line| &text[line.start as usize..line.end as usize];
    let ties = |a: &Line, b: &Line| of(a).cmp(of(b)).then(a.start.cmp(&b.start));
    lines.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| ties(a, b)));
}

/// The text of these lines only, and where the shared ones now begin. Lines seldom repeat.
#[cold]
fn without_repeats(text: &[u8], lines: &mut [Line], shared: usize) -> (Vec<u8>, usize) {
    lines.sort_unstable_by_key(|line| line.start);
    let (mut kept, mut kept_shared) = (Vec::with_capacity(text.len()), 0);
    for line in &mut *lines {
        let (start, end) = (line.start as usize, line.end as usize);
        line.start = kept.len() as u32;
        kept.extend_from_slice(&text[start..end]);
        line.end = kept.len() as u32;
        if start < shared {
            kept_shared = kept.len();
        }
    }
    sort(&kept, lines);
    (kept, kept_shared)
}

/// A number for a line, eight bytes at a time. Equal numbers prove nothing: the lines are then compared.
fn hash(line: &[u8]) -> u64 {
    const FACTOR: u128 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * FACTOR;
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = line.as_chunks::<8>();
    let hash = words.iter().fold(line.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(mix(hash, u64::from_le_bytes(last)), 0x5851_F42D_4C95_7F2D)
}

/// A set of lines for tests; those that begin with `s` are the shared ones.
#[cfg(test)]
pub fn set(lines: &[String]) -> TripleSet {
    let mut filling = Filling::default();
    lines.iter().for_each(|line| filling.line(line, line.starts_with('s')));
    filling.take().expect("the lines of a test are few")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn lines() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[os][abé]{0,12}\n", 0..40)
    }

    fn distinct(lines: &[String], shared: bool) -> Vec<&String> {
        let mut seen = BTreeSet::new();
        lines.iter().filter(|line| line.starts_with('s') == shared && seen.insert(*line)).collect()
    }

    fn text<'l>(lines: impl IntoIterator<Item = &'l String>) -> String {
        lines.into_iter().map(String::as_str).collect()
    }

    proptest! {
        #[test]
        fn a_set_keeps_each_line_once_in_order(lines in lines()) {
            let set = set(&lines);
            prop_assert_eq!(set.own(), text(distinct(&lines, false)));
            prop_assert_eq!(set.shared(), text(distinct(&lines, true)));
            prop_assert_eq!(set.text(), [set.own(), set.shared()].concat());
            prop_assert_eq!(set.len(), lines.iter().collect::<BTreeSet<_>>().len());
        }

        #[test]
        fn sets_are_equal_whatever_the_order(
            (lines, shuffled) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
            other in lines(),
        ) {
            prop_assert_eq!(set(&lines), set(&shuffled));
            let is_same = lines.iter().collect::<BTreeSet<_>>() == other.iter().collect();
            prop_assert_eq!(set(&lines) == set(&other), is_same);
        }

        #[test]
        fn what_differs_is_the_difference_of_sets(a in lines(), b in lines()) {
            let only = |a: &[String], b: &[String]| {
                let only = |shared| text(distinct(a, shared).into_iter().filter(|line| !b.contains(line)));
                Difference { own: only(false), shared: only(true) }
            };
            prop_assert_eq!(set(&a).compare(&set(&b)), (only(&a, &b), only(&b, &a)));
        }
    }

    #[test]
    fn equal_hashes_prove_nothing() {
        let lines = |texts: [&str; 2]| {
            let text = texts.concat();
            let middle = texts[0].len() as u32;
            let mut lines = [(0, middle), (middle, text.len() as u32)].map(|(start, end)| Line { hash: 1, start, end });
            sort(text.as_bytes(), &mut lines);
            TripleSet { shared: text.len() as u32, text: text.into(), lines: lines.into() }
        };
        let (a, b) = (lines(["x\n", "b\n"]), lines(["a\n", "x\n"]));
        let (ours, theirs) = a.compare(&b);
        assert_eq!((&*ours.own, &*theirs.own), ("b\n", "a\n"));
        assert_ne!(a, b);
        assert_eq!(a, lines(["b\n", "x\n"]));
    }

    #[test]
    fn hashes_differ_where_lines_do() {
        let lines: Vec<_> = (0..40_usize)
            .flat_map(|length| (0..=length).map(move |at| "a".repeat(at) + "b" + &"a".repeat(length - at)))
            .chain((0..40).map(|length| "a".repeat(length)))
            .chain((0..40).map(|length| "\0".repeat(length)))
            .collect();
        let distinct: BTreeSet<_> = lines.iter().collect();
        let hashes: BTreeSet<_> = distinct.iter().map(|line| hash(line.as_bytes())).collect();
        assert_eq!(hashes.len(), distinct.len());
    }

    #[test]
    fn a_filling_that_is_full_gives_nothing_and_begins_anew() {
        let mut filling = Filling { is_full: true, ..Filling::default() };
        filling.line("o\n", false);
        assert_eq!(filling.take(), Err(TooLarge));
        filling.line("p\n", false);
        assert_eq!(filling.take().unwrap().own(), "p\n");
        assert!(filling.take().unwrap().is_empty());
    }
}
