//! The definitions as of the newest change: kept in memory, brought up to date from the log,
//! or from the last snapshot when that is nearer.

use super::client::{Etcd, Trouble, end_of};
use super::layout::{Contents, Entry, Floor, Head, Pointer, Stored, decode};
use crate::store::{ChangeRecord, Revision, StoreError};
use etcd_client::GetOptions;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use vipfleet_model::{Definitions, Key};

/// Log entries read at a time.
const ENTRIES: u64 = 64;
/// Tries when snapshots are replaced, or history dropped, under a reader.
const TRIES: usize = 5;

/// Definitions as of a sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) sequence: u64,
    pub(super) revision: Revision,
    pub(super) definitions: Arc<Definitions>,
    pub(super) changed_at: BTreeMap<Key, Revision>,
    pub(super) deleted: BTreeMap<Key, Revision>,
}

/// The head as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<T> {
    pub(super) value: T,
    /// Of the key; 0 when there is none.
    pub(super) changed: i64,
    /// Of the whole of etcd, when it was read.
    pub(super) revision: i64,
}

impl State {
    pub(super) fn apply(&mut self, record: &ChangeRecord, sequence: u64) {
        let definitions = Arc::make_mut(&mut self.definitions);
        for change in &record.changes {
            let key = change.key.clone();
            match &change.after {
                Some(after) => {
                    definitions.0.insert(key.clone(), after.clone());
                    self.changed_at.insert(key, record.revision);
                }
                None => {
                    definitions.0.remove(&key);
                    self.changed_at.remove(&key);
                    self.deleted.insert(key, record.revision);
                }
            }
        }
        self.sequence = sequence;
        self.revision = record.revision;
    }

    pub(super) fn contents(&self) -> Contents {
        let definitions = self.definitions.0.iter();
        Contents {
            sequence: self.sequence,
            revision: self.revision,
            definitions: definitions
                .map(|(key, definition)| {
                    let changed = self.changed_at.get(key).copied().unwrap_or_default();
                    (changed, definition.clone())
                })
                .collect(),
            deleted: self.deleted.iter().map(|(key, at)| (*at, key.clone())).collect(),
        }
    }
}

impl From<Contents> for State {
    fn from(it: Contents) -> Self {
        let changed_at = it.definitions.iter().map(|(at, it)| (it.key(), *at)).collect();
        Self {
            sequence: it.sequence,
            revision: it.revision,
            definitions: Arc::new(it.definitions.into_iter().map(|(_, it)| it).collect()),
            changed_at,
            deleted: it.deleted.into_iter().map(|(at, key)| (key, at)).collect(),
        }
    }
}

impl Etcd {
    /// A document that may not be there yet.
    pub(super) async fn document<T: DeserializeOwned + Default>(
        &self,
        name: &str,
    ) -> Result<Read<T>, Trouble> {
        let key = self.layout.key(name);
        let answer = self.get(key, None).await?;
        let revision = answer.header().map_or(0, |header| header.revision());
        Ok(match answer.kvs().first() {
            None => Read { value: T::default(), changed: 0, revision },
            Some(kv) => {
                let value = decode(kv.key(), kv.value())?;
                Read { value, changed: kv.mod_revision(), revision }
            }
        })
    }

    /// Brings `state` to the newest change. Returns the head that it corresponds to.
    pub(super) async fn bring_up(&self, state: &mut State) -> Result<Read<Head>, Trouble> {
        for _ in 0..TRIES {
            let head: Read<Head> = self.document("head").await?;
            if head.value.sequence < state.sequence {
                let reason = format!(
                    "its newest change is {}, change {} was read before: was etcd restored?",
                    head.value.sequence, state.sequence
                );
                return Err(StoreError::corrupt("the head", reason).into());
            }
            if self.replay(state, head.value.sequence).await? {
                return Ok(head);
            }
        }
        Err(StoreError::failed("read", "its history changes faster than it can be read").into())
    }

