//! Definitions: what is committed is there whole, or not at all.

use crate::backend::Backend;
use crate::samples::{
    SOON, apply, check, delete, drain, instance, instances, priority, put, switchover,
};
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::timeout;
use vipfleet_server::store::{EventKind, Revision, Store, StoreError};

pub(crate) async fn a_new_store_is_empty(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.definitions.0.is_empty());
    assert_eq!(snapshot.definitions_revision, Revision(0));
    assert!(snapshot.facts.is_empty() && snapshot.nodes.is_empty());
    assert!(store.history(None, None, 10).await.unwrap().is_empty());
    assert!(store.transitions(Revision(0), 10).await.unwrap().transitions.is_empty());
}

pub(crate) async fn what_was_committed_is_read_back(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let wanted = vec![check("nginx"), instance("VI_1", 100), instance("VI_2", 90)];
    let record = apply(&*store, wanted.clone()).await;
    assert_eq!(record.author, "tester");
    assert_eq!(record.message, "because");
    assert_eq!(record.at, "2026-01-02T03:04:05Z");
    assert!(record.changes.iter().all(|it| it.before.is_none()));
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(*snapshot.definitions, wanted.into_iter().collect());
    assert_eq!(snapshot.definitions_revision, record.revision);
    assert!(snapshot.revision >= record.revision);
    assert!(snapshot.changed_at.values().all(|at| *at == record.revision));
    assert_eq!(snapshot.changed_at.len(), 3);
}

pub(crate) async fn a_change_against_an_old_revision_is_refused(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let first = apply(&*store, vec![instance("VI_1", 100)]).await;
    let second = apply(&*store, vec![instance("VI_1", 90)]).await;
    let late = store.commit(put(first.revision, vec![instance("VI_1", 80)])).await;
    match late {
        Err(StoreError::Conflict { base, current }) => {
            assert_eq!((base, current), (first.revision, second.revision));
        }
        other => panic!("{other:?}"),
    }
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(priority(snapshot.definitions.0.values().next().unwrap()), 90);
}

