//! While an operator moves things about on a healthy LAN, a client that keeps talking is served at
//! every instant: whoever its neighbour table points to holds the addresses.

use super::{Checker, Happening};
use crate::plan::Program;
use crate::world::World;
use std::time::Duration;
use vipfleet_vrrp::{StateName, Time};

#[derive(Debug)]
pub(super) struct Continuity {
    /// Whether anybody was ever served, by instance.
    began: Vec<bool>,
}

impl Continuity {
    pub(super) fn new(world: &World) -> Self {
        Self { began: vec![false; world.instances()] }
    }
}

impl Checker for Continuity {
    fn name(&self) -> &'static str {
        "continuity"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        if let Happening::Client { instance } = happening {
            self.began[*instance] = true;
        }
        // What is deleted is served no more; whoever serves it when it is new again may be told of
        // the deletion yet.
        for (instance, began) in self.began.iter_mut().enumerate() {
            *began &= world.definitions[instance].exists && !world.is_new(instance);
        }
        Ok(())
    }

    fn time_passes(&mut self, world: &World, next: Time) -> Result<(), String> {
        for instance in 0..world.instances() {
            let served = world.client[instance].is_some_and(|host| world.serves(host, instance));
            if !self.began[instance] || served || !is_promised(world, instance) {
                continue;
            }
            if let Some(successor) = successor(world, instance) {
                return Err(format!(
                    "nobody serves VI_{} to its clients until {next}, although n{} was there to \
                     succeed",
                    instance + 1,
                    successor + 1
                ));
            }
        }
        Ok(())
    }

    fn is_idle(&self, world: &World) -> bool {
        let served = |instance: usize| {
            world.client[instance].is_some_and(|host| world.serves(host, instance))
        };
        (0..world.instances()).all(|instance| !self.began[instance] || served(instance))
    }
}

/// keepalived lets go at once, and so does an instance that may not hand over.
fn is_promised(world: &World, instance: usize) -> bool {
    let definition = &world.definitions[instance];
    definition.handover && world.programs.iter().all(|program| *program == Program::Vipfleet)
}

/// A router that has run for long enough to have taken over.
fn successor(world: &World, instance: usize) -> Option<usize> {
    // A group waits for the slowest of its routers, and asks again after an interval.
    let asks = world.longest_interval(instance) * u32::from(world.is_grouped(instance));
    let all = world.fellows(instance).chain([instance]);
    let down = all.map(|it| world.definitions[it].longest_down()).max().unwrap_or_default();
    let enough = down + asks + Duration::from_millis(200) + world.netlink;
    (0..world.hosts.len()).find(|host| {
        let seat = world.seat(*host, instance);
        let ready = matches!(seat.state, StateName::Backup | StateName::Master);
        world.runs(*host) && ready && world.now.since(seat.since) > enough
    })
}
