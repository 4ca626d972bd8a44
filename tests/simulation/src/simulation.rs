//! Runs a plan: the queue of what will happen, in order of virtual time, and what follows from
//! each event. Steps are carried out in `faults`, hosts live and die in `life`, what their turns
//! want is done in `effects`, the kernels' part in `kernel_side`.

mod effects;
mod faults;
mod kernel_side;
mod life;

use crate::chance::Chance;
use crate::checker::{Happening, Referee, Violation};
use crate::definition::Definition;
use crate::host::{Host, Order, Packet};
use crate::kernel::KernelEvent;
use crate::mutation::Mutation;
use crate::network::Network;
use crate::plan::{Plan, Program, Weather};
use crate::trace::Trace;
use crate::world::{Status, World};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// Something that will happen.
#[derive(Debug)]
enum Event {
    Wake {
        host: usize,
    },
    Arrive {
        to: usize,
        packet: Packet,
    },
    Announced {
        instance: usize,
        host: usize,
    },
    Kernel {
        host: usize,
        instance: usize,
        event: KernelEvent,
    },
    /// A host is switched on for the first time.
    SwitchOn {
        host: usize,
    },
    /// The checks of a host that started have spoken; the number is that of the start.
    ChecksSpoke {
        host: usize,
        boot: u64,
    },
    Begins(usize),
    Ends(usize),
    /// The weather clears up for the quiet time.
    Quiet,
    /// A new definition reaches a host.
    Reaches {
        host: usize,
        instance: usize,
        generation: u64,
        definition: Rc<Definition>,
        is_new: bool,
    },
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub violation: Option<Violation>,
    /// Empty unless asked for.
    pub trace: Trace,
    /// Every router that became MASTER, and when, in order.
    pub elected: Vec<Elected>,
    /// Adverts sent.
    pub adverts: u64,
    /// How long the simulated fleet ran.
    pub span: Duration,
}

/// A router became MASTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    pub at: Time,
    pub host: usize,
    pub instance: usize,
}

#[derive(Debug)]
pub(crate) struct Simulation<'p> {
    plan: &'p Plan,
    world: World,
    hosts: Vec<Host>,
    /// The planned wake-up of each host.
    wakes: Vec<Option<Time>>,
    /// How often each instance was redefined.
    generations: Vec<u64>,
    /// Instances that were created and have had no MASTER since.
    unserved: Vec<bool>,
    /// What the kernel side of a host that stands still will do when it moves again.
    deferred: Vec<Vec<(usize, KernelEvent)>>,
    /// How often each host's agent started.
    boots: Vec<u64>,
    /// Hosts whose service is to be started again as soon as it has stopped.
    restarts: Vec<bool>,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    scheduler: Chance,
    netlink: Chance,
    referee: Referee,
    trace: Trace,
    mutation: Mutation,
    adverts: u64,
    elected: Vec<Elected>,
}

/// Runs a plan to its end, or to the first violation.
pub fn run(plan: &Plan, mutation: Mutation, trace: Trace) -> Outcome {
    finish(Simulation::new(plan, mutation, trace))
}

/// Runs a plan to its end, whatever happens: for counting what would be condemned.
pub fn measure(plan: &Plan) -> Outcome {
    let mut simulation = Simulation::new(plan, Mutation::None, Trace::default());
    simulation.referee = Referee::none();
    finish(simulation)
}

fn finish(mut simulation: Simulation<'_>) -> Outcome {
    let end = Time::ZERO + simulation.plan.active + simulation.plan.quiet;
    let violation = simulation.run_until(end);
    Outcome {
        elected: simulation.elected,
        adverts: simulation.adverts,
        span: simulation.world.now.since(Time::ZERO),
        trace: simulation.trace,
        violation,
    }
}

impl<'p> Simulation<'p> {
    fn new(plan: &'p Plan, mutation: Mutation, trace: Trace) -> Self {
        let network = |lan: usize| {
            let seed = plan.seed.wrapping_add(lan as u64 * 0x9e37);
            Network::new(seed, plan.hosts.len(), plan.weather)
        };
        let world = World::new(plan, (0..plan.lan_count()).map(network).collect());
        let mut clocks = Chance::stream(plan.seed, 1);
        let host = |index: usize| {
            let ahead = Duration::from_secs(100_000 + clocks.below(100_000));
            Host::new(index, plan, &world.definitions, ahead, mutation)
        };
        let hosts: Vec<_> = (0..plan.hosts.len()).map(host).collect();
        let mut simulation = Self {
            referee: Referee::new(plan, &world),
            wakes: vec![None; hosts.len()],
            generations: vec![0; plan.instances.len()],
            unserved: vec![false; plan.instances.len()],
            deferred: vec![Vec::new(); hosts.len()],
            boots: vec![0; hosts.len()],
            restarts: vec![false; hosts.len()],
            events: BTreeMap::new(),
            sequence: 0,
            scheduler: Chance::stream(plan.seed, 2),
            netlink: Chance::stream(plan.seed, 3),
            adverts: 0,
            elected: Vec::new(),
            plan,
            world,
            hosts,
            trace,
            mutation,
        };
        for (host, wanted) in plan.hosts.iter().enumerate() {
            simulation.schedule(Time::ZERO + wanted.starts, Event::SwitchOn { host });
        }
        for (number, step) in plan.steps.iter().enumerate() {
            simulation.schedule(Time::ZERO + step.at, Event::Begins(number));
        }
        simulation.schedule(Time::ZERO + plan.active, Event::Quiet);
        simulation
    }

