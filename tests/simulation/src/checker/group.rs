//! The instances of a sync group are MASTER together or not at all: no turn of a host's loop ends
//! with one leading and another not. And a group comes to rest, also when one of its LANs is dead.

use super::{Checker, Happening};
use crate::world::World;
use std::time::Duration;
use vipfleet_vrrp::{StateName, Time};

/// Beyond all delays that a definition may ask for.
const MARGIN: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Group {
    /// When anything last happened that may move a group.
    disturbed: Time,
}

impl Group {
    pub(super) fn new() -> Self {
        Self { disturbed: Time::ZERO }
    }
}

impl Checker for Group {
    fn name(&self) -> &'static str {
        "group"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        match *happening {
            Happening::Changed { host, instance, .. } => {
                let calm = world.now.since(self.disturbed);
                let rests = world.lossless && world.is_grouped(instance);
                if rests && calm > patience(world, instance) {
                    let (host, instance) = (host + 1, instance + 1);
                    return Err(format!(
                        "VI_{instance} of a group moves on n{host}, {calm:?} after any cause"
                    ));
                }
            }
            Happening::Healthy { .. }
            | Happening::Runs { .. }
            | Happening::Status { .. }
            | Happening::Step { .. } => self.disturbed = world.now,
            Happening::Sent { .. }
            | Happening::Heard { .. }
            | Happening::Kernel { .. }
            | Happening::Client { .. } => {}
        }
        Ok(())
    }

    fn time_passes(&mut self, world: &World, _: Time) -> Result<(), String> {
        for group in &world.groups {
            for host in (0..world.hosts.len()).filter(|host| world.runs(*host)) {
                let leads =
                    |instance: &usize| world.seat(host, *instance).state == StateName::Master;
                let leading = group.iter().filter(|instance| leads(instance)).count();
                if leading != 0 && leading != group.len() {
                    let name = |instance: &usize| {
                        format!("VI_{} {}", instance + 1, world.seat(host, *instance).state)
                    };
                    let states = group.iter().map(name).collect::<Vec<_>>().join(", ");
                    return Err(format!("n{} has {states}", host + 1));
                }
            }
        }
        Ok(())
    }
}

/// The longest that anything takes to have its consequences.
fn patience(world: &World, instance: usize) -> Duration {
    let all = world.fellows(instance).chain([instance]);
    let waits = |instance: usize| {
        let it = &world.definitions[instance];
        let delays = it.preempt_delay + it.startup_delay + it.recover_delay;
        (it.longest_down() + world.longest_interval(instance)) * 3 + delays + MARGIN
    };
    all.map(waits).max().unwrap_or_default()
}