    /// Whether `state` reached `sequence`: not when the way there was dropped meanwhile.
    async fn replay(&self, state: &mut State, sequence: u64) -> Result<bool, Trouble> {
        if sequence.saturating_sub(state.sequence) > ENTRIES {
            self.leap(state, sequence).await?;
        }
        while state.sequence < sequence {
            let last = sequence.min(state.sequence + ENTRIES);
            let records = self.records(state.sequence + 1, last).await?;
            for (at, record) in records {
                if at != state.sequence + 1 {
                    return self.leap(state, sequence).await;
                }
                let Some(record) = record else {
                    return self.leap(state, sequence).await;
                };
                state.apply(&record, at);
            }
            if state.sequence < last {
                return self.leap(state, sequence).await;
            }
        }
        Ok(true)
    }

    /// Takes the snapshot if it is newer than `state`. Whether that reached `sequence`.
    async fn leap(&self, state: &mut State, sequence: u64) -> Result<bool, Trouble> {
        let pointer: Read<Option<Pointer>> = self.document("snapshot").await?;
        let Some(pointer) = pointer.value else {
            return Ok(false);
        };
        if pointer.sequence <= state.sequence || pointer.sequence > sequence {
            return Ok(false);
        }
        if let Some(bytes) = self.read_blob(&pointer.blob).await? {
            let contents: Contents = decode(pointer.blob.key.as_bytes(), &bytes)?;
            *state = contents.into();
        }
        Ok(state.sequence == sequence)
    }

    /// Kept entries from `first` to `last`, ascending, with the revision of each.
    pub(super) async fn entries(
        &self,
        first: u64,
        last: u64,
    ) -> Result<Vec<(u64, Revision, Entry)>, Trouble> {
        let end = self.layout.log(last + 1).into_bytes();
        let kvs = self.list(self.layout.log(first), end, 0, GetOptions::new()).await?;
        let entries = kvs.iter().map(|kv| {
            let entry = decode(kv.key(), kv.value())?;
            Ok((self.sequence_of(kv.key())?, Revision(kv.mod_revision() as u64), entry))
        });
        entries.collect()
    }

    pub(super) fn sequence_of(&self, key: &[u8]) -> Result<u64, StoreError> {
        let rest = self.layout.rest(key).and_then(|rest| rest.rsplit('/').next());
        rest.and_then(|digits| digits.parse().ok())
            .ok_or_else(|| StoreError::corrupt(String::from_utf8_lossy(key), "no sequence"))
    }

    /// The record of an entry; `None` when its blob was dropped.
    pub(super) async fn record(
        &self,
        revision: Revision,
        entry: Entry,
    ) -> Result<Option<ChangeRecord>, Trouble> {
        let Entry { author, message, at, changes, .. } = entry;
        let changes = match changes {
            Stored::Here(changes) => changes,
            Stored::Blob(blob) => match self.read_blob(&blob).await? {
                Some(bytes) => decode(blob.key.as_bytes(), &bytes)?,
                None => return Ok(None),
            },
        };
        Ok(Some(ChangeRecord { revision, author, message, at, changes }))
    }

    async fn records(
        &self,
        first: u64,
        last: u64,
    ) -> Result<Vec<(u64, Option<ChangeRecord>)>, Trouble> {
        let mut records = Vec::new();
        for (sequence, revision, entry) in self.entries(first, last).await? {
            records.push((sequence, self.record(revision, entry).await?));
        }
        Ok(records)
    }

    pub(super) async fn history_floor(&self) -> Result<Floor, Trouble> {
        Ok(self.document("history-floor").await?.value)
    }

    /// Everything of a kind below `live/`, as of a revision, with the revision of each.
    pub(super) async fn live(
        &self,
        kind: &str,
        revision: i64,
        options: GetOptions,
    ) -> Result<Vec<etcd_client::KeyValue>, Trouble> {
        let prefix = self.layout.key(&format!("live/{kind}/"));
        let end = end_of(&prefix);
        self.list(prefix, end, revision, options).await
    }
}
