//! IPv6: what is other than with IPv4, in the kernel and in how it tells of it.

use crate::agent::{Agent, state_dir};
use crate::lab::{Namespace, Pair, until};
use crate::probe::{Pinger, solicitation_is_answered};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};
use vipfleet_agent::net::{Drift, Event, InterfaceState, Request};
use vipfleet_vrrp::Custody;

const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn is_trouble(event: &Event) -> bool {
    matches!(event, Event::Drift { .. } | Event::LeaseExpired { .. } | Event::Failed { .. })
}

fn knows_the_way(client: &Namespace, host: &Namespace) {
    let mac = host.mac("eth0").map(|it| format!("{it:02x}")).join(":");
    client.ip(&format!("neigh replace 2001:db8::100 lladdr {mac} dev eth0 nud permanent"));
}

#[test]
fn a_silent_holder_serves_packets_and_answers_no_solicitation() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let pinger = Pinger::new(&pair.client, VIP);
    agent.desire("a", &["2001:db8::100/128"], Custody::Serving);
    agent.expect_claimed("a");
    assert!(pinger.is_answered(Duration::from_secs(5)));
    assert!(solicitation_is_answered(&pair.client, CLIENT, VIP));
    agent.desire("a", &["2001:db8::100/128"], Custody::Silent);
    until("the handover route", || pair.host.handover_routes().contains("2001:db8::100"));
    until("the address to go", || !pair.host.has("eth0", "2001:db8::100/128"));
    assert!(!solicitation_is_answered(&pair.client, CLIENT, VIP));
    // The host's own address is answered all the same.
    assert!(solicitation_is_answered(&pair.client, CLIENT, HOST));
    knows_the_way(&pair.client, &pair.host);
    assert!(pinger.is_answered(Duration::from_secs(5)));
    agent.desire("a", &["2001:db8::100/128"], Custody::None);
    until("the route to go", || pair.host.handover_routes().is_empty());
    assert!(!pinger.is_answered(Duration::from_millis(200)));
    assert!(!agent.drain().iter().any(is_trouble));
    agent.shutdown();
}

#[test]
fn going_silent_and_back_loses_no_packet_and_is_nobody_elses_doing() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    knows_the_way(&pair.client, &pair.host);
    agent.desire("a", &["2001:db8::100/128"], Custody::Serving);
    agent.expect_claimed("a");
    let pinger = Pinger::new(&pair.client, VIP);
    assert!(pinger.is_answered(Duration::from_secs(5)));
    let (mut sent, mut answered, mut turns) = (0_u16, 0_u16, 0_usize);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        if sent % 50 == 0 {
            let custody = [Custody::Silent, Custody::Serving][turns % 2];
            turns += 1;
            agent.desire("a", &["2001:db8::100/128"], custody);
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
    let trouble: Vec<_> = agent.drain().into_iter().filter(is_trouble).collect();
    assert_eq!(trouble, []);
    agent.shutdown();
}

#[test]
fn letting_go_and_claiming_at_once_is_no_deletion_of_somebody_else() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let six = ["2001:db8::100/128", "2001:db8::101/64", "fe80::100/128"];
    for _ in 0..100 {
        agent.desire("a", &six, Custody::Serving);
        agent.expect_claimed("a");
        agent.desire("a", &six, Custody::None);
    }
    agent.desire("a", &six, Custody::Serving);
    agent.expect_claimed("a");
    std::thread::sleep(Duration::from_secs(4));
    assert!(six.iter().all(|address| pair.host.has("eth0", address)));
    let trouble: Vec<_> = agent.drain().into_iter().filter(is_trouble).collect();
    assert_eq!(trouble, []);
    // A real one is seen all the same.
    pair.host.ip("addr del 2001:db8::100/128 dev eth0");
    agent.expect("Drift::Deleted", |event| match event {
        Event::Drift { what: Drift::Deleted, .. } => Some(()),
        _ => None,
    });
    assert!(pair.host.has("eth0", "2001:db8::100/128"));
    agent.shutdown();
}

