//! A patch -> the messages that carry it, none of them too long.
//!
//! Promise: what the chunks carry, one after the other, is the patch; nothing is told where there is nothing to tell.
//! In -> out: the kind of a mutation, a [`Patch`], a limit -> [`Chunk`]s, borrowed from the patch.
//! Invariant: no chunk is longer than the limit and one triple. Lengths are in UTF-16 code units, as Java counts characters.
//! Rule: upstream's `MutationEventDataGenerator` and `RDFChunkSerializer`, which put the parts of a patch into the first message that
//! has room. A message counts as full there when it alone is over the limit, so that two parts may make it twice as long; here what
//! is put together is within the limit. (Where messages end differs anyway, as upstream's Turtle names a subject once.)

use std::borrow::Cow;

use crate::diff::Patch;
use crate::mutation::wire::{Data, Kind};

/// How long a message's triples may be, in UTF-16 code units. Rule: upstream's `PatchChunkOperation`.
pub const LIMIT: usize = 128_000;

/// What one message carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk<'p> {
    /// Its number, from 0 on.
    pub sequence: u32,
    /// How many there are.
    pub sequence_length: u32,
    /// The triples.
    pub data: Data<'p>,
}

/// The chunks of a patch. A deletion has one, without triples; anything else that changes nothing has none.
pub fn chunks(kind: Kind, patch: &Patch, limit: usize) -> Vec<Chunk<'_>> {
    if kind == Kind::Delete {
        return vec![Chunk { sequence_length: 1, ..Chunk::default() }];
    }
    let mut packing = Packing::default();
    packing.part(&patch.added, limit, |data| &mut data.added);
    packing.part(&patch.removed, limit, |data| &mut data.removed);
    packing.part(&patch.linked_shared, limit, |data| &mut data.linked_shared);
    packing.part(&patch.unlinked_shared, limit, |data| &mut data.unlinked_shared);
    let sequence_length = packing.0.len() as u32;
    let chunk = |(sequence, (data, _))| Chunk { sequence, sequence_length, data };
    (0..).zip(packing.0).map(chunk).collect()
}

/// Chunks being packed, and how long they are.
#[derive(Default)]
struct Packing<'p>(Vec<(Data<'p>, usize)>);

impl<'p> Packing<'p> {
    /// Packs a part of the patch: each piece into the first chunk with room, but never before the piece that precedes it.
    fn part(&mut self, part: &'p str, limit: usize, place: for<'d> fn(&'d mut Data<'p>) -> &'d mut Cow<'p, str>) {
        let mut next = 0;
        let pieces = Pieces { rest: part, limit };
        for (piece, length) in pieces {
            let has_room = |(_, used): &(Data<'_>, usize)| used + length <= limit;
            let room = self.0[next..].iter().position(has_room).map_or(self.0.len(), |at| next + at);
            if room == self.0.len() {
                self.0.push((Data::default(), 0));
            }
            let (data, used) = &mut self.0[room];
            *place(data) = Cow::Borrowed(piece);
            *used += length;
            next = room + 1;
        }
    }
}

/// Cuts lines into pieces, each as long as the limit allows and one line longer, but for the last.
struct Pieces<'p> {
    rest: &'p str,
    limit: usize,
}

impl<'p> Iterator for Pieces<'p> {
    type Item = (&'p str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut end, mut length) = (0, 0);
        while end < self.rest.len() && length <= self.limit {
            let rest = &self.rest[end..];
            // What is surely within the limit need not be cut.
            let line = if rest.len() <= self.limit - length {
                rest
            } else {
                &rest[..memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |feed| feed + 1)]
            };
            (end, length) = (end + line.len(), length + units(line));
        }
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some((piece, length))
    }
}

