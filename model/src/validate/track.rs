//! Tracked checks and hooks of one instance: that they exist, and that they do something.

use super::Known;
use super::desk::Desk;
use super::names::is_file_name;
use crate::definition::Definitions;
use crate::instance::{Instance, Member, Notify, Takeover, Track};
use crate::name::Name;
use std::collections::BTreeSet;

pub(super) fn examine(
    desk: &mut Desk<'_>,
    spec: &Instance,
    definitions: &Definitions,
    known: &Known<'_>,
) {
    for (path, tracks) in lists(spec) {
        let mut seen = BTreeSet::new();
        for (index, track) in tracks.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if !seen.insert(&track.check) {
                let message = format!("{} is tracked twice here", track.check);
                desk.error("duplicate-track", format!("{path}.check"), message, "keep one");
            }
            if definitions.check(&track.check).is_none() {
                unknown(desk, format!("{path}.check"), &track.check, known);
            }
            if !(-253..=253).contains(&track.weight) {
                let message = format!("weight {} is outside -253 to 253", track.weight);
                let remedy = "write -253 to 253; 0 means FAULT while down";
                desk.error("track-weight", format!("{path}.weight"), message, remedy);
            }
        }
    }
    weights(desk, spec);
    hooks(desk, &spec.notify);
}

/// A definition can never hand a host a path.
pub(super) fn hooks(desk: &mut Desk<'_>, notify: &[Notify]) {
    for (index, hook) in notify.iter().enumerate() {
        if !is_file_name(&hook.exec) {
            let message = format!("{:?} is no file name", hook.exec);
            let remedy = "put the file into the agent's exec dir and write its name without a path";
            desk.error("exec-path", format!("spec.notify[{index}].exec"), message, remedy);
        }
    }
}

fn lists(spec: &Instance) -> impl Iterator<Item = (String, &[Track])> {
    let members = spec.members.iter().enumerate();
    let own = members.map(|(index, it)| (format!("spec.members[{index}].track"), &it.track[..]));
    std::iter::once(("spec.track".to_owned(), &spec.track[..])).chain(own)
}

fn unknown(desk: &mut Desk<'_>, path: String, check: &Name, known: &Known<'_>) {
    match known {
        Known::Fleet(_) => {
            let message = format!("there is no Check {check}");
            let remedy = format!("add `kind: Check, name: {check}`, or take it from the list");
            desk.error("unknown-check", path, message, remedy);
        }
        Known::Input => {
            let message = format!("Check {check} is not in this input");
            let remedy = "that is fine if the server has it already";
            desk.warning("unknown-check", path, message, remedy);
        }
    }
}

/// Weights that never move an address.
fn weights(desk: &mut Desk<'_>, spec: &Instance) {
    let weighted = |member: &Member| {
        let all = spec.track.iter().chain(&member.track);
        all.filter(|track| track.weight != 0).count() > 0
    };
    if !spec.members.iter().any(weighted) {
        return;
    }
    let external = spec.members.iter().any(|member| member.external);
    if !spec.preempt && (spec.takeover == Takeover::Rfc || external) {
        let message = "with preempt: false a backup never takes over from a master that lowers \
                       its priority: weights have no effect";
        if spec.takeover == Takeover::Rfc {
            let remedy = "track with weight 0 (FAULT while down), or write takeover: fast";
            desk.error("nopreempt-weights", "spec.preempt", message, remedy);
        } else {
            let message = format!("{message} as long as a member is external");
            let remedy = "track with weight 0 (FAULT while down), or manage every member";
            desk.warning("nopreempt-weights", "spec.preempt", message, remedy);
        }
        return;
    }
    for (index, member) in spec.members.iter().enumerate().filter(|(_, it)| it.priority == 255) {
        if weighted(member) {
            let message = format!("{} owns the addresses: weights do not change 255", member.node);
            let remedy = "track with weight 0 (FAULT while down)";
            let path = format!("spec.members[{index}].priority");
            desk.warning("owner-weights", path, message, remedy);
        }
    }
    too_small(desk, spec);
}

/// Whether the highest member, with every weighted check down, still beats every other.
fn too_small(desk: &mut Desk<'_>, spec: &Instance) {
    let members = || spec.members.iter().enumerate().filter(|(_, it)| it.priority < 255);
    let Some((index, highest)) = members().max_by_key(|(_, member)| member.priority) else {
        return;
    };
    let tracked = tracked(spec, highest);
    let others = members().filter(|(other, _)| *other != index);
    let Some(rival) = others.map(|(_, it)| best(spec, it)).max() else {
        return;
    };
    let never_faulty = tracked.iter().all(|track| track.weight != 0);
    let worst = effective(highest, tracked.iter().map(|track| track.weight.min(0)));
    if !tracked.is_empty() && never_faulty && worst > rival {
        let message = format!(
            "{} keeps priority {worst} with every check down, and nobody else gets above {rival}",
            highest.node
        );
        let remedy = "make the weights larger than the distance of the priorities, or 0";
        let path = format!("spec.members[{index}].priority");
        desk.warning("weight-too-small", path, message, remedy);
    }
}

fn best(spec: &Instance, member: &Member) -> i32 {
    effective(member, tracked(spec, member).iter().map(|track| track.weight.max(0)))
}

fn effective(member: &Member, weights: impl Iterator<Item = i16>) -> i32 {
    let base = i32::from(member.priority) + i32::from(member.priority_offset);
    (base + weights.map(i32::from).sum::<i32>()).clamp(1, 254)
}

/// As placement merges them: the member's own entry counts.
fn tracked<'s>(spec: &'s Instance, member: &'s Member) -> Vec<&'s Track> {
    let own = |track: &&Track| member.track.iter().any(|it| it.check == track.check);
    spec.track.iter().filter(|track| !own(track)).chain(&member.track).collect()
}
