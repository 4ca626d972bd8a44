//! Virtual routes and rules of one instance, without looking at any host. What the kernel would
//! refuse is refused here, where an operator reads it.

use super::address::{unusable, with_paths};
use super::desk::Desk;
use super::names::interface_trouble;
use crate::address::Scope;
use crate::instance::{Family, Instance};
use crate::routing::{RouteKind, VirtualRoute, VirtualRule};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `RT_TABLE_LOCAL`, linux/rtnetlink.h: the kernel's own.
const LOCAL_TABLE: u32 = 255;
/// Priorities of the rules that every kernel starts with (ip-rule(8)).
const KERNEL_RULES: [u32; 3] = [0, 32_766, 32_767];
/// Least MTU of a link (RFC 791 §3.2, RFC 8200 §5).
const LEAST_MTU: [u32; 2] = [68, 1280];

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance) {
    let mut routes = BTreeMap::new();
    for (index, route) in spec.virtual_routes.iter().enumerate() {
        let path = format!("spec.virtualRoutes[{index}]");
        if let Some(first) = routes.get(&route.key()) {
            let message = format!("the kernel takes one route to {} like {first}", route.to);
            let remedy = "keep one of the two, or give one another metric or table";
            desk.error("duplicate-route", &path, message, remedy);
        } else {
            routes.insert(route.key(), path.clone());
        }
        self::route(desk, &path, spec, route);
    }
    let mut rules = BTreeMap::new();
    for (index, rule) in spec.virtual_rules.iter().enumerate() {
        let path = format!("spec.virtualRules[{index}]");
        if let Some(first) = rules.get(rule) {
            let message = format!("the rule is already at {first}");
            desk.error("duplicate-rule", &path, message, "keep one of the two");
        } else {
            rules.insert(rule, path.clone());
        }
        self::rule(desk, &path, rule);
    }
}

fn route(desk: &mut Desk<'_>, path: &str, spec: &Instance, route: &VirtualRoute) {
    let ipv4 = route.to.addr().is_ipv4();
    prefix(desk, &format!("{path}.to"), &route.to);
    for (field, address) in [("via", route.via), ("source", route.source)] {
        let Some(address) = address else { continue };
        let at = format!("{path}.{field}");
        if address.is_ipv4() != ipv4 {
            let message = format!("{address} is not of the family of {}", route.to);
            desk.error("route-family", at, message, "write both as IPv4, or both as IPv6");
        } else if let Some(what) = unusable(address) {
            let message = format!("{address} is {what}");
            desk.error("address-unusable", at, message, "write the address of a host");
        }
    }
    match route.kind {
        RouteKind::Unicast => next_hop(desk, path, route),
        kind => without_next_hop(desk, path, route, kind),
    }
    if let Some(source) = route.source {
        let own = with_paths(spec).any(|(_, vip)| vip.ip() == source);
        if !own {
            let message = format!("{source} is no address of this instance");
            let remedy = "the kernel refuses the route wherever the host lacks that address";
            desk.warning("route-source", format!("{path}.source"), message, remedy);
        }
    }
    if let Some(table @ (0 | LOCAL_TABLE)) = route.table {
        let message = format!("table {table} is the kernel's own");
        let remedy = "write another, or leave it out: it is the main table then";
        desk.error("reserved-table", format!("{path}.table"), message, remedy);
    }
    if route.scope.is_some() && !ipv4 {
        let message = "IPv6 routes have no scope";
        desk.error("route-scope", format!("{path}.scope"), message, "leave it out");
    }
    let least = LEAST_MTU[usize::from(!ipv4)];
    if let Some(mtu) = route.mtu.filter(|mtu| *mtu < least) {
        let message = format!("an MTU of {mtu} is below the least of its family");
        desk.error("route-mtu", format!("{path}.mtu"), message, format!("write {least} or more"));
    }
    interface(desk, &format!("{path}.dev"), route.dev.as_deref());
}

