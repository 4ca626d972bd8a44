//! Ends planned moves whose time is over, in the store. Every replica tries, by its own wall clock;
//! the compare-and-swap lets one of them succeed. Agents do not wait for it: each ends what it runs
//! by itself.

use super::View;
use crate::store::{Change, Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vipfleet_model::moves::Order;
use vipfleet_model::{Definition, Key};

/// The wall clock may be set meanwhile: looked at again at least this often.
const LOOK: Duration = Duration::from_secs(30);
/// How long a store that is away is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// The author of what nobody ordered.
const AUTHOR: &str = "vipfleet-server";

/// Until `stop`, or until the fleet is followed no longer. `views` are those in which definitions
/// changed, and not those of every report.
pub(super) async fn run(
    store: Arc<dyn Store>,
    mut views: watch::Receiver<Arc<View>>,
    stop: CancellationToken,
) {
    loop {
        let view = views.borrow_and_update().clone();
        let now = Timestamp::now();
        let moves = || view.definitions.0.values().filter_map(ends);
        let over = moves().filter(|(at, _)| *at <= now).map(|(_, key)| key).collect::<Vec<_>>();
        let wait = match over.is_empty() {
            true => moves().map(|(at, _)| until(now, at)).min().unwrap_or(LOOK).min(LOOK),
            false => end(store.as_ref(), &view, over, now).await,
        };
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Returns when to look again.
async fn end(store: &dyn Store, view: &View, over: Vec<Key>, now: Timestamp) -> Duration {
    let names = over.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let change = Change {
        base: view.definitions_revision,
        author: AUTHOR.into(),
        message: format!("the time of {names} is over"),
        at: now.to_string(),
        put: Vec::new(),
        delete: over,
    };
    match store.commit(change).await {
        Ok(_) => info!(%names, "ended"),
        // Another was faster, perhaps with the same: the next view tells.
        Err(StoreError::Conflict { .. }) => {}
        Err(error) => warn!(%error, %names, "cannot end planned moves"),
    }
    RETRY
}

/// When a planned move ends by itself.
fn ends(definition: &Definition) -> Option<(Timestamp, Key)> {
    let Order { until, .. } = match definition {
        Definition::Switchover { spec, .. } => &spec.order,
        Definition::Drain { spec, .. } => &spec.order,
        _ => return None,
    };
    Some((until.as_ref()?.parse().ok()?, definition.key()))
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
