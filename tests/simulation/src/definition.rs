//! What one instance is meant to be on every host: the simulator's stand-in for what the control
//! plane derives and hands out, down to the engine's own [`Config`] for one host.

use crate::plan::Program;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use vipfleet_vrrp::{
    Announcements, Authentication, ChecksumForm, Config, Content, Destination, Election, Family,
    Member, Pace, Preemption, Priority, Standing, Takeover, Version, Vrid,
};

/// One instance. `priorities` says by host who is a member, and at which base priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Whether it is defined at all: an instance comes and goes with all its members.
    pub exists: bool,
    pub vrid: u8,
    pub version: Version,
    pub family: Family,
    pub interval: Duration,
    pub preemption: Preemption,
    pub preempt_delay: Duration,
    pub startup_delay: Duration,
    pub recover_delay: Duration,
    pub takeover: Takeover,
    /// What fast takeover waits; other than the default in measurements only.
    pub pace: Pace,
    pub down_adverts: u8,
    /// v2 only; 0 is none.
    pub password: u8,
    pub unicast: bool,
    pub handover: bool,
    pub addresses: u8,
    /// The sum of the positive weights of its checks.
    pub full_weight: i32,
    pub priorities: Vec<Option<u8>>,
    /// What a planned move makes of each host; empty while there is none.
    pub standings: Vec<Standing>,
}

impl Definition {
    pub fn is_member(&self, host: usize) -> bool {
        self.exists && self.priorities.get(host).copied().flatten().is_some()
    }

    /// Whether another member ranks higher than `host` at an effective priority of `ours`.
    pub fn is_outranked(&self, host: usize, ours: u8) -> bool {
        let others = (0..self.priorities.len()).filter(|of| *of != host && self.is_member(*of));
        others.into_iter().any(|of| (self.base(of), of) > (ours, host))
    }

    /// The base priority of a member; 1 for anybody else.
    pub fn base(&self, host: usize) -> u8 {
        self.priorities.get(host).copied().flatten().unwrap_or(1)
    }

    /// What a planned move makes of a host. An owner's place is not to be changed.
    pub fn standing(&self, host: usize) -> Standing {
        match self.base(host) {
            255 => Standing::Ordinary,
            _ => self.standings.get(host).copied().unwrap_or_default(),
        }
    }

    /// Effective priority, worked out here on its own.
    pub fn effective(&self, host: usize, weight: i32) -> u8 {
        let clamped = |weight: i32| match self.base(host) {
            255 => 255,
            base => (i32::from(base) + weight).clamp(1, 254) as u8,
        };
        let (natural, full) = (clamped(weight), clamped(self.full_weight));
        match self.standing(host) {
            Standing::Leads if natural >= full => 254,
            Standing::Follows => natural.min(253),
            Standing::Yields => 1,
            Standing::Ordinary | Standing::Leads => natural,
        }
    }

    /// Skew_Time of RFC 9568 §6.1 and RFC 3768 §6.1, worked out here on its own.
    pub fn skew(&self, priority: u8) -> Duration {
        let unit = match self.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.interval,
        };
        Duration::from_nanos(unit.as_nanos() as u64 * (256 - u64::from(priority)) / 256)
    }

    /// No backup waits longer than this for a master that has fallen silent.
    pub fn longest_down(&self) -> Duration {
        let ranks = self.priorities.len() as u32 * 2 + 1;
        let rank = self.interval / 10 + Duration::from_millis(5) * ranks;
        self.interval * u32::from(self.down_adverts) + self.skew(1).max(rank)
    }

    /// `ceil(master-down interval + renewal period)` in whole seconds, at least 2 s.
    pub fn lease(&self, host: usize) -> Duration {
        let down = self.down(host);
        let whole = down + (down / 4).max(Duration::from_secs(1));
        Duration::from_secs(whole.as_nanos().div_ceil(1_000_000_000) as u64)
            .max(Duration::from_secs(2))
    }

    /// Time between two renewals of the lease.
    pub fn renewal(&self, host: usize) -> Duration {
        let valid = self.lease(host);
        valid.saturating_sub(self.down(host)).min(valid / 2)
    }

    /// How old the VRRP loop's heartbeat may be for a renewal.
    pub fn freshness(&self, host: usize) -> Duration {
        (self.lease(host) / 4).min(Duration::from_secs(1))
    }

    fn down(&self, host: usize) -> Duration {
        self.interval * u32::from(self.down_adverts) + self.skew(self.base(host))
    }

    pub fn has_external(&self, programs: &[Program]) -> bool {
        programs
            .iter()
            .enumerate()
            .any(|(host, program)| *program == Program::Keepalived && self.is_member(host))
    }

    /// Whether the ranks of fast takeover are in force for its members.
    pub fn is_fast(&self, programs: &[Program]) -> bool {
        self.takeover == Takeover::Fast && !self.has_external(programs)
    }

    /// The engine's configuration on one host.
    pub fn config(&self, host: usize, programs: &[Program]) -> Config {
        let members = (0..self.priorities.len()).filter(|of| self.is_member(*of));
        let member = |of: usize| Member {
            address: Some(address(self.family, of)),
            priority: priority(self.base(of)),
            external: programs[of] == Program::Keepalived,
            this: of == host,
        };
        let peers = members.clone().filter(|of| *of != host);
        let destination = match self.unicast {
            true => Destination::Unicast(peers.map(|of| address(self.family, of)).collect()),
            false => Destination::Multicast,
        };
        let authentication = match (self.version, self.password) {
            (Version::V3, _) | (_, 0) => Authentication::None,
            (Version::V2, word) => Authentication::Pass([word; 8]),
        };
        Config {
            vrid: Vrid::new(self.vrid).expect("plans use no VRID 0"),
            version: self.version,
            family: self.family,
            addresses: (0..self.addresses).map(|of| virtual_address(self.family, of)).collect(),
            interval: self.interval,
            priority: priority(self.base(host)),
            preemption: self.preemption,
            preempt_delay: self.preempt_delay,
            startup_delay: self.startup_delay,
            recover_delay: self.recover_delay,
            takeover: self.takeover,
            content: Content::Addresses,
            election: Election::Alone,
            standing: self.standing(host),
            down_adverts: self.down_adverts,
            authentication,
            checksum: ChecksumForm::PseudoHeader,
            destination,
            members: members.map(member).collect(),
            members_complete: true,
            members_only: false,
            announcements: Announcements::default(),
            handover: self.handover,
        }
    }
}

/// The primary address of a host.
pub(crate) fn address(family: Family, host: usize) -> IpAddr {
    let number = u8::try_from(host + 1).expect("a small LAN");
    match family {
        Family::Ipv4 => IpAddr::from([10, 0, 0, number]),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into())),
    }
}

/// The group that adverts are sent to.
pub(crate) fn group(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::from([224, 0, 0, 18]),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
    }
}

fn virtual_address(family: Family, number: u8) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::from([10, 0, 1, number + 1]),
        Family::Ipv6 => {
            let last = u16::from(number) + 1;
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last))
        }
    }
}

pub(crate) fn priority(number: u8) -> Priority {
    Priority::new(number).expect("plans use no priority 0")
}
