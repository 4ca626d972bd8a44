//! What a node says about itself: facts for placement, not wishes of the operator.

use crate::name::Name;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

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
    /// Primary address first, as the kernel lists them.
    pub addresses: Vec<IpNet>,
    /// `net.ipv4.conf.IF.promote_secondaries`.
    #[serde(default)]
    pub promote_secondaries: bool,
}

impl NodeFacts {
    pub fn interface(&self, name: &str) -> Option<&InterfaceFacts> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }
}
