//! IPv6: how its socket is opened, its packets read and its adverts sent.

use super::{GROUP_V6, Taken};
use crate::net::batch::{Addressed, Control};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, SockAddr, Socket};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::ops::Range;
use vipfleet_vrrp::packet::Envelope;

pub(super) fn open(interface: &str, index: u32) -> io::Result<Socket> {
    let socket = super::bound(Domain::IPV6, interface)?;
    socket.set_multicast_all_v6(false)?;
    socket.set_multicast_loop_v6(false)?;
    // RFC 9568 §5.1.2.3.
    socket.set_multicast_hops_v6(super::TTL)?;
    socket.set_unicast_hops_v6(super::TTL)?;
    socket.set_tclass_v6(super::TRAFFIC_CLASS)?;
    super::prepare(&socket)?;
    // Raw sockets of IPv6 deliver no header (ipv6(7)): what it said comes beside the message.
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
    socket.set_multicast_if_v6(index)?;
    socket.join_multicast_v6(&GROUP_V6, index)?;
    Ok(socket)
}

/// From `source` to `destination`, out of the interface `index`.
pub(super) fn addressed(index: u32, source: Ipv6Addr, destination: Ipv6Addr) -> Addressed {
    // The source by ipv6(7)'s IPV6_PKTINFO: bind(2) would also filter what is received.
    let from = libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
        ipi6_ifindex: index,
    };
    let local = destination.is_multicast() || destination.is_unicast_link_local();
    let scope = if local { index } else { 0 };
    let to = SockAddr::from(SocketAddrV6::new(destination, 0, 0, scope));
    (to, Control::put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, from))
}

/// What the header said. `None` for what the kernel never delivers, a packet without it.
pub(super) fn open_envelope(taken: &Taken) -> Option<(Envelope, Range<usize>)> {
    let source = IpAddr::V6(taken.source?);
    let destination = IpAddr::V6(taken.destination?);
    Some((Envelope { source, destination, ttl: taken.hop_limit? }, 0..taken.length))
}
