//! Which key group a key belongs to.
//!
//! Promise: the key group that Flink's `KeyGroupRangeAssignment` gives; a key in any other is never found by a job.
//! Invariant: pure.

use std::ops::RangeInclusive;

/// Key groups of the updater's job (`UpdaterBootstrapJob`, `UpdaterPipeline`); fixed for the life of its state.
pub const MAX_PARALLELISM: u16 = 1024;

/// Java's `String.hashCode` of a text that began with the hash `before` and goes on with `bytes` of ASCII.
#[inline]
pub const fn hash_on(before: u32, byte: u8) -> u32 {
    before.wrapping_mul(31).wrapping_add(byte as u32)
}

/// Java's `String.hashCode`.
pub fn hash_code(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The key group of `max` that a key with this hash code belongs to: Flink's `MathUtils.murmurHash`, then the remainder.
#[inline]
pub const fn key_group(hash_code: u32, max: u16) -> u16 {
    let mut h = hash_code.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    h ^= 4;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    // The smallest number has no positive counterpart; Flink takes 0 for it.
    let positive = match (h as i32).checked_abs() {
        Some(positive) => positive as u32,
        None => 0,
    };
    (positive % max as u32) as u16
}

/// The key groups of subtask `index` of `parallelism`: Flink's `computeKeyGroupRangeForOperatorIndex`.
pub fn range_of(index: u16, parallelism: u16, max: u16) -> RangeInclusive<u16> {
    let (index, parallelism, max) = (u32::from(index), u32::from(parallelism), u32::from(max));
    let first = (index * max).div_ceil(parallelism);
    let last = ((index + 1) * max - 1) / parallelism;
    first as u16..=last as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Flink's own classes.
    #[test]
    fn hashes() {
        let cases: &[(&str, i32, u16, u16)] = &[
            ("Q1", 2560, 881, 113),
            ("Q2", 2561, 369, 113),
            ("Q42", 79503, 520, 8),
            ("Q64", 79567, 76, 76),
            ("Q108", 2461704, 520, 8),
            ("P31", 78510, 426, 42),
            ("P279", 2433092, 576, 64),
            ("L1", 2405, 989, 93),
            ("L99", 74860, 113, 113),
            ("L99-F1", -2064767572, 730, 90),
            ("M123456", 1068882160, 30, 30),
            ("M98765432", -1392396343, 445, 61),
            ("Q1234567", 1451882691, 727, 87),
            ("Q130000000", -1644124003, 969, 73),
            ("Property:P31", -700985431, 383, 127),
            ("Qé😀", 4409883, 215, 87),
            ("", 0, 478, 94),
        ];
        for (text, hash, of_1024, of_128) in cases {
            assert_eq!(hash_code(text), *hash as u32, "{text}");
            assert_eq!(key_group(hash_code(text), 1024), *of_1024, "{text}");
            assert_eq!(key_group(hash_code(text), 128), *of_128, "{text}");
        }
    }

    #[test]
    fn ranges() {
        let all = |parallelism| (0..parallelism).map(|index| range_of(index, parallelism, 1024)).collect::<Vec<_>>();
        assert_eq!(all(1), [0..=1023]);
        assert_eq!(all(3), [0..=341, 342..=682, 683..=1023]);
        assert_eq!(all(12)[..4], [0..=85, 86..=170, 171..=255, 256..=341]);
        for parallelism in 1..=1024 {
            let groups = all(parallelism).into_iter().flatten();
            assert!(groups.eq(0..1024), "{parallelism} ranges make all key groups");
        }
    }
}
