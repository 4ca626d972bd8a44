//! `vrrp_sync_group`: who belongs to it, and what it tracks, which becomes the instances' own.

use super::super::Lvs;
use super::super::cell::Pos;
use super::super::host::{Hook, Located, SyncGroup, VrrpInstance};
use super::super::keyword::{SYNC_GROUP, admit};
use super::super::lexeme::Word;
use super::super::report::{Report, finding};
use super::super::tree::Statement;
use super::super::unique;
use super::check::{Declared, Kind};
use super::global::Globals;
use super::hooks;
use super::name;
use super::track::Tracks;
use crate::finding::Severity;
use crate::instance::Track;
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Every instance gets a copy of what its group tracks.
const MAX_TRACKS: usize = 100;
const TOO_MANY: &str = "the instances of a group track at most 100 checks between them";

/// What becomes of the weights of instances' own tracks (`sync_group_tracking_weight`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    Dropped,
    Counted,
}

/// What a `vrrp_sync_group` says.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    title: &'a Word,
    instances: Vec<&'a Word>,
    tracks: Tracks,
    hooks: Vec<Located<Hook>>,
    weights: Weights,
}

/// Where the instances of this host are in its list, by the name that the file uses; `None` for
/// one that could not be read.
pub(super) type Written = BTreeMap<String, Option<usize>>;

/// Reads one group.
pub(super) fn read<'a>(
    block: &'a Statement,
    globals: &Globals,
    checks: &mut Declared,
    lvs: Lvs,
    report: &mut Report,
) -> Draft<'a> {
    let mut draft = Draft {
        title: &block.parameters()[0],
        instances: Vec::new(),
        tracks: Tracks::default(),
        hooks: Vec::new(),
        weights: Weights::Dropped,
    };
    let context = format!("vrrp_sync_group {}", draft.title.text);
    let mut group: Option<Pos> = None;
    for statement in block.statements() {
        if !admit(statement, SYNC_GROUP, &context, lvs, report) {
            continue;
        }
        match statement.keyword() {
            "group" if group.is_some() => {
                let message = "a group has one list; keepalived stumbles over the second";
                let remedy = "name all instances in the first";
                report.error(statement.pos(), "repeated-keyword", message, remedy);
            }
            "group" => {
                group = Some(statement.pos());
                draft.instances.extend(statement.statements().iter().flat_map(|line| &line.words));
            }
            "track_script" | "track_interface" | "track_process" => {
                draft.tracks.read(statement, checks, None, report);
            }
            "sync_group_tracking_weight" => draft.weights = Weights::Counted,
            "global_tracking" => {
                draft.weights = Weights::Counted;
                let message = "global_tracking is out of date: it is sync_group_tracking_weight";
                let remedy = "write that, or better track on the group";
                report.warning(statement.pos(), "deprecated", message, remedy);
            }
            _ => hooks::read(&mut draft.hooks, statement, globals, report),
        }
    }
    if let Some(extra) = draft.tracks.0.get(MAX_TRACKS) {
        let at = extra.at.clone();
        report.push(finding(Severity::Error, "too-many", at, TOO_MANY, "track fewer"));
        draft.tracks.0.truncate(MAX_TRACKS);
    }
    draft
}

/// The groups that have instances, in the order of the file; what they track is put into those.
pub(super) fn resolve(
    drafts: Vec<Draft<'_>>,
    written: &Written,
    instances: &mut [VrrpInstance],
    checks: &Declared,
    report: &mut Report,
) -> Vec<SyncGroup> {
    let mut groups = Vec::new();
    let mut names: BTreeSet<Name> = BTreeSet::new();
    let mut taken: BTreeMap<&str, Pos> = BTreeMap::new();
    for draft in drafts {
        let Draft { title, tracks, hooks, weights, .. } = draft;
        let members = members(title, &draft.instances, written, &mut taken, report);
        let read: Vec<usize> = members.iter().filter_map(|(_, place)| *place).collect();
        let tracks = beyond_own(tracks.0, &read, instances, checks, report);
        track(&read, instances, &tracks, weights, report);
        if !enough(title, members.len(), &hooks, report) || read.len() < 2 {
            continue;
        }
        let called = name(&title.text, title.pos, report);
        let called = unique(&called, |name| names.contains(name));
        names.insert(called.clone());
        let named = |(word, place): (&Word, Option<usize>)| {
            Some(report.located(instances[place?].name.value.clone(), word.pos))
        };
        groups.push(SyncGroup {
            name: report.located(called, title.pos),
            instances: members.into_iter().filter_map(named).collect(),
            notify: hooks,
        });
    }
    groups
}

/// Those of `names` that the file has and that follow no other group; keepalived drops the rest.
fn members<'a>(
    title: &Word,
    names: &[&'a Word],
    written: &Written,
    taken: &mut BTreeMap<&'a str, Pos>,
    report: &mut Report,
) -> Vec<(&'a Word, Option<usize>)> {
    let mut members = Vec::new();
    for word in names {
        let called = word.text.as_str();
        let Some(place) = written.get(called) else {
            let message = format!("no vrrp_instance {called}: dropped, as keepalived does");
            let remedy = "correct the name, or remove it";
            report.warning(word.pos, "unknown-instance", message, remedy);
            continue;
        };
        if let Some(first) = taken.get(called) {
            let group = &title.text;
            let message =
                format!("{called} is in a group already: dropped from {group}, as keepalived does");
            let remedy = "name it once";
            let at = report.at(word.pos);
            let mut twice = finding(Severity::Warning, "two-sync-groups", at, message, remedy);
            twice.related.push(report.at(*first).place());
            report.push(twice);
            continue;
        }
        taken.insert(called, word.pos);
        members.push((*word, *place));
    }
    members
}

