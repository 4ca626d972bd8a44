//! The Instance definition: one virtual router over its members.

use crate::address::VirtualAddress;
use crate::hmac::Hmac;
use crate::name::Name;
use crate::routing::{VirtualRoute, VirtualRule};
use crate::secret::Secret;
use crate::span::Span;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `spec` of `kind: Instance`. Field names and defaults are the contract of the definition
/// format; unknown fields are findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Instance {
    /// 1–255, unique per LAN segment and family.
    pub virtual_router_id: u8,
    /// 2 or 3; IPv6 needs 3.
    #[serde(default = "three")]
    pub version: u8,
    /// Advertised and held by the MASTER. Empty only in an election without addresses.
    #[serde(default)]
    pub virtual_addresses: Vec<VirtualAddress>,
    /// Held like virtual addresses but not advertised; the other family is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_addresses: Vec<VirtualAddress>,
    /// The members elect a MASTER over this family and no virtual address moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election_only: Option<Family>,
    /// In the kernel of the member that serves; the other family is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_routes: Vec<VirtualRoute>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_rules: Vec<VirtualRule>,
    /// v2: whole seconds up to 255 s; v3: 10 ms steps up to 40.95 s.
    #[serde(default = "one_second")]
    pub advert_interval: Span,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub preempt: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub preempt_delay: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub startup_delay: Span,
    /// No preemption for this long after a check recovered.
    #[serde(default = "three_seconds", skip_serializing_if = "is_three_seconds")]
    pub recover_delay: Span,
    #[serde(default, skip_serializing_if = "is_default")]
    pub takeover: Takeover,
    /// The 3 of 3 × interval; 2–10.
    #[serde(default = "three", skip_serializing_if = "is_three")]
    pub down_adverts: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    pub authentication: Authentication,
    /// v3 over IPv4, transmit side.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum: Checksum,
    #[serde(default, skip_serializing_if = "is_default")]
    pub transport: Transport,
    /// Ignore adverts from addresses that are no member.
    #[serde(default, skip_serializing_if = "is_default")]
    pub members_only: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub garp: Garp,
    #[serde(default, skip_serializing_if = "is_default")]
    pub virtual_mac: bool,
    pub members: Vec<Member>,
    /// Tracked on every member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track: Vec<Track>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
}

impl Instance {
    /// An instance with every default.
    pub fn new(
        virtual_router_id: u8,
        virtual_addresses: Vec<VirtualAddress>,
        members: Vec<Member>,
    ) -> Self {
        Self {
            virtual_router_id,
            version: three(),
            virtual_addresses,
            excluded_addresses: Vec::new(),
            election_only: None,
            virtual_routes: Vec::new(),
            virtual_rules: Vec::new(),
            advert_interval: one_second(),
            preempt: yes(),
            preempt_delay: Span::default(),
            startup_delay: Span::default(),
            recover_delay: three_seconds(),
            takeover: Takeover::default(),
            down_adverts: three(),
            authentication: Authentication::default(),
            checksum: Checksum::default(),
            transport: Transport::default(),
            members_only: false,
            garp: Garp::default(),
            virtual_mac: false,
            members,
            track: Vec::new(),
            notify: Vec::new(),
        }
    }

    /// The family of its adverts: that of its first virtual address, or of the election without
    /// any. `None` while neither is written, which validation refuses.
    pub fn family(&self) -> Option<Family> {
        self.virtual_addresses.first().map(|it| Family::of(it.ip())).or(self.election_only)
    }

    /// The member on this node.
    pub fn member(&self, node: &Name) -> Option<&Member> {
        self.members.iter().find(|member| member.node == *node)
    }
}

/// One host of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    pub node: Name,
    pub interface: String,
    /// Base priority, 1–255; 255 owns the addresses.
    pub priority: u8,
    /// Added to the priority until it is changed back: what an operator turns by hand to move the
    /// addresses. -253 to 253.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority_offset: i16,
    /// Where its adverts come from; default: what the node says of that interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// A keepalived host that vipfleet does not manage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub external: bool,
    /// Tracked on this member only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track: Vec<Track>,
}

/// A check and what it does to the priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Track {
    pub check: Name,
    /// 0: FAULT while down. Positive: added while up. Negative: subtracted while down.
    #[serde(default, skip_serializing_if = "is_default")]
    pub weight: i16,
    /// Up counts as down and down as up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
}

/// A hook run on a state change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notify {
    pub on: NotifyOn,
    /// Pushed by a server: a file name inside the agent's exec dir. Stand-alone: a path.
    pub exec: String,
    /// What the program gets before the words that the agent adds itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Who it runs as; the agent's own user by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    Master,
    Backup,
    Fault,
    Stop,
    Any,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl From<Family> for vipfleet_vrrp::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4,
            Family::Ipv6 => Self::Ipv6,
        }
    }
}

impl Family {
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// The skew of the RFC, as keepalived waits.
    Rfc,
    /// By rank among the members. The engine waits as the RFC says by itself as long as a member is
    /// external or its address unknown.
    #[default]
    Fast,
}

/// What adverts prove of their sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Authentication {
    #[default]
    None,
    /// v2 only. At most eight bytes count on the wire.
    Pass { password: Secret },
    /// A signed trailer; both versions and families.
    Hmac(Hmac),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    #[default]
    PseudoHeader,
    Message,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Multicast,
    /// To the members' addresses.
    Unicast,
}

/// Gratuitous ARP / unsolicited NA schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Garp {
    pub repeat: u8,
    pub delay: Span,
    pub refresh: Span,
    /// Where else the addresses are announced, besides the interface they sit on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
}

impl Member {
    /// A member with every default.
    pub fn new(node: Name, interface: impl Into<String>, priority: u8) -> Self {
        Self {
            node,
            interface: interface.into(),
            priority,
            priority_offset: 0,
            address: None,
            external: false,
            track: Vec::new(),
        }
    }
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Span::from_secs(5),
            refresh: Span::from_secs(0),
            interfaces: Vec::new(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn yes() -> bool {
    true
}

// serde hands the field by reference.
fn is_yes(value: &bool) -> bool {
    *value
}

fn is_three(value: &u8) -> bool {
    *value == three()
}

fn is_three_seconds(value: &Span) -> bool {
    *value == three_seconds()
}

fn three() -> u8 {
    3
}

fn one_second() -> Span {
    Span::from_secs(1)
}

fn three_seconds() -> Span {
    Span::from_secs(3)
}
