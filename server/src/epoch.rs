//! `vipfleet-server raise-epoch`: a restored store is told from a stale one by its epoch. Called by
//! `main` instead of serving; deliberately no call of the API, since every server of the fleet has
//! to be stopped.

use crate::fleet::{LIVENESS, beat_every};
use crate::options::Options;
use crate::store::{self, EventKind, Revision, Store};
use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use tokio::time::timeout;

/// Raises the epoch of a store that has something in it and that nobody serves, and says so.
pub async fn raise(options: &Options) -> anyhow::Result<()> {
    let spec = options.store_spec();
    let store = store::open_existing(&spec, &options.data_dir).await?;
    let snapshot = store.snapshot().await.context("cannot read the store")?;
    if snapshot.definitions_revision == Revision(0) {
        bail!("{} holds no definitions: restore it first, or check --store", store.describe());
    }
    if store::is_shared(&spec)
        && let Some(replica) = beating(store.as_ref(), snapshot.revision).await?
    {
        bail!(
            "replica {replica} serves {}: stop every vipfleet-server of the fleet first, since one \
             that runs goes on in the old epoch",
            store.describe()
        );
    }
    let fleet = store.raise_epoch().await.context("cannot raise the epoch")?;
    println!(
        "{}: fleet {} is in epoch {} now; start the servers, and agents take what it has",
        store.describe(),
        fleet.id,
        fleet.epoch
    );
    Ok(())
}

/// A replica that says it lives, if one does within two beats.
async fn beating(store: &dyn Store, after: Revision) -> anyhow::Result<Option<String>> {
    let mut events = store.watch(after).await.context("cannot watch the store")?;
    let beat = async {
        while let Some(event) = events.next().await {
            if let EventKind::Replica(record) = event.what {
                return Some(record.replica);
            }
        }
        None
    };
    Ok(timeout(2 * beat_every(LIVENESS), beat).await.ok().flatten())
}
