//! Assignments, server to agent. Nothing here has a default: what the server left out, the agent
//! must not guess.

use crate::field::{
    all, choice, duration, each, ip, name, number, optional, optional_choice, repeated, required,
    span,
};
use crate::{Malformed, v1};
use vipfleet_model::Assignment;
use vipfleet_model::assignment::{AssignedGroup, AssignedInstance, AssignedMember};

impl From<Assignment> for v1::Assignment {
    fn from(Assignment { instances, checks, sync_groups }: Assignment) -> Self {
        Self { instances: all(instances), checks: all(checks), sync_groups: all(sync_groups) }
    }
}

impl TryFrom<v1::Assignment> for Assignment {
    type Error = Malformed;

    fn try_from(wire: v1::Assignment) -> Result<Self, Malformed> {
        let v1::Assignment { instances, checks, sync_groups } = wire;
        Ok(Self {
            instances: repeated(instances, "instances")?,
            checks: repeated(checks, "checks")?,
            sync_groups: repeated(sync_groups, "sync_groups")?,
        })
    }
}

impl From<AssignedGroup> for v1::AssignedGroup {
    fn from(AssignedGroup { name, instances, notify }: AssignedGroup) -> Self {
        Self { name: name.into(), instances: all(instances), notify: all(notify) }
    }
}

impl TryFrom<v1::AssignedGroup> for AssignedGroup {
    type Error = Malformed;

    fn try_from(wire: v1::AssignedGroup) -> Result<Self, Malformed> {
        Ok(Self {
            name: name(wire.name, "name")?,
            instances: each(wire.instances, "instances", |it| name(it, "name"))?,
            notify: repeated(wire.notify, "notify")?,
        })
    }
}

impl From<AssignedInstance> for v1::AssignedInstance {
    fn from(it: AssignedInstance) -> Self {
        Self {
            name: it.name.into(),
            virtual_router_id: it.virtual_router_id.into(),
            version: it.version.into(),
            interface: it.interface,
            priority: it.priority.into(),
            virtual_addresses: all(it.virtual_addresses),
            excluded_addresses: all(it.excluded_addresses),
            advert_interval: duration(it.advert_interval),
            preempt: it.preempt,
            preempt_delay: duration(it.preempt_delay),
            startup_delay: duration(it.startup_delay),
            recover_delay: duration(it.recover_delay),
            takeover: v1::Takeover::from(it.takeover).into(),
            down_adverts: it.down_adverts.into(),
            authentication: Some(it.authentication.into()),
            checksum: v1::Checksum::from(it.checksum).into(),
            transport: v1::Transport::from(it.transport).into(),
            members_only: it.members_only,
            garp: Some(it.garp.into()),
            virtual_mac: it.virtual_mac,
            members: all(it.members),
            members_complete: it.members_complete,
            source_address: it.source_address.map(|address| address.to_string()),
            track: all(it.track),
            notify: all(it.notify),
            priority_offset: it.priority_offset.into(),
            virtual_routes: all(it.virtual_routes),
            virtual_rules: all(it.virtual_rules),
            election_only: it.election_only.map(|family| v1::Family::from(family).into()),
            planned_move: it.planned_move.map(Into::into),
        }
    }
}

impl TryFrom<v1::AssignedInstance> for AssignedInstance {
    type Error = Malformed;

    fn try_from(wire: v1::AssignedInstance) -> Result<Self, Malformed> {
        let source_address = wire.source_address.map(|address| ip(&address, "source_address"));
        Ok(Self {
            name: name(wire.name, "name")?,
            virtual_router_id: number(wire.virtual_router_id, "virtual_router_id")?,
            version: number(wire.version, "version")?,
            interface: wire.interface,
            priority: number(wire.priority, "priority")?,
            virtual_addresses: repeated(wire.virtual_addresses, "virtual_addresses")?,
            excluded_addresses: repeated(wire.excluded_addresses, "excluded_addresses")?,
            advert_interval: span(wire.advert_interval, "advert_interval")?,
            preempt: wire.preempt,
            preempt_delay: span(wire.preempt_delay, "preempt_delay")?,
            startup_delay: span(wire.startup_delay, "startup_delay")?,
            recover_delay: span(wire.recover_delay, "recover_delay")?,
            takeover: choice::<v1::Takeover, _>(wire.takeover, "takeover")?,
            down_adverts: number(wire.down_adverts, "down_adverts")?,
            authentication: required(wire.authentication, "authentication")?,
            checksum: choice::<v1::Checksum, _>(wire.checksum, "checksum")?,
            transport: choice::<v1::Transport, _>(wire.transport, "transport")?,
            members_only: wire.members_only,
            garp: required(wire.garp, "garp")?,
            virtual_mac: wire.virtual_mac,
            members: repeated(wire.members, "members")?,
            members_complete: wire.members_complete,
            source_address: source_address.transpose()?,
            track: repeated(wire.track, "track")?,
            notify: repeated(wire.notify, "notify")?,
            priority_offset: number(wire.priority_offset, "priority_offset")?,
            virtual_routes: repeated(wire.virtual_routes, "virtual_routes")?,
            virtual_rules: repeated(wire.virtual_rules, "virtual_rules")?,
            election_only: optional_choice::<v1::Family, _>(wire.election_only, "election_only")?,
            planned_move: optional(wire.planned_move, "planned_move")?,
        })
    }
}

impl From<AssignedMember> for v1::AssignedMember {
    fn from(AssignedMember { node, address, priority, external, this }: AssignedMember) -> Self {
        Self {
            node: node.map(Into::into),
            address: address.map(|address| address.to_string()),
            priority: priority.into(),
            external,
            this_node: this,
        }
    }
}

impl TryFrom<v1::AssignedMember> for AssignedMember {
    type Error = Malformed;

    fn try_from(wire: v1::AssignedMember) -> Result<Self, Malformed> {
        let v1::AssignedMember { node, address, priority, external, this_node } = wire;
        Ok(Self {
            node: node.map(|node| name(node, "node")).transpose()?,
            address: address.map(|address| ip(&address, "address")).transpose()?,
            priority: number(priority, "priority")?,
            external,
            this: this_node,
        })
    }
}
