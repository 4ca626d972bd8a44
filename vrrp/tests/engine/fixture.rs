//! A plain instance and adverts for it, as every test of the router needs them: VRID 51,
//! version 3, one second, this router 10.0.0.1 at priority 100, no extras.

use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Announcements, Authentication, ChecksumForm, Config, Content, Destination, Election, Family,
    Member, Message, Preemption, Priority, Standing, Takeover, Version, Vrid,
};

pub(crate) fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

pub(crate) fn priority(number: u8) -> Priority {
    Priority::new(number).expect("a priority from 1 to 255")
}

pub(crate) fn multicast() -> IpAddr {
    IpAddr::from([224, 0, 0, 18])
}

pub(crate) fn config() -> Config {
    Config {
        vrid: Vrid::new(51).expect("not zero"),
        version: Version::V3,
        family: Family::Ipv4,
        addresses: vec![host(100)],
        interval: Duration::from_secs(1),
        priority: priority(100),
        preemption: Preemption::Preempt,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        recover_delay: Duration::ZERO,
        takeover: Takeover::Rfc,
        content: Content::Addresses,
        election: Election::Alone,
        standing: Standing::Ordinary,
        down_adverts: 3,
        authentication: Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        destination: Destination::Multicast,
        members: Vec::new(),
        members_complete: false,
        members_only: false,
        announcements: Announcements {
            repeat: 1,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
        },
        handover: true,
    }
}

pub(crate) fn member(number: u8, base: u8) -> Member {
    let address = Some(host(number));
    Member { address, priority: priority(base), external: false, this: number == 1 }
}

/// What a router with `config` would put on the wire, priority aside.
pub(crate) fn message(config: &Config, priority: u8) -> Message<'_> {
    Message {
        version: config.version,
        vrid: config.vrid,
        priority,
        interval: config.interval,
        authentication: config.authentication.clone(),
        checksum: config.checksum,
        addresses: &config.addresses,
    }
}
