//! What one node must run now. Derived purely from definitions and node facts
//! ([`crate::placement`]), or from a keepalived.conf by a stand-alone agent.

mod engine;

use crate::address::VirtualAddress;
use crate::check::NamedCheck;
use crate::instance::{Authentication, Checksum, Family, Garp, Notify, Takeover, Track, Transport};
use crate::moves::AssignedMove;
use crate::name::Name;
use crate::routing::{VirtualRoute, VirtualRule};
use crate::span::Span;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub use engine::EngineConfigError;
pub(crate) use engine::PASSWORD_BYTES;

/// The content of an assignment. Generation, fleet and epoch travel beside it, so that equal
/// content has an equal hash whatever the revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Sorted by name.
    pub instances: Vec<AssignedInstance>,
    /// Every check that a tracked name refers to; sorted by name.
    pub checks: Vec<NamedCheck>,
    /// Sorted by name; of the instances above only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sync_groups: Vec<AssignedGroup>,
}

/// Instances of this node that are MASTER together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedGroup {
    pub name: Name,
    /// In the order in which they change; at least two.
    pub instances: Vec<Name>,
    pub notify: Vec<Notify>,
}

/// One instance as one node runs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedInstance {
    pub name: Name,
    pub virtual_router_id: u8,
    pub version: u8,
    pub interface: String,
    pub priority: u8,
    /// Added to the priority by the operator.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority_offset: i16,
    pub virtual_addresses: Vec<VirtualAddress>,
    pub excluded_addresses: Vec<VirtualAddress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election_only: Option<Family>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_routes: Vec<VirtualRoute>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub virtual_rules: Vec<VirtualRule>,
    pub advert_interval: Span,
    pub preempt: bool,
    pub preempt_delay: Span,
    pub startup_delay: Span,
    pub recover_delay: Span,
    pub takeover: Takeover,
    pub down_adverts: u8,
    pub authentication: Authentication,
    pub checksum: Checksum,
    pub transport: Transport,
    pub members_only: bool,
    pub garp: Garp,
    pub virtual_mac: bool,
    /// All members, this node included.
    pub members: Vec<AssignedMember>,
    /// Whether `members` is the whole instance; false for a stand-alone agent.
    pub members_complete: bool,
    /// Source address of adverts when the operator named one.
    pub source_address: Option<IpAddr>,
    pub track: Vec<Track>,
    pub notify: Vec<Notify>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_move: Option<AssignedMove>,
}

/// One member as every member sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedMember {
    /// `None` for a unicast peer of a stand-alone agent, which knows addresses only.
    pub node: Option<Name>,
    pub address: Option<IpAddr>,
    /// 0 for a unicast peer of a stand-alone agent, which does not know it.
    pub priority: u8,
    pub external: bool,
    pub this: bool,
}

impl Assignment {
    /// SHA-256 over the canonical JSON, in lower-case hex.
    pub fn hash(&self) -> String {
        use sha2::{Digest, Sha256};
        use std::fmt::Write;
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&text).iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap_or_else(|_| unreachable!("a String takes all"));
            hex
        })
    }
}

// serde hands the field by reference.
fn is_zero(offset: &i16) -> bool {
    *offset == 0
}
