//! When a MASTER is gone, the first in order succeeds it: with fast takeover by the static rank
//! (base priority, then address; whoever is weakened comes last), with rfc by the skew where the
//! skews differ by more than chance. Judged only where all could know the same.

use super::{Checker, Happening};
use crate::plan::Action;
use crate::world::{Status, World};
use std::cmp::Reverse;
use std::time::Duration;
use vipfleet_vrrp::{Reason, StateName, Time};

/// Skews this close may be decided by chance.
const TOO_CLOSE: Duration = Duration::from_millis(6);

/// A MASTER that left, in the middle of calm.
#[derive(Clone, Copy, Debug)]
struct Departure {
    master: usize,
    priority: u8,
    /// How long nothing had happened before.
    calm: Duration,
}

#[derive(Debug)]
pub(super) struct Rank {
    /// When anything last happened that could change who knows what.
    disturbed: Time,
    departures: Vec<Option<Departure>>,
}

impl Rank {
    pub(super) fn new(world: &World) -> Self {
        Self { disturbed: Time::ZERO, departures: vec![None; world.instances()] }
    }

    fn depart(&mut self, world: &World, master: usize, instance: usize) {
        let calm = world.now.since(self.disturbed);
        let priority = world.seat(master, instance).priority(master);
        self.departures[instance] = Some(Departure { master, priority, calm });
        self.disturbed = world.now;
    }

    fn disturb(&mut self, world: &World) {
        if world.now > self.disturbed {
            self.departures.fill(None);
            self.disturbed = world.now;
        }
    }
}

impl Checker for Rank {
    fn name(&self) -> &'static str {
        "rank"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        match *happening {
            Happening::Changed { host, instance, reason } => {
                let verdict = match world.seat(host, instance).state {
                    // Another of its group was elected: the order is that one's.
                    _ if matches!(reason, Reason::Together(_)) => Ok(()),
                    StateName::Master => self.judge(world, host, instance),
                    StateName::Init | StateName::Fault | StateName::Backup => Ok(()),
                };
                let seat = world.seat(host, instance);
                let resigned = matches!(seat.state, StateName::Init | StateName::Fault);
                match resigned && self.is_latest_master(world, host, instance) {
                    true => self.depart(world, host, instance),
                    false => self.disturb(world),
                }
                verdict
            }
            Happening::Status { host } => {
                // One that stood still before it died left earlier.
                let view = &world.hosts[host];
                let stood_still = view.status == Status::Down && view.died != Some(world.now);
                let gone = view.status != Status::Running && !stood_still;
                let calm = world.now > self.disturbed;
                if !gone || !calm {
                    self.disturb(world);
                    return Ok(());
                }
                let before = self.disturbed;
                for instance in 0..world.instances() {
                    self.disturbed = before;
                    if world.seat(host, instance).state == StateName::Master {
                        self.depart(world, host, instance);
                    }
                }
                self.disturbed = world.now;
                Ok(())
            }
            // A restart or a failing check is how a master departs; it shows soon enough.
            Happening::Step {
                action: Action::Restart { .. } | Action::Fault { .. } | Action::Drain { .. },
            } => Ok(()),
            Happening::Step { .. } | Happening::Runs { .. } => {
                self.disturb(world);
                Ok(())
            }
            Happening::Healthy { host, instance } => {
                if world.seat(host, instance).fit {
                    self.disturb(world);
                }
                Ok(())
            }
            Happening::Sent { .. }
            | Happening::Heard { .. }
            | Happening::Kernel { .. }
            | Happening::Client { .. } => Ok(()),
        }
    }
}

impl Rank {
    /// Nobody else is MASTER: this one was.
    fn is_latest_master(&self, world: &World, host: usize, instance: usize) -> bool {
        world.seat(host, instance).elected > 0
            && world.now > self.disturbed
            && world.others(host).all(|other| !world.is_master(other, instance))
            && world.seat(host, instance).custody != vipfleet_vrrp::Custody::None
    }

    fn judge(&mut self, world: &World, winner: usize, instance: usize) -> Result<(), String> {
        let Some(departure) = self.departures[instance].take() else { return Ok(()) };
        let interval = world.longest_interval(instance);
        let all_know = departure.calm > interval * 2 + world.reaction * 2
            && world.network(instance).reaches(departure.master, winner);
        // In a torn group somebody may be held back on another LAN.
        let torn = world.is_grouped(instance) && world.is_torn(instance);
        if !all_know || torn || !world.lossless || winner == departure.master {
            return Ok(());
        }
        let definition = &world.definitions[instance];
        if world.seat(winner, instance).definition.as_ref() != Some(definition) {
            return Ok(());
        }
        let priority = |host: usize| world.seat(host, instance).priority(host);
        // It may have been preempting already.
        if priority(winner) > departure.priority {
            return Ok(());
        }
        let fast = definition.is_fast(&world.programs);
        let may = |host: usize| {
            let seat = world.seat(host, instance);
            world.runs(host)
                && seat.state == StateName::Backup
                && world.now.since(seat.since) > interval * 2
                && world.network(instance).connected(host, winner)
                && world.network(instance).reaches(departure.master, host)
                && seat.definition.as_ref() == Some(definition)
        };
        let place = |host: usize| {
            let full = world.seat(host, instance).is_full();
            let full = full && !world.seat(host, instance).yields(host);
            (Reverse(full), Reverse(definition.base(host)), Reverse(host))
        };
        let skew = |host: usize| definition.skew(priority(host));
        let better = world.others(winner).filter(|host| *host != departure.master).find(|host| {
            may(*host)
                && match fast {
                    true => place(*host) < place(winner),
                    false => skew(*host) + TOO_CLOSE + world.reaction < skew(winner),
                }
        });
        match better {
            Some(better) => Err(format!(
                "n{} succeeded n{} as MASTER of VI_{} before n{}, whose turn it was",
                winner + 1,
                departure.master + 1,
                instance + 1,
                better + 1
            )),
            None => Ok(()),
        }
    }
}
