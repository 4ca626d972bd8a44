//! One instance against what its hosts say of themselves: interfaces, addresses, sysctls.

use super::address::{reserved, with_paths};
use super::desk::{Basis, Desk, Noted};
use crate::address::VirtualAddress;
use crate::definition::{Definition, Definitions};
use crate::instance::{Instance, Member, Transport};
use crate::name::Name;
use crate::node::{InterfaceFacts, NodeFacts};
use crate::placement::member_address;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

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
    for (path, vip) in with_paths(spec) {
        on_hosts(desk, &path, vip, spec, nodes);
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
    let Some(interface) = facts.interface(&member.interface) else {
        let message = format!("{node} has no interface {}", member.interface);
        let names = facts
            .interfaces
            .iter()
            .map(|it| it.name.as_str())
            .collect::<Vec<_>>();
        let remedy = format!(
            "it has {}; the instance is in FAULT there until then",
            or_none(&names)
        );
        desk.warning(
            "unknown-interface",
            format!("{path}.interface"),
            message,
            remedy,
        );
        return;
    };
    let ipv4 = spec
        .virtual_addresses
        .first()
        .is_none_or(|vip| vip.ip().is_ipv4());
    let has_own = interface
        .addresses
        .iter()
        .any(|net| net.addr().is_ipv4() == ipv4);
    if member.address.is_none() && !has_own {
        let message = format!(
            "{} of {node} has no address to send adverts from",
            member.interface
        );
        let remedy = "give the interface an address; the instance is in FAULT there until then";
        desk.warning(
            "interface-without-address",
            format!("{path}.interface"),
            message,
            remedy,
        );
        if spec.transport == Transport::Unicast {
            let message = format!("the others do not know where to send adverts for {node}");
            let remedy = "add `address:`, or give the interface an address";
            desk.warning("unicast-address-unknown", path, message, remedy);
        }
    }
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// One address against every member that we know.
fn on_hosts(desk: &mut Desk<'_>, path: &str, vip: &VirtualAddress, spec: &Instance, nodes: &Nodes) {
    let ip = vip.ip();
    let (mut outside, mut unpromoted) = (Vec::new(), Vec::new());
    for member in &spec.members {
        let Some(facts) = nodes.get(&member.node) else {
            continue;
        };
        let own = facts.interfaces.iter().any(|it| it.has(ip));
        if own && member.priority != 255 {
            let message = format!("{ip} is an own address of {}", member.node);
            let remedy = format!(
                "choose an address that no host has, remove it from {}, or give that member \
                 priority 255",
                member.node
            );
            desk.error("vip-own-address", path, message, remedy);
        } else if !own && member.priority == 255 {
            let message = format!(
                "{} has priority 255 but {ip} is not its own address",
                member.node
            );
            let remedy = "255 is for the host that owns the address: write 254 or less";
            desk.error("owner-without-address", path, message, remedy);
        }
        let name = vip.dev.as_deref().unwrap_or(&member.interface);
        let Some(interface) = facts.interface(name) else {
            continue;
        };
        let nets = interface
            .addresses
            .iter()
            .filter(|it| it.addr().is_ipv4() == ip.is_ipv4());
        let nets = nets.collect::<Vec<_>>();
        if let Some((net, what)) = nets.iter().find_map(|net| Some((net, reserved(ip, net)?))) {
            let message = format!(
                "{ip} is the {what} address of {} on {}",
                net.trunc(),
                member.node
            );
            desk.error(
                "address-reserved",
                path,
                message,
                "choose a host address of that network",
            );
        }
        if !nets.is_empty() && !nets.iter().any(|net| net.contains(&ip)) {
            outside.push(member.node.as_str());
        }
        let host_prefix = vip.address.prefix_len() == vip.address.max_prefix_len();
        if !host_prefix && ip.is_ipv4() && !interface.promote_secondaries {
            unpromoted.push(member.node.as_str());
        }
    }
    if !outside.is_empty() {
        let message = format!(
            "{ip} is in no subnet of the interface on {}",
            outside.join(", ")
        );
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

impl InterfaceFacts {
    fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.addr() == ip)
    }
}

/// Virtual addresses that are own addresses of hosts outside their instance. A warning: in
/// another site the same private address may be another host.
pub(super) fn foreign_addresses(noted: &mut Vec<Noted>, definitions: &Definitions, nodes: &Nodes) {
    let mut owners = BTreeMap::<IpAddr, BTreeSet<&Name>>::new();
    for facts in nodes.values() {
        for net in facts.interfaces.iter().flat_map(|it| &it.addresses) {
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
