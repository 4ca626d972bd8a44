//! From a key that was written to the event that a watcher gets.

use super::layout::decode;
use super::watch::{End, Supervisor};
use crate::store::{Event, EventKind, Revision, StoreError};
use etcd_client::KeyValue;
use std::sync::Arc;

impl Supervisor {
    /// Reads what a key says and delivers it, and before it changes that are missing.
    pub(super) async fn deliver(&mut self, kv: &KeyValue) -> Result<(), End> {
        if let Some(event) = self.event(kv).await? {
            self.send(event).await?;
        }
        self.seen.insert(kv.key().to_vec(), kv.mod_revision());
        self.delivered = self.delivered.max(kv.mod_revision());
        Ok(())
    }

    pub(super) async fn send(&mut self, event: Event) -> Result<(), End> {
        self.events.send(event).await.map_err(|_| End::Closed)
    }

    /// `None`: there is a newer one of it.
    async fn event(&mut self, kv: &KeyValue) -> Result<Option<Event>, End> {
        let rest = self.etcd.layout.rest(kv.key()).unwrap_or_default();
        let kind = rest.split('/').nth(1).unwrap_or_default();
        let what = match kind {
            "log" => return self.change(kv).await,
            "facts" => EventKind::Facts(decode(kv.key(), kv.value())?),
            "replica" => EventKind::Replica(decode(kv.key(), kv.value())?),
            "transition" => EventKind::Transition(self.etcd.transition(kv)?),
            "node" => match self.etcd.node_record(kv).await? {
                Some(record) => EventKind::Node(Box::new(record)),
                None => return Ok(None),
            },
            _ => return Err(StoreError::corrupt(rest, "of no known kind").into()),
        };
        Ok(Some(Event { revision: Revision(kv.mod_revision() as u64), what }))
    }

    async fn change(&mut self, kv: &KeyValue) -> Result<Option<Event>, End> {
        let sequence = self.etcd.sequence_of(kv.key())?;
        if let Some(last) = self.sequence {
            if sequence <= last {
                return Ok(None);
            }
            if sequence > last + 1 {
                return Err(End::Relist("the watch skipped a change"));
            }
        }
        let revision = Revision(kv.mod_revision() as u64);
        let entry = decode(kv.key(), kv.value())?;
        let Some(record) = self.etcd.record(revision, entry).await? else {
            return Err(End::Relist("a change is no longer kept"));
        };
        self.sequence = Some(sequence);
        self.definitions = kv.mod_revision();
        Ok(Some(Event { revision, what: EventKind::Definitions(Arc::new(record)) }))
    }
}