fn next_hop(desk: &mut Desk<'_>, path: &str, route: &VirtualRoute) {
    if route.via.is_none() && route.dev.is_none() {
        let message = format!("the route to {} says neither via nor dev", route.to);
        let remedy = "write via: the gateway, or dev: the interface, or kind: blackhole";
        desk.error("route-next-hop", path, message, remedy);
    }
    if route.on_link && (route.via.is_none() || route.dev.is_none()) {
        let message = "onLink says that dev reaches via, and one of the two is missing";
        desk.error("route-next-hop", format!("{path}.onLink"), message, "write both, or neither");
    }
    let link_local = matches!(route.via, Some(IpAddr::V6(via)) if via.is_unicast_link_local());
    if link_local && route.dev.is_none() {
        let message = "a link-local gateway is one on every interface";
        desk.error("route-next-hop", format!("{path}.via"), message, "write dev: too");
    }
    if matches!(route.scope, Some(Scope::Link | Scope::Host)) && route.via.is_some() {
        let message = "what a gateway reaches is beyond the link";
        let remedy = "leave the scope out, or write global";
        desk.error("route-scope", format!("{path}.scope"), message, remedy);
    }
}

fn without_next_hop(desk: &mut Desk<'_>, path: &str, route: &VirtualRoute, kind: RouteKind) {
    let table = [
        ("via", route.via.is_some()),
        ("dev", route.dev.is_some()),
        ("source", route.source.is_some()),
        ("onLink", route.on_link),
        ("mtu", route.mtu.is_some()),
    ];
    for (field, _) in table.into_iter().filter(|(_, written)| *written) {
        let message =
            format!("a route of kind {} leads nowhere: {field} has no meaning", kind.as_str());
        let remedy = format!("leave {field} out, or the kind");
        desk.error("route-next-hop", format!("{path}.{field}"), message, remedy);
    }
}

fn rule(desk: &mut Desk<'_>, path: &str, rule: &VirtualRule) {
    for (field, net) in [("from", &rule.from), ("to", &rule.to)] {
        if let Some(net) = net {
            prefix(desk, &format!("{path}.{field}"), net);
        }
    }
    if let (Some(from), Some(to)) = (rule.from, rule.to)
        && Family::of(from.addr()) != Family::of(to.addr())
    {
        let message = format!("{to} is not of the family of {from}");
        let remedy = "write both as IPv4, or both as IPv6";
        desk.error("rule-family", format!("{path}.to"), message, remedy);
    }
    if rule.table == 0 {
        let message = "table 0 is none";
        desk.error("reserved-table", format!("{path}.table"), message, "write 1 or more");
    }
    if KERNEL_RULES.contains(&rule.priority) || rule.priority > KERNEL_RULES[2] {
        let message = format!("priority {} is not to be had", rule.priority);
        let remedy = "write 1 to 32765: before the rules of the main and default tables";
        desk.error("rule-priority", format!("{path}.priority"), message, remedy);
    }
    if rule.fwmask.is_some() && rule.fwmark.is_none() {
        let message = "fwmask says which bits of fwmark count, and there is no fwmark";
        desk.error("rule-mark", format!("{path}.fwmask"), message, "write fwmark: too");
    }
    if let (Some(mark), Some(mask)) = (rule.fwmark, rule.fwmask)
        && mark & !mask != 0
    {
        let message = format!("no packet matches {mark:#x} in the bits of {mask:#x}");
        let remedy = "write a mark within the mask";
        desk.error("rule-mark", format!("{path}.fwmark"), message, remedy);
    }
    let every = |net: Option<IpNet>| net.is_none_or(|net| net.prefix_len() == 0);
    let selects = !every(rule.from)
        || !every(rule.to)
        || rule.iif.is_some()
        || rule.oif.is_some()
        || rule.selects_mark();
    if !selects {
        let message = format!("every packet of the host looks in table {} first", rule.table);
        let remedy = "say which: from, to, iif, oif or fwmark";
        desk.warning("rule-for-all", path, message, remedy);
    }
    interface(desk, &format!("{path}.iif"), rule.iif.as_deref());
    interface(desk, &format!("{path}.oif"), rule.oif.as_deref());
}

fn prefix(desk: &mut Desk<'_>, path: &str, net: &IpNet) {
    if *net != net.trunc() {
        let message = format!("{net} has bits beyond its prefix");
        let remedy = format!("write {}, or {}", net.trunc(), net.addr());
        desk.error("route-prefix", path, message, remedy);
    }
}

fn interface(desk: &mut Desk<'_>, path: &str, name: Option<&str>) {
    if let Some(trouble) = name.and_then(interface_trouble) {
        let message = format!("the interface is {trouble}");
        let remedy = "write its name as `ip link` shows it";
        desk.error("interface-name", path, message, remedy);
    }
}
