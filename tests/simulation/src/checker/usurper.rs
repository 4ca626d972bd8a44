//! Nobody takes over from a live MASTER that it can hear and may not preempt: not after a stall,
//! not at a cold start in any order, not with `nopreempt`, not before its checks have spoken, nor
//! within the preempt delay or soon after a recovery.

use super::{Checker, Happening};
use crate::definition::Definition;
use crate::plan::Program;
use crate::world::{Status, World};
use std::time::Duration;
use vipfleet_vrrp::{Preemption, Reason, StateName, Time};

/// A new definition reaches all hosts within this; until then they may know different bases.
const ROLLOUT: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(super) struct Usurper {
    /// By host and instance.
    lower: Vec<Vec<Lower>>,
    /// When a host last heard a resignation, by host and instance.
    resignations: Vec<Vec<Option<Time>>>,
}

/// How long the only live masters have been lower than a host.
#[derive(Clone, Copy, Debug, Default)]
struct Lower {
    since: Option<Time>,
    /// Since when it is not so any more. It counts once an advert was heard meanwhile.
    interrupted: Option<Time>,
}

impl Usurper {
    pub(super) fn new(world: &World) -> Self {
        let resignations = vec![vec![None; world.instances()]; world.hosts.len()];
        Self {
            resignations,
            lower: vec![vec![Lower::default(); world.instances()]; world.hosts.len()],
        }
    }
}

impl Checker for Usurper {
    fn name(&self) -> &'static str {
        "usurper"
    }

    fn time_passes(&mut self, world: &World, _: Time) -> Result<(), String> {
        for (host, lower) in self.lower.iter_mut().enumerate() {
            // What a machine that sleeps is sent is lost: it knows what it knew before.
            if world.hosts[host].status == Status::Paused {
                continue;
            }
            for (instance, lower) in lower.iter_mut().enumerate() {
                lower.watch(world, host, instance);
            }
        }
        Ok(())
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        if let Happening::Heard { host, instance, priority: 0, .. } = *happening {
            self.resignations[host][instance] = Some(world.now);
        }
        let Happening::Changed { host, instance, reason } = *happening else { return Ok(()) };
        let seat = world.seat(host, instance);
        let elected =
            seat.state == StateName::Master && !matches!(reason, Reason::Owner | Reason::Resumed);
        if !elected || !world.lossless || !world.network(instance).is_whole() {
            return Ok(());
        }
        // keepalived takes any resignation for its master's, as the RFC has it.
        let misled = !world.is_vipfleet(host)
            && self.resignations[host][instance]
                .is_some_and(|at| world.now.since(at) < world.longest_interval(instance));
        if misled {
            return Ok(());
        }
        for other in world.others(host) {
            if let Some(since) = world.steady_since(other, host, instance)
                && let Some(why) =
                    forbids(world, host, other, instance, self.lower[host][instance].since)
            {
                let (host, other, instance) = (host + 1, other + 1, instance + 1);
                return Err(format!(
                    "n{host} took VI_{instance} from n{other}, a live MASTER since {since}: {why}"
                ));
            }
        }
        Ok(())
    }

    fn is_idle(&self, world: &World) -> bool {
        let young = |host: usize| {
            let masters = (0..world.instances()).filter(|it| world.is_master(host, *it));
            let since = masters.map(|it| world.seat(host, it).since).max();
            since.is_some_and(|since| world.now.since(since) <= world.reaction * 3)
        };
        let waits = |lower: &Lower| lower.interrupted.is_some() && lower.since.is_some();
        !(0..world.hosts.len()).any(young) && !self.lower.iter().flatten().any(waits)
    }
}

impl Lower {
    fn watch(&mut self, world: &World, host: usize, instance: usize) {
        let ours = world.seat(host, instance).priority(host);
        // A rival of this moment has not been heard yet.
        let known = |other: &usize| {
            world.is_master(*other, instance)
                && world.network(instance).reaches(*other, host)
                && world.now.since(world.seat(*other, instance).since) > world.reaction * 2
        };
        let masters = || world.others(host).filter(known).map(|it| (it, world.seat(it, instance)));
        let lower = masters()
            .map(|(other, rival)| rival.priority(other) < ours)
            .reduce(|one, other| one && other);
        match lower {
            Some(true) => {
                self.interrupted = None;
                let began = masters().map(|(_, rival)| rival.since.max(rival.priority_since)).min();
                let risen = world.seat(host, instance).priority_since;
                self.since = self.since.or(began.map(|began| began.max(risen)));
            }
            Some(false) => {
                let since = *self.interrupted.get_or_insert(world.now);
                let heard = world.longest_interval(instance) + world.reaction * 2;
                if world.now.since(since) > heard {
                    self.since = None;
                }
            }
            None => {}
        }
    }
}

/// Why `host` must not take over from `master`; `None` if it may.
fn forbids(
    world: &World,
    host: usize,
    master: usize,
    instance: usize,
    lower: Option<Time>,
) -> Option<String> {
    let (seat, rival) = (world.seat(host, instance), world.seat(master, instance));
    let definition = seat.definition.as_ref()?;
    let (ours, theirs) = (seat.priority(host), rival.priority(master));
    // What changed a moment ago may not have been heard yet; keepalived tells it in its own time.
    let takes = |host: usize| match world.hosts[host].program {
        Program::Vipfleet => world.reaction * 2,
        Program::Keepalived => world.reaction * 2 + world.longest_interval(instance),
    };
    let fresh = world.now.since(rival.priority_since) <= takes(master)
        || world.now.since(seat.priority_since) <= takes(host) && !world.is_vipfleet(host);
    // Two definitions are about: what was decided by the one stands under the other.
    let since_redefined = world.redefined[instance].map(|at| world.now.since(at));
    let in_flight = |delay: Duration| since_redefined.is_some_and(|it| it < ROLLOUT + delay);
    // One that leads meets as much in who has not heard of it yet: the address decides.
    let wins_tie = seat.leads(host) && theirs == ours && host > master;
    if theirs >= ours && !fresh && !wins_tie {
        return Some(format!("priority {ours} against {theirs}"));
    }
    if ours == 255 || fresh {
        return None;
    }
    let leads = seat.leads(host);
    if definition.preemption == Preemption::NoPreempt && !leads {
        let is_below = theirs < definition.base(master);
        // One that yields asks for it, whatever the takeover.
        let relieves = is_below && (definition.is_fast(&world.programs) || theirs == 1);
        return (!relieves && !in_flight(Duration::ZERO)).then(|| "nopreempt".to_owned());
    }
    let hesitates = |since: Time, delay: Duration, what: &str| {
        (world.now.since(since) + world.reaction * 4 < delay).then(|| what.to_owned())
    };
    let delay = definition.preempt_delay;
    let delay = if in_flight(Duration::ZERO) || leads { Duration::ZERO } else { delay };
    // The delay counts from the first advert that is lower than our own priority, whoever sent it.
    let lower = lower.unwrap_or(world.now).min(world.now);
    let recovered =
        || hesitates(seat.recovered?, recover_delay(world, host, definition)?, "recovering");
    hesitates(lower, delay, "preempt delay").or_else(recovered).or_else(|| {
        (seat.pending && world.is_vipfleet(host)).then(|| "its checks are pending".to_owned())
    })
}

fn recover_delay(world: &World, host: usize, definition: &Definition) -> Option<Duration> {
    world.is_vipfleet(host).then_some(definition.recover_delay)
}
