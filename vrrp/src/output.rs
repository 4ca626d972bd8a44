//! What a virtual router wants done, in the order it wants it done.

use crate::config::{ConfigError, Priority};
use crate::state::StateName;
use crate::time::Time;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// One thing to do. Drained in order after every call into the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send one advert now; encode it with [`crate::Router::encode`] at the moment of sending.
    Transmit(Transmission),
    /// Bring the kernel to this custody of all of the instance's addresses. Idempotent; each
    /// [`Custody::Serving`] is answered with one [`crate::Input::Claimed`].
    Custody(Custody),
    /// Send one gratuitous ARP request (unsolicited NA) for every address, now.
    Announce,
    /// The timers of a router of a sync group say MASTER: the driver asks the group
    /// ([`crate::group::may_lead`]).
    Elected(Reason),
    /// The state changed.
    Changed(Transition),
    /// An advert was not acted on.
    Discarded { source: IpAddr, why: Discard },
    /// Something an operator must know although the protocol goes on.
    Warn(Warning),
    /// The router has resigned and let go: the driver may drop it.
    Stopped,
}

/// An advert to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// `None` is the resignation, priority 0 on the wire.
    pub priority: Option<Priority>,
}

/// What the kernel holds for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Custody {
    /// Nothing: not on the interface, not served.
    None,
    /// On the interface under a lease, answering ARP: MASTER, or a former master that waits for
    /// its successor's first advert.
    Serving,
    /// Grace after the successor was heard: packets that still come are served through a local
    /// route, ARP is not answered.
    Silent,
}

/// A change of state, as the operator reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub at: Time,
    pub from: StateName,
    pub to: StateName,
    pub reason: Reason,
}

/// Why a state changed. `Display` gives one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The router was started.
    Started,
    /// The router owns the addresses (priority 255).
    Owner,
    /// Nothing heard from the master for the master-down interval.
    MasterSilent { master: Option<IpAddr>, silent: Duration },
    /// The master resigned with priority 0.
    MasterResigned { master: IpAddr },
    /// The current master advertises less than this router's priority.
    Preempted { master: IpAddr, theirs: Priority, ours: Priority },
    /// A rival with a higher priority, or the same and a higher address, was heard.
    Outranked { by: IpAddr, theirs: Priority, ours: Priority },
    /// Unfit to serve; the lines of [`crate::Health::faults`].
    Fault(Vec<String>),
    /// Fit again.
    FaultCleared,
    /// Asked to resign.
    Resigned(crate::input::ResignReason),
    /// The kernel's lease ran out under a frozen process.
    LeaseExpired,
    /// Frozen for a whole master-down interval; another router serves meanwhile.
    Overtaken { by: IpAddr, frozen: Duration },
    /// The machine slept.
    Suspended,
    /// Carried on from a former incarnation of the agent, or from another router of this node.
    Resumed,
    /// A planned move made this router the one that serves.
    Switchover { master: IpAddr },
    /// With another router of the sync group, whose reason it was.
    Together(Box<Reason>),
}

impl Reason {
    /// The reason of those who follow.
    #[must_use]
    pub fn together(self) -> Self {
        match self {
            Self::Together(_) => self,
            own => Self::Together(Box::new(own)),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::input::ResignReason;
        match self {
            Self::Started => f.write_str("started"),
            Self::Owner => f.write_str("owner of the addresses (priority 255)"),
            Self::MasterSilent { master: Some(master), silent } => {
                write!(f, "no advert from {master} for {:.3} s", silent.as_secs_f64())
            }
            Self::MasterSilent { master: None, silent } => {
                write!(f, "no master heard for {:.3} s", silent.as_secs_f64())
            }
            Self::MasterResigned { master } => write!(f, "{master} resigned"),
            Self::Preempted { master, theirs, ours } => {
                write!(f, "preempted {master}: priority {ours} over its {theirs}")
            }
            Self::Outranked { by, theirs, ours } => {
                write!(f, "{by} advertises priority {theirs} against {ours}")
            }
            Self::Fault(lines) => f.write_str(&lines.join("; ")),
            Self::FaultCleared => f.write_str("fit again"),
            Self::Resigned(ResignReason::Stop) => f.write_str("agent stopped"),
            Self::Resigned(ResignReason::Removed) => f.write_str("instance removed from this node"),
            Self::Resigned(ResignReason::Deleted) => f.write_str("instance deleted"),
            Self::Resigned(ResignReason::Drain) => f.write_str("node drained"),
            Self::LeaseExpired => f.write_str("the kernel lease ran out: the agent was frozen"),
            Self::Overtaken { by, frozen } => {
                write!(f, "frozen for {:.3} s while {by} took over", frozen.as_secs_f64())
            }
            Self::Suspended => f.write_str("the machine was suspended"),
            Self::Resumed => f.write_str("carried on without an election"),
            Self::Switchover { master } => write!(f, "switchover: took over from {master}"),
            Self::Together(reason) => write!(f, "with its sync group: {reason}"),
        }
    }
}

/// Why a well-formed advert was not acted on, or a packet is no advert at all. Each is a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Discard {
    /// Shorter than its own header says, or than any advert.
    Truncated,
    /// Not IP protocol 112.
    NotVrrp,
    /// Version neither 2 nor 3.
    UnknownVersion,
    /// Type other than 1 (ADVERTISEMENT).
    UnknownType,
    /// TTL or hop limit other than 255 (RFC 9568 §5.1.1.3).
    Ttl,
    /// VRID 0.
    VridZero,
    /// No such VRID here.
    UnknownVrid,
    /// Wrong checksum in every accepted form.
    Checksum,
    /// An interval of zero.
    IntervalZero,
    /// No address at all (RFC 9568 §5.2.5), and the instance is no election without any.
    NoAddresses,
    /// The other version than configured.
    VersionMismatch,
    /// Authentication type or data differ. With keepalived this means two masters.
    AuthenticationMismatch,
    /// Signed at a time of day too far from ours.
    Stale,
    /// Signed with a sequence that was heard already, or before a later one.
    Replay,
    /// v2: the interval differs from ours (RFC 3768 §7.1).
    IntervalMismatch,
    /// From one of our own addresses (looped back, or an address conflict).
    OwnAddress,
    /// From no member, and `membersOnly` is on.
    NotMember,
    /// An owner's advert (255) while we own the addresses ourselves.
    OwnerConflict,
    /// Unicast: from an address that is no configured peer.
    NotPeer,
    /// A lower (fast takeover) or zero priority from a router that is not the current master
    /// says nothing about the current master.
    NotCurrentMaster,
    /// The router is in INIT or FAULT.
    NotRunning,
}

