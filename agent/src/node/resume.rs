//! Whether an agent that comes back may carry on as MASTER. Pure. Address presence alone proves
//! nothing: the former incarnation must have been MASTER in this boot, and so recently that no
//! backup can have taken over.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
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

/// How long ago at most each leftover address was renewed.
pub(super) type Renewed = BTreeMap<IpAddr, Duration>;

/// True when `name` was MASTER in this boot and every one of its addresses was renewed less than
/// `down_adverts × interval` ago: any backup's master-down interval is longer by its skew.
pub(super) fn may_resume(
    name: &Name,
    config: &Config,
    former: &Former,
    boot_id: &str,
    renewed: &Renewed,
) -> bool {
    let patience = config.interval * u32::from(config.down_adverts);
    let recent = |address: &IpAddr| renewed.get(address).is_some_and(|age| *age < patience);
    former.boot_id == boot_id
        && former.masters.contains(name)
        && !config.addresses.is_empty()
        && config.addresses.iter().all(recent)
}
