//! Instances as the loop runs them, made by [`super::prepare()`]. Assignments that have some in
//! common share them.

use crate::net::{Device, Following};
use std::sync::Arc;
use std::time::Duration;
use vipfleet_model::assignment::{AssignedGroup, AssignedInstance};
use vipfleet_model::{Name, VirtualAddress};
use vipfleet_vrrp::{Config, Standing};

/// Instances, each of a name of its own, by name. A copy costs one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreparedInstances(Vec<Arc<PreparedInstance>>);

impl PreparedInstances {
    /// Of distinct names, in their order.
    pub(super) fn new(sorted: Vec<Arc<PreparedInstance>>) -> Self {
        Self(sorted)
    }

    /// The one of this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<PreparedInstance>> {
        let at = self.0.binary_search_by(|it| it.assigned.name.cmp(name)).ok()?;
        self.0.get(at)
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PreparedInstance>> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Arc<PreparedInstance>> {
        self.0.iter_mut()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for PreparedInstances {
    type Item = Arc<PreparedInstance>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One instance, ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedInstance {
    pub assigned: AssignedInstance,
    pub config: Config,
    /// Virtual and excluded addresses: everything that follows the MASTER.
    pub addresses: Arc<[VirtualAddress]>,
    /// Routes and rules that do, too.
    pub following: Arc<Following>,
    /// The device of its virtual MAC, if it has one.
    pub device: Option<Device>,
    /// Its sync group, if it is in one.
    pub group: Option<Arc<AssignedGroup>>,
    /// When its planned move ends by itself, on CLOCK_BOOTTIME.
    pub move_ends: Option<Duration>,
}

impl PreparedInstance {
    /// Whether its peers would take both for one: a VRID on a LAN, for one family.
    pub(super) fn is_same_router(&self, other: &Self) -> bool {
        self.assigned.interface == other.assigned.interface
            && self.config.vrid == other.config.vrid
            && self.config.family == other.config.family
    }

    /// Ends its planned move if its time has come; whether it did. Others that share it go on
    /// seeing it as it was.
    pub(super) fn end_move(self: &mut Arc<Self>, up_for: Duration) -> bool {
        let ends = self.move_ends.is_some_and(|at| at <= up_for);
        if ends {
            let instance = Arc::make_mut(self);
            instance.move_ends = None;
            instance.config.standing = Standing::Ordinary;
        }
        ends
    }
}
