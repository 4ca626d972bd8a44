//! Whether a planned move may be made now: judged by the server against what the fleet reports.
//! Pure. What could be mended by waiting may be forced; what contradicts the definitions may not.

use super::{Moves, fellows};
use crate::definition::Definitions;
use crate::finding::{Finding, Findings, Place, Severity};
use crate::instance::Instance;
use crate::name::Name;
use crate::node::NodeStatus;
use crate::ownership::{InstanceStatus, Link, MemberStatus};
use crate::report::{CheckStatus, InstanceState};

/// Above every priority that yields to a lead on the wire.
const LEAST_UNYIELDING: u8 = 254;

/// What is known of the fleet when the order comes.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'f> {
    pub definitions: &'f Definitions,
    pub instances: &'f [InstanceStatus],
    pub nodes: &'f [NodeStatus],
}

/// Whether the operator insists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    Yes,
    No,
}

impl Force {
    fn severity(self) -> Severity {
        match self {
            Self::Yes => Severity::Warning,
            Self::No => Severity::Error,
        }
    }
}

impl Sight<'_> {
    /// Whether the member on `to` may be made to serve the instance and its sync group.
    pub fn switchover(&self, instance: &Name, to: &Name, force: Force) -> Findings {
        let mut findings = Findings::default();
        if self.definitions.instance(instance).is_none() {
            let remedy = "list them with `vipctl get instances`";
            findings.push(error("unknown-instance", instance, "there is no such instance", remedy));
            return findings;
        }
        for name in fellows(self.definitions, instance) {
            let Some(spec) = self.definitions.instance(name) else { continue };
            let impossible = impossible(name, spec, to);
            let is_possible = impossible.is_none();
            findings.0.extend(impossible);
            if let Some(cause) = self.unfit(name, spec, to).filter(|_| is_possible) {
                let remedy = format!("mend {to}, or insist with --force");
                let finding = error("target-unfit", name, cause, remedy);
                findings.push(Finding { severity: force.severity(), ..finding });
            }
        }
        if Moves::of(self.definitions).drain(to).is_some() {
            let remedy = format!("`vipctl uncordon {to}` first");
            findings.push(error("target-drained", instance, format!("{to} is drained"), remedy));
        }
        findings
    }

    /// Whether all that a node serves can go elsewhere.
    pub fn drain(&self, node: &Name, force: Force) -> Findings {
        let mut findings = Findings::default();
        let here = |spec: &Instance| spec.member(node).is_some_and(|member| !member.external);
        let on_it = self.definitions.instances().filter(|(_, spec)| here(spec));
        let on_it = on_it.collect::<Vec<_>>();
        if on_it.is_empty() && !self.nodes.iter().any(|it| it.name == *node) {
            let remedy = "list them with `vipctl get nodes`";
            findings.push(error("unknown-node", node, "there is no such node", remedy));
        }
        for (name, spec) in on_it {
            if spec.member(node).is_some_and(|member| member.priority == 255) {
                let cause = format!("{node} owns the addresses of {name} (priority 255)");
                let remedy = "give it a priority below 255: an owner serves whenever it can";
                findings.push(error("owner", name, cause, remedy));
                continue;
            }
            let Some(status) = self.status(name) else { continue };
            if let Some(cause) = self.stranded(status, spec, node) {
                let remedy = "mend one of them, or insist with --force";
                let finding = error("no-successor", name, cause, remedy);
                findings.push(Finding { severity: force.severity(), ..finding });
            }
        }
        findings
    }

    /// Why nobody could take over what the node serves; `None` if somebody could, or another
    /// serves already.
    fn stranded(&self, status: &InstanceStatus, spec: &Instance, node: &Name) -> Option<String> {
        if status.owners.iter().any(|owner| owner != node) && !status.owners.contains(node) {
            return None;
        }
        let moves = Moves::of(self.definitions);
        let mut causes = Vec::new();
        for other in spec.members.iter().filter(|member| member.node != *node) {
            let cause = match (other.external, moves.drain(&other.node)) {
                (true, _) => Some(format!("{} is external: nobody knows its state", other.node)),
                (false, Some(_)) => Some(format!("{} is drained itself", other.node)),
                (false, None) => self.unfit_for_all(&status.name, &other.node),
            };
            causes.push(cause?);
        }
        Some(match causes.is_empty() {
            true => format!("{node} is its only member"),
            false => format!("nobody could take it over from {node}: {}", causes.join("; ")),
        })
    }

    fn unfit_for_all(&self, instance: &Name, node: &Name) -> Option<String> {
        fellows(self.definitions, instance).into_iter().find_map(|name| {
            let spec = self.definitions.instance(name)?;
            self.unfit(name, spec, node)
        })
    }

    fn status(&self, instance: &Name) -> Option<&InstanceStatus> {
        self.instances.iter().find(|status| status.name == *instance)
    }

    /// Why a member could not take the instance over now.
    fn unfit(&self, instance: &Name, spec: &Instance, node: &Name) -> Option<String> {
        let member = self.status(instance)?.members.iter().find(|it| it.node == *node)?;
        let cause = match member.link {
            Link::Connected => ill(member, spec),
            Link::Awaited => Some("has not been heard of since the server's start".to_owned()),
            Link::Silent => Some("is not connected".to_owned()),
        };
        let cause = cause.or_else(|| self.failing(spec, node)).or_else(|| {
            let offset = spec.member(node)?.priority_offset;
            (offset < 0).then(|| format!("is turned down by a priority offset of {offset}"))
        });
        cause.map(|cause| format!("{node} {cause}"))
    }

    /// A tracked check that is not well, whatever its weight.
    fn failing(&self, spec: &Instance, node: &Name) -> Option<String> {
        let status = self.nodes.iter().find(|it| it.name == *node)?;
        let member = spec.member(node)?;
        let tracks = member.track.iter().chain(&spec.track);
        tracks.filter(|track| self.definitions.check(&track.check).is_some()).find_map(|track| {
            let check = status.checks.iter().find(|it| it.name == track.check);
            match (check.map(|it| it.status), track.reverse) {
                (Some(CheckStatus::Up), false) | (Some(CheckStatus::Down), true) => None,
                (Some(CheckStatus::Up | CheckStatus::Down), _) => {
                    let detail = check.map(|it| it.detail.as_str()).unwrap_or_default();
                    Some(format!("has a failed check: {}: {detail}", track.check))
                }
                (Some(CheckStatus::Pending) | None, _) => {
                    Some(format!("has no result of check {} yet", track.check))
                }
            }
        })
    }
}

