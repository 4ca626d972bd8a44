//! Whether a node has a session anywhere. Its record says which replica holds the session; that
//! replica says it lives by a beat in the store. A replica whose beat stands still for one
//! interval is gone, and so are its sessions. Pure; the beat itself is in `heart`.
//!
//! Amnesty: nobody is called silent before one full interval has passed since this replica
//! started, or since it heard its own beat again after the store was away. Its own beat comes
//! back through the store's watch, so as long as it moves this replica hears the others too.

use crate::store::ReplicaRecord;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a replica may stay silent, unless the operator said otherwise.
pub const LIVENESS: Duration = Duration::from_secs(10);

/// Beats in one interval: two may get lost before anybody is called gone.
const BEATS: u32 = 4;

/// Time between two beats of one replica.
pub fn beat_every(interval: Duration) -> Duration {
    interval / BEATS
}

/// When each replica's beat last moved, by this replica's monotonic clock.
#[derive(Debug)]
pub struct Liveness {
    interval: Duration,
    this: Arc<str>,
    amnesty_ends: Instant,
    /// When our own beat last came back.
    heard_own: Instant,
    others: HashMap<String, Beat>,
}

#[derive(Debug)]
struct Beat {
    count: u64,
    /// Never seen to move since we started: perhaps long gone.
    moved: Option<Instant>,
}

impl Liveness {
    /// `known` are the records found at start: old, as far as one can tell.
    pub fn new<'a>(
        interval: Duration,
        this: &str,
        known: impl IntoIterator<Item = &'a ReplicaRecord>,
        now: Instant,
    ) -> Self {
        let beat = |record: &ReplicaRecord| Beat { count: record.beat, moved: None };
        let others = known.into_iter().map(|record| (record.replica.clone(), beat(record)));
        Self {
            interval,
            this: this.into(),
            amnesty_ends: now + interval,
            heard_own: now,
            others: others.collect(),
        }
    }

    pub fn heard(&mut self, record: &ReplicaRecord, now: Instant) {
        if *record.replica == *self.this {
            if self.is_deaf(now) {
                self.amnesty_ends = now + self.interval;
            }
            self.heard_own = now;
            return;
        }
        let beat = self.others.entry(record.replica.clone());
        let beat = beat.or_insert(Beat { count: record.beat, moved: Some(now) });
        if record.beat != beat.count {
            *beat = Beat { count: record.beat, moved: Some(now) };
        }
    }

    /// Whether nobody may be called silent yet.
    pub fn in_amnesty(&self, now: Instant) -> bool {
        now < self.amnesty_ends || self.is_deaf(now)
    }

    /// Whether another replica's beat moved within one interval.
    pub fn is_alive(&self, replica: &str, now: Instant) -> bool {
        let moved = self.others.get(replica).and_then(|beat| beat.moved);
        moved.is_some_and(|moved| now < moved + self.interval)
    }

    /// When to judge again: the soonest that a verdict can change without another event.
    pub fn next_verdict(&self, now: Instant) -> Instant {
        let ends = self.others.values().filter_map(|beat| Some(beat.moved? + self.interval));
        let ends = ends.chain([self.amnesty_ends, self.deaf_at()]).filter(|end| *end > now);
        ends.min().unwrap_or(now + self.interval)
    }

    fn is_deaf(&self, now: Instant) -> bool {
        self.deaf_at() <= now
    }

    /// Sooner than anybody could be called gone whose last beat came with our own.
    fn deaf_at(&self) -> Instant {
        self.heard_own + beat_every(self.interval) * (BEATS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(replica: &str, beat: u64) -> ReplicaRecord {
        ReplicaRecord { replica: replica.into(), beat }
    }

    /// Replica `a` of which `known` was found at start.
    fn liveness(known: &[ReplicaRecord], now: Instant) -> Liveness {
        Liveness::new(LIVENESS, "a", known, now)
    }

    /// Our own beat comes back in time up to `until`.
    fn hear_own(liveness: &mut Liveness, from: Instant, until: Instant) {
        let mut now = from;
        while now <= until {
            liveness.heard(&record("a", 1), now);
            now += beat_every(LIVENESS);
        }
    }

    #[test]
    fn a_replica_whose_beat_stands_still_is_gone_after_the_interval() {
        let start = Instant::now();
        let mut liveness = liveness(&[], start);
        let heard = start + LIVENESS * 2;
        liveness.heard(&record("b", 1), heard);
        assert!(liveness.is_alive("b", heard));
        liveness.heard(&record("b", 1), heard + LIVENESS);
        assert!(!liveness.is_alive("b", heard + LIVENESS), "the same beat said again is no life");
        liveness.heard(&record("b", 2), heard + LIVENESS);
        assert!(liveness.is_alive("b", heard + LIVENESS));
    }

    #[test]
    fn a_record_found_at_start_is_no_life_until_it_moves() {
        let start = Instant::now();
        let mut liveness = liveness(&[record("b", 7)], start);
        assert!(!liveness.is_alive("b", start));
        liveness.heard(&record("b", 7), start);
        assert!(!liveness.is_alive("b", start), "a watch may say it again");
        liveness.heard(&record("b", 8), start);
        assert!(liveness.is_alive("b", start));
    }

    #[test]
    fn nobody_is_judged_within_the_first_interval() {
        let start = Instant::now();
        let mut liveness = liveness(&[], start);
        hear_own(&mut liveness, start, start + LIVENESS);
        assert!(liveness.in_amnesty(start));
        assert!(liveness.in_amnesty(start + LIVENESS - Duration::from_millis(1)));
        assert!(!liveness.in_amnesty(start + LIVENESS));
    }

    #[test]
    fn who_cannot_hear_itself_judges_nobody_and_waits_a_full_interval_after() {
        let start = Instant::now();
        let mut liveness = liveness(&[], start);
        let quiet = start + LIVENESS * 3;
        hear_own(&mut liveness, start, quiet);
        liveness.heard(&record("b", 1), quiet);
        assert!(!liveness.in_amnesty(quiet));
        // The store is away: deaf before `b` could be called gone.
        let gone = quiet + LIVENESS;
        assert!(!liveness.is_alive("b", gone));
        assert!(liveness.in_amnesty(liveness.deaf_at()));
        assert!(liveness.deaf_at() < gone);
        assert!(liveness.in_amnesty(gone + LIVENESS * 100));
        let back = gone + LIVENESS * 100;
        hear_own(&mut liveness, back, back + LIVENESS);
        assert!(liveness.in_amnesty(back + LIVENESS / 2));
        assert!(!liveness.in_amnesty(back + LIVENESS));
    }

    #[test]
    fn the_next_verdict_is_when_the_first_thing_can_change() {
        let start = Instant::now();
        let mut liveness = liveness(&[], start);
        assert_eq!(liveness.next_verdict(start), liveness.deaf_at());
        let later = start + LIVENESS * 2;
        hear_own(&mut liveness, start, later);
        liveness.heard(&record("b", 1), later - LIVENESS / 2);
        assert_eq!(liveness.next_verdict(later), later + LIVENESS / 2);
        let much_later = later + LIVENESS * 9;
        assert_eq!(liveness.next_verdict(much_later), much_later + LIVENESS);
    }
}
