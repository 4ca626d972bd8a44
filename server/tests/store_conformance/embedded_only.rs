//! What only the embedded store can suffer: its process killed at any moment.

use crate::backend::{Backend, Embedded};
use crate::samples::{apply, check, delete, instance, instances, priority, put};
use crate::watching::{assert_in_order, until};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vipfleet_server::store::{EmbeddedStore, EventKind, HistoryBounds, Store, StoreError};

/// Where [`commits_until_it_is_killed`] finds its file.
const FILE: &str = "VIPFLEET_TEST_STORE";
const COUNT: usize = 2_000;

/// The process that is killed: run by the test below, never by itself.
#[tokio::test]
#[ignore = "the child process of a_server_killed_midway_in_a_commit_leaves_all_or_nothing"]
async fn commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let store = EmbeddedStore::open(&PathBuf::from(path)).unwrap();
    let mut base = store.snapshot().await.unwrap().definitions_revision;
    println!("\nopen");
    for round in 0.. {
        let change = put(base, instances(COUNT, (round % 250) as u8 + 1));
        if let Some(record) = store.commit(change).await.unwrap() {
            base = record.revision;
            println!("\ncommitted {base}");
        }
    }
}

/// A child that is killed whatever becomes of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(path: &Path) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded_only::commits_until_it_is_killed", "--ignored"])
        .arg("--nocapture")
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Killed(child)
}

/// Starts the child, kills it `after` it has the file open, and returns the last revision that
/// it said was committed.
fn run_and_kill(path: &Path, after: Duration) -> u64 {
    let mut child = spawn(path);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "open"), "the child did not open the store");
    std::thread::sleep(after);
    child.0.kill().unwrap();
    let committed = lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
    committed.last().unwrap_or(0)
}

#[tokio::test]
async fn a_server_killed_midway_in_a_commit_leaves_all_or_nothing() {
    let backend = Embedded::new();
    let mut announced = 0;
    let mut longest = Duration::from_secs(1);
    for _ in 0..10 {
        let random = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        let path = backend.path();
        let after = longest * random / 256;
        let last = tokio::task::spawn_blocking(move || run_and_kill(&path, after));
        announced = last.await.unwrap().max(announced);
        if announced == 0 {
            // A busy machine: the child came to nothing.
            longest *= 2;
        }
        let store = EmbeddedStore::open(&backend.path()).unwrap();
        let snapshot = store.snapshot().await.unwrap();
        assert!(snapshot.definitions_revision.0 >= announced, "a durable commit was lost");
        let newest = store.history(None, None, 1).await.unwrap();
        let Some(newest) = newest.first() else {
            assert!(snapshot.definitions.0.is_empty());
            continue;
        };
        assert_eq!(newest.revision, snapshot.definitions_revision);
        assert_eq!(snapshot.definitions.0.len(), COUNT);
        let wanted = priority(newest.changes[0].after.as_ref().unwrap());
        assert!(snapshot.definitions.0.values().all(|it| priority(it) == wanted));
        assert!(snapshot.changed_at.values().all(|at| *at == newest.revision));
    }
    assert!(announced > 0, "the child never committed anything: the test showed nothing");
}

#[tokio::test]
async fn a_server_killed_while_it_makes_its_file_finds_it_usable_afterwards() {
    let mut midway = 0;
    for step in 0..25 {
        let backend = Embedded::new();
        let path = backend.path();
        let mut child = spawn(&path);
        let deadline = Instant::now() + crate::samples::SOON;
        while !path.parent().unwrap().exists() {
            assert!(Instant::now() < deadline, "the child made no directory");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(step * 150));
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        midway += usize::from(!path.exists());
        let store = EmbeddedStore::open(&path).unwrap();
        assert!(!store.fleet().await.unwrap().id.is_empty());
        apply(&store, instances(10, 1)).await;
        assert!(!path.with_added_extension("new").exists(), "a half-made file was left");
    }
    assert!(midway > 0, "every file was complete: the test showed nothing");
}

/// One fsync for each of a thousand writes would take seconds on a disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_come_together_share_an_fsync() {
    let mut backend = Embedded::new();
    let store = backend.replica().await;
    let records: Vec<_> =
        (0..500).map(|n| crate::samples::record(&format!("node-{n}"), n)).collect();
    let start = Instant::now();
    for record in &records[..50] {
        store.put_node(record).await.unwrap();
    }
    let each = start.elapsed() / 50;
    let start = Instant::now();
    let all = records.iter().map(|record| store.put_node(record));
    futures::future::join_all(all).await.into_iter().for_each(Result::unwrap);
    let together = start.elapsed() / 500;
    assert!(together < each, "{together:?} each together, {each:?} one after another");
}

#[tokio::test]
async fn history_beyond_its_bound_goes_and_a_watcher_gets_the_difference() {
    let backend = Embedded::new();
    let bounds = HistoryBounds { changes: 4, bytes: 1 << 20 };
    let store: Arc<dyn Store> =
        Arc::new(EmbeddedStore::open_with(&backend.path(), bounds).unwrap());
    let first = apply(&*store, vec![instance("VI_1", 1), instance("VI_2", 1), check("a")]).await;
    let base = apply(&*store, vec![instance("VI_2", 2)]).await.revision;
    store.commit(delete(base, vec![check("a").key()])).await.unwrap();
    for priority in 3..=7 {
        apply(&*store, vec![instance("VI_3", priority)]).await;
    }
    let kept = store.history(None, None, 100).await.unwrap();
    assert_eq!(kept.len(), 4);
    let floor = kept.last().unwrap().changes[0].before.clone().unwrap();
    assert_eq!(floor, instance("VI_3", 3));
    match store.definitions_at(first.revision).await {
        Err(StoreError::UnknownRevision(revision)) => assert_eq!(revision, first.revision),
        other => panic!("{other:?}"),
    }
    // Reopened, so that nothing comes from memory.
    drop(store);
    let store = EmbeddedStore::open_with(&backend.path(), bounds).unwrap();
    let mut events = store.watch(first.revision).await.unwrap();
    let seen = until(&mut events, kept[0].revision).await;
    assert_in_order(&seen);
    assert_eq!(seen.len(), 5);
    let EventKind::Definitions(missed) = &seen[0].what else { panic!("{:?}", seen[0]) };
    let after = |key| missed.changes.iter().find(|it| it.key == key).map(|it| &it.after);
    assert_eq!(after(instance("VI_2", 1).key()), Some(&Some(instance("VI_2", 2))));
    assert_eq!(after(instance("VI_3", 1).key()), Some(&Some(floor)));
    assert_eq!(after(check("a").key()), Some(&None));
    assert_eq!(after(instance("VI_1", 1).key()), None, "it did not change");
    assert_eq!(store.history(None, None, 1).await.unwrap()[0].revision, kept[0].revision);
}

#[tokio::test]
async fn a_change_larger_than_the_bound_is_kept_alone() {
    let backend = Embedded::new();
    let bounds = HistoryBounds { changes: 100, bytes: 10_000 };
    let store = EmbeddedStore::open_with(&backend.path(), bounds).unwrap();
    for priority in 1..=3 {
        apply(&store, instances(100, priority)).await;
    }
    assert_eq!(store.history(None, None, 100).await.unwrap().len(), 1);
    assert_eq!(store.snapshot().await.unwrap().definitions.0.len(), 100);
}
