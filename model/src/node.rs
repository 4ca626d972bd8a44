//! What a node says about itself, for placement, and what the server knows of it, for people.
//! Never wishes of the operator.

use crate::instance::Transport;
use crate::moves::Order;
use crate::name::Name;
use crate::ownership::Generations;
use crate::report::CheckReport;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use vipfleet_vrrp::Family;

/// The part of a node's Hello that placement needs. Kept in the store, since assignments of
/// other members depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    pub node: Name,
    /// Sorted by name.
    pub interfaces: Vec<InterfaceFacts>,
}

/// An interface with the addresses that are the host's own: never a VIP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceFacts {
    pub name: String,
    /// Those that may be used, IPv4 first. Of IPv4 the primary address first, as the kernel lists
    /// them; of IPv6, which knows no primary, temporary and deprecated ones last, else by number.
    pub addresses: Vec<IpNet>,
    /// `net.ipv4.conf.IF.promote_secondaries`.
    #[serde(default)]
    pub promote_secondaries: bool,
}

impl NodeFacts {
    pub fn interface(&self, name: &str) -> Option<&InterfaceFacts> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

/// The address that adverts come from when the operator names none, among an interface's own.
/// Both the agent that sends and the server that tells the other members ask here.
pub fn advert_source(addresses: &[IpNet], family: Family, transport: Transport) -> Option<IpAddr> {
    let mut own = addresses.iter().map(IpNet::addr);
    own.find(|address| match (address, family, transport) {
        (IpAddr::V4(_), Family::Ipv4, _) => true,
        // RFC 9568 §5.1.2.1.
        (IpAddr::V6(it), Family::Ipv6, Transport::Multicast) => it.is_unicast_link_local(),
        // Peers may be behind a router.
        (IpAddr::V6(it), Family::Ipv6, Transport::Unicast) => !it.is_unicast_link_local(),
        _ => false,
    })
}

/// A node as the server sees it. Times are RFC 3339, wall clock of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub name: Name,
    pub connected: bool,
    /// `None` while not connected.
    pub connected_since: Option<String>,
    /// Server replica that holds the session; `None` while none does.
    pub replica: Option<String>,
    /// As its last Hello said; `None` before the first.
    pub agent_version: Option<String>,
    pub boot_id: Option<String>,
    pub generation: Generations,
    /// The assignment that the agent refused, until it accepted a later one.
    pub rejected: Option<Rejection>,
    /// Nothing is pending between its engine and its kernel, as of its last report.
    pub settled: bool,
    pub interfaces: Vec<InterfaceFacts>,
    pub checks: Vec<CheckReport>,
    /// When the server got it; `None` before the first.
    pub last_report: Option<String>,
    /// Who drained it; `None` when nobody did.
    #[serde(default)]
    pub drain: Option<Order>,
}

/// Why an assignment does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    pub generation: u64,
    /// Where in the assignment; empty when it was refused as a whole.
    pub field_path: String,
    pub reason: String,
}
