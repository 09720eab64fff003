//! How long things took, in few numbers.
//!
//! Promise: how many values there are up to each bound is exact; a quantile lies between the two bounds that it must lie between.
//! In -> out: milliseconds -> counts in fixed buckets, quantiles.
//! Invariant: to record is two additions and a search among a few bounds; nothing is allocated.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// The upper ends of the buckets, in milliseconds; each is within its bucket. The last bucket has none.
pub const BOUNDS: [u64; 28] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    30_000,
    60_000,
    90_000,
    120_000,
    150_000,
    180_000,
    240_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    21_600_000,
    86_400_000,
    604_800_000,
];

/// Durations, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: u64,
    longest: u64,
}

impl Histogram {
    /// Counts one, of that many milliseconds.
    #[inline]
    pub fn record(&mut self, millis: u64) {
        self.counts[BOUNDS.partition_point(|bound| *bound < millis)] += 1;
        self.sum = self.sum.saturating_add(millis);
        self.longest = self.longest.max(millis);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in milliseconds.
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The longest, in milliseconds; 0 if there is none.
    pub const fn longest(&self) -> u64 {
        self.longest
    }

    /// How many take no longer than that. Exact for the [`BOUNDS`]; for others those up to the bound before.
    pub fn within(&self, millis: u64) -> u64 {
        self.counts[..BOUNDS.partition_point(|bound| *bound <= millis)].iter().sum()
    }

    /// The bounds in ascending order, each with the number of those that take no longer.
    pub fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> {
        let sums = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.into_iter().zip(sums)
    }

    /// How long it takes for that part of them (0 to 1) at most, in milliseconds; between two bounds they are taken to lie evenly.
    /// `None` if there are none.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let count = self.count();
        let wanted = part.clamp(0.0, 1.0) * count as f64;
        let (mut below, mut lower) = (0, 0);
        for (at, here) in self.counts.iter().enumerate() {
            // No value is beyond the longest.
            let upper = BOUNDS.get(at).map_or(self.longest, |bound| self.longest.min(*bound));
            if *here > 0 && (below + here) as f64 >= wanted {
                let share = ((wanted - below as f64) / *here as f64).max(0.0);
                return Some(lower as f64 + share * upper.saturating_sub(lower) as f64);
            }
            (below, lower) = (below + here, upper);
        }
        None
    }
}

impl Serialize for Histogram {
    /// How many, the mean, some quantiles and the longest; those are null if there are none.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.count();
        let some = |value: f64| (count > 0).then_some(value);
        let mut fields = serializer.serialize_struct("Histogram", 6)?;
        fields.serialize_field("count", &count)?;
        fields.serialize_field("mean_ms", &some(self.sum as f64 / count as f64))?;
        fields.serialize_field("p50_ms", &self.quantile(0.5))?;
        fields.serialize_field("p90_ms", &self.quantile(0.9))?;
        fields.serialize_field("p99_ms", &self.quantile(0.99))?;
        fields.serialize_field("longest_ms", &some(self.longest as f64))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    #[test]
    fn quantiles_as_in_this_table() {
        let rows: &[(&[u64], f64, Option<f64>)] = &[
            (&[], 0.5, None),
            (&[0], 0.5, Some(0.0)),
            (&[7], 1.0, Some(7.0)),
            (&[15; 10], 0.5, Some(12.5)),
            (&[100, 100, 100, 200], 0.75, Some(100.0)),
            (&[100, 100, 100, 200], 1.0, Some(200.0)),
            (&[700_000_000, 800_000_000], 1.0, Some(800_000_000.0)),
            (&[1, 600_000], 7.0, Some(600_000.0)),
        ];
        for (values, part, expected) in rows {
            assert_eq!(of(values).quantile(*part), *expected, "{values:?} {part}");
        }
    }

    #[test]
    fn what_is_told_of_it() {
        let told = |values: &[u64]| serde_json::to_string(&of(values)).unwrap();
        assert_eq!(
            told(&[]),
            r#"{"count":0,"mean_ms":null,"p50_ms":null,"p90_ms":null,"p99_ms":null,"longest_ms":null}"#
        );
        assert_eq!(
            told(&[10, 10]),
            r#"{"count":2,"mean_ms":10.0,"p50_ms":7.5,"p90_ms":9.5,"p99_ms":9.95,"longest_ms":10.0}"#
        );
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![0..10_u64, 0..1_000_000_u64, 0..1_000_000_000_u64, prop::sample::select(&BOUNDS[..])];
        prop::collection::vec(value, 1..200)
    }

    proptest! {
        #[test]
        fn counts_are_exact(values in values()) {
            let histogram = of(&values);
            let up_to = |millis: u64| values.iter().filter(|value| **value <= millis).count() as u64;
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.sum(), values.iter().sum::<u64>());
            prop_assert_eq!(Some(histogram.longest()), values.iter().copied().max());
            let expected: Vec<_> = BOUNDS.map(|bound| (bound, up_to(bound))).to_vec();
            prop_assert_eq!(histogram.cumulated().collect::<Vec<_>>(), expected);
            for bound in BOUNDS {
                prop_assert_eq!(histogram.within(bound), up_to(bound));
                prop_assert!(histogram.within(bound + 1) <= up_to(bound + 1));
            }
        }

        #[test]
        fn a_quantile_is_where_the_value_is(mut values in values(), parts in (0.0..=1.0_f64, 0.0..=1.0_f64)) {
            let histogram = of(&values);
            values.sort_unstable();
            let (low, high) = (parts.0.min(parts.1), parts.0.max(parts.1));
            let quantile = histogram.quantile(low).unwrap();
            prop_assert!(quantile <= histogram.quantile(high).unwrap());
            let at = ((low * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1;
            let bucket = BOUNDS.partition_point(|bound| *bound < values[at]);
            let lower = if bucket == 0 { 0 } else { BOUNDS[bucket - 1] };
            let upper = BOUNDS.get(bucket).map_or(histogram.longest(), |bound| histogram.longest().min(*bound));
            prop_assert!((lower as f64..=upper as f64).contains(&quantile), "{quantile} {lower} {upper}");
        }
    }
}
