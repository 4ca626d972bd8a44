//! In the end clients talk to the MASTER: a master that serves but never said so is found by
//! nobody, and one whose rival taught its clients another address must learn of it.

use super::{Checker, Happening};
use crate::plan::{Action, Plan};
use crate::world::World;
use vipfleet_vrrp::{Reason, StateName};

#[derive(Debug)]
pub(super) struct Reach {
    /// Whether something may keep a MASTER from ever hearing of a rival.
    hides: bool,
    /// By host and instance: its last mastership ended, and whoever it gave way to could hear it.
    parted: Vec<Vec<bool>>,
}

impl Reach {
    pub(super) fn new(plan: &Plan, world: &World) -> Self {
        let hides = |action: &Action| {
            matches!(action, Action::Partition { .. } | Action::Deaf { .. } | Action::Pause { .. })
        };
        let hides = plan.steps.iter().any(|step| hides(&step.action));
        Self { hides, parted: vec![vec![false; world.instances()]; world.hosts.len()] }
    }

    /// Nothing on the wire tells the MASTER of a rival that died, failed or slept while it could
    /// not be heard, or that ran keepalived without `vrrp_higher_prio_send_advert`.
    fn is_promised(&self, taught: usize, instance: usize) -> bool {
        !self.hides || self.parted[taught][instance]
    }
}

impl Checker for Reach {
    fn name(&self) -> &'static str {
        "reach"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        let Happening::Changed { host, instance, reason } = *happening else { return Ok(()) };
        let to = world.seat(host, instance).state;
        let outranked = matches!(reason, Reason::Outranked { .. });
        if to == StateName::Master {
            self.parted[host][instance] = false;
        } else if outranked && world.is_vipfleet(host) {
            let known = |other: usize| world.network(instance).reaches(host, other);
            self.parted[host][instance] = world.others(host).all(known);
        }
        Ok(())
    }

    fn finish(&mut self, world: &World) -> Result<(), String> {
        for instance in 0..world.instances() {
            let mut masters =
                (0..world.hosts.len()).filter(|host| world.is_master(*host, instance));
            // In a partitioned LAN clients have a master each.
            let (Some(master), None) = (masters.next(), masters.next()) else { continue };
            let taught = world.client[instance];
            if taught == Some(master) {
                continue;
            }
            let known = taught.map_or("nobody".to_owned(), |host| format!("n{}", host + 1));
            if taught.is_none_or(|taught| self.is_promised(taught, instance)) {
                return Err(format!(
                    "clients of VI_{} talk to {known}, not to n{}",
                    instance + 1,
                    master + 1
                ));
            }
        }
        Ok(())
    }
}
