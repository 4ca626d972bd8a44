//! What one virtual router is configured to be. Built by the agent from an assignment; never
//! holds wire units, file formats or names of things the protocol does not know.

mod validity;

pub use validity::ConfigError;

use crate::trailer::Keyring;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

/// Virtual router identifier, 1–255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Vrid(pub NonZeroU8);

impl Vrid {
    /// `None` for 0, which the RFC does not allow.
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A configured or effective priority, 1–255. Zero exists on the wire only (RFC 9568 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The priority of the router that owns the addresses (RFC 9568 §5.2.4).
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// `None` for 0.
    pub const fn new(priority: u8) -> Option<Self> {
        match NonZeroU8::new(priority) {
            Some(priority) => Some(Self(priority)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the address owner's priority, which tracking never changes.
    pub fn is_owner(self) -> bool {
        self == Self::OWNER
    }

    /// Base priority plus the tracked weights, clamped to 1–254; the owner ignores weights.
    pub fn with_weight(self, weight: i32) -> Self {
        if self.is_owner() {
            return self;
        }
        let effective = i32::from(self.get()).saturating_add(weight).clamp(1, 254);
        u8::try_from(effective).ok().and_then(Self::new).unwrap_or(self)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 3768: IPv4 only, interval in seconds, authentication field.
    V2,
    /// RFC 9568: IPv4 and IPv6, interval in centiseconds.
    V3,
}

/// Address family of the virtual addresses, and of the adverts that carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// What an advert proves of its sender.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    None,
    /// VRRPv2's password (RFC 2338 §5.3.6; removed by RFC 3768, kept by everybody who configures
    /// keepalived): up to eight bytes, padded with zeros. In plain text it guards against
    /// mistakes, not against attackers.
    Pass([u8; 8]),
    /// A signed trailer, in both versions ([`crate::trailer`]).
    Hmac(Arc<Keyring>),
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Pass(_) => "Pass(<redacted>)",
            Self::Hmac(_) => "Hmac(<redacted>)",
        })
    }
}

/// What a v3 checksum over IPv4 covers. RFC 5798 and every deployed router include the
/// pseudo-header; RFC 9568 §5.2.8 reads message-only for IPv4. Both are accepted on receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumForm {
    PseudoHeader,
    MessageOnly,
}

/// Whether a higher-priority backup takes over from a lower-priority master (RFC 9568 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    Preempt,
    NoPreempt,
}

/// How a backup orders itself among the others when the master is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Skew from the priority alone (RFC 9568 §6.1).
    Rfc,
    /// Skew from the rank among known members. Falls back to [`Takeover::Rfc`] whenever a
    /// member is external or its address unknown; see [`crate::takeover`].
    Fast,
}

/// What the adverts of an instance are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// At least one virtual address (RFC 9568 §5.2.5).
    #[default]
    Addresses,
    /// Who is MASTER and nothing else: a count of zero, as keepalived's `no_virtual_ipaddress`
    /// has it. No RFC knows it, so that a router takes it from peers only when it is so itself.
    Election,
}

/// Who decides that this router becomes MASTER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Election {
    /// Its own timers.
    #[default]
    Alone,
    /// Its timers, and then the other routers of its sync group; see [`crate::group`].
    Together,
}

/// What a planned move makes of a router's priority, while it lasts; see [`crate::router`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Its priority and weights, nothing else.
    #[default]
    Ordinary,
    /// The one that serves, as long as it is at its full priority: takes over on command, whatever
    /// `preemption` and the delays say, and keeps every other below it.
    Leads,
    /// Another one leads.
    Follows,
    /// Serves only when nobody else does: hands over if it is MASTER.
    Yields,
}

impl Standing {
    /// What the one that leads advertises: below an owner, which nobody outranks, and above every
    /// other.
    pub const LEAD: Priority = Priority(NonZeroU8::new(254).unwrap());
    /// What one that yields advertises.
    pub const LAST_RESORT: Priority = Priority(NonZeroU8::MIN);
    const BELOW_LEAD: Priority = Priority(NonZeroU8::new(253).unwrap());

    /// The effective priority of a router that would have `natural`, and `full` were all its
    /// checks well. An owner's is not to be changed.
    pub fn of(self, natural: Priority, full: Priority) -> Priority {
        match self {
            _ if natural.is_owner() => natural,
            Self::Leads if natural >= full => Self::LEAD,
            Self::Ordinary | Self::Leads => natural,
            Self::Follows => natural.min(Self::BELOW_LEAD),
            Self::Yields => Self::LAST_RESORT,
        }
    }
}

/// Where adverts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// 224.0.0.18 or ff02::12 on the instance's interface, TTL 255.
    Multicast,
    /// One copy to each peer.
    Unicast(Vec<IpAddr>),
}

/// One router of the instance, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Primary address its adverts come from; `None` while unknown.
    pub address: Option<IpAddr>,
    /// Base priority.
    pub priority: Priority,
    /// A router we do not manage (keepalived): it runs rfc timers only.
    pub external: bool,
    /// The router this configuration is for.
    pub this: bool,
}

/// Gratuitous ARP / unsolicited NA schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcements {
    /// Announcements in a round.
    pub repeat: u8,
    /// From the first round, sent on becoming master, to the second.
    pub delay: Duration,
    /// Between further rounds while master; zero means none.
    pub refresh: Duration,
}

impl Default for Announcements {
    fn default() -> Self {
        Self { repeat: 5, delay: Duration::from_secs(5), refresh: Duration::ZERO }
    }
}

/// Configuration of one virtual router. Field units are `Duration`; the codec alone knows
/// seconds and centiseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub vrid: Vrid,
    pub version: Version,
    pub family: Family,
    /// Advertised addresses, in the order they go on the wire.
    pub addresses: Vec<IpAddr>,
    pub content: Content,
    /// Own advertisement interval.
    pub interval: Duration,
    /// Base priority of this router.
    pub priority: Priority,
    pub preemption: Preemption,
    /// A backup that could preempt waits this long first.
    pub preempt_delay: Duration,
    /// After [`crate::Input::Start`], how long before timers run at all.
    pub startup_delay: Duration,
    /// No preemption for this long after one of this router's checks recovered.
    pub recover_delay: Duration,
    pub takeover: Takeover,
    pub election: Election,
    /// Of a planned move.
    pub standing: Standing,
    /// The 3 of `3 × Advertisement_Interval` (RFC 9568 §6.1).
    pub down_adverts: u8,
    pub authentication: Authentication,
    pub checksum: ChecksumForm,
    pub destination: Destination,
    /// Every member known, this router included. Stand-alone agents know only themselves.
    pub members: Vec<Member>,
    /// Whether `members` is the whole instance. False for a stand-alone agent: always rfc then.
    pub members_complete: bool,
    /// Ignore adverts from addresses that are no member.
    pub members_only: bool,
    pub announcements: Announcements,
    /// Whether a resigning master may go on serving until its successor is heard. False with a
    /// virtual MAC, where two senders of one MAC would fight over the switch's table.
    pub handover: bool,
}
