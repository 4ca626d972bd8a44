//! Virtual routes as netlink messages. Pure.

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteProtocol, RouteScope, RouteType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vipfleet_model::address::Scope;
use vipfleet_model::routing::{RouteKey, RouteKind, VirtualRoute};

/// `rtm_protocol` of our routes: the IP protocol number of VRRP.
pub(super) const MARK: RouteProtocol = RouteProtocol::Other(112);
/// `RT_TABLE_LOCAL`, linux/rtnetlink.h: handover routes, none of a definition.
const LOCAL: u32 = 255;

/// The message that adds a route; `oif` is the index of its `dev`.
pub(super) fn message(route: &VirtualRoute, oif: Option<u32>) -> RouteMessage {
    let key = route.key();
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(&route.to),
        destination_prefix_length: route.to.prefix_len(),
        // What does not fit goes by the attribute alone.
        table: u8::try_from(key.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: MARK,
        scope: scope(route),
        kind: kind(route.kind),
        flags: if route.on_link { RouteFlags::Onlink } else { RouteFlags::empty() },
        ..RouteHeader::default()
    };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Destination(route.to.addr().into()));
    attributes.push(RouteAttribute::Table(key.table));
    if key.metric != 0 {
        attributes.push(RouteAttribute::Priority(key.metric));
    }
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
    attributes.extend(oif.map(RouteAttribute::Oif));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(source.into())));
    attributes.extend(route.mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
    message
}

fn family(net: &IpNet) -> AddressFamily {
    if net.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn kind(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
    }
}

/// As ip-route(8) chooses when nobody does: what no gateway reaches is on the link.
fn scope(route: &VirtualRoute) -> RouteScope {
    let on_the_link =
        route.to.addr().is_ipv4() && route.kind == RouteKind::Unicast && route.via.is_none();
    match route.scope {
        None if on_the_link => RouteScope::Link,
        None | Some(Scope::Global) => RouteScope::Universe,
        Some(Scope::Site) => RouteScope::Site,
        Some(Scope::Link) => RouteScope::Link,
        Some(Scope::Host) => RouteScope::Host,
    }
}

/// The request for a dump of the routes of one family that carry our mark. A kernel before 4.20
/// gives all of them.
pub(super) fn dump(family: AddressFamily) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.protocol = MARK;
    message
}

/// What a route of the kernel is, whoever made it; `None` for what is no route of ours to make.
pub(super) fn key(message: &RouteMessage) -> Option<RouteKey> {
    let header = &message.header;
    let mut to = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut table, mut metric) = (u32::from(header.table), 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => to = (*ip).into(),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => to = (*ip).into(),
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            _ => {}
        }
    }
    let to = IpNet::new(to, header.destination_prefix_length).ok()?;
    (table != LOCAL).then_some(RouteKey { to, table, metric })
}

pub(super) fn is_ours(message: &RouteMessage) -> bool {
    message.header.protocol == MARK
}

/// The message that removes a route of ours of which nothing but the key is known.
pub(super) fn named(key: &RouteKey) -> RouteMessage {
    let route = VirtualRoute {
        table: Some(key.table),
        metric: Some(key.metric),
        ..VirtualRoute::new(key.to)
    };
    let mut message = message(&route, None);
    // Whatever they are (ip-route(8) asks likewise).
    (message.header.scope, message.header.kind) = (RouteScope::NoWhere, RouteType::Unspec);
    message
}

/// The message that removes a route the kernel showed, and no other of its destination.
pub(super) fn removal(shown: &RouteMessage) -> RouteMessage {
    let mut message = shown.clone();
    message.header.flags = RouteFlags::empty();
    let names_it = |attribute: &RouteAttribute| {
        matches!(
            attribute,
            RouteAttribute::Destination(_)
                | RouteAttribute::Table(_)
                | RouteAttribute::Priority(_)
                | RouteAttribute::Gateway(_)
                | RouteAttribute::Oif(_)
        )
    };
    message.attributes.retain(names_it);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_is_found_again() {
        let route = |to: &str| VirtualRoute::new(to.parse().unwrap());
        let routes = [
            route("0.0.0.0/0"),
            VirtualRoute { table: Some(70_000), metric: Some(9), ..route("10.0.0.0/8") },
            route("::/0"),
            VirtualRoute { metric: Some(7), ..route("2001:db8::/32") },
        ];
        for route in routes {
            let message = message(&route, Some(3));
            assert!(is_ours(&message));
            assert_eq!(key(&message), Some(route.key()), "{route}");
            assert_eq!(key(&removal(&message)), Some(route.key()), "{route}");
        }
    }

    #[test]
    fn the_handover_routes_of_the_local_table_are_none_of_these() {
        let local = crate::net::route::local(3, [192, 0, 2, 10].into());
        assert_eq!(key(&local), None);
    }
}
