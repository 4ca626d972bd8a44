//! A client's view of a VIP: echo, ARP and neighbour solicitation, from raw sockets of the
//! test's own.

use crate::lab::Namespace;
use nix::libc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use std::io::Read;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use vipfleet_agent::net::{Incoming, Packet, Rest, VrrpSocket};
use vipfleet_vrrp::Time;
use vipfleet_vrrp::packet::Envelope;

static IDENT: AtomicU16 = AtomicU16::new(1);

/// Waits until the socket has something to read.
pub(crate) fn readable(socket: &Socket, within: Duration) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let nanos = within.subsec_nanos().into();
    let seconds = i64::try_from(within.as_secs()).unwrap();
    poll(&mut fds, Some(&Timespec { tv_sec: seconds, tv_nsec: nanos })).unwrap() == 1
}

/// A packet that was read.
pub(crate) struct Received {
    pub(crate) envelope: Envelope,
    pub(crate) message: Vec<u8>,
    pub(crate) received: Time,
}

/// All that waits in a VRRP socket.
pub(crate) fn read(socket: &mut VrrpSocket) -> Vec<Received> {
    let (mut incoming, mut all) = (Box::<Incoming>::default(), Vec::new());
    loop {
        let rest = socket.read(&mut incoming).unwrap();
        all.extend(incoming.packets().map(|packet| {
            let Packet { envelope, message, received } = packet;
            Received { envelope, message: message.to_vec(), received }
        }));
        if rest == Rest::Nothing {
            return all;
        }
    }
}

/// What waits, which is one packet.
#[track_caller]
pub(crate) fn only(socket: &mut VrrpSocket) -> Received {
    let mut all = read(socket);
    assert_eq!(all.len(), 1, "packets");
    all.remove(0)
}

/// A pinger that lives inside a namespace.
pub(crate) struct Pinger {
    socket: Socket,
    target: IpAddr,
    ident: u16,
}

fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|it| u32::from(it[0]) << 8 | u32::from(*it.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap())
}

impl Pinger {
    pub(crate) fn new(namespace: &Namespace, target: impl Into<IpAddr>) -> Self {
        let target = target.into();
        let (domain, protocol) = match target {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = || Socket::new(domain, Type::RAW.nonblocking(), Some(protocol));
        let socket = namespace.enter(open).unwrap();
        let ident = IDENT.fetch_add(1, Ordering::Relaxed);
        Self { socket, target, ident }
    }

    pub(crate) fn send(&self, sequence: u16) {
        let request = if self.target.is_ipv4() { 8 } else { 128 };
        let mut echo = [request, 0, 0, 0, 0, 0, 0, 0];
        echo[4..6].copy_from_slice(&self.ident.to_be_bytes());
        echo[6..8].copy_from_slice(&sequence.to_be_bytes());
        // Over IPv6 the kernel fills it in (RFC 3542 §3.1).
        let sum = checksum(&echo);
        echo[2..4].copy_from_slice(&sum.to_be_bytes());
        self.socket.send_to(&echo, &SocketAddr::new(self.target, 0).into()).unwrap();
    }

    /// The sequence number of the next reply.
    pub(crate) fn reply(&self, within: Duration) -> Option<u16> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            if !readable(&self.socket, left) {
                return None;
            }
            let mut bytes = [0; 256];
            let Ok(length) = (&self.socket).read(&mut bytes) else {
                continue;
            };
            let (header, reply) = match self.target {
                IpAddr::V4(_) => (usize::from(bytes[0] & 0x0f) * 4, 0),
                IpAddr::V6(_) => (0, 129),
            };
            let message = &bytes[header..length];
            if message[0] == reply && message[4..6] == self.ident.to_be_bytes() {
                return Some(u16::from_be_bytes([message[6], message[7]]));
            }
        }
    }

    pub(crate) fn is_answered(&self, within: Duration) -> bool {
        self.send(0);
        self.reply(within).is_some()
    }
}

/// A packet socket for ARP on `eth0` of a namespace.
pub(crate) fn arp_socket(namespace: &Namespace) -> Socket {
    packet_socket(namespace, libc::ETH_P_ARP)
}

/// A packet socket for frames of one EtherType, or all, on `eth0` of a namespace.
pub(crate) fn packet_socket(namespace: &Namespace, ether_type: i32) -> Socket {
    let protocol = u16::try_from(ether_type).unwrap().to_be();
    let kind = Type::RAW.nonblocking();
    let open = || Socket::new(Domain::PACKET, kind, Some(Protocol::from(i32::from(protocol))));
    let socket = namespace.enter(open).unwrap();
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll fits the storage, and all bits zero is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol;
    address.sll_ifindex = i32::try_from(namespace.index("eth0")).unwrap();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: a complete sockaddr_ll.
    socket.bind(&unsafe { SockAddr::new(storage, length) }).unwrap();
    socket
}

/// The frames of a packet socket that arrive within a time.
pub(crate) fn frame(socket: &Socket, within: Duration) -> Option<Vec<u8>> {
    let mut bytes = [0; 256];
    let mut reader = socket;
    readable(socket, within).then(|| reader.read(&mut bytes).unwrap()).map(|n| bytes[..n].to_vec())
}

/// Asks who has an address, from `sender` on `eth0`; whether somebody answers.
pub(crate) fn arp_is_answered(client: &Namespace, sender: Ipv4Addr, target: Ipv4Addr) -> bool {
    let socket = arp_socket(client);
    let mac = client.mac("eth0");
    let mut request = vec![0xff; 6];
    request.extend(mac);
    request.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    request.extend(mac);
    request.extend(sender.octets());
    request.extend([0; 6]);
    request.extend(target.octets());
    let deadline = Instant::now() + Duration::from_millis(400);
    socket.send(&request).unwrap();
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Some(reply) = frame(&socket, left) else {
            break;
        };
        if reply[20..22] == [0, 2] && reply[28..32] == target.octets() {
            return true;
        }
    }
    false
}

/// Solicits an address from `sender` on `eth0`; whether somebody answers (RFC 4861 §4.3, §4.4).
pub(crate) fn solicitation_is_answered(
    client: &Namespace,
    sender: Ipv6Addr,
    target: Ipv6Addr,
) -> bool {
    let open = || Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::ICMPV6));
    let socket = client.enter(open).unwrap();
    let index = client.index("eth0");
    socket.set_multicast_hops_v6(255).unwrap();
    socket.bind(&SocketAddrV6::new(sender, 0, 0, index).into()).unwrap();
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend([1, 1]);
    message.extend(client.mac("eth0"));
    let mut group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
    group[13..].copy_from_slice(&target.octets()[13..]);
    let deadline = Instant::now() + Duration::from_millis(400);
    socket.send_to(&message, &SocketAddrV6::new(group.into(), 0, 0, index).into()).unwrap();
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Some(reply) = frame(&socket, left) else {
            break;
        };
        // Solicited: announcements are no answers.
        if reply[0] == 136 && reply[4] & 0x40 != 0 && reply[8..24] == target.octets() {
            return true;
        }
    }
    false
}
