//! A state filled from many sides: entries in any order, dealt out by region, raised together on all cores.
//!
//! Promise: the table that [`StateTable::raise_all`] of all entries would make.
//! Invariant: besides the table, about `PENDING` entries of 16 bytes are held.

use rayon::prelude::*;

use crate::state::{Entry, REGIONS, RaisedCounts, Region, StateTable};

/// Entries that are raised together. The more, the fewer times each page of the state is packed again.
const PENDING: usize = 16 << 20;

/// Some entries, by region.
#[derive(Debug, Default)]
pub struct Dealt(Vec<Vec<Entry>>);

impl Dealt {
    /// Adds an entry.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        let region = entry.region();
        if region >= self.0.len() {
            self.0.resize_with(region + 1, Vec::new);
        }
        self.0[region].push(entry);
    }

    /// How many entries they are.
    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A table as far as it is filled.
#[derive(Debug)]
pub struct Filling {
    state: StateTable,
    /// Entries by region, yet to be raised: few at a time would cost much more.
    pending: Vec<Vec<Vec<Entry>>>,
    pending_len: usize,
    raised: RaisedCounts,
}

impl Default for Filling {
    fn default() -> Self {
        let pending = (0..REGIONS).map(|_| Vec::new()).collect();
        Self { state: StateTable::default(), pending, pending_len: 0, raised: RaisedCounts::default() }
    }
}

impl Filling {
    /// Takes entries; raises what has gathered once it is much.
    pub fn take(&mut self, dealt: Dealt) {
        for (region, entries) in dealt.0.into_iter().enumerate().filter(|(_, entries)| !entries.is_empty()) {
            self.pending_len += entries.len();
            self.pending[region].push(entries);
        }
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
        let pending = self.pending.iter_mut().enumerate().filter(|(_, entries)| !entries.is_empty());
        let (regions, entries): (Vec<_>, Vec<_>) = pending.map(|(at, entries)| (at, std::mem::take(entries))).unzip();
        let raise = |(region, entries): (&mut Region, Vec<Vec<Entry>>)| region.raise_pieces(&entries);
        let raised: Vec<_> = self.state.regions_mut(&regions).into_par_iter().zip(entries).map(raise).collect();
        raised.into_iter().for_each(|raised| self.raised += raised);
        self.pending_len = 0;
    }
}
