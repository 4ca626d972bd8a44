//! `virtual_routes` and `virtual_rules`. All have `no_track`: with us a route that somebody takes
//! away is put back and moves nothing, and keepalived cannot track one that names no interface.

use super::desk::{self, Desk};
use super::page::Page;
use crate::assignment::AssignedInstance;
use crate::finding::Place;
use crate::instance::Family;
use crate::routing::{RouteKind, VirtualRoute, VirtualRule, default_network};

pub(super) fn write(instance: &AssignedInstance, page: &mut Page, desk: &mut Desk) {
    if !instance.virtual_routes.is_empty() {
        let place = desk::instance(&instance.name, "spec.virtualRoutes");
        let routes = instance.virtual_routes.iter().map(|it| route(it, &place, desk));
        page.block("virtual_routes", routes.collect::<Vec<_>>());
    }
    if !instance.virtual_rules.is_empty() {
        let place = desk::instance(&instance.name, "spec.virtualRules");
        let ipv6 = family(instance) == Family::Ipv6;
        let rules = instance.virtual_rules.iter().map(|it| rule(it, ipv6, &place, desk));
        page.block("virtual_rules", rules.collect::<Vec<_>>());
    }
}

fn family(instance: &AssignedInstance) -> Family {
    let first = instance.virtual_addresses.first().map(|it| Family::of(it.ip()));
    first.or(instance.election_only).unwrap_or(Family::Ipv4)
}

fn route(route: &VirtualRoute, place: &Place, desk: &mut Desk) -> String {
    let mut words = Vec::new();
    if route.kind != RouteKind::Unicast {
        words.push(route.kind.as_str().to_owned());
    }
    words.push(route.to.to_string());
    let mut word = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{name} {value}")));
    };
    word("via", route.via.map(|it| it.to_string()));
    word("dev", route.dev.as_ref().map(|it| desk.word(place, "dev", it)));
    word("src", route.source.map(|it| it.to_string()));
    word("table", route.table.map(|it| it.to_string()));
    word("metric", route.metric.map(|it| it.to_string()));
    word("scope", route.scope.map(|it| super::instance::scope_name(it).to_owned()));
    word("mtu", route.mtu.map(|it| it.to_string()));
    if route.on_link {
        words.push("onlink".to_owned());
    }
    words.push("no_track".to_owned());
    words.join(" ")
}

/// A rule that says no family is IPv4 to keepalived.
fn rule(rule: &VirtualRule, ipv6: bool, place: &Place, desk: &mut Desk) -> String {
    let mut words = Vec::new();
    let mut word = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{name} {value}")));
    };
    let from = match rule.from {
        None if rule.to.is_none() && ipv6 => Some(default_network(|| true)),
        from => from,
    };
    word("from", from.map(|it| it.to_string()));
    word("to", rule.to.map(|it| it.to_string()));
    word("iif", rule.iif.as_ref().map(|it| desk.word(place, "iif", it)));
    word("oif", rule.oif.as_ref().map(|it| desk.word(place, "oif", it)));
    let mask = rule.fwmask.map(|mask| format!("/{mask:#x}")).unwrap_or_default();
    word("fwmark", rule.fwmark.map(|mark| format!("{mark:#x}{mask}")));
    word("table", Some(rule.table.to_string()));
    word("preference", Some(rule.priority.to_string()));
    words.push("no_track".to_owned());
    words.join(" ")
}
