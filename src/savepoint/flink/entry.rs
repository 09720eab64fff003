//! The entries of the state of revisions, made for many ids one after the other.
//!
//! Promise: the bytes that Flink writes for an id and its value, and the id's hash code, in some nanoseconds.
//! Invariant: pure; what is made once for many is made for ids of one kind and length.

use crate::savepoint::flink::hash::hash_on;
use crate::state::EntityState;
use crate::wikibase::entity::EntityKind;

/// Bytes of an entry besides its id: two lengths, the key group, the id's length, the namespace, the value.
const ENTRY: usize = 20;
/// Bytes up to the id's digits: the length of the key, the key group, the id's length, its letter.
const HEAD: usize = 8;
/// Behind the id: the namespace 0, then the length of a long.
const MIDDLE: [u8; 5] = [0, 0, 0, 0, 8];

/// What is made of so many digits at once is looked up.
const TAIL: usize = 4;
/// How many such there are.
const TAILS: usize = 10_usize.pow(TAIL as u32);
/// 31 to the power of [`TAIL`].
const SHIFT: u32 = 31_u32.pow(TAIL as u32);
static DIGITS: [[u8; TAIL]; TAILS] = all_digits();
/// What these digits add to a hash.
static HASHES: [u32; TAILS] = all_hashes();

const fn all_digits() -> [[u8; TAIL]; TAILS] {
    let mut all = [[0; TAIL]; TAILS];
    let mut number = 0;
    while number < TAILS {
        let (mut left, mut at) = (number, TAIL);
        while at > 0 {
            at -= 1;
            all[number][at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        number += 1;
    }
    all
}

const fn all_hashes() -> [u32; TAILS] {
    let mut all = [0; TAILS];
    let mut number = 0;
    while number < TAILS {
        let mut at = 0;
        while at < TAIL {
            all[number] = hash_on(all[number], DIGITS[number][at]);
            at += 1;
        }
        number += 1;
    }
    all
}

/// Bytes of the entry of an id of so many digits.
pub const fn length(digits: usize) -> usize {
    ENTRY + 1 + digits
}

/// The value of a state: the revision, negative for a deletion.
#[inline]
pub fn value(state: EntityState) -> i64 {
    // A revision is less than 2^62.
    let revision = state.revision().get() as i64;
    if state.is_deleted() { -revision } else { revision }
}

/// The hash codes of ids. They mostly differ from the one before in their last digits, so the hash of the others is kept.
pub struct Hashes {
    kind: EntityKind,
    digits: usize,
    front: u32,
    hash: u32,
}

impl Hashes {
    /// Of ids of that kind, with so many digits.
    pub fn new(kind: EntityKind, digits: usize) -> Self {
        Self { kind, digits, front: u32::MAX, hash: 0 }
    }

    /// The hash code of the id with this number.
    #[inline]
    pub fn of(&mut self, number: u32) -> u32 {
        if self.digits < TAIL {
            return hash(self.kind, number, self.digits);
        }
        let (front, tail) = (number / TAILS as u32, number as usize % TAILS);
        if front != self.front {
            self.front = front;
            self.hash = hash(self.kind, front, self.digits - TAIL);
        }
        self.hash.wrapping_mul(SHIFT).wrapping_add(HASHES[tail])
    }
}

fn hash(kind: EntityKind, number: u32, digits: usize) -> u32 {
    let digit = |at| (number / 10_u32.pow(at as u32) % 10) as u8;
    (0..digits).rev().fold(kind.letter() as u32, |hash, at| hash_on(hash, b'0' + digit(at)))
}

/// What entries of one key group, and of ids of one kind and length, begin with.
pub struct Head([u8; HEAD]);

impl Head {
    /// Of the entries of ids with so many digits.
    pub fn new(kind: EntityKind, digits: usize, group: usize) -> Self {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&(5 + digits as u32).to_be_bytes());
        head[4..6].copy_from_slice(&(group as u16).to_be_bytes());
        head[6] = digits as u8 + 2;
        head[7] = kind.letter() as u8;
        Self(head)
    }

    /// Writes an entry to its place, which is as long: length of the key, key group, id, namespace; length of the value, value.
    #[inline]
    pub fn put(&self, place: &mut [u8], number: u32, value: i64) {
        // Of fixed length each, as such copies are single instructions.
        if let Some((head, rest)) = place.split_first_chunk_mut()
            && let Some((rest, end)) = rest.split_last_chunk_mut()
            && let Some((digits, middle)) = rest.split_last_chunk_mut()
        {
            *head = self.0;
            put_digits(digits, number);
            *middle = MIDDLE;
            *end = value.to_be_bytes();
        }
    }
}

#[inline]
fn put_digits(mut place: &mut [u8], mut number: u32) {
    while place.len() >= TAIL {
        if let Some((front, tail)) = std::mem::take(&mut place).split_last_chunk_mut() {
            *tail = DIGITS[number as usize % TAILS];
            number /= TAILS as u32;
            place = front;
        }
    }
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
