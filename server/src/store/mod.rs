//! Where definitions, node records and transitions live. Two implementations, one contract,
//! one conformance suite (`server/tests/store_conformance`). Called by `api`, `fleet` and
//! `session`; knows nothing of gRPC, placement or health.
//!
//! One revision counts every write of the fleet, upwards, for ever (etcd: the revision of the
//! cluster; embedded: a counter). What changes fast (liveness, heartbeats) never comes here.

mod embedded;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod open;
mod record;
mod timeline;

pub use embedded::EmbeddedStore;
pub use error::{OpenError, StoreError};
#[cfg(feature = "etcd")]
pub use etcd::{EtcdOptions, EtcdStore};
pub use open::{is_shared, open, open_existing};
pub use record::{
    Change, ChangeRecord, DefinitionChange, Event, EventKind, FleetIdentity, NodeRecord, Rejection,
    ReplicaRecord, Revision, Snapshot, StoredTransition, TransitionPage,
};
pub use timeline::HistoryBounds;

use async_trait::async_trait;
use futures::stream::BoxStream;
use std::fmt;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definitions, Key, Name, NodeFacts};

/// A stream of events that supervises itself: it reconnects, resumes after the last delivered
/// revision and survives compaction. It ends when the store is closed (dropped), and when etcd
/// turns out to be older than what was delivered (restored from a backup): then only a new
/// snapshot tells what is.
pub type Events = BoxStream<'static, Event>;

/// The contract. Every method may be called concurrently, by any number of replicas.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// `embedded:PATH` or `etcd:ENDPOINTS`, for people.
    fn describe(&self) -> String;

    async fn fleet(&self) -> Result<FleetIdentity, StoreError>;

    /// Raises the fleet's epoch by one and returns what it is then: this store counts from now on,
    /// whatever agents ran before. For a store that was restored, while no server serves it.
    async fn raise_epoch(&self) -> Result<FleetIdentity, StoreError>;

    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Commits a change of any size atomically. Returns the record; its revision is the new
    /// definitions revision. A put that equals what is stored is no change; a change without
    /// any is not written and returns `None`. After [`StoreError::Unavailable`] the change may
    /// have been committed all the same: history tells. Of several puts of one key the last
    /// counts; a key both put and deleted is put.
    async fn commit(&self, change: Change) -> Result<Option<ChangeRecord>, StoreError>;

    /// Changes below `before` (`None`: from the newest), newest first, at most `limit`, only
    /// those that touch `key` if one is given.
    async fn history(
        &self,
        key: Option<&Key>,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>, StoreError>;

    /// The definitions as they were at `revision`, which may be any since the oldest kept change.
    async fn definitions_at(&self, revision: Revision) -> Result<Definitions, StoreError>;

    /// Writes the facts if they differ from what is stored.
    async fn put_facts(&self, facts: &NodeFacts) -> Result<(), StoreError>;

    async fn put_node(&self, record: &NodeRecord) -> Result<(), StoreError>;

    /// Idempotent by (node, sequence): a record that is stored already is not written again.
    /// Each record gets a revision of its own. Old records beyond the kept number go.
    async fn append_transitions(
        &self,
        node: &Name,
        records: &[TransitionRecord],
    ) -> Result<(), StoreError>;

    /// Transitions of the whole fleet after a revision, oldest first.
    async fn transitions(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<TransitionPage, StoreError>;

    async fn put_replica(&self, record: &ReplicaRecord) -> Result<(), StoreError>;

    /// Everything written after `after`, then what is written from now on. Changes and
    /// transitions are never coalesced; of facts, node records and replicas a watcher that is
    /// behind may get the latest only. Changes that are no longer kept come as one that has
    /// their effect, whose `before` are unknown.
    async fn watch(&self, after: Revision) -> Result<Events, StoreError>;
}
