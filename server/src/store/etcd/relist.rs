//! What a watch missed, from a list as of one revision: every kept change and transition, and of
//! what is coalesced the latest. Only what the watcher was not told yet is delivered.

use super::client::end_of;
use super::layout::Floor;
use super::replay::State;
use super::watch::{End, Supervisor};
use crate::store::{Event, EventKind, Revision, timeline};
use etcd_client::{GetOptions, KeyValue};
use std::sync::Arc;

impl Supervisor {
    pub(super) async fn relist(&mut self, reason: &'static str) -> Result<(), End> {
        let floor = self.etcd.history_floor().await?;
        if floor.revision.0 as i64 > self.delivered {
            self.combine(floor).await?;
        }
        let head = self.etcd.document::<super::layout::Head>("head").await?;
        if head.revision < self.delivered {
            return Err(End::Rewound);
        }
        let missed = self.missed(head.revision).await?;
        tracing::debug!(reason, missed = missed.len(), revision = head.revision, "relisted");
        for kv in missed {
            self.deliver(&kv).await?;
        }
        self.delivered = self.delivered.max(head.revision);
        self.verified = head.revision;
        self.seen.retain(|_, at| *at > head.revision);
        Ok(())
    }

    /// Values that the watcher does not know, in the order of their revisions.
    async fn missed(&self, revision: i64) -> Result<Vec<KeyValue>, End> {
        let prefix = self.etcd.layout.key("live/");
        let since = self.verified.min(self.delivered) + 1;
        let options = GetOptions::new().with_min_mod_revision(since);
        let mut kvs = self.etcd.list(prefix.clone(), end_of(&prefix), revision, options).await?;
        kvs.retain(|kv| !self.knows(kv.key(), kv.mod_revision()));
        kvs.sort_by_key(KeyValue::mod_revision);
        Ok(kvs)
    }

    /// In place of changes that are no longer kept, one that has their effect. What came between
    /// of other kinds is delivered before it.
    async fn combine(&mut self, floor: Floor) -> Result<(), End> {
        let before = floor.revision.0 as i64 - 1;
        let mut state = State::default();
        let head = self.etcd.bring_up(&mut state).await?;
        let Some(then) = self.etcd.back_to(&state, floor.sequence).await? else {
            return Err(End::Relist("history is dropped faster than it can be read"));
        };
        for kv in self.missed(head.revision).await? {
            let log = self.etcd.layout.key("live/log/");
            if kv.mod_revision() <= before && !kv.key().starts_with(log.as_bytes()) {
                self.deliver(&kv).await?;
            }
        }
        let record = timeline::combined(
            Revision(self.definitions as u64),
            floor.revision,
            &then,
            &state.changed_at,
            &state.deleted,
        );
        let what = EventKind::Definitions(Arc::new(record));
        self.send(Event { revision: floor.revision, what }).await?;
        self.delivered = floor.revision.0 as i64;
        self.definitions = self.delivered;
        self.sequence = Some(floor.sequence);
        Ok(())
    }
}
