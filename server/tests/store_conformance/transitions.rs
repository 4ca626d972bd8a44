//! Transitions: a sequenced, bounded log that says where it starts.

use crate::backend::Backend;
use crate::samples::{name, transition, transitions};
use std::collections::BTreeSet;
use vipfleet_server::store::{Revision, Store, StoredTransition};

async fn all(store: &dyn Store) -> Vec<StoredTransition> {
    store.transitions(Revision(0), usize::MAX).await.unwrap().transitions
}

pub(crate) async fn each_has_a_revision_of_its_own_in_order(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    store.append_transitions(&name("lb1"), &transitions(1..=200)).await.unwrap();
    let stored = all(&*store).await;
    assert_eq!(stored.len(), 200);
    let revisions: BTreeSet<_> = stored.iter().map(|it| it.revision).collect();
    assert_eq!(revisions.len(), 200);
    assert!(stored.is_sorted_by_key(|it| it.revision));
    let sequences: Vec<_> = stored.iter().map(|it| it.record.sequence).collect();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    assert!(stored.iter().all(|it| it.node == name("lb1")));
    assert_eq!(stored[4].record, transition(5));
}

pub(crate) async fn a_repeated_append_changes_nothing(backend: &mut dyn Backend) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    a.append_transitions(&name("lb1"), &transitions(1..=5)).await.unwrap();
    let before = all(&*a).await;
    b.append_transitions(&name("lb1"), &transitions(1..=5)).await.unwrap();
    assert_eq!(all(&*b).await, before);
    b.append_transitions(&name("lb1"), &transitions(4..=7)).await.unwrap();
    let after = all(&*b).await;
    assert_eq!(after[..5], before);
    let sequences: Vec<_> = after.iter().map(|it| it.record.sequence).collect();
    assert_eq!(sequences, (1..=7).collect::<Vec<_>>());
    a.append_transitions(&name("lb1"), &[]).await.unwrap();
    assert_eq!(all(&*a).await.len(), 7);
}

pub(crate) async fn of_several_nodes_come_in_one_order_and_in_pages(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    for round in 0..10 {
        for node in ["lb1", "lb2", "lb10"] {
            let records = transitions(round * 3 + 1..=round * 3 + 3);
            store.append_transitions(&name(node), &records).await.unwrap();
        }
    }
    let stored = all(&*store).await;
    assert_eq!(stored.len(), 90);
    let mut paged = Vec::new();
    let mut after = Revision(0);
    loop {
        let page = store.transitions(after, 7).await.unwrap();
        assert_eq!(page.gap_until, None);
        let Some(last) = page.transitions.last() else {
            break;
        };
        after = last.revision;
        paged.extend(page.transitions);
    }
    assert_eq!(paged, stored);
}

pub(crate) async fn beyond_the_kept_number_a_gap_is_told(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let node = name("lb1");
    store.append_transitions(&node, &transitions(1..=5_000)).await.unwrap();
    let early = store.transitions(Revision(0), 1).await.unwrap();
    assert_eq!(early.gap_until, None);
    store.append_transitions(&node, &transitions(5_001..=12_000)).await.unwrap();
    // A store may drop a while later than it could.
    let deadline = tokio::time::Instant::now() + crate::samples::SOON;
    let page = loop {
        let page = store.transitions(Revision(0), usize::MAX).await.unwrap();
        if page.transitions.len() <= 10_000 {
            break page;
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing is dropped");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(page.transitions.len(), 10_000);
    assert_eq!(page.transitions[0].record.sequence, 2_001);
    assert_eq!(page.gap_until, Some(page.transitions[0].revision));
    let before_oldest = Revision(page.transitions[0].revision.0 - 1);
    assert_eq!(store.transitions(before_oldest, 1).await.unwrap().gap_until, None);
    store.append_transitions(&node, &transitions(1_990..=2_010)).await.unwrap();
    let again = store.transitions(Revision(0), usize::MAX).await.unwrap();
    assert_eq!(again, page, "a dropped record must not come back");
}
