//! Who has each virtual address, and is that as it should be? Called by the server for every
//! status it shows; pure, so that replicas with the same reports agree.
//!
//! Only what a connected agent reports from its kernel is evidence. A member that holds on to
//! the addresses during a handover is no second owner. Health of one address, the first that
//! applies:
//!
//! * `two-owners`: two members have it in the kernel and neither is handing over;
//! * `unknown`: nobody who reports has it, and a member who might have it says nothing of it;
//! * `no-owner`: nobody has it, and every member says so;
//! * `degraded`: one member has it or is handing it over, but a member is in FAULT or INIT,
//!   silent, behind its assignment or not settled, or a kernel disagrees with its engine;
//! * `unknown` again: one member has it, but after a server start the others have not had the
//!   time to report;
//! * `ok`: one member has it, and every other stands ready.
//!
//! An instance is as healthy as its worst address. In an election without addresses the same is
//! said of the mastership, by the states that members report. Absent: clocks; the server says who
//! is silent.

use crate::instance::{Instance, Member};
use crate::moves::{Moves, SwitchoverStatus};
use crate::name::Name;
use crate::report::{AddressReport, InstanceReport, InstanceState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

mod verdict;

use verdict::Prize;

/// Health of an address or an instance, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    Ok,
    Degraded,
    Unknown,
    NoOwner,
    TwoOwners,
}

impl Health {
    /// As JSON and tables write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::NoOwner => "no-owner",
            Self::TwoOwners => "two-owners",
        }
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether we hear from a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    Connected,
    /// The server has just started: no verdict before one liveness interval.
    Awaited,
    #[default]
    Silent,
}

/// What is sent to a node, what it took, what its kernel shows. Zero: none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generations {
    /// That of the assignment the node should run.
    pub desired: u64,
    pub accepted: u64,
    pub observed: u64,
}

impl Generations {
    /// Whether the node's kernel shows what is desired.
    pub fn converged(&self) -> bool {
        self.observed >= self.desired
    }
}

/// What the server knows of one member's node.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    pub link: Link,
    pub generation: Generations,
    /// [`crate::NodeReport::settled`] of the latest report.
    pub settled: bool,
    /// The latest report about this instance.
    pub report: Option<&'a InstanceReport>,
}

/// One instance as `get instances` shows it. Field names are a contract of scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    pub name: Name,
    pub virtual_router_id: u8,
    pub version: u8,
    pub virtual_addresses: Vec<String>,
    /// That the definition was last changed in.
    pub revision: u64,
    pub members: Vec<MemberStatus>,
    /// Nodes with an address in their kernel, those that hand over left out.
    pub owners: Vec<Name>,
    /// The one owner.
    pub owner: Option<Name>,
    pub health: Health,
    /// Why it is not ok, one line each.
    pub problems: Vec<String>,
    pub addresses: Vec<AddressStatus>,
    /// The planned move in force; `null` without one.
    #[serde(default)]
    pub switchover: Option<SwitchoverStatus>,
}

/// One virtual address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressStatus {
    pub address: IpAddr,
    pub owners: Vec<Name>,
    pub owner: Option<Name>,
    pub health: Health,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    pub node: Name,
    pub interface: String,
    /// Base priority of the definition.
    pub priority: u8,
    /// `null` while the member says nothing.
    pub effective_priority: Option<u8>,
    pub state: InstanceState,
    pub generation: Generations,
    /// RFC 3339.
    pub since: Option<String>,
    pub reason: String,
    pub holding: bool,
    pub link: Link,
    pub external: bool,
    pub settled: bool,
    /// Kernel truth.
    pub addresses: Vec<AddressReport>,
    pub warnings: Vec<String>,
    /// The node is drained: it serves only when nobody else does.
    #[serde(default)]
    pub drained: bool,
}

impl InstanceStatus {
    /// With the planned moves that concern it.
    #[must_use]
    pub fn moved(mut self, moves: &Moves<'_>) -> Self {
        self.switchover = moves.switchover(&self.name).map(|(named, it)| SwitchoverStatus {
            instance: named.clone(),
            to: it.to.clone(),
            order: it.order.clone(),
        });
        for member in &mut self.members {
            member.drained = moves.drain(&member.node).is_some();
        }
        self
    }

