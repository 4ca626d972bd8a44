//! Facts, node records and replicas: the latest only.

use crate::backend::Backend;
use crate::samples::{SOON, facts, name, record};
use futures::StreamExt;
use tokio::time::timeout;
use vipfleet_server::store::{EventKind, ReplicaRecord};

pub(crate) async fn facts_that_did_not_change_are_not_written(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    store.put_facts(&facts("lb1", 1)).await.unwrap();
    store.put_facts(&facts("lb2", 1)).await.unwrap();
    let first = store.snapshot().await.unwrap();
    store.put_facts(&facts("lb1", 1)).await.unwrap();
    let same = store.snapshot().await.unwrap();
    assert_eq!(same.facts, first.facts);
    assert_eq!(same.revision, first.revision);
    store.put_facts(&facts("lb1", 2)).await.unwrap();
    let changed = store.snapshot().await.unwrap();
    assert!(changed.facts[&name("lb1")].0 > first.facts[&name("lb1")].0);
    assert_eq!(changed.facts[&name("lb1")].1, facts("lb1", 2));
    assert_eq!(changed.facts[&name("lb2")], first.facts[&name("lb2")]);
}

pub(crate) async fn the_latest_record_of_a_node_is_kept(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    for generation in 1..=5 {
        store.put_node(&record("lb1", generation)).await.unwrap();
    }
    store.put_node(&record("lb2", 1)).await.unwrap();
    let nodes = store.snapshot().await.unwrap().nodes;
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[&name("lb1")], record("lb1", 5));
}

/// A node with thousands of instances reports more than one etcd request carries.
pub(crate) async fn a_large_record_is_kept_whole(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let after = store.snapshot().await.unwrap().revision;
    let mut events = store.watch(after).await.unwrap();
    for round in 1..=3 {
        let mut large = record("lb1", round);
        large.accepted_hash = "x".repeat(2_000_000);
        store.put_node(&large).await.unwrap();
        assert_eq!(store.snapshot().await.unwrap().nodes[&name("lb1")], large);
        let event = timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!(event.what, EventKind::Node(Box::new(large)));
    }
    store.put_node(&record("lb1", 9)).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().nodes[&name("lb1")], record("lb1", 9));
}

pub(crate) async fn replicas_are_seen_to_beat(backend: &mut dyn Backend) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    let after = b.snapshot().await.unwrap().revision;
    let mut events = b.watch(after).await.unwrap();
    for beat in 1..=3 {
        let replica = ReplicaRecord { replica: "host-1:7443".into(), beat };
        a.put_replica(&replica).await.unwrap();
        let event = timeout(SOON, events.next()).await.unwrap().unwrap();
        assert_eq!(event.what, EventKind::Replica(replica));
    }
    let replicas = b.snapshot().await.unwrap().replicas;
    assert_eq!(replicas["host-1:7443"].beat, 3);
}
