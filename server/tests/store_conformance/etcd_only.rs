//! What only a store in etcd can suffer: etcd killed, frozen or compacted under a watch, writers
//! that die midway, history that other replicas drop.

use crate::etcd_server::EtcdServer;
use crate::samples::{
    SOON, apply, check, delete, instance, instances, name, priority, put, record, transitions,
};
use crate::watching::{assert_in_order, next, until};
use etcd_client::{Client, CompactionOptions, GetOptions, PutOptions, WatchOptions};
use futures::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vipfleet_server::store::{
    ChangeRecord, EtcdOptions, EtcdStore, Event, EventKind, Events, HistoryBounds, Revision, Store,
    StoreError,
};

/// Commits one change per priority, trying again while etcd is away.
async fn commit_all(store: Arc<EtcdStore>, priorities: std::ops::RangeInclusive<u8>) {
    for priority in priorities {
        let deadline = Instant::now() + SOON;
        loop {
            let base = store.snapshot().await.map(|it| it.definitions_revision);
            let committed = match base {
                Ok(base) => store.commit(put(base, vec![instance("VI_1", priority)])).await,
                Err(error) => Err(error),
            };
            match committed {
                Ok(_) => break,
                Err(StoreError::Unavailable { .. }) => assert!(Instant::now() < deadline),
                Err(other) => panic!("{other}"),
            }
        }
    }
}

fn priorities(events: &[Event]) -> Vec<u8> {
    let changes = events.iter().filter_map(|event| match &event.what {
        EventKind::Definitions(record) => Some(record),
        _ => None,
    });
    changes.map(|record| priority(record.changes[0].after.as_ref().unwrap())).collect()
}

async fn take(events: &mut Events, count: usize) -> Vec<Event> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(events).await);
    }
    taken
}

/// Waits for something that etcd or another task does by itself.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn count(client: &mut Client, prefix: &str) -> i64 {
    let options = GetOptions::new().with_prefix().with_count_only();
    client.get(prefix, Some(options)).await.unwrap().count()
}