    fn run_until(&mut self, end: Time) -> Option<Violation> {
        while let Some(entry) = self.events.first_entry() {
            let at = entry.key().0;
            if at > end {
                break;
            }
            let event = entry.remove();
            if at > self.world.now {
                self.referee.time_passes(&self.world, at);
            }
            self.world.now = at;
            self.happen(event);
            if let Some(violation) = self.referee.violation() {
                return Some(self.condemn(violation));
            }
        }
        self.world.now = end;
        self.referee.finish(&self.world);
        self.referee.violation().map(|violation| self.condemn(violation))
    }

    fn condemn(&mut self, violation: Violation) -> Violation {
        self.trace.note(self.world.now, None, None, || format!("VIOLATION {violation}"));
        violation
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { host } => {
                if self.wakes[host] == Some(self.world.now) {
                    self.wakes[host] = None;
                    self.turn(host);
                }
            }
            Event::Arrive { to, packet } => self.arrive(to, packet),
            Event::Announced { instance, host } => {
                let down = self.hosts[host].seats[instance].tally.links_down > 0;
                if self.world.hosts[host].kernel_runs && !down {
                    self.world.client[instance] = Some(host);
                    self.judge(&Happening::Client { instance });
                }
            }
            Event::Kernel { host, instance, event } => self.kernel_event(host, instance, event),
            Event::SwitchOn { host } => self.boot(host),
            Event::ChecksSpoke { host, boot } => {
                if self.boots[host] == boot {
                    self.checks_spoke(host);
                }
            }
            Event::Begins(number) => self.step_begins(number),
            Event::Ends(number) => self.step_ends(number),
            Event::Quiet => self.set_weather(self.usual_weather()),
            Event::Reaches { host, instance, generation, definition, is_new } => {
                let seat = &mut self.hosts[host].seats[instance];
                // An agent refuses what is older than what it has.
                if seat.generation < generation {
                    (seat.generation, seat.definition) = (generation, definition);
                    self.order(host, Order::Bring { instance, is_new });
                }
            }
        }
    }

    fn arrive(&mut self, to: usize, mut packet: Packet) {
        let status = self.world.hosts[to].status;
        if matches!(status, Status::Down | Status::Paused) {
            return;
        }
        packet.received = self.hosts[to].local(self.world.now);
        self.hosts[to].socket.push_back(packet);
        self.wake_soon(to);
    }

    /// Something waits for the host's loop.
    fn wake_soon(&mut self, host: usize) {
        self.wake_at(host, self.world.now);
    }

    fn wake_at(&mut self, host: usize, at: Time) {
        if !self.world.runs(host) {
            return;
        }
        let late = self.scheduler.between(Duration::ZERO, self.plan.hosts[host].lateness);
        let at = at.max(self.world.now) + late;
        if self.wakes[host].is_none_or(|planned| planned > at) {
            self.wakes[host] = Some(at);
            self.schedule(at, Event::Wake { host });
        }
    }

    fn turn(&mut self, host: usize) {
        if !self.world.runs(host) {
            return;
        }
        let effects = self.hosts[host].turn(self.world.now);
        self.perform(host, effects);
        if let Some(deadline) = self.hosts[host].next_deadline() {
            self.wake_at(host, deadline);
        }
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn judge(&mut self, happening: &Happening<'_>) {
        if !matches!(happening, Happening::Sent { .. } | Happening::Heard { .. }) {
            self.world.version += 1;
        }
        self.referee.see(&self.world, happening);
    }

    fn set_weather(&mut self, weather: Weather) {
        self.world.networks.iter_mut().for_each(|network| network.set_weather(weather));
    }

    fn usual_weather(&self) -> Weather {
        match self.world.now < Time::ZERO + self.plan.active {
            true => self.plan.weather,
            false => Weather::CALM,
        }
    }

    fn is_vipfleet(&self, host: usize) -> bool {
        self.hosts[host].program() == Program::Vipfleet
    }
}
