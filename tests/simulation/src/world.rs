//! What can be known from outside: who is switched on, what each router last said of itself, what
//! each kernel really holds, whom a client's neighbour table points to. Checkers see only this.

use crate::definition::Definition;
use crate::network::Network;
use crate::plan::{Plan, Program};
use std::rc::Rc;
use std::time::Duration;
use vipfleet_vrrp::{Custody, Standing, StateName, Time};

/// Everybody knows of a new instance by then.
const ROLLOUT: Duration = Duration::from_millis(1500);

/// What a host is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing runs; the kernel may live on.
    Down,
    Running,
    /// The whole agent is stopped.
    Frozen,
    /// The VRRP loop hangs.
    Stalled,
    /// The machine's clock stands still, in a pause or asleep.
    Paused,
}

#[derive(Clone, Debug)]
pub struct HostView {
    pub program: Program,
    pub status: Status,
    pub since: Time,
    /// When it last could hear nothing because its clock stood still.
    pub paused: Option<Time>,
    /// When its agent last died, if its loop ran until then.
    pub died: Option<Time>,
    /// When it last woke from a sleep it knows of.
    pub slept: Option<Time>,
    /// When its loop last ran again after it had been stopped.
    pub woke: Option<Time>,
    /// Its kernel answers nobody while the machine is off, or its clock stands still.
    pub kernel_runs: bool,
}

#[derive(Clone, Debug)]
pub struct SeatView {
    /// What its router runs; `None` while there is no router.
    pub definition: Option<Rc<Definition>>,
    /// When it was last told what to run.
    pub told: Time,
    pub state: StateName,
    pub since: Time,
    /// Since when it was in the state before.
    pub former_since: Time,
    /// How often it became MASTER.
    pub elected: u32,
    pub custody: Custody,
    pub custody_since: Time,
    pub fit: bool,
    /// Whether it is the link that makes it unfit.
    pub link_down: bool,
    pub weight: i32,
    pub pending: bool,
    /// When one of its checks came back.
    pub recovered: Option<Time>,
    /// When its effective priority last changed.
    pub priority_since: Time,
    /// It carries on for a former incarnation, and is taken at its word until checks speak.
    pub presumed: bool,
    /// It is about to begin as one of a new instance.
    pub introduced: bool,
    /// It did, and listens longer since another member ranks higher. A startup delay was longer by
    /// it, and is over.
    pub patient: bool,
}

impl SeatView {
    /// Base priority with weights, as the next advert should carry it.
    pub fn priority(&self, host: usize) -> u8 {
        let Some(definition) = &self.definition else { return 0 };
        let weight = if self.presumed { definition.full_weight } else { self.weight };
        definition.effective(host, weight)
    }

    /// Whether a planned move has it serve, and its checks have nothing against it.
    pub fn leads(&self, host: usize) -> bool {
        let standing = self.definition.as_ref().map(|it| it.standing(host));
        standing == Some(Standing::Leads) && self.priority(host) == 254
    }

    /// Whether a planned move has it serve only where nobody else does.
    pub fn yields(&self, host: usize) -> bool {
        self.definition.as_ref().map(|it| it.standing(host)) == Some(Standing::Yields)
    }

    /// Whether it is at the most its checks can give it.
    pub fn is_full(&self) -> bool {
        self.definition.as_ref().is_some_and(|it| self.presumed || self.weight >= it.full_weight)
    }
}

#[derive(Clone, Debug)]
pub struct World {
    pub now: Time,
    /// Counts what changed in it.
    pub version: u64,
    pub programs: Rc<[Program]>,
    pub hosts: Vec<HostView>,
    /// By host, then by instance.
    pub seats: Vec<Vec<SeatView>>,
    /// The LANs.
    pub networks: Vec<Network>,
    /// Which of them each instance runs on.
    pub lans: Vec<usize>,
    /// Sync groups.
    pub groups: Vec<Vec<usize>>,
    /// Whom the neighbour table of a client that keeps talking points to, by instance.
    pub client: Vec<Option<usize>>,
    /// The newest definitions, whoever knows them yet.
    pub definitions: Vec<Rc<Definition>>,
    /// When an instance was last redefined.
    pub redefined: Vec<Option<Time>>,
    /// When one that was deleted was defined again.
    pub created: Vec<Option<Time>>,
    /// The longest an advert takes from one loop to another.
    pub reaction: Duration,
    /// The longest from a wish to the kernel's deed.
    pub netlink: Duration,
    pub lossless: bool,
}

