//! Simulated agents and a server: both in this process.

use std::net::SocketAddr;
use std::time::Duration;
use vipfleet_server::serve::{Config, Replica};
use vipfleet_server::store;
use vipfleet_swarm::{fanout, idle};

async fn server(directory: &tempfile::TempDir) -> (Replica, String) {
    let store = store::open("embedded:", directory.path()).await.expect("a store");
    let config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let replica = Replica::start(store, config).await.expect("a replica");
    let url = format!("http://{}", replica.address());
    (replica, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_agent_gets_every_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let (replica, url) = server(&directory).await;
    let measured = fanout::measure(&url, 20, 2).await.expect("a figure");
    assert_eq!((measured.agents, measured.changes), (20, 2));
    assert_eq!((measured.received.count, measured.stored.count), (40, 2));
    assert!(measured.received.p50_ms > 0.0);
    assert_eq!(measured.sessions_lost, 0);
    let refused = fanout::measure(&url, 20, 1).await;
    assert!(refused.is_ok(), "definitions that are there already are no obstacle: {refused:?}");
    replica.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_agents_keep_their_sessions() {
    let directory = tempfile::tempdir().expect("a directory");
    let (replica, url) = server(&directory).await;
    let (settle, period) = (Duration::ZERO, Duration::from_secs(1));
    let pid = std::process::id();
    let measured = idle::measure(&url, pid, 50, settle, period).await.expect("a figure");
    assert_eq!((measured.agents, measured.sessions_lost), (50, 0));
    assert!(measured.resident_mib > 1.0);
    replica.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_an_error_that_says_so() {
    let error = fanout::measure("https://127.0.0.1:1", 1, 1).await.expect_err("no TLS yet");
    assert!(error.to_string().contains("TLS"), "{error:#}");
}
