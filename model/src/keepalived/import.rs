//! The files of several hosts as definitions: instances that share family, VRID and an address
//! become one with the hosts as members, and sync groups that share an instance become one; what
//! the hosts disagree on is a finding that names both lines. Equal priorities, unknown nodes and
//! the like are left to [`crate::validate`].

mod agree;
mod checks;
mod group;
mod hooks;
mod merge;
mod programs;
mod sync_groups;

use super::host::{At, HostConfig, VrrpInstance};
use super::report::finding;
use crate::definition::Definition;
use crate::finding::{Finding, Findings, Severity};
use crate::name::Name;
use std::collections::BTreeSet;

/// One host's part in an instance.
#[derive(Clone, Copy, Debug)]
struct Seat<'a> {
    /// Position in the list of hosts.
    index: usize,
    /// Position of the instance in its file.
    line: usize,
    node: &'a Name,
    host: &'a HostConfig,
    instance: &'a VrrpInstance,
}

/// Merges the files of `hosts`, each with the name of its node. Definitions come out in the order
/// in which the files first name them, checks last. With errors among the findings they are fit
/// to be looked at, not to be applied.
pub fn import(hosts: &[(Name, HostConfig)]) -> (Vec<Definition>, Findings) {
    let mut findings = Findings::default();
    for (index, (node, host)) in hosts.iter().enumerate() {
        if let Some((_, first)) = hosts[..index].iter().find(|(other, _)| other == node) {
            let at = |host: &HostConfig| At { file: host.file.clone(), line: 1, column: 1 };
            let message = format!("two files are said to be of node {node}");
            let remedy = "name each file's own node";
            findings.push(pair("duplicate-node", &at(host), &at(first), message, remedy));
        }
    }
    let (checks, check_definitions) = checks::gather(hosts, &mut findings);
    let mut programs = programs::Programs::default();
    let mut definitions: Vec<Definition> = Vec::new();
    let mut names = BTreeSet::new();
    let mut called = sync_groups::Called::new();
    for seats in group::clusters(hosts, &mut findings) {
        let name = group::name(&seats, |name| names.contains(name), &mut findings);
        names.insert(name.clone());
        for seat in &seats {
            called.insert((seat.index, seat.instance.name.value.clone()), name.clone());
        }
        let spec = Box::new(merge::instance(&name, &seats, &checks, &mut programs, &mut findings));
        definitions.push(Definition::Instance { name, spec });
    }
    definitions.extend(sync_groups::merge(hosts, &called, &mut programs, &mut findings));
    for (definition, origins) in check_definitions {
        definitions.push(programs.check(definition, &origins, &mut findings));
    }
    programs.finish(&mut findings);
    (definitions, findings)
}

/// An error about two places.
fn pair(
    rule: &str,
    at: &At,
    other: &At,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    let mut both = finding(Severity::Error, rule, at.clone(), message, remedy);
    both.related.push(other.place());
    both
}
