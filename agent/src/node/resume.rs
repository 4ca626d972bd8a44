//! Whether an agent that comes back may carry on as MASTER. Pure. Address presence alone proves
//! nothing: the former incarnation must have been MASTER in this boot, and so recently that no
//! backup can have taken over.

use crate::net::{LeaseTerms, Leftover};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use vipfleet_model::Name;
use vipfleet_vrrp::Config;

/// What the former incarnation left in the state dir, and what of it the kernel still shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// `/proc/sys/kernel/random/boot_id` when it was written.
    pub boot_id: String,
    /// Instances that were MASTER.
    pub masters: Vec<Name>,
}

/// True when `name` was MASTER in this boot and every one of its addresses was renewed less than
/// `down_adverts × interval` ago: any backup's master-down interval is longer by its skew.
pub(super) fn may_resume(
    name: &Name,
    config: &Config,
    lease: LeaseTerms,
    former: &Former,
    boot_id: &str,
    leftovers: &[Leftover],
) -> bool {
    let patience = config.interval * u32::from(config.down_adverts);
    // What the lease has used up is how long ago it was renewed, at most.
    let age = |leftover: &Leftover| lease.valid().saturating_sub(leftover.remaining);
    let recent = |address: &IpAddr| {
        leftovers.iter().any(|it| it.address.addr() == *address && age(it) < patience)
    };
    former.boot_id == boot_id
        && former.masters.contains(name)
        && !config.addresses.is_empty()
        && config.addresses.iter().all(recent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vipfleet_model::Assignment;
    use vipfleet_model::keepalived::{self, NoSources, Options};

    /// VRID 51 at 1 s adverts and priority 100: a lease of 5 s, patience of 3 s.
    fn resumes(former: &Former, boot_id: &str, leftovers: &[Leftover]) -> bool {
        let text = b"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 100\n \
            virtual_ipaddress { 192.0.2.10 }\n}\n";
        let (host, _) = keepalived::parse("k.conf", text, &NoSources, &Options::default());
        let (Assignment { instances, .. }, _) = keepalived::assignment(&host);
        let config = instances[0].engine_config().unwrap();
        let lease = LeaseTerms { master_down: Duration::from_millis(3609) };
        may_resume(&instances[0].name, &config, lease, former, boot_id, leftovers)
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
        assert!(resumes(&former(), "b1", &[left(4)]));
        assert!(resumes(&former(), "b1", &[left(3)]));
    }

    #[test]
    fn one_that_was_away_longer_does_not() {
        assert!(!resumes(&former(), "b1", &[left(2)]));
    }

    #[test]
    fn an_address_alone_proves_nothing() {
        assert!(!resumes(&Former::default(), "b1", &[left(4)]));
        assert!(!resumes(&Former { masters: Vec::new(), ..former() }, "b1", &[left(4)]));
        assert!(!resumes(&former(), "another boot", &[left(4)]));
        assert!(!resumes(&former(), "b1", &[]));
    }
}
