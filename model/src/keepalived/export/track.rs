//! What an instance or a sync group tracks, in its order.

use super::check::{Checks, Written};
use super::desk::{self, Desk};
use super::page::Page;
use crate::assignment::AssignedInstance;
use crate::finding::Place;
use crate::instance::Track;
use crate::name::Name;
use std::collections::BTreeSet;

/// Address owners keep their priority whatever happens (RFC 9568 §5.2.4).
const OWNER: u8 = 255;

/// Who tracks.
#[derive(Debug)]
pub(super) struct Tracker<'a> {
    place: Place,
    tracks: &'a [Track],
    /// Its priority, or one of those of the group, is the owner's.
    owner: Option<()>,
    /// Interfaces that keepalived tracks by itself.
    own: Vec<&'a str>,
}

impl<'a> Tracker<'a> {
    pub(super) fn of_instance(instance: &'a AssignedInstance) -> Self {
        Self::new(desk::instance(&instance.name, "spec.track"), &[instance])
    }

    /// The instances of a group all track the same.
    pub(super) fn of_group(name: &Name, instances: &[&'a AssignedInstance]) -> Self {
        Self::new(desk::sync_group(name, "spec.instances"), instances)
    }

    fn new(place: Place, instances: &[&'a AssignedInstance]) -> Self {
        let owner = instances.iter().find(|it| it.priority == OWNER).map(|_| ());
        let own = instances.iter().map(|it| it.interface.as_str()).collect();
        let tracks = instances.first().map_or(&[][..], |it| &it.track);
        Self { place, tracks, owner, own }
    }
}

/// Consecutive tracks of one kind share a block.
pub(super) fn write(tracker: &Tracker<'_>, checks: &Checks, page: &mut Page, desk: &mut Desk) {
    let place = || tracker.place.clone();
    let mut open = None;
    let mut interfaces = BTreeSet::new();
    for track in tracker.tracks {
        let Some(written) = checks.get(&track.check) else { continue };
        if tracker.owner.is_some() && track.weight != 0 {
            let message = format!("the weight of {} has no effect on priority 255", track.check);
            desk.warning("no-effect", place(), message, "leave it out for the owner");
            continue;
        }
        let (block, name) = match written {
            Written::Script => ("track_script", track.check.to_string()),
            Written::Process => ("track_process", track.check.to_string()),
            Written::Interface(interface) => {
                if !fits(tracker, track, interface, desk) {
                    continue;
                }
                if !interfaces.insert(interface) {
                    let message = format!(
                        "keepalived tracks {interface} once: {} is one too many",
                        track.check
                    );
                    desk.inexpressible(place(), message, "track one check of an interface");
                    continue;
                }
                ("track_interface", desk.word(&tracker.place, "the interface", interface))
            }
        };
        if open != Some(block) {
            if open.is_some() {
                page.close();
            }
            page.open(block);
            open = Some(block);
        }
        page.line(format!("{name}{}", weight(track)));
    }
    if open.is_some() {
        page.close();
    }
}

/// keepalived's `reverse` turns the sign of the adjustment around, ours the result of the check.
fn weight(track: &Track) -> String {
    match (track.weight, track.reverse) {
        (0, false) => String::new(),
        (weight, false) => format!(" weight {weight}"),
        (weight, true) => format!(" weight {} reverse", -i32::from(weight)),
    }
}

/// keepalived tracks an instance's own interface by itself and complains about being told to.
/// In a group, what is a fault of one instance is a fault of all.
fn fits(tracker: &Tracker<'_>, track: &Track, interface: &str, desk: &mut Desk) -> bool {
    if !tracker.own.contains(&interface) {
        return true;
    }
    let place = tracker.place.clone();
    let check = &track.check;
    if track.weight > 0 || track.reverse {
        let message = format!("{check} is the instance's own interface, which has no weight");
        desk.inexpressible(place, message, "track another interface, or change the priority");
    } else {
        let message = format!("{check} is the instance's own interface: tracked in any case");
        desk.warning("no-effect", place, message, "leave it out");
    }
    false
}
