//! The VRRP socket and neighbour advertisements between two hosts, over IPv6.

use crate::lab::{Namespace, Pair, until};
use crate::probe::{only, read, readable};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::Duration;
use vipfleet_agent::net::{Announcer, Outlet, Role, VrrpSocket, clock, socket::GROUP_V6};
use vipfleet_vrrp::Family;

const HOST: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const CLIENT: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
const GLOBAL: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
];
const GROUP: IpAddr = IpAddr::V6(GROUP_V6);
const WAIT: Duration = Duration::from_secs(5);

fn open(namespace: &Namespace) -> VrrpSocket {
    let index = namespace.index("eth0");
    namespace.enter(|| VrrpSocket::open("eth0", index, Family::Ipv6)).unwrap()
}

fn await_packet(socket: &VrrpSocket) {
    let socket = socket2::SockRef::from(socket);
    assert!(readable(&socket, WAIT), "nothing arrived within {WAIT:?}");
}

#[test]
fn an_advert_crosses_the_wire_by_multicast_and_by_unicast() {
    let pair = Pair::over_ipv6();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    for (source, destination) in [(HOST, GROUP), (HOST, CLIENT), (GLOBAL[0], GLOBAL[1])] {
        let before = clock::now();
        host.send(source, destination, b"advert").unwrap();
        await_packet(&client);
        let packet = only(&mut client);
        assert_eq!(packet.message, b"advert");
        assert_eq!(packet.envelope.source, source);
        assert_eq!(packet.envelope.destination, destination);
        assert_eq!(packet.envelope.ttl, 255, "RFC 9568 §5.1.2.3");
        assert!(packet.received >= before && packet.received <= clock::now());
        assert!(read(&mut client).is_empty());
    }
}

#[test]
fn the_largest_advert_arrives_whole() {
    let pair = Pair::over_ipv6();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    let message = [0x31; 8 + 255 * 16];
    host.send(HOST, GROUP, &message).unwrap();
    await_packet(&client);
    assert_eq!(only(&mut client).message, message);
}

#[test]
fn a_packet_is_dated_when_it_came_and_not_when_it_was_read() {
    let pair = Pair::over_ipv6();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    host.send(HOST, GROUP, b"advert").unwrap();
    await_packet(&client);
    let arrived_by = clock::now();
    std::thread::sleep(Duration::from_millis(100));
    let received = only(&mut client).received;
    assert!(received <= arrived_by, "{} late", received.since(arrived_by).as_secs_f64());
}

/// A raw socket of the test's own: hop limit and traffic class of what it gets next.
fn header_of_next(socket: &Socket) -> (i32, i32) {
    let (mut hops, mut class) = (None, None);
    let mut bytes = [0; 128];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(i32, i32);
    let fd = socket.as_raw_fd();
    let got = recvmsg::<SockaddrIn6>(fd, &mut slices, Some(&mut control), MsgFlags::empty());
    for message in got.unwrap().cmsgs().unwrap() {
        match message {
            ControlMessageOwned::Ipv6HopLimit(it) => hops = Some(it),
            ControlMessageOwned::Ipv6TClass(it) => class = Some(it),
            _ => {}
        }
    }
    (hops.unwrap(), class.unwrap())
}

#[test]
fn the_ip_header_carries_what_routers_expect() {
    let pair = Pair::over_ipv6();
    let (host, _member) = (open(&pair.host), open(&pair.client));
    let protocol = Some(Protocol::from(112));
    let raw = pair.client.enter(|| Socket::new(Domain::IPV6, Type::RAW, protocol).unwrap());
    raw.join_multicast_v6(&GROUP_V6, pair.client.index("eth0")).unwrap();
    setsockopt(&raw, sockopt::Ipv6RecvHopLimit, &true).unwrap();
    setsockopt(&raw, sockopt::Ipv6RecvTClass, &true).unwrap();
    for destination in [GROUP, CLIENT] {
        host.send(HOST, destination, &[0x31; 24]).unwrap();
        assert!(readable(&raw, WAIT));
        assert_eq!(header_of_next(&raw), (255, 0xc0), "to {destination}");
    }
}

