//! Which instances of which hosts belong together, and what the whole is called.

use super::super::host::HostConfig;
use super::super::report::finding;
use super::{Seat, pair};
use crate::finding::{Findings, Severity};
use crate::name::Name;
use std::collections::BTreeMap;

/// Clusters by (family, VRID) and overlapping addresses, in order of first appearance.
pub(super) fn clusters<'a>(
    hosts: &'a [(Name, HostConfig)],
    findings: &mut Findings,
) -> Vec<Vec<Seat<'a>>> {
    let mut routers: BTreeMap<(bool, u8), Vec<Vec<Seat<'a>>>> = BTreeMap::new();
    for (index, (node, host)) in hosts.iter().enumerate() {
        for (line, instance) in host.instances.iter().enumerate() {
            let seat = Seat { index, line, node, host, instance };
            let key = (instance.is_ipv6(), instance.virtual_router_id.value);
            join(routers.entry(key).or_default(), seat);
        }
    }
    for clusters in routers.values_mut() {
        clusters.sort_by_key(|cluster| (cluster[0].index, cluster[0].line));
        for cluster in clusters.iter() {
            twice_on_a_host(cluster, findings);
        }
        apart(clusters, findings);
    }
    let mut clusters: Vec<_> = routers.into_values().flatten().collect();
    clusters.sort_by_key(|cluster| (cluster[0].index, cluster[0].line));
    clusters
}

/// Puts `seat` into the cluster with which it has an address in common. It may tie together
/// clusters that were apart before.
fn join<'a>(clusters: &mut Vec<Vec<Seat<'a>>>, seat: Seat<'a>) {
    let joins = |cluster: &Vec<Seat<'_>>| cluster.iter().any(|other| overlap(seat, *other));
    let (mut joined, rest): (Vec<_>, Vec<_>) =
        std::mem::take(clusters).into_iter().partition(joins);
    *clusters = rest;
    let mut merged = if joined.is_empty() { Vec::new() } else { joined.remove(0) };
    merged.extend(joined.into_iter().flatten());
    merged.push(seat);
    clusters.push(merged);
}

fn overlap(left: Seat<'_>, right: Seat<'_>) -> bool {
    let has = |ip| right.instance.virtual_addresses.iter().any(|other| other.value.ip() == ip);
    left.instance.virtual_addresses.iter().any(|address| has(address.value.ip()))
}

/// The same instance on two interfaces of one host has no place in one definition.
fn twice_on_a_host(cluster: &[Seat<'_>], findings: &mut Findings) {
    for (position, seat) in cluster.iter().enumerate() {
        let before = cluster[..position].iter().find(|other| other.index == seat.index);
        if let Some(other) = before {
            let message = format!(
                "{} has two instances with virtual_router_id {} and common addresses",
                seat.node, seat.instance.virtual_router_id.value
            );
            let (at, first) = (&seat.instance.name.at, &other.instance.name.at);
            findings.push(pair("duplicate-vip", at, first, message, "keep one of them"));
        }
    }
}

/// All but the first of the clusters that share a VRID are worth a word.
fn apart(clusters: &[Vec<Seat<'_>>], findings: &mut Findings) {
    let Some((first, rest)) = clusters.split_first() else { return };
    for cluster in rest {
        let (seat, other) = (cluster[0], first[0]);
        let id = &seat.instance.virtual_router_id;
        let mut apart = finding(
            Severity::Warning,
            "vrid-without-overlap",
            id.at.clone(),
            format!(
                "virtual_router_id {} is {}'s on {} too, without a common address: kept apart",
                id.value, other.instance.name.value, other.node
            ),
            "nothing to do if they are on different networks; otherwise give one another id",
        );
        apart.related.push(other.instance.virtual_router_id.at.place());
        findings.push(apart);
    }
}

/// The common name, or the first host's with a finding; never one that is taken.
pub(super) fn name(
    seats: &[Seat<'_>],
    taken: impl Fn(&Name) -> bool,
    findings: &mut Findings,
) -> Name {
    let first = &seats[0].instance.name;
    for other in &seats[1..] {
        let theirs = &other.instance.name;
        if theirs.value != first.value {
            let message = format!(
                "{} calls it {}, {} calls it {}: imported as {}",
                seats[0].node, first.value, other.node, theirs.value, first.value
            );
            let mut differs = finding(
                Severity::Warning,
                "names-differ",
                theirs.at.clone(),
                message,
                "nothing to do, or rename it in one file",
            );
            differs.related.push(first.at.place());
            findings.push(differs);
        }
    }
    if !taken(&first.value) {
        return first.value.clone();
    }
    let id = seats[0].instance.virtual_router_id.value;
    let stem: String = first.value.as_str().chars().take(50).collect();
    let wanted = format!("{stem}-{id}").parse().unwrap_or_else(|_| first.value.clone());
    let name = super::super::unique(&wanted, taken);
    findings.push(finding(
        Severity::Warning,
        "names-differ",
        first.at.clone(),
        format!("another instance is called {} already: imported as {name}", first.value),
        "nothing to do, or rename it in the file",
    ));
    name
}
