//! Planned moves on a LAN: the one that is named takes over on command, the one that yields hands
//! over, and in no instant is there nobody.

use crate::lan::Lan;
use std::time::Duration;
use vipfleet_vrrp::{Config, Health, Input, Preemption, Standing, StateName, Takeover};

const SOON: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(12);

/// Every way in which a move could be held up.
fn settings() -> impl Iterator<Item = (Takeover, Preemption, Duration)> {
    let takeovers = [Takeover::Rfc, Takeover::Fast];
    takeovers.into_iter().flat_map(|takeover| {
        [Preemption::Preempt, Preemption::NoPreempt].into_iter().flat_map(move |preemption| {
            [Duration::ZERO, Duration::from_secs(3)]
                .into_iter()
                .map(move |delay| (takeover, preemption, delay))
        })
    })
}

fn settled(bases: &[u8], seed: u64, configure: impl Fn(&mut Config)) -> Lan {
    let mut lan = Lan::new(seed, bases, configure);
    for host in 0..lan.len() {
        lan.input(host, Input::Start);
    }
    lan.run_for(LONG);
    assert_eq!(lan.state(0), StateName::Master);
    lan.gaps.clear();
    lan
}

/// What the server makes of one member.
fn stand(lan: &mut Lan, host: usize, standing: Standing) {
    let config = Config { standing, ..lan.config(host) };
    lan.input(host, Input::Reconfigure(Box::new(config)));
}

fn switch_over(lan: &mut Lan, to: usize) {
    for host in 0..lan.len() {
        stand(lan, host, if host == to { Standing::Leads } else { Standing::Follows });
    }
}

fn end(lan: &mut Lan) {
    for host in 0..lan.len() {
        stand(lan, host, Standing::Ordinary);
    }
}

fn masters(lan: &Lan) -> Vec<usize> {
    (0..lan.len()).filter(|host| lan.state(*host) == StateName::Master).collect()
}

#[test]
fn the_target_takes_over_on_command_and_the_return_is_as_configured() {
    for (takeover, preemption, delay) in settings() {
        for seed in 0..20 {
            let mut lan = settled(&[150, 100, 50], seed, |config| {
                (config.takeover, config.preemption) = (takeover, preemption);
                config.preempt_delay = delay;
            });
            switch_over(&mut lan, 2);
            lan.run_for(SOON);
            assert_eq!(masters(&lan), [2], "{takeover:?} {preemption:?} {delay:?}");
            lan.run_for(LONG);
            assert_eq!(masters(&lan), [2]);
            end(&mut lan);
            lan.run_for(LONG);
            let back = if preemption == Preemption::Preempt { 0 } else { 2 };
            assert_eq!(masters(&lan), [back], "{takeover:?} {preemption:?} {delay:?}");
            assert_eq!(lan.gaps, [], "{takeover:?} {preemption:?} {delay:?}");
        }
    }
}

#[test]
fn who_hears_of_the_move_first_makes_no_difference() {
    for (takeover, preemption, delay) in settings() {
        for (first, second) in [(0, 1), (1, 0)] {
            let mut lan = settled(&[254, 100], 1, |config| {
                (config.takeover, config.preemption) = (takeover, preemption);
                config.preempt_delay = delay;
            });
            let standing = [Standing::Follows, Standing::Leads];
            stand(&mut lan, first, standing[first]);
            lan.run_for(Duration::from_millis(700));
            stand(&mut lan, second, standing[second]);
            lan.run_for(Duration::from_secs(2));
            assert_eq!(masters(&lan), [1], "{takeover:?} {preemption:?}, {first} first");
            assert_eq!(lan.gaps, []);
        }
    }
}

#[test]
fn a_move_survives_lost_adverts() {
    for (takeover, preemption, delay) in settings() {
        for seed in 0..40 {
            let mut lan = settled(&[150, 100], seed, |config| {
                (config.takeover, config.preemption) = (takeover, preemption);
                config.preempt_delay = delay;
            });
            lan.loss = 30;
            switch_over(&mut lan, 1);
            lan.run_for(SOON);
            lan.loss = 0;
            lan.run_for(LONG);
            assert_eq!(masters(&lan), [1], "{takeover:?} {preemption:?} seed {seed}");
            assert_eq!(lan.gaps, [], "{takeover:?} {preemption:?} seed {seed}");
        }
    }
}

#[test]
fn one_that_yields_hands_over_and_stays_the_last_resort() {
    for (takeover, preemption, delay) in settings() {
        for seed in 0..20 {
            let mut lan = settled(&[150, 100, 50], seed, |config| {
                (config.takeover, config.preemption) = (takeover, preemption);
                config.preempt_delay = delay;
            });
            stand(&mut lan, 0, Standing::Yields);
            lan.run_for(Duration::from_secs(1));
            assert_eq!(masters(&lan), [1], "{takeover:?} {preemption:?}");
            lan.run_for(LONG);
            assert_eq!(lan.gaps, []);
            // Both others die.
            lan.isolate(1);
            lan.isolate(2);
            lan.run_for(LONG);
            assert_eq!(lan.state(0), StateName::Master);
            for host in [1, 2] {
                lan.restart(host);
                lan.rejoin(host);
            }
            lan.run_for(LONG);
            assert_eq!(masters(&lan), [1], "{takeover:?} {preemption:?} {delay:?}");
        }
    }
}

