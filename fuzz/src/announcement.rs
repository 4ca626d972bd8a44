//! The frames that announce an address, read by another project's decoder: whatever address and
//! whatever MAC, they say what was meant, checksum included.

use etherparse::icmpv6::{Icmpv6PayloadSlice, NdpOptionSlice, NeighborAdvertisementHeader};
use etherparse::{
    ArpOperation, EtherType, Icmpv6Type, LinkSlice, NetSlice, SlicedPacket, TransportSlice,
};
use std::net::{Ipv4Addr, Ipv6Addr};
use vipfleet_agent::net::{Role, arp, neighbour};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Reads one input: MAC, then the role (odd: a router), then an address of either family.
pub fn run(data: &[u8]) {
    let Some((&mac, rest)) = data.split_first_chunk::<6>() else { return };
    let Some((&role, rest)) = rest.split_first() else { return };
    if let Some((&address, _)) = rest.split_first_chunk::<16>() {
        let role = if role & 1 == 1 { Role::Router } else { Role::Host };
        advertisement(mac, address.into(), role);
    } else if let Some((&address, _)) = rest.split_first_chunk::<4>() {
        gratuitous_arp(mac, address.into());
    }
}

fn sliced(frame: &[u8], mac: [u8; 6], to: [u8; 6], what: EtherType) -> SlicedPacket<'_> {
    let packet = SlicedPacket::from_ethernet(frame).expect("a decodable frame");
    let Some(LinkSlice::Ethernet2(link)) = &packet.link else { panic!("no Ethernet II") };
    assert_eq!(link.source(), mac);
    assert_eq!(link.destination(), to);
    assert_eq!(link.ether_type(), what);
    packet
}

fn gratuitous_arp(mac: [u8; 6], address: Ipv4Addr) {
    let frame = arp::announcement(mac, address);
    let packet = sliced(&frame, mac, [0xff; 6], EtherType::ARP);
    let Some(NetSlice::Arp(arp)) = packet.net else { panic!("no ARP packet") };
    assert_eq!(arp.operation(), ArpOperation::REQUEST);
    assert_eq!(arp.sender_hw_addr(), mac);
    assert_eq!(arp.sender_protocol_addr(), address.octets());
    assert_eq!(arp.target_hw_addr(), [0xff; 6]);
    assert_eq!(arp.target_protocol_addr(), address.octets());
}

fn advertisement(mac: [u8; 6], address: Ipv6Addr, role: Role) {
    let frame = neighbour::announcement(mac, address, role);
    let packet = sliced(&frame, mac, [0x33, 0x33, 0, 0, 0, 1], EtherType::IPV6);
    let Some(NetSlice::Ipv6(ip)) = &packet.net else { panic!("no IPv6 packet") };
    assert_eq!(ip.header().source_addr(), address);
    assert_eq!(ip.header().destination_addr(), ALL_NODES);
    assert_eq!(ip.header().hop_limit(), 255);
    let Some(TransportSlice::Icmpv6(icmp)) = &packet.transport else { panic!("no ICMPv6") };
    assert!(icmp.is_checksum_valid(address.octets(), ALL_NODES.octets()));
    let meant = NeighborAdvertisementHeader {
        router: role == Role::Router,
        solicited: false,
        r#override: true,
    };
    assert_eq!(icmp.icmp_type(), Icmpv6Type::NeighborAdvertisement(meant));
    let Ok(Icmpv6PayloadSlice::NeighborAdvertisement(said)) = icmp.payload_slice() else {
        panic!("no neighbour advertisement")
    };
    assert_eq!(said.target_address(), address);
    let options: Vec<_> = said.options_iterator().collect();
    let [Ok(NdpOptionSlice::TargetLinkLayerAddress(option))] = options.as_slice() else {
        panic!("{options:?}")
    };
    assert_eq!(option.link_layer_address(), mac);
}
