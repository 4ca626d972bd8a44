//! A LAN of virtual routers on a virtual clock: adverts are delayed and lost by seed, addresses
//! take a moment to reach the kernel. What the routers *say* is never asked here, only what their
//! kernels would hold.

use crate::fixture;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Config, Custody, Envelope, Input, Member, Output, Router, StateName, Time, parse,
};

/// How long netlink takes.
const CLAIM: Duration = Duration::from_millis(2);
/// How long an advert takes at most.
const DELAY: Duration = Duration::from_millis(1);

/// A small, seeded generator (splitmix64).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What is on its way.
#[derive(Debug)]
enum Event {
    Arrival { to: usize, source: IpAddr, bytes: Vec<u8> },
    Claimed { host: usize },
}

/// One host with its router and what its kernel holds.
#[derive(Debug)]
struct Host {
    address: IpAddr,
    router: Router,
    kernel: Custody,
    /// Neither sends nor hears.
    isolated: bool,
    /// Neither reads nor fires; what arrives waits in the socket.
    frozen: bool,
    socket: Vec<(IpAddr, Vec<u8>)>,
    stopped: bool,
}

#[derive(Debug)]
pub(crate) struct Lan {
    pub(crate) now: Time,
    hosts: Vec<Host>,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    chance: Chance,
    /// Adverts lost, in percent.
    pub(crate) loss: u64,
    /// Set once an address was first served; from then on a gap is a violation if asked for.
    pub(crate) gaps: Vec<Time>,
    served: bool,
    /// Instants at which two kernels answered ARP.
    pub(crate) two_repliers: Vec<Time>,
    /// Who became MASTER, in order.
    pub(crate) elections: Vec<usize>,
}

impl Lan {
    /// Hosts 1, 2, … at the given base priorities.
    pub(crate) fn new(seed: u64, bases: &[u8], configure: impl Fn(&mut Config)) -> Self {
        let hosts = (0..bases.len()).map(|index| {
            let address = address(index);
            let member = |(of, base): (usize, &u8)| Member {
                address: Some(self::address(of)),
                priority: fixture::priority(*base),
                external: false,
                this: of == index,
            };
            let mut config = Config {
                priority: fixture::priority(bases[index]),
                members: bases.iter().enumerate().map(member).collect(),
                members_complete: true,
                ..fixture::config()
            };
            configure(&mut config);
            Host {
                address,
                router: started(config, address),
                kernel: Custody::None,
                isolated: false,
                frozen: false,
                socket: Vec::new(),
                stopped: false,
            }
        });
        Self {
            now: Time::ZERO,
            hosts: hosts.collect(),
            events: BTreeMap::new(),
            sequence: 0,
            chance: Chance::new(seed),
            loss: 0,
            gaps: Vec::new(),
            served: false,
            two_repliers: Vec::new(),
            elections: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }

    pub(crate) fn config(&self, host: usize) -> Config {
        self.hosts[host].router.config().clone()
    }

    pub(crate) fn state(&self, host: usize) -> StateName {
        self.hosts[host].router.state()
    }

    pub(crate) fn is_stopped(&self, host: usize) -> bool {
        self.hosts[host].stopped
    }

    pub(crate) fn kernels(&self) -> Vec<Custody> {
        self.hosts.iter().map(|host| host.kernel).collect()
    }

    pub(crate) fn input(&mut self, host: usize, input: Input<'_>) {
        self.hosts[host].router.handle(self.now, input);
        self.settle(host);
    }

    /// A new incarnation, as after a restart of the agent: nothing in the kernel, BACKUP.
    pub(crate) fn restart(&mut self, host: usize) {
        let config = self.config(host);
        self.hosts[host].router = started(config, self.hosts[host].address);
        self.hosts[host].kernel = Custody::None;
        self.hosts[host].stopped = false;
        self.input(host, Input::Start);
    }

    pub(crate) fn isolate(&mut self, host: usize) {
        self.hosts[host].isolated = true;
    }

    pub(crate) fn rejoin(&mut self, host: usize) {
        self.hosts[host].isolated = false;
    }

    pub(crate) fn freeze(&mut self, host: usize) {
        self.hosts[host].frozen = true;
    }

    /// Sockets first, deadlines later: the driver's duty.
    pub(crate) fn thaw(&mut self, host: usize) {
        self.hosts[host].frozen = false;
        for (source, bytes) in std::mem::take(&mut self.hosts[host].socket) {
            self.receive(host, source, &bytes);
        }
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let deadline = self
                .hosts
                .iter()
                .enumerate()
                .filter(|(_, host)| !host.frozen)
                .filter_map(|(index, host)| Some((host.router.next_deadline()?, index)))
                .min();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let next = [deadline.map(|(at, _)| at), event].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next < end) else {
                break;
            };
            self.now = self.now.max(next);
            // An advert that arrives at the very instant of a deadline was in the socket first.
            if event == Some(next) {
                if let Some((_, event)) = self.events.pop_first() {
                    self.happen(event);
                }
            } else if let Some((_, host)) = deadline {
                self.hosts[host].router.handle_deadlines(self.now);
                let due = self.hosts[host].router.next_deadline();
                assert!(due.is_none_or(|due| due > self.now), "a deadline that does not move");
                self.settle(host);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival { to, source, bytes } if self.hosts[to].frozen => {
                self.hosts[to].socket.push((source, bytes));
            }
            Event::Arrival { to, source, bytes } => self.receive(to, source, &bytes),
            Event::Claimed { host } => {
                if self.hosts[host].router.custody() == Custody::Serving {
                    self.hosts[host].kernel = Custody::Serving;
                    self.input(host, Input::Claimed);
                }
            }
        }
    }

