//! What two instances on one node must not both put into its kernel: one route, one rule, one
//! device of a virtual MAC.

use super::desk::{Basis, Noted, place};
use crate::definition::{Definition, Definitions, Key};
use crate::finding::Finding;
use crate::instance::{Family, Instance};
use crate::name::Name;
use crate::routing::{RouteKey, VirtualRule};
use std::collections::BTreeMap;

pub(super) fn examine(
    noted: &mut Vec<Noted>,
    definitions: &Definitions,
    changed: &dyn Fn(&Key) -> bool,
) {
    let mut claims = BTreeMap::<(Claim<'_>, &Name), (&Key, String)>::new();
    for (key, definition) in &definitions.0 {
        let Definition::Instance { spec, .. } = definition else { continue };
        let nodes = spec.members.iter().filter(|it| !it.external).map(|it| &it.node);
        let mut said = Vec::new();
        for node in nodes {
            for (claim, path) in claims_of(spec) {
                let first = claims.entry((claim, node)).or_insert_with(|| (key, path.clone()));
                // Twice in one instance is that instance's own finding; one is enough of a pair.
                if first.0 != key && !said.contains(&(first.0, path.clone())) {
                    said.push((first.0, path.clone()));
                    noted.push(couple(claim, node, first, (key, path), changed));
                }
            }
        }
    }
}

/// What a kernel holds once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim<'a> {
    Route(RouteKey),
    /// With the family, which the rule itself need not say.
    Rule(&'a VirtualRule, bool),
    /// The device of a virtual MAC, by VRID and whether IPv6.
    Device(u8, bool),
}

fn claims_of(spec: &Instance) -> impl Iterator<Item = (Claim<'_>, String)> {
    let routes = spec.virtual_routes.iter().enumerate();
    let rules = spec.virtual_rules.iter().enumerate();
    let ipv4 = spec.family() != Some(Family::Ipv6);
    routes
        .map(|(index, route)| (Claim::Route(route.key()), format!("spec.virtualRoutes[{index}]")))
        .chain(rules.map(move |(index, rule)| {
            let claim = Claim::Rule(rule, rule.ipv4().unwrap_or(ipv4));
            (claim, format!("spec.virtualRules[{index}]"))
        }))
        .chain(
            spec.virtual_mac.then(|| {
                (Claim::Device(spec.virtual_router_id, !ipv4), "spec.virtualMac".to_owned())
            }),
        )
}

/// The changed one gets the finding, the other is related; both alike: the later.
fn couple(
    claim: Claim<'_>,
    node: &Name,
    earlier: &(&Key, String),
    later: (&Key, String),
    changed: &dyn Fn(&Key) -> bool,
) -> Noted {
    let swap = changed(earlier.0) && !changed(later.0);
    let ((key, path), (other, at)) = if swap {
        ((earlier.0, &earlier.1), (later.0, &later.1))
    } else {
        ((later.0, &later.1), (earlier.0, &earlier.1))
    };
    let (rule, what, remedy) = match claim {
        Claim::Route(route) => (
            "shared-route",
            format!("a route to {} of table {} and metric {}", route.to, route.table, route.metric),
            "give one of them another metric or table: the kernel holds one",
        ),
        Claim::Device(vrid, ipv6) => (
            "shared-virtual-mac",
            format!("the device vrrp{}.{vrid}", if ipv6 { "6" } else { "" }),
            "give one of them another virtual router ID: a host has one device of a name",
        ),
        Claim::Rule(..) => (
            "shared-rule",
            "the same rule".to_owned(),
            "give one of them another priority: the kernel holds one",
        ),
    };
    let message = format!("{other} has {what} on {node} too");
    let finding = Finding::error(rule, place(key, path), message, remedy);
    Noted {
        keys: vec![key.clone(), other.clone()],
        basis: Basis::Definitions,
        finding: finding.with_related(place(other, at)),
    }
}
