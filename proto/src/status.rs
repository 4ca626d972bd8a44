//! Status of instances and nodes, as a server answers it and vipctl shows it.

use crate::field::{all, choice, each, ip, mirrored, name, number, optional, repeated, required};
use crate::{Malformed, v1};
use vipfleet_model::Name;
use vipfleet_model::node::{NodeStatus, Rejection};
use vipfleet_model::ownership::{
    AddressStatus, Generations, Health, InstanceStatus, Link, MemberStatus,
};

mirrored!(Health, v1::Health, Ok, Degraded, Unknown, NoOwner, TwoOwners);
mirrored!(Link, v1::Link, Connected, Awaited, Silent);

impl From<InstanceStatus> for v1::InstanceStatus {
    fn from(it: InstanceStatus) -> Self {
        Self {
            name: it.name.into(),
            virtual_router_id: it.virtual_router_id.into(),
            version: it.version.into(),
            virtual_addresses: it.virtual_addresses,
            revision: it.revision,
            members: all(it.members),
            owners: all(it.owners),
            owner: it.owner.map(Into::into),
            health: v1::Health::from(it.health).into(),
            problems: it.problems,
            addresses: all(it.addresses),
            switchover: it.switchover.map(Into::into),
        }
    }
}

impl TryFrom<v1::InstanceStatus> for InstanceStatus {
    type Error = Malformed;

    fn try_from(wire: v1::InstanceStatus) -> Result<Self, Malformed> {
        Ok(Self {
            name: name(wire.name, "name")?,
            virtual_router_id: number(wire.virtual_router_id, "virtual_router_id")?,
            version: number(wire.version, "version")?,
            virtual_addresses: wire.virtual_addresses,
            revision: wire.revision,
            members: repeated(wire.members, "members")?,
            owners: names(wire.owners, "owners")?,
            owner: wire.owner.map(|owner| name(owner, "owner")).transpose()?,
            health: choice::<v1::Health, _>(wire.health, "health")?,
            problems: wire.problems,
            addresses: repeated(wire.addresses, "addresses")?,
            switchover: optional(wire.switchover, "switchover")?,
        })
    }
}

impl From<AddressStatus> for v1::AddressStatus {
    fn from(it: AddressStatus) -> Self {
        Self {
            address: it.address.to_string(),
            owners: all(it.owners),
            owner: it.owner.map(Into::into),
            health: v1::Health::from(it.health).into(),
        }
    }
}

impl TryFrom<v1::AddressStatus> for AddressStatus {
    type Error = Malformed;

    fn try_from(wire: v1::AddressStatus) -> Result<Self, Malformed> {
        Ok(Self {
            address: ip(&wire.address, "address")?,
            owners: names(wire.owners, "owners")?,
            owner: wire.owner.map(|owner| name(owner, "owner")).transpose()?,
            health: choice::<v1::Health, _>(wire.health, "health")?,
        })
    }
}

impl From<MemberStatus> for v1::MemberStatus {
    fn from(it: MemberStatus) -> Self {
        Self {
            node: it.node.into(),
            interface: it.interface,
            priority: it.priority.into(),
            effective_priority: it.effective_priority.map(Into::into),
            state: v1::InstanceState::from(it.state).into(),
            generation: Some(it.generation.into()),
            since: it.since,
            reason: it.reason,
            holding: it.holding,
            link: v1::Link::from(it.link).into(),
            external: it.external,
            settled: it.settled,
            addresses: all(it.addresses),
            warnings: it.warnings,
            drained: it.drained,
        }
    }
}

impl TryFrom<v1::MemberStatus> for MemberStatus {
    type Error = Malformed;

    fn try_from(wire: v1::MemberStatus) -> Result<Self, Malformed> {
        let effective = wire.effective_priority;
        let effective = effective.map(|priority| number(priority, "effective_priority"));
        Ok(Self {
            node: name(wire.node, "node")?,
            interface: wire.interface,
            priority: number(wire.priority, "priority")?,
            effective_priority: effective.transpose()?,
            state: choice::<v1::InstanceState, _>(wire.state, "state")?,
            generation: required(wire.generation, "generation")?,
            since: wire.since,
            reason: wire.reason,
            holding: wire.holding,
            link: choice::<v1::Link, _>(wire.link, "link")?,
            external: wire.external,
            settled: wire.settled,
            addresses: repeated(wire.addresses, "addresses")?,
            warnings: wire.warnings,
            drained: wire.drained,
        })
    }
}

fn names(wires: Vec<String>, field: &str) -> Result<Vec<Name>, Malformed> {
    each(wires, field, |wire| name(wire, ""))
}

impl From<NodeStatus> for v1::NodeStatus {
    fn from(it: NodeStatus) -> Self {
        Self {
            name: it.name.into(),
            connected: it.connected,
            connected_since: it.connected_since,
            replica: it.replica,
            agent_version: it.agent_version,
            boot_id: it.boot_id,
            generation: Some(it.generation.into()),
            rejected: it.rejected.map(Into::into),
            settled: it.settled,
            interfaces: all(it.interfaces),
            checks: all(it.checks),
            last_report: it.last_report,
            drain: it.drain.map(Into::into),
        }
    }
}

impl TryFrom<v1::NodeStatus> for NodeStatus {
    type Error = Malformed;

    fn try_from(wire: v1::NodeStatus) -> Result<Self, Malformed> {
        Ok(Self {
            name: name(wire.name, "name")?,
            connected: wire.connected,
            connected_since: wire.connected_since,
            replica: wire.replica,
            agent_version: wire.agent_version,
            boot_id: wire.boot_id,
            generation: required(wire.generation, "generation")?,
            rejected: optional(wire.rejected, "rejected")?,
            settled: wire.settled,
            interfaces: repeated(wire.interfaces, "interfaces")?,
            checks: repeated(wire.checks, "checks")?,
            last_report: wire.last_report,
            drain: optional(wire.drain, "drain")?,
        })
    }
}

impl From<Generations> for v1::Generations {
    fn from(it: Generations) -> Self {
        let Generations { desired, accepted, observed } = it;
        Self { desired, accepted, observed }
    }
}

impl TryFrom<v1::Generations> for Generations {
    type Error = Malformed;

    fn try_from(wire: v1::Generations) -> Result<Self, Malformed> {
        let v1::Generations { desired, accepted, observed } = wire;
        Ok(Self { desired, accepted, observed })
    }
}

impl From<Rejection> for v1::Rejection {
    fn from(it: Rejection) -> Self {
        let Rejection { generation, field_path, reason } = it;
        Self { generation, field_path, reason }
    }
}

impl TryFrom<v1::Rejection> for Rejection {
    type Error = Malformed;

    fn try_from(wire: v1::Rejection) -> Result<Self, Malformed> {
        let v1::Rejection { generation, field_path, reason } = wire;
        Ok(Self { generation, field_path, reason })
    }
}
