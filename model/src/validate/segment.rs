//! What instances on one LAN segment must not share: a virtual router ID of one family, and
//! virtual addresses.
//!
//! Nobody tells us which interfaces are on one segment. Two things do:
//! * the members of one instance hear each other, so their interfaces are on one segment, and so
//!   are those of every instance that shares an interface with it (known from the definitions);
//! * interfaces of different hosts with an address in the same subnet (known from the hosts).

use super::address::{is_link_local, with_paths};
use super::desk::{Basis, Noted, place};
use crate::definition::{Definition, Definitions, Key};
use crate::finding::{Finding, Severity};
use crate::instance::{Family, Instance};
use crate::name::Name;
use crate::node::NodeFacts;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

pub(super) fn examine(
    noted: &mut Vec<Noted>,
    definitions: &Definitions,
    nodes: &BTreeMap<Name, NodeFacts>,
    changed: &dyn Fn(&Key) -> bool,
) {
    let instances = definitions
        .0
        .iter()
        .filter_map(|(key, definition)| match definition {
            Definition::Instance { spec, .. } => Some((key, spec.as_ref())),
            _ => None,
        })
        .collect::<Vec<_>>();
    let segments = Segments::of(&instances, nodes);
    let pair = Pair { instances: &instances, segments: &segments, changed };
    router_ids(noted, &pair);
    addresses(noted, &pair);
}

/// Two instances that share something.
struct Pair<'a> {
    instances: &'a [(&'a Key, &'a Instance)],
    segments: &'a Segments,
    changed: &'a dyn Fn(&Key) -> bool,
}

/// One of the two: which instance, and where in it.
type Side = (usize, String);

impl Pair<'_> {
    /// Each later side with the earlier one it is surest to share a segment with: as many
    /// findings as there are sides to correct.
    fn couples<'g>(&self, group: &'g [Side]) -> impl Iterator<Item = (&'g Side, &'g Side)> {
        group.iter().enumerate().skip(1).map(|(index, later)| {
            let earlier = &group[..index];
            let certain = |it: &&Side| self.segments.basis(it.0, later.0) == Basis::Definitions;
            let likely = |it: &&Side| self.segments.same(it.0, later.0);
            let surest = earlier.iter().find(certain).or_else(|| earlier.iter().find(likely));
            (surest.unwrap_or(&group[0]), later)
        })
    }

    /// The changed one gets the finding, the other is related; both alike: the later.
    fn note(
        &self,
        noted: &mut Vec<Noted>,
        basis: Basis,
        (earlier, later): (&Side, &Side),
        finding: impl Fn(&Key, &Key) -> Finding,
    ) {
        let is_changed = |side: &Side| (self.changed)(self.instances[side.0].0);
        let swap = is_changed(earlier) && !is_changed(later);
        let (here, there) = if swap { (earlier, later) } else { (later, earlier) };
        let (key, other) = (self.instances[here.0].0, self.instances[there.0].0);
        let mut finding = finding(key, other);
        finding.place = place(key, &here.1);
        finding.related = vec![place(other, &there.1)];
        noted.push(Noted { keys: vec![key.clone(), other.clone()], basis, finding });
    }
}

fn router_ids(noted: &mut Vec<Noted>, pair: &Pair<'_>) {
    // Keyed by the wider notion of segment; which one it was shows in the pair.
    let mut groups = BTreeMap::<_, Vec<Side>>::new();
    for (index, (_, spec)) in pair.instances.iter().enumerate() {
        let Some(family) = spec.family() else {
            continue;
        };
        let Some(segment) = pair.segments.by_hosts(index) else {
            continue;
        };
        let group = (segment, family == Family::Ipv4, spec.virtual_router_id);
        groups.entry(group).or_default().push((index, "spec.virtualRouterId".into()));
    }
    for ((_, _, id), group) in groups {
        for (first, later) in pair.couples(&group) {
            let basis = pair.segments.basis(first.0, later.0);
            pair.note(noted, basis, (first, later), |_, other| {
                let message = format!("{other} has virtual router ID {id} on the same segment");
                let remedy = "give each instance of a segment its own ID, 1 to 255";
                Finding::error("duplicate-vrid", Default::default(), message, remedy)
            });
        }
    }
}