#[test]
fn a_packet_that_crossed_a_router_says_so() {
    let pair = Pair::over_ipv6();
    let mut client = open(&pair.client);
    let protocol = Some(Protocol::from(112));
    let raw = pair.host.enter(|| Socket::new(Domain::IPV6, Type::RAW, protocol).unwrap());
    raw.set_multicast_hops_v6(254).unwrap();
    let to = std::net::SocketAddrV6::new(GROUP_V6, 0, 0, pair.host.index("eth0"));
    raw.send_to(b"advert", &to.into()).unwrap();
    await_packet(&client);
    assert_eq!(only(&mut client).envelope.ttl, 254);
}

#[test]
fn own_multicasts_do_not_come_back_and_packets_of_other_interfaces_do_not_come_in() {
    let pair = Pair::over_ipv6();
    pair.host.ip("link add eth1 type veth peer name eth2");
    pair.host.ip("link set eth1 up");
    pair.host.ip("link set eth2 up");
    pair.host.ip("addr add fe80::3/64 dev eth1 nodad");
    let mut host = open(&pair.host);
    let index = pair.host.index("eth1");
    let other = pair.host.enter(|| VrrpSocket::open("eth1", index, Family::Ipv6)).unwrap();
    other.send("fe80::3".parse().unwrap(), GROUP, b"elsewhere").unwrap();
    host.send(HOST, GROUP, b"own").unwrap();
    let client = open(&pair.client);
    client.send(CLIENT, GROUP, b"foreign").unwrap();
    await_packet(&host);
    assert_eq!(only(&mut host).message, b"foreign");
    assert!(read(&mut host).is_empty());
}

#[test]
fn a_socket_rejoins_an_interface_that_came_back_under_a_new_index() {
    let pair = Pair::over_ipv6();
    let (mut host, client) = (open(&pair.host), open(&pair.client));
    drop(client);
    pair.host.ip("link del eth0");
    pair.plug();
    pair.client.ip("addr add fe80::2/64 dev eth0 nodad");
    let index = pair.host.index("eth0");
    pair.host.enter(|| host.rejoin(index)).unwrap();
    let client = open(&pair.client);
    client.send(CLIENT, GROUP, b"again").unwrap();
    await_packet(&host);
    assert_eq!(only(&mut host).message, b"again");
}

#[test]
fn a_source_that_is_no_address_of_the_host_or_not_yet_is_refused_by_the_kernel() {
    let pair = Pair::over_ipv6();
    let host = open(&pair.host);
    assert!(host.send("fe80::99".parse().unwrap(), GROUP, b"advert").is_err());
    // Detection of duplicates takes a second.
    pair.host.ip("addr add fe80::98/64 dev eth0");
    assert!(host.send("fe80::98".parse().unwrap(), GROUP, b"advert").is_err());
    let family = host.send(HOST, IpAddr::from([224, 0, 0, 18]), b"advert");
    assert_eq!(family.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn an_advertisement_corrects_a_neighbour_that_knew_another_host() {
    for (role, flag) in [(Role::Host, false), (Role::Router, true)] {
        let pair = Pair::over_ipv6();
        let wrong = "lladdr 02:00:00:00:00:99 dev eth0 nud stale";
        pair.client.ip(&format!("neigh replace 2001:db8::100 {wrong}"));
        let mut announcer = pair.host.enter(Announcer::open).unwrap();
        let mac = pair.host.mac("eth0");
        let text = mac.map(|it| format!("{it:02x}")).join(":");
        let vip = "2001:db8::100".parse().unwrap();
        until("the neighbour to learn", || {
            let index = pair.host.index("eth0");
            announcer.queue(Outlet { index, mac, role }, vip).unwrap();
            announcer.flush(Result::unwrap);
            pair.client.ip("-6 neigh show 2001:db8::100").contains(&text)
        });
        let shown = pair.client.ip("-6 neigh show 2001:db8::100");
        assert_eq!(shown.contains(" router "), flag, "{shown}");
    }
}
