//! The one task that writes a node's record and facts, as long as anybody may change them.

use super::records::Latest;
use crate::fleet::Fleet;
use crate::store::{Store, StoreError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;
use vipfleet_model::NodeFacts;

/// Least time between two writes of one node's record.
const COALESCE: Duration = Duration::from_millis(100);

/// How long a change waits for the next of the same node, for each node of the fleet: about what
/// it takes to push one assignment. All nodes answer a change of what they share, each with a
/// verdict and two reports, and the pushes to the others come before the store has it all.
const AWAITED: Duration = Duration::from_micros(100);

/// How long a failed write waits for the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Writes the latest whenever it changed, until nobody can change it and all is written.
pub(super) async fn run(fleet: Fleet, mut changes: watch::Receiver<Latest>) {
    let mut kept: Option<NodeFacts> = None;
    let mut failing = false;
    while changes.changed().await.is_ok() {
        tokio::time::sleep(COALESCE.min(AWAITED * fleet.view().size())).await;
        let latest = changes.borrow_and_update().clone();
        match write(fleet.store().as_ref(), &latest, &mut kept).await {
            Ok(()) => {
                failing = false;
                tokio::time::sleep(COALESCE).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(node = %latest.record.node, %error, "cannot keep the node's record");
                }
                changes.mark_changed();
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Facts first: assignments depend on them, the record depends on nothing.
async fn write(
    store: &dyn Store,
    latest: &Latest,
    kept: &mut Option<NodeFacts>,
) -> Result<(), StoreError> {
    if let Some(facts) = latest.facts.as_ref().filter(|facts| kept.as_ref() != Some(facts)) {
        store.put_facts(facts).await?;
        *kept = Some(facts.clone());
    }
    if latest.given_up {
        return Ok(());
    }
    store.put_node(&latest.record).await
}
