//! Sync groups: two hosts, each with one router on either of two LANs, driven as an agent drives
//! them. What is looked at is what the kernels would hold.

use crate::fixture;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Config, Custody, Election, Envelope, Follow, Health, Input, Member, Output, Reason, Router,
    StateName, Takeover, Time, group, parse,
};

const DELAY: Duration = Duration::from_micros(300);
const BASES: [u8; 2] = [100, 80];

/// Host 0 is the better one; LANs are 0 and 1.
type Seat = (usize, usize);

struct Site {
    now: Time,
    routers: BTreeMap<Seat, Router>,
    arrivals: BTreeMap<(Time, u64), (Seat, IpAddr, Vec<u8>)>,
    sequence: u64,
    /// LANs that carry nothing.
    dead: [bool; 2],
    /// Instants at which nobody served an address that was served before.
    gaps: Vec<(Time, usize)>,
    served: [bool; 2],
    changes: Vec<(Time, Seat, StateName, String)>,
}

impl Site {
    fn new(configure: impl Fn(Seat, &mut Config)) -> Self {
        let seats = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let router = |seat: Seat| {
            let member = |of: usize| Member {
                address: Some(address(of)),
                priority: fixture::priority(BASES[of]),
                external: false,
                this: of == seat.0,
            };
            let mut config = Config {
                priority: fixture::priority(BASES[seat.0]),
                members: vec![member(0), member(1)],
                members_complete: true,
                election: Election::Together,
                ..fixture::config()
            };
            configure(seat, &mut config);
            let mut router = Router::new(config).expect("a valid configuration");
            router.handle(Time::ZERO, Input::PrimaryAddress(Some(address(seat.0))));
            (seat, router)
        };
        Self {
            now: Time::ZERO,
            routers: seats.into_iter().map(router).collect(),
            arrivals: BTreeMap::new(),
            sequence: 0,
            dead: [false; 2],
            gaps: Vec::new(),
            served: [false; 2],
            changes: Vec::new(),
        }
    }

    /// Both hosts are up and settled.
    fn settled(configure: impl Fn(Seat, &mut Config)) -> Self {
        let mut site = Self::new(configure);
        site.start(0);
        site.start(1);
        site.run_for(Duration::from_secs(10));
        assert_eq!(site.states(0), [StateName::Master; 2]);
        assert_eq!(site.states(1), [StateName::Backup; 2]);
        (site.changes, site.gaps) = (Vec::new(), Vec::new());
        site
    }

    fn start(&mut self, host: usize) {
        for lan in 0..2 {
            self.tell((host, lan), Input::Start);
        }
    }

    fn states(&self, host: usize) -> [StateName; 2] {
        [self.routers[&(host, 0)].state(), self.routers[&(host, 1)].state()]
    }

    fn tell(&mut self, seat: Seat, input: Input<'_>) {
        let now = self.now;
        self.router(seat).handle(now, input);
        self.settle(seat);
    }

    fn router(&mut self, seat: Seat) -> &mut Router {
        self.routers.get_mut(&seat).expect("a seat")
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let deadline =
                self.routers.iter().filter_map(|(seat, it)| Some((it.next_deadline()?, *seat)));
            let deadline = deadline.min();
            let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
            let next = [deadline.map(|it| it.0), arrival].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next < end) else { break };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (seat, source, bytes)) = self.arrivals.pop_first().expect("an arrival");
                let envelope = Envelope { source, destination: fixture::multicast(), ttl: 255 };
                let advert = parse(envelope, &bytes).expect("a well-formed advert");
                self.router(seat).handle(next, Input::Advert { source, advert });
                self.settle(seat);
            } else if let Some((_, seat)) = deadline {
                let now = self.now;
                self.router(seat).handle_deadlines(now);
                self.settle(seat);
            }
        }
        self.now = end;
    }

    fn settle(&mut self, seat: Seat) {
        while let Some(output) = self.router(seat).poll_output() {
            self.perform(seat, output);
        }
        for lan in 0..2 {
            let serving = |host| self.routers[&(host, lan)].custody() != Custody::None;
            let is_served = serving(0) || serving(1);
            if self.served[lan] && !is_served {
                self.gaps.push((self.now, lan));
            }
            self.served[lan] |= is_served;
        }
    }

    fn perform(&mut self, seat @ (host, lan): Seat, output: Output) {
        match output {
            Output::Transmit(transmission) if !self.dead[lan] => {
                let mut bytes = Vec::new();
                let source = address(host);
                let router = &self.routers[&seat];
                router.encode(transmission, source, fixture::multicast(), &mut bytes);
                self.sequence += 1;
                let key = (self.now + DELAY, self.sequence);
                self.arrivals.insert(key, ((1 - host, lan), source, bytes));
            }
            Output::Custody(Custody::Serving) => self.tell(seat, Input::Claimed),
            Output::Elected(reason) => self.elect(seat, &reason),
            Output::Changed(change) => {
                self.changes.push((self.now, seat, change.to, change.reason.to_string()));
                if let Some(follow) = group::follows(&change) {
                    self.tell((host, 1 - lan), Input::Follow(follow));
                }
            }
            _ => {}
        }
    }

    fn elect(&mut self, (host, elected): Seat, reason: &Reason) {
        let of_host = self.routers.iter().filter(|((of, _), _)| *of == host);
        if !group::may_lead(self.now, of_host.map(|(_, router)| router)) {
            return;
        }
        for lan in 0..2 {
            let reason = reason.clone();
            let reason = if lan == elected { reason } else { reason.together() };
            self.tell((host, lan), Input::Follow(Follow::ToMaster(reason)));
        }
    }
}

