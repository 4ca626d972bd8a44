//! Sync groups: carries the words of one router to the others of its group. Which words, and what
//! they mean, is the engine's business ([`vipfleet_vrrp::group`]).

use super::event_loop::EventLoop;
use super::handle::Notice;
use super::instance::{Leaving, state};
use super::resume;
use crate::net::{LeaseTerms, clock};
use std::sync::Arc;
use tracing::info;
use vipfleet_model::Name;
use vipfleet_model::assignment::AssignedGroup;
use vipfleet_vrrp::group::{self, follows};
use vipfleet_vrrp::{Follow, Input, Reason, Router, StateName, Time, Transition};

impl EventLoop {
    fn group_of(&self, name: &Name) -> Option<Arc<AssignedGroup>> {
        self.instances.get(name)?.prepared.group.clone()
    }

    /// Who starts, and resumes, with this instance: itself alone, or all of its group in the
    /// group's order; nobody while one of the group is not there yet.
    pub(super) fn fellows(&self, name: &Name) -> Vec<Name> {
        match self.group_of(name) {
            None => vec![name.clone()],
            Some(group) if group.instances.iter().all(|it| self.instances.contains_key(it)) => {
                group.instances.clone()
            }
            Some(_) => Vec::new(),
        }
    }

    fn others(&self, name: &Name) -> impl Iterator<Item = Name> + use<> {
        let group = self.group_of(name);
        let all = group.map(|group| group.instances.clone()).unwrap_or_default();
        let name = name.clone();
        all.into_iter().filter(move |it| *it != name)
    }

    /// Its timers say MASTER: all of the group go, or none.
    pub(super) fn elect(&mut self, name: &Name, reason: &Reason) {
        let Some(group) = self.group_of(name) else { return };
        let routers = group.instances.iter().map(|it| self.running_router(it));
        let Some(routers) = routers.collect::<Option<Vec<_>>>() else { return };
        let now = self.instances.get(name).map_or(Time::ZERO, |it| it.clock.max(clock::now()));
        if !group::may_lead(now, routers) {
            return;
        }
        for fellow in &group.instances {
            let reason = reason.clone();
            let reason = if fellow == name { reason } else { reason.together() };
            self.tell(fellow, Input::Follow(Follow::ToMaster(reason)));
        }
    }

    fn running_router(&self, name: &Name) -> Option<&Router> {
        let instance = self.instances.get(name)?;
        (instance.running && instance.leaving == Leaving::No).then_some(&instance.router)
    }

    /// One changed: the others follow, and the group as a whole may have changed.
    pub(super) fn group_follows(&mut self, name: &Name, transition: &Transition) {
        if let Some(follow) = follows(transition) {
            for other in self.others(name) {
                self.tell(&other, Input::Follow(follow.clone()));
            }
        }
    }

    /// Tells the hooks of a group when all of it is in one state.
    pub(super) fn group_settles(&mut self, name: &Name, to: StateName, ends: bool) {
        let Some(group) = self.group_of(name) else { return };
        let is_there = |it: &Name| self.instances.get(it).is_some_and(|it| it.router.state() == to);
        if !group.instances.iter().all(is_there) {
            return;
        }
        if self.group_states.insert(group.name.clone(), to) == Some(to) {
            return;
        }
        info!(group = %group.name, state = %to, "sync group changed");
        let (group, notify) = (group.name.clone(), group.notify.clone());
        self.notice(Notice::Group { group, to: state(to), notify, ends });
    }

    /// Why the others of its group cannot serve, and so neither can this one.
    pub(super) fn obstacles_of_others(&mut self, name: &Name) -> Vec<String> {
        let Some(group) = self.group_of(name) else { return Vec::new() };
        let others = self.others(name);
        let obstacle = |other: Name| {
            let instance = self.instances.get(&other)?;
            // It may not have come to that itself.
            self.lan.listen(instance.interface(), instance.family());
            let prepared = &instance.prepared;
            let obstacle = self.lan.obstacle(prepared)?;
            Some(format!("{other} of sync group {}: {obstacle}", group.name))
        };
        others.filter_map(obstacle).collect()
    }

    /// Whether this instance, and all of its group, may carry on as MASTER.
    pub(super) fn may_resume(&self, name: &Name) -> bool {
        let Some(inventory) = self.inventory() else { return false };
        let may = |name: &Name| {
            let Some(instance) = self.instances.get(name) else { return false };
            let lease = LeaseTerms::of(instance.router.master_down_interval());
            let (former, boot_id) = (&self.former, &self.boot_id);
            resume::may_resume(&instance.prepared, lease, former, boot_id, &inventory)
        };
        let fellows = self.fellows(name);
        !fellows.is_empty() && fellows.iter().all(may)
    }
}
