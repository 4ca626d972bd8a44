//! Whether a node has a session anywhere. Its record says which replica holds the session; that
//! replica says it lives by a beat in the store. A replica whose beat stands still for
//! [`LIVENESS`] is gone, and so are its sessions. After this replica's own start nobody is
//! judged before one full interval has passed.

use crate::store::{ReplicaRecord, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a replica may stay silent.
pub(super) const LIVENESS: Duration = Duration::from_secs(10);

const BEAT: Duration = Duration::from_secs(3);

/// When each replica's beat last moved, by this replica's monotonic clock.
#[derive(Debug)]
pub struct Liveness {
    started: Instant,
    moved: HashMap<String, (u64, Instant)>,
}

impl Liveness {
    pub fn new(now: Instant) -> Self {
        Self { started: now, moved: HashMap::new() }
    }

    pub fn heard(&mut self, record: &ReplicaRecord, now: Instant) {
        let entry = self.moved.entry(record.replica.clone()).or_insert((record.beat, now));
        if record.beat != entry.0 {
            *entry = (record.beat, now);
        }
    }

    /// Before one interval has passed since our own start.
    pub fn in_amnesty(&self, now: Instant) -> bool {
        now.duration_since(self.started) < LIVENESS
    }

    /// Amnesty: before one interval has passed since our own start everybody counts as alive.
    pub fn is_alive(&self, replica: &str, now: Instant) -> bool {
        let fresh = |(_, moved): &(u64, Instant)| now.duration_since(*moved) < LIVENESS;
        self.in_amnesty(now) || self.moved.get(replica).is_some_and(fresh)
    }

    /// When to judge again: the soonest a replica that is alive now can be gone.
    pub fn next_verdict(&self, now: Instant) -> Instant {
        let ends = self.moved.values().map(|(_, moved)| *moved + LIVENESS);
        let ends = ends.chain([self.started + LIVENESS]).filter(|end| *end > now);
        ends.min().unwrap_or(now + LIVENESS)
    }
}

/// Says that this replica lives, until `stop`.
pub(super) async fn beat(store: Arc<dyn Store>, replica: String, stop: CancellationToken) {
    // Never a beat of a former start of this replica.
    let mut beat = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    loop {
        beat += 1;
        let record = ReplicaRecord { replica: replica.clone(), beat };
        if let Err(error) = store.put_replica(&record).await {
            warn!(%error, "cannot say that this replica lives");
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(beat: u64) -> ReplicaRecord {
        ReplicaRecord { replica: "a".into(), beat }
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_whose_beat_stands_still_is_gone_after_the_interval() {
        let start = Instant::now();
        let mut liveness = Liveness::new(start);
        let late = start + LIVENESS * 2;
        liveness.heard(&record(1), late);
        assert!(liveness.is_alive("a", late));
        liveness.heard(&record(1), late + LIVENESS);
        assert!(!liveness.is_alive("a", late + LIVENESS));
        liveness.heard(&record(2), late + LIVENESS);
        assert!(liveness.is_alive("a", late + LIVENESS));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_judged_within_the_first_interval() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        assert!(liveness.is_alive("never-heard", start + LIVENESS / 2));
        assert!(!liveness.is_alive("never-heard", start + LIVENESS));
    }
}
