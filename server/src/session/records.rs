//! Keeps the nodes' records and facts in the store true. One writer per node, whatever its
//! sessions: so an old session that ends late never writes over a new one. Coalesced: a burst of
//! reports costs one write. Sessions never wait for it; a store that is away is tried again.

use super::greeting::Hello;
use super::writer;
use crate::fleet::{Fleet, Greeted, NodeView, Untrue};
use crate::store::{NodeRecord, Rejection};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;
use vipfleet_model::{Name, NodeFacts, NodeReport};

/// How old counters in the store may be.
const COUNTERS: Duration = Duration::from_secs(60);

/// The records of one replica. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Records {
    fleet: Fleet,
    writers: TaskTracker,
    /// One for each node that ever had a session here.
    nodes: Arc<Mutex<HashMap<Name, Arc<Recorder>>>>,
}

/// What one writer keeps true.
#[derive(Debug)]
struct Recorder {
    latest: watch::Sender<Latest>,
}

/// What the store should have of one node.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    /// The newest session, and whether it lasts.
    session: u64,
    open: bool,
    /// Another replica has the node since: the record is that one's to write.
    pub(super) given_up: bool,
    pub(super) record: NodeRecord,
    /// When a report was last written, or is about to be.
    reported: Option<Instant>,
    /// As the last Hello or a later message said.
    pub(super) facts: Option<NodeFacts>,
}

impl Latest {
    /// Before the first session here.
    fn of(record: NodeRecord) -> Self {
        let (session, open, given_up) = (0, false, false);
        Self { session, open, given_up, record, reported: None, facts: None }
    }
}

/// One session's hand on its node's record. What an older session says changes nothing.
#[derive(Debug)]
pub(super) struct Recording {
    recorder: Arc<Recorder>,
    session: u64,
}

impl Records {
    pub(super) fn new(fleet: Fleet) -> Self {
        Self { fleet, writers: TaskTracker::new(), nodes: Arc::default() }
    }

    /// A session begins. What the node is known for is kept.
    pub(super) fn begin(&self, session: u64, hello: &Hello) -> (Recording, Greeted) {
        let stored = self.fleet.view().node(&hello.facts.node).and_then(|it| it.record.clone());
        let fresh = || Latest::of(stored.clone().unwrap_or_else(|| blank(&hello.facts.node)));
        let recorder = self.recorder(&hello.facts.node, fresh);
        let mut greeted = Greeted::default();
        recorder.latest.send_modify(|latest| {
            // Another replica's word is newer than what we had from before.
            if let Some(stored) = stored.filter(|it| it.replica != self.fleet.replica) {
                latest.record = stored;
            }
            if latest.session < session {
                (latest.session, latest.open, latest.given_up) = (session, true, false);
                latest.facts = Some(hello.facts.clone());
                latest.record.begin(&self.fleet.replica, hello);
            }
            greeted = Greeted {
                since: latest.record.connected_since.clone(),
                hash: hello.hash.clone(),
                generation: hello.generation,
                rejected: latest.record.rejected.clone(),
            };
        });
        (Recording { recorder, session }, greeted)
    }

