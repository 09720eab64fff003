//! Which files a checkpoint is made of.
//!
//! Promise: a checkpoint names few deltas (no more than some 20), which are never much larger than what they save; a row is written
//! again a few times only.
//! In -> out: rows of the base and of the deltas so far, and how many entities changed -> what to write.
//! Rules: size-tiered merging, as in log-structured stores. The newest deltas are merged with what is new as long as they are not much
//! larger, and are left alone once they are large: so the work of one checkpoint stays bounded.
//! Invariant: pure.

/// A delta that is so many times as large as what is new stays as it is.
const TIER: u64 = 4;
/// What part of the base its deltas may be.
const PART: u64 = 8;
/// What part of all that is allowed a merged delta may be.
const LARGE: u64 = 8;

/// What is small, and what is much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deltas with fewer rows are taken for one of so many: a file costs as much.
    pub floor: u64,
    /// So many rows of deltas are always allowed.
    pub allowed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { floor: 4096, allowed: 1_000_000 }
    }
}

/// What to write for the state of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// All of it: a new base without deltas.
    Base,
    /// Nothing: no entity changed.
    Nothing,
    /// A delta of what changed, and of the entities in that many of the newest deltas, whose place it takes.
    Delta {
        /// How many.
        merged: usize,
    },
}

impl Limits {
    /// What to write where `changed` entities changed since a checkpoint of a base and `deltas`, the oldest first, of so many rows.
    pub fn plan(self, base: u64, deltas: &[u64], changed: u64) -> Plan {
        if changed == 0 {
            return Plan::Nothing;
        }
        if deltas.iter().sum::<u64>() + changed > self.most(base) {
            return Plan::Base;
        }
        let mut rows = changed;
        let mut merged = 0;
        for delta in deltas.iter().rev() {
            let is_larger = self.floor.max(*delta) >= TIER * self.floor.max(rows);
            if is_larger || !self.is_for_merging(base, delta + rows) {
                break;
            }
            rows += delta;
            merged += 1;
        }
        Plan::Delta { merged }
    }

    /// Whether a delta of so many rows may be merged into, or be, a larger one.
    pub fn is_for_merging(self, base: u64, rows: u64) -> bool {
        rows <= self.most(base) / LARGE
    }

    /// The most rows that the deltas of a base may have.
    fn most(self, base: u64) -> u64 {
        self.allowed.max(base / PART)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written() {
        // Rows of the base, of the deltas, changed; what is written.
        let rows: &[(u64, &[u64], u64, Plan)] = &[
            (0, &[], 0, Plan::Nothing),
            (0, &[], 1, Plan::Delta { merged: 0 }),
            (0, &[], 1_000_000, Plan::Delta { merged: 0 }),
            (0, &[], 1_000_001, Plan::Base),
            (120_000_000, &[], 15_000_000, Plan::Delta { merged: 0 }),
            (120_000_000, &[8_000_000, 7_000_000], 1, Plan::Base),
            (120_000_000, &[8_000_000, 7_000_000], 0, Plan::Nothing),
            (120_000_000, &[10], 10, Plan::Delta { merged: 1 }),
            (120_000_000, &[16_383], 10, Plan::Delta { merged: 1 }),
            (120_000_000, &[16_384], 10, Plan::Delta { merged: 0 }),
            (120_000_000, &[1_000_000, 300_000], 100_000, Plan::Delta { merged: 2 }),
            (120_000_000, &[1_000_000, 300_000], 70_000, Plan::Delta { merged: 0 }),
            (120_000_000, &[1_800_000, 300_000], 100_000, Plan::Delta { merged: 1 }),
        ];
        for (base, deltas, changed, expected) in rows {
            assert_eq!(Limits::default().plan(*base, deltas, *changed), *expected, "{base} {deltas:?} {changed}");
        }
    }

    fn changes() -> impl Strategy<Value = Vec<u64>> {
        let some = prop_oneof![Just(1), 1..100_u64, 1..20_000_u64, 1..400_000_u64, 1..2_000_000_u64];
        let runs = prop::collection::vec((some, 1..200_usize), 1..12);
        runs.prop_map(|runs| runs.into_iter().flat_map(|(rows, times)| vec![rows; times]).collect())
    }

    proptest! {
        /// However much changes when: few deltas, of no more rows than allowed, and none is merged into a large one.
        #[test]
        fn sizes_stay_bounded(base in prop_oneof![Just(0), Just(10_000_000), Just(120_000_000_u64)], changes in changes()) {
            let limits = Limits::default();
            let most = limits.most(base);
            let mut deltas: Vec<u64> = Vec::new();
            let (mut changed, mut written) = (0, 0);
            for rows in changes {
                match limits.plan(base, &deltas, rows) {
                    Plan::Base => deltas.clear(),
                    Plan::Nothing => prop_assert_eq!(rows, 0),
                    Plan::Delta { merged } => {
                        let old = deltas.split_off(deltas.len() - merged);
                        let sum = old.iter().sum::<u64>() + rows;
                        prop_assert!(merged == 0 || sum <= most / LARGE);
                        deltas.push(sum);
                        changed += rows.max(limits.floor);
                        written += sum;
                    }
                }
                prop_assert!(deltas.len() <= 20, "{:?}", deltas);
                prop_assert!(deltas.iter().sum::<u64>() <= most);
            }
            prop_assert!(written <= 20 * changed, "{} rows written for {}", written, changed);
        }
    }
}