/// The length of a text in UTF-16 code units: one for a character, two for one that takes four bytes of UTF-8.
fn units(text: &str) -> usize {
    let units = |byte: &u8| usize::from(*byte & 0xC0 != 0x80) + usize::from(*byte >= 0xF0);
    text.as_bytes().iter().map(units).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(of: &str, lengths: &[usize]) -> String {
        lengths.iter().map(|length| format!("{}\n", of.repeat(*length))).collect()
    }

    #[test]
    fn parts_share_chunks_as_in_this_table() {
        // Lengths of the lines of each part without their line feeds, then the lengths of the parts of each chunk.
        type Row = (&'static str, [&'static [usize]; 4], &'static [[usize; 4]]);
        let rows: &[Row] = &[
            ("nothing", [&[], &[], &[], &[]], &[]),
            ("all fit", [&[1], &[1], &[1], &[1]], &[[2, 2, 2, 2]]),
            ("a part may reach the limit", [&[9], &[], &[], &[]], &[[10, 0, 0, 0]]),
            ("a line may cross it", [&[8, 8, 1], &[], &[], &[]], &[[18, 0, 0, 0], [2, 0, 0, 0]]),
            ("nothing follows in a chunk that is full", [&[9], &[1], &[], &[]], &[[10, 0, 0, 0], [0, 2, 0, 0]]),
            ("the first with room", [&[7, 7], &[3], &[4], &[2]], &[[16, 0, 0, 0], [0, 4, 5, 0], [0, 0, 0, 3]]),
            ("the order of a part stays", [&[1], &[19, 1], &[], &[]], &[[2, 0, 0, 0], [0, 20, 0, 0], [0, 2, 0, 0]]),
        ];
        for (name, [added, removed, linked, unlinked], expected) in rows {
            let patch = Patch {
                added: lines("a", added),
                removed: lines("r", removed),
                linked_shared: lines("l", linked),
                unlinked_shared: lines("u", unlinked),
            };
            for kind in [Kind::Diff, Kind::Import, Kind::Reconcile] {
                let got: Vec<_> = chunks(kind, &patch, 10).iter().map(|chunk| lengths(&chunk.data)).collect();
                assert_eq!(got, *expected, "{name}");
            }
        }
    }

    fn lengths(data: &Data<'_>) -> [usize; 4] {
        [&data.added, &data.removed, &data.linked_shared, &data.unlinked_shared].map(|part| units(part))
    }

    #[test]
    fn a_deletion_is_one_chunk_without_triples() {
        for patch in [Patch::default(), Patch { added: "a\n".to_owned(), ..Patch::default() }] {
            let expected = Chunk { sequence: 0, sequence_length: 1, data: Data::default() };
            assert_eq!(chunks(Kind::Delete, &patch, LIMIT), [expected]);
        }
    }

    fn part() -> impl Strategy<Value = String> {
        proptest::collection::vec("[aé😀]{0,20}", 0..30)
            .prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
    }

    proptest! {
        #[test]
        fn chunks_carry_the_patch_and_keep_to_the_limit(
            (added, removed, linked_shared, unlinked_shared) in (part(), part(), part(), part()),
            limit in 1..300_usize,
        ) {
            let patch = Patch { added, removed, linked_shared, unlinked_shared };
            let chunks = chunks(Kind::Diff, &patch, limit);
            prop_assert_eq!(chunks.is_empty(), patch.is_empty());
            let mut carried = Patch::default();
            for (at, Chunk { sequence, sequence_length, data }) in (0..).zip(&chunks) {
                prop_assert_eq!((*sequence, *sequence_length), (at, chunks.len() as u32));
                carried.added += &data.added;
                carried.removed += &data.removed;
                carried.linked_shared += &data.linked_shared;
                carried.unlinked_shared += &data.unlinked_shared;
                let parts = [&data.added, &data.removed, &data.linked_shared, &data.unlinked_shared];
                let text: Vec<u16> = parts.iter().flat_map(|part| part.encode_utf16()).collect();
                let last = parts.iter().rev().find(|part| !part.is_empty()).map_or("", |part| part);
                let line = last.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
                prop_assert!(!text.is_empty());
                prop_assert!(text.len() <= limit + line.encode_utf16().count() + 1, "{} > {limit}", text.len());
            }
            prop_assert_eq!(carried, patch);
        }
    }
}
