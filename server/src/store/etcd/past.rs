//! History: pages of changes, and the definitions as they were.

use super::EtcdStore;
use super::client::{Etcd, Trouble};
use super::layout::{Floor, Head};
use super::replay::{Read, State};
use crate::store::{ChangeRecord, Revision, StoreError, timeline};
use etcd_client::GetOptions;
use vipfleet_model::{Definitions, Key};

/// Entries looked through at a time.
const ENTRIES: u64 = 64;
/// Tries when history is dropped under a reader.
const TRIES: usize = 5;

impl Etcd {
    /// The highest sequence up to `newest` whose change is at `revision` or before; at least
    /// the floor's. `None`: more was dropped meanwhile.
    async fn sequence_at(
        &self,
        revision: Revision,
        floor: Floor,
        newest: u64,
    ) -> Result<Option<u64>, Trouble> {
        let (mut low, mut high) = (floor.sequence, newest);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let keys_only = GetOptions::new().with_keys_only();
            let answer = self.get(self.layout.log(middle), Some(keys_only)).await?;
            let Some(kv) = answer.kvs().first() else { return Ok(None) };
            if kv.mod_revision() as u64 <= revision.0 {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Some(low))
    }

    /// The sequences of the floor and of the newest change before `before`.
    async fn range_before(&self, before: Option<Revision>) -> Result<(u64, u64), Trouble> {
        for _ in 0..TRIES {
            let floor = self.history_floor().await?;
            let head: Read<Head> = self.document("head").await?;
            let Some(before) = before else { return Ok((floor.sequence, head.value.sequence)) };
            let below = Revision(before.0.saturating_sub(1));
            if below <= floor.revision {
                return Ok((floor.sequence, floor.sequence));
            }
            if let Some(last) = self.sequence_at(below, floor, head.value.sequence).await? {
                return Ok((floor.sequence, last));
            }
        }
        Err(too_fast())
    }

    /// The definitions once `sequence` was committed, from a newer state.
    pub(super) async fn back_to(
        &self,
        state: &State,
        sequence: u64,
    ) -> Result<Option<Definitions>, Trouble> {
        let mut definitions = (*state.definitions).clone();
        let mut last = state.sequence;
        while last > sequence {
            let first = (sequence + 1).max(last.saturating_sub(ENTRIES - 1));
            let entries = self.entries(first, last).await?;
            if entries.len() as u64 != last - first + 1 {
                return Ok(None);
            }
            for (_, revision, entry) in entries.into_iter().rev() {
                let Some(record) = self.record(revision, entry).await? else {
                    return Ok(None);
                };
                timeline::revert(&mut definitions, &record);
            }
            last = first - 1;
        }
        Ok(Some(definitions))
    }
}

impl EtcdStore {
    pub(super) async fn page_of_history(
        &self,
        key: Option<&Key>,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>, Trouble> {
        let (floor, mut last) = self.etcd.range_before(before).await?;
        let mut page = Vec::new();
        while last > floor && page.len() < limit {
            let first = (floor + 1).max(last.saturating_sub(ENTRIES - 1));
            for (_, revision, entry) in self.etcd.entries(first, last).await?.into_iter().rev() {
                let named = entry.keys.as_ref().zip(key);
                if page.len() == limit || named.is_some_and(|(keys, key)| !keys.contains(key)) {
                    continue;
                }
                let Some(record) = self.etcd.record(revision, entry).await? else {
                    break;
                };
                if key.is_none_or(|key| record.changes.iter().any(|it| it.key == *key)) {
                    page.push(record);
                }
            }
            last = first - 1;
        }
        Ok(page)
    }

    pub(super) async fn definitions_then(
        &self,
        revision: Revision,
    ) -> Result<Definitions, Trouble> {
        for _ in 0..TRIES {
            let (state, head) = self.current().await?;
            let floor = self.etcd.history_floor().await?;
            if revision < floor.revision || revision.0 > head.revision as u64 {
                return Err(StoreError::UnknownRevision(revision).into());
            }
            let sequence = self.etcd.sequence_at(revision, floor, state.sequence).await?;
            if let Some(sequence) = sequence
                && let Some(definitions) = self.etcd.back_to(&state, sequence).await?
            {
                return Ok(definitions);
            }
        }
        Err(too_fast())
    }
}

fn too_fast() -> Trouble {
    StoreError::failed("read", "its history is dropped faster than it can be read").into()
}
