//! Nobody wakes as a stale second MASTER: who slept and knows it listens first, who was frozen
//! while another was elected gives way in the turn in which it wakes, and no agent carries on a
//! mastership that its peers have long given to another.

use super::{Checker, Happening};
use crate::world::{Status, World};
use vipfleet_vrrp::{Reason, StateName, Time};

#[derive(Debug)]
pub(super) struct Awakening;

impl Checker for Awakening {
    fn name(&self) -> &'static str {
        "awakening"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        let Happening::Changed { host, instance, reason: Reason::Resumed } = *happening else {
            return Ok(());
        };
        let died = world.hosts[host].died;
        // A higher one may have preempted a moment ago; it settles that with its next advert.
        let priority = |host: usize| world.seat(host, instance).priority(host);
        let rival = world.others(host).find(|other| {
            world.lossless
                && priority(*other) <= priority(host)
                && world.hosts[*other].paused.is_none()
                && died.is_some_and(|died| world.seat(*other, instance).since > died)
                && world.steady_since(*other, host, instance).is_some()
        });
        match rival {
            Some(other) => {
                let (host, other, instance) = (host + 1, other + 1, instance + 1);
                Err(format!("n{host} carries on with VI_{instance}, which n{other} took over"))
            }
            None => Ok(()),
        }
    }

    fn time_passes(&mut self, world: &World, next: Time) -> Result<(), String> {
        for (host, view) in world.hosts.iter().enumerate() {
            let stale = view.status == Status::Running && next.since(view.since) > world.reaction;
            for instance in 0..world.instances() {
                let seat = world.seat(host, instance);
                // MASTER since before it was stopped.
                if !stale || seat.state != StateName::Master || seat.since >= view.since {
                    continue;
                }
                let why = match (view.slept, view.woke) {
                    (Some(slept), _) if slept == view.since => "slept",
                    (_, Some(woke))
                        if woke == view.since && was_succeeded(world, host, instance) =>
                    {
                        "was frozen while another took over"
                    }
                    _ => continue,
                };
                let (host, instance) = (host + 1, instance + 1);
                return Err(format!("n{host} {why}, and woke as MASTER of VI_{instance}"));
            }
        }
        Ok(())
    }

    fn is_idle(&self, world: &World) -> bool {
        let settles = world.reaction * 2;
        world.hosts.iter().all(|host| host.woke.is_none_or(|woke| world.now.since(woke) > settles))
    }
}

/// Whether another was MASTER for long enough before the host woke that its adverts were waiting.
fn was_succeeded(world: &World, host: usize, instance: usize) -> bool {
    let view = &world.hosts[host];
    let waited = world.longest_interval(instance) + world.reaction * 2;
    let owner = world.seat(host, instance).priority(host) == 255;
    let paused = view.paused.is_some_and(|paused| paused + waited >= view.since);
    let known = |other: usize| {
        let seat = world.seat(other, instance);
        world.is_master(other, instance)
            && seat.since + waited < view.since
            && world.hosts[other].since + waited < view.since
            && world.network(instance).since(other, host) + waited < view.since
            && world.network(instance).connected(other, host)
    };
    world.lossless && !owner && !paused && world.others(host).any(known)
}
