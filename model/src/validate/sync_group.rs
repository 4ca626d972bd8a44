//! Sync groups: that their instances can go together. What can not would flap for ever, each
//! instance calling the others to another host.

use super::Known;
use super::desk::{Desk, place};
use super::track::hooks;
use crate::definition::{Definitions, Key, Kind};
use crate::finding::Finding;
use crate::instance::{Instance, Member};
use crate::name::Name;
use crate::sync_group::SyncGroup;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn examine(
    desk: &mut Desk<'_>,
    key: &Key,
    spec: &SyncGroup,
    definitions: &Definitions,
    known: &Known<'_>,
) {
    if spec.instances.len() < 2 {
        let message = format!("{} instance makes no group", spec.instances.len());
        let remedy = "name at least two instances, or delete the group";
        desk.error("sync-group-size", "spec.instances", message, remedy);
    }
    let mut seen = BTreeSet::new();
    let mut present = Vec::new();
    for (index, name) in spec.instances.iter().enumerate() {
        let path = format!("spec.instances[{index}]");
        if !seen.insert(name) {
            let message = format!("{name} is in the group twice");
            desk.error("duplicate-group-instance", path, message, "keep one");
            continue;
        }
        match definitions.instance(name) {
            Some(instance) => present.push((path, name, instance)),
            None => unknown(desk, path, name, known),
        }
    }
    elsewhere(desk, key, spec, definitions);
    together(desk, &present);
    hooks(desk, &spec.notify);
}

fn unknown(desk: &mut Desk<'_>, path: String, name: &Name, known: &Known<'_>) {
    match known {
        Known::Fleet(_) => {
            let message = format!("there is no Instance {name}");
            let remedy = format!("add `kind: Instance, name: {name}`, or take it from the list");
            desk.error("unknown-instance", path, message, remedy);
        }
        Known::Input => {
            let message = format!("Instance {name} is not in this input");
            let remedy = "that is fine if the server has it already";
            desk.warning("unknown-instance", path, message, remedy);
        }
    }
}

/// An instance follows one group only.
fn elsewhere(desk: &mut Desk<'_>, key: &Key, spec: &SyncGroup, definitions: &Definitions) {
    // Each pair is said once, by the second of the two.
    for (other, group) in definitions.sync_groups().take_while(|(name, _)| **name != key.name) {
        for (index, name) in spec.instances.iter().enumerate() {
            let Some(at) = group.instances.iter().position(|it| it == name) else { continue };
            let other = Key { kind: Kind::SyncGroup, name: other.clone() };
            let path = format!("spec.instances[{index}]");
            let message = format!("{name} is in {other} already: it cannot follow two groups");
            let remedy = "keep it in one of them, or make one group of the two";
            let finding = Finding::error("two-sync-groups", place(key, path), message, remedy)
                .with_related(place(&other, format!("spec.instances[{at}]")));
            desk.note(finding, vec![other]);
        }
    }
}

/// The instances against the first of them.
fn together(desk: &mut Desk<'_>, present: &[(String, &Name, &Instance)]) {
    let Some(((_, first_name, first), others)) = present.split_first() else {
        return;
    };
    for (path, name, instance) in others {
        let (ours, theirs) = (nodes(instance), nodes(first));
        if ours.keys().ne(theirs.keys()) {
            let message = format!("{name} and {first_name} are not on the same nodes");
            let remedy = "give them the same members: nobody can follow to a node it is not on";
            desk.error("sync-group-nodes", path.clone(), message, remedy);
        } else if let Some((one, other)) = disagreement(&ours, &theirs) {
            let message = format!(
                "{name} and {first_name} do not order {one} and {other} alike: the group would be \
                 called back and forth"
            );
            let remedy = "give each member its own priority, in the same order in every instance";
            desk.error("sync-group-order", path.clone(), message, remedy);
        }
        if instance.preempt != first.preempt {
            let message =
                format!("{name} and {first_name} differ in preempt: the group never preempts");
            let remedy = "write the same preempt in every instance of the group";
            desk.warning("sync-group-preempt", path.clone(), message, remedy);
        }
    }
}

fn nodes(instance: &Instance) -> BTreeMap<&Name, &Member> {
    instance.members.iter().map(|member| (&member.node, member)).collect()
}

/// Two nodes that the one instance ranks otherwise than the other, or that addresses rank: those
/// of one family may say another thing than those of the other.
fn disagreement<'a>(
    ours: &BTreeMap<&'a Name, &Member>,
    theirs: &BTreeMap<&'a Name, &Member>,
) -> Option<(&'a Name, &'a Name)> {
    let rank = |of: &BTreeMap<&Name, &Member>, one: &Name, other: &Name| -> Option<Ordering> {
        Some(standing(of.get(one)?).cmp(&standing(of.get(other)?)))
    };
    let names = || ours.keys().copied();
    let mut pairs = names().flat_map(|one| names().map(move |other| (one, other)));
    pairs.find(|(one, other)| {
        let ranked = rank(ours, one, other);
        one < other && (ranked == Some(Ordering::Equal) || ranked != rank(theirs, one, other))
    })
}

/// The owner is beyond any offset.
fn standing(member: &&Member) -> i32 {
    match member.priority {
        255 => 255,
        priority => (i32::from(priority) + i32::from(member.priority_offset)).clamp(1, 254),
    }
}
