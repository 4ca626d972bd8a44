//! Draws a plan from a seed: first the kind, then the fleet, then what befalls it.

mod befall;
mod moves;
mod recreate;

use super::{HostPlan, Kind, Plan, Program, Weather};
use crate::chance::Chance;
use crate::definition::Definition;
use std::time::Duration;
use vipfleet_vrrp::{Family, Pace, Preemption, Takeover, Version};

const KINDS: [Kind; 5] =
    [Kind::Planned, Kind::Services, Kind::Hosts, Kind::Network, Kind::Everything];

pub(super) fn plan(seed: u64) -> Plan {
    let chance = &mut Chance::stream(seed, 0);
    let kind = KINDS[(seed % KINDS.len() as u64) as usize];
    let count = chance.pick(&[2, 2, 3, 3, 3, 4, 5]);
    let grouped = chance.percent(20);
    let mixed = chance.percent(25) && !grouped;
    // Hosts of one fleet start together, or one after the other.
    let spread = chance.pick(&[0, 20, 3000, 12_000]);
    let hosts: Vec<_> = (0..count).map(|index| host(chance, spread, mixed && index > 0)).collect();
    let interval = interval(chance);
    let instances = if grouped { chance.pick(&[2, 2, 3]) } else { chance.pick(&[1, 1, 2, 2, 3]) };
    let mut instances: Vec<_> =
        (0..instances).map(|number| definition(chance, number, count, interval)).collect();
    let mut lans = vec![0; instances.len()];
    if grouped {
        join(chance, &mut instances);
        lans[1] = chance.index(2);
    }
    let weather = match kind {
        Kind::Network | Kind::Everything if chance.percent(60) => befall::weather(chance),
        _ => Weather::CALM,
    };
    let down = instances.iter().map(Definition::longest_down).max().unwrap_or_default();
    let settled = Duration::from_millis(spread) + down * 2;
    let mut plan = Plan {
        seed,
        kind,
        hosts,
        lans,
        groups: if grouped { vec![vec![0, 1]] } else { Vec::new() },
        instances,
        weather,
        steps: Vec::new(),
        active: settled,
        quiet: Duration::ZERO,
    };
    befall::draw(chance, &mut plan, down);
    // Of streams of their own, so that the rest of a plan stays what it was.
    moves::draw(&mut Chance::stream(seed, 4), &mut plan);
    recreate::draw(&mut Chance::stream(seed, 5), &mut plan);
    plan
}

fn host(chance: &mut Chance, spread: u64, may_be_external: bool) -> HostPlan {
    let external = may_be_external && chance.percent(50);
    let micros = |most: u64, chance: &mut Chance| Duration::from_micros(50 + chance.below(most));
    HostPlan {
        program: if external { Program::Keepalived } else { Program::Vipfleet },
        starts: Duration::from_millis(chance.below(spread + 1)),
        pending: match chance.percent(30) && !external {
            true => Duration::from_millis(1 + chance.below(2500)),
            false => Duration::ZERO,
        },
        lateness: micros(700, chance),
        netlink: micros(9000, chance),
    }
}

/// Fast adverts cost much of the simulator's time, so they are rarer.
fn interval(chance: &mut Chance) -> Duration {
    let millis = chance.pick(&[1000, 1000, 1000, 1000, 1000, 2000, 500, 300, 100, 100, 30]);
    match chance.percent(3) {
        true => Duration::from_millis(10),
        false => Duration::from_millis(millis),
    }
}

fn definition(chance: &mut Chance, number: u8, hosts: usize, interval: Duration) -> Definition {
    let v2 = interval.subsec_nanos() == 0 && chance.percent(35);
    let family = match !v2 && chance.percent(25) {
        true => Family::Ipv6,
        false => Family::Ipv4,
    };
    let seconds = |chance: &mut Chance, percent: u8| match chance.percent(percent) {
        true => Duration::from_millis(chance.below(4000)),
        false => Duration::ZERO,
    };
    Definition {
        exists: true,
        vrid: number + 51,
        version: if v2 { Version::V2 } else { Version::V3 },
        family,
        interval,
        preemption: match chance.percent(30) {
            true => Preemption::NoPreempt,
            false => Preemption::Preempt,
        },
        preempt_delay: seconds(chance, 20),
        startup_delay: seconds(chance, 10),
        recover_delay: chance.pick(&[Duration::ZERO, Duration::from_secs(3)]),
        takeover: if chance.percent(60) { Takeover::Fast } else { Takeover::Rfc },
        pace: Pace::default(),
        down_adverts: chance.pick(&[3, 3, 3, 3, 2, 5]),
        password: if v2 { chance.below(3) as u8 } else { 0 },
        unicast: chance.percent(25),
        handover: chance.percent(90),
        addresses: 1 + chance.below(3) as u8,
        full_weight: chance.pick(&[0, 0, 0, 20]),
        priorities: priorities(chance, hosts),
        standings: Vec::new(),
    }
}

/// Makes a sync group of the first two: the same members in the same order, none equal.
fn join(chance: &mut Chance, instances: &mut [Definition]) {
    let mut taken = Vec::new();
    for priority in instances[0].priorities.iter_mut().flatten() {
        while taken.contains(priority) {
            *priority = 1 + chance.below(254) as u8;
        }
        taken.push(*priority);
    }
    let first = instances[0].clone();
    let second = &mut instances[1];
    // What may differ in a group stays as it was drawn.
    *second = Definition {
        vrid: second.vrid,
        addresses: second.addresses,
        family: if first.version == Version::V3 { second.family } else { first.family },
        takeover: second.takeover,
        unicast: second.unicast,
        ..first
    };
}

/// Distinct, close together, equal, or with an owner; now and then a host is no member.
fn priorities(chance: &mut Chance, hosts: usize) -> Vec<Option<u8>> {
    let style = chance.below(5);
    let mut priorities: Vec<_> = (0..hosts)
        .map(|host| {
            Some(match style {
                0 => 100,
                1 => 100 + host as u8,
                2 => chance.pick(&[100, 150]),
                _ => 1 + chance.below(254) as u8,
            })
        })
        .collect();
    if chance.percent(6) {
        priorities[chance.index(hosts)] = Some(255);
    }
    if hosts > 2 && chance.percent(15) {
        priorities[chance.index(hosts)] = None;
    }
    priorities
}
