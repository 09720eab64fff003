//! Text -> a number that stands for it.
//!
//! Promise: the same number on every machine and in every version (FNV-1a), so that it may be kept in files and names.
//! Invariant: bytes given one after the other count as if given at once. Not for what an enemy may choose: texts with the same
//! number can be made.

/// Bytes taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of nothing; another `seed` gives other numbers for the same texts.
    pub const fn seeded(seed: u64) -> Self {
        Self(0xCBF2_9CE4_8422_2325 ^ seed)
    }

    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> u64 {
        Self::seeded(0).then(bytes).number()
    }

    /// With these bytes after those before.
    pub fn then(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        Self(bytes.iter().fold(self.0, step))
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}