#[test]
fn an_interface_that_is_set_down_takes_ipv6_addresses_along_and_nobody_is_blamed() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    agent.desire("a", &["2001:db8::100/128"], Custody::Serving);
    agent.expect_claimed("a");
    pair.host.ip("link set eth0 down");
    pair.host.ip("link set eth0 up");
    until("the VIP to return", || pair.host.has("eth0", "2001:db8::100/128"));
    std::thread::sleep(Duration::from_secs(3));
    assert!(pair.host.has("eth0", "2001:db8::100/128"), "and to be renewed");
    let drift: Vec<_> = agent.drain().into_iter().filter(is_trouble).collect();
    assert_eq!(drift, []);
    agent.shutdown();
}

#[test]
fn a_permanent_ipv6_address_of_the_host_is_never_touched() {
    for hosts_own in ["2001:db8::100/128", "2001:db8::100/64", "fe80::100/64"] {
        let (pair, dir) = (Pair::over_ipv6(), state_dir());
        pair.host.ip(&format!("addr add {hosts_own} dev eth0 nodad"));
        let is_untouched = || pair.host.is_permanent("eth0", hosts_own);
        let wanted = hosts_own.replace("/64", "/128");
        let agent = Agent::start(&pair.host, dir.path());
        for custody in [Custody::Serving, Custody::Silent, Custody::None, Custody::Serving] {
            agent.desire("a", &[&wanted], custody);
            std::thread::sleep(Duration::from_millis(50));
            assert!(is_untouched(), "{hosts_own} after {custody:?}");
        }
        agent.expect("Drift::Foreign", |event| match event {
            Event::Drift { what: Drift::Foreign, .. } => Some(()),
            _ => None,
        });
        agent.shutdown();
        assert!(is_untouched(), "{hosts_own} after a shutdown");
    }
}

#[test]
fn a_vip_is_never_the_source_of_the_hosts_own_traffic() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    // Closer to the destination than the host's own: RFC 6724 rule 8 would choose it.
    agent.desire("a", &["2001:db8::200/64"], Custody::Serving);
    agent.expect_claimed("a");
    let chosen = pair.host.ip("-6 route get 2001:db8::201");
    assert!(chosen.contains(" src 2001:db8::1 "), "{chosen}");
    agent.shutdown();
}

fn expect_state(
    agent: &Agent,
    what: &str,
    wanted: impl Fn(&InterfaceState) -> bool,
) -> InterfaceState {
    agent.expect(what, |event| match event {
        Event::Interface(state) if state.name == "eth0" && wanted(state) => Some(state.clone()),
        _ => None,
    })
}

#[test]
fn an_address_counts_once_duplicate_address_detection_has_passed_it() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    let (fine, taken) = ("fe80::77", "fe80::2");
    pair.host.ip(&format!("addr add {fine}/64 dev eth0"));
    let state = expect_state(&agent, "a tentative address", |state| {
        state.ipv6.tentative.iter().any(|it| it.to_string() == fine)
    });
    let usable = |state: &InterfaceState, wanted: &str| {
        state.addresses.iter().any(|it| it.addr().to_string() == wanted)
    };
    assert!(!usable(&state, fine));
    expect_state(&agent, "a usable address", |state| usable(state, fine));
    // The client has it.
    pair.host.ip(&format!("addr add {taken}/64 dev eth0"));
    let state = expect_state(&agent, "a duplicate", |state| {
        state.ipv6.duplicate.iter().any(|it| it.to_string() == taken)
    });
    assert!(!usable(&state, taken));
    agent.shutdown();
}

#[test]
fn the_loop_is_told_of_an_interface_without_ipv6_and_of_one_that_forwards() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let set = |key: &str, value: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/eth0/{key}");
        pair.host.enter(|| std::fs::write(path, value).unwrap());
    };
    set("forwarding", "1");
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    let state = expect_state(&agent, "eth0", |_| true);
    assert_eq!(state.ipv6.role, vipfleet_agent::net::Role::Router);
    assert!(!state.ipv6.disabled);
    set("disable_ipv6", "1");
    let state = expect_state(&agent, "no IPv6", |state| state.ipv6.disabled);
    assert!(state.addresses.iter().all(|it| it.addr().is_ipv4()));
    agent.shutdown();
}
