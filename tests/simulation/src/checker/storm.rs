//! The LAN is never flooded: every advert has its cause, an interval that passed or something that
//! happened, and each cause is worth only so many.

use super::{Checker, Happening};
use crate::world::World;
use vipfleet_vrrp::Time;

/// Adverts that one happening may cause, of each host: a farewell of three, the successor's first,
/// and answers to either.
const OF_AN_EVENT: f64 = 6.0;

#[derive(Debug)]
pub(super) struct Storm {
    /// What each instance may still send, and when that was last counted.
    allowances: Vec<(f64, Time)>,
    sizes: Vec<f64>,
}

impl Storm {
    pub(super) fn new(world: &World) -> Self {
        let hosts = world.hosts.len() as f64;
        let start = (hosts * OF_AN_EVENT, Time::ZERO);
        let sizes = world.definitions.iter().map(|definition| match definition.unicast {
            // One copy to each peer.
            true => (hosts - 1.0).max(1.0),
            false => 1.0,
        });
        Self { allowances: vec![start; world.instances()], sizes: sizes.collect() }
    }

    fn grant(&mut self, world: &World, instance: usize) {
        let hosts = world.hosts.len() as f64;
        self.allowances[instance].0 += hosts * OF_AN_EVENT;
    }
}

impl Checker for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        match *happening {
            Happening::Sent { host, instance, .. } => {
                let hosts = world.hosts.len() as f64;
                let interval = shortest_interval(world, instance);
                let (allowance, counted) = &mut self.allowances[instance];
                // Each may be MASTER in a torn LAN, and answer every other.
                let passed = world.now.since(*counted).as_secs_f64() / interval;
                let most = hosts * hosts * 4.0 + hosts * OF_AN_EVENT * 8.0;
                *allowance = (*allowance + passed * hosts * hosts).min(most);
                *counted = world.now;
                *allowance -= 1.0 / self.sizes[instance];
                if *allowance < 0.0 {
                    let (host, instance) = (host + 1, instance + 1);
                    return Err(format!("VI_{instance}: more adverts than causes; n{host} now"));
                }
            }
            Happening::Changed { instance, .. }
            | Happening::Healthy { instance, .. }
            | Happening::Runs { instance, .. } => self.grant(world, instance),
            Happening::Status { .. } | Happening::Step { .. } => {
                (0..world.instances()).for_each(|instance| self.grant(world, instance));
            }
            Happening::Heard { .. } | Happening::Kernel { .. } | Happening::Client { .. } => {}
        }
        Ok(())
    }
}

fn shortest_interval(world: &World, instance: usize) -> f64 {
    let running = world.seats.iter().filter_map(|seats| seats[instance].definition.as_ref());
    let intervals = running.chain([&world.definitions[instance]]).map(|it| it.interval);
    intervals.min().unwrap_or_default().as_secs_f64()
}
