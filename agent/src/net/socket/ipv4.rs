//! IPv4: how its socket is opened, its header read and its adverts sent.

use super::{GROUP, Taken};
use crate::net::batch::{Addressed, Control};
use nix::libc;
use socket2::{Domain, InterfaceIndexOrAddress, SockAddr, Socket};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use vipfleet_vrrp::packet::Envelope;

pub(super) fn open(interface: &str, index: u32) -> io::Result<Socket> {
    let socket = super::bound(Domain::IPV4, interface)?;
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_ttl_v4(super::TTL)?;
    socket.set_ttl_v4(super::TTL)?;
    socket.set_tos_v4(super::TRAFFIC_CLASS)?;
    // After the TOS, which sets a priority of its own (ip(7)).
    super::prepare(&socket)?;
    rustix::net::sockopt::set_ip_multicast_if_with_ifindex(
        &socket,
        &Ipv4Addr::UNSPECIFIED,
        &Ipv4Addr::UNSPECIFIED,
        index,
    )?;
    socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

/// From `source` to `destination`, out of the interface `index`.
pub(super) fn addressed(
    index: u32,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> io::Result<Addressed> {
    let index = i32::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
    let in_addr = |address: Ipv4Addr| libc::in_addr { s_addr: u32::from(address).to_be() };
    // The source by ip(7)'s IP_PKTINFO: bind(2) would also filter what is received.
    let from = libc::in_pktinfo {
        ipi_ifindex: index,
        ipi_spec_dst: in_addr(source),
        ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
    };
    let to = SockAddr::from(SocketAddrV4::new(destination, 0));
    Ok((to, Control::put(libc::IPPROTO_IP, libc::IP_PKTINFO, from)))
}

/// Takes the IPv4 header off: raw sockets deliver it (raw(7)). `None` for what the kernel never
/// delivers, a header that does not fit.
pub(super) fn open_envelope(buffer: &[u8], taken: &Taken) -> Option<(Envelope, Range<usize>)> {
    let datagram = buffer.get(..taken.length)?;
    let header = usize::from(datagram.first()? & 0x0f) * 4;
    if header < 20 || datagram.len() < header {
        return None;
    }
    let address = |at: usize| {
        let octets = <[u8; 4]>::try_from(datagram.get(at..at + 4)?).ok()?;
        Some(IpAddr::from(octets))
    };
    let total = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let end = total.clamp(header, datagram.len());
    let envelope = Envelope { source: address(12)?, destination: address(16)?, ttl: datagram[8] };
    Some((envelope, header..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_envelope(datagram: &[u8]) -> Option<(Envelope, Range<usize>)> {
        super::open_envelope(datagram, &Taken { length: datagram.len(), ..Taken::default() })
    }

    /// An IPv4 datagram with `options` bytes of options and `trailer` bytes after its end.
    fn datagram(options: usize, payload: &[u8], trailer: usize) -> Vec<u8> {
        let header = 20 + options;
        let mut bytes = vec![0; header];
        bytes[0] = 0x40 | u8::try_from(header / 4).unwrap();
        let total = u16::try_from(header + payload.len()).unwrap();
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[8] = 255;
        bytes[9] = 112;
        bytes[12..16].copy_from_slice(&[192, 0, 2, 1]);
        bytes[16..20].copy_from_slice(&GROUP.octets());
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len() + trailer, 0xee);
        bytes
    }

    #[test]
    fn the_payload_starts_where_the_header_says_and_ends_where_the_datagram_ends() {
        for options in [0, 4, 40] {
            for trailer in [0, 6] {
                let bytes = datagram(options, b"advert", trailer);
                let (envelope, payload) = open_envelope(&bytes).unwrap();
                assert_eq!(&bytes[payload], b"advert", "{options} bytes of options");
                assert_eq!(envelope.source, IpAddr::from([192, 0, 2, 1]));
                assert_eq!(envelope.destination, IpAddr::from(GROUP));
                assert_eq!(envelope.ttl, 255);
            }
        }
    }

    #[test]
    fn no_bytes_whatsoever_make_it_panic() {
        let whole = datagram(8, b"advert", 0);
        for length in 0..whole.len() {
            open_envelope(&whole[..length]);
        }
        for first in 0..=255 {
            let mut bytes = whole.clone();
            bytes[0] = first;
            bytes[2] = first;
            open_envelope(&bytes);
        }
    }
}