#[test]
fn one_that_yields_although_nobody_can_take_over_never_lets_go() {
    for (takeover, preemption, _) in settings() {
        let mut lan = settled(&[150, 100], 3, |config| {
            (config.takeover, config.preemption) = (takeover, preemption);
        });
        lan.isolate(1);
        stand(&mut lan, 0, Standing::Yields);
        lan.run_for(LONG);
        assert_eq!(lan.state(0), StateName::Master);
        assert_eq!(lan.gaps, []);
    }
}

#[test]
fn without_handover_one_that_yields_serves_until_it_is_preempted() {
    for takeover in [Takeover::Rfc, Takeover::Fast] {
        for preemption in [Preemption::Preempt, Preemption::NoPreempt] {
            let mut lan = settled(&[150, 100], 4, |config| {
                (config.takeover, config.preemption) = (takeover, preemption);
                config.handover = false;
            });
            stand(&mut lan, 0, Standing::Yields);
            assert_eq!(lan.state(0), StateName::Master);
            lan.run_for(LONG);
            assert_eq!(masters(&lan), [1], "{takeover:?} {preemption:?}");
        }
    }
}

#[test]
fn a_drained_node_that_is_given_back_returns_as_configured() {
    for (takeover, preemption, delay) in settings() {
        let mut lan = settled(&[150, 100], 5, |config| {
            (config.takeover, config.preemption) = (takeover, preemption);
            config.preempt_delay = delay;
        });
        stand(&mut lan, 0, Standing::Yields);
        lan.run_for(LONG);
        stand(&mut lan, 0, Standing::Ordinary);
        lan.run_for(LONG);
        let back = if preemption == Preemption::Preempt { 0 } else { 1 };
        assert_eq!(masters(&lan), [back], "{takeover:?} {preemption:?}");
        assert_eq!(lan.gaps, []);
    }
}

#[test]
fn a_target_that_is_weakened_leads_no_longer_until_it_is_well() {
    for (takeover, preemption, _) in settings() {
        let mut lan = settled(&[150, 100], 6, |config| {
            (config.takeover, config.preemption) = (takeover, preemption);
            config.preemption = Preemption::Preempt;
        });
        switch_over(&mut lan, 1);
        lan.run_for(SOON);
        assert_eq!(masters(&lan), [1]);
        lan.input(1, Input::Health(Health { weight: -30, ..Health::default() }));
        lan.run_for(LONG);
        assert_eq!(masters(&lan), [0], "{takeover:?}");
        lan.input(1, Input::Health(Health::default()));
        lan.run_for(LONG);
        assert_eq!(masters(&lan), [1], "{takeover:?}");
        assert_eq!(lan.gaps, []);
    }
}

#[test]
fn a_move_to_one_in_fault_waits_until_it_is_fit_and_leaves_all_as_it_is() {
    let mut lan = settled(&[150, 100], 7, |config| config.preemption = Preemption::NoPreempt);
    let fault = Health { faults: vec!["nginx is down".to_owned()], ..Health::default() };
    lan.input(1, Input::Health(fault));
    switch_over(&mut lan, 1);
    lan.run_for(LONG);
    assert_eq!(masters(&lan), [0]);
    lan.input(1, Input::Health(Health::default()));
    lan.run_for(Duration::from_secs(2));
    assert_eq!(masters(&lan), [1], "the operator's word is above nopreempt");
    assert_eq!(lan.gaps, []);
}

#[test]
fn a_move_given_to_another_goes_there() {
    for (takeover, preemption, _) in settings() {
        let mut lan = settled(&[150, 100, 50], 8, |config| {
            (config.takeover, config.preemption) = (takeover, preemption);
        });
        for target in [2, 1, 2, 0] {
            switch_over(&mut lan, target);
            lan.run_for(Duration::from_secs(2));
            assert_eq!(masters(&lan), [target], "{takeover:?} {preemption:?}");
        }
        assert_eq!(lan.gaps, []);
    }
}

#[test]
fn an_owner_neither_leads_nor_yields() {
    let mut lan = settled(&[255, 100], 9, |_| {});
    stand(&mut lan, 0, Standing::Yields);
    stand(&mut lan, 1, Standing::Leads);
    lan.run_for(LONG);
    assert_eq!(masters(&lan), [0]);
}

#[test]
fn a_cold_start_in_the_middle_of_a_move_elects_one() {
    for (takeover, preemption, _) in settings() {
        let mut lan = Lan::new(10, &[150, 100], |config| {
            (config.takeover, config.preemption) = (takeover, preemption);
        });
        switch_over(&mut lan, 1);
        for host in 0..2 {
            lan.input(host, Input::Start);
        }
        lan.run_for(LONG);
        assert_eq!(masters(&lan), [1]);
        assert_eq!(lan.elections, [1], "{takeover:?} {preemption:?}");
    }
}