    /// The status that the evidence supports. A member without evidence is silent.
    pub fn of(
        name: &Name,
        spec: &Instance,
        revision: u64,
        evidence: &BTreeMap<Name, Evidence<'_>>,
    ) -> Self {
        let members = spec.members.iter().map(|member| {
            let known = evidence.get(&member.node).cloned().unwrap_or_default();
            if member.external { heard(member, evidence) } else { reported(member, &known) }
        });
        let members = members.collect::<Vec<_>>();
        let problems = verdict::problems(&members);
        let judged = spec.virtual_addresses.iter().map(|vip| {
            let prize = Prize::Address(vip.ip());
            let owners = verdict::owners(&members, prize);
            let health = verdict::health(&members, prize, &owners, &problems);
            AddressStatus { address: vip.ip(), owner: only(&owners), owners, health }
        });
        let addresses = judged.collect::<Vec<_>>();
        let mut owners = Vec::new();
        for member in &members {
            if addresses.iter().any(|it| it.owners.contains(&member.node)) {
                owners.push(member.node.clone());
            }
        }
        let mut health = addresses.iter().map(|it| it.health).max().unwrap_or(Health::Unknown);
        let mut problems = verdict::explain(problems, &addresses);
        if spec.virtual_addresses.is_empty() {
            owners = verdict::owners(&members, Prize::Mastership);
            health = verdict::health(&members, Prize::Mastership, &owners, &problems);
            problems.splice(0..0, verdict::explain_election(health, &owners));
        }
        Self {
            name: name.clone(),
            virtual_router_id: spec.virtual_router_id,
            version: spec.version,
            virtual_addresses: spec.virtual_addresses.iter().map(ToString::to_string).collect(),
            revision,
            owner: only(&owners),
            owners,
            health,
            problems,
            addresses,
            members,
            switchover: None,
        }
    }

    /// Members whose kernel does not show what is desired; a `--wait` waits for none.
    pub fn behind(&self) -> impl Iterator<Item = &MemberStatus> {
        let there = |member: &MemberStatus| {
            let done = member.link == Link::Connected && member.settled;
            member.external || (done && member.generation.converged())
        };
        self.members.iter().filter(move |member| !there(member))
    }
}

fn only(owners: &[Name]) -> Option<Name> {
    match owners {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn reported(member: &Member, known: &Evidence<'_>) -> MemberStatus {
    let report = known.report.filter(|_| known.link == Link::Connected);
    let silence = match known.link {
        Link::Connected => "connected, no report about this instance yet",
        Link::Awaited => "waiting to hear of its agent",
        Link::Silent => "its agent is not connected",
    };
    MemberStatus {
        node: member.node.clone(),
        interface: member.interface.clone(),
        priority: member.priority,
        effective_priority: report.map(|it| it.effective_priority),
        state: report.map(|it| it.state).unwrap_or_default(),
        generation: known.generation,
        since: report.map(|it| it.since.clone()),
        reason: report.map_or_else(|| silence.to_owned(), |it| it.reason.clone()),
        holding: report.is_some_and(|it| it.holding),
        link: known.link,
        external: false,
        settled: report.is_some() && known.settled,
        addresses: report.map(|it| it.addresses.clone()).unwrap_or_default(),
        warnings: report.map(|it| it.warnings.clone()).unwrap_or_default(),
        drained: false,
    }
}

/// A host without an agent: all we know of it is whose adverts the others hear.
fn heard(member: &Member, evidence: &BTreeMap<Name, Evidence<'_>>) -> MemberStatus {
    let hears = |(_, it): &(&Name, &Evidence<'_>)| {
        let report = it.report.filter(|_| it.link == Link::Connected);
        let backup = report.filter(|report| report.state == InstanceState::Backup);
        member.address.is_some() && backup.and_then(|report| report.master) == member.address
    };
    let witness = evidence.iter().find(hears).map(|(node, _)| node);
    let (state, reason) = match witness {
        Some(node) => (InstanceState::Master, format!("external; {node} hears its adverts")),
        None => (InstanceState::Unknown, "external: it has no agent".to_owned()),
    };
    MemberStatus {
        node: member.node.clone(),
        interface: member.interface.clone(),
        priority: member.priority,
        effective_priority: None,
        state,
        generation: Generations::default(),
        since: None,
        reason,
        holding: false,
        link: Link::Silent,
        external: true,
        settled: false,
        addresses: Vec::new(),
        warnings: Vec::new(),
        drained: false,
    }
}
