//! The ARP-silent grace of a handover.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use crate::probe::{Pinger, arp_is_answered};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use vipfleet_vrrp::Custody;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[test]
fn a_silent_holder_serves_packets_and_answers_no_arp() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let pinger = Pinger::new(&pair.client, VIP);
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    assert!(pinger.is_answered(Duration::from_secs(5)));
    assert!(arp_is_answered(&pair.client, CLIENT, VIP));
    agent.desire("a", &["10.77.0.100"], Custody::Silent);
    until("the handover route", || pair.host.handover_routes().contains("10.77.0.100"));
    until("the address to go", || !pair.host.has("eth0", "10.77.0.100/32"));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 2);
    assert!(!arp_is_answered(&pair.client, CLIENT, VIP));
    // The host's own address is answered all the same.
    assert!(arp_is_answered(&pair.client, CLIENT, Ipv4Addr::new(10, 77, 0, 1)));
    // A client that knows the way is served.
    let mac = pair.host.mac("eth0").map(|it| format!("{it:02x}")).join(":");
    pair.client.ip(&format!("neigh replace 10.77.0.100 lladdr {mac} dev eth0 nud permanent"));
    assert!(pinger.is_answered(Duration::from_secs(5)));
    agent.desire("a", &["10.77.0.100"], Custody::None);
    until("the route to go", || pair.host.handover_routes().is_empty());
    until("the settings to be put back", || {
        pair.host.setting("eth0", "arp_ignore") == 0
            && pair.host.setting("eth0", "arp_announce") == 0
    });
    assert!(!pinger.is_answered(Duration::from_millis(200)));
    agent.shutdown();
}

#[test]
fn going_silent_and_back_loses_no_packet() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let mac = pair.host.mac("eth0").map(|it| format!("{it:02x}")).join(":");
    pair.client.ip(&format!("neigh replace 10.77.0.100 lladdr {mac} dev eth0 nud permanent"));
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    let pinger = Pinger::new(&pair.client, VIP);
    assert!(pinger.is_answered(Duration::from_secs(5)));
    let (mut sent, mut answered, mut turns) = (0_u16, 0_u16, 0_usize);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        if sent % 50 == 0 {
            let custody = [Custody::Silent, Custody::Serving][turns % 2];
            turns += 1;
            agent.desire("a", &["10.77.0.100"], custody);
        }
        pinger.send(sent + 1);
        sent += 1;
        while pinger.reply(Duration::from_millis(1)).is_some() {
            answered += 1;
        }
    }
    while pinger.reply(Duration::from_millis(200)).is_some() {
        answered += 1;
    }
    assert!(turns > 10, "{turns} turns");
    assert_eq!(sent - answered, 0, "lost of {sent} over {turns} turns");
    agent.shutdown();
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0);
}

#[test]
fn settings_that_the_host_has_higher_already_stay_as_they_are() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.set("eth0", "arp_ignore", 2);
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    agent.desire("a", &["10.77.0.100"], Custody::Silent);
    until("the handover route", || pair.host.handover_routes().contains("10.77.0.100"));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 2);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 2);
    agent.shutdown();
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 2);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 0);
}

#[test]
fn settings_stay_raised_until_the_last_silent_address_has_gone() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    for (instance, address) in [("a", "10.77.0.100"), ("b", "10.77.0.101")] {
        agent.desire(instance, &[address], Custody::Serving);
        agent.expect_claimed(instance);
        agent.desire(instance, &[address], Custody::Silent);
        until("the handover route", || pair.host.handover_routes().contains(address));
    }
    agent.desire("a", &["10.77.0.100"], Custody::None);
    until("the first route to go", || !pair.host.handover_routes().contains("10.77.0.100"));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);
    agent.desire("b", &["10.77.0.101"], Custody::None);
    until("the settings to be put back", || pair.host.setting("eth0", "arp_ignore") == 0);
    agent.shutdown();
}
