//! A plain instance for unit tests: VRID 51 at 10.0.0.x, v3, one second.

use crate::config::{
    Announcements, Authentication, ChecksumForm, Config, Content, Destination, Election, Family,
    Member, Preemption, Priority, Standing, Takeover, Version, Vrid,
};
use std::net::IpAddr;
use std::time::Duration;

pub(crate) fn address(host: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, host])
}

pub(crate) fn member(host: u8, priority: u8, this: bool) -> Member {
    let priority = Priority::new(priority).unwrap();
    Member { address: Some(address(host)), priority, external: false, this }
}

pub(crate) fn config() -> Config {
    Config {
        vrid: Vrid::new(51).unwrap(),
        version: Version::V3,
        family: Family::Ipv4,
        addresses: vec![address(100)],
        interval: Duration::from_secs(1),
        priority: Priority::new(100).unwrap(),
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
        announcements: Announcements::default(),
        handover: true,
    }
}
