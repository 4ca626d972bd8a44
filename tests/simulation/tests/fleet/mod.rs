//! A healthy fleet of one instance, to be measured: what differs is named, the rest is plain.

use std::time::Duration;
use vipfleet_simulation::plan::{HostPlan, Kind, Program, Weather};
use vipfleet_simulation::{Definition, Plan};
use vipfleet_vrrp::{Family, Pace, Preemption, Takeover, Version};

/// One host for each of `priorities`, all started at once.
pub(crate) fn fleet(seed: u64, takeover: Takeover, interval: Duration, priorities: &[u8]) -> Plan {
    let host = |_: &u8| HostPlan {
        program: Program::Vipfleet,
        starts: Duration::ZERO,
        pending: Duration::ZERO,
        lateness: Duration::from_micros(500),
        netlink: Duration::from_millis(2),
    };
    let definition = Definition {
        vrid: 51,
        version: Version::V3,
        family: Family::Ipv4,
        interval,
        preemption: Preemption::Preempt,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        recover_delay: Duration::ZERO,
        takeover,
        pace: Pace::default(),
        down_adverts: 3,
        password: 0,
        unicast: false,
        handover: true,
        addresses: 1,
        full_weight: 0,
        priorities: priorities.iter().copied().map(Some).collect(),
        exists: true,
        standings: Vec::new(),
    };
    Plan {
        seed,
        kind: Kind::Network,
        hosts: priorities.iter().map(host).collect(),
        instances: vec![definition],
        lans: vec![0],
        groups: Vec::new(),
        weather: Weather::CALM,
        steps: Vec::new(),
        active: Duration::ZERO,
        quiet: Duration::from_secs(5) + interval * 10,
    }
}

/// Loses `percent` of the packets for `adverts` intervals; 5 % are late by up to 8 ms.
pub(crate) fn loses(plan: &mut Plan, percent: u8, adverts: u32) {
    plan.weather = Weather { loss: percent, stragglers: 5, ..Weather::CALM };
    plan.active = plan.instances[0].interval * adverts;
}
