//! A configuration that never comes to rest: what an operator does to a pair of hosts in a busy
//! week, one change at a time, the same ones for the same seed. No change moves a mastership: the
//! higher priority stays the higher one, and instances come to the master first and leave it last.
//! Pure; how a state is written for either program is in `render`.

mod render;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use fastrand::Rng;

use crate::setup::{Role, Setup};

/// Last octets of addresses that come and go: no two of them in one subnet of [`WIDE`].
const SPARE: [u8; 3] = [100, 120, 140];
const NARROW: u8 = 32;
const WIDE: u8 = 28;
/// What a check that is down takes from a priority; no change of masters either way.
const WEIGHT: u8 = 5;
/// Base priorities, the higher host's first.
const PRIORITIES: [std::ops::RangeInclusive<u8>; 2] = [100..=120, 60..=90];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An instance gains a virtual address.
    AddressAdded,
    /// It loses that one.
    AddressRemoved,
    /// An address that came later gets another prefix length.
    Prefix,
    /// The same gains or loses a label.
    Label,
    /// Another priority on one of the hosts.
    Priority,
    /// Another preemption delay.
    PreemptDelay,
    /// An instance follows the check, or no longer does.
    Tracking,
    /// The check looks more often, or less.
    CheckInterval,
    /// One more instance.
    InstanceAdded,
    /// That one goes.
    InstanceRemoved,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub what: What,
    /// To which virtual router; None when it is to the check.
    pub router_id: Option<u8>,
}

/// What comes and goes at an instance beside its own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spare {
    prefix: u8,
    has_label: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Instance {
    /// The higher host's first.
    priorities: [u8; 2],
    /// By their last octet.
    spares: BTreeMap<u8, Spare>,
    preempt_delay: u8,
    is_tracked: bool,
}

/// How the kernel of the master has to show an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Prefix length.
    pub prefix: u8,
    /// The label when one is asked for; what the kernel chooses otherwise.
    pub label: Option<String>,
}

/// The configuration of both hosts as it is now.
#[derive(Debug)]
pub struct Churn {
    setup: Setup,
    random: Rng,
    check_interval: u8,
    instances: BTreeMap<u8, Instance>,
}

impl Churn {
    /// Begins with what `setup` says.
    pub fn new(setup: Setup, seed: u64) -> Self {
        let priorities = [Role::Higher, Role::Lower].map(Role::priority);
        let instance = |id| (id, Instance { priorities, ..Instance::default() });
        let instances = (1..=setup.instances).map(instance).collect();
        Self { setup, random: Rng::with_seed(seed), check_interval: 1, instances }
    }

    /// What it began with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Makes one change.
    pub fn step(&mut self) -> Change {
        let guest = self.setup.instances + 1;
        let has_guest = self.instances.contains_key(&guest);
        let spares = self.instances.values().map(|it| it.spares.len()).sum::<usize>();
        let what = match self.random.u8(0..100) {
            // About twenty addresses too many on average, and nothing that only grows.
            0..45 if self.random.usize(0..40) >= spares => What::AddressAdded,
            0..45 => What::AddressRemoved,
            45..52 if spares > 0 => What::Prefix,
            52..59 if spares > 0 => What::Label,
            45..72 => What::Priority,
            72..78 => What::PreemptDelay,
            78..84 => What::Tracking,
            84..90 => What::CheckInterval,
            _ if has_guest => What::InstanceRemoved,
            _ => What::InstanceAdded,
        };
        let router_id = match what {
            What::CheckInterval => None,
            What::InstanceAdded | What::InstanceRemoved => Some(guest),
            What::AddressRemoved | What::Prefix | What::Label => {
                self.any(|instance| !instance.spares.is_empty())
            }
            What::AddressAdded => self.any(|instance| instance.spares.len() < SPARE.len()),
            _ => self.any(|_| true),
        };
        self.make(what, router_id);
        Change { what, router_id }
    }

    fn any(&mut self, fits: impl Fn(&Instance) -> bool) -> Option<u8> {
        let fitting = self.instances.iter().filter(|(_, instance)| fits(instance));
        self.random.choice(fitting.map(|(id, _)| *id).collect::<Vec<_>>())
    }

