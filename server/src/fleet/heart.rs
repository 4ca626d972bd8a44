//! Says in the store that this replica lives, and notices when another one says so in its name.

use crate::store::{ReplicaRecord, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// The beat of one start of this replica.
#[derive(Debug)]
pub(super) struct Heart {
    replica: String,
    first: u64,
    last: AtomicU64,
}

impl Heart {
    /// Counts from the wall clock, so that it is no beat of a former start.
    pub(super) fn new(replica: String) -> Self {
        let first = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        Self { replica, first, last: AtomicU64::new(first) }
    }

    /// Beats until `stop`.
    pub(super) async fn beat(
        &self,
        store: Arc<dyn Store>,
        every: Duration,
        stop: CancellationToken,
    ) {
        loop {
            let beat = self.last.fetch_add(1, Ordering::SeqCst) + 1;
            let record = ReplicaRecord { replica: self.replica.clone(), beat };
            let said = tokio::select! {
                said = store.put_replica(&record) => said,
                () = stop.cancelled() => return,
            };
            if let Err(error) = said {
                warn!(%error, "cannot say that this replica lives");
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Complains of a beat in our name that is not ours.
    pub(super) fn heard(&self, record: &ReplicaRecord) {
        if record.replica == self.replica && !self.is_ours(record.beat) {
            error!(
                replica = %self.replica,
                "another server goes by the same name, and each will call the other's nodes \
                 silent: give every replica a name of its own with --replica"
            );
        }
    }

    fn is_ours(&self, beat: u64) -> bool {
        (self.first..=self.last.load(Ordering::SeqCst)).contains(&beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_that_was_never_sent_is_another_replicas() {
        let heart = Heart::new("a".into());
        heart.last.fetch_add(2, Ordering::SeqCst);
        assert!(heart.is_ours(heart.first + 2));
        assert!(!heart.is_ours(heart.first + 3));
        assert!(!heart.is_ours(heart.first - 1));
    }
}
