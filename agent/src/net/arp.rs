//! The gratuitous ARP frame (RFC 826, RFC 5227 §3 "announcement"). Bytes only.

use std::net::Ipv4Addr;

/// Ethernet header and an ARP packet for IPv4. The kernel pads to the minimum frame.
pub const LENGTH: usize = 42;

pub(super) const BROADCAST: [u8; 6] = [0xff; 6];

/// A *request* whose sender and target protocol address are the announced one, with the target
/// hardware address all ones. Replies are ignored by some stacks unless asked for; this is the
/// form that keepalived sends, and that switches and neighbours of its users have seen.
pub fn announcement(mac: [u8; 6], address: Ipv4Addr) -> [u8; LENGTH] {
    let mut frame = [0; LENGTH];
    let ip = address.octets();
    let fields: [&[u8]; 10] = [
        &BROADCAST,
        &mac,
        &[0x08, 0x06],             // EtherType ARP
        &[0x00, 0x01, 0x08, 0x00], // Ethernet, IPv4
        &[6, 4],                   // address lengths
        &[0x00, 0x01],             // request
        &mac,                      // sender hardware address
        &ip,                       // sender protocol address
        &BROADCAST,                // target hardware address
        &ip,                       // target protocol address
    ];
    let mut at = 0;
    for field in fields {
        frame[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    debug_assert_eq!(at, LENGTH);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0xde, 0x0e, 0xd6, 0xe0, 0x54, 0x5f];

    /// keepalived 2.2.7 taking over two VIPs on 10.99.0.1, as captured on the wire.
    const CAPTURE: &[u8] =
        include_bytes!("../../../vrrp/tests/vectors/fixture-dual-master-v2.pcap");

    /// The frames of a pcap file in this machine's byte order.
    fn frames(mut file: &[u8]) -> Vec<&[u8]> {
        let (head, rest) = file.split_at(24);
        assert_eq!(head[..4], 0xa1b2_c3d4_u32.to_le_bytes());
        file = rest;
        let mut frames = Vec::new();
        while let Some((record, rest)) = file.split_at_checked(16) {
            let length = u32::from_le_bytes(record[8..12].try_into().unwrap());
            let (frame, rest) = rest.split_at(length.try_into().unwrap());
            frames.push(frame);
            file = rest;
        }
        frames
    }

    #[test]
    fn our_announcement_is_byte_for_byte_that_of_keepalived() {
        let is_arp = |frame: &&&[u8]| frame[12..14] == [0x08, 0x06];
        let captured: Vec<_> = frames(CAPTURE).iter().filter(is_arp).copied().collect();
        assert!(captured.len() >= 20, "{} ARP frames", captured.len());
        for frame in captured {
            let mac = frame[6..12].try_into().unwrap();
            let address: [u8; 4] = frame[28..32].try_into().unwrap();
            assert_eq!(frame, announcement(mac, address.into()));
        }
    }

    #[test]
    fn a_foreign_parser_reads_what_was_meant() {
        use etherparse::{ArpOperation, NetSlice, SlicedPacket};
        let frame = announcement(MAC, Ipv4Addr::new(192, 0, 2, 7));
        let Some(NetSlice::Arp(arp)) = SlicedPacket::from_ethernet(&frame).unwrap().net else {
            panic!("no ARP packet");
        };
        assert_eq!(arp.operation(), ArpOperation::REQUEST);
        assert_eq!(arp.sender_hw_addr(), MAC);
        assert_eq!(arp.sender_protocol_addr(), [192, 0, 2, 7]);
        assert_eq!(arp.target_hw_addr(), [0xff; 6]);
        assert_eq!(arp.target_protocol_addr(), [192, 0, 2, 7]);
    }
}
