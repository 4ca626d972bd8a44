//! Skew_Time and Active_Down_Interval (RFC 9568 §6.1, RFC 3768 §6.1), for every priority and
//! reckoned anew here: how long a router that hears nobody waits before it is MASTER.

use crate::fixture;
use std::time::Duration;
use vipfleet_vrrp::{Config, Input, Router, StateName, Time, Version};

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
