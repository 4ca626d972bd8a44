//! Writes what must survive the agent, off the async threads, coalesced: a burst of transitions
//! costs one write of the latest state. What cannot be written is tried again until it can.

use crate::cache::{EncodedAssignment, StateDir};
use crate::node::Former;
use crate::outbox::Outbox;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The last good assignment.
pub(super) const ASSIGNMENT: &str = "assignment.json";

/// Which instances this node is MASTER of.
pub(super) const MASTERS: &str = "masters.json";

/// Transitions that no server has acknowledged.
pub(super) const OUTBOX: &str = "outbox.json";

/// Between two attempts at a disk that refuses.
const RETRY: Duration = Duration::from_secs(5);

/// A disk that hangs does not keep a stopping agent for longer.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What is not on disk yet.
#[derive(Debug, Default)]
struct Unwritten {
    assignment: Option<EncodedAssignment>,
    masters: Option<Former>,
    outbox: bool,
}

/// Handle on the writer.
pub(super) struct Keeper {
    unwritten: Arc<Mutex<Unwritten>>,
    changed: Arc<Notify>,
    /// Whether everything is on the disk.
    kept: Arc<watch::Sender<bool>>,
    end: CancellationToken,
    writer: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(state: Arc<StateDir>, outbox: Arc<Mutex<Outbox>>) -> Self {
        let (unwritten, changed) = <(Arc<Mutex<Unwritten>>, Arc<Notify>)>::default();
        let kept = Arc::new(watch::Sender::new(true));
        let end = CancellationToken::new();
        let files =
            Files { state, outbox, unwritten: Arc::clone(&unwritten), kept: Arc::clone(&kept) };
        let writer = tokio::spawn(files.keep(Arc::clone(&changed), end.clone()));
        Self { unwritten, changed, kept, end, writer }
    }

    pub(super) fn assignment(&self, assignment: EncodedAssignment) {
        self.put(|unwritten| unwritten.assignment = Some(assignment));
    }

    pub(super) fn masters(&self, former: Former) {
        self.put(|unwritten| unwritten.masters = Some(former));
    }

    pub(super) fn outbox_changed(&self) {
        self.put(|unwritten| unwritten.outbox = true);
    }

    fn put(&self, change: impl FnOnce(&mut Unwritten)) {
        let mut unwritten = lock(&self.unwritten);
        change(&mut unwritten);
        self.kept.send_replace(false);
        drop(unwritten);
        self.changed.notify_one();
    }

    /// Returns once everything is written. False when it is not within a moment.
    pub(super) async fn written(&self) -> bool {
        let mut kept = self.kept.subscribe();
        tokio::time::timeout(FLUSH_LIMIT, kept.wait_for(|kept| *kept)).await.is_ok()
    }

    /// Returns when everything is written, or cannot be.
    pub(super) async fn flush(self) {
        self.end.cancel();
        if tokio::time::timeout(FLUSH_LIMIT, self.writer).await.is_err() {
            error!("the state dir does not answer; a restart may know less");
        }
    }
}

struct Files {
    state: Arc<StateDir>,
    outbox: Arc<Mutex<Outbox>>,
    unwritten: Arc<Mutex<Unwritten>>,
    kept: Arc<watch::Sender<bool>>,
}

impl Files {
    async fn keep(self, changed: Arc<Notify>, end: CancellationToken) {
        let files = Arc::new(self);
        let mut failed = false;
        loop {
            let ending = tokio::select! {
                () = changed.notified() => false,
                () = tokio::time::sleep(RETRY), if failed => false,
                () = end.cancelled() => true,
            };
            let files = Arc::clone(&files);
            let failures = tokio::task::spawn_blocking(move || files.write()).await;
            let failures = failures.unwrap_or_default();
            match (failures.is_empty(), failed) {
                (false, false) => {
                    for cause in &failures {
                        error!(%cause, "state is not kept; a restart would know less");
                    }
                }
                (true, true) => info!("state is kept again"),
                (true, false) | (false, true) => {}
            }
            failed = !failures.is_empty();
            if ending {
                return;
            }
        }
    }

    /// Writes what is due; what fails stays due, unless there is something newer by then.
    fn write(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let due = std::mem::take(&mut *lock(&self.unwritten));
        // First, and without a wait: a crash a moment from now must find it.
        if let Some(masters) = due.masters
            && let Err(error) = self.state.write_for_this_boot(MASTERS, &masters)
        {
            failures.push(super::chain(&error));
            lock(&self.unwritten).masters.get_or_insert(masters);
        }
        if let Some(assignment) = due.assignment
            && let Err(error) = self.state.write_encoded(ASSIGNMENT, assignment.as_bytes())
        {
            failures.push(super::chain(&error));
            lock(&self.unwritten).assignment.get_or_insert(assignment);
        }
        let outbox = due.outbox.then(|| lock(&self.outbox).clone());
        if let Some(outbox) = outbox
            && let Err(error) = self.state.write(OUTBOX, &outbox)
        {
            failures.push(super::chain(&error));
            lock(&self.unwritten).outbox = true;
        }
        let unwritten = lock(&self.unwritten);
        let is_kept =
            unwritten.assignment.is_none() && unwritten.masters.is_none() && !unwritten.outbox;
        self.kept.send_replace(is_kept);
        failures
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
