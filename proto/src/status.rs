//! Status of instances and nodes, as a server answers it and vipctl shows it.

use crate::field::{all, name, optional, repeated, required};
use crate::{Malformed, v1};
use vipfleet_model::node::{Generations, NodeStatus, Rejection};

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
        })
    }
}

impl From<Generations> for v1::Generations {
    fn from(it: Generations) -> Self {
        let Generations {
            desired,
            accepted,
            observed,
        } = it;
        Self {
            desired,
            accepted,
            observed,
        }
    }
}

impl TryFrom<v1::Generations> for Generations {
    type Error = Malformed;

    fn try_from(wire: v1::Generations) -> Result<Self, Malformed> {
        let v1::Generations {
            desired,
            accepted,
            observed,
        } = wire;
        Ok(Self {
            desired,
            accepted,
            observed,
        })
    }
}

impl From<Rejection> for v1::Rejection {
    fn from(it: Rejection) -> Self {
        let Rejection {
            generation,
            field_path,
            reason,
        } = it;
        Self {
            generation,
            field_path,
            reason,
        }
    }
}

impl TryFrom<v1::Rejection> for Rejection {
    type Error = Malformed;

    fn try_from(wire: v1::Rejection) -> Result<Self, Malformed> {
        let v1::Rejection {
            generation,
            field_path,
            reason,
        } = wire;
        Ok(Self {
            generation,
            field_path,
            reason,
        })
    }
}
