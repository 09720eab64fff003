//! The entries of the state of revisions, made for many ids one after the other.
//!
//! Promise: the bytes that Flink writes for an id and its state, and the id's hash code, in some nanoseconds.
//! Invariant: pure; an [`Id`] makes ids of one kind and length.

use crate::savepoint::flink::hash::hash_on;
use crate::state::EntityState;
use crate::wikibase::entity::{EntityId, EntityKind};

/// Bytes of an entry besides its id: two lengths, the key group, the id's length, the namespace, the revision.
const ENTRY: usize = 20;
/// The longest entry: an id has a letter and at most 10 digits.
const LONGEST: usize = ENTRY + 11;

/// Bytes of the entry of an id of so many characters.
pub const fn length(id: usize) -> usize {
    ENTRY + id
}

/// An id as an entry begins with it, and the hash of all but its last digits: ids mostly differ from the one before in those.
pub struct Id {
    /// The entry; the bytes of the key group and of the value are still to be set.
    entry: [u8; LONGEST],
    length: usize,
    front: u32,
    hash: u32,
}

/// The last digits of an id, and what they add to its hash.
#[derive(Clone, Copy)]
struct Tail {
    digits: [u8; TAIL],
    hash: u32,
}

/// Digits in a tail.
const TAIL: usize = 4;
/// How many tails there are.
const TAILS: usize = 10_usize.pow(TAIL as u32);
/// 31 to the power of [`TAIL`].
const SHIFT: u32 = 31_u32.pow(TAIL as u32);
static TAIL_OF: [Tail; TAILS] = tails();

const fn tails() -> [Tail; TAILS] {
    let mut tails = [Tail { digits: [0; TAIL], hash: 0 }; TAILS];
    let mut number = 0;
    while number < TAILS {
        let (mut left, mut at) = (number, TAIL);
        while at > 0 {
            at -= 1;
            tails[number].digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        while at < TAIL {
            tails[number].hash = hash_on(tails[number].hash, tails[number].digits[at]);
            at += 1;
        }
        number += 1;
    }
    tails
}

impl Id {
    /// Where the id's letter stands in an entry.
    const LETTER: usize = 7;

    /// For ids of that kind whose entries have so many bytes.
    pub fn new(kind: EntityKind, entry: usize) -> Self {
        let length = entry - ENTRY;
        let mut entry = [0; LONGEST];
        entry[..4].copy_from_slice(&(4 + length as u32).to_be_bytes());
        entry[Self::LETTER - 1] = length as u8 + 1;
        entry[Self::LETTER] = kind.letter() as u8;
        // Behind the id: the namespace 0, then the length of a long.
        let value = Self::LETTER + length + 1;
        entry[value..value + 4].copy_from_slice(&8_u32.to_be_bytes());
        Self { entry, length, front: u32::MAX, hash: 0 }
    }

    /// Sets the id; its hash code.
    #[inline]
    pub fn set(&mut self, entity: EntityId) -> u32 {
        let number = entity.number();
        if self.length <= TAIL {
            return self.set_digits(number, self.length);
        }
        let (front, tail) = (number / TAILS as u32, &TAIL_OF[number as usize % TAILS]);
        let tail_at = self.length - TAIL;
        if front != self.front {
            self.front = front;
            self.hash = self.set_digits(front, tail_at);
        }
        self.entry[Self::LETTER + tail_at..][..TAIL].copy_from_slice(&tail.digits);
        self.hash.wrapping_mul(SHIFT).wrapping_add(tail.hash)
    }

    /// Sets the digits of the id's first `length` characters; the hash code of these.
    fn set_digits(&mut self, number: u32, length: usize) -> u32 {
        let id = &mut self.entry[Self::LETTER..][..length];
        let mut left = number;
        for digit in id[1..].iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        id.iter().fold(0, |hash, byte| hash_on(hash, *byte))
    }

    /// Writes the entry to its place, which is as long: length of the key, key group, id, namespace; length of the value, value.
    #[inline]
    pub fn put(&self, place: &mut [u8], group: usize, state: EntityState) {
        let mut entry = self.entry;
        entry[4..6].copy_from_slice(&(group as u16).to_be_bytes());
        // A revision is less than 2^62.
        let revision = state.revision().get() as i64;
        let value = if state.is_deleted() { -revision } else { revision };
        let at = Self::LETTER + self.length + 5;
        entry[at..at + 8].copy_from_slice(&value.to_be_bytes());
        // In two halves that overlap, as copies of fixed length are quick.
        const HALF: usize = 16;
        let end = place.len();
        place[..HALF].copy_from_slice(&entry[..HALF]);
        place[end - HALF..].copy_from_slice(&entry[end - HALF..end]);
    }
}
