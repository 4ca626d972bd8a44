//! The unsolicited neighbour advertisement (RFC 4861 §4.4 and §7.2.6). Bytes only.

use std::net::Ipv6Addr;

/// Ethernet, IPv6 and a neighbour advertisement with one option.
pub const LENGTH: usize = 14 + HEADER + MESSAGE;

/// The Ethernet address of all nodes (RFC 2464 §7).
pub(super) const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const HEADER: usize = 40;
const MESSAGE: usize = 32;
const ICMPV6: u8 = 58;
const ADVERTISEMENT: u8 = 136;

/// What the sender says of itself in the router flag. A host that advertises a router's address
/// without it makes neighbours drop their default route over that address (RFC 4861 §7.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Forwards IPv6 on that interface.
    Router,
    #[default]
    Host,
}

/// Says to all nodes that `address` is at `mac`, overriding what they know. Sent from the
/// announced address itself, which is one of the interface's by then, as keepalived does.
pub fn announcement(mac: [u8; 6], address: Ipv6Addr, role: Role) -> [u8; LENGTH] {
    // Router, solicited, override: never solicited in an advertisement to all nodes.
    let flags = match role {
        Role::Router => 0b1010_0000,
        Role::Host => 0b0010_0000,
    };
    let mut message = [0; MESSAGE];
    message[0] = ADVERTISEMENT;
    message[4] = flags;
    message[8..24].copy_from_slice(&address.octets());
    // Target link-layer address, in units of eight bytes (RFC 4861 §4.6.1).
    message[24..26].copy_from_slice(&[2, 1]);
    message[26..].copy_from_slice(&mac);
    let sum = checksum(address, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = [0; LENGTH];
    let fields: [&[u8]; 9] = [
        &ALL_NODES_MAC,
        &mac,
        &[0x86, 0xdd],       // EtherType IPv6
        &[0x60, 0, 0, 0],    // version 6, no traffic class, no flow label
        &[0, MESSAGE as u8], // payload length
        &[ICMPV6, 255],      // next header; the hop limit that RFC 4861 §7.1.2 demands
        &address.octets(),   // source
        &ALL_NODES.octets(), // destination
        &message,
    ];
    let mut at = 0;
    for field in fields {
        frame[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    debug_assert_eq!(at, LENGTH);
    frame
}

/// The ICMPv6 checksum over the pseudo-header and the message (RFC 4443 §2.3, RFC 8200 §8.1).
fn checksum(source: Ipv6Addr, message: &[u8; MESSAGE]) -> u16 {
    let (source, destination) = (source.octets(), ALL_NODES.octets());
    let tail = [0, 0, 0, MESSAGE as u8, 0, 0, 0, ICMPV6];
    let parts: [&[u8]; 4] = [&source, &destination, &tail, message];
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let sum: u32 = words.map(|it| u32::from(u16::from_be_bytes([it[0], it[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !(folded as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::icmpv6::{Icmpv6PayloadSlice, NdpOptionSlice, NeighborAdvertisementHeader};
    use etherparse::{Icmpv6Type, NetSlice, SlicedPacket, TransportSlice};

    const MAC: [u8; 6] = [0xde, 0x0e, 0xd6, 0xe0, 0x54, 0x5f];

    fn vip() -> Ipv6Addr {
        "2001:db8::10".parse().unwrap()
    }

    #[test]
    fn a_foreign_parser_reads_what_was_meant() {
        for (role, router) in [(Role::Router, true), (Role::Host, false)] {
            let frame = announcement(MAC, vip(), role);
            let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
            let Some(NetSlice::Ipv6(ip)) = &sliced.net else { panic!("no IPv6 packet") };
            assert_eq!(ip.header().source_addr(), vip());
            assert_eq!(ip.header().destination_addr(), ALL_NODES);
            assert_eq!(ip.header().hop_limit(), 255);
            let Some(TransportSlice::Icmpv6(icmp)) = &sliced.transport else { panic!("no ICMPv6") };
            assert_eq!(
                icmp.icmp_type(),
                Icmpv6Type::NeighborAdvertisement(NeighborAdvertisementHeader {
                    router,
                    solicited: false,
                    r#override: true,
                })
            );
            assert!(icmp.is_checksum_valid(vip().octets(), ALL_NODES.octets()));
            let Icmpv6PayloadSlice::NeighborAdvertisement(said) = icmp.payload_slice().unwrap()
            else {
                panic!("no advertisement")
            };
            assert_eq!(said.target_address(), vip());
            let options: Vec<_> = said.options_iterator().map(Result::unwrap).collect();
            let [NdpOptionSlice::TargetLinkLayerAddress(option)] = options.as_slice() else {
                panic!("{options:?}")
            };
            assert_eq!(option.link_layer_address(), MAC);
        }
    }
}
