//! Watches: everything after a revision, once, in order.

use crate::backend::Backend;
use crate::samples::{SOON, apply, facts, instance, instances, name, record, transitions};
use futures::StreamExt;
use tokio::time::timeout;
use vipfleet_server::store::{Event, EventKind, Events, Revision, Store};

pub(crate) async fn next(events: &mut Events) -> Event {
    timeout(SOON, events.next()).await.expect("an event in time").expect("no end")
}

/// Events up to the one of this revision.
pub(crate) async fn until(events: &mut Events, revision: Revision) -> Vec<Event> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &Event| event.revision < revision) {
        seen.push(next(events).await);
    }
    seen
}

pub(crate) fn assert_in_order(events: &[Event]) {
    let ordered = events.windows(2).all(|pair| pair[0].revision < pair[1].revision);
    assert!(ordered, "{:?}", events.iter().map(|it| it.revision.0).collect::<Vec<_>>());
}

/// A bit of everything. Returns the revision of its last write, a change.
async fn write(store: &dyn Store, round: u8) -> Revision {
    store.put_facts(&facts("lb1", usize::from(round))).await.unwrap();
    store.put_node(&record("lb1", u64::from(round))).await.unwrap();
    let sequence = u64::from(round) * 2;
    let records = transitions(sequence..=sequence + 1);
    store.append_transitions(&name("lb1"), &records).await.unwrap();
    apply(store, vec![instance("VI_1", round)]).await.revision
}

/// Definitions and transitions, which are never coalesced, as `p51` and `t7`.
fn told(events: &[Event]) -> Vec<String> {
    let words = events.iter().filter_map(|event| match &event.what {
        EventKind::Definitions(record) => {
            let after = record.changes[0].after.as_ref().unwrap();
            Some(format!("p{}", crate::samples::priority(after)))
        }
        EventKind::Transition(it) => Some(format!("t{}", it.record.sequence)),
        EventKind::Facts(_) | EventKind::Node(_) | EventKind::Replica(_) => None,
    });
    words.collect()
}

fn wanted(rounds: std::ops::RangeInclusive<u8>) -> Vec<String> {
    let words = rounds.map(|n| {
        let sequence = u64::from(n) * 2;
        [format!("t{sequence}"), format!("t{}", sequence + 1), format!("p{n}")]
    });
    words.flatten().collect()
}

pub(crate) async fn from_zero_delivers_all_that_was_written(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let mut last = Revision(0);
    for round in 1..=20 {
        last = write(&*store, round).await;
    }
    let mut events = store.watch(Revision(0)).await.unwrap();
    let seen = until(&mut events, last).await;
    assert_in_order(&seen);
    assert_eq!(told(&seen), wanted(1..=20));
    let node = seen.iter().rev().find_map(|event| match &event.what {
        EventKind::Node(record) => Some(record.clone()),
        _ => None,
    });
    assert_eq!(*node.unwrap(), record("lb1", 20));
}

pub(crate) async fn from_now_delivers_only_what_comes(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    for round in 1..=5 {
        write(&*store, round).await;
    }
    let now = store.snapshot().await.unwrap().revision;
    let mut events = store.watch(now).await.unwrap();
    assert!(timeout(std::time::Duration::from_millis(200), events.next()).await.is_err());
    let last = write(&*store, 6).await;
    let seen = until(&mut events, last).await;
    assert_in_order(&seen);
    assert_eq!(seen.len(), 5);
    assert_eq!(told(&seen), wanted(6..=6));
}

pub(crate) async fn from_the_middle_misses_and_repeats_nothing(backend: &mut dyn Backend) {
    let (a, b) = (backend.replica().await, backend.replica().await);
    let mut starts = vec![];
    for round in 1..=12 {
        starts.push((round, write(&*a, round).await));
    }
    let (_, last) = *starts.last().unwrap();
    for (round, start) in &starts[..11] {
        let mut events = b.watch(*start).await.unwrap();
        let seen = until(&mut events, last).await;
        assert_in_order(&seen);
        assert!(seen[0].revision > *start);
        assert_eq!(told(&seen), wanted(round + 1..=12));
    }
}

pub(crate) async fn a_slow_watcher_misses_no_definition_and_no_transition(
    backend: &mut dyn Backend,
) {
    let (writer, reader) = (backend.replica().await, backend.replica().await);
    let mut events = reader.watch(Revision(0)).await.unwrap();
    apply(&*writer, vec![instance("VI_1", 1)]).await;
    let mut seen = vec![next(&mut events).await];
    // Far more than any queue between the two holds, while nobody reads.
    for batch in 0..6 {
        let records = transitions(batch * 1_000 + 1..=batch * 1_000 + 1_000);
        writer.append_transitions(&name("lb1"), &records).await.unwrap();
        apply(&*writer, instances(200, batch as u8 + 2)).await;
    }
    let last = apply(&*writer, vec![instance("VI_1", 99)]).await.revision;
    seen.extend(until(&mut events, last).await);
    assert_in_order(&seen);
    let mut wanted = vec!["p1".to_owned()];
    for batch in 0..6 {
        wanted.extend((1..=1_000).map(|n| format!("t{}", batch * 1_000 + n)));
        wanted.push(format!("p{}", batch + 2));
    }
    wanted.push("p99".to_owned());
    assert_eq!(told(&seen), wanted);
}

/// A reader that starts at a random moment knows, together with its watch, every change.
pub(crate) async fn from_a_snapshot_joins_it_without_seam(backend: &mut dyn Backend) {
    let (writer, reader) = (backend.replica().await, backend.replica().await);
    let writing = tokio::spawn(async move {
        for round in 1..=60 {
            apply(&*writer, vec![instance(&format!("VI_{}", round % 7), round)]).await;
        }
        writer.snapshot().await.unwrap()
    });
    let mut readings = vec![];
    while !writing.is_finished() {
        let snapshot = reader.snapshot().await.unwrap();
        let events = reader.watch(snapshot.revision).await.unwrap();
        readings.push((snapshot, events));
    }
    let end = writing.await.unwrap();
    for (snapshot, mut events) in readings {
        let mut definitions = (*snapshot.definitions).clone();
        let mut revision = snapshot.definitions_revision;
        while revision < end.definitions_revision {
            let EventKind::Definitions(record) = next(&mut events).await.what else {
                continue;
            };
            revision = record.revision;
            for change in &record.changes {
                assert_eq!(definitions.0.get(&change.key), change.before.as_ref());
                definitions.0.insert(change.key.clone(), change.after.clone().unwrap());
            }
        }
        assert_eq!(definitions, *end.definitions);
    }
}

pub(crate) async fn survives_a_restart_of_the_store(backend: &mut dyn Backend) {
    let store = backend.replica().await;
    let start = write(&*store, 1).await;
    let mut events = store.watch(Revision(0)).await.unwrap();
    let mut seen = until(&mut events, start).await;
    write(&*store, 2).await;
    drop(store);
    backend.restart().await;
    let store = backend.replica().await;
    if !backend.outlives_restart() {
        // What was published before the end may still be read; then the stream is over.
        while let Some(event) = timeout(SOON, events.next()).await.unwrap() {
            seen.push(event);
        }
        events = store.watch(seen.last().unwrap().revision).await.unwrap();
    }
    let last = write(&*store, 3).await;
    seen.extend(until(&mut events, last).await);
    assert_in_order(&seen);
    assert_eq!(told(&seen), wanted(1..=3));
}
