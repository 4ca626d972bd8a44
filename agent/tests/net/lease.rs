//! Claims, renewals and expiries.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use std::time::{Duration, Instant};
use vipfleet_agent::net::{Event, Request};
use vipfleet_vrrp::Custody;

const VIP: &str = "10.77.0.100/32";

#[test]
fn a_served_address_is_on_its_interface_under_a_lease_that_is_renewed() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    let line = pair.host.address("eth0", VIP).unwrap();
    assert!(line.contains("scope global") && line.contains("valid_lft"), "{line}");
    assert!(!pair.host.is_permanent("eth0", VIP), "{line}");
    // The lease is 2 s: without renewals the kernel would drop it within 4 s.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        assert!(pair.host.has("eth0", VIP), "gone after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    let bad = |event: &Event| matches!(event, Event::LeaseExpired { .. } | Event::Drift { .. });
    assert!(!agent.drain().iter().any(bad));
    agent.desire("a", &["10.77.0.100"], Custody::None);
    agent.expect_settled("a", false);
    assert!(!pair.host.has("eth0", VIP));
    agent.shutdown();
}

#[test]
fn a_vrrp_loop_that_falls_silent_loses_its_addresses_within_the_lease_and_two_seconds() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100", "10.77.0.101"], Custody::Serving);
    agent.expect_claimed("a");
    agent.stop_heart();
    let gone = until("the kernel to drop the VIPs", || {
        !pair.host.has("eth0", VIP) && !pair.host.has("eth0", "10.77.0.101/32")
    });
    assert!(gone < Duration::from_secs(2 + 2), "gone after {gone:?}");
    agent.expect("LeaseExpired", |event| match event {
        Event::LeaseExpired { address, .. } => (address.to_string() == "10.77.0.100").then_some(()),
        _ => None,
    });
    // A loop that wakes must judge first: the old wish counts for nothing.
    agent.start_heart();
    std::thread::sleep(Duration::from_secs(1));
    assert!(!pair.host.has("eth0", VIP));
    agent.desire("a", &["10.77.0.100", "10.77.0.101"], Custody::Serving);
    until("the new wish to be served", || pair.host.has("eth0", VIP));
    agent.shutdown();
}

#[test]
fn nothing_is_claimed_while_the_vrrp_loop_is_silent() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.stop_heart();
    std::thread::sleep(Duration::from_millis(800));
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!pair.host.has("eth0", VIP));
    agent.start_heart();
    agent.expect_claimed("a");
    agent.shutdown();
}

#[test]
fn label_scope_and_broadcast_are_honoured_and_changed_in_place() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let mut written = crate::agent::vip("10.88.0.100/24");
    written.label = Some("eth0:vip".into());
    written.scope = vipfleet_model::address::Scope::Link;
    written.broadcast = Some([10, 88, 0, 255].into());
    let mut desire = vipfleet_agent::net::Desire {
        instance: "a".parse().unwrap(),
        serial: 1,
        interface: "eth0".into(),
        device: None,
        addresses: [written.clone()].into(),
        following: Default::default(),
        custody: Custody::Serving,
        lease: vipfleet_agent::net::LeaseTerms::of(Duration::from_secs(3)),
    };
    agent.request(Request::Desire(desire.clone()));
    agent.expect_claimed("a");
    let line = pair.host.address("eth0", "10.88.0.100/24").unwrap();
    assert!(line.contains("brd 10.88.0.255 scope link"), "{line}");
    assert!(line.contains("eth0:vip"), "{line}");
    written.label = Some("eth0:new".into());
    desire.addresses = [written].into();
    desire.serial = 2;
    agent.request(Request::Desire(desire));
    until("the new label", || {
        let line = pair.host.address("eth0", "10.88.0.100/24");
        line.is_some_and(|line| line.contains("eth0:new"))
    });
    agent.shutdown();
    assert!(!pair.host.has("eth0", "10.88.0.100/24"));
}

#[test]
fn dropping_an_address_from_a_desire_removes_it_and_leaves_the_others_alone() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100", "10.77.0.101"], Custody::Serving);
    agent.expect_claimed("a");
    agent.desire("a", &["10.77.0.101"], Custody::Serving);
    until("the first to go", || !pair.host.has("eth0", VIP));
    assert!(pair.host.has("eth0", "10.77.0.101/32"));
    agent.request(Request::Forget { instance: "a".parse().unwrap() });
    until("the second to go", || !pair.host.has("eth0", "10.77.0.101/32"));
    agent.shutdown();
}

#[test]
fn an_ipv6_address_is_usable_at_once_and_no_source_for_the_hosts_own_traffic() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["2001:db8::100/128"], Custody::Serving);
    agent.expect_claimed("a");
    let line = pair.host.address("eth0", "2001:db8::100/128").unwrap();
    assert!(line.contains("deprecated") && !line.contains("tentative"), "{line}");
    std::thread::sleep(Duration::from_secs(4));
    assert!(pair.host.has("eth0", "2001:db8::100/128"), "not renewed");
    agent.shutdown();
    assert!(!pair.host.has("eth0", "2001:db8::100/128"));
}

#[test]
fn without_the_capability_the_failure_names_the_remedy() {
    use caps::{CapSet, Capability};
    let (pair, dir) = (Pair::new(), state_dir());
    let heartbeat = std::sync::Arc::new(vipfleet_agent::net::Heartbeat::new());
    let state_dir = dir.path().to_owned();
    let options = vipfleet_agent::net::Options { state_dir, heartbeat: heartbeat.clone() };
    let (net, events) = pair.host.enter(|| {
        caps::drop(None, CapSet::Effective, Capability::CAP_NET_ADMIN).unwrap();
        vipfleet_agent::net::Net::spawn(options).unwrap()
    });
    let desire = vipfleet_agent::net::Desire {
        instance: "a".parse().unwrap(),
        serial: 1,
        interface: "eth0".into(),
        device: None,
        addresses: [crate::agent::vip("10.77.0.100")].into(),
        following: Default::default(),
        custody: Custody::Serving,
        lease: vipfleet_agent::net::LeaseTerms::of(Duration::from_secs(3)),
    };
    net.request(Request::Desire(desire)).unwrap();
    let mut text = String::new();
    until("a failure", || {
        heartbeat.beat(vipfleet_agent::net::clock::now());
        while let Some(event) = events.try_recv() {
            if let Event::Failed { fault, .. } = event {
                text = fault.to_string();
            }
        }
        !text.is_empty()
    });
    assert!(
        text.contains("add 10.77.0.100/32 on eth0") && text.contains("CAP_NET_ADMIN"),
        "{text}"
    );
}
