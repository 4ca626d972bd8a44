//! Configurations that no advert could express, or that the RFCs do not know: refused before
//! anything is sent.

use crate::fixture;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Authentication, Config, ConfigError, Content, Family, Priority, Router, Version,
};

fn refused(config: Config) -> ConfigError {
    Router::new(config).map(|_| ()).expect_err("no router runs this")
}

fn interval(version: Version, millis: u64) -> Result<(), ConfigError> {
    let interval = Duration::from_millis(millis);
    Config { version, interval, ..fixture::config() }.check()
}

#[test]
fn an_interval_is_what_its_field_can_say() {
    for (version, can, cannot) in [
        (Version::V2, [1_000, 255_000], [0, 500, 1_500, 256_000]),
        (Version::V3, [10, 40_950], [0, 5, 1_005, 40_960]),
    ] {
        for millis in can {
            assert_eq!(interval(version, millis), Ok(()), "{version:?}, {millis} ms");
        }
        for millis in cannot {
            let interval_of = Duration::from_millis(millis);
            let error = ConfigError::Interval { version, interval: interval_of };
            assert_eq!(interval(version, millis), Err(error), "{version:?}, {millis} ms");
        }
    }
}

#[test]
fn an_instance_has_from_one_to_255_addresses() {
    let with = |count: u8| {
        let addresses = (0..count).map(|last| IpAddr::from([10, 1, 0, last])).collect();
        Config { addresses, ..fixture::config() }
    };
    assert_eq!(refused(with(0)), ConfigError::NoAddress);
    assert_eq!(with(255).check(), Ok(()));
    let mut more = with(255);
    more.addresses.push(IpAddr::from([10, 1, 1, 0]));
    assert_eq!(refused(more), ConfigError::TooManyAddresses(256));
}

#[test]
fn an_election_without_addresses_has_none() {
    let election = Config { content: Content::Election, ..fixture::config() };
    assert_eq!(refused(election.clone()), ConfigError::AddressesOfElection);
    assert_eq!(Config { addresses: Vec::new(), ..election }.check(), Ok(()));
}

#[test]
fn an_address_is_of_the_family_of_its_instance() {
    let stray: IpAddr = "2001:db8::1".parse().expect("an address");
    let mut config = fixture::config();
    config.addresses.push(stray);
    assert_eq!(refused(config), ConfigError::FamilyOfAddress(stray));
    let config = Config { family: Family::Ipv6, ..fixture::config() };
    assert_eq!(refused(config), ConfigError::FamilyOfAddress(fixture::host(100)));
}

#[test]
fn version_two_knows_no_ipv6_and_version_three_no_authentication() {
    let config = Config { version: Version::V2, family: Family::Ipv6, ..fixture::config() };
    assert_eq!(refused(config), ConfigError::FamilyOfVersion);
    let authentication = Authentication::Pass(*b"secret\0\0");
    let config = Config { authentication, ..fixture::config() };
    assert_eq!(refused(config), ConfigError::AuthenticationOfVersion);
}

#[test]
fn a_master_is_missed_after_two_to_ten_intervals() {
    let with = |down_adverts| Config { down_adverts, ..fixture::config() };
    for count in [0, 1, 11, 255] {
        assert_eq!(refused(with(count)), ConfigError::DownAdverts(count));
    }
    for count in 2..=10 {
        assert_eq!(with(count).check(), Ok(()));
    }
}

#[test]
fn no_weight_makes_a_backup_an_owner_or_silent_and_none_touches_an_owner() {
    assert_eq!(Priority::new(0), None, "exists on the wire only");
    for base in 1..=254_u8 {
        for weight in [i32::MIN, -300, -254, -1, 0, 1, 254, 300, i32::MAX] {
            let sum = i64::from(base) + i64::from(weight);
            let expected = u8::try_from(sum.clamp(1, 254)).expect("a byte");
            let effective = fixture::priority(base).with_weight(weight);
            assert_eq!(effective.get(), expected, "{base} and {weight}");
            assert_eq!(Priority::OWNER.with_weight(weight), Priority::OWNER);
        }
    }
}
