//! What keeps etcd small and readers quick, done by whichever replica commits: a snapshot every
//! so many changes, the oldest history dropped beyond its bounds, etcd's own old revisions
//! compacted. Each is guarded by a compare-and-swap, so replicas do not undo each other's work,
//! and each may fail: the next one makes up for it.

use super::EtcdStore;
use super::blob::remove;
use super::client::{Etcd, Trouble, random};
use super::layout::{Floor, Head, Pointer, encode};
use super::replay::{Read, State};
use crate::store::StoreError;
use crate::store::timeline::HistoryBounds;
use etcd_client::{Compare, CompareOp, DeleteOptions, Txn, TxnOp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Bytes of changes that a reader replays at most, about.
const REPLAYED: u64 = 8 << 20;

impl EtcdStore {
    /// Looks, beside the caller, whether a snapshot is due.
    pub(super) fn after_commit(&self) {
        let Ok(turn) = Arc::clone(&self.upkeep).try_lock_owned() else {
            return;
        };
        let (etcd, options) = (self.etcd.clone(), self.options.clone());
        let (state, closed) = (Arc::clone(&self.state), self.closed.clone());
        tokio::spawn(closed.run_until_cancelled_owned(async move {
            let _turn = turn;
            let done = async {
                let pointer: Read<Option<Pointer>> = etcd.document("snapshot").await?;
                let (state, head) = {
                    let mut state = state.lock().await;
                    let head = etcd.bring_up(&mut state).await?;
                    (state.clone(), head.value)
                };
                if !due(pointer.value.as_ref(), head, options.snapshot_every) {
                    return Ok(());
                }
                let ttl = options.orphans_after;
                etcd.write_snapshot(&state, head.bytes, &pointer, ttl).await?;
                etcd.drop_oldest_changes(&state, options.history).await
            };
            if let Err(error) = done.await.map_err(StoreError::from) {
                tracing::warn!(error = &error as &dyn std::error::Error, "no snapshot was made");
            }
        }));
    }
}

/// After so many changes, or fewer large ones.
fn due(last: Option<&Pointer>, head: Head, every: u64) -> bool {
    let (sequence, bytes) = last.map_or((0, 0), |last| (last.sequence, last.bytes));
    let many = head.sequence >= sequence + every;
    many || (head.sequence > sequence && head.bytes.saturating_sub(bytes) > REPLAYED)
}

impl Etcd {
    async fn write_snapshot(
        &self,
        state: &State,
        total: u64,
        old: &Read<Option<Pointer>>,
        ttl: Duration,
    ) -> Result<(), Trouble> {
        let bytes = encode(&state.contents())?;
        let pending = self.write_blob(&self.layout.key("blob/snapshot/"), &bytes, ttl).await?;
        let pointer =
            Pointer { sequence: state.sequence, bytes: total, blob: pending.blob.clone() };
        let key = self.layout.key("snapshot");
        let mut when = vec![Compare::mod_revision(key.as_str(), CompareOp::Equal, old.changed)];
        when.extend(pending.all_there());
        let mut then = vec![TxnOp::put(key, encode(&pointer)?, None)];
        then.extend(pending.settle());
        then.extend(old.value.as_ref().map(|old| remove(&old.blob)));
        // Refused: another replica made one.
        self.txn(Txn::new().when(when).and_then(then)).await?;
        self.end_lease(&pending).await;
        Ok(())
    }

    /// Never what the snapshot does not cover: `state` is what it was made of.
    async fn drop_oldest_changes(
        &self,
        state: &State,
        bounds: HistoryBounds,
    ) -> Result<(), Trouble> {
        let floor: Read<Floor> = self.document("history-floor").await?;
        let sequence = self.new_floor(floor.value, state.sequence, bounds).await?;
        let Some(newest) = self.entries(sequence, sequence).await?.pop() else {
            return Ok(());
        };
        if sequence <= floor.value.sequence {
            return Ok(());
        }
        let key = self.layout.key("history-floor");
        let next = Floor { sequence, revision: newest.1, bytes: newest.2.bytes };
        let up_to = |end: String| Some(DeleteOptions::new().with_range(end));
        let then = [
            TxnOp::put(key.as_str(), encode(&next)?, None),
            TxnOp::delete(self.layout.log(0), up_to(self.layout.log(sequence + 1))),
            TxnOp::delete(self.layout.log_blobs(0), up_to(self.layout.log_blobs(sequence + 1))),
        ];
        let when = [Compare::mod_revision(key, CompareOp::Equal, floor.changed)];
        self.txn(Txn::new().when(when).and_then(then)).await.map(drop)
    }

    /// The lowest floor that keeps within the bounds; always below the newest change.
    async fn new_floor(
        &self,
        floor: Floor,
        newest: u64,
        bounds: HistoryBounds,
    ) -> Result<u64, Trouble> {
        let all = self.bytes_until(newest, floor).await?;
        let mut low = floor.sequence.max(newest.saturating_sub(bounds.changes));
        let mut high = newest.saturating_sub(1).max(low);
        while low < high {
            let middle = low + (high - low) / 2;
            let until = self.bytes_until(middle, floor).await?;
            if all.saturating_sub(until) <= bounds.bytes {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// Of all changes ever up to this one, which is the floor or kept.
    async fn bytes_until(&self, sequence: u64, floor: Floor) -> Result<u64, Trouble> {
        if sequence <= floor.sequence {
            return Ok(floor.bytes);
        }
        // One that another replica dropped meanwhile: what to drop is then its business.
        let entry = self.entries(sequence, sequence).await?.pop();
        Ok(entry.map_or(u64::MAX, |(_, _, entry)| entry.bytes))
    }

    /// Tells etcd, every `after`, to forget revisions that are older than that. Replicas take
    /// turns: whoever first replaces the mark of the last time.
    pub(super) async fn compact_for_ever(self, after: Duration, closed: CancellationToken) {
        let mut mark: Option<Read<i64>> = None;
        loop {
            let pause = after.mul_f64(0.9 + random() / 5.0);
            if closed.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
            match self.compact_since(mark.as_ref()).await {
                Ok(next) => mark = Some(next),
                Err(error) => {
                    let error = StoreError::from(error);
                    tracing::warn!(error = &error as &dyn std::error::Error, "not compacted");
                }
            }
        }
    }

    /// Compacts to the revision of the last look, if nobody did meanwhile.
    async fn compact_since(&self, last: Option<&Read<i64>>) -> Result<Read<i64>, Trouble> {
        if let Some(last) = last {
            let key = self.layout.key("compacted");
            let when = [Compare::mod_revision(key.as_str(), CompareOp::Equal, last.changed)];
            let then = [TxnOp::put(key, encode(&last.revision)?, None)];
            if self.txn(Txn::new().when(when).and_then(then)).await?.succeeded() {
                match self.compact(last.revision).await {
                    // Something else compacted further.
                    Ok(()) | Err(Trouble::Compacted) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.document("compacted").await
    }
}
