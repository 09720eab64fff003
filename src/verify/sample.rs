//! Entities by chance.
//!
//! Promise: each entity of a state has the same chance; the same seed gives the same entities.
//! Invariant: pure.

use crate::state::StateTable;
use crate::wikibase::entity::{EntityId, EntityKind};

/// So many entities of a state, or all if there are no more, in their order; those that were deleted too. Rule: Knuth, The Art of
/// Computer Programming, volume 2, 3.4.2, algorithm S.
pub fn sample(state: &StateTable, count: u64, seed: u64) -> Vec<EntityId> {
    let (mut left, mut wanted, mut random) = (state.len(), count, Random(seed));
    let mut taken = Vec::new();
    for kind in EntityKind::ALL {
        state.each(kind, 0..state.end(kind), |entity, _| {
            if random.below(left) < wanted {
                taken.push(entity);
                wanted -= 1;
            }
            left -= 1;
        });
    }
    taken
}

/// Numbers by chance. Rule: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::EntityState;
    use crate::wikibase::entity::Revision;

    #[test]
    fn each_has_the_same_chance() {
        const ENTITIES: u32 = 50;
        const TAKEN: u64 = 10;
        let mut state = StateTable::default();
        for number in 1..=ENTITIES {
            let kind = EntityKind::ALL[number as usize % 2];
            let revision = Revision::new(7).unwrap();
            state.set(EntityId::new(kind, number).unwrap(), EntityState::Created(revision));
        }
        let mut times = [0_u64; ENTITIES as usize + 1];
        for seed in 0..2000 {
            let taken = sample(&state, TAKEN, seed);
            assert_eq!(taken.len() as u64, TAKEN);
            assert!(taken.is_sorted());
            taken.iter().for_each(|entity| times[entity.number() as usize] += 1);
        }
        // 400 of each; five standard deviations are 90.
        assert!(times[1..].iter().all(|times| (310..490).contains(times)), "{times:?}");
        assert_eq!(sample(&state, TAKEN, 1), sample(&state, TAKEN, 1));
        assert_eq!(sample(&state, 1000, 1).len(), ENTITIES as usize);
        assert!(sample(&StateTable::default(), 5, 1).is_empty());
    }
}
