//! What one node observed. Never confused with the desired state.

use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// State of an instance on a node. `Unknown` is the server's word for a node that says nothing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum InstanceState {
    Master,
    Backup,
    Fault,
    Init,
    #[default]
    Unknown,
}

impl InstanceState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Init => "INIT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl std::fmt::Display for InstanceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Everything a node observed, coalesced to the latest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Generation and hash of the assignment that the engine runs.
    pub generation: u64,
    pub hash: String,
    /// Whether the kernel shows what that assignment wants, as of this report: nothing is
    /// pending between the engine and the kernel.
    pub settled: bool,
    pub instances: Vec<InstanceReport>,
    pub checks: Vec<CheckReport>,
}

/// One instance on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceReport {
    pub name: Name,
    pub state: InstanceState,
    /// RFC 3339, wall clock of the node, when the state was entered.
    pub since: String,
    pub reason: String,
    pub priority: u8,
    pub effective_priority: u8,
    /// A former master that still serves during a handover: no second owner.
    pub holding: bool,
    /// Current master's address, as heard.
    pub master: Option<IpAddr>,
    /// Kernel truth: one entry for each configured address, in every state. An address without an
    /// entry is one that this agent says nothing about.
    pub addresses: Vec<AddressReport>,
    pub adverts_sent: u64,
    pub adverts_received: u64,
    /// Discard reason → count; zero counts are absent.
    pub discards: BTreeMap<String, u64>,
    /// Standing warnings, one line each.
    pub warnings: Vec<String>,
}

/// Whether one address is on its interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressReport {
    pub address: IpAddr,
    pub in_kernel: bool,
    /// In the kernel, but not put there by this agent: never leased, changed or removed.
    pub foreign: bool,
}

/// One check on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub name: Name,
    pub status: CheckStatus,
    /// `process nginx not running`.
    pub detail: String,
    /// RFC 3339.
    pub since: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// No first result yet.
    Pending,
    Up,
    Down,
}

/// A state change on one node. Never coalesced. `sequence` is per node and boot of the agent's
/// state dir: strictly increasing, kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransitionRecord {
    pub sequence: u64,
    /// RFC 3339 with nanoseconds, wall clock of the node.
    pub at: String,
    pub instance: Name,
    pub from: InstanceState,
    pub to: InstanceState,
    pub reason: String,
    pub effective_priority: u8,
    /// How many records before this one were lost because a bounded log was full.
    #[serde(default)]
    pub lost_before: u64,
}
