//! The fleet as this replica sees it: definitions, facts and node records from the store's
//! watch, joined with the sessions held here. Decides nothing about ownership on the wire: the
//! agents do that. Called by `api` and `session`.
//!
//! One task owns the [`View`] and follows the store; everybody else reads the latest published
//! [`Arc<View>`], so no lock is held over an await.

mod follow;
mod liveness;
mod nodes;
mod view;

pub use self::liveness::Liveness;
pub use self::nodes::NodeProgress;
pub use self::view::{Desired, NodeView, View};

use crate::store::{FleetIdentity, Store, StoreError, StoredTransition};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use vipfleet_model::{Name, NodeReport};

/// Transitions a slow watcher may lag behind before it pages from the store instead.
const TRANSITION_BACKLOG: usize = 4096;

/// What a session held by this replica tells the fleet at once, ahead of the store.
#[derive(Debug)]
pub enum SessionEvent {
    Connected { node: Name, hash: String, generation: u64 },
    Accepted { node: Name, hash: String },
    Reported { node: Name, report: Box<NodeReport> },
    Disconnected { node: Name },
}

/// Handle on the fleet. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub identity: FleetIdentity,
    /// Name of this replica, new with every start.
    pub replica: String,
    store: Arc<dyn Store>,
    view: watch::Receiver<Arc<View>>,
    transitions: broadcast::Sender<StoredTransition>,
    sessions: mpsc::Sender<SessionEvent>,
}

impl Fleet {
    /// Loads the fleet and follows its store until `stop`.
    pub async fn start(
        store: Arc<dyn Store>,
        replica: String,
        stop: CancellationToken,
    ) -> Result<Self, StoreError> {
        let identity = store.fleet().await?;
        let snapshot = store.snapshot().await?;
        let events = store.watch(snapshot.revision).await?;
        let (publish, view) = watch::channel(Arc::new(View::new(&replica, snapshot)));
        let (transitions, _) = broadcast::channel(TRANSITION_BACKLOG);
        let (sessions, heard) = mpsc::channel(1024);
        let follower = follow::Follower::new(publish, transitions.clone());
        tokio::spawn(follower.run(events, heard, stop.clone()));
        tokio::spawn(liveness::beat(store.clone(), replica.clone(), stop));
        Ok(Self { identity, replica, store, view, transitions, sessions })
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The latest view.
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Wakes when the view changed.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Transitions as the store's watch delivers them, from now on.
    pub fn transitions(&self) -> broadcast::Receiver<StoredTransition> {
        self.transitions.subscribe()
    }

    /// Tells the fleet what a session held here heard. Waits when the fleet is behind.
    pub async fn tell(&self, event: SessionEvent) {
        // The follower ends only with the process.
        self.sessions.send(event).await.ok();
    }
}
