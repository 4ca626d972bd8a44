//! Planned moves: as they are stored, assigned and shown.

use crate::field::{choice, mirrored, name, required};
use crate::{Malformed, v1};
use vipfleet_model::moves::{AssignedMove, Drain, MoveRole, Order, Switchover, SwitchoverStatus};

mirrored!(MoveRole, v1::MoveRole, Leads, Follows, Yields);

impl From<Switchover> for v1::Switchover {
    fn from(Switchover { to, order }: Switchover) -> Self {
        Self { to: to.into(), order: Some(order.into()) }
    }
}

impl TryFrom<v1::Switchover> for Switchover {
    type Error = Malformed;

    fn try_from(v1::Switchover { to, order }: v1::Switchover) -> Result<Self, Malformed> {
        Ok(Self { to: name(to, "to")?, order: required(order, "order")? })
    }
}

impl From<Drain> for v1::Drain {
    fn from(Drain { order }: Drain) -> Self {
        Self { order: Some(order.into()) }
    }
}

impl TryFrom<v1::Drain> for Drain {
    type Error = Malformed;

    fn try_from(v1::Drain { order }: v1::Drain) -> Result<Self, Malformed> {
        Ok(Self { order: required(order, "order")? })
    }
}

impl From<Order> for v1::MoveOrder {
    fn from(Order { by, message, since, until }: Order) -> Self {
        Self { by, message, since, until }
    }
}

impl TryFrom<v1::MoveOrder> for Order {
    type Error = Malformed;

    fn try_from(wire: v1::MoveOrder) -> Result<Self, Malformed> {
        let v1::MoveOrder { by, message, since, until } = wire;
        Ok(Self { by, message, since, until })
    }
}

impl From<AssignedMove> for v1::AssignedMove {
    fn from(AssignedMove { role, until }: AssignedMove) -> Self {
        Self { role: v1::MoveRole::from(role).into(), until }
    }
}

impl TryFrom<v1::AssignedMove> for AssignedMove {
    type Error = Malformed;

    fn try_from(v1::AssignedMove { role, until }: v1::AssignedMove) -> Result<Self, Malformed> {
        Ok(Self { role: choice::<v1::MoveRole, _>(role, "role")?, until })
    }
}

impl From<SwitchoverStatus> for v1::SwitchoverStatus {
    fn from(SwitchoverStatus { instance, to, order }: SwitchoverStatus) -> Self {
        Self { instance: instance.into(), to: to.into(), order: Some(order.into()) }
    }
}

impl TryFrom<v1::SwitchoverStatus> for SwitchoverStatus {
    type Error = Malformed;

    fn try_from(wire: v1::SwitchoverStatus) -> Result<Self, Malformed> {
        let v1::SwitchoverStatus { instance, to, order } = wire;
        Ok(Self {
            instance: name(instance, "instance")?,
            to: name(to, "to")?,
            order: required(order, "order")?,
        })
    }
}
