//! Hooks belong to a whole Instance or SyncGroup: every host needs the same.

use super::super::host::{At, Hook, Located};
use super::pair;
use super::programs::Programs;
use crate::finding::Findings;
use crate::instance::Notify;
use crate::name::Name;

/// The hooks that one host runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hooks<'a> {
    pub(super) node: &'a Name,
    /// Where their owner begins.
    pub(super) at: &'a At,
    pub(super) list: &'a [Located<Hook>],
}

/// Those of the first host, and an error for each that another has not, or has alone.
pub(super) fn shared(
    document: &str,
    hosts: &[Hooks<'_>],
    programs: &mut Programs,
    findings: &mut Findings,
) -> Vec<Notify> {
    let Some((first, others)) = hosts.split_first() else { return Vec::new() };
    for host in others {
        for (one, other) in [(host, first), (first, host)] {
            let has = |wanted: &Hook| other.list.iter().any(|hook| same(&hook.value, wanted));
            for hook in one.list.iter().filter(|hook| !has(&hook.value)) {
                let message = format!("this hook of {} is not {}'s", one.node, other.node);
                let remedy = "hooks hold for all members here: give both files the same";
                let mut differs = pair("hosts-disagree", &hook.at, other.at, message, remedy);
                differs.place.document = Some(document.to_owned());
                findings.push(differs);
            }
        }
    }
    for host in hosts {
        for hook in host.list {
            programs.hook(&hook.value.exec, host.node, findings);
        }
    }
    let notify = |hook: &Located<Hook>| Notify {
        on: hook.value.on,
        exec: programs.hook(&hook.value.exec, first.node, findings),
        args: hook.value.exec.args.clone(),
        user: hook.value.exec.user.clone(),
    };
    first.list.iter().map(notify).collect()
}

fn same(left: &Hook, right: &Hook) -> bool {
    let program = |hook: &Hook| {
        let exec = &hook.exec;
        (exec.file.value.clone(), exec.args.clone(), exec.user.clone())
    };
    left.on == right.on && program(left) == program(right)
}
