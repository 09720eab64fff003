//! Numbers that look random and are the same on every machine (splitmix64).

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of that seed.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The next 64 bits.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// A number below `bound`, which is not 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// A number from 0 to `most`.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        self.below(most + 1)
    }

    /// True that many times out of 1000.
    pub const fn chance(&mut self, of_1000: u64) -> bool {
        self.below(1000) < of_1000
    }

    /// One of `all`, if there is any.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { Some(&all[self.below(all.len() as u64) as usize]) }
    }

    /// The place of one of so many, if there is any.
    pub const fn place(&mut self, length: usize) -> Option<usize> {
        if length == 0 { None } else { Some(self.below(length as u64) as usize) }
    }

    /// 128 bits.
    pub const fn wide(&mut self) -> u128 {
        (self.word() as u128) << 64 | self.word() as u128
    }
}

/// Scatters a number over all 64 bits.
pub const fn mix(word: u64) -> u64 {
    let mut word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Scatters two numbers over all 128 bits, as a hash of both.
pub const fn hash(a: u64, b: u64) -> u128 {
    let word = mix(a ^ mix(b));
    (word as u128) << 64 | mix(word) as u128
}

/// 128 bits as a UUID is written.
pub fn uuid(number: u128) -> String {
    let text = format!("{number:032x}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