    fn receive(&mut self, host: usize, source: IpAddr, bytes: &[u8]) {
        let envelope = Envelope { source, destination: fixture::multicast(), ttl: 255 };
        let advert = parse(envelope, bytes).expect("routers send well-formed adverts");
        self.hosts[host].router.handle(self.now, Input::Advert { source, advert });
        self.settle(host);
    }

    /// Does what the router wants, then looks at all kernels.
    fn settle(&mut self, index: usize) {
        while let Some(output) = self.hosts[index].router.poll_output() {
            match output {
                Output::Transmit(transmission) => {
                    let host = &self.hosts[index];
                    let (source, mut bytes) = (host.address, Vec::new());
                    host.router.encode(transmission, source, fixture::multicast(), &mut bytes);
                    self.broadcast(index, &bytes);
                }
                Output::Custody(Custody::Serving) => {
                    self.schedule(self.now + CLAIM, Event::Claimed { host: index });
                }
                Output::Custody(custody) => self.hosts[index].kernel = custody,
                Output::Stopped => self.hosts[index].stopped = true,
                Output::Changed(change) if change.to == StateName::Master => {
                    self.elections.push(index);
                }
                Output::Announce
                | Output::Elected(_)
                | Output::Changed(_)
                | Output::Discarded { .. }
                | Output::Warn(_) => {}
            }
        }
        self.look();
    }

    fn broadcast(&mut self, from: usize, bytes: &[u8]) {
        if self.hosts[from].isolated {
            return;
        }
        for to in 0..self.hosts.len() {
            if to == from || self.hosts[to].isolated || self.chance.below(100) < self.loss {
                continue;
            }
            let delay = Duration::from_nanos(self.chance.below(DELAY.as_nanos() as u64));
            let (source, bytes) = (self.hosts[from].address, bytes.to_vec());
            self.schedule(self.now + delay, Event::Arrival { to, source, bytes });
        }
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn look(&mut self) {
        let holding = |custody| self.hosts.iter().filter(|host| host.kernel == custody).count();
        let (repliers, silent) = (holding(Custody::Serving), holding(Custody::Silent));
        self.served |= repliers > 0;
        if self.served && repliers + silent == 0 {
            self.gaps.push(self.now);
        }
        if repliers > 1 {
            self.two_repliers.push(self.now);
        }
    }
}

fn address(index: usize) -> IpAddr {
    fixture::host(u8::try_from(index + 1).expect("a small LAN"))
}

fn started(config: Config, address: IpAddr) -> Router {
    let mut router = Router::new(config).expect("a valid configuration");
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(address)));
    router
}
