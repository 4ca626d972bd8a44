//! One instance against what its hosts say of themselves: interfaces, addresses, sysctls.

use super::address::{is_link_local, reserved, unusable, with_paths};
use super::desk::{Basis, Desk, Noted};
use super::names::interface_trouble;
use crate::address::VirtualAddress;
use crate::definition::{Definition, Definitions};
use crate::instance::{Instance, Member, Transport};
use crate::name::Name;
use crate::node::{NodeFacts, advert_source};
use crate::placement::member_address;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use vipfleet_vrrp::Family;

type Nodes = BTreeMap<Name, NodeFacts>;

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance, nodes: &Nodes) {
    let mut addresses = BTreeMap::new();
    for (index, member) in spec.members.iter().enumerate() {
        let path = format!("spec.members[{index}]");
        if !member.external {
            reachable(desk, &path, member, spec, nodes);
        }
        let address = member_address(spec, member, nodes);
        if let Some(other) = address.and_then(|it| addresses.insert(it, &member.node))
            && member.address.is_none()
            && *other != member.node
        {
            let message = format!("{} and {other} say they have the same address", member.node);
            let remedy = "give each host its own address, or write `address:` here";
            desk.error("duplicate-member-address", path, message, remedy);
        }
    }
    // What no host may have is said already.
    let usable = |vip: &VirtualAddress| {
        let refused = unusable(vip.ip()).is_some() || reserved(vip.ip(), &vip.address).is_some();
        !refused && vip.address.prefix_len() > 0
    };
    for (path, vip) in with_paths(spec).filter(|(_, vip)| usable(vip)) {
        own(desk, &path, vip, spec, nodes);
        among(desk, &path, vip, spec, nodes);
    }
    for (index, vip) in spec.virtual_addresses.iter().enumerate() {
        claimed(desk, &format!("spec.virtualAddresses[{index}]"), vip, spec, nodes);
    }
}

