//! Sync groups of several hosts: those that have an instance in common become one definition.

use super::super::host::{At, HostConfig, SyncGroup};
use super::super::report::finding;
use super::super::unique;
use super::hooks::{Hooks, shared};
use super::pair;
use super::programs::Programs;
use crate::definition::Definition;
use crate::finding::{Finding, Findings, Severity};
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// What a host's instance is called in the fleet: by position of the host and its name there.
pub(super) type Called = BTreeMap<(usize, Name), Name>;

/// One host's part in a group.
#[derive(Clone, Debug)]
struct Seat<'a> {
    index: usize,
    node: &'a Name,
    group: &'a SyncGroup,
    /// As the fleet calls them, in the order of the file.
    instances: Vec<Name>,
}

/// Merges the groups of all `hosts`, in order of first appearance.
pub(super) fn merge(
    hosts: &[(Name, HostConfig)],
    called: &Called,
    programs: &mut Programs,
    findings: &mut Findings,
) -> Vec<Definition> {
    let mut definitions = Vec::new();
    let mut names: BTreeSet<Name> = BTreeSet::new();
    for seats in clusters(hosts, called) {
        let first = &seats[0];
        let own = &first.group.name.value;
        let name = unique(own, |name| names.contains(name));
        names.insert(name.clone());
        let document = format!("SyncGroup {name}");
        let mut said = names_differ(&seats, &name);
        said.extend(seats[1..].iter().filter_map(|seat| instances_differ(first, seat)));
        said.extend(absent(&seats, hosts, called));
        for mut finding in said {
            finding.place.document = Some(document.clone());
            findings.push(finding);
        }
        let hooks: Vec<Hooks<'_>> = seats
            .iter()
            .map(|seat| Hooks {
                node: seat.node,
                at: &seat.group.name.at,
                list: &seat.group.notify,
            })
            .collect();
        let notify = shared(&document, &hooks, programs, findings);
        let spec = crate::sync_group::SyncGroup { instances: first.instances.clone(), notify };
        definitions.push(Definition::SyncGroup { name, spec });
    }
    definitions
}

/// Groups of different hosts that have an instance in common.
fn clusters<'a>(hosts: &'a [(Name, HostConfig)], called: &Called) -> Vec<Vec<Seat<'a>>> {
    let mut clusters: Vec<Vec<Seat<'a>>> = Vec::new();
    // By an instance of the fleet: the cluster that has it.
    let mut known: BTreeMap<Name, usize> = BTreeMap::new();
    for (index, (node, host)) in hosts.iter().enumerate() {
        for group in &host.sync_groups {
            let mut seen = BTreeSet::new();
            let name = |it: &Name| called.get(&(index, it.clone())).cloned();
            let instances: Vec<Name> = group
                .instances
                .iter()
                .filter_map(|it| name(&it.value))
                .filter(|it| seen.insert(it.clone()))
                .collect();
            let met = instances.iter().find_map(|it| known.get(it)).copied();
            let cluster = met.unwrap_or(clusters.len());
            for instance in &instances {
                known.entry(instance.clone()).or_insert(cluster);
            }
            let seat = Seat { index, node, group, instances };
            match clusters.get_mut(cluster) {
                Some(seats) => seats.push(seat),
                None => clusters.push(vec![seat]),
            }
        }
    }
    clusters
}

fn names_differ(seats: &[Seat<'_>], name: &Name) -> Vec<Finding> {
    let first = &seats[0];
    let ours = &first.group.name;
    let mut said = Vec::new();
    for seat in seats {
        let theirs = &seat.group.name;
        if theirs.value == *name {
            continue;
        }
        let message = match std::ptr::eq(seat, first) {
            true => format!("another group is called {} already: imported as {name}", theirs.value),
            false => format!(
                "{} calls it {}, {} calls it {}: imported as {name}",
                first.node, ours.value, seat.node, theirs.value
            ),
        };
        let remedy = "nothing to do, or rename it in one file";
        let mut differs =
            finding(Severity::Warning, "names-differ", theirs.at.clone(), message, remedy);
        if ours.at != theirs.at {
            differs.related.push(ours.at.place());
        }
        said.push(differs);
    }
    said
}

fn instances_differ(first: &Seat<'_>, seat: &Seat<'_>) -> Option<Finding> {
    let set = |seat: &Seat<'_>| seat.instances.iter().cloned().collect::<BTreeSet<Name>>();
    let (ours, theirs) = (set(first), set(seat));
    if first.index == seat.index || ours != theirs {
        let list =
            |of: &Seat<'_>| of.instances.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let message = format!(
            "the group is {} on {} and {} on {}",
            list(first),
            first.node,
            list(seat),
            seat.node
        );
        let remedy = "all hosts need the same instances in a group: correct one file";
        let (at, there) = (&seat.group.name.at, &first.group.name.at);
        return Some(pair("hosts-disagree", at, there, message, remedy));
    }
    None
}

/// Hosts that have an instance of the group and no group for it.
fn absent(seats: &[Seat<'_>], hosts: &[(Name, HostConfig)], called: &Called) -> Vec<Finding> {
    let all: BTreeSet<&Name> = seats.iter().flat_map(|seat| &seat.instances).collect();
    let mut said = Vec::new();
    for (index, (node, host)) in hosts.iter().enumerate() {
        if seats.iter().any(|seat| seat.index == index) {
            continue;
        }
        let lone: Option<&At> = host
            .instances
            .iter()
            .find(|it| {
                let name = called.get(&(index, it.name.value.clone()));
                name.is_some_and(|name| all.contains(name))
            })
            .map(|it| &it.name.at);
        if let Some(at) = lone {
            let group = &seats[0].group.name;
            let message = format!(
                "it is in the group {} on {}, and in none on {node}",
                group.value, seats[0].node
            );
            let remedy = "all hosts need the same groups: correct one file";
            said.push(pair("hosts-disagree", at, &group.at, message, remedy));
        }
    }
    said
}
