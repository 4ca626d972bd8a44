//! Transitions: one key each, created once, in a transaction of its own so that each has its own
//! revision. Sent several at a time, each on the condition that the one before is there.

use super::EtcdStore;
use super::client::{Etcd, PAGE, Trouble};
use super::layout::decode;
use crate::store::timeline::KEPT_TRANSITIONS;
use crate::store::{Revision, StoreError, StoredTransition, TransitionPage};
use etcd_client::{
    Compare, CompareOp, GetOptions, KeyValue, SortOrder, SortTarget, Txn, TxnOp, TxnOpResponse,
};
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use vipfleet_model::Name;
use vipfleet_model::report::TransitionRecord;

/// Transactions under way at a time.
const AT_A_TIME: usize = 16;
/// Appended between two looks whether there are too many.
const LOOK_EVERY: u64 = 256;
/// Dropped in one transaction, besides the floors of their nodes.
const DROPPED: usize = 60;

/// Revision of the newest transition that is no longer kept.
const FLOOR: &str = "transitions-floor";

impl EtcdStore {
    pub(super) async fn append(
        &self,
        node: &Name,
        records: &[TransitionRecord],
    ) -> Result<(), Trouble> {
        let mut missing: BTreeMap<u64, &TransitionRecord> =
            records.iter().map(|record| (record.sequence, record)).collect();
        loop {
            let floor = self.etcd.drop_stored(node, &mut missing).await?;
            if missing.is_empty() {
                break;
            }
            let ordered: Vec<_> = missing.values().copied().collect();
            for window in ordered.chunks(AT_A_TIME) {
                if !self.etcd.create(node, window, floor).await? {
                    // Another replica was faster, or the order was lost: look again.
                    break;
                }
            }
        }
        let appended = records.len() as u64;
        if self.appended.fetch_add(appended, Ordering::Relaxed) + appended >= LOOK_EVERY {
            self.appended.store(0, Ordering::Relaxed);
            self.etcd.drop_oldest_transitions().await?;
        }
        Ok(())
    }
}

impl Etcd {
    /// Takes out what is stored, or was. Returns the mod_revision of the node's floor.
    async fn drop_stored(
        &self,
        node: &Name,
        missing: &mut BTreeMap<u64, &TransitionRecord>,
    ) -> Result<i64, Trouble> {
        let floor = self.document::<u64>(&format!("floor/{node}")).await?;
        missing.retain(|sequence, _| *sequence > floor.value);
        let (Some((first, _)), Some((last, _))) =
            (missing.first_key_value(), missing.last_key_value())
        else {
            return Ok(floor.changed);
        };
        let first = self.layout.transition(node, *first);
        let mut end = self.layout.transition(node, *last).into_bytes();
        end.push(0);
        let keys_only = GetOptions::new().with_keys_only();
        for stored in self.list(first, end, 0, keys_only).await? {
            missing.remove(&self.sequence_of(stored.key())?);
        }
        Ok(floor.changed)
    }

    /// Whether all were created, in order.
    async fn create(
        &self,
        node: &Name,
        window: &[&TransitionRecord],
        floor: i64,
    ) -> Result<bool, Trouble> {
        let mut before: Option<String> = None;
        let mut writes = Vec::with_capacity(window.len());
        for record in window {
            let key = self.layout.transition(node, record.sequence);
            let unchanged = self.layout.floor(node);
            let mut when = vec![
                Compare::version(key.as_str(), CompareOp::Equal, 0),
                Compare::mod_revision(unchanged, CompareOp::Equal, floor),
            ];
            when.extend(before.map(|before| Compare::version(before, CompareOp::Greater, 0)));
            let value = super::layout::encode(record)?;
            let put = TxnOp::put(key.as_str(), value, None);
            writes.push(self.txn(Txn::new().when(when).and_then([put])));
            before = Some(key);
        }
        Ok(try_join_all(writes).await?.iter().all(|answer| answer.succeeded()))
    }

    pub(super) fn transition(&self, kv: &KeyValue) -> Result<StoredTransition, StoreError> {
        let (node, _) = self.transition_id(kv)?;
        let revision = Revision(kv.mod_revision() as u64);
        Ok(StoredTransition { revision, node, record: decode(kv.key(), kv.value())? })
    }

