//! The device of a virtual MAC: when it is there, when it is up, whose it is, and what neighbours
//! see of it.

use crate::agent::{Agent, state_dir};
use crate::lab::{GENEROUS, Namespace, Pair, until};
use crate::probe::{Pinger, Received, arp_is_answered, frame, packet_socket, read};
use nix::libc;
use socket2::Socket;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use vipfleet_agent::net::{Announcer, Event, Leftover, Origin, Request, VrrpSocket};
use vipfleet_vrrp::{Custody, Family};

const VIP: &str = "10.77.0.100";
const DEVICE: &str = "vrrp.51";
const MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x01, 51];
const VIP_V6: &str = "2001:db8::100/128";
const DEVICE_V6: &str = "vrrp6.51";
const MAC_V6: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x02, 51];
const SHORT: Duration = Duration::from_millis(500);

fn exists(namespace: &Namespace, device: &str) -> bool {
    namespace.ip("-o link").contains(&format!(" {device}@"))
}

fn is_up(namespace: &Namespace, device: &str) -> bool {
    namespace.ip(&format!("-o link show dev {device}")).contains(",UP")
}

fn neighbour(namespace: &Namespace, address: &str) -> String {
    namespace.ip(&format!("neigh show {address} dev eth0"))
}

fn ping(namespace: &Namespace, address: &str) -> bool {
    let target: IpAddr = address.split('/').next().unwrap().parse().unwrap();
    Pinger::new(namespace, target).is_answered(SHORT)
}

fn obstacle(agent: &Agent) -> Option<String> {
    agent.expect("news of the device", |event| match event {
        Event::Device { obstacle, .. } => Some(obstacle.clone()),
        _ => None,
    })
}

fn serving(pair: &Pair, dir: &std::path::Path) -> Agent {
    let agent = Agent::start(&pair.host, dir);
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::Serving);
    agent.expect_claimed("a");
    agent
}

/// Waits for a frame of a source.
fn next_from(socket: &Socket, mac: [u8; 6], within: Duration) -> Option<Vec<u8>> {
    let deadline = Instant::now() + within;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let frame = frame(socket, left)?;
        if frame[6..12] == mac {
            return Some(frame);
        }
    }
    None
}

#[test]
fn a_device_is_there_while_its_instance_runs_and_up_while_it_serves() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::WatchInterfaces);
    agent.request(Request::Reconcile);
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::None);
    until("the device", || exists(&pair.host, DEVICE));
    let origin = agent.expect("the device to be told", |event| match event {
        Event::Interface(state) if state.name == DEVICE => Some(state.origin),
        _ => None,
    });
    assert_eq!(origin, Origin::Agent);
    assert_eq!(pair.host.mac(DEVICE), MAC);
    assert!(!is_up(&pair.host, DEVICE));
    until("the settings of its parent", || pair.host.setting("eth0", "arp_announce") == 2);
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);

    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::Serving);
    agent.expect_claimed("a");
    assert!(is_up(&pair.host, DEVICE));
    assert!(pair.host.has(DEVICE, "10.77.0.100/32") && !pair.host.has("eth0", "10.77.0.100/32"));
    assert!(ping(&pair.client, VIP));
    assert!(neighbour(&pair.client, VIP).contains("00:00:5e:00:01:33"));
    // The host goes on answering for itself, and as itself.
    pair.client.ip("neigh flush all");
    assert!(ping(&pair.client, "10.77.0.1"));
    let own = pair.host.ip("-o link show dev eth0");
    let own = own.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap();
    assert!(neighbour(&pair.client, "10.77.0.1").contains(own));

    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::None);
    until("the device to be down", || !is_up(&pair.host, DEVICE));
    assert!(!pair.host.has(DEVICE, "10.77.0.100/32"));
    let (sender, vip) = (Ipv4Addr::new(10, 77, 0, 2), Ipv4Addr::new(10, 77, 0, 100));
    assert!(!arp_is_answered(&pair.client, sender, vip));
    assert!(exists(&pair.host, DEVICE));
    agent.request(Request::Forget { instance: "a".parse().unwrap() });
    until("the device to go", || !exists(&pair.host, DEVICE));
    until("the settings to be put back", || pair.host.setting("eth0", "arp_ignore") == 0);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 0);
    agent.shutdown();
}

