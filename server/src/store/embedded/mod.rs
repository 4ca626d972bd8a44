//! The embedded store: one redb file, one server process. Every write goes through one thread
//! that makes a group of queued writes durable with one fsync; reads run beside it on the
//! blocking pool. Opened by [`crate::store::open()`].
//!
//! Deliberately absent: replication. Several replicas need etcd.

mod catch_up;
mod file;
mod operation;
mod read;
mod retention;
mod ring;
mod tables;
mod writer;

use super::timeline::HistoryBounds;
use super::{
    Change, ChangeRecord, Events, FleetIdentity, NodeRecord, OpenError, ReplicaRecord, Revision,
    Snapshot, Store, StoreError, TransitionPage,
};
use async_trait::async_trait;
use operation::{Operation, Reply};
use redb::Database;
use ring::Ring;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definitions, Key, Name, NodeFacts};
use writer::Writer;

/// A store in one file. Dropping it waits for the queued writes and releases the file.
#[derive(Debug)]
pub struct EmbeddedStore {
    path: PathBuf,
    shared: Arc<Shared>,
    writer: Writer,
}

/// What the store, its writer and its event streams have in common.
pub(super) struct Shared {
    database: Database,
    ring: Ring,
    history: HistoryBounds,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("history", &self.history).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the file, or makes it. Checks the whole of it; blocks while it does.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, HistoryBounds::default())
    }

    /// The same, with other bounds of history.
    pub fn open_with(path: &Path, history: HistoryBounds) -> Result<Self, OpenError> {
        let database = file::open(path)?;
        let unreadable = |source: StoreError| OpenError::Unreadable {
            path: path.to_owned(),
            source: source.into(),
        };
        let revision = read::revision(&database).map_err(unreadable)?;
        let shared = Arc::new(Shared { database, ring: Ring::new(revision), history });
        let writer = Writer::start(Arc::clone(&shared))
            .map_err(|source| unreadable(StoreError::failed("start its writer", source)))?;
        Ok(Self { path: path.to_owned(), shared, writer })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || read(&shared.database))
            .await
            .map_err(|error| StoreError::failed("read", error))?
    }

    async fn write(&self, operation: Operation) -> Result<Reply, StoreError> {
        self.writer.write(operation).await
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn describe(&self) -> String {
        format!("embedded:{}", self.path.display())
    }

    async fn fleet(&self) -> Result<FleetIdentity, StoreError> {
        self.read(read::fleet).await
    }

    async fn raise_epoch(&self) -> Result<FleetIdentity, StoreError> {
        self.write(Operation::RaiseEpoch).await?;
        self.fleet().await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read(read::snapshot).await
    }

    async fn commit(&self, change: Change) -> Result<Option<ChangeRecord>, StoreError> {
        let reply = self.write(Operation::Commit(change)).await?;
        Ok(reply.map(Arc::unwrap_or_clone))
    }

    async fn history(
        &self,
        key: Option<&Key>,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let key = key.cloned();
        self.read(move |database| read::history(database, key.as_ref(), before, limit)).await
    }

    async fn definitions_at(&self, revision: Revision) -> Result<Definitions, StoreError> {
        self.read(move |database| read::definitions_at(database, revision)).await
    }

    async fn put_facts(&self, facts: &NodeFacts) -> Result<(), StoreError> {
        self.write(Operation::Facts(facts.clone())).await.map(drop)
    }

    async fn put_node(&self, record: &NodeRecord) -> Result<(), StoreError> {
        self.write(Operation::Node(Box::new(record.clone()))).await.map(drop)
    }

    async fn append_transitions(
        &self,
        node: &Name,
        records: &[TransitionRecord],
    ) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.write(Operation::Transitions(node.clone(), records.to_vec())).await.map(drop)
    }

    async fn transitions(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<TransitionPage, StoreError> {
        self.read(move |database| read::transitions(database, after, limit)).await
    }

    async fn put_replica(&self, record: &ReplicaRecord) -> Result<(), StoreError> {
        self.write(Operation::Replica(record.clone())).await.map(drop)
    }

    async fn watch(&self, after: Revision) -> Result<Events, StoreError> {
        Ok(ring::events(&self.shared, after))
    }
}