/// What no waiting mends.
fn impossible(name: &Name, spec: &Instance, to: &Name) -> Option<Finding> {
    let nodes = spec.members.iter().map(|member| member.node.as_str()).collect::<Vec<_>>();
    let Some(member) = spec.member(to) else {
        let remedy = format!("its members are {}", nodes.join(", "));
        return Some(error("not-a-member", name, format!("{to} is no member of {name}"), remedy));
    };
    if member.external {
        let remedy = "move it with its own configuration";
        return Some(error("external-member", name, format!("{to} is external to us"), remedy));
    }
    if let Some(owner) = spec.members.iter().find(|member| member.priority == 255) {
        let cause = format!("{} owns the addresses of {name} (priority 255)", owner.node);
        let remedy = "give it a priority below 255: an owner serves whenever it can";
        return Some(error("owner", name, cause, remedy));
    }
    let unyielding = |it: &&crate::instance::Member| it.external && it.priority >= LEAST_UNYIELDING;
    let other = spec.members.iter().find(unyielding)?;
    let cause = format!("{} is external and has priority {}", other.node, other.priority);
    Some(error("unyielding-member", name, cause, "give it a priority below 254"))
}

/// What a member that is heard says against it.
fn ill(member: &MemberStatus, spec: &Instance) -> Option<String> {
    match member.state {
        InstanceState::Fault | InstanceState::Init | InstanceState::Unknown => {
            return Some(format!("is in {}: {}", member.state, member.reason));
        }
        InstanceState::Master | InstanceState::Backup => {}
    }
    if !member.generation.converged() || !member.settled {
        return Some("has yet to take its last assignment into its kernel".to_owned());
    }
    let known = |vip: std::net::IpAddr| member.addresses.iter().any(|it| it.address == vip);
    let unknown = spec.virtual_addresses.iter().find(|vip| !known(vip.ip()))?;
    Some(format!("does not say whether {} is in its kernel", unknown.ip()))
}

fn error(
    rule: &str,
    document: &Name,
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    let place = Place { document: Some(document.to_string()), ..Place::default() };
    Finding::error(rule, place, message, remedy)
}
