//! Check results on their way to the VRRP thread: the latest per check, in a task of its own, so
//! that nothing else the supervisor does can delay the death of a service.

use crate::checks::CheckResult;
use crate::node::health::CheckState;
use crate::node::{Command, Node};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use vipfleet_model::Name;

type Waiting = Arc<Mutex<BTreeMap<Name, CheckState>>>;

/// What the checks call with each result. Never blocks.
pub(super) fn to_node(node: Node) -> impl Fn(CheckResult) + Send + Sync + 'static {
    let waiting = Waiting::default();
    let ring = Arc::new(Notify::new());
    tokio::spawn(relay(node, Arc::clone(&waiting), Arc::clone(&ring)));
    move |result| {
        let CheckResult { name, status, detail } = result;
        let state = CheckState { status, detail, since: Timestamp::now().to_string() };
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(name, state);
        ring.notify_one();
    }
}

async fn relay(node: Node, waiting: Waiting, ring: Arc<Notify>) {
    loop {
        ring.notified().await;
        let results = {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        for (name, state) in results {
            if node.send(Command::Check { name, state }).await.is_err() {
                return;
            }
        }
    }
}
