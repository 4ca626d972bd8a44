//! Writes what must survive the agent, off the async threads, coalesced: a burst of transitions
//! costs one write of the latest state.

use crate::cache::StateDir;
use crate::node::Former;
use crate::outbox::Outbox;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tracing::warn;

/// Which instances this node is MASTER of.
pub(super) const MASTERS: &str = "masters.json";

/// Transitions that no server has acknowledged.
pub(super) const OUTBOX: &str = "outbox.json";

/// Handle on the writer.
pub(super) struct Keeper {
    masters: watch::Sender<Option<Former>>,
    outbox: watch::Sender<u64>,
    end: Arc<Notify>,
    writer: tokio::task::JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(state: Arc<StateDir>, outbox: Arc<Mutex<Outbox>>) -> Self {
        let (masters, masters_seen) = watch::channel(None);
        let (outbox_changes, outbox_seen) = watch::channel(0);
        let end = Arc::new(Notify::new());
        let files = Files { state, outbox, masters_seen, outbox_seen };
        let writer = tokio::spawn(files.keep(Arc::clone(&end)));
        Self { masters, outbox: outbox_changes, end, writer }
    }

    pub(super) fn masters(&self, former: Former) {
        self.masters.send_replace(Some(former));
    }

    pub(super) fn outbox_changed(&self) {
        self.outbox.send_modify(|count| *count += 1);
    }

    /// Returns when everything is written.
    pub(super) async fn flush(self) {
        self.end.notify_one();
        self.writer.await.ok();
    }
}

struct Files {
    state: Arc<StateDir>,
    outbox: Arc<Mutex<Outbox>>,
    masters_seen: watch::Receiver<Option<Former>>,
    outbox_seen: watch::Receiver<u64>,
}

impl Files {
    async fn keep(mut self, end: Arc<Notify>) {
        loop {
            let last = tokio::select! {
                Ok(()) = self.masters_seen.changed() => false,
                Ok(()) = self.outbox_seen.changed() => false,
                () = end.notified() => true,
            };
            self.masters_seen.mark_unchanged();
            self.outbox_seen.mark_unchanged();
            let masters = self.masters_seen.borrow().clone();
            let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let state = Arc::clone(&self.state);
            let write = move || {
                let masters = masters.map_or(Ok(()), |masters| state.write(MASTERS, &masters));
                masters.and(state.write(OUTBOX, &outbox))
            };
            if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                let cause = super::chain(&error);
                warn!(error = %cause, "state is not kept; a restart may know less");
            }
            if last {
                return;
            }
        }
    }
}
