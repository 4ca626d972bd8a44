//! From definitions, planned moves and node facts to what each node must run. Called by the server
//! whenever any of them changes; pure and deterministic, so that replicas agree without talking.
//!
//! Absent: generations (they travel beside an assignment), and any idea of which node is alive:
//! placement never takes a VIP away from a silent node.

use crate::assignment::{AssignedGroup, AssignedInstance, AssignedMember, Assignment};
use crate::check::NamedCheck;
use crate::definition::Definitions;
use crate::instance::{Instance, Member, Track};
use crate::moves::Moves;
use crate::name::Name;
use crate::node::{NodeFacts, advert_source};
use crate::sync_group::SyncGroup;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The assignment of every node that has facts or is a member of an instance; empty where
/// nothing runs. A member that is `external` runs nothing of ours.
pub fn place(
    definitions: &Definitions,
    facts: &BTreeMap<Name, NodeFacts>,
) -> BTreeMap<Name, Assignment> {
    let mut instances = facts
        .keys()
        .map(|node| (node.clone(), Vec::new()))
        .collect::<BTreeMap<Name, Vec<AssignedInstance>>>();
    let orders = Orders::of(definitions);
    for (name, instance) in definitions.instances() {
        let members = members(instance, facts);
        for (index, member) in instance.members.iter().enumerate() {
            if !member.external {
                let assigned = assigned(&orders, name, instance, &members, index);
                instances.entry(member.node.clone()).or_default().push(assigned);
            }
        }
    }
    let finish = |(node, instances)| (node, finished(&orders, instances));
    instances.into_iter().map(finish).collect()
}

/// The assignment of one node: what [`place`] gives for it.
pub fn place_node(
    definitions: &Definitions,
    facts: &BTreeMap<Name, NodeFacts>,
    node: &Name,
) -> Assignment {
    let mut instances = Vec::new();
    let orders = Orders::of(definitions);
    for (name, instance) in definitions.instances() {
        let here = |member: &&Member| member.node == *node && !member.external;
        if instance.members.iter().any(|member| here(&member)) {
            let members = members(instance, facts);
            for (index, _) in instance.members.iter().enumerate().filter(|(_, it)| here(it)) {
                instances.push(assigned(&orders, name, instance, &members, index));
            }
        }
    }
    finished(&orders, instances)
}

/// The address that a member's adverts come from: the operator's word, else what the node's
/// agent chooses on that interface ([`advert_source`]).
pub fn member_address(
    instance: &Instance,
    member: &Member,
    facts: &BTreeMap<Name, NodeFacts>,
) -> Option<IpAddr> {
    member.address.or_else(|| {
        let family = instance.family()?.into();
        let interface = facts.get(&member.node)?.interface(&member.interface)?;
        advert_source(&interface.addresses, family, instance.transport)
    })
}

/// Tracked by this member: the instance's list, then its own; where both name a check, its own
/// entry counts. A name that no Check has is left out: [`crate::validate`] refuses it.
fn tracked(definitions: &Definitions, instance: &Instance, member: &Member) -> Vec<Track> {
    let mut tracks = Vec::<Track>::new();
    for track in instance.track.iter().chain(&member.track) {
        if definitions.check(&track.check).is_none() {
            continue;
        }
        match tracks.iter_mut().find(|it| it.check == track.check) {
            Some(earlier) => *earlier = track.clone(),
            None => tracks.push(track.clone()),
        }
    }
    tracks
}

fn members(instance: &Instance, facts: &BTreeMap<Name, NodeFacts>) -> Vec<AssignedMember> {
    let member = |member: &Member| AssignedMember {
        node: Some(member.node.clone()),
        address: member_address(instance, member, facts),
        priority: member.priority,
        external: member.external,
        this: false,
    };
    instance.members.iter().map(member).collect()
}

/// What an operator wants: declared, and ordered for the time being.
struct Orders<'d> {
    definitions: &'d Definitions,
    moves: Moves<'d>,
    /// Looked up once: every node asks, and there may be thousands of instances around them.
    sync_groups: Vec<(&'d Name, &'d SyncGroup)>,
}

impl<'d> Orders<'d> {
    fn of(definitions: &'d Definitions) -> Self {
        let sync_groups = definitions.sync_groups().collect();
        Self { definitions, moves: Moves::of(definitions), sync_groups }
    }
}

fn assigned(
    orders: &Orders<'_>,
    name: &Name,
    instance: &Instance,
    members: &[AssignedMember],
    index: usize,
) -> AssignedInstance {
    let member = &instance.members[index];
    let mut members = members.to_vec();
    members[index].this = true;
    AssignedInstance {
        name: name.clone(),
        virtual_router_id: instance.virtual_router_id,
        version: instance.version,
        interface: member.interface.clone(),
        priority: member.priority,
        priority_offset: member.priority_offset,
        virtual_addresses: instance.virtual_addresses.clone(),
        excluded_addresses: instance.excluded_addresses.clone(),
        election_only: instance.election_only,
        virtual_routes: instance.virtual_routes.clone(),
        virtual_rules: instance.virtual_rules.clone(),
        advert_interval: instance.advert_interval,
        preempt: instance.preempt,
        preempt_delay: instance.preempt_delay,
        startup_delay: instance.startup_delay,
        recover_delay: instance.recover_delay,
        takeover: instance.takeover,
        down_adverts: instance.down_adverts,
        authentication: instance.authentication.clone(),
        checksum: instance.checksum,
        transport: instance.transport,
        members_only: instance.members_only,
        garp: instance.garp.clone(),
        virtual_mac: instance.virtual_mac,
        members,
        members_complete: true,
        source_address: member.address,
        track: tracked(orders.definitions, instance, member),
        notify: instance.notify.clone(),
        planned_move: orders.moves.assigned(name, &member.node),
    }
}

/// Instances come in order of their names, since definitions are kept so.
fn finished(orders: &Orders<'_>, mut instances: Vec<AssignedInstance>) -> Assignment {
    let sync_groups = orders.sync_groups.iter();
    let sync_groups = sync_groups.filter_map(|(name, group)| joined(name, group, &mut instances));
    let sync_groups = sync_groups.collect();
    let names = instances
        .iter()
        .flat_map(|instance| instance.track.iter().map(|track| &track.check))
        .collect::<BTreeSet<_>>();
    let named = |name: &Name| {
        Some(NamedCheck { name: name.clone(), spec: orders.definitions.check(name)?.clone() })
    };
    let checks = names.into_iter().filter_map(named).collect();
    Assignment { instances, checks, sync_groups }
}

/// A group as this node runs it: its instances track the same checks, so that what weakens one
/// weakens all and no two of them pull in different directions. `None` where fewer than two run.
pub(crate) fn joined(
    name: &Name,
    group: &SyncGroup,
    instances: &mut [AssignedInstance],
) -> Option<AssignedGroup> {
    let mut here = Vec::new();
    let mut tracks = Vec::<Track>::new();
    for instance in &group.instances {
        let Some(assigned) = instances.iter().find(|it| it.name == *instance) else { continue };
        here.push(instance.clone());
        for track in &assigned.track {
            if tracks.iter().all(|it| it.check != track.check) {
                tracks.push(track.clone());
            }
        }
    }
    if here.len() < 2 {
        return None;
    }
    for assigned in instances.iter_mut().filter(|it| here.contains(&it.name)) {
        assigned.track.clone_from(&tracks);
    }
    Some(AssignedGroup { name: name.clone(), instances: here, notify: group.notify.clone() })
}
