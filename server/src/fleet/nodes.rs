//! What the view says of nodes: their status, and how far a revision got on them.

use super::{Desired, NodeView, View};
use std::collections::BTreeSet;
use vipfleet_model::Name;
use vipfleet_model::node::{NodeStatus, Rejection};
use vipfleet_model::ownership::Link;

/// One node on the way to a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProgress {
    pub node: Name,
    pub connected: bool,
    pub accepted: bool,
    pub observed: bool,
    /// Why it refused what it should run.
    pub rejected: Option<String>,
}

impl View {
    /// Every node that ever said Hello.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.node_views().map(|(name, _)| self.node_status(name)).collect()
    }

    fn node_status(&self, name: &Name) -> NodeStatus {
        let node = self.node(name);
        let record = node.and_then(|node| node.record.as_ref());
        let report = node.and_then(|node| node.report());
        let connected = self.link(name) == Link::Connected;
        let drain = self.definitions.drains().find(|(node, _)| *node == name);
        let interfaces = self.facts.get(name).map(|facts| facts.interfaces.clone());
        NodeStatus {
            name: name.clone(),
            connected,
            connected_since: record.filter(|_| connected).map(|it| it.connected_since.clone()),
            replica: record.filter(|_| connected).map(|it| it.replica.clone()),
            agent_version: record.map(|it| it.agent_version.clone()),
            boot_id: record.map(|it| it.boot_id.clone()),
            generation: self.generations(name),
            rejected: self.rejection(name),
            settled: report.is_some_and(|report| report.settled),
            interfaces: interfaces.unwrap_or_default(),
            checks: report.map(|report| report.checks.clone()).unwrap_or_default(),
            last_report: node.and_then(|it| it.last_report()).map(str::to_owned),
            drain: drain.map(|(_, it)| it.order.clone()),
        }
    }

    fn link(&self, name: &Name) -> Link {
        self.node(name).map_or(Link::Silent, |node| node.link)
    }

    /// A refusal of what the node should run now; older refusals are history.
    fn rejection(&self, name: &Name) -> Option<Rejection> {
        let (node, desired) = (self.node(name)?, self.desired(name)?);
        if let Some(reason) = fenced(node, desired) {
            let generation = desired.generation.0;
            return Some(Rejection { generation, field_path: String::new(), reason });
        }
        let rejected = node.rejected().filter(|it| it.hash == desired.hash())?;
        Some(Rejection {
            generation: rejected.generation,
            field_path: rejected.field_path.clone(),
            reason: rejected.reason.clone(),
        })
    }

    /// How far the present definitions got on the members of these instances (of all, when none
    /// is named). An instance that is gone has to be gone from every node that reported it.
    pub fn convergence(&self, instances: &[Name]) -> Vec<NodeProgress> {
        let wanted = |name: &Name| instances.is_empty() || instances.contains(name);
        let mut nodes = BTreeSet::new();
        for (_, spec) in self.definitions.instances().filter(|(name, _)| wanted(name)) {
            let managed = spec.members.iter().filter(|member| !member.external);
            nodes.extend(managed.map(|member| member.node.clone()));
        }
        for (name, node) in self.node_views() {
            // Who has not said yet what it runs may run it still.
            let runs = match node.report() {
                Some(report) => report.instances.iter().any(|instance| wanted(&instance.name)),
                None => node.link == Link::Connected,
            };
            if runs {
                nodes.insert(name.clone());
            }
        }
        nodes.into_iter().map(|node| self.progress(node)).collect()
    }

    fn progress(&self, node: Name) -> NodeProgress {
        let generation = self.generations(&node);
        let connected = self.link(&node) == Link::Connected;
        let is_placed = self.desired(&node).is_some();
        let rejected = self.rejection(&node).map(|it| match it.field_path.as_str() {
            "" => it.reason,
            path => format!("{path}: {}", it.reason),
        });
        NodeProgress {
            connected,
            accepted: connected && is_placed && generation.accepted == generation.desired,
            observed: connected && is_placed && generation.observed == generation.desired,
            rejected,
            node,
        }
    }
}

/// Why a node that runs something newer than this store has is told nothing.
fn fenced(node: &NodeView, desired: &Desired) -> Option<String> {
    let runs = node.accepted_generation();
    let is_newer = runs > desired.generation.0;
    (is_newer && node.accepted_hash() != Some(desired.hash())).then(|| {
        format!(
            "it runs generation {runs}, which is newer than this store; if the store was restored \
             from a backup, stop every server and run `vipfleet-server raise-epoch`"
        )
    })
}
