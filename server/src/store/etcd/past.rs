//! History: pages of changes, and the definitions as they were.

use super::EtcdStore;
use super::client::{Etcd, Trouble};
use super::layout::Floor;
use super::replay::State;
use crate::store::{ChangeRecord, Revision, StoreError, timeline};
use etcd_client::GetOptions;
use vipfleet_model::{Definitions, Key};

/// Entries looked through at a time.
const ENTRIES: u64 = 64;

impl Etcd {
    /// The highest sequence up to `newest` whose change is at `revision` or before; at least
    /// the floor's.
    pub(super) async fn sequence_at(
        &self,
        revision: Revision,
        floor: Floor,
        newest: u64,
    ) -> Result<u64, Trouble> {
        let (mut low, mut high) = (floor.sequence, newest);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let keys_only = GetOptions::new().with_keys_only();
            let answer = self.get(self.layout.log(middle), Some(keys_only)).await?;
            // One that was dropped meanwhile is older than what is asked for.
            let at = answer.kvs().first().map_or(0, |kv| kv.mod_revision() as u64);
            if at <= revision.0 {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
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
        let floor = self.etcd.history_floor().await?;
        let head = self.etcd.document::<super::layout::Head>("head").await?.value;
        let mut last = match before {
            None => head.sequence,
            Some(Revision(0)) => return Ok(Vec::new()),
            Some(before) => {
                let below = Revision(before.0 - 1);
                self.etcd.sequence_at(below, floor, head.sequence).await?
            }
        };
        let mut page = Vec::new();
        while last > floor.sequence && page.len() < limit {
            let first = (floor.sequence + 1).max(last.saturating_sub(ENTRIES - 1));
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
        let unknown = || Trouble::Store(StoreError::UnknownRevision(revision));
        let (state, head) = self.current().await?;
        let floor = self.etcd.history_floor().await?;
        if revision < floor.revision || revision.0 > head.revision as u64 {
            return Err(unknown());
        }
        let sequence = self.etcd.sequence_at(revision, floor, state.sequence).await?;
        self.etcd.back_to(&state, sequence).await?.ok_or_else(unknown)
    }
}
