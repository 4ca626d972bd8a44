//! Virtual and excluded addresses of one instance, without looking at any host.

use super::desk::Desk;
use super::names::{interface_trouble, label_trouble};
use crate::address::{Scope, VirtualAddress};
use crate::instance::{Family, Instance};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The count field has eight bits (RFC 9568 §5.2.5); over IPv4 all 255 fit an MTU of 1500.
const MOST_IPV4: usize = 255;
/// 1500 less 40 bytes of IPv6 and 8 of VRRP, 16 bytes each.
const MOST_IPV6: usize = 90;

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance) {
    let Some(family) = spec.family() else {
        let message = "the instance has no virtual address";
        let remedy = "add at least one, such as [192.0.2.10]; an election without any says so: \
                      electionOnly: ipv4";
        desk.error("no-virtual-address", "spec.virtualAddresses", message, remedy);
        return;
    };
    if spec.election_only.is_some() && !spec.virtual_addresses.is_empty() {
        let message = "an election without addresses has virtual addresses";
        let remedy = "leave out electionOnly, or the addresses";
        desk.error("election-only", "spec.electionOnly", message, remedy);
    }
    self::family(desk, spec, family == Family::Ipv4);
    let most = if family == Family::Ipv4 { MOST_IPV4 } else { MOST_IPV6 };
    let count = spec.virtual_addresses.len();
    if count > most {
        let message = format!("{count} virtual addresses: an advert carries at most {most}");
        let remedy = "move some to excludedAddresses, or to another instance";
        desk.error("too-many-addresses", "spec.virtualAddresses", message, remedy);
    }
    let mut seen = BTreeMap::new();
    for (path, address) in with_paths(spec) {
        if let Some(first) = seen.get(&address.ip()) {
            let message = format!("{} is already at {first}", address.ip());
            desk.error("duplicate-address", &path, message, "keep one of the two");
        } else {
            seen.insert(address.ip(), path.clone());
        }
        one(desk, &path, address);
    }
}

/// Every address of the instance with its path.
pub(super) fn with_paths(spec: &Instance) -> impl Iterator<Item = (String, &VirtualAddress)> {
    let path = |field: &'static str| move |index: usize| format!("spec.{field}[{index}]");
    let advertised = spec.virtual_addresses.iter().enumerate();
    let excluded = spec.excluded_addresses.iter().enumerate();
    advertised
        .map(move |(index, it)| (path("virtualAddresses")(index), it))
        .chain(excluded.map(move |(index, it)| (path("excludedAddresses")(index), it)))
}

fn family(desk: &mut Desk<'_>, spec: &Instance, ipv4: bool) {
    for (index, address) in spec.virtual_addresses.iter().enumerate() {
        if address.ip().is_ipv4() != ipv4 {
            let message = format!("{} is not of the family of the first address", address.ip());
            let remedy = "one instance is one family: make a second instance for the other";
            let path = format!("spec.virtualAddresses[{index}]");
            desk.error("mixed-families", path, message, remedy);
        }
    }
    if ipv4 {
        return;
    }
    if spec.version == 2 {
        // RFC 3768 §1: version 2 is for IPv4.
        let message = "version 2 carries IPv4 addresses only";
        desk.error("ipv6-version", "spec.version", message, "write version: 3");
    }
    let first = spec.virtual_addresses.first().map(VirtualAddress::ip);
    if let Some(first) = first.filter(|it| !is_link_local(*it)) {
        // RFC 9568 §5.2.9.
        let message = format!("{first} comes first, and is no link-local address");
        let remedy = "RFC 9568 wants the virtual router's link-local address first, such as \
             fe80::1; keepalived and vipfleet do without, other routers may not";
        desk.warning("link-local-first", "spec.virtualAddresses[0]", message, remedy);
    }
}

/// An IPv6 address that means something on its own link only.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(it) if it.is_unicast_link_local())
}

fn one(desk: &mut Desk<'_>, path: &str, written: &VirtualAddress) {
    if let Some(what) = unusable(written.ip()) {
        let message = format!("{} is {what}", written.ip());
        desk.error("address-unusable", path, message, "write an address that a host may have");
    }
    let prefix = written.address.prefix_len();
    if prefix == 0 {
        let message = format!("{} would put every address on this interface", written.address);
        desk.error("address-prefix", path, message, "leave the prefix out: it is the host's then");
    } else if let Some(what) = reserved(written.ip(), &written.address) {
        let message =
            format!("{} is the {what} address of {}", written.ip(), written.address.trunc());
        desk.error("address-reserved", path, message, "choose a host address of that network");
    }
    if let Some(trouble) = written.dev.as_deref().and_then(interface_trouble) {
        let message = format!("dev is {trouble}");
        let remedy = "write the interface's name as `ip link` shows it";
        desk.error("interface-name", format!("{path}.dev"), message, remedy);
    }
    let at = format!("{path}.label");
    match written.label.as_deref() {
        Some(_) if written.ip().is_ipv6() => {
            desk.error("label", at, "IPv6 addresses have no label", "leave the label out");
        }
        Some(label) => {
            if let Some(trouble) = label_trouble(label) {
                let remedy = "write it as `interface:word`, 15 bytes in all";
                desk.error("label", at, format!("the label is {trouble}"), remedy);
            }
        }
        None => {}
    }
    if written.ip().is_ipv6() && written.scope != Scope::Global {
        let at = format!("{path}.scope");
        let message = "the kernel derives the scope of IPv6 addresses";
        desk.warning("scope-unused", at, message, "leave the scope out");
    }
    if written.broadcast.is_some_and(|it| it.is_ipv6() || written.ip().is_ipv6()) {
        let message = "only IPv4 has broadcast addresses";
        desk.error("broadcast-family", format!("{path}.broadcast"), message, "leave it out");
    }
}

/// What makes an address unfit for any host.
pub(super) fn unusable(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(it) if it.is_broadcast() => Some("the broadcast address"),
        IpAddr::V4(it) if it.octets()[0] == 0 => Some("an address of \"this network\""),
        // RFC 1112 §4: class E; Linux routes it nowhere by default.
        IpAddr::V4(it) if it.octets()[0] >= 240 => Some("a reserved address"),
        IpAddr::V6(it) if it.to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
        _ => None,
    }
}

/// Whether the address is the network's own or its broadcast address; never in /31 and /32
/// (RFC 3021).
pub(super) fn reserved(address: IpAddr, net: &IpNet) -> Option<&'static str> {
    if address.is_ipv6() || net.addr().is_ipv6() || net.prefix_len() > 30 {
        return None;
    }
    match address {
        _ if address == net.network() => Some("network"),
        _ if address == net.broadcast() => Some("broadcast"),
        _ => None,
    }
}
