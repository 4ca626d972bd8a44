//! Promises of several routers together, on a virtual LAN. Every failure names its seed.

use crate::fixture;
use crate::lan::{Chance, Lan};
use std::ops::Range;
use std::time::Duration;
use vipfleet_vrrp::{
    Authentication, Config, Custody, Health, Input, Preemption, ResignReason, StateName, Takeover,
    Version,
};

/// Seeds of one run: `VIPFLEET_SEEDS=FIRST..END` for more, or to replay one.
fn seeds() -> Range<u64> {
    let Ok(range) = std::env::var("VIPFLEET_SEEDS") else {
        return 0..200;
    };
    let (first, end) = range.split_once("..").expect("FIRST..END");
    first.parse().expect("a number")..end.parse().expect("a number")
}

/// Longer than any hold, delay or election of these tests.
const QUIET: Duration = Duration::from_secs(15);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn mode(seed: u64) -> impl Fn(&mut Config) {
    move |config| {
        config.takeover = if seed.is_multiple_of(2) { Takeover::Rfc } else { Takeover::Fast };
        config.interval = if seed.is_multiple_of(3) { millis(100) } else { millis(1000) };
        config.recover_delay = millis(300);
        if seed.is_multiple_of(7) {
            config.version = Version::V2;
            config.interval = millis(1000);
            config.authentication = Authentication::Pass(*b"1111\0\0\0\0");
        }
        if seed.is_multiple_of(5) {
            config.preemption = Preemption::NoPreempt;
        }
    }
}

fn started(seed: u64, bases: &[u8]) -> Lan {
    let mut lan = Lan::new(seed, bases, mode(seed));
    for host in 0..lan.len() {
        lan.input(host, Input::Start);
    }
    lan
}

/// Exactly one kernel serves, it is the one MASTER's, and no other holds anything.
fn assert_one_owner(lan: &Lan, seed: u64) {
    let masters: Vec<_> =
        (0..lan.len()).filter(|host| lan.state(*host) == StateName::Master).collect();
    assert_eq!(masters.len(), 1, "masters {masters:?} with seed {seed}");
    for (host, custody) in lan.kernels().into_iter().enumerate() {
        let due = if masters == [host] { Custody::Serving } else { Custody::None };
        assert_eq!(custody, due, "host {host} with seed {seed}");
    }
}

fn weighted(weight: i32) -> Input<'static> {
    Input::Health(Health { weight, ..Health::default() })
}

#[test]
fn a_cold_start_has_one_master_and_never_two() {
    for seed in seeds() {
        let mut lan = started(seed, &[100, 150, 50]);
        lan.run_for(QUIET);
        assert_one_owner(&lan, seed);
        assert_eq!(lan.state(1), StateName::Master, "the highest, with seed {seed}");
        assert_eq!(lan.elections, [1], "and it alone, with seed {seed}");
    }
}

#[test]
fn members_that_learn_of_a_new_instance_within_a_second_elect_the_highest_alone() {
    for seed in seeds() {
        let mut lan = Lan::new(seed, &[100, 150, 50], mode(seed));
        let mut chance = Chance::new(seed);
        for host in [2, 0, 1] {
            lan.input(host, Input::Introduce);
            lan.run_for(millis(chance.below(490)));
        }
        lan.run_for(QUIET);
        assert_one_owner(&lan, seed);
        assert_eq!(lan.elections, [1], "seed {seed}");
    }
}

#[test]
fn whoever_resigns_dies_or_fails_has_exactly_one_successor() {
    for seed in seeds() {
        let mut lan = started(seed, &[60, 150, 50, 100, 70]);
        lan.run_for(QUIET);
        assert_eq!(lan.elections, [1], "seed {seed}");
        let faults = vec!["check web is down".to_owned()];
        lan.input(1, Input::Health(Health { faults, ..Health::default() }));
        lan.run_for(QUIET);
        assert_eq!(lan.elections, [1, 3], "its check failed, seed {seed}");
        lan.isolate(3);
        lan.freeze(3);
        lan.run_for(QUIET);
        assert_eq!(lan.elections, [1, 3, 4], "its host died, seed {seed}");
        lan.input(4, Input::Resign(ResignReason::Drain));
        lan.run_for(QUIET);
        assert_eq!(lan.elections, [1, 3, 4, 0], "it resigned, seed {seed}");
    }
}

#[test]
fn a_successor_comes_within_the_skew_even_if_the_first_resignation_is_lost() {
    for seed in seeds() {
        let mut lan = started(seed, &[150, 200]);
        lan.run_for(QUIET);
        lan.isolate(1);
        lan.input(1, Input::Resign(ResignReason::Stop));
        lan.run_for(millis(15));
        lan.rejoin(1);
        lan.run_for(millis(500));
        assert_eq!(lan.elections, [1, 0], "seed {seed}");
        assert_eq!(lan.gaps, [], "seed {seed}");
    }
}

/// A planned move of the address: a drained or stopped master, or a weight that changes.
fn planned_move(lan: &mut Lan, chance: &mut Chance) {
    let host = chance.below(lan.len() as u64) as usize;
    match chance.below(3) {
        0 => {
            lan.input(host, Input::Resign(ResignReason::Stop));
            lan.run_for(QUIET);
            assert!(lan.is_stopped(host), "whoever resigns stops");
            lan.restart(host);
        }
        1 => lan.input(host, weighted(-90)),
        _ => lan.input(host, weighted(0)),
    }
    let pause = chance.below(9000);
    lan.run_for(millis(pause));
}