    fn recorder(&self, node: &Name, fresh: impl FnOnce() -> Latest) -> Arc<Recorder> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || {
            let (latest, changes) = watch::channel(fresh());
            self.writers.spawn(writer::run(self.fleet.clone(), changes));
            Arc::new(Recorder { latest })
        };
        Arc::clone(nodes.entry(node.clone()).or_insert_with(start))
    }

    /// Corrects what the store has wrong, until `stop`.
    pub(super) async fn correct(self, stop: CancellationToken) {
        let mut changes = self.fleet.watch();
        loop {
            let view = Arc::clone(&changes.borrow_and_update());
            for (name, untrue) in view.untrue() {
                if let Some(node) = view.node(name) {
                    self.correct_one(name, node, untrue);
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }

    fn correct_one(&self, name: &Name, node: &NodeView, untrue: Untrue) {
        let Some(stored) = node.record.clone() else {
            return;
        };
        let recorder = self.recorder(name, || Latest::of(stored.clone()));
        recorder.latest.send_if_modified(|latest| {
            match untrue {
                Untrue::Overwritten => return latest.open,
                // A session has just begun, and will say so.
                Untrue::Orphaned if latest.open => return false,
                Untrue::Orphaned => {}
            }
            if latest.given_up {
                (latest.given_up, latest.record) = (false, stored);
            }
            if latest.record.connected {
                info!(node = %name, "its record names a session here, and there is none");
                latest.record.end();
            }
            true
        });
    }

    /// Waits until everything is written, but not longer than `limit`.
    pub(super) async fn flush(&self, limit: Duration) {
        // A writer ends when it has written what the last handle left.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.writers.close();
        if tokio::time::timeout(limit, self.writers.wait()).await.is_err() {
            info!("the store did not take the last records of the nodes in time");
        }
    }
}

impl Recording {
    pub(super) fn accepted(&self, hash: &str) {
        self.change(|latest| {
            latest.record.accepted_hash = hash.to_owned();
            latest.record.rejected = None;
        });
    }

    pub(super) fn rejected(&self, rejection: Rejection) {
        self.change(|latest| latest.record.rejected = Some(rejection));
    }

    /// Counters alone are written now and then only: they move in every report.
    pub(super) fn reported(&self, report: NodeReport, at: String) {
        self.recorder.latest.send_if_modified(|latest| {
            if latest.session != self.session {
                return false;
            }
            let before = latest.record.report.as_ref().map(without_counters);
            let news = before.is_none_or(|before| before != without_counters(&report));
            latest.record.report = Some(report);
            latest.record.reported_at = Some(at);
            let due = latest.reported.is_none_or(|last| last.elapsed() >= COUNTERS);
            if news || due {
                latest.reported = Some(Instant::now());
            }
            news || due
        });
    }

    pub(super) fn facts(&self, facts: NodeFacts) {
        self.change(|latest| latest.facts = Some(facts));
    }

    /// The session is over. When `elsewhere` has the node already, its record stays.
    pub(super) fn ended(self, elsewhere: bool) {
        self.change(|latest| {
            latest.open = false;
            latest.given_up = elsewhere;
            latest.record.end();
        });
    }

    fn change(&self, change: impl FnOnce(&mut Latest)) {
        self.recorder.latest.send_if_modified(|latest| {
            let newest = latest.session == self.session;
            if newest {
                change(latest);
            }
            newest
        });
    }
}

impl NodeRecord {
    fn begin(&mut self, replica: &str, hello: &Hello) {
        // Another release, or another boot, may take what was refused.
        if self.agent_version != hello.agent_version || self.boot_id != hello.boot_id {
            self.rejected = None;
        }
        self.agent_version.clone_from(&hello.agent_version);
        self.boot_id.clone_from(&hello.boot_id);
        self.replica = replica.to_owned();
        self.accepted_hash.clone_from(&hello.hash);
        self.connected = true;
        self.connected_since = Timestamp::now().to_string();
    }

    fn end(&mut self) {
        self.connected = false;
        self.connected_since = Timestamp::now().to_string();
    }
}

/// What of a report is news.
fn without_counters(report: &NodeReport) -> NodeReport {
    let mut report = report.clone();
    for instance in &mut report.instances {
        (instance.adverts_sent, instance.adverts_received) = (0, 0);
        instance.discards.clear();
    }
    report
}

fn blank(node: &Name) -> NodeRecord {
    NodeRecord {
        node: node.clone(),
        agent_version: String::new(),
        boot_id: String::new(),
        replica: String::new(),
        connected: false,
        connected_since: String::new(),
        accepted_hash: String::new(),
        rejected: None,
        report: None,
        reported_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipfleet_model::report::{InstanceReport, InstanceState};

    fn report(state: InstanceState, adverts_sent: u64) -> NodeReport {
        let instance = InstanceReport {
            name: "VI_1".parse().unwrap(),
            state,
            since: String::new(),
            reason: String::new(),
            priority: 100,
            effective_priority: 100,
            holding: false,
            master: None,
            addresses: Vec::new(),
            adverts_sent,
            adverts_received: 0,
            discards: [("ttl".to_owned(), adverts_sent)].into(),
            warnings: Vec::new(),
        };
        NodeReport { instances: vec![instance], ..NodeReport::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn counters_alone_are_written_now_and_then_only() {
        let (latest, mut changes) = watch::channel(Latest::of(blank(&"lb1".parse().unwrap())));
        let recording = Recording { recorder: Arc::new(Recorder { latest }), session: 0 };
        let mut written = |state, adverts_sent| {
            recording.reported(report(state, adverts_sent), String::new());
            let news = changes.has_changed().unwrap();
            let latest = changes.borrow_and_update();
            assert_eq!(latest.record.report, Some(report(state, adverts_sent)));
            news
        };
        assert!(written(InstanceState::Backup, 1));
        assert!(!written(InstanceState::Backup, 2));
        assert!(written(InstanceState::Master, 2));
        tokio::time::advance(COUNTERS).await;
        assert!(written(InstanceState::Master, 3));
        assert!(!written(InstanceState::Master, 4));
    }

    #[test]
    fn what_an_older_session_says_is_not_written() {
        let (latest, changes) = watch::channel(Latest::of(blank(&"lb1".parse().unwrap())));
        latest.send_if_modified(|latest| {
            latest.session = 2;
            false
        });
        let recorder = Arc::new(Recorder { latest });
        let older = Recording { recorder: Arc::clone(&recorder), session: 1 };
        older.reported(report(InstanceState::Master, 1), String::new());
        older.accepted("cafe");
        older.ended(false);
        assert!(!changes.has_changed().unwrap());
        Recording { recorder, session: 2 }.accepted("beef");
        assert_eq!(changes.borrow().record.accepted_hash, "beef");
    }
}
