//! The founding pair: two hosts, two VIPs, opposite priorities, and the two configuration files it
//! is written in.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::daemons::samples;
use crate::kernel;
use crate::lab::Lab;
use crate::wait;

/// Preferred by n1 (lb1).
pub const VIP_1: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
/// Preferred by n2 (lb2).
pub const VIP_2: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 121);

/// The file of n1.
pub fn first_file() -> PathBuf {
    samples().join("lb1.keepalived.conf")
}

/// The file of n2.
pub fn second_file() -> PathBuf {
    samples().join("lb2.keepalived.conf")
}

/// The owners of both VIPs, as the kernels have it.
#[track_caller]
pub fn owners(lab: &Lab) -> [Vec<String>; 2] {
    [kernel::owners(lab, VIP_1), kernel::owners(lab, VIP_2)]
}

/// Waits until each VIP is in exactly the one kernel named for it; returns how long that took.
#[track_caller]
pub fn wait_for_owners(lab: &Lab, what: &str, wanted: [&str; 2]) -> Duration {
    let wanted = wanted.map(|owner| vec![owner.to_owned()]);
    wait::until(what, wait::GENEROUS, || owners(lab), |seen| *seen == wanted)
}

/// Insists that each VIP keeps exactly one owner, and always the one named for it.
#[track_caller]
pub fn insist_on_owners(lab: &Lab, period: Duration, wanted: [&str; 2]) {
    let wanted = wanted.map(|owner| vec![owner.to_owned()]);
    wait::throughout("one owner for each VIP", period, || owners(lab), |seen| *seen == wanted);
}