impl World {
    pub(crate) fn new(plan: &Plan, networks: Vec<Network>) -> Self {
        let seat = SeatView {
            definition: None,
            told: Time::ZERO,
            state: StateName::Init,
            since: Time::ZERO,
            former_since: Time::ZERO,
            elected: 0,
            custody: Custody::None,
            custody_since: Time::ZERO,
            fit: false,
            link_down: false,
            weight: 0,
            pending: false,
            recovered: None,
            priority_since: Time::ZERO,
            presumed: false,
            introduced: false,
            patient: false,
        };
        let host = |program: &Program| HostView {
            program: *program,
            status: Status::Down,
            since: Time::ZERO,
            paused: None,
            died: None,
            slept: None,
            woke: None,
            kernel_runs: true,
        };
        let programs: Rc<[Program]> = plan.programs().into();
        Self {
            now: Time::ZERO,
            version: 0,
            hosts: programs.iter().map(host).collect(),
            programs,
            seats: vec![vec![seat; plan.instances.len()]; plan.hosts.len()],
            networks,
            lans: plan.lans.clone(),
            groups: plan.groups.clone(),
            client: vec![None; plan.instances.len()],
            definitions: plan.instances.iter().cloned().map(Rc::new).collect(),
            redefined: vec![None; plan.instances.len()],
            created: vec![None; plan.instances.len()],
            reaction: plan.longest_delay() + plan.longest_lateness() * 2,
            netlink: plan.longest_netlink() + plan.longest_lateness(),
            lossless: plan.is_lossless(),
        }
    }

    /// An instance is defined again. Where all have long let go of it, nobody was ever MASTER.
    pub(crate) fn begin_anew(&mut self, instance: usize) {
        self.created[instance] = Some(self.now);
        let (now, reaction) = (self.now, self.reaction);
        let has_left =
            |seat: &SeatView| seat.definition.is_none() && now.since(seat.since) > reaction;
        let mut seats: Vec<_> = self.seats.iter_mut().map(|host| &mut host[instance]).collect();
        if seats.iter().all(|seat| has_left(seat)) {
            seats.iter_mut().for_each(|seat| seat.elected = 0);
        }
    }

    /// Whether it was defined again so lately that not everybody may know.
    pub fn is_new(&self, instance: usize) -> bool {
        self.created[instance].is_some_and(|at| self.now.since(at) < ROLLOUT)
    }

    pub fn instances(&self) -> usize {
        self.definitions.len()
    }

    /// The LAN of an instance.
    pub fn network(&self, instance: usize) -> &Network {
        &self.networks[self.lans[instance]]
    }

    /// The other instances of its sync group.
    pub fn fellows(&self, instance: usize) -> impl Iterator<Item = usize> + '_ {
        let group = self.groups.iter().find(|group| group.contains(&instance));
        group.into_iter().flatten().copied().filter(move |other| *other != instance)
    }

    pub fn is_grouped(&self, instance: usize) -> bool {
        self.fellows(instance).next().is_some()
    }

    /// Whether its group has no LAN on which somebody does not hear somebody.
    pub fn is_torn(&self, instance: usize) -> bool {
        let mut all = self.fellows(instance).chain([instance]);
        all.any(|instance| !self.network(instance).is_whole())
    }

    pub fn seat(&self, host: usize, instance: usize) -> &SeatView {
        &self.seats[host][instance]
    }

    /// Whether a live loop runs there.
    pub fn runs(&self, host: usize) -> bool {
        self.hosts[host].status == Status::Running
    }

    pub fn is_vipfleet(&self, host: usize) -> bool {
        self.hosts[host].program == Program::Vipfleet
    }

    /// Whether a live router there is MASTER.
    pub fn is_master(&self, host: usize, instance: usize) -> bool {
        self.runs(host) && self.seat(host, instance).state == StateName::Master
    }

    /// The other hosts.
    pub fn others(&self, host: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.hosts.len()).filter(move |other| *other != host)
    }

    /// Whether packets for the addresses are served there, ARP answered or not.
    pub fn serves(&self, host: usize, instance: usize) -> bool {
        self.hosts[host].kernel_runs && self.seat(host, instance).custody != Custody::None
    }

    /// Since when `master` is MASTER, alive, and within the hearing of `host`; `None` if it is not,
    /// or for so short that `host` may not have noticed.
    pub fn steady_since(&self, master: usize, host: usize, instance: usize) -> Option<Time> {
        if !self.is_master(master, instance) || !self.network(instance).connected(master, host) {
            return None;
        }
        let paused = self.hosts[host].paused.unwrap_or(Time::ZERO);
        let since = self.seat(master, instance).since.max(self.hosts[master].since);
        let since = since.max(self.network(instance).since(master, host)).max(paused);
        let noticed = self.longest_interval(instance) + self.reaction * 2;
        (self.now.since(since) > noticed).then_some(since)
    }

    /// The longest interval that any router of the instance runs.
    pub fn longest_interval(&self, instance: usize) -> Duration {
        let running = self.seats.iter().filter_map(|seats| seats[instance].definition.as_ref());
        let newest = &self.definitions[instance];
        running.chain([newest]).map(|definition| definition.interval).max().unwrap_or_default()
    }

    /// Everybody a host can talk to and hear, itself included, over any number of others.
    pub fn component(&self, host: usize, instance: usize) -> Vec<usize> {
        let mut known = vec![host];
        let mut next = 0;
        while let Some(at) = known.get(next).copied() {
            let new = self.others(at).filter(|other| self.network(instance).connected(at, *other));
            let new: Vec<_> = new.filter(|other| !known.contains(other)).collect();
            known.extend(new);
            next += 1;
        }
        known
    }
}
