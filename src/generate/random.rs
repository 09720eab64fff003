//! Numbers that look random and are the same on every machine (splitmix64).
//!
//! Promise: integer arithmetic only, defined overflow, no state outside of a [`Random`].
//! Invariant: never good enough for secrets.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream with that number below `seed`.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream)))
    }

    /// The next 64 bits.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.word() >> 32) * bound as u64) >> 32) as u32
    }

    /// A number below `bound`, the small ones far more often, as is usual for anything that people choose.
    pub const fn skewed(&mut self, bound: u32) -> u32 {
        let most = self.below(bound);
        let most = self.below(most.saturating_add(1));
        self.below(most.saturating_add(1))
    }

    /// True that many times out of 1024.
    pub const fn chance(&mut self, of_1024: u32) -> bool {
        self.below(1024) < of_1024
    }

    /// One of `all`, which is not empty.
    pub const fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u32) as usize]
    }
}

/// Scatters a number over all 64 bits.
pub const fn mix(word: u64) -> u64 {
    finish(word.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

const fn finish(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
