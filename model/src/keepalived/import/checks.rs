//! Checks of several hosts under names of their own. Equal checks are one definition.

use super::super::host::{At, HostCheck, HostConfig};
use super::super::report::finding;
use crate::check::{Check, Probe};
use crate::definition::Definition;
use crate::finding::{Findings, Severity};
use crate::name::Name;
use std::collections::BTreeMap;

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
    for (index, (node, host)) in hosts.iter().enumerate() {
        for check in &host.checks {
            let own = &check.name.value;
            if !tracked(host, check) {
                unused(check, findings);
                continue;
            }
            let equal = |(name, spec, _): &&mut Found| {
                (name == own || began_as(name, own)) && *spec == check.spec
            };
            if let Some((name, _, origins)) = gathered.iter_mut().find(equal) {
                origins.push((check.name.at.clone(), node.clone()));
                called.insert((index, own.clone()), name.clone());
                continue;
            }
            let name = match gathered.iter().find(|(name, ..)| name == own) {
                None => own.clone(),
                Some((_, _, origins)) => {
                    let taken = |name: &Name| gathered.iter().any(|(other, ..)| other == name);
                    let name = distinct(own, node, taken);
                    differs(check, node, &origins[0], &name, findings);
                    name
                }
            };
            called.insert((index, own.clone()), name.clone());
            let origins = vec![(check.name.at.clone(), node.clone())];
            gathered.push((name, check.spec.clone(), origins));
        }
    }
    let definition = |(name, spec, origins): Found| (Definition::Check { name, spec }, origins);
    (called, gathered.into_iter().map(definition).collect())
}

fn tracked(host: &HostConfig, check: &HostCheck) -> bool {
    let mut tracks = host.instances.iter().flat_map(|instance| &instance.track);
    tracks.any(|track| track.value.check == check.name.value)
}

fn began_as(name: &Name, own: &Name) -> bool {
    name.as_str().strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

fn distinct(own: &Name, node: &Name, taken: impl Fn(&Name) -> bool) -> Name {
    let stem: String = own.as_str().chars().take(40).collect();
    let host: String = node.as_str().chars().take(18).collect();
    let wanted = format!("{stem}-{host}").parse().unwrap_or_else(|_| own.clone());
    super::super::unique(&wanted, taken)
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
