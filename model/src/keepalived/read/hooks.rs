//! `notify…` lines, of instances and of sync groups.

use super::super::exec;
use super::super::host::{Hook, Located};
use super::super::report::Report;
use super::super::tree::Statement;
use super::global::Globals;
use crate::instance::NotifyOn;

/// Reads one hook. The first of a kind counts, as in keepalived.
pub(super) fn read(
    hooks: &mut Vec<Located<Hook>>,
    statement: &Statement,
    globals: &Globals,
    report: &mut Report,
) {
    let on = match statement.keyword() {
        "notify_master" => NotifyOn::Master,
        "notify_backup" => NotifyOn::Backup,
        "notify_fault" => NotifyOn::Fault,
        "notify_stop" => NotifyOn::Stop,
        _ => NotifyOn::Any,
    };
    if hooks.iter().any(|hook| hook.value.on == on) {
        let message = format!("{} is given already; the first counts", statement.keyword());
        let remedy = "run both from one script, or remove one";
        return report.warning(statement.pos(), "repeated-keyword", message, remedy);
    }
    let user = globals.script_user.as_ref().map(|(user, _)| user.as_str());
    if let Some(exec) = exec::read(statement, user, report) {
        hooks.push(report.located(Hook { on, exec }, statement.pos()));
    }
}
