//! History: pages, one key, and the fleet as it was.

use crate::backend::Backend;
use crate::samples::{apply, check, delete, instance, instances, put};
use vipfleet_model::Definitions;
use vipfleet_server::store::{Revision, StoreError};

pub(crate) async fn is_newest_first_and_comes_in_pages(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let mut committed = Vec::new();
    for priority in 1..=9 {
        committed.push(apply(&*store, vec![instance("VI_1", priority)]).await);
    }
    committed.reverse();
    assert_eq!(store.history(None, None, 100).await.unwrap(), committed);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = store.history(None, before, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.revision);
        paged.extend(page);
    }
    assert_eq!(paged, committed);
}

pub(crate) async fn of_one_key_shows_only_changes_that_touch_it(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    // Large changes are kept in another way than small ones: have both.
    let first = apply(&*store, instances(500, 100)).await;
    apply(&*store, vec![check("VI_1")]).await;
    let second = apply(&*store, vec![instance("VI_1", 90)]).await;
    apply(&*store, vec![instance("VI_10", 90)]).await;
    let base = store.snapshot().await.unwrap().definitions_revision;
    let key = instance("VI_1", 1).key();
    let third = store.commit(delete(base, vec![key.clone()])).await.unwrap().unwrap();
    let newest_first = [third, second.clone(), first];
    assert!(store.history(Some(&key), None, 10).await.unwrap() == newest_first);
    let page = store.history(Some(&key), Some(newest_first[0].revision), 1).await.unwrap();
    assert_eq!(page, [second]);
    assert!(store.history(Some(&check("none").key()), None, 10).await.unwrap().is_empty());
}

pub(crate) async fn definitions_can_be_read_as_of_every_revision(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let mut then: Vec<(Revision, Definitions)> = Vec::new();
    for round in 0..150_u8 {
        let base = store.snapshot().await.unwrap().definitions_revision;
        let change = match round % 3 {
            0 => put(base, vec![instance(&format!("VI_{}", round / 3), round + 1)]),
            1 => put(base, vec![instance("VI_0", round + 1), check("nginx")]),
            _ => delete(base, vec![check("nginx").key()]),
        };
        let record = store.commit(change).await.unwrap().unwrap();
        let snapshot = store.snapshot().await.unwrap();
        then.push((record.revision, (*snapshot.definitions).clone()));
        // Writes of other kinds come between.
        store.put_node(&crate::samples::record("lb1", u64::from(round))).await.unwrap();
    }
    for (revision, definitions) in then.iter().step_by(7) {
        assert_eq!(store.definitions_at(*revision).await.unwrap(), *definitions, "{revision}");
        let between = Revision(revision.0 + 1);
        assert_eq!(store.definitions_at(between).await.unwrap(), *definitions, "{between}");
    }
    let before = Revision(then[0].0.0 - 1);
    assert!(store.definitions_at(before).await.unwrap().0.is_empty());
}

pub(crate) async fn a_revision_that_never_was_is_refused(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let record = apply(&*store, vec![instance("VI_1", 100)]).await;
    let ahead = Revision(record.revision.0 + 1000);
    match store.definitions_at(ahead).await {
        Err(StoreError::UnknownRevision(revision)) => assert_eq!(revision, ahead),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_old_revision_can_be_committed_again(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let old = apply(&*store, vec![instance("VI_1", 100), check("nginx")]).await;
    let base = apply(&*store, vec![instance("VI_1", 90), instance("VI_2", 90)]).await.revision;
    let wanted = store.definitions_at(old.revision).await.unwrap();
    let mut change = put(base, wanted.0.values().cloned().collect());
    change.delete = vec![instance("VI_2", 1).key()];
    let back = store.commit(change).await.unwrap().unwrap();
    assert_eq!(back.changes.len(), 2);
    assert_eq!(*store.snapshot().await.unwrap().definitions, wanted);
}
