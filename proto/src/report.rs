//! What nodes say: reports, transitions and facts. Nothing here has a default.

use crate::field::{all, choice, each, ip, mirrored, name, net, number, repeated};
use crate::{Malformed, v1};
use vipfleet_model::report::{
    AddressReport, CheckReport, CheckStatus, InstanceReport, InstanceState, TransitionRecord,
};
use vipfleet_model::{InterfaceFacts, NodeFacts, NodeReport};

mirrored!(InstanceState, v1::InstanceState, Master, Backup, Fault, Init, Unknown);
mirrored!(CheckStatus, v1::CheckStatus, Pending, Up, Down);

impl From<NodeReport> for v1::NodeReport {
    fn from(NodeReport { generation, hash, settled, instances, checks }: NodeReport) -> Self {
        Self { generation, hash, settled, instances: all(instances), checks: all(checks) }
    }
}

impl TryFrom<v1::NodeReport> for NodeReport {
    type Error = Malformed;

    fn try_from(wire: v1::NodeReport) -> Result<Self, Malformed> {
        let v1::NodeReport { generation, hash, settled, instances, checks } = wire;
        Ok(Self {
            generation,
            hash,
            settled,
            instances: repeated(instances, "instances")?,
            checks: repeated(checks, "checks")?,
        })
    }
}

impl From<InstanceReport> for v1::InstanceReport {
    fn from(it: InstanceReport) -> Self {
        Self {
            name: it.name.into(),
            state: v1::InstanceState::from(it.state).into(),
            since: it.since,
            reason: it.reason,
            priority: it.priority.into(),
            effective_priority: it.effective_priority.into(),
            holding: it.holding,
            master: it.master.map(|master| master.to_string()),
            addresses: all(it.addresses),
            adverts_sent: it.adverts_sent,
            adverts_received: it.adverts_received,
            discards: it.discards,
            warnings: it.warnings,
        }
    }
}

impl TryFrom<v1::InstanceReport> for InstanceReport {
    type Error = Malformed;

    fn try_from(wire: v1::InstanceReport) -> Result<Self, Malformed> {
        Ok(Self {
            name: name(wire.name, "name")?,
            state: choice::<v1::InstanceState, _>(wire.state, "state")?,
            since: wire.since,
            reason: wire.reason,
            priority: number(wire.priority, "priority")?,
            effective_priority: number(wire.effective_priority, "effective_priority")?,
            holding: wire.holding,
            master: wire.master.map(|master| ip(&master, "master")).transpose()?,
            addresses: repeated(wire.addresses, "addresses")?,
            adverts_sent: wire.adverts_sent,
            adverts_received: wire.adverts_received,
            discards: wire.discards,
            warnings: wire.warnings,
        })
    }
}

impl From<AddressReport> for v1::AddressReport {
    fn from(AddressReport { address, in_kernel, foreign }: AddressReport) -> Self {
        Self { address: address.to_string(), in_kernel, foreign }
    }
}

impl TryFrom<v1::AddressReport> for AddressReport {
    type Error = Malformed;

    fn try_from(wire: v1::AddressReport) -> Result<Self, Malformed> {
        let v1::AddressReport { address, in_kernel, foreign } = wire;
        Ok(Self { address: ip(&address, "address")?, in_kernel, foreign })
    }
}

impl From<CheckReport> for v1::CheckReport {
    fn from(CheckReport { name, status, detail, since }: CheckReport) -> Self {
        let status = v1::CheckStatus::from(status).into();
        Self { name: name.into(), status, detail, since }
    }
}

impl TryFrom<v1::CheckReport> for CheckReport {
    type Error = Malformed;

    fn try_from(wire: v1::CheckReport) -> Result<Self, Malformed> {
        Ok(Self {
            name: name(wire.name, "name")?,
            status: choice::<v1::CheckStatus, _>(wire.status, "status")?,
            detail: wire.detail,
            since: wire.since,
        })
    }
}

impl From<TransitionRecord> for v1::Transition {
    fn from(it: TransitionRecord) -> Self {
        Self {
            sequence: it.sequence,
            at: it.at,
            instance: it.instance.into(),
            from: v1::InstanceState::from(it.from).into(),
            to: v1::InstanceState::from(it.to).into(),
            reason: it.reason,
            effective_priority: it.effective_priority.into(),
            lost_before: it.lost_before,
        }
    }
}

impl TryFrom<v1::Transition> for TransitionRecord {
    type Error = Malformed;

    fn try_from(wire: v1::Transition) -> Result<Self, Malformed> {
        Ok(Self {
            sequence: wire.sequence,
            at: wire.at,
            instance: name(wire.instance, "instance")?,
            from: choice::<v1::InstanceState, _>(wire.from, "from")?,
            to: choice::<v1::InstanceState, _>(wire.to, "to")?,
            reason: wire.reason,
            effective_priority: number(wire.effective_priority, "effective_priority")?,
            lost_before: wire.lost_before,
        })
    }
}

impl From<NodeFacts> for v1::NodeFacts {
    fn from(NodeFacts { node, interfaces }: NodeFacts) -> Self {
        Self { node: node.into(), interfaces: all(interfaces) }
    }
}

impl TryFrom<v1::NodeFacts> for NodeFacts {
    type Error = Malformed;

    fn try_from(v1::NodeFacts { node, interfaces }: v1::NodeFacts) -> Result<Self, Malformed> {
        Ok(Self { node: name(node, "node")?, interfaces: repeated(interfaces, "interfaces")? })
    }
}

impl From<InterfaceFacts> for v1::InterfaceFacts {
    fn from(it: InterfaceFacts) -> Self {
        let InterfaceFacts { name, addresses, promote_secondaries } = it;
        let addresses = addresses.into_iter().map(|address| address.to_string()).collect();
        Self { name, addresses, promote_secondaries }
    }
}

impl TryFrom<v1::InterfaceFacts> for InterfaceFacts {
    type Error = Malformed;

    fn try_from(wire: v1::InterfaceFacts) -> Result<Self, Malformed> {
        let v1::InterfaceFacts { name, addresses, promote_secondaries } = wire;
        let addresses = each(addresses, "addresses", |address: String| net(&address))?;
        Ok(Self { name, addresses, promote_secondaries })
    }
}
