//! The VRRP socket and gratuitous ARP between two hosts.

use crate::lab::{Namespace, Pair, until};
use crate::probe::{arp_socket, frame, only, read, readable};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use vipfleet_agent::net::{Announcer, Outgoing, Outlet, Role, VrrpSocket, clock, socket::GROUP};
use vipfleet_vrrp::Family;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const WAIT: Duration = Duration::from_secs(5);

fn open(namespace: &Namespace) -> VrrpSocket {
    let index = namespace.index("eth0");
    namespace.enter(|| VrrpSocket::open("eth0", index, Family::Ipv4)).unwrap()
}

fn await_packet(socket: &VrrpSocket) {
    let socket = socket2::SockRef::from(socket);
    assert!(readable(&socket, WAIT), "nothing arrived within {WAIT:?}");
}

#[test]
fn an_advert_crosses_the_wire_by_multicast_and_by_unicast() {
    let pair = Pair::new();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    for destination in [IpAddr::V4(GROUP), CLIENT] {
        let before = clock::now();
        host.send(HOST, destination, b"advert").unwrap();
        await_packet(&client);
        let packet = only(&mut client);
        assert_eq!(packet.message, b"advert");
        assert_eq!(packet.envelope.source, HOST);
        assert_eq!(packet.envelope.destination, destination);
        assert_eq!(packet.envelope.ttl, 255, "RFC 9568 §5.1.1.3");
        assert!(packet.received >= before && packet.received <= clock::now());
        assert!(read(&mut client).is_empty());
    }
}

#[test]
fn a_packet_is_dated_when_it_came_and_not_when_it_was_read() {
    let pair = Pair::new();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    host.send(HOST, IpAddr::V4(GROUP), b"advert").unwrap();
    await_packet(&client);
    let arrived_by = clock::now();
    std::thread::sleep(Duration::from_millis(100));
    let received = only(&mut client).received;
    assert!(received <= arrived_by, "{} late", received.since(arrived_by).as_secs_f64());
}

#[test]
fn the_ip_header_carries_what_routers_expect() {
    let pair = Pair::new();
    let host = open(&pair.host);
    let _member = open(&pair.client);
    let raw = pair
        .client
        .enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap());
    raw.join_multicast_v4_n(
        &GROUP,
        &socket2::InterfaceIndexOrAddress::Index(pair.client.index("eth0")),
    )
    .unwrap();
    host.send(HOST, IpAddr::V4(GROUP), &[0x21; 20]).unwrap();
    assert!(readable(&raw, WAIT));
    let mut bytes = [0; 128];
    let length = (&raw).read(&mut bytes).unwrap();
    let header = etherparse::Ipv4HeaderSlice::from_slice(&bytes[..length]).unwrap();
    assert_eq!(header.ttl(), 255);
    assert_eq!(header.slice()[1], 0xc0, "type of service");
    assert_eq!(header.protocol().0, 112);
    assert_eq!(header.source_addr(), Ipv4Addr::new(10, 77, 0, 1));
    assert_eq!(header.destination_addr(), GROUP);
}

#[test]
fn own_multicasts_do_not_come_back_and_packets_of_other_interfaces_do_not_come_in() {
    let pair = Pair::new();
    pair.host.ip("link add eth1 type veth peer name eth2");
    pair.host.ip("link set eth1 up");
    pair.host.ip("link set eth2 up");
    pair.host.ip("addr add 10.78.0.1/24 dev eth1");
    let mut host = open(&pair.host);
    let index = pair.host.index("eth1");
    let other = pair.host.enter(|| VrrpSocket::open("eth1", index, Family::Ipv4)).unwrap();
    other.send(Ipv4Addr::new(10, 78, 0, 1).into(), IpAddr::V4(GROUP), b"elsewhere").unwrap();
    host.send(HOST, IpAddr::V4(GROUP), b"own").unwrap();
    let client = open(&pair.client);
    client.send(CLIENT, IpAddr::V4(GROUP), b"foreign").unwrap();
    await_packet(&host);
    assert_eq!(only(&mut host).message, b"foreign");
    assert!(read(&mut host).is_empty());
}

#[test]
fn a_socket_rejoins_an_interface_that_came_back_under_a_new_index() {
    let pair = Pair::new();
    let (mut host, client) = (open(&pair.host), open(&pair.client));
    drop(client);
    pair.host.ip("link del eth0");
    pair.plug();
    pair.host.ip("addr add 10.77.0.1/24 dev eth0");
    pair.client.ip("addr add 10.77.0.2/24 dev eth0");
    let index = pair.host.index("eth0");
    pair.host.enter(|| host.rejoin(index)).unwrap();
    let client = open(&pair.client);
    client.send(CLIENT, IpAddr::V4(GROUP), b"again").unwrap();
    await_packet(&host);
    assert_eq!(only(&mut host).message, b"again");
}

