//! `vrrp_sync_group`. What its instances track is the same for all of them, and so the group's: a
//! weight on one instance of a group is nothing to keepalived.

use super::check::Checks;
use super::desk::{self, Desk};
use super::hook;
use super::page::Page;
use super::program::Programs;
use super::track::{self, Tracker};
use crate::assignment::{AssignedGroup, AssignedInstance};

/// Writes one group; the checks are on the page already.
pub(super) fn write(
    group: &AssignedGroup,
    instances: &[AssignedInstance],
    checks: &Checks,
    page: &mut Page,
    programs: &mut Programs<'_>,
    desk: &mut Desk,
) {
    let members: Vec<&AssignedInstance> =
        instances.iter().filter(|it| group.instances.contains(&it.name)).collect();
    page.open(format!("vrrp_sync_group {}", group.name));
    page.block("group", &group.instances);
    track::write(&Tracker::of_group(&group.name, &members), checks, page, desk);
    let at = |path: &str| desk::sync_group(&group.name, path);
    hook::write(at, &group.notify, page, programs, desk);
    page.close();
}
