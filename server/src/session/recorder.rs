//! Keeps a node's record in the store true, coalesced: a burst of reports costs one write. The
//! session itself never waits for the store.

use super::greeting::Hello;
use crate::fleet::Fleet;
use crate::store::{NodeRecord, Rejection, Store};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;
use vipfleet_model::NodeReport;

/// Least time between two writes of one node's record.
const COALESCE: Duration = Duration::from_millis(100);

/// How long a failed write waits for the next try.
const RETRY: Duration = Duration::from_secs(1);

/// The record of one session's node.
#[derive(Debug)]
pub(super) struct Recorder {
    record: watch::Sender<NodeRecord>,
}

impl Recorder {
    pub(super) fn start(fleet: &Fleet, hello: &Hello) -> Self {
        let before = fleet.view().node(&hello.facts.node).and_then(|node| node.record.clone());
        let record = NodeRecord {
            node: hello.facts.node.clone(),
            agent_version: hello.agent_version.clone(),
            boot_id: hello.boot_id.clone(),
            replica: fleet.replica.clone(),
            connected: true,
            connected_since: Timestamp::now().to_string(),
            accepted_hash: hello.hash.clone(),
            rejected: before.as_ref().and_then(|record| record.rejected.clone()),
            report: before.as_ref().and_then(|record| record.report.clone()),
            reported_at: before.and_then(|record| record.reported_at),
        };
        let (record, changes) = watch::channel(record);
        tokio::spawn(write(fleet.store().clone(), changes));
        Self { record }
    }

    pub(super) fn accepted(&self, hash: &str) {
        self.record.send_modify(|record| {
            record.accepted_hash = hash.to_owned();
            record.rejected = None;
        });
    }

    pub(super) fn rejected(&self, rejection: Rejection) {
        self.record.send_modify(|record| record.rejected = Some(rejection));
    }

    pub(super) fn reported(&self, report: NodeReport) {
        self.record.send_modify(|record| {
            record.report = Some(report);
            record.reported_at = Some(Timestamp::now().to_string());
        });
    }

    /// What a nacked assignment's hash was, so that it is not pushed again by itself.
    pub(super) fn rejected_hash(&self) -> Option<String> {
        self.record.borrow().rejected.as_ref().map(|rejection| rejection.hash.clone())
    }

    /// The session is over; the last state is written still.
    pub(super) fn disconnected(self) {
        self.record.send_modify(|record| {
            record.connected = false;
            record.connected_since = Timestamp::now().to_string();
        });
    }
}

/// Writes the latest record whenever it changed, until the recorder is gone and all is written.
async fn write(store: Arc<dyn Store>, mut changes: watch::Receiver<NodeRecord>) {
    loop {
        let record = changes.borrow_and_update().clone();
        let pause = match store.put_node(&record).await {
            Ok(()) => COALESCE,
            Err(error) => {
                warn!(node = %record.node, %error, "cannot keep the node's record");
                changes.mark_changed();
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}
