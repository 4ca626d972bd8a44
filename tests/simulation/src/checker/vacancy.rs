//! An instance with a fit router that hears no MASTER is not left alone for longer than the longest
//! master-down interval.

use super::Checker;
use crate::world::World;
use std::time::Duration;
use vipfleet_vrrp::{StateName, Time};

/// How much longer a member listens that another outranks, when the instance is new.
const INTRODUCTION: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Vacancy {
    /// Since when a candidate waits in vain, by instance and host, and for how long it may: the
    /// longest that any definition meanwhile allowed.
    since: Vec<Vec<Option<(Time, Duration)>>>,
}

impl Vacancy {
    pub(super) fn new(world: &World) -> Self {
        Self { since: vec![vec![None; world.hosts.len()]; world.instances()] }
    }
}

impl Checker for Vacancy {
    fn name(&self) -> &'static str {
        "vacancy"
    }

    fn time_passes(&mut self, world: &World, next: Time) -> Result<(), String> {
        if !world.lossless {
            return Ok(());
        }
        for instance in 0..world.instances() {
            for host in 0..world.hosts.len() {
                let slot = &mut self.since[instance][host];
                // A group waits for whichever of its routers must still obey.
                let mut group = world.fellows(instance).chain([instance]);
                if !group.all(|instance| waits_in_vain(world, host, instance)) {
                    *slot = None;
                    continue;
                }
                let now = patience(world, host, instance);
                let (since, bound) = slot.get_or_insert((world.now, now));
                *bound = (*bound).max(now);
                let bound = *bound;
                // Its own clock may have stood still meanwhile.
                let since = (*since).max(world.hosts[host].since);
                if next.since(since) > bound {
                    return Err(format!(
                        "n{} is fit and hears no MASTER of VI_{} for {bound:?}, but is {}",
                        host + 1,
                        instance + 1,
                        world.seat(host, instance).state
                    ));
                }
            }
        }
        Ok(())
    }

    fn is_idle(&self, _: &World) -> bool {
        self.since.iter().flatten().all(Option::is_none)
    }
}

/// A live BACKUP that nobody's adverts reach.
fn waits_in_vain(world: &World, host: usize, instance: usize) -> bool {
    world.runs(host)
        && world.seat(host, instance).state == StateName::Backup
        && world.others(host).all(|other| {
            !world.is_master(other, instance) || !world.network(instance).reaches(other, host)
        })
}

fn patience(world: &World, host: usize, instance: usize) -> Duration {
    let definition = &world.definitions[instance];
    let adverts = world.longest_interval(instance) * u32::from(definition.down_adverts);
    // Routers of a group ask again after an interval.
    let asks = world.longest_interval(instance) * 2 * u32::from(world.is_grouped(instance));
    let mut group = world.fellows(instance).chain([instance]);
    let is_patient = group.any(|instance| world.seat(host, instance).patient);
    let introduction = if is_patient { INTRODUCTION } else { Duration::ZERO };
    adverts + definition.longest_down() + asks + introduction + world.reaction * 2
}
