//! Planned moves: what an operator ordered about who serves, beside the definitions, until it ends
//! or is cleared. Stored with the definitions, so that history tells who ordered it; never written
//! by hand, and never rolled back. [`Moves`] says what they come to; pure, without a clock:
//! whoever has one ends them (the server in the store, each agent for itself).

pub mod judge;

use crate::definition::Definitions;
use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `spec` of `kind: Switchover`, which bears the name of its instance: the member on `to` serves,
/// before all others, as long as it is well. The other instances of a sync group go along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Switchover {
    pub to: Name,
    pub order: Order,
}

/// `spec` of `kind: Drain`, which bears the name of its node: its members serve only where nobody
/// else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drain {
    pub order: Order,
}

/// Who ordered a move, and how long it lasts. Times are RFC 3339, wall clock of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    pub by: String,
    pub message: String,
    pub since: String,
    /// `None`: until it is cleared.
    pub until: Option<String>,
}

/// What a planned move makes of one instance on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedMove {
    pub role: MoveRole,
    /// RFC 3339, wall clock of the server; `None`: until another assignment comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MoveRole {
    /// Serves.
    Leads,
    /// Another one leads.
    Follows,
    /// Serves only when nobody else does.
    Yields,
}

impl From<MoveRole> for vipfleet_vrrp::Standing {
    fn from(role: MoveRole) -> Self {
        match role {
            MoveRole::Leads => Self::Leads,
            MoveRole::Follows => Self::Follows,
            MoveRole::Yields => Self::Yields,
        }
    }
}

/// The switchover in force for one instance, as every status shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwitchoverStatus {
    /// The instance it was ordered for: another one of the sync group, perhaps.
    pub instance: Name,
    pub to: Name,
    pub order: Order,
}

/// The moves of a fleet, joined with the sync groups.
#[derive(Clone, Debug, Default)]
pub struct Moves<'d> {
    /// By every instance that moves; with the instance that was named.
    switchovers: BTreeMap<&'d Name, (&'d Name, &'d Switchover)>,
    drains: BTreeMap<&'d Name, &'d Drain>,
}

impl<'d> Moves<'d> {
    pub fn of(definitions: &'d Definitions) -> Self {
        let drains = definitions.drains().collect();
        let mut switchovers = BTreeMap::new();
        for (named, switchover) in definitions.switchovers() {
            for instance in fellows(definitions, named) {
                let target =
                    definitions.instance(instance).and_then(|it| it.member(&switchover.to));
                if target.is_some_and(|member| !member.external) {
                    switchovers.entry(instance).or_insert((named, switchover));
                }
            }
            // Its own order counts before that of another of its group.
            if let Some(own) = switchovers.get_mut(named) {
                *own = (named, switchover);
            }
        }
        Self { switchovers, drains }
    }

    /// The switchover of an instance, whether or not its target is drained.
    pub fn switchover(&self, instance: &Name) -> Option<(&'d Name, &'d Switchover)> {
        self.switchovers.get(instance).copied()
    }

    pub fn drain(&self, node: &Name) -> Option<&'d Drain> {
        self.drains.get(node).copied()
    }

    /// What they make of an instance on a node. Who is drained neither leads nor has others
    /// follow.
    pub fn assigned(&self, instance: &Name, node: &Name) -> Option<AssignedMove> {
        if let Some(drain) = self.drain(node) {
            return Some(AssignedMove { role: MoveRole::Yields, until: drain.order.until.clone() });
        }
        let (_, switchover) = self.switchover(instance)?;
        if self.drain(&switchover.to).is_some() {
            return None;
        }
        let role = match switchover.to == *node {
            true => MoveRole::Leads,
            false => MoveRole::Follows,
        };
        Some(AssignedMove { role, until: switchover.order.until.clone() })
    }
}

/// The instances that move with this one, itself among them.
pub fn fellows<'d>(definitions: &'d Definitions, instance: &'d Name) -> Vec<&'d Name> {
    let mut groups = definitions.sync_groups();
    match groups.find(|(_, group)| group.instances.contains(instance)) {
        Some((_, group)) => group.instances.iter().collect(),
        None => vec![instance],
    }
}