#[test]
fn a_restarted_agent_takes_its_device_over_and_a_stopped_one_leaves_none() {
    let (pair, dir) = (Pair::new(), state_dir());
    serving(&pair, dir.path()).crash();
    let index = pair.host.index(DEVICE);
    let agent = Agent::start(&pair.host, dir.path());
    let left = agent.expect("Owned", |event| match event {
        Event::Owned(left) => Some(left.clone()),
        _ => None,
    });
    let [Leftover { interface, address, .. }] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((interface.as_str(), address.to_string().as_str()), (DEVICE, "10.77.0.100/32"));
    // Without them the parent would answer ARP for the address.
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 2);
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::Serving);
    agent.expect_claimed("a");
    agent.request(Request::Reconcile);
    agent.expect_settled("a", true);
    assert_eq!(pair.host.index(DEVICE), index);
    assert!(ping(&pair.client, VIP));
    agent.shutdown();
    assert!(!exists(&pair.host, DEVICE));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0);
    assert_eq!(pair.host.setting("eth0", "arp_announce"), 0);
}

#[test]
fn a_device_that_nobody_desires_goes_at_the_reconcile() {
    let (pair, dir) = (Pair::new(), state_dir());
    serving(&pair, dir.path()).crash();
    let agent = Agent::start(&pair.host, dir.path());
    assert!(exists(&pair.host, DEVICE));
    agent.request(Request::Reconcile);
    until("the device to go", || !exists(&pair.host, DEVICE));
    until("the settings to be put back", || pair.host.setting("eth0", "arp_ignore") == 0);
    agent.shutdown();
}

#[test]
fn a_device_of_somebody_else_is_left_alone_and_in_the_way_until_it_goes() {
    let (pair, dir) = (Pair::new(), state_dir());
    pair.host.ip("link add vrrp.51 link eth0 address 00:00:5e:00:01:33 type macvlan mode vepa");
    pair.host.ip("link set vrrp.51 up");
    let agent = Agent::start(&pair.host, dir.path());
    agent.request(Request::Reconcile);
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::Serving);
    let why = obstacle(&agent).unwrap();
    assert!(why.contains(DEVICE) && why.contains("ip link del"), "{why}");
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::None);
    agent.desire_on_device("a", Family::Ipv4, &[VIP], Custody::Serving);
    std::thread::sleep(SHORT);
    assert!(!pair.host.has(DEVICE, "10.77.0.100/32"));
    assert!(is_up(&pair.host, DEVICE));
    pair.host.ip("link del vrrp.51");
    assert_eq!(obstacle(&agent), None);
    agent.expect_claimed("a");
    assert!(ping(&pair.client, VIP));
    agent.shutdown();
}

#[test]
fn a_device_that_somebody_deletes_or_sets_down_is_put_back_in_place() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = serving(&pair, dir.path());
    let index = pair.host.index(DEVICE);
    pair.host.ip("link del vrrp.51");
    let what = agent.expect("Restored", |event| match event {
        Event::Restored { what, .. } => Some(what.clone()),
        _ => None,
    });
    assert!(what.contains(DEVICE), "{what}");
    until("the VIP", || exists(&pair.host, DEVICE) && pair.host.has(DEVICE, "10.77.0.100/32"));
    assert_ne!(pair.host.index(DEVICE), index);
    until("the VIP to answer", || ping(&pair.client, VIP));
    pair.host.ip("link set vrrp.51 down");
    until("the device to be up", || is_up(&pair.host, DEVICE));
    until("the VIP to answer", || ping(&pair.client, VIP));
    agent.shutdown();
}

#[test]
fn a_device_moves_with_its_instance_to_another_interface() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = serving(&pair, dir.path());
    agent.request(Request::Reconcile);
    pair.host.ip("link add eth1 type veth peer name eth2");
    pair.host.ip("link set eth1 up");
    pair.host.ip("link set eth2 up");
    agent.desire_on_device_of("a", "eth1", Family::Ipv4, &[VIP], Custody::Serving);
    let there = || pair.host.ip("-o link").contains(&format!(" {DEVICE}@eth1:"));
    until("the device to be on the other", there);
    until("the VIP", || pair.host.has(DEVICE, "10.77.0.100/32"));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0);
    assert_eq!(pair.host.setting("eth1", "arp_ignore"), 1);
    // And off it: the address goes over before the device does.
    agent.desire("a", &[VIP], Custody::Serving);
    agent.expect_claimed("a");
    until("the device to go", || !exists(&pair.host, DEVICE));
    assert!(ping(&pair.client, VIP));
    agent.shutdown();
}

