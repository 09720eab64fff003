//! How far time has come in the events: watermarks.
//!
//! Promise: as long as no partition's events are more than `lateness` behind the newest before them, and none that was silent
//! for `idleness` speaks again of the past, an event is never older than the combined watermark. Whether silence means that nothing
//! was to be read is for the caller to know ([`Watermarks::doubt`]).
//! In -> out: event times by partition, the present -> the time up to which all events are there.
//! Rules: Flink's bounded out-of-orderness with idleness, by partition, and the minimum over those that are not idle.
//! Invariant: pure; the clock is handed in. The combined watermark never goes back.
//! Not here: what happens to late events (see `updater::reorder`).

/// The watermark before any event.
pub const START: i64 = i64::MIN;
/// The watermark after the last event.
pub const END: i64 = i64::MAX;

/// How long to wait; in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How far an event may be behind the newest of its partition.
    pub lateness: i64,
    /// For how long a partition may be silent until the others no longer wait for it.
    pub idleness: i64,
}

impl Default for Patience {
    /// A minute each, as upstream.
    fn default() -> Self {
        Self { lateness: 60_000, idleness: 60_000 }
    }
}

/// Names a partition of the [`Watermarks`] that it was added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey(usize);

/// The watermarks of some partitions, each of one source.
#[derive(Clone, Debug)]
pub struct Watermarks {
    patience: Patience,
    partitions: Vec<Partition>,
    combined: i64,
    /// What the clock said at the last [`Watermarks::advance`].
    last: Option<i64>,
    /// For how long partitions were listened to, in milliseconds.
    listened: i64,
}

#[derive(Clone, Debug)]
struct Partition {
    /// The number of its source.
    source: usize,
    watermark: i64,
    /// How long all had been listened to when this one was last heard.
    heard: i64,
    idle: bool,
    ended: bool,
}

impl Watermarks {
    /// Without partitions; `floor` is the combined watermark of the run before, or [`START`].
    pub const fn new(patience: Patience, floor: i64) -> Self {
        Self { patience, partitions: Vec::new(), combined: floor, last: None, listened: 0 }
    }

    /// One more partition, of the source with that number. The others wait until it has an event or is idle.
    pub fn add(&mut self, source: usize) -> PartitionKey {
        let partition = Partition { source, watermark: START, heard: self.listened, idle: false, ended: false };
        self.partitions.push(partition);
        PartitionKey(self.partitions.len() - 1)
    }

    /// The partition had come that far when it was left.
    pub fn resume(&mut self, partition: PartitionKey, watermark: i64) {
        if let Some(partition) = self.partitions.get_mut(partition.0) {
            partition.watermark = partition.watermark.max(watermark);
        }
    }

    /// An event of that time came.
    #[inline]
    pub fn event(&mut self, partition: PartitionKey, time: i64) {
        let Some(partition) = self.partitions.get_mut(partition.0) else { return };
        // One less, as another event that is just as late as allowed may still come.
        let watermark = time.saturating_sub(self.patience.lateness).saturating_sub(1);
        partition.watermark = partition.watermark.max(watermark);
        partition.heard = self.listened;
        partition.idle = false;
    }

    /// No more events will come of it; it no longer counts.
    pub fn end(&mut self, partition: PartitionKey) {
        if let Some(partition) = self.partitions.get_mut(partition.0) {
            partition.ended = true;
        }
    }

    /// The partitions that the next [`Watermarks::advance`] takes for idle, unless they are doubted.
    pub fn falling_idle(&self, now: i64) -> impl Iterator<Item = PartitionKey> {
        let listened = self.listened + self.counted(now);
        let is_falling = move |partition: &Partition| {
            !partition.idle && !partition.ended && listened - partition.heard >= self.patience.idleness
        };
        let places = self.partitions.iter().enumerate().filter(move |(_, partition)| is_falling(partition));
        places.map(|(place, _)| PartitionKey(place))
    }

    /// It is not known whether the partition is silent: it is waited for a tenth of the idleness longer.
    pub fn doubt(&mut self, partition: PartitionKey) {
        let least = self.listened - self.patience.idleness + self.step() + self.step();
        if let Some(partition) = self.partitions.get_mut(partition.0) {
            partition.heard = partition.heard.max(least);
            partition.idle = false;
        }
    }

    /// Lets time go on to `now`, without listening.
    pub fn pass(&mut self, now: i64) {
        self.last = self.last.max(Some(now));
    }

    /// The most that counts between two calls of [`Watermarks::advance`].
    fn step(&self) -> i64 {
        (self.patience.idleness / 10).max(1)
    }

    /// What counts of the time since the last [`Watermarks::advance`].
    fn counted(&self, now: i64) -> i64 {
        self.last.map_or(0, |last| now.saturating_sub(last)).clamp(0, self.step())
    }

    /// The combined watermark at `now`: the minimum over the partitions that are not idle. If all are idle it is their
    /// maximum, as nobody waits for anybody; if all have ended it is [`END`]; without partitions it stays.
    ///
    /// To be called often: of the time since the last call a tenth of the idleness counts at most. Were it all counted, a run
    /// that stood still for a while, because a broker or a disk did, would take its partitions for idle before it read what
    /// waits in them, and then find it late.
    pub fn advance(&mut self, now: i64) -> i64 {
        self.listened += self.counted(now);
        self.last = self.last.max(Some(now));
        for partition in &mut self.partitions {
            partition.idle |= self.listened - partition.heard >= self.patience.idleness;
        }
        self.combined = self.combined.max(lowest(self.partitions.iter()).unwrap_or(START));
        self.combined
    }