/// Whether it is a group at all. One instance alone still tracks what its group does.
fn enough(title: &Word, count: usize, hooks: &[Located<Hook>], report: &mut Report) -> bool {
    if count >= 2 {
        return true;
    }
    let what = if count == 0 { "no instance" } else { "one instance only" };
    let message =
        format!("vrrp_sync_group {} has {what}: there is nothing to keep together", title.text);
    let remedy = "name the others, or remove the group";
    report.warning(title.pos, "sync-group-size", message, remedy);
    if let (1, Some(hook)) = (count, hooks.first()) {
        let message = "keepalived runs this for a group of one; here a group has two at least";
        let remedy = "move the line into the instance";
        let at = hook.at.clone();
        report.push(finding(Severity::Error, "not-supported", at, message, remedy));
    }
    false
}

/// Without the interfaces of its instances: one that is down is a fault of the whole group in any
/// case.
fn beyond_own(
    mut tracks: Vec<Located<Track>>,
    members: &[usize],
    instances: &[VrrpInstance],
    checks: &Declared,
    report: &mut Report,
) -> Vec<Located<Track>> {
    let own = |place: &usize| checks.find(Kind::Interface, &instances[*place].interface.value);
    let own: BTreeSet<Name> = members.iter().filter_map(own).map(|known| known.name).collect();
    tracks.retain(|track| {
        let is_own = own.contains(&track.value.check);
        if is_own && (track.value.weight > 0 || track.value.reverse) {
            let message = "an instance of the group runs on this interface: the weight would \
                           count as long as the group is not in FAULT";
            let remedy = "remove the line, and change the priorities";
            let at = track.at.clone();
            report.push(finding(Severity::Error, "not-supported", at, message, remedy));
        }
        !is_own
    });
    tracks
}

/// What keepalived makes of the tracks of a group and of its instances: a weight of an instance's
/// own is dropped unless the group lets it count, and the group's entry counts unless the
/// instance has the check without a weight.
fn track(
    members: &[usize],
    instances: &mut [VrrpInstance],
    group: &[Located<Track>],
    weights: Weights,
    report: &mut Report,
) {
    for place in members {
        let instance = &mut instances[*place];
        if weights == Weights::Dropped {
            drop_weights(instance, report);
        }
        for track in group {
            let mine = &mut instance.track;
            match mine.iter_mut().find(|it| it.value.check == track.value.check) {
                Some(earlier) if earlier.value.weight != 0 => *earlier = track.clone(),
                Some(_) => {}
                None => mine.push(track.clone()),
            }
        }
    }
    faults_count_for_all(members, instances);
    if members.len() > 1 {
        share(members, instances, group, report);
    }
}

/// All of a group track the same, in the group's order first: that is what they run as
/// ([`crate::placement`]), and what an export says.
fn share(
    members: &[usize],
    instances: &mut [VrrpInstance],
    group: &[Located<Track>],
    report: &mut Report,
) {
    let mut shared: Vec<Located<Track>> = Vec::new();
    let mut seen: BTreeSet<&Name> = BTreeSet::new();
    for track in members.iter().flat_map(|place| &instances[*place].track) {
        if seen.insert(&track.value.check) {
            shared.push(track.clone());
        }
    }
    let places = group.iter().enumerate().map(|(place, track)| (&track.value.check, place));
    let places: BTreeMap<&Name, usize> = places.collect();
    shared.sort_by_key(|track| places.get(&track.value.check).copied().unwrap_or(group.len()));
    if let Some(extra) = shared.get(MAX_TRACKS) {
        let at = extra.at.clone();
        report.push(finding(Severity::Error, "too-many", at, TOO_MANY, "track fewer"));
        shared.truncate(MAX_TRACKS);
    }
    for place in members {
        instances[*place].track.clone_from(&shared);
    }
}

fn drop_weights(instance: &mut VrrpInstance, report: &mut Report) {
    let (dropped, kept) = std::mem::take(&mut instance.track)
        .into_iter()
        .partition::<Vec<_>, _>(|track| track.value.weight != 0);
    instance.track = kept;
    for track in dropped {
        let message = format!(
            "the weight of {} counts for one instance of a sync group only: dropped, as \
             keepalived does",
            track.value.check
        );
        let remedy = "track it on the group, or add sync_group_tracking_weight to the group";
        report.push(finding(Severity::Warning, "no-effect", track.at, message, remedy));
    }
}

/// A check that puts one instance of a group into FAULT puts all of it there, whatever weight the
/// others give it.
fn faults_count_for_all(members: &[usize], instances: &mut [VrrpInstance]) {
    let mut fatal: BTreeMap<Name, Track> = BTreeMap::new();
    for place in members {
        for track in instances[*place].track.iter().filter(|track| track.value.weight == 0) {
            fatal.entry(track.value.check.clone()).or_insert_with(|| track.value.clone());
        }
    }
    for place in members {
        for track in instances[*place].track.iter_mut().filter(|track| track.value.weight != 0) {
            if let Some(fault) = fatal.get(&track.value.check) {
                track.value = fault.clone();
            }
        }
    }
}