#[test]
fn a_device_goes_with_its_parent_and_comes_back_with_it() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = serving(&pair, dir.path());
    pair.host.ip("link set eth0 down");
    pair.host.ip("link set eth0 up");
    until("the VIP to answer", || ping(&pair.client, VIP));
    pair.host.ip("link del eth0");
    assert!(!exists(&pair.host, DEVICE));
    pair.plug();
    pair.host.ip("addr add 10.77.0.1/24 dev eth0");
    pair.client.ip("addr add 10.77.0.2/24 dev eth0");
    until("the device", || exists(&pair.host, DEVICE));
    until("the VIP to answer", || ping(&pair.client, VIP));
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 1);
    let restored = agent.drain().into_iter().any(|it| matches!(it, Event::Restored { .. }));
    assert!(!restored, "nobody deleted it by itself");
    agent.shutdown();
}

#[test]
fn an_ipv6_device_answers_with_its_mac_and_says_nothing_once_it_has_let_go() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let all = packet_socket(&pair.client, libc::ETH_P_IPV6);
    agent.desire_on_device("a", Family::Ipv6, &[VIP_V6], Custody::Serving);
    agent.expect_claimed("a");
    assert!(ping(&pair.client, VIP_V6));
    assert!(neighbour(&pair.client, "2001:db8::100").contains("00:00:5e:00:02:33"));
    assert_eq!(pair.host.ip(&format!("-o -6 addr show dev {DEVICE_V6}")).lines().count(), 1);
    // The groups of its address are joined aloud.
    assert!(next_from(&all, MAC_V6, GENEROUS).is_some());
    agent.desire_on_device("a", Family::Ipv6, &[VIP_V6], Custody::None);
    until("the device to be down", || !is_up(&pair.host, DEVICE_V6));
    while frame(&all, Duration::ZERO).is_some() {}
    // The kernel's goodbyes come within a second or two; they would move the switch's table.
    assert_eq!(next_from(&all, MAC_V6, Duration::from_secs(3)), None);
    assert_eq!(pair.host.setting("eth0", "arp_ignore"), 0, "ARP is not IPv6's");
    agent.shutdown();
}

#[test]
fn an_advert_leaves_with_the_virtual_mac_and_a_rivals_is_heard_on_the_parent() {
    for (family, own, group, mac) in [
        (Family::Ipv4, ["10.77.0.1", "10.77.0.2"], "224.0.0.18", MAC),
        (Family::Ipv6, ["fe80::1", "fe80::2"], "ff02::12", MAC_V6),
    ] {
        let (pair, dir) = (Pair::over_ipv6(), state_dir());
        let agent = Agent::start(&pair.host, dir.path());
        let vip = if family == Family::Ipv4 { VIP } else { VIP_V6 };
        agent.desire_on_device("a", family, &[vip], Custody::Serving);
        agent.expect_claimed("a");
        let group: IpAddr = group.parse().unwrap();
        let open = |namespace: &Namespace| {
            let index = namespace.index("eth0");
            let open = || (VrrpSocket::open("eth0", index, family).unwrap(), Announcer::open());
            let (socket, announcer) = namespace.enter(open);
            (socket, announcer.unwrap(), index)
        };
        let (mut ours, speaks, index) = open(&pair.host);
        let (mut theirs, rival, rival_index) = open(&pair.client);
        let wire = packet_socket(&pair.client, libc::ETH_P_ALL);
        let [one, two] = own.map(|text| text.parse::<IpAddr>().unwrap());
        speaks.transmit(index, mac, (one, group), b"from the host").unwrap();
        // The kernel may still be joining groups aloud.
        let said = |wire: &_| next_from(wire, mac, GENEROUS).expect("an advert on the wire");
        while !said(&wire).ends_with(b"from the host") {}
        until("the peer to hear it", || {
            read(&mut theirs).iter().any(|packet| {
                assert_eq!((packet.envelope.source, packet.envelope.ttl), (one, 255));
                packet.message == b"from the host"
            })
        });
        rival.transmit(rival_index, mac, (two, group), b"from a rival").unwrap();
        until("the host to hear its rival", || {
            let is_it = |it: &Received| it.message == b"from a rival" && it.envelope.source == two;
            read(&mut ours).iter().any(is_it)
        });
        agent.shutdown();
    }
}
