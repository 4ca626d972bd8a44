//! Crashes and the incarnations after them.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use std::process::{Command, Stdio};
use std::time::Duration;
use vipfleet_agent::net::{Event, Leftover, Request};
use vipfleet_vrrp::Custody;

const MASTER_DOWN: Duration = Duration::from_secs(3);

fn owned(agent: &Agent) -> Vec<Leftover> {
    agent.expect("Owned", |event| match event {
        Event::Owned(left) => Some(left.clone()),
        _ => None,
    })
}

#[test]
fn a_restarted_agent_takes_its_addresses_over_without_touching_them() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    assert_eq!(owned(&agent), []);
    agent.desire_for("a", &["10.77.0.100"], Custody::Serving, MASTER_DOWN);
    agent.expect_claimed("a");
    let log = dir.path().join("monitor");
    let mut monitor = Command::new("ip")
        .args(["-n", pair.host.name(), "monitor", "address"])
        .stdout(Stdio::from(std::fs::File::create(&log).unwrap()))
        .spawn()
        .unwrap();
    agent.crash();
    let agent = Agent::start(&pair.host, dir.path());
    let left = owned(&agent);
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].interface.as_str(), left[0].address.to_string().as_str()),
        ("eth0", "10.77.0.100/32")
    );
    assert!(left[0].remaining <= Duration::from_secs(4));
    agent.desire_for("a", &["10.77.0.100"], Custody::Serving, MASTER_DOWN);
    agent.expect_claimed("a");
    agent.request(Request::Reconcile);
    // Longer than the lease: the renewals are ours again.
    std::thread::sleep(Duration::from_secs(7));
    assert!(pair.host.has("eth0", "10.77.0.100/32"));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let seen = std::fs::read_to_string(&log).unwrap();
    assert!(seen.contains("10.77.0.100"), "the monitor saw renewals: {seen}");
    assert!(!seen.contains("Deleted"), "{seen}");
    agent.shutdown();
}

#[test]
fn leftovers_that_nobody_desires_go_at_the_reconcile_and_not_before() {
    for with_ledger in [true, false] {
        let (pair, dir) = (Pair::new(), state_dir());
        let agent = Agent::start(&pair.host, dir.path());
        let long = Duration::from_secs(60);
        agent.desire_for("a", &["10.77.0.100", "10.77.0.101"], Custody::Serving, long);
        agent.expect_claimed("a");
        agent.crash();
        let other = state_dir();
        let dir = if with_ledger { &dir } else { &other };
        let agent = Agent::start(&pair.host, dir.path());
        assert_eq!(owned(&agent).len(), 2);
        agent.desire_for("a", &["10.77.0.101"], Custody::Serving, long);
        agent.expect_claimed("a");
        assert!(pair.host.has("eth0", "10.77.0.100/32"));
        agent.request(Request::Reconcile);
        until("the leftover to go", || !pair.host.has("eth0", "10.77.0.100/32"));
        assert!(pair.host.has("eth0", "10.77.0.101/32"));
        agent.shutdown();
    }
}

#[test]
fn an_agent_that_comes_back_as_backup_lets_go_at_its_first_word() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire_for("a", &["10.77.0.100"], Custody::Serving, Duration::from_secs(60));
    agent.expect_claimed("a");
    agent.crash();
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::None);
    until("the leftover to go", || !pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
}

#[test]
fn a_crash_in_the_middle_of_a_silent_grace_is_repaired_by_the_next_start() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    agent.desire("a", &["10.77.0.100"], Custody::Silent);
    until("the handover route", || pair.host.handover_routes().contains("10.77.0.100"));
    agent.crash();
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);
    let agent = Agent::start(&pair.host, dir.path());
    assert_eq!(pair.host.handover_routes(), "");
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 0);
    agent.shutdown();
}

#[test]
fn a_shutdown_leaves_nothing() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100", "10.88.0.1/24"], Custody::Serving);
    agent.expect_claimed("a");
    agent.desire("b", &["10.77.0.102"], Custody::Serving);
    agent.expect_claimed("b");
    agent.desire("b", &["10.77.0.102"], Custody::Silent);
    until("the handover route", || pair.host.handover_routes().contains("10.77.0.102"));
    agent.shutdown();
    let shown = pair.host.ip("-o -4 addr show dev eth0");
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(pair.host.is_permanent("eth0", "10.77.0.1/24"));
    assert_eq!(pair.host.handover_routes(), "");
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0);
}

#[test]
fn a_disk_that_takes_no_ledger_is_a_warning_and_addresses_are_served() {
    let (pair, dir) = (Pair::new(), state_dir());
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let agent = Agent::start(&pair.host, &file);
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    let text = agent.expect("a warning", |event| match event {
        Event::Warning(fault) => Some(fault.to_string()),
        _ => None,
    });
    assert!(text.contains("ledger"), "{text}");
    until("the claim", || pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
    assert!(!pair.host.has("eth0", "10.77.0.100/32"));
}