impl Discard {
    /// Every reason, for whoever keeps counters.
    pub const ALL: [Self; 21] = [
        Self::Truncated,
        Self::NotVrrp,
        Self::UnknownVersion,
        Self::UnknownType,
        Self::Ttl,
        Self::VridZero,
        Self::UnknownVrid,
        Self::Checksum,
        Self::IntervalZero,
        Self::NoAddresses,
        Self::VersionMismatch,
        Self::AuthenticationMismatch,
        Self::Stale,
        Self::Replay,
        Self::IntervalMismatch,
        Self::OwnAddress,
        Self::NotMember,
        Self::OwnerConflict,
        Self::NotPeer,
        Self::NotCurrentMaster,
        Self::NotRunning,
    ];

    /// Stable name of the counter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotVrrp => "not-vrrp",
            Self::UnknownVersion => "unknown-version",
            Self::UnknownType => "unknown-type",
            Self::Ttl => "ttl",
            Self::VridZero => "vrid-zero",
            Self::UnknownVrid => "unknown-vrid",
            Self::Checksum => "checksum",
            Self::IntervalZero => "interval-zero",
            Self::NoAddresses => "no-addresses",
            Self::VersionMismatch => "version-mismatch",
            Self::AuthenticationMismatch => "authentication-mismatch",
            Self::Stale => "stale",
            Self::Replay => "replay",
            Self::IntervalMismatch => "interval-mismatch",
            Self::OwnAddress => "own-address",
            Self::NotMember => "not-member",
            Self::OwnerConflict => "owner-conflict",
            Self::NotPeer => "not-peer",
            Self::NotCurrentMaster => "not-current-master",
            Self::NotRunning => "not-running",
        }
    }
}

/// What an operator must know although the protocol goes on. Reported once per onset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The advert lists other addresses than ours. Never a reason to discard.
    AddressListDiffers { source: IpAddr },
    /// Discards that mean two masters: authentication, version or v2 interval differ.
    Disagreement { source: IpAddr, why: Discard },
    /// Another router advertises while we are MASTER and gives no way.
    Rival { source: IpAddr, priority: u8 },
    /// An advert from an address that is no member.
    Stranger { source: IpAddr, priority: u8 },
    /// v3: the master's interval differs from ours; timers follow the master's.
    IntervalLearned { source: IpAddr, interval: Duration },
    /// A new configuration cannot be run; the old one stays.
    ConfigRefused(ConfigError),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressListDiffers { source } => {
                write!(f, "{source} advertises other addresses than configured here")
            }
            Self::Disagreement { source, why: Discard::Stale } => write!(
                f,
                "adverts of {source} are discarded (stale): both may be MASTER; set the clocks of \
                 both hosts"
            ),
            Self::Disagreement { source, why } => write!(
                f,
                "adverts of {source} are discarded ({}): both may be MASTER; make both sides agree",
                why.name()
            ),
            Self::Rival { source, priority } => {
                write!(f, "{source} advertises priority {priority} while this node is MASTER")
            }
            Self::Stranger { source, priority } => {
                write!(f, "advert with priority {priority} from {source}, which is no member")
            }
            Self::IntervalLearned { source, interval } => {
                write!(f, "{source} advertises every {interval:?}; following its interval")
            }
            Self::ConfigRefused(error) => write!(f, "configuration refused: {error}"),
        }
    }
}