#[test]
fn planned_moves_leave_no_instant_without_an_owner_and_none_with_two_that_answer_arp() {
    for seed in seeds() {
        let mut lan = started(seed, &[100, 150, 50]);
        let mut chance = Chance::new(seed);
        lan.run_for(QUIET);
        for _ in 0..8 {
            planned_move(&mut lan, &mut chance);
        }
        lan.run_for(QUIET);
        assert_one_owner(&lan, seed);
        assert_eq!(lan.gaps, [], "nobody served, seed {seed}");
        assert_eq!(lan.two_repliers, [], "two answered ARP, seed {seed}");
    }
}

#[test]
fn planned_moves_leave_no_instant_without_an_owner_even_when_adverts_are_lost() {
    for seed in seeds() {
        let mut lan = started(seed, &[100, 150]);
        let mut chance = Chance::new(seed);
        lan.run_for(QUIET);
        lan.loss = 10;
        for _ in 0..8 {
            planned_move(&mut lan, &mut chance);
        }
        assert_eq!(lan.gaps, [], "nobody served, seed {seed}");
        lan.loss = 0;
        lan.run_for(QUIET);
        assert_one_owner(&lan, seed);
    }
}

fn fault(lan: &mut Lan, chance: &mut Chance) {
    let host = chance.below(lan.len() as u64) as usize;
    let span = millis(chance.below(9000));
    match chance.below(6) {
        0 => {
            lan.isolate(host);
            lan.run_for(span);
            lan.rejoin(host);
        }
        1 => {
            lan.freeze(host);
            lan.run_for(span);
            lan.thaw(host);
        }
        2 => {
            let faults = vec!["check web is down".to_owned()];
            lan.input(host, Input::Health(Health { faults, ..Health::default() }));
            lan.run_for(span);
            lan.input(host, Input::Health(Health::default()));
        }
        3 => lan.restart(host),
        4 => lan.input(host, Input::Suspended),
        _ => {
            let mut config = lan.config(host);
            config.priority = fixture::priority(1 + chance.below(254) as u8);
            config.addresses = vec![fixture::host(100), fixture::host(101)];
            lan.input(host, Input::Reconfigure(Box::new(config)));
        }
    }
}

#[test]
fn after_any_faults_there_is_one_owner_and_no_other_holds_anything() {
    for seed in seeds() {
        let mut lan = started(seed, &[100, 150, 50]);
        let mut chance = Chance::new(seed);
        lan.run_for(millis(chance.below(9000)));
        lan.loss = chance.below(30);
        for _ in 0..10 {
            fault(&mut lan, &mut chance);
        }
        lan.loss = 0;
        lan.run_for(QUIET);
        assert_one_owner(&lan, seed);
    }
}

#[test]
fn with_fast_takeover_a_weakened_master_is_relieved_within_twenty_milliseconds() {
    for seed in seeds() {
        let fast = |config: &mut Config| config.takeover = Takeover::Fast;
        let mut lan = Lan::new(seed, &[150, 100, 50], fast);
        for host in 0..lan.len() {
            lan.input(host, Input::Start);
        }
        lan.run_for(QUIET);
        lan.input(0, weighted(-60));
        lan.run_for(millis(20));
        assert_eq!(lan.kernels(), [Custody::Silent, Custody::Serving, Custody::None]);
        assert_eq!(lan.gaps, [], "seed {seed}");
    }
}

#[test]
fn a_frozen_master_that_wakes_does_not_disturb_its_successor() {
    for seed in seeds() {
        let mut lan = started(seed, &[150, 100]);
        lan.run_for(QUIET);
        lan.freeze(0);
        lan.run_for(millis(7000));
        assert_eq!(lan.state(1), StateName::Master, "seed {seed}");
        lan.thaw(0);
        lan.run_for(millis(250));
        assert_eq!((lan.state(0), lan.state(1)), (StateName::Backup, StateName::Master));
        assert_eq!(lan.kernels(), [Custody::None, Custody::Serving], "seed {seed}");
    }
}

/// The members learn of a new password one after the other, seconds apart.
#[test]
fn a_password_changed_on_one_member_after_the_other_never_makes_two_masters() {
    for seed in seeds() {
        let v2 = |config: &mut Config| {
            config.version = Version::V2;
            config.authentication = Authentication::Pass(*b"former\0\0");
        };
        let mut lan = Lan::new(seed, &[100, 150, 50], v2);
        let mut chance = Chance::new(seed);
        for host in 0..lan.len() {
            lan.input(host, Input::Start);
        }
        lan.run_for(QUIET);
        for host in 0..lan.len() {
            let mut config = lan.config(host);
            config.authentication = Authentication::Pass(*b"changed\0");
            lan.input(host, Input::Reconfigure(Box::new(config)));
            lan.run_for(millis(chance.below(4900)));
        }
        lan.run_for(millis(60_000));
        assert_one_owner(&lan, seed);
        assert_eq!(lan.state(1), StateName::Master, "undisturbed, seed {seed}");
        assert_eq!((&lan.gaps, &lan.two_repliers), (&vec![], &vec![]), "seed {seed}");
    }
}

#[test]
fn a_frozen_master_that_is_stopped_before_it_can_read_misleads_nobody() {
    for seed in seeds() {
        let mut lan = Lan::new(seed, &[150, 100, 90], |_| {});
        for host in 0..lan.len() {
            lan.input(host, Input::Start);
        }
        lan.run_for(QUIET);
        lan.freeze(0);
        lan.run_for(millis(8000));
        lan.input(0, Input::Resign(ResignReason::Stop));
        lan.thaw(0);
        lan.run_for(QUIET);
        assert_eq!(lan.elections, [0, 1], "seed {seed}");
        assert_one_owner(&lan, seed);
    }
}