#[test]
fn packets_that_nobody_read_in_time_are_counted() {
    let pair = Pair::new();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    socket2::SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
    for _ in 0..200 {
        host.send(HOST, IpAddr::V4(GROUP), &[0; 40]).unwrap();
    }
    await_packet(&client);
    let mut count = 0;
    // The count comes with a packet that arrives after the loss.
    until("the count", || {
        count += read(&mut client).len() as u64;
        host.send(HOST, IpAddr::V4(GROUP), &[0; 40]).unwrap();
        client.overruns() > 0
    });
    assert!(client.overruns() >= 200 - count, "{} of 200, {count} read", client.overruns());
}

#[test]
fn a_source_that_is_no_address_of_the_host_is_refused_by_the_kernel() {
    let pair = Pair::new();
    let host = open(&pair.host);
    let stranger = Ipv4Addr::new(10, 77, 0, 99).into();
    assert!(host.send(stranger, IpAddr::V4(GROUP), b"advert").is_err());
}

#[test]
fn a_datagram_with_ip_options_is_read_from_where_its_header_ends() {
    let pair = Pair::new();
    let mut client = open(&pair.client);
    let raw = pair
        .host
        .enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap());
    raw.set_header_included_v4(true).unwrap();
    // Twenty bytes of header and a router alert (RFC 2113).
    let mut bytes = vec![0x46, 0xc0, 0, 30, 0, 0, 0, 0, 255, 112, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2];
    bytes.extend([0x94, 0x04, 0, 0]);
    bytes.extend(b"advert");
    raw.send_to(&bytes, &SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 2), 0).into()).unwrap();
    await_packet(&client);
    assert_eq!(only(&mut client).message, b"advert");
}

#[test]
fn a_neighbour_sees_our_gratuitous_arp_as_keepalived_sends_it() {
    let pair = Pair::new();
    let watcher = arp_socket(&pair.client);
    let mut announcer = pair.host.enter(Announcer::open).unwrap();
    let mac = pair.host.mac("eth0");
    let vip = Ipv4Addr::new(10, 77, 0, 100);
    let outlet = Outlet { index: pair.host.index("eth0"), mac, role: Role::Host };
    announcer.queue(outlet, vip.into()).unwrap();
    announcer.flush(Result::unwrap);
    let seen = loop {
        let frame = frame(&watcher, WAIT).expect("an announcement");
        // The kernels of both ends may be looking for each other.
        if frame[38..42] == vip.octets() {
            break frame;
        }
    };
    let mut wanted = vec![0xff; 6];
    wanted.extend(mac);
    wanted.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    wanted.extend(mac);
    wanted.extend(vip.octets());
    wanted.extend([0xff; 6]);
    wanted.extend(vip.octets());
    assert_eq!(seen[..42], wanted[..]);
}

#[test]
fn an_announcement_corrects_a_neighbour_that_knew_another_host() {
    let pair = Pair::new();
    pair.client.ip("neigh replace 10.77.0.100 lladdr 02:00:00:00:00:99 dev eth0 nud stale");
    let mut announcer = pair.host.enter(Announcer::open).unwrap();
    let mac = pair.host.mac("eth0");
    let text = mac.map(|it| format!("{it:02x}")).join(":");
    let vip = Ipv4Addr::new(10, 77, 0, 100).into();
    until("the neighbour to learn", || {
        let outlet = Outlet { index: pair.host.index("eth0"), mac, role: Role::Host };
        announcer.queue(outlet, vip).unwrap();
        announcer.flush(Result::unwrap);
        pair.client.ip("neigh show 10.77.0.100").contains(&text)
    });
}

#[test]
fn messages_that_leave_together_arrive_in_order_and_one_that_is_refused_keeps_none_back() {
    let pair = Pair::new();
    let (host, mut client) = (open(&pair.host), open(&pair.client));
    let stranger = Ipv4Addr::new(10, 77, 0, 99).into();
    let mut outgoing = Outgoing::default();
    for number in 0..200_u32 {
        let source = if number == 70 { stranger } else { HOST };
        let to = (source, IpAddr::V4(GROUP));
        host.queue(&mut outgoing, number, to, &number.to_be_bytes()).unwrap();
    }
    let mut refused = Vec::new();
    host.send_all(&mut outgoing, |number, outcome| {
        refused.extend(outcome.is_err().then_some(number));
    });
    assert_eq!(refused, [70]);
    assert!(outgoing.is_empty());
    let mut heard = Vec::new();
    until("all the others", || {
        heard.extend(read(&mut client).into_iter().map(|it| it.message));
        heard.len() == 199
    });
    let sent = (0..200_u32).filter(|it| *it != 70).map(|it| it.to_be_bytes().to_vec());
    assert!(heard.into_iter().eq(sent));
}