    /// The combined watermark of the last [`Watermarks::advance`].
    pub const fn combined(&self) -> i64 {
        self.combined
    }

    /// The watermark of a source by its own partitions; `None` if it has none.
    pub fn of_source(&self, source: usize) -> Option<i64> {
        lowest(self.partitions.iter().filter(|partition| partition.source == source))
    }
}

fn lowest<'a>(partitions: impl Iterator<Item = &'a Partition> + Clone) -> Option<i64> {
    let running = partitions.clone().filter(|partition| !partition.ended);
    let watermark = |partition: &Partition| partition.watermark;
    let active = running.clone().filter(|partition| !partition.idle).map(watermark).min();
    let lowest = active.or_else(|| running.map(watermark).max());
    lowest.or_else(|| partitions.map(|_| END).next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience { lateness: 10, idleness: 100 };

    /// Advances in small steps, so that all of the time counts.
    fn wait(watermarks: &mut Watermarks, from: i64, to: i64) -> i64 {
        (from..=to).map(|now| watermarks.advance(now)).last().unwrap()
    }

    #[test]
    fn the_slowest_that_is_not_idle_decides() {
        let mut all = Watermarks::new(PATIENCE, START);
        assert_eq!((all.advance(0), all.of_source(0)), (START, None), "nobody is there");
        let (a, b) = (all.add(0), all.add(1));
        all.event(a, 1000);
        assert_eq!(all.advance(0), START, "b is awaited");
        all.event(b, 500);
        assert_eq!((all.advance(0), all.of_source(0), all.of_source(1)), (489, Some(989), Some(489)));
        all.event(b, 400);
        assert_eq!(all.advance(0), 489, "an older event changes nothing");
        wait(&mut all, 0, 60);
        all.event(a, 2000);
        assert_eq!(wait(&mut all, 60, 99), 489, "b was silent for 99 only");
        assert_eq!(wait(&mut all, 99, 100), 1989, "b is idle");
        all.event(b, 600);
        assert_eq!((all.advance(100), all.of_source(1)), (1989, Some(589)), "b is back, but time does not go back");
        all.event(b, 2100);
        all.event(a, 3000);
        assert_eq!(all.advance(100), 2089);
        assert_eq!(wait(&mut all, 100, 300), 2989, "all are idle: the newest counts");
        all.end(a);
        assert_eq!(all.advance(300), 2989, "one has ended, the other is idle");
        all.event(b, 3100);
        assert_eq!(all.advance(300), 3089);
        all.end(b);
        assert_eq!((all.advance(300), all.of_source(0)), (END, Some(END)), "all have ended");
    }

    #[test]
    fn a_partition_that_never_spoke_is_waited_for_until_it_is_idle() {
        let mut all = Watermarks::new(PATIENCE, 7);
        let (a, _) = (all.add(0), all.add(0));
        all.event(a, 1000);
        all.advance(0);
        assert_eq!(wait(&mut all, 0, 99), 7, "the floor holds");
        all.event(a, 1001);
        assert_eq!(wait(&mut all, 99, 100), 990);
    }

    #[test]
    fn who_is_doubted_is_not_idle() {
        let mut all = Watermarks::new(PATIENCE, START);
        let (a, b) = (all.add(0), all.add(0));
        all.event(a, 1000);
        all.event(b, 500);
        assert_eq!(wait(&mut all, 0, 99), 489);
        assert_eq!(all.falling_idle(99).count(), 0);
        assert_eq!(all.falling_idle(100).collect::<Vec<_>>(), [a, b]);
        all.doubt(b);
        assert_eq!(wait(&mut all, 100, 105), 489, "a is idle, but b may have something to say");
        assert_eq!(all.falling_idle(105).count(), 0);
        let falling = (105..200).find(|now| {
            all.advance(*now);
            all.falling_idle(*now + 1).next().is_some()
        });
        assert!(falling.is_some_and(|now| (108..125).contains(&now)), "{falling:?}");
        all.doubt(a);
        all.event(a, 600);
        assert_eq!(wait(&mut all, 200, 260), 989, "b is idle, a is back");
    }

    #[test]
    fn standing_still_is_not_silence() {
        let mut all = Watermarks::new(PATIENCE, START);
        let (a, b) = (all.add(0), all.add(0));
        all.event(a, 1000);
        all.event(b, 2000);
        assert_eq!(all.advance(0), 989);
        for now in (1000..10_000).step_by(1000) {
            assert_eq!(all.advance(now), 989, "{now}");
        }
        (10_000..20_000).for_each(|now| all.pass(now));
        assert_eq!(all.advance(20_000), 989, "nobody listened");
        assert_eq!(all.advance(9_000_000), 1989, "it did not speak ten times");
        assert_eq!(all.advance(5), 1989, "a clock that goes back does no harm");
    }

    proptest! {
        /// It never goes back, and no partition that keeps its bounds has an event behind it.
        #[test]
        fn never_back_and_never_too_far(steps in prop::collection::vec((0..3_usize, 0..=10_i64, 0..5_i64), 1..200)) {
            let mut all = Watermarks::new(PATIENCE, START);
            let keys = [all.add(0), all.add(0), all.add(1)];
            let (mut newest, mut last, mut now) = ([0_i64; 3], START, 0);
            for (partition, behind, passed) in steps {
                now += passed;
                newest[partition] = newest[partition].max(now);
                let time = newest[partition] - behind;
                let silent = all.partitions[partition].idle;
                prop_assert!(silent || time > all.combined(), "{time} behind {}", all.combined());
                all.event(keys[partition], time);
                let combined = all.advance(now);
                prop_assert!(combined >= last);
                prop_assert!(combined < now);
                last = combined;
            }
        }
    }
}
