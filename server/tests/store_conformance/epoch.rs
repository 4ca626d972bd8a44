//! The epoch of a fleet, which an administrator raises.

use crate::backend::Backend;
use crate::samples::{instance, put};
use futures::future::join_all;
use vipfleet_server::store::Revision;

pub(crate) async fn is_raised_by_one_and_outlives_a_restart(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let before = store.fleet().await.unwrap();
    let change = store.commit(put(Revision(0), vec![instance("VI_1", 51)])).await.unwrap();
    let raised = store.raise_epoch().await.unwrap();
    assert_eq!((&raised.id, raised.epoch), (&before.id, before.epoch + 1));
    assert_eq!(store.fleet().await.unwrap(), raised);
    drop(store);
    backend.restart().await;
    let store = backend.replica().await;
    assert_eq!(store.fleet().await.unwrap(), raised);
    // It is no change of the definitions, and the next one goes on where they are.
    let base = store.snapshot().await.unwrap().definitions_revision;
    assert_eq!(base, change.unwrap().revision);
    assert!(store.commit(put(base, vec![instance("VI_1", 52)])).await.unwrap().is_some());
    assert_eq!(store.raise_epoch().await.unwrap().epoch, before.epoch + 2);
}

pub(crate) async fn of_two_that_raise_it_at_once_none_takes_it_back(backend: &mut dyn Backend) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    let before = a.fleet().await.unwrap().epoch;
    let raised = join_all([a.raise_epoch(), b.raise_epoch()]).await;
    let now = a.fleet().await.unwrap().epoch;
    assert!((before + 1..=before + 2).contains(&now), "{now}");
    // Whoever was told of an epoch was told of one that is or was in force.
    assert!(raised.iter().flatten().all(|fleet| (before + 1..=now).contains(&fleet.epoch)));
}
