//! The fleet as this replica sees it: definitions, facts and node records from the store's
//! watch, joined with the sessions held here. Decides nothing about ownership on the wire: the
//! agents do that. Called by `api` and `session`.
//!
//! One task owns the [`View`] and follows the store; everybody else reads the latest published
//! [`Arc<View>`], so no lock is held over an await.

mod deletions;
mod expiry;
mod follow;
mod heart;
mod liveness;
mod node;
mod nodes;
#[cfg(test)]
mod tests;
mod view;

pub use self::liveness::{LIVENESS, Liveness, beat_every};
pub use self::node::{Greeted, NodeView, SessionEvent, SessionNews, SessionView, Untrue};
pub use self::nodes::NodeProgress;
pub use self::view::{Desired, View};

use self::follow::{Follower, Outlets};
use self::heart::Heart;

use crate::store::{FleetIdentity, Revision, Store, StoreError, StoredTransition};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Transitions a slow watcher may lag behind before it pages from the store instead.
const TRANSITION_BACKLOG: usize = 4096;

/// What sessions say while the follower is busy. Beyond, they wait.
const SESSION_EVENTS: usize = 1024;

/// Handle on the fleet. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub identity: FleetIdentity,
    /// Name of this replica, the same after a restart.
    pub replica: String,
    store: Arc<dyn Store>,
    view: watch::Receiver<Arc<View>>,
    urgent_view: watch::Receiver<Arc<View>>,
    transitions: broadcast::Sender<StoredTransition>,
    sessions: mpsc::Sender<SessionEvent>,
}

impl Fleet {
    /// Loads the fleet and follows its store until `stop`. A replica that is silent for
    /// `liveness`, the same on every replica, is gone.
    pub async fn start(
        store: Arc<dyn Store>,
        replica: String,
        liveness: Duration,
        stop: CancellationToken,
    ) -> Result<Self, StoreError> {
        let identity = store.fleet().await?;
        let snapshot = store.snapshot().await?;
        let events = store.watch(snapshot.revision).await?;
        let heart = Arc::new(Heart::new(replica.clone()));
        let known = snapshot.replicas.values();
        let judge = Liveness::new(liveness, &replica, known, Instant::now());
        let first = Arc::new(View::new(&replica, snapshot));
        let (views, view) = watch::channel(Arc::clone(&first));
        let (urgent, urgent_view) = watch::channel(first);
        let (transitions, _) = broadcast::channel(TRANSITION_BACKLOG);
        let (sessions, heard) = mpsc::channel(SESSION_EVENTS);
        let outlets = Outlets { views, urgent, transitions: transitions.clone() };
        let follower = Follower::new(outlets, judge, Arc::clone(&heart));
        tokio::spawn(follower.run(events, heard, stop.clone()));
        tokio::spawn(expiry::run(Arc::clone(&store), urgent_view.clone(), stop.clone()));
        let (beating, every) = (Arc::clone(&store), beat_every(liveness));
        tokio::spawn(async move { heart.beat(beating, every, stop).await });
        Ok(Self { identity, replica, store, view, urgent_view, transitions, sessions })
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

    /// Returns when the definitions of this revision are in the view.
    pub async fn sees(&self, definitions: Revision) {
        let mut views = self.view.clone();
        let seen = |view: &Arc<View>| view.definitions_revision >= definitions;
        // It fails when the replica ends: nobody asks then.
        views.wait_for(seen).await.ok();
    }

    /// Wakes when an assignment changed, or a session held here lost its node to another replica.
    pub fn watch_urgent(&self) -> watch::Receiver<Arc<View>> {
        self.urgent_view.clone()
    }

    /// Transitions as the store's watch delivers them, from now on.
    pub fn transitions(&self) -> broadcast::Receiver<StoredTransition> {
        self.transitions.subscribe()
    }

    /// Returns when the store is followed no longer: after `stop`, or because the store is not
    /// the one any more that was loaded.
    pub async fn ended(&self) {
        self.sessions.closed().await;
    }

    /// Tells the fleet what a session held here heard. Waits when the fleet is behind.
    pub async fn tell(&self, event: SessionEvent) {
        // Whoever runs the replica sees it end.
        self.sessions.send(event).await.ok();
    }
}