    pub(super) async fn page_of_transitions(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<TransitionPage, Trouble> {
        let prefix = self.layout.key("live/transition/");
        let mut page = TransitionPage::default();
        let mut from = after.0;
        let mut floor = None;
        loop {
            let wanted = limit.saturating_sub(page.transitions.len()).min(PAGE as usize * 4);
            let options = GetOptions::new()
                .with_prefix()
                .with_min_mod_revision(from.saturating_add(1).min(i64::MAX as u64) as i64)
                .with_sort(SortTarget::Mod, SortOrder::Ascend)
                .with_limit(wanted.max(1) as i64);
            let reads = [
                TxnOp::get(self.layout.key(FLOOR), None),
                TxnOp::get(prefix.as_str(), Some(options)),
            ];
            let answer = self.txn(Txn::new().and_then(reads)).await?;
            let mut responses = answer.op_responses().into_iter();
            let (Some(TxnOpResponse::Get(floors)), Some(TxnOpResponse::Get(found))) =
                (responses.next(), responses.next())
            else {
                return Err(StoreError::corrupt("etcd's answer", "not what was asked").into());
            };
            // As of the first page: later ones may be behind what is dropped meanwhile.
            if floor.is_none() {
                let stored = floors.kvs().first();
                floor = Some(stored.map_or(Ok(0), |kv| decode(kv.key(), kv.value()))?);
                let oldest = found.kvs().first().map(|kv| Revision(kv.mod_revision() as u64));
                page.gap_until = oldest.filter(|_| floor.is_some_and(|at: u64| after.0 < at));
            }
            for kv in found.kvs().iter().take(wanted) {
                page.transitions.push(self.transition(kv)?);
            }
            match page.transitions.last() {
                Some(last) if found.more() && page.transitions.len() < limit => {
                    from = last.revision.0;
                }
                _ => return Ok(page),
            }
        }
    }

    /// Drops the oldest beyond the kept number. What was dropped stays known by its node's
    /// floor, so that it is not stored again.
    pub(super) async fn drop_oldest_transitions(&self) -> Result<(), Trouble> {
        let prefix = self.layout.key("live/transition/");
        loop {
            let count = GetOptions::new().with_prefix().with_count_only();
            let count = self.get(prefix.as_str(), Some(count)).await?.count() as u64;
            let Some(excess) = count.checked_sub(KEPT_TRANSITIONS).filter(|it| *it > 0) else {
                return Ok(());
            };
            let oldest = GetOptions::new()
                .with_prefix()
                .with_keys_only()
                .with_sort(SortTarget::Mod, SortOrder::Ascend)
                .with_limit(excess as i64);
            let floor = self.document::<u64>(FLOOR).await?.changed;
            let answer = self.get(prefix.as_str(), Some(oldest)).await?;
            let Some(changed) = self.drop_transitions(answer.kvs(), floor).await? else {
                // Another replica does it.
                return Ok(());
            };
            tracing::debug!(excess, changed, "dropped the oldest transitions");
        }
    }

    /// In order of revisions. The mod_revision of the floor afterwards; `None` when it was
    /// changed by someone else.
    async fn drop_transitions(
        &self,
        oldest: &[KeyValue],
        mut floor: i64,
    ) -> Result<Option<i64>, Trouble> {
        let floor_key = self.layout.key(FLOOR);
        for dropped in oldest.chunks(DROPPED) {
            let mut then = Vec::new();
            let mut floors: BTreeMap<String, u64> = BTreeMap::new();
            let mut newest = 0;
            for kv in dropped {
                let stored = self.transition_id(kv)?;
                let highest = floors.entry(self.layout.floor(&stored.0)).or_default();
                *highest = (*highest).max(stored.1);
                newest = newest.max(kv.mod_revision());
                then.push(TxnOp::delete(kv.key(), None));
            }
            for (key, sequence) in floors {
                then.push(TxnOp::put(key, super::layout::encode(&sequence)?, None));
            }
            then.push(TxnOp::put(floor_key.as_str(), super::layout::encode(&newest)?, None));
            let when = [Compare::mod_revision(floor_key.as_str(), CompareOp::Equal, floor)];
            let answer = self.txn(Txn::new().when(when).and_then(then)).await?;
            if !answer.succeeded() {
                return Ok(None);
            }
            floor = answer.header().map_or(0, |header| header.revision());
        }
        Ok(Some(floor))
    }

    fn transition_id(&self, kv: &KeyValue) -> Result<(Name, u64), StoreError> {
        let bad = || StoreError::corrupt(String::from_utf8_lossy(kv.key()), "no node");
        let rest = self.layout.rest(kv.key()).ok_or_else(bad)?;
        let node = rest.rsplit('/').nth(1).and_then(|node| node.parse().ok()).ok_or_else(bad)?;
        Ok((node, self.sequence_of(kv.key())?))
    }
}
