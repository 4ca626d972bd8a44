//! From an assignment to what the loop can run. Pure; all refusals happen here, so that applying
//! cannot fail halfway.

use crate::net::{Device, Following};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::assignment::{AssignedGroup, AssignedInstance};
use vipfleet_model::{Assignment, Name, VirtualAddress};
use vipfleet_vrrp::{Config, Election, Router, Standing};

/// An assignment that was checked whole.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    pub generation: u64,
    pub hash: String,
    pub instances: BTreeMap<Name, PreparedInstance>,
    /// Results of others are none of this assignment's business.
    pub checks: BTreeSet<Name>,
}

/// One instance, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedInstance {
    pub assigned: AssignedInstance,
    pub config: Config,
    /// Virtual and excluded addresses: everything that follows the MASTER.
    pub addresses: Arc<[VirtualAddress]>,
    /// Routes and rules that do, too.
    pub following: Arc<Following>,
    /// The device of its virtual MAC, if it has one.
    pub device: Option<Device>,
    /// Its sync group, if it is in one.
    pub group: Option<Arc<AssignedGroup>>,
    /// When its planned move ends by itself, on CLOCK_BOOTTIME.
    pub move_ends: Option<Duration>,
}

impl Prepared {
    /// With the ends of planned moves, which `ends` puts on CLOCK_BOOTTIME.
    pub fn timed(mut self, ends: impl Fn(Timestamp) -> Duration) -> Result<Self, Unfit> {
        for (name, instance) in &mut self.instances {
            let planned = instance.assigned.planned_move.as_ref();
            let Some(until) = planned.and_then(|it| it.until.as_deref()) else { continue };
            let until = until.parse().map_err(|cause| Unfit {
                field_path: format!("instances[{name}].plannedMove.until"),
                reason: format!("{until:?} is no time: {cause}"),
            })?;
            instance.move_ends = Some(ends(until));
        }
        Ok(self)
    }
}

impl PreparedInstance {
    /// Whether its peers would take both for one: a VRID on a LAN, for one family.
    pub(super) fn is_same_router(&self, other: &Self) -> bool {
        self.assigned.interface == other.assigned.interface
            && self.config.vrid == other.config.vrid
            && self.config.family == other.config.family
    }

    /// Ends its planned move if its time has come; whether it did.
    pub(super) fn end_move(&mut self, up_for: Duration) -> bool {
        let ends = self.move_ends.is_some_and(|at| at <= up_for);
        if ends {
            self.move_ends = None;
            self.config.standing = Standing::Ordinary;
        }
        ends
    }
}

/// Why an assignment cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unfit {
    /// `instances[VI_1].advertInterval`.
    pub field_path: String,
    pub reason: String,
}

/// Checks every instance, and that no two of them are one router.
pub fn prepare(generation: u64, hash: String, assignment: Assignment) -> Result<Prepared, Unfit> {
    let mut instances = BTreeMap::new();
    let mut routers = BTreeMap::new();
    let mut devices = BTreeMap::new();
    for assigned in assignment.instances {
        let name = assigned.name.clone();
        let unfit = |field: &str, reason: String| Unfit {
            field_path: format!("instances[{name}].{field}"),
            reason,
        };
        let prepared = prepare_instance(assigned, unfit)?;
        let config = &prepared.config;
        let key = (prepared.assigned.interface.clone(), config.family, config.vrid);
        if let Some(other) = routers.insert(key, name.clone()) {
            let interface = &prepared.assigned.interface;
            let reason = format!(
                "{other} has virtual router id {} on {interface} already: give one of them another",
                config.vrid
            );
            return Err(unfit("virtualRouterId", reason));
        }
        if let Some(device) = &prepared.device
            && let Some(other) = devices.insert(device.name(), name.clone())
        {
            let reason = format!(
                "{other} has the {device} on another interface already: give one of them another \
                 virtual router id",
                device = device.name()
            );
            return Err(unfit("virtualMac", reason));
        }
        if instances.insert(name.clone(), prepared).is_some() {
            return Err(unfit("name", "there are two instances of this name".into()));
        }
    }
    for group in assignment.sync_groups {
        join(&mut instances, group)?;
    }
    let checks = assignment.checks.into_iter().map(|check| check.name).collect();
    Ok(Prepared { generation, hash, instances, checks })
}

fn prepare_instance(
    assigned: AssignedInstance,
    unfit: impl Fn(&str, String) -> Unfit,
) -> Result<PreparedInstance, Unfit> {
    let config =
        assigned.engine_config().map_err(|cause| unfit(cause.field(), cause.to_string()))?;
    // The engine's own guard, asked on a throw-away router.
    Router::new(config.clone()).map_err(|cause| unfit("", cause.to_string()))?;
    let all = assigned.virtual_addresses.iter().chain(&assigned.excluded_addresses);
    let addresses = all.cloned().collect();
    let following = Arc::new(Following {
        routes: assigned.virtual_routes.clone(),
        rules: assigned.virtual_rules.clone(),
        family: config.family,
    });
    let device = assigned.virtual_mac.then(|| Device {
        parent: assigned.interface.clone(),
        vrid: config.vrid,
        family: config.family,
    });
    let (group, move_ends) = (None, None);
    Ok(PreparedInstance { assigned, config, addresses, following, device, group, move_ends })
}

/// Makes the instances of a group know each other.
fn join(
    instances: &mut BTreeMap<Name, PreparedInstance>,
    group: AssignedGroup,
) -> Result<(), Unfit> {
    let unfit = |reason: String| {
        let field_path = format!("syncGroups[{}].instances", group.name);
        Err(Unfit { field_path, reason })
    };
    if group.instances.len() < 2 {
        return unfit("a sync group has at least two instances".into());
    }
    let group = Arc::new(group.clone());
    for name in &group.instances {
        match instances.get_mut(name) {
            None => return unfit(format!("{name} is not an instance of this node")),
            Some(PreparedInstance { group: Some(other), .. }) => {
                return unfit(format!("{name} is in {} already", other.name));
            }
            Some(prepared) => {
                prepared.config.election = Election::Together;
                prepared.group = Some(Arc::clone(&group));
            }
        }
    }
    Ok(())
}
