//! `get instances`: one row an instance.

use super::age::age;
use super::list::Listed;
use super::moves;
use super::table::{Cell, Tone, cell, faint, health, plain};
use crate::output::Look;
use vipfleet_model::Name;
use vipfleet_model::ownership::{Health, InstanceStatus, MemberStatus};

impl Listed for InstanceStatus {
    const NONE: &'static str = "no instances: define some and `vipctl apply -f` them";

    fn columns(look: &Look) -> Vec<&'static str> {
        let mut columns = vec!["INSTANCE", "VIPS", "OWNER", "HEALTH", "MEMBERS", "SINCE"];
        if look.wide {
            columns.extend(["VRID", "VERSION", "REVISION", "GENERATIONS"]);
        }
        columns.push("WHY");
        columns
    }

    fn row(&self, look: &Look) -> Vec<Cell> {
        let mut row = vec![
            cell(Tone::Strong, self.name.as_str()),
            plain(vips(&self.virtual_addresses)),
            owners(&self.owners, self.health),
            health(self.health),
            plain(lines(&self.members, member)),
            plain(age(master_since(self), look.now)),
        ];
        if look.wide {
            row.extend([
                plain(self.virtual_router_id),
                plain(self.version),
                plain(self.revision),
                plain(lines(&self.members, generations)),
            ]);
        }
        let planned = self.switchover.iter().map(|it| moves::switchover(it, look.now));
        row.push(planned.fold(why(self), Cell::noting));
        row
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

fn lines(members: &[MemberStatus], line: impl Fn(&MemberStatus) -> String) -> String {
    members.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `lb1 MASTER 100`, and what its checks made of the priority.
fn member(it: &MemberStatus) -> String {
    let holding = if it.holding { " (handing over)" } else { "" };
    let drained = if it.drained { " (drained)" } else { "" };
    format!("{} {}{holding}{drained} {}", it.node, state(it), priority(it))
}

pub(crate) fn state(member: &MemberStatus) -> String {
    if member.external { format!("{} external", member.state) } else { member.state.to_string() }
}

/// `100`, or `100→80` when something lowered it.
pub(crate) fn priority(member: &MemberStatus) -> String {
    match member.effective_priority {
        Some(effective) if effective != member.priority => {
            format!("{}→{effective}", member.priority)
        }
        _ => member.priority.to_string(),
    }
}

/// Desired, accepted, observed.
fn generations(member: &MemberStatus) -> String {
    let it = member.generation;
    format!("{} {}/{}/{}", member.node, it.desired, it.accepted, it.observed)
}

/// `lb1`, `lb1 + lb2`, or `none` where that is known.
pub(crate) fn owners(owners: &[Name], health: Health) -> Cell {
    match owners {
        [] if health == Health::NoOwner => cell(Tone::Bad, "none"),
        [] => cell(Tone::Warn, "?"),
        [one] => cell(Tone::Strong, one.as_str()),
        several => {
            let names = several.iter().map(Name::as_str).collect::<Vec<_>>();
            cell(Tone::Bad, names.join(" + "))
        }
    }
}

/// When the owner became it.
pub(crate) fn master_since(status: &InstanceStatus) -> Option<&str> {
    let owner = status.owner.as_ref()?;
    status.members.iter().find(|member| member.node == *owner)?.since.as_deref()
}

/// What the owner says when all is well, else everything that is not.
fn why(status: &InstanceStatus) -> Cell {
    if !status.problems.is_empty() {
        return plain(status.problems.join("\n"));
    }
    faint(owner_reason(status))
}

pub(crate) fn owner_reason(status: &InstanceStatus) -> &str {
    let owner = status.owner.as_ref();
    let member = status.members.iter().find(|member| Some(&member.node) == owner);
    member.map_or("", |member| member.reason.as_str())
}

/// One a line; `-` in an election without addresses.
pub(super) fn vips(addresses: &[String]) -> String {
    if addresses.is_empty() { "-".to_owned() } else { addresses.join("\n") }
}
