//! `notify…` lines, of instances and of sync groups.

use super::desk::Desk;
use super::page::Page;
use super::program::Programs;
use crate::finding::Place;
use crate::instance::{Notify, NotifyOn};
use std::collections::BTreeSet;

/// One line a hook; `at` is a place in their owner.
pub(super) fn write(
    at: impl Fn(&str) -> Place,
    hooks: &[Notify],
    page: &mut Page,
    programs: &mut Programs<'_>,
    desk: &mut Desk,
) {
    let mut taken = BTreeSet::new();
    for (index, hook) in hooks.iter().enumerate() {
        let place = at(&format!("spec.notify[{index}]"));
        let keyword = match hook.on {
            NotifyOn::Master => "notify_master",
            NotifyOn::Backup => "notify_backup",
            NotifyOn::Fault => "notify_fault",
            NotifyOn::Stop => "notify_stop",
            NotifyOn::Any => "notify",
        };
        if !taken.insert(keyword) {
            let message = format!("keepalived runs one program for {keyword}");
            desk.inexpressible(place, message, "run both from one program");
            continue;
        }
        let command = programs.of_exec_dir(&place, &hook.exec, &hook.args, desk);
        let user = programs.user(&place, hook.user.as_deref(), desk);
        let user = user.map(|user| format!(" {user}")).unwrap_or_default();
        page.line(format!("{keyword} {command}{user}"));
    }
}