fn addresses(noted: &mut Vec<Noted>, pair: &Pair<'_>) {
    let mut groups = BTreeMap::<IpAddr, Vec<Side>>::new();
    for (index, (_, spec)) in pair.instances.iter().enumerate() {
        for (path, vip) in with_paths(spec) {
            let sides = groups.entry(vip.ip()).or_default();
            // Twice in one instance is that instance's own finding.
            if sides.last().is_none_or(|(last, _)| *last != index) {
                sides.push((index, path));
            }
        }
    }
    for (address, group) in groups {
        for (first, later) in pair.couples(&group) {
            let joined = pair.segments.same(first.0, later.0);
            // Every link has link-local addresses of its own.
            if !joined && is_link_local(address) {
                continue;
            }
            let (severity, basis) = match joined {
                true => (Severity::Error, pair.segments.basis(first.0, later.0)),
                false => (Severity::Warning, Basis::Definitions),
            };
            pair.note(noted, basis, (first, later), |_, other| {
                let message = format!("{other} has {address} too");
                let remedy = match severity {
                    Severity::Error => "an address belongs to one instance: take it from one",
                    Severity::Warning => "that is fine only if the two never share a network",
                };
                let plain = Finding::error("duplicate-vip", Default::default(), message, remedy);
                Finding { severity, ..plain }
            });
        }
    }
}

/// Which instances share a segment, in both notions.
struct Segments {
    by_definitions: Vec<Option<usize>>,
    by_hosts: Vec<Option<usize>>,
}

impl Segments {
    fn of(instances: &[(&Key, &Instance)], nodes: &BTreeMap<Name, NodeFacts>) -> Self {
        let mut ids = HashMap::<(&str, &str), usize>::new();
        let mut sets = Sets::default();
        let mut of_instance = Vec::with_capacity(instances.len());
        for (_, spec) in instances {
            let mut first = None;
            for member in &spec.members {
                let interface = (member.node.as_str(), member.interface.as_str());
                let id = *ids.entry(interface).or_insert_with(|| sets.add());
                sets.join(*first.get_or_insert(id), id);
            }
            of_instance.push(first);
        }
        let roots = |sets: &mut Sets| {
            of_instance.iter().map(|it| it.map(|id| sets.root(id))).collect::<Vec<_>>()
        };
        let by_definitions = roots(&mut sets);
        let mut subnets = HashMap::<IpNet, usize>::new();
        for ((node, interface), id) in &ids {
            let facts = nodes.get(*node).and_then(|facts| facts.interface(interface));
            for net in facts.iter().flat_map(|it| &it.addresses).filter(|net| names_a_segment(net))
            {
                let first = *subnets.entry(net.trunc()).or_insert(*id);
                sets.join(first, *id);
            }
        }
        let by_hosts = roots(&mut sets);
        Self { by_definitions, by_hosts }
    }

    fn by_hosts(&self, instance: usize) -> Option<usize> {
        self.by_hosts[instance]
    }

    fn same(&self, one: usize, other: usize) -> bool {
        self.by_hosts[one].is_some() && self.by_hosts[one] == self.by_hosts[other]
    }

    /// What tells that the two are on one segment.
    fn basis(&self, one: usize, other: usize) -> Basis {
        let segment = self.by_definitions[one];
        let certain = segment.is_some() && segment == self.by_definitions[other];
        if certain { Basis::Definitions } else { Basis::Hosts }
    }
}

/// Not a host prefix, and not link-local, which every segment has.
fn names_a_segment(net: &IpNet) -> bool {
    let link_local = match net.addr() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !link_local && net.prefix_len() < net.max_prefix_len()
}

/// Disjoint sets with path halving.
#[derive(Default)]
struct Sets(Vec<usize>);

impl Sets {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn root(&mut self, mut id: usize) -> usize {
        while self.0[id] != id {
            self.0[id] = self.0[self.0[id]];
            id = self.0[id];
        }
        id
    }

    /// The lower root stays, so that equal inputs give equal sets.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
