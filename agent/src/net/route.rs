//! The local route of a silent handover as netlink messages. Pure.
//!
//! `local VIP dev IF table local` makes the kernel accept packets to the VIP without the address
//! being on the interface, so that with `arp_ignore=1` nobody is answered who asks for it.

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};
use std::net::IpAddr;

/// `rtm_protocol` of our routes: the IP protocol number of VRRP.
const MARK: RouteProtocol = RouteProtocol::Other(112);
/// RT_TABLE_LOCAL.
const LOCAL: u8 = 255;

/// The route to one address of this host through the interface `index`.
pub(super) fn local(index: u32, address: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    let (family, length, destination) = match address {
        IpAddr::V4(address) => (AddressFamily::Inet, 32, RouteAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(address)),
    };
    message.header = RouteHeader {
        address_family: family,
        destination_prefix_length: length,
        table: LOCAL,
        protocol: MARK,
        scope: RouteScope::Host,
        kind: RouteType::Local,
        ..RouteHeader::default()
    };
    message.attributes.push(RouteAttribute::Destination(destination));
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

/// The request for the route that a packet to `address` on the interface `index` would take.
pub(super) fn lookup(index: u32, address: IpAddr) -> RouteMessage {
    let mut message = local(index, address);
    message.header = RouteHeader {
        address_family: message.header.address_family,
        destination_prefix_length: message.header.destination_prefix_length,
        // The entry itself, and not what a packet makes of it.
        flags: RouteFlags::FibMatch,
        ..RouteHeader::default()
    };
    message
}

/// Whether a route is the one to an address that the kernel makes with the address.
pub(super) fn is_kernels(message: &RouteMessage) -> bool {
    message.header.kind == RouteType::Local && message.header.protocol == RouteProtocol::Kernel
}

/// The request for a dump of routes of one family.
pub(super) fn all(family: AddressFamily) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message
}

/// Interface and address of a route that this agent made; `None` for everybody else's.
pub(super) fn ours(message: &RouteMessage) -> Option<(u32, IpAddr)> {
    let header = &message.header;
    if header.protocol != MARK || header.kind != RouteType::Local || header.table != LOCAL {
        return None;
    }
    let (mut index, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => address = Some((*ip).into()),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => address = Some((*ip).into()),
            _ => {}
        }
    }
    Some((index?, address?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routes_with_our_mark_in_the_local_table_are_ours() {
        let address = IpAddr::from([192, 0, 2, 10]);
        let mine = local(3, address);
        assert_eq!(ours(&mine), Some((3, address)));
        let mut kernels = mine.clone();
        kernels.header.protocol = RouteProtocol::Kernel;
        assert_eq!(ours(&kernels), None);
        let mut elsewhere = mine;
        elsewhere.header.table = RouteHeader::RT_TABLE_MAIN;
        assert_eq!(ours(&elsewhere), None);
    }
}
