//! The members of one instance among themselves: priorities, owners, hosts we do not manage.

use super::address::{is_link_local, unusable};
use super::desk::Desk;
use super::names::interface_trouble;
use crate::instance::{Family, Instance, Member, Transport};
use std::collections::BTreeMap;

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance) {
    match spec.members.as_slice() {
        [] => {
            let message = "the instance has no member";
            let remedy = "add `{node: NAME, interface: IF, priority: 100}` for each host";
            desk.error("no-member", "spec.members", message, remedy);
        }
        [only] => {
            let message = format!("only {} can hold the addresses: nobody takes over", only.node);
            desk.warning("one-member", "spec.members", message, "add a second member");
        }
        _ => {}
    }
    twice(desk, spec);
    for (index, member) in spec.members.iter().enumerate() {
        one(desk, &format!("spec.members[{index}]"), member, spec);
    }
    external(desk, spec);
}

/// What no two members may share.
fn twice(desk: &mut Desk<'_>, spec: &Instance) {
    let (mut nodes, mut addresses) = (BTreeMap::new(), BTreeMap::new());
    let mut priorities = BTreeMap::new();
    for (index, member) in spec.members.iter().enumerate() {
        if let Some(first) = nodes.insert(&member.node, index) {
            let message = format!("{} is already member {first}", member.node);
            let path = format!("spec.members[{index}].node");
            let remedy = "keep one entry a node; a second VIP of it is a second instance";
            desk.error("duplicate-member", path, message, remedy);
            continue;
        }
        if let Some(other) = member.address.and_then(|it| addresses.insert(it, &member.node)) {
            let message = format!("{other} has this address too");
            let path = format!("spec.members[{index}].address");
            desk.error("duplicate-member-address", path, message, "each host has its own address");
        }
        let Some(other) = priorities.insert(member.priority, &member.node) else {
            continue;
        };
        let path = format!("spec.members[{index}].priority");
        if member.priority == 255 {
            let message = format!("{other} owns the addresses already (priority 255)");
            desk.error("two-address-owners", path, message, "give one of them 254 or less");
        } else {
            let message = format!(
                "{other} has priority {} too: the higher address decides between them",
                member.priority
            );
            let remedy = "give each member its own priority, so that the order is what you wrote";
            desk.warning("equal-priorities", path, message, remedy);
        }
    }
}

fn one(desk: &mut Desk<'_>, path: &str, member: &Member, spec: &Instance) {
    if member.priority == 0 {
        // RFC 9568 §5.2.4: 0 says that the master resigns.
        let message = "priority 0 means resigning and is never configured";
        desk.error("priority-range", format!("{path}.priority"), message, "write 1 to 254");
    }
    offset(desk, path, member);
    if let Some(trouble) = interface_trouble(&member.interface) {
        let message = format!("the interface of {} is {trouble}", member.node);
        let remedy = "write the interface's name as `ip link` on that host shows it";
        desk.error("interface-name", format!("{path}.interface"), message, remedy);
    }
    let Some(address) = member.address else {
        return;
    };
    let path = format!("{path}.address");
    let is_ipv6_multicast = address.is_ipv6() && spec.transport == Transport::Multicast;
    if let Some(what) = unusable(address) {
        let message = format!("{address} is {what}");
        desk.error("address-unusable", &path, message, "write the host's own address");
    }
    let Some(family) = spec.family() else {
        return;
    };
    if family != Family::of(address) {
        let message = format!("{address} is not of the family of the virtual addresses");
        let remedy = "adverts go out from an address of the same family";
        desk.error("member-address-family", path, message, remedy);
    } else if is_ipv6_multicast && !is_link_local(address) {
        // RFC 9568 §5.1.2.1.
        let message = format!("adverts to ff02::12 come from a link-local address, not {address}");
        let remedy = "write the interface's fe80:: address, or leave the field out";
        desk.warning("member-address-scope", path, message, remedy);
    } else if member.priority != 255 && spec.virtual_addresses.iter().any(|it| it.ip() == address) {
        let message = format!("{address} is a virtual address of this instance");
        let remedy = "write the host's own address, or priority 255 if the host owns the VIP";
        desk.error("vip-own-address", path, message, remedy);
    }
}

fn offset(desk: &mut Desk<'_>, path: &str, member: &Member) {
    let (offset, path) = (member.priority_offset, format!("{path}.priorityOffset"));
    if !(-253..=253).contains(&offset) {
        let message = format!("offset {offset} is outside -253 to 253");
        desk.error("priority-offset", path, message, "write -253 to 253; 0 is none");
    } else if offset != 0 && (member.external || member.priority == 255) {
        let who =
            if member.external { "a host that vipfleet does not manage" } else { "the owner" };
        let message = format!("the offset of {who} has no effect");
        let remedy = "leave priorityOffset out";
        desk.warning("priority-offset-unused", path, message, remedy);
    }
}

fn external(desk: &mut Desk<'_>, spec: &Instance) {
    let members = &spec.members;
    if !members.is_empty() && members.iter().all(|member| member.external) {
        let message = "every member is external: vipfleet would run nothing";
        let remedy = "take `external` from the members that run an agent";
        desk.error("no-managed-member", "spec.members", message, remedy);
    }
    for (index, member) in members.iter().enumerate().filter(|(_, member)| member.external) {
        let path = format!("spec.members[{index}]");
        if !member.track.is_empty() {
            let message = format!("{} is external: its checks are its own affair", member.node);
            desk.warning("external-track", format!("{path}.track"), message, "leave track out");
        }
        if member.address.is_none() {
            no_address(desk, path, member, spec);
        }
    }
}

/// An external host says no Hello, so only the operator can tell its address.
fn no_address(desk: &mut Desk<'_>, path: String, member: &Member, spec: &Instance) {
    let path = format!("{path}.address");
    let remedy = format!("add `address:` with the address that {} sends from", member.node);
    if spec.transport == Transport::Unicast {
        let message = format!("{} is external: nobody knows where to send to", member.node);
        desk.error("external-address", path, message, remedy);
    } else if spec.members_only {
        let message = format!("{} is external: its adverts would be ignored", member.node);
        desk.error("external-address", path, message, remedy);
    } else {
        let message =
            format!("{} is external: its adverts look like those of a stranger", member.node);
        desk.warning("external-address", path, message, remedy);
    }
}
