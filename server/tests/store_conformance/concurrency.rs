//! Many writers and readers at once, over two replicas where the store has them.

use crate::backend::Backend;
use crate::samples::{instance, put, record};
use crate::watching::{assert_in_order, next};
use futures::future::join_all;
use std::sync::Arc;
use vipfleet_server::store::{ChangeRecord, EventKind, Revision, Store, StoreError};

pub(crate) async fn a_race_makes_one_identity(backend: &mut dyn Backend) {
    let mut replicas = vec![];
    for _ in 0..4 {
        replicas.push(backend.replica().await);
    }
    let asked = replicas.iter().cycle().take(16).map(|store| store.fleet());
    let fleets: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert!(fleets.iter().all(|fleet| *fleet == fleets[0]), "{fleets:?}");
    assert!(!fleets[0].id.is_empty());
    assert_eq!(fleets[0].epoch, 1);
}

pub(crate) async fn of_commits_with_one_base_one_wins(backend: &mut dyn Backend) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    let mut base = Revision(0);
    for round in 0..5_u8 {
        let change = |n: u8| put(base, vec![instance("VI_1", round * 10 + n + 1)]);
        let commits = (0..8).map(|n| if n % 2 == 0 { &a } else { &b }.commit(change(n)));
        let results = join_all(commits).await;
        let won: Vec<_> = results.iter().filter_map(|it| it.as_ref().ok()).collect();
        assert_eq!(won.len(), 1);
        let won = won[0].as_ref().unwrap().revision;
        for lost in results.iter().filter_map(|it| it.as_ref().err()) {
            match lost {
                StoreError::Conflict { current, .. } => assert_eq!(*current, won),
                other => panic!("{other:?}"),
            }
        }
        base = won;
    }
    assert_eq!(a.history(None, None, 100).await.unwrap().len(), 5);
}

/// Commits until it succeeded `count` times.
async fn insist(store: Arc<dyn Store>, name: &'static str, count: u8) -> Vec<ChangeRecord> {
    let mut committed = Vec::new();
    while committed.len() < usize::from(count) {
        let base = store.snapshot().await.unwrap().definitions_revision;
        let priority = committed.len() as u8 + 1;
        match store.commit(put(base, vec![instance(name, priority)])).await {
            Ok(record) => committed.push(record.unwrap()),
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    committed
}

pub(crate) async fn a_watcher_sees_every_change_of_two_replicas_once_and_in_order(
    backend: &mut dyn Backend,
) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    let watches = [a.watch(Revision(0)).await.unwrap(), b.watch(Revision(0)).await.unwrap()];
    let writers = [(&a, "VI_1"), (&b, "VI_2"), (&a, "VI_3"), (&b, "VI_4")];
    let writing = writers.map(|(store, name)| tokio::spawn(insist(Arc::clone(store), name, 25)));
    let mut committed: Vec<ChangeRecord> = vec![];
    for writer in writing {
        committed.extend(writer.await.unwrap());
    }
    committed.sort_by_key(|record| record.revision);
    for mut events in watches {
        let mut seen = Vec::new();
        while seen.len() < committed.len() {
            seen.push(next(&mut events).await);
        }
        assert_in_order(&seen);
        for (event, record) in seen.iter().zip(&committed) {
            assert_eq!(event.what, EventKind::Definitions(Arc::new(record.clone())));
        }
    }
    let newest_first = committed.into_iter().rev().collect::<Vec<_>>();
    assert!(b.history(None, None, 1_000).await.unwrap() == newest_first);
}

pub(crate) async fn a_thousand_node_records_at_once_all_arrive(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let mut events = store.watch(store.snapshot().await.unwrap().revision).await.unwrap();
    let records: Vec<_> = (0..1_000).map(|n| record(&format!("node-{n}"), n)).collect();
    for result in join_all(records.iter().map(|record| store.put_node(record))).await {
        result.unwrap();
    }
    let nodes = store.snapshot().await.unwrap().nodes;
    assert_eq!(nodes.len(), 1_000);
    assert!(records.iter().all(|record| nodes[&record.node] == *record));
    let mut seen = Vec::new();
    while seen.len() < 1_000 {
        seen.push(next(&mut events).await);
    }
    assert_in_order(&seen);
}