pub(crate) async fn a_put_of_what_is_stored_is_no_change(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let first = apply(&*store, vec![instance("VI_1", 100)]).await;
    let again = store.commit(put(first.revision, vec![instance("VI_1", 100)])).await.unwrap();
    assert_eq!(again, None);
    assert_eq!(store.history(None, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.snapshot().await.unwrap().definitions_revision, first.revision);
}

pub(crate) async fn of_a_mixed_change_only_what_differs_is_recorded(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let first = apply(&*store, vec![instance("VI_1", 100), instance("VI_2", 100)]).await;
    let second = apply(&*store, vec![instance("VI_1", 100), instance("VI_2", 90)]).await;
    assert_eq!(second.changes.len(), 1);
    assert_eq!(second.changes[0].before, Some(instance("VI_2", 100)));
    assert_eq!(second.changes[0].after, Some(instance("VI_2", 90)));
    let changed_at = store.snapshot().await.unwrap().changed_at;
    assert_eq!(changed_at[&instance("VI_1", 1).key()], first.revision);
    assert_eq!(changed_at[&instance("VI_2", 1).key()], second.revision);
}

pub(crate) async fn a_deleted_definition_is_gone_and_can_come_back(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let first = apply(&*store, vec![instance("VI_1", 100), check("nginx")]).await;
    let key = instance("VI_1", 1).key();
    let gone = store.commit(delete(first.revision, vec![key.clone()])).await.unwrap().unwrap();
    assert_eq!(gone.changes[0].before, Some(instance("VI_1", 100)));
    assert_eq!(gone.changes[0].after, None);
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(*snapshot.definitions, [check("nginx")].into_iter().collect());
    assert!(!snapshot.changed_at.contains_key(&key));
    let back = apply(&*store, vec![instance("VI_1", 100)]).await;
    assert_eq!(back.changes[0].before, None);
    assert_eq!(store.snapshot().await.unwrap().definitions.0.len(), 2);
}

pub(crate) async fn deleting_what_is_not_there_is_no_change(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let nothing = store.commit(delete(Revision(0), vec![check("none").key()])).await.unwrap();
    assert_eq!(nothing, None);
}

pub(crate) async fn two_thousand_definitions_appear_at_once(backend: &mut dyn Backend) {
    appear_at_once(backend, 2_000).await;
}

pub(crate) async fn ten_thousand_definitions_appear_at_once(backend: &mut dyn Backend) {
    appear_at_once(backend, 10_000).await;
}

/// Readers look all the while: they see none, or all with one priority.
async fn appear_at_once(backend: &mut dyn Backend, count: usize) {
    let (writer, reader) = (backend.replica().await, backend.replica().await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let looking = tokio::spawn({
        let (reader, done) = (Arc::clone(&reader), Arc::clone(&done));
        async move {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) || looks == 0 {
                assert_whole(&*reader, count).await;
                looks += 1;
            }
        }
    });
    let first = apply(&*writer, instances(count, 100)).await;
    let second = apply(&*writer, instances(count, 90)).await;
    done.store(true, Ordering::Relaxed);
    looking.await.unwrap();
    for committed in [first, second] {
        let event = timeout(SOON, events.next()).await.unwrap().unwrap();
        match event.what {
            EventKind::Definitions(seen) => assert!(*seen == committed, "not as committed"),
            other => panic!("{other:?}"),
        }
    }
    assert_whole(&*reader, count).await;
}

async fn assert_whole(store: &dyn Store, count: usize) {
    let definitions = store.snapshot().await.unwrap().definitions;
    let mut priorities = definitions.0.values().map(priority);
    if let Some(first) = priorities.next() {
        assert_eq!(definitions.0.len(), count);
        assert!(priorities.all(|it| it == first), "two changes mixed");
    }
}

pub(crate) async fn planned_moves_are_kept_beside_what_is_declared(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let declared = apply(&*store, vec![instance("VI_1", 100)]).await;
    let moves = [switchover("VI_1", "lb2"), drain("lb1")];
    let mut events = store.watch(declared.revision).await.unwrap();
    let ordered = apply(&*store, moves.to_vec()).await;
    let event = timeout(SOON, events.next()).await.unwrap().unwrap();
    let EventKind::Definitions(record) = event.what else { panic!("{event:?}") };
    assert_eq!(*record, ordered);
    drop((store, events));
    backend.restart().await;
    let store = backend.replica().await;
    let all = [instance("VI_1", 100)].into_iter().chain(moves.clone());
    assert_eq!(*store.snapshot().await.unwrap().definitions, all.collect());
    for definition in &moves {
        let history = store.history(Some(&definition.key()), None, 10).await.unwrap();
        assert_eq!(history, std::slice::from_ref(&ordered));
    }
    let keys = moves.iter().map(|it| it.key()).collect();
    store.commit(delete(ordered.revision, keys)).await.unwrap().expect("a change");
    assert_eq!(store.snapshot().await.unwrap().definitions.0.len(), 1);
    let then = store.definitions_at(ordered.revision).await.unwrap();
    assert_eq!(then.0.len(), 3);
}

pub(crate) async fn everything_is_there_after_a_restart(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let fleet = store.fleet().await.unwrap();
    apply(&*store, instances(500, 100)).await;
    apply(&*store, instances(500, 90)).await;
    store.put_facts(&crate::samples::facts("lb1", 2)).await.unwrap();
    store.put_node(&crate::samples::record("lb1", 7)).await.unwrap();
    let node = crate::samples::name("lb1");
    store.append_transitions(&node, &crate::samples::transitions(1..=3)).await.unwrap();
    let (before, log) = seen(&*store).await;
    drop(store);
    backend.restart().await;
    let store = backend.replica().await;
    assert_eq!(store.fleet().await.unwrap(), fleet);
    assert_eq!(seen(&*store).await, (before, log));
    let next = apply(&*store, instances(500, 80)).await;
    assert!(store.history(None, None, 1).await.unwrap()[0] == next);
}

/// All that a store holds, in words.
async fn seen(store: &dyn Store) -> (String, String) {
    let snapshot = store.snapshot().await.unwrap();
    let history = store.history(None, None, 100).await.unwrap();
    let transitions = store.transitions(Revision(0), 100).await.unwrap();
    (format!("{snapshot:?}"), format!("{history:?} {transitions:?}"))
}
