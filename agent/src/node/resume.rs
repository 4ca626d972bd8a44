//! Whether an agent that comes back may carry on as MASTER. Pure. Address presence alone proves
//! nothing: the former incarnation must have been MASTER in this boot, and so recently that no
//! backup can have taken over for want of adverts.
//!
//! How recently, its heartbeat says, which outlives it. Where there is none (the runtime directory
//! went with the agent), its leases do, to within a renewal: at 1 s adverts that may be enough, at
//! 100 ms never.
//!
//! A member of higher priority may have preempted meanwhile, and the last advert is older than the
//! last beat by up to an interval: where the guard did not take the addresses in time, two are
//! MASTER until the first advert of either is heard.

use crate::net::{Device, LeaseTerms, Leftover};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vipfleet_model::{Name, VirtualAddress};

use super::prepared::PreparedInstance;

/// What the former incarnation left in the state dir, and what of it the kernel still shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// `/proc/sys/kernel/random/boot_id` when it was written.
    pub boot_id: String,
    /// Instances that were MASTER.
    pub masters: Vec<Name>,
}

/// What the kernel shows of a former incarnation.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) leftovers: Vec<Leftover>,
    /// How long ago it was taken.
    pub(super) age: Duration,
    /// How long the VRRP loop of the former incarnation has been silent by now, if that is known.
    pub(super) silence: Option<Duration>,
}

/// True when the instance was MASTER in this boot, its addresses are where they should be, and its
/// agent lived, or else they were renewed, less than `down_adverts × interval` ago: any backup's
/// master-down interval is longer by its skew.
pub(super) fn may_resume(
    instance: &PreparedInstance,
    lease: LeaseTerms,
    former: &Former,
    boot_id: &str,
    inventory: &Inventory,
) -> bool {
    let config = &instance.config;
    let patience = config.interval * u32::from(config.down_adverts);
    let was_master = former.boot_id == boot_id && former.masters.contains(&instance.assigned.name);
    // What the lease has used up is how long ago it was renewed, at most.
    let age = |left: &Leftover| lease.valid().saturating_sub(left.remaining) + inventory.age;
    let recently = |age: Duration| inventory.silence.unwrap_or(age) < patience;
    let device = instance.device.as_ref().map(Device::name);
    let home = device.unwrap_or_else(|| instance.assigned.interface.clone());
    let recent = |wanted: &VirtualAddress| {
        let interface = wanted.dev.as_deref().unwrap_or(&home);
        let is_it =
            |left: &&Leftover| left.interface == interface && left.address == wanted.address;
        inventory.leftovers.iter().filter(is_it).any(|left| recently(age(left)))
    };
    let addresses = &instance.assigned.virtual_addresses;
    // What was elected only has no address to show.
    let shows = !addresses.is_empty() || inventory.silence.is_some_and(recently);
    was_master && shows && addresses.iter().all(recent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{PreparedInstances, prepare};
    use vipfleet_model::keepalived::{self, NoSources, Options};

    /// VRID 51 at 1 s adverts and priority 100: a lease of 5 s, patience of 3 s.
    fn resumes_after(
        age: Duration,
        former: &Former,
        boot_id: &str,
        leftovers: Vec<Leftover>,
    ) -> bool {
        resumes_by(&Inventory { leftovers, age, silence: None }, former, boot_id)
    }

    fn resumes_by(inventory: &Inventory, former: &Former, boot_id: &str) -> bool {
        let text =
            b"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 100\n \
            virtual_ipaddress { 192.0.2.10 }\n}\n";
        let (host, _) = keepalived::parse("k.conf", text, &NoSources, &Options::default());
        let (assignment, _) = keepalived::assignment(&host);
        let prepared =
            prepare(1, String::new(), &assignment, &PreparedInstances::default()).unwrap();
        let lease = LeaseTerms::of(Duration::from_millis(3609));
        let instance = prepared.instances.iter().next().unwrap();
        may_resume(instance, lease, former, boot_id, inventory)
    }

    fn resumes(former: &Former, boot_id: &str, leftovers: Vec<Leftover>) -> bool {
        resumes_after(Duration::ZERO, former, boot_id, leftovers)
    }

    fn former() -> Former {
        Former { boot_id: "b1".into(), masters: vec!["VI_1".parse().unwrap()] }
    }

    fn left(remaining: u64) -> Leftover {
        Leftover {
            interface: "eth0".into(),
            address: "192.0.2.10/32".parse().unwrap(),
            remaining: Duration::from_secs(remaining),
        }
    }

    #[test]
    fn a_master_that_was_renewed_within_three_intervals_carries_on() {
        assert!(resumes(&former(), "b1", vec![left(4)]));
        assert!(resumes(&former(), "b1", vec![left(3)]));
    }

    #[test]
    fn one_that_was_away_longer_does_not() {
        assert!(!resumes(&former(), "b1", vec![left(2)]));
    }

    #[test]
    fn what_was_seen_long_ago_says_nothing_of_now() {
        assert!(resumes_after(Duration::from_secs(1), &former(), "b1", vec![left(4)]));
        assert!(!resumes_after(Duration::from_secs(2), &former(), "b1", vec![left(4)]));
    }

    #[test]
    fn a_master_that_was_silent_for_less_than_three_intervals_carries_on() {
        let silent = |millis| {
            let (age, silence) = (Duration::ZERO, Some(Duration::from_millis(millis)));
            // Renewed long ago: the heartbeat knows better.
            Inventory { leftovers: vec![left(1)], age, silence }
        };
        assert!(resumes_by(&silent(0), &former(), "b1"));
        assert!(resumes_by(&silent(2999), &former(), "b1"));
        assert!(!resumes_by(&silent(3000), &former(), "b1"));
        assert!(!resumes_by(&silent(0), &former(), "another boot"));
        assert!(!resumes_by(&silent(0), &Former::default(), "b1"));
        let elsewhere = Leftover { interface: "eth1".into(), ..left(4) };
        let inventory = Inventory { leftovers: vec![elsewhere], ..silent(0) };
        assert!(!resumes_by(&inventory, &former(), "b1"));
    }

    #[test]
    fn the_address_on_another_interface_is_another_address() {
        let elsewhere = Leftover { interface: "eth1".into(), ..left(4) };
        assert!(!resumes(&former(), "b1", vec![elsewhere]));
    }

    #[test]
    fn an_address_alone_proves_nothing() {
        assert!(!resumes(&Former::default(), "b1", vec![left(4)]));
        assert!(!resumes(&Former { masters: Vec::new(), ..former() }, "b1", vec![left(4)]));
        assert!(!resumes(&former(), "another boot", vec![left(4)]));
        assert!(!resumes(&former(), "b1", vec![]));
    }
}
