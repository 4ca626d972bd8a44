//! Skew_Time and Active_Down_Interval (RFC 9568 §6.1, RFC 3768 §6.1), for every priority and
//! reckoned anew here: how long a router that hears nobody waits before it is MASTER.

use crate::fixture;
use std::time::Duration;
use vipfleet_vrrp::packet::{Envelope, parse};
use vipfleet_vrrp::{
    Config, Input, Member, Preemption, Router, StateName, Takeover, Time, Version,
};

/// When a router that starts at time 0 becomes MASTER.
fn wait(config: Config) -> Duration {
    let mut router = Router::new(config).expect("a valid configuration");
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(fixture::host(1))));
    router.handle(Time::ZERO, Input::Start);
    let at = router.next_deadline().expect("nobody waits for ever");
    assert_eq!(router.state(), StateName::Backup);
    router.handle_deadlines(at);
    assert_eq!(router.state(), StateName::Master);
    at - Time::ZERO
}

/// `numerator / 256` of `unit`, to the nanosecond below.
fn parts(unit: Duration, numerator: u32) -> Duration {
    let nanos = unit.as_nanos() * u128::from(numerator) / 256;
    Duration::from_nanos(u64::try_from(nanos).expect("seconds"))
}

#[test]
fn the_skew_of_version_three_is_a_share_of_the_interval() {
    for interval in [10, 250, 1_000, 40_950].map(Duration::from_millis) {
        for base in 1..=254 {
            let priority = fixture::priority(base);
            let config = Config { interval, priority, ..fixture::config() };
            let skew = parts(interval, 256 - u32::from(base));
            assert_eq!(wait(config), interval * 3 + skew, "{base} at {interval:?}");
        }
    }
}

#[test]
fn the_skew_of_version_two_is_a_share_of_a_second() {
    for interval in [1, 5, 255].map(Duration::from_secs) {
        for base in 1..=254 {
            let priority = fixture::priority(base);
            let version = Version::V2;
            let config = Config { version, interval, priority, ..fixture::config() };
            let skew = parts(Duration::from_secs(1), 256 - u32::from(base));
            assert_eq!(wait(config), interval * 3 + skew, "{base} at {interval:?}");
        }
    }
}

#[test]
fn down_adverts_stand_in_the_place_of_the_three() {
    let skew = parts(Duration::from_secs(1), 256 - 100);
    for down_adverts in 2..=10 {
        let config = Config { down_adverts, ..fixture::config() };
        assert_eq!(wait(config), Duration::from_secs(1) * u32::from(down_adverts) + skew);
    }
}

/// Router `own` of the three members 10.0.0.1 at `base`, 10.0.0.2 at 100 and 10.0.0.3 at 80.
fn member_of_three(own: u8, base: u8, takeover: Takeover) -> Router {
    let member =
        |number, priority| Member { this: number == own, ..fixture::member(number, priority) };
    let members = vec![member(1, base), member(2, 100), member(3, 80)];
    let priority = members[usize::from(own) - 1].priority;
    let preemption = Preemption::NoPreempt;
    let members_complete = true;
    let config =
        Config { members, members_complete, priority, takeover, preemption, ..fixture::config() };
    let mut router = Router::new(config).expect("a valid configuration");
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(fixture::host(own))));
    router.handle(Time::ZERO, Input::Start);
    router
}

/// How long a router waits for the next advert of 10.0.0.2, its master for a while.
fn patience_with_the_second(router: &mut Router) -> Duration {
    let (source, destination) = (fixture::host(2), fixture::multicast());
    let mut bytes = Vec::new();
    fixture::message(&fixture::config(), 100).encode(source, destination, &mut bytes);
    let mut at = Time::ZERO;
    for _ in 0..3 {
        at = at + Duration::from_secs(1);
        let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes).expect("our own");
        router.handle(at, Input::Advert { source, advert });
    }
    router.next_deadline().expect("nobody waits for ever") - at
}

#[test]
fn a_master_knows_when_the_first_of_its_peers_takes_over() {
    for takeover in [Takeover::Rfc, Takeover::Fast] {
        // The first peer is below the master, or above it and does not preempt.
        for base in [90, 100, 120, 254] {
            let succession = member_of_three(2, base, takeover).succession_interval();
            let patience = [1, 3]
                .map(|own| patience_with_the_second(&mut member_of_three(own, base, takeover)));
            let first = patience[0].min(patience[1]);
            assert!(succession <= first, "{takeover:?}, {base}: {succession:?}, {patience:?}");
            let is_exact = takeover == Takeover::Fast || base >= 100;
            assert!(!is_exact || succession == first, "{takeover:?}, {base}: {patience:?}");
        }
    }
}
