//! The frame of an advert that leaves with the virtual MAC (RFC 9568 §7.3). Bytes only: the
//! kernel would put the interface's own MAC into it.

use super::socket::{TRAFFIC_CLASS, TTL};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ethernet and IPv6, the longer of the two.
const LONGEST: usize = 14 + 40;
const PROTOCOL: u8 = 112;

/// What comes before the message: Ethernet and IP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    bytes: [u8; LONGEST],
    length: usize,
    pub(super) ether_type: u16,
    pub(super) to: [u8; 6],
}

impl Header {
    /// Of a message of `length` bytes to a multicast group. `None` when the addresses are of two
    /// families, or the message is too long for IP.
    pub(super) fn new(mac: [u8; 6], source: IpAddr, group: IpAddr, length: usize) -> Option<Self> {
        match (source, group) {
            (IpAddr::V4(source), IpAddr::V4(group)) => {
                let total = u16::try_from(length + 20).ok()?;
                Some(Self::ipv4(mac, source, group, total))
            }
            (IpAddr::V6(source), IpAddr::V6(group)) => {
                Some(Self::ipv6(mac, source, group, u16::try_from(length).ok()?))
            }
            _ => None,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn ipv4(mac: [u8; 6], source: Ipv4Addr, group: Ipv4Addr, total: u16) -> Self {
        let [_, b, c, d] = group.octets();
        // RFC 1112 §6.4.
        let to = [0x01, 0x00, 0x5e, b & 0x7f, c, d];
        let mut ip = [0; 20];
        ip[..2].copy_from_slice(&[0x45, TRAFFIC_CLASS as u8]);
        ip[2..4].copy_from_slice(&total.to_be_bytes());
        // Don't fragment: then the identification may be 0 (RFC 6864 §4.1).
        ip[6] = 0x40;
        ip[8..10].copy_from_slice(&[TTL as u8, PROTOCOL]);
        ip[12..16].copy_from_slice(&source.octets());
        ip[16..].copy_from_slice(&group.octets());
        let sum: u32 =
            ip.chunks_exact(2).map(|it| u32::from(u16::from_be_bytes([it[0], it[1]]))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        Self::framed(mac, to, 0x0800, &ip)
    }

    fn ipv6(mac: [u8; 6], source: Ipv6Addr, group: Ipv6Addr, length: u16) -> Self {
        let [.., a, b, c, d] = group.octets();
        // RFC 2464 §7.
        let to = [0x33, 0x33, a, b, c, d];
        let mut ip = [0; 40];
        // Version 6, then the traffic class across two bytes; no flow label.
        ip[0] = 0x60 | (TRAFFIC_CLASS >> 4) as u8;
        ip[1] = (TRAFFIC_CLASS << 4) as u8;
        ip[4..6].copy_from_slice(&length.to_be_bytes());
        ip[6..8].copy_from_slice(&[PROTOCOL, TTL as u8]);
        ip[8..24].copy_from_slice(&source.octets());
        ip[24..].copy_from_slice(&group.octets());
        Self::framed(mac, to, 0x86dd, &ip)
    }

    fn framed(mac: [u8; 6], to: [u8; 6], ether_type: u16, ip: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        bytes[..6].copy_from_slice(&to);
        bytes[6..12].copy_from_slice(&mac);
        bytes[12..14].copy_from_slice(&ether_type.to_be_bytes());
        let length = 14 + ip.len();
        bytes[14..length].copy_from_slice(ip);
        Self { bytes, length, ether_type, to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket};

    fn frame(source: &str, group: &str) -> Vec<u8> {
        let mac = [0x00, 0x00, 0x5e, 0x00, 0x01, 51];
        let (source, group) = (source.parse().unwrap(), group.parse().unwrap());
        let header = Header::new(mac, source, group, 12).unwrap();
        [header.as_bytes(), &[0x31; 12]].concat()
    }

    #[test]
    fn a_foreign_parser_reads_an_ipv4_advert_from_the_virtual_mac() {
        let frame = frame("192.0.2.1", "224.0.0.18");
        let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
        let ethernet = sliced.link.as_ref().unwrap().to_header().unwrap().ethernet2().unwrap();
        assert_eq!(ethernet.source, [0x00, 0x00, 0x5e, 0x00, 0x01, 51]);
        assert_eq!(ethernet.destination, [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
        let Some(NetSlice::Ipv4(ip)) = &sliced.net else { panic!("no IPv4 packet") };
        let header = ip.header().to_header();
        assert_eq!(header.source, [192, 0, 2, 1]);
        assert_eq!(header.destination, [224, 0, 0, 18]);
        assert_eq!((header.time_to_live, header.protocol.0), (255, 112));
        assert_eq!(frame[15], 0xc0);
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(ip.payload().payload, [0x31; 12]);
    }

    #[test]
    fn a_foreign_parser_reads_an_ipv6_advert_from_the_virtual_mac() {
        let frame = frame("fe80::1", "ff02::12");
        let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
        let ethernet = sliced.link.as_ref().unwrap().to_header().unwrap().ethernet2().unwrap();
        assert_eq!(ethernet.destination, [0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);
        let Some(NetSlice::Ipv6(ip)) = &sliced.net else { panic!("no IPv6 packet") };
        let header = ip.header().to_header();
        assert_eq!(header.source_addr(), "fe80::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(header.destination_addr(), "ff02::12".parse::<Ipv6Addr>().unwrap());
        assert_eq!((header.hop_limit, header.next_header.0), (255, 112));
        assert_eq!((header.traffic_class, header.payload_length), (0xc0, 12));
        assert_eq!(ip.payload().payload, [0x31; 12]);
    }

    #[test]
    fn two_families_and_a_message_that_no_ip_packet_holds_make_no_frame() {
        let (four, six) = ("192.0.2.1".parse().unwrap(), "ff02::12".parse().unwrap());
        let group = "224.0.0.18".parse().unwrap();
        assert!(Header::new([0; 6], four, six, 12).is_none());
        assert!(Header::new([0; 6], four, group, 65_516).is_none());
    }
}
