//! How the memory of a run is shared out.
//!
//! Promise: a run that keeps to its shares stays within the memory it was given, beside the state of the entities, which are
//! about 9 bytes each. What is shared out was measured (`benches/results/`); an entity of many megabytes is beyond it.
//! Invariant: pure; the same memory and threads give the same shares.

/// Bytes that any run needs: the program, windows of text, what is collected for partitions, a file's parts.
const FIXED: u64 = 112 << 20;
/// Bytes of a batch in work: its text, its triples, and what is written of them.
const BATCH: u64 = 8 << 20;
/// Bytes of a part of a dump that is decoded ahead.
const PART: u64 = 32 << 20;
/// Bytes that a row takes while its group is in work: its cells, and columns made of them.
const ROW: u64 = 560;
/// Rows of a group that is not to be made smaller only to have more of them in work.
const SMALL: u64 = 1 << 15;
/// Batches and row groups in work for each thread, if there is the memory.
const AHEAD: usize = 2;

/// What a run may have in memory at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Parts of a dump, decoded ahead.
    pub parts: usize,
    /// Batches in work.
    pub batches: usize,
    /// Rows of a row group.
    pub group_rows: usize,
    /// Row groups in work, beside the one that is filled and the one that is written.
    pub groups: usize,
    /// Bytes of lines while they are sorted.
    pub lines: usize,
}

impl Shares {
    /// The shares of `memory` bytes for so many threads, and for row groups of `group_rows` rows, if there is room for them.
    pub fn of(memory: u64, threads: usize, group_rows: usize) -> Self {
        let rest = memory.saturating_sub(FIXED);
        let (quarter, half) = (rest / 4, rest / 2);
        let rows = half / ROW;
        // One is filled, one encoded, one written; with many threads more of them are encoded, unless they become very small.
        let side_by_side = rows / (threads as u64 + 1);
        let group_rows = side_by_side.max(SMALL).min(rows / 3).min(group_rows as u64).max(1);
        Self {
            parts: fit(quarter / PART, threads + 1),
            batches: fit(quarter / BATCH, AHEAD * threads + 1),
            group_rows: group_rows as usize,
            groups: fit((rows / group_rows).saturating_sub(2), AHEAD * threads),
            lines: usize::try_from(half).unwrap_or(usize::MAX),
        }
    }
}

/// As many as fit, but no more than are of use, and one at least.
fn fit(fitting: u64, useful: usize) -> usize {
    usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, useful)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let shares = |parts, batches, group_rows, groups, mib: usize| Shares {
            parts,
            batches,
            group_rows,
            groups,
            lines: mib << 20,
        };
        let rows = [
            (64, 2, 262_144, shares(1, 1, 1, 1, 0)),
            (256, 2, 262_144, shares(1, 4, 44_938, 1, 72)),
            (1024, 1, 262_144, shares(2, 3, 262_144, 1, 456)),
            (1024, 2, 262_144, shares(3, 5, 262_144, 1, 456)),
            (1024, 2, 1024, shares(3, 5, 1024, 4, 456)),
            (1024, 64, 262_144, shares(7, 28, 32_768, 24, 456)),
        ];
        for (memory, threads, group_rows, expected) in rows {
            assert_eq!(Shares::of(memory << 20, threads, group_rows), expected, "{memory} MiB, {threads} threads");
        }
    }
}
