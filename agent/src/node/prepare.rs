//! From an assignment to what the loop can run. Pure; all refusals happen here, so that applying
//! cannot fail halfway. What an assignment has in common with the one before is prepared already,
//! and shared: of hundreds of instances a change costs what it changes.

use super::prepared::{PreparedInstance, PreparedInstances};
use crate::arrival::Arrival;
use crate::net::{Device, Following};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::assignment::{AssignedGroup, AssignedInstance};
use vipfleet_model::{Assignment, Name};
use vipfleet_vrrp::{Election, Router};

/// An assignment that was checked whole.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    pub generation: u64,
    pub hash: String,
    pub instances: PreparedInstances,
    /// Results of others are none of this assignment's business.
    pub checks: BTreeSet<Name>,
    pub arrival: Arrival,
}

impl Prepared {
    /// With the ends of planned moves, which `ends` puts on CLOCK_BOOTTIME. What was timed with a
    /// former assignment stays as it was.
    pub fn timed(mut self, ends: impl Fn(Timestamp) -> Duration) -> Result<Self, Unfit> {
        for instance in self.instances.iter_mut().filter(|it| it.move_ends.is_none()) {
            let planned = instance.assigned.planned_move.as_ref();
            let Some(until) = planned.and_then(|it| it.until.as_deref()) else { continue };
            let until = until.parse().map_err(|cause| {
                let reason = format!("{until:?} is no time: {cause}");
                Unfit::instance(&instance.assigned.name, "plannedMove.until", reason)
            })?;
            Arc::make_mut(instance).move_ends = Some(ends(until));
        }
        Ok(self)
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

impl Unfit {
    fn instance(name: &Name, field: &str, reason: String) -> Self {
        let of = format!("instances[{name}]");
        let field_path = if field.is_empty() { of } else { format!("{of}.{field}") };
        Self { field_path, reason }
    }
}

/// Checks every instance, and that no two of them are one router. Those that are as they are in
/// `former` are that.
pub fn prepare(
    generation: u64,
    hash: String,
    assignment: &Assignment,
    former: &PreparedInstances,
) -> Result<Prepared, Unfit> {
    let groups = groups(assignment)?;
    let prepared = assignment.instances.iter().map(|assigned| {
        let group = groups.get(&assigned.name);
        let is_same =
            |it: &&Arc<PreparedInstance>| it.assigned == *assigned && it.group.as_ref() == group;
        match former.get(&assigned.name).filter(is_same) {
            Some(same) => Ok(Arc::clone(same)),
            None => prepare_instance(assigned.clone(), group.cloned()).map(Arc::new),
        }
    });
    let mut instances = prepared.collect::<Result<Vec<_>, _>>()?;
    instances.sort_by(|one, other| one.assigned.name.cmp(&other.assigned.name));
    distinct(&instances)?;
    let checks = assignment.checks.iter().map(|check| check.name.clone()).collect();
    let instances = PreparedInstances::new(instances);
    Ok(Prepared { generation, hash, instances, checks, arrival: Arrival::Found })
}

fn prepare_instance(
    assigned: AssignedInstance,
    group: Option<Arc<AssignedGroup>>,
) -> Result<PreparedInstance, Unfit> {
    let unfit = |field: &str, reason: String| Unfit::instance(&assigned.name, field, reason);
    let mut config =
        assigned.engine_config().map_err(|cause| unfit(cause.field(), cause.to_string()))?;
    if group.is_some() {
        config.election = Election::Together;
    }
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
    Ok(PreparedInstance { assigned, config, addresses, following, device, group, move_ends: None })
}

/// No two of one name, of one virtual router or of one device. They are in the order of names.
fn distinct(instances: &[Arc<PreparedInstance>]) -> Result<(), Unfit> {
    let mut routers = BTreeMap::new();
    let mut devices = BTreeMap::new();
    let mut names = BTreeSet::new();
    for PreparedInstance { assigned, config, device, .. } in instances.iter().map(Arc::as_ref) {
        let name = &assigned.name;
        let unfit = |field: &str, reason: String| Err(Unfit::instance(name, field, reason));
        if !names.insert(name) {
            return unfit("name", "there are two instances of this name".into());
        }
        let interface = assigned.interface.as_str();
        if let Some(other) = routers.insert((interface, config.family, config.vrid), name) {
            let reason = format!(
                "{other} has virtual router id {} on {interface} already: give one of them another",
                config.vrid
            );
            return unfit("virtualRouterId", reason);
        }
        if let Some(device) = device
            && let Some(other) = devices.insert(device.name(), name)
        {
            let reason = format!(
                "{other} has the {device} on another interface already: give one of them another \
                 virtual router id",
                device = device.name()
            );
            return unfit("virtualMac", reason);
        }
    }
    Ok(())
}

/// Which group each instance is in, of those that are in one.
fn groups(assignment: &Assignment) -> Result<BTreeMap<&Name, Arc<AssignedGroup>>, Unfit> {
    let mut of = BTreeMap::new();
    if assignment.sync_groups.is_empty() {
        return Ok(of);
    }
    let known: BTreeSet<_> = assignment.instances.iter().map(|it| &it.name).collect();
    for group in &assignment.sync_groups {
        let unfit = |reason: String| {
            let field_path = format!("syncGroups[{}].instances", group.name);
            Err(Unfit { field_path, reason })
        };
        if group.instances.len() < 2 {
            return unfit("a sync group has at least two instances".into());
        }
        let shared = Arc::new(group.clone());
        for name in &group.instances {
            if !known.contains(name) {
                return unfit(format!("{name} is not an instance of this node"));
            }
            if let Some(other) = of.insert(name, Arc::clone(&shared)) {
                return unfit(format!("{name} is in {} already", other.name));
            }
        }
    }
    Ok(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use vipfleet_model::keepalived::{self, NoSources, Options};
    use vipfleet_model::moves::{AssignedMove, MoveRole};
    use vipfleet_vrrp::Standing;

    /// VI_1 to VI_4, with these priorities, the last two in a sync group if `joined`.
    fn assignment(priorities: [u8; 4], joined: bool) -> Assignment {
        let mut text = String::new();
        for (number, priority) in (1..).zip(priorities) {
            write!(
                text,
                "vrrp_instance VI_{number} {{\n interface eth0\n virtual_router_id {number}\n \
                 priority {priority}\n virtual_ipaddress {{ 192.0.2.{number} }}\n}}\n"
            )
            .unwrap();
        }
        if joined {
            text += "vrrp_sync_group G {\n group {\n VI_3\n VI_4\n }\n}\n";
        }
        let read = |text: &str| {
            keepalived::parse("k.conf", text.as_bytes(), &NoSources, &Options::default())
        };
        keepalived::assignment(&read(&text).0).0
    }

    fn run(assignment: &Assignment, former: &PreparedInstances) -> PreparedInstances {
        prepare(1, String::new(), assignment, former).unwrap().instances
    }

    fn shared(one: &PreparedInstances, other: &PreparedInstances) -> Vec<bool> {
        one.iter().zip(other.iter()).map(|(one, other)| Arc::ptr_eq(one, other)).collect()
    }

    #[test]
    fn what_is_as_it_was_is_shared_and_the_rest_is_as_if_it_had_come_first() {
        let former = run(&assignment([100; 4], false), &PreparedInstances::default());
        let changed = assignment([100, 90, 100, 100], false);
        let next = run(&changed, &former);
        assert_eq!(shared(&former, &next), [true, false, true, true]);
        assert_eq!(next, run(&changed, &PreparedInstances::default()));
        // A group concerns its members, though nothing of their own changed.
        let joined = assignment([100, 90, 100, 100], true);
        let grouped = run(&joined, &next);
        assert_eq!(shared(&next, &grouped), [true, true, false, false]);
        assert_eq!(grouped, run(&joined, &PreparedInstances::default()));
        assert_eq!(shared(&grouped, &run(&joined, &grouped)), [true; 4]);
    }

    #[test]
    fn a_move_that_ends_here_ends_for_nobody_else() {
        let mut moved = assignment([100; 4], false);
        moved.instances[0].planned_move = Some(AssignedMove {
            role: MoveRole::Leads,
            until: Some("2026-03-04T12:00:00Z".into()),
        });
        let at = |seconds| move |_| Duration::from_secs(seconds);
        let timed = |former: &PreparedInstances, seconds| {
            prepare(1, String::new(), &moved, former).unwrap().timed(at(seconds)).unwrap().instances
        };
        let known = timed(&PreparedInstances::default(), 10);
        let mut running = known.clone();
        let first = running.iter_mut().next().unwrap();
        assert!(!first.end_move(Duration::from_secs(9)));
        assert!(first.end_move(Duration::from_secs(10)));
        assert_eq!(first.config.standing, Standing::Ordinary);
        assert_eq!(shared(&known, &running), [false, true, true, true]);
        assert_eq!(known.iter().next().unwrap().config.standing, Standing::Leads);
        // The same move, told of again later, ends when it was to end.
        assert_eq!(shared(&known, &timed(&known, 20)), [true; 4]);
    }

    #[test]
    fn two_that_are_one_are_refused_by_name() {
        let former = run(&assignment([100; 4], false), &PreparedInstances::default());
        let refused = |change: fn(&mut Vec<AssignedInstance>)| {
            let mut assignment = assignment([100; 4], false);
            change(&mut assignment.instances);
            prepare(1, String::new(), &assignment, &former).unwrap_err().field_path
        };
        let twin = refused(|all| all[3].virtual_router_id = 1);
        assert_eq!(twin, "instances[VI_4].virtualRouterId");
        assert_eq!(refused(|all| all.push(all[1].clone())), "instances[VI_2].name");
    }
}
