//! Instances that are nowhere any more. Their members let go of them in silence: a resignation
//! would have one that has not heard of the deletion yet take over. Pure.

use super::NodeView;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use vipfleet_model::{Definition, Definitions, Instance, Key, Name};

/// Deletions that a node may not have heard of yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Deletions(BTreeMap<Name, Deletion>);

/// One of them, as it was.
#[derive(Clone, Debug)]
pub(super) struct Deletion {
    members: BTreeSet<Name>,
    vrid: u8,
    addresses: BTreeSet<IpAddr>,
}

impl Deletion {
    /// Of what was deleted, unless it is no instance or goes on without us: a keepalived beside it
    /// is to hear that its master resigns.
    pub(super) fn of(key: &Key, before: Definition) -> Option<(Name, Self)> {
        let Definition::Instance { spec, .. } = before else { return None };
        let is_ours = spec.members.iter().all(|member| !member.external);
        let deletion = Self {
            members: spec.members.iter().map(|member| member.node.clone()).collect(),
            vrid: spec.virtual_router_id,
            addresses: addresses(&spec).collect(),
        };
        is_ours.then(|| (key.name.clone(), deletion))
    }

    /// Whether what is there takes up what the deleted one did: then somebody is to succeed.
    fn lives_on_in(&self, present: &Present<'_>) -> bool {
        let mut nodes = self.members.iter();
        self.addresses.iter().any(|it| present.addresses.contains(it))
            || nodes.any(|node| present.routers.contains(&(self.vrid, node)))
    }

    fn has(&self, node: &Name) -> bool {
        self.members.contains(node)
    }
}

impl Deletions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in what was deleted just now, and forgets what is defined again, lives on, or is
    /// reported by none of its members.
    pub(super) fn update(
        &mut self,
        deleted: Vec<(Name, Deletion)>,
        definitions: &Definitions,
        nodes: &BTreeMap<Name, Arc<NodeView>>,
    ) {
        let is_reported = |name: &Name, node: &Name| {
            let report = nodes.get(node).and_then(|node| node.report());
            report.is_some_and(|report| report.instances.iter().any(|it| it.name == *name))
        };
        self.0.retain(|name, it| it.members.iter().any(|node| is_reported(name, node)));
        self.0.extend(deleted);
        if !self.0.is_empty() {
            let present = Present::of(definitions);
            self.0.retain(|name, it| !present.names.contains(name) && !it.lives_on_in(&present));
        }
    }

    /// Those that this node was a member of.
    pub(super) fn of(&self, node: &Name) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(move |(_, it)| it.has(node)).map(|(name, _)| name)
    }
}

/// What all instances together have.
#[derive(Default)]
struct Present<'a> {
    names: BTreeSet<&'a Name>,
    addresses: BTreeSet<IpAddr>,
    /// Virtual router IDs, each on a node.
    routers: BTreeSet<(u8, &'a Name)>,
}

impl<'a> Present<'a> {
    fn of(definitions: &'a Definitions) -> Self {
        let mut present = Self::default();
        for (name, spec) in definitions.instances() {
            present.names.insert(name);
            present.addresses.extend(addresses(spec));
            let nodes = spec.members.iter().map(|member| &member.node);
            present.routers.extend(nodes.map(|node| (spec.virtual_router_id, node)));
        }
        present
    }
}

fn addresses(instance: &Instance) -> impl Iterator<Item = IpAddr> {
    let all = instance.virtual_addresses.iter().chain(&instance.excluded_addresses);
    all.map(|it| it.address.addr())
}