fn address(host: usize) -> IpAddr {
    fixture::host(u8::try_from(host + 1).expect("two hosts"))
}

fn fast(_: Seat, config: &mut Config) {
    config.takeover = Takeover::Fast;
}

fn rfc(_: Seat, _: &mut Config) {}

#[test]
fn when_the_master_host_dies_its_successor_takes_both_at_once() {
    for configure in [fast, rfc] {
        let mut site = Site::settled(configure);
        site.routers.retain(|(host, _), _| *host == 1);
        for lan in 0..2 {
            // Stands in for the dead host, so that nobody is asked who is not there.
            let router = Router::new(fixture::config()).expect("a valid configuration");
            site.routers.insert((0, lan), router);
        }
        site.run_for(Duration::from_secs(5));
        assert_eq!(site.states(1), [StateName::Master; 2]);
        let [(one, ..), (other, ..)] = site.changes[..] else { panic!("{:?}", site.changes) };
        assert_eq!(one, other, "at one instant: {:?}", site.changes);
    }
}

#[test]
fn a_fault_on_one_lan_moves_both_and_a_weaker_group_is_called_back_by_nobody() {
    let mut site = Site::settled(fast);
    let broken = |line: &str| Health { faults: vec![line.into()], ..Health::default() };
    site.tell((0, 0), Input::Health(broken("interface eth0 is down")));
    site.tell((0, 1), Input::Health(broken("VI_1 of its sync group: interface eth0 is down")));
    site.run_for(Duration::from_millis(20));
    assert_eq!(site.states(1), [StateName::Master; 2]);
    site.tell((0, 0), Input::Health(Health::default()));
    site.tell((0, 1), Input::Health(Health::default()));
    site.changes.clear();
    site.run_for(Duration::from_secs(20));
    // Back once, together, and then at rest.
    assert_eq!(site.states(0), [StateName::Master; 2]);
    assert_eq!(site.changes.len(), 4, "{:?}", site.changes);
}

#[test]
fn a_lan_that_carries_nothing_moves_nobody_back_and_forth() {
    for configure in [fast, rfc] {
        let mut site = Site::settled(configure);
        site.dead[1] = true;
        site.run_for(Duration::from_secs(60));
        assert_eq!(site.states(0), [StateName::Master; 2]);
        assert_eq!(site.states(1), [StateName::Backup; 2], "its better is heard on the other LAN");
        assert_eq!(site.changes, []);
    }
}

#[test]
fn a_better_group_that_comes_late_takes_both_and_no_address_is_without_a_host() {
    for configure in [fast, rfc] {
        let mut site = Site::new(configure);
        site.start(1);
        site.run_for(Duration::from_secs(8));
        assert_eq!(site.states(1), [StateName::Master; 2]);
        site.start(0);
        site.run_for(Duration::from_secs(15));
        assert_eq!(site.states(0), [StateName::Master; 2]);
        assert_eq!(site.states(1), [StateName::Backup; 2]);
        assert_eq!(site.gaps, []);
    }
}

#[test]
fn the_group_waits_for_the_router_that_has_listened_least() {
    let mut site = Site::new(|seat, config| {
        if seat.1 == 1 {
            config.interval = Duration::from_secs(4);
        }
    });
    site.start(0);
    site.run_for(Duration::from_secs(11));
    assert_eq!(site.states(0), [StateName::Backup; 2], "LAN 1 may have a master not heard yet");
    site.run_for(Duration::from_secs(5));
    assert_eq!(site.states(0), [StateName::Master; 2]);
}

#[test]
fn a_resignation_moves_both_within_their_slots() {
    let mut site = Site::settled(fast);
    for lan in 0..2 {
        site.tell((0, lan), Input::Resign(vipfleet_vrrp::ResignReason::Stop));
    }
    site.run_for(Duration::from_millis(20));
    assert_eq!(site.states(1), [StateName::Master; 2]);
    assert_eq!(site.gaps, []);
}
