//! Two live MASTERs that hear each other settle it within an interval: whoever is outranked, or
//! has been overtaken while it slept, gives way as soon as it hears the other.

use super::Checker;
use crate::world::World;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// Adverts that may be lost in a row, in bad weather, before it counts.
const UNLUCKY: u32 = 12;

#[derive(Debug)]
pub(super) struct Duel {
    /// Since when some two are at it, by instance.
    since: Vec<Option<(usize, usize, Time)>>,
}

impl Duel {
    pub(super) fn new(world: &World) -> Self {
        Self { since: vec![None; world.instances()] }
    }
}

impl Checker for Duel {
    fn name(&self) -> &'static str {
        "duel"
    }

    fn time_passes(&mut self, world: &World, next: Time) -> Result<(), String> {
        for instance in 0..world.instances() {
            let pair = pair(world, instance);
            let known = self.since[instance].filter(|(one, other, _)| Some((*one, *other)) == pair);
            self.since[instance] = known.or(pair.map(|(one, other)| (one, other, world.now)));
            let Some((one, other, since)) = self.since[instance] else { continue };
            let interval = world.longest_interval(instance);
            let rounds = if world.lossless { 1 } else { UNLUCKY };
            let bound = interval * rounds + world.reaction * 2 + Duration::from_millis(1);
            if next.since(since) > bound {
                let (one, other, instance) = (one + 1, other + 1, instance + 1);
                return Err(format!(
                    "n{one} and n{other} are both MASTER of VI_{instance} for {bound:?}"
                ));
            }
        }
        Ok(())
    }

    fn is_idle(&self, _: &World) -> bool {
        self.since.iter().all(Option::is_none)
    }
}

/// Two live masters that hear each other.
fn pair(world: &World, instance: usize) -> Option<(usize, usize)> {
    let hosts = world.hosts.len();
    let masters = |from: usize| (from..hosts).filter(move |host| world.is_master(*host, instance));
    masters(0).find_map(|one| {
        let other =
            masters(one + 1).find(|other| world.network(instance).connected(one, *other))?;
        Some((one, other))
    })
}