async fn compact_all(client: &mut Client) {
    let now = client.get("x", None).await.unwrap().header().unwrap().revision();
    let physical = CompactionOptions::new().with_physical();
    client.compact(now, Some(physical)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_killed_again_and_again_makes_a_watch_miss_and_repeat_nothing() {
    let mut server = EtcdServer::start();
    let (writer, reader) = (Arc::new(server.open().await), server.open().await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    let writing = tokio::spawn(commit_all(Arc::clone(&writer), 1..=200));
    let mut seen = take(&mut events, 5).await;
    for _ in 0..3 {
        server.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(server.resume());
        seen.extend(take(&mut events, 10).await);
    }
    writing.await.unwrap();
    let last = writer.snapshot().await.unwrap().definitions_revision;
    if seen.last().unwrap().revision < last {
        seen.extend(until(&mut events, last).await);
    }
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_etcd_is_unavailable_and_the_watch_goes_on_afterwards() {
    let server = EtcdServer::start();
    let (writer, reader) = (Arc::new(server.open().await), server.open().await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    commit_all(Arc::clone(&writer), 1..=5).await;
    let mut seen = take(&mut events, 5).await;
    server.freeze();
    let start = Instant::now();
    match reader.snapshot().await {
        Err(StoreError::Unavailable { endpoint, .. }) => assert_eq!(endpoint, server.endpoint()),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    server.thaw();
    commit_all(Arc::clone(&writer), 6..=10).await;
    seen.extend(take(&mut events, 5).await);
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=10).collect::<Vec<_>>());
}

/// The same with the answer to a commit lost: it happened once, or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_during_a_freeze_happens_once() {
    let server = EtcdServer::start();
    let store = Arc::new(server.open().await);
    apply(&*store, vec![instance("VI_1", 1)]).await;
    let base = store.snapshot().await.unwrap().definitions_revision;
    server.freeze();
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(put(base, vec![instance("VI_1", 2)])).await }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.thaw();
    let committed = committing.await.unwrap().unwrap().unwrap();
    let history = store.history(None, None, 10).await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[0], committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_is_gone_is_named_in_the_error() {
    let mut server = EtcdServer::start();
    let store = server.open().await;
    server.kill();
    let (node, records) = (name("lb1"), transitions(1..=3));
    let record = record("lb1", 1);
    let errors = tokio::join!(
        async { store.snapshot().await.map(drop) },
        async { store.commit(put(Revision(0), vec![check("nginx")])).await.map(drop) },
        store.put_node(&record),
        store.append_transitions(&node, &records),
    );
    for error in [errors.0, errors.1, errors.2, errors.3] {
        match error {
            Err(error @ StoreError::Unavailable { .. }) => {
                let wanted = format!("the store is unreachable at {}", server.endpoint());
                assert_eq!(error.to_string(), wanted);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compacted_before_a_watch_begins_is_listed_instead() {
    let server = EtcdServer::start();
    let store = Arc::new(server.open().await);
    commit_all(Arc::clone(&store), 1..=3).await;
    let middle = store.snapshot().await.unwrap().definitions_revision;
    for generation in 1..=3 {
        store.put_node(&record("lb1", generation)).await.unwrap();
    }
    store.append_transitions(&name("lb1"), &transitions(1..=3)).await.unwrap();
    commit_all(Arc::clone(&store), 4..=6).await;
    compact_all(&mut server.client().await).await;
    let mut events = store.watch(middle).await.unwrap();
    commit_all(Arc::clone(&store), 7..=7).await;
    let last = store.snapshot().await.unwrap().definitions_revision;
    let seen = until(&mut events, last).await;
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), [4, 5, 6, 7]);
    // Of the node the latest, of transitions every one.
    assert_eq!(seen.len(), 4 + 1 + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_while_a_watch_is_cut_off_makes_it_miss_and_repeat_nothing() {
    let mut server = EtcdServer::start();
    let (writer, reader) = (Arc::new(server.open().await), server.open().await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    commit_all(Arc::clone(&writer), 1..=20).await;
    let mut seen = take(&mut events, 20).await;
    // The watch is not read any more: it is behind when etcd dies and compacts.
    writer.append_transitions(&name("lb1"), &transitions(1..=1_500)).await.unwrap();
    commit_all(Arc::clone(&writer), 21..=40).await;
    server.kill();
    assert!(server.resume());
    compact_all(&mut server.client().await).await;
    commit_all(Arc::clone(&writer), 41..=60).await;
    let last = writer.snapshot().await.unwrap().definitions_revision;
    seen.extend(until(&mut events, last).await);
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=60).collect::<Vec<_>>());
    assert_eq!(seen.len(), 60 + 1_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies_before_the_head_is_swapped_leaves_nothing() {
    let server = EtcdServer::start();
    let mut options = server.options();
    options.orphans_after = Duration::from_secs(2);
    let store = Arc::new(EtcdStore::open(options).await.unwrap());
    let first = apply(&*store, instances(10_000, 100)).await;
    let mut client = server.client().await;
    let settled = count(&mut client, "/vipfleet/blob/").await;
    let chunks = WatchOptions::new().with_prefix();
    let mut chunks = client.watch("/vipfleet/blob/", Some(chunks)).await.unwrap();
    assert!(chunks.message().await.unwrap().unwrap().created());
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        let change = put(first.revision, instances(10_000, 90));
        async move { store.commit(change).await.map(drop) }
    });
    // The first of its thirty chunks is there: it dies before the last.
    assert!(!chunks.message().await.unwrap().unwrap().events().is_empty());
    committing.abort();
    assert!(committing.await.is_err_and(|error| error.is_cancelled()), "it was too fast");
    assert!(count(&mut client, "/vipfleet/blob/").await > settled, "it wrote nothing");
    let snapshot = server.open().await.snapshot().await.unwrap();
    assert_eq!(snapshot.definitions_revision, first.revision);
    assert!(snapshot.definitions.0.values().all(|it| priority(it) == 100));
    assert_eq!(store.history(None, None, 10).await.unwrap().len(), 1);
    eventually("orphans are gone", async || count(&mut client, "/vipfleet/blob/").await == settled)
        .await;
    // What was committed outlives the lease that its chunks once had.
    let kept = server.open().await.history(None, None, 10).await.unwrap();
    assert!(kept == [first.clone()]);
    let second = apply(&*store, instances(10_000, 80)).await;
    assert!(second.revision > first.revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_starts_from_a_snapshot_when_changes_are_many() {
    let server = EtcdServer::start();
    let mut options = server.options();
    options.snapshot_every = 8;
    let store = EtcdStore::open(options).await.unwrap();
    let mut last: Option<ChangeRecord> = None;
    for priority in 1..=80 {
        let wanted = vec![instance(&format!("VI_{}", priority % 9), priority)];
        let base = last.as_ref().map_or(Revision(0), |it| it.revision);
        last = Some(store.commit(put(base, wanted)).await.unwrap().unwrap());
    }
    let mut client = server.client().await;
    eventually("a snapshot", async || count(&mut client, "/vipfleet/snapshot").await == 1).await;
    let base = last.unwrap().revision;
    let gone = delete(base, vec![instance("VI_0", 1).key()]);
    store.commit(gone).await.unwrap().unwrap();
    let known = store.snapshot().await.unwrap();
    let fresh = server.open().await.snapshot().await.unwrap();
    assert_eq!(fresh.definitions, known.definitions);
    assert_eq!(fresh.changed_at, known.changed_at);
    assert_eq!(fresh.definitions_revision, known.definitions_revision);
}

/// A store with short history, and the revision of its first change, long dropped.
async fn with_short_history(server: &EtcdServer) -> (EtcdStore, Revision) {
    let mut options = server.options();
    options.snapshot_every = 4;
    options.history = HistoryBounds { changes: 6, bytes: 1 << 20 };
    let store = EtcdStore::open(options).await.unwrap();
    let first = apply(&store, vec![instance("VI_1", 1), instance("VI_2", 1), check("a")]).await;
    let base = apply(&store, vec![instance("VI_2", 2)]).await.revision;
    store.commit(delete(base, vec![check("a").key()])).await.unwrap();
    for priority in 1..=40 {
        apply(&store, vec![instance("VI_3", priority)]).await;
    }
    let mut priority = 41;
    eventually("history is short", async || {
        // Every so many changes the oldest are dropped, beside the writer.
        apply(&store, vec![instance("VI_3", priority)]).await;
        priority += 1;
        store.history(None, None, 100).await.unwrap().len() < 20
    })
    .await;
    (store, first.revision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_beyond_its_bound_goes_and_a_watcher_gets_the_difference() {
    let server = EtcdServer::start();
    let (store, first) = with_short_history(&server).await;
    match store.definitions_at(first).await {
        Err(StoreError::UnknownRevision(revision)) => assert_eq!(revision, first),
        other => panic!("{other:?}"),
    }
    compact_all(&mut server.client().await).await;
    let reader = server.open().await;
    let mut events = reader.watch(first).await.unwrap();
    let snapshot = reader.snapshot().await.unwrap();
    let seen = until(&mut events, snapshot.definitions_revision).await;
    assert_in_order(&seen);
    let EventKind::Definitions(missed) = &seen[0].what else { panic!("{:?}", seen[0]) };
    let after = |key| missed.changes.iter().find(|it| it.key == key).map(|it| &it.after);
    assert_eq!(after(instance("VI_2", 1).key()), Some(&Some(instance("VI_2", 2))));
    assert_eq!(after(check("a").key()), Some(&None));
    assert_eq!(after(instance("VI_1", 1).key()), None, "it did not change");
    let told = priorities(&seen[1..]);
    assert!(told.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{told:?}");
    let newest = snapshot.definitions.0[&instance("VI_3", 1).key()].clone();
    assert_eq!(told.last(), Some(&priority(&newest)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_can_be_read_as_long_as_history_shows_it() {
    let server = EtcdServer::start();
    let (store, _) = with_short_history(&server).await;
    eventually("the oldest change is read", async || {
        let kept = store.history(None, None, 100).await.unwrap();
        let oldest = kept.last().unwrap();
        let then = match store.definitions_at(oldest.revision).await {
            Ok(then) => then,
            // It was dropped between the two.
            Err(StoreError::UnknownRevision(_)) => return false,
            Err(other) => panic!("{other}"),
        };
        let wanted = oldest.changes[0].after.as_ref().unwrap();
        assert_eq!(then.0[&instance("VI_3", 1).key()], *wanted);
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_a_busy_store_agrees_with_its_list() {
    let server = EtcdServer::start();
    let mut options = server.options();
    options.compare_every = Duration::from_millis(150);
    let store = Arc::new(EtcdStore::open(options).await.unwrap());
    let mut events = store.watch(Revision(0)).await.unwrap();
    let writing = tokio::spawn(commit_all(Arc::clone(&store), 1..=250));
    for batch in 0..10 {
        let records = transitions(batch * 100 + 1..=batch * 100 + 100);
        store.append_transitions(&name("lb1"), &records).await.unwrap();
        store.put_node(&record("lb1", batch)).await.unwrap();
    }
    writing.await.unwrap();
    let seen = take(&mut events, 250 + 1_000 + 10).await;
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=250).collect::<Vec<_>>());
    let nothing = tokio::time::timeout(Duration::from_millis(600), events.next()).await;
    assert!(nothing.is_err(), "a comparison repeated {nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_cannot_read_is_named() {
    let server = EtcdServer::start();
    let store = server.open().await;
    let mut client = server.client().await;
    let lease = client.lease_grant(600, None).await.unwrap().id();
    let put = PutOptions::new().with_lease(lease);
    client.put("/vipfleet/live/facts/lb1", "no JSON", Some(put)).await.unwrap();
    match store.snapshot().await {
        Err(StoreError::Corrupt { what, .. }) => assert_eq!(what, "/vipfleet/live/facts/lb1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleets_with_prefixes_of_their_own_share_an_etcd() {
    let server = EtcdServer::start();
    let mut options = server.options();
    options.prefix = "/other/".to_owned();
    let (ours, other) = (server.open().await, EtcdStore::open(options).await.unwrap());
    assert_ne!(ours.fleet().await.unwrap(), other.fleet().await.unwrap());
    let mut events = other.watch(Revision(0)).await.unwrap();
    apply(&ours, vec![instance("VI_1", 1)]).await;
    let second = apply(&other, vec![instance("VI_1", 2)]).await;
    assert_eq!(next(&mut events).await.revision, second.revision);
    assert_eq!(ours.history(None, None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_revisions_of_etcd_are_compacted_and_watches_go_on() {
    let server = EtcdServer::start();
    let mut options = server.options();
    options.compact_after = Some(Duration::from_millis(300));
    let store = EtcdStore::open(options.clone()).await.unwrap();
    let _second_replica = EtcdStore::open(options).await.unwrap();
    let mut events = store.watch(Revision(0)).await.unwrap();
    let first = apply(&store, vec![instance("VI_1", 1)]).await;
    let mut client = server.client().await;
    let mut generation = 0;
    eventually("compacted", async || {
        generation += 1;
        store.put_node(&record("lb1", generation)).await.unwrap();
        let then = GetOptions::new().with_revision(first.revision.0 as i64);
        client.get("x", Some(then)).await.is_err()
    })
    .await;
    let last = apply(&store, vec![instance("VI_1", 2)]).await;
    let seen = until(&mut events, last.revision).await;
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), [1, 2]);
    assert!(store.definitions_at(first.revision).await.is_ok());
}

async fn open_all(cluster: &[EtcdServer]) -> EtcdStore {
    let endpoints = cluster.iter().map(EtcdServer::endpoint).collect();
    EtcdStore::open(EtcdOptions::new(endpoints)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_one_of_three_members_may_die_under_a_watch() {
    let mut cluster = EtcdServer::start_cluster(3);
    let (writer, reader) = (Arc::new(open_all(&cluster).await), open_all(&cluster).await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    let mut seen = vec![];
    for (first, member) in [1, 11, 21].into_iter().zip(&mut cluster) {
        member.kill();
        commit_all(Arc::clone(&writer), first..=first + 9).await;
        seen.extend(take(&mut events, 10).await);
        assert!(member.resume());
    }
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=30).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_its_peers_is_unavailable_until_they_are_back() {
    let mut cluster = EtcdServer::start_cluster(3);
    let (writer, reader) = (Arc::new(open_all(&cluster).await), open_all(&cluster).await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    commit_all(Arc::clone(&writer), 1..=5).await;
    let mut seen = take(&mut events, 5).await;
    cluster[0].kill();
    cluster[1].kill();
    match writer.put_node(&record("lb1", 1)).await {
        Err(StoreError::Unavailable { endpoint, .. }) => {
            assert!(cluster.iter().all(|member| endpoint.contains(&member.endpoint())));
        }
        other => panic!("{other:?}"),
    }
    assert!(cluster[0].resume());
    commit_all(Arc::clone(&writer), 6..=10).await;
    let last = writer.snapshot().await.unwrap().definitions_revision;
    seen.extend(until(&mut events, last).await);
    assert_in_order(&seen);
    assert_eq!(priorities(&seen), (1..=10).collect::<Vec<_>>());
}

/// Only a new snapshot can tell what is, so the stream ends rather than go on as if nothing was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_when_etcd_was_restored_from_a_backup() {
    let mut server = EtcdServer::start();
    let store = Arc::new(server.open().await);
    commit_all(Arc::clone(&store), 1..=5).await;
    server.kill();
    let backup = server.back_up();
    assert!(server.resume());
    let mut events = store.watch(Revision(0)).await.unwrap();
    commit_all(Arc::clone(&store), 6..=10).await;
    assert_eq!(priorities(&take(&mut events, 10).await), (1..=10).collect::<Vec<_>>());
    server.kill();
    server.restore(&backup);
    assert!(server.resume());
    let end = tokio::time::timeout(SOON, events.next()).await.expect("an end in time");
    assert_eq!(end, None);
    match store.snapshot().await {
        Err(StoreError::Corrupt { reason, .. }) => {
            assert!(reason.contains("was etcd restored?"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let fresh = server.open().await;
    assert_eq!(fresh.history(None, None, 100).await.unwrap().len(), 5);
}
