//! A state filled from many sides: entries in any order, dealt out by region, raised together on all cores.
//!
//! Promise: the table that [`StateTable::raise_all`] of all entries would make.
//! Invariant: besides the table, about 16 million entries of 16 bytes are held.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::state::{Entry, RaisedCounts, Region, StateTable};

/// Entries that are raised together. The more, the fewer times each page of the state is packed again.
const PENDING: usize = 16 << 20;

/// Some entries, in the order of their regions.
#[derive(Debug, Default)]
pub struct Dealt {
    entries: Vec<Entry>,
    /// Each region that has some, and where its last one ends.
    ends: Vec<(usize, usize)>,
}

impl Dealt {
    /// These entries, dealt out by counting.
    pub fn of(entries: &[Entry]) -> Self {
        let Some(first) = entries.first() else { return Self::default() };
        let regions = entries.iter().map(|entry| entry.region() + 1).max().unwrap_or_default();
        let mut places = vec![0; regions];
        entries.iter().for_each(|entry| places[entry.region()] += 1);
        let (mut ends, mut end) = (Vec::new(), 0);
        for (region, place) in places.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            end += std::mem::replace(place, end);
            ends.push((region, end));
        }
        let mut dealt = vec![*first; entries.len()];
        for entry in entries {
            let place = &mut places[entry.region()];
            dealt[*place] = *entry;
            *place += 1;
        }
        Self { entries: dealt, ends }
    }

    /// How many entries they are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each region that has some, and those.
    fn pieces(&self) -> impl Iterator<Item = (usize, &[Entry])> {
        let starts = [0].into_iter().chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (region, end))| (*region, &self.entries[start..*end]))
    }
}

/// A table as far as it is filled.
#[derive(Debug, Default)]
pub struct Filling {
    state: StateTable,
    /// Yet to be raised: few at a time would cost much more.
    pending: Vec<Dealt>,
    pending_len: usize,
    raised: RaisedCounts,
}

impl Filling {
    /// Takes entries; raises what has gathered once it is much.
    pub fn take(&mut self, dealt: Dealt) {
        self.pending_len += dealt.len();
        self.pending.push(dealt);
        if self.pending_len >= PENDING {
            self.raise();
        }
    }

    /// What was found of the entries raised so far.
    pub fn raised(&self) -> RaisedCounts {
        self.raised
    }

    /// The table of all entries, and what was found.
    pub fn finish(mut self) -> (StateTable, RaisedCounts) {
        self.raise();
        (self.state, self.raised)
    }

    fn raise(&mut self) {
        let mut by_region: BTreeMap<usize, Vec<&[Entry]>> = BTreeMap::new();
        for (region, entries) in self.pending.iter().flat_map(Dealt::pieces) {
            by_region.entry(region).or_default().push(entries);
        }
        let (regions, pieces): (Vec<_>, Vec<_>) = by_region.into_iter().unzip();
        let raise = |(region, pieces): (&mut Region, Vec<&[Entry]>)| region.raise_pieces(&pieces);
        let raised: Vec<_> = self.state.regions_mut(&regions).into_par_iter().zip(pieces).map(raise).collect();
        raised.into_iter().for_each(|raised| self.raised += raised);
        self.pending.clear();
        self.pending_len = 0;
    }
}
