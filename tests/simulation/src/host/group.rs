//! Sync groups, as the agent's loop runs them: carries the words of one router to the others.

use super::Host;
use crate::daemon::Daemon;
use crate::mutation::Mutation;
use vipfleet_vrrp::group::{Follow, may_lead};
use vipfleet_vrrp::{Election, Input, Reason, Router};

impl Host {
    fn group_of(&self, instance: usize) -> Option<Vec<usize>> {
        self.groups.iter().find(|group| group.contains(&instance)).cloned()
    }

    pub(super) fn election(&self, instance: usize) -> Election {
        match self.group_of(instance) {
            Some(_) => Election::Together,
            None => Election::Alone,
        }
    }

    /// Its timers say MASTER: all of the group go, or none.
    pub(super) fn elect(&mut self, instance: usize, reason: &Reason) {
        let Some(group) = self.group_of(instance) else { return };
        let routers = group.iter().map(|it| self.running_router(*it));
        let Some(routers) = routers.collect::<Option<Vec<_>>>() else { return };
        let now = self.seats[instance].clock.max(self.local(self.now));
        if !may_lead(now, routers) {
            return;
        }
        for fellow in group {
            let reason = reason.clone();
            let reason = if fellow == instance { reason } else { reason.together() };
            self.tell(self.now, fellow, Input::Follow(Follow::ToMaster(reason)));
        }
    }

    fn running_router(&self, instance: usize) -> Option<&Router> {
        let seat = &self.seats[instance];
        match seat.daemon.as_ref().filter(|_| !seat.leaving)? {
            Daemon::Vipfleet(router) => Some(router),
            Daemon::Keepalived(_) => None,
        }
    }

    /// One changed: the others follow.
    pub(super) fn group_follows(&mut self, instance: usize, follow: Option<Follow>) {
        let (Some(follow), Some(group)) = (follow, self.group_of(instance)) else { return };
        if self.mutation == Mutation::GroupNotFollowed {
            return;
        }
        for fellow in group.into_iter().filter(|it| *it != instance) {
            self.tell(self.now, fellow, Input::Follow(follow.clone()));
        }
    }
}
