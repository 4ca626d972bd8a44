//! What an instance tracks, in its order.

use super::check::{Checks, Written};
use super::desk::{self, Desk};
use super::page::Page;
use crate::assignment::AssignedInstance;
use crate::instance::Track;
use std::collections::BTreeSet;

/// Address owners keep their priority whatever happens (RFC 9568 §5.2.4).
const OWNER: u8 = 255;

/// Consecutive tracks of one kind share a block.
pub(super) fn write(
    instance: &AssignedInstance,
    checks: &Checks,
    page: &mut Page,
    desk: &mut Desk,
) {
    let mut open = None;
    let mut interfaces = BTreeSet::new();
    for track in &instance.track {
        let Some(written) = checks.get(&track.check) else { continue };
        if instance.priority == OWNER && track.weight != 0 {
            let place = desk::instance(&instance.name, "spec.track");
            let message = format!("the weight of {} has no effect on priority 255", track.check);
            desk.warning("no-effect", place, message, "leave it out for the owner");
            continue;
        }
        let (block, name) = match written {
            Written::Script => ("track_script", track.check.to_string()),
            Written::Process => ("track_process", track.check.to_string()),
            Written::Interface(interface) => {
                if !fits(instance, track, interface, desk) {
                    continue;
                }
                if !interfaces.insert(interface) {
                    let place = desk::instance(&instance.name, "spec.track");
                    let message = format!(
                        "keepalived tracks {interface} once: {} is one too many",
                        track.check
                    );
                    desk.inexpressible(place, message, "track one check of an interface");
                    continue;
                }
                let place = desk::instance(&instance.name, "spec.track");
                ("track_interface", desk.word(&place, "the interface", interface))
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
fn fits(instance: &AssignedInstance, track: &Track, interface: &str, desk: &mut Desk) -> bool {
    if interface != instance.interface {
        return true;
    }
    let place = desk::instance(&instance.name, "spec.track");
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
