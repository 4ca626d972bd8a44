//! The store in etcd, for any number of replicas. Opened by [`crate::store::open()`].
//!
//! A change of any size is written aside and made visible by one compare-and-swap ([`commit`]);
//! readers replay a log from snapshots ([`replay`]); what is kept is bounded ([`upkeep`]:
//! by default 10,000 changes or 256 MiB of them, and 10,000 transitions); watches supervise
//! themselves ([`watch`]). Keys are in [`layout`].

mod blob;
mod client;
mod commit;
mod compare;
mod deliver;
mod latest;
mod layout;
mod options;
mod past;
mod relist;
mod replay;
mod transitions;
mod upkeep;
mod watch;

pub use options::EtcdOptions;

use super::{
    Change, ChangeRecord, Events, FleetIdentity, NodeRecord, OpenError, ReplicaRecord, Revision,
    Snapshot, Store, StoreError, TransitionPage,
};
use async_trait::async_trait;
use client::{Etcd, Trouble};
use etcd_client::GetOptions;
use layout::{Head, decode};
use replay::{Read, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Definitions, Key, Name, NodeFacts};

/// Longest wait for another call of this replica to bring the definitions up to date.
const TURN: Duration = Duration::from_secs(20);
/// Tries of a snapshot whose revision is compacted while it is read.
const TRIES: usize = 3;

/// A store in etcd. Dropping it ends its watches.
#[derive(Debug)]
pub struct EtcdStore {
    etcd: Etcd,
    options: EtcdOptions,
    state: Arc<Mutex<State>>,
    /// Held by whoever looks after snapshots and history.
    upkeep: Arc<Mutex<()>>,
    /// Transitions since the last look whether there are too many.
    appended: AtomicU64,
    closed: CancellationToken,
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl EtcdStore {
    /// Connects, and makes the fleet's identity if there is none.
    pub async fn open(options: EtcdOptions) -> Result<Self, OpenError> {
        let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| {
            OpenError::Unreachable { endpoints: options.endpoints(), source }
        };
        let etcd = Etcd::connect(&options).await.map_err(|error| unreachable(error.into()))?;
        let fleet = etcd.identity().await.map_err(StoreError::from);
        let fleet = fleet.map_err(|error| match error {
            StoreError::Unavailable { source, .. } => unreachable(source),
            other => unreachable(other.into()),
        })?;
        tracing::debug!(fleet.id, fleet.epoch, "store in etcd opened");
        let closed = CancellationToken::new();
        if let Some(after) = options.compact_after {
            tokio::spawn(etcd.clone().compact_for_ever(after, closed.clone()));
        }
        Ok(Self {
            etcd,
            options,
            state: Arc::default(),
            upkeep: Arc::default(),
            appended: AtomicU64::new(0),
            closed,
        })
    }

    /// The definitions that this replica knows, to be brought up to date.
    async fn state(&self) -> Result<OwnedMutexGuard<State>, StoreError> {
        let turn = timeout(TURN, Arc::clone(&self.state).lock_owned()).await;
        turn.map_err(|_| self.etcd.unavailable("calls before this one got no answer"))
    }

    async fn current(&self) -> Result<(State, Read<Head>), Trouble> {
        let mut state = self.state().await?;
        let head = self.etcd.bring_up(&mut state).await?;
        Ok((state.clone(), head))
    }

    async fn read_snapshot(&self) -> Result<Snapshot, Trouble> {
        let (state, head) = self.current().await?;
        let at = head.revision;
        let mut facts = BTreeMap::new();
        for kv in self.etcd.live("facts", at, GetOptions::new()).await? {
            let it: NodeFacts = decode(kv.key(), kv.value())?;
            facts.insert(it.node.clone(), (Revision(kv.mod_revision() as u64), it));
        }
        let mut nodes = BTreeMap::new();
        for kv in self.etcd.live("node", at, GetOptions::new()).await? {
            // Replaced while it was read: as good as compacted, read anew.
            let record = self.etcd.node_record(&kv).await?.ok_or(Trouble::Compacted)?;
            nodes.insert(record.node.clone(), record);
        }
        let mut replicas = BTreeMap::new();
        for kv in self.etcd.live("replica", at, GetOptions::new()).await? {
            let it: ReplicaRecord = decode(kv.key(), kv.value())?;
            replicas.insert(it.replica.clone(), it);
        }
        Ok(Snapshot {
            revision: Revision(at as u64),
            definitions_revision: state.revision,
            definitions: state.definitions,
            changed_at: state.changed_at,
            facts,
            nodes,
            replicas,
        })
    }
}

#[async_trait]
impl Store for EtcdStore {
    fn describe(&self) -> String {
        format!("etcd:{}", self.options.endpoints())
    }

    async fn fleet(&self) -> Result<FleetIdentity, StoreError> {
        Ok(self.etcd.identity().await?)
    }

    async fn raise_epoch(&self) -> Result<FleetIdentity, StoreError> {
        Ok(self.etcd.raise_epoch().await?)
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        for _ in 1..TRIES {
            match self.read_snapshot().await {
                Err(Trouble::Compacted) => {}
                read => return Ok(read?),
            }
        }
        Ok(self.read_snapshot().await?)
    }

    async fn commit(&self, change: Change) -> Result<Option<ChangeRecord>, StoreError> {
        Ok(self.commit_change(change).await?)
    }

    async fn history(
        &self,
        key: Option<&Key>,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        Ok(self.page_of_history(key, before, limit).await?)
    }

    async fn definitions_at(&self, revision: Revision) -> Result<Definitions, StoreError> {
        Ok(self.definitions_then(revision).await?)
    }

    async fn put_facts(&self, facts: &NodeFacts) -> Result<(), StoreError> {
        Ok(self.write_facts(facts).await?)
    }

    async fn put_node(&self, record: &NodeRecord) -> Result<(), StoreError> {
        Ok(self.write_node(record).await?)
    }

    async fn append_transitions(
        &self,
        node: &Name,
        records: &[TransitionRecord],
    ) -> Result<(), StoreError> {
        Ok(self.append(node, records).await?)
    }

    async fn transitions(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<TransitionPage, StoreError> {
        Ok(self.etcd.page_of_transitions(after, limit).await?)
    }

    async fn put_replica(&self, record: &ReplicaRecord) -> Result<(), StoreError> {
        Ok(self.write_replica(record).await?)
    }

    async fn watch(&self, after: Revision) -> Result<Events, StoreError> {
        Ok(self.supervise(after))
    }
}