    fn make(&mut self, what: What, router_id: Option<u8>) {
        let Some(id) = router_id else {
            self.check_interval = self.check_interval % 5 + 1;
            return;
        };
        let random = &mut self.random;
        if what == What::InstanceRemoved {
            self.instances.remove(&id);
            return;
        }
        let instance = self.instances.entry(id).or_default();
        let free = SPARE.into_iter().find(|octet| !instance.spares.contains_key(octet));
        let taken = random.choice(instance.spares.keys().copied().collect::<Vec<_>>());
        let spare = taken.and_then(|octet| instance.spares.get_mut(&octet));
        match what {
            What::AddressAdded => {
                let added = free.map(|octet| (octet, Spare { prefix: NARROW, has_label: false }));
                instance.spares.extend(added);
            }
            What::AddressRemoved => instance.spares.retain(|octet, _| Some(*octet) != taken),
            What::Prefix => {
                if let Some(spare) = spare {
                    spare.prefix = if spare.prefix == NARROW { WIDE } else { NARROW };
                }
            }
            What::Label => {
                if let Some(spare) = spare {
                    spare.has_label = !spare.has_label;
                }
            }
            What::Priority => {
                let host = random.usize(0..PRIORITIES.len());
                instance.priorities[host] = random.u8(PRIORITIES[host].clone());
            }
            What::PreemptDelay => instance.preempt_delay = random.u8(0..30),
            What::Tracking => instance.is_tracked = !instance.is_tracked,
            What::InstanceAdded => {
                instance.priorities = [Role::Higher, Role::Lower].map(Role::priority);
            }
            What::CheckInterval | What::InstanceRemoved => {}
        }
    }

    /// The virtual router IDs there are now, with the priority of one host.
    pub fn priorities(&self, role: Role) -> impl Iterator<Item = (u8, u8)> {
        self.instances.iter().map(move |(id, it)| (*id, it.priorities[place(role)]))
    }

    /// What the kernel of the master has to have.
    pub fn wanted(&self) -> BTreeMap<IpAddr, Wanted> {
        let narrow = Wanted { prefix: NARROW, label: None };
        let mut wanted = BTreeMap::new();
        for (id, instance) in &self.instances {
            let own = (0..self.setup.addresses).map(|it| self.setup.address(*id, it));
            wanted.extend(own.map(|address| (address, narrow.clone())));
            wanted.extend(instance.spares.iter().map(|(octet, spare)| {
                let label = spare.has_label.then(|| render::LABEL.to_owned());
                (spare_address(*id, *octet), Wanted { prefix: spare.prefix, label })
            }));
        }
        wanted
    }
}

fn place(role: Role) -> usize {
    usize::from(role == Role::Lower)
}

fn spare_address(router_id: u8, octet: u8) -> IpAddr {
    Ipv4Addr::new(10, router_id, 0, octet).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn churn(seed: u64) -> Churn {
        Churn::new(Setup::many(4, Duration::from_millis(100)), seed)
    }

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        let [mut one, mut same, mut other] = [1, 1, 2].map(churn);
        let changes = |churn: &mut Churn| (0..50).map(|_| churn.step()).collect::<Vec<Change>>();
        let first = changes(&mut one);
        assert_eq!(first, changes(&mut same));
        assert_ne!(first, changes(&mut other));
        assert_eq!(one.file(Role::Higher), same.file(Role::Higher));
    }

    #[test]
    fn every_kind_of_change_is_made_and_each_changes_a_file() {
        let mut churn = churn(3);
        let mut made = BTreeSet::new();
        let (mut idle, mut most) = (0, 0);
        for _ in 0..600 {
            let before = [Role::Higher, Role::Lower].map(|role| churn.file(role));
            made.insert(churn.step().what);
            let after = [Role::Higher, Role::Lower].map(|role| churn.file(role));
            idle += usize::from(before == after);
            most = most.max(churn.wanted().len());
        }
        assert_eq!(made.len(), 10, "{made:?}");
        // The same number was drawn again.
        assert!(idle < 30, "{idle} changes changed nothing");
        assert!((1010..1050).contains(&most), "{most} addresses");
    }

    #[test]
    fn the_higher_priority_stays_the_higher_one_whatever_checks_say() {
        let mut churn = churn(4);
        for _ in 0..600 {
            churn.step();
            let [higher, lower] = [Role::Higher, Role::Lower]
                .map(|role| churn.priorities(role).collect::<BTreeMap<u8, u8>>());
            assert!(higher.iter().all(|(id, priority)| priority - WEIGHT > lower[id]));
        }
    }

    #[test]
    fn addresses_that_come_never_share_a_subnet() {
        let subnets: BTreeSet<u8> =
            SPARE.into_iter().map(|octet| octet >> (NARROW - WIDE)).collect();
        assert_eq!(subnets.len(), SPARE.len());
        assert!(subnets.iter().all(|it| *it > 0), "own addresses are in the first one");
    }
}
