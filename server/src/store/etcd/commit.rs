//! Commits: the change is written where nobody looks, then made visible by one compare-and-swap
//! of the head. Sent again when the answer is lost: the head tells whether it was us.

use super::EtcdStore;
use super::blob::Pending;
use super::client::Trouble;
use super::layout::{Entry, Head, Stored, decode, encode};
use super::replay::Read;
use crate::store::{Change, ChangeRecord, Revision, StoreError, timeline};
use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use std::convert::Infallible;

/// Changes up to this many bytes are kept in the log itself.
const SMALL: usize = 16 << 10;
/// Entries that touch more name none.
const NAMED: usize = 256;

impl EtcdStore {
    pub(super) async fn commit_change(
        &self,
        change: Change,
    ) -> Result<Option<ChangeRecord>, Trouble> {
        let (head, changes) = {
            let mut state = self.state().await?;
            let head = self.etcd.bring_up(&mut state).await?;
            if state.revision != change.base {
                let current = state.revision;
                return Err(StoreError::Conflict { base: change.base, current }.into());
            }
            let stored = |key: &_| Ok::<_, Infallible>(state.definitions.0.get(key).cloned());
            let Ok(changes) = timeline::effective(&change, stored);
            (head, changes)
        };
        if changes.is_empty() {
            return Ok(None);
        }
        let Change { base, author, message, at, .. } = change;
        let mut record = ChangeRecord { revision: Revision(0), author, message, at, changes };
        record.revision = self.publish(base, head, &record).await?;
        if let Ok(mut state) = self.state.try_lock()
            && state.sequence == head.value.sequence
        {
            // Saves reading back what was just written.
            state.apply(&record, head.value.sequence + 1);
        }
        self.after_commit();
        Ok(Some(record))
    }

    async fn publish(
        &self,
        base: Revision,
        head: Read<Head>,
        record: &ChangeRecord,
    ) -> Result<Revision, Trouble> {
        let sequence = head.value.sequence + 1;
        let bytes = encode(&record.changes)?;
        let total = head.value.bytes + bytes.len() as u64;
        let (changes, pending) = if bytes.len() <= SMALL {
            (Stored::Here(record.changes.clone()), None)
        } else {
            let under = self.etcd.layout.log_blobs(sequence);
            let ttl = self.options.orphans_after;
            let pending = self.etcd.write_blob(&under, &bytes, ttl).await?;
            (Stored::Blob(pending.blob.clone()), Some(pending))
        };
        let named = record.changes.len() <= NAMED;
        let entry = Entry {
            id: uuid::Uuid::new_v4().to_string(),
            author: record.author.clone(),
            message: record.message.clone(),
            at: record.at.clone(),
            bytes: total,
            keys: named.then(|| record.changes.iter().map(|it| it.key.clone()).collect()),
            changes,
        };
        let next = Head { sequence, bytes: total };
        let published = self.swap_head(head.changed, next, &entry, pending.as_ref()).await;
        if let Some(pending) = &pending
            && !matches!(&published, Err(Trouble::Store(StoreError::Unavailable { .. })))
        {
            self.etcd.end_lease(pending).await;
        }
        match published? {
            Some(revision) => Ok(revision),
            None => Err(self.refused(base).await?.into()),
        }
    }

    /// The revision of the change; `None` when another one came first.
    async fn swap_head(
        &self,
        changed: i64,
        next: Head,
        entry: &Entry,
        pending: Option<&Pending>,
    ) -> Result<Option<Revision>, Trouble> {
        let layout = &self.etcd.layout;
        let (head, log) = (layout.key("head"), layout.log(next.sequence));
        let mut when = vec![Compare::mod_revision(head.as_str(), CompareOp::Equal, changed)];
        let mut then = vec![
            TxnOp::put(head, encode(&next)?, None),
            TxnOp::put(log.as_str(), encode(entry)?, None),
        ];
        if let Some(pending) = pending {
            when.extend(pending.all_there());
            then.extend(pending.settle());
        }
        let otherwise = [TxnOp::get(log, None)];
        let txn = Txn::new().when(when).and_then(then).or_else(otherwise);
        let answer = self.etcd.txn(txn).await?;
        if answer.succeeded() {
            let header = answer.header().map_or(0, |header| header.revision());
            return Ok(Some(Revision(header as u64)));
        }
        // An earlier try of ours may have succeeded although its answer was lost.
        for response in answer.op_responses() {
            if let etcd_client::TxnOpResponse::Get(found) = response
                && let Some(kv) = found.kvs().first()
            {
                let found: Entry = decode(kv.key(), kv.value())?;
                let ours = found.id == entry.id;
                return Ok(ours.then_some(Revision(kv.mod_revision() as u64)));
            }
        }
        Err(StoreError::failed("commit", "its chunks expired before it was complete").into())
    }

    async fn refused(&self, base: Revision) -> Result<StoreError, Trouble> {
        let head: Read<Head> = self.etcd.document("head").await?;
        Ok(StoreError::Conflict { base, current: Revision(head.changed as u64) })
    }
}
