//! Which instances of which hosts belong together, and what the whole is called.

use super::super::host::HostConfig;
use super::super::report::finding;
use super::{Seat, pair};
use crate::finding::{Findings, Severity};
use crate::name::Name;

/// Clusters by (family, VRID) and overlapping addresses, in order of first appearance.
pub(super) fn clusters<'a>(
    hosts: &'a [(Name, HostConfig)],
    findings: &mut Findings,
) -> Vec<Vec<Seat<'a>>> {
    let mut clusters: Vec<Vec<Seat<'a>>> = Vec::new();
    for (index, (node, host)) in hosts.iter().enumerate() {
        for instance in &host.instances {
            let seat = Seat { index, node, host, instance };
            let joins = |cluster: &Vec<Seat<'_>>| cluster.iter().any(|other| overlap(seat, *other));
            // Addresses of one host may tie together what was apart before.
            let (mut joined, rest): (Vec<_>, Vec<_>) = clusters.into_iter().partition(joins);
            clusters = rest;
            let mut merged = if joined.is_empty() { Vec::new() } else { joined.remove(0) };
            merged.extend(joined.into_iter().flatten());
            merged.push(seat);
            clusters.push(merged);
        }
    }
    let first = |cluster: &Vec<Seat<'_>>| cluster[0].index;
    let line = |cluster: &Vec<Seat<'_>>| cluster[0].instance.name.at.line;
    clusters.sort_by_key(|cluster| (first(cluster), line(cluster)));
    for (position, cluster) in clusters.iter().enumerate() {
        twice_on_a_host(cluster, findings);
        apart(cluster, &clusters[..position], findings);
    }
    clusters
}

fn same_router(left: Seat<'_>, right: Seat<'_>) -> bool {
    left.instance.is_ipv6() == right.instance.is_ipv6()
        && left.instance.virtual_router_id.value == right.instance.virtual_router_id.value
}

fn overlap(left: Seat<'_>, right: Seat<'_>) -> bool {
    let has = |ip| right.instance.virtual_addresses.iter().any(|other| other.value.ip() == ip);
    same_router(left, right)
        && left.instance.virtual_addresses.iter().any(|address| has(address.value.ip()))
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

fn apart(cluster: &[Seat<'_>], before: &[Vec<Seat<'_>>], findings: &mut Findings) {
    let seat = cluster[0];
    let Some(other) = before.iter().map(|other| other[0]).find(|other| same_router(seat, *other))
    else {
        return;
    };
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
