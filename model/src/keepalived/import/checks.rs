//! Checks of several hosts under names of their own. Equal checks are one definition.

use super::super::host::{At, HostCheck, HostConfig};
use super::super::report::finding;
use crate::check::{Check, Probe};
use crate::definition::Definition;
use crate::finding::{Findings, Severity};
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// What a host's check is called in the fleet: by position of the host and its name there.
pub(super) type Called = BTreeMap<(usize, Name), Name>;

/// A definition, and the place and node of every host's declaration that it stands for.
pub(super) type Gathered = (Definition, Vec<(At, Name)>);

/// The same before it is a definition.
type Found = (Name, Check, Vec<(At, Name)>);

/// Names every tracked check. A check that is never tracked does not run in keepalived and is
/// not imported.
pub(super) fn gather(
    hosts: &[(Name, HostConfig)],
    findings: &mut Findings,
) -> (Called, Vec<Gathered>) {
    let mut called = Called::new();
    let mut gathered: Vec<Found> = Vec::new();
    // By the name that the files use; by the name in the fleet.
    let mut by_own: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    let mut taken: BTreeSet<Name> = BTreeSet::new();
    for (index, (node, host)) in hosts.iter().enumerate() {
        let tracked = host.tracked();
        for check in &host.checks {
            let own = &check.name.value;
            if !tracked.contains(own) {
                unused(check, findings);
                continue;
            }
            let origin = (check.name.at.clone(), node.clone());
            let known = by_own.entry(own).or_default();
            if let Some(equal) = known.iter().find(|at| gathered[**at].1 == check.spec) {
                called.insert((index, own.clone()), gathered[*equal].0.clone());
                gathered[*equal].2.push(origin);
                continue;
            }
            let name = if taken.contains(own) { distinct(own, node, &taken) } else { own.clone() };
            if let Some(first) = known.first() {
                differs(check, node, &gathered[*first].2[0], &name, findings);
            }
            called.insert((index, own.clone()), name.clone());
            taken.insert(name.clone());
            known.push(gathered.len());
            gathered.push((name, check.spec.clone(), vec![origin]));
        }
    }
    let definition = |(name, spec, origins): Found| (Definition::Check { name, spec }, origins);
    (called, gathered.into_iter().map(definition).collect())
}

fn distinct(own: &Name, node: &Name, taken: &BTreeSet<Name>) -> Name {
    let stem: String = own.as_str().chars().take(40).collect();
    let host: String = node.as_str().chars().take(18).collect();
    let wanted = format!("{stem}-{host}").parse().unwrap_or_else(|_| own.clone());
    super::super::unique(&wanted, |name| taken.contains(name))
}

fn unused(check: &HostCheck, findings: &mut Findings) {
    // An interface check exists only because it is tracked, by an instance that was refused.
    if matches!(check.spec.probe, Probe::Interface(_)) {
        return;
    }
    findings.push(finding(
        Severity::Warning,
        "unused-check",
        check.name.at.clone(),
        format!("no instance tracks {}: it is not imported", check.name.value),
        "track it, or remove it",
    ));
}

fn differs(
    check: &HostCheck,
    node: &Name,
    (first, first_node): &(At, Name),
    name: &Name,
    findings: &mut Findings,
) {
    let own = &check.name.value;
    let mut differs = finding(
        Severity::Warning,
        "checks-differ",
        check.name.at.clone(),
        format!("{own} of {node} is not {own} of {first_node}: imported as {name}"),
        "nothing to do, or make them equal",
    );
    differs.related.push(first.place());
    findings.push(differs);
}