/// Whether the node is known, has the interface, and has an address to send from.
fn reachable(desk: &mut Desk<'_>, path: &str, member: &Member, spec: &Instance, nodes: &Nodes) {
    let node = &member.node;
    let Some(facts) = nodes.get(node) else {
        let message = format!("no agent has said Hello as {node} yet");
        let remedy = "start one with --node, or correct the name; the others run meanwhile";
        desk.warning("unknown-node", format!("{path}.node"), message, remedy);
        return;
    };
    if interface_trouble(&member.interface).is_some() {
        return;
    }
    let Some(interface) = facts.interface(&member.interface) else {
        let message = format!("{node} has no interface {}", member.interface);
        let names = facts.interfaces.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
        let remedy =
            format!("it has {}; the instance is in FAULT there until then", or_none(&names));
        desk.warning("unknown-interface", format!("{path}.interface"), message, remedy);
        return;
    };
    let family = spec.family().map_or(Family::Ipv4, Family::from);
    let source = advert_source(&interface.addresses, family, spec.transport);
    if member.address.is_none() && source.is_none() {
        let kind = match (family, spec.transport) {
            (Family::Ipv4, _) => "IPv4",
            (Family::Ipv6, Transport::Multicast) => "link-local IPv6",
            (Family::Ipv6, Transport::Unicast) => "global IPv6",
        };
        let interface = &member.interface;
        let message = format!("{interface} of {node} has no {kind} address to send adverts from");
        let remedy = "give the interface one; the instance is in FAULT there until then";
        desk.warning("interface-without-address", format!("{path}.interface"), message, remedy);
    }
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// An address that a member has anyway.
fn own(desk: &mut Desk<'_>, path: &str, vip: &VirtualAddress, spec: &Instance, nodes: &Nodes) {
    let ip = vip.ip();
    for member in spec.members.iter().filter(|member| member.priority != 255) {
        let node = &member.node;
        if nodes.get(node).is_some_and(|facts| has(facts, vip, member)) {
            let message = format!("{ip} is an own address of {node}");
            let remedy = format!(
                "choose an address that no host has, remove it from {node}, or give that member \
                 priority 255"
            );
            desk.error("vip-own-address", path, message, remedy);
        }
    }
}

/// An address that a member claims to own and does not have (RFC 9568 §5.2.4).
fn claimed(desk: &mut Desk<'_>, path: &str, vip: &VirtualAddress, spec: &Instance, nodes: &Nodes) {
    let ip = vip.ip();
    for member in spec.members.iter().filter(|member| member.priority == 255) {
        let node = &member.node;
        if nodes.get(node).is_some_and(|facts| !has(facts, vip, member)) {
            let message = format!("{node} has priority 255 but {ip} is not its own address");
            let remedy = "255 is for the host that owns the address: write 254 or less";
            desk.error("owner-without-address", path, message, remedy);
        }
    }
}

/// An address among those of the interfaces it goes to.
fn among(desk: &mut Desk<'_>, path: &str, vip: &VirtualAddress, spec: &Instance, nodes: &Nodes) {
    let ip = vip.ip();
    let host_prefix = vip.address.prefix_len() == vip.address.max_prefix_len();
    let (mut outside, mut unpromoted, mut taken) = (Vec::new(), Vec::new(), BTreeMap::new());
    for member in &spec.members {
        let name = vip.dev.as_deref().unwrap_or(&member.interface);
        let facts = nodes.get(&member.node);
        let Some(interface) = facts.and_then(|facts| facts.interface(name)) else {
            continue;
        };
        let node = member.node.as_str();
        let all = interface.addresses.iter();
        let nets = all.filter(|it| it.addr().is_ipv4() == ip.is_ipv4()).collect::<Vec<_>>();
        if let Some((net, what)) = nets.iter().find_map(|net| Some((net, reserved(ip, net)?))) {
            taken.entry((what, net.trunc())).or_insert_with(Vec::new).push(node);
        } else if !nets.is_empty() && !nets.iter().any(|net| net.contains(&ip)) {
            outside.push(node);
        }
        if !host_prefix && ip.is_ipv4() && !interface.promote_secondaries {
            unpromoted.push(node);
        }
    }
    for ((what, net), nodes) in taken {
        let message = format!("{ip} is the {what} address of {net} on {}", nodes.join(", "));
        desk.error("address-reserved", path, message, "choose a host address of that network");
    }
    if !outside.is_empty() {
        let message = format!("{ip} is in no subnet of the interface on {}", outside.join(", "));
        let remedy = "neighbours reach it only over a route to that host: is that what you want?";
        desk.warning("vip-outside-subnet", path, message, remedy);
    }
    if !unpromoted.is_empty() {
        let message = format!(
            "{} may vanish on {} when another address of its subnet is removed",
            vip.address,
            unpromoted.join(", ")
        );
        let remedy = "set net.ipv4.conf.IF.promote_secondaries=1 there, or leave the prefix out";
        desk.warning("promote-secondaries", path, message, remedy);
    }
}

/// Whether the host has the address: a link-local one on the interface where it is wanted, since
/// every link has its own.
fn has(facts: &NodeFacts, vip: &VirtualAddress, member: &Member) -> bool {
    let wanted = vip.dev.as_deref().unwrap_or(&member.interface);
    let counts = |name: &str| !is_link_local(vip.ip()) || name == wanted;
    let there = facts.interfaces.iter().filter(|it| counts(&it.name));
    there.flat_map(|it| &it.addresses).any(|net| net.addr() == vip.ip())
}

/// Virtual addresses that are own addresses of hosts outside their instance. A warning: in
/// another site the same private address may be another host.
pub(super) fn foreign_addresses(noted: &mut Vec<Noted>, definitions: &Definitions, nodes: &Nodes) {
    let mut owners = BTreeMap::<IpAddr, BTreeSet<&Name>>::new();
    for facts in nodes.values() {
        let nets = facts.interfaces.iter().flat_map(|it| &it.addresses);
        // Nobody knows whether the link of a link-local address is the same.
        for net in nets.filter(|net| !is_link_local(net.addr())) {
            owners.entry(net.addr()).or_default().insert(&facts.node);
        }
    }
    for (key, definition) in &definitions.0 {
        let Definition::Instance { spec, .. } = definition else {
            continue;
        };
        let mut desk = Desk::new(noted, key, Basis::Hosts);
        for (path, vip) in with_paths(spec) {
            let strangers = owners.get(&vip.ip()).into_iter().flatten();
            for node in strangers.filter(|node| spec.member(node).is_none()) {
                let message = format!("{} is an own address of {node}", vip.ip());
                let remedy = "choose an address that no host of that network has";
                desk.warning("vip-foreign-address", &path, message, remedy);
            }
        }
    }
}
